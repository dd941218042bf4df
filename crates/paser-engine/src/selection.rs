//! Selections on demand: computed from what is in memory, cached by everything that decides them, frozen whole on
//! request and replayed to the byte (method.md 2 to 4).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::AtomicBool},
    time::{SystemTime, UNIX_EPOCH},
};

use paser_project::{FrozenSelection, Inputs};
use paser_protocol::{Monitor, ReasonCode, SelectionPlan, SelectionView, Silent, Stage, Strategy};
use paser_select::{PoolColumns, Selection, select};
use serde::Serialize;

use crate::{
    convert,
    progress::Reporter,
    session::{Session, lock},
    stages::{Bench, concepts, kmeans},
    trouble::{Outcome, Told, failed, usage},
};

/// Rises when the same inputs would give another selection.
const VERSION: u32 = 1;
/// Selections kept in memory: enough for going back and forth with a slider.
const KEPT: usize = 24;

/// A computed selection.
#[derive(Debug)]
pub(crate) struct Selected {
    pub inputs: Inputs,
    pub key: String,
    pub selection: Selection,
    pub view: SelectionView,
    /// One `ReasonCode` byte per row.
    pub reasons: Arc<[u8]>,
}

#[derive(Default)]
pub(crate) struct SelectionCache {
    /// The pool's columns, by the keys of what they were made of; with k-means labels or without.
    pools: BTreeMap<bool, (String, Arc<PoolColumns>)>,
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

    fn keep(&mut self, result: &Arc<Selected>) {
        self.results.retain(|kept| kept.key != result.key);
        self.results.push_back(result.clone());
        while self.results.len() > KEPT {
            self.results.pop_front();
        }
    }
}

/// How two selections of one pool compare.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    pub first: String,
    pub second: String,
    pub shared: u64,
    /// Shared over all that either holds.
    pub jaccard: f64,
}

/// One selection's account in a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    pub selection: String,
    pub strategy: String,
    pub selected: u64,
    pub tokens: u64,
    pub mean_response_tokens: f64,
    /// Mean JSD of what was taken, nats.
    pub mean_damage: Option<f64>,
    pub above_fence: f64,
    pub noise: Option<u64>,
    /// Cluster name and samples taken there.
    pub clusters: Vec<(String, u64)>,
}

/// `paser compare`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelectionComparison {
    pub selections: Vec<Compared>,
    pub overlaps: Vec<Overlap>,
}

