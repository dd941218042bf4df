//! From vectors to clusters: neighbours, affinity, diffusion map, symmetric NMF, and a map to look at
//! (`method.md` section 1). Arrays in, arrays out: this crate reads no file and runs no model.
//! Every result depends on the rows, their order and the seed alone, never on the number of threads.

mod affinity;
mod assemble;
mod components;
mod dense;
mod diffusion;
mod error;
#[cfg(test)]
mod golden;
mod hash_order;
mod kmeans;
mod lanczos;
mod landmarks;
mod layout;
mod merge;
mod nearest;
mod neighbours;
mod params;
mod pipeline;
mod placement;
mod plain;
mod progress;
mod quality;
mod result;
mod sparse;
mod stability;
mod svd;
mod symnmf;
mod tfidf;
mod tokens;

pub use error::ManifoldError;
pub use hash_order::order_of_vectors;
pub use nearest::nearest_rows;
pub use params::{Checked, ClusterCount, ManifoldParams, Start};
pub use pipeline::{Rows, run};
pub use plain::{kmeans_labels, neighbour_distances, split_labels};
pub use quality::{adjusted_rand_index, normalized_mutual_information, prediction_strength};
pub use result::{Manifold, Merge, Placement, Quality, StabilityCurve, Timing};
pub use tfidf::{Tfidf, TfidfParams, tfidf_vectors};

/// Rows up to which neighbours are found exactly by blocked matrix products; above, [`run`] refuses.
pub const EXACT_ROW_LIMIT: usize = 150_000;
