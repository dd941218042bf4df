//! One run: its shards computed in order, each from what the one before it handed on, and what comes of all of them.

use std::collections::BTreeMap;
use std::time::Instant;

use paser_model::Checkpoint;
use paser_project::{Array, Arrays, Artefact, Job, ShardPlan, job_folder};
use paser_protocol::Monitor as _;
use paser_recover::{Sample, State, TrainError, Training};
use serde::{Deserialize, Serialize};

use super::{
    STAGE,
    items::Items,
    plan::{Order, Pair, RunPlan, record_name},
    reference::measure,
};
use crate::{
    job::{self, Named, Shards},
    loaded::{f32s, u8s},
    progress::Part,
    session::lock,
    stages::{Bench, Made, artefact, json},
    trouble::{Outcome, Told, cancelled, failed},
};

/// Steps, tokens, response tokens, seconds of training, and steps left out, all since the run's beginning.
const COUNTS: [&str; 5] = ["step", "tokens", "response tokens", "seconds", "skipped"];

/// A look at a run in training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub step: u32,
    pub tokens: u64,
    pub response_tokens: u64,
    pub seconds: f64,
}

/// What a run came to, so far or in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunFacts {
    pub order: Order,
    pub step: u32,
    pub skipped: u32,
    pub seconds: f64,
    pub diverged: Option<String>,
    pub looks: Vec<Look>,
    /// By look, then by item: response loss, divergence from the dense model, 1 where the whole answer is given.
    #[serde(skip)]
    pub loss: Vec<Vec<f32>>,
    #[serde(skip)]
    pub jsd: Vec<Vec<f32>>,
    #[serde(skip)]
    pub answered: Vec<Vec<u8>>,
    /// Training loss of every step, NaN where it was left out.
    #[serde(skip)]
    pub losses: Vec<f32>,
}

impl RunFacts {
    pub(crate) fn of(order: Order) -> Self {
        Self {
            order,
            step: 0,
            skipped: 0,
            seconds: 0.0,
            diverged: None,
            looks: Vec::new(),
            loss: Vec::new(),
            jsd: Vec::new(),
            answered: Vec::new(),
            losses: Vec::new(),
        }
    }

    /// Adds what a shard holds.
    pub(crate) fn add(&mut self, shard: &Arrays) {
        if let Some(&[step, tokens, response_tokens, seconds, skipped]) = shard.f64("counts") {
            (self.step, self.skipped, self.seconds) = (step as u32, skipped as u32, seconds);
            if let (Some(loss), Some(jsd), Some(answered)) =
                (shard.f32("look:loss"), shard.f32("look:jsd"), shard.u8("look:answered"))
            {
                let (tokens, response_tokens) = (tokens as u64, response_tokens as u64);
                self.looks.push(Look { step: step as u32, tokens, response_tokens, seconds });
                self.loss.push(loss.to_vec());
                self.jsd.push(jsd.to_vec());
                self.answered.push(answered.to_vec());
            }
        }
        self.losses.extend_from_slice(shard.f32("losses").unwrap_or_default());
        if let Some(why) = shard.u8("diverged") {
            self.diverged = Some(String::from_utf8_lossy(why).into_owned());
        }
    }

    pub(crate) fn read(artefact: &mut Artefact) -> Outcome<Self> {
        let mut facts: Self = serde_json::from_value(artefact.manifest.summary.clone())
            .map_err(|error| failed(format!("the {STAGE} manifest: {error}"), "Train again."))?;
        for look in 0..facts.looks.len() {
            facts.loss.push(f32s(artefact, &format!("loss:{look}"))?);
            facts.jsd.push(f32s(artefact, &format!("jsd:{look}"))?);
            facts.answered.push(u8s(artefact, &format!("answered:{look}"))?);
        }
        facts.losses = f32s(artefact, "losses")?;
        Ok(facts)
    }
}

/// A run in the middle of its shards.
struct AtWork<'a> {
    plan: &'a RunPlan,
    pair: &'a Pair,
    items: &'a Items,
    samples: BTreeMap<u32, Sample>,
    training: Option<Training>,
    counts: [f64; COUNTS.len()],
    diverged: Option<String>,
    threads: usize,
}