impl Session {
    /// Does `work` with a bench that tells nobody.
    pub(crate) fn quietly<T>(&self, work: impl FnOnce(&Bench<'_>) -> T) -> T {
        let cancel = AtomicBool::new(false);
        let reporter = Reporter::new(&|_| {}, &cancel);
        work(&Bench { session: self, reporter: &reporter, stage: Stage::Select, threads: crate::machine::threads() })
    }

    /// The pool as the strategies read it.
    fn pool_columns(&self, alternative: bool, bench: &Bench<'_>) -> Outcome<(Arc<PoolColumns>, Inputs)> {
        let loaded = self.loaded();
        let missing =
            |what: &str| usage(format!("{what} first."), "Run the project: `paser run`, or Run in the window.");
        let samples = loaded.samples.ok_or_else(|| missing("The pool has to be imported"))?;
        let manifold = loaded.manifold.ok_or_else(|| missing("The pool has to be clustered"))?;
        let scores = loaded.scores.ok_or_else(|| {
            missing("A selection needs the damage of a dense and a pruned model: the pool has to be scored")
        })?;
        let concepts = loaded.concepts.ok_or_else(|| missing("The concepts have to be found"))?;
        let names = loaded.names.ok_or_else(|| missing("The pool has to be clustered"))?;
        let mut inputs = pool_inputs(&samples.key, &manifold.key, &scores.key, &concepts.key);
        let labels = if alternative {
            let (labels, key) = kmeans::labels(bench)?;
            inputs = inputs.with("k-means", key);
            Some(labels)
        } else {
            None
        };
        let key = inputs.key();
        if let Some((known, pool)) = lock(&self.selections).pools.get(&alternative)
            && *known == key
        {
            return Ok((pool.clone(), inputs));
        }
        let pool = Arc::new(PoolColumns {
            ids: samples.ids.clone(),
            hashes: samples.hashes.clone(),
            clusters: manifold.clusters.clone(),
            cluster_names: names.to_vec(),
            held_out: samples.held_out.clone(),
            scores: scores.rows.clone(),
            trained_tokens: scores.trained_tokens.clone(),
            concepts: concepts.table.samples.clone(),
            concept_names: concepts.table.names.clone(),
            alternative_clusters: labels,
        });
        lock(&self.selections).pools.insert(alternative, (key, pool.clone()));
        Ok((pool, inputs))
    }

    /// The same as far as it is known without computing or reading k-means labels.
    pub(crate) fn quick_selection_inputs(&self, plan: &SelectionPlan) -> Outcome<Inputs> {
        let loaded = self.loaded();
        match (&loaded.samples, &loaded.manifold, &loaded.scores, &loaded.concepts) {
            (Some(samples), Some(manifold), Some(scores), Some(concepts)) => {
                self.decided_by(plan, pool_inputs(&samples.key, &manifold.key, &scores.key, &concepts.key))
            }
            _ => Err(usage("The project has not been run yet.", "Run it first.")),
        }
    }

    fn decided_by(&self, plan: &SelectionPlan, pool: Inputs) -> Outcome<Inputs> {
        let plan = serde_json::to_string(plan).map_err(|error| failed(error.to_string(), ""))?;
        let curation = lock(&self.journal).curation().fingerprint();
        Ok(pool.with("program's selection", VERSION).with("plan", plan).with("curation", curation))
    }

    /// The pool's columns, where a selection was computed from them.
    pub(crate) fn pool_in_memory(&self) -> Option<Arc<PoolColumns>> {
        lock(&self.selections).pools.values().next().map(|(_, pool)| pool.clone())
    }

    /// Everything that decides the selection of a plan now.
    pub(crate) fn selection_inputs(&self, plan: &SelectionPlan, bench: &Bench<'_>) -> Outcome<Inputs> {
        let (_, pool) = self.pool_columns(plan.strategy == Strategy::PaserNoS2ric, bench)?;
        self.decided_by(plan, pool)
    }

    /// The selection of a plan, from memory or computed.
    pub(crate) fn select_with(
        &self,
        plan: &SelectionPlan,
        bench: &Bench<'_>,
        monitor: &dyn Monitor,
    ) -> Outcome<Arc<Selected>> {
        let (pool, inputs) = self.pool_columns(plan.strategy == Strategy::PaserNoS2ric, bench)?;
        let inputs = self.decided_by(plan, inputs)?;
        let key = inputs.key();
        if let Some(known) = lock(&self.selections).find(&key) {
            return Ok(known);
        }
        let marks = self.marks();
        let curation = paser_select::Curation {
            pinned: marks.pinned,
            excluded: marks.excluded,
            ..paser_select::Curation::default()
        };
        let params = convert::params(plan, concepts::rule(&self.recipe().recipe.concepts));
        let selection = select(&pool, &curation, &params, monitor).map_err(Told::told)?;
        let reasons: Arc<[u8]> = selection.reasons.iter().map(|reason| convert::code(reason) as u8).collect();
        let view = self.selection_view(plan, &selection, &reasons, &key);
        let selected = Arc::new(Selected { inputs, key, selection, view, reasons });
        lock(&self.selections).keep(&selected);
        Ok(selected)
    }

    /// The selection of a plan, which becomes the plan being built.
    pub fn select(&self, plan: &SelectionPlan) -> Outcome<SelectionView> {
        let selected = self.quietly(|bench| self.select_with(plan, bench, &Silent))?;
        self.keep_plan(plan)?;
        Ok(selected.view.clone())
    }

    /// Computes the selection of a plan and freezes it under a name.
    ///
    /// # Errors
    /// A name that is taken or empty; whatever keeps the selection from being computed.
    pub fn select_as(&self, plan: &SelectionPlan, name: &str) -> Outcome<SelectionView> {
        let name = self.free_name(name)?;
        let selected = self.quietly(|bench| self.select_with(plan, bench, &Silent))?;
        self.store_selection(&name, &selected, false)?;
        self.touch();
        Ok(SelectionView { name: Some(name), ..selected.view.clone() })
    }

    /// Freezes the selection of the current plan.
    pub fn freeze(&self, name: &str) -> Outcome<SelectionView> {
        self.select_as(&self.plan(), name)
    }

    fn free_name(&self, name: &str) -> Outcome<String> {
        let name = name.trim();
        if name.is_empty() {
            return Err(usage("A selection needs a name.", ""));
        }
        if self.frozen().iter().any(|selection| selection.name == name) {
            return Err(usage(
                format!("There is a selection named {name} already."),
                "Choose another name, or discard the old one.",
            ));
        }
        Ok(name.to_owned())
    }

    /// Removes a frozen selection.
    pub fn discard(&self, name: &str) -> Outcome<()> {
        if !lock(&self.catalogue).remove_selection(name).map_err(Told::told)? {
            return Err(no_selection(name, &self.frozen()));
        }
        self.touch();
        Ok(())
    }

    pub(crate) fn store_selection(&self, name: &str, selected: &Selected, by_recipe: bool) -> Outcome<()> {
        let samples = self.samples()?;
        let view = SelectionView { name: Some(name.to_owned()), ..selected.view.clone() };
        let frozen = FrozenSelection {
            name: name.to_owned(),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            by_recipe,
            key: selected.key.clone(),
            inputs: selected.inputs.clone(),
            view: serde_json::to_string(&view).map_err(|error| failed(error.to_string(), ""))?,
            rows: selected.selection.rows.clone(),
            ids: selected.selection.rows.iter().map(|row| samples.ids[*row as usize].clone()).collect(),
            reasons: selected.reasons.to_vec(),
        };
        lock(&self.catalogue).put_selection(&frozen).map_err(Told::told)
    }

    /// Every frozen selection, in the order of their making.
    pub fn frozen(&self) -> Vec<FrozenSelection> {
        lock(&self.catalogue).selections().unwrap_or_default()
    }

    /// A frozen selection by name.
    pub fn frozen_named(&self, name: &str) -> Outcome<FrozenSelection> {
        let all = self.frozen();
        all.iter().find(|selection| selection.name == name).cloned().ok_or_else(|| no_selection(name, &all))
    }

    /// Computes a frozen selection again from the plan it stores, where everything else that decided it is still so.
    /// True: the same rows and reasons to the byte.
    ///
    /// # Errors
    /// Inputs that changed, named.
    pub fn replay(&self, name: &str) -> Outcome<bool> {
        let frozen = self.frozen_named(name)?;
        let view = frozen_view(&frozen)?;
        let selected = self.quietly(|bench| self.select_with(&view.plan, bench, &Silent))?;
        let changed = selected.inputs.difference(&frozen.inputs);
        if !changed.is_empty() {
            return Err(usage(
                format!("{name} cannot be replayed: {} changed since it was frozen", changed.join(", ")),
                "The selection itself is stored whole and can still be exported.",
            ));
        }
        Ok(selected.selection.rows == frozen.rows && *selected.reasons == *frozen.reasons)
    }

    /// Selections side by side: what they share, where they take, what they cost.
    ///
    /// # Errors
    /// Fewer than two names, unknown names, selections of different pools.
    pub fn compare(&self, names: &[String]) -> Outcome<SelectionComparison> {
        if names.len() < 2 {
            return Err(usage("A comparison needs at least two selections.", "Name them: paser compare A B."));
        }
        let loaded = self.loaded();
        let samples = self.samples()?;
        let mut frozen = Vec::new();
        for name in names {
            let selection = self.frozen_named(name)?;
            if selection.reasons.len() != samples.len() {
                return Err(usage(format!("{name} was made of another pool."), "Make it again on this pool."));
            }
            frozen.push(selection);
        }
        let jsd = loaded.scores.as_ref().and_then(|scores| scores.column("jsd").map(<[f32]>::to_vec));
        let mut selections = Vec::new();
        for selection in &frozen {
            let view = frozen_view(selection)?;
            let damages: Vec<f64> = match &jsd {
                Some(jsd) => {
                    selection.rows.iter().map(|row| f64::from(jsd[*row as usize])).filter(|d| !d.is_nan()).collect()
                }
                None => Vec::new(),
            };
            let mut taken = vec![0_u64; loaded.manifold.as_ref().map_or(0, |manifold| manifold.facts.count)];
            if let Some(manifold) = &loaded.manifold {
                for row in &selection.rows {
                    taken[manifold.clusters[*row as usize] as usize] += 1;
                }
            }
            let names = loaded.names.clone().unwrap_or_default();
            selections.push(Compared {
                selection: selection.name.clone(),
                strategy: view.plan.strategy.name().to_owned(),
                selected: selection.rows.len() as u64,
                tokens: view.tokens,
                mean_response_tokens: view.mean_response_tokens,
                mean_damage: (!damages.is_empty()).then(|| damages.iter().sum::<f64>() / damages.len() as f64),
                above_fence: view.above_fence,
                noise: view.noise,
                clusters: names.iter().cloned().zip(taken).collect(),
            });
        }
        let mut overlaps = Vec::new();
        for (at, first) in frozen.iter().enumerate() {
            for second in &frozen[at + 1..] {
                let shared = shared_rows(&first.rows, &second.rows);
                let either = first.rows.len() as u64 + second.rows.len() as u64 - shared;
                overlaps.push(Overlap {
                    first: first.name.clone(),
                    second: second.name.clone(),
                    shared,
                    jaccard: if either == 0 { 1.0 } else { shared as f64 / either as f64 },
                });
            }
        }
        Ok(SelectionComparison { selections, overlaps })
    }

    fn selection_view(&self, plan: &SelectionPlan, selection: &Selection, reasons: &[u8], key: &str) -> SelectionView {
        let mut counts = [0_u64; ReasonCode::ALL.len()];
        for byte in reasons {
            counts[ReasonCode::from_byte(*byte) as usize] += 1;
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
            ledger: selection.ledger.iter().map(convert::ledger_row).collect(),
            reasons: ReasonCode::ALL
                .into_iter()
                .zip(counts)
                .filter(|(_, count)| *count > 0)
                .map(|(code, count)| (code.word().to_owned(), count))
                .collect(),
            reason_column: format!("reason-{}", key.get(..24).unwrap_or(key)),
            notes: self.notes(plan, selection),
        }
    }

    /// Sentences that must stand beside the numbers.
    fn notes(&self, plan: &SelectionPlan, selection: &Selection) -> Vec<String> {
        let mut notes = Vec::new();
        if selection.equal_weights {
            notes.push("No cluster shows any damage, so all have the same weight.".to_owned());
        }
        let exhausted: Vec<&str> = selection
            .ledger
            .iter()
            .filter(|row| row.exhausted && row.cap > 0 && row.quota_raw.is_some())
            .map(|row| row.name.as_str())
            .collect();
        if plan.strategy != Strategy::Full && !exhausted.is_empty() {
            notes.push(format!("Taken whole, so that nothing was chosen there: {}.", exhausted.join("; ")));
        }
        let shortfall: u64 = selection.ledger.iter().map(|row| row.shortfall).sum();
        if shortfall > 0 {
            notes.push(format!("{shortfall} {} of the budget found no sample.", selection.unit.name()));
        }
        let lost = self.marks().lost;
        if lost > 0 {
            notes.push(format!("{lost} pinned or excluded samples are not in this pool and count for nothing."));
        }
        notes
    }
}

fn pool_inputs(samples: &str, manifold: &str, scores: &str, concepts: &str) -> Inputs {
    Inputs::new().with("samples", samples).with("manifold", manifold).with("scores", scores).with("concepts", concepts)
}

/// The view that a frozen selection stores.
pub fn frozen_view(frozen: &FrozenSelection) -> Outcome<SelectionView> {
    serde_json::from_str(&frozen.view).map_err(|error| {
        failed(format!("the stored selection {}: {error}", frozen.name), "Discard it and make it again.")
    })
}

fn no_selection(name: &str, all: &[FrozenSelection]) -> paser_protocol::Report {
    let names: Vec<&str> = all.iter().map(|selection| selection.name.as_str()).collect();
    let advice = if names.is_empty() {
        "There is none yet: make one with `paser select`.".to_owned()
    } else {
        format!("There are {}.", names.join(", "))
    };
    usage(format!("There is no selection named {name}."), advice)
}

fn shared_rows(first: &[u32], second: &[u32]) -> u64 {
    let mut sorted = second.to_vec();
    sorted.sort_unstable();
    first.iter().filter(|row| sorted.binary_search(row).is_ok()).count() as u64
}
