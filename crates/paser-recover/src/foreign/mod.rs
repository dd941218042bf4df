//! What other trainers leave becomes one plain run: a curve, the base model, the adapter, the settings (method.md 5).
//! Nothing that a file says is trusted: sizes are capped, numbers that are none are left out and told.

mod events;
mod folder;
mod state;

use std::collections::BTreeMap;
use std::path::PathBuf;

use paser_protocol::Trainer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use events::read_events;
pub use folder::read_run;
pub use state::read_state;

/// Points of a curve that are read; a longer one is an error.
const MAX_POINTS: usize = 2_000_000;

/// A run of another trainer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignRun {
    /// The folder's name.
    pub name: String,
    /// By step.
    pub points: Vec<ForeignPoint>,
    /// Folder or hub name, as the trainer wrote it.
    pub base_model: Option<String>,
    /// The newest folder with a PEFT adapter.
    pub adapter: Option<PathBuf>,
    /// Simple values of the trainer's and the adapter's settings, under their names there.
    pub settings: Map<String, Value>,
    /// None: Hugging Face's trainer, or one that leaves no mark.
    pub trainer: Option<Trainer>,
    /// What a person should know: damaged ends, values that are no numbers.
    pub notes: Vec<String>,
}

/// What was measured after one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ForeignPoint {
    pub step: u64,
    /// Tokens that were trained on so far.
    pub tokens: Option<u64>,
    /// Since the beginning of the run.
    pub seconds: Option<f64>,
    /// Of training, nats per token.
    pub loss: Option<f64>,
    pub eval_loss: Option<f64>,
    pub learning_rate: Option<f64>,
}

/// A curve in the making.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForeignCurve {
    pub points: BTreeMap<u64, ForeignPoint>,
    pub notes: Vec<String>,
}

impl ForeignCurve {
    /// The point of a step; none once there are too many.
    fn at(&mut self, step: u64) -> Option<&mut ForeignPoint> {
        if self.points.len() >= MAX_POINTS && !self.points.contains_key(&step) {
            return None;
        }
        Some(self.points.entry(step).or_insert(ForeignPoint { step, ..ForeignPoint::default() }))
    }

    /// Fills what this curve does not know from `other`.
    fn fill_from(&mut self, other: Self) {
        for (step, theirs) in other.points {
            let Some(point) = self.at(step) else { break };
            point.tokens = point.tokens.or(theirs.tokens);
            point.seconds = point.seconds.or(theirs.seconds);
            point.loss = point.loss.or(theirs.loss);
            point.eval_loss = point.eval_loss.or(theirs.eval_loss);
            point.learning_rate = point.learning_rate.or(theirs.learning_rate);
        }
        self.notes.extend(other.notes);
    }
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// The source's text names the file.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
}