impl RunPlan {
    /// Trains where that is not done. True: it was. `place`: which of how many runs.
    pub(super) fn bring_up(
        self,
        bench: &Bench<'_>,
        pair: &Pair,
        items: &Items,
        (at, count): (usize, usize),
    ) -> Outcome<bool> {
        let session = bench.session;
        let mut shards = None;
        let (mut found, cached) = artefact(bench, STAGE, &self.inputs, || {
            let what = format!("training {}, seed {}, {} of {count}", self.order.arm, self.order.seed, at + 1);
            let computed = self.shards(bench, pair, items, &what)?;
            let made = self.merge(&computed)?;
            shards = Some(computed);
            Ok(made)
        })?;
        if let Some(shards) = shards {
            shards.clear()?;
        }
        let name = record_name(&self.order.arm, self.order.seed);
        let record = paser_project::StageRecord { stage: name, ..crate::stages::record_of(STAGE, &found) };
        lock(&session.catalogue).record_stage(&record).map_err(Told::told)?;
        let facts = RunFacts::read(&mut found)?;
        lock(&session.recovery).finish(&self.order, facts, found.manifest.key.clone());
        session.touch();
        bench.changed();
        Ok(cached)
    }

    /// The run in shards.
    pub(super) fn shards(&self, bench: &Bench<'_>, pair: &Pair, items: &Items, what: &str) -> Outcome<Shards> {
        let details = serde_json::to_string(&self.order).map_err(|error| failed(error.to_string(), ""))?;
        let plan = ShardPlan { stage: STAGE.to_owned(), key: self.inputs.key(), shards: self.shards.clone() };
        let named = Named { what, unit: "tokens", details: Some(&details) };
        let tokens_of = |rows: &[u32]| rows.iter().map(|row| self.tokens(pair, *row)).sum::<u64>();
        let folder = job_folder(&bench.session.folder.jobs(), STAGE, &plan.key);
        let mut at_work = None;
        let mut so_far = RunFacts::of(self.order.clone());
        let compute = |rows: &[u32], part: &Part<'_>| {
            let job = Job::planned(&folder).map_err(Told::told)?;
            let run = match &mut at_work {
                Some(run) => run,
                place => place.insert(self.begin(bench, pair, items)?),
            };
            run.shard(&job, rows, part)
        };
        job::run(bench, named, plan, tokens_of, compute, |shards| {
            for (_, arrays) in shards {
                so_far.add(arrays);
            }
            lock(&bench.session.recovery).show(&so_far);
            bench.session.touch();
            bench.changed();
        })
    }

    fn tokens(&self, pair: &Pair, row: u32) -> u64 {
        match pair.texts.encoding(row) {
            Ok(paser_data::Encoding::Scorable(encoded)) => encoded.ids.len() as u64,
            _ => 0,
        }
    }

    fn begin<'a>(&'a self, bench: &Bench<'_>, pair: &'a Pair, items: &'a Items) -> Outcome<AtWork<'a>> {
        let mut rows: Vec<u32> = self.shards.concat();
        rows.sort_unstable();
        rows.dedup();
        let samples = pair.texts.trainable(bench, &rows)?;
        Ok(AtWork {
            plan: self,
            pair,
            items,
            samples: samples.into_iter().map(|sample| (sample.row, sample)).collect(),
            training: None,
            counts: [0.0; COUNTS.len()],
            diverged: None,
            threads: bench.threads,
        })
    }

    fn merge(&self, shards: &Shards) -> Outcome<Made> {
        let mut facts = RunFacts::of(self.order.clone());
        let mut values = None;
        for (_, shard) in shards.parts() {
            facts.add(shard);
            values = shard.f32("values").or(values);
        }
        let mut arrays = Arrays::new();
        for look in 0..facts.looks.len() {
            arrays.insert(format!("loss:{look}"), Array::column(facts.loss[look].clone()));
            arrays.insert(format!("jsd:{look}"), Array::column(facts.jsd[look].clone()));
            arrays.insert(format!("answered:{look}"), Array::column(facts.answered[look].clone()));
        }
        arrays.insert("losses", Array::column(facts.losses.clone()));
        arrays.insert("values", Array::column(values.unwrap_or_default().to_vec()));
        Ok(Made { arrays, summary: json(&facts) })
    }
}

