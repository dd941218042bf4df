//! Log-likelihoods as lm-evaluation-harness asks for them (EleutherAI/lm-evaluation-harness, `lm_eval/api/model.py` and
//! `lm_eval/models/huggingface.py` at 4e7e0d4; the old one at 4d21ab6, which LLM-Pruner bundles).
//!
//! Floor: 2 P operations a token of every request, and 2 H V for every token of a continuation: the head sees nothing else.

use paser_model::Decoder;
use paser_protocol::Monitor;
use paser_score::{ScoreError, ScoreParams, Span, losses_and_hits};
use tokenizers::Tokenizer;

/// How texts become tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Context and continuation are encoded together with the tokenizer's own special tokens; what is left after the context
    /// is the continuation. Spaces at the end of the context belong to the continuation.
    LmEvalCurrent,
    /// No special tokens; context and continuation are encoded apart.
    LlmPruner2023,
}

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Self::LmEvalCurrent => "lm-eval-current",
            Self::LlmPruner2023 => "llm-pruner-2023",
        }
    }
}

/// A continuation whose log-likelihood is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub context: &'a str,
    pub continuation: &'a str,
}

/// What a model says of a continuation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// Sum over the continuation's tokens, natural logarithm.
    pub log_likelihood: f64,
    /// Every token of it is the most likely one.
    pub is_greedy: bool,
    pub tokens: usize,
}

/// Why a request cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error("evaluation was cancelled")]
    Cancelled,
    #[error("request {request}: {reason}")]
    Request { request: usize, reason: String },
    #[error("{0}")]
    Unusable(String),
    #[error("{0}")]
    Score(ScoreError),
}

impl From<ScoreError> for EvalError {
    fn from(error: ScoreError) -> Self {
        match error {
            ScoreError::Cancelled => Self::Cancelled,
            other => Self::Score(other),
        }
    }
}

/// A model with its tokenizer.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub decoder: &'a Decoder,
    pub tokenizer: &'a Tokenizer,
    pub profile: Profile,
    pub threads: usize,
}

/// Tokens of a request: the whole, and where the continuation begins.
struct Encoded {
    ids: Vec<u32>,
    from: usize,
}

impl Asked<'_> {
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, EvalError> {
        let encoding = self.tokenizer.encode(text, special).map_err(|error| EvalError::Unusable(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The token that stands where there is nothing before: the begin token, else the end token.
    fn prefix(&self) -> Result<u32, EvalError> {
        let spec = self.decoder.spec();
        spec.bos_token
            .or_else(|| spec.eos_tokens.first().copied())
            .ok_or_else(|| EvalError::Unusable("the model names neither a begin nor an end token".to_owned()))
    }

    fn request(&self, number: usize, request: &Request<'_>) -> Result<Encoded, EvalError> {
        let told = |reason: &str| EvalError::Request { request: number, reason: reason.to_owned() };
        let (ids, from) = match self.profile {
            _ if request.context.is_empty() => {
                let mut ids = vec![self.prefix()?];
                ids.extend(self.encode(request.continuation, false)?);
                (ids, 1)
            }
            Profile::LmEvalCurrent => {
                let kept = request.context.trim_end();
                let moved = &request.context[kept.len()..];
                let whole = self.encode(&format!("{kept}{moved}{}", request.continuation), true)?;
                let context = self.encode(kept, true)?;
                let from = context.len().min(whole.len());
                (whole, from)
            }
            Profile::LlmPruner2023 => {
                let mut ids = self.encode(request.context, false)?;
                let from = ids.len();
                ids.extend(self.encode(request.continuation, false)?);
                (ids, from)
            }
        };
        if from >= ids.len() {
            return Err(told("the continuation has no token of its own: its letters merge with the context's"));
        }
        // One more than fits: the last one is never fed.
        let most = self.decoder.spec().context + 1;
        let cut = ids.len().saturating_sub(most);
        if from <= cut {
            return Err(told("the continuation alone is longer than the model's context"));
        }
        Ok(Encoded { ids: ids[cut..].to_vec(), from: from - cut })
    }

    pub(crate) fn params(&self) -> ScoreParams {
        ScoreParams { threads: self.threads, vocabulary: self.decoder.spec().vocab, ..ScoreParams::default() }
    }

    fn likelihoods(&self, encoded: &[Encoded], monitor: &dyn Monitor) -> Result<Vec<Likelihood>, EvalError> {
        let spans: Vec<Span<'_>> =
            encoded.iter().enumerate().map(|(row, of)| Span { row: row as u32, ids: &of.ids, from: of.from }).collect();
        let found = losses_and_hits(self.decoder, "evaluated", &spans, &self.params(), monitor)?;
        Ok(found
            .into_iter()
            .zip(encoded)
            .map(|((loss, hits), of)| {
                let tokens = of.ids.len() - of.from;
                Likelihood { log_likelihood: -loss, is_greedy: hits as usize == tokens, tokens }
            })
            .collect())
    }

    /// The log-likelihood of every continuation behind its context, in the order of the requests. Inputs that are too long
    /// lose their beginning. Progress counts tokens.
    ///
    /// # Errors
    /// A continuation without a token of its own, by the number of its request; whatever the model cannot compute.
    pub fn log_likelihoods(
        &self,
        requests: &[Request<'_>],
        monitor: &dyn Monitor,
    ) -> Result<Vec<Likelihood>, EvalError> {
        let encoded = requests
            .iter()
            .enumerate()
            .map(|(number, request)| self.request(number, request))
            .collect::<Result<Vec<_>, _>>()?;
        self.likelihoods(&encoded, monitor)
    }

    /// The log-likelihood of whole texts: each token once, in windows as long as the context, the first one behind the
    /// prefix token.
    ///
    /// # Errors
    /// As [`Self::log_likelihoods`].
    pub fn rolling(&self, texts: &[&str], monitor: &dyn Monitor) -> Result<Vec<f64>, EvalError> {
        let prefix = self.prefix()?;
        let context = self.decoder.spec().context;
        let mut windows = Vec::new();
        let mut owners = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let ids = self.encode(text, self.profile == Profile::LmEvalCurrent)?;
            for (start, chunk) in (0..).step_by(context).zip(ids.chunks(context)) {
                // A window is as full as it can be: a last short one sees what came before it.
                let end = start + chunk.len();
                let first = if start == 0 { 0 } else { (end - context).max(1) - 1 };
                let before = if start == 0 { vec![prefix] } else { ids[first..start].to_vec() };
                let from = before.len();
                windows.push(Encoded { ids: [before, chunk.to_vec()].concat(), from });
                owners.push(number);
            }
        }
        let mut sums = vec![0.0; texts.len()];
        for (found, owner) in self.likelihoods(&windows, monitor)?.into_iter().zip(owners) {
            sums[owner] += found.log_likelihood;
        }
        Ok(sums)
    }
}
