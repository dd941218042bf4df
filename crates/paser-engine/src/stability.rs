//! How far clusters and selection hang on single settings: what a sweep makes of the pool against what is in force, kept
//! by everything that decides it, so that nothing stale is shown; and how a setting is adopted.

use std::{collections::BTreeSet, sync::atomic::AtomicBool};

use paser_manifold::adjusted_rand_index;
use paser_project::{Arrays, Inputs, kept_shards};
use paser_protocol::{Factor, FactorView, Monitor, SelectionPlan, SettingView, StabilityView, Stage, Strategy};
use paser_select::{Curation, PoolColumns, SelectParams, select};

use crate::{
    estimate,
    progress::Sink,
    run::RunOptions,
    session::{Loaded, Session, lock},
    stages::{
        Bench, Made, artefact, concepts, json, manifold, record,
        sweep::{self, Swept},
    },
    trouble::{Outcome, Told, failed, usage},
};

const VERSION: u32 = 1;
/// How far the ends of an estimate lie from its middle.
const SPREAD: (f64, f64) = (0.6, 1.8);

fn stage(factor: Factor) -> &'static str {
    match factor {
        Factor::Dimensions => "stability-dimensions",
        Factor::Time => "stability-time",
        Factor::Clusters => "stability-clusters",
        Factor::Neighbours => "stability-neighbours",
        Factor::Temperature => "stability-temperature",
        Factor::Seed => "stability-seed",
    }
}

/// Every stage that a sweep keeps artefacts under.
pub(crate) const STAGES: [&str; 12] = [
    "sweep-dimensions",
    "sweep-time",
    "sweep-clusters",
    "sweep-neighbours",
    "sweep-temperature",
    "sweep-seed",
    "stability-dimensions",
    "stability-time",
    "stability-clusters",
    "stability-neighbours",
    "stability-temperature",
    "stability-seed",
];

/// The plan whose selections are compared: that being built, as far as it spreads its budget over clusters.
fn plan_of(session: &Session) -> SelectionPlan {
    let plan = session.plan();
    let strategy = match plan.strategy {
        own @ (Strategy::Paser | Strategy::PaserGuarded | Strategy::PaserNoCdais | Strategy::PaserNoNtem) => own,
        _ => Strategy::Paser,
    };
    SelectionPlan { strategy, ..plan }
}

/// Two sets of these sizes among so many: all of both, and what chance would share.
fn overlap(shared: u64, a: u64, b: u64, among: u64) -> (f64, f64) {
    let share = |shared: f64| {
        let all = (a + b) as f64 - shared;
        if all > 0.0 { shared / all } else { 1.0 }
    };
    let by_chance = if among == 0 { 0.0 } else { a as f64 * b as f64 / among as f64 };
    (share(shared as f64), share(by_chance))
}

impl Session {
    /// What is known of how far clusters and selection hang on single settings.
    ///
    /// # Errors
    /// A catalogue that cannot be read.
    pub fn stability(&self) -> Outcome<StabilityView> {
        let (loaded, plan) = (self.loaded(), plan_of(self));
        let vectors = match self.swept_vectors(&loaded) {
            Ok(vectors) => vectors,
            Err(report) => {
                return Ok(StabilityView { factors: Vec::new(), budget: plan.budget, blocked: Some(report) });
            }
        };
        let factors = Factor::ALL.map(|factor| self.factor_view(&loaded, &vectors, &plan, factor));
        let factors = factors.into_iter().collect::<Outcome<_>>()?;
        Ok(StabilityView { factors, budget: plan.budget, blocked: None })
    }

    /// Key of the vectors, where clusters and scores are there and the clusters are those of the recipe.
    fn swept_vectors(&self, loaded: &Loaded) -> Outcome<String> {
        let first = || usage("The pool has to be clustered and scored first.", "Run the project.");
        let (Some(samples), Some(data)) = (&loaded.samples, &loaded.manifold) else { return Err(first()) };
        if loaded.scores.is_none() || loaded.concepts.is_none() {
            return Err(first());
        }
        let record = lock(&self.catalogue).stage(manifold::STAGE).map_err(Told::told)?.ok_or_else(first)?;
        let vectors = record.inputs.get("vectors").unwrap_or_default().to_owned();
        if manifold::inputs(&self.recipe().recipe, samples, &vectors).key() != data.key {
            return Err(usage("The clusters are not those of the recipe.", "Run the project first."));
        }
        Ok(vectors)
    }

