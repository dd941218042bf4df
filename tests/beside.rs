//! Commands beside an open window: what only looks works, what would write is refused and names who has the project.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use anyhow::{Result, ensure};
use paser_tests::{Served, command};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn done(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?} ended with {}: {}", output.status, text(&output));
    Ok(text(&output))
}

#[test]
fn an_open_project_is_looked_at_and_exported_but_not_changed() -> Result<()> {
    let state = tempfile::tempdir()?;
    let demo = state.path().join("demo");
    let paser = |arguments: &[&str]| -> Result<Command> {
        let mut paser = command(state.path())?;
        paser.args(arguments).current_dir(&demo);
        Ok(paser)
    };
    done(command(state.path())?.arg("demo").arg(&demo))?;
    done(&mut paser(&["curate", "pin", "sample-0003", "--reason", "a good example"])?)?;
    let alone = done(&mut paser(&["status"])?)?;
    ensure!(!alone.contains("is open in"), "nobody had the project: {alone}");
    let compared = done(&mut paser(&["compare", "paser-20", "random-20"])?)?;
    let journal = done(&mut paser(&["curate", "journal"])?)?;
    ensure!(journal.contains("a good example"), "the journal lacks the edit: {journal}");

    let served = Served::start(state.path(), Some(&demo))?;
    let status = done(&mut paser(&["status"])?)?;
    let owner = format!("pid {}", served.process_id());
    ensure!(status.contains(&owner), "status does not say who has the project: {status}");
    ensure!(status.contains(alone.trim_end()), "status beside a window says other things:\n{alone}\n{status}");
    ensure!(done(&mut paser(&["compare", "paser-20", "random-20"])?)? == compared, "another comparison");
    ensure!(done(&mut paser(&["curate", "journal"])?)? == journal, "another journal");
    let out = state.path().join("out");
    done(paser(&["export", "--selection", "paser-20", "--format", "alpaca-json", "--out"])?.arg(&out))?;
    ensure!(out.join("manifest.json").is_file() && out.join("indices.txt").is_file(), "the export is not whole");

    for arguments in [
        &["select", "--strategy", "random", "--budget", "10", "--name", "new"][..],
        &["curate", "pin", "1"],
        &["curate", "undo"],
        &["run"],
    ] {
        let output = paser(arguments)?.output()?;
        ensure!(output.status.code() == Some(75), "{arguments:?} ended with {}: {}", output.status, text(&output));
        ensure!(text(&output).contains(&owner), "{arguments:?} does not name the owner: {}", text(&output));
    }
    drop(served);
    done(&mut paser(&["select", "--strategy", "random", "--budget", "10", "--name", "new"])?)?;
    Ok(())
}
