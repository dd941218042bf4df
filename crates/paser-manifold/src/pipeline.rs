//! The whole way from vectors to clusters and map (`method.md` section 1, items 3 to 8). Rows are taken in the
//! caller's processing order and the results put back at the caller's rows.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use paser_protocol::Monitor;
use rayon::prelude::*;

use crate::EXACT_ROW_LIMIT;
use crate::affinity::{Graph, build};
use crate::assemble::{Pool, assemble};
use crate::components::gather;
use crate::diffusion::{ManifoldAffinity, coordinates, manifold_affinity};
use crate::error::ManifoldError;
use crate::kmeans::{Effort, cluster, order_by_size, row_normalised};
use crate::lanczos::{Eigenpairs, largest};
use crate::landmarks::Source;
use crate::layout::lay_out;
use crate::merge::merge_small;
use crate::neighbours::{Neighbours, exact, recall};
use crate::params::{Checked, ClusterCount, ManifoldParams, Start};
use crate::progress::Progress;
use crate::quality::adjusted_rand_index;
use crate::result::{Manifold, Merge, Timing};
use crate::stability::stability_curve;
use crate::symnmf::factorise;

/// Pools under this many rows get no stability curve.
const LEAST_CURVE_ROWS: usize = 240;

/// Rows for each cluster that a pool is at least asked to have.
const ROWS_PER_CLUSTER: usize = 60;

/// The largest number of clusters that the curve looks at unless told otherwise.
const MOST_CLUSTERS: usize = 40;

/// Eigenpairs beyond the largest number of clusters.
const SPARE_PAIRS: usize = 5;

/// Rows on which the recall is measured, and its bar.
const RECALL_ROWS: usize = 1000;
const RECALL_BAR: f64 = 0.95;

/// A pool as vectors.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// `[n, dimensions]` rows of unit length.
    pub vectors: &'a [f32],
    /// Length of a row.
    pub dimensions: usize,
    /// `[n]` the rows in content-hash order, see [`paser_protocol::order_by_hash`]; the result depends on this order, not on
    /// where the rows stand.
    pub order: &'a [u32],
    /// `[n]` rows that take no part in the graph.
    pub held_out: &'a [bool],
}

/// Clusters a pool: neighbours, affinity, eigenvectors, number of clusters, symmetric NMF, merging, map.
///
/// Reports its progress in thousandths of the whole run. Errors name the caller's row.
pub fn run(rows: &Rows, params: &Checked, monitor: &dyn Monitor) -> Result<Manifold, ManifoldError> {
    check_rows(rows)?;
    let params = params.params();
    let reported = AtomicU64::new(0);
    let progress = Progress::whole(monitor, &reported);
    progress.step(0, 1)?;
    let mut clock = Clock::new();

    let (inside, held_out): (Vec<u32>, Vec<u32>) = rows.order.iter().partition(|&&row| !rows.held_out[row as usize]);
    let vectors = gather(rows.vectors, rows.dimensions, &inside);
    let distinct = distinct_rows(&vectors, rows.dimensions, MOST_CLUSTERS.max(params.k_max.unwrap_or(0)));
    let limits = Limits::new(inside.len(), distinct, params)?;
    let costs = Costs::of(inside.len(), rows.dimensions, &limits, params);
    let [curve_part, neighbour_part, eigen_part, landmark_part, cluster_part, map_part, place_part] =
        progress.split(costs.steps);

    let mut curve = match limits.curve {
        Some(most) => {
            let count = inside.len().min(params.curve_rows);
            let most = most.min(count / ROWS_PER_CLUSTER);
            let part = &vectors[..count * rows.dimensions];
            let curve = stability_curve(part, rows.dimensions, most, params, &curve_part)?;
            clock.lap("stability curve");
            Some(curve)
        }
        None => None,
    };
    let asked = curve.as_ref().map_or(limits.fixed, |curve| curve.chosen);

    let embedding = embed(
        &vectors,
        rows.dimensions,
        params,
        asked.max(limits.most),
        params.seed,
        &neighbour_part,
        &eigen_part,
        &mut clock,
    )?;
    let (measured, recall_rows) =
        recall(&vectors, rows.dimensions, &embedding.neighbours, RECALL_ROWS, &eigen_part.part(0.9, 1.0))?;
    clock.lap("recall");
    if measured < RECALL_BAR {
        return Err(ManifoldError::LowRecall { recall: measured, bar: RECALL_BAR });
    }
    if let Some(curve) = &mut curve {
        let (errors, landmarks) =
            crate::landmarks::errors(&embedding.source(), &curve.clusters, params.seed, &landmark_part)?;
        curve.elbow = crate::landmarks::elbow(&curve.clusters, &errors);
        curve.nmf_error = errors;
        curve.landmarks = landmarks;
        clock.lap("landmark NMF");
    }

    let mut count = asked.min(embedding.graph.components.kept.len());
    let mut clustering = cluster_graph(&embedding, count, params, &cluster_part, &mut clock)?;
    // One large cluster and crumbs come out alike from every half too. Where all crumbs join it, nothing is left to
    // choose from: a finer number is tried.
    while let Some(curve) = curve.as_mut().filter(|_| clustering.count == 1 && count < limits.most) {
        count = (2 * count).min(limits.most);
        clustering = cluster_graph(&embedding, count, params, &cluster_part, &mut clock)?;
        curve.chosen = count;
        curve.joined = true;
    }
    let map = if params.map {
        let map =
            lay_out(&embedding.graph.weights, &embedding.coordinates, embedding.dimensions, params.seed, &map_part)?;
        clock.lap("map");
        map
    } else {
        Vec::new()
    };
    let pool = Pool { rows, inside: &inside, held_out: &held_out, vectors: &vectors };
    let mut manifold = assemble(&pool, &embedding, clustering, &map, curve, params, &place_part)?;
    manifold.quality.recall = measured;
    manifold.quality.recall_rows = recall_rows;
    clock.lap("placing");
    progress.step(1, 1)?;
    manifold.timings = clock.timings;
    Ok(manifold)
}

