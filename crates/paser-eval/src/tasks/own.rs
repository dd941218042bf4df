//! Items of one's own: multiple choice (`question`, `choices`, `gold`) or an answer to be written (`instruction`, `input`,
//! `output`), each with the capability it tests, if any. A file may hold both.

use serde_json::Value;

use super::{Item, Row, Task};
use crate::EvalError;

/// An item of a file of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnItem {
    /// What results are grouped by.
    pub capability: Option<String>,
    pub form: OwnForm,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnForm {
    /// Which of these.
    Choice(Item),
    /// This answer: for [`crate::answer_match`], in the template of the model.
    Answer { instruction: String, input: String, output: String },
}

/// The item of a row.
///
/// # Errors
/// A row of neither form, a right answer that is none of the choices, an empty answer, by file and line.
pub fn own_item(row: &Row) -> Result<OwnItem, EvalError> {
    let optional = |column: &str| match row.value.get(column) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => row.text(column).map(|text| Some(text.to_owned())),
    };
    let form = match (row.has("choices"), row.has("instruction")) {
        (true, false) => OwnForm::Choice(Task::Own.item(row)?),
        (false, true) => OwnForm::Answer {
            instruction: row.text("instruction")?.to_owned(),
            input: optional("input")?.unwrap_or_default(),
            output: match row.text("output")? {
                "" => return Err(row.refuse("\"output\" is empty: there is no answer to look for")),
                output => output.to_owned(),
            },
        },
        (true, true) => return Err(row.refuse("it has both \"choices\" and \"instruction\": leave one of them out")),
        (false, false) => {
            return Err(row.refuse(
                "it is no item: it needs \"question\", \"choices\" and \"gold\", or \"instruction\", \"input\" and \
                 \"output\"",
            ));
        }
    };
    Ok(OwnItem { capability: optional("capability")?, form })
}
