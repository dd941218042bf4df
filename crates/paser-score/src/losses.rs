//! Losses of one model on the last tokens of texts: of a text by itself, and of several texts each behind the same
//! example (method.md section 4: `ifd`, `superfiltering`, `nuggets`). The example's keys and values are computed once for
//! all texts that go through the model together; workers take whole batches as in the scoring pass.

use paser_model::Decoder;
use paser_protocol::Monitor;

use crate::batches::{Batch, plan};
use crate::jsd::Kernel;
use crate::pass::{Logits, ScoreError, ScoreParams, check_params, in_batches};

/// Tokens of the texts behind one example that go through the model together, in batches of the parameters: the example
/// itself is computed once for each such stretch.
const BATCHES_BEHIND: usize = 8;

/// The end of a text.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// The caller's row, for errors.
    pub row: u32,
    /// Token ids of the whole text.
    pub ids: &'a [u32],
    /// The first token whose loss counts. Nothing predicts a text's first token, so of 0 and 1 both mean the second one.
    pub from: usize,
}

impl Span<'_> {
    /// Tokens whose losses count.
    pub fn counted(&self) -> usize {
        self.ids.len() - self.from.max(1).min(self.ids.len())
    }
}

/// The model that is asked, and what it is called in errors.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    model: &'a Decoder,
    name: &'static str,
}

