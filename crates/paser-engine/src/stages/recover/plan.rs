//! What one run of an arm is made of: its rows in the order in which they are drawn, and everything that decides the result.

use std::sync::OnceLock;

use paser_model::Decoder;
use paser_project::{Inputs, ShardPlan, recipe::Recipe, sha256_hex};
use paser_protocol::{ArmData, ArmPlan, RecoverSettings, SelectionPlan, Strategy};
use paser_recover::{Amount, Plan, Sample, Schedule, order};
use paser_score::DenseStates;
use serde::{Deserialize, Serialize};

use super::{STAGE, items::Items, texts::Texts};
use crate::{
    export::rows_of,
    frozen::stored_view,
    machine,
    stages::{
        Bench,
        score::{self, Source},
    },
    trouble::{Outcome, cancelled, usage},
    worker,
};

const VERSION: u32 = 1;
/// Of a shard: what a kill can lose at most, some thirty seconds of two cores.
const SHARD_OPERATIONS: f64 = 4e12;
/// Share of the free memory that activations may take.
const ACTIVATIONS: f64 = 0.25;
/// Share of it that may hold what the dense model made of the items.
const STATES: f64 = 0.1;

/// The two models and the pool's texts as they read them.
pub(crate) struct Pair {
    pub dense: Source,
    pub pruned: Source,
    pub texts: Texts,
    /// Of the dense model on the items.
    pub states: DenseStates,
    dense_decoder: OnceLock<Decoder>,
}

/// What the catalogue calls a run.
pub(crate) fn record_name(arm: &str, seed: u64) -> String {
    format!("{STAGE} {seed} {arm}")
}

impl Pair {
    /// # Errors
    /// No pair of models; models that cannot be read together.
    pub(crate) fn check(bench: &Bench<'_>) -> Outcome<Self> {
        let recipe = &bench.recipe.recipe;
        if recipe.models.dense.is_empty() || (recipe.models.pruned.is_empty() && recipe.prune.method == "none") {
            return Err(usage(
                "There is no pruned model to recover.",
                "Name models.dense and models.pruned in recipe.toml.",
            ));
        }
        let dense = score::source(bench, &recipe.models.dense, "dense")?;
        let pruned = score::pruned_source(bench)?;
        score::check_sources(&dense, &pruned)?;
        let longest = score::max_tokens(recipe, &dense.facts, &pruned.facts).min(recipe.recover.length as usize);
        let texts = Texts::read(bench, dense.path()?, longest)?;
        let states = DenseStates::within((machine::free_memory() as f64 * STATES) as usize);
        Ok(Self { dense, pruned, texts, states, dense_decoder: OnceLock::new() })
    }

    /// The dense model, loaded when it is first asked for.
    pub(crate) fn dense_decoder(&self) -> Outcome<&Decoder> {
        if self.dense_decoder.get().is_none() {
            // Nobody else fills it: runs come one after the other.
            let _ = self.dense_decoder.set(score::load(self.dense.path()?)?);
        }
        self.dense_decoder.get().ok_or_else(cancelled)
    }

    /// What decides every number of these models and texts.
    pub(super) fn inputs(&self, recipe: &Recipe, samples: &str, items: &Items) -> Inputs {
        Inputs::new()
            .with("program's training", VERSION)
            .with("samples", samples)
            .with("template", score::template_fingerprint(recipe, &self.dense.facts))
            .with("longest sample", self.texts.max_tokens)
            .with("tokenizer", self.dense.facts.tokenizer.as_deref().unwrap_or_default())
            .with("dense model", &self.dense.facts.content)
            .with("pruned model", &self.pruned.facts.content)
            .with("items", &items.hash)
            .with("precision", "f32")
    }
}

/// What a worker has to be told of a run besides recipe and rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub arm: String,
    pub seed: u64,
    /// Names what the rows were taken from.
    pub data: String,
    pub learning_rate: f64,
    pub steps: u32,
    pub samples: u64,
    pub response_tokens: u64,
    /// Shards that end with a look at the items.
    pub looks: Vec<u32>,
}

