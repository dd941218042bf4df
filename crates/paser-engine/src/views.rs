//! The project as a face sees it: stages with what is stale and why, curves, curation, and what `clusters.rs` tells of
//! the clusters.

use std::sync::TryLockError;

use paser_project::{Inputs, SelectionHead, kept_shards, recipe::Recipe, workers};
use paser_protocol::{
    BadRowView, CurationView, CurveView, ManifoldView, PoolView, ProjectView, RunView, SelectionView, Stage,
    StageState, StageView,
};

use crate::{
    clusters, estimate,
    frozen::stored_view,
    pool_source,
    schemes::WantedScores,
    selection,
    session::{Loaded, Session, lock},
    sources::{self, Known, pruning_words},
    stages::{concepts, embed, import, manifold, passes, score},
    trouble::{Outcome, Told},
};

/// Bad rows that a view lists.
const BAD_ROWS: usize = 50;

impl Session {
    /// Everything but bulk columns and texts.
    pub fn view(&self) -> ProjectView {
        let mut loaded = self.loaded();
        let recipe = self.recipe();
        let (dense, pruned) = score::known_pair(self, &recipe.recipe);
        let facts = (dense.clone().and_then(Known::value), pruned.clone().and_then(Known::value));
        let others = self.known_others(&recipe.recipe);
        let wanted_others = self.wanted_others(&loaded, &recipe.recipe, facts.0.as_ref(), &others);
        let wanted = self.wanted(&loaded, &recipe.recipe, dense, pruned);
        // What another pair of models or another template began says nothing of this one.
        let [.., scores, _] = &wanted;
        let others_keys =
            wanted_others.iter().filter_map(|(reference, wanted)| Some((reference.clone(), wanted.key()?)));
        let meant = WantedScores { own: scores.key(), others: others_keys.collect() };
        loaded.partial = loaded.partial.filter(|partial| meant.own.as_ref() == Some(&partial.key));
        let parts = self.parts(&loaded);
        let heads = self.selection_heads();
        let views = heads.as_deref().unwrap_or_default().iter().map(|head| stored_view(&head.name, &head.view));
        ProjectView {
            name: self.name(),
            path: self.root().to_string_lossy().into_owned(),
            demo: self.is_demo(),
            revision: self.revision(),
            dense: model_name(&recipe.recipe.models.dense),
            pruned: pruned_name(&recipe.recipe),
            pruning: match &facts {
                (Some(dense), Some(pruned)) => pruning_words(dense, pruned),
                _ => String::new(),
            },
            template: recipe.recipe.template.name.clone(),
            device: crate::machine::describe(),
            recipe: recipe.text.clone(),
            pool: self.pool_view(&loaded, &recipe.recipe),
            // One that cannot be read is told of by the stage that makes them.
            selections: views.flatten().collect(),
            stages: self.stage_views(&loaded, &recipe.recipe, &heads, wanted, &wanted_others),
            manifold: manifold_view(&loaded),
            clusters: clusters::marked(&parts.clusters, &loaded),
            schemes: self.scheme_views(
                &loaded,
                &recipe.recipe,
                &parts,
                (facts.0.as_ref(), facts.1.as_ref()),
                &others,
                &meant,
            ),
            scored_so_far: loaded.partial.as_ref().map(|partial| partial.scored as u64),
            damage_scale: parts.damage_scale,
            columns: parts.columns.clone(),
            plan: self.plan(),
            strategies: recipe.recipe.strategies.clone(),
            passes: passes::views(self, &loaded, &recipe.recipe),
            curation: loaded.curated.view(),
            job: lock(&self.job).clone(),
            run: self.run_view(),
            comparison: lock(&self.comparison).clone(),
        }
    }

    /// The run that was begun and has not ended, and the worker that is at work for it.
    fn run_view(&self) -> Option<RunView> {
        let intent = self.intent()?;
        let worker = workers(&self.folder.jobs()).first().map(|(_, worker)| worker.pid);
        let at_work = matches!(self.running.try_lock(), Err(TryLockError::WouldBlock));
        Some(RunView { until: intent.until, paused: intent.paused, at_work, worker })
    }

