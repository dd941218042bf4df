//! What [`crate::run`] gives back. Every array is indexed by the caller's rows, whatever the processing order was.

use serde::{Deserialize, Serialize};

/// How a row came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// A vertex of the graph.
    Graph,
    /// In a component too small for the solve: placed at its nearest graph row.
    SmallComponent,
    /// Held out: placed by its 15 nearest graph rows.
    HeldOut,
}

/// Clusters, coordinates and map of a pool of n rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifold {
    /// `[n]` cluster of each row before merging, 0 the largest.
    pub labels_before_merge: Vec<u32>,
    /// `[n]` cluster of each row, 0 the largest.
    pub clusters: Vec<u32>,
    /// Clusters before merging (K).
    pub count_before_merge: usize,
    /// Clusters after merging.
    pub count: usize,
    /// `[count_before_merge]` the cluster that each cluster before merging became.
    pub cluster_of_label: Vec<u32>,
    /// `[n, count_before_merge]` share of each row in each cluster before merging; rows sum to 1.
    pub membership_before_merge: Vec<f32>,
    /// `[n, count]` share of each row in each cluster; rows sum to 1.
    pub membership: Vec<f32>,
    /// Diffusion coordinates of a row.
    pub dimensions: usize,
    /// `[n, dimensions]` diffusion coordinates z.
    pub coordinates: Vec<f32>,
    /// `[n]` places on the map; empty when no map was asked for.
    pub map: Vec<[f32; 2]>,
    /// `[n]` how each row was placed.
    pub placement: Vec<Placement>,
    /// `[n]` rows outside the graph that lie farther from it than 99.9 % of its own rows lie from their nearest.
    pub far: Vec<bool>,
    /// Eigenvalues of the diffusion operator, falling; the first is 1.
    pub eigenvalues: Vec<f64>,
    /// The merges, in the order in which they were made.
    pub merges: Vec<Merge>,
    /// Measured figures to trust the result by.
    pub quality: Quality,
    /// The stability curve; none when the number of clusters was fixed or the pool has under 240 rows.
    pub curve: Option<StabilityCurve>,
    /// Wall time of each step.
    pub timings: Vec<Timing>,
}

/// One small cluster that joined another; both named by their id before merging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// The cluster that ended.
    pub from: u32,
    /// The cluster that took it in (itself perhaps merged later).
    pub into: u32,
    /// Graph rows that moved.
    pub rows: usize,
    /// S(from, into) / vol_S(into); 0 when no edge led anywhere and the nearest centroid decided.
    pub affinity: f64,
}

/// Figures that say how far the graph and the eigenvectors can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Rows of the graph.
    pub graph_rows: usize,
    /// Share of the true nearest neighbours that were found, on `recall_rows` rows.
    pub recall: f64,
    /// Rows on which the recall was measured.
    pub recall_rows: usize,
    /// Connected components of the neighbour graph.
    pub components: usize,
    /// Components linked to the largest.
    pub linked_components: usize,
    /// Edges added to link them.
    pub link_edges: usize,
    /// Components too small for the solve.
    pub left_out_components: usize,
    /// Rows of those components.
    pub left_out_rows: usize,
    /// Undirected edges of the graph, links included.
    pub edges: usize,
    /// Share of rows whose bandwidth stands at the floor.
    pub floor_share: f64,
    /// |P u - lambda u| of each eigenpair.
    pub residuals: Vec<f64>,
    /// Largest |u_i . u_j - delta_ij|.
    pub orthogonality: f64,
    /// Products with the diffusion operator.
    pub products: usize,
    /// Steps of the symmetric NMF.
    pub nmf_steps: usize,
    /// |A - H H^T|^2 / |A|^2 at the end.
    pub nmf_error: f64,
    /// Adjusted Rand index of the labels before merging against the start labels, on the graph rows.
    pub start_agreement: f64,
    /// `[count_before_merge]` rows of each cluster before merging, all rows counted.
    pub sizes_before_merge: Vec<usize>,
    /// `[count]` rows of each cluster, all rows counted.
    pub sizes: Vec<usize>,
}

/// How reproducible each number of clusters is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StabilityCurve {
    /// Rows that the curve was computed on.
    pub rows: usize,
    /// Half-splits.
    pub splits: usize,
    /// The numbers of clusters K.
    pub clusters: Vec<usize>,
    /// Mean adjusted Rand index both ways for each K.
    pub score: Vec<f64>,
    /// The smallest and the largest of them for each K; empty in curves of versions before it was kept.
    #[serde(default)]
    pub score_range: Vec<(f64, f64)>,
    /// Mean prediction strength both ways for each K (Tibshirani and Walther).
    pub prediction_strength: Vec<f64>,
    /// Relative error of the dense NMF against the landmarks for each K.
    pub nmf_error: Vec<f64>,
    /// Landmarks of that NMF.
    pub landmarks: usize,
    /// The K at the elbow of `nmf_error`; none with fewer than three K.
    pub elbow: Option<usize>,
    /// The smallest K within 0.02 of the best score.
    pub coarse: usize,
    /// The largest K whose score is at least 0.80, if any.
    pub fine: Option<usize>,
    /// The K that was used.
    pub chosen: usize,
    /// No clear number: the smallest and the largest of the equally stable K.
    pub unclear: Option<(usize, usize)>,
    /// All clusters of the K that stability spoke for would have joined one: `chosen` is finer.
    #[serde(default)]
    pub joined: bool,
}

/// Wall time of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The step's name.
    pub step: String,
    /// Seconds.
    pub seconds: f64,
}
