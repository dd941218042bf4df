//! A run that nobody watches: it brings a project to its end after the window was closed, answers other programs while
//! it does, and lets the project go to the next window.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::RecvTimeoutError,
    },
    thread,
    time::{Duration, Instant},
};

use paser_engine::{Outcome, Program, Studio, StudioOptions};
use paser_protocol::{Event, Failure, Report, Request, Stage};

use crate::{Port, Server};

/// Whoever left the run may need a moment to let the project go.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// What a run without a window is to do.
#[derive(Clone, Debug)]
pub struct Background {
    pub project: PathBuf,
    pub until: Stage,
    /// Bytes that the estimate of a stage may not pass; none: no limit.
    pub memory: Option<u64>,
    /// 0: all.
    pub threads: usize,
}

impl Background {
    /// Reads what [`Program`] writes: `DIR --until STAGE --background [--memory BYTES] [--threads N]`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Outcome<Self> {
        let wrong = |what: &str| Report::new(Failure::Usage, format!("run: {what}"), "");
        let mut arguments = arguments.into_iter();
        let project = arguments.next().ok_or_else(|| wrong("no project is named"))?.into();
        let (mut until, mut memory, mut threads, mut background) = (None, None, 0, false);
        while let Some(name) = arguments.next() {
            if name == "--background" {
                background = true;
                continue;
            }
            let name = name.to_string_lossy().into_owned();
            let value = arguments.next().ok_or_else(|| wrong(&format!("{name} has no value")))?;
            let value = value.to_string_lossy().into_owned();
            let number = || value.parse::<u64>().map_err(|_| wrong(&format!("{value} is no number")));
            match name.as_str() {
                "--until" => until = Stage::ALL.into_iter().find(|stage| stage.name() == value),
                "--memory" => memory = Some(number()?),
                "--threads" => threads = usize::try_from(number()?).map_err(|_| wrong("too many threads"))?,
                _ => return Err(wrong(&format!("{name} is not known"))),
            }
        }
        match (until, background) {
            (Some(until), true) => Ok(Self { project, until, memory, threads }),
            _ => Err(wrong("`paser run` runs a project in a terminal")),
        }
    }
}

/// Runs the project to the end that was asked for, until somebody wants the project or `cancel` says to stop.
///
/// # Errors
/// Somebody else holds the project; whatever keeps the run from ending.
pub fn run_in_background(what: &Background, cancel: &AtomicBool) -> Outcome<()> {
    let worker = Some(Program::this()?);
    let studio =
        Arc::new(Studio::new(StudioOptions { threads: what.threads, worker, background: true, ..Default::default() }));
    open(&studio, what)?;
    let _server = Server::start(Arc::clone(&studio), Port::Free)
        .map_err(|error| Report::new(Failure::Machine, error.to_string(), ""))?;
    let events = studio.subscribe();
    studio.run(what.until, what.memory)?;
    loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Finished { report, .. }) => return report.map_or(Ok(()), Err),
            Ok(Event::Notice { text }) => eprintln!("{text}"),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if studio.hand_over_if_asked()? {
            eprintln!("The project was handed over.");
            return Ok(());
        }
        if cancel.load(Ordering::Relaxed) {
            studio.handle(Request::Cancel)?;
        }
    }
}

fn open(studio: &Studio, what: &Background) -> Outcome<()> {
    let path = what.project.to_string_lossy().into_owned();
    let asked = Instant::now();
    loop {
        match studio.handle(Request::OpenProject { path: path.clone() }) {
            Err(report) if report.failure == Failure::ComeBack && asked.elapsed() < PATIENCE => thread::sleep(LOOK),
            opened => return opened.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn the_order_of_a_run_without_a_window_is_read_whole() {
        let parse = |line: &str| Background::parse(line.split(' ').map(OsString::from));
        let what = parse("/p --until score --background --memory 17 --threads 3").unwrap();
        assert_eq!((what.until, what.memory, what.threads), (Stage::Score, Some(17), 3));
        assert_eq!(what.project, PathBuf::from("/p"));
        for wrong in ["/p", "/p --until score", "/p --until x --background", "/p --background --until", "/p --x y"] {
            assert_eq!(parse(wrong).unwrap_err().failure, Failure::Usage, "{wrong}");
        }
    }
}
