//! How long work reports its progress and learns that it should stop. Every stage takes `&dyn Monitor`.

/// Progress out, cancellation in. Implementations must be cheap: stages call both often.
pub trait Monitor: Sync {
    /// `done` of `total` units (rows, tokens or bytes, as the stage says) are finished.
    fn progress(&self, done: u64, total: u64);

    /// True once somebody asked for a stop. A stage checks at least every 200 ms of its work and then
    /// returns its error variant `Cancelled`.
    fn cancelled(&self) -> bool;
}

/// Reports to nobody and never stops.
pub struct Silent;

impl Monitor for Silent {
    fn progress(&self, _done: u64, _total: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}
