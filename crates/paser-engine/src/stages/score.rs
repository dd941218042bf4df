//! Score: one teacher-forced pass of both models over the pool, in shards that survive a kill, each a
//! random sample of the pool (method.md 2).

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Instant,
};

use paser_data::{Encoded, Encoding, Template, Tokenizer, encode_pool, read_alike, tokenizer_agreement};
use paser_model::{Checkpoint, Decoder};
use paser_project::{Array, Arrays, Inputs, ShardPlan, recipe::Recipe};
use paser_protocol::{Failure, Monitor, Report};
use paser_score::{Item, SampleScore, ScoreParams, score};

use super::{Bench, Made, artefact, import, json, prune, record};
use crate::{
    job::{self, Named as Work, Shards},
    loaded::{SCORE_COLUMNS, SCORED, Samples, ScoreFacts, Scores, TOKEN_COLUMNS, UNSCORABLE},
    partial::Partial,
    progress::Part,
    schemes::{OtherScores, record_name},
    session::{Session, lock},
    sources::{self, Kind, Known, ModelFacts},
    trouble::{Outcome, Told, cancelled, failed, tokenizers_differ, unusable, usage},
    views::model_name,
};

const VERSION: u32 = 2;
/// Of a shard of small models: some twenty seconds of two processor cores, which is what a kill can lose.
const SHARD_OPERATIONS: f64 = 2e12;
/// Of a shard of large models, so that many cores have batches to compute: a worker takes whole ones.
const LEAST_BATCHES: u64 = 32;
pub(crate) const STAGE: &str = "score";
/// Response positions whose logits exist at once, per thread.
pub(crate) const HEAD_CHUNK: usize = 256;

pub(crate) struct ScorePlan {
    recipe: Recipe,
    dense: Source,
    pruned: Source,
    /// Which of how many pruned models; the project's own is 0.
    place: (usize, usize),
    max_tokens: usize,
    pub inputs: Inputs,
}

/// A model that a stage asks.
#[derive(Clone)]
pub(crate) struct Source {
    /// None where the folder is gone and only what it held is known.
    path: Option<PathBuf>,
    pub reference: String,
    pub facts: ModelFacts,
}

/// The longest sample that both models and the template take.
pub(crate) fn max_tokens(recipe: &Recipe, dense: &ModelFacts, pruned: &ModelFacts) -> usize {
    recipe.template.max_tokens.min(dense.context).min(pruned.context)
}

/// How the recipe's template shows a sample to the dense model.
pub(crate) fn template_fingerprint(recipe: &Recipe, dense: &ModelFacts) -> String {
    match recipe.template.name.as_str() {
        "chat" => dense.chat.clone().unwrap_or_default(),
        name => Template::by_name(name, Path::new("")).map(|template| template.fingerprint()).unwrap_or_default(),
    }
}

/// Everything that decides the scores.
pub(crate) fn inputs(recipe: &Recipe, samples: &Samples, dense: &ModelFacts, pruned: &ModelFacts) -> Inputs {
    Inputs::new()
        .with("program's scoring", VERSION)
        .with("samples", &samples.fingerprint)
        .with("template", template_fingerprint(recipe, dense))
        .with("longest sample", max_tokens(recipe, dense, pruned))
        .with("tokenizer", dense.tokenizer.as_deref().unwrap_or_default())
        .with("dense model", &dense.content)
        .with("pruned model", &pruned.content)
        .with("precision", "f32")
        .with("score.batch_tokens", recipe.score.batch_tokens)
        .with("score.shard", recipe.score.shard)
}

/// A model by the name that the recipe gives it.
pub(crate) struct Named<'a> {
    pub name: &'a str,
    pub facts: &'a ModelFacts,
    /// None where the folder is gone.
    pub path: Option<&'a Path>,
}

