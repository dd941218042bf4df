//! The teacher-forced pass: both models over the same batches, each sample reduced at once to a row of numbers
//! (method.md section 2). Owns the workers and the order of work; the divergence is in `jsd`, the means in `columns`.
//!
//! Response token i of a sample is read from the logits at position `prompt_tokens - 1 + i`, so the last token is never
//! fed. Hidden states are computed once a batch, the head on response positions only and in chunks.
//!
//! Floor, with P parameters of both models outside embedding and head, H hidden, V vocabulary, T tokens, R of them
//! response: 2 P T + 4 H V R operations for the products, plus 4 H t^2 a layer and sample of length t for attention.
//! For the pair of 5.4 million parameters (P = 8.7 million, H 256, V 4,096) and 500 samples of 130 tokens, 45 of them
//! response, that is 1.13 + 0.09 + 0.08 T operations: about 8 s on two cores that reach 80 G operations a second.
//! Memory: weights once, two hidden states of a batch, two chunks of logits (8 V bytes a row): 16 MB at a chunk of 512.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use candle_core::{DType, Device, Storage, Tensor};
use paser_model::{Decoder, ModelError, on_one_thread};
use paser_protocol::Monitor;

use crate::batches::{Batch, plan};
use crate::columns::{Accumulator, SampleScore};
use crate::jsd::Kernel;

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
    /// Padded tokens a batch, per worker; 512 to 2,048 keep a small model's activations in cache.
    pub tokens_per_batch: usize,
    /// Response positions whose logits exist at once, per worker.
    pub head_chunk: usize,
    /// Worker threads; each computes whole batches on one core.
    pub threads: usize,
    /// Temperatures, each above 0, beside 1, at which the divergence is wanted too.
    pub tau: Vec<f64>,
    /// Entries of the tokenizer; logits beyond it are padding and cut off.
    pub vocabulary: usize,
}

