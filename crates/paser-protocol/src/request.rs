//! What a face can ask for, and the answers. One request, one reply; bulk columns go by key.

use serde::{Deserialize, Serialize};

use crate::{
    ArmPlan, BudgetCurve, ChecksView, ComparisonView, CurationView, Edit, EngineSettings, Factor, FateView,
    JournalEntryView, ModelsView, Part, ProjectView, RecoverSettings, RecoveryView, Report, RunState, SelectionPlan,
    SelectionView, SettingsView, StabilityView, Stage, Strategy, StrategySettings, TableFormat, Trainer, VerdictView,
    WeightsFormat, filter::Filter, inside_words,
};

/// Tokens that models continue a prompt by, at most.
pub const MOST_CONTINUED: u32 = 64;
/// Seconds that a continuation may take; one that would take longer is refused.
pub const LONGEST_CONTINUATION: f64 = 120.0;

/// What a path or hub id is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    Pool,
    Model,
    Encoder,
    Project,
    Folder,
}

/// A text that no log, report or picture may show.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "(set)" })
    }
}

/// A project to be made. Paths or hub ids as typed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectDraft {
    pub folder: String,
    pub pool: String,
    pub dense: String,
    pub pruned: String,
    /// Further pruned copies of the dense model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// Empty: TF-IDF + SVD.
    pub encoder: String,
    /// `alpaca`, `plain` or `chat`.
    pub template: String,
    /// Make the pruned model here instead of loading one.
    pub prune: Option<PruneDraft>,
    /// Take this share of the pool only, as a project of its own; none: the whole pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PruneDraft {
    /// `magnitude` or `wanda`.
    pub method: String,
    /// `0.5`, `2:4` or `4:8`.
    pub pattern: String,
}

/// Another choice of the pruned models of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum PrunedChange {
    /// Columns, selections and the inspector work with this one of the others from now on.
    Use { model: String },
    /// One more, to be scored beside the project's own.
    Add { model: String },
    /// One of the others less. Its scores stay for a while.
    Remove { model: String },
}

/// What a trainer's file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// One JSON array of `instruction, input, output`.
    AlpacaJson,
    /// The same, one object a line.
    AlpacaJsonl,
    /// `messages` of a user's and an assistant's turn, one object a line.
    MessagesJsonl,
}

impl ExportFormat {
    pub const ALL: [Self; 3] = [Self::AlpacaJson, Self::AlpacaJsonl, Self::MessagesJsonl];

    pub fn name(self) -> &'static str {
        match self {
            Self::AlpacaJson => "alpaca-json",
            Self::AlpacaJsonl => "alpaca-jsonl",
            Self::MessagesJsonl => "messages-jsonl",
        }
    }
}

/// How many clusters the manifold is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "rule", content = "k")]
pub enum ClusterChoice {
    Automatic,
    Coarse,
    Fine,
    Fixed(u32),
}

/// Which rows the table shows, in which order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowQuery {
    /// Full-text search ([`crate::search_words`]); empty for all.
    pub text: String,
    /// A filter expression ([`crate::filter`]); empty for all.
    #[serde(default)]
    pub filter: String,
    pub clusters: Vec<u32>,
    /// Rows brushed on the map; none for all.
    #[serde(default, with = "crate::rows::optional")]
    pub rows: Option<Vec<u32>>,
    /// Column name to sort by; empty for pool order.
    pub sort: String,
    pub descending: bool,
}

impl RowQuery {
    /// The query that also finds its words inside of others; none where it does so already.
    pub fn inside_words(&self) -> Option<Self> {
        let text = inside_words(&self.text);
        let filter = Filter::parse(&self.filter).ok().and_then(|filter| filter.inside_words());
        let some = text.is_some() || filter.is_some();
        some.then(|| Self {
            text: text.unwrap_or_else(|| self.text.clone()),
            filter: filter.map_or_else(|| self.filter.clone(), |filter| filter.to_string()),
            ..self.clone()
        })
    }
}

