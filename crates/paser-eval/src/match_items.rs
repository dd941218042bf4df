//! Own items by teacher forcing: does the model know the whole answer, and what does the answer cost it. When every
//! answer token, the end included, is the likeliest after the right ones before it, greedy decoding writes exactly this
//! answer: one pass instead of one a token.

use paser_model::Decoder;
use paser_protocol::Monitor;

use crate::forced::{Forced, told};
use crate::{EvalError, EvalParams};

/// A prompt with its answer, as token ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerItem<'a> {
    /// At least one token.
    pub prompt: &'a [u32],
    /// At least one token; with the end token, where the answer has to end.
    pub response: &'a [u32],
}

/// How a model meets an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerMatch {
    /// Every token of the response is the most likely one.
    pub exact: bool,
    /// Mean loss of the response's tokens, nats.
    pub loss: f64,
    /// At each place of the response the most likely token after the right ones before it.
    pub likeliest: Vec<u32>,
}

/// Asks a model about items, in their order.
///
/// # Errors
/// An empty prompt or response and items longer than the context plus one token, by their number; as the pass.
pub fn answer_match(
    decoder: &Decoder,
    items: &[AnswerItem<'_>],
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<Vec<AnswerMatch>, EvalError> {
    let texts: Vec<Forced> = items
        .iter()
        .map(|item| Forced { ids: [item.prompt, item.response].concat(), from: item.prompt.len() })
        .collect();
    let found = told(decoder, "item", &texts, params, monitor)?;
    let answer = |(told, item): (crate::forced::Told, &AnswerItem<'_>)| AnswerMatch {
        exact: told.likeliest == item.response,
        loss: -told.log_likelihood / item.response.len() as f64,
        likeliest: told.likeliest,
    };
    Ok(found.into_iter().zip(items).map(answer).collect())
}
