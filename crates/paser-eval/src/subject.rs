//! What is evaluated: a decoder with its tokenizer, and how the work is cut. Owns what evaluation needs to know of a
//! tokenizer: text with and without its special tokens, the begin token, the end tokens.

use paser_model::Decoder;
use tokenizers::Tokenizer;

use crate::EvalError;

/// A tokenizer that neither truncates nor pads, with the tokens that begin and end a text.
#[derive(Debug, Clone)]
pub struct EvalTokenizer {
    inner: Tokenizer,
    begin: Option<u32>,
    ends: Vec<u32>,
}

impl EvalTokenizer {
    /// `begin`: the begin token, where the model has one. `ends`: the tokens that end a text, the usual one first.
    ///
    /// # Errors
    /// No end token.
    pub fn new(mut inner: Tokenizer, begin: Option<u32>, ends: Vec<u32>) -> Result<Self, EvalError> {
        if ends.is_empty() {
            return Err(EvalError::Tokenizer(
                "no end token is known: add eos_token to tokenizer_config.json".to_owned(),
            ));
        }
        inner.with_truncation(None).map_err(|error| EvalError::Tokenizer(error.to_string()))?;
        inner.with_padding(None);
        Ok(Self { inner, begin, ends })
    }

    /// Ids of a text with what the tokenizer adds around it of its own accord.
    pub(crate) fn whole(&self, text: &str) -> Result<Vec<u32>, EvalError> {
        self.ids(text, true)
    }

    /// Ids of a text and nothing else.
    pub(crate) fn plain(&self, text: &str) -> Result<Vec<u32>, EvalError> {
        self.ids(text, false)
    }

    fn ids(&self, text: &str, special: bool) -> Result<Vec<u32>, EvalError> {
        match self.inner.encode_fast(text, special) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(EvalError::Tokenizer(format!("cannot encode: {error}"))),
        }
    }

    /// Text of ids without special tokens.
    pub(crate) fn text(&self, ids: &[u32]) -> Result<String, EvalError> {
        self.inner.decode(ids, true).map_err(|error| EvalError::Tokenizer(format!("cannot decode: {error}")))
    }

    /// The begin token, where there is one.
    pub(crate) fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// The usual end token.
    pub(crate) fn end(&self) -> u32 {
        self.ends[0]
    }

    /// Whether a token ends a text.
    pub(crate) fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// One more than the largest id.
    pub(crate) fn vocabulary(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }
}

/// A model under evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub decoder: &'a Decoder,
    pub tokenizer: &'a EvalTokenizer,
}

/// How the work is cut. None of it changes a value by more than rounding; the number of threads does not change it at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalParams {
    /// Tokens that go through the model together, per worker.
    pub tokens_per_batch: usize,
    /// Positions whose logits exist at once, per worker.
    pub head_chunk: usize,
    /// Worker threads; each computes whole batches on one core.
    pub threads: usize,
}

impl Default for EvalParams {
    fn default() -> Self {
        Self { tokens_per_batch: 1024, head_chunk: 256, threads: 1 }
    }
}

impl EvalParams {
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        let settings =
            [("tokens_per_batch", self.tokens_per_batch), ("head_chunk", self.head_chunk), ("threads", self.threads)];
        match settings.into_iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(EvalError::Parameter { name, reason: "must be at least 1".to_owned() }),
            None => Ok(()),
        }
    }
}
