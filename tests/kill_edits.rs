//! A window's engine that is killed while a script edits loses nothing that it had answered, and the project opens
//! again with a journal that reads. `PASER_KILLS` says how many kills (3).
#![allow(clippy::unwrap_used)]

use std::{
    env,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Served, command};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

/// Longest time that the script edits before it is cut off.
const LONGEST: Duration = Duration::from_millis(1_500);

#[test]
fn what_was_answered_outlives_a_kill() -> Result<()> {
    let kills: u32 = env::var("PASER_KILLS").map_or(Ok(3), |text| text.parse())?;
    let state = tempfile::tempdir()?;
    let demo = state.path().join("demo");
    let made = command(state.path())?.arg("demo").arg(&demo).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(made.success(), "`paser demo` ended with {made}");
    let mut random = StdRng::seed_from_u64(u64::from(kills));
    let mut answered = 0;
    for kill in 0..kills {
        let moment = LONGEST.mul_f64(random.random_range(0.0..1.0));
        let served = Served::start(state.path(), Some(&demo))?;
        let before = entries(&served)?;
        ensure!(before >= answered, "after kill {kill} the journal has {before} lines, and {answered} were answered");
        answered = edit_until(&served, before, moment, &mut random)?;
        drop(served);
        let journal = read_journal(&demo)?;
        ensure!(journal as u64 >= answered, "{answered} edits were answered and {journal} are on disk");
        println!("kill {kill} at {moment:.0?}: {answered} edits answered, {journal} whole lines on disk");
    }
    ensure!(answered > 0, "nothing was edited");
    let status = command(state.path())?.arg("status").arg(&demo).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "the project does not open: {status}");
    Ok(())
}

/// Edits of every kind one after the other until the process is killed at `moment`; the journal's length at the last
/// answer.
fn edit_until(served: &Served, before: u64, moment: Duration, random: &mut StdRng) -> Result<u64> {
    let killed = AtomicBool::new(false);
    let process = served.process_id().to_string();
    thread::scope(|scope| {
        let killer = scope.spawn(|| -> Result<()> {
            thread::sleep(moment);
            killed.store(true, Ordering::SeqCst);
            let status = std::process::Command::new("kill").args(["-9", &process]).status()?;
            ensure!(status.success(), "the engine was gone before it was killed");
            Ok(())
        });
        let mut answered = before;
        loop {
            let row = random.random_range(0..3_000_u32);
            let edit = match random.random_range(0..6_u32) {
                0 => json!({ "edit": "pin", "rows": [row] }),
                1 => json!({ "edit": "exclude", "rows": (row..(row + 40).min(3_000)).collect::<Vec<_>>() }),
                2 => json!({ "edit": "tag", "rows": [row], "tag": "seen" }),
                3 => json!({ "edit": "hide", "rows": [row] }),
                4 => json!({ "edit": "rename-cluster", "cluster": row % 8, "name": format!("name {row}") }),
                _ => json!({ "edit": "release", "rows": [row] }),
            };
            let mut edit = edit;
            edit["reason"] = json!("a script");
            match served.ask(&json!({ "do": "curate", "edit": edit })) {
                Ok(reply) => answered = reply["value"]["entries"].as_u64().context("no length of the journal")?,
                Err(_) if killed.load(Ordering::SeqCst) => break,
                Err(error) => return Err(error),
            }
        }
        killer.join().unwrap()?;
        Ok(answered)
    })
}

fn entries(served: &Served) -> Result<u64> {
    served.ask(&json!({ "do": "project" }))?["value"]["curation"]["entries"].as_u64().context("no curation")
}

/// Whole lines of the journal, each of them JSON.
fn read_journal(project: &Path) -> Result<usize> {
    let text = fs_err::read_to_string(project.join("journal.jsonl"))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        serde_json::from_str::<Value>(line).with_context(|| format!("a line that is no JSON: {line}"))?;
    }
    Ok(whole.lines().count())
}