    fn factor_view(&self, loaded: &Loaded, vectors: &str, plan: &SelectionPlan, factor: Factor) -> Outcome<FactorView> {
        let recipe = self.recipe();
        let recipe = &recipe.recipe;
        let data = loaded.manifold.as_ref().ok_or_else(|| failed("the clusters are gone", "Run the project."))?;
        let (current, values) = sweep::values(factor, &recipe.manifold, data.facts.count_before_merge);
        let swept = sweep::inputs(loaded, &recipe.manifold, vectors, factor)?.key();
        let key = compared(loaded, plan, &swept)?.key();
        let settings = self.store.manifest(stage(factor), &key);
        let settings: Vec<SettingView> =
            settings.and_then(|manifest| serde_json::from_value(manifest.summary).ok()).unwrap_or_default();
        let has_sweep = self.store.manifest(sweep::stage(factor), &swept).is_some();
        let kept = kept_shards(&self.folder.jobs(), sweep::stage(factor), &swept);
        let estimate = match (settings.is_empty(), has_sweep, factor) {
            (false, ..) => None,
            (true, true, _) => Some(self.seconds_of_selecting(loaded, values.len())),
            (true, false, Factor::Temperature) => estimate::stage(self, loaded, recipe, Stage::Score),
            (true, false, _) => {
                let seconds = sweep::seconds_of_setting(data) * (values.len() - 1) as f64;
                let (low, high) = self.seconds_of_selecting(loaded, values.len());
                Some((seconds * SPREAD.0 + low, seconds * SPREAD.1 + high))
            }
        };
        let left = kept.map_or(1.0, |(finished, shards)| 1.0 - finished as f64 / shards.max(1) as f64);
        Ok(FactorView {
            factor,
            current,
            settings,
            values,
            estimate: estimate.map(|(low, high)| (low * left, high * left)),
            kept: kept.map(|(finished, shards)| (finished as u64, shards as u64)),
        })
    }

    fn seconds_of_selecting(&self, loaded: &Loaded, settings: usize) -> (f64, f64) {
        let rows = loaded.samples.as_ref().map_or(0, |samples| samples.len());
        let seconds = settings as f64 * (0.01 + rows as f64 * 1e-5);
        (seconds * SPREAD.0, seconds * SPREAD.1)
    }

    /// Sweeps these factors, each setting a part that a stop does not lose.
    ///
    /// # Errors
    /// What is missing for it; `cancel` was set: what was finished stays.
    pub fn sweep_factors(
        &self,
        factors: &[Factor],
        options: &RunOptions,
        events: Sink<'_>,
        cancel: &AtomicBool,
    ) -> Outcome<StabilityView> {
        self.long_work(Stage::Manifold, options, events, cancel, |bench| {
            let factors: BTreeSet<Factor> = factors.iter().copied().collect();
            factors.into_iter().try_for_each(|factor| compare_settings(bench, factor))
        })?;
        self.stability()
    }

    /// Writes a setting of the recipe; a run follows it.
    ///
    /// # Errors
    /// The temperature, which the recipe does not have; a value that it does not allow.
    pub(crate) fn adopt(&self, factor: Factor, value: f64) -> Outcome<()> {
        let whole = || format!("{}", value as u64);
        match factor {
            Factor::Dimensions => self.set_recipe("manifold", "dimensions", &whole()),
            Factor::Time => self.set_recipe("manifold", "time", &format!("{value:?}")),
            Factor::Clusters => self.set_recipe("manifold", "clusters", &whole()),
            Factor::Neighbours => {
                if self.recipe().recipe.manifold.candidates < value as usize {
                    self.set_recipe("manifold", "candidates", &whole())?;
                }
                self.set_recipe("manifold", "neighbours", &whole())
            }
            Factor::Seed => self.set_recipe("manifold", "seed", &whole()),
            Factor::Temperature => Err(usage(
                "The scores are made at a temperature of 1, as in the paper.",
                "Other temperatures are for looking at.",
            )),
        }
    }
}

/// Everything that decides the comparison of a factor's settings with what is in force.
fn compared(loaded: &Loaded, plan: &SelectionPlan, swept: &str) -> Outcome<Inputs> {
    let key = |part: Option<&String>| {
        part.cloned().ok_or_else(|| usage("The pool has to be clustered and scored first.", "Run the project."))
    };
    Ok(Inputs::new()
        .with("program's stability", VERSION)
        .with("sweep", swept)
        .with("samples", key(loaded.samples.as_ref().map(|samples| &samples.key))?)
        .with("manifold", key(loaded.manifold.as_ref().map(|manifold| &manifold.key))?)
        .with("scores", key(loaded.scores.as_ref().map(|scores| &scores.key))?)
        .with("concepts", key(loaded.concepts.as_ref().map(|concepts| &concepts.key))?)
        .with("plan", serde_json::to_string(plan).map_err(|error| failed(error.to_string(), ""))?)
        .with("curation", &loaded.curated.marks.fingerprint))
}