    /// Every frozen selection as a face shows it.
    ///
    /// # Errors
    /// One that cannot be read.
    pub(crate) fn selection_views(&self) -> Outcome<Vec<SelectionView>> {
        self.selection_heads()?.iter().map(|head| stored_view(&head.name, &head.view)).collect()
    }

    pub(crate) fn curation_view(&self) -> CurationView {
        self.loaded().curated.view()
    }

    fn pool_view(&self, loaded: &Loaded, recipe: &Recipe) -> PoolView {
        let path = match &recipe.pool.path {
            hub if pool_source::is_hub(hub) => hub.clone(),
            file => self.folder.resolve(file).to_string_lossy().into_owned(),
        };
        let Some(samples) = &loaded.samples else { return PoolView { path, ..PoolView::default() } };
        let facts = &samples.facts;
        let scores = loaded.scores.as_ref().map(|scores| &scores.facts);
        let mut roles = vec![("instruction".to_owned(), facts.roles.instruction.clone())];
        roles.extend(facts.roles.input.iter().map(|name| ("input".to_owned(), name.clone())));
        roles.push(("output".to_owned(), facts.roles.output.clone()));
        roles.extend(facts.roles.id.iter().map(|name| ("id".to_owned(), name.clone())));
        PoolView {
            key: samples.key.clone(),
            path,
            rows: facts.report.rows_read - facts.report.bad_total,
            samples: samples.len() as u64,
            merged: facts.report.merged,
            bad: facts.report.bad_total,
            bad_rows: facts
                .report
                .bad
                .iter()
                .take(BAD_ROWS)
                .map(|bad| BadRowView { line: bad.line, reason: bad.reason.clone() })
                .collect(),
            held_out: samples.held_out.iter().filter(|held| **held).count() as u64,
            unscorable: scores.map_or(0, |facts| facts.unscorable),
            tokens: scores.map_or(0, |facts| facts.tokens),
            response_tokens: scores.map_or(0, |facts| facts.response_tokens),
            cut: scores.map_or(0, |facts| facts.cut),
            roles,
        }
    }

    /// Every stage: done, stale and why, missing, failed, running.
    fn stage_views(
        &self,
        loaded: &Loaded,
        recipe: &Recipe,
        heads: &Outcome<Vec<SelectionHead>>,
        wanted: [Wanted; 5],
        others: &[(String, Wanted)],
    ) -> Vec<StageView> {
        let running = lock(&self.job).as_ref().map(|job| job.stage);
        let failures = lock(&self.failures).clone();
        let mut unfinished: Vec<Stage> = Vec::new();
        Stage::ALL
            .into_iter()
            .zip(wanted)
            .map(|(stage, wanted)| {
                let kept_of = |wanted: &Wanted| {
                    let kept = kept_shards(&self.folder.jobs(), stage.name(), &wanted.key()?)?;
                    Some((kept.0 as u64, kept.1 as u64))
                };
                // A run scores one pair after the other.
                let pairs: Vec<&Wanted> = match stage {
                    Stage::Score => std::iter::once(&wanted).chain(others.iter().map(|(_, wanted)| wanted)).collect(),
                    _ => vec![&wanted],
                };
                let kept = pairs.iter().find_map(|wanted| kept_of(wanted));
                let share = |wanted: &Wanted| match wanted.key() {
                    Some(key) if self.store.manifest(stage.name(), &key).is_some() => 0.0,
                    _ => kept_of(wanted).map_or(1.0, |(finished, all)| 1.0 - finished as f64 / all.max(1) as f64),
                };
                let shares: Vec<f64> =
                    if stage == Stage::Score { pairs.iter().map(|wanted| share(wanted)).collect() } else { Vec::new() };
                let mut state = match stage {
                    Stage::Select => self.select_state(loaded, recipe, heads),
                    _ => self.stage_state(stage, loaded, wanted),
                };
                let mut hinders = true;
                let lacking = unscored(loaded, others);
                if let (Stage::Score, StageState::Done { .. }, false) = (stage, &state, lacking.is_empty()) {
                    state = StageState::Stale { why: format!("to be scored: {}", lacking.join(", ")) };
                    // Selections read the scores of the project's own pruned model only.
                    hinders = false;
                }
                let first = unfinished.iter().find(|above| leans_on(stage, **above));
                if let (StageState::Done { .. }, Some(above)) = (&state, first) {
                    state = StageState::Stale { why: format!("{} comes first", above.name()) };
                }
                // Also where what it made before still fits: the next run stops here all the same.
                if let Some(report) = failures.get(&stage) {
                    state = StageState::Failed { report: report.clone() };
                    hinders = true;
                }
                if hinders && !matches!(state, StageState::Done { .. }) {
                    unfinished.push(stage);
                }
                if running == Some(stage) {
                    state = StageState::Running;
                }
                let done = matches!(state, StageState::Done { .. });
                let estimate = match stage {
                    _ if done => None,
                    Stage::Score => estimate::scoring(self, loaded, recipe, &shares),
                    _ => {
                        let left = kept.map_or(1.0, |(finished, all)| 1.0 - finished as f64 / all.max(1) as f64);
                        estimate::stage(self, loaded, recipe, stage).map(|(low, high)| (low * left, high * left))
                    }
                };
                let idle = !done && running != Some(stage);
                StageView { stage, state, estimate, kept: kept.filter(|_| idle) }
            })
            .collect()
    }

