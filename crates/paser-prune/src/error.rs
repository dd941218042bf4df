//! What can go wrong while pruning; messages name the file or matrix and say what to do.

use std::path::PathBuf;

use paser_model::ModelError;

/// Why no pruned model was made. Nothing is left behind in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// A parameter outside its range.
    #[error("{0}")]
    Params(String),
    /// The output folder has content.
    #[error("{}: the folder is not empty. Give a new folder; nothing is overwritten.", .0.display())]
    OutputNotEmpty(PathBuf),
    /// A matrix cannot be cut into groups.
    #[error(
        "{tensor}: rows of {columns} weights are no whole number of groups of {group}. Use an unstructured share or another pattern."
    )]
    Groups { tensor: String, columns: usize, group: usize },
    /// Wanda looks at activations and got no text.
    #[error("Wanda needs calibration text: give at least one sequence with at least one token.")]
    NoCalibration,
    /// A file could not be read or written; the source's text names it.
    #[error("{source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// The dense model could not be read or run.
    #[error(transparent)]
    Model(ModelError),
    /// The monitor asked for a stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<ModelError> for PruneError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled => Self::Cancelled,
            other => Self::Model(other),
        }
    }
}

impl PruneError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
