//! The processes of a run die one at a time: a worker that is killed is started again, a worker whose owner is killed
//! goes on and is taken up by the next owner, and the selections are those of a run that nothing happened to.
//! `PASER_KILLS` says how many kills (2).
#![allow(clippy::unwrap_used)]

use std::{
    env,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{
    AtWork, Bench, Served, command, finished_shards, is_alive, kill, selections, wait_for, worker, workers_started,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

fn kills() -> Result<u32> {
    Ok(env::var("PASER_KILLS").map_or(Ok(2), |text| text.parse())?)
}

/// A worker that has finished a shard.
fn at_work(folder: &Path) -> Result<AtWork> {
    wait_for("a worker with a finished shard", || {
        Ok(worker(folder).filter(|_| finished_shards(folder).unwrap_or(0) > 0))
    })
}

fn ends_well(mut run: Child) -> Result<()> {
    let status = run.wait()?;
    ensure!(status.success(), "the run ended with {status}");
    Ok(())
}

#[test]
fn a_killed_worker_is_started_again() -> Result<()> {
    let bench = Bench::new()?;
    let whole = bench.project("whole")?;
    bench.run(&whole)?;
    let expected = selections(&whole)?;
    let mut random = StdRng::seed_from_u64(41);
    for number in 0..kills()? {
        let folder = bench.project(&format!("kill-{number}"))?;
        let run = bench.command(&folder)?.spawn()?;
        let first = wait_for("a worker", || Ok(worker(&folder)))?;
        let moment = Duration::from_millis(random.random_range(0..2_000));
        thread::sleep(moment);
        let killed = kill(first.pid).is_ok();
        let finished = finished_shards(&folder)?;
        ends_well(run).with_context(|| format!("after the kill of a worker at {moment:.0?}"))?;
        let started = workers_started(&folder)?;
        let same = selections(&folder)? == expected;
        println!(
            "worker {number}: {} at {moment:.0?}, {finished} shards done, {started} workers in all, {}",
            if killed { "killed" } else { "had ended" },
            if same { "same selections" } else { "OTHER SELECTIONS" }
        );
        ensure!(same, "the worker was killed at {moment:.0?}, and the run ended with other selections");
        ensure!(started == if killed { 2 } else { 1 } || killed, "{started} workers were started");
        fs_err::remove_dir_all(folder)?;
    }
    Ok(())
}

#[test]
fn a_worker_outlives_its_owner_and_is_taken_up() -> Result<()> {
    let bench = Bench::new()?;
    let whole = bench.project("whole")?;
    bench.run(&whole)?;
    let expected = selections(&whole)?;
    let mut random = StdRng::seed_from_u64(43);
    for number in 0..kills()? {
        let folder = bench.project(&format!("owner-{number}"))?;
        let by_server = number % 2 == 1;
        let left = if by_server { kill_server(&bench, &folder)? } else { kill_run(&bench, &folder)? };
        thread::sleep(Duration::from_millis(random.random_range(0..300)));
        let alive = is_alive(left.pid);
        if alive {
            let status = command(bench.state())?.arg("status").arg(&folder).output()?;
            let text = String::from_utf8_lossy(&status.stdout).into_owned();
            let said = format!("its worker (pid {}) is still at work", left.pid);
            ensure!(text.contains(&said) || !is_alive(left.pid), "status does not tell of the worker: {text}");
        }
        if by_server {
            // A window takes the run up by itself.
            let served = Served::start(bench.state(), Some(&folder))?;
            let state = || Ok::<_, anyhow::Error>(served.ask(&json!({ "do": "run-state" }))?["value"].take());
            wait_for("the end of the run", || Ok((state()?["at_work"] == false).then_some(())))?;
            let failed =
                served.project()?["stages"].as_array().is_some_and(|all| all.iter().any(|s| s["state"] != "done"));
            ensure!(!failed, "the run did not end well: {:#}", served.project()?["stages"]);
        } else {
            bench.run(&folder)?;
        }
        let (started, same) = (workers_started(&folder)?, selections(&folder)? == expected);
        println!(
            "owner {number} ({}): its worker {}, {started} workers in all, {}",
            if by_server { "serve" } else { "run" },
            if alive { "lived on" } else { "had ended" },
            if same { "same selections" } else { "OTHER SELECTIONS" }
        );
        ensure!(same, "the owner was killed, and the next one ended with other selections");
        ensure!(started == 1, "{started} workers were started for one job");
        fs_err::remove_dir_all(folder)?;
    }
    Ok(())
}

fn kill_run(bench: &Bench, folder: &Path) -> Result<AtWork> {
    let mut run = bench.command(folder)?.spawn()?;
    let left = at_work(folder)?;
    run.kill()?;
    run.wait()?;
    Ok(left)
}

fn kill_server(bench: &Bench, folder: &Path) -> Result<AtWork> {
    let served = Served::start(bench.state(), Some(folder))?;
    served.ask(&json!({ "do": "run", "until": "select" }))?;
    let left = at_work(folder)?;
    kill(served.process_id())?;
    Ok(left)
}

#[test]
fn a_worker_stops_where_its_job_says_so_and_no_two_work_on_one() -> Result<()> {
    let bench = Bench::new()?;
    let folder = bench.project("stopped")?;
    let mut run = bench.command(&folder)?.stderr(Stdio::piped()).spawn()?;
    let at_work = at_work(&folder)?;
    let second = command(bench.state())?.arg("worker").arg(&at_work.job).output()?;
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    ensure!(second.status.code() == Some(75), "a second worker ended with {}: {text}", second.status);
    ensure!(text.contains(&format!("pid {}", at_work.pid)), "it does not name the first one: {text}");

    let before = finished_shards(&folder)?;
    let asked = Instant::now();
    fs_err::write(at_work.job.join("stop"), "")?;
    wait_for("the worker's end", || Ok((!is_alive(at_work.pid)).then_some(())))?;
    println!("the worker stopped after {:.0?}", asked.elapsed());
    let status = run.wait()?;
    ensure!(status.code() == Some(130), "the run ended with {status}");
    let after = finished_shards(&folder)?;
    ensure!(after <= before + 1, "{} shards were finished after the worker was to stop", after - before);
    bench.run(&folder)
}

#[test]
fn a_worker_refuses_what_it_was_not_planned_for() -> Result<()> {
    let bench = Bench::new()?;
    let folder = bench.project("planned")?;
    let mut run = bench.command(&folder)?.spawn()?;
    let at_work = at_work(&folder)?;
    run.kill()?;
    run.wait()?;
    kill(at_work.pid)?;
    let refused = |what: &str| -> Result<String> {
        let output = command(bench.state())?.arg("worker").arg(&at_work.job).output()?;
        ensure!(!output.status.success(), "{what}: the worker did not refuse");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let order = at_work.job.join("work.json");
    let text = fs_err::read_to_string(&order)?;
    let mut other: serde_json::Value = serde_json::from_str(&text)?;
    other["version"] = json!("0.0.1");
    fs_err::write(&order, other.to_string())?;
    let said = refused("another version")?;
    ensure!(said.contains("version 0.0.1"), "{said}");

    let mut other: serde_json::Value = serde_json::from_str(&text)?;
    let recipe = other["recipe"].as_str().context("no recipe")?.replace("shard = 150", "shard = 140");
    other["recipe"] = json!(recipe);
    fs_err::write(&order, other.to_string())?;
    let said = refused("another recipe")?;
    ensure!(said.contains("changed since this job was planned"), "{said}");

    // What a person writes into the project's own recipe meanwhile does not confuse it.
    fs_err::write(&order, &text)?;
    let recipe = fs_err::read_to_string(folder.join("recipe.toml"))?;
    fs_err::write(folder.join("recipe.toml"), recipe.replace("shard = 150", "shard = 140"))?;
    let worked = command(bench.state())?.arg("worker").arg(&at_work.job).output()?;
    ensure!(worked.status.success(), "{}", String::from_utf8_lossy(&worked.stderr));
    Ok(())
}
