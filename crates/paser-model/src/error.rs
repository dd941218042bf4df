//! What can go wrong between a folder and numbers. Every message names the file or the tensor and says what to do.

use std::fmt;
use std::path::PathBuf;

/// Why a checkpoint, decoder or encoder could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file could not be read or written; the source's text names it.
    #[error("{source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// The folder lacks a file that every checkpoint has.
    #[error("{}: no {file} here. {advice}", dir.display())]
    MissingFile { dir: PathBuf, file: String, advice: String },
    /// `config.json` (or another JSON file) does not say what it must.
    #[error("{}: {reason}", path.display())]
    Config { path: PathBuf, reason: String },
    /// A readable checkpoint of a kind that this program does not run.
    #[error("{}: {reason}", path.display())]
    Unsupported { path: PathBuf, reason: String },
    /// The configuration and the weights disagree; each field is listed.
    #[error("{}: the configuration contradicts the weights: {}. Correct config.json or take the weights that belong to it.",
        path.display(), list(fields))]
    Contradicts { path: PathBuf, fields: Vec<Contradiction> },
    /// A safetensors file is damaged, cut off or not safetensors at all.
    #[error("{}: not a readable safetensors file: {reason}. Download or copy it again.", path.display())]
    Safetensors { path: PathBuf, reason: String },
    /// The index names a shard that is not in the folder.
    #[error("{}: the shard {shard} that this index names is missing. Download or copy it into the same folder.", index.display())]
    MissingShard { index: PathBuf, shard: String },
    /// A tensor that the model needs is absent.
    #[error("{}: the tensor {tensor} is missing. The checkpoint is incomplete or of another family.", path.display())]
    MissingTensor { path: PathBuf, tensor: String },
    /// Tensors that no part of the model would use: running without them would give another model.
    #[error("{}: {} tensor(s) that a {family} model does not have, first {first}. Merge adapters and strip extra parts before loading.",
        path.display(), count)]
    UnknownTensors { path: PathBuf, family: String, count: usize, first: String },
    /// A tensor has another shape than its neighbours require.
    #[error("{}: the tensor {tensor} has shape {found:?}, expected {expected}.", path.display())]
    Shape { path: PathBuf, tensor: String, found: Vec<usize>, expected: String },
    /// Numbers of a type that cannot be computed with.
    #[error("{}: the tensor {tensor} is stored as {dtype}; only F32, F16 and BF16 weights are read.", path.display())]
    Dtype { path: PathBuf, tensor: String, dtype: String },
    /// NaN or infinite weights.
    #[error("{}: the tensor {tensor} holds a value that is not finite ({value} at flat index {index}). The checkpoint is broken: download or copy it again.", path.display())]
    NotFinite { path: PathBuf, tensor: String, index: usize, value: f32 },
    /// A sequence is longer than the model's context.
    #[error("sequence {sequence} has {length} tokens; the model's context holds {context}. Cut it first.")]
    TooLong { sequence: usize, length: usize, context: usize },
    /// A token id outside the vocabulary.
    #[error(
        "sequence {sequence} holds token id {id}; the model's vocabulary has {vocab} entries. The tokenizer belongs to another model."
    )]
    TokenOutOfRange { sequence: usize, id: u32, vocab: usize },
    /// The tokenizer could not be read or failed on a text.
    #[error("{}: {reason}", path.display())]
    Tokenizer { path: PathBuf, reason: String },
    /// An adapter that was trained on another model.
    #[error("{}: the adapter belongs to another base model: {reason}. Take the model that it was trained on.", path.display())]
    AnotherBase { path: PathBuf, reason: String },
    /// Something stands where a file or folder was to be written.
    #[error("{}: there is content already. Give a new name; nothing is overwritten.", .0.display())]
    OutputTaken(PathBuf),
    /// A number that the type of the file cannot hold.
    #[error("{}: the tensor {tensor} holds {value}, too large for {dtype}. Write the weights as F32 or BF16.", path.display())]
    TooLarge { path: PathBuf, tensor: String, value: f32, dtype: String },
    /// The monitor asked for a stop.
    #[error("cancelled")]
    Cancelled,
}

/// One field in which configuration and weights disagree.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Contradiction {
    /// Name of the configuration key.
    pub field: String,
    /// What `config.json` says.
    pub config: String,
    /// What the tensors say.
    pub tensors: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} in the configuration and {} in the weights", self.field, self.config, self.tensors)
    }
}

fn list(fields: &[Contradiction]) -> String {
    fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl ModelError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