fn goes_on() -> bool {
    true
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    Hello,
    OpenDemo {
        fresh: bool,
    },
    OpenProject {
        path: String,
    },
    /// Lets the project go. A run at work goes on without a window, or stops.
    CloseProject {
        #[serde(default = "goes_on")]
        go_on: bool,
    },
    /// Looks at a path or hub id before a project is made.
    Probe {
        source: SourceKind,
        path: String,
    },
    Estimate {
        draft: ProjectDraft,
    },
    /// A token for the hub, kept in the engine's memory until it ends; an empty one gives back the environment's.
    SetToken {
        token: Secret,
    },
    CreateProject {
        draft: ProjectDraft,
        run: bool,
    },
    Project,
    Run {
        until: Stage,
        /// Bytes that the estimate of a stage may not pass; none: no limit.
        #[serde(default)]
        memory: Option<u64>,
    },
    Cancel,
    /// Stops the run at the next possible moment; it goes on when [`Request::Resume`] says so.
    Pause,
    /// Takes a paused or interrupted run up again.
    Resume,
    /// How far the run is, or how the last one ended.
    RunState,
    /// Sets the strategies that need a pass of their own, and computes the column of one of them.
    Prepare {
        strategy: Strategy,
        settings: StrategySettings,
    },
    /// How far clusters and selection hang on single settings, as far as it was computed.
    Stability,
    /// Computes that for these factors.
    Sweep {
        factors: Vec<Factor>,
    },
    /// Writes a setting of a sweep into the recipe, and runs.
    Adopt {
        factor: Factor,
        value: f64,
    },
    ChooseClusters {
        choice: ClusterChoice,
    },
    /// The rows of a query, as a column key of `u32` row numbers.
    Query {
        query: RowQuery,
    },
    /// How many samples more a query finds inside of words.
    InsideWords {
        query: RowQuery,
    },
    /// Short texts for rows on screen.
    Texts {
        rows: Vec<u32>,
    },
    Sample {
        row: u32,
    },
    /// Teacher-forced values per response token.
    Tokens {
        row: u32,
    },
    /// What both models write after the sample's prompt, greedily; stops what was being continued before.
    Continue {
        row: u32,
        /// At most [`MOST_CONTINUED`].
        tokens: u32,
    },
    StopContinuing,
    /// The samples most like one.
    Neighbours {
        row: u32,
        count: u32,
    },
    Select {
        plan: SelectionPlan,
    },
    Freeze {
        name: String,
    },
    /// Computes the selection of a plan and freezes it; the plan being built stays as it is.
    FreezePlan {
        plan: SelectionPlan,
        name: String,
    },
    Discard {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// Two to four frozen selections side by side.
    Compare {
        names: Vec<String>,
    },
    /// A frozen selection's plan at budgets from 1 to 50 %.
    BudgetCurve {
        name: String,
    },
    /// Why a sample is, or is not, in each of these frozen selections.
    Fates {
        row: u32,
        names: Vec<String>,
    },
    /// Writes a table of the samples that some of these frozen selections hold and others do not.
    Differences {
        names: Vec<String>,
        path: String,
    },
    /// Writes the rows of a query with their ids as a table.
    Table {
        query: RowQuery,
        /// Names of columns; empty for all.
        columns: Vec<String>,
        /// Frozen selections, each a column of status words.
        selections: Vec<String>,
        /// What a person was looking at, in words.
        shown: String,
        /// Empty: to be fetched.
        path: String,
    },
    Curate {
        edit: Edit,
    },
    Undo,
    Redo,
    /// Takes back one edit, wherever it stands in the journal.
    Revert {
        entry: u64,
    },
    /// Every line of the journal.
    Journal,
    /// Near-duplicates and benchmark questions, as they were computed last.
    Checks,
    /// Arms, curves, references and what they cost.
    Recovery,
    /// Two arms side by side on one metric ([`crate::MetricInfo::metric`]), over the finished seeds of both.
    Verdict {
        first: String,
        second: String,
        metric: String,
    },
    /// Writes arms into the recipe. Nothing is trained by it.
    AddArms {
        arms: Vec<ArmPlan>,
    },
    /// Takes an arm out of the recipe; what it has trained is kept for a while.
    RemoveArm {
        name: String,
    },
    SetRecover {
        settings: RecoverSettings,
    },
    /// Trains the seeds of these arms that are not trained yet; of all where none is named.
    Train {
        arms: Vec<String>,
        #[serde(default)]
        memory: Option<u64>,
    },
    /// A short arm for each cluster, which tells what data of it does to every cluster.
    TrainPilots,
    /// Trains the first seed of the random arm at a third of the learning rate, at it, and at three times of it, and writes
    /// the best into the recipe.
    SweepRates,
    /// Reads what another trainer left: a folder with `trainer_state.json`, TensorBoard events, an adapter, or lm-eval's
    /// results. It stands beside the arms under this name.
    ReadRun {
        path: String,
        arm: String,
    },
    /// Writes a trained seed of an arm.
    WriteArm {
        arm: String,
        seed: u64,
        format: WeightsFormat,
        /// Empty: to be fetched.
        path: String,
    },
    /// Writes an arm's data, configuration and command line for another trainer.
    HandOut {
        arm: String,
        seed: u64,
        trainer: Trainer,
        path: String,
    },
    /// Writes curves, arms and the verdict of two arms on all metrics.
    RecoveryReport {
        first: String,
        second: String,
        format: TableFormat,
        /// Empty: to be fetched.
        path: String,
    },
    /// What the project's two models hold, layer by layer. Reads every weight; [`crate::Event::Inspecting`] tells how far.
    Models,
    /// Makes the pruned model here, in the place of the one that the recipe names, and brings the project up to date.
    PruneHere {
        draft: PruneDraft,
    },
    /// Changes the choice of pruned models, and brings the project up to date.
    ChangePruned {
        change: PrunedChange,
    },
    /// Makes the checks now. A threshold or files that are not the recipe's are for this once.
    Check {
        threshold: Option<f64>,
        benchmarks: Vec<String>,
    },
    /// Other benchmark files to check the pool against; the checks are made anew.
    SetBenchmarks {
        files: Vec<String>,
    },
    /// The window stopped by a mistake of its own: what it says of it.
    WindowCrashed {
        what: String,
    },
    /// How the engine works on its machine, and what it keeps there.
    Settings,
    SetSettings {
        settings: EngineSettings,
    },
    /// Clears one of the settings' caches, by its id.
    ClearCache {
        id: String,
    },
    Export {
        selection: Option<String>,
        /// Which of its samples.
        part: Part,
        format: ExportFormat,
        path: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    pub name: String,
    pub path: String,
    /// `LLM-Pruner 25 %, 38,563 samples`
    pub line: String,
    /// Seconds since 1970.
    pub opened: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub version: String,
    /// `cpu, 2 threads, 23.4 GB`
    pub machine: String,
    pub recent: Vec<Recent>,
    /// The demo's samples, clusters and points for the welcome page; none where it cannot be opened.
    pub demo: Option<DemoCard>,
    /// A project that is open already.
    pub open: bool,
    /// What kept the project from opening that was named at the program's start.
    pub trouble: Option<Report>,
}

/// The recorded demo in small: what the welcome page draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemoCard {
    pub samples: u64,
    pub clusters: u32,
    pub damage_scale: f64,
    /// Column keys that can be fetched before the demo is open.
    pub positions: String,
    pub damage: String,
    pub labels: Vec<(String, [f32; 2])>,
}

/// A line under a field of the new-project form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    /// `ok`, `warn` or `error`.
    pub level: String,
    pub text: String,
}

