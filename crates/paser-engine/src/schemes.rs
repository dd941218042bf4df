//! The pruned models of a project beside the one that it works with: their damage per cluster, and which of them is the
//! project's own. They are scored by the same stage, and their scores are artefacts like its own, so that changing places
//! computes nothing.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use paser_project::{Artefact, Recipe, write_durably};
use paser_protocol::{ClusterDamage, PrunedChange, SchemeView};
use paser_select::{Cds, Score, cluster_damage};

use crate::{
    clusters::Parts,
    loaded::{Samples, f32s},
    partial::Partial,
    session::{Loaded, Session, lock},
    sources::{self, Known, ModelFacts, pruning_words},
    stages::{prune, recover, score},
    trouble::{Outcome, Told, usage},
    views::{model_name, pruned_name},
};

/// Damage per sample of a pruned model that is not the project's own.
#[derive(Debug)]
pub(crate) struct OtherScores {
    /// Of the artefact that holds it, or will.
    pub key: String,
    pub whole: bool,
    /// Samples that have a score.
    pub scored: usize,
    /// `[n]`, nats; NaN where a sample has no score. After the first response token, where there is a second.
    jsd: Vec<f32>,
    rest: Vec<f32>,
}

impl OtherScores {
    /// None where the artefact is of other samples.
    pub(crate) fn read(artefact: &mut Artefact, samples: &Samples) -> Outcome<Option<Self>> {
        if artefact.manifest.inputs.get("samples") != Some(samples.fingerprint.as_str()) {
            return Ok(None);
        }
        let (jsd, rest) = (f32s(artefact, "jsd")?, f32s(artefact, "jsd_rest")?);
        let scored = jsd.iter().filter(|jsd| !jsd.is_nan()).count();
        let key = artefact.manifest.key.clone();
        Ok((jsd.len() == samples.len()).then_some(Self { key, whole: true, scored, jsd, rest }))
    }

    fn so_far(partial: &Partial) -> Self {
        let column = |of: &dyn Fn(&Score) -> Option<f64>| {
            partial.rows.iter().map(|row| row.as_ref().and_then(of).map_or(f32::NAN, |value| value as f32)).collect()
        };
        Self {
            key: partial.key.clone(),
            whole: false,
            scored: partial.scored,
            jsd: column(&|score| Some(score.jsd)),
            rest: column(&|score| score.jsd_rest),
        }
    }

    fn rows(&self) -> Vec<Option<Score>> {
        let some = |value: f32| (!value.is_nan()).then(|| f64::from(value));
        let row = |(jsd, rest): (&f32, &f32)| {
            some(*jsd).map(|jsd| Score {
                jsd,
                jsd_rest: some(*rest),
                ies: f64::NAN,
                loss_dense: f64::NAN,
                loss_pruned: f64::NAN,
                sample_tokens: 0,
                prompt_tokens: 0,
                response_tokens: 0,
            })
        };
        self.jsd.iter().zip(&self.rest).map(row).collect()
    }
}

/// The catalogue's name of the scores of a pruned model that is not the project's own.
pub(crate) fn record_name(reference: &str) -> String {
    format!("{} {reference}", score::STAGE)
}

/// Damage of every cluster by every other pruned model that has scores.
pub(crate) fn damages(loaded: &Loaded) -> BTreeMap<String, Vec<Option<Cds>>> {
    let (Some(samples), Some(clusters)) = (&loaded.samples, loaded.clusters()) else { return BTreeMap::new() };
    let of = |scores: &OtherScores| {
        cluster_damage(&samples.order, &clusters.labels, clusters.count(), &scores.rows(), &samples.held_out)
    };
    loaded.others.iter().map(|(reference, scores)| (reference.clone(), of(scores))).collect()
}

/// Keys of the scores that the recipe means now, as far as they can be told.
pub(crate) struct WantedScores {
    pub own: Option<String>,
    /// By reference.
    pub others: BTreeMap<String, String>,
}

impl Session {
    /// The scores of the recipe's other pruned models, as they were made last.
    pub(crate) fn read_others(&self, loaded: &mut Loaded) -> Outcome<()> {
        let Some(samples) = loaded.samples.clone() else { return Ok(()) };
        for reference in &self.recipe().recipe.models.others {
            let record = lock(&self.catalogue).stage(&record_name(reference)).map_err(Told::told)?;
            let found = record.and_then(|record| self.store.get(score::STAGE, &record.key).ok().flatten());
            if let Some(scores) = found.and_then(|mut found| OtherScores::read(&mut found, &samples).ok().flatten()) {
                loaded.others.insert(reference.clone(), Arc::new(scores));
            }
        }
        Ok(())
    }

