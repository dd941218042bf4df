//! Commands beside an open window: what only looks reads the disk, what writes is done by the window's engine; and the
//! owner's address and token are nobody else's.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Bench, Served, command, wait_for, worker};
use serde_json::{Value, json};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn done(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?} ended with {}: {}", output.status, text(&output));
    Ok(text(&output))
}

#[test]
fn an_open_project_is_looked_at_and_changed_through_its_owner() -> Result<()> {
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

    let revision = |served: &Served| -> Result<u64> { Ok(served.project()?["revision"].as_u64().unwrap_or(0)) };
    let before = revision(&served)?;
    let pinned = done(&mut paser(&["curate", "pin", "sample-0007", "--reason", "from a terminal"])?)?;
    ensure!(pinned.contains("journal entry 2") && pinned.contains("now 2 pinned"), "{pinned}");
    ensure!(revision(&served)? > before, "the window's engine did not make the edit");
    let journal = fs_err::read_to_string(demo.join("journal.jsonl"))?;
    ensure!(journal.lines().count() == 2 && journal.contains("from a terminal"), "the journal: {journal}");
    let near = done(&mut paser(&["curate", "tag", "like", "--near", "sample-0007", "--count", "3"])?)?;
    ensure!(near.contains("journal entry 3"), "{near}");
    done(&mut paser(&["curate", "undo"])?)?;
    let pins = served.project()?["curation"]["pinned"].as_array().map_or(0, Vec::len);
    ensure!(pins == 2, "{pins} samples are pinned in the window");

    let made = done(&mut paser(&["select", "--strategy", "random", "--budget", "10", "--name", "new"])?)?;
    ensure!(made.contains("new: random by 10"), "{made}");
    ensure!(
        served.project()?["selections"].as_array().is_some_and(|all| all.iter().any(|s| s["name"] == "new")),
        "it is not there"
    );
    done(&mut paser(&["select", "--discard", "new"])?)?;
    let checked = done(&mut paser(&["check", "--threshold", "0.9"])?)?;
    ensure!(checked.contains("near-duplicates, similarity 0.9"), "{checked}");
    let ran = done(&mut paser(&["run"])?)?;
    ensure!(ran.contains("score") && ran.contains("as before"), "{ran}");
    let wrong = paser(&["curate", "pin", "no-such-sample"])?.output()?;
    ensure!(wrong.status.code() == Some(2), "{}", text(&wrong));

    let again = command(state.path())?.args(["--json", "serve"]).arg(&demo).output()?;
    let line: Value = serde_json::from_slice(&again.stdout)?;
    ensure!(again.status.success() && line["url"] == json!(served.url) && line["attached"] == true, "{}", text(&again));
    drop(served);
    done(&mut paser(&["select", "--strategy", "random", "--budget", "10", "--name", "new"])?)?;
    Ok(())
}

#[test]
fn an_owner_that_answers_nobody_is_named_and_the_command_comes_back_later() -> Result<()> {
    let bench = Bench::new()?;
    let folder = bench.project("running")?;
    let mut run = bench.command(&folder)?.spawn()?;
    wait_for("the worker of the run", || Ok(worker(&folder)))?;
    let owner = format!("pid {}", run.id());
    for arguments in [&["curate", "undo"][..], &["run"], &["select", "--discard", "x"], &["serve"]] {
        let output = command(bench.state())?
            .args(arguments)
            .current_dir(&folder)
            .args((arguments == ["serve"]).then_some("."))
            .output()?;
        ensure!(output.status.code() == Some(75), "{arguments:?} ended with {}: {}", output.status, text(&output));
        ensure!(text(&output).contains(&owner), "{arguments:?} does not name the owner: {}", text(&output));
    }
    ensure!(run.wait()?.success(), "the run did not end well");
    Ok(())
}

#[test]
fn the_token_is_in_the_lock_and_nowhere_else() -> Result<()> {
    let bench = Bench::new()?;
    let folder = bench.project("served")?;
    let (printed, errors) = (bench.state().join("stdout"), bench.state().join("stderr"));
    let mut server = command(bench.state())?
        .arg("serve")
        .arg(&folder)
        .env("PASER_LOG", "trace")
        .stdout(fs_err::File::create(&printed)?.into_parts().0)
        .stderr(fs_err::File::create(&errors)?.into_parts().0)
        .spawn()?;
    let url = wait_for("the address", || Ok(fs_err::read_to_string(&printed)?.lines().next().map(str::to_owned)))?;
    let token = url.split_once("token=").context("no token")?.1.to_owned();
    let lock = folder.join("project.lock");
    ensure!(fs_err::read_to_string(&lock)?.contains(&token), "the lock does not tell the token");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs_err::metadata(&lock)?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "the lock's mode is {mode:o}");
    }
    let pinned =
        command(bench.state())?.env("PASER_LOG", "trace").args(["run", "--until", "import"]).arg(&folder).output()?;
    ensure!(pinned.status.success(), "{}", text(&pinned));
    ensure!(!text(&pinned).contains(&token), "a command that asks the owner prints its token");
    let status = command(bench.state())?.env("PASER_LOG", "trace").arg("status").arg(&folder).output()?;
    ensure!(status.status.success() && !text(&status).contains(&token), "status prints the token: {}", text(&status));
    server.kill()?;
    server.wait()?;
    let after: String = fs_err::read_to_string(&printed)?.lines().skip(1).collect();
    ensure!(!after.contains(&token), "it is printed again");
    let logged = fs_err::read_to_string(&errors)?;
    ensure!(!logged.is_empty(), "the log is empty: this test looks at nothing");
    ensure!(!logged.contains(&token), "it is in the log");
    let mut open = vec![folder];
    while let Some(place) = open.pop() {
        for entry in fs_err::read_dir(place)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path != lock {
                let bytes = fs_err::read(&path)?;
                let found = bytes.windows(token.len()).any(|part| part == token.as_bytes());
                ensure!(!found, "it is in {}", path.display());
            }
        }
    }
    Ok(())
}
