//! What pruning did to the demo's model on a set of samples: divergence of the two models and the dense
//! model's own loss on every answer, averaged by capability for the demo's card (method.md 2).

use std::path::Path;

use anyhow::Result;

use crate::model::{Batch, Shape, Weights, log_probabilities, read_model};
use crate::tokens::{Sequenced, read_tokenizer, sequence};

/// One sample's figures.
#[derive(Clone, Debug)]
pub struct SampleDamage {
    /// Mean Jensen-Shannon divergence over answer tokens, nats, 0 to ln 2.
    pub jsd: f64,
    /// The same without the first answer token.
    pub jsd_after_first: f64,
    /// Mean negative log-likelihood of an answer token under the dense model, nats.
    pub dense_loss: f64,
}

/// Figures of `(instruction, input, output)` rows, in their order.
pub fn damage(dense: &Path, pruned: &Path, rows: &[(&str, &str, &str)]) -> Result<Vec<SampleDamage>> {
    let tokenizer = read_tokenizer(dense)?;
    let (shape, dense) = read_model(dense)?;
    let (_, pruned) = read_model(pruned)?;
    let samples = rows
        .iter()
        .map(|(instruction, input, output)| sequence(&tokenizer, instruction, input, output))
        .collect::<Result<Vec<_>>>()?;
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by_key(|&i| samples[i].ids.len());
    let mut found: Vec<Option<SampleDamage>> = vec![None; samples.len()];
    for chunk in order.chunks(64) {
        let of_chunk: Vec<&Sequenced> = chunk.iter().map(|&i| &samples[i]).collect();
        for (&i, one) in chunk.iter().zip(batch_damage(&shape, &dense, &pruned, &of_chunk)?) {
            found[i] = Some(one);
        }
    }
    Ok(found.into_iter().flatten().collect())
}

fn batch_damage(shape: &Shape, dense: &Weights, pruned: &Weights, samples: &[&Sequenced]) -> Result<Vec<SampleDamage>> {
    let batch = Batch::new(samples)?;
    let a: Vec<Vec<f32>> = log_probabilities(shape, dense, &batch)?.to_vec2()?;
    let b: Vec<Vec<f32>> = log_probabilities(shape, pruned, &batch)?.to_vec2()?;
    let targets: Vec<u32> = batch.targets.to_vec1()?;
    let mut at = 0;
    let mut found = Vec::with_capacity(samples.len());
    for &count in &batch.answers {
        let tokens = at..at + count;
        at += count;
        let jsd: Vec<f64> = tokens.clone().map(|t| divergence(&a[t], &b[t])).collect();
        let after: &[f64] = if jsd.len() > 1 { &jsd[1..] } else { &jsd };
        found.push(SampleDamage {
            jsd: mean(&jsd),
            jsd_after_first: mean(after),
            dense_loss: tokens.map(|t| -f64::from(a[t][targets[t] as usize])).sum::<f64>() / count as f64,
        });
    }
    Ok(found)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// 1/2 sum_v [ e^a (ln 2 - s1) + e^b (ln 2 - s2) ] with d = b - a, L = ln_1p(e^-|d|),
/// s1 = max(d, 0) + L, s2 = max(-d, 0) + L, over log-probabilities a and b.
pub fn divergence(a: &[f32], b: &[f32]) -> f64 {
    let ln2 = std::f64::consts::LN_2;
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| {
            let (a, b) = (f64::from(a), f64::from(b));
            let d = b - a;
            let l = (-d.abs()).exp().ln_1p();
            a.exp() * (ln2 - d.max(0.0) - l) + b.exp() * (ln2 - (-d).max(0.0) - l)
        })
        .sum();
    0.5 * sum
}

#[cfg(test)]
mod tests {
    use super::divergence;

    #[test]
    fn equal_distributions_give_zero_and_disjoint_ones_ln_2() {
        let even = [0.5_f32.ln(), 0.5_f32.ln()];
        assert!(divergence(&even, &even).abs() < 1e-12);
        let left = [0.0, -1e4];
        let right = [-1e4, 0.0];
        assert!((divergence(&left, &right) - std::f64::consts::LN_2).abs() < 1e-9);
    }
}
