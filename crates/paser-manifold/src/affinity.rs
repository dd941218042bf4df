//! The self-tuned affinity of the neighbour graph and the diffusion operator (`method.md` section 1, item 4).

use crate::components::{Components, connect};
use crate::error::ManifoldError;
use crate::neighbours::Neighbours;
use crate::progress::Progress;
use crate::sparse::{SparseRows, median};

/// Bandwidths below this share of their median are lifted to it.
pub(crate) const FLOOR_SHARE: f64 = 0.05;

/// Below this an edge would no longer hold its ends together in f64 arithmetic.
const LEAST_WEIGHT: f64 = 1e-12;

/// The neighbour graph of the kept rows with its weights.
pub(crate) struct Graph {
    /// Which of the searched rows are vertices, and how the graph was made whole.
    pub(crate) components: Components,
    /// The affinity W between positions in `components.kept`.
    pub(crate) weights: SparseRows,
    /// Bandwidth s of each vertex.
    pub(crate) bandwidths: Vec<f64>,
    /// Q^-alpha of each vertex; empty for alpha = 0.
    pub(crate) densities: Vec<f64>,
    /// Share of vertices whose bandwidth stands at the floor.
    pub(crate) floor_share: f64,
}

/// Bandwidths lifted to the floor, and the share that was.
pub(crate) fn floored(mut bandwidths: Vec<f64>) -> (Vec<f64>, f64) {
    let floor = (FLOOR_SHARE * median(&bandwidths)).max(f64::MIN_POSITIVE.sqrt());
    let below = bandwidths.iter().filter(|&&s| s < floor).count();
    for s in &mut bandwidths {
        *s = s.max(floor);
    }
    let share = below as f64 / bandwidths.len().max(1) as f64;
    (bandwidths, share)
}

/// Builds the graph: `w_ij = exp(-d_ij^2 / (s_i s_j))` on the neighbours of either end, linked into one component,
/// then `W <- Q^-alpha W Q^-alpha` with Q the degrees.
pub(crate) fn build(
    vectors: &[f32],
    dimensions: usize,
    neighbours: &Neighbours,
    bandwidth_neighbour: usize,
    alpha: f64,
    progress: &Progress,
) -> Result<Graph, ManifoldError> {
    let rows = vectors.len() / dimensions;
    let mut edges = Vec::with_capacity(neighbours.rows.len());
    for query in 0..neighbours.queries() {
        let (found, distances) = neighbours.of(query);
        edges.extend(found.iter().zip(distances).map(|(&row, &distance)| (query as u32, row, distance)));
    }
    let components = connect(vectors, dimensions, &edges, progress)?;
    let mut positions = vec![u32::MAX; rows];
    for (position, &row) in components.kept.iter().enumerate() {
        positions[row as usize] = position as u32;
    }
    let kept_edges: Vec<(u32, u32, f64)> = edges
        .iter()
        .chain(&components.links)
        .map(|&(i, j, distance)| (positions[i as usize], positions[j as usize], distance))
        .filter(|edge| edge.0 != u32::MAX)
        .collect();
    drop(edges);
    let distances = SparseRows::from_edges(components.kept.len(), &kept_edges);
    let place = bandwidth_neighbour.min(neighbours.count).saturating_sub(1);
    let raw: Vec<f64> = components
        .kept
        .iter()
        .map(|&row| if neighbours.count == 0 { 0.0 } else { neighbours.of(row as usize).1[place] })
        .collect();
    let (bandwidths, floor_share) = floored(raw);
    let mut weights = distances.map(|i, j, d| (-(d * d) / (bandwidths[i] * bandwidths[j])).exp().max(LEAST_WEIGHT));
    let mut densities = Vec::new();
    if alpha > 0.0 {
        densities = weights.row_sums().iter().map(|q| q.powf(-alpha)).collect::<Vec<f64>>();
        weights = weights.map(|i, j, w| w * densities[i] * densities[j]);
    }
    Ok(Graph { components, weights, bandwidths, densities, floor_share })
}
