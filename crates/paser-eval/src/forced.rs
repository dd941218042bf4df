//! The teacher-forced pass of one model: how likely the last tokens of texts are, each after all before it. Harness,
//! perplexity and answers of own items all come down to this.
//!
//! Texts with one context form a unit and share its rows; units go through the model in batches of the scoring pass
//! (`paser-score`: longest first, whole batches to workers), so values depend on the texts and the parameters alone.
//!
//! Floor, with P parameters outside embedding and head, H hidden, V vocabulary, C context tokens (each context once), A
//! tokens asked for: 2 P (C + A) + 2 H V A operations for the products, plus about 2 H t^2 a layer for a text of t tokens.
//! Memory of a worker: hidden states of a batch, one chunk of logits (4 V bytes a row).

use std::collections::BTreeMap;

use paser_model::Decoder;
use paser_protocol::Monitor;
use paser_score::{Batch, Kernel, Logits, in_batches, plan};

use crate::{EvalError, EvalParams};

/// A text whose tokens from `from` on are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forced {
    pub ids: Vec<u32>,
    /// At least 1 and less than the number of ids.
    pub from: usize,
}

impl Forced {
    /// Rows of the model that a text alone takes: its last token is never fed.
    fn fed(&self) -> &[u32] {
        &self.ids[..self.ids.len() - 1]
    }
}

/// What the model says of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// Sum over the tokens asked for of ln p, nats; -inf where the model rules one out.
    pub log_likelihood: f64,
    /// At each of them the most likely token, of equal ones the lowest id.
    pub likeliest: Vec<u32>,
}

/// Asks the model about every text. `unit`: what a text is called in errors. Progress counts rows of the model.
///
/// # Errors
/// Settings of 0, texts that have nothing to ask for, exceed the context or leave the vocabulary; logits that are no
/// distribution; a stop.
pub(crate) fn told(
    model: &Decoder,
    unit: &'static str,
    texts: &[Forced],
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<Vec<Told>, EvalError> {
    params.check()?;
    for (number, text) in texts.iter().enumerate() {
        check(model, text).map_err(|reason| EvalError::Text { unit, number, reason })?;
    }
    let units = units(texts);
    let costs: Vec<usize> = units.iter().map(|members| rows(texts, members)).collect();
    let batches: Vec<Batch> = plan(&costs, params.tokens_per_batch)
        .into_iter()
        .map(|batch| Batch {
            members: batch.members.iter().flat_map(|&number| units[number].iter().copied()).collect(),
            tokens: batch.tokens,
        })
        .collect();
    let total = costs.iter().map(|cost| *cost as u64).sum();
    let pass = Pass { model, unit, texts, params, monitor };
    in_batches(
        &batches,
        params.threads,
        total,
        |batch| batch.tokens as u64,
        monitor,
        |batch, worker| pass.run(batch, worker),
    )
}

fn check(model: &Decoder, text: &Forced) -> Result<(), String> {
    let spec = model.spec();
    if text.from == 0 || text.from >= text.ids.len() {
        return Err(format!(
            "{} tokens of which those from {} on are asked for: there is none",
            text.ids.len(),
            text.from
        ));
    }
    if text.fed().len() > spec.context {
        return Err(format!(
            "{} tokens have to be read; the model's context holds {}. Cut the text first.",
            text.fed().len(),
            spec.context
        ));
    }
    match text.ids.iter().find(|id| **id as usize >= spec.vocab) {
        Some(id) => Err(format!(
            "token id {id} is outside the model's {} entries: the tokenizer belongs to another model",
            spec.vocab
        )),
        None => Ok(()),
    }
}

/// Texts with one context, in the order in which each context came first.
fn units(texts: &[Forced]) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<&[u32], usize> = BTreeMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let place = *places.entry(&text.ids[..text.from]).or_insert(units.len());
        if place == units.len() {
            units.push(Vec::new());
        }
        units[place].push(number);
    }
    units
}

/// Rows of a unit: its context once, without the last token, from which on every text goes its own way.
fn rows(texts: &[Forced], members: &[usize]) -> usize {
    let own: usize = members.iter().map(|&number| texts[number].ids.len() - texts[number].from).sum();
    members.first().map_or(0, |&first| texts[first].from - 1) + own
}

/// What one batch needs.
struct Pass<'a> {
    model: &'a Decoder,
    unit: &'static str,
    texts: &'a [Forced],
    params: &'a EvalParams,
    monitor: &'a dyn Monitor,
}

/// Buffers that a worker reuses from batch to batch.
#[derive(Default)]
struct Worker {
    kernel: Kernel,
    logits: Logits,
}

impl Pass<'_> {
    fn run(&self, batch: &Batch, worker: &mut Worker) -> Result<Vec<(usize, Told)>, EvalError> {
        let members: Vec<&Forced> = batch.members.iter().map(|&number| &self.texts[number]).collect();
        let fed: Vec<&[u32]> = members.iter().map(|text| text.fed()).collect();
        let from: Vec<usize> = members.iter().map(|text| text.from - 1).collect();
        let (hidden, places) = self.model.hidden_tails(&fed, &from, &|| self.monitor.cancelled())?;
        let mut found = vec![Told { log_likelihood: 0.0, likeliest: Vec::new() }; members.len()];
        let asked: Vec<(usize, usize)> =
            (places.into_iter().enumerate()).flat_map(|(member, rows)| rows.map(move |row| (row, member))).collect();
        for chunk in asked.chunks(self.params.head_chunk) {
            if self.monitor.cancelled() {
                return Err(EvalError::Cancelled);
            }
            worker.logits.fill(self.model, &hidden, chunk.iter().map(|(row, _)| *row));
            for (at, &(_, member)) in chunk.iter().enumerate() {
                let (text, found) = (members[member], &mut found[member]);
                let token = text.from + found.likeliest.len();
                let logits = worker.logits.row(at, self.model.spec().vocab);
                let Some((loss, top)) = worker.kernel.loss_and_top(logits, text.ids[token]) else {
                    return Err(EvalError::Logits { unit: self.unit, number: batch.members[member], token });
                };
                found.log_likelihood -= loss;
                found.likeliest.push(top);
            }
        }
        Ok(batch.members.iter().copied().zip(found).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_one_context_are_one_unit_whose_context_counts_once() {
        let text = |ids: &[u32], from| Forced { ids: ids.to_vec(), from };
        let texts = [text(&[1, 2, 3], 2), text(&[1, 9], 1), text(&[1, 2, 4, 5], 2), text(&[1, 2, 4, 5], 3)];
        let units = units(&texts);
        assert_eq!(units, [vec![0, 2], vec![1], vec![3]]);
        assert_eq!(units.iter().map(|members| rows(&texts, members)).collect::<Vec<_>>(), [4, 1, 3]);
    }
}
