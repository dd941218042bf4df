//! Selections on demand: computed from what is in memory, cached by everything that decides them (method.md 2 to 4).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::AtomicBool},
};

use paser_project::Inputs;
use paser_protocol::{ReasonCode, SelectionPlan, SelectionView, Stage, Strategy};
use paser_select::{PoolColumns, SelectParams, Selection, Vectors, select};

use crate::{
    curated::Curated,
    loaded::Samples,
    notes::{heeds_quotas, notes},
    progress::Reporter,
    session::{Loaded, Session, lock},
    stages::{Bench, concepts, embed::EmbedPlan, kmeans, neighbours, passes},
    trouble::{Outcome, Told, failed, usage},
};

/// Rises when the same inputs would give another selection.
const VERSION: u32 = 1;
/// The input that names what a person's edits made of the clusters, but for their names; missing where there are none.
pub(crate) const CLUSTER_EDITS: &str = "cluster edits";
/// Selections kept in memory: enough for going back and forth with a slider. Of large pools fewer, down to three.
const KEPT: usize = 24;
/// Rows of all selections kept: each row of a selection takes some 25 bytes.
const KEPT_ROWS: usize = 4_000_000;

/// A computed selection.
#[derive(Debug)]
pub(crate) struct Selected {
    pub inputs: Inputs,
    pub key: String,
    /// [`Clusters::shown`] of the names in it.
    ///
    /// [`Clusters::shown`]: crate::cluster_edits::Clusters::shown
    shown: String,
    pub selection: Selection,
    pub view: SelectionView,
    /// One `ReasonCode` byte per row.
    pub reasons: Arc<[u8]>,
}

/// The pool's columns in memory.
struct KeptPool {
    /// Of what the common columns were made of.
    base: String,
    /// Of that, the extra column and the names of the clusters.
    key: String,
    columns: Arc<PoolColumns>,
}

#[derive(Default)]
pub(crate) struct SelectionCache {
    /// One for each extra column, all of the same common columns.
    pools: BTreeMap<Extra, KeptPool>,
    results: VecDeque<Arc<Selected>>,
}

impl SelectionCache {
    pub(crate) fn find(&self, key: &str) -> Option<Arc<Selected>> {
        self.results.iter().find(|result| result.key == key).cloned()
    }

    /// The selection of a plan that was computed last, whatever else changed since.
    pub(crate) fn newest_of(&self, plan: &SelectionPlan) -> Option<Arc<Selected>> {
        self.results.iter().rev().find(|result| result.view.plan == *plan).cloned()
    }

    /// The reason column of a selection in memory.
    pub(crate) fn reasons(&self, column: &str) -> Option<Arc<[u8]>> {
        self.results.iter().find(|result| result.view.reason_column == column).map(|result| result.reasons.clone())
    }

    fn pool(&self, extra: Extra, key: &str) -> Option<Arc<PoolColumns>> {
        self.pools.get(&extra).filter(|pool| pool.key == key).map(|pool| pool.columns.clone())
    }

    /// Keeps a pool, and none that something else was made of.
    fn keep_pool(&mut self, extra: Extra, pool: KeptPool) {
        self.pools.retain(|_, kept| kept.base == pool.base);
        self.pools.insert(extra, pool);
    }

    fn keep(&mut self, result: &Arc<Selected>) {
        self.results.retain(|kept| kept.key != result.key);
        self.results.push_back(result.clone());
        let fitting = KEPT_ROWS / result.reasons.len().max(1);
        while self.results.len() > fitting.clamp(3, KEPT) {
            self.results.pop_front();
        }
    }
}

/// What a strategy reads beyond the columns that all do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extra {
    None,
    KMeans,
    Vectors,
    Neighbours,
    Pass(Strategy),
}

impl Extra {
    fn of(strategy: Strategy) -> Self {
        match strategy {
            Strategy::PaserNoS2ric => Self::KMeans,
            Strategy::Kcenter => Self::Vectors,
            Strategy::InstructionMining => Self::Neighbours,
            pass if pass.needs_pass() => Self::Pass(pass),
            _ => Self::None,
        }
    }
}

/// Inputs of extra columns: not looked up for a mere view, since all of them follow from the vectors of the manifold.
const EXTRA_INPUTS: [&str; 3] = ["k-means", "neighbours", "vectors"];

