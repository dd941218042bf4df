//! What the files of the project's two models hold, layer by layer, and the choice to prune the dense one here. Every
//! weight is read once; the answer stays until a file changes.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use paser_data::{TokenizerAgreement, tokenizer_agreement};
use paser_model::{
    Checkpoint,
    inspect::{Comparison, LayerReport, Report as ModelReport, ZeroPattern, compare, inspect},
};
use paser_project::{Recipe, recipe::literal, write_durably};
use paser_protocol::{BetweenView, Event, LayerView, ModelView, ModelsView, Monitor, ProjectionView, PruneDraft};

use crate::{
    progress::Sink,
    session::{Session, lock},
    sources::{self, Kind, ModelFacts},
    stages::prune,
    trouble::{Outcome, Told, usage},
};

/// Progress is told no more often.
const TICK: Duration = Duration::from_millis(200);

/// The last answer, by the contents of both models and their tokenizers.
#[derive(Default)]
pub(crate) struct Inspected(Option<(String, Arc<ModelsView>)>);

/// A model that is there.
struct Place {
    reference: String,
    path: PathBuf,
    facts: ModelFacts,
}

/// Tells of the weights read.
struct Watch<'a> {
    sink: Sink<'a>,
    stop: &'a AtomicBool,
    told: Mutex<Instant>,
}

impl Monitor for Watch<'_> {
    fn progress(&self, done: u64, total: u64) {
        let mut told = lock(&self.told);
        if told.elapsed() >= TICK {
            *told = Instant::now();
            (self.sink)(Event::Inspecting { done, total });
        }
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Session {
    /// Reads both models. One that the recipe does not name, or that is not made yet, is left out.
    ///
    /// # Errors
    /// No model named at all; files that are gone or damaged; stopped by `stop`.
    pub fn models(&self, sink: Sink<'_>, stop: &AtomicBool) -> Outcome<ModelsView> {
        let recipe = self.recipe();
        let recipe = &recipe.recipe;
        if recipe.models.dense.is_empty() {
            return Err(usage("This project has no models.", "Name a dense and a pruned model in recipe.toml."));
        }
        let started = Instant::now();
        let watch = Watch { sink, stop, told: Mutex::new(started) };
        let dense = self.place(&recipe.models.dense, &watch)?;
        let samples = self.loaded().samples;
        let pruned = match prune::reference(recipe, Some(&dense.facts), samples.as_deref()) {
            Some(reference) if recipe.prune.method == "none" => Some(self.place(&reference, &watch)?),
            // Made by a run, maybe not yet.
            Some(reference) if prune::is_made(recipe, &self.folder.resolve(&reference)) => {
                Some(self.place(&reference, &watch)?)
            }
            _ => None,
        };
        let content = |Place { reference, facts, .. }: &Place| {
            format!("{reference} {} {}", facts.content, facts.tokenizer.as_deref().unwrap_or_default())
        };
        let key = format!("{} {}", content(&dense), pruned.as_ref().map(content).unwrap_or_default());
        if let Some((known, view)) = &lock(&self.inspected).0
            && *known == key
        {
            return Ok(ModelsView::clone(view));
        }
        let mut view = read(&dense, pruned.as_ref(), &watch)?;
        view.seconds = started.elapsed().as_secs_f64();
        lock(&self.inspected).0 = Some((key, Arc::new(view.clone())));
        Ok(view)
    }

    fn place(&self, reference: &str, monitor: &dyn Monitor) -> Outcome<Place> {
        let path = sources::find_model(&self.folder, reference, Kind::Model)?;
        let facts = sources::model_facts(&self.catalogue, reference, &path, monitor)?;
        Ok(Place { reference: reference.to_owned(), path, facts })
    }

    /// Writes into the recipe that the pruned model is made here, in the place of the one that is named.
    pub(crate) fn prune_here(&self, draft: &PruneDraft) -> Outcome<()> {
        let path = self.folder.recipe();
        let mut text = self.reread_recipe()?.text.clone();
        // In this order every step is a recipe without contradictions.
        for (section, key, value) in [
            ("models", "pruned", literal("")),
            ("prune", "pattern", literal(&draft.pattern)),
            ("prune", "method", literal(&draft.method)),
        ] {
            text = Recipe::with_value(&text, section, key, &value, &path).map_err(Told::told)?;
        }
        write_durably(&path, text.as_bytes()).map_err(Told::told)?;
        self.reread_recipe()?;
        Ok(())
    }
}

fn read(dense: &Place, pruned: Option<&Place>, monitor: &dyn Monitor) -> Outcome<ModelsView> {
    let open = |path: &Path| Checkpoint::open(path).map_err(Told::told);
    let first = open(&dense.path)?;
    let Some(pruned) = pruned else {
        let report = inspect(&first, monitor).map_err(Told::told)?;
        return Ok(ModelsView {
            dense: Some(model(&dense.reference, &report)),
            pruned: None,
            between: None,
            seconds: 0.0,
        });
    };
    let Comparison { first, second, tensors, .. } =
        compare(&first, &open(&pruned.path)?, monitor).map_err(Told::told)?;
    // Tokenizers that cannot be read are told of, and keep nobody from looking at the weights.
    let tokenizers = tokenizer_agreement(&dense.path, &pruned.path)
        .unwrap_or_else(|error| TokenizerAgreement::unknown(error.to_string()));
    Ok(ModelsView {
        dense: Some(model(&dense.reference, &first)),
        pruned: Some(model(&pruned.reference, &second)),
        between: Some(BetweenView {
            equal: tensors.equal as u64,
            changed: tensors.changed.len() as u64,
            only_dense: tensors.only_first.len() as u64,
            only_pruned: tensors.only_second.len() as u64,
            tokenizers_agree: tokenizers.agree,
            tokenizer_difference: tokenizers.difference,
        }),
        seconds: 0.0,
    })
}

fn words(pattern: Option<ZeroPattern>) -> Option<String> {
    pattern.map(|pattern| format!("{}:{}", pattern.kept, pattern.group))
}

fn model(reference: &str, report: &ModelReport) -> ModelView {
    ModelView {
        reference: reference.to_owned(),
        family: report.family.label().to_owned(),
        dtype: report.dtype.clone(),
        hidden: report.hidden as u64,
        vocabulary: report.vocab as u64,
        context: report.context as u64,
        tied: report.tied,
        has_tokenizer: report.has_tokenizer,
        parameters: report.parameters,
        zeros: report.zeros,
        pattern: words(report.pattern),
        assumed: report.assumed.iter().map(|assumed| (assumed.field.clone(), assumed.value.clone())).collect(),
        layers: report.layers.iter().map(layer).collect(),
    }
}

fn layer(report: &LayerReport) -> LayerView {
    let projections = report.projections.iter().map(|projection| {
        let module = projection.projection.module();
        let name = module.rsplit_once('.').map_or(module, |(_, name)| name);
        ProjectionView {
            name: name.trim_end_matches("_proj").to_owned(),
            rows: projection.rows as u32,
            columns: projection.columns as u32,
            zeros: projection.zeros,
            pattern: words(projection.pattern),
        }
    });
    LayerView {
        heads: report.heads as u32,
        kv_heads: report.kv_heads as u32,
        head_dim: report.head_dim as u32,
        ffn: report.ffn as u32,
        parameters: report.parameters,
        zeros: report.zeros,
        projections: projections.collect(),
    }
}
