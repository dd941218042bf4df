//! `trainer_state.json` of Hugging Face's trainer, which TRL, axolotl, LLaMA-Factory and LLM-Pruner build on: one entry of
//! `log_history` for each look at training or evaluation.

use std::io::Read;
use std::path::Path;

use fs_err::File;
use paser_protocol::Trainer;
use serde_json::{Map, Value};

use super::{ForeignCurve, ForeignError, MAX_POINTS};

/// A log of millions of steps is smaller.
const MAX_BYTES: u64 = 256 << 20;
/// Evaluation sets that LLM-Pruner adds to the one that belongs to its data.
const SIDE_SETS: [&str; 2] = ["eval_wikitext2_loss", "eval_ptb_loss"];

/// A trainer's state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub curve: ForeignCurve,
    /// Steps that were done.
    pub global_step: u64,
    /// Simple values beside the log.
    pub settings: Map<String, Value>,
    /// What the log's keys betray.
    pub trainer: Option<Trainer>,
}

/// Reads `trainer_state.json`. Python writes `NaN` and `Infinity`, which are no JSON; they count as absent and are told.
///
/// # Errors
/// A file that cannot be read, is far too large, is no JSON or has no `log_history`.
pub fn read_state(path: &Path) -> Result<State, ForeignError> {
    let unreadable = |reason: String| ForeignError::Unreadable { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unreadable(format!("more than {} MiB are no trainer's log", MAX_BYTES >> 20)));
    }
    let strange = without_python_numbers(&mut bytes);
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(format!("not JSON: {error}. Copy it again.")))?;
    let log = value.get("log_history").and_then(Value::as_array);
    let log = log.ok_or_else(|| unreadable("there is no log_history: this is no trainer's state".to_owned()))?;
    let mut state = State {
        global_step: value.get("global_step").and_then(Value::as_u64).unwrap_or_default(),
        settings: simple(&value),
        ..State::default()
    };
    for entry in log.iter().filter_map(Value::as_object) {
        if !state.add(entry) {
            return Err(unreadable(format!("the log has more than {MAX_POINTS} steps")));
        }
    }
    if strange > 0 {
        state.curve.notes.push(format!(
            "{}: {strange} value(s) are NaN or infinite: the run diverged at least for a while. They are left out.",
            path.display()
        ));
    }
    Ok(state)
}

impl State {
    fn add(&mut self, entry: &Map<String, Value>) -> bool {
        let number = |key: &str| entry.get(key).and_then(Value::as_f64);
        let Some(step) = entry.get("step").and_then(Value::as_u64) else { return true };
        let Some(point) = self.curve.at(step) else { return false };
        point.loss = number("loss").or(point.loss);
        point.learning_rate = number("learning_rate").or(point.learning_rate);
        point.eval_loss = evaluation(entry).or(point.eval_loss);
        let tokens = ["num_input_tokens_seen", "num_tokens"].into_iter().find_map(number);
        point.tokens = tokens.filter(|tokens| *tokens > 0.0).map(|tokens| tokens as u64).or(point.tokens);
        // The summary at the end has a runtime, too: that of the whole run, evaluation included.
        if entry.contains_key("loss") {
            point.seconds = number("train_runtime").or(point.seconds);
        }
        if SIDE_SETS.iter().any(|key| entry.contains_key(*key)) {
            self.trainer = Some(Trainer::LlmPruner);
        } else if entry.contains_key("mean_token_accuracy") {
            self.trainer = self.trainer.or(Some(Trainer::Trl));
        }
        true
    }
}

/// `eval_loss`, or the loss of the only or main one of several evaluation sets.
fn evaluation(entry: &Map<String, Value>) -> Option<f64> {
    let named = |key: &&String| key.starts_with("eval_") && key.ends_with("_loss");
    let main = |key: &&String| !SIDE_SETS.contains(&key.as_str());
    let mut others: Vec<&String> = entry.keys().filter(named).filter(main).collect();
    others.sort();
    let key = if entry.contains_key("eval_loss") { "eval_loss" } else { others.first()? };
    entry.get(key).and_then(Value::as_f64)
}

/// Numbers, texts and switches of an object, and lists of texts.
pub(super) fn simple(value: &Value) -> Map<String, Value> {
    let plain = |value: &Value| match value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(list) => list.len() <= 64 && list.iter().all(Value::is_string),
        Value::Null | Value::Object(_) => false,
    };
    let entries = value.as_object().into_iter().flatten();
    entries.filter(|(_, value)| plain(value)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Overwrites Python's `NaN`, `Infinity` and `-Infinity` outside of texts with what is no number,
/// in place; how many there were.
fn without_python_numbers(bytes: &mut [u8]) -> usize {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let (mut place, mut found, mut inside) = (0, 0, false);
    while place < bytes.len() {
        let rest = &mut bytes[place..];
        match rest[0] {
            b'\\' if inside => place += 1,
            b'"' => inside = !inside,
            b'-' | b'I' | b'N' if !inside => {
                if let Some(word) = WORDS.into_iter().find(|word| rest.starts_with(word)) {
                    // There is no room for null in "NaN"; an empty text is no number either.
                    let written: &[u8] = if word.len() == 3 { b"\"\" " } else { b"null" };
                    rest[..word.len()].fill(b' ');
                    rest[..written.len()].copy_from_slice(written);
                    found += 1;
                    place += word.len() - 1;
                }
            }
            _ => {}
        }
        place += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_numbers_become_nothing_and_texts_stay() {
        let mut text = br#"{"a": NaN, "b": -Infinity, "c": [Infinity], "NaN": "NaN \" Infinity", "d": -1}"#.to_vec();
        assert_eq!(without_python_numbers(&mut text), 3);
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert!(value["a"].as_f64().is_none() && value["b"].is_null() && value["c"][0].is_null());
        assert_eq!((value["NaN"].as_str(), value["d"].as_i64()), (Some("NaN \" Infinity"), Some(-1)));
    }
}