impl Default for ScoreParams {
    fn default() -> Self {
        Self { tokens_per_batch: 1024, head_chunk: 256, threads: 1, tau: Vec::new(), vocabulary: 0 }
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
    /// A model has fewer logits than the tokenizer has entries.
    #[error("the {model} model gives {found} logits but the tokenizer has {vocabulary} entries: they do not belong together")]
    Vocabulary { model: &'static str, found: usize, vocabulary: usize },
    /// A model failed on a batch.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// A tensor operation failed.
    #[error("tensor operation while scoring: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// Scores `items` with both models; one row each, in the order of `items`, which is content-hash order so that samples
/// of equal length are batched the same way whatever the pool's own order. Progress counts tokens, prompt included.
/// The same items and parameters give the same bytes on any number of threads.
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
    let lengths: Vec<usize> = items.iter().map(|item| item.ids.len() - 1).collect();
    let batches = plan(&lengths, params.tokens_per_batch);
    let total: u64 = items.iter().map(|item| item.ids.len() as u64).sum();
    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    monitor.progress(0, total);

    let work = || -> Result<Vec<(usize, SampleScore)>, (usize, ScoreError)> {
        let mut kernel = Kernel::new();
        let mut scores = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = batches.get(number) else { return Ok(scores) };
            if stop.load(Ordering::Relaxed) {
                return Ok(scores);
            }
            let pass = Pass { dense, pruned, items, params, monitor };
            match on_one_thread(|| pass.run(batch, &mut kernel)).map_err(ScoreError::from).and_then(|result| result) {
                Ok(rows) => scores.extend(rows),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err((number, error));
                }
            }
            let tokens: u64 = batch.members.iter().map(|&index| items[index].ids.len() as u64).sum();
            monitor.progress(done.fetch_add(tokens, Ordering::Relaxed) + tokens, total);
        }
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..params.threads.min(batches.len()).max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });

    let mut rows = Vec::with_capacity(items.len());
    let mut first_error: Option<(usize, ScoreError)> = None;
    for outcome in outcomes {
        match outcome {
            Ok(scores) => rows.extend(scores),
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

fn check(items: &[Item<'_>], params: &ScoreParams) -> Result<(), ScoreError> {
    let parameter = |name, reason: &str| Err(ScoreError::Parameter { name, reason: reason.to_owned() });
    if params.vocabulary == 0 {
        return parameter("vocabulary", "must be the number of entries of the tokenizer");
    }
    if params.head_chunk == 0 || params.tokens_per_batch == 0 {
        return parameter("head_chunk, tokens_per_batch", "must be at least 1");
    }
    if let Some(tau) = params.tau.iter().find(|tau| !(tau.is_finite() && **tau > 0.0)) {
        return parameter("tau", &format!("{tau} is no temperature; it must be above 0"));
    }
    items.iter().try_for_each(|item| check_item(item, params.vocabulary))
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
struct Pass<'a> {
    dense: &'a Decoder,
    pruned: &'a Decoder,
    items: &'a [Item<'a>],
    params: &'a ScoreParams,
    monitor: &'a dyn Monitor,
}

impl Pass<'_> {
    /// Scores of the batch's members, with their positions in `items`.
    fn run(&self, batch: &Batch, kernel: &mut Kernel) -> Result<Vec<(usize, SampleScore)>, ScoreError> {
        let members: Vec<&Item<'_>> = batch.members.iter().map(|&index| &self.items[index]).collect();
        let fed: Vec<&[u32]> = members.iter().map(|item| &item.ids[..item.ids.len() - 1]).collect();
        // row of the flattened hidden states, member, number of the response token
        let mut places = Vec::new();
        for (member, item) in members.iter().enumerate() {
            let start = member * batch.longest + item.prompt_tokens as usize - 1;
            places.extend((0..item.response_tokens).map(|token| ((start + token as usize) as u32, member, token)));
        }
        self.check_cancelled()?;
        let dense = flatten(&self.dense.hidden(&fed)?)?;
        self.check_cancelled()?;
        let pruned = flatten(&self.pruned.hidden(&fed)?)?;

        let mut sums = vec![Accumulator::new(self.params.tau.len()); members.len()];
        let mut at_tau = vec![0.0; self.params.tau.len()];
        let vocabulary = self.params.vocabulary;
        for chunk in places.chunks(self.params.head_chunk) {
            self.check_cancelled()?;
            let positions: Vec<u32> = chunk.iter().map(|place| place.0).collect();
            let dense = Logits::new(self.dense, "dense", &dense, &positions, vocabulary)?;
            let pruned = Logits::new(self.pruned, "pruned", &pruned, &positions, vocabulary)?;
            dense.with(|dense| {
                pruned.with(|pruned| {
                    for (row, &(_, member, token)) in chunk.iter().enumerate() {
                        let item = members[member];
                        let broken = || ScoreError::NotFinite { row: item.row, token };
                        let target = item.ids[(item.prompt_tokens + token) as usize];
                        let (dense, pruned) = (dense.row(row), pruned.row(row));
                        let measures = kernel.measure(dense, pruned, target).ok_or_else(broken)?;
                        for (value, &tau) in at_tau.iter_mut().zip(&self.params.tau) {
                            *value = if tau == 1.0 {
                                measures.jsd
                            } else {
                                kernel.divergence(dense, pruned, tau).ok_or_else(broken)?
                            };
                        }
                        sums[member].add(&measures, &at_tau);
                    }
                    Ok(())
                })
            })?;
        }
        let rows = sums.into_iter().zip(&members).zip(&batch.members);
        Ok(rows.map(|((sums, item), &index)| (index, sums.finish(item.row, item.sample_tokens, item.prompt_tokens))).collect())
    }

    fn check_cancelled(&self) -> Result<(), ScoreError> {
        if self.monitor.cancelled() { Err(ScoreError::Cancelled) } else { Ok(()) }
    }
}

/// [b, t, h] -> [b t, h].
pub(crate) fn flatten(hidden: &Tensor) -> Result<Tensor, ScoreError> {
    Ok(hidden.flatten(0, 1)?)
}

/// Logits of some positions in main memory, read row by row and cut to the tokenizer's vocabulary.
pub(crate) struct Logits {
    tensor: Tensor,
    width: usize,
    vocabulary: usize,
}

pub(crate) struct Rows<'a> {
    values: &'a [f32],
    width: usize,
    vocabulary: usize,
}

impl Rows<'_> {
    pub(crate) fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.width..][..self.vocabulary]
    }
}

impl Logits {
    /// `hidden`: [n, h]; `positions`: rows of it.
    pub(crate) fn new(
        model: &Decoder,
        name: &'static str,
        hidden: &Tensor,
        positions: &[u32],
        vocabulary: usize,
    ) -> Result<Self, ScoreError> {
        let positions = Tensor::new(positions, hidden.device())?;
        let tensor = model.logits(&hidden.index_select(&positions, 0)?)?;
        let tensor = tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous()?;
        let (_, width) = tensor.dims2()?;
        if width < vocabulary {
            return Err(ScoreError::Vocabulary { model: name, found: width, vocabulary });
        }
        Ok(Self { tensor, width, vocabulary })
    }

    pub(crate) fn with<T>(&self, read: impl FnOnce(Rows<'_>) -> Result<T, ScoreError>) -> Result<T, ScoreError> {
        let (storage, layout) = self.tensor.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            return Err(candle_core::Error::Msg("logits did not arrive in main memory".to_owned()).into());
        };
        let values = &storage.as_slice::<f32>()?[layout.start_offset()..];
        read(Rows { values, width: self.width, vocabulary: self.vocabulary })
    }
}
