//! The error of a dense factorisation S = W H^T of the manifold affinity against landmarks, for each number of
//! clusters: the nearest usable reading of the paper's "minimise the NMF error" (`method.md` section 1, item 6).

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::dense::{cross_gram, multiply};
use crate::diffusion::squared;
use crate::error::ManifoldError;
use crate::kmeans::{Effort, cluster, row_normalised};
use crate::progress::Progress;
use crate::symnmf::START_SHARE;

/// Landmarks: the first rows in content-hash order.
const LANDMARKS: usize = 400;

/// Rows that are factorised against the landmarks.
const ROWS: usize = 2000;

/// Multiplicative steps; the error has settled to three digits by then.
const STEPS: usize = 50;

/// The eigenvectors and coordinates that the affinity is read from.
pub(crate) struct Source<'a> {
    /// `[n, pairs]` eigenvectors.
    pub(crate) vectors: &'a [f64],
    pub(crate) pairs: usize,
    /// `[n, dimensions]` diffusion coordinates.
    pub(crate) coordinates: &'a [f64],
    pub(crate) dimensions: usize,
    /// `[n]` bandwidths s'.
    pub(crate) bandwidths: &'a [f64],
}

/// Relative error |S - W H^T|^2 / |S|^2 for each number of clusters, and the number of landmarks.
pub(crate) fn errors(
    source: &Source,
    counts: &[usize],
    seed: u64,
    progress: &Progress,
) -> Result<(Vec<f64>, usize), ManifoldError> {
    let n = source.bandwidths.len();
    let (rows, landmarks) = (n.min(ROWS), n.min(LANDMARKS));
    let affinity: Vec<f64> = (0..rows)
        .into_par_iter()
        .flat_map_iter(|i| {
            (0..landmarks).map(move |j| {
                let square = squared(source.coordinates, source.dimensions, i, j);
                (-square / (source.bandwidths[i] * source.bandwidths[j])).exp()
            })
        })
        .collect();
    let norm: f64 = affinity.iter().map(|x| x * x).sum();
    let done = AtomicUsize::new(0);
    let errors = counts
        .par_iter()
        .map(|&count| {
            let points = row_normalised(&source.vectors[..rows * source.pairs], source.pairs, count);
            let labels = cluster(&points, count, count, Effort::CURVE, seed, &progress.part(0.0, 0.0))?;
            let error = factorise(&affinity, landmarks, &labels, count, norm, progress)?;
            progress.step(done.fetch_add(1, Ordering::Relaxed) + 1, counts.len())?;
            Ok(error)
        })
        .collect::<Result<_, ManifoldError>>()?;
    Ok((errors, landmarks))
}

/// Multiplicative steps for `affinity[rows, landmarks]` from start labels; the relative error at their end.
fn factorise(
    affinity: &[f64],
    landmarks: usize,
    labels: &[u32],
    count: usize,
    norm: f64,
    progress: &Progress,
) -> Result<f64, ManifoldError> {
    let start = |labels: &[u32]| {
        let mut factor = vec![START_SHARE; labels.len() * count];
        for (row, &label) in labels.iter().enumerate() {
            factor[row * count + label as usize] += 1.0;
        }
        factor
    };
    let (mut w, mut h) = (start(labels), start(&labels[..landmarks]));
    let mut up = vec![0.0; w.len()];
    let mut down = vec![0.0; w.len()];
    let mut step = 0;
    loop {
        progress.check()?;
        // S H and S^T W; the inner products they give are the error of the factors as they stand.
        multiply(&mut up, affinity, &h, landmarks);
        let gram = cross_gram(&h, count, &h, count);
        if step == STEPS {
            let cross: f64 = up.iter().zip(&w).map(|(a, b)| a * b).sum();
            let own: f64 = cross_gram(&w, count, &w, count).iter().zip(&gram).map(|(a, b)| a * b).sum();
            return Ok((norm - 2.0 * cross + own).max(0.0) / norm.max(f64::MIN_POSITIVE));
        }
        multiply(&mut down, &w, &gram, count);
        for ((value, up), down) in w.iter_mut().zip(&up).zip(&down) {
            *value *= up / down.max(1e-30);
        }
        let across = cross_gram(affinity, landmarks, &w, count);
        let gram = cross_gram(&w, count, &w, count);
        let mut below = vec![0.0; h.len()];
        multiply(&mut below, &h, &gram, count);
        for ((value, up), down) in h.iter_mut().zip(&across).zip(&below) {
            *value *= up / down.max(1e-30);
        }
        step += 1;
    }
}

/// The number at the elbow of a falling curve: the one farthest below the line between its ends.
pub(crate) fn elbow(counts: &[usize], errors: &[f64]) -> Option<usize> {
    if counts.len() < 3 {
        return None;
    }
    let last = counts.len() - 1;
    let line = |i: usize| {
        let share = (counts[i] - counts[0]) as f64 / (counts[last] - counts[0]) as f64;
        errors[0] + share * (errors[last] - errors[0])
    };
    let mut best = None;
    let mut deepest = 0.0;
    for i in 1..last {
        let depth = line(i) - errors[i];
        if depth > deepest {
            (best, deepest) = (Some(counts[i]), depth);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elbow_is_where_the_curve_bends() {
        assert_eq!(elbow(&[4, 5, 6, 7, 8], &[1.0, 0.5, 0.1, 0.08, 0.06]), Some(6));
        assert_eq!(elbow(&[4, 5, 6], &[1.0, 0.9, 0.1]), None);
        assert_eq!(elbow(&[4, 5], &[1.0, 0.5]), None);
    }
}
