//! Zero-shot tasks (`method.md` 5): rows become items, items requests, log-likelihoods become answers and metrics. Owns
//! the names of the tasks and how an answer is chosen; `forms` knows each task's columns and texts.

mod forms;
mod item;
mod metric;
mod own;
mod rows;

use paser_protocol::Monitor;

pub use item::Item;
pub use metric::Metric;
pub use own::{OwnForm, OwnItem, own_item};
pub use rows::{Row, json_lines};

use crate::{EvalError, EvalParams, LogLikelihood, Profile, Subject, log_likelihoods};

/// A multiple-choice task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    ArcEasy,
    ArcChallenge,
    OpenBookQa,
    Piqa,
    WinoGrande,
    BoolQ,
    HellaSwag,
    /// A file of one's own with `question`, `choices` and `gold`.
    Own,
}

impl Task {
    pub const ALL: [Self; 8] = [
        Self::ArcEasy,
        Self::ArcChallenge,
        Self::OpenBookQa,
        Self::Piqa,
        Self::WinoGrande,
        Self::BoolQ,
        Self::HellaSwag,
        Self::Own,
    ];

    /// The harness's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ArcEasy => "arc_easy",
            Self::ArcChallenge => "arc_challenge",
            Self::OpenBookQa => "openbookqa",
            Self::Piqa => "piqa",
            Self::WinoGrande => "winogrande",
            Self::BoolQ => "boolq",
            Self::HellaSwag => "hellaswag",
            Self::Own => "multiple_choice",
        }
    }

    /// The task of a name.
    ///
    /// # Errors
    /// A name of none.
    pub fn from_name(name: &str) -> Result<Self, EvalError> {
        Self::ALL
            .into_iter()
            .find(|task| task.name() == name)
            .ok_or_else(|| EvalError::UnknownTask { name: name.to_owned(), known: Self::ALL.map(Self::name).to_vec() })
    }

    /// The task's version in a profile's harness.
    pub fn version(self, profile: Profile) -> f64 {
        match (profile, self) {
            (Profile::LmEvalCurrent, Self::BoolQ) => 2.0,
            (Profile::LmEvalCurrent, _) | (Profile::LlmPruner2023, Self::BoolQ) => 1.0,
            (Profile::LlmPruner2023, _) => 0.0,
        }
    }

    /// Whether the harness also reports accuracy by length-normalised log-likelihood.
    pub fn has_acc_norm(self) -> bool {
        !matches!(self, Self::WinoGrande | Self::BoolQ)
    }

    /// The item of a row.
    ///
    /// # Errors
    /// A missing column, a column of another kind and a right answer that is none of the choices, by file and line.
    pub fn item(self, row: &Row) -> Result<Item, EvalError> {
        forms::item(self, row)
    }
}

/// An item with what the model says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemResult {
    /// Line of the row in its file.
    pub line: usize,
    pub item: Item,
    /// One for each choice.
    pub answers: Vec<LogLikelihood>,
    /// The choice of the largest sum, of equal ones the first.
    pub chosen: usize,
    /// The choice of the largest sum by characters.
    pub chosen_norm: usize,
}

/// A task's outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskResult {
    pub task: Task,
    pub profile: Profile,
    /// In the order of the rows.
    pub items: Vec<ItemResult>,
    /// acc, and acc_norm where the harness has it.
    pub metrics: Vec<Metric>,
}

/// Asks a model a task's items. Progress counts rows of the model.
///
/// # Errors
/// No row; rows that are no items of the task and items that cannot be scored, by file and line; as the pass.
pub fn multiple_choice(
    subject: Subject<'_>,
    task: Task,
    rows: &[Row],
    profile: Profile,
    params: &EvalParams,
    monitor: &dyn Monitor,
) -> Result<TaskResult, EvalError> {
    if rows.is_empty() {
        return Err(EvalError::Parameter { name: "rows", reason: format!("{} has no row", task.name()) });
    }
    let items: Vec<Item> = rows.iter().map(|row| task.item(row)).collect::<Result<_, _>>()?;
    let owners: Vec<usize> =
        items.iter().enumerate().flat_map(|(number, item)| vec![number; item.requests.len()]).collect();
    let requests: Vec<_> = items.iter().flat_map(|item| item.requests.iter().cloned()).collect();
    let found = log_likelihoods(subject, &requests, profile, params, monitor).map_err(|error| match error {
        EvalError::Text { number, reason, .. } => rows[owners[number]].refuse(reason),
        other => other,
    })?;
    let mut found = found.into_iter();
    let items: Vec<ItemResult> = items
        .into_iter()
        .zip(rows)
        .map(|(item, row)| answered(row.line, found.by_ref().take(item.requests.len()).collect(), item))
        .collect();
    let metric = |name: &str, chosen: fn(&ItemResult) -> usize| {
        let right: Vec<bool> = items.iter().map(|item| chosen(item) == item.item.gold).collect();
        Metric::share(name, "none", &right)
    };
    let mut metrics = vec![metric("acc", |item| item.chosen)];
    if task.has_acc_norm() {
        metrics.push(metric("acc_norm", |item| item.chosen_norm));
    }
    Ok(TaskResult { task, profile, items, metrics })
}

fn answered(line: usize, answers: Vec<LogLikelihood>, item: Item) -> ItemResult {
    let sums: Vec<f64> = answers.iter().map(|answer| answer.log_likelihood).collect();
    let by_characters: Vec<f64> =
        sums.iter().zip(&item.characters).map(|(sum, characters)| sum / *characters as f64).collect();
    ItemResult { line, chosen: largest(&sums), chosen_norm: largest(&by_characters), answers, item }
}

/// The place of the largest value, of equal ones the first.
fn largest(values: &[f64]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}
