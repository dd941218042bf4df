//! Errors of libraries on their way to a person. The engine decides what they say and which exit code they mean, so that
//! a command without a project says what a run and the window say.

use paser_engine::Told;
pub use paser_engine::{unusable, usage};
use paser_protocol::{Failure, Report};

/// `?` for results whose error is not a report yet.
pub trait OrTell<T> {
    fn or_tell(self) -> Result<T, Report>;
}

impl<T, E: Told> OrTell<T> for Result<T, E> {
    fn or_tell(self) -> Result<T, Report> {
        self.map_err(|error| {
            let mut report = error.told();
            if report.failure == Failure::Cancelled {
                // Only a project keeps what was finished.
                report.advice.clear();
            }
            report
        })
    }
}
