//! Projects made from the demo's files, in many small shards, for tests that kill what works on them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use rusqlite::{Connection, types::Value};

use crate::command;

/// Longest wait for a state: a loaded machine scores slowly.
const PATIENCE: Duration = Duration::from_secs(240);

/// A folder of projects made from the demo's files, every one without results.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// # Errors
    /// The demo cannot be made.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let status = command(folder.path())?
            .arg("demo")
            .arg(folder.path().join("demo"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.success(), "`paser demo` ended with {status}");
        Ok(Self { folder })
    }

    /// A project with the demo's pool, models and recipe, in many small shards.
    ///
    /// # Errors
    /// A file that cannot be copied.
    pub fn project(&self, name: &str) -> Result<PathBuf> {
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

    /// Where the programs keep what they remember.
    pub fn state(&self) -> &Path {
        self.folder.path()
    }

    /// `paser run` of a project.
    ///
    /// # Errors
    /// Not built.
    pub fn command(&self, folder: &Path) -> Result<Command> {
        let mut run = command(self.folder.path())?;
        run.arg("run").arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(run)
    }

    /// Runs a project to its end.
    ///
    /// # Errors
    /// What the run says.
    pub fn run(&self, folder: &Path) -> Result<()> {
        let output = self.command(folder)?.stderr(Stdio::piped()).output()?;
        ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Shards of all jobs that have a marker.
///
/// # Errors
/// A folder that cannot be read.
pub fn finished_shards(folder: &Path) -> Result<usize> {
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
///
/// # Errors
/// The database is damaged.
pub fn selections(folder: &Path) -> Result<Vec<Vec<Value>>> {
    let database = Connection::open(folder.join("project.db"))?;
    let state: String = database.query_row("pragma integrity_check", [], |row| row.get(0))?;
    ensure!(state == "ok", "{} is damaged: {state}", folder.display());
    let mut statement =
        database.prepare("select name, key, inputs, view, rows, ids, reasons from selections order by position")?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A job of a project that a worker is at work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    pub job: PathBuf,
    pub pid: u32,
}

/// The worker of a project, by the note that it leaves in its lock; none where it is gone.
pub fn worker(folder: &Path) -> Option<AtWork> {
    let jobs = fs_err::read_dir(folder.join("jobs")).ok()?;
    jobs.flatten().map(|job| job.path()).find_map(|job| {
        let note = fs_err::read(job.join("worker.lock")).ok()?;
        let note: serde_json::Value = serde_json::from_slice(&note).ok()?;
        let pid = u32::try_from(note["pid"].as_u64()?).ok()?;
        is_alive(pid).then_some(AtWork { job, pid })
    })
}

/// Whether a process is there and no mere rest of one.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// `kill -9`
///
/// # Errors
/// There is no such process.
pub fn kill(pid: u32) -> Result<()> {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "process {pid} was gone before it was killed");
    Ok(())
}

/// Waits until `look` finds something.
///
/// # Errors
/// It never does.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Times that a worker was started for the jobs of a project, by their logs.
///
/// # Errors
/// A log that cannot be read.
pub fn workers_started(folder: &Path) -> Result<usize> {
    let mut started = 0;
    for job in fs_err::read_dir(folder.join("jobs"))? {
        let log = job?.path().join("log.jsonl");
        if log.is_file() {
            started += fs_err::read_to_string(log)?.matches("worker started").count();
        }
    }
    Ok(started)
}
