//! Concepts: the phrases of every sample, for the consistency graph and the names of clusters (method.md 3).

use std::sync::atomic::{AtomicU64, Ordering};

use paser_project::{Inputs, recipe::ConceptsRecipe};
use paser_select::{PerSample, intern_concepts, sample_concepts};
use rayon::prelude::*;

use super::{Bench, Made, artefact, import, json, record};
use crate::{
    clusters,
    loaded::{Concepts, Samples},
    trouble::{Outcome, Told},
};

const VERSION: u32 = 1;
pub(crate) const STAGE: &str = "concepts";

/// The recipe's rule in the words of the selection.
pub(crate) fn rule(recipe: &ConceptsRecipe) -> paser_select::Concepts {
    paser_select::Concepts {
        per_sample: match recipe.per_sample {
            Some(count) => PerSample::Best(count as u32),
            None => PerSample::All,
        },
        max_words: recipe.max_words as u32,
        ..paser_select::Concepts::default()
    }
}

/// Everything that decides the concepts.
pub(crate) fn inputs(recipe: &ConceptsRecipe, samples: &Samples) -> Inputs {
    let per_sample = recipe.per_sample.map_or_else(|| "all".to_owned(), |count| count.to_string());
    Inputs::new()
        .with("program's concepts", VERSION)
        .with("samples", &samples.fingerprint)
        .with("concepts.per_sample", per_sample)
        .with("concepts.max_words", recipe.max_words)
}

/// Brings the concepts up to date. True: they were.
pub(crate) fn bring_up(bench: &Bench<'_>) -> Outcome<bool> {
    let session = bench.session;
    let samples = session.samples()?;
    let recipe = &bench.recipe.recipe.concepts;
    let inputs = inputs(recipe, &samples);
    let key = inputs.key();
    if session.loaded().concepts.is_some_and(|concepts| concepts.key == key) {
        return Ok(true);
    }
    let rule = rule(recipe);
    let (mut found, cached) = artefact(bench, STAGE, &inputs, || {
        let pool = import::pool(session, &samples)?;
        let total = pool.samples.len() as u64;
        let done = AtomicU64::new(0);
        let lists: Option<Vec<Vec<String>>> = bench.work("finding concepts", "samples", |monitor| {
            pool.samples
                .par_iter()
                .map(|sample| {
                    let parts = [sample.instruction.as_str(), sample.input.as_str(), sample.output.as_str()];
                    let list = sample_concepts(&parts, &rule);
                    let now = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if now.is_multiple_of(256) {
                        monitor.progress(now, total);
                        if monitor.cancelled() {
                            return None;
                        }
                    }
                    Some(list)
                })
                .collect()
        });
        let lists = lists.ok_or_else(|| paser_select::SelectError::Cancelled.told())?;
        let table = intern_concepts(lists);
        let summary = json(&serde_json::json!({"concepts": table.names.len()}));
        Ok(Made { arrays: Concepts::write(&table), summary })
    })?;
    let concepts = Concepts::read(&mut found)?;
    record(session, STAGE, &found)?;
    let mut loaded = session.loaded();
    loaded.concepts = Some(concepts.into());
    // Naming takes a while; readers wait only for the exchange.
    clusters::name_clusters(&mut loaded);
    session.with_loaded(|held| *held = loaded);
    Ok(cached)
}
