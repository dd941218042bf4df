//! How reproducible each number of clusters is on halves of the pool, and which number that speaks for
//! (`method.md` section 1, item 6).

use std::sync::atomic::{AtomicUsize, Ordering};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::components::gather;
use crate::error::ManifoldError;
use crate::kmeans::Effort;
use crate::neighbours::{Neighbours, nearest};
use crate::params::{ClusterCount, ManifoldParams};
use crate::pipeline::{Clock, embed, start_labels};
use crate::placement::majority;
use crate::progress::Progress;
use crate::quality::{adjusted_rand_index, prediction_strength};
use crate::result::StabilityCurve;

/// The smallest number of clusters that is looked at.
const LEAST: usize = 4;

/// The score that a fine number must reach.
const FINE_SCORE: f64 = 0.80;

/// How far below the best score a number counts as equally stable.
const EQUAL: f64 = 0.02;

/// More numbers than this within [`EQUAL`] of the best: none is clear.
const MOST_EQUAL: usize = 3;

/// Nearest rows of the other half that vote on a row's label.
const VOTERS: usize = 15;

/// Half of a split with the labels of its rows for each number of clusters.
struct Half {
    vectors: Vec<f32>,
    labels: Vec<Vec<u32>>,
}

/// The curve over K = 4..=`most` on `vectors[n, width]` in content-hash order. The landmark errors are left
/// empty: they belong to the whole pool.
pub(crate) fn stability_curve(
    vectors: &[f32],
    width: usize,
    most: usize,
    params: &ManifoldParams,
    progress: &Progress,
) -> Result<StabilityCurve, ManifoldError> {
    let n = vectors.len() / width;
    let counts: Vec<usize> = (LEAST..=most).collect();
    let mut score = vec![0.0; counts.len()];
    let mut score_range = vec![(f64::INFINITY, f64::NEG_INFINITY); counts.len()];
    let mut strength = vec![0.0; counts.len()];
    let splits = params.half_splits;
    for split in 0..splits {
        let stretch = progress.part(split as f64 / splits as f64, (split + 1) as f64 / splits as f64);
        let mut shuffled: Vec<u32> = (0..n as u32).collect();
        let seed = params.seed.wrapping_mul(1009).wrapping_add(split as u64);
        shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let (left, right) = shuffled.split_at_mut(n / 2);
        left.sort_unstable();
        right.sort_unstable();
        let left = label_half(gather(vectors, width, left), width, &counts, params, &stretch.part(0.0, 0.45))?;
        let right = label_half(gather(vectors, width, right), width, &counts, params, &stretch.part(0.45, 0.9))?;
        let to_left = nearest(&right.vectors, &left.vectors, width, VOTERS, &stretch.part(0.9, 0.95))?;
        let to_right = nearest(&left.vectors, &right.vectors, width, VOTERS, &stretch.part(0.95, 1.0))?;
        let agreement: Vec<([f64; 2], f64)> = (0..counts.len())
            .into_par_iter()
            .map(|k| {
                let crossed_right = cross(&to_left, &left.labels[k]);
                let crossed_left = cross(&to_right, &right.labels[k]);
                let score = [
                    adjusted_rand_index(&right.labels[k], &crossed_right),
                    adjusted_rand_index(&left.labels[k], &crossed_left),
                ];
                let strength = prediction_strength(&right.labels[k], &crossed_right)
                    + prediction_strength(&left.labels[k], &crossed_left);
                (score, strength)
            })
            .collect();
        for (k, (agrees, predicts)) in agreement.into_iter().enumerate() {
            score[k] += (agrees[0] + agrees[1]) / (2 * splits) as f64;
            for agrees in agrees {
                let (low, high) = score_range[k];
                score_range[k] = (agrees.min(low), agrees.max(high));
            }
            strength[k] += predicts / (2 * splits) as f64;
        }
    }
    let choice = choose(&counts, &score, params.clusters);
    Ok(StabilityCurve {
        rows: n,
        splits,
        clusters: counts,
        score,
        score_range,
        prediction_strength: strength,
        nmf_error: Vec::new(),
        landmarks: 0,
        elbow: None,
        coarse: choice.coarse,
        fine: choice.fine,
        chosen: choice.chosen,
        unclear: choice.unclear,
        joined: false,
    })
}

