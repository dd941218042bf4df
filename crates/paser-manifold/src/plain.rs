//! Clusters by k-means alone: of the vectors themselves, for the ablation that asks what the manifold is worth
//! (`method.md` section 4, `paser-no-s2ric`), and of one cluster's coordinates, where a person splits it.

use std::sync::atomic::AtomicU64;

use paser_protocol::Monitor;

use crate::components::gather;
use crate::error::ManifoldError;
use crate::kmeans::{Effort, cluster};
use crate::pipeline::{Rows, check_order, check_rows};
use crate::progress::Progress;

/// `[n]` k-means label of each row, 0 the largest cluster. Held-out rows take no part and get the label of the nearest
/// centre. The result depends on the processing order and the seed, never on where the rows stand.
///
/// # Errors
/// Rows that [`crate::run`] would refuse, too; no cluster or more of them than rows; [`ManifoldError::Cancelled`].
pub fn kmeans_labels(
    rows: &Rows,
    clusters: usize,
    seed: u64,
    monitor: &dyn Monitor,
) -> Result<Vec<u32>, ManifoldError> {
    check_rows(rows)?;
    labels(rows, clusters, seed, monitor)
}

/// The same for rows of any length, such as diffusion coordinates: how one cluster falls into parts. Where fewer rows
/// differ than there are parts, the last parts are empty.
///
/// # Errors
/// As [`kmeans_labels`], but for the length.
pub fn split_labels(rows: &Rows, parts: usize, seed: u64, monitor: &dyn Monitor) -> Result<Vec<u32>, ManifoldError> {
    check_order(rows)?;
    labels(rows, parts, seed, monitor)
}

fn labels(rows: &Rows, clusters: usize, seed: u64, monitor: &dyn Monitor) -> Result<Vec<u32>, ManifoldError> {
    if clusters == 0 {
        return Err(ManifoldError::Parameter { name: "clusters", value: "0".into(), allowed: "at least 1" });
    }
    let width = rows.dimensions;
    let (inside, held_out): (Vec<u32>, Vec<u32>) = rows.order.iter().partition(|&&row| !rows.held_out[row as usize]);
    if clusters > inside.len() {
        return Err(ManifoldError::TooManyClusters { clusters, rows: inside.len() });
    }
    let reported = AtomicU64::new(0);
    let progress = Progress::whole(monitor, &reported);
    let points: Vec<f64> = gather(rows.vectors, width, &inside).into_iter().map(f64::from).collect();
    let found = cluster(&points, width, clusters, Effort::CURVE, seed, &progress)?;

    let mut sums = vec![0.0; clusters * width];
    let mut sizes = vec![0.0; clusters];
    for (point, &label) in points.chunks_exact(width).zip(&found) {
        sizes[label as usize] += 1.0;
        for (sum, value) in sums[label as usize * width..][..width].iter_mut().zip(point) {
            *sum += value;
        }
    }
    let mut labels = vec![0; rows.order.len()];
    for (&row, &label) in inside.iter().zip(&found) {
        labels[row as usize] = label;
    }
    for &row in &held_out {
        let vector = &rows.vectors[row as usize * width..][..width];
        let distance = |label: usize| -> f64 {
            let size = f64::max(sizes[label], 1.0);
            let centre = &sums[label * width..][..width];
            vector.iter().zip(centre).map(|(value, sum)| (f64::from(*value) - sum / size).powi(2)).sum()
        };
        let nearest = (0..clusters).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(0);
        labels[row as usize] = nearest as u32;
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use paser_protocol::Silent;

    use super::*;

    #[test]
    fn held_out_rows_take_no_part_and_join_the_nearest_centre() {
        let vectors: Vec<f32> =
            [[1.0_f32, 0.0], [0.99, 0.14], [0.98, 0.2], [0.0, 1.0], [0.14, 0.99], [0.2, 0.98]].concat();
        let held_out = [false, false, false, false, false, true];
        let rows = Rows { vectors: &vectors, dimensions: 2, order: &[3, 1, 5, 0, 2, 4], held_out: &held_out };
        let labels = kmeans_labels(&rows, 2, 0, &Silent).unwrap();
        assert_eq!(labels, [0, 0, 0, 1, 1, 1]);
        assert!(kmeans_labels(&rows, 6, 0, &Silent).is_err());
    }

    #[test]
    fn coordinates_need_no_length() {
        let points = [4.0, 4.5, -3.0, 4.25, -3.5];
        let rows = Rows { vectors: &points, dimensions: 1, order: &[4, 0, 1, 2, 3], held_out: &[false; 5] };
        assert!(kmeans_labels(&rows, 2, 0, &Silent).is_err());
        assert_eq!(split_labels(&rows, 2, 0, &Silent).unwrap(), [0, 0, 1, 0, 1]);
        assert!(split_labels(&Rows { vectors: &[f32::NAN; 5], ..rows }, 2, 0, &Silent).is_err());
    }

    #[test]
    fn what_cannot_be_clustered_is_refused() {
        let vectors = [1.0, 0.0, 0.0, 1.0];
        let rows = Rows { vectors: &vectors, dimensions: 2, order: &[0, 1], held_out: &[false, false] };
        let refused = |rows: &Rows, clusters| kmeans_labels(rows, clusters, 0, &Silent).unwrap_err();
        assert!(matches!(refused(&rows, 0), ManifoldError::Parameter { name: "clusters", .. }));
        assert!(matches!(refused(&Rows { dimensions: 3, ..rows }, 1), ManifoldError::Shape { .. }));
        assert!(matches!(refused(&Rows { order: &[0, 7], ..rows }, 1), ManifoldError::Order { row: 7, .. }));
        assert!(matches!(refused(&Rows { held_out: &[true, true], ..rows }, 1), ManifoldError::Empty));
    }
}
