//! An arm's training: steps, what is done about losses that are not finite, and the state that a stopped run goes on from.

use paser_model::{
    Adapter, Checkpoint, LowRank, ModelError, ModelSpec, Projection,
    train::{Dropout, Example, Trainee},
};
use paser_protocol::Method;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{AdamW, Moments, Schedule, clipping, norm};

/// Steps in a row that may be left out before a run counts as diverged.
const LEFT_OUT: u32 = 10;
/// Steps whose mean loss is where a run started.
const START: u64 = 3;
/// A run has diverged when its smoothed loss is this many nats over half as much again as where it started.
const MARGIN: f64 = 1.0;
/// Weight of the newest step in the smoothed loss.
const NEWEST: f64 = 0.1;

/// How an arm is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub method: Method,
    pub rank: usize,
    pub alpha: f64,
    pub dropout: f64,
    pub last_layers: usize,
    pub schedule: Schedule,
    pub weight_decay: f64,
    pub clip: f64,
    pub seed: u64,
    /// Bytes that activations may take on all threads together.
    pub memory: u64,
}

/// A sample as it is trained on: the response behind the prompt, end token included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its row in the pool.
    pub row: u32,
    pub ids: Vec<u32>,
    pub prompt_tokens: usize,
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean over the response tokens of the step, nats.
    pub loss: f64,
    /// Of all gradients together, before clipping.
    pub norm: f64,
    /// Prompt and response tokens, and response tokens alone.
    pub tokens: u64,
    pub response_tokens: u64,
    /// Left out, because loss or gradients were not finite.
    pub skipped: bool,
}

/// Everything that the next step depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Steps done, those left out among them.
    pub step: u32,
    pub skipped: u32,
    skipped_in_a_row: u32,
    /// Sum of the first steps' losses, and how many they are.
    start: (f64, u64),
    smoothed: f64,
    pub values: Vec<f32>,
    pub moments: Moments,
}

/// Numbers of a [`State`] that are not per parameter, as a checkpoint stores them.
pub const SCALARS: usize = 7;

impl State {
    /// Step, counts and smoothed losses, for a checkpoint.
    pub fn scalars(&self) -> [f64; SCALARS] {
        [
            f64::from(self.step),
            f64::from(self.skipped),
            f64::from(self.skipped_in_a_row),
            self.start.0,
            self.start.1 as f64,
            self.smoothed,
            self.moments.steps as f64,
        ]
    }

    /// The state that a checkpoint holds; none where the parts do not belong together.
    pub fn from_parts(scalars: &[f64], values: Vec<f32>, first: Vec<f32>, second: Vec<f32>) -> Option<Self> {
        let &[step, skipped, in_a_row, start, started, smoothed, steps] = scalars else { return None };
        let whole = [step, skipped, in_a_row, started, steps];
        let sound = whole.iter().all(|value| *value >= 0.0 && value.fract() == 0.0 && *value <= f64::from(u32::MAX));
        if !sound || first.len() != values.len() || second.len() != values.len() {
            return None;
        }
        Some(Self {
            step: step as u32,
            skipped: skipped as u32,
            skipped_in_a_row: in_a_row as u32,
            start: (start, started as u64),
            smoothed,
            values,
            moments: Moments { first, second, steps: steps as u64 },
        })
    }
}

/// Why an arm's training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("training was cancelled")]
    Cancelled,
    /// Flagged, never averaged with others.
    #[error("step {step}: the run diverged: {why}")]
    Diverged { step: u32, why: String },
    /// A checkpoint of another plan.
    #[error("the checkpoint holds {found} trained numbers, and the plan has {expected}")]
    State { found: usize, expected: usize },
    #[error("no sample of the arm has a response token within the length")]
    Empty,
    #[error("{0}")]
    Model(ModelError),
}

impl From<ModelError> for TrainError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled => Self::Cancelled,
            other => Self::Model(other),
        }
    }
}

/// A run at one of its steps.
#[derive(Debug)]
pub struct Training {
    plan: Plan,
    trainee: Trainee,
    optimizer: AdamW,
    state: State,
}

/// Additions that change nothing yet: A uniform within 1 / sqrt(inputs), as PEFT draws it (Kaiming with a = sqrt 5), B 0.
pub fn fresh_adapter(spec: &ModelSpec, plan: &Plan) -> Adapter {
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
    // Apart from the order of samples, which draws from the first streams.
    random.set_stream(u64::MAX);
    let mut parts = std::collections::BTreeMap::new();
    for (layer, sizes) in spec.layers.iter().enumerate() {
        for projection in Projection::ALL {
            let (outputs, inputs) = sizes.shape(projection, spec.hidden);
            let bound = 1.0 / (inputs as f32).sqrt();
            let a = (0..plan.rank * inputs).map(|_| random.random_range(-bound..bound)).collect();
            parts.insert((layer, projection), LowRank { a, b: vec![0.0; outputs * plan.rank] });
        }
    }
    Adapter { rank: plan.rank, alpha: plan.alpha, dropout: plan.dropout, parts }
}

