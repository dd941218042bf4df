//! Symmetric non-negative factorisation A = H H^T of the sparse manifold affinity, started from labels
//! (`method.md` section 1, item 7; Kuang, Ding and Park 2012, damped multiplicative steps).

use rayon::prelude::*;

use crate::dense::{BLOCK_ROWS, block_sum, cross_gram, multiply};
use crate::error::ManifoldError;
use crate::progress::Progress;
use crate::sparse::SparseRows;

/// What the start adds to each membership, so that no row is shut out of a cluster.
pub(crate) const START_SHARE: f64 = 0.2;

/// Steps after which the iteration ends in any case.
const MOST_STEPS: usize = 200;

/// Steps between two looks at error and labels.
const LOOK_EVERY: usize = 10;

/// A factorisation.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    /// `[n, K]` H.
    pub(crate) h: Vec<f64>,
    /// `[n]` column of the largest entry of each row, the lowest of equal ones.
    pub(crate) labels: Vec<u32>,
    pub(crate) steps: usize,
    /// |A - H H^T|^2 / |A|^2.
    pub(crate) error: f64,
}

/// Factorises `affinity` from start labels in `0..count`.
pub(crate) fn factorise(
    affinity: &SparseRows,
    start: &[u32],
    count: usize,
    progress: &Progress,
) -> Result<Factor, ManifoldError> {
    let n = affinity.rows();
    let mut h = vec![START_SHARE; n * count];
    for (row, &label) in start.iter().enumerate() {
        h[row * count + label as usize] += 1.0;
    }
    let mut image = vec![0.0; n * count];
    affinity.apply_rows(&h, count, &mut image);
    let gram = cross_gram(&h, count, &h, count);
    let scale = (inner(&h, &image) / gram.iter().map(|x| x * x).sum::<f64>()).sqrt();
    h.par_iter_mut().for_each(|value| *value *= scale);

    let norm = block_sum(affinity.values.len(), |i| affinity.values[i] * affinity.values[i]);
    let mut labels = argmax(&h, count);
    let mut error = f64::INFINITY;
    let mut steps = 0;
    loop {
        progress.step(steps, MOST_STEPS)?;
        affinity.apply_rows(&h, count, &mut image);
        let gram = cross_gram(&h, count, &h, count);
        if steps.is_multiple_of(LOOK_EVERY) {
            // |A - H H^T|^2 = |A|^2 - 2 <H, A H> + |H^T H|^2
            let now = (norm - 2.0 * inner(&h, &image) + gram.iter().map(|x| x * x).sum::<f64>()).max(0.0) / norm;
            let new_labels = argmax(&h, count);
            let changed = labels.iter().zip(&new_labels).filter(|(old, new)| old != new).count();
            let settled = error - now < 1e-4 * error && (changed as f64) < 0.001 * n as f64;
            labels = new_labels;
            error = now;
            if steps > 0 && (settled || steps == MOST_STEPS) {
                progress.step(1, 1)?;
                return Ok(Factor { h, labels, steps, error });
            }
        }
        update(&mut h, &image, &gram, count);
        steps += 1;
    }
}

/// `H <- H * (1/2 + 1/2 (A H) / max(H H^T H, 1e-30))`.
fn update(h: &mut [f64], image: &[f64], gram: &[f64], count: usize) {
    h.par_chunks_mut(BLOCK_ROWS * count).zip(image.par_chunks(BLOCK_ROWS * count)).for_each_init(
        Vec::new,
        |denominator, (h, image)| {
            denominator.resize(h.len(), 0.0);
            multiply(denominator, h, gram, count);
            for ((value, up), down) in h.iter_mut().zip(image).zip(denominator) {
                *value *= 0.5 + 0.5 * up / down.max(1e-30);
            }
        },
    );
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    block_sum(a.len(), |i| a[i] * b[i])
}

/// The column of the largest entry of each row; of equal entries the lowest column.
pub(crate) fn argmax(h: &[f64], count: usize) -> Vec<u32> {
    h.par_chunks(count)
        .map(|row| {
            let mut best = 0;
            for (column, value) in row.iter().enumerate() {
                if *value > row[best] {
                    best = column;
                }
            }
            best as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use paser_protocol::Silent;

    use super::*;

    /// Three blocks of ten rows, fully linked inside, joined in a ring by one weak edge each.
    fn blocks() -> SparseRows {
        let mut edges = Vec::new();
        for block in 0..3u32 {
            for i in 0..10 {
                for j in 0..i {
                    edges.push((block * 10 + i, block * 10 + j, 1.0));
                }
            }
            edges.push((block * 10, (block * 10 + 11) % 30, 0.05));
        }
        let raw = SparseRows::from_edges(30, &edges);
        raw.normalised(&raw.row_sums())
    }

    #[test]
    fn wrong_start_labels_are_put_right_and_the_error_falls() {
        let truth: Vec<u32> = (0..30).map(|row| row / 10).collect();
        let mut start = truth.clone();
        start[3] = 1;
        start[14] = 2;
        start[27] = 0;
        let reported = AtomicU64::new(0);
        let found = factorise(&blocks(), &start, 3, &Progress::whole(&Silent, &reported)).expect("not cancelled");
        assert_eq!(found.labels, truth);
        assert!(found.error < 0.2, "{}", found.error);
        assert!(found.h.iter().all(|value| value.is_finite() && *value >= 0.0));
    }
}
