//! The noise guard: Tukey's fence on the dense model's response loss, per cluster (section 2 of the method). A sample
//! that surprises even the dense model is no evidence of damage.

/// No fence lies below this loss, in nats a token: what the dense model does know is never fenced off.
const FENCE_FLOOR: f64 = 0.5;

/// Clusters with fewer eligible unpinned rows than this use the fence of the whole pool.
const FENCE_MIN_ROWS: usize = 20;

/// Quantile by linear interpolation between order statistics (position `(n - 1) q`). `sorted` is ascending and not empty.
pub fn linear_quantile(sorted: &[f64], q: f64) -> f64 {
    let position = (sorted.len() - 1) as f64 * q;
    let low = position.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (position - low as f64)
}

/// The same of values in any order, which become another one; only as far sorted as it takes.
fn quantile_of(values: &mut [f64], q: f64) -> f64 {
    let position = (values.len() - 1) as f64 * q;
    let (_, low, above) = values.select_nth_unstable_by(position.floor() as usize, f64::total_cmp);
    let (low, high) = (*low, above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low));
    low + (high - low) * (position - position.floor())
}

/// `max(0.5, Q3 + 1.5 (Q3 - Q1))`, the loss above which a sample is fenced off; infinite without rows.
pub fn tukey_fence(losses: &[f64]) -> f64 {
    if losses.is_empty() {
        return f64::INFINITY;
    }
    let mut values = losses.to_vec();
    let (first, third) = (quantile_of(&mut values, 0.25), quantile_of(&mut values, 0.75));
    (third + 1.5 * (third - first)).max(FENCE_FLOOR)
}

/// The fence of every cluster from the `(cluster, loss)` of eligible unpinned rows.
pub(crate) fn fences(rows: &[(u32, f64)], clusters: usize) -> Vec<f64> {
    let mut by_cluster: Vec<Vec<f64>> = vec![Vec::new(); clusters];
    for &(cluster, loss) in rows {
        by_cluster[cluster as usize].push(loss);
    }
    let small = by_cluster.iter().any(|losses| losses.len() < FENCE_MIN_ROWS);
    let pool: Vec<f64> = rows.iter().map(|(_, loss)| *loss).filter(|_| small).collect();
    let pool_fence = tukey_fence(&pool);
    by_cluster
        .iter()
        .map(|losses| if losses.len() < FENCE_MIN_ROWS { pool_fence } else { tukey_fence(losses) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_like_numpy() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(linear_quantile(&values, 0.25), 1.75);
        assert_eq!(linear_quantile(&values, 0.75), 5.0);
        assert_eq!(linear_quantile(&values, 1.0), 8.0);
        assert_eq!(linear_quantile(&[3.0], 0.75), 3.0);
    }

    #[test]
    fn a_quantile_of_unsorted_values_is_that_of_the_sorted_ones() {
        let mut seed = 5_u32;
        for count in [1, 2, 3, 4, 5, 40, 101] {
            let mut values: Vec<f64> = Vec::new();
            values.resize_with(count, || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(seed >> 24) / 7.0
            });
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            for q in [0.0, 0.25, 0.5, 0.75, 1.0] {
                assert_eq!(
                    quantile_of(&mut values, q).to_bits(),
                    linear_quantile(&sorted, q).to_bits(),
                    "{count}, {q}"
                );
            }
        }
    }

    #[test]
    fn fence_is_third_quartile_plus_one_and_a_half_ranges_but_never_below_half_a_nat() {
        assert_eq!(tukey_fence(&[8.0, 1.0, 4.0, 2.0]), 5.0 + 1.5 * 3.25);
        assert_eq!(tukey_fence(&[0.01; 30]), FENCE_FLOOR);
        assert_eq!(tukey_fence(&[]), f64::INFINITY);
    }

    #[test]
    fn small_clusters_use_the_fence_of_the_pool() {
        let mut rows: Vec<(u32, f64)> = (0..20).map(|i| (0, 1.0 + f64::from(i) / 10.0)).collect();
        rows.extend((0..19).map(|_| (1, 9.0)));
        let losses: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let fences = fences(&rows, 3);
        assert_eq!(fences[0], tukey_fence(&losses[..20]));
        assert_eq!(fences[1], tukey_fence(&losses));
        assert_eq!(fences[2], tukey_fence(&losses));
    }
}
