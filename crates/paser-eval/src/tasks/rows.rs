//! Rows of a task's file as JSON objects that know where they stand, so that every complaint names file and line.

use serde_json::{Map, Value};

use crate::EvalError;

/// An object of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The file's name, for errors.
    pub file: String,
    /// Line in it, from 1 (of a file without lines: the number of the row).
    pub line: usize,
    pub value: Map<String, Value>,
}

/// Rows of a text with one JSON object in each line; empty lines are passed over.
///
/// # Errors
/// A line that is no JSON object.
pub fn json_lines(file: &str, text: &str) -> Result<Vec<Row>, EvalError> {
    let lines = text.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| match serde_json::from_str(line) {
            Ok(Value::Object(value)) => Ok(Row { file: file.to_owned(), line: at + 1, value }),
            Ok(_) => Err(refused(file, at + 1, "is not a JSON object".to_owned())),
            Err(error) => Err(refused(file, at + 1, format!("is not valid JSON: {error}"))),
        })
        .collect()
}

fn refused(file: &str, line: usize, reason: String) -> EvalError {
    EvalError::Row { file: file.to_owned(), line, reason }
}

impl Row {
    /// An error about this row.
    pub(crate) fn refuse(&self, reason: impl Into<String>) -> EvalError {
        refused(&self.file, self.line, reason.into())
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.value.contains_key(column)
    }

    pub(crate) fn column(&self, column: &str) -> Result<&Value, EvalError> {
        self.value.get(column).ok_or_else(|| {
            let known: Vec<&str> = self.value.keys().map(String::as_str).collect();
            self.refuse(format!("the column {column:?} is missing; the row has {}", known.join(", ")))
        })
    }

    pub(crate) fn text(&self, column: &str) -> Result<&str, EvalError> {
        let value = self.column(column)?;
        value.as_str().ok_or_else(|| self.refuse(format!("{column:?} must be a text, not {}", kind(value))))
    }

    /// A list of at least two texts.
    pub(crate) fn texts(&self, column: &str) -> Result<Vec<&str>, EvalError> {
        self.list(column, self.column(column)?)
    }

    /// A list of at least two texts that stands under `name` in a column with parts.
    pub(crate) fn part(&self, column: &str, name: &str) -> Result<Vec<&str>, EvalError> {
        let part = self.column(column)?.get(name);
        let part = part.ok_or_else(|| self.refuse(format!("{column:?} has no part {name:?}")))?;
        self.list(&format!("{column}.{name}"), part)
    }

    fn list<'a>(&self, name: &str, value: &'a Value) -> Result<Vec<&'a str>, EvalError> {
        let texts: Option<Vec<&str>> =
            value.as_array().and_then(|values| values.iter().map(Value::as_str).collect::<Option<_>>());
        match texts {
            Some(texts) if texts.len() >= 2 => Ok(texts),
            _ => Err(self.refuse(format!("{name:?} must be a list of at least two texts"))),
        }
    }

    /// An index below `count`, written as a number or as its text.
    pub(crate) fn index(&self, column: &str, count: usize) -> Result<usize, EvalError> {
        let value = self.column(column)?;
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        match number.and_then(|number| usize::try_from(number).ok()).filter(|index| *index < count) {
            Some(index) => Ok(index),
            None => {
                Err(self
                    .refuse(format!("{column:?} is {value}, but must be the number of a choice, 0 to {}", count - 1)))
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