impl Training {
    /// A run before its first step. `threads`: how many packs are computed at once.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub fn new(checkpoint: &Checkpoint, plan: Plan, threads: usize) -> Result<Self, TrainError> {
        let trainee = match plan.method {
            Method::Lora => Trainee::low_rank(checkpoint, &fresh_adapter(checkpoint.spec(), &plan)),
            Method::LastLayers => Trainee::weights(checkpoint, Some(plan.last_layers)),
            Method::Full => Trainee::weights(checkpoint, None),
        }?;
        let trainee = trainee.within(plan.memory, threads);
        let values = trainee.values().to_vec();
        let state = State {
            step: 0,
            skipped: 0,
            skipped_in_a_row: 0,
            start: (0.0, 0),
            smoothed: 0.0,
            moments: Moments::new(values.len()),
            values,
        };
        let optimizer = AdamW { weight_decay: plan.weight_decay, ..AdamW::default() };
        Ok(Self { plan, trainee, optimizer, state })
    }

    /// Goes on from a state that was taken before.
    ///
    /// # Errors
    /// The state of another plan.
    pub fn restore(&mut self, state: State) -> Result<(), TrainError> {
        let (found, expected) = (state.values.len(), self.state.values.len());
        if found != expected {
            return Err(TrainError::State { found, expected });
        }
        self.trainee.change(|values| values.copy_from_slice(&state.values));
        self.state = state;
        Ok(())
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn trainee(&self) -> &Trainee {
        &self.trainee
    }

    /// The next step, on these samples. The threads are those of the current rayon pool; the numbers do not depend on them.
    ///
    /// # Errors
    /// [`TrainError::Cancelled`]: the run is as before the step. [`TrainError::Diverged`]. Samples that do not fit the model.
    pub fn step(&mut self, samples: &[&Sample], stop: &(dyn Fn() -> bool + Sync)) -> Result<Step, TrainError> {
        let counted: Vec<Vec<bool>> =
            samples.iter().map(|sample| (0..sample.ids.len()).map(|at| at >= sample.prompt_tokens).collect()).collect();
        let batch: Vec<Example<'_>> = samples
            .iter()
            .zip(&counted)
            .map(|(sample, counted)| Example { sample: u64::from(sample.row), ids: &sample.ids, counted })
            .collect();
        let state = &mut self.state;
        let dropout = Dropout { share: self.plan.dropout, seed: self.plan.seed, step: u64::from(state.step) };
        let dropout = (self.plan.method == Method::Lora).then_some(dropout);
        let found = self.trainee.gradients(&batch, dropout, stop)?;
        let norm = norm(&found.values);
        let skipped = !found.loss.is_finite() || !norm.is_finite();
        let step = Step {
            loss: found.loss,
            norm,
            tokens: samples.iter().map(|sample| sample.ids.len() as u64).sum(),
            response_tokens: found.targets as u64,
            skipped,
        };
        let rate = self.plan.schedule.at(state.step);
        state.step += 1;
        if skipped {
            state.skipped += 1;
            state.skipped_in_a_row += 1;
            if state.skipped_in_a_row >= LEFT_OUT {
                let why = format!("{LEFT_OUT} steps in a row had a loss or gradients that are not finite");
                return Err(TrainError::Diverged { step: state.step, why });
            }
            return Ok(step);
        }
        state.skipped_in_a_row = 0;
        let factor = clipping(norm, self.plan.clip);
        let optimizer = self.optimizer;
        let moments = &mut state.moments;
        self.trainee.change(|values| optimizer.step(values, &found.values, factor, rate, moments));
        state.values.copy_from_slice(self.trainee.values());
        state.follow(found.loss)?;
        Ok(step)
    }
}

impl State {
    /// Smooths the loss and looks whether it has left where it started.
    fn follow(&mut self, loss: f64) -> Result<(), TrainError> {
        if self.start.1 < START {
            self.start = (self.start.0 + loss, self.start.1 + 1);
            self.smoothed = self.start.0 / self.start.1 as f64;
            return Ok(());
        }
        self.smoothed += NEWEST * (loss - self.smoothed);
        let start = self.start.0 / self.start.1 as f64;
        if self.smoothed > 1.5 * start + MARGIN {
            let why = format!("the loss rose from {start:.3} to {:.3} nats; lower the learning rate", self.smoothed);
            return Err(TrainError::Diverged { step: self.step, why });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn state() -> State {
        let moments = Moments { first: vec![0.5, 0.25], second: vec![0.1, 0.2], steps: 4 };
        State {
            step: 5,
            skipped: 1,
            skipped_in_a_row: 0,
            start: (6.0, 3),
            smoothed: 2.0,
            values: vec![1.0, -1.0],
            moments,
        }
    }

    #[test]
    fn a_loss_that_leaves_where_it_started_ends_the_run_and_a_bad_step_does_not() {
        let mut run = state();
        for loss in [2.1, 9.0, 2.0, 1.9] {
            run.follow(loss).unwrap();
        }
        let diverged = (0..100).find_map(|_| run.follow(8.0).err()).unwrap();
        assert!(diverged.to_string().contains("rose from 2.000"), "{diverged}");
    }

    #[test]
    fn a_state_comes_back_from_its_parts_and_no_other_does() {
        let state = state();
        let back = |scalars: &[f64], second: Vec<f32>| {
            State::from_parts(scalars, state.values.clone(), state.moments.first.clone(), second)
        };
        assert_eq!(back(&state.scalars(), state.moments.second.clone()), Some(state.clone()));
        assert_eq!(back(&state.scalars()[1..], state.moments.second.clone()), None);
        assert_eq!(back(&state.scalars(), vec![0.1]), None);
        let mut broken = state.scalars();
        broken[0] = -1.0;
        assert_eq!(back(&broken, state.moments.second.clone()), None);
    }
}
