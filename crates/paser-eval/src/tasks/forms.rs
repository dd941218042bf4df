//! How a row of each task becomes an item (lm-evaluation-harness 0.4.13, tasks/*). Both profiles ask alike: the harness of
//! 2023 has the same texts. Each task reads its columns on the hub and the plain form `question`, `choices`, `gold`.

use std::sync::LazyLock;

use regex::Regex;

use super::item::{Item, question_answer};
use super::{Row, Task};
use crate::harness::is_space;
use crate::{EvalError, Request};

/// The item of a row.
pub(super) fn item(task: Task, row: &Row) -> Result<Item, EvalError> {
    match task {
        Task::ArcEasy | Task::ArcChallenge => arc(row),
        Task::OpenBookQa => openbookqa(row),
        Task::Piqa => piqa(row),
        Task::WinoGrande => winogrande(row),
        Task::BoolQ => boolq(row),
        Task::HellaSwag => hellaswag(row),
        Task::Own => Item::of_plain(row, question_answer),
    }
}

fn arc(row: &Row) -> Result<Item, EvalError> {
    if row.has("gold") {
        return Item::of_plain(row, question_answer);
    }
    Item::of_labelled(row, &question_answer(row.text("question")?))
}

/// The question stands alone: the choices go on with it.
fn openbookqa(row: &Row) -> Result<Item, EvalError> {
    if row.has("gold") {
        return Item::of_plain(row, str::to_owned);
    }
    Item::of_labelled(row, row.text("question_stem")?)
}

fn piqa(row: &Row) -> Result<Item, EvalError> {
    if row.has("gold") {
        return Item::of_plain(row, question_answer);
    }
    let choices = [row.text("sol1")?, row.text("sol2")?];
    Ok(Item::of_choices(&question_answer(row.text("goal")?), &choices, row.index("label", 2)?))
}

/// Partial scoring: the text before the blank with an option in it is the context, the text behind the blank is what is
/// scored.
fn winogrande(row: &Row) -> Result<Item, EvalError> {
    let (options, gold) = if row.has("gold") {
        let options = row.texts("options")?;
        let gold = row.index("gold", options.len())?;
        (options, gold)
    } else {
        let gold = match row.text("answer")? {
            "1" => 0,
            "2" => 1,
            other => return Err(row.refuse(format!("\"answer\" is {other:?}, but must be \"1\" or \"2\""))),
        };
        (vec![row.text("option1")?, row.text("option2")?], gold)
    };
    let sentence = row.text("sentence")?;
    let Some((before, behind)) = sentence.split_once('_') else {
        return Err(row.refuse("the sentence has no blank (_)"));
    };
    let behind = behind.trim_matches(is_space);
    Ok(Item {
        requests: options
            .iter()
            .map(|option| Request { context: format!("{before}{option}"), continuation: format!(" {behind}") })
            .collect(),
        characters: vec![behind.chars().count(); options.len()],
        gold,
    })
}

/// Rows without `passage` are asked without it: a test of the machinery, not comparable with published numbers.
fn boolq(row: &Row) -> Result<Item, EvalError> {
    let context = if row.has("passage") {
        format!("{}\nQuestion: {}?\nAnswer:", row.text("passage")?, row.text("question")?)
    } else {
        let question = row.text("question")?;
        format!("Question: {}?\nAnswer:", question.strip_suffix('?').unwrap_or(question))
    };
    let column = ["gold", "label", "answer"].into_iter().find(|column| row.has(column)).unwrap_or("label");
    let gold = match row.column(column)?.as_bool() {
        Some(yes) => usize::from(yes),
        None => row.index(column, 2)?,
    };
    Ok(Item::of_choices(&context, &["no", "yes"], gold))
}

fn hellaswag(row: &Row) -> Result<Item, EvalError> {
    if row.has("gold") {
        return Item::of_plain(row, str::to_owned);
    }
    let context =
        format!("{}: {} {}", row.text("activity_label")?, row.text("ctx_a")?, capitalised(row.text("ctx_b")?));
    let endings: Vec<String> = row.texts("endings")?.into_iter().map(cleaned).collect();
    let gold = row.index("label", endings.len())?;
    Ok(Item::of_choices(&cleaned(&context), &endings, gold))
}

/// The first letter large, all others small.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters.as_str().to_lowercase().chars()).collect()
}

/// What WikiHow left in HellaSwag: " [title]" is the end of a sentence, other brackets go, double spaces become one.
fn cleaned(text: &str) -> String {
    static BRACKETS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\[.*?\]").ok());
    let text = text.trim_matches(is_space).replace(" [title]", ". ");
    let text = match BRACKETS.as_ref() {
        Some(brackets) => brackets.replace_all(&text, "").into_owned(),
        None => text,
    };
    text.replace("  ", " ")
}

#[cfg(test)]
mod tests {
    use super::{capitalised, cleaned};

    #[test]
    fn hellaswag_is_cleaned_as_the_harness_cleans_it() {
        assert_eq!(
            cleaned(" Bake: How to [title] Mix. [step] Stir   well [a] [b\nc] "),
            "Bake: How to. Mix. Stir  well [b\nc]"
        );
        assert_eq!(capitalised("the Man AND élan"), "The man and élan");
        assert_eq!(capitalised(""), "");
    }
}
