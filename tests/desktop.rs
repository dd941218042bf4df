//! The desktop program in its real window, on a screen without a monitor.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use paser_tests::{Served, Window, command, program};

#[test]
fn demo_bar_budget_export_close_and_reopen() -> Result<()> {
    let state = tempfile::tempdir()?;
    let target = state.path().join("recovery.json");
    let left = {
        let window = Window::on_desktop(state.path(), None, Some(&target), (1280, 800), "")?;
        window.open_demo()?;
        let left = window.brush_and_budget()?;
        window.click("Export")?;
        window.wait("the export dialog", |state| state["dialog"] == "Export")?;
        let deadline = Instant::now() + Duration::from_secs(90);
        while !target.exists() && Instant::now() < deadline {
            // A click on a loaded machine may land before the dialog has settled: a person would click again.
            window.click("browse export")?;
            std::thread::sleep(Duration::from_secs(1));
            window.click("dialog:Write")?;
            std::thread::sleep(Duration::from_secs(2));
        }
        let state = window.state()?;
        ensure!(state["toasts"].as_array().is_some_and(Vec::is_empty), "the export failed: {}", state["toasts"]);
        // The page writes its own state within half a second.
        std::thread::sleep(Duration::from_secs(1));
        left
    };
    let exported: Vec<serde_json::Value> = serde_json::from_str(&fs_err::read_to_string(&target)?)?;
    ensure!(
        Some(exported.len() as u64) == left.selection["selected"].as_u64(),
        "{} samples in the file",
        exported.len()
    );
    ensure!(exported.iter().all(|sample| sample["instruction"].is_string() && sample["output"].is_string()), "fields");
    ensure!(target.with_file_name("recovery.manifest.json").is_file(), "no manifest beside the file");

    let window = Window::on_desktop(state.path(), None, None, (1280, 800), "")?;
    window.is_as_it_was(&left)
}

#[test]
fn a_project_that_is_open_elsewhere_is_shown_from_there_and_taken_over_when_itsowner_is_gone() -> Result<()> {
    let state = tempfile::tempdir()?;
    let demo = state.path().join("mine");
    let made = command(state.path())?.arg("demo").arg(&demo).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let owner = Served::start(state.path(), Some(&demo))?;
    let window = Window::on_desktop(state.path(), Some(&demo), None, (1280, 800), "")?;
    let shown =
        window.wait("the project of the other program", |state| state["project"]["samples"].as_u64() > Some(0))?;
    ensure!(shown["attached"] == true, "it is not told as another program's: {shown:#}");
    let lock =
        || -> Result<serde_json::Value> { Ok(serde_json::from_slice(&fs_err::read(demo.join("project.lock"))?)?) };
    ensure!(lock()?["pid"].as_u64() == Some(owner.process_id().into()), "the window took the project: {}", lock()?);
    owner.ask(&serde_json::json!({ "do": "curate", "edit": { "edit": "pin", "rows": [7], "reason": "seen" } }))?;
    window.wait("the edit of the other program", |state| state["project"]["pinned"] == serde_json::json!([7]))?;

    drop(owner);
    window.wait("the owner's end", |state| state["link"] == "Lost")?;
    window.click("OpenHere")?;
    let here = window.wait("the project in its own engine", |state| {
        state["attached"] == false && state["link"] == "Open" && state["project"]["pinned"] == serde_json::json!([7])
    })?;
    ensure!(here["toasts"].as_array().is_some_and(Vec::is_empty), "{}", here["toasts"]);
    ensure!(lock()?["program"].as_str().is_some_and(|name| name.starts_with("paser-studio")), "{}", lock()?);
    Ok(())
}

/// A second start, which needs no screen: it hands its project over and ends.
fn start_again(state: &Path, project: &Path) -> Result<()> {
    let second = std::process::Command::new(program("paser-studio")?)
        .arg(project)
        .env("XDG_STATE_HOME", state)
        .env_remove("DISPLAY")
        .output()?;
    ensure!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    Ok(())
}

#[test]
fn a_second_start_turns_a_window_away_from_another_programs_project() -> Result<()> {
    let state = tempfile::tempdir()?;
    let (theirs, mine) = (state.path().join("theirs"), state.path().join("mine"));
    for project in [&theirs, &mine] {
        let made = command(state.path())?.arg("demo").arg(project).output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let owner = Served::start(state.path(), Some(&theirs))?;
    let window = Window::on_desktop(state.path(), Some(&theirs), None, (1280, 800), "")?;
    window.wait("the project of the other program", |state| state["attached"] == true)?;
    start_again(state.path(), &mine)?;
    window.wait("the project of the second start", |state| {
        state["attached"] == false && state["project"]["path"].as_str().is_some_and(|path| path.ends_with("mine"))
    })?;
    let lock: serde_json::Value = serde_json::from_slice(&fs_err::read(theirs.join("project.lock"))?)?;
    ensure!(lock["pid"].as_u64() == Some(owner.process_id().into()), "the other program lost its project: {lock}");
    Ok(())
}

#[test]
fn a_second_start_uses_the_first_window_and_a_view_is_saved_by_its_dialog() -> Result<()> {
    let state = tempfile::tempdir()?;
    let (demo, target) = (state.path().join("mine"), state.path().join("map.svg"));
    let made = command(state.path())?.arg("demo").arg(&demo).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let window = Window::on_desktop(state.path(), None, Some(&target), (1280, 800), "")?;
    start_again(state.path(), &demo)?;
    let told =
        window.wait("the project of the second start", |state| state["project"]["samples"].as_u64() > Some(0))?;
    ensure!(told["project"]["path"].as_str().is_some_and(|path| path.ends_with("mine")), "{:#}", told["project"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !target.exists() && Instant::now() < deadline {
        window.click("save:map")?;
        std::thread::sleep(Duration::from_millis(500));
        window.click("save:Svg")?;
        std::thread::sleep(Duration::from_secs(2));
    }
    ensure!(target.exists(), "the map was not saved: {:#}", window.state()?);
    let svg = fs_err::read_to_string(&target)?;
    ensure!(svg.starts_with("<svg") && svg.contains("<circle"), "{}", &svg[..svg.len().min(300)]);
    Ok(())
}
