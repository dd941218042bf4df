//! A run and its window: paused and resumed, left behind when the project is closed, and taken up by the next window.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use anyhow::{Result, ensure};
use paser_tests::{Bench, Served, finished_shards, selections, wait_for, worker};
use serde_json::json;

/// Serves a project and starts its run; the worker has finished a shard.
fn running(bench: &Bench, folder: &Path) -> Result<Served> {
    let served = Served::start(bench.state(), Some(folder))?;
    served.ask(&json!({ "do": "run", "until": "select" }))?;
    wait_for("a worker with a finished shard", || {
        Ok(worker(folder).filter(|_| finished_shards(folder).unwrap_or(0) > 0))
    })?;
    Ok(served)
}

fn ended(served: &Served) -> Result<()> {
    wait_for("the end of the run", || {
        let run = served.ask(&json!({ "do": "run-state" }))?["value"].take();
        ensure!(run["report"].is_null(), "the run did not end well: {}", run["report"]);
        Ok((run["at_work"] == false).then_some(()))
    })
}

#[test]
fn a_paused_run_waits_for_a_person() -> Result<()> {
    let bench = Bench::new()?;
    let whole = bench.project("whole")?;
    bench.run(&whole)?;
    let folder = bench.project("paused")?;
    let served = running(&bench, &folder)?;
    served.ask(&json!({ "do": "pause" }))?;
    wait_for("the pause", || {
        let project = served.project()?;
        Ok((project["job"].is_null() && project["run"]["paused"] == true).then_some(()))
    })?;
    ensure!(worker(&folder).is_none(), "a worker is at work on a paused run");
    drop(served);

    let served = Served::start(bench.state(), Some(&folder))?;
    let project = served.project()?;
    ensure!(project["job"].is_null() && project["run"]["paused"] == true, "it went on by itself: {}", project["run"]);
    let kept = finished_shards(&folder)?;
    ensure!(kept > 0, "nothing was kept");
    served.ask(&json!({ "do": "resume" }))?;
    ended(&served)?;
    ensure!(selections(&folder)? == selections(&whole)?, "a paused run made other selections");
    Ok(())
}

#[test]
fn a_run_goes_on_without_its_window_and_the_next_window_takes_it_up() -> Result<()> {
    let bench = Bench::new()?;
    let whole = bench.project("whole")?;
    bench.run(&whole)?;
    let expected = selections(&whole)?;

    let folder = bench.project("left")?;
    let served = running(&bench, &folder)?;
    served.ask(&json!({ "do": "close-project" }))?;
    wait_for("the run's end without a window", || {
        let unended = folder.join("jobs").join("run.json").exists();
        Ok((!unended).then_some(()))
    })?;
    wait_for("the project to be free", || {
        Ok(fs_err::metadata(folder.join("project.lock"))?.len().eq(&0).then_some(()))
    })?;
    ensure!(selections(&folder)? == expected, "a run without a window made other selections");

    let folder = bench.project("taken")?;
    let first = running(&bench, &folder)?;
    let pid = worker(&folder).map(|worker| worker.pid);
    first.ask(&json!({ "do": "close-project" }))?;
    let background = || -> Result<Option<u64>> {
        let text = fs_err::read_to_string(folder.join("project.lock"))?;
        let note: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(note["pid"].as_u64().filter(|_| note["background"] == true))
    };
    wait_for("the run without a window", background)?;
    let second = Served::start(bench.state(), Some(&folder))?;
    ensure!(background()?.is_none(), "two own the project");
    let now = worker(&folder).map(|worker| worker.pid);
    ensure!(now.is_none() || now == pid, "another worker was started: {now:?} after {pid:?}");
    ended(&second)?;
    ensure!(selections(&folder)? == expected, "a run that changed hands made other selections");

    let folder = bench.project("stopped")?;
    let served = running(&bench, &folder)?;
    served.ask(&json!({ "do": "close-project", "go_on": false }))?;
    ensure!(worker(&folder).is_none() && !folder.join("jobs").join("run.json").exists(), "it went on");
    Ok(())
}