/// Refuses a pair that cannot be compared token by token.
pub(crate) fn check_pair(dense: &Named<'_>, pruned: &Named<'_>) -> Result<(), Report> {
    let Some(tokenizer) = &dense.facts.tokenizer else {
        return Err(unusable(
            format!("the dense model {} has no tokenizer.json", dense.name),
            "Copy the tokenizer's files into its folder.",
        ));
    };
    if !read_alike(tokenizer, pruned.facts.tokenizer.as_deref()) {
        return Err(tokenizers_differ(dense.name, pruned.name, &tokenizer_difference(dense, pruned)?));
    }
    for (role, model) in [("dense", dense), ("pruned", pruned)] {
        if model.facts.vocab < dense.facts.vocabulary {
            return Err(unusable(
                format!(
                    "the {role} model {} gives {} logits, but the tokenizer has {} entries",
                    model.name, model.facts.vocab, dense.facts.vocabulary
                ),
                "Model and tokenizer do not belong together: take both from the same source.",
            ));
        }
    }
    Ok(())
}

/// What differs first, in words.
fn tokenizer_difference(dense: &Named<'_>, pruned: &Named<'_>) -> Outcome<String> {
    match dense.path.zip(pruned.path) {
        Some((dense, pruned)) => Ok(tokenizer_agreement(dense, pruned).map_err(Told::told)?.reason().to_owned()),
        None => {
            Ok("the hashes of their tokenizers are not equal, and one of the models is not here any more".to_owned())
        }
    }
}

/// A model by its reference: fetched and read where it was not yet.
pub(crate) fn source(bench: &Bench<'_>, reference: &str, role: &str) -> Outcome<Source> {
    let session = bench.session;
    let known = sources::known_model(&lock(&session.catalogue), &session.folder, reference);
    let reference = reference.to_owned();
    if let Known::Gone(facts) = known {
        return Ok(Source { path: None, reference, facts });
    }
    if !matches!(known, Known::Yes(_)) {
        bench.may_prepare()?;
    }
    let path = match sources::find_model(&session.folder, &reference, Kind::Model) {
        Ok(path) => path,
        Err(_) => bench.work(&format!("fetching the {role} model"), "bytes", |monitor| {
            sources::obtain_model(&session.folder, &reference, Kind::Model, monitor)
        })?,
    };
    let facts = match known {
        Known::Yes(facts) => facts,
        _ => bench.work(&format!("reading the {role} model"), "parameters", |monitor| {
            sources::model_facts(&session.catalogue, &reference, &path, monitor)
        })?,
    };
    Ok(Source { path: Some(path), reference, facts })
}

/// Refuses two sources that cannot be compared token by token.
pub(crate) fn check_sources(dense: &Source, pruned: &Source) -> Outcome<()> {
    check_pair(&dense.named(), &pruned.named())
}

/// The same as [`told_by_id`] where the rows are items, which have a number and no id.
pub(crate) fn told_of_items(error: paser_score::ScoreError, model: &str) -> Report {
    let mut report = error.told();
    report.what = format!("measuring {model}: {}", report.what.replacen("row", "item", 1));
    report
}

impl Source {
    fn named(&self) -> Named<'_> {
        Named { name: &self.reference, facts: &self.facts, path: self.path.as_deref() }
    }

    pub(crate) fn path(&self) -> Outcome<&Path> {
        self.path.as_deref().ok_or_else(|| {
            unusable(format!("{}: the model is not there any more", self.reference), "Correct its name in recipe.toml.")
        })
    }
}

impl ScorePlan {
    /// None where the recipe names no pair of models.
    pub(crate) fn check(bench: &Bench<'_>) -> Outcome<Option<Self>> {
        let session = bench.session;
        let recipe = &bench.recipe.recipe;
        let samples = session.samples()?;
        if recipe.models.dense.is_empty() || (recipe.models.pruned.is_empty() && recipe.prune.method == "none") {
            return Ok(None);
        }
        let dense = source(bench, &recipe.models.dense, "dense")?;
        let reference = prune::reference(recipe, Some(&dense.facts), Some(&samples))
            .ok_or_else(|| failed("no pruned model can be named", "Correct [models] and [prune] in recipe.toml."))?;
        if recipe.prune.method != "none" {
            let out = session.folder.resolve(&reference);
            if !prune::is_made(recipe, &out) {
                bench.may_prepare()?;
                prune::make(bench, recipe, dense.path()?, &out)?;
            }
        }
        Self::of_pair(bench, dense, &reference, 0).map(Some)
    }

