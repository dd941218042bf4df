//! Why an evaluation stopped. Every message names the row, request or file and says what to do.

use std::path::PathBuf;

use paser_model::ModelError;

/// Errors of this crate's passes, tasks and files.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The monitor asked for a stop.
    #[error("the evaluation was cancelled")]
    Cancelled,
    /// A setting that cannot work.
    #[error("evaluation setting {name}: {reason}")]
    Parameter { name: &'static str, reason: String },
    /// A text that cannot be evaluated; `unit` is what it is (request, text, item), `number` counts from 0.
    #[error("{unit} {number}: {reason}")]
    Text { unit: &'static str, number: usize, reason: String },
    /// A row of a task's file that is not what the task needs.
    #[error("{file}, line {line}: {reason}")]
    Row { file: String, line: usize, reason: String },
    /// No task of this name.
    #[error("there is no task {name:?}; known are {}", known.join(", "))]
    UnknownTask { name: String, known: Vec<&'static str> },
    /// No profile or protocol of this name.
    #[error("there is no {what} {name:?}; known are {}", known.join(", "))]
    UnknownName { what: &'static str, name: String, known: Vec<&'static str> },
    /// The tokenizer failed or lacks what evaluation needs.
    #[error("the tokenizer: {0}")]
    Tokenizer(String),
    /// The model gives something that is no distribution.
    #[error(
        "{unit} {number}: token {token} has logits that are NaN, infinite or all -inf; check the model's weights with \
         `paser inspect`"
    )]
    Logits { unit: &'static str, number: usize, token: usize },
    /// A file of results that cannot be read as one.
    #[error("{}: {reason}", path.display())]
    Results { path: PathBuf, reason: String },
    /// A file could not be read or written; the text names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The model failed.
    #[error("{0}")]
    Model(ModelError),
}

impl From<ModelError> for EvalError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled => Self::Cancelled,
            other => Self::Model(other),
        }
    }
}
