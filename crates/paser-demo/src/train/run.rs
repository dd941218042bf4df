//! The training run: a stream of fresh samples, a constant rate and then a linear fall to zero, checkpoints
//! that a later call goes on from, and development exact match in the log.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use fs_err as fs;
use tokenizers::Tokenizer;

use super::gradients::gradients;
use super::log::{Row, TrainingLog};
use super::optimizer::{Optimizer, Rates};
use crate::evaluate::evaluate;
use crate::model::{Shape, Weights, initial_weights, write_model};
use crate::pool::{TrainingStream, generate_items};
use crate::split::Part;
use crate::tokens::{Sequenced, sequence, write_tokenizer};

/// Shares of the six capabilities in the first two thirds of the run: what is hard gets more.
pub const EARLY_SHARES: [f64; 6] = [0.13, 0.13, 0.22, 0.16, 0.22, 0.14];
/// Shares in the last third, nearer to the pool's, so that what is rare there is rarer here too.
pub const LATE_SHARES: [f64; 6] = [0.25, 0.18, 0.17, 0.13, 0.15, 0.12];
/// Development items per capability.
pub const DEVELOPMENT_EACH: usize = 40;

/// What decides a run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: usize,
    /// Samples a step.
    pub samples: usize,
    pub threads: usize,
    pub seed: u64,
    /// Share of the steps at the constant rate.
    pub constant: f64,
    pub rates: Rates,
    pub early: [f64; 6],
    pub late: [f64; 6],
    pub look_every: usize,
    pub checkpoint: PathBuf,
    pub log: PathBuf,
    /// Where the Hugging Face folder goes, at every look and at the end.
    pub out: PathBuf,
}

impl Plan {
    /// Rate multiplier of a step: 40 steps of warm-up, constant, then linear to zero.
    fn scale(&self, step: usize) -> f64 {
        let warm = ((step + 1) as f64 / 40.0).min(1.0);
        let done = step as f64 / self.steps as f64;
        let fall = ((1.0 - done) / (1.0 - self.constant)).min(1.0);
        warm * fall
    }

    fn shares(&self, step: usize) -> &[f64; 6] {
        if step * 3 < self.steps * 2 { &self.early } else { &self.late }
    }
}

/// Floating-point operations a trained token costs, forward and backward: six times the matrix weights, and
/// six times the head's for the share of tokens that are answers.
pub fn operations_per_token(shape: &Shape, answer_share: f64) -> f64 {
    let matrices: usize = shape
        .weights()
        .iter()
        .filter(|(name, _)| name.ends_with("_proj.weight"))
        .map(|(_, dims)| dims.iter().product::<usize>())
        .sum();
    let head = (shape.vocab_size * shape.hidden_size) as f64;
    6.0 * (matrices as f64 + head * answer_share)
}

struct Batches<'a> {
    tokenizer: &'a Tokenizer,
    stream: TrainingStream,
    ready: Vec<Vec<Sequenced>>,
}

impl Batches<'_> {
    /// Sixteen batches are sorted by length together, cut and shuffled: little padding, random order.
    fn next(&mut self, samples: usize, shares: &[f64; 6]) -> Result<Vec<Sequenced>> {
        if self.ready.is_empty() {
            let mut many = Vec::with_capacity(16 * samples);
            for _ in 0..16 * samples {
                let task = self.stream.next(shares);
                many.push(sequence(self.tokenizer, &task.instruction, &task.input, &task.output)?);
            }
            many.sort_by_key(|s| s.ids.len());
            self.ready = many.chunks(samples).map(<[Sequenced]>::to_vec).collect();
            self.stream.shuffle(&mut self.ready);
        }
        self.ready.pop().context("no batch is ready")
    }
}

