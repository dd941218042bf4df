//! Which column is instruction, input, output and id. Recognises the names of Alpaca, LaMini and Dolly; what was
//! recognised is shown, and a person can name other columns.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// Names that are recognised, the preferred one first.
const INSTRUCTION: [&str; 1] = ["instruction"];
const INPUT: [&str; 2] = ["input", "context"];
const OUTPUT: [&str; 2] = ["output", "response"];
const ID: [&str; 1] = ["id"];

/// Column names by role. Columns without a role are kept as extra columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    pub instruction: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    pub output: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Roles {
    /// Recognises the roles among column names in file order.
    pub(crate) fn recognise(columns: &[String], path: &Path) -> Result<Self, DataError> {
        let find = |names: &[&str]| {
            names.iter().find(|name| columns.iter().any(|column| column == *name)).map(|name| (*name).to_owned())
        };
        for chat in ["messages", "conversations"] {
            if find(&[chat]).is_some() && find(&INSTRUCTION).is_none() {
                return Err(DataError::NotInstructionData {
                    path: path.to_owned(),
                    what: format!(
                        "holds conversations (column {chat:?}), which this version does not read: turn them into \
                         instruction, input and output"
                    ),
                });
            }
        }
        let missing = |role: &str| DataError::NoRoles {
            path: path.to_owned(),
            missing: role.to_owned(),
            columns: listed(columns),
        };
        Ok(Self {
            instruction: find(&INSTRUCTION).ok_or_else(|| missing("the instruction"))?,
            input: find(&INPUT),
            output: find(&OUTPUT).ok_or_else(|| missing("the output"))?,
            id: find(&ID),
        })
    }

    /// Columns that appear only after the roles were recognised, so that the roles are those of the whole file. `Err`:
    /// the whole file would have preferred one of them to a column that has been used already.
    pub(crate) fn adopt(&mut self, fresh: &[String]) -> Result<(), TooLate> {
        let best = |names: &[&str]| names.iter().position(|name| fresh.iter().any(|column| column == name));
        let rank = |names: &[&str], bound: &str| names.iter().position(|name| *name == bound);
        let late = |role, names: &[&str], best: usize, bound: &str| match rank(names, bound) {
            Some(taken) if best < taken => {
                Err(TooLate { role, column: names[best].to_owned(), bound: bound.to_owned() })
            }
            _ => Ok(()),
        };
        if let Some(best) = best(&OUTPUT) {
            late("output", &OUTPUT, best, &self.output)?;
        }
        for (role, names, bound) in [("input", &INPUT[..], &mut self.input), ("id", &ID[..], &mut self.id)] {
            let Some(best) = best(names) else { continue };
            match bound {
                Some(bound) => late(role, names, best, bound)?,
                None => *bound = Some(names[best].to_owned()),
            }
        }
        Ok(())
    }

    /// Checks roles that a person gave against the file's columns.
    pub(crate) fn check(&self, columns: &[String], path: &Path) -> Result<(), DataError> {
        for (role, name) in [
            ("instruction", Some(&self.instruction)),
            ("input", self.input.as_ref()),
            ("output", Some(&self.output)),
            ("id", self.id.as_ref()),
        ] {
            let Some(name) = name else { continue };
            if !columns.contains(name) {
                return Err(DataError::NoRoles {
                    path: path.to_owned(),
                    missing: format!("{name:?} (named as the {role})"),
                    columns: listed(columns),
                });
            }
        }
        Ok(())
    }

    /// The name of the data set whose column names these are.
    pub fn dialect(&self) -> &'static str {
        match (self.instruction.as_str(), self.input.as_deref(), self.output.as_str()) {
            ("instruction", Some("input") | None, "output") => "Alpaca",
            ("instruction", None, "response") => "LaMini",
            ("instruction", Some("context"), "response") => "Dolly",
            _ => "own columns",
        }
    }
}

/// A column that should have had a role from the start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLate {
    pub role: &'static str,
    pub column: String,
    /// The column that has the role.
    pub bound: String,
}

fn listed(columns: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = columns.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn recognise(columns: &[&str]) -> Result<Roles, DataError> {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        Roles::recognise(&columns, Path::new("pool.json"))
    }

    #[test]
    fn the_three_known_dialects() {
        let alpaca = recognise(&["instruction", "input", "output"]).unwrap();
        assert_eq!((alpaca.dialect(), alpaca.input.as_deref()), ("Alpaca", Some("input")));
        let lamini = recognise(&["instruction", "response", "instruction_source"]).unwrap();
        assert_eq!((lamini.dialect(), lamini.output.as_str()), ("LaMini", "response"));
        let dolly = recognise(&["instruction", "context", "response", "category"]).unwrap();
        assert_eq!((dolly.dialect(), dolly.input.as_deref()), ("Dolly", Some("context")));
    }

    #[test]
    fn columns_that_come_late_get_the_role_the_whole_file_gives_them() {
        let late = |first: &[&str], then: &[&str]| {
            let mut roles = recognise(first).unwrap();
            let then: Vec<String> = then.iter().map(|name| (*name).to_owned()).collect();
            roles.adopt(&then).map(|()| roles).map_err(|late| late.column)
        };
        let found = late(&["instruction", "output"], &["tag", "context", "input", "id"]).unwrap();
        assert_eq!((found.input.as_deref(), found.id.as_deref()), (Some("input"), Some("id")));
        let found = late(&["instruction", "output", "input"], &["context", "response"]).unwrap();
        assert_eq!((found.input.as_deref(), found.output.as_str()), (Some("input"), "output"));
        assert_eq!(late(&["instruction", "context", "output"], &["input"]), Err("input".to_owned()));
        assert_eq!(late(&["instruction", "response"], &["output"]), Err("output".to_owned()));
    }

    #[test]
    fn unknown_columns_are_listed() {
        let error = recognise(&["question", "answer"]).unwrap_err().to_string();
        assert!(error.contains("question, answer") && error.contains("the instruction"), "{error}");
        let error = recognise(&["messages"]).unwrap_err().to_string();
        assert!(error.contains("conversations"), "{error}");
    }
}