    /// Shows what is known so far; false where whole scores are at hand.
    pub(crate) fn show_other(&self, reference: &str, partial: &Partial) -> bool {
        let shown = self.loaded().others.get(reference).is_none_or(|scores| !scores.whole);
        if shown {
            let scores = Arc::new(OtherScores::so_far(partial));
            self.with_loaded(|loaded| drop(loaded.others.insert(reference.to_owned(), scores)));
        }
        shown
    }

    /// Whether an artefact is what a stage made last, for the project's own pruned model or for another one.
    pub(crate) fn is_in_use(&self, stage: &str, key: &str) -> Outcome<bool> {
        let catalogue = lock(&self.catalogue);
        if [recover::STAGE, recover::REFERENCE].contains(&stage) {
            return catalogue.is_recorded(key).map_err(Told::told);
        }
        let mut names = vec![stage.to_owned()];
        if stage == score::STAGE {
            names.extend(self.recipe().recipe.models.others.iter().map(|reference| record_name(reference)));
        }
        for name in names {
            if catalogue.stage(&name).map_err(Told::told)?.is_some_and(|record| record.key == key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is known of the recipe's other pruned models, in its order, without reading one whole.
    pub(crate) fn known_others(&self, recipe: &Recipe) -> Vec<(String, Known<ModelFacts>)> {
        let catalogue = lock(&self.catalogue);
        let known = |reference: &String| sources::known_model(&catalogue, &self.folder, reference);
        recipe.models.others.iter().map(|reference| (reference.clone(), known(reference))).collect()
    }

    /// Every pruned model with its damage per cluster, the project's own first; none where there is only that one.
    pub(crate) fn scheme_views(
        &self,
        loaded: &Loaded,
        recipe: &Recipe,
        parts: &Parts,
        facts: (Option<&ModelFacts>, Option<&ModelFacts>),
        others: &[(String, Known<ModelFacts>)],
        wanted: &WantedScores,
    ) -> Vec<SchemeView> {
        if others.is_empty() {
            return Vec::new();
        }
        // Scores of another pair or template say nothing of this one.
        let own_scores = loaded.scores.as_ref().filter(|scores| wanted.own.as_ref() == Some(&scores.key));
        let own_partial = loaded.partial.as_ref().filter(|_| own_scores.is_none());
        let (dense, own) = facts;
        let words = |pruned: Option<&ModelFacts>| match (dense, pruned) {
            (Some(dense), Some(pruned)) => pruning_words(dense, pruned),
            _ => String::new(),
        };
        let mut views = vec![SchemeView {
            reference: prune::reference(recipe, dense, loaded.samples.as_deref()).unwrap_or_default(),
            name: pruned_name(recipe),
            pruning: words(own),
            own: true,
            scored: match (own_scores, own_partial) {
                (Some(scores), _) => scores.rows.iter().flatten().count() as u64,
                (None, Some(partial)) => partial.scored as u64,
                (None, None) => 0,
            },
            whole: own_scores.is_some(),
            damage: parts
                .clusters
                .iter()
                .map(|cluster| {
                    if own_scores.is_none() && own_partial.is_none() {
                        return ClusterDamage::unknown(cluster.cluster);
                    }
                    ClusterDamage {
                        cluster: cluster.cluster,
                        cds: cluster.cds,
                        cds_low: cluster.cds_low,
                        cds_high: cluster.cds_high,
                        cds_rest: cluster.cds_rest,
                        scored: cluster.scored,
                    }
                })
                .collect(),
        }];
        for (reference, known) in others {
            let is_wanted = |scores: &&Arc<OtherScores>| wanted.others.get(reference) == Some(&scores.key);
            let scores = loaded.others.get(reference).filter(is_wanted);
            let damage = parts.others.get(reference).filter(|_| scores.is_some());
            let damage = damage.map(Vec::as_slice).unwrap_or_default();
            views.push(SchemeView {
                reference: reference.clone(),
                name: model_name(reference),
                pruning: words(known.clone().value().as_ref()),
                own: false,
                scored: scores.map_or(0, |scores| scores.scored as u64),
                whole: scores.is_some_and(|scores| scores.whole),
                damage: parts
                    .clusters
                    .iter()
                    .map(|cluster| {
                        let cds = damage.get(cluster.cluster as usize).copied().flatten();
                        ClusterDamage {
                            cluster: cluster.cluster,
                            cds: cds.map(|cds| cds.mean),
                            cds_low: cds.and_then(|cds| cds.low),
                            cds_high: cds.and_then(|cds| cds.high),
                            cds_rest: cds.and_then(|cds| cds.rest),
                            scored: cds.map_or(0, |cds| cds.n),
                        }
                    })
                    .collect(),
            });
        }
        // Folders of one name are told apart by their places.
        let names: Vec<String> = views.iter().map(|view| view.name.clone()).collect();
        for view in &mut views {
            if names.iter().filter(|name| **name == view.name).count() > 1 && !view.reference.is_empty() {
                view.name.clone_from(&view.reference);
            }
        }
        views
    }

    /// The recipe's other pruned model that is meant: as the recipe has it, by the name that it is shown by, or by a path
    /// to the same folder.
    pub fn other_pruned_model(&self, typed: &str) -> Option<String> {
        let others = self.recipe().recipe.models.others.clone();
        let folder = |path: &Path| fs_err::canonicalize(path).ok();
        let named: Vec<&String> = others.iter().filter(|other| model_name(other) == typed).collect();
        let same = |other: &&String| {
            folder(Path::new(typed)).is_some_and(|typed| folder(&self.folder.resolve(other)) == Some(typed))
        };
        let found = others.iter().find(|other| *other == typed);
        let found = found.or(if named.len() == 1 { named.first().copied() } else { None });
        found.or_else(|| others.iter().find(same)).cloned()
    }

    /// Writes another choice of pruned models into the recipe. Scores that are there stay with their models.
    ///
    /// # Errors
    /// A model that the project does not have, or has already; no dense model.
    pub fn change_pruned(&self, change: &PrunedChange) -> Outcome<()> {
        let text = self.reread_recipe()?.text.clone();
        let path = self.folder.recipe();
        let recipe = Recipe::parse(&text, &path).map_err(Told::told)?;
        let (dense, _) = score::known_pair(self, &recipe);
        let samples = self.loaded().samples;
        let own = prune::reference(&recipe, dense.and_then(Known::value).as_ref(), samples.as_deref());
        let mut handed_on = Vec::new();
        let mut others = recipe.models.others.clone();
        let place = |typed: &str| {
            let at = self.other_pruned_model(typed).and_then(|found| others.iter().position(|other| *other == found));
            at.ok_or_else(|| {
                let there = if others.is_empty() { "it has none".to_owned() } else { others.join(", ") };
                usage(
                    format!("The project has no other pruned model {typed:?}."),
                    format!("Its other pruned models: {there}."),
                )
            })
        };
        let pruned = match change {
            PrunedChange::Use { model } if self.is_pruned_model(model) => return Ok(()),
            PrunedChange::Use { model } => {
                let at = place(model)?;
                let own = own.filter(|own| self.folder.resolve(own).exists() || !recipe.models.pruned.is_empty());
                // Their scores change places with them: nothing stands under the other one's name, and nothing is
                // computed again.
                handed_on.push((record_name(&others[at]), score::STAGE.to_owned()));
                handed_on.extend(own.as_ref().map(|own| (score::STAGE.to_owned(), record_name(own))));
                match own {
                    Some(own) => std::mem::replace(&mut others[at], own),
                    None => others.remove(at),
                }
            }
            PrunedChange::Add { model } => {
                let typed = model.trim();
                if typed.is_empty() {
                    return Err(usage("A pruned model needs a name.", "Give a folder or a hub id."));
                }
                if self.is_pruned_model(typed) || self.other_pruned_model(typed).is_some() {
                    return Err(usage(format!("The project has the pruned model {typed:?} already."), ""));
                }
                let folder = self.folder.resolve(typed);
                let here = Path::new(typed);
                let there = [here, folder.as_path()].into_iter().find(|path| path.is_dir());
                others.push(there.map_or_else(|| typed.to_owned(), |path| self.folder.relative(path)));
                recipe.models.pruned
            }
            PrunedChange::Remove { model } => {
                let at = place(model)?;
                others.remove(at);
                recipe.models.pruned
            }
        };
        let changed = Recipe::with_pruned(&text, &pruned, &others, &path).map_err(Told::told)?;
        write_durably(&path, changed.as_bytes()).map_err(Told::told)?;
        if !handed_on.is_empty() {
            let pairs: Vec<(&str, &str)> = handed_on.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
            lock(&self.catalogue).hand_on_stages(&pairs).map_err(Told::told)?;
        }
        self.reread_recipe()?;
        // What is known of a model that came or went is told at once.
        let mut loaded = Loaded { others: BTreeMap::new(), ..self.loaded() };
        if !handed_on.is_empty() {
            (loaded.scores, loaded.partial) = (self.read_scores(loaded.samples.as_deref())?, None);
        }
        self.read_others(&mut loaded)?;
        self.with_loaded(|held| {
            held.others = loaded.others;
            if !handed_on.is_empty() {
                (held.scores, held.partial) = (loaded.scores, loaded.partial);
            }
        });
        Ok(())
    }
}
