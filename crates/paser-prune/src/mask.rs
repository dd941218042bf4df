//! From scores to the weights that become zero. `true` means: this weight goes.

use crate::Pattern;

/// Magnitude: over the whole matrix every |w| up to the k-th smallest, k = floor(share n), ties included; with N:M the
/// smallest of each group.
pub(crate) fn by_magnitude(weights: &[f32], columns: usize, pattern: Pattern) -> Vec<bool> {
    match pattern {
        Pattern::Unstructured(share) => {
            let count = (share * weights.len() as f64).floor() as usize;
            let Some(last) = count.checked_sub(1) else { return vec![false; weights.len()] };
            let mut sizes: Vec<f32> = weights.iter().map(|weight| weight.abs()).collect();
            let threshold = *sizes.select_nth_unstable_by(last, f32::total_cmp).1;
            weights.iter().map(|weight| weight.abs() <= threshold).collect()
        }
        Pattern::NofM(..) => by_row(weights, &vec![1.0; columns], pattern),
    }
}

/// Wanda: score |w_ij| norm_j; in every row the floor(share columns) lowest, or the lowest of each group. Equal
/// scores go in column order.
pub(crate) fn by_row(weights: &[f32], norms: &[f64], pattern: Pattern) -> Vec<bool> {
    let columns = norms.len();
    let (group, drop) = match pattern {
        Pattern::Unstructured(share) => (columns, (share * columns as f64).floor() as usize),
        Pattern::NofM(kept, group) => (group, group - kept),
    };
    let mut mask = vec![false; weights.len()];
    let mut order: Vec<(f64, usize)> = Vec::with_capacity(group);
    for (row, mask) in weights.chunks_exact(columns).zip(mask.chunks_exact_mut(columns)) {
        for first in (0..columns).step_by(group) {
            order.clear();
            order.extend((first..first + group).map(|column| (f64::from(row[column].abs()) * norms[column], column)));
            if drop > 0 && drop < order.len() {
                order.select_nth_unstable_by(drop - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            }
            for &(_, column) in &order[..drop] {
                mask[column] = true;
            }
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::{by_magnitude, by_row};
    use crate::Pattern;
    use proptest::prelude::*;

    #[test]
    fn ties_at_the_threshold_all_go() {
        let mask = by_magnitude(&[0.5, -0.5, 0.5, 2.0, 3.0, -4.0, 0.1, 5.0], 4, Pattern::Unstructured(0.3));
        assert_eq!(mask, [true, true, true, false, false, false, true, false], "k = 2, the second smallest is 0.5");
        assert_eq!(by_magnitude(&[1.0, 2.0], 2, Pattern::Unstructured(0.4)), [false, false], "k = 0");
    }

    #[test]
    fn norms_change_the_order() {
        assert_eq!(
            by_row(&[1.0, 2.0, 3.0, 4.0], &[9.0, 1.0, 1.0, 0.1], Pattern::Unstructured(0.5)),
            [false, true, false, true]
        );
    }

    proptest! {
        #[test]
        fn groups_keep_exactly_their_best(weights in prop::collection::vec(-4_i32..4, 48), scale in prop::collection::vec(0.0_f64..3.0, 16)) {
            let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
            for (kept, group) in [(2, 4), (4, 8), (1, 4)] {
                let mask = by_row(&weights, &scale, Pattern::NofM(kept, group));
                for (first, mask) in mask.chunks_exact(group).enumerate() {
                    prop_assert_eq!(mask.iter().filter(|gone| !**gone).count(), kept);
                    let score = |index: usize| f64::from(weights[first * group + index].abs()) * scale[(first * group + index) % 16];
                    let best_gone = (0..group).filter(|&i| mask[i]).map(score).fold(0.0, f64::max);
                    let worst_kept = (0..group).filter(|&i| !mask[i]).map(score).fold(f64::INFINITY, f64::min);
                    prop_assert!(best_gone <= worst_kept);
                }
            }
        }

        #[test]
        fn magnitude_takes_at_least_its_share_and_only_the_smallest(weights in prop::collection::vec(-1.0_f32..1.0, 1..200), share in 0.01_f64..0.99) {
            let mask = by_magnitude(&weights, weights.len(), Pattern::Unstructured(share));
            let gone = mask.iter().filter(|gone| **gone).count();
            prop_assert!(gone >= (share * weights.len() as f64).floor() as usize);
            let largest_gone = weights.iter().zip(&mask).filter(|(_, gone)| **gone).map(|(w, _)| w.abs()).fold(-1.0, f32::max);
            prop_assert!(weights.iter().zip(&mask).all(|(w, gone)| *gone || w.abs() > largest_gone));
        }
    }
}
