//! The window in a real browser, against `paser serve`.

use std::{
    process::Command,
    time::{Duration, Instant},
};

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

#[test]
fn a_panic_in_the_window_is_told_and_leaves_a_report() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    window.open_demo()?;
    window.session.script("window.__paser_panic = true", &[])?;
    // A touch, so that a frame is drawn.
    window.session.click(640.0, 300.0)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let words = loop {
        let words = window.session.script(
            "const banner = document.getElementById('banner'); return banner.hidden ? '' : banner.innerText",
            &[],
        )?;
        let words = words.as_str().unwrap_or_default().to_owned();
        if words.contains("crashes") {
            break words;
        }
        ensure!(Instant::now() < deadline, "the page says {words:?}");
        std::thread::sleep(Duration::from_millis(200));
    };
    ensure!(words.contains("a test asked for a panic") && words.contains("Reload"), "{words}");
    let folder = state.path().join("paser-studio").join("crashes");
    let report = fs_err::read_dir(&folder)?.next().context("no report")??.path();
    let report = fs_err::read_to_string(report)?;
    ensure!(report.contains("a test asked for a panic") && report.contains("PASER Studio"), "{report}");
    let (_, token) = served.url.split_once("token=").context("no token")?;
    ensure!(!report.contains(token), "the token stands in the report");
    // Everything is as it was after a reload.
    window.session.script("delete window.__paser; location.reload()", &[])?;
    window.wait("the window again", |state| state["project"]["samples"].as_u64() > Some(0)).map(drop)
}

#[test]
fn a_view_is_saved_by_the_browser() -> Result<()> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    window.open_demo()?;
    // What would be downloaded, as the page hands it to the browser.
    window.session.script(
        "window.__saved = []; const make = URL.createObjectURL; \
         URL.createObjectURL = (blob) => { blob.arrayBuffer().then((bytes) => window.__saved.push([...new Uint8Array(bytes)])); return make.call(URL, blob); }",
        &[],
    )?;
    for (view, format, start) in [
        ("map", "Fine", b"\x89PNG".as_slice()),
        ("map", "Svg", b"<svg"),
        ("damage per cluster", "Csv", b"cluster,name"),
        ("map", "Csv", b"id,line,map_x,map_y,cluster"),
    ] {
        let deadline = Instant::now() + Duration::from_secs(90);
        let mut saved = None;
        while saved.is_none() {
            ensure!(Instant::now() < deadline, "{view} was not saved as {format}: {:#}", window.state()?["toasts"]);
            // A click on a loaded machine may land before the menu has settled: a person would click again.
            window.click(&format!("save:{view}"))?;
            std::thread::sleep(Duration::from_millis(500));
            window.click(&format!("save:{format}"))?;
            for _ in 0..10 {
                std::thread::sleep(Duration::from_millis(300));
                let found = window.session.script("return window.__saved.pop() || null", &[])?;
                let byte = |value: &serde_json::Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
                let bytes: Vec<u8> =
                    found.as_array().map_or_else(Vec::new, |bytes| bytes.iter().filter_map(byte).collect());
                // Not the file of a click before, come late.
                if bytes.starts_with(start) {
                    saved = Some(bytes);
                    break;
                }
            }
        }
        ensure!(saved.is_some_and(|bytes| bytes.len() > 400), "{view} as {format} is nearly empty");
    }
    Ok(())
}
