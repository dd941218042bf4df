//! Rows outside the graph (held out, or in components too small for the solve): cluster by their nearest graph rows,
//! coordinates by the Nystrom rule (`method.md` section 1, items 4 and 8, section 5).

use rayon::prelude::*;

use crate::neighbours::Neighbours;

/// Eigenvalues below this amplify noise: the coordinate is then the plain mean of the neighbours' coordinates.
const LEAST_EIGENVALUE: f64 = 0.1;

/// Share of graph rows whose nearest neighbour is closer than the bar beyond which a placed row is flagged.
const FAR_SHARE: f64 = 0.999;

/// Weights `[rows, count]` of the nearest graph rows of each outside row: the kernel of the graph, each row summing
/// to 1. `densities` are the graph's Q^-alpha, empty for alpha = 0.
pub(crate) fn weights(
    found: &Neighbours,
    bandwidths: &[f64],
    densities: &[f64],
    bandwidth_neighbour: usize,
) -> Vec<f64> {
    // The graph's floor, so that an outside row on top of others stays comparable.
    let floor = bandwidths.iter().copied().fold(f64::INFINITY, f64::min);
    (0..found.queries())
        .into_par_iter()
        .flat_map_iter(|query| {
            let (rows, distances) = found.of(query);
            let own = distances[bandwidth_neighbour.min(distances.len()) - 1].max(floor);
            let exponents: Vec<f64> = rows
                .iter()
                .zip(distances)
                .map(|(&row, d)| {
                    let density = densities.get(row as usize).map_or(0.0, |density| density.ln());
                    density - d * d / (own * bandwidths[row as usize])
                })
                .collect();
            let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut weights: Vec<f64> = exponents.iter().map(|exponent| (exponent - largest).exp()).collect();
            let total: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= total);
            weights
        })
        .collect()
}

/// `z(y)_j = 1 / lambda_j sum_i p(y, i) z(i)_j`, `[rows, dimensions]`; `eigenvalues` are those of the coordinates.
pub(crate) fn extend(
    found: &Neighbours,
    weights: &[f64],
    coordinates: &[f64],
    dimensions: usize,
    eigenvalues: &[f64],
) -> Vec<f64> {
    let mut out = weighted(found, weights, coordinates, dimensions);
    for row in out.chunks_exact_mut(dimensions.max(1)) {
        for (value, &lambda) in row.iter_mut().zip(eigenvalues) {
            if lambda > LEAST_EIGENVALUE {
                *value /= lambda;
            }
        }
    }
    out
}

/// Weighted means of the neighbours' rows of `values[graph rows, width]`.
pub(crate) fn weighted(found: &Neighbours, weights: &[f64], values: &[f64], width: usize) -> Vec<f64> {
    (0..found.queries())
        .flat_map(|query| {
            let mut sums = vec![0.0; width];
            for (&row, weight) in found.of(query).0.iter().zip(&weights[query * found.count..]) {
                for (sum, value) in sums.iter_mut().zip(&values[row as usize * width..(row as usize + 1) * width]) {
                    *sum += weight * value;
                }
            }
            sums
        })
        .collect()
}

/// Cluster of an outside row and label before merging: the cluster of most of the first `voters` neighbours (ties to
/// the lower), and in it the label of most of them.
pub(crate) fn vote(rows: &[u32], labels: &[u32], cluster_of_label: &[u32], voters: usize) -> (u32, u32) {
    let rows = &rows[..voters.min(rows.len())];
    let clusters: Vec<u32> = rows.iter().map(|&row| cluster_of_label[labels[row as usize] as usize]).collect();
    let cluster = majority(&clusters);
    let inside: Vec<u32> = rows
        .iter()
        .map(|&row| labels[row as usize])
        .filter(|&label| cluster_of_label[label as usize] == cluster)
        .collect();
    (majority(&inside), cluster)
}

/// The most frequent value, ties to the lower; 0 for none.
pub(crate) fn majority(values: &[u32]) -> u32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let mut best = (0, 0);
    for run in sorted.chunk_by(|a, b| a == b) {
        if run.len() > best.0 {
            best = (run.len(), run[0]);
        }
    }
    best.1
}

/// The distance beyond which a placed row is far from the graph.
pub(crate) fn far_bar(nearest: &[f64]) -> f64 {
    if nearest.is_empty() {
        return f64::INFINITY;
    }
    let mut sorted = nearest.to_vec();
    let place = ((FAR_SHARE * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len()) - 1;
    *sorted.select_nth_unstable_by(place, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majority_goes_to_the_lower_value_on_a_tie() {
        assert_eq!(majority(&[3, 1, 3, 1, 2]), 1);
        assert_eq!(majority(&[]), 0);
    }

    #[test]
    fn merged_labels_vote_together() {
        // Labels 1 and 2 ended in cluster 1: together they outvote label 0.
        assert_eq!(vote(&[0, 1, 2, 3, 4], &[0, 0, 1, 2, 2], &[0, 1, 1], 15), (2, 1));
        assert_eq!(vote(&[0, 1, 2, 3, 4], &[0, 0, 1, 2, 2], &[0, 1, 1], 1), (0, 0));
    }
}
