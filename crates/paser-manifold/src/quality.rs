//! How well two clusterings agree: adjusted Rand index, normalised mutual information, prediction strength.

/// Counts of rows by the two labels, with both label sets made compact.
struct Contingency {
    counts: Vec<u64>,
    left: Vec<u64>,
    right: Vec<u64>,
    rows: u64,
}

fn contingency(a: &[u32], b: &[u32]) -> Contingency {
    fn compact(labels: &[u32]) -> (Vec<usize>, usize) {
        let mut seen: Vec<u32> = labels.to_vec();
        seen.sort_unstable();
        seen.dedup();
        let places = labels.iter().map(|label| seen.binary_search(label).unwrap_or(0)).collect();
        (places, seen.len())
    }
    let rows = a.len().min(b.len());
    let ((a, left_count), (b, right_count)) = (compact(&a[..rows]), compact(&b[..rows]));
    let mut counts = vec![0; left_count * right_count];
    let (mut left, mut right) = (vec![0; left_count], vec![0; right_count]);
    for (&a, &b) in a.iter().zip(&b) {
        counts[a * right_count + b] += 1;
        left[a] += 1;
        right[b] += 1;
    }
    Contingency { counts, left, right, rows: rows as u64 }
}

fn pairs(count: &u64) -> f64 {
    let count = *count as f64;
    count * (count - 1.0) / 2.0
}

/// The adjusted Rand index of two labellings of the same rows (Hubert and Arabie 1985): 1 for equal partitions,
/// about 0 for independent ones. Two partitions that leave nothing to chance (one cluster each, or all rows apart)
/// agree fully: 1.
pub fn adjusted_rand_index(a: &[u32], b: &[u32]) -> f64 {
    let table = contingency(a, b);
    let together: f64 = table.counts.iter().map(pairs).sum();
    let left: f64 = table.left.iter().map(pairs).sum();
    let right: f64 = table.right.iter().map(pairs).sum();
    let expected = left * right / pairs(&table.rows).max(1.0);
    let most = (left + right) / 2.0;
    if most == expected { 1.0 } else { (together - expected) / (most - expected) }
}

/// Normalised mutual information of two labellings, in [0, 1], with the arithmetic mean of the entropies below
/// (scikit-learn's default). Two partitions without entropy agree fully: 1.
pub fn normalized_mutual_information(a: &[u32], b: &[u32]) -> f64 {
    let table = contingency(a, b);
    let rows = table.rows as f64;
    let entropy =
        |sizes: &[u64]| -> f64 { sizes.iter().map(|&size| size as f64 / rows).map(|share| -share * share.ln()).sum() };
    let mean = f64::midpoint(entropy(&table.left), entropy(&table.right));
    if mean == 0.0 {
        return 1.0;
    }
    let mut information = 0.0;
    for (i, left) in table.left.iter().enumerate() {
        for (j, right) in table.right.iter().enumerate() {
            let count = table.counts[i * table.right.len() + j] as f64;
            if count > 0.0 {
                information += count / rows * (count * rows / (*left as f64 * *right as f64)).ln();
            }
        }
    }
    (information / mean).clamp(0.0, 1.0)
}

/// Prediction strength (Tibshirani and Walther 2005): for each cluster of `own` the share of its pairs of rows that
/// `predicted` keeps together; the lowest of them. Clusters of one row say nothing.
pub fn prediction_strength(own: &[u32], predicted: &[u32]) -> f64 {
    let table = contingency(own, predicted);
    let columns = table.right.len();
    table
        .left
        .iter()
        .enumerate()
        .filter(|(_, size)| **size > 1)
        .map(|(i, size)| table.counts[i * columns..(i + 1) * columns].iter().map(pairs).sum::<f64>() / pairs(size))
        .fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_partitions_agree_fully_whatever_their_names() {
        let (a, b) = ([0, 0, 1, 1, 2], [5, 5, 9, 9, 1]);
        assert_eq!(adjusted_rand_index(&a, &b), 1.0);
        assert!((normalized_mutual_information(&a, &b) - 1.0).abs() < 1e-15);
        assert_eq!(prediction_strength(&a, &b), 1.0);
    }

    #[test]
    fn degenerate_partitions_have_a_value() {
        assert_eq!(adjusted_rand_index(&[0; 4], &[3; 4]), 1.0);
        assert_eq!(normalized_mutual_information(&[0; 4], &[3; 4]), 1.0);
        assert_eq!(adjusted_rand_index(&[0; 4], &[0, 1, 2, 3]), 0.0);
        assert_eq!(adjusted_rand_index(&[], &[]), 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agreement_is_symmetric_and_blind_to_names(rows in prop::collection::vec((0u32..5, 0u32..6), 1..80)) {
            let (a, b): (Vec<u32>, Vec<u32>) = rows.into_iter().unzip();
            let renamed: Vec<u32> = a.iter().map(|label| 40 - 7 * label).collect();
            for measure in [adjusted_rand_index, normalized_mutual_information] {
                prop_assert!((measure(&a, &b) - measure(&b, &a)).abs() < 1e-12);
                prop_assert!((measure(&a, &b) - measure(&renamed, &b)).abs() < 1e-12);
                prop_assert!(measure(&a, &b) <= 1.0 + 1e-12);
                prop_assert!((measure(&a, &renamed) - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn prediction_strength_is_that_of_the_weakest_cluster() {
        // The second cluster keeps 1 of its 3 pairs.
        assert_eq!(prediction_strength(&[0, 0, 1, 1, 1], &[7, 7, 7, 8, 8]), 1.0 / 3.0);
    }
}
