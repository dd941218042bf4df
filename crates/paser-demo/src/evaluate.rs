//! Exact match of a model folder on test or development items, per capability, with Wilson intervals.

use std::path::Path;

use anyhow::{Result, anyhow};
use paser_model::{Checkpoint, Decoder};
use tokenizers::Tokenizer;

use crate::pool::TestItem;
use crate::tasks::Capability;
use crate::tokens::{Sequenced, read_tokenizer, sequence};

/// Samples that go through the model together.
const TOGETHER: usize = 64;

/// Right answers of one capability.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    pub capability: Capability,
    pub right: usize,
    pub items: usize,
}

impl Score {
    /// Share of right answers, 0 to 1.
    pub fn exact(&self) -> f64 {
        self.right as f64 / self.items.max(1) as f64
    }

    /// Wilson's 95 % interval of that share.
    pub fn interval(&self) -> (f64, f64) {
        const Z: f64 = 1.959_963_985;
        let n = self.items.max(1) as f64;
        let p = self.exact();
        let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let reach = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        ((middle - reach).max(0.0), (middle + reach).min(1.0))
    }
}

/// Exact match by teacher-forced argmax, one score per capability in the order of [`Capability::ALL`].
pub fn evaluate(model: &Path, items: &[TestItem]) -> Result<[Score; 6]> {
    let right = answers(model, items)?;
    Ok(Capability::ALL.map(|capability| {
        let of = items.iter().zip(&right).filter(|(item, _)| item.capability == capability.name());
        Score { capability, items: of.clone().count(), right: of.filter(|(_, right)| **right).count() }
    }))
}

/// For every item: is each answer token the likeliest one? Exactly then greedy decoding gives the whole answer.
pub fn answers(model: &Path, items: &[TestItem]) -> Result<Vec<bool>> {
    let samples = sequenced(&read_tokenizer(model)?, items)?;
    let likeliest = likeliest_tokens(&load(model)?, &samples)?;
    Ok(likeliest.iter().zip(&samples).map(|(answer, sample)| *answer == sample.ids[sample.prompt..]).collect())
}

/// For every item the likeliest answer tokens (each after the right ones before it) as text.
pub fn likeliest(model: &Path, items: &[TestItem]) -> Result<Vec<String>> {
    let tokenizer = read_tokenizer(model)?;
    likeliest_tokens(&load(model)?, &sequenced(&tokenizer, items)?)?
        .iter()
        .map(|ids| tokenizer.decode(ids, true).map_err(|e| anyhow!("the answer cannot be decoded: {e}")))
        .collect()
}

/// The decoder of a model folder.
pub(crate) fn load(model: &Path) -> Result<Decoder> {
    Ok(Decoder::load(&Checkpoint::open(model)?)?)
}

/// Items as token sequences.
fn sequenced(tokenizer: &Tokenizer, items: &[TestItem]) -> Result<Vec<Sequenced>> {
    items.iter().map(|item| sequence(tokenizer, &item.instruction, &item.input, &item.output)).collect()
}

/// For every sample the most likely token after the right ones before it, at every answer token, the end included.
fn likeliest_tokens(model: &Decoder, samples: &[Sequenced]) -> Result<Vec<Vec<u32>>> {
    let vocabulary = model.spec().vocab;
    let mut likeliest = Vec::with_capacity(samples.len());
    for samples in samples.chunks(TOGETHER) {
        let fed: Vec<&[u32]> = samples.iter().map(|sample| &sample.ids[..sample.ids.len() - 1]).collect();
        let from: Vec<usize> = samples.iter().map(|sample| sample.prompt - 1).collect();
        let (hidden, places) = model.hidden_tails(&fed, &from, &|| false)?;
        let mut logits = vec![0.0; hidden.len() / model.spec().hidden * vocabulary];
        model.logits_rows(&hidden, &mut logits);
        let best = |row: usize| {
            let row = &logits[row * vocabulary..(row + 1) * vocabulary];
            let mut best = 0;
            for (id, logit) in row.iter().enumerate() {
                if *logit > row[best] {
                    best = id;
                }
            }
            best as u32
        };
        likeliest.extend(places.into_iter().map(|rows| rows.map(best).collect::<Vec<u32>>()));
    }
    Ok(likeliest)
}