/// What a path or hub id was found to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    pub remarks: Vec<Remark>,
    /// Parts of a data set on the hub, of which one is to be named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<PartChoice>,
}

/// A config and split of a data set on the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartChoice {
    /// `hub:org/name:config/split`
    pub reference: String,
    /// `config/split`
    pub name: String,
    /// `3 files, 704 MB, 2.6 M rows`
    pub about: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimateView {
    /// Stage words with low and high seconds; none where it depends on a model of unknown size.
    pub stages: Vec<(String, Option<(f64, f64)>)>,
    /// None where it depends on a model of unknown size.
    pub memory_bytes: Option<u64>,
    pub memory_free_bytes: u64,
    pub disk_bytes: Option<u64>,
    /// To be downloaded; 0 where all is here, none where the hub did not say how much it is.
    pub network_bytes: Option<u64>,
    pub remarks: Vec<Remark>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextRow {
    pub row: u32,
    pub id: String,
    pub instruction: String,
}

/// The pair of concepts that kept a sample out, and the accepted samples that brought them in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blocking {
    pub first: String,
    pub first_row: u32,
    pub first_id: String,
    pub second: String,
    pub second_row: u32,
    pub second_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleView {
    pub row: u32,
    pub id: String,
    pub instruction: String,
    pub input: String,
    pub output: String,
    pub multiplicity: u32,
    pub line: u64,
    pub cluster: Option<u32>,
    /// Label, value as text, unit.
    pub values: Vec<(String, String, String)>,
    pub concepts: Vec<String>,
    /// A `ReasonCode`'s word in the current selection; empty before there is one.
    pub status: String,
    /// Why it was taken or not, as sentences.
    pub why: String,
    pub blocking: Option<Blocking>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenView {
    pub text: String,
    /// Nats.
    pub jsd: f32,
    pub loss_dense: f32,
    pub loss_pruned: f32,
    /// Most likely next tokens with their probability.
    pub dense: Vec<(String, f32)>,
    pub pruned: Vec<(String, f32)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokensView {
    pub row: u32,
    pub tokens: Vec<TokenView>,
    /// What [`Request::Continue`] by [`MOST_CONTINUED`] tokens would take, in seconds.
    #[serde(default)]
    pub continue_seconds: f64,
}

/// A sample that is like another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighbourView {
    pub row: u32,
    pub id: String,
    /// Cosine of the two samples' vectors.
    pub similarity: f32,
    pub instruction: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportedView {
    pub paths: Vec<String>,
    pub samples: u64,
    /// For a browser that saves the file itself; none where `path` was written.
    pub download: Option<DownloadView>,
}

/// A zip with data file, manifest and indices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DownloadView {
    pub name: String,
    /// Column key of its bytes, which can be fetched once.
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply", content = "value")]
pub enum Reply {
    Done,
    Hello(Hello),
    Project(Box<ProjectView>),
    Probed(Probed),
    Estimate(EstimateView),
    /// Column key of `u32` row numbers, and how many there are.
    Rows {
        key: String,
        count: u64,
    },
    /// Samples that hold the words inside of others only.
    InsideWords {
        more: u64,
    },
    Texts(Vec<TextRow>),
    Sample(Box<SampleView>),
    Tokens(TokensView),
    Continuations {
        row: u32,
        dense: String,
        pruned: String,
        /// Did dense and pruned end by themselves?
        stopped: (bool, bool),
        seconds: f64,
    },
    /// Nearest first.
    Neighbours(Vec<NeighbourView>),
    Selection(Box<SelectionView>),
    Comparison(Box<ComparisonView>),
    BudgetCurve(BudgetCurve),
    Fates(Vec<FateView>),
    Curation(CurationView),
    /// Oldest first.
    Journal(Vec<JournalEntryView>),
    Checks(Box<ChecksView>),
    Models(Box<ModelsView>),
    Recovery(Box<RecoveryView>),
    Verdict(Box<VerdictView>),
    Stability(Box<StabilityView>),
    Exported(ExportedView),
    RunState(Box<RunState>),
    Settings(Box<SettingsView>),
    /// A report was written.
    Reported {
        path: String,
    },
}