/// A run, planned.
pub(crate) struct RunPlan {
    pub order: Order,
    pub inputs: Inputs,
    pub shards: Vec<Vec<u32>>,
    pub settings: RecoverSettings,
}

impl RunPlan {
    /// # Errors
    /// Data that is not there or holds nothing to train on.
    pub(crate) fn check(bench: &Bench<'_>, pair: &Pair, items: &Items, arm: &ArmPlan, seed: u64) -> Outcome<Self> {
        let settings = bench.recipe.recipe.recover.clone();
        let (rows, data) = rows_of_arm(bench, arm, seed)?;
        let samples = pair.texts.trainable(bench, &rows)?;
        if samples.is_empty() {
            return Err(usage(
                format!("The arm {} has no sample to train on.", arm.name),
                format!("Its data is {data}; prompt and response have to fit into {} tokens.", settings.length),
            ));
        }
        let equal = arm.equal.unwrap_or(settings.equal);
        let steps = arm.steps.unwrap_or(settings.steps);
        let amount = Amount::of(equal, steps, settings.epochs, settings.response_tokens);
        let responses: Vec<u32> =
            samples.iter().map(|sample| (sample.ids.len() - sample.prompt_tokens) as u32).collect();
        let drawn = order(seed, &responses, settings.batch as usize, amount);
        let operations = 6.0 * pair.pruned.facts.parameters as f64;
        let (shards, looks) = shards(&drawn, &samples, settings.points, operations);
        let order = Order {
            arm: arm.name.clone(),
            seed,
            data,
            learning_rate: arm.learning_rate.unwrap_or(settings.learning_rate),
            steps: drawn.len() as u32,
            samples: samples.len() as u64,
            response_tokens: drawn.iter().flatten().map(|place| u64::from(responses[*place as usize])).sum(),
            looks,
        };
        let fingerprint = bench.session.samples()?.fingerprint.clone();
        let inputs = inputs_of(pair.inputs(&bench.recipe.recipe, &fingerprint, items), &order, &shards, &settings);
        Ok(Self { order, inputs, shards, settings })
    }

    /// The run of a job that its owner planned.
    ///
    /// # Errors
    /// A project that is no longer the one that was planned for.
    pub(crate) fn of_job(
        bench: &Bench<'_>,
        pair: &Pair,
        items: &Items,
        order: Order,
        plan: &ShardPlan,
    ) -> Outcome<Self> {
        let settings = bench.recipe.recipe.recover.clone();
        let fingerprint = bench.session.samples()?.fingerprint.clone();
        let base = pair.inputs(&bench.recipe.recipe, &fingerprint, items);
        let inputs = inputs_of(base, &order, &plan.shards, &settings);
        if inputs.key() != plan.key {
            return Err(worker::changed(&bench.session.folder.jobs()));
        }
        Ok(Self { order, inputs, shards: plan.shards.clone(), settings })
    }

    /// How the steps are taken.
    pub(crate) fn training(&self) -> Plan {
        let settings = &self.settings;
        Plan {
            method: settings.method,
            rank: settings.rank as usize,
            alpha: settings.alpha,
            dropout: settings.dropout,
            last_layers: settings.last_layers as usize,
            schedule: Schedule::new(self.order.learning_rate, settings.warmup, self.order.steps, settings.decay),
            weight_decay: settings.weight_decay,
            clip: settings.clip,
            seed: self.order.seed,
            memory: (machine::free_memory() as f64 * ACTIVATIONS) as u64,
        }
    }
}

