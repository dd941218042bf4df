//! The project as a face sees it: stages with what is stale and why, clusters with their damage, curves, curation.

use std::sync::Arc;

use paser_project::{Curation, Inputs, recipe::Recipe};
use paser_protocol::{
    BadRowView, ClusterView, CurationView, CurveView, ManifoldView, PoolView, ProjectView, SelectionView, Stage,
    StageState, StageView,
};
use paser_select::{PoolColumns, cluster_damage, cluster_names};

use crate::{
    columns, estimate,
    selection::frozen_view,
    session::{Loaded, Marks, Session, lock},
    sources::{self, Known, pruning_words},
    stages::{concepts, embed, import, manifold, score},
};

/// Bins of a cluster's histogram.
const BINS: usize = 24;
/// Bad rows that a view lists.
const BAD_ROWS: usize = 50;

/// Names the clusters by their concepts, where both are there.
pub(crate) fn name_clusters(loaded: &mut Loaded) {
    loaded.names = match (&loaded.manifold, &loaded.concepts) {
        (Some(manifold), Some(concepts)) => {
            let table = &concepts.table;
            Some(Arc::new(cluster_names(&manifold.clusters, manifold.facts.count, &table.samples, &table.names)))
        }
        _ => None,
    };
}

/// The largest cluster damage rounded up to 1, 2 or 5 x 10^n.
fn damage_scale(clusters: &[ClusterView]) -> f64 {
    let largest = clusters.iter().filter_map(|cluster| cluster.cds).fold(0.0, f64::max);
    if largest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(largest.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= largest * (1.0 - 1e-12))
        .unwrap_or(10.0 * power)
}

impl Session {
    /// Everything but bulk columns and texts.
    pub fn view(&self) -> ProjectView {
        let loaded = self.loaded();
        let recipe = self.recipe();
        let curation = lock(&self.journal).curation();
        let marks = self.rows_of(&curation);
        let (dense, pruned) = score::known_pair(self, &recipe.recipe);
        let facts = (dense.clone().and_then(Known::value), pruned.clone().and_then(Known::value));
        let mut clusters = cluster_views(&loaded, &marks);
        let damage_scale = damage_scale(&clusters);
        fill_histograms(&mut clusters, &loaded, damage_scale);
        ProjectView {
            name: self.name(),
            path: self.root().to_string_lossy().into_owned(),
            demo: self.is_demo(),
            revision: self.revision(),
            dense: model_name(&recipe.recipe.models.dense),
            pruned: match recipe.recipe.prune.method.as_str() {
                "none" => model_name(&recipe.recipe.models.pruned),
                method => {
                    format!("{} by {method} {}", model_name(&recipe.recipe.models.dense), recipe.recipe.prune.pattern)
                }
            },
            pruning: match &facts {
                (Some(dense), Some(pruned)) => pruning_words(dense, pruned),
                _ => String::new(),
            },
            template: recipe.recipe.template.name.clone(),
            device: crate::machine::describe(),
            recipe: recipe.text.clone(),
            pool: self.pool_view(&loaded, &recipe.recipe),
            stages: self.stage_views(&loaded, &recipe.recipe, dense, pruned),
            manifold: manifold_view(&loaded),
            clusters,
            damage_scale,
            columns: columns::infos(&loaded),
            selections: self.selection_views(),
            plan: self.plan(),
            curation: curation_view(&curation, marks),
            job: lock(&self.job).clone(),
            comparison: lock(&self.comparison).clone(),
        }
    }

    pub(crate) fn selection_views(&self) -> Vec<SelectionView> {
        self.frozen().iter().filter_map(|frozen| frozen_view(frozen).ok()).collect()
    }

    pub(crate) fn curation_view(&self) -> CurationView {
        let curation = lock(&self.journal).curation();
        let marks = self.rows_of(&curation);
        curation_view(&curation, marks)
    }

