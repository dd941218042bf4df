//! Reads files of results, damaged and hostile ones included: an error, never a panic, and nothing that the file does not
//! say.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Reported, Results, TaskEntry};
use crate::{EvalError, Profile};

/// Keys of a task that are no metrics.
const NO_METRICS: [&str; 4] = ["alias", "name", "sample_len", "sample_count"];

/// Reads `results_<time>.json`, current or old.
///
/// # Errors
/// A file that cannot be read or is no file of results.
pub fn read_results(path: &Path) -> Result<Results, EvalError> {
    parse_results(path, &fs_err::read(path)?)
}

/// The same of a file's bytes; `path` is its name in errors.
///
/// # Errors
/// As [`read_results`].
pub fn parse_results(path: &Path, bytes: &[u8]) -> Result<Results, EvalError> {
    results(bytes).map_err(|reason| EvalError::Results { path: path.to_owned(), reason })
}

fn results(bytes: &[u8]) -> Result<Results, String> {
    let file = json(bytes)?;
    let found = file.get("results").ok_or("there is no \"results\" in it: not a file of lm-evaluation-harness")?;
    let found = found.as_object().ok_or("\"results\" must be an object with a task in each key")?;
    let of = |part: &str, task: &str| file.get(part).and_then(|part| part.get(task));
    let tasks = found.iter().map(|(name, values)| {
        let values = values.as_object().ok_or_else(|| format!("the task {name:?} must be an object of metrics"))?;
        let samples =
            |which: &str| of("n-samples", name).and_then(|samples| samples.get(which)).and_then(Value::as_u64);
        Ok(TaskEntry {
            name: name.clone(),
            version: of("versions", name).and_then(number),
            shots: of("n-shot", name).and_then(Value::as_u64),
            items: samples("effective").or_else(|| values.get("sample_len").and_then(Value::as_u64)),
            items_of_all: samples("original"),
            metrics: metrics(values),
        })
    });
    let tasks = tasks.collect::<Result<_, String>>()?;
    let config = file.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Results {
        model: model(&file, &config),
        profile: config.get("profile").and_then(Value::as_str).and_then(|name| Profile::from_name(name).ok()),
        date: file.get("date").and_then(Value::as_f64),
        tasks,
        config,
    })
}

/// Every value that is not a standard error, with its standard error: `acc,none` and `acc_stderr,none`, or `acc` and
/// `acc_stderr`.
fn metrics(values: &Map<String, Value>) -> Vec<Reported> {
    let parted = |key: &str| match key.split_once(',') {
        Some((name, filter)) => (name.to_owned(), filter.to_owned()),
        None => (key.to_owned(), "none".to_owned()),
    };
    let metric = |(key, value): (&String, &Value)| {
        let (name, filter) = parted(key);
        if NO_METRICS.contains(&key.as_str()) || name.ends_with("_stderr") || !is_value(value) {
            return None;
        }
        let beside = match key.split_once(',') {
            Some((name, filter)) => format!("{name}_stderr,{filter}"),
            None => format!("{key}_stderr"),
        };
        Some(Reported { name, filter, value: number(value), stderr: values.get(&beside).and_then(number) })
    };
    values.iter().filter_map(metric).collect()
}

/// A number, or what stands for one that there is not.
fn is_value(value: &Value) -> bool {
    value.is_number() || value.is_null() || value.as_str() == Some("N/A")
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).filter(|number| number.is_finite())
}

/// `model_name`, else what `model_args` loads, else the kind of model.
fn model(file: &Map<String, Value>, config: &Map<String, Value>) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let args = config.get("model_args");
    let loaded = match args {
        Some(Value::String(args)) => {
            args.split(',').find_map(|arg| arg.trim().strip_prefix("pretrained=")).map(str::to_owned)
        }
        Some(Value::Object(args)) => text(args.get("pretrained")),
        _ => None,
    };
    text(file.get("model_name")).or(loaded).or_else(|| text(config.get("model"))).unwrap_or_default()
}

/// An object written by Python, whose `NaN`, `Infinity` and `-Infinity` no other JSON knows: they become null.
pub(super) fn json(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("is not text (UTF-8): {error}"))?;
    let told = |error: serde_json::Error| format!("is not valid JSON: {error}");
    let value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => serde_json::from_str(&without_python_numbers(text)).map_err(told)?,
    };
    match value {
        Value::Object(object) => Ok(object),
        _ => Err("is not a JSON object".to_owned()),
    }
}

fn without_python_numbers(text: &str) -> String {
    let (mut out, mut rest, mut quoted) = (String::with_capacity(text.len()), text, false);
    while let Some(first) = rest.chars().next() {
        if quoted && first == '\\' {
            let length = first.len_utf8() + rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        quoted ^= first == '"';
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| !quoted && rest.starts_with(word));
        match word {
            Some(word) => {
                out.push_str("null");
                rest = &rest[word.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}
