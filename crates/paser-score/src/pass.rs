//! The teacher-forced pass: both models over the same batches, each sample reduced at once to a row of numbers
//! (method.md section 2). Owns the workers and the order of work; the divergence is in `jsd`, the means in `columns`.
//!
//! Response token i of a sample is read from the logits at position `prompt_tokens - 1 + i`, so the last token is never
//! fed. Hidden states are computed once a batch, the head on response positions only and in chunks.
//!
//! Floor, with P parameters of both models outside embedding and head, H hidden, V vocabulary, T tokens, R of them
//! response: 2 P T + 4 H V R operations for the products, plus 4 H t^2 a layer and model for a sample of t tokens
//! (half of it, being causal). For the pair of 5.4 million parameters (P = 8.7 million, H 256, V 4,096) and 500 samples
//! of 158 tokens, 53 of them response, that is 1.37 + 0.11 + 0.09 T operations: 13 s on two cores that reach 60 G
//! operations a second each. Two savings go below it: a template's opening words (38 or 50 tokens) are computed once a
//! batch, and the last layer only for response positions; together about 0.4 T operations here.
//! The divergence reads 8 V bytes a response token from cache: 0.5 s of processor time, 2 % of the pass.
//! Memory: weights once, two hidden states of a batch, two chunks of logits (8 V bytes a row, 8 MB at a chunk of 256).

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use paser_model::{Decoder, ModelError};
use paser_protocol::Monitor;

use crate::batches::{Batch, plan};
use crate::columns::{Accumulator, SampleScore};
use crate::jsd::{Kernel, Measures};

/// One tokenised sample: `ids` is the prompt followed by the response, end token included.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The caller's row; comes back in [`SampleScore::row`] and in errors.
    pub row: u32,
    /// Token ids, `prompt_tokens + response_tokens` of them, each under the vocabulary.
    pub ids: &'a [u32],
    /// Tokens before the first response token, at least 1.
    pub prompt_tokens: u32,
    /// Response tokens, at least 1.
    pub response_tokens: u32,
    /// Tokens of instruction and input without template: |x| of the cost term.
    pub sample_tokens: u32,
}

/// How to run the pass. None of it changes a score by more than rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreParams {
    /// Tokens a batch, per worker; around 1,000 keep a small model's activations in the cache.
    pub tokens_per_batch: usize,
    /// Response positions whose logits exist at once, per worker.
    pub head_chunk: usize,
    /// Worker threads; each computes whole batches on one core.
    pub threads: usize,
    /// Entries of the tokenizer; logits beyond it are padding and cut off.
    pub vocabulary: usize,
}

impl Default for ScoreParams {
    fn default() -> Self {
        Self { tokens_per_batch: 1024, head_chunk: 256, threads: 1, vocabulary: 0 }
    }
}

/// Why a pass stopped.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The monitor asked for a stop.
    #[error("scoring was cancelled")]
    Cancelled,
    /// A parameter that cannot work.
    #[error("scoring parameter {name}: {reason}")]
    Parameter { name: &'static str, reason: String },
    /// A sample that does not fit its own description.
    #[error("row {row}: {reason}")]
    Sample { row: u32, reason: String },
    /// The logits of a model are no distribution.
    #[error(
        "row {row}: response token {token} has logits that are NaN, infinite or all -inf in the dense or the pruned model; \
         check the weights of both with `paser inspect`"
    )]
    NotFinite { row: u32, token: u32 },
    /// The logits of a model that is asked alone are no distribution.
    #[error(
        "row {row}: token {token} has logits that are NaN, infinite or all -inf in the {model} model; check its weights with \
         `paser inspect`"
    )]
    Logits { row: u32, token: u32, model: &'static str },
    /// A response token that a model gives the probability 0.
    #[error(
        "row {row}: response token {token} (id {id}) has the logit -inf in the {model} model, so its loss is infinite; \
         check the sample, and whether this model masks tokens of its vocabulary"
    )]
    RuledOut { row: u32, token: u32, id: u32, model: &'static str },
    /// A model has fewer logits than the tokenizer has entries.
    #[error(
        "the {model} model gives {found} logits but the tokenizer has {vocabulary} entries: they do not belong together"
    )]
    Vocabulary { model: &'static str, found: usize, vocabulary: usize },
    /// A model failed on a batch.
    #[error("{0}")]
    Model(ModelError),
}