    fn pool_view(&self, loaded: &Loaded, recipe: &Recipe) -> PoolView {
        let path = self.folder.resolve(&recipe.pool.path).to_string_lossy().into_owned();
        let Some(samples) = &loaded.samples else { return PoolView { path, ..PoolView::default() } };
        let facts = &samples.facts;
        let scores = loaded.scores.as_ref().map(|scores| &scores.facts);
        let mut roles = vec![("instruction".to_owned(), facts.roles.instruction.clone())];
        roles.extend(facts.roles.input.iter().map(|name| ("input".to_owned(), name.clone())));
        roles.push(("output".to_owned(), facts.roles.output.clone()));
        roles.extend(facts.roles.id.iter().map(|name| ("id".to_owned(), name.clone())));
        PoolView {
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
        dense: Option<Known<sources::ModelFacts>>,
        pruned: Option<Known<sources::ModelFacts>>,
    ) -> Vec<StageView> {
        let running = lock(&self.job).as_ref().map(|job| job.stage);
        let failures = lock(&self.failures).clone();
        let wanted = self.wanted(loaded, recipe, dense, pruned);
        let mut unfinished: Vec<Stage> = Vec::new();
        Stage::ALL
            .into_iter()
            .zip(wanted)
            .map(|(stage, wanted)| {
                let mut state = self.stage_state(stage, wanted);
                let first = unfinished.iter().find(|above| leans_on(stage, **above));
                if let (StageState::Done { .. }, Some(above)) = (&state, first) {
                    state = StageState::Stale { why: format!("{} comes first", above.name()) };
                }
                if !matches!(state, StageState::Done { .. }) {
                    unfinished.push(stage);
                }
                if let Some(report) = failures.get(&stage)
                    && !matches!(state, StageState::Done { .. })
                {
                    state = StageState::Failed { report: report.clone() };
                }
                if running == Some(stage) {
                    state = StageState::Running;
                }
                let done = matches!(state, StageState::Done { .. });
                let estimate = if done { None } else { estimate::stage(self, loaded, recipe, stage) };
                StageView { stage, state, estimate }
            })
            .collect()
    }

    fn stage_state(&self, stage: Stage, wanted: Wanted) -> StageState {
        if stage == Stage::Select {
            return self.select_state();
        }
        let record = lock(&self.catalogue).stage(stage.name()).ok().flatten();
        match (record, wanted) {
            (None, _) => StageState::Missing,
            (Some(record), Wanted::Inputs(inputs)) if record.inputs == inputs => self.done(stage, record.seconds),
            (Some(record), Wanted::Inputs(inputs)) => {
                StageState::Stale { why: format!("changed: {}", inputs.difference(&record.inputs).join(", ")) }
            }
            (Some(_), Wanted::Changed(what)) => StageState::Stale { why: format!("changed: {what}") },
            (Some(record), Wanted::Nothing) => self.done(stage, record.seconds),
        }
    }

    fn done(&self, stage: Stage, seconds: f64) -> StageState {
        StageState::Done { seconds, cached: !lock(&self.computed).contains(&stage) }
    }

    fn select_state(&self) -> StageState {
        let recipe = self.recipe();
        if self.loaded().scores.is_none() {
            return StageState::Missing;
        }
        let stored = self.frozen();
        let mut changed = Vec::new();
        for named in &recipe.recipe.selections {
            let Some(current) = stored.iter().find(|stored| stored.name == named.name) else {
                return StageState::Missing;
            };
            if !current.by_recipe {
                continue;
            }
            // k-means labels are not looked up for a mere view: their key follows from the manifold's.
            let Ok(inputs) = self.quick_selection_inputs(&named.plan) else { return StageState::Missing };
            changed.extend(inputs.difference(&current.inputs).into_iter().filter(|name| name != "k-means"));
        }
        if changed.is_empty() {
            let record = lock(&self.catalogue).stage(Stage::Select.name()).ok().flatten();
            return self.done(Stage::Select, record.map_or(0.0, |record| record.seconds));
        }
        changed.sort();
        changed.dedup();
        StageState::Stale { why: format!("changed: {}", changed.join(", ")) }
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
        let pool = match sources::known_pool(&catalogue, &self.folder, &recipe.pool.path) {
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
            Some(found) if found.key != concepts => Wanted::Changed("concepts".to_owned()),
            _ => clusters,
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
}

/// Whether a stage reads what another one makes.
fn leans_on(stage: Stage, above: Stage) -> bool {
    match stage {
        Stage::Import => false,
        Stage::Embed | Stage::Score => above == Stage::Import,
        Stage::Manifold => matches!(above, Stage::Import | Stage::Embed),
        Stage::Select => true,
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

fn model_name(reference: &str) -> String {
    let name = reference.rsplit(['/', '\\']).next().unwrap_or(reference);
    if name.is_empty() { reference.to_owned() } else { name.to_owned() }
}

fn curation_view(curation: &Curation, marks: Marks) -> CurationView {
    CurationView {
        pinned: marks.pinned,
        excluded: marks.excluded,
        undo: curation.undo.clone(),
        redo: curation.redo.clone(),
        entries: curation.entries,
    }
}

fn manifold_view(loaded: &Loaded) -> Option<ManifoldView> {
    let facts = &loaded.manifold.as_ref()?.facts;
    let count = |value: usize| value as u32;
    let name = |cluster: u32| {
        let into = facts.cluster_of_label.get(cluster as usize).copied().unwrap_or(cluster);
        loaded.names.as_ref().and_then(|names| names.get(into as usize).cloned()).unwrap_or_default()
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
            prediction_strength: curve.prediction_strength.clone(),
            nmf_error: curve.nmf_error.clone(),
            coarse: Some(count(curve.coarse)),
            fine: curve.fine.map(count),
            elbow: curve.elbow.map(count),
            unclear: curve.unclear.map(|(low, high)| (count(low), count(high))),
        }),
    })
}

/// Damage of every cluster, from the columns that a selection would see.
fn damages(loaded: &Loaded) -> Vec<Option<paser_select::Cds>> {
    let (Some(samples), Some(manifold), Some(scores), Some(names)) =
        (&loaded.samples, &loaded.manifold, &loaded.scores, &loaded.names)
    else {
        return vec![None; loaded.manifold.as_ref().map_or(0, |manifold| manifold.facts.count)];
    };
    cluster_damage(&PoolColumns {
        ids: samples.ids.clone(),
        hashes: samples.hashes.clone(),
        clusters: manifold.clusters.clone(),
        cluster_names: names.to_vec(),
        held_out: samples.held_out.clone(),
        scores: scores.rows.clone(),
        trained_tokens: scores.trained_tokens.clone(),
        ..PoolColumns::default()
    })
}

fn cluster_views(loaded: &Loaded, marks: &Marks) -> Vec<ClusterView> {
    let (Some(samples), Some(manifold)) = (&loaded.samples, &loaded.manifold) else { return Vec::new() };
    let mut places: Vec<(Vec<f32>, Vec<f32>)> = vec![Default::default(); manifold.facts.count];
    let mut views: Vec<ClusterView> = damages(loaded)
        .into_iter()
        .enumerate()
        .map(|(cluster, cds)| {
            let name = loaded.names.as_ref().map(|names| names[cluster].clone()).unwrap_or_default();
            ClusterView {
                cluster: cluster as u32,
                // Clusters are numbered by size when they are made.
                colour: cluster as u32,
                concepts: name.split(", ").map(str::to_owned).collect(),
                name,
                samples: 0,
                tokens: 0,
                cds: cds.map(|cds| cds.mean),
                cds_low: cds.and_then(|cds| cds.low),
                cds_high: cds.and_then(|cds| cds.high),
                cds_rest: cds.and_then(|cds| cds.rest),
                scored: cds.map_or(0, |cds| cds.n),
                eligible: 0,
                eligible_tokens: 0,
                pinned: 0,
                pinned_tokens: 0,
                centre: [0.0; 2],
                histogram: Vec::new(),
            }
        })
        .collect();
    let mut excluded = vec![false; samples.len()];
    for &row in &marks.excluded {
        excluded[row as usize] = true;
    }
    for (row, &cluster) in manifold.clusters.iter().enumerate() {
        let view = &mut views[cluster as usize];
        let place = &mut places[cluster as usize];
        place.0.extend(manifold.map.get(2 * row));
        place.1.extend(manifold.map.get(2 * row + 1));
        if samples.held_out[row] {
            continue;
        }
        view.samples += 1;
        let Some(scores) = &loaded.scores else { continue };
        if let Some(score) = &scores.rows[row] {
            view.tokens += u64::from(score.response_tokens);
            if !excluded[row] {
                view.eligible += 1;
                view.eligible_tokens += u64::from(scores.trained_tokens[row]);
            }
        }
    }
    for &row in &marks.pinned {
        let view = &mut views[manifold.clusters[row as usize] as usize];
        view.pinned += 1;
        view.pinned_tokens += loaded.scores.as_ref().map_or(0, |scores| u64::from(scores.trained_tokens[row as usize]));
    }
    for (view, (x, y)) in views.iter_mut().zip(&mut places) {
        view.centre = [median(x), median(y)];
    }
    views
}

fn median(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

fn fill_histograms(clusters: &mut [ClusterView], loaded: &Loaded, scale: f64) {
    let (Some(samples), Some(manifold), Some(scores)) = (&loaded.samples, &loaded.manifold, &loaded.scores) else {
        return;
    };
    for cluster in clusters.iter_mut() {
        cluster.histogram = vec![0; BINS];
    }
    for (row, score) in scores.rows.iter().enumerate() {
        if let Some(score) = score.filter(|_| !samples.held_out[row]) {
            let bin = ((score.jsd / scale * BINS as f64) as usize).min(BINS - 1);
            clusters[manifold.clusters[row] as usize].histogram[bin] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_a_round_number_above_the_largest_damage() {
        let of = |cds: f64| {
            let mut cluster = ClusterView { cds: Some(cds), ..blank() };
            cluster.cluster = 0;
            damage_scale(&[cluster])
        };
        assert!((of(0.13) - 0.2).abs() < 1e-12);
        assert!((of(0.051) - 0.1).abs() < 1e-12);
        assert!((of(0.05) - 0.05).abs() < 1e-12);
        assert!((of(0.0021) - 0.005).abs() < 1e-12);
        assert!((damage_scale(&[]) - 1.0).abs() < 1e-12);
    }

    fn blank() -> ClusterView {
        ClusterView {
            cluster: 0,
            name: String::new(),
            colour: 0,
            samples: 0,
            tokens: 0,
            cds: None,
            cds_low: None,
            cds_high: None,
            cds_rest: None,
            scored: 0,
            eligible: 0,
            eligible_tokens: 0,
            pinned: 0,
            pinned_tokens: 0,
            concepts: Vec::new(),
            centre: [0.0; 2],
            histogram: Vec::new(),
        }
    }

    #[test]
    fn names_are_the_last_part_of_a_reference() {
        assert_eq!(model_name("/models/llama-7b"), "llama-7b");
        assert_eq!(model_name("org/name@main"), "name@main");
    }
}
