//! Recovery training: a selection, a pruned model and settings become an adapter and its curve (`method.md` 5). Also what
//! other trainers are given, and what they leave.

mod optimizer;
mod order;
mod schedule;
mod training;

pub use optimizer::{AdamW, Moments, clipping, norm};
pub use order::{Amount, order};
pub use schedule::Schedule;
pub use training::{Plan, SCALARS, Sample, State, Step, TrainError, Training, fresh_adapter};
