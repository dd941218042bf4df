//! The demo's LLaMA once more in candle, as the oracle of the trainer's gradients, out of operations that candle can
//! differentiate: its fused softmax, RMS norm and rotary kernels cut gradients silently, so none of them is used here.
//! A row of a batch is padded at its end; the causal mask keeps padding out of every real position.

use anyhow::{Context, Result, bail};
use candle_core::{D, Device, Tensor};
use candle_nn::ops;
use paser_demo::model::{Shape, Weights};
use paser_demo::tokens::{PAD, Sequenced};

/// Samples side by side, padded at the end, with the positions that predict an answer token.
pub struct Batch {
    /// (rows, length), u32.
    pub ids: Tensor,
    /// Flat positions (row * length + column) whose next token belongs to the answer, u32.
    pub positions: Tensor,
    /// Those next tokens, u32, as many as `positions`.
    pub targets: Tensor,
}

impl Batch {
    pub fn new(samples: &[&Sequenced]) -> Result<Self> {
        let length = samples.iter().map(|s| s.ids.len() - 1).max().context("an empty batch")?;
        let mut ids = vec![PAD; samples.len() * length];
        let mut positions = Vec::new();
        let mut targets = Vec::new();
        for (row, sample) in samples.iter().enumerate() {
            let inputs = &sample.ids[..sample.ids.len() - 1];
            ids[row * length..row * length + inputs.len()].copy_from_slice(inputs);
            for column in sample.prompt - 1..inputs.len() {
                positions.push((row * length + column) as u32);
                targets.push(sample.ids[column + 1]);
            }
        }
        let count = positions.len();
        Ok(Self {
            ids: Tensor::from_vec(ids, (samples.len(), length), &Device::Cpu)?,
            positions: Tensor::from_vec(positions, count, &Device::Cpu)?,
            targets: Tensor::from_vec(targets, count, &Device::Cpu)?,
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
