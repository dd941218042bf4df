//! One row of a pool: bytes to fields, fields to the texts of a sample, or the reason why not. Pure, so that rows
//! can be parsed on all cores.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::source::{LONGEST_ROW, Record};
use crate::{Roles, content_hash};

/// The fields of a JSON object in file order, names unique.
pub(super) struct Fields {
    cells: Vec<(String, Value)>,
    /// Fields that are null here because their bytes are no text, with the reason.
    unread: Vec<(String, String)>,
}

impl Fields {
    /// Of names that are known to be unique.
    pub(super) fn of_unique(cells: Vec<(String, Value)>, unread: Vec<(String, String)>) -> Self {
        Self { cells, unread }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(|(name, _)| name.as_str())
    }
}

/// More fields than any data set has.
pub(super) const MOST_FIELDS: usize = 512;

/// Why a row has no fields.
pub(super) enum Refusal {
    NotUtf8 {
        at: u64,
        byte: u8,
    },
    /// The text ends before the object does.
    Unfinished(String),
    Other(String),
}

impl Refusal {
    pub(super) fn reason(self) -> String {
        match self {
            Self::NotUtf8 { byte, .. } => format!("the byte 0x{byte:02X} is not UTF-8"),
            Self::Unfinished(reason) | Self::Other(reason) => reason,
        }
    }
}

/// A row that can become a sample.
pub(super) struct Row {
    pub id: Option<Id>,
    pub instruction: String,
    pub input: String,
    pub output: String,
    pub hash: [u8; 32],
    pub extra: Vec<(String, Value)>,
    /// Names of extra fields whose bytes are no text.
    pub unread: Vec<String>,
}

pub(super) struct Id {
    pub text: String,
    pub integer: bool,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with the fields of a sample")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields: Vec<(String, Value)> = Vec::with_capacity(8);
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("the field {name:?} stands twice")));
                    }
                    if fields.len() == MOST_FIELDS {
                        return Err(A::Error::custom(format!("more than {MOST_FIELDS} fields")));
                    }
                    fields.push((name, value));
                }
                Ok(Fields { cells: fields, unread: Vec::new() })
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Parses a record.
pub(super) fn parse(bytes: &[u8], record: &Record) -> Result<Fields, Refusal> {
    if let Some(long) = record.too_long {
        return Err(Refusal::Other(format!(
            "it is {long} bytes long, more than the {LONGEST_ROW} bytes a sample may have: is there a line end after \
             every sample?"
        )));
    }
    let row = &bytes[record.range.clone()];
    let text = std::str::from_utf8(row).map_err(|error| {
        let at = error.valid_up_to();
        if record.last_without_end && error.error_len().is_none() {
            return Refusal::Unfinished("it ends in the middle of a character".to_owned());
        }
        Refusal::NotUtf8 { at: (record.range.start + at) as u64, byte: row[at] }
    })?;
    serde_json::from_str(text).map_err(|error| {
        if error.is_eof() {
            return Refusal::Unfinished(if text.trim() == "{" || text.trim() == "[" {
                "the row is a lone bracket: every sample must stand on one line, or all in one JSON array".to_owned()
            } else {
                format!("it ends before its object does ({error})")
            });
        }
        let column = error.column().saturating_sub(1);
        let not_json = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| {
            (column.saturating_sub(word.len())..=column)
                .any(|from| row[from.min(row.len())..].starts_with(word.as_bytes()))
        });
        Refusal::Other(match not_json {
            Some(word) if error.is_syntax() => {
                format!("{word} is no JSON value, write null ({error})")
            }
            _ => error.to_string(),
        })
    })
}

/// Gives every field its role.
pub(super) fn extract(fields: Fields, roles: &Roles) -> Result<Row, String> {
    let has_role = |name: &String| {
        *name == roles.instruction
            || *name == roles.output
            || roles.input.as_ref() == Some(name)
            || roles.id.as_ref() == Some(name)
    };
    if let Some((name, reason)) = fields.unread.iter().find(|(name, _)| has_role(name)) {
        return Err(format!("the field {name:?} {reason}"));
    }
    let unread = fields.unread.into_iter().map(|(name, _)| name).collect();
    let (mut instruction, mut input, mut output, mut id) = (None, None, None, None);
    let mut extra = Vec::new();
    for (name, value) in fields.cells {
        if name == roles.instruction {
            instruction = Some(value);
        } else if name == roles.output {
            output = Some(value);
        } else if roles.input.as_ref() == Some(&name) {
            input = Some(value);
        } else if roles.id.as_ref() == Some(&name) {
            id = Some(value);
        } else {
            extra.push((name, value));
        }
    }
    let instruction = text(&roles.instruction, instruction)?;
    let output = text(&roles.output, output)?;
    let input = match (&roles.input, input) {
        (Some(name), Some(value)) if !value.is_null() => text(name, Some(value))?,
        _ => String::new(),
    };
    let id = match id {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if !text.is_empty() => Some(Id { text, integer: false }),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Some(Id { text: number.to_string(), integer: true })
        }
        Some(other) => return Err(format!("the id is {}, neither text nor a whole number", kind(&other))),
    };
    let hash = content_hash(&instruction, &input, &output);
    Ok(Row { id, instruction, input, output, hash, extra, unread })
}

fn text(name: &str, value: Option<Value>) -> Result<String, String> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("the field {name:?} is {}, not text", kind(&other))),
        None => Err(format!("the field {name:?} is missing")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "empty",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
