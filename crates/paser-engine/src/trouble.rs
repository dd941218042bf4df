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

/// Turns an error into what a person reads, the same in the window and on the command line.
pub trait Told {
    fn told(self) -> Report;
}

pub(crate) fn cancelled() -> Report {
    Report::new(Failure::Cancelled, "Cancelled.", "What was finished is kept; run again to go on.")
}

pub(crate) fn paused() -> Report {
    Report::new(Failure::Cancelled, "Paused.", "What was finished is kept; resume it, or run again, to go on.")
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
            Self::HoldOut(_) => usage(what, "Correct `pool.holdout` in recipe.toml."),
            Self::Export(_) => failed(what, ""),
            _ => unusable(what, ""),
        }
    }
}

impl Told for ModelError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Io { source, .. } => io_or(&source, what, Failure::Unusable),
            _ => unusable(what, ""),
        }
    }
}

impl Told for PruneError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Model(error) => error.told(),
            Self::Io { source, .. } => io_or(&source, what, Failure::Unusable),
            Self::Params(_) | Self::OutputNotEmpty(_) | Self::NoCalibration => usage(what, ""),
            Self::Groups { .. } => unusable(what, ""),
        }
    }
}

impl Told for paser_eval::EvalError {
    fn told(self) -> Report {
        use paser_eval::EvalError;
        match self {
            EvalError::Cancelled => cancelled(),
            EvalError::Score(error) => error.told(),
            other => unusable(other.to_string(), "Correct it and evaluate again."),
        }
    }
}

impl Told for ScoreError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Model(error) => error.told(),
            Self::Parameter { .. } => usage(what, "In a project it stands under [score] in recipe.toml."),
            Self::Sample { .. } => failed(what, ""),
            _ => unusable(what, ""),
        }
    }
}

impl Told for ManifoldError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::Parameter { .. } | Self::TooManyClusters { .. } => {
                usage(what, "In a project it stands under [manifold] in recipe.toml.")
            }
            Self::Shape { .. } | Self::Order { .. } | Self::LowRecall { .. } | Self::NotConverged { .. } => {
                failed(what, "")
            }
            _ => unusable(what, ""),
        }
    }
}

impl Told for SelectError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::BadSetting { .. } | Self::PinnedHeldOut { .. } | Self::MorePinsThanBudget { .. } => usage(what, ""),
            _ => failed(what, ""),
        }
    }
}

impl Told for HubError {
    fn told(self) -> Report {
        let what = self.to_string();
        match self {
            Self::Cancelled => cancelled(),
            Self::BadId { .. }
            | Self::BadDataset { .. }
            | Self::ChoosePart { .. }
            | Self::NoSuchPart { .. }
            | Self::NoCacheFolder
            | Self::BadEndpoint { .. }
            | Self::Certificates { .. } => usage(what, ""),
            Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::Network { .. }
            | Self::Answer { .. }
            | Self::Checksum { .. }
            | Self::Offline { .. }
            | Self::DiskFull { .. } => Report::new(Failure::Machine, what, ""),
            Self::Io { source, .. } => io_or(&source, what, Failure::Machine),
            _ => unusable(what, ""),
        }
    }
}

/// `what` failed before anything could be said about files.
pub(crate) fn failed(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Failed, what, advice)
}

/// Something that was typed cannot be meant.
pub fn usage(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Usage, what, advice)
}

/// A pool, model or file that cannot be used.
pub fn unusable(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Unusable, what, advice)
}

/// Two models that cut texts into different tokens, and how their tokenizers differ.
pub fn tokenizers_differ(dense: &str, pruned: &str, difference: &str) -> Report {
    unusable(
        format!("{dense} and {pruned} read text differently: {difference}"),
        "Damage is the difference of two models on the same tokens: take the pruned copy of this dense model.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_told_apart_from_the_data() {
        let full = || io::Error::new(io::ErrorKind::StorageFull, "a.json: no space left");
        assert_eq!(DataError::Io(full()).told().failure, Failure::Machine);
        assert_eq!(ModelError::Io { path: "a".into(), source: full() }.told().failure, Failure::Machine);
        assert_eq!(PruneError::Io { path: "a".into(), source: full() }.told().failure, Failure::Machine);
        let absent = io::Error::new(io::ErrorKind::NotFound, "pool.jsonl: not found");
        assert_eq!(DataError::Io(absent).told().failure, Failure::Unusable);
        let absent = io::Error::new(io::ErrorKind::NotFound, "model.safetensors: not found");
        assert_eq!(PruneError::Io { path: "a".into(), source: absent }.told().failure, Failure::Unusable);
        assert_eq!(DataError::Cancelled.told().failure, Failure::Cancelled);
        assert_eq!(ScoreError::Model(ModelError::Cancelled).told().failure, Failure::Cancelled);
    }

    #[test]
    fn exit_codes_follow_who_has_to_act() {
        let code = |report: Report| report.failure.exit_code();
        assert_eq!(code(PruneError::OutputNotEmpty("out".into()).told()), 2);
        assert_eq!(code(DataError::HoldOut("no rule".to_owned()).told()), 2);
        assert_eq!(code(HubError::BadId { id: "a b".to_owned(), reason: "a space" }.told()), 2);
        assert_eq!(code(DataError::Template { name: "chat".to_owned(), what: "is none".to_owned() }.told()), 3);
        let damaged = HubError::Checksum {
            id: "org/name".to_owned(),
            file: "model.safetensors".to_owned(),
            kind: "sha256",
            found: "0".to_owned(),
            expected: "1".to_owned(),
        };
        assert_eq!(code(damaged.told()), 4);
    }
}