    /// A stage is done where its record says so and what it made is in memory.
    fn stage_state(&self, stage: Stage, loaded: &Loaded, wanted: Wanted) -> StageState {
        let record = match lock(&self.catalogue).stage(stage.name()) {
            Ok(Some(record)) => record,
            Ok(None) => return StageState::Missing,
            Err(error) => return StageState::Failed { report: error.told() },
        };
        let at_hand = match stage {
            Stage::Import => loaded.samples.as_ref().map(|samples| &samples.key),
            Stage::Manifold => loaded.manifold.as_ref().map(|manifold| &manifold.key),
            Stage::Score => loaded.scores.as_ref().map(|scores| &scores.key),
            // Vectors are read by the stages that need them, and made again where they are not there.
            Stage::Embed | Stage::Select | Stage::Recover => Some(&record.key),
        };
        if at_hand != Some(&record.key) {
            return StageState::Missing;
        }
        match wanted {
            Wanted::Inputs(inputs) if record.inputs != inputs => {
                StageState::Stale { why: format!("changed: {}", inputs.difference(&record.inputs).join(", ")) }
            }
            Wanted::Changed(what) => StageState::Stale { why: format!("changed: {what}") },
            Wanted::Inputs(_) | Wanted::Nothing => self.done(stage, record.seconds),
        }
    }

    fn done(&self, stage: Stage, seconds: f64) -> StageState {
        StageState::Done { seconds, cached: !lock(&self.computed).contains(&stage) }
    }

    fn select_state(&self, loaded: &Loaded, recipe: &Recipe, heads: &Outcome<Vec<SelectionHead>>) -> StageState {
        if loaded.scores.is_none() {
            return StageState::Missing;
        }
        let stored = match heads {
            Ok(stored) => stored,
            Err(report) => return StageState::Failed { report: report.clone() },
        };
        if let Some(report) = stored.iter().find_map(|head| stored_view(&head.name, &head.view).err()) {
            return StageState::Failed { report };
        }
        let mut changed = Vec::new();
        for named in &recipe.selections {
            let Some(current) = stored.iter().find(|stored| stored.name == named.name) else {
                return StageState::Missing;
            };
            if !current.by_recipe {
                continue;
            }
            let Ok(inputs) = self.quick_selection_inputs(&named.plan) else { return StageState::Missing };
            changed.extend(selection::changed(&inputs, &current.inputs));
        }
        if changed.is_empty() {
            return match lock(&self.catalogue).stage(Stage::Select.name()) {
                Ok(record) => self.done(Stage::Select, record.map_or(0.0, |record| record.seconds)),
                Err(error) => StageState::Failed { report: error.told() },
            };
        }
        changed.sort();
        changed.dedup();
        StageState::Stale { why: format!("changed: {}", changed.join(", ")) }
    }