    /// The project's own pair, then the dense model with each of the other pruned ones.
    pub(crate) fn all(bench: &Bench<'_>) -> Outcome<Vec<Self>> {
        let Some(own) = Self::check(bench)? else { return Ok(Vec::new()) };
        let dense = own.dense.clone();
        let mut plans = vec![own];
        for (at, reference) in (1..).zip(&bench.recipe.recipe.models.others) {
            plans.push(Self::of_pair(bench, dense.clone(), reference, at).map_err(|mut report| {
                if report.failure != Failure::Cancelled && !report.what.contains(reference) {
                    report.what = format!("the pruned model {reference}: {}", report.what);
                }
                report
            })?);
        }
        Ok(plans)
    }

    fn of_pair(bench: &Bench<'_>, dense: Source, reference: &str, at: usize) -> Outcome<Self> {
        let recipe = bench.recipe.recipe.clone();
        let samples = bench.session.samples()?;
        let pruned = source(bench, reference, "pruned")?;
        check_pair(&dense.named(), &pruned.named())?;
        if recipe.template.name == "chat" && dense.facts.chat.is_none() {
            return Err(unusable(
                format!("the dense model {} has no chat template", dense.reference),
                "Set template.name to alpaca or plain.",
            ));
        }
        let max_tokens = max_tokens(&recipe, &dense.facts, &pruned.facts);
        let inputs = inputs(&recipe, &samples, &dense.facts, &pruned.facts);
        let place = (at, 1 + recipe.models.others.len());
        Ok(Self { recipe, dense, pruned, place, max_tokens, inputs })
    }

    /// What the work is called: with several pruned models, which of them it is about.
    fn what(&self) -> String {
        match self.place {
            (_, 1) => "scoring".to_owned(),
            (at, count) => format!("scoring {}, {} of {count}", model_name(&self.pruned.reference), at + 1),
        }
    }

    fn is_own(&self) -> bool {
        self.place.0 == 0
    }

    /// Brings the scores up to date. True: they were.
    pub(crate) fn bring_up(self, bench: &Bench<'_>) -> Outcome<bool> {
        let session = bench.session;
        let key = self.inputs.key();
        let loaded = session.loaded();
        let at_hand = match loaded.others.get(&self.pruned.reference).filter(|_| !self.is_own()) {
            Some(other) => other.whole && other.key == key,
            None => self.is_own() && loaded.scores.is_some_and(|scores| scores.key == key),
        };
        if at_hand {
            return Ok(true);
        }
        let mut shards = None;
        let (mut found, cached) = artefact(bench, STAGE, &self.inputs, || self.run(bench, &mut shards))?;
        if let Some(shards) = shards {
            shards.clear()?;
        }
        let reference = &self.pruned.reference;
        if self.is_own() {
            let scores = Scores::read(&mut found)?;
            record(session, STAGE, &found)?;
            session.with_loaded(|loaded| (loaded.scores, loaded.partial) = (Some(scores.into()), None));
            return Ok(cached);
        }
        let other = OtherScores::read(&mut found, &*session.samples()?)?
            .ok_or_else(|| failed(format!("the scores of {reference} are of other samples"), "Run again."))?;
        record(session, &record_name(reference), &found)?;
        session.with_loaded(|loaded| drop(loaded.others.insert(reference.clone(), other.into())));
        Ok(cached)
    }

    /// The part of a worker.
    pub(crate) fn compute(self, bench: &Bench<'_>) -> Outcome<()> {
        self.shards(bench).map(drop)
    }

