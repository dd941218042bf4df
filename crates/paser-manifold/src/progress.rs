//! Progress of nested steps as one share of the whole run, and the place where every step asks whether to stop.

use std::sync::atomic::{AtomicU64, Ordering};

use paser_protocol::Monitor;

use crate::error::ManifoldError;

/// Units that a whole run is reported in.
const UNITS: u64 = 1000;

/// A stretch of the whole run that one step fills. Cheap to copy and to share between threads.
#[derive(Clone, Copy)]
pub(crate) struct Progress<'a> {
    monitor: &'a dyn Monitor,
    reported: &'a AtomicU64,
    from: f64,
    to: f64,
}

impl<'a> Progress<'a> {
    /// The whole run; `reported` starts at zero.
    pub(crate) fn whole(monitor: &'a dyn Monitor, reported: &'a AtomicU64) -> Self {
        Self { monitor, reported, from: 0.0, to: 1.0 }
    }

    /// The part of this stretch between two shares of it.
    pub(crate) fn part(&self, from: f64, to: f64) -> Self {
        let length = self.to - self.from;
        Self { from: self.from + from * length, to: self.from + to * length, ..*self }
    }

    /// Stretches for steps of the given costs, one after the other.
    pub(crate) fn split<const N: usize>(&self, costs: [f64; N]) -> [Self; N] {
        let total: f64 = costs.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut before = 0.0;
        costs.map(|cost| {
            let part = self.part(before / total, (before + cost) / total);
            before += cost;
            part
        })
    }

    /// Reports that `done` of `total` units of this stretch are finished, and fails when a stop was asked for.
    pub(crate) fn step(&self, done: usize, total: usize) -> Result<(), ManifoldError> {
        let share = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
        let units = ((self.from + share * (self.to - self.from)) * UNITS as f64 + 1e-9) as u64;
        // Threads finish out of order: only a new maximum is told.
        if self.reported.fetch_max(units, Ordering::Relaxed) < units {
            self.monitor.progress(units, UNITS);
        }
        self.check()
    }

    /// Fails when a stop was asked for.
    pub(crate) fn check(&self) -> Result<(), ManifoldError> {
        if self.monitor.cancelled() { Err(ManifoldError::Cancelled) } else { Ok(()) }
    }
}
