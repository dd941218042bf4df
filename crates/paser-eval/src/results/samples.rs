//! The file with a line per item, `samples_<task>_<time>.jsonl`: what was asked, what came back, what it scored. Of a file
//! that is read, what pairs two models' items is kept: number, filter, hash and scores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::read::json as object;
use super::write::put;
use crate::EvalError;
use crate::gsm8k::{Extraction, Gsm8kResult, STOPS};
use crate::tasks::{Row, Task, TaskResult};

/// Top-level numbers of a line that are no scores, in files that do not list their metrics.
const NO_SCORES: [&str; 2] = ["doc_id", "target"];

/// An item under one filter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// Number of the item in its split, from 0.
    pub doc_id: u64,
    /// "none", or how the answer was extracted.
    pub filter: String,
    /// Score by metric.
    pub metrics: BTreeMap<String, f64>,
    /// SHA-256 of the item, of the first prompt, of the right answer; empty where a file does not tell.
    pub doc_hash: String,
    pub prompt_hash: String,
    pub target_hash: String,
    /// The row, the right answer, the requests, the responses and what the filter made of them.
    pub doc: Value,
    pub target: String,
    pub arguments: Value,
    pub resps: Value,
    pub filtered_resps: Value,
}

impl Sample {
    fn new(doc_id: usize, row: &Row, filter: &str, target: String, arguments: Vec<(String, Value)>) -> Self {
        let doc = Value::Object(row.value.clone());
        let prompt_hash = hash(arguments.first().map_or("", |(prompt, _)| prompt));
        let named = arguments
            .into_iter()
            .enumerate()
            .map(|(number, (first, second))| (format!("gen_args_{number}"), json!({"arg_0": first, "arg_1": second})));
        Self {
            doc_id: doc_id as u64,
            filter: filter.to_owned(),
            // as Python's json.dumps(doc, indent=2, ensure_ascii=False)
            doc_hash: hash(&format!("{doc:#}")),
            prompt_hash,
            target_hash: hash(&target),
            doc,
            target,
            arguments: Value::Object(named.collect()),
            ..Self::default()
        }
    }

    /// The harness's hash of what a task asked.
    pub(super) fn hash_of_all(samples: &[Self]) -> String {
        let each =
            samples.iter().map(|sample| format!("{}{}{}", sample.doc_hash, sample.prompt_hash, sample.target_hash));
        hash(&each.collect::<String>())
    }