fn compare_settings(bench: &Bench<'_>, factor: Factor) -> Outcome<()> {
    let session = bench.session;
    let (swept, key) = sweep::bring_up(bench, factor)?;
    let (loaded, plan) = (session.loaded(), plan_of(session));
    let inputs = compared(&loaded, &plan, &key)?;
    let (found, _) = artefact(bench, stage(factor), &inputs, || {
        let settings = settings(bench, &loaded, &plan, factor, &swept)?;
        Ok(Made { arrays: Arrays::new(), summary: json(&settings) })
    })?;
    record(session, stage(factor), &found)?;
    session.touch();
    bench.changed();
    Ok(())
}

fn settings(
    bench: &Bench<'_>,
    loaded: &Loaded,
    plan: &SelectionPlan,
    factor: Factor,
    swept: &Swept,
) -> Outcome<Vec<SettingView>> {
    let session = bench.session;
    let data = loaded.manifold.as_ref().ok_or_else(|| failed("the clusters are gone", "Run the project."))?;
    let recipe = &bench.recipe.recipe;
    let (current, values) = sweep::values(factor, &recipe.manifold, data.facts.count_before_merge);
    // As the manifold made the clusters: what a person made of them does not apply to others.
    let base = PoolColumns {
        clusters: data.clusters.clone().into(),
        cluster_names: names(data.facts.count as u32),
        ..(*session.common_columns(bench)?).clone()
    };
    let marks = &loaded.curated.marks;
    let curation = Curation { pinned: marks.pinned.clone(), excluded: marks.excluded.clone(), ..Curation::default() };
    let params = SelectParams::new(plan, concepts::rule(&recipe.concepts));
    let among = base.selectable_samples();
    let open = |labels: &[u32]| -> Vec<u32> {
        labels.iter().zip(&base.held_out).filter(|(_, held_out)| !**held_out).map(|(label, _)| *label).collect()
    };
    let here = open(&data.clusters);
    bench.work("selections at other settings", "settings", |monitor| {
        let taken = |pool: &PoolColumns| select(pool, &curation, &params, &StopOnly(monitor)).map_err(Told::told);
        let reference = taken(&base)?.rows;
        let held: BTreeSet<u32> = reference.iter().copied().collect();
        let mut found = Vec::with_capacity(values.len());
        let mut other = 0;
        for (at, &value) in values.iter().enumerate() {
            monitor.progress(at as u64, values.len() as u64);
            let is_current = value == current;
            let (pool, agreement, count) = match swept {
                _ if is_current => (None, 1.0, data.facts.count as u32),
                Swept::Clusters(each) => {
                    let (labels, count) = &each[other];
                    let pool =
                        PoolColumns { clusters: labels.clone().into(), cluster_names: names(*count), ..base.clone() };
                    (Some(pool), adjusted_rand_index(&here, &open(labels)), *count)
                }
                Swept::Scores(each) => {
                    let pool = PoolColumns { scores: each[other].clone().into(), ..base.clone() };
                    (Some(pool), 1.0, data.facts.count as u32)
                }
            };
            other += usize::from(!is_current);
            let rows = match &pool {
                Some(pool) => taken(pool)?.rows,
                None => reference.clone(),
            };
            let shared = rows.iter().filter(|row| held.contains(row)).count() as u64;
            let (selected, of) = (rows.len() as u64, reference.len() as u64);
            let (overlap, chance) = overlap(shared, selected, of, among);
            found.push(SettingView {
                value,
                current: is_current,
                agreement,
                rows: here.len() as u64,
                clusters: count,
                selected,
                shared,
                overlap,
                chance,
            });
        }
        Ok(found)
    })
}

/// Hears of a stop, and tells of no progress: a selection counts other things than the sweep.
struct StopOnly<'a>(&'a dyn Monitor);

impl Monitor for StopOnly<'_> {
    fn progress(&self, _done: u64, _total: u64) {}

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

fn names(count: u32) -> Vec<String> {
    (1..=count).map(|number| format!("cluster {number}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_stands_beside_that_of_chance() {
        // 30 of 40 and 60 shared: 30 of 70. By chance 40 x 60 / 200 = 12 of 88.
        let (found, chance) = overlap(30, 40, 60, 200);
        assert!((found - 30.0 / 70.0).abs() < 1e-12 && (chance - 12.0 / 88.0).abs() < 1e-12);
        assert_eq!(overlap(0, 0, 0, 0), (1.0, 1.0));
        assert_eq!(overlap(5, 5, 5, 5), (1.0, 1.0));
    }

    #[test]
    fn every_factor_has_its_own_stages() {
        let mut all: Vec<&str> =
            Factor::ALL.iter().flat_map(|factor| [sweep::stage(*factor), stage(*factor)]).collect();
        let mut known = STAGES.to_vec();
        all.sort_unstable();
        known.sort_unstable();
        assert_eq!(all, known);
    }
}
