//! The columns of `ifd`, `superfiltering` and `nuggets`: each a pass of its own over the pool (method.md 4), computed in
//! shards that survive a kill, only where a selection asks for it and never while a face waits for an answer.

mod ifd;
mod nuggets;
mod superfiltering;

use std::{sync::Arc, time::Instant};

use paser_project::{Array, Arrays, Artefact, Inputs, ShardPlan, kept_shards, recipe::Recipe};
use paser_protocol::{PassModel, PassView, Stage, Strategy};
use paser_score::ScoreParams;
use paser_select::PassColumn;
use serde::{Deserialize, Serialize};

use super::{Bench, Made, artefact, json, record, score};
use crate::{
    estimate,
    job::{self, Shards},
    loaded::f32s,
    progress::Part,
    session::{Loaded, Session, lock},
    sources::{self, Kind, Known, NotHere},
    trouble::{Outcome, Told, failed, usage},
};

const VERSION: u32 = 1;
/// From here on the words of an estimate advise against it.
const LONG: f64 = 6.0 * 3600.0;
/// Samples of a shard, at most.
const SHARD: usize = 2000;

/// What a pass measured, in memory.
#[derive(Debug)]
pub(crate) struct PassData {
    pub key: String,
    pub inputs: Inputs,
    pub column: Arc<PassColumn>,
    pub facts: PassFacts,
}

/// Numbers of a pass that are not per row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PassFacts {
    /// What the column is called on screen.
    pub label: String,
    /// Samples with a number.
    pub measured: u64,
    /// Floating point operations per second.
    pub rate: f64,
    /// Rows of the anchor tasks.
    pub anchors: Vec<u32>,
}

impl PassData {
    pub(crate) fn read(artefact: &mut Artefact) -> Outcome<Self> {
        let facts = serde_json::from_value(artefact.manifest.summary.clone()).map_err(|error| {
            failed(format!("the {} manifest: {error}", artefact.manifest.stage), "Compute it again.")
        })?;
        let column = PassColumn { values: f32s(artefact, "values")?, ties: f32s(artefact, "ties")? };
        let inputs = artefact.manifest.inputs.clone();
        Ok(Self { key: artefact.manifest.key.clone(), inputs, column: Arc::new(column), facts })
    }

    /// Whether it was made of what is in memory.
    pub(crate) fn is_of(&self, loaded: &Loaded) -> bool {
        let samples = loaded.samples.as_ref().map(|samples| samples.fingerprint.as_str());
        let scores = self.inputs.get("scores");
        self.inputs.get("samples") == samples
            && (scores.is_none() || scores == loaded.scores.as_ref().map(|scores| scores.key.as_str()))
    }
}

/// Everything that decides the column of a strategy, as far as it is known without reading a model: none where the
/// filter model was not read yet.
///
/// # Errors
/// What keeps the column from being computed.
pub(crate) fn wanted(
    session: &Session,
    loaded: &Loaded,
    recipe: &Recipe,
    strategy: Strategy,
) -> Outcome<Option<Inputs>> {
    let first = || usage("The pool has to be scored first.", "Run the project.");
    let samples = loaded.samples.as_ref().ok_or_else(first)?;
    let scores = loaded.scores.as_ref().ok_or_else(first)?;
    let settings = &recipe.strategies;
    let inputs = Inputs::new().with("program's pass", VERSION).with("samples", &samples.fingerprint);
    match strategy {
        Strategy::Ifd => Ok(Some(inputs.with("scores", &scores.key).with("model", settings.ifd_model))),
        Strategy::Superfiltering => {
            let reference = filter_model(recipe)?;
            match sources::known_model(&lock(&session.catalogue), &session.folder, reference) {
                Known::Yes(facts) | Known::Gone(facts) => Ok(Some(superfiltering::inputs(inputs, &facts))),
                Known::Unread => Ok(None),
                Known::Absent(report) => match sources::find_model(&session.folder, reference, Kind::Model) {
                    Err(NotHere::NotDownloaded(_)) => Ok(None),
                    _ => Err(report),
                },
            }
        }
        Strategy::Nuggets => {
            let manifold = lock(&session.catalogue).stage(super::manifold::STAGE).map_err(Told::told)?;
            let vectors = manifold.as_ref().and_then(|record| record.inputs.get("vectors"));
            let vectors = vectors.ok_or_else(|| usage("The pool has to be clustered first.", "Run the project."))?;
            Ok(Some(
                inputs
                    .with("scores", &scores.key)
                    .with("vectors", vectors)
                    .with("held-out samples", &samples.held_out_fingerprint)
                    .with("model", settings.nuggets_model)
                    .with("anchors", settings.nuggets_anchors)
                    .with("anchors from", settings.nuggets_from)
                    .with("seed", recipe.manifold.seed),
            ))
        }
        other => Err(failed(format!("{other} needs no pass of its own"), "")),
    }
}

