//! Perplexity by named protocols (`method.md` 5): a number says nothing without corpus form, window, begin token and
//! formula, so each protocol fixes all four.
//!
//! | protocol | text | window | formula |
//! | --- | --- | --- | --- |
//! | `llm-pruner-128` (LLM-Pruner, FLAP, Shortened LLaMA) | tokenised once, with what the tokenizer adds | 128, tail dropped | exp(mean of window means) |
//! | `wikitext2-2048` (SparseGPT, SliceGPT, Wanda) | same | 2,048, tail dropped | same |
//! | `maxlen` (Wanda on Llama 2) | same | the model's context, tail dropped | same |
//! | `lm-eval-wikitext` (lm-evaluation-harness, version 2) | pages, detokenised, each behind the prefix token | rolling, the model's context | exp(loss / words), exp(loss / bytes) of the text before detokenising |
//!
//! The papers multiply a window's mean over its L - 1 targets by L and divide by n L in the end: the mean of means.

use std::f64::consts::LN_2;

use paser_protocol::Monitor;

use crate::forced::{Forced, told};
use crate::wikitext::{detokenised, pages, words};
use crate::{EvalError, EvalParams, Profile, Subject, rolling_log_likelihoods};

/// How a perplexity is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    LlmPruner128,
    WikiText2At2048,
    MaxLen,
    LmEvalWikitext,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::LlmPruner128, Self::WikiText2At2048, Self::MaxLen, Self::LmEvalWikitext];

    /// The name in recipes, results and on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::LlmPruner128 => "llm-pruner-128",
            Self::WikiText2At2048 => "wikitext2-2048",
            Self::MaxLen => "maxlen",
            Self::LmEvalWikitext => "lm-eval-wikitext",
        }
    }

    /// The protocol of a name.
    ///
    /// # Errors
    /// A name of none.
    pub fn from_name(name: &str) -> Result<Self, EvalError> {
        Self::ALL.into_iter().find(|protocol| protocol.name() == name).ok_or_else(|| EvalError::UnknownName {
            what: "perplexity protocol",
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).to_vec(),
        })
    }

    /// Tokens of a window; `None` where windows roll over each text.
    fn window(self, context: usize) -> Option<usize> {
        match self {
            Self::LlmPruner128 => Some(128),
            Self::WikiText2At2048 => Some(2048),
            Self::MaxLen => Some(context),
            Self::LmEvalWikitext => None,
        }
    }
}

/// What one window or page says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowSum {
    /// Sum of -ln p over its targets, nats.
    pub loss: f64,
    /// Tokens that were predicted; at least 1.
    pub targets: usize,
    /// Words and bytes of the text before detokenising; 0 where the protocol does not count them.
    pub words: usize,
    pub bytes: usize,
}

/// A perplexity with its kin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PerplexityValue {
    /// Per token.
    Token { perplexity: f64 },
    /// Per word and per byte of the original text.
    Text { word_perplexity: f64, byte_perplexity: f64, bits_per_byte: f64 },
}

/// A protocol's outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Perplexity {
    pub protocol: Protocol,
    pub value: PerplexityValue,
    /// In the order of the text.
    pub windows: Vec<WindowSum>,
}

/// The protocol's formula over its windows; `None` of nothing.
pub fn aggregate(protocol: Protocol, windows: &[WindowSum]) -> Option<PerplexityValue> {
    if windows.is_empty() {
        return None;
    }
    if protocol != Protocol::LmEvalWikitext {
        let means: f64 = windows.iter().map(|window| window.loss / window.targets as f64).sum();
        return Some(PerplexityValue::Token { perplexity: (means / windows.len() as f64).exp() });
    }
    let loss: f64 = windows.iter().map(|window| window.loss).sum();
    let total = |count: fn(&WindowSum) -> usize| windows.iter().map(count).sum::<usize>() as f64;
    let by_byte = loss / total(|window| window.bytes);
    Some(PerplexityValue::Text {
        word_perplexity: (loss / total(|window| window.words)).exp(),
        byte_perplexity: by_byte.exp(),
        bits_per_byte: by_byte / LN_2,
    })
}

