//! Log-likelihoods as lm-evaluation-harness computes them (`method.md` 5): how a context and a continuation become token
//! ids, which is what two versions of it differ in, and rolling log-likelihoods of whole texts. The pass is in `forced`.
//!
//! | | `lm-eval-current` (0.4.13) | `llm-pruner-2023` (the copy in LLM-Pruner, commit 4d21ab6) |
//! | --- | --- | --- |
//! | special tokens | what the tokenizer adds | none |
//! | seam | whole text and context encoded, the continuation is the remainder | both encoded by themselves |
//! | white space at the context's end | goes to the continuation | stays |
//! | empty context | begin token, else end token | end token |
//!
//! Both keep the last `context + 1` tokens of what is too long and feed all but the last.

use paser_protocol::Monitor;
use rayon::prelude::*;

use crate::forced::{Forced, told};
use crate::{EvalError, EvalParams, Subject};

/// Whose rules texts are encoded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// lm-evaluation-harness 0.4.13: numbers of today.
    LmEvalCurrent,
    /// The harness of 2023 that LLM-Pruner carries: numbers of the pruning papers.
    LlmPruner2023,
}

impl Profile {
    pub const ALL: [Self; 2] = [Self::LmEvalCurrent, Self::LlmPruner2023];

    /// The name in recipes, results and on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::LmEvalCurrent => "lm-eval-current",
            Self::LlmPruner2023 => "llm-pruner-2023",
        }
    }

    /// The profile of a name.
    ///
    /// # Errors
    /// A name of none.
    pub fn from_name(name: &str) -> Result<Self, EvalError> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or_else(|| EvalError::UnknownName {
            what: "profile",
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).to_vec(),
        })
    }

    /// The token that stands for an empty context.
    fn prefix(self, subject: Subject<'_>) -> u32 {
        let end = subject.tokenizer.end();
        match self {
            Self::LmEvalCurrent => subject.tokenizer.begin().unwrap_or(end),
            Self::LlmPruner2023 => end,
        }
    }

    /// Ids of a text by itself.
    pub(crate) fn encode(self, subject: Subject<'_>, text: &str) -> Result<Vec<u32>, EvalError> {
        match self {
            Self::LmEvalCurrent => subject.tokenizer.whole(text),
            Self::LlmPruner2023 => subject.tokenizer.plain(text),
        }
    }

    /// Ids of context and continuation.
    fn encode_pair(
        self,
        subject: Subject<'_>,
        context: &str,
        continuation: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), EvalError> {
        let prefix = self.prefix(subject);
        if context.is_empty() {
            let mut ids = subject.tokenizer.plain(continuation)?;
            if self == Self::LmEvalCurrent && ids.first() == Some(&prefix) {
                ids.remove(0);
            }
            return Ok((vec![prefix], ids));
        }
        match self {
            Self::LmEvalCurrent => {
                let kept = context.trim_end_matches(is_space).len();
                let ids = subject.tokenizer.whole(&context[..kept])?;
                let mut whole = subject.tokenizer.whole(&format!("{context}{continuation}"))?;
                let remainder = whole.split_off(ids.len().min(whole.len()));
                Ok((ids, remainder))
            }
            Self::LlmPruner2023 => Ok((subject.tokenizer.plain(context)?, subject.tokenizer.plain(continuation)?)),
        }
    }
}

/// White space as Python counts it: Unicode's, and the four separators of ASCII.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// A continuation whose likelihood after a context is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub context: String,
    pub continuation: String,
}

/// What a model says of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogLikelihood {
    /// Sum of ln p over the continuation's tokens, nats; -inf where the model rules one out.
    pub log_likelihood: f64,
    /// Every token of it is the most likely one.
    pub is_greedy: bool,
    /// Tokens of the continuation.
    pub tokens: usize,
}

