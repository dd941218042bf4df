//! Forward and backward pass of the demo's LLaMA written out by hand over ndarray: the same function as
//! `tests/oracle`, several times faster than recording a graph on a small model.
//!
//! Rows of a batch are padded at their end; N = rows * length flat positions. Shapes are (N, width), row by
//! row. The gradients are checked against candle's in `tests/gradients.rs`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};

use crate::model::Shape;
use crate::tokens::{PAD, Sequenced};

/// Weights or gradients by name; vectors (norms) are (1, width).
pub type Matrices = BTreeMap<String, Array2<f32>>;

/// Every matrix here is made in standard layout.
const CONTIGUOUS: &str = "rows are contiguous";

struct Layer {
    x: Array2<f32>,
    scale1: Array1<f32>,
    normed1: Array2<f32>,
    q: Array2<f32>,
    k: Array2<f32>,
    v: Array2<f32>,
    /// Attention probabilities, (rows * heads * length, length).
    attention: Array2<f32>,
    mixed: Array2<f32>,
    middle: Array2<f32>,
    scale2: Array1<f32>,
    normed2: Array2<f32>,
    gate: Array2<f32>,
    up: Array2<f32>,
    product: Array2<f32>,
}

/// Rotary angles: cos and sin, (length, head_dim / 2).
struct Rotary {
    cos: Array2<f32>,
    sin: Array2<f32>,
}

fn get<'a>(weights: &'a Matrices, name: &str) -> Result<&'a Array2<f32>> {
    weights.get(name).with_context(|| format!("the model lacks the tensor {name}"))
}

/// x w^T
fn times_transposed(x: &ArrayView2<f32>, w: &Array2<f32>) -> Array2<f32> {
    let mut out = Array2::zeros((x.nrows(), w.nrows()));
    general_mat_mul(1.0, x, &w.t(), 0.0, &mut out);
    out
}

/// out += x w
fn add_product(out: &mut Array2<f32>, x: &Array2<f32>, w: &Array2<f32>) {
    general_mat_mul(1.0, x, w, 1.0, out);
}

/// d^T x: the gradient of a weight whose outputs have gradient d and whose inputs were x.
fn weight_gradient(d: &Array2<f32>, x: &Array2<f32>) -> Array2<f32> {
    let mut out = Array2::zeros((d.ncols(), x.ncols()));
    general_mat_mul(1.0, &d.t(), x, 0.0, &mut out);
    out
}

/// x / sqrt(mean(x^2) + eps) * w, and the scale of every row.
fn rms_norm(x: &Array2<f32>, w: &Array2<f32>, eps: f64) -> (Array2<f32>, Array1<f32>) {
    let mut normed = x.clone();
    let mut scales = Array1::zeros(x.nrows());
    let w = w.row(0);
    for (mut row, scale) in normed.rows_mut().into_iter().zip(scales.iter_mut()) {
        let squares: f32 = row.iter().map(|v| v * v).sum();
        *scale = (1.0 / (f64::from(squares) / row.len() as f64 + eps).sqrt()) as f32;
        row.zip_mut_with(&w, |v, w| *v *= *scale * w);
    }
    (normed, scales)
}

/// Adds the gradient of the norm's input to `dx` and returns that of its weight, (1, width).
fn rms_norm_backward(
    dx: &mut Array2<f32>,
    dy: &Array2<f32>,
    x: &Array2<f32>,
    scales: &Array1<f32>,
    w: &Array2<f32>,
) -> Array2<f32> {
    let width = x.ncols();
    let mut dw = Array2::zeros((1, width));
    let w = w.as_slice().expect(CONTIGUOUS);
    for n in 0..x.nrows() {
        let scale = scales[n];
        let x = x.row(n).to_slice().expect(CONTIGUOUS);
        let dy = dy.row(n).to_slice().expect(CONTIGUOUS);
        let dx = dx.row_mut(n).into_slice().expect(CONTIGUOUS);
        let dw = dw.row_mut(0).into_slice().expect(CONTIGUOUS);
        let mut dot = 0.0;
        for i in 0..width {
            dot += dy[i] * w[i] * x[i];
            dw[i] += dy[i] * x[i] * scale;
        }
        let pull = dot * scale * scale * scale / width as f32;
        for i in 0..width {
            dx[i] += scale * dy[i] * w[i] - pull * x[i];
        }
    }
    dw
}