/// Trains from the checkpoint if there is one, else from the first weights, and writes the model.
pub fn train(plan: &Plan, tokenizer: &Tokenizer) -> Result<()> {
    let shape = Shape::demo(tokenizer.get_vocab_size(true));
    let development = generate_items(plan.seed + 7, Part::Development, DEVELOPMENT_EACH, "dev")?;
    let mut weights = initial_weights(&shape, plan.seed)?;
    let mut optimizer = Optimizer::new(plan.rates.clone());
    let (mut first, mut tokens, mut before) = (0, 0, 0.0);
    let log = if let Some(saved) = Checkpoint::read(&plan.checkpoint)? {
        (first, tokens, before) = (saved.step, saved.tokens, saved.seconds);
        weights = saved.weights;
        optimizer = Optimizer::resume(plan.rates.clone(), saved.state, first);
        TrainingLog::resume(
            &plan.log,
            &format!("goes on at step {first} of {}, shares {:?} then {:?}", plan.steps, plan.early, plan.late),
        )?
    } else {
        TrainingLog::create(&plan.log, &header(plan, &shape))?
    };
    let mut batches = Batches {
        tokenizer,
        stream: TrainingStream::new(plan.seed.wrapping_add(1000 + first as u64)),
        ready: Vec::new(),
    };
    let clock = Instant::now();
    let (mut loss, mut since) = (0.0, 0);
    for step in first..plan.steps {
        let samples = batches.next(plan.samples, plan.shares(step))?;
        tokens += samples.iter().map(|s| s.ids.len() as u64 - 1).sum::<u64>();
        let found = gradients(&shape, &weights, &samples, plan.threads)?;
        optimizer.update(&mut weights, &found.by_name, plan.scale(step))?;
        loss += found.loss;
        since += 1;
        let done = step + 1;
        if done == first + 10 || done % plan.look_every == 0 || done == plan.steps {
            write_model(&shape, &weights, &plan.out)?;
            write_tokenizer(tokenizer, &plan.out)?;
            let exact = evaluate(&plan.out, &development)?.map(|score| score.exact());
            let seconds = before + clock.elapsed().as_secs_f64();
            let row = Row { step: done, tokens, loss: loss / f64::from(since), exact, seconds };
            log.row(&row)?;
            eprintln!(
                "step {done} of {}: loss {:.4}, exact {:.2?}, {tokens} tokens, {seconds:.0} s",
                plan.steps, row.loss, row.exact
            );
            (loss, since) = (0.0, 0);
            let checkpoint =
                Checkpoint { step: done, tokens, seconds, weights: weights.clone(), state: optimizer.state().clone() };
            checkpoint.write(&plan.checkpoint)?;
        }
    }
    Ok(())
}

fn header(plan: &Plan, shape: &Shape) -> Vec<String> {
    // Mean tokens of a sample and share of answers as the generator makes them.
    let (tokens, answers) = (27.7, 0.36);
    let total = plan.steps as f64 * plan.samples as f64 * tokens;
    let operations = operations_per_token(shape, answers);
    vec![
        format!(
            "{} parameters; {} steps of {} samples, about {:.1} million tokens",
            shape.parameters(),
            plan.steps,
            plan.samples,
            total / 1e6
        ),
        format!(
            "estimate before the run: {:.2} MFLOP a token, {:.1} TFLOP in all",
            operations / 1e6,
            operations * total / 1e12
        ),
        format!("shares {:?}, in the last third {:?}; seed {}", plan.early, plan.late, plan.seed),
        format!("{:?}, constant for {} of the run, then linear to zero", plan.rates, plan.constant),
    ]
}

struct Checkpoint {
    step: usize,
    tokens: u64,
    seconds: f64,
    weights: Weights,
    state: Weights,
}

impl Checkpoint {
    fn write(&self, path: &Path) -> Result<()> {
        let mut all = std::collections::HashMap::new();
        for (name, tensor) in &self.weights {
            all.insert(format!("weight.{name}"), tensor.clone());
        }
        for (name, tensor) in &self.state {
            all.insert(format!("state.{name}"), tensor.clone());
        }
        let counts = vec![self.step as f64, self.tokens as f64, self.seconds];
        all.insert("counts".to_owned(), Tensor::from_vec(counts, 3, &Device::Cpu)?);
        let partial = path.with_extension("partial");
        candle_core::safetensors::save(&all, &partial)?;
        fs::rename(&partial, path)?;
        Ok(())
    }

    fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let all = candle_core::safetensors::load(path, &Device::Cpu)
            .with_context(|| format!("{} cannot be read; delete it to start anew", path.display()))?;
        let counts: Vec<f64> =
            all.get("counts").with_context(|| format!("{} is not a checkpoint", path.display()))?.to_vec1()?;
        let &[step, tokens, seconds] = counts.as_slice() else {
            bail!("{} holds {} counts instead of 3; delete it to start anew", path.display(), counts.len());
        };
        let take = |prefix: &str| -> Weights {
            all.iter().filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.clone()))).collect()
        };
        Ok(Some(Self {
            step: step as usize,
            tokens: tokens as u64,
            seconds,
            weights: take("weight."),
            state: take("state."),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_is_no_checkpoint_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        for counts in [1, 3, 4] {
            let tensor = Tensor::from_vec(vec![1.0; counts], counts, &Device::Cpu).unwrap();
            let all = std::collections::HashMap::from([("counts".to_owned(), tensor)]);
            candle_core::safetensors::save(&all, &path).unwrap();
            match Checkpoint::read(&path) {
                Ok(found) => assert_eq!((counts, found.unwrap().step), (3, 1)),
                Err(error) => assert!(counts != 3 && error.to_string().contains("checkpoint.safetensors"), "{error}"),
            }
        }
    }
}
