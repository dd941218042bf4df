//! The project as a face sees it: pool, stages, clusters, columns, selections, edits.

use serde::{Deserialize, Serialize};

use crate::{ColumnInfo, JobView, PassView, Report, SelectionPlan, SelectionView, StrategySettings, TagView, Unit};

/// The stages of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Import,
    Embed,
    Manifold,
    Score,
    Select,
    /// Training of the recipe's arms: only where a run asks for it.
    Recover,
}

impl Stage {
    /// Those of every project.
    pub const ALL: [Self; 5] = [Self::Import, Self::Embed, Self::Manifold, Self::Score, Self::Select];

    pub fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Embed => "embed",
            Self::Manifold => "manifold",
            Self::Score => "score",
            Self::Select => "select",
            Self::Recover => "recover",
        }
    }
}

/// Where a stage stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum StageState {
    Missing,
    /// Its inputs changed; `why` names what.
    Stale {
        why: String,
    },
    Running,
    Done {
        seconds: f64,
        cached: bool,
    },
    Failed {
        report: Report,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    pub stage: Stage,
    #[serde(flatten)]
    pub state: StageState,
    /// Estimated seconds, low and high, where it has to run.
    pub estimate: Option<(f64, f64)>,
    /// Parts finished and parts in all, where a run was stopped half-way: the next one goes on after them.
    pub kept: Option<(u64, u64)>,
}

/// A row of the pool file that could not be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BadRowView {
    pub line: u64,
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolView {
    /// Changes with the imported samples; empty before an import.
    #[serde(default)]
    pub key: String,
    pub path: String,
    /// Rows of the file that were read.
    pub rows: u64,
    /// Distinct samples: the length of every column.
    pub samples: u64,
    /// Rows merged into an equal one.
    pub merged: u64,
    pub bad: u64,
    /// The first of them.
    pub bad_rows: Vec<BadRowView>,
    pub held_out: u64,
    pub unscorable: u64,
    /// Prompt and response tokens of the scorable samples; 0 before scoring was prepared.
    pub tokens: u64,
    pub response_tokens: u64,
    /// Samples whose response was cut at the template's limit.
    pub cut: u64,
    /// Which field plays which part: `instruction`, `input`, `output`, `id`.
    pub roles: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    pub cluster: u32,
    pub name: String,
    /// Place in the palette: the number that the manifold gave it, by size; parts of a split have the next free ones. 12
    /// and more are drawn grey.
    pub colour: u32,
    pub samples: u64,
    /// Response tokens.
    pub tokens: u64,
    pub cds: Option<f64>,
    pub cds_low: Option<f64>,
    pub cds_high: Option<f64>,
    pub cds_rest: Option<f64>,
    /// Scored samples behind the mean.
    pub scored: u64,
    /// Samples a selection may take: scored, not excluded, not held out.
    pub eligible: u64,
    /// Prompt and response tokens of the eligible samples.
    pub eligible_tokens: u64,
    /// Pinned samples, and their prompt and response tokens.
    pub pinned: u64,
    pub pinned_tokens: u64,
    /// Most distinctive concepts, best first.
    pub concepts: Vec<String>,
    /// Where its label stands on the map.
    pub centre: [f32; 2],
    /// The quota that a person set, and what it counts; none: by the budget's rule.
    #[serde(default)]
    pub quota: Option<(u64, Unit)>,
    /// What a person multiplies its weight by; 1 is none.
    #[serde(default = "no_emphasis")]
    pub emphasis: f64,
    /// Samples per bin of JSD; 24 equal bins over 0 to `ProjectView::damage_scale`, the last one open.
    pub histogram: Vec<u32>,
}

/// Damage of a cluster by one of several pruned models.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterDamage {
    pub cluster: u32,
    /// Mean JSD, nats, with its 95 % interval; none where nothing is scored.
    pub cds: Option<f64>,
    pub cds_low: Option<f64>,
    pub cds_high: Option<f64>,
    /// After the first response token.
    pub cds_rest: Option<f64>,
    /// Scored samples behind the mean.
    pub scored: u64,
}

impl ClusterDamage {
    pub fn unknown(cluster: u32) -> Self {
        Self { cluster, cds: None, cds_low: None, cds_high: None, cds_rest: None, scored: 0 }
    }
}

/// One of several pruned models of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemeView {
    /// As the recipe names it.
    pub reference: String,
    pub name: String,
    /// What its pruning did, in words: `Wanda 60 %`, `2:4`; empty while the model is not read.
    pub pruning: String,
    /// The one that columns, selections and the inspector work with.
    pub own: bool,
    /// Samples scored so far, and whether those are all.
    pub scored: u64,
    pub whole: bool,
    /// By cluster, in the order of [`ProjectView::clusters`].
    pub damage: Vec<ClusterDamage>,
}

fn no_emphasis() -> f64 {
    1.0
}

