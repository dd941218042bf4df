//! Diffusion coordinates and the affinity of the manifold (`method.md` section 1, item 5).

use rayon::prelude::*;

use crate::affinity::floored;
use crate::lanczos::Eigenpairs;
use crate::sparse::SparseRows;

/// Edges of the manifold affinity are never weaker than this.
const LEAST_AFFINITY: f64 = 1e-9;

/// `z_ij = lambda_j^t sqrt(vol) u_j(i) / sqrt(D_i)` for j = 1..=dimensions, the constant pair dropped: `[n, dimensions]`.
pub(crate) fn coordinates(pairs: &Eigenpairs, degrees: &[f64], dimensions: usize, time: f64) -> Vec<f64> {
    let width = pairs.values.len();
    let volume: f64 = degrees.iter().sum();
    let powers: Vec<f64> = pairs.values[1..=dimensions].iter().map(|&lambda| power(lambda, time)).collect();
    pairs
        .vectors
        .par_chunks(width)
        .zip(degrees)
        .flat_map_iter(|(row, degree)| {
            let scale = (volume / degree).sqrt();
            row[1..=dimensions].iter().zip(&powers).map(move |(u, power)| power * scale * u)
        })
        .collect()
}

/// `lambda^t`, with the sign of a negative lambda kept: real for every t.
pub(crate) fn power(lambda: f64, time: f64) -> f64 {
    if time == 0.0 { 1.0 } else { lambda.abs().powf(time).copysign(lambda) }
}

/// The affinity of the manifold on the edges of the graph.
pub(crate) struct ManifoldAffinity {
    /// S, diagonal empty.
    pub(crate) raw: SparseRows,
    /// `A = D_S^-1/2 S D_S^-1/2`.
    pub(crate) normalised: SparseRows,
    /// D_S.
    pub(crate) degrees: Vec<f64>,
    /// Bandwidth s' of each vertex.
    pub(crate) bandwidths: Vec<f64>,
}

/// `S_ij = max(1e-9, exp(-|z_i - z_j|^2 / (s'_i s'_j)))` on the edges of `graph`; s'_i is the distance in z to the
/// `bandwidth_neighbour`-th nearest graph neighbour.
pub(crate) fn manifold_affinity(
    graph: &SparseRows,
    coordinates: &[f64],
    dimensions: usize,
    bandwidth_neighbour: usize,
) -> ManifoldAffinity {
    let squares = graph.map(|i, j, _| squared(coordinates, dimensions, i, j));
    let raw: Vec<f64> = (0..graph.rows())
        .into_par_iter()
        .map(|i| {
            let mut around = squares.row(i).1.to_vec();
            if around.is_empty() {
                return 0.0;
            }
            let place = bandwidth_neighbour.min(around.len()) - 1;
            around.select_nth_unstable_by(place, f64::total_cmp).1.sqrt()
        })
        .collect();
    let (bandwidths, _) = floored(raw);
    let raw = squares.map(|i, j, square| (-square / (bandwidths[i] * bandwidths[j])).exp().max(LEAST_AFFINITY));
    let degrees = raw.row_sums();
    let normalised = raw.normalised(&degrees);
    ManifoldAffinity { raw, normalised, degrees, bandwidths }
}

/// `|z_i - z_j|^2`.
pub(crate) fn squared(coordinates: &[f64], dimensions: usize, i: usize, j: usize) -> f64 {
    let (a, b) =
        (&coordinates[i * dimensions..(i + 1) * dimensions], &coordinates[j * dimensions..(j + 1) * dimensions]);
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}
