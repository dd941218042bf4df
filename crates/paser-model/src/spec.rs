//! The one description of a decoder that everything else is built from: sizes per layer, norms, rope, tying. It comes
//! from the tensors (`infer`) and was checked against the configuration; it is what hashes and reports contain.

use serde::{Deserialize, Serialize};

/// Model families whose blocks this decoder computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
}

impl Family {
    /// The name people use.
    pub fn label(self) -> &'static str {
        match self {
            Self::Llama => "LLaMA",
            Self::Mistral => "Mistral",
            Self::Qwen2 => "Qwen2",
            Self::Qwen3 => "Qwen3",
        }
    }
}

/// The seven matrices of a layer, in the order in which the forward pass uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Projection {
    Q,
    K,
    V,
    O,
    Gate,
    Up,
    Down,
}

impl Projection {
    /// All seven, in forward order.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// Module path inside a layer, such as `self_attn.q_proj`.
    pub fn module(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }
}

/// Tensor name of a projection's weight, such as `model.layers.3.mlp.up_proj.weight`.
pub fn projection_name(layer: usize, projection: Projection) -> String {
    format!("model.layers.{layer}.{}.weight", projection.module())
}

/// Rotary position embedding: angles of position p are p / base^(2i / head_dim), then scaled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rope {
    /// Base of the geometric series of wavelengths (`rope_theta`).
    pub base: f64,
    pub scaling: RopeScaling,
}

/// How the frequencies are stretched for contexts longer than those of pre-training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum RopeScaling {
    /// As trained.
    Default,
    /// Every frequency divided by `factor`.
    Linear { factor: f64 },
    /// LLaMA 3.1: long wavelengths divided by `factor`, short ones kept, a smooth band between.
    Llama3 { factor: f64, low_freq_factor: f64, high_freq_factor: f64, original_context: usize },
}

/// Sizes and parts of one layer, as its tensors have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSpec {
    /// Query heads.
    pub heads: usize,
    /// Key/value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the feed-forward part.
    pub ffn: usize,
    /// Biases on q, k and v.
    pub qkv_bias: bool,
    /// Bias on o.
    pub o_bias: bool,
    /// Biases on gate, up and down.
    pub ffn_bias: bool,
    /// RMS norms over each query and key head (Qwen3).
    pub qk_norm: bool,
    /// A position attends to itself and the `window - 1` before it; `None` attends to all before it.
    pub window: Option<usize>,
}

/// A value that neither the configuration nor the tensors give; what transformers documents was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumption {
    /// Configuration key that is absent.
    pub field: String,
    /// Value that was taken.
    pub value: String,
    /// Where the value comes from.
    pub source: String,
}

/// Everything about a decoder except its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    pub family: Family,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Rows of the embedding, padding rows included.
    pub vocab: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    /// Added to the mean square inside every RMS norm.
    pub norm_eps: f64,
    pub rope: Rope,
    /// Window of the layers that have one (see [`LayerSpec::window`]).
    pub sliding_window: Option<usize>,
    /// The head is the embedding.
    pub tied: bool,
    pub bos_token: Option<u32>,
    /// End tokens, the first one is the usual one.
    pub eos_tokens: Vec<u32>,
    pub pad_token: Option<u32>,
    pub layers: Vec<LayerSpec>,
    /// Number type of the projections on disk, such as `BF16`.
    pub weights_dtype: String,
    /// Values that nobody stated.
    pub assumed: Vec<Assumption>,
}

impl LayerSpec {
    /// Output rows and input columns of a projection's weight.
    pub fn shape(&self, projection: Projection, hidden: usize) -> (usize, usize) {
        match projection {
            Projection::Q => (self.heads * self.head_dim, hidden),
            Projection::K | Projection::V => (self.kv_heads * self.head_dim, hidden),
            Projection::O => (hidden, self.heads * self.head_dim),
            Projection::Gate | Projection::Up => (self.ffn, hidden),
            Projection::Down => (hidden, self.ffn),
        }
    }

    /// Whether a projection has a bias.
    pub fn bias(&self, projection: Projection) -> bool {
        match projection {
            Projection::Q | Projection::K | Projection::V => self.qkv_bias,
            Projection::O => self.o_bias,
            Projection::Gate | Projection::Up | Projection::Down => self.ffn_bias,
        }
    }

    /// Parameters of the layer: projections, biases and norms.
    pub fn parameters(&self, hidden: usize) -> u64 {
        let projections: usize = Projection::ALL
            .iter()
            .map(|&projection| {
                let (rows, columns) = self.shape(projection, hidden);
                rows * columns + if self.bias(projection) { rows } else { 0 }
            })
            .sum();
        let norms = 2 * hidden + if self.qk_norm { 2 * self.head_dim } else { 0 };
        (projections + norms) as u64
    }
}

impl ModelSpec {
    /// Parameters of the whole model; a tied head counts once.
    pub fn parameters(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(|layer| layer.parameters(self.hidden)).sum();
        let embedding = (self.vocab * self.hidden) as u64;
        layers + embedding * if self.tied { 1 } else { 2 } + self.hidden as u64
    }
}