/// The curves behind the number of clusters (`method.md` 1, item 6).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurveView {
    pub clusters: Vec<u32>,
    /// Mean ARI across half-splits, both ways, by K.
    pub stability: Vec<f64>,
    /// Smallest and largest of them, by K; empty where they were not kept.
    #[serde(default)]
    pub stability_range: Vec<(f64, f64)>,
    /// Half-splits behind each mean.
    #[serde(default)]
    pub half_splits: u32,
    pub prediction_strength: Vec<f64>,
    /// Relative error of the dense NMF against landmarks, by K.
    pub nmf_error: Vec<f64>,
    pub coarse: Option<u32>,
    pub fine: Option<u32>,
    pub elbow: Option<u32>,
    /// `no clear number: a to b are equally stable`.
    pub unclear: Option<(u32, u32)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifoldView {
    /// `MiniLM-L6-v2`, or `TF-IDF + SVD` said plainly.
    pub vectors: String,
    pub dimensions: u32,
    /// Share of true neighbours found, against 1,000 exact rows.
    pub recall: f64,
    pub components: u32,
    pub components_linked: u32,
    /// K before merging, and clusters after it.
    pub k: u32,
    pub clusters: u32,
    /// How K was decided, in words.
    pub rule: String,
    pub merges: Vec<String>,
    /// Eigenvalues of P, falling.
    pub eigenvalues: Vec<f64>,
    /// Present once the stability curve was computed.
    pub curve: Option<CurveView>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurationView {
    #[serde(with = "crate::rows")]
    pub pinned: Vec<u32>,
    #[serde(with = "crate::rows")]
    pub excluded: Vec<u32>,
    /// By name. No selection changes by a tag.
    #[serde(default)]
    pub tags: Vec<TagView>,
    /// Out of sight; selections take them all the same.
    #[serde(default, with = "crate::rows")]
    pub hidden: Vec<u32>,
    /// What undo would take back, and redo bring back.
    pub undo: Option<EditView>,
    pub redo: Option<EditView>,
    pub entries: u64,
}

/// An edit of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditView {
    /// Its number in the journal, from 1.
    pub entry: u64,
    /// What it did, in words.
    pub what: String,
}

/// Two runs side by side: the recorded one and one computed anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Largest difference of any score.
    pub score_difference: f64,
    pub clusters_equal: bool,
    /// Per selection: name, share of equal samples.
    pub selections: Vec<(String, f64)>,
    pub byte_identical: bool,
    /// One sentence a person reads.
    pub verdict: String,
}

/// A run that was begun and has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    /// The last stage that it brings up to date.
    pub until: Stage,
    /// A person paused it.
    pub paused: bool,
    /// The engine that tells this is at it.
    pub at_work: bool,
    /// The process that is at work for it.
    pub worker: Option<u32>,
}

/// What a finished run says of its stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageSummary {
    pub stage: Stage,
    /// Of this run; near 0 where the stage was cached.
    pub seconds: f64,
    pub cached: bool,
    pub peak_memory_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSummary {
    pub cluster: u32,
    pub name: String,
    pub samples: u64,
    pub cds: Option<f64>,
    pub cds_low: Option<f64>,
    pub cds_high: Option<f64>,
    pub cds_rest: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionSummary {
    pub selection: String,
    pub strategy: String,
    pub pruned: String,
    pub budget: u64,
    pub selected: u64,
}

/// What a run that ended well made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    pub stages: Vec<StageSummary>,
    pub clusters: Vec<ClusterSummary>,
    /// Every pruned model where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<SchemeView>,
    pub selections: Vec<SelectionSummary>,
}

/// The run of an engine: the one at work, or how the last one ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    pub at_work: bool,
    pub job: Option<JobView>,
    /// What the run had to say so far.
    pub notices: Vec<String>,
    /// Why it did not end well.
    pub report: Option<Report>,
    /// What it made, where it ended well.
    pub summary: Option<RunSummary>,
}

/// Everything about the open project but bulk columns and texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectView {
    pub name: String,
    pub path: String,
    pub demo: bool,
    /// Rises with every change; events carry it.
    pub revision: u64,
    pub dense: String,
    pub pruned: String,
    /// What the pruned model is, in words: `Wanda 60 %`, `2:4`.
    pub pruning: String,
    pub template: String,
    pub device: String,
    /// The recipe as text.
    pub recipe: String,
    pub pool: PoolView,
    pub stages: Vec<StageView>,
    pub manifold: Option<ManifoldView>,
    pub clusters: Vec<ClusterView>,
    /// Every pruned model, the project's own first; empty where there is only that one.
    #[serde(default)]
    pub schemes: Vec<SchemeView>,
    /// Samples behind the clusters' damage where the scoring is not whole; no selection can be made of it.
    pub scored_so_far: Option<u64>,
    /// Top of the damage ramp: the largest cluster damage rounded up to 1, 2 or 5 x 10^n.
    pub damage_scale: f64,
    pub columns: Vec<ColumnInfo>,
    /// Frozen selections.
    pub selections: Vec<SelectionView>,
    /// The plan being built; kept across restarts.
    pub plan: SelectionPlan,
    /// How the strategies that need a pass of their own are set, and where each stands.
    #[serde(default)]
    pub strategies: StrategySettings,
    #[serde(default)]
    pub passes: Vec<PassView>,
    pub curation: CurationView,
    pub job: Option<JobView>,
    /// A run that was begun and has not ended: at work, paused, or interrupted.
    #[serde(default)]
    pub run: Option<RunView>,
    /// What `Run again` found.
    pub comparison: Option<Comparison>,
}