/// Perplexity of a text: for WikiText-2 the rows of its test split joined by two line breaks, or for `lm-eval-wikitext` the
/// file as it is. Progress counts rows of the model.
///
/// # Errors
/// A window that the model's context does not hold; a text without a whole window; as the pass.
pub fn perplexity(
    subject: Subject<'_>,
    protocol: Protocol,
    text: &str,
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<Perplexity, EvalError> {
    let windows = match protocol.window(subject.decoder.spec().context) {
        Some(length) => in_windows(subject, protocol, text, length, params, monitor)?,
        None => over_pages(subject, text, params, monitor)?,
    };
    match aggregate(protocol, &windows) {
        Some(value) => Ok(Perplexity { protocol, value, windows }),
        None => Err(EvalError::Parameter {
            name: "text",
            reason: format!("it is too short for a single window of {}", protocol.name()),
        }),
    }
}

fn in_windows(
    subject: Subject<'_>,
    protocol: Protocol,
    text: &str,
    length: usize,
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<Vec<WindowSum>, EvalError> {
    let context = subject.decoder.spec().context;
    if length > context {
        return Err(EvalError::Parameter {
            name: "protocol",
            reason: format!(
                "{} reads windows of {length} tokens and this model's context holds {context}: values of shorter windows \
                 are another protocol's; choose maxlen",
                protocol.name()
            ),
        });
    }
    let ids = subject.tokenizer.whole(text)?;
    let windows: Vec<Forced> =
        ids.chunks_exact(length).map(|window| Forced { ids: window.to_vec(), from: 1 }).collect();
    let found = told(subject.decoder, "window", &windows, params, monitor)?;
    let sum = |told: crate::forced::Told| WindowSum {
        loss: -told.log_likelihood,
        targets: told.likeliest.len(),
        words: 0,
        bytes: 0,
    };
    Ok(found.into_iter().map(sum).collect())
}

fn over_pages(
    subject: Subject<'_>,
    text: &str,
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<Vec<WindowSum>, EvalError> {
    let pages = pages(text);
    let read: Vec<String> = pages.iter().map(|page| detokenised(page)).collect();
    let read: Vec<&str> = read.iter().map(String::as_str).collect();
    let found = rolling_log_likelihoods(subject, &read, Profile::LmEvalCurrent, params, monitor)?;
    let sums = found.iter().zip(&pages).map(|(rolling, page)| WindowSum {
        loss: -rolling.log_likelihood,
        targets: rolling.tokens,
        words: words(page),
        bytes: page.len(),
    });
    Ok(sums.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(loss: f64, targets: usize, words: usize, bytes: usize) -> WindowSum {
        WindowSum { loss, targets, words, bytes }
    }

    #[test]
    fn windows_weigh_alike_however_many_targets_they_have() {
        let windows = [window(127.0, 127, 0, 0), window(30.0, 10, 0, 0)];
        for protocol in [Protocol::LlmPruner128, Protocol::WikiText2At2048, Protocol::MaxLen] {
            let Some(PerplexityValue::Token { perplexity }) = aggregate(protocol, &windows) else { panic!() };
            assert!((perplexity - 2.0_f64.exp()).abs() < 1e-12, "{perplexity}");
        }
    }

    #[test]
    fn pages_weigh_by_their_words_and_bytes() {
        let windows = [window(8.0, 3, 2, 10), window(4.0, 9, 4, 14)];
        let value = aggregate(Protocol::LmEvalWikitext, &windows);
        let Some(PerplexityValue::Text { word_perplexity, byte_perplexity, bits_per_byte }) = value else { panic!() };
        assert!((word_perplexity - 2.0_f64.exp()).abs() < 1e-12);
        assert!((byte_perplexity - 0.5_f64.exp()).abs() < 1e-12);
        assert!((bits_per_byte - 0.5 / LN_2).abs() < 1e-12);
        assert_eq!(aggregate(Protocol::LmEvalWikitext, &[]), None);
    }
}
