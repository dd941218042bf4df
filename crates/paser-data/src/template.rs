//! How a sample becomes the text a model sees before it answers (method.md 2). Alpaca is the wording of Stanford
//! Alpaca, byte for byte.

use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{ChatTemplate, DataError, Sample};

const WITH_INPUT: [&str; 3] = [
    "Below is an instruction that describes a task, paired with an input that provides further context. Write a \
     response that appropriately completes the request.\n\n### Instruction:\n",
    "\n\n### Input:\n",
    "\n\n### Response:\n",
];
const WITHOUT_INPUT: [&str; 2] = [
    "Below is an instruction that describes a task. Write a response that appropriately completes the \
     request.\n\n### Instruction:\n",
    "\n\n### Response:\n",
];

/// The form of a prompt.
#[derive(Debug, Clone)]
pub enum Template {
    Alpaca,
    /// Instruction, a newline, the input and a newline where there is an input, and nothing else.
    Plain,
    /// The model's own chat template, the question as a user's turn.
    Chat(ChatTemplate),
}

impl Template {
    /// The names that recipe and command line use.
    pub const NAMES: [&'static str; 3] = ["alpaca", "plain", "chat"];

    /// Finds a template by name; `chat` is read from the model's folder.
    pub fn by_name(name: &str, model_dir: &Path) -> Result<Self, DataError> {
        match name {
            "alpaca" => Ok(Self::Alpaca),
            "plain" => Ok(Self::Plain),
            "chat" => ChatTemplate::from_model_dir(model_dir).map(Self::Chat),
            other => Err(DataError::Template {
                name: other.to_owned(),
                what: format!("there is none of this name: choose one of {}", Self::NAMES.join(", ")),
            }),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Alpaca => "alpaca",
            Self::Plain => "plain",
            Self::Chat(_) => "chat",
        }
    }

    /// Everything up to the first character of the response. Nothing is trimmed; any non-empty input counts.
    pub fn prompt(&self, sample: &Sample) -> Result<String, DataError> {
        Ok(match self {
            Self::Alpaca if sample.input.is_empty() => {
                [WITHOUT_INPUT[0], &sample.instruction, WITHOUT_INPUT[1]].concat()
            }
            Self::Alpaca => [WITH_INPUT[0], &sample.instruction, WITH_INPUT[1], &sample.input, WITH_INPUT[2]].concat(),
            Self::Plain => sample.question().into_owned() + "\n",
            Self::Chat(chat) => chat.prompt(&sample.question())?,
        })
    }

    /// What stands before a response without its question: the bare "### Response:" of Alpaca, nothing, or the chat
    /// template's words around an empty question.
    ///
    /// # Errors
    /// A chat template that takes no empty question.
    pub fn marker(&self) -> Result<String, DataError> {
        match self {
            Self::Alpaca => Ok(WITHOUT_INPUT[1].trim_start().to_owned()),
            Self::Plain => Ok(String::new()),
            Self::Chat(chat) => chat.prompt(""),
        }
    }

    /// Does the text of the prompt bring its own special tokens?
    pub(crate) fn has_special_tokens(&self) -> bool {
        matches!(self, Self::Chat(_))
    }

    /// SHA-256 of what decides the text, hexadecimal: part of every key under which scores are stored.
    pub fn fingerprint(&self) -> String {
        let parts = match self {
            Self::Alpaca => [&WITH_INPUT[..], &WITHOUT_INPUT[..]].concat(),
            Self::Plain => Vec::new(),
            Self::Chat(chat) => chat.parts(),
        };
        hex::encode(Sha256::digest(json!([self.name(), parts]).to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(instruction: &str, input: &str) -> Sample {
        Sample {
            id: "0".to_owned(),
            instruction: instruction.to_owned(),
            input: input.to_owned(),
            output: String::new(),
            hash: [0; 32],
            multiplicity: 1,
            line: 1,
        }
    }

    #[test]
    fn alpaca_is_stanfords_wording() {
        assert_eq!(
            Template::Alpaca.prompt(&sample("Add.", " 1 2 ")).unwrap(),
            "Below is an instruction that describes a task, paired with an input that provides further context. \
             Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n 1 2 \
             \n\n### Response:\n"
        );
        assert_eq!(
            Template::Alpaca.prompt(&sample("Add.", "")).unwrap(),
            "Below is an instruction that describes a task. Write a response that appropriately completes the \
             request.\n\n### Instruction:\nAdd.\n\n### Response:\n"
        );
    }

    #[test]
    fn fingerprints_differ() {
        assert_ne!(Template::Alpaca.fingerprint(), Template::Plain.fingerprint());
        assert_eq!(Template::Plain.prompt(&sample("a", "b")).unwrap(), "a\nb\n");
    }

    #[test]
    fn without_its_question_a_response_stands_behind_the_marker() {
        assert_eq!(Template::Alpaca.marker().unwrap(), "### Response:\n");
        assert_eq!(Template::Plain.marker().unwrap(), "");
    }
}