/// What differs between the inputs of a selection as a quick look tells them and those that it was made of.
pub(crate) fn changed(quick: &Inputs, made_of: &Inputs) -> Vec<String> {
    let mut names = quick.difference(made_of);
    names.retain(|name| !EXTRA_INPUTS.contains(&name.as_str()));
    names
}

/// The pool as the strategies read it, everything it was made of, and what a person decided about its rows.
struct AtHand {
    columns: Arc<PoolColumns>,
    inputs: Inputs,
    /// Names the clusters as they are shown.
    shown: String,
    curated: Arc<Curated>,
}

impl Session {
    /// Does `work` with a bench that tells nobody. It stops once `cancelled` is set.
    pub(crate) fn quietly<T>(&self, cancelled: &AtomicBool, work: impl FnOnce(&Bench<'_>) -> T) -> T {
        let reporter = Reporter::new(&|_| {}, cancelled);
        work(&Bench {
            session: self,
            reporter: &reporter,
            stage: Stage::Select,
            threads: crate::machine::threads(),
            recipe: self.recipe(),
            memory: None,
            hands: crate::stages::Hands::Here,
            patient: false,
        })
    }

    /// The pool for a strategy, with what it reads beyond the common columns.
    fn pool_columns(&self, strategy: Strategy, bench: &Bench<'_>) -> Outcome<AtHand> {
        let loaded = self.loaded();
        let missing =
            |what: &str| usage(format!("{what} first."), "Run the project: `paser run`, or Run in the window.");
        let samples = loaded.samples.as_ref().ok_or_else(|| missing("The pool has to be imported"))?;
        loaded.manifold.as_ref().ok_or_else(|| missing("The pool has to be clustered"))?;
        let scores = loaded.scores.as_ref().ok_or_else(|| {
            missing("A selection needs the damage of a dense and a pruned model: the pool has to be scored")
        })?;
        let concepts = loaded.concepts.as_ref().ok_or_else(|| missing("The concepts have to be found"))?;
        let clusters = loaded.clusters().ok_or_else(|| missing("The pool has to be clustered"))?;
        let names = loaded.names().ok_or_else(|| missing("The pool has to be clustered"))?;
        let mut inputs = pool_inputs(&loaded).ok_or_else(not_run)?;
        let base = inputs.key();
        let extra = Extra::of(strategy);
        let (mut labels, mut embed, mut distances, mut pass) = (None, None, None, None);
        match extra {
            Extra::None => {}
            Extra::KMeans => {
                let (found, key) = kmeans::labels(bench)?;
                (labels, inputs) = (Some(found), inputs.with("k-means", key));
            }
            Extra::Neighbours => {
                let (found, key) = neighbours::distances(bench)?;
                (distances, inputs) = (Some(found), inputs.with("neighbours", key));
            }
            Extra::Pass(strategy) => {
                let found = passes::bring_up(bench, strategy)?;
                inputs = inputs.with(strategy.name(), &found.key);
                pass = Some((*found.column).clone());
            }
            Extra::Vectors => {
                let plan = EmbedPlan::check(bench)?;
                inputs = inputs.with("vectors", plan.inputs.key());
                embed = Some(plan);
            }
        }
        let shown = clusters.shown.clone();
        let key = format!("{} {shown}", inputs.key());
        if let Some(columns) = lock(&self.selections).pool(extra, &key) {
            return Ok(AtHand { columns, inputs, shown, curated: loaded.curated.clone() });
        }
        let vectors = embed.map(|plan| plan.vectors(bench)).transpose()?;
        let columns = Arc::new(PoolColumns {
            ids: samples.ids.clone(),
            hashes: samples.hashes.clone(),
            clusters: clusters.labels.clone().into(),
            cluster_names: names.to_vec(),
            held_out: samples.held_out.clone(),
            scores: scores.rows.clone(),
            trained_tokens: scores.trained_tokens.clone(),
            concepts: concepts.table.samples.clone(),
            concept_names: concepts.table.names.clone(),
            alternative_clusters: labels,
            vectors: vectors.map(|found| Vectors { values: found.values.into(), dimensions: found.dimensions }),
            neighbour_distances: distances,
            pass,
        });
        lock(&self.selections).keep_pool(extra, KeptPool { base, key, columns: columns.clone() });
        Ok(AtHand { columns, inputs, shown, curated: loaded.curated.clone() })
    }

    /// The columns that every strategy reads.
    pub(crate) fn common_columns(&self, bench: &Bench<'_>) -> Outcome<Arc<PoolColumns>> {
        Ok(self.pool_columns(Strategy::Paser, bench)?.columns)
    }

    /// The same as far as it is known without computing or reading extra columns.
    pub(crate) fn quick_selection_inputs(&self, plan: &SelectionPlan) -> Outcome<Inputs> {
        let loaded = self.loaded();
        let mut inputs = pool_inputs(&loaded).ok_or_else(not_run)?;
        // Unlike other extra columns these depend on the recipe, too.
        if plan.strategy.needs_pass()
            && let Ok(Some(pass)) = passes::wanted(self, &loaded, &self.recipe().recipe, plan.strategy)
        {
            inputs = inputs.with(plan.strategy.name(), pass.key());
        }
        decided_by(plan, inputs, &loaded.curated)
    }

    /// The pool's columns as a strategy reads them, where a selection was computed from those of now.
    pub(crate) fn pool_in_memory(&self, strategy: Strategy) -> Option<Arc<PoolColumns>> {
        let base = pool_inputs(&self.loaded())?.key();
        let cache = lock(&self.selections);
        cache.pools.get(&Extra::of(strategy)).filter(|pool| pool.base == base).map(|pool| pool.columns.clone())
    }

    /// The columns that a selection was made from, where they are those of now and in memory.
    pub(crate) fn pool_of(&self, selected: &Selected) -> Option<Arc<PoolColumns>> {
        let now = pool_inputs(&self.loaded())?;
        let parts = ["samples", "manifold", "scores", "concepts", CLUSTER_EDITS];
        let same = parts.iter().all(|part| now.get(part) == selected.inputs.get(part));
        self.pool_in_memory(selected.view.plan.strategy).filter(|_| same)
    }

    /// Everything that decides the selection of a plan now.
    pub(crate) fn selection_inputs(&self, plan: &SelectionPlan, bench: &Bench<'_>) -> Outcome<Inputs> {
        let pool = self.pool_columns(plan.strategy, bench)?;
        decided_by(plan, pool.inputs, &pool.curated)
    }

    /// The selection of a plan, from memory or computed.
    pub(crate) fn select_with(&self, plan: &SelectionPlan, bench: &Bench<'_>) -> Outcome<Arc<Selected>> {
        let pool = self.pool_columns(plan.strategy, bench)?;
        let inputs = decided_by(plan, pool.inputs.clone(), &pool.curated)?;
        let key = inputs.key();
        // Names and what counts for nothing decide no selection, but are told with it.
        let as_told = |known: &Arc<Selected>| {
            known.shown == pool.shown && known.view.notes == notes(plan, &known.selection, &pool.curated)
        };
        let known = lock(&self.selections).find(&key);
        if let Some(known) = known.filter(as_told) {
            return Ok(known);
        }
        let selection = compute(plan, &pool, bench)?;
        let reasons: Arc<[u8]> = selection.reasons.iter().map(|reason| reason.code() as u8).collect();
        let view = self.selection_view(plan, &selection, &key, &pool.curated);
        let selected = Arc::new(Selected { inputs, key, shown: pool.shown, selection, view, reasons });
        lock(&self.selections).keep(&selected);
        Ok(selected)
    }

    /// The selection of a plan, kept nowhere: for looking at many of them.
    pub(crate) fn select_in_passing(&self, plan: &SelectionPlan, bench: &Bench<'_>) -> Outcome<Selection> {
        let pool = self.pool_columns(plan.strategy, bench)?;
        compute(plan, &pool, bench)
    }

    /// The selection of a plan, which becomes the plan being built.
    ///
    /// # Errors
    /// Whatever keeps the selection from being computed; `cancelled` was set.
    pub fn select(&self, plan: &SelectionPlan, cancelled: &AtomicBool) -> Outcome<SelectionView> {
        let selected = self.quietly(cancelled, |bench| self.select_with(plan, bench))?;
        self.keep_plan(plan)?;
        Ok(selected.view.clone())
    }

    fn selection_view(
        &self,
        plan: &SelectionPlan,
        selection: &Selection,
        key: &str,
        curated: &Curated,
    ) -> SelectionView {
        let mut counts = [0_u64; ReasonCode::ALL.len()];
        for reason in &selection.reasons {
            counts[reason.code() as usize] += 1;
        }
        let noise = lock(&self.noise).as_ref().map(|noise| {
            selection.rows.iter().filter(|row| noise.get(**row as usize).copied().unwrap_or(false)).count() as u64
        });
        SelectionView {
            name: None,
            plan: plan.clone(),
            budget: selection.budget,
            unit: selection.unit.name().to_owned(),
            selected: selection.rows.len() as u64,
            tokens: selection.tokens,
            mean_response_tokens: selection.mean_response_tokens.unwrap_or(0.0),
            acceptance_rate: selection.acceptance_rate,
            above_fence: selection.above_fence.unwrap_or(0.0),
            noise,
            ledger: selection.ledger.clone(),
            reasons: ReasonCode::ALL
                .into_iter()
                .zip(counts)
                .filter(|(_, count)| *count > 0)
                .map(|(code, count)| (code.word().to_owned(), count))
                .collect(),
            reason_column: reason_column(key),
            notes: notes(plan, selection, curated),
        }
    }
}

/// The selection of a plan, whatever is in memory.
fn compute(plan: &SelectionPlan, pool: &AtHand, bench: &Bench<'_>) -> Outcome<Selection> {
    let curation = pool.curated.for_selection(plan.budget.unit());
    let params = SelectParams::new(plan, concepts::rule(&bench.recipe.recipe.concepts));
    bench
        .work(&format!("selecting by {}", plan.strategy), "samples", |monitor| {
            select(&pool.columns, &curation, &params, monitor)
        })
        .map_err(Told::told)
}

/// What the pool's columns are made of; none where one of them is missing.
fn pool_inputs(loaded: &Loaded) -> Option<Inputs> {
    let inputs = Inputs::new()
        .with("samples", &loaded.samples.as_ref()?.key)
        .with("manifold", &loaded.manifold.as_ref()?.key)
        .with("scores", &loaded.scores.as_ref()?.key)
        .with("concepts", &loaded.concepts.as_ref()?.key);
    // Named only where there are any, so that selections made before there could be some keep their names.
    let edits = &loaded.clusters()?.edits;
    Some(if edits.is_empty() { inputs } else { inputs.with(CLUSTER_EDITS, edits) })
}

fn not_run() -> paser_protocol::Report {
    usage("The project has not been run yet.", "Run it first.")
}

fn decided_by(plan: &SelectionPlan, pool: Inputs, curated: &Curated) -> Outcome<Inputs> {
    let strategy = plan.strategy;
    let plan = serde_json::to_string(plan).map_err(|error| failed(error.to_string(), ""))?;
    let mut inputs =
        pool.with("program's selection", VERSION).with("plan", plan).with("curation", &curated.marks.fingerprint);
    // Named only where there are any, so that selections made before there could be some keep their names.
    if let Some(clusters) = curated.clusters.as_ref().filter(|_| heeds_quotas(strategy)) {
        let quotas: Vec<String> = (clusters.quotas.iter().enumerate())
            .filter_map(|(at, quota)| quota.map(|(quota, unit)| format!("{at}: {quota} {}", unit.name())))
            .collect();
        let emphasis: Vec<String> = (clusters.emphasis.iter().enumerate())
            .filter(|(_, factor)| **factor != 1.0)
            .map(|(at, factor)| format!("{at}: {factor}"))
            .collect();
        for (name, set) in [("quotas", quotas), ("emphasis", emphasis)] {
            if !set.is_empty() {
                inputs = inputs.with(name, set.join(", "));
            }
        }
    }
    Ok(inputs)
}

/// Whether a selection that `inputs` decided was made of these samples: only then its rows are theirs.
pub(crate) fn is_of(inputs: &Inputs, samples: &Samples) -> bool {
    inputs.get("samples") == Some(samples.key.as_str())
}

/// Whether the clusters of now are those that a selection was made with.
pub(crate) fn is_of_clusters(inputs: &Inputs, loaded: &Loaded) -> bool {
    let (Some(manifold), Some(clusters)) = (&loaded.manifold, loaded.clusters()) else { return false };
    let edits = inputs.get(CLUSTER_EDITS).unwrap_or_default();
    inputs.get("manifold") == Some(manifold.key.as_str()) && edits == clusters.edits
}

pub(crate) fn another_pool(name: &str) -> paser_protocol::Report {
    usage(format!("{name} was made of another pool."), "Make it again on this pool.")
}

/// The column of a selection's reasons, by its key.
pub(crate) fn reason_column(key: &str) -> String {
    format!("reason-{}", key.get(..24).unwrap_or(key))
}
