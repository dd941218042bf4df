//! Every failure as a `Report`: the domain's own message, the right failure class, and advice where the message holds
//! none. The only place that decides what is the machine's fault and what the data's.

use std::io;

use paser_data::DataError;
use paser_hub::HubError;
use paser_manifold::ManifoldError;
use paser_model::ModelError;
use paser_project::{ProjectError, report_of_io};
use paser_protocol::{Failure, Report};
use paser_prune::PruneError;
use paser_score::ScoreError;
use paser_select::SelectError;

/// What engine functions return.
pub type Outcome<T> = Result<T, Report>;

/// Turns an error into what a person reads.
pub(crate) trait Told {
    fn told(self) -> Report;
}

fn cancelled() -> Report {
    Report::new(Failure::Cancelled, "Cancelled.", "What was finished is kept; run again to go on.")
}

/// The machine's report where the machine is to blame, else `otherwise`; the message stays.
fn io_or(error: &io::Error, message: String, otherwise: Failure) -> Report {
    let report = report_of_io(error);
    if report.failure == Failure::Failed {
        Report::new(otherwise, message, "")
    } else {
        Report { what: message, ..report }
    }
}

impl Told for ProjectError {
    fn told(self) -> Report {
        self.into()
    }
}

impl Told for io::Error {
    fn told(self) -> Report {
        report_of_io(&self)
    }
}

impl Told for DataError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Io(error) => io_or(&error, what, Failure::Unusable),
            Self::HoldOut(_) => Report::new(Failure::Usage, what, "Correct `pool.holdout` in recipe.toml."),
            _ => Report::new(Failure::Unusable, what, ""),
        }
    }
}

impl Told for ModelError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Io { source, .. } => io_or(&source, what, Failure::Unusable),
            _ => Report::new(Failure::Unusable, what, ""),
        }
    }
}

impl Told for PruneError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Model(error) => error.told(),
            _ => Report::new(Failure::Unusable, what, ""),
        }
    }
}

impl Told for ScoreError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Model(error) => error.told(),
            Self::Parameter { .. } => Report::new(Failure::Usage, what, "Correct [score] in recipe.toml."),
            _ => Report::new(Failure::Unusable, what, ""),
        }
    }
}

impl Told for ManifoldError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Parameter { .. } | Self::TooManyClusters { .. } => {
                Report::new(Failure::Usage, what, "Correct [manifold] in recipe.toml.")
            }
            Self::Shape { .. } | Self::Order { .. } => Report::new(Failure::Failed, what, ""),
            _ => Report::new(Failure::Unusable, what, ""),
        }
    }
}

impl Told for SelectError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::BadBudget { .. }
            | Self::NoSuchStrategy { .. }
            | Self::BadSetting { .. }
            | Self::BadEmphasis { .. }
            | Self::PinnedHeldOut { .. }
            | Self::MorePinsThanBudget { .. } => Report::new(Failure::Usage, what, ""),
            _ => Report::new(Failure::Failed, what, ""),
        }
    }
}

impl Told for HubError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::NoCacheFolder
            | Self::BadEndpoint { .. }
            | Self::Certificates { .. }
            | Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::Network { .. }
            | Self::Answer { .. }
            | Self::Offline { .. }
            | Self::DiskFull { .. }
            | Self::Io { .. } => Report::new(Failure::Machine, what, ""),
            _ => Report::new(Failure::Unusable, what, ""),
        }
    }
}

/// `what` failed before anything could be said about files.
pub(crate) fn failed(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Failed, what, advice)
}

pub(crate) fn usage(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Usage, what, advice)
}

pub(crate) fn unusable(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Unusable, what, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_told_apart_from_the_data() {
        let full = || io::Error::new(io::ErrorKind::StorageFull, "a.json: no space left");
        assert_eq!(DataError::Io(full()).told().failure, Failure::Machine);
        assert_eq!(ModelError::Io { path: "a".into(), source: full() }.told().failure, Failure::Machine);
        let absent = io::Error::new(io::ErrorKind::NotFound, "pool.jsonl: not found");
        assert_eq!(DataError::Io(absent).told().failure, Failure::Unusable);
        assert_eq!(DataError::Cancelled.told().failure, Failure::Cancelled);
        assert_eq!(ScoreError::Model(ModelError::Cancelled).told().failure, Failure::Cancelled);
    }
}
