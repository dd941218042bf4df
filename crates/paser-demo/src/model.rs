//! The small LLaMA of the demo in candle, out of operations that candle can differentiate: its fused
//! softmax, RMS norm and rotary kernels cut gradients silently, so none of them is used here.
//!
//! Weights carry their Hugging Face names. A row of a batch is padded at its end; the causal mask keeps
//! padding out of every real position.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops;
use fs_err as fs;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::tokens::{BOS, EOS, PAD, Sequenced};

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

/// Samples side by side, padded at the end, with the positions that predict an answer token.
pub struct Batch {
    /// (rows, length), u32.
    pub ids: Tensor,
    /// Flat positions (row * length + column) whose next token belongs to the answer, u32.
    pub positions: Tensor,
    /// Those next tokens, u32, as many as `positions`.
    pub targets: Tensor,
    /// Answer tokens of each row, in order.
    pub answers: Vec<usize>,
}

impl Batch {
    pub fn new(samples: &[&Sequenced]) -> Result<Self> {
        let length = samples.iter().map(|s| s.ids.len() - 1).max().context("an empty batch")?;
        let mut ids = vec![PAD; samples.len() * length];
        let mut positions = Vec::new();
        let mut targets = Vec::new();
        let mut answers = Vec::with_capacity(samples.len());
        for (row, sample) in samples.iter().enumerate() {
            let inputs = &sample.ids[..sample.ids.len() - 1];
            ids[row * length..row * length + inputs.len()].copy_from_slice(inputs);
            for column in sample.prompt - 1..inputs.len() {
                positions.push((row * length + column) as u32);
                targets.push(sample.ids[column + 1]);
            }
            answers.push(sample.ids.len() - sample.prompt);
        }
        let count = positions.len();
        Ok(Self {
            ids: Tensor::from_vec(ids, (samples.len(), length), &Device::Cpu)?,
            positions: Tensor::from_vec(positions, count, &Device::Cpu)?,
            targets: Tensor::from_vec(targets, count, &Device::Cpu)?,
            answers,
        })
    }
}

fn weight<'a>(weights: &'a Weights, name: &str) -> Result<&'a Tensor> {
    weights.get(name).with_context(|| format!("the model lacks the tensor {name}"))
}

/// x / sqrt(mean(x^2) + eps) * weight, over the last dimension.
fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()?;
    Ok(x.broadcast_mul(&scale)?.broadcast_mul(weight)?)
}

/// cos and sin, each (length, head_dim), second half equal to the first.
fn rotary_tables(shape: &Shape, length: usize) -> Result<(Tensor, Tensor)> {
    let half = shape.head_dim / 2;
    let mut cos = Vec::with_capacity(length * shape.head_dim);
    let mut sin = Vec::with_capacity(length * shape.head_dim);
    for position in 0..length {
        for i in 0..shape.head_dim {
            let frequency = shape.rope_theta.powf(-((2 * (i % half)) as f64) / shape.head_dim as f64);
            let angle = position as f64 * frequency;
            cos.push(angle.cos() as f32);
            sin.push(angle.sin() as f32);
        }
    }
    let dims = (length, shape.head_dim);
    Ok((Tensor::from_vec(cos, dims, &Device::Cpu)?, Tensor::from_vec(sin, dims, &Device::Cpu)?))
}

/// x cos + rotate_half(x) sin over (batch, heads, length, head_dim).
fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let first = x.narrow(D::Minus1, 0, half)?;
    let second = x.narrow(D::Minus1, half, half)?;
    let turned = Tensor::cat(&[&second.neg()?, &first], D::Minus1)?;
    Ok((x.broadcast_mul(cos)? + turned.broadcast_mul(sin)?)?)
}

/// Zero on and below the diagonal, -1e9 above: (length, length).
fn causal_mask(length: usize) -> Result<Tensor> {
    let values: Vec<f32> = (0..length).flat_map(|i| (0..length).map(move |j| if j > i { -1e9 } else { 0.0 })).collect();
    Ok(Tensor::from_vec(values, (length, length), &Device::Cpu)?)
}

fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    Ok(x.matmul(&weight.t()?)?)
}

