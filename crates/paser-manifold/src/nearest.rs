//! The rows most like one row, for a person who looks at it: exact cosines in f64 over all rows.

use rayon::prelude::*;

/// The `count` rows with the largest cosine to `row`, itself left out: (row, cosine in [-1, 1]), falling, equal cosines by
/// rising row. `vectors` is `[n, dimensions]`; a row without length has the cosine 0 to every other. Fewer where the
/// pool is smaller; none where it has no such row.
pub fn nearest_rows(vectors: &[f32], dimensions: usize, row: u32, count: usize) -> Vec<(u32, f64)> {
    let Some(of) = vectors.chunks_exact(dimensions.max(1)).nth(row as usize) else { return Vec::new() };
    let length = dot(of, of).sqrt();
    let mut cosines: Vec<(u32, f64)> = vectors
        .par_chunks_exact(dimensions.max(1))
        .enumerate()
        .filter(|(other, _)| *other != row as usize)
        .map(|(other, vector)| {
            let lengths = length * dot(vector, vector).sqrt();
            let cosine = if lengths > 0.0 { (dot(of, vector) / lengths).clamp(-1.0, 1.0) } else { 0.0 };
            // A zero of either sign is one and the same.
            (other as u32, cosine + 0.0)
        })
        .collect();
    let nearer = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if count < cosines.len() {
        cosines.select_nth_unstable_by(count, nearer);
        cosines.truncate(count);
    }
    cosines.sort_unstable_by(nearer);
    cosines
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_come_first_and_ties_by_row() {
        let vectors = [1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 3.0, 0.0, -1.0, 0.0];
        let found = nearest_rows(&vectors, 2, 0, 9);
        assert_eq!(found, [(2, 1.0), (4, 1.0), (1, 0.0), (3, 0.0), (5, -1.0)]);
        assert_eq!(nearest_rows(&vectors, 2, 0, 1), [(2, 1.0)]);
        assert_eq!(nearest_rows(&vectors, 2, 0, 0), []);
        assert_eq!(nearest_rows(&vectors, 2, 6, 3), []);
        assert_eq!(nearest_rows(&[], 2, 0, 3), []);
    }

    proptest! {
        #[test]
        fn any_count_is_the_head_of_all_on_any_number_of_threads(
            values in prop::collection::vec(-3_i8..=3, 3..240),
            row in 0_u32..80,
            count in 0_usize..90,
        ) {
            let vectors: Vec<f32> = values.iter().map(|value| f32::from(*value)).collect();
            let all = nearest_rows(&vectors, 3, row, usize::MAX);
            let rows = vectors.len() / 3;
            prop_assert_eq!(all.len(), if (row as usize) < rows { rows - 1 } else { 0 });
            let falls = |pair: &[(u32, f64)]| pair[0].1 > pair[1].1 || pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0;
            prop_assert!(all.windows(2).all(falls));
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            prop_assert_eq!(&one.install(|| nearest_rows(&vectors, 3, row, count)), &all[..count.min(all.len())]);
        }
    }
}