impl Rotary {
    fn new(shape: &Shape, length: usize) -> Self {
        let half = shape.head_dim / 2;
        let angle = |(position, i): (usize, usize)| {
            position as f64 * shape.rope_theta.powf(-((2 * i) as f64) / shape.head_dim as f64)
        };
        Self {
            cos: Array2::from_shape_fn((length, half), |at| angle(at).cos() as f32),
            sin: Array2::from_shape_fn((length, half), |at| angle(at).sin() as f32),
        }
    }

    /// Turns every head of every position by its angle times `direction` (1 forward, -1 backward) and
    /// multiplies it by `factor`.
    fn turn(&self, x: &mut Array2<f32>, head_dim: usize, direction: f32, factor: f32) {
        let (length, half) = self.cos.dim();
        for (n, mut row) in x.rows_mut().into_iter().enumerate() {
            let position = n % length;
            let row = row.as_slice_mut().expect(CONTIGUOUS);
            for head in row.chunks_mut(head_dim) {
                let (first, second) = head.split_at_mut(half);
                for i in 0..half {
                    let cos = self.cos[[position, i]] * factor;
                    let sin = self.sin[[position, i]] * factor * direction;
                    let (a, b) = (first[i], second[i]);
                    first[i] = a * cos - b * sin;
                    second[i] = b * cos + a * sin;
                }
            }
        }
    }
}

/// Row i becomes the softmax of its entries 0..=i and zero after them.
fn causal_softmax(mut scores: ArrayViewMut2<f32>) {
    for (i, mut row) in scores.rows_mut().into_iter().enumerate() {
        let row = row.as_slice_mut().expect(CONTIGUOUS);
        let (seen, hidden) = row.split_at_mut(i + 1);
        let most = seen.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for value in seen.iter_mut() {
            *value = (*value - most).exp();
            sum += *value;
        }
        seen.iter_mut().for_each(|v| *v /= sum);
        hidden.fill(0.0);
    }
}

/// Columns of one head in the positions of one row.
fn head<'a>(x: &'a Array2<f32>, row: usize, length: usize, head: usize, dim: usize) -> ArrayView2<'a, f32> {
    x.slice(s![row * length..(row + 1) * length, head * dim..(head + 1) * dim])
}

fn head_mut<'a>(x: &'a mut Array2<f32>, row: usize, length: usize, head: usize, dim: usize) -> ArrayViewMut2<'a, f32> {
    x.slice_mut(s![row * length..(row + 1) * length, head * dim..(head + 1) * dim])
}

