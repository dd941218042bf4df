//! Frozen selections side by side: what each holds, what they share, and why a sample is in one and not in another.

use serde::{Deserialize, Serialize};

use crate::{Blocking, SelectionPlan};

/// What one selection takes from one cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterShare {
    pub cluster: u32,
    pub name: String,
    /// Samples taken.
    pub taken: u64,
    /// Their prompt and response tokens as trained.
    pub tokens: u64,
    /// Means over the scored samples taken; none where there is none.
    pub mean_response_tokens: Option<f64>,
    /// Mean JSD, nats.
    pub mean_damage: Option<f64>,
    /// Samples of the cluster that the concept graph turned away and nothing refilled.
    pub conflicts: u64,
}

/// One selection of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedView {
    pub selection: String,
    pub strategy: String,
    pub plan: SelectionPlan,
    /// Seconds since 1970.
    pub frozen: u64,
    pub selected: u64,
    pub tokens: u64,
    pub mean_response_tokens: f64,
    pub median_response_tokens: Option<f64>,
    /// Mean JSD of what was taken, nats, and how many scored samples are behind it.
    pub mean_damage: Option<f64>,
    pub scored: u64,
    pub above_fence: f64,
    pub noise: Option<u64>,
    /// Samples that the concept graph turned away and nothing refilled.
    pub conflicts: u64,
    /// By cluster number.
    pub clusters: Vec<ClusterShare>,
}

/// What two selections share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverlapView {
    pub first: String,
    pub second: String,
    pub shared: u64,
    /// Shared samples expected of two draws of these sizes by chance from everything either could take:
    /// `|A| x |B| / n`.
    pub chance: f64,
    /// Shared over all that either holds, 0 to 1.
    pub jaccard: f64,
}

/// The samples that exactly these selections hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartView {
    /// One flag per selection of the comparison.
    pub held: Vec<bool>,
    pub samples: u64,
    pub tokens: u64,
    /// Mean JSD, nats.
    pub mean_damage: Option<f64>,
}

/// How far `random` strays at the same budget: what a difference from it is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChanceView {
    pub seeds: u32,
    /// Smallest and largest number of samples per cluster over the seeds, by cluster number.
    pub taken: Vec<(u64, u64)>,
    /// The same of the mean JSD, nats.
    pub mean_damage: Option<(f64, f64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonView {
    pub selections: Vec<ComparedView>,
    pub overlaps: Vec<OverlapView>,
    /// Parts that hold any sample, the largest first.
    pub parts: Vec<PartView>,
    /// Samples that could be selected and are in none.
    pub neither: u64,
    /// Distinct samples after hold-out: what chance draws from.
    pub selectable: u64,
    /// Of `random` at the first selection's budget.
    pub chance: Option<ChanceView>,
}

/// What a selection would hold at another budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetPoint {
    /// Percent of the selectable samples.
    pub percent: f64,
    pub selected: u64,
    pub tokens: u64,
    /// Mean JSD, nats.
    pub mean_damage: Option<f64>,
    /// Samples by cluster number.
    pub taken: Vec<u64>,
}

/// A frozen selection's plan at budgets from 1 to 50 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetCurve {
    pub selection: String,
    /// By rising budget.
    pub points: Vec<BudgetPoint>,
}

/// What became of a sample in one frozen selection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FateView {
    pub selection: String,
    pub taken: bool,
    /// A `ReasonCode`'s word.
    pub status: String,
    /// As a sentence; only the status' meaning where the selection cannot be computed again to say more.
    pub why: String,
    pub blocking: Option<Blocking>,
}

/// Which samples of a selection are meant: those that all of `within` hold too and none of `without` does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    pub within: Vec<String>,
    pub without: Vec<String>,
}

impl Part {
    /// Everything the selection holds?
    pub fn is_whole(&self) -> bool {
        self.within.is_empty() && self.without.is_empty()
    }
}
