//! GSM8K (`method.md` 5): five worked examples given by the caller, the question, greedy decoding, and the number at the
//! end of what was written. Prompt, stop strings, both extractions and the comparison are those of version 3 of the task
//! in lm-evaluation-harness 0.4.13 (tasks/gsm8k/gsm8k.yaml, filters/extraction.py).

use std::sync::LazyLock;

use paser_protocol::Monitor;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::generate::{GenerateParams, Generation, generate};
use crate::tasks::{Metric, Row};
use crate::{EvalError, Profile, Subject};

/// What an extraction gives where there is nothing to extract.
pub const INVALID: &str = "[invalid]";

/// Texts that end an answer, besides the end token.
pub(crate) const STOPS: [&str; 3] = ["Question:", "</s>", "<|im_end|>"];

/// A question with its worked answer, which ends in `#### number`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shot {
    pub question: String,
    pub answer: String,
}

/// Which of a text's numbers is its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extraction {
    /// The first one behind `#### `.
    Strict,
    /// The last one.
    Flexible,
}

impl Extraction {
    pub const ALL: [Self; 2] = [Self::Strict, Self::Flexible];

    /// The harness's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict-match",
            Self::Flexible => "flexible-extract",
        }
    }

    /// The answer of a text as it is written there, or [`INVALID`].
    pub fn extract(self, text: &str) -> String {
        let found = match self {
            Self::Strict => STRICT.as_ref().and_then(|strict| strict.captures(text)).and_then(|found| found.get(1)),
            Self::Flexible => FLEXIBLE.as_ref().and_then(|flexible| flexible.find_iter(text).last()),
        };
        found.map_or(INVALID, |found| found.as_str().trim()).to_owned()
    }
}

// `[0-9]`, not `\d`: other scripts' digits are none here.
static STRICT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"#### (-?[0-9.,]+)").ok());
static FLEXIBLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"-?[$0-9.,]{2,}|-?[0-9]+").ok());

/// What the comparison ignores, removed one after the other: thousands separators, dollar signs, all before the last
/// `#### ` of a line-crossing text, one dot at the end; then case.
fn compared(text: &str) -> String {
    let bare = text.replace([',', '$'], "");
    let end = bare.rfind("#### ").map_or(0, |mark| mark + "#### ".len());
    // Python's `$` also stands before a line break that ends the text.
    let bare = match bare[end..].strip_suffix(".\n") {
        Some(rest) => format!("{rest}\n"),
        None => bare[end..].strip_suffix('.').unwrap_or(&bare[end..]).to_owned(),
    };
    bare.to_lowercase()
}

/// Whether an extracted answer is that of a gold answer.
pub fn right(extracted: &str, gold: &str) -> bool {
    compared(extracted) == compared(gold)
}

/// The prompt of a question behind worked examples.
pub fn prompt(shots: &[Shot], question: &str) -> String {
    let worked = shots.iter().map(|shot| format!("Question: {}\nAnswer: {}\n\n", shot.question, shot.answer));
    worked.chain([format!("Question: {question}\nAnswer:")]).collect()
}

/// A question's outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Gsm8kItem {
    /// Line of the row in its file.
    pub line: usize,
    pub prompt: String,
    pub gold: String,
    pub written: Generation,
    /// Of each of [`Extraction::ALL`]: what was extracted, and whether it is right.
    pub extracted: [(String, bool); 2],
}

/// All questions' outcomes, and exact match by extraction in the order of [`Extraction::ALL`].
#[derive(Debug, Clone, PartialEq)]
pub struct Gsm8kResult {
    pub items: Vec<Gsm8kItem>,
    pub metrics: [Metric; 2],
}

/// Asks a model all questions. Rows have `question` and `answer`; stop strings of `params` are replaced by the task's.
///
/// # Errors
/// A row without these columns, by file and line; as [`generate`].
pub fn gsm8k(
    subject: Subject<'_>,
    rows: &[Row],
    shots: &[Shot],
    profile: Profile,
    params: &GenerateParams,
    monitor: &dyn Monitor,
) -> Result<Gsm8kResult, EvalError> {
    let mut questions = Vec::with_capacity(rows.len());
    let mut prompts = Vec::with_capacity(rows.len());
    for row in rows {
        let prompt = prompt(shots, row.text("question")?);
        prompts.push(profile.encode(subject, &prompt)?);
        questions.push((row.line, prompt, row.text("answer")?.to_owned()));
    }
    let params = GenerateParams { stops: STOPS.map(str::to_owned).to_vec(), ..params.clone() };
    let written = generate(subject, &prompts, &params, monitor)?;
    let items: Vec<Gsm8kItem> = questions
        .into_iter()
        .zip(written)
        .map(|((line, prompt, gold), written)| {
            let extracted = Extraction::ALL.map(|extraction| {
                let found = extraction.extract(&written.text);
                let right = right(&found, &gold);
                (found, right)
            });
            Gsm8kItem { line, prompt, gold, written, extracted }
        })
        .collect();
    let metric = |at: usize| {
        let right: Vec<bool> = items.iter().map(|item| item.extracted[at].1).collect();
        Metric::share("exact_match", Extraction::ALL[at].name(), &right)
    };
    let metrics = [metric(0), metric(1)];
    Ok(Gsm8kResult { items, metrics })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_ignores_separators_dollars_all_before_the_mark_and_one_last_dot() {
        assert_eq!(compared("a #### 1\nb #### $1,234.50."), "1234.50");
        assert_eq!(compared("18.."), "18.");
        assert_eq!(compared("5.\n"), "5\n");
        assert!(right("1,000", "so\n#### 1000") && !right("10.0", "#### 10"));
        assert!(!right(INVALID, "#### 3"));
    }
}
