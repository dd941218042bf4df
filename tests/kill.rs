//! A run that is killed at any moment goes on and ends with the same bytes. `PASER_KILLS` says how many kills (3).
#![allow(clippy::unwrap_used)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rusqlite::{Connection, types::Value};

#[test]
fn a_killed_run_ends_with_the_same_selections() -> Result<()> {
    let kills: u32 = env::var("PASER_KILLS").map_or(Ok(3), |text| text.parse())?;
    let bench = Bench::new()?;
    let whole = bench.project("whole")?;
    let started = Instant::now();
    bench.run(&whole)?;
    let duration = started.elapsed();
    let expected = selections(&whole)?;
    ensure!(!expected.is_empty(), "the run froze no selection");

    let mut random = StdRng::seed_from_u64(u64::from(kills));
    for kill in 0..kills {
        let folder = bench.project(&format!("kill-{kill}"))?;
        let moment = duration.mul_f64(random.random_range(0.0..1.0));
        let mut child = bench.command(&folder)?.spawn()?;
        thread::sleep(moment);
        child.kill()?;
        let reached = if child.wait()?.success() { "had ended" } else { "killed" };
        let finished = finished_shards(&folder)?;
        bench.run(&folder).with_context(|| format!("the run after kill {kill} at {moment:.1?}"))?;
        let same = selections(&folder)? == expected;
        println!(
            "kill {kill}: {reached} at {moment:.1?} of {duration:.1?}, {finished} shards done, {}",
            if same { "same selections" } else { "OTHER SELECTIONS" }
        );
        ensure!(same, "killed at {moment:.1?}, the run ended with other selections");
        fs_err::remove_dir_all(folder)?;
    }
    Ok(())
}

/// A folder of projects made from the demo's files, every one without results.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let status = paser_tests::command(folder.path())?
            .arg("demo")
            .arg(folder.path().join("demo"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "`paser demo` ended with {status}");
        Ok(Self { folder })
    }

    /// A project with the demo's pool, models and recipe, in many small shards.
    fn project(&self, name: &str) -> Result<PathBuf> {
        let demo = self.folder.path().join("demo");
        let folder = self.folder.path().join(name);
        fs_err::create_dir_all(folder.join("arrays"))?;
        fs_err::copy(demo.join("pool.jsonl"), folder.join("pool.jsonl"))?;
        for model in ["dense", "pruned"] {
            fs_err::create_dir(folder.join(model))?;
            for file in fs_err::read_dir(demo.join(model))? {
                let file = file?;
                fs_err::copy(file.path(), folder.join(model).join(file.file_name()))?;
            }
        }
        let recipe = fs_err::read_to_string(demo.join("recipe.toml"))?;
        let small = recipe.replace("shard = 2000", "shard = 150");
        ensure!(small != recipe, "the recipe has another shard size than this test replaces");
        fs_err::write(folder.join("recipe.toml"), small)?;
        Ok(folder)
    }

    fn command(&self, folder: &Path) -> Result<std::process::Command> {
        let mut command = paser_tests::command(self.folder.path())?;
        command.arg("run").arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }

    fn run(&self, folder: &Path) -> Result<()> {
        let output = self.command(folder)?.stderr(Stdio::piped()).output()?;
        ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

fn finished_shards(folder: &Path) -> Result<usize> {
    let mut finished = 0;
    let jobs = folder.join("jobs");
    if !jobs.is_dir() {
        return Ok(0);
    }
    for job in fs_err::read_dir(jobs)? {
        let done = job?.path().join("done");
        if done.is_dir() {
            finished += fs_err::read_dir(done)?.count();
        }
    }
    Ok(finished)
}

/// Every frozen selection with all its columns, in order; the database is checked first.
fn selections(folder: &Path) -> Result<Vec<Vec<Value>>> {
    let database = Connection::open(folder.join("project.db"))?;
    let state: String = database.query_row("pragma integrity_check", [], |row| row.get(0))?;
    ensure!(state == "ok", "{} is damaged: {state}", folder.display());
    let mut statement =
        database.prepare("select name, key, inputs, view, rows, ids, reasons from selections order by position")?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}
