//! Perplexity by named protocols: the same model has other numbers in each, so that none stands without its name
//! (horseee/LLM-Pruner `evaluator/ppl.py`, locuslab/wanda `lib/eval.py`, lm-evaluation-harness `tasks/wikitext`).

use paser_protocol::Monitor;
use paser_score::{Span, losses};

use crate::harness::{Asked, EvalError};

/// How a text is cut, and what is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Windows of 128 tokens without a common token, the rest dropped; mean over all predicted tokens.
    LlmPruner128,
    /// Windows of 2,048, mean of the windows' means.
    Wikitext2048,
    /// The same with windows as long as the context.
    MaxLength,
    /// Whole documents, each token once, per word of the text.
    LmEvalWikitext,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::LlmPruner128, Self::Wikitext2048, Self::MaxLength, Self::LmEvalWikitext];

    pub fn name(self) -> &'static str {
        match self {
            Self::LlmPruner128 => "llm-pruner-128",
            Self::Wikitext2048 => "wikitext2-2048",
            Self::MaxLength => "maxlen",
            Self::LmEvalWikitext => "lm-eval-wikitext",
        }
    }
}

/// A perplexity, and what is behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perplexity {
    /// Per token; per word by `lm-eval-wikitext`.
    pub value: f64,
    /// Per byte of the text; by `lm-eval-wikitext` only.
    pub per_byte: Option<f64>,
    /// Windows or documents.
    pub windows: usize,
    /// Tokens, words by `lm-eval-wikitext`.
    pub counted: usize,
}

/// exp of the mean of the windows' mean losses, where `sums` are the losses of windows that predict `predicted` tokens each.
/// None without a window.
pub fn from_windows(sums: &[f64], predicted: usize) -> Option<f64> {
    let windows = sums.len() as f64;
    (!sums.is_empty() && predicted > 0)
        .then(|| (sums.iter().map(|sum| sum / predicted as f64).sum::<f64>() / windows).exp())
}

impl Asked<'_> {
    /// The perplexity of a text. By windows the text is encoded once with the tokenizer's special tokens, so that a begin token
    /// stands at its very start at most; by `lm-eval-wikitext` every element of `documents` is a document.
    ///
    /// # Errors
    /// A window that is longer than the model's context; a text that fills none.
    pub fn perplexity(
        &self,
        protocol: Protocol,
        documents: &[&str],
        monitor: &dyn Monitor,
    ) -> Result<Perplexity, EvalError> {
        let context = self.decoder.spec().context;
        let window = match protocol {
            Protocol::LmEvalWikitext => return self.by_words(documents, monitor),
            Protocol::LlmPruner128 => 128,
            Protocol::Wikitext2048 => 2048,
            Protocol::MaxLength => context,
        };
        if window > context {
            return Err(EvalError::Unusable(format!(
                "{} reads windows of {window} tokens, and the model's context holds {context}: its number would be of \
                 another protocol",
                protocol.name()
            )));
        }
        let text = documents.join("\n\n");
        let encoding = self.tokenizer.encode(text, true).map_err(|error| EvalError::Unusable(error.to_string()))?;
        let ids = encoding.get_ids();
        let spans: Vec<Span<'_>> =
            ids.chunks_exact(window).enumerate().map(|(row, ids)| Span { row: row as u32, ids, from: 1 }).collect();
        let sums = losses(self.decoder, "evaluated", &spans, &self.params(), monitor)?;
        let value = from_windows(&sums, window - 1).ok_or_else(|| {
            EvalError::Unusable(format!("the text has {} tokens, and a window needs {window}", ids.len()))
        })?;
        Ok(Perplexity { value, per_byte: None, windows: sums.len(), counted: sums.len() * (window - 1) })
    }

    fn by_words(&self, documents: &[&str], monitor: &dyn Monitor) -> Result<Perplexity, EvalError> {
        let sum: f64 = self.rolling(documents, monitor)?.iter().sum();
        let words: usize = documents.iter().map(|text| text.split_whitespace().count()).sum();
        let bytes: usize = documents.iter().map(|text| text.len()).sum();
        if words == 0 {
            return Err(EvalError::Unusable("the text has no word".to_owned()));
        }
        let per = |count: usize| (-sum / count as f64).exp();
        Ok(Perplexity { value: per(words), per_byte: Some(per(bytes)), windows: documents.len(), counted: words })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn windows_are_averaged_by_their_means() {
        // Of 2,048 tokens 2,047 are predicted: means 2 and 3, so e^2.5.
        let value = from_windows(&[2.0 * 2047.0, 3.0 * 2047.0], 2047).unwrap();
        assert!((value - 2.5_f64.exp()).abs() < 1e-12);
        assert_eq!(from_windows(&[], 127), None);
    }
}