/// Start labels of a half for each number of clusters, from its own graph and eigenvectors.
fn label_half(
    vectors: Vec<f32>,
    width: usize,
    counts: &[usize],
    params: &ManifoldParams,
    progress: &Progress,
) -> Result<Half, ManifoldError> {
    let [searching, solving, labelling] = progress.split([0.15, 0.35, 0.5]);
    let most = counts.last().copied().unwrap_or(LEAST);
    let embedding = embed(&vectors, width, params, most, params.seed, &searching, &solving, &mut Clock::new())?;
    let components = &embedding.graph.components;
    let outside = &components.left_out;
    let joined = if outside.is_empty() {
        None
    } else {
        let base = gather(&vectors, width, &components.kept);
        Some(nearest(&gather(&vectors, width, outside), &base, width, 1, &labelling.part(0.0, 0.0))?)
    };
    let done = AtomicUsize::new(0);
    let labels = counts
        .par_iter()
        .map(|&count| {
            let quiet = labelling.part(0.0, 0.0);
            let found = start_labels(&embedding, count, params.start, Effort::CURVE, params.seed, &quiet)?;
            let mut labels = vec![0; vectors.len() / width];
            for (&row, label) in components.kept.iter().zip(&found) {
                labels[row as usize] = *label;
            }
            if let Some(joined) = &joined {
                for (&row, &near) in outside.iter().zip(&joined.rows) {
                    labels[row as usize] = found[near as usize];
                }
            }
            labelling.step(done.fetch_add(1, Ordering::Relaxed) + 1, counts.len())?;
            Ok(labels)
        })
        .collect::<Result<_, ManifoldError>>()?;
    Ok(Half { vectors, labels })
}

/// The label of most of the nearest rows in the other half, ties to the lower label.
fn cross(found: &Neighbours, labels: &[u32]) -> Vec<u32> {
    (0..found.queries())
        .map(|query| {
            let votes: Vec<u32> = found.of(query).0.iter().map(|&row| labels[row as usize]).collect();
            majority(&votes)
        })
        .collect()
}

/// What the scores speak for.
#[derive(Debug, PartialEq)]
struct Choice {
    coarse: usize,
    fine: Option<usize>,
    chosen: usize,
    unclear: Option<(usize, usize)>,
}

fn choose(counts: &[usize], score: &[f64], wish: ClusterCount) -> Choice {
    let best = score.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let equal: Vec<usize> =
        counts.iter().zip(score).filter(|(_, score)| **score >= best - EQUAL).map(|(&count, _)| count).collect();
    let coarse = equal.first().copied().unwrap_or(LEAST);
    let fine = counts.iter().zip(score).filter(|(_, score)| **score >= FINE_SCORE).map(|(&count, _)| count).next_back();
    let unclear =
        (fine.is_none() || equal.len() > MOST_EQUAL).then(|| (coarse, equal.last().copied().unwrap_or(coarse)));
    let chosen = match wish {
        ClusterCount::Fixed(count) => count,
        ClusterCount::Coarse => coarse,
        ClusterCount::Fine => fine.unwrap_or(coarse),
        ClusterCount::Automatic if unclear.is_some() => coarse,
        ClusterCount::Automatic => fine.unwrap_or(coarse),
    };
    Choice { coarse, fine, chosen, unclear }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: [usize; 6] = [4, 5, 6, 7, 8, 9];

    #[test]
    fn fine_is_the_largest_stable_number_and_coarse_the_smallest_of_the_best() {
        let score = [0.85, 0.97, 0.96, 0.82, 0.79, 0.81];
        let choice = choose(&COUNTS, &score, ClusterCount::Automatic);
        assert_eq!(choice, Choice { coarse: 5, fine: Some(9), chosen: 9, unclear: None });
        assert_eq!(choose(&COUNTS, &score, ClusterCount::Coarse).chosen, 5);
    }

    #[test]
    fn no_number_is_clear_when_none_is_stable_or_many_are_equal() {
        let choice = choose(&COUNTS, &[0.5, 0.79, 0.6, 0.78, 0.3, 0.2], ClusterCount::Automatic);
        assert_eq!(choice, Choice { coarse: 5, fine: None, chosen: 5, unclear: Some((5, 7)) });
        let choice = choose(&COUNTS, &[0.95, 0.95, 0.95, 0.95, 0.3, 0.85], ClusterCount::Automatic);
        assert_eq!(choice, Choice { coarse: 4, fine: Some(9), chosen: 4, unclear: Some((4, 7)) });
        assert_eq!(choose(&COUNTS, &[0.95, 0.95, 0.95, 0.95, 0.3, 0.85], ClusterCount::Fine).chosen, 9);
    }
}
