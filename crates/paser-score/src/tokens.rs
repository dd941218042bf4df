//! Values of every response token of one sample, for looking at it closely (method.md section 2). Owns the short list
//! of likely tokens beside each; one sample at a time, on the calling thread.

use paser_model::Decoder;
use serde::{Deserialize, Serialize};

use crate::jsd::Kernel;
use crate::pass::{Item, Logits, ScoreError, check_item, check_vocabulary};

/// How many likely tokens of each model are kept.
const LIKELY: usize = 3;

/// A token that a model finds likely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Token id.
    pub id: u32,
    /// Its probability, in [0, 1].
    pub probability: f64,
}

/// One response token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenScore {
    /// Id of the token that stands in the sample.
    pub id: u32,
    /// Divergence of the two models before it, in [0, ln 2].
    pub jsd: f64,
    /// -ln of the dense model's probability of it.
    pub loss_dense: f64,
    /// -ln of the pruned model's probability of it.
    pub loss_pruned: f64,
    /// The dense model's three most probable tokens, falling, ties by id (fewer in a smaller vocabulary).
    pub likely_dense: Vec<Candidate>,
    /// The pruned model's three.
    pub likely_pruned: Vec<Candidate>,
}

/// Token values of `item`, one for each response token in order. `vocabulary`: entries of the tokenizer.
///
/// # Errors
/// [`ScoreError`] as [`crate::score`].
pub fn score_tokens(
    dense: &Decoder,
    pruned: &Decoder,
    item: &Item<'_>,
    vocabulary: usize,
) -> Result<Vec<TokenScore>, ScoreError> {
    check_item(item, vocabulary)?;
    check_vocabulary(dense, pruned, vocabulary)?;
    let fed = [&item.ids[..item.ids.len() - 1]];
    let from = [item.prompt_tokens as usize - 1];
    let read = |model: &Decoder| -> Result<Logits, ScoreError> {
        let mut logits = Logits::default();
        let (hidden, rows) = model.hidden_tails(&fed, &from, &|| false)?;
        logits.fill(model, &hidden, rows[0].clone());
        Ok(logits)
    };
    let (dense, pruned) = (read(dense)?, read(pruned)?);
    let mut kernel = Kernel::new();
    let token = |(number, &id): (usize, &u32)| {
        let (dense, pruned) = (dense.row(number, vocabulary), pruned.row(number, vocabulary));
        let measures =
            kernel.measure(dense, pruned, id).ok_or(ScoreError::NotFinite { row: item.row, token: number as u32 })?;
        Ok(TokenScore {
            id,
            jsd: measures.jsd,
            loss_dense: measures.loss_dense,
            loss_pruned: measures.loss_pruned,
            likely_dense: likely(dense),
            likely_pruned: likely(pruned),
        })
    };
    item.ids[item.prompt_tokens as usize..].iter().enumerate().map(token).collect()
}

/// The most probable entries of one row of logits.
fn likely(logits: &[f32]) -> Vec<Candidate> {
    let mut best: Vec<usize> = Vec::with_capacity(LIKELY + 1);
    for (id, &logit) in logits.iter().enumerate() {
        let place = best.iter().position(|&other| logits[other] < logit).unwrap_or(best.len());
        if place < LIKELY {
            best.insert(place, id);
            best.truncate(LIKELY);
        }
    }
    let max = best.first().map_or(0.0, |&id| f64::from(logits[id]));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
    let probability = |&id: &usize| (f64::from(logits[id]) - max).exp() / sum;
    best.iter().map(|id| Candidate { id: *id as u32, probability: probability(id) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_tokens_fall_and_ties_go_to_the_lower_id() {
        let row = [0.0, 2f32.ln(), 0.0, 4f32.ln(), 2f32.ln()];
        let found = likely(&row);
        assert_eq!(found.iter().map(|candidate| candidate.id).collect::<Vec<_>>(), [3, 1, 4]);
        assert!((found[0].probability - 0.4).abs() < 1e-7, "{found:?}");
        assert_eq!(likely(&[1.0]), [Candidate { id: 0, probability: 1.0 }]);
    }
}