/// Wall time of the steps.
pub(crate) struct Clock {
    last: Instant,
    timings: Vec<Timing>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { last: Instant::now(), timings: Vec::new() }
    }

    pub(crate) fn lap(&mut self, step: &str) {
        let seconds = self.last.elapsed().as_secs_f64();
        self.timings.push(Timing { step: step.to_owned(), seconds });
        self.last = Instant::now();
    }
}

pub(crate) fn check_rows(rows: &Rows) -> Result<(), ManifoldError> {
    check_order(rows)?;
    for (row, vector) in rows.vectors.chunks_exact(rows.dimensions).enumerate() {
        let length = length(vector);
        if (length - 1.0).abs() > 1e-3 {
            return Err(ManifoldError::NotUnit { row, length });
        }
    }
    Ok(())
}

fn length(vector: &[f32]) -> f64 {
    vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

/// The same for rows of any length.
pub(crate) fn check_order(rows: &Rows) -> Result<(), ManifoldError> {
    let n = rows.order.len();
    let shape = |what, expected, got| {
        if expected == got { Ok(()) } else { Err(ManifoldError::Shape { what, expected, got }) }
    };
    shape("vectors (rows x dimensions)", n * rows.dimensions, rows.vectors.len())?;
    shape("held-out marks", n, rows.held_out.len())?;
    if n == 0 || rows.dimensions == 0 || rows.held_out.iter().all(|&held_out| held_out) {
        return Err(ManifoldError::Empty);
    }
    let inside = rows.held_out.iter().filter(|&&held_out| !held_out).count();
    if inside > EXACT_ROW_LIMIT {
        return Err(ManifoldError::TooManyRows { rows: inside, limit: EXACT_ROW_LIMIT });
    }
    let mut seen = vec![false; n];
    for &row in rows.order {
        match seen.get_mut(row as usize) {
            None => return Err(ManifoldError::Order { row: row as usize, times: "that does not exist" }),
            Some(true) => return Err(ManifoldError::Order { row: row as usize, times: "twice" }),
            Some(seen) => *seen = true,
        }
    }
    for (row, vector) in rows.vectors.chunks_exact(rows.dimensions).enumerate() {
        if !length(vector).is_finite() {
            return Err(ManifoldError::NotFinite { row });
        }
    }
    Ok(())
}

/// How many different rows there are, counted up to `enough`.
fn distinct_rows(vectors: &[f32], dimensions: usize, enough: usize) -> usize {
    let mut seen: Vec<&[f32]> = Vec::new();
    for row in vectors.chunks_exact(dimensions) {
        if !seen.contains(&row) {
            seen.push(row);
            if seen.len() >= enough {
                break;
            }
        }
    }
    seen.len()
}

/// How many clusters a pool can have.
struct Limits {
    /// The largest number that eigenpairs are computed for.
    most: usize,
    /// The largest number of the stability curve, where there is one.
    curve: Option<usize>,
    /// The number without a curve.
    fixed: usize,
}

impl Limits {
    fn new(rows: usize, distinct: usize, params: &ManifoldParams) -> Result<Self, ManifoldError> {
        let most = params.k_max.unwrap_or(MOST_CLUSTERS).min(rows / ROWS_PER_CLUSTER).min(distinct).max(1);
        if let ClusterCount::Fixed(fixed) = params.clusters {
            if fixed > rows {
                return Err(ManifoldError::TooManyClusters { clusters: fixed, rows });
            }
            return Ok(Self { most, curve: None, fixed });
        }
        let curve = (rows >= LEAST_CURVE_ROWS && most >= 4).then_some(most);
        Ok(Self { most, curve, fixed: most })
    }
}

/// Expected cost of each step, in seconds on two cores, fitted to measurements.
struct Costs {
    steps: [f64; 7],
}

impl Costs {
    fn of(rows: usize, dimensions: usize, limits: &Limits, params: &ManifoldParams) -> Self {
        let search = |n: f64| 1e-11 * n * n * dimensions as f64 + 1e-6 * n;
        let n = rows as f64;
        let curve = limits.curve.map_or(0.0, |_| {
            let n = n.min(params.curve_rows as f64);
            params.half_splits as f64 * (2.0 * search(n / 2.0) + 4.5e-4 * n)
        });
        let landmark = if limits.curve.is_some() { 1.5e-3 * n.min(2000.0) } else { 0.0 };
        let map = if params.map { 1e-4 * n } else { 0.0 };
        Self { steps: [curve, search(n), 8e-5 * n, landmark, 8e-5 * n, map, 1e-5 * n] }
    }
}

/// Graph, eigenpairs and manifold affinity of one set of rows.
pub(crate) struct Embedding {
    pub(crate) neighbours: Neighbours,
    pub(crate) graph: Graph,
    pub(crate) pairs: Eigenpairs,
    pub(crate) coordinates: Vec<f64>,
    pub(crate) dimensions: usize,
    pub(crate) affinity: ManifoldAffinity,
}

impl Embedding {
    fn source(&self) -> Source<'_> {
        Source {
            vectors: &self.pairs.vectors,
            pairs: self.pairs.values.len(),
            coordinates: &self.coordinates,
            dimensions: self.dimensions,
            bandwidths: &self.affinity.bandwidths,
        }
    }
}