    /// The scores in shards, and every sample as tokens.
    fn shards(&self, bench: &Bench<'_>) -> Outcome<(Shards, Vec<Encoding>)> {
        let session = bench.session;
        let samples = session.samples()?;
        let ReadPool { tokenizer, encodings, .. } =
            read_as(bench, self.dense.path()?, &self.recipe.template.name, self.max_tokens)?;

        let length = |row: u32| match &encodings[row as usize] {
            Encoding::Scorable(encoded) => encoded.ids.len() as u64,
            Encoding::Unscorable(_) => 0,
        };
        // In content-hash order every shard is a random sample of the pool, so that damage can be told while scores come
        // in. Inside a shard the pass sorts by length.
        let order: Vec<u32> = samples.order.iter().copied().filter(|row| length(*row) > 0).collect();
        let key = self.inputs.key();
        let most = shard_tokens(self.operations(1), self.recipe.score.batch_tokens);
        let plan = ShardPlan::cut_by(STAGE, &key, &order, self.recipe.score.shard, most, length);
        let models = Models::new(self.dense.path()?, self.pruned.path()?);
        let params = ScoreParams {
            tokens_per_batch: self.recipe.score.batch_tokens,
            head_chunk: HEAD_CHUNK,
            threads: bench.threads,
            vocabulary: tokenizer.vocabulary(),
        };
        let tokens_of = |rows: &[u32]| rows.iter().map(|row| length(*row)).sum::<u64>();
        let compute = |rows: &[u32], part: &Part<'_>| {
            let (dense, pruned) = models.get(part)?;
            let items: Vec<Item<'_>> = rows
                .iter()
                .filter_map(|&row| match &encodings[row as usize] {
                    Encoding::Scorable(encoded) => Some(item(row, encoded)),
                    Encoding::Unscorable(_) => None,
                })
                .collect();
            let models = format!("dense {}, pruned {}", self.dense.reference, self.pruned.reference);
            let scores =
                score(dense, pruned, &items, &params, part).map_err(|error| told_by_id(error, &samples, &models))?;
            Ok(columns(&scores))
        };
        let mut so_far = Partial::new(key, samples.len());
        let what = self.what();
        let named = Work { what: &what, unit: "tokens", details: None };
        let shards = job::run(bench, named, plan, tokens_of, compute, |shards| {
            for (rows, columns) in shards {
                so_far.add(rows, columns);
            }
            let reference = &self.pruned.reference;
            if if self.is_own() { session.show_partial(&so_far) } else { session.show_other(reference, &so_far) } {
                bench.changed();
            }
        })?;
        Ok((shards, encodings))
    }

    fn run(&self, bench: &Bench<'_>, kept: &mut Option<Shards>) -> Outcome<Made> {
        let started = Instant::now();
        let (shards, encodings) = self.shards(bench)?;
        let tokens = encodings.iter().map(|encoding| match encoding {
            Encoding::Scorable(encoded) => encoded.ids.len() as u64,
            Encoding::Unscorable(_) => 0,
        });
        let rate = self.operations(tokens.sum()) / started.elapsed().as_secs_f64().max(1e-3);
        if shards.computed == shards.total && shards.total > 0 {
            lock(&bench.session.catalogue).set_rate(STAGE, rate).map_err(Told::told)?;
        }
        let made = self.merge(&shards, &encodings, rate)?;
        *kept = Some(shards);
        Ok(made)
    }

    /// Floating point operations of both models over so many tokens.
    fn operations(&self, tokens: u64) -> f64 {
        2.0 * (self.dense.facts.parameters + self.pruned.facts.parameters) as f64 * tokens as f64
    }

    fn merge(&self, shards: &Shards, encodings: &[Encoding], rate: f64) -> Outcome<Made> {
        let rows = encodings.len();
        let mut floats: Vec<Vec<f32>> = vec![vec![f32::NAN; rows]; SCORE_COLUMNS.len()];
        let lacking = |name: &str| failed(format!("a shard holds no column `{name}`"), "Run again.");
        for (members, arrays) in shards.parts() {
            for ((name, _, _), column) in SCORE_COLUMNS.iter().zip(&mut floats) {
                let values = arrays.f32(name).ok_or_else(|| lacking(name))?;
                for (&row, value) in members.iter().zip(values) {
                    column[row as usize] = *value;
                }
            }
        }
        let mut counts: Vec<Vec<u32>> = vec![vec![0; rows]; TOKEN_COLUMNS.len()];
        let mut trained = vec![self.max_tokens as u32; rows];
        let (mut state, mut cut) = (vec![UNSCORABLE; rows], vec![0_u8; rows]);
        let mut facts = ScoreFacts {
            tokens: 0,
            response_tokens: 0,
            unscorable: 0,
            cut: 0,
            max_tokens: self.max_tokens,
            rate,
            reasons: Vec::new(),
        };
        for (row, encoding) in encodings.iter().enumerate() {
            match encoding {
                Encoding::Unscorable(reason) => {
                    facts.unscorable += 1;
                    facts.reasons.push((row as u32, reason.clone()));
                }
                Encoding::Scorable(encoded) => {
                    state[row] = SCORED;
                    cut[row] = u8::from(encoded.cut);
                    let numbers = [encoded.sample_tokens, encoded.prompt_tokens, encoded.response_tokens];
                    for (column, number) in counts.iter_mut().zip(numbers) {
                        column[row] = number;
                    }
                    trained[row] = encoded.ids.len() as u32;
                    facts.tokens += encoded.ids.len() as u64;
                    facts.response_tokens += u64::from(encoded.response_tokens);
                    facts.cut += u64::from(encoded.cut);
                }
            }
        }
        let mut arrays = Arrays::new();
        for ((name, _, _), column) in SCORE_COLUMNS.iter().zip(floats) {
            arrays.insert(*name, Array::column(column));
        }
        for ((name, _), column) in TOKEN_COLUMNS.iter().zip(counts) {
            arrays.insert(*name, Array::column(column));
        }
        arrays
            .insert("trained_tokens", Array::column(trained))
            .insert("state", Array::column(state))
            .insert("cut", Array::column(cut));
        Ok(Made { arrays, summary: json(&facts) })
    }
}

