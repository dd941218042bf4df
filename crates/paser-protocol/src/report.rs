//! An error as a person meets it: what happened, to which file or sample, what to do.

use serde::{Deserialize, Serialize};

/// Decides the exit code of the command line (`cli.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// 1
    Failed,
    /// 2: wrong usage or recipe
    Usage,
    /// 3: a pool or model that cannot be used
    Unusable,
    /// 4: disk, permission, memory, network
    Machine,
    /// 75: locked by a living process, or stopped half-way
    ComeBack,
    /// 130: cancelled
    Cancelled,
}

impl Failure {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unusable => 3,
            Self::Machine => 4,
            Self::ComeBack => 75,
            Self::Cancelled => 130,
        }
    }
}

/// The same sentence for window, command line and server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub failure: Failure,
    /// What happened, with the file, row or tensor named.
    pub what: String,
    /// What to do about it; empty where nothing can be done.
    pub advice: String,
}

impl Report {
    pub fn new(failure: Failure, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { failure, what: what.into(), advice: advice.into() }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        if !self.advice.is_empty() {
            write!(f, "\n{}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