fn filter_model(recipe: &Recipe) -> Outcome<&str> {
    let reference = recipe.strategies.filter_model.trim();
    if reference.is_empty() {
        return Err(usage(
            "superfiltering needs a small language model, and the recipe names none.",
            "Write one into [strategies] of recipe.toml: filter_model = \"FOLDER or org/name\".",
        ));
    }
    Ok(reference)
}

/// Where the columns of all such strategies stand.
pub(crate) fn views(session: &Session, loaded: &Loaded, recipe: &Recipe) -> Vec<PassView> {
    Strategy::WITH_PASS.map(|strategy| view(session, loaded, recipe, strategy)).to_vec()
}

pub(crate) fn view(session: &Session, loaded: &Loaded, recipe: &Recipe, strategy: Strategy) -> PassView {
    let wanted = wanted(session, loaded, recipe, strategy);
    let key = wanted.as_ref().ok().and_then(|inputs| inputs.as_ref().map(Inputs::key));
    let ready = key.as_ref().filter(|key| {
        loaded.passes.get(&strategy).is_some_and(|pass| pass.key == **key)
            || session.store.manifest(strategy.name(), key).is_some()
    });
    let kept = key.as_ref().and_then(|key| kept_shards(&session.folder.jobs(), strategy.name(), key));
    let left = kept.map_or(1.0, |(finished, shards)| 1.0 - finished as f64 / shards.max(1) as f64);
    let estimate = estimate::pass(session, loaded, recipe, strategy);
    PassView {
        strategy,
        key: ready.cloned(),
        blocked: wanted.err(),
        what: what(recipe, strategy),
        estimate: estimate.map(|(low, high)| (low * left, high * left)),
        kept: kept.map(|(finished, shards)| (finished as u64, shards as u64)),
    }
}

fn what(recipe: &Recipe, strategy: Strategy) -> String {
    let settings = &recipe.strategies;
    match strategy {
        Strategy::Ifd => format!("one more pass of the {} model over the responses alone", settings.ifd_model),
        Strategy::Superfiltering => "two passes of the filter model over the pool".to_owned(),
        _ => format!(
            "a pass of every sample as an example before {} anchor tasks, by the {} model",
            settings.nuggets_anchors, settings.nuggets_model
        ),
    }
}

/// `about 2 to 5 min`
pub(crate) fn words_of(estimate: Option<(f64, f64)>) -> String {
    let Some((low, high)) = estimate else { return "its time depends on a model that is not here yet".to_owned() };
    let (unit, name) = if high < 120.0 {
        (1.0, "s")
    } else if high < 7200.0 {
        (60.0, "min")
    } else {
        (3600.0, "hours")
    };
    let number = |seconds: f64| (seconds / unit).ceil().max(1.0);
    let range = format!("about {} to {} {name}", number(low), number(high));
    if high > LONG { format!("{range}, so ask for fewer anchors, a smaller model or a smaller pool") } else { range }
}

/// The column of a strategy: in memory, found, or computed where the bench may take its time.
///
/// # Errors
/// What keeps it from being computed; on a request's thread, that it has to be computed first and what that costs.
pub(crate) fn bring_up(bench: &Bench<'_>, strategy: Strategy) -> Outcome<Arc<PassData>> {
    let session = bench.session;
    let recipe = &bench.recipe.recipe;
    if let Some(found) = at_hand(bench, strategy)? {
        return Ok(found);
    }
    if !bench.patient {
        let view = view(session, &session.loaded(), recipe, strategy);
        return Err(usage(
            format!("{strategy} needs {}: {}.", view.what, words_of(view.estimate)),
            "Compute it first: in the window by Compute, in a terminal by `paser select`.",
        ));
    }
    let filter = match strategy {
        Strategy::Superfiltering => Some(score::source(bench, filter_model(recipe)?, "filter")?),
        _ => None,
    };
    if filter.is_none() {
        score::check_current(bench)?;
    }
    let inputs = wanted(session, &session.loaded(), recipe, strategy)?
        .ok_or_else(|| failed("the filter model changed while it was read", "Try again."))?;
    estimate::check_memory(session, recipe, Stage::Score, bench.memory)?;
    let mut shards = None;
    let (found, _) = artefact(bench, strategy.name(), &inputs, || {
        let pass = Pass { bench, recipe, strategy, key: inputs.key() };
        match (strategy, &filter) {
            (Strategy::Ifd, _) => ifd::run(&pass, &mut shards),
            (Strategy::Superfiltering, Some(filter)) => superfiltering::run(&pass, filter, &mut shards),
            _ => nuggets::run(&pass, &inputs, &mut shards),
        }
    })?;
    if let Some(shards) = shards {
        shards.clear()?;
    }
    keep(session, strategy, found)
}