/// Tokens of a shard of models that take so many operations a token: few, so that little is lost, and yet enough batches.
pub(crate) fn shard_tokens(operations: f64, batch_tokens: usize) -> u64 {
    let fitting = (SHARD_OPERATIONS / operations.max(1.0)) as u64;
    fitting.max(LEAST_BATCHES * batch_tokens as u64)
}

/// The pool in the project's template and the dense model's tokenizer.
pub(crate) struct ReadPool {
    pub tokenizer: Tokenizer,
    pub template: Template,
    /// By row.
    pub encodings: Vec<Encoding>,
}

fn read_as(bench: &Bench<'_>, dense: &Path, template: &str, max_tokens: usize) -> Outcome<ReadPool> {
    let tokenizer = Tokenizer::from_model_dir(dense).map_err(Told::told)?;
    let template = Template::by_name(template, dense).map_err(Told::told)?;
    let pool = import::pool(bench.session, &*bench.session.samples()?)?;
    let encodings = bench
        .work("tokenising", "samples", |monitor| encode_pool(&pool, &template, &tokenizer, max_tokens, monitor))
        .map_err(Told::told)?;
    Ok(ReadPool { tokenizer, template, encodings })
}

/// The pool as the scores in memory were made of it.
pub(crate) fn read_pool(bench: &Bench<'_>, max_tokens: usize) -> Outcome<ReadPool> {
    let recipe = &bench.recipe.recipe;
    let dense = source(bench, &recipe.models.dense, "dense")?;
    read_as(bench, dense.path()?, &recipe.template.name, max_tokens)
}

/// The pruned model of the recipe.
pub(crate) fn pruned_source(bench: &Bench<'_>) -> Outcome<Source> {
    let recipe = &bench.recipe.recipe;
    let dense = source(bench, &recipe.models.dense, "dense")?;
    let samples = bench.session.samples()?;
    let reference = prune::reference(recipe, Some(&dense.facts), Some(&samples))
        .ok_or_else(|| failed("no pruned model can be named", "Correct [models] and [prune] in recipe.toml."))?;
    source(bench, &reference, "pruned")
}

/// Refuses where the scores in memory are not those that the recipe would make.
pub(crate) fn check_current(bench: &Bench<'_>) -> Outcome<()> {
    let wanted = ScorePlan::check(bench)?.map(|plan| plan.inputs.key());
    let there = bench.session.loaded().scores.map(|scores| scores.key.clone());
    if wanted.is_some() && wanted == there {
        return Ok(());
    }
    Err(usage("The scores are not those of the models and the template of now.", "Run the project first."))
}

