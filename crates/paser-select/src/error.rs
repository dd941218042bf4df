//! What can go wrong in a selection. Every message names the sample, cluster or setting and says what to do.

/// Errors of [`crate::select`] and of the types it takes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SelectError {
    /// A column of the pool has another length than its ids.
    #[error("the column `{column}` has {length} rows and the pool has {rows}: compute it again for this pool")]
    ColumnLength { column: &'static str, length: usize, rows: usize },
    /// A label lies outside the list of clusters.
    #[error(
        "cluster {cluster} of sample `{id}` does not exist (there are {clusters} clusters): cluster the pool again"
    )]
    NoSuchCluster { cluster: u32, clusters: usize, id: String },
    /// A concept index lies outside the list of concepts.
    #[error(
        "concept {concept} of sample `{id}` does not exist (there are {concepts} concepts): extract the concepts again"
    )]
    NoSuchConcept { concept: u32, concepts: usize, id: String },
    /// A score is NaN, infinite, or a negative divergence.
    #[error("`{column}` is {value} for sample `{id}`: score this sample again")]
    BadNumber { column: &'static str, value: f64, id: String },
    /// A scored sample without tokens.
    #[error("sample `{id}` has a score but no tokens: score this sample again")]
    NoTokens { id: String },
    /// A setting outside its range.
    #[error("`{setting}` is {value} and must be {range}")]
    BadSetting { setting: &'static str, value: String, range: &'static str },
    /// A pin or exclusion on a row the pool does not have.
    #[error("row {row} is pinned or excluded and the pool has {rows} rows: take that mark back")]
    NoSuchRow { row: u32, rows: usize },
    /// A quota or an emphasis for a cluster the pool does not have.
    #[error("cluster {cluster} has a quota or an emphasis and there are {clusters} clusters: take it back")]
    NoClusterForQuota { cluster: u32, clusters: usize },
    /// One sample both pinned and excluded.
    #[error("sample `{id}` is pinned and excluded at once: keep the later mark only")]
    PinnedAndExcluded { id: String },
    /// A pin on a sample kept for evaluation.
    #[error("sample `{id}` is pinned and held out for evaluation: unpin it, or change `pool.holdout`")]
    PinnedHeldOut { id: String },
    /// Pins alone cost more than the budget.
    #[error("the pins alone need {pinned} of a budget of {budget}: raise the budget or unpin some samples")]
    MorePinsThanBudget { pinned: u64, budget: u64 },
    /// `paser-no-s2ric` without k-means labels.
    #[error("the strategy `paser-no-s2ric` needs k-means labels of the same vectors: run the manifold stage first")]
    NoAlternativeClusters,
    /// A strategy that reads sentence vectors, on a pool without them.
    #[error("the strategy `{strategy}` reads the sentence vectors: run the embed stage first")]
    NoVectors { strategy: &'static str },
    /// A strategy that reads distances between neighbours, on a pool without them.
    #[error("the strategy `{strategy}` reads the distances to the sixth neighbour: run the embed stage first")]
    NoNeighbours { strategy: &'static str },
    /// A strategy that reads what a pass of its own measures, on a pool without it.
    #[error("the strategy `{strategy}` reads what a pass of its own measures: compute that first")]
    NoPass { strategy: &'static str },
    /// A strategy that reads concepts, on a pool without them.
    #[error(
        "the strategy `{strategy}` reads concepts and the pool has none: extract the concepts first, or set `concepts.on = false`"
    )]
    NoConcepts { strategy: &'static str },
    /// A concept graph that would not fit into memory.
    #[error(
        "sample `{id}` has {concepts} concepts, and the concept graph would hold more than {limit} pairs with it: set `concepts.per_sample` to a number, or exclude this sample"
    )]
    TooManyPairs { id: String, concepts: usize, limit: usize },
    /// Somebody asked for a stop.
    #[error("the selection was stopped")]
    Cancelled,
}