/// The column where it is in memory or among the artefacts.
fn at_hand(bench: &Bench<'_>, strategy: Strategy) -> Outcome<Option<Arc<PassData>>> {
    let (session, loaded) = (bench.session, bench.session.loaded());
    let Some(inputs) = wanted(session, &loaded, &bench.recipe.recipe, strategy)? else { return Ok(None) };
    let key = inputs.key();
    if let Some(known) = loaded.passes.get(&strategy).filter(|pass| pass.key == key) {
        return Ok(Some(known.clone()));
    }
    match session.store.get(strategy.name(), &key) {
        Ok(Some(found)) => keep(session, strategy, found).map(Some),
        Ok(None) => Ok(None),
        Err(damaged) => {
            bench.notice(format!("{damaged}; it is computed anew"));
            Ok(None)
        }
    }
}

fn keep(session: &Session, strategy: Strategy, mut found: Artefact) -> Outcome<Arc<PassData>> {
    let data = Arc::new(PassData::read(&mut found)?);
    record(session, strategy.name(), &found)?;
    session.with_loaded(|loaded| {
        loaded.passes.insert(strategy, data.clone());
    });
    Ok(data)
}

/// A pass at work.
struct Pass<'a> {
    bench: &'a Bench<'a>,
    recipe: &'a Recipe,
    strategy: Strategy,
    key: String,
}

/// A value of a sample and what decides between equal ones; NaN where there is none.
type Measured = (f32, f32);

impl Pass<'_> {
    fn score_params(&self, vocabulary: usize) -> ScoreParams {
        ScoreParams {
            tokens_per_batch: self.recipe.score.batch_tokens,
            head_chunk: score::HEAD_CHUNK,
            threads: self.bench.threads,
            vocabulary,
        }
    }

    /// The dense or the pruned model, which the scores were made of.
    fn model(&self, which: PassModel) -> Outcome<score::Source> {
        match which {
            PassModel::Dense => score::source(self.bench, &self.recipe.models.dense, "dense"),
            PassModel::Pruned => score::pruned_source(self.bench),
        }
    }

    /// Measures the rows of `order` in shards of bounded work: `cost` of a row in tokens, `parameters` of the model.
    fn in_shards(
        &self,
        what: &str,
        order: &[u32],
        parameters: u64,
        cost: impl Fn(u32) -> u64,
        mut measure: impl FnMut(&[u32], &Part<'_>) -> Outcome<Vec<Measured>>,
        kept: &mut Option<Shards>,
    ) -> Outcome<Columns> {
        let session = self.bench.session;
        let operations = 2.0 * parameters as f64;
        let most = score::shard_tokens(operations, self.recipe.score.batch_tokens);
        let size = self.recipe.score.shard.min(SHARD);
        let plan = ShardPlan::cut_by(self.strategy.name(), &self.key, order, size, most, &cost);
        let started = Instant::now();
        let tokens = |rows: &[u32]| rows.iter().map(|row| cost(*row)).sum::<u64>();
        let compute = |rows: &[u32], part: &Part<'_>| {
            let (values, ties): (Vec<f32>, Vec<f32>) = measure(rows, part)?.into_iter().unzip();
            let mut arrays = Arrays::new();
            arrays.insert("values", Array::column(values)).insert("ties", Array::column(ties));
            Ok(arrays)
        };
        let shards = job::run_here(self.bench, what, "tokens", plan, tokens, compute)?;
        let rate = operations * tokens(order) as f64 / started.elapsed().as_secs_f64().max(1e-3);
        if shards.computed == shards.total && shards.total > 0 {
            lock(&session.catalogue).set_rate(self.strategy.name(), rate).map_err(Told::told)?;
        }
        let rows = session.samples()?.len();
        let mut columns = Columns { values: vec![f32::NAN; rows], ties: vec![f32::NAN; rows], rate };
        let lacking = || failed("a shard lacks a column", "Compute it again.");
        for (members, arrays) in shards.parts() {
            for (name, column) in [("values", &mut columns.values), ("ties", &mut columns.ties)] {
                let found = arrays.f32(name).filter(|found| found.len() == members.len()).ok_or_else(lacking)?;
                for (row, value) in members.iter().zip(found) {
                    column[*row as usize] = *value;
                }
            }
        }
        *kept = Some(shards);
        Ok(columns)
    }
}

struct Columns {
    values: Vec<f32>,
    ties: Vec<f32>,
    rate: f64,
}

impl Columns {
    fn made(self, label: String, anchors: Vec<u32>) -> Made {
        let measured = self.values.iter().filter(|value| !value.is_nan()).count() as u64;
        let facts = PassFacts { label, measured, rate: self.rate, anchors };
        let mut arrays = Arrays::new();
        arrays.insert("values", Array::column(self.values)).insert("ties", Array::column(self.ties));
        Made { arrays, summary: json(&facts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_read_in_a_fitting_unit_and_hours_are_advised_against() {
        assert_eq!(words_of(Some((0.2, 1.4))), "about 1 to 2 s");
        assert_eq!(words_of(Some((70.0, 210.0))), "about 2 to 4 min");
        let long = words_of(Some((20_000.0, 60_000.0)));
        assert!(long.starts_with("about 6 to 17 hours, so ask for fewer anchors"), "{long}");
        assert!(words_of(None).contains("not here yet"));
    }
}
