//! Scaled dot-product attention of packed sequences. Queries, keys and values lie side by side in one row per token;
//! products read them in place, so grouped heads need no copies and padding does not exist.

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut as _;
use faer::{Accum, MatMut, MatRef, Par};

use super::{LANES, exp, vectorised};

/// Query rows that share one pass over the keys: keys after the block's last row are never touched.
pub(super) const BLOCK: usize = 64;

/// Which earlier positions a position sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// Every position of its sequence.
    Full,
    /// Itself and all before it, or only the nearest `window` of those.
    Causal { window: Option<usize> },
}

/// Layout of one token's row: `heads` queries, `kv_heads` keys, `kv_heads` values, each `head_dim` wide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl AttentionShape {
    /// Width of a packed row.
    pub(crate) fn width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
}

/// What the positions from `start` on see of one sequence; `qkv` is [tokens, width], out [tokens - start, heads *
/// head_dim]. `scores` is scratch.
pub(crate) fn attention(
    shape: AttentionShape,
    mask: Mask,
    qkv: &[f32],
    start: usize,
    out: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let AttentionShape { heads, kv_heads, head_dim } = shape;
    let width = shape.width();
    let tokens = qkv.len() / width;
    if tokens <= start {
        return;
    }
    let rows = MatRef::from_row_major_slice(qkv, tokens, width);
    let mut out = MatMut::from_row_major_slice_mut(out, tokens - start, heads * head_dim);
    let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
    for first in (start..tokens).step_by(BLOCK) {
        let count = BLOCK.min(tokens - first);
        let (key_first, keys) = seen(mask, first, count, tokens);
        scores.resize(count * keys, 0.0);
        for head in 0..heads {
            let kv_head = head / (heads / kv_heads);
            let q = rows.submatrix(first, head * head_dim, count, head_dim);
            let k = rows.submatrix(key_first, (heads + kv_head) * head_dim, keys, head_dim);
            let v = rows.submatrix(key_first, (heads + kv_heads + kv_head) * head_dim, keys, head_dim);
            probabilities(q, k, mask, (first, key_first), scale, scores);
            matmul(
                out.rb_mut().submatrix_mut(first - start, head * head_dim, count, head_dim),
                Accum::Replace,
                MatRef::from_row_major_slice(scores, count, keys),
                v,
                1.0,
                Par::Seq,
            );
        }
    }
}

/// The first key that a block of query rows sees, and how many it sees from there.
pub(super) fn seen(mask: Mask, first: usize, count: usize, tokens: usize) -> (usize, usize) {
    match mask {
        Mask::Full => (0, tokens),
        Mask::Causal { window } => {
            let key_first = first.saturating_sub(window.map_or(first, |window| window.saturating_sub(1)));
            (key_first, first + count - key_first)
        }
    }
}

/// Softmax of the scaled products of query rows from `first` on with keys from `key_first` on, 0 where the mask hides:
/// `out` [queries, keys].
pub(super) fn probabilities(
    q: MatRef<'_, f32>,
    k: MatRef<'_, f32>,
    mask: Mask,
    (first, key_first): (usize, usize),
    scale: f32,
    out: &mut [f32],
) {
    let keys = k.nrows();
    let scores = MatMut::from_row_major_slice_mut(out, q.nrows(), keys);
    matmul(scores, Accum::Replace, q, k.transpose(), scale, Par::Seq);
    vectorised(
        #[inline(always)]
        || {
            for (row, scores) in out.chunks_exact_mut(keys).enumerate() {
                let (from, to) = match mask {
                    Mask::Full => (0, keys),
                    Mask::Causal { window } => {
                        let to = first + row + 1 - key_first;
                        (window.map_or(0, |window| to.saturating_sub(window)), to)
                    }
                };
                scores[..from].fill(0.0);
                scores[to..].fill(0.0);
                softmax(&mut scores[from..to]);
            }
        },
    );
}

/// x = exp(x - max) / sum, in place.
#[inline(always)]
fn softmax(x: &mut [f32]) {
    let mut max = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (max, &value) in max.iter_mut().zip(chunk) {
            *max = if value > *max { value } else { *max };
        }
    }
    for (max, &value) in max.iter_mut().zip(rest) {
        *max = if value > *max { value } else { *max };
    }
    let max = max.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let mut sum = [0.0_f32; LANES];
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (sum, value) in sum.iter_mut().zip(chunk) {
            *value = exp(*value - max);
            *sum += *value;
        }
    }
    for (sum, value) in sum.iter_mut().zip(rest) {
        *value = exp(*value - max);
        *sum += *value;
    }
    let scale = (1.0 / sum.iter().map(|&sum| f64::from(sum)).sum::<f64>()) as f32;
    for value in x {
        *value *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::{AttentionShape, Mask, attention};

    /// Straight from the definition, in f64.
    fn plain(shape: AttentionShape, mask: Mask, qkv: &[f32]) -> Vec<f64> {
        let AttentionShape { heads, kv_heads, head_dim } = shape;
        let (width, tokens) = (shape.width(), qkv.len() / shape.width());
        let at = |token: usize, column: usize| f64::from(qkv[token * width + column]);
        let mut out = Vec::new();
        for i in 0..tokens {
            for head in 0..heads {
                let kv = head * kv_heads / heads;
                let seen: Vec<usize> = (0..tokens)
                    .filter(|&j| match mask {
                        Mask::Full => true,
                        Mask::Causal { window } => j <= i && window.is_none_or(|window| i - j < window),
                    })
                    .collect();
                let weights: Vec<f64> = seen
                    .iter()
                    .map(|&j| {
                        let dot: f64 = (0..head_dim)
                            .map(|c| at(i, head * head_dim + c) * at(j, (heads + kv) * head_dim + c))
                            .sum();
                        (dot / (head_dim as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                for c in 0..head_dim {
                    let value: f64 = seen
                        .iter()
                        .zip(&weights)
                        .map(|(&j, weight)| weight * at(j, (heads + kv_heads + kv) * head_dim + c))
                        .sum();
                    out.push(value / total);
                }
            }
        }
        out
    }

    #[test]
    fn every_mask_and_grouping_matches_the_definition() {
        let shape = AttentionShape { heads: 6, kv_heads: 2, head_dim: 10 };
        for tokens in [1, 2, 17, 64, 65, 150] {
            let qkv: Vec<f32> = (0..tokens * shape.width()).map(|i| ((i * 7919) % 1013) as f32 / 400.0 - 1.2).collect();
            for mask in [
                Mask::Full,
                Mask::Causal { window: None },
                Mask::Causal { window: Some(1) },
                Mask::Causal { window: Some(9) },
                Mask::Causal { window: Some(100) },
            ] {
                let expected = plain(shape, mask, &qkv);
                for start in [0, 1, tokens / 2, tokens] {
                    let mut out = vec![f32::NAN; (tokens - start) * 60];
                    attention(shape, mask, &qkv, start, &mut out, &mut Vec::new());
                    for (index, (found, expected)) in out.iter().zip(&expected[start * 60..]).enumerate() {
                        let place = format!("{mask:?}, {tokens} tokens from {start}, value {index}");
                        assert!((f64::from(*found) - expected).abs() < 2e-5, "{place}: {found} {expected}");
                    }
                }
            }
        }
    }
}
