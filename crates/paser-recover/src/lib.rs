//! Recovery training: a selection, a pruned model and settings become an adapter and its curve (`method.md` 5). Also what
//! other trainers are given, and what they leave.

mod foreign;
mod hand_out;
mod optimizer;
mod order;
mod schedule;
mod training;

pub use foreign::{ForeignError, ForeignPoint, ForeignRun, read_run};
pub use hand_out::{HandOut, Row};
pub use optimizer::{AdamW, Moments, clipping, norm};
pub use order::{Amount, order};
pub use schedule::Schedule;
pub use training::{Plan, SCALARS, Sample, State, Step, TrainError, Training, fresh_adapter};
