//! What is asked of vectors without the manifold: k-means for the ablation that asks what the manifold is worth, and of
//! one cluster's coordinates, where a person splits it; distances between neighbours (`method.md` section 4,
//! `paser-no-s2ric`, `instruction-mining`).

use std::sync::atomic::AtomicU64;

use paser_protocol::Monitor;

use crate::components::gather;
use crate::error::ManifoldError;
use crate::kmeans::{Effort, cluster};
use crate::neighbours::exact;
use crate::pipeline::{Rows, check_order, check_rows};
use crate::progress::Progress;

/// Candidates beyond the wanted neighbour that the f32 search keeps for the f64 ranking.
const SPARE: usize = 15;

/// `[n]` distance of each row to its `neighbour`-th nearest other row, by exact search; in a smaller pool to the farthest,
/// and 0 where there is no other. Held-out rows are nobody's neighbour and get NaN.
///
/// # Errors
/// Rows that [`crate::run`] would refuse, too; a neighbour of 0; [`ManifoldError::Cancelled`].
pub fn neighbour_distances(rows: &Rows, neighbour: usize, monitor: &dyn Monitor) -> Result<Vec<f32>, ManifoldError> {
    check_rows(rows)?;
    if neighbour == 0 {
        return Err(ManifoldError::Parameter { name: "neighbour", value: "0".into(), allowed: "at least 1" });
    }
    let inside: Vec<u32> = rows.order.iter().copied().filter(|&row| !rows.held_out[row as usize]).collect();
    let points = gather(rows.vectors, rows.dimensions, &inside);
    let reported = AtomicU64::new(0);
    let found = exact(&points, rows.dimensions, neighbour + SPARE, neighbour, &Progress::whole(monitor, &reported))?;
    let mut distances = vec![f32::NAN; rows.order.len()];
    for (place, &row) in inside.iter().enumerate() {
        distances[row as usize] = found.of(place).1.last().map_or(0.0, |distance| *distance as f32);
    }
    Ok(distances)
}

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
    fn distances_go_to_the_wanted_neighbour_that_is_not_held_out() {
        let at = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        let vectors: Vec<f32> = [0.0, 10.0, 30.0, 60.0, 5.0].map(at).concat();
        let rows = Rows {
            vectors: &vectors,
            dimensions: 2,
            order: &[4, 2, 0, 3, 1],
            held_out: &[false, false, false, false, true],
        };
        let chord = |degrees: f32| 2.0 * (degrees / 2.0).to_radians().sin();
        let near = |found: &[f32], wanted: [f32; 4]| {
            assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - chord(wanted)).abs() < 1e-5), "{found:?}");
            assert!(found[4].is_nan());
        };
        near(&neighbour_distances(&rows, 1, &Silent).unwrap(), [10.0, 10.0, 20.0, 30.0]);
        near(&neighbour_distances(&rows, 2, &Silent).unwrap(), [30.0, 20.0, 30.0, 50.0]);
        near(&neighbour_distances(&rows, 9, &Silent).unwrap(), [60.0, 50.0, 30.0, 60.0]);
        let alone = Rows { vectors: &vectors[..2], dimensions: 2, order: &[0], held_out: &[false] };
        assert_eq!(neighbour_distances(&alone, 6, &Silent).unwrap(), [0.0]);
        assert!(neighbour_distances(&rows, 0, &Silent).is_err());
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
