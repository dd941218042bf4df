//! What can go wrong between vectors and clusters. Rows are named by their index in the caller's arrays.

use thiserror::Error;

/// Why a manifold could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ManifoldError {
    /// Somebody asked for a stop.
    #[error("the clustering was cancelled")]
    Cancelled,
    /// A parameter lies outside its range.
    #[error("clustering parameter `{name}` is {value}, but must be {allowed}")]
    Parameter { name: &'static str, value: String, allowed: &'static str },
    /// Arrays of the caller do not fit together.
    #[error("{what}: expected {expected} entries, got {got}")]
    Shape { what: &'static str, expected: usize, got: usize },
    /// `order` is not a permutation of the rows.
    #[error("the processing order names row {row} {times}; every row must stand in it exactly once")]
    Order { row: usize, times: &'static str },
    /// A vector holds NaN or an infinity.
    #[error("the vector of row {row} has a value that is not a finite number; encode this row again")]
    NotFinite { row: usize },
    /// A vector is not of unit length.
    #[error("the vector of row {row} has length {length}, but unit rows are needed; normalise the vectors first")]
    NotUnit { row: usize, length: f64 },
    /// No row takes part in the graph.
    #[error("no row is left to learn from: the pool is empty or every row is held out")]
    Empty,
    /// More rows than the exact neighbour search is meant for.
    #[error("{rows} rows are too many for the exact neighbour search (at most {limit}); cluster a part of the pool")]
    TooManyRows { rows: usize, limit: usize },
    /// A fixed number of clusters that the pool cannot hold.
    #[error("{clusters} clusters were asked for, but only {rows} rows take part; ask for at most {rows}")]
    TooManyClusters { clusters: usize, rows: usize },
    /// The measured recall of the neighbour search is below the bar.
    #[error("the neighbour search found only {recall:.3} of the true neighbours (at least {bar} is needed)")]
    LowRecall { recall: f64, bar: f64 },
    /// An iteration did not reach its tolerance.
    #[error("{what} did not converge (residual {residual:.1e} after {steps} steps); use fewer dimensions or clusters")]
    NotConverged { what: &'static str, residual: f64, steps: usize },
    /// Texts from which no term can be taken.
    #[error(
        "no word or mark occurs in two of the {texts} texts, so TF-IDF vectors cannot be made; use a sentence encoder"
    )]
    NoTerms { texts: usize },
}