    /// Whether the recipe would make what decided a selection, as it and the files it names stand now.
    pub(crate) fn recipe_makes(&self, recipe: &Recipe, inputs: &Inputs) -> bool {
        let loaded = self.loaded();
        let Some(samples) = &loaded.samples else { return false };
        let (dense, pruned) = score::known_pair(self, recipe);
        let [pool, _, clusters, scores, _] = self.wanted(&loaded, recipe, dense, pruned);
        let is = |wanted: &Wanted, name: &str| match wanted {
            Wanted::Inputs(wanted) => inputs.get(name) == Some(wanted.key().as_str()),
            Wanted::Changed(_) | Wanted::Nothing => false,
        };
        let concepts = concepts::inputs(&recipe.concepts, samples).key();
        is(&pool, "samples")
            && is(&clusters, "manifold")
            && is(&scores, "scores")
            && inputs.get("concepts") == Some(concepts.as_str())
    }

    /// What each stage would be computed from now, as far as it can be told without reading models.
    fn wanted(
        &self,
        loaded: &Loaded,
        recipe: &Recipe,
        dense: Option<Known<sources::ModelFacts>>,
        pruned: Option<Known<sources::ModelFacts>>,
    ) -> [Wanted; 5] {
        let catalogue = lock(&self.catalogue);
        let pool = match pool_source::known(&catalogue, &self.folder, &recipe.pool.path) {
            Known::Yes(hash) | Known::Gone(hash) => Wanted::Inputs(import::inputs(recipe, &hash)),
            Known::Unread => Wanted::Changed("pool file".to_owned()),
            Known::Absent(_) => Wanted::Nothing,
        };
        let Some(samples) = &loaded.samples else {
            return [pool, Wanted::Nothing, Wanted::Nothing, Wanted::Nothing, Wanted::Nothing];
        };
        let encoder = if recipe.vectors.encoder.is_empty() {
            Ok(None)
        } else {
            match sources::known_encoder(&catalogue, &self.folder, &recipe.vectors.encoder) {
                Known::Yes(facts) | Known::Gone(facts) => Ok(Some(facts.content)),
                Known::Unread | Known::Absent(_) => Err(Wanted::Changed("encoder".to_owned())),
            }
        };
        let (vectors, clusters) = match encoder {
            Ok(content) => {
                let vectors = embed::inputs(&recipe.vectors, samples, content.as_deref());
                let clusters = manifold::inputs(recipe, samples, &vectors.key());
                (Wanted::Inputs(vectors), Wanted::Inputs(clusters))
            }
            Err(changed) => (changed.clone(), changed),
        };
        // The clusters' names come from the concepts.
        let concepts = concepts::inputs(&recipe.concepts, samples).key();
        let clusters = match &loaded.concepts {
            Some(found) if found.key == concepts => clusters,
            _ => Wanted::Changed("concepts".to_owned()),
        };
        let named = |known: Known<sources::ModelFacts>, role: &str| known.value().ok_or(format!("{role} model"));
        let scores = match (dense, pruned) {
            (Some(dense), Some(pruned)) => match (named(dense, "dense"), named(pruned, "pruned")) {
                (Ok(dense), Ok(pruned)) => Wanted::Inputs(score::inputs(recipe, samples, &dense, &pruned)),
                (Err(what), _) | (_, Err(what)) => Wanted::Changed(what),
            },
            (Some(_), None) if recipe.prune.method != "none" => Wanted::Changed("dense model".to_owned()),
            _ => Wanted::Nothing,
        };
        [pool, vectors, clusters, scores, Wanted::Nothing]
    }

    /// The same of the scores of the other pruned models, by what a person calls them.
    fn wanted_others(
        &self,
        loaded: &Loaded,
        recipe: &Recipe,
        dense: Option<&sources::ModelFacts>,
        others: &[(String, Known<sources::ModelFacts>)],
    ) -> Vec<(String, Wanted)> {
        let wanted = |known: &Known<sources::ModelFacts>| match (&loaded.samples, dense, known.clone().value()) {
            (Some(samples), Some(dense), Some(other)) => Wanted::Inputs(score::inputs(recipe, samples, dense, &other)),
            _ => Wanted::Changed("pruned model".to_owned()),
        };
        others.iter().map(|(reference, known)| (reference.clone(), wanted(known))).collect()
    }
}

