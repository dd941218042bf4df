//! The small LLaMA of the demo: its shapes, its first weights, and its files. Weights carry their Hugging Face
//! names. The trainer's forward pass stands in [`crate::train::passes`]; everything else runs `paser-model`'s.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use fs_err as fs;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::tokens::{BOS, EOS, PAD};

/// Shapes of the model; tied head, no biases.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Shape {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    pub max_position_embeddings: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
}

impl Shape {
    /// The shipped model: about 0.87 million parameters.
    pub fn demo(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            hidden_size: 128,
            intermediate_size: 352,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 32,
            max_position_embeddings: 128,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
        }
    }

    /// Names and shapes of all weights, in the order of their names.
    pub fn weights(&self) -> BTreeMap<String, Vec<usize>> {
        let (h, f) = (self.hidden_size, self.intermediate_size);
        let q = self.num_attention_heads * self.head_dim;
        let kv = self.num_key_value_heads * self.head_dim;
        let mut weights = BTreeMap::new();
        weights.insert("model.embed_tokens.weight".to_owned(), vec![self.vocab_size, h]);
        weights.insert("model.norm.weight".to_owned(), vec![h]);
        for layer in 0..self.num_hidden_layers {
            let mut add = |name: &str, shape: Vec<usize>| {
                weights.insert(format!("model.layers.{layer}.{name}.weight"), shape);
            };
            add("self_attn.q_proj", vec![q, h]);
            add("self_attn.k_proj", vec![kv, h]);
            add("self_attn.v_proj", vec![kv, h]);
            add("self_attn.o_proj", vec![h, q]);
            add("mlp.gate_proj", vec![f, h]);
            add("mlp.up_proj", vec![f, h]);
            add("mlp.down_proj", vec![h, f]);
            add("input_layernorm", vec![h]);
            add("post_attention_layernorm", vec![h]);
        }
        weights
    }

    pub fn parameters(&self) -> usize {
        self.weights().values().map(|s| s.iter().product::<usize>()).sum()
    }

    /// `config.json` as transformers reads it.
    pub fn config(&self) -> serde_json::Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.max_position_embeddings,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_parameters": { "rope_type": "default", "rope_theta": self.rope_theta },
            "tie_word_embeddings": true,
            "attention_bias": false,
            "mlp_bias": false,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "pad_token_id": PAD,
            "dtype": "bfloat16",
            "initializer_range": 0.02
        })
    }
}

/// Weights by name, f32.
pub type Weights = BTreeMap<String, Tensor>;

/// First weights: N(0, 1 / fan-in), the two projections into the residual stream divided by
/// sqrt(2 layers), embedding N(0, 0.02^2), norms one.
pub fn initial_weights(shape: &Shape, seed: u64) -> Result<Weights> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = Weights::new();
    for (name, dims) in shape.weights() {
        let len: usize = dims.iter().product();
        let values: Vec<f32> = if dims.len() == 1 {
            vec![1.0; len]
        } else {
            let mut std = if name.contains("embed") { 0.02 } else { (dims[1] as f64).powf(-0.5) };
            if name.contains("o_proj") || name.contains("down_proj") {
                std /= (2.0 * shape.num_hidden_layers as f64).sqrt();
            }
            (0..len).map(|_| (normal(&mut rng) * std) as f32).collect()
        };
        weights.insert(name, Tensor::from_vec(values, dims, &Device::Cpu)?);
    }
    Ok(weights)
}

/// A standard normal number by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    use rand::Rng;
    let u: f64 = 1.0 - rng.random::<f64>();
    let v: f64 = rng.random();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn weight<'a>(weights: &'a Weights, name: &str) -> Result<&'a Tensor> {
    weights.get(name).with_context(|| format!("the model lacks the tensor {name}"))
}

/// Writes `config.json`, `generation_config.json` and `model.safetensors` (bf16) into a folder.
pub fn write_model(shape: &Shape, weights: &Weights, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("config.json"), serde_json::to_string_pretty(&shape.config())?)?;
    let generation = json!({ "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD });
    fs::write(folder.join("generation_config.json"), serde_json::to_string_pretty(&generation)?)?;
    let mut rounded = Vec::new();
    for (name, tensor) in weights {
        rounded.push((name.clone(), tensor.detach().to_dtype(DType::BF16)?));
    }
    let metadata = [("format".to_owned(), "pt".to_owned())];
    let bytes = safetensors::serialize(rounded, Some(metadata.into_iter().collect()))
        .context("the weights cannot be written as safetensors")?;
    fs::write(folder.join("model.safetensors"), bytes)?;
    Ok(())
}

/// Reads a model folder: shapes from `config.json`, weights as f32.
pub fn read_model(folder: &Path) -> Result<(Shape, Weights)> {
    let config = folder.join("config.json");
    let shape: Shape = serde_json::from_str(&fs::read_to_string(&config)?)
        .with_context(|| format!("{} does not describe the demo's LLaMA", config.display()))?;
    let path = folder.join("model.safetensors");
    let weights = candle_core::safetensors::load(&path, &Device::Cpu)
        .with_context(|| format!("{} cannot be read", path.display()))?
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?)))
        .collect::<Result<Weights>>()?;
    for (name, dims) in shape.weights() {
        let found = weight(&weights, &name).with_context(|| path.display().to_string())?.dims();
        if found != dims.as_slice() {
            bail!("{}: {name} is {found:?}, config.json wants {dims:?}", path.display());
        }
    }
    Ok((shape, weights))
}
