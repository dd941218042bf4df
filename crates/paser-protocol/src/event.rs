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
    /// It can be paused, and goes on without a window.
    #[serde(default)]
    pub lasting: bool,
    /// The process of its own that does the work; none where the engine does it itself.
    #[serde(default)]
    pub worker: Option<WorkerView>,
}

/// A process that computes the parts of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerView {
    pub pid: u32,
    /// What it is at, in words.
    pub what: String,
    /// Bytes now, and the most so far; 0 where the system does not tell.
    pub memory_bytes: u64,
    pub peak_memory_bytes: u64,
    /// The last lines of the job's log, oldest first.
    pub log: Vec<String>,
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
    /// So many of the weights of the project's models have been read, for [`crate::Request::Models`].
    Inspecting {
        done: u64,
        total: u64,
    },
    /// Both models have continued the prompt of a sample by so many tokens, of at most `tokens`.
    Continuing {
        row: u32,
        done: u32,
        tokens: u32,
    },
}
