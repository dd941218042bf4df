//! A run of a project followed to its end: jobs as progress on stderr, events as lines in JSON, Ctrl-C as cancel.

use std::sync::{Mutex, PoisonError};

use paser_engine::{RunOptions, Session};
use paser_protocol::{Event, Report, RunSummary, Stage};

use crate::interrupt;
use crate::output::Output;
use crate::progress::JobProgress;

/// Brings a project up to date through `until`.
pub fn run(session: &Session, until: Stage, options: &RunOptions, output: Output) -> Result<RunSummary, Report> {
    let follower = Follower::new(output);
    session.run(until, options, &|event| follower.hear(&event), interrupt::flag())
}

/// Shows what the engine says of its work.
pub struct Follower {
    output: Output,
    progress: Mutex<JobProgress>,
}

impl Follower {
    pub fn new(output: Output) -> Self {
        Self { output, progress: Mutex::default() }
    }

    /// Called from the engine's threads.
    pub fn hear(&self, event: &Event) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Job { job } => progress.show(job),
            Event::Notice { text } => {
                progress.clear();
                eprintln!("{text}");
            }
            Event::Project { .. } | Event::Wanted { .. } | Event::Continuing { .. } | Event::Inspecting { .. } => {}
            // The run's own last line says more.
            Event::Finished { .. } => {
                progress.clear();
                return;
            }
        }
        self.output.line(event);
    }
}
