//! The window in a real browser, against `paser serve`.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Served, Window};

#[test]
fn demo_bar_budget_and_back_again() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    window.open_demo()?;
    let left = window.brush_and_budget()?;
    // A reload is a new start of the page; the engine kept the project, the page its view and the token, which no longer
    // stands in the address.
    std::thread::sleep(Duration::from_secs(1));
    let address = window.session.script("return location.href", &[])?;
    ensure!(address.as_str().is_some_and(|address| !address.contains("token")), "the address is {address}");
    window.session.script("delete window.__paser; location.reload()", &[])?;
    window.is_as_it_was(&left)?;
    // So is the address that was printed.
    window.session.open(&format!("{}&e2e=1&again", served.url))?;
    window.is_as_it_was(&left)
}

#[test]
fn a_lost_graphics_context_recovers() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    window.open_demo()?;
    std::thread::sleep(Duration::from_secs(1));
    let frames = window.state()?["frames"].as_u64().context("no frames")?;
    window.session.script(
        "const context = document.querySelector('canvas').getContext('webgl2') || document.querySelector('canvas').getContext('webgl');\
         const lose = context.getExtension('WEBGL_lose_context'); delete window.__paser; lose.loseContext();\
         setTimeout(() => lose.restoreContext(), 300);",
        &[],
    )?;
    window.wait("the window after the loss", |state| {
        state["project"]["samples"].as_u64() > Some(0) && state["frames"].as_u64().is_some_and(|now| now != frames)
    })?;
    Ok(())
}

#[test]
fn the_server_lets_nobody_in() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let (base, token) = served.url.split_once("/?token=").context("no token in the address")?;
    // A connection that answered without reading the body may be closed before the next question.
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_idle_connections(0);
    let agent: ureq::Agent = config.build().into();
    let ask = |token: &str, origin: Option<&str>, host: Option<&str>| -> Result<u16> {
        let mut request = agent.post(format!("{base}/api/request")).header("authorization", format!("Bearer {token}"));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(host) = host {
            request = request.header("host", host);
        }
        Ok(request.send_json(serde_json::json!({ "do": "hello" }))?.status().as_u16())
    };
    ensure!(ask(token, None, None)? == 200, "the right token is let in");
    ensure!(ask(token, Some(base), None)? == 200, "our own page is let in");
    ensure!(ask("", None, None)? == 401, "no token");
    ensure!(ask(&token.replace(|_: char| true, "0"), None, None)? == 401, "a wrong token");
    ensure!(ask(token, Some("http://example.org"), None)? == 403, "another page");
    ensure!(ask(token, None, Some("example.org"))? == 421, "another host name");
    let page = agent.get(format!("{base}/")).call()?;
    let policy = page.headers().get("content-security-policy").context("no policy")?.to_str()?;
    ensure!(policy.contains("default-src 'none'"), "the policy is {policy}");
    Ok(())
}

#[test]
fn a_served_project_ends_with_the_process() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let killed = Command::new("kill").args(["-9", &served.process_id().to_string()]).status()?;
    ensure!(killed.success(), "the server was not there");
    drop(served);
    // The dead owner's lock must not keep the next start out of the demo.
    let served = Served::start(state.path(), None)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    window.open_demo().map(drop)
}
