//! Measures ours beside a peer on the same inputs: prepares inputs, runs both sides in turn as processes of their own,
//! compares their results and keeps the raw figures. Owns the order of the runs; see `benches/README.md`.

mod inputs;
mod ours;
mod peers;
mod record;
mod report;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::{Value, json};

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    Encoding,
    Scoring,
    Clustering,
}

impl Task {
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Scoring => "scoring",
            Self::Clustering => "clustering",
        }
    }
}

#[derive(Parser)]
#[command(about = "Ours and peers on the same inputs; see benches/README.md")]
struct Arguments {
    /// Only this comparison (may be repeated)
    #[arg(long = "task")]
    tasks: Vec<Task>,
    /// Runs of each side; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Threads of each side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Seconds after which a run is stopped; the ratio is then a lower bound
    #[arg(long, default_value_t = 600)]
    limit: u64,
    /// Tokens a batch of the scoring pass, for both sides
    #[arg(long, default_value_t = 2048)]
    tokens_per_batch: usize,
    /// Rows of the pool to cluster, chosen by content hash; all unless said
    #[arg(long)]
    rows: Option<usize>,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Subcommand)]
enum Inner {
    /// One timed run of ours in this process (used by the program itself)
    #[command(hide = true)]
    Ours { task: Task, work: PathBuf, threads: usize },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Inner::Ours { task, work, threads }) = arguments.inner {
        println!("{}", ours::run(task, &work, threads)?);
        return Ok(());
    }
    if arguments.runs == 0 || arguments.threads == 0 {
        bail!("--runs and --threads must be at least 1");
    }
    let folders = inputs::Folders::find()?;
    let python = peers::environment(&folders)?;
    let tasks = if arguments.tasks.is_empty() { Task::value_variants() } else { arguments.tasks.as_slice() };
    let mut results = Vec::new();
    for &task in tasks {
        inputs::prepare(task, &folders, arguments.tokens_per_batch, arguments.rows)?;
        let result = compare(task, &folders, &python, &arguments)?;
        println!("{}", report::summary(&result));
        results.push(result);
    }
    let file = report::keep(&folders, &arguments.tasks_line(tasks), results)?;
    println!("raw results: {}", file.display());
    Ok(())
}

impl Arguments {
    fn tasks_line(&self, tasks: &[Task]) -> String {
        let tasks: Vec<&str> = tasks.iter().map(|task| task.name()).collect();
        format!(
            "{} runs of at most {} s, {} threads, {} tokens a batch, {} rows to cluster: {}",
            self.runs,
            self.limit,
            self.threads,
            self.tokens_per_batch,
            self.rows.map_or_else(|| "all".to_owned(), |rows| rows.to_string()),
            tasks.join(", ")
        )
    }
}

/// Runs both sides in turn and compares what they wrote.
fn compare(task: Task, folders: &inputs::Folders, python: &peers::Python, arguments: &Arguments) -> Result<Value> {
    let mut sides = [Vec::new(), Vec::new()];
    for run in 0..arguments.runs {
        for (name, side) in ["ours", "peer"].into_iter().zip(&mut sides) {
            let load = record::load_average();
            let mut command = if name == "ours" {
                let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
                command.args(["ours", task.name()]).arg(&folders.work).arg(arguments.threads.to_string());
                command
            } else {
                python.command(task, &folders.work, arguments.threads)
            };
            let mut figures = measure(&mut command, arguments.threads, Duration::from_secs(arguments.limit))
                .with_context(|| format!("{} {name}", task.name()))?;
            figures["load_before"] = load.into();
            println!("{} {name} run {}: {}", task.name(), run + 1, report::time(&figures));
            side.push(figures);
        }
    }
    let [ours, peer] = sides;
    report::result(task, ours, peer, inputs::agreement(task, folders)?)
}

/// Runs one side; its last line of output is its JSON. One that takes longer than `limit`, loading included, is stopped.
fn measure(command: &mut Command, threads: usize, limit: Duration) -> Result<Value> {
    for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
        command.env(variable, threads.to_string());
    }
    let started = Instant::now();
    let mut child = command
        .env("HF_HUB_OFFLINE", "1")
        .env("TOKENIZERS_PARALLELISM", "true")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    while child.try_wait()?.is_none() {
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(json!({"stopped_after_seconds": limit.as_secs()}));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // Both sides print a line or two, less than a pipe holds.
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("no JSON in its last line: {line}"))
}
