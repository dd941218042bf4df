//! What the engine tells its faces without being asked.

use serde::{Deserialize, Serialize};

use crate::{Report, Stage};

/// A running stage. Sent at least twice a second while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    pub stage: Stage,
    /// What is going on, in words.
    pub what: String,
    pub done: u64,
    pub total: u64,
    /// `tokens`, `samples`, `bytes`, `steps`.
    pub unit: String,
    pub seconds: f64,
    /// Seconds left; none before it can be told.
    pub eta_seconds: Option<f64>,
    pub cancelling: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The project changed: fetch it again if `revision` is newer.
    Project {
        revision: u64,
    },
    Job {
        job: JobView,
    },
    /// A run ended; none means well.
    Finished {
        report: Option<Report>,
        seconds: f64,
    },
    /// A later start of the program names this project: the window is to open it.
    Wanted {
        path: String,
    },
    Notice {
        text: String,
    },
    /// Both models have continued the prompt of a sample by so many tokens, of at most `tokens`.
    Continuing {
        row: u32,
        done: u32,
        tokens: u32,
    },
}
