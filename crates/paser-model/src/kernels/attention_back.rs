//! The reverse of attention over one packed sequence: probabilities are computed again, block of query rows by block, so
//! that nothing of [tokens, tokens] is kept.

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut as _;
use faer::{Accum, MatMut, MatRef, Par};

use super::attention::{BLOCK, probabilities, seen};
use super::{AttentionShape, Mask, vectorised};

/// Buffers that are used again from sequence to sequence.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    probabilities: Vec<f32>,
    gradients: Vec<f32>,
}

/// Adds to `dqkv` [tokens, width] the gradients of queries, keys and values as attention read them, where `dout` [tokens,
/// heads * head_dim] is the gradient of what it gave.
pub(crate) fn attention_back(
    shape: AttentionShape,
    mask: Mask,
    qkv: &[f32],
    dout: &[f32],
    dqkv: &mut [f32],
    scratch: &mut Scratch,
) {
    let AttentionShape { heads, kv_heads, head_dim } = shape;
    let width = shape.width();
    let tokens = qkv.len() / width;
    if tokens == 0 {
        return;
    }
    let rows = MatRef::from_row_major_slice(qkv, tokens, width);
    let dout = MatRef::from_row_major_slice(dout, tokens, heads * head_dim);
    let mut drows = MatMut::from_row_major_slice_mut(dqkv, tokens, width);
    let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
    for first in (0..tokens).step_by(BLOCK) {
        let count = BLOCK.min(tokens - first);
        let (key_first, keys) = seen(mask, first, count, tokens);
        scratch.probabilities.resize(count * keys, 0.0);
        scratch.gradients.resize(count * keys, 0.0);
        for head in 0..heads {
            let kv_head = head / (heads / kv_heads);
            let (at_q, at_k) = (head * head_dim, (heads + kv_head) * head_dim);
            let at_v = at_k + kv_heads * head_dim;
            let q = rows.submatrix(first, at_q, count, head_dim);
            let k = rows.submatrix(key_first, at_k, keys, head_dim);
            let v = rows.submatrix(key_first, at_v, keys, head_dim);
            let d = dout.submatrix(first, at_q, count, head_dim);
            probabilities(q, k, mask, (first, key_first), scale, &mut scratch.probabilities);
            let p = MatRef::from_row_major_slice(&scratch.probabilities, count, keys);
            matmul(
                drows.rb_mut().submatrix_mut(key_first, at_v, keys, head_dim),
                Accum::Add,
                p.transpose(),
                d,
                1.0,
                Par::Seq,
            );
            matmul(
                MatMut::from_row_major_slice_mut(&mut scratch.gradients, count, keys),
                Accum::Replace,
                d,
                v.transpose(),
                1.0,
                Par::Seq,
            );
            softmax_back(&scratch.probabilities, &mut scratch.gradients, keys);
            let ds = MatRef::from_row_major_slice(&scratch.gradients, count, keys);
            matmul(drows.rb_mut().submatrix_mut(first, at_q, count, head_dim), Accum::Add, ds, k, scale, Par::Seq);
            matmul(
                drows.rb_mut().submatrix_mut(key_first, at_k, keys, head_dim),
                Accum::Add,
                ds.transpose(),
                q,
                scale,
                Par::Seq,
            );
        }
    }
}

/// d = p (d - sum p d) in every row: the gradient before the softmax. Where p is 0, as behind a mask, so is the result.
fn softmax_back(p: &[f32], d: &mut [f32], keys: usize) {
    vectorised(
        #[inline(always)]
        || {
            for (p, d) in p.chunks_exact(keys).zip(d.chunks_exact_mut(keys)) {
                let mut lanes = [0.0_f32; 16];
                let (chunks, rest) = p.as_chunks::<16>();
                let (dchunks, drest) = d.as_chunks::<16>();
                for (p, d) in chunks.iter().zip(dchunks) {
                    for lane in 0..16 {
                        lanes[lane] += p[lane] * d[lane];
                    }
                }
                for (lane, (p, d)) in lanes.iter_mut().zip(rest.iter().zip(drest)) {
                    *lane += p * d;
                }
                let sum = lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() as f32;
                for (d, p) in d.iter_mut().zip(p) {
                    *d = p * (*d - sum);
                }
            }
        },
    );
}