impl From<ModelError> for ScoreError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled => Self::Cancelled,
            other => Self::Model(other),
        }
    }
}

/// Scores `items` with both models; one row each, in the order of `items`, which is content-hash order so that samples
/// of equal length are batched the same way whatever the pool's own order. Progress counts tokens, prompt included.
/// Workers take whole batches and each computes on its own thread alone, so the same items and parameters give the same
/// bytes on any number of threads.
///
/// # Errors
/// [`ScoreError`]; of several bad samples the first by batch that was reached is named.
pub fn score(
    dense: &Decoder,
    pruned: &Decoder,
    items: &[Item<'_>],
    params: &ScoreParams,
    monitor: &dyn Monitor,
) -> Result<Vec<SampleScore>, ScoreError> {
    check(items, params)?;
    check_vocabulary(dense, pruned, params.vocabulary)?;
    let lengths: Vec<usize> = items.iter().map(|item| item.ids.len() - 1).collect();
    let batches = plan(&lengths, params.tokens_per_batch);
    let total: u64 = items.iter().map(|item| item.ids.len() as u64).sum();
    let tokens = |batch: &Batch| batch.members.iter().map(|&index| items[index].ids.len() as u64).sum();
    let pass = Pass { dense, pruned, items, params, monitor };
    in_batches(&batches, params.threads, total, tokens, monitor, |batch, worker| pass.run(batch, worker))
}

/// What `run` makes of every batch, in the order of its positions. Workers take whole batches, each with a `W` of its own;
/// progress counts `cost`.
///
/// # Errors
/// What `run` says of the first batch, by number, that was reached and failed; no further batch is begun then.
pub fn in_batches<W: Default, T: Send, E: Send>(
    batches: &[Batch],
    threads: usize,
    total: u64,
    cost: impl Fn(&Batch) -> u64 + Sync,
    monitor: &dyn Monitor,
    run: impl Fn(&Batch, &mut W) -> Result<Vec<(usize, T)>, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    monitor.progress(0, total);

    let work = || -> Result<Vec<(usize, T)>, (usize, E)> {
        let mut worker = W::default();
        let mut found = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = batches.get(number) else { return Ok(found) };
            if stop.load(Ordering::Relaxed) {
                return Ok(found);
            }
            match run(batch, &mut worker) {
                Ok(rows) => found.extend(rows),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err((number, error));
                }
            }
            let cost = cost(batch);
            monitor.progress(done.fetch_add(cost, Ordering::Relaxed) + cost, total);
        }
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(batches.len()).max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });

    let mut rows = Vec::with_capacity(batches.iter().map(|batch| batch.members.len()).sum());
    let mut first_error: Option<(usize, E)> = None;
    for outcome in outcomes {
        match outcome {
            Ok(found) => rows.extend(found),
            Err(error) if first_error.as_ref().is_none_or(|first| error.0 < first.0) => first_error = Some(error),
            Err(_) => {}
        }
    }
    if let Some((_, error)) = first_error {
        return Err(error);
    }
    rows.sort_by_key(|&(index, _)| index);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

pub(crate) fn check_params(params: &ScoreParams) -> Result<(), ScoreError> {
    let parameter = |name, reason: &str| Err(ScoreError::Parameter { name, reason: reason.to_owned() });
    if params.vocabulary == 0 {
        return parameter("vocabulary", "must be the number of entries of the tokenizer");
    }
    if params.head_chunk == 0 || params.tokens_per_batch == 0 {
        return parameter("head_chunk, tokens_per_batch", "must be at least 1");
    }
    Ok(())
}