/// Searches, builds and solves for up to `most` clusters.
#[expect(clippy::too_many_arguments, reason = "two stretches of progress, because the search dwarfs or is dwarfed")]
pub(crate) fn embed(
    vectors: &[f32],
    width: usize,
    params: &ManifoldParams,
    most: usize,
    seed: u64,
    searching: &Progress,
    solving: &Progress,
    clock: &mut Clock,
) -> Result<Embedding, ManifoldError> {
    let neighbours = exact(vectors, width, params.candidates, params.neighbours, searching)?;
    clock.lap("neighbours");
    let graph = build(vectors, width, &neighbours, params.bandwidth_neighbour, params.alpha, &solving.part(0.0, 0.1))?;
    let degrees = graph.weights.row_sums();
    let operator = graph.weights.normalised(&degrees);
    clock.lap("affinity");
    let vertices = degrees.len();
    let mut wanted = most + SPARE_PAIRS;
    if vertices >= MOST_CLUSTERS * ROWS_PER_CLUSTER {
        wanted = wanted.max(params.dimensions + 1);
    }
    let volume: f64 = degrees.iter().sum();
    let constant: Vec<f64> = degrees.iter().map(|degree| (degree / volume).sqrt()).collect();
    let pairs = largest(&operator, &constant, wanted, seed, &solving.part(0.1, 0.9))?;
    clock.lap("eigenvectors");
    let dimensions = params.dimensions.min(pairs.values.len() - 1);
    let coordinates = coordinates(&pairs, &degrees, dimensions, params.time);
    let affinity = manifold_affinity(&graph.weights, &coordinates, dimensions, params.bandwidth_neighbour);
    clock.lap("diffusion map");
    Ok(Embedding { neighbours, graph, pairs, coordinates, dimensions, affinity })
}