/// Names the sample by its id rather than by its row, and the models.
pub(crate) fn told_by_id(error: paser_score::ScoreError, samples: &Samples, models: &str) -> Report {
    use paser_score::ScoreError;
    let row = match &error {
        ScoreError::Sample { row, .. }
        | ScoreError::NotFinite { row, .. }
        | ScoreError::Logits { row, .. }
        | ScoreError::RuledOut { row, .. } => Some(*row as usize),
        _ => None,
    };
    let mut report = error.told();
    if let Some(row) = row {
        report.what = format!("sample {} (line {}): {} [{models}]", samples.ids[row], samples.lines[row], report.what);
    }
    report
}

/// Both models, loaded when the first shard needs them.
pub(crate) struct Models<'a> {
    dense: &'a Path,
    pruned: &'a Path,
    loaded: OnceLock<(Decoder, Decoder)>,
}

impl<'a> Models<'a> {
    pub(crate) fn new(dense: &'a Path, pruned: &'a Path) -> Self {
        Self { dense, pruned, loaded: OnceLock::new() }
    }

    pub(crate) fn get(&self, monitor: &dyn Monitor) -> Outcome<(&Decoder, &Decoder)> {
        let go_on = || if monitor.cancelled() { Err(cancelled()) } else { Ok(()) };
        if self.loaded.get().is_none() {
            go_on()?;
            let dense = load(self.dense)?;
            go_on()?;
            // Nobody else fills it: shards are computed one after the other.
            let _ = self.loaded.set((dense, load(self.pruned)?));
        }
        self.loaded.get().map(|(dense, pruned)| (dense, pruned)).ok_or_else(|| failed("the models are not loaded", ""))
    }
}

pub(crate) fn load(path: &Path) -> Outcome<Decoder> {
    let checkpoint = Checkpoint::open(path).map_err(Told::told)?;
    Decoder::load(&checkpoint).map_err(Told::told)
}

pub(crate) fn item(row: u32, encoded: &Encoded) -> Item<'_> {
    Item {
        row,
        ids: &encoded.ids,
        prompt_tokens: encoded.prompt_tokens,
        response_tokens: encoded.response_tokens,
        sample_tokens: encoded.sample_tokens,
    }
}

/// One array per score, in the order of the shard.
fn columns(scores: &[SampleScore]) -> Arrays {
    let mut arrays = Arrays::new();
    for (name, _, _) in SCORE_COLUMNS {
        let values: Vec<f32> = scores.iter().map(|score| value(score, name) as f32).collect();
        arrays.insert(name, Array::column(values));
    }
    arrays
}

fn value(score: &SampleScore, name: &str) -> f64 {
    match name {
        "jsd" => score.jsd,
        "jsd_rest" => score.jsd_rest.unwrap_or(f64::NAN),
        "jsd_first" => score.jsd_first,
        "jsd_first3" => score.jsd_first3,
        "first_share" => score.first_share,
        "ies" => score.ies,
        "loss_dense" => score.loss_dense,
        "loss_pruned" => score.loss_pruned,
        "kl_dense_pruned" => score.kl_dense_pruned,
        "kl_pruned_dense" => score.kl_pruned_dense,
        "entropy_dense" => score.entropy_dense,
        "entropy_pruned" => score.entropy_pruned,
        "top1_agreement" => score.top1_agreement,
        _ => f64::NAN,
    }
}

/// Both models of the recipe, found without the network and without reading them whole.
pub(crate) fn known_pair(session: &Session, recipe: &Recipe) -> (Option<Known<ModelFacts>>, Option<Known<ModelFacts>>) {
    let catalogue = lock(&session.catalogue);
    let known = |reference: &str| sources::known_model(&catalogue, &session.folder, reference);
    let dense = (!recipe.models.dense.is_empty()).then(|| known(&recipe.models.dense));
    let samples = session.loaded().samples;
    let facts = dense.clone().and_then(Known::value);
    let pruned = prune::reference(recipe, facts.as_ref(), samples.as_deref()).map(|reference| known(&reference));
    (dense, pruned)
}