pub(crate) fn check(items: &[Item<'_>], params: &ScoreParams) -> Result<(), ScoreError> {
    check_params(params)?;
    items.iter().try_for_each(|item| check_item(item, params.vocabulary))
}

pub(crate) fn check_vocabulary(dense: &Decoder, pruned: &Decoder, vocabulary: usize) -> Result<(), ScoreError> {
    for (model, found) in [("dense", dense.spec().vocab), ("pruned", pruned.spec().vocab)] {
        if found < vocabulary {
            return Err(ScoreError::Vocabulary { model, found, vocabulary });
        }
    }
    Ok(())
}

pub(crate) fn check_item(item: &Item<'_>, vocabulary: usize) -> Result<(), ScoreError> {
    let sample = |reason: String| Err(ScoreError::Sample { row: item.row, reason });
    if item.prompt_tokens == 0 || item.response_tokens == 0 {
        return sample("a sample needs at least one prompt token and one response token to be scored".to_owned());
    }
    if item.ids.len() as u64 != u64::from(item.prompt_tokens) + u64::from(item.response_tokens) {
        return sample(format!(
            "{} token ids, but {} prompt and {} response tokens",
            item.ids.len(),
            item.prompt_tokens,
            item.response_tokens
        ));
    }
    if let Some(id) = item.ids.iter().find(|&&id| id as usize >= vocabulary) {
        return sample(format!("token id {id} is outside the tokenizer's {vocabulary} entries"));
    }
    Ok(())
}

/// What one batch needs.
pub(crate) struct Pass<'a> {
    pub dense: &'a Decoder,
    pub pruned: &'a Decoder,
    pub items: &'a [Item<'a>],
    pub params: &'a ScoreParams,
    pub monitor: &'a dyn Monitor,
}

/// A response token of a batch.
struct Place {
    /// Row of the hidden states that predicts it.
    row: usize,
    /// Its sample among the batch's members.
    member: usize,
    /// Its number in the response.
    token: u32,
}

/// Buffers that a worker reuses from batch to batch.
#[derive(Default)]
pub(crate) struct Worker {
    kernel: Kernel,
    dense: Logits,
    pruned: Logits,
}

impl Pass<'_> {
    /// Scores of the batch's members, with their positions in `items`.
    fn run(&self, batch: &Batch, worker: &mut Worker) -> Result<Vec<(usize, SampleScore)>, ScoreError> {
        let mut sums = vec![Accumulator::default(); batch.members.len()];
        self.each_token(batch, worker, |kernel, logits, item, member, token| {
            sums[member].add(&measure(kernel, logits, item, token)?);
            Ok(())
        })?;
        let finish = |(sums, &index): (Accumulator, &usize)| {
            let item = &self.items[index];
            (index, sums.finish(item.row, item.sample_tokens, item.prompt_tokens))
        };
        Ok(sums.into_iter().zip(&batch.members).map(finish).collect())
    }

    /// Both models' logits before every response token of the batch, with the item, its place among the batch's members
    /// and the token's number; tokens of a member in order.
    pub(crate) fn each_token(
        &self,
        batch: &Batch,
        worker: &mut Worker,
        mut each: impl FnMut(&mut Kernel, [&[f32]; 2], &Item<'_>, usize, u32) -> Result<(), ScoreError>,
    ) -> Result<(), ScoreError> {
        let members: Vec<&Item<'_>> = batch.members.iter().map(|&index| &self.items[index]).collect();
        let fed: Vec<&[u32]> = members.iter().map(|item| &item.ids[..item.ids.len() - 1]).collect();
        let from: Vec<usize> = members.iter().map(|item| item.prompt_tokens as usize - 1).collect();
        let stop = || self.monitor.cancelled();
        let (dense, rows) = self.dense.hidden_tails(&fed, &from, &stop)?;
        // the same layout: it depends on the token ids alone
        let (pruned, _) = self.pruned.hidden_tails(&fed, &from, &stop)?;
        let places: Vec<Place> = rows
            .iter()
            .enumerate()
            .flat_map(|(member, rows)| (0..).zip(rows.clone()).map(move |(token, row)| Place { row, member, token }))
            .collect();

        for chunk in places.chunks(self.params.head_chunk) {
            self.check_cancelled()?;
            worker.dense.fill(self.dense, &dense, chunk.iter().map(|place| place.row));
            worker.pruned.fill(self.pruned, &pruned, chunk.iter().map(|place| place.row));
            for (number, place) in chunk.iter().enumerate() {
                let dense = worker.dense.row(number, self.params.vocabulary);
                let pruned = worker.pruned.row(number, self.params.vocabulary);
                each(&mut worker.kernel, [dense, pruned], members[place.member], place.member, place.token)?;
            }
        }
        Ok(())
    }

    fn check_cancelled(&self) -> Result<(), ScoreError> {
        if self.monitor.cancelled() { Err(ScoreError::Cancelled) } else { Ok(()) }
    }
}