/// Sum of the answer tokens' negative log-likelihoods over `samples` divided by `tokens`, and its gradient.
pub fn loss_and_gradients(
    shape: &Shape,
    weights: &Matrices,
    samples: &[&Sequenced],
    tokens: usize,
) -> Result<(f64, Matrices)> {
    let rows = samples.len();
    let length = samples.iter().map(|s| s.ids.len() - 1).max().context("an empty batch")?;
    let flat = rows * length;
    let (heads, groups, dim) = (shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim);
    let shared = heads / groups;
    let query_scale = (dim as f32).powf(-0.5);
    let rotary = Rotary::new(shape, length);
    let embedding = get(weights, "model.embed_tokens.weight")?;

    let mut ids = vec![PAD as usize; flat];
    let mut positions = Vec::new();
    let mut targets = Vec::new();
    for (row, sample) in samples.iter().enumerate() {
        for column in 0..sample.ids.len() - 1 {
            ids[row * length + column] = sample.ids[column] as usize;
            if column + 1 >= sample.prompt {
                positions.push(row * length + column);
                targets.push(sample.ids[column + 1] as usize);
            }
        }
    }

    let mut x = embedding.select(Axis(0), &ids);
    let mut layers = Vec::with_capacity(shape.num_hidden_layers);
    for layer in 0..shape.num_hidden_layers {
        let w = |name: &str| get(weights, &format!("model.layers.{layer}.{name}.weight"));
        let (normed1, scale1) = rms_norm(&x, w("input_layernorm")?, shape.rms_norm_eps);
        let mut q = times_transposed(&normed1.view(), w("self_attn.q_proj")?);
        let mut k = times_transposed(&normed1.view(), w("self_attn.k_proj")?);
        let v = times_transposed(&normed1.view(), w("self_attn.v_proj")?);
        rotary.turn(&mut q, dim, 1.0, query_scale);
        rotary.turn(&mut k, dim, 1.0, 1.0);
        let mut attention = Array2::zeros((rows * heads * length, length));
        let mut mixed = Array2::zeros((flat, heads * dim));
        for row in 0..rows {
            for h in 0..heads {
                let at = (row * heads + h) * length;
                let mut scores = attention.slice_mut(s![at..at + length, ..]);
                let key = head(&k, row, length, h / shared, dim);
                general_mat_mul(1.0, &head(&q, row, length, h, dim), &key.t(), 0.0, &mut scores);
                causal_softmax(scores.view_mut());
                let value = head(&v, row, length, h / shared, dim);
                let mut out = head_mut(&mut mixed, row, length, h, dim);
                general_mat_mul(1.0, &scores, &value, 0.0, &mut out);
            }
        }
        let mut middle = x.clone();
        general_mat_mul(1.0, &mixed, &w("self_attn.o_proj")?.t(), 1.0, &mut middle);
        let (normed2, scale2) = rms_norm(&middle, w("post_attention_layernorm")?, shape.rms_norm_eps);
        let gate = times_transposed(&normed2.view(), w("mlp.gate_proj")?);
        let up = times_transposed(&normed2.view(), w("mlp.up_proj")?);
        let mut product = gate.clone();
        product.zip_mut_with(&up, |g, u| *g = *g / (1.0 + (-*g).exp()) * u);
        let mut next = middle.clone();
        general_mat_mul(1.0, &product, &w("mlp.down_proj")?.t(), 1.0, &mut next);
        layers.push(Layer {
            x: std::mem::replace(&mut x, next),
            scale1,
            normed1,
            q,
            k,
            v,
            attention,
            mixed,
            middle,
            scale2,
            normed2,
            gate,
            up,
            product,
        });
    }

    let mut gradients = Matrices::new();
    let last = x.select(Axis(0), &positions);
    let norm = get(weights, "model.norm.weight")?;
    let (normed, scales) = rms_norm(&last, norm, shape.rms_norm_eps);
    let mut logits = times_transposed(&normed.view(), embedding);
    let mut loss = 0.0;
    for (mut row, &target) in logits.rows_mut().into_iter().zip(&targets) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let chosen = row[target] - most;
        row.mapv_inplace(|v| (v - most).exp());
        let sum: f64 = row.iter().map(|v| f64::from(*v)).sum();
        loss += sum.ln() - f64::from(chosen);
        let factor = (1.0 / (sum * tokens as f64)) as f32;
        row.mapv_inplace(|v| v * factor);
        row[target] -= 1.0 / tokens as f32;
    }
    let mut embedding_gradient = weight_gradient(&logits, &normed);
    let mut dnormed = Array2::zeros(normed.dim());
    add_product(&mut dnormed, &logits, embedding);
    let mut dlast = Array2::zeros(last.dim());
    let dnorm = rms_norm_backward(&mut dlast, &dnormed, &last, &scales, norm);
    gradients.insert("model.norm.weight".to_owned(), dnorm);
    let mut dx = Array2::<f32>::zeros((flat, shape.hidden_size));
    for (row, &at) in dlast.rows().into_iter().zip(&positions) {
        dx.row_mut(at).assign(&row);
    }

    for (index, layer) in layers.iter().enumerate().rev() {
        let name = |name: &str| format!("model.layers.{index}.{name}.weight");
        let w = |part: &str| get(weights, &name(part));
        let mut dgate = Array2::zeros(layer.product.dim());
        add_product(&mut dgate, &dx, w("mlp.down_proj")?);
        gradients.insert(name("mlp.down_proj"), weight_gradient(&dx, &layer.product));
        let mut dup = dgate.clone();
        ndarray::Zip::from(&mut dgate).and(&mut dup).and(&layer.gate).and(&layer.up).for_each(
            |dgate, dup, gate, up| {
                let sigmoid = 1.0 / (1.0 + (-gate).exp());
                *dup *= gate * sigmoid;
                *dgate *= up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
            },
        );
        let mut dnormed = Array2::zeros(layer.normed2.dim());
        add_product(&mut dnormed, &dgate, w("mlp.gate_proj")?);
        add_product(&mut dnormed, &dup, w("mlp.up_proj")?);
        gradients.insert(name("mlp.gate_proj"), weight_gradient(&dgate, &layer.normed2));
        gradients.insert(name("mlp.up_proj"), weight_gradient(&dup, &layer.normed2));
        let norm = w("post_attention_layernorm")?;
        let dnorm = rms_norm_backward(&mut dx, &dnormed, &layer.middle, &layer.scale2, norm);
        gradients.insert(name("post_attention_layernorm"), dnorm);

        let mut dmixed = Array2::zeros(layer.mixed.dim());
        add_product(&mut dmixed, &dx, w("self_attn.o_proj")?);
        gradients.insert(name("self_attn.o_proj"), weight_gradient(&dx, &layer.mixed));
        let mut dq = Array2::zeros(layer.q.dim());
        let mut dk = Array2::zeros(layer.k.dim());
        let mut dv = Array2::zeros(layer.v.dim());
        let mut dscores = Array2::<f32>::zeros((length, length));
        for row in 0..rows {
            for h in 0..heads {
                let at = (row * heads + h) * length;
                let attention = layer.attention.slice(s![at..at + length, ..]);
                let dout = head(&dmixed, row, length, h, dim);
                let value = head(&layer.v, row, length, h / shared, dim);
                general_mat_mul(1.0, &dout, &value.t(), 0.0, &mut dscores);
                let mut dvalue = head_mut(&mut dv, row, length, h / shared, dim);
                general_mat_mul(1.0, &attention.t(), &dout, 1.0, &mut dvalue);
                for (mut d, p) in dscores.rows_mut().into_iter().zip(attention.rows()) {
                    let dot: f32 = d.iter().zip(p.iter()).map(|(d, p)| d * p).sum();
                    d.zip_mut_with(&p, |d, p| *d = p * (*d - dot));
                }
                let key = head(&layer.k, row, length, h / shared, dim);
                let mut dquery = head_mut(&mut dq, row, length, h, dim);
                general_mat_mul(1.0, &dscores, &key, 0.0, &mut dquery);
                let query = head(&layer.q, row, length, h, dim);
                let mut dkey = head_mut(&mut dk, row, length, h / shared, dim);
                general_mat_mul(1.0, &dscores.t(), &query, 1.0, &mut dkey);
            }
        }
        rotary.turn(&mut dq, dim, -1.0, query_scale);
        rotary.turn(&mut dk, dim, -1.0, 1.0);
        let mut dnormed = Array2::zeros(layer.normed1.dim());
        for (part, d) in [("self_attn.q_proj", &dq), ("self_attn.k_proj", &dk), ("self_attn.v_proj", &dv)] {
            add_product(&mut dnormed, d, w(part)?);
            gradients.insert(name(part), weight_gradient(d, &layer.normed1));
        }
        let norm = w("input_layernorm")?;
        let dnorm = rms_norm_backward(&mut dx, &dnormed, &layer.x, &layer.scale1, norm);
        gradients.insert(name("input_layernorm"), dnorm);
    }
    for (row, &id) in dx.rows().into_iter().zip(&ids) {
        let mut to = embedding_gradient.row_mut(id);
        to += &row;
    }
    gradients.insert("model.embed_tokens.weight".to_owned(), embedding_gradient);
    Ok((loss / tokens as f64, gradients))
}
