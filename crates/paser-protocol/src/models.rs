//! What the files of a project's two models hold, layer by layer.

use serde::{Deserialize, Serialize};

/// Both models of a project; one that the recipe does not name, or that is not made yet, is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelsView {
    pub dense: Option<ModelView>,
    pub pruned: Option<ModelView>,
    /// None unless both are there.
    pub between: Option<BetweenView>,
    /// That reading them took.
    pub seconds: f64,
}

/// One model as its files have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    /// Folder or hub id, as the recipe names it.
    pub reference: String,
    pub family: String,
    /// Number type of the projections on disk.
    pub dtype: String,
    pub hidden: u64,
    pub vocabulary: u64,
    /// Most tokens.
    pub context: u64,
    /// The head is the embedding.
    pub tied: bool,
    pub has_tokenizer: bool,
    pub parameters: u64,
    /// Parameters that are exactly zero.
    pub zeros: u64,
    /// N:M, where every projection keeps it.
    pub pattern: Option<String>,
    /// Fields that no file states, each with the value that is taken.
    pub assumed: Vec<(String, String)>,
    pub layers: Vec<LayerView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerView {
    pub heads: u32,
    pub kv_heads: u32,
    pub head_dim: u32,
    /// Width of the feed-forward part.
    pub ffn: u32,
    pub parameters: u64,
    pub zeros: u64,
    /// The same kinds in every layer and both models.
    pub projections: Vec<ProjectionView>,
}

/// One matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectionView {
    /// `q`, `gate`, ...
    pub name: String,
    /// Outputs.
    pub rows: u32,
    /// Inputs.
    pub columns: u32,
    pub zeros: u64,
    /// N:M, where it keeps one.
    pub pattern: Option<String>,
}

impl ProjectionView {
    /// Weights that are not zero.
    pub fn kept(&self) -> u64 {
        (u64::from(self.rows) * u64::from(self.columns)).saturating_sub(self.zeros)
    }
}

/// Two models side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BetweenView {
    /// Tensors of both with the same bytes.
    pub equal: u64,
    /// Tensors of both with other bytes or another shape.
    pub changed: u64,
    pub only_dense: u64,
    pub only_pruned: u64,
    /// Do the tokenizers agree, so that the pair can be scored?
    pub tokenizers_agree: bool,
    /// What differs between the tokenizers.
    pub tokenizer_difference: Option<String>,
}
