//! Final norm, head and cross-entropy in one, a chunk of rows at a time: logits of more rows than that never exist.

use faer::Accum;

use super::block::{Pass, norm_back};
use super::layout::Slot;
use crate::Decoder;
use crate::kernels::{self, Columns, add_transposed_times, times, vectorised};

/// Rows whose logits exist at once.
const CHUNK: usize = 256;

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    rows: Vec<f32>,
    normed: Vec<f32>,
    logits: Vec<f32>,
    dnormed: Vec<f32>,
    drows: Vec<f32>,
}

/// Sum of the losses of `targets` (row of `x`, token that it has to predict) in nats, divided by nothing. Adds to `dx` the
/// gradient of `weight` times that sum, where `x` [tokens, hidden] is what the last layer gave.
pub(super) fn loss_and_gradient(
    decoder: &Decoder,
    pass: &Pass<'_>,
    (x, targets): (&[f32], &[(usize, u32)]),
    weight: f32,
    dx: &mut [f32],
    gradients: &mut [f32],
    scratch: &mut Scratch,
) -> f64 {
    let (hidden, vocab) = (decoder.spec.hidden, decoder.spec.vocab);
    let head_slot = if decoder.spec.tied { Slot::Embedding } else { Slot::Head };
    let head_place = pass.layout.place(head_slot);
    let head = decoder.head_weight();
    let mut loss = 0.0;
    for targets in targets.chunks(CHUNK) {
        let Scratch { rows, normed, logits, dnormed, drows } = scratch;
        rows.clear();
        for (row, _) in targets {
            rows.extend_from_slice(&x[row * hidden..(row + 1) * hidden]);
        }
        for (buffer, len) in
            [(&mut *normed, rows.len()), (&mut *logits, targets.len() * vocab), (&mut *dnormed, rows.len())]
        {
            buffer.resize(len, 0.0);
        }
        kernels::rms_norm(rows, &decoder.final_norm, decoder.spec.norm_eps, normed);
        kernels::matmul_transposed(normed, head, hidden, logits);
        for ((_, target), logits) in targets.iter().zip(logits.chunks_exact_mut(vocab)) {
            loss += cross_entropy(logits, *target as usize, weight);
        }
        times(dnormed, Accum::Replace, 1.0, logits, Columns::all(vocab), head);
        if let Some(place) = &head_place {
            add_transposed_times(&mut gradients[place.clone()], 1.0, logits, Columns::all(vocab), normed);
        }
        drows.clear();
        drows.resize(rows.len(), 0.0);
        norm_back(pass, Slot::FinalNorm, (rows, &decoder.final_norm, decoder.spec.norm_eps), dnormed, drows, gradients);
        for ((row, _), drow) in targets.iter().zip(drows.chunks_exact(hidden)) {
            for (dx, drow) in dx[row * hidden..(row + 1) * hidden].iter_mut().zip(drow) {
                *dx += drow;
            }
        }
    }
    loss
}

/// `-log softmax(logits)[target]`; the logits become `weight` times its gradient. NaN where the logits are no distribution.
fn cross_entropy(logits: &mut [f32], target: usize, weight: f32) -> f64 {
    let at = f64::from(logits[target]);
    let mut loss = 0.0;
    vectorised(
        #[inline(always)]
        || {
            let max = logits.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
            let mut sums = [0.0_f32; kernels::LANES];
            let (chunks, rest) = logits.as_chunks_mut::<{ kernels::LANES }>();
            for chunk in chunks {
                for (sum, value) in sums.iter_mut().zip(chunk) {
                    *value = kernels::exp(*value - max);
                    *sum += *value;
                }
            }
            for (sum, value) in sums.iter_mut().zip(rest) {
                *value = kernels::exp(*value - max);
                *sum += *value;
            }
            let sum = sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
            loss = sum.ln() + f64::from(max) - at;
            let scale = (f64::from(weight) / sum) as f32;
            for value in logits.iter_mut() {
                *value *= scale;
            }
        },
    );
    logits[target] -= weight;
    loss
}
