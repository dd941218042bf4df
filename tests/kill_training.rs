//! The process that trains an arm dies at random moments: the arm is taken up at its last checkpoint, and its trained numbers
//! are those of a run that nothing happened to. `PASER_KILLS` says how many kills (2).
#![allow(clippy::unwrap_used)]

use std::{env, path::Path, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Bench, command, kill, wait_for, worker};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

fn kills() -> Result<u32> {
    Ok(env::var("PASER_KILLS").map_or(Ok(2), |text| text.parse())?)
}

/// A project with held-out samples and one arm, ready to be trained.
fn project(bench: &Bench, name: &str) -> Result<std::path::PathBuf> {
    let folder = bench.project(name)?;
    let path = folder.join("recipe.toml");
    let text = fs_err::read_to_string(&path)?
        .replace("holdout = \"none\"", "holdout = 0.05")
        .replace("items = [\"tests.jsonl\"]", "items = []")
        .replace("steps = 100", "steps = 60")
        .replace("batch = 32", "batch = 16")
        .replace("points = 5", "points = 6")
        .replace("held_out = 1000", "held_out = 60");
    ensure!(
        text.contains("items = []") && text.contains("steps = 60"),
        "the demo's recipe is not the one that is known"
    );
    fs_err::write(&path, text)?;
    bench.run(&folder)?;
    let added =
        command(bench.state())?.arg("recover").arg(&folder).args(["--add", "paser-20", "--seeds", "5"]).status()?;
    ensure!(added.success(), "the arm is not added");
    Ok(folder)
}

fn train(bench: &Bench, folder: &Path) -> Result<std::process::Child> {
    let mut train = command(bench.state())?;
    train.arg("recover").arg(folder).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    Ok(train.spawn()?)
}

/// The trained numbers, as bytes.
fn trained(bench: &Bench, folder: &Path, place: &str) -> Result<Vec<u8>> {
    let out = folder.join(place);
    let mut write = command(bench.state())?;
    let status =
        write.arg("recover").arg(folder).args(["--write", "paser-20", "--seed", "5", "--out"]).arg(&out).output()?;
    ensure!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    Ok(fs_err::read(out.join("adapter_model.safetensors"))?)
}

#[test]
fn a_killed_arm_ends_with_the_numbers_of_an_unbroken_one() -> Result<()> {
    let bench = Bench::new()?;
    let whole = project(&bench, "whole")?;
    ensure!(train(&bench, &whole)?.wait()?.success(), "the unbroken run failed");
    let expected = trained(&bench, &whole, "adapter")?;
    let mut random = StdRng::seed_from_u64(71);
    for number in 0..kills()? {
        let folder = project(&bench, &format!("kill-{number}"))?;
        let mut run = train(&bench, &folder)?;
        let first = wait_for("a worker", || Ok(worker(&folder)))?;
        let moment = Duration::from_millis(random.random_range(0..4_000));
        thread::sleep(moment);
        // Every other time the owner dies with it.
        let owner = number % 2 == 1;
        let killed = kill(first.pid).is_ok();
        if owner {
            run.kill()?;
            run.wait()?;
            ensure!(train(&bench, &folder)?.wait()?.success(), "the run that took it up failed");
        } else {
            ensure!(run.wait()?.success(), "the run failed after its worker was killed at {moment:.0?}");
        }
        let same = trained(&bench, &folder, "adapter").context("after the kill")? == expected;
        println!(
            "kill {number}: worker {}{} at {moment:.0?}, {}",
            if killed { "killed" } else { "had ended" },
            if owner { " and owner" } else { "" },
            if same { "same adapter" } else { "ANOTHER ADAPTER" }
        );
        ensure!(same, "killed at {moment:.0?}, and the arm ended with other numbers");
        fs_err::remove_dir_all(folder)?;
    }
    Ok(())
}
