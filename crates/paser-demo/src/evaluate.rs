//! Exact match of a model folder on test or development items, per capability, with Wilson intervals.

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::model::{exact_matches, likeliest_answers, read_model};
use crate::pool::TestItem;
use crate::tasks::Capability;
use crate::tokens::read_tokenizer;
use crate::train::run::sequenced;

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
pub fn evaluate(model: &Path, items: &[TestItem]) -> Result<Vec<Score>> {
    let right = answers(model, items)?;
    Ok(Capability::ALL
        .into_iter()
        .map(|capability| {
            let of = items.iter().zip(&right).filter(|(item, _)| item.capability == capability.name());
            Score { capability, items: of.clone().count(), right: of.filter(|(_, right)| **right).count() }
        })
        .collect())
}

/// For every item: is its whole answer right?
pub fn answers(model: &Path, items: &[TestItem]) -> Result<Vec<bool>> {
    let tokenizer = read_tokenizer(model)?;
    let (shape, weights) = read_model(model)?;
    exact_matches(&shape, &weights, &sequenced(&tokenizer, items)?)
}

/// For every item the likeliest answer tokens (each after the right ones before it) as text.
pub fn likeliest(model: &Path, items: &[TestItem]) -> Result<Vec<String>> {
    let tokenizer = read_tokenizer(model)?;
    let (shape, weights) = read_model(model)?;
    likeliest_answers(&shape, &weights, &sequenced(&tokenizer, items)?)?
        .iter()
        .map(|ids| tokenizer.decode(ids, true).map_err(|e| anyhow!("the answer cannot be decoded: {e}")))
        .collect()
}
