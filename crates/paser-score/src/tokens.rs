//! Values of every response token of one sample, for looking at it closely (method.md section 2). Owns the short list
//! of likely tokens beside each; one sample at a time, on the calling thread.

use paser_model::Decoder;
use paser_protocol::Monitor;
use serde::{Deserialize, Serialize};

use crate::jsd::Kernel;
use crate::pass::{Item, Logits, ScoreError, check_item, check_vocabulary, measure};

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

/// Response positions whose logits exist at once.
const CHUNK: usize = 64;

/// Token values of `item`, one for each response token in order. `vocabulary`: entries of the tokenizer. Progress counts
/// response tokens.
///
/// # Errors
/// [`ScoreError`] as [`crate::score`].
pub fn score_tokens(
    dense: &Decoder,
    pruned: &Decoder,
    item: &Item<'_>,
    vocabulary: usize,
    monitor: &dyn Monitor,
) -> Result<Vec<TokenScore>, ScoreError> {
    check_item(item, vocabulary)?;
    check_vocabulary(dense, pruned, vocabulary)?;
    let fed = [&item.ids[..item.ids.len() - 1]];
    let from = [item.prompt_tokens as usize - 1];
    let stop = || monitor.cancelled();
    let (dense_hidden, places) = dense.hidden_tails(&fed, &from, &stop)?;
    let (pruned_hidden, _) = pruned.hidden_tails(&fed, &from, &stop)?;
    let place = places[0].start;
    let (mut dense_logits, mut pruned_logits) = (Logits::default(), Logits::default());
    let mut kernel = Kernel::new();
    let response = &item.ids[item.prompt_tokens as usize..];
    let mut tokens = Vec::with_capacity(response.len());
    while tokens.len() < response.len() {
        if monitor.cancelled() {
            return Err(ScoreError::Cancelled);
        }
        let first = tokens.len();
        let chunk = first..response.len().min(first + CHUNK);
        dense_logits.fill(dense, &dense_hidden, chunk.clone().map(|token| place + token));
        pruned_logits.fill(pruned, &pruned_hidden, chunk.clone().map(|token| place + token));
        for (number, token) in chunk.enumerate() {
            let logits = [dense_logits.row(number, vocabulary), pruned_logits.row(number, vocabulary)];
            let measures = measure(&mut kernel, logits, item, token as u32)?;
            tokens.push(TokenScore {
                id: response[token],
                jsd: measures.jsd,
                loss_dense: measures.loss_dense,
                loss_pruned: measures.loss_pruned,
                likely_dense: likely(logits[0]),
                likely_pruned: likely(logits[1]),
            });
        }
        monitor.progress(tokens.len() as u64, response.len() as u64);
    }
    Ok(tokens)
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