/// k-means labels of the graph rows in `count` clusters.
pub(crate) fn start_labels(
    embedding: &Embedding,
    count: usize,
    start: Start,
    effort: Effort,
    seed: u64,
    progress: &Progress,
) -> Result<Vec<u32>, ManifoldError> {
    let pairs = embedding.pairs.values.len();
    match start {
        Start::Manifold if embedding.dimensions > 0 => {
            let width = embedding.dimensions;
            cluster(&row_normalised(&embedding.coordinates, width, width), width, count, effort, seed, progress)
        }
        _ => {
            let width = count.min(pairs);
            cluster(&row_normalised(&embedding.pairs.vectors, pairs, width), width, count, effort, seed, progress)
        }
    }
}

/// Labels, memberships and merges of the graph rows.
pub(crate) struct Clustering {
    pub(crate) labels: Vec<u32>,
    pub(crate) count_before: usize,
    /// `[graph rows, count_before]`, rows summing to 1.
    pub(crate) membership: Vec<f64>,
    pub(crate) cluster_of_label: Vec<u32>,
    pub(crate) count: usize,
    pub(crate) merges: Vec<Merge>,
    pub(crate) steps: usize,
    pub(crate) error: f64,
    pub(crate) start_agreement: f64,
}

fn cluster_graph(
    embedding: &Embedding,
    count: usize,
    params: &ManifoldParams,
    progress: &Progress,
    clock: &mut Clock,
) -> Result<Clustering, ManifoldError> {
    let n = embedding.graph.components.kept.len();
    let [start_part, factor_part] = progress.split([0.3, 0.7]);
    let start = start_labels(embedding, count, params.start, Effort::FULL, params.seed, &start_part)?;
    clock.lap("start labels");
    if count <= 1 {
        return Ok(Clustering {
            labels: vec![0; n],
            count_before: 1,
            membership: vec![1.0; n],
            cluster_of_label: vec![0],
            count: 1,
            merges: Vec::new(),
            steps: 0,
            error: 0.0,
            start_agreement: 1.0,
        });
    }
    let factor = factorise(&embedding.affinity.normalised, &start, count, &factor_part)?;
    let start_agreement = adjusted_rand_index(&factor.labels, &start);
    let mut labels = factor.labels;
    let numbers = order_by_size(&mut labels, count);
    let mut membership = vec![0.0; n * count];
    membership.par_chunks_mut(count).zip(factor.h.par_chunks(count)).for_each(|(out, row)| {
        let total: f64 = row.iter().sum();
        for (value, &number) in row.iter().zip(&numbers) {
            out[number as usize] = value / total;
        }
    });
    clock.lap("symmetric NMF");
    let (mut cluster_of_label, merges) = if params.merge {
        let affinity = &embedding.affinity;
        let merged =
            merge_small(&labels, count, &affinity.raw, &affinity.degrees, &embedding.coordinates, embedding.dimensions);
        (merged.target, merged.merges)
    } else {
        ((0..count as u32).collect(), Vec::new())
    };
    let mut clusters: Vec<u32> = labels.iter().map(|&label| cluster_of_label[label as usize]).collect();
    let numbers = order_by_size(&mut clusters, count);
    for cluster in &mut cluster_of_label {
        *cluster = numbers[*cluster as usize];
    }
    let merged_count = cluster_of_label.iter().max().map_or(1, |&most| most as usize + 1);
    clock.lap("merging");
    Ok(Clustering {
        labels,
        count_before: count,
        membership,
        cluster_of_label,
        count: merged_count,
        merges,
        steps: factor.steps,
        error: factor.error,
        start_agreement,
    })
}