/// Other pruned models whose scores are not there, or not those of now.
fn unscored(loaded: &Loaded, others: &[(String, Wanted)]) -> Vec<String> {
    let is_scored = |reference: &String, wanted: &Wanted| {
        let scores = loaded.others.get(reference).filter(|scores| scores.whole);
        scores.is_some_and(|scores| wanted.key().is_some_and(|key| key == scores.key))
    };
    let lacking = others.iter().filter(|(reference, wanted)| !is_scored(reference, wanted));
    lacking.map(|(reference, _)| model_name(reference)).collect()
}

/// Whether a stage reads what another one makes.
fn leans_on(stage: Stage, above: Stage) -> bool {
    match stage {
        Stage::Import => false,
        Stage::Embed | Stage::Score => above == Stage::Import,
        Stage::Manifold => matches!(above, Stage::Import | Stage::Embed),
        Stage::Select | Stage::Recover => true,
    }
}

/// What a stage's inputs are now.
#[derive(Clone, Debug)]
enum Wanted {
    Inputs(Inputs),
    /// Something that has to be read again before they can be told.
    Changed(String),
    /// Nothing asks for the stage.
    Nothing,
}

impl Wanted {
    /// Of the artefact that the inputs make.
    fn key(&self) -> Option<String> {
        match self {
            Self::Inputs(inputs) => Some(inputs.key()),
            Self::Changed(_) | Self::Nothing => None,
        }
    }
}

pub(crate) fn model_name(reference: &str) -> String {
    let name = reference.rsplit(['/', '\\']).next().unwrap_or(reference);
    if name.is_empty() { reference.to_owned() } else { name.to_owned() }
}

/// What the pruned model of a recipe is called.
pub(crate) fn pruned_name(recipe: &Recipe) -> String {
    match recipe.prune.method.as_str() {
        "none" => model_name(&recipe.models.pruned),
        method => format!("{} by {method} {}", model_name(&recipe.models.dense), recipe.prune.pattern),
    }
}

fn manifold_view(loaded: &Loaded) -> Option<ManifoldView> {
    let facts = &loaded.manifold.as_ref()?.facts;
    let count = |value: usize| value as u32;
    let name = |cluster: u32| {
        let into = facts.cluster_of_label.get(cluster as usize).copied().unwrap_or(cluster);
        loaded.base_names.as_ref().and_then(|names| names.get(into as usize).cloned()).unwrap_or_default()
    };
    Some(ManifoldView {
        vectors: facts.vectors.clone(),
        dimensions: count(facts.vector_dimensions),
        recall: facts.quality.recall,
        components: count(facts.quality.components),
        components_linked: count(facts.quality.linked_components),
        k: count(facts.count_before_merge),
        clusters: count(facts.count),
        rule: facts.rule.clone(),
        merges: facts
            .merges
            .iter()
            .map(|merge| format!("{} samples joined {}", merge.rows, name(merge.into)))
            .collect(),
        eigenvalues: facts.eigenvalues.clone(),
        curve: facts.curve.as_ref().map(|curve| CurveView {
            clusters: curve.clusters.iter().map(|k| *k as u32).collect(),
            stability: curve.score.clone(),
            stability_range: curve.score_range.clone(),
            half_splits: count(curve.splits),
            prediction_strength: curve.prediction_strength.clone(),
            nmf_error: curve.nmf_error.clone(),
            coarse: Some(count(curve.coarse)),
            fine: curve.fine.map(count),
            elbow: curve.elbow.map(count),
            unclear: curve.unclear.map(|(low, high)| (count(low), count(high))),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_last_part_of_a_reference() {
        assert_eq!(model_name("/models/llama-7b"), "llama-7b");
        assert_eq!(model_name("org/name@main"), "name@main");
    }
}