/// Sum of the losses of each span in nats; 0 where nothing counts. `name`: what the model is called in errors. Progress
/// counts tokens.
///
/// # Errors
/// [`ScoreError`]: a token outside the vocabulary, logits that are no distribution or rule a token out, a text longer than
/// the context.
pub fn losses(
    model: &Decoder,
    name: &'static str,
    spans: &[Span<'_>],
    params: &ScoreParams,
    monitor: &dyn Monitor,
) -> Result<Vec<f64>, ScoreError> {
    Ok(losses_and_hits(model, name, spans, params, monitor)?.into_iter().map(|(loss, _)| loss).collect())
}

/// The same, with how many of the counted tokens are the most likely ones.
///
/// # Errors
/// As [`losses`].
pub fn losses_and_hits(
    model: &Decoder,
    name: &'static str,
    spans: &[Span<'_>],
    params: &ScoreParams,
    monitor: &dyn Monitor,
) -> Result<Vec<(f64, u32)>, ScoreError> {
    let asked = Asked { model, name };
    asked.check(spans, params)?;
    let lengths: Vec<usize> = spans.iter().map(|span| span.ids.len()).collect();
    let batches = plan(&lengths, params.tokens_per_batch);
    let total = lengths.iter().map(|length| *length as u64).sum();
    let tokens = |batch: &Batch| batch.tokens as u64;
    in_batches(&batches, params.threads, total, tokens, monitor, |batch, worker: &mut Worker| {
        let members: Vec<Span<'_>> = batch.members.iter().map(|&index| spans[index]).collect();
        let sums = asked.sums(&[], &members, params, worker, monitor)?;
        Ok(batch.members.iter().copied().zip(sums).collect())
    })
}

/// The same of every span behind each of these examples: by example, then by span. What each needs in the context is
/// the example's length and the span's.
///
/// # Errors
/// As [`losses`].
pub fn losses_behind(
    model: &Decoder,
    name: &'static str,
    examples: &[&[u32]],
    spans: &[Span<'_>],
    params: &ScoreParams,
    monitor: &dyn Monitor,
) -> Result<Vec<Vec<f64>>, ScoreError> {
    let asked = Asked { model, name };
    asked.check(spans, params)?;
    let behind: usize = spans.iter().map(|span| span.ids.len()).sum();
    let batches: Vec<Batch> = (examples.iter().enumerate())
        .map(|(index, example)| Batch { members: vec![index], tokens: example.len() + behind })
        .collect();
    let total = batches.iter().map(|batch| batch.tokens as u64).sum();
    let tokens = |batch: &Batch| batch.tokens as u64;
    let most = params.tokens_per_batch * BATCHES_BEHIND;
    in_batches(&batches, params.threads, total, tokens, monitor, |batch, worker: &mut Worker| {
        let mut found = Vec::with_capacity(batch.members.len());
        for &index in &batch.members {
            let example = examples[index];
            let mut sums = Vec::with_capacity(spans.len());
            let mut rest = spans;
            while !rest.is_empty() {
                let mut tokens = 0;
                let fitting = rest.iter().take_while(|span| {
                    tokens += span.ids.len();
                    tokens <= most
                });
                let (now, later) = rest.split_at(fitting.count().max(1));
                sums.extend(asked.sums(example, now, params, worker, monitor)?.into_iter().map(|(loss, _)| loss));
                rest = later;
            }
            found.push((index, sums));
        }
        Ok(found)
    })
}

/// Buffers that a worker reuses from batch to batch.
#[derive(Default)]
struct Worker {
    kernel: Kernel,
    logits: Logits,
}

impl Asked<'_> {
    fn check(&self, spans: &[Span<'_>], params: &ScoreParams) -> Result<(), ScoreError> {
        check_params(params)?;
        let (found, vocabulary) = (self.model.spec().vocab, params.vocabulary);
        if found < vocabulary {
            return Err(ScoreError::Vocabulary { model: self.name, found, vocabulary });
        }
        for span in spans {
            if let Some(id) = span.ids.iter().find(|id| **id as usize >= vocabulary) {
                let reason = format!("token id {id} is outside the tokenizer's {vocabulary} entries");
                return Err(ScoreError::Sample { row: span.row, reason });
            }
        }
        Ok(())
    }

    /// Sums of the spans, each behind `example`, in one forward pass.
    fn sums(
        &self,
        example: &[u32],
        spans: &[Span<'_>],
        params: &ScoreParams,
        worker: &mut Worker,
        monitor: &dyn Monitor,
    ) -> Result<Vec<(f64, u32)>, ScoreError> {
        let (mut sums, mut fed, mut from, mut asked) =
            (vec![(0.0, 0); spans.len()], Vec::new(), Vec::new(), Vec::new());
        for (number, span) in spans.iter().enumerate() {
            let text = [example, span.ids].concat();
            let first = example.len() + span.from.max(1);
            if first < text.len() {
                from.push(first - 1);
                fed.push(text[..text.len() - 1].to_vec());
                asked.push(number);
            }
        }
        if asked.is_empty() {
            return Ok(sums);
        }
        let sequences: Vec<&[u32]> = fed.iter().map(Vec::as_slice).collect();
        let (hidden, rows) = self.model.hidden_tails(&sequences, &from, &|| monitor.cancelled())?;
        let places: Vec<(usize, usize, usize)> = (asked.iter().zip(&rows))
            .flat_map(|(&number, rows)| {
                let first = spans[number].ids.len() - rows.len();
                rows.clone().enumerate().map(move |(at, row)| (row, number, first + at))
            })
            .collect();
        for chunk in places.chunks(params.head_chunk) {
            if monitor.cancelled() {
                return Err(ScoreError::Cancelled);
            }
            worker.logits.fill(self.model, &hidden, chunk.iter().map(|place| place.0));
            for (at, &(_, number, token)) in chunk.iter().enumerate() {
                let (span, model) = (&spans[number], self.name);
                let (row, id) = (span.row, span.ids[token]);
                let logits = worker.logits.row(at, params.vocabulary);
                let told = token as u32;
                let loss = worker.kernel.loss(logits, id).ok_or(ScoreError::Logits { row, token: told, model })?;
                if loss.is_infinite() {
                    return Err(ScoreError::RuledOut { row, token: told, id, model });
                }
                sums[number].0 += loss;
                // Of equal logits the first is taken, as everywhere.
                let best = logits
                    .iter()
                    .enumerate()
                    .fold(0, |best, (at, logit)| if *logit > logits[best] { at } else { best });
                sums[number].1 += u32::from(best == id as usize);
            }
        }
        Ok(sums)
    }
}