/// What response token `token` of `item` says about both models, from the logits `[dense, pruned]` before it.
///
/// # Errors
/// Logits that are no distribution, and a token that a model rules out: its loss would make every mean infinite.
pub(crate) fn measure(
    kernel: &mut Kernel,
    [dense, pruned]: [&[f32]; 2],
    item: &Item<'_>,
    token: u32,
) -> Result<Measures, ScoreError> {
    let target = item.ids[(item.prompt_tokens + token) as usize];
    let measures = kernel.measure(dense, pruned, target).ok_or(ScoreError::NotFinite { row: item.row, token })?;
    for (model, loss) in [("dense", measures.loss_dense), ("pruned", measures.loss_pruned)] {
        if loss.is_infinite() {
            return Err(ScoreError::RuledOut { row: item.row, token, id: target, model });
        }
    }
    Ok(measures)
}

/// Logits of some rows of hidden states, over the model's own (perhaps padded) vocabulary.
#[derive(Default)]
pub struct Logits {
    inputs: Vec<f32>,
    values: Vec<f32>,
    width: usize,
}

impl Logits {
    /// `hidden`: rows as [`Decoder::hidden_tails`] gives them; `rows`: which of them.
    pub fn fill(&mut self, model: &Decoder, hidden: &[f32], rows: impl Iterator<Item = usize>) {
        let hidden_width = model.spec().hidden;
        self.width = model.spec().vocab;
        self.inputs.clear();
        for row in rows {
            self.inputs.extend_from_slice(&hidden[row * hidden_width..][..hidden_width]);
        }
        self.values.resize(self.inputs.len() / hidden_width * self.width, 0.0);
        model.logits_rows(&self.inputs, &mut self.values);
    }

    /// One row, cut to the first `vocabulary` entries.
    pub fn row(&self, number: usize, vocabulary: usize) -> &[f32] {
        &self.values[number * self.width..][..vocabulary]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_a_model_rules_out_is_refused_by_name() {
        let item = Item { row: 41, ids: &[0, 1], prompt_tokens: 1, response_tokens: 1, sample_tokens: 1 };
        let (open, closed) = ([0.0, 0.0], [0.0, f32::NEG_INFINITY]);
        let told =
            |logits: [&[f32]; 2]| measure(&mut Kernel::new(), logits, &item, 0).map_err(|error| error.to_string());
        assert!(told([&open, &open]).is_ok());
        for (logits, model) in [([&closed, &open], "dense"), ([&open, &closed], "pruned")] {
            let message = told(logits.map(|row| row.as_slice())).unwrap_err();
            assert!(message.starts_with("row 41: response token 0 (id 1)"), "{message}");
            assert!(message.contains(&format!("in the {model} model")), "{message}");
        }
    }
}
