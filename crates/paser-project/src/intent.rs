//! `jobs/run.json`: a run that was begun and has not ended, so that whoever opens the project next knows of it. It
//! stays after a kill, after a pause and while a run goes on without a window; an end of any other kind removes it.

use std::path::{Path, PathBuf};

use paser_protocol::Stage;
use serde::{Deserialize, Serialize};

use crate::{ProjectError, write_durably};

/// What a run that has not ended is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The last stage to bring up to date.
    pub until: Stage,
    /// A person paused it: it goes on when a person says so, and not by itself.
    pub paused: bool,
    /// Bytes that the estimate of a stage may not pass; none: no limit.
    pub memory: Option<u64>,
    /// Arms to train; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<String>,
}

impl Intent {
    /// None where no run is left over, or what is left cannot be read.
    pub fn read(jobs: &Path) -> Option<Self> {
        serde_json::from_slice(&fs_err::read(place(jobs)).ok()?).ok()
    }

    /// # Errors
    /// The input/output error with its path.
    pub fn write(&self, jobs: &Path) -> Result<(), ProjectError> {
        Ok(write_durably(&place(jobs), &serde_json::to_vec(self).map_err(std::io::Error::from)?)?)
    }

    /// # Errors
    /// The input/output error with its path.
    pub fn remove(jobs: &Path) -> Result<(), ProjectError> {
        match fs_err::remove_file(place(jobs)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn place(jobs: &Path) -> PathBuf {
    jobs.join("run.json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_intent_stays_until_it_is_removed() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(Intent::read(place.path()), None);
        let intent = Intent { until: Stage::Score, paused: true, memory: Some(1 << 30), arms: Vec::new() };
        intent.write(place.path()).unwrap();
        assert_eq!(Intent::read(place.path()), Some(intent));
        Intent::remove(place.path()).unwrap();
        Intent::remove(place.path()).unwrap();
        assert_eq!(Intent::read(place.path()), None);
    }
}