impl AtWork<'_> {
    fn shard(&mut self, job: &Job, rows: &[u32], part: &Part<'_>) -> Outcome<Arrays> {
        let mut training = match self.training.take() {
            Some(training) => training,
            None => self.resume(job, part)?,
        };
        let mut arrays = Arrays::new();
        if self.diverged.is_none() {
            let losses = self.train(&mut training, rows, Some(part))?;
            arrays.insert("losses", Array::column(losses));
        }
        let shard = part.shard;
        if self.diverged.is_none() && self.plan.order.looks.contains(&(shard as u32)) {
            let model = training.trainee().merged();
            let scores = measure(self.pair, &model, self.items, self.threads, &Quiet(part))?;
            arrays
                .insert("look:loss", Array::column(scores.iter().map(|s| s.loss_pruned as f32).collect::<Vec<f32>>()));
            arrays.insert("look:jsd", Array::column(scores.iter().map(|s| s.jsd as f32).collect::<Vec<f32>>()));
            let answered: Vec<u8> = scores.iter().map(|score| u8::from(score.answered_pruned)).collect();
            arrays.insert("look:answered", Array::column(answered));
        }
        arrays.insert("counts", Array::column(self.counts.to_vec()));
        if let Some(why) = &self.diverged {
            arrays.insert("diverged", Array::column(why.clone().into_bytes()));
        }
        if shard + 1 == self.plan.shards.len() {
            arrays.insert("values", Array::column(training.state().values.clone()));
        } else {
            job.carry(shard, &self.carried(training.state())).map_err(Told::told)?;
        }
        self.training = Some(training);
        Ok(arrays)
    }

    /// The training as it is before a shard: from what an earlier one handed on, with the steps between taken again.
    fn resume(&mut self, job: &Job, part: &Part<'_>) -> Outcome<Training> {
        let checkpoint = Checkpoint::open(self.pair.pruned.path()?).map_err(Told::told)?;
        let mut training =
            Training::new(&checkpoint, self.plan.training(), self.threads).map_err(|error| self.told(error))?;
        let mut next = 0;
        if let Some((shard, carried)) = job.carried_before(part.shard)
            && let Some(state) = self.restored(&carried)
        {
            training.restore(state).map_err(|error| self.told(error))?;
            next = shard + 1;
        }
        for rows in &self.plan.shards[next..part.shard] {
            if self.diverged.is_none() {
                self.train(&mut training, rows, None).map_err(|report| match part.cancelled() {
                    true => cancelled(),
                    false => report,
                })?;
            }
        }
        Ok(training)
    }

    /// Steps over these rows; the loss of each. A run that diverges is flagged and goes no further.
    fn train(&mut self, training: &mut Training, rows: &[u32], part: Option<&Part<'_>>) -> Outcome<Vec<f32>> {
        let started = Instant::now();
        let mut losses = Vec::new();
        let mut done = 0;
        for rows in rows.chunks(self.plan.settings.batch as usize) {
            let samples: Vec<&Sample> = rows.iter().filter_map(|row| self.samples.get(row)).collect();
            let step = training.step(&samples, &|| part.is_some_and(|part| part.cancelled()));
            let step = match step {
                Ok(step) => step,
                Err(TrainError::Diverged { step, why }) => {
                    self.diverged = Some(format!("step {step}: {why}"));
                    break;
                }
                Err(error) => return Err(self.told(error)),
            };
            losses.push(if step.skipped { f32::NAN } else { step.loss as f32 });
            self.counts[1] += step.tokens as f64;
            self.counts[2] += step.response_tokens as f64;
            done += step.tokens;
            if let Some(part) = part {
                part.progress(done, 0);
            }
        }
        let state = training.state();
        self.counts[0] = f64::from(state.step);
        self.counts[3] += started.elapsed().as_secs_f64();
        self.counts[4] = f64::from(state.skipped);
        Ok(losses)
    }

    fn carried(&self, state: &State) -> Arrays {
        let mut arrays = Arrays::new();
        arrays.insert("state", Array::column(state.scalars().to_vec()));
        arrays.insert("values", Array::column(state.values.clone()));
        arrays.insert("first", Array::column(state.moments.first.clone()));
        arrays.insert("second", Array::column(state.moments.second.clone()));
        arrays.insert("counts", Array::column(self.counts.to_vec()));
        if let Some(why) = &self.diverged {
            arrays.insert("diverged", Array::column(why.clone().into_bytes()));
        }
        arrays
    }

    fn restored(&mut self, carried: &Arrays) -> Option<State> {
        let counts: [f64; COUNTS.len()] = carried.f64("counts")?.try_into().ok()?;
        let vector = |name: &str| carried.f32(name).map(<[f32]>::to_vec);
        let state = State::from_parts(carried.f64("state")?, vector("values")?, vector("first")?, vector("second")?)?;
        self.counts = counts;
        self.diverged = carried.u8("diverged").map(|why| String::from_utf8_lossy(why).into_owned());
        Some(state)
    }

    fn told(&self, error: TrainError) -> paser_protocol::Report {
        match error {
            TrainError::Cancelled => cancelled(),
            TrainError::Model(error) => error.told(),
            other => failed(
                format!("{}, seed {}: {other}", self.plan.order.arm, self.plan.order.seed),
                "Train again; what was finished is kept.",
            ),
        }
    }
}

/// A monitor for work inside a shard that counts other things.
struct Quiet<'a>(&'a Part<'a>);

impl paser_protocol::Monitor for Quiet<'_> {
    fn progress(&self, _done: u64, _total: u64) {}

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
