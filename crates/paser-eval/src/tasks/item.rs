//! A multiple-choice item as the harness asks it: a context and a continuation for each choice, and which is right.

use super::Row;
use crate::{EvalError, Request};

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// One for each choice.
    pub requests: Vec<Request>,
    /// Characters (code points) of each choice, without the space that is put before it.
    pub characters: Vec<usize>,
    /// Number of the right choice, from 0.
    pub gold: usize,
}

impl Item {
    /// One context; the continuations are the choices behind a space.
    pub(super) fn of_choices(context: &str, choices: &[impl AsRef<str>], gold: usize) -> Self {
        let request = |choice: &str| Request { context: context.to_owned(), continuation: format!(" {choice}") };
        Self {
            requests: choices.iter().map(|choice| request(choice.as_ref())).collect(),
            characters: choices.iter().map(|choice| choice.as_ref().chars().count()).collect(),
            gold,
        }
    }

    /// The project's own form: `question`, `choices`, `gold`.
    pub(super) fn of_plain(row: &Row, context: impl Fn(&str) -> String) -> Result<Self, EvalError> {
        let choices = row.texts("choices")?;
        let gold = row.index("gold", choices.len())?;
        Ok(Self::of_choices(&context(row.text("question")?), &choices, gold))
    }

    /// The hub's form of ARC and OpenBookQA: `choices` with `text` and `label`, `answerKey` being one of the labels.
    pub(super) fn of_labelled(row: &Row, context: &str) -> Result<Self, EvalError> {
        let (choices, labels) = (row.part("choices", "text")?, row.part("choices", "label")?);
        let key = row.text("answerKey")?.trim();
        if choices.len() != labels.len() {
            return Err(row.refuse(format!("{} choices, but {} labels", choices.len(), labels.len())));
        }
        match labels.iter().position(|label| *label == key) {
            Some(gold) => Ok(Self::of_choices(context, &choices, gold)),
            None => Err(row.refuse(format!("\"answerKey\" is {key:?}; the labels are {}", labels.join(", ")))),
        }
    }
}

/// "Question: ...", "Answer:": what ARC, PIQA and own items ask with.
pub(super) fn question_answer(question: &str) -> String {
    format!("Question: {question}\nAnswer:")
}
