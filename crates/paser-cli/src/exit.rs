//! Every error becomes a `Report`: what happened, what to do, and the exit code that programs rely on.

use std::io::ErrorKind;

use paser_data::DataError;
use paser_hub::HubError;
use paser_manifold::ManifoldError;
use paser_model::ModelError;
use paser_protocol::{Failure, Report};
use paser_prune::PruneError;
use paser_score::ScoreError;

/// An error of a library as a person meets it.
pub trait Told {
    fn told(self) -> Report;
}

/// `?` for results whose error is not a report yet.
pub trait OrTell<T> {
    fn or_tell(self) -> Result<T, Report>;
}

impl<T, E: Told> OrTell<T> for Result<T, E> {
    fn or_tell(self) -> Result<T, Report> {
        self.map_err(Told::told)
    }
}

/// A wrong command line.
pub fn usage(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Usage, what, advice)
}

/// A pool, model or file that cannot be used.
pub fn unusable(what: impl Into<String>, advice: impl Into<String>) -> Report {
    Report::new(Failure::Unusable, what, advice)
}

impl Told for std::io::Error {
    fn told(self) -> Report {
        paser_project::report_of_io(&self)
    }
}

impl Told for DataError {
    fn told(self) -> Report {
        match self {
            Self::Io(source) => source.told(),
            Self::Cancelled => Report::new(Failure::Cancelled, "cancelled", ""),
            Self::HoldOut(_) | Self::Template { .. } => usage(self.to_string(), ""),
            Self::Export(_) => Report::new(Failure::Failed, self.to_string(), ""),
            other => unusable(other.to_string(), ""),
        }
    }
}

impl Told for ModelError {
    fn told(self) -> Report {
        match self {
            Self::Io { source, .. } => source.told(),
            Self::Cancelled => Report::new(Failure::Cancelled, "cancelled", ""),
            Self::Tensor(_) => Report::new(Failure::Failed, self.to_string(), ""),
            other => unusable(other.to_string(), ""),
        }
    }
}

impl Told for ScoreError {
    fn told(self) -> Report {
        match self {
            Self::Model(error) => error.told(),
            Self::Cancelled => Report::new(Failure::Cancelled, "cancelled", ""),
            Self::Parameter { .. } => usage(self.to_string(), ""),
            Self::Sample { .. } => Report::new(Failure::Failed, self.to_string(), ""),
            other => unusable(other.to_string(), ""),
        }
    }
}

impl Told for ManifoldError {
    fn told(self) -> Report {
        match self {
            Self::Cancelled => Report::new(Failure::Cancelled, "cancelled", ""),
            Self::Parameter { .. } | Self::TooManyClusters { .. } => usage(self.to_string(), ""),
            Self::LowRecall { .. } | Self::NotConverged { .. } => Report::new(Failure::Failed, self.to_string(), ""),
            other => unusable(other.to_string(), ""),
        }
    }
}

impl Told for PruneError {
    fn told(self) -> Report {
        match self {
            Self::Model(error) => error.told(),
            Self::Io { source, .. } => source.told(),
            Self::Cancelled => Report::new(Failure::Cancelled, "cancelled; nothing was written", ""),
            Self::Params(_) | Self::OutputNotEmpty(_) | Self::NoCalibration => usage(self.to_string(), ""),
            Self::Groups { .. } => unusable(self.to_string(), ""),
        }
    }
}

impl Told for HubError {
    fn told(self) -> Report {
        let failure = match &self {
            Self::Cancelled => Failure::Cancelled,
            Self::BadId { .. } | Self::NoCacheFolder | Self::BadEndpoint { .. } | Self::Certificates { .. } => {
                Failure::Usage
            }
            Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::Network { .. }
            | Self::Answer { .. }
            | Self::Checksum { .. }
            | Self::Offline { .. }
            | Self::DiskFull { .. } => Failure::Machine,
            Self::Io { source, .. } if source.kind() != ErrorKind::NotFound => Failure::Machine,
            _ => Failure::Unusable,
        };
        Report::new(failure, self.to_string(), "")
    }
}