/// Log-likelihoods of requests, in their order. Requests with one context share its computation wherever they stand.
///
/// # Errors
/// A request without tokens to score (its continuation melts into the context's last token) or with more than the
/// context holds, named by its number; as the pass.
pub fn log_likelihoods(
    subject: Subject<'_>,
    requests: &[Request],
    profile: Profile,
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<Vec<LogLikelihood>, EvalError> {
    let most = subject.decoder.spec().context;
    let encode = |(number, request): (usize, &Request)| {
        let refused = |reason| EvalError::Text { unit: "request", number, reason };
        if monitor.cancelled() {
            return Err(EvalError::Cancelled);
        }
        let (context, continuation) = profile.encode_pair(subject, &request.context, &request.continuation)?;
        pair(context, &continuation, most).map_err(|reason| refused(format!("{reason} ({})", shown(request))))
    };
    let texts: Vec<Forced> = requests.par_iter().enumerate().map(encode).collect::<Result<_, _>>()?;
    let found = told(subject.decoder, "request", &texts, params, monitor)?;
    let answer = |(told, text): (crate::forced::Told, &Forced)| LogLikelihood {
        log_likelihood: told.log_likelihood,
        is_greedy: told.likeliest == text.ids[text.from..],
        tokens: told.likeliest.len(),
    };
    Ok(found.into_iter().zip(&texts).map(answer).collect())
}

/// The last `most + 1` tokens of context and continuation.
fn pair(mut context: Vec<u32>, continuation: &[u32], most: usize) -> Result<Forced, String> {
    if continuation.is_empty() {
        return Err("nothing of the continuation is left to score: it is empty, or its characters join the context's \
                    last token. Put the seam between words."
            .to_owned());
    }
    if context.is_empty() {
        return Err("the context has no tokens, so nothing predicts the continuation's first one".to_owned());
    }
    if continuation.len() > most {
        return Err(format!("the continuation has {} tokens; the model's context holds {most}", continuation.len()));
    }
    let cut = (context.len() + continuation.len()).saturating_sub(most + 1);
    context.drain(..cut);
    let from = context.len();
    context.extend_from_slice(continuation);
    Ok(Forced { ids: context, from })
}

/// The seam of a request, short enough for a message.
fn shown(request: &Request) -> String {
    let end: Vec<char> = request.context.chars().rev().take(40).collect();
    let end: String = end.into_iter().rev().collect();
    let start: String = request.continuation.chars().take(40).collect();
    format!("context ending in {end:?}, continuation {start:?}")
}

/// How likely a whole text is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rolling {
    /// Sum of ln p over the text's tokens, nats.
    pub log_likelihood: f64,
    /// Tokens, each of which counts once.
    pub tokens: usize,
}

/// Log-likelihoods of whole texts behind the prefix token, every token once, in windows of the model's context. The
/// last window of a text is filled up with what stands before it. A text without tokens has 0 of both.
///
/// # Errors
/// As [`log_likelihoods`].
pub fn rolling_log_likelihoods(
    subject: Subject<'_>,
    texts: &[&str],
    profile: Profile,
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<Vec<Rolling>, EvalError> {
    let (most, prefix) = (subject.decoder.spec().context, profile.prefix(subject));
    let encode = |text: &&str| {
        if monitor.cancelled() {
            return Err(EvalError::Cancelled);
        }
        Ok(windows(&profile.encode(subject, text)?, prefix, most))
    };
    let of_texts: Vec<Vec<Forced>> = texts.par_iter().map(encode).collect::<Result<_, _>>()?;
    let owners: Vec<usize> =
        of_texts.iter().enumerate().flat_map(|(text, windows)| vec![text; windows.len()]).collect();
    let all: Vec<Forced> = of_texts.into_iter().flatten().collect();
    let mut found = vec![Rolling { log_likelihood: 0.0, tokens: 0 }; texts.len()];
    for (told, owner) in told(subject.decoder, "window", &all, params, monitor)?.iter().zip(owners) {
        found[owner].log_likelihood += told.log_likelihood;
        found[owner].tokens += told.likeliest.len();
    }
    Ok(found)
}

/// Windows of at most `most` tokens fed, which ask for every token once.
fn windows(ids: &[u32], prefix: u32, most: usize) -> Vec<Forced> {
    let mut windows = Vec::new();
    let mut asked = 0;
    while asked < ids.len() {
        let end = ids.len().min(asked + most);
        let first = end.saturating_sub(most + 1);
        if asked == 0 {
            windows.push(Forced { ids: [&[prefix], &ids[..end]].concat(), from: 1 });
        } else {
            windows.push(Forced { ids: ids[first..end].to_vec(), from: asked - first });
        }
        asked = end;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_ask_for_every_token_once_and_fill_the_last_one_up() {
        let ids: Vec<u32> = (10..20).collect();
        let found = windows(&ids, 0, 4);
        let forced = |ids: &[u32], from| Forced { ids: ids.to_vec(), from };
        assert_eq!(
            found,
            [forced(&[0, 10, 11, 12, 13], 1), forced(&[13, 14, 15, 16, 17], 1), forced(&[15, 16, 17, 18, 19], 3)]
        );
        assert_eq!(windows(&ids[..2], 0, 4), [forced(&[0, 10, 11], 1)]);
        assert!(windows(&[], 0, 4).is_empty());
    }

    #[test]
    fn what_is_too_long_loses_its_beginning() {
        assert_eq!(pair(vec![1, 2, 3], &[4, 5], 3).unwrap(), Forced { ids: vec![2, 3, 4, 5], from: 2 });
        assert_eq!(pair(vec![1, 2, 3], &[4, 5, 6], 3).unwrap(), Forced { ids: vec![3, 4, 5, 6], from: 1 });
        assert!(pair(vec![1], &[2, 3, 4, 5], 3).unwrap_err().contains("4 tokens"));
        assert!(pair(vec![1], &[], 3).unwrap_err().contains("nothing of the continuation"));
        assert!(pair(vec![], &[1], 3).unwrap_err().contains("no tokens"));
    }

    #[test]
    fn white_space_is_that_of_python() {
        assert!([' ', '\n', '\u{1d}', '\u{a0}', '\u{2003}', '\u{85}'].into_iter().all(is_space));
        assert!(!['\u{200b}', 'x', '\u{180e}'].into_iter().any(is_space));
    }
}
