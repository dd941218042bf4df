//! Training of the demo's dense model: batches, gradients on two threads, optimiser, schedule, log.

pub mod gradients;
pub mod log;
pub mod optimizer;
pub mod passes;
pub mod run;