/// Everything that decides a run's numbers.
fn inputs_of(base: Inputs, order: &Order, shards: &[Vec<u32>], settings: &RecoverSettings) -> Inputs {
    let rows: Vec<u8> = shards
        .iter()
        .flat_map(|rows| {
            (rows.len() as u32).to_le_bytes().into_iter().chain(rows.iter().flat_map(|row| row.to_le_bytes()))
        })
        .collect();
    let method = match settings.method {
        paser_protocol::Method::Lora => {
            format!("lora, rank {}, alpha {:?}, dropout {:?}", settings.rank, settings.alpha, settings.dropout)
        }
        paser_protocol::Method::LastLayers => format!("last {} layers", settings.last_layers),
        paser_protocol::Method::Full => "full".to_owned(),
    };
    base.with("data", &order.data)
        .with("seed", order.seed)
        .with("order of samples", sha256_hex(&rows))
        .with("looks", format!("{:?}", order.looks))
        .with("steps", order.steps)
        .with("batch", settings.batch)
        .with("method", method)
        .with("learning rate", format!("{:?}", order.learning_rate))
        .with("warm-up", settings.warmup)
        .with("decay", settings.decay)
        .with("weight decay", format!("{:?}", settings.weight_decay))
        .with("clip", format!("{:?}", settings.clip))
}

/// The rows of the pool that an arm is trained on, and what names them.
pub(crate) fn rows_of_arm(bench: &Bench<'_>, arm: &ArmPlan, seed: u64) -> Outcome<(Vec<u32>, String)> {
    let session = bench.session;
    let samples = session.samples()?;
    match &arm.data {
        ArmData::Selection { name } => {
            let frozen = session.frozen_named(name).map_err(|mut report| {
                report.what = format!("The arm {}: {}", arm.name, report.what);
                report
            })?;
            let plan = stored_view(name, &frozen.view)?.plan;
            if !draws(plan.strategy) {
                let rows = rows_of(&frozen, &samples)?;
                let hash = rows_hash(&rows);
                return Ok((rows, format!("selection {hash}")));
            }
            let plan = SelectionPlan { seed, ..plan };
            let selected = session.select_with(&plan, bench)?;
            let rows = selected.selection.rows.clone();
            let hash = rows_hash(&rows);
            Ok((rows, format!("selection {hash}")))
        }
        ArmData::Cluster { cluster } => {
            let loaded = session.loaded();
            let labels = &loaded
                .clusters()
                .ok_or_else(|| usage("The pool has no clusters yet.", "Run the project first."))?
                .labels;
            let excluded = &loaded.curated.marks.excluded;
            let eligible = |row: &u32| {
                let at = *row as usize;
                labels[at] == *cluster && !samples.held_out[at] && !excluded.contains(row)
            };
            let rows: Vec<u32> = samples.order.iter().copied().filter(eligible).collect();
            let hash = rows_hash(&rows);
            Ok((rows, format!("cluster {hash}")))
        }
    }
}

/// Random strategies are drawn anew for every seed.
pub(crate) fn draws(strategy: Strategy) -> bool {
    matches!(strategy, Strategy::Random | Strategy::RandomLengthMatched)
}

fn rows_hash(rows: &[u32]) -> String {
    let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
    sha256_hex(&bytes)[..16].to_owned()
}

/// Cuts the steps into shards: at every look, and in between where a stretch would take too long. Which of them end with a
/// look.
fn shards(drawn: &[Vec<u32>], samples: &[Sample], points: u32, operations: f64) -> (Vec<Vec<u32>>, Vec<u32>) {
    let points = (points as usize).clamp(1, drawn.len());
    let ends: Vec<usize> = (1..=points).map(|point| (point * drawn.len()).div_ceil(points)).collect();
    let (mut shards, mut looks, mut from) = (Vec::new(), Vec::new(), 0);
    for end in ends {
        let (mut rows, mut cost) = (Vec::new(), 0.0);
        for (at, step) in (from..end).zip(&drawn[from..end]) {
            rows.extend(step.iter().map(|place| samples[*place as usize].row));
            cost += step.iter().map(|place| samples[*place as usize].ids.len() as f64).sum::<f64>() * operations;
            if cost >= SHARD_OPERATIONS && at + 1 < end {
                shards.push(std::mem::take(&mut rows));
                cost = 0.0;
            }
        }
        looks.push(shards.len() as u32);
        shards.push(rows);
        from = end;
    }
    (shards, looks)
}
