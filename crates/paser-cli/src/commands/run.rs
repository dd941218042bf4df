//! `paser run`: brings a project up to date, and computes only what changed.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use paser_engine::{Program, RunOptions, open_and_take_over};
use paser_protocol::{Event, Failure, ProjectView, Reply, Report, Request, RunSummary, Stage};
use paser_server::{Background, run_in_background};
use serde_json::json;

use super::status;
use crate::exit::usage;
use crate::interrupt;
use crate::output::{Output, Table, bytes, duration};
use crate::owned::{self, Opened, Owned, unexpected};
use crate::project;

/// Between two looks at a run of another process.
const LOOK: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    Import,
    Embed,
    Manifold,
    Score,
    Select,
    Recover,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser run my-recovery --until score --threads 2")]
pub struct RunArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The last stage to bring up to date.
    #[arg(long, value_enum, value_name = "STAGE", default_value = "select")]
    until: Until,
    /// Most memory a stage may need, such as 4GiB; without it there is no limit.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// Where models run.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Without a person: answers other programs meanwhile, and lets the project go to the next window.
    #[arg(long, hide = true)]
    background: bool,
}

pub fn run(args: &RunArgs, threads: usize, output: Output) -> Result<(), Report> {
    let until = match args.until {
        Until::Import => Stage::Import,
        Until::Embed => Stage::Embed,
        Until::Manifold => Stage::Manifold,
        Until::Score => Stage::Score,
        Until::Select => Stage::Select,
        Until::Recover => Stage::Recover,
    };
    device(&args.device)?;
    if args.background {
        let what = Background { project: args.dir.clone(), until, memory: args.memory, threads };
        return run_in_background(&what, interrupt::flag());
    }
    let session = match open_and_take_over(&args.dir) {
        Ok(session) => session,
        Err(report) if report.failure == Failure::ComeBack => match owned::open(&args.dir)? {
            Opened::Own(session) => *session,
            Opened::Owned(owned) => return by_owner(&owned, until, args.memory, threads, output),
        },
        Err(report) => return Err(report),
    };
    let options = RunOptions { threads, memory: args.memory, worker: Some(Program::this()?), arms: Vec::new() };
    let summary = project::run(&session, until, &options, output)?;
    tell(&session.view(), &summary, output);
    Ok(())
}

/// The run by the process that owns the project, followed to its end.
fn by_owner(owned: &Owned, until: Stage, memory: Option<u64>, threads: usize, output: Output) -> Result<(), Report> {
    if threads > 0 {
        eprintln!("The project is open in another program, which runs it with its own number of threads.");
    }
    owned.remote.ask(&Request::Run { until, memory })?;
    let summary = follow_owner(owned, output)?;
    tell(&owned.project()?, &summary, output);
    Ok(())
}

/// Follows the run of the process that owns the project to its end.
pub fn follow_owner(owned: &Owned, output: Output) -> Result<RunSummary, Report> {
    let follower = project::Follower::new(output);
    let (mut told, mut cancelled) = (0, false);
    let last = loop {
        let state = match owned.remote.ask(&Request::RunState)? {
            Reply::RunState(state) => *state,
            other => return Err(unexpected(&other)),
        };
        for text in state.notices.iter().skip(told) {
            follower.hear(&Event::Notice { text: text.clone() });
        }
        told = state.notices.len();
        if !state.at_work {
            break state;
        }
        if let Some(job) = state.job {
            follower.hear(&Event::Job { job });
        }
        if interrupt::requested() && !cancelled {
            cancelled = true;
            owned.remote.ask(&Request::Cancel)?;
        }
        thread::sleep(LOOK);
    };
    drop(follower);
    match (last.report, last.summary) {
        (Some(report), _) => Err(report),
        (None, Some(summary)) => Ok(summary),
        (None, None) => Err(Report::new(Failure::ComeBack, "The program that ran the project has closed it.", "")),
    }
}

/// `4GiB`, `500MB`, `1000000`: a number with an optional unit.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 7] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("", 1.0),
    ];
    let bad = || format!("`{text}` is no amount of memory: write 4GiB or 500MiB");
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.trim().strip_suffix(unit).map(|number| (number, *factor)))
        .ok_or_else(bad)?;
    let number: f64 = number.trim().parse().map_err(|_| bad())?;
    if number.is_finite() && number > 0.0 { Ok((number * factor) as u64) } else { Err(bad()) }
}

/// Only the processor computes in this version; anything else is said, not ignored.
fn device(name: &str) -> Result<(), Report> {
    match name {
        "cpu" => Ok(()),
        "metal" => {
            Err(usage("metal needs a build for that device, which comes with a later version", "Use --device cpu."))
        }
        cuda if cuda.strip_prefix("cuda:").is_some_and(|number| number.parse::<u32>().is_ok()) => Err(usage(
            format!("{cuda} needs a build for that device, which comes with a later version"),
            "Use --device cpu.",
        )),
        other => Err(usage(format!("there is no device called {other:?}"), "Use --device cpu.")),
    }
}

/// The end of a run in both forms.
pub fn tell(view: &ProjectView, summary: &RunSummary, output: Output) {
    let mut stages = Table::new(&["<stage", "time", "peak memory", "<remark"]);
    for stage in &summary.stages {
        stages.row([
            stage.stage.name().to_owned(),
            duration(stage.seconds),
            if stage.peak_memory_bytes == 0 { String::new() } else { bytes(stage.peak_memory_bytes) },
            if stage.cached { "as before".to_owned() } else { String::new() },
        ]);
    }
    output.table(&stages);
    if !output.is_json() {
        status::show_results(view, output);
    }
    let mut last = json!({
        "event": "finished",
        "stages": summary.stages,
        "clusters": summary.clusters,
        "selections": summary.selections,
    });
    if !summary.schemes.is_empty() {
        last["schemes"] = json!(summary.schemes);
    }
    output.line(&last);
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(size("4GiB"), Ok(4 << 30));
        assert_eq!(size("500 MB"), Ok(500_000_000));
        assert_eq!(size("1024"), Ok(1024));
        assert!(size("much").is_err() && size("-1GiB").is_err() && size("GiB").is_err());
    }
}