/// Log-probabilities at the batch's answer positions: (answer tokens, vocabulary).
pub fn log_probabilities(shape: &Shape, weights: &Weights, batch: &Batch) -> Result<Tensor> {
    let (rows, length) = batch.ids.dims2()?;
    if length > shape.max_position_embeddings {
        bail!("a sample of {length} tokens does not fit the context of {}", shape.max_position_embeddings);
    }
    let (heads, groups, dim) = (shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim);
    let flat = rows * length;
    let embedding = weight(weights, "model.embed_tokens.weight")?;
    let (cos, sin) = rotary_tables(shape, length)?;
    let mask = causal_mask(length)?;
    let mut x = embedding.index_select(&batch.ids.flatten_all()?, 0)?;
    for layer in 0..shape.num_hidden_layers {
        let get = |name: &str| weight(weights, &format!("model.layers.{layer}.{name}.weight"));
        let normed = rms_norm(&x, get("input_layernorm")?, shape.rms_norm_eps)?;
        let split = |y: Tensor, heads: usize| -> Result<Tensor> {
            Ok(y.reshape((rows, length, heads, dim))?.transpose(1, 2)?.contiguous()?)
        };
        let q = split(linear(&normed, get("self_attn.q_proj")?)?, heads)?;
        let k = split(linear(&normed, get("self_attn.k_proj")?)?, groups)?;
        let v = split(linear(&normed, get("self_attn.v_proj")?)?, groups)?;
        let q = (rotate(&q, &cos, &sin)? * (dim as f64).powf(-0.5))?;
        let k = rotate(&k, &cos, &sin)?;
        // The query heads of one key head stand one below the other, so that no key is copied.
        let q = q.reshape((rows, groups, heads / groups * length, dim))?;
        let scores = q.matmul(&k.transpose(2, 3)?.contiguous()?)?.reshape((rows, heads, length, length))?;
        let attention = ops::softmax(&scores.broadcast_add(&mask)?, D::Minus1)?.reshape((
            rows,
            groups,
            heads / groups * length,
            length,
        ))?;
        let mixed =
            attention.matmul(&v)?.reshape((rows, heads, length, dim))?.transpose(1, 2)?.reshape((flat, heads * dim))?;
        x = (x + linear(&mixed, get("self_attn.o_proj")?)?)?;
        let normed = rms_norm(&x, get("post_attention_layernorm")?, shape.rms_norm_eps)?;
        let gate = linear(&normed, get("mlp.gate_proj")?)?.silu()?;
        let up = linear(&normed, get("mlp.up_proj")?)?;
        x = (x + linear(&(gate * up)?, get("mlp.down_proj")?)?)?;
    }
    let x = x.index_select(&batch.positions, 0)?;
    let x = rms_norm(&x, weight(weights, "model.norm.weight")?, shape.rms_norm_eps)?;
    Ok(ops::log_softmax(&linear(&x, embedding)?, D::Minus1)?)
}

/// Sum of the answer tokens' negative log-likelihoods, divided by `tokens`.
pub fn loss(shape: &Shape, weights: &Weights, batch: &Batch, tokens: usize) -> Result<Tensor> {
    let log_p = log_probabilities(shape, weights, batch)?;
    let chosen = log_p.gather(&batch.targets.unsqueeze(1)?, 1)?;
    Ok((chosen.sum_all()?.neg()? / tokens as f64)?)
}

/// For every sample the most likely token after the right ones before it, at every answer token, the end
/// included.
pub fn likeliest_answers(shape: &Shape, weights: &Weights, samples: &[Sequenced]) -> Result<Vec<Vec<u32>>> {
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by_key(|&i| samples[i].ids.len());
    let mut answers = vec![Vec::new(); samples.len()];
    for chunk in order.chunks(64) {
        let rows: Vec<&Sequenced> = chunk.iter().map(|&i| &samples[i]).collect();
        let batch = Batch::new(&rows)?;
        let best: Vec<u32> = log_probabilities(shape, weights, &batch)?.argmax(D::Minus1)?.to_vec1()?;
        let mut at = 0;
        for (&i, &count) in chunk.iter().zip(&batch.answers) {
            answers[i] = best[at..at + count].to_vec();
            at += count;
        }
    }
    Ok(answers)
}

/// For every sample: is each answer token the likeliest one? Exactly then greedy decoding gives the whole
/// answer.
pub fn exact_matches(shape: &Shape, weights: &Weights, samples: &[Sequenced]) -> Result<Vec<bool>> {
    Ok(likeliest_answers(shape, weights, samples)?
        .iter()
        .zip(samples)
        .map(|(answer, sample)| *answer == sample.ids[sample.prompt..])
        .collect())
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