    fn line(&self) -> Value {
        let mut line = json!({
            "doc_id": self.doc_id,
            "doc": self.doc,
            "target": self.target,
            "arguments": self.arguments,
            "resps": self.resps,
            "filtered_resps": self.filtered_resps,
            "filter": self.filter,
            "metrics": self.metrics.keys().collect::<Vec<_>>(),
            "doc_hash": self.doc_hash,
            "prompt_hash": self.prompt_hash,
            "target_hash": self.target_hash,
        });
        for (name, score) in &self.metrics {
            line[name] = json!(score);
        }
        line
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn score(right: bool) -> f64 {
    f64::from(u8::from(right))
}

/// A multiple-choice task's items; `rows` are those it was asked with.
///
/// # Panics
/// When `rows` and items differ in number.
pub fn samples_of(result: &TaskResult, rows: &[Row]) -> Vec<Sample> {
    assert_eq!(rows.len(), result.items.len(), "the task's own rows");
    let each = result.items.iter().zip(rows).enumerate().map(|(number, (found, row))| {
        let item = &found.item;
        let target = match result.task {
            Task::WinoGrande => item.requests[item.gold].continuation.trim_start().to_owned(),
            _ => item.gold.to_string(),
        };
        let arguments =
            item.requests.iter().map(|request| (request.context.clone(), json!(request.continuation))).collect();
        // Python writes True and False
        let python = |greedy: bool| if greedy { "True" } else { "False" };
        let answers: Vec<Value> = found
            .answers
            .iter()
            .map(|answer| json!([answer.log_likelihood.to_string(), python(answer.is_greedy)]))
            .collect();
        let mut metrics = BTreeMap::from([("acc".to_owned(), score(found.chosen == item.gold))]);
        if result.task.has_acc_norm() {
            metrics.insert("acc_norm".to_owned(), score(found.chosen_norm == item.gold));
        }
        Sample {
            metrics,
            resps: answers.iter().map(|answer| json!([answer])).collect(),
            filtered_resps: Value::Array(answers),
            ..Sample::new(number, row, "none", target, arguments)
        }
    });
    each.collect()
}

/// GSM8K's items under both extractions; `rows` are those it was asked with.
///
/// # Panics
/// When `rows` and items differ in number.
pub fn samples_of_gsm8k(result: &Gsm8kResult, rows: &[Row]) -> Vec<Sample> {
    assert_eq!(rows.len(), result.items.len(), "the task's own rows");
    let settings = json!({"until": STOPS, "do_sample": false, "temperature": 0.0});
    let each = Extraction::ALL.into_iter().enumerate().flat_map(|(at, extraction)| {
        let settings = &settings;
        result.items.iter().zip(rows).enumerate().map(move |(number, (found, row))| {
            let (extracted, right) = &found.extracted[at];
            let arguments = vec![(found.prompt.clone(), settings.clone())];
            Sample {
                metrics: BTreeMap::from([("exact_match".to_owned(), score(*right))]),
                resps: json!([[found.written.text]]),
                filtered_resps: json!([extracted]),
                ..Sample::new(number, row, extraction.name(), found.gold.clone(), arguments)
            }
        })
    });
    each.collect()
}

/// Writes a task's items beside the model's results and gives the file's path.
///
/// # Errors
/// As [`super::write_results`].
pub fn write_samples(
    folder: &Path,
    timestamp: &str,
    model: &str,
    task: &str,
    samples: &[Sample],
) -> Result<PathBuf, EvalError> {
    let text: String = samples.iter().map(|sample| format!("{}\n", sample.line())).collect();
    put(folder, model, &format!("samples_{task}_{timestamp}.jsonl"), &text)
}

/// Reads a file of items.
///
/// # Errors
/// A file that cannot be read; a line that is no item, by its number.
pub fn read_samples(path: &Path) -> Result<Vec<Sample>, EvalError> {
    parse_samples(path, &fs_err::read(path)?)
}

/// The same of a file's bytes; `path` is its name in errors.
///
/// # Errors
/// As [`read_samples`].
pub fn parse_samples(path: &Path, bytes: &[u8]) -> Result<Vec<Sample>, EvalError> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let filled = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
    filled
        .map(|(number, line)| {
            object(line).and_then(sample).map_err(|reason| EvalError::Row {
                file: path.display().to_string(),
                line: number + 1,
                reason,
            })
        })
        .collect()
}

fn sample(mut line: Map<String, Value>) -> Result<Sample, String> {
    let doc_id = line.get("doc_id").and_then(Value::as_u64).ok_or("there is no whole number \"doc_id\" in it")?;
    let number = |value: &Value| value.as_f64().or_else(|| value.as_bool().map(score));
    let metrics = match line.get("metrics").and_then(Value::as_array) {
        Some(names) => {
            let listed = names.iter().filter_map(Value::as_str);
            listed.filter_map(|name| Some((name.to_owned(), number(line.get(name)?)?))).collect()
        }
        None => {
            let numbers = line.iter().filter(|(name, _)| !NO_SCORES.contains(&name.as_str()));
            numbers.filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect()
        }
    };
    let text = |name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
    let target = match line.get("target") {
        Some(Value::String(target)) => target.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let (doc_hash, prompt_hash, target_hash) = (text("doc_hash"), text("prompt_hash"), text("target_hash"));
    let filter = text("filter").unwrap_or_else(|| "none".to_owned());
    let mut take = |name: &str| line.remove(name).unwrap_or_default();
    Ok(Sample {
        doc_id,
        filter,
        metrics,
        doc_hash: doc_hash.unwrap_or_default(),
        prompt_hash: prompt_hash.unwrap_or_default(),
        target_hash: target_hash.unwrap_or_default(),
        doc: take("doc"),
        target,
        arguments: take("arguments"),
        resps: take("resps"),
        filtered_resps: take("filtered_resps"),
    })
}
