//! Writes `results_<time>.json` in the harness's current shape, into a folder named after the model. A file appears
//! whole or not at all.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Results, Sample, higher_is_better};
use crate::EvalError;

/// Writes a file of results below `folder` and gives its path. `timestamp`: the time as it stands in the name, such as
/// `2026-01-31T12-00-00.000000`. `samples`: each task's items, where they are known, for the hash of what was asked.
///
/// # Errors
/// A timestamp or model that gives no file name; a folder that cannot be written.
pub fn write_results(
    folder: &Path,
    timestamp: &str,
    results: &Results,
    samples: &[(&str, &[Sample])],
) -> Result<PathBuf, EvalError> {
    let mut text = serde_json::to_string_pretty(&shape(results, samples)).map_err(std::io::Error::from)?;
    text.push('\n');
    put(folder, &results.model, &format!("results_{timestamp}.json"), &text)
}

/// Writes `text` to a file of the model's folder by way of a temporary one.
pub(super) fn put(folder: &Path, model: &str, name: &str, text: &str) -> Result<PathBuf, EvalError> {
    for (what, part) in [("model", model), ("file name", name)] {
        if part.is_empty() || matches!(part, "." | "..") || part.contains('\0') {
            return Err(EvalError::Parameter { name: what, reason: format!("{part:?} gives no file name") });
        }
    }
    let folder = folder.join(file_name(model));
    fs_err::create_dir_all(&folder)?;
    let path = folder.join(file_name(name));
    let part = folder.join(format!("{}.part", file_name(name)));
    fs_err::write(&part, text)?;
    fs_err::rename(&part, &path)?;
    Ok(path)
}

/// The harness's rule: what no file name may hold becomes two underscores.
fn file_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut replaced = false;
    for character in text.chars() {
        let bad = matches!(character, '"' | '<' | '>' | ':' | '/' | '|' | '\\' | '?' | '*' | '[' | ']');
        if !bad {
            name.push(character);
        } else if !replaced {
            name.push_str("__");
        }
        replaced = bad;
    }
    name
}

fn shape(results: &Results, samples: &[(&str, &[Sample])]) -> Value {
    let mut of_tasks: [Map<String, Value>; 6] = Default::default();
    let [values, configs, versions, shots, better, counts] = &mut of_tasks;
    for task in &results.tasks {
        let mut metrics = Map::from_iter([("alias".to_owned(), json!(task.name))]);
        let mut directions = Map::new();
        for metric in &task.metrics {
            metrics.insert(format!("{},{}", metric.name, metric.filter), json!(metric.value));
            let stderr = metric.stderr.map_or(json!("N/A"), |stderr| json!(stderr));
            metrics.insert(format!("{}_stderr,{}", metric.name, metric.filter), stderr);
            directions.insert(metric.name.clone(), json!(higher_is_better(&metric.name)));
        }
        let put = |map: &mut Map<String, Value>, value: Value| map.insert(task.name.clone(), value);
        put(values, Value::Object(metrics));
        put(configs, json!({"task": task.name, "num_fewshot": task.shots, "metadata": {"version": task.version}}));
        put(versions, json!(task.version));
        put(shots, json!(task.shots));
        put(better, Value::Object(directions));
        put(counts, json!({"original": task.items_of_all, "effective": task.items}));
    }
    let [values, configs, versions, shots, better, counts] = of_tasks;
    let mut config = results.config.clone();
    if let Some(profile) = results.profile {
        config.insert("profile".to_owned(), json!(profile.name()));
    }
    let hashes: Map<String, Value> =
        samples.iter().map(|(task, samples)| ((*task).to_owned(), json!(Sample::hash_of_all(samples)))).collect();
    json!({
        "results": values,
        "group_subtasks": {},
        "configs": configs,
        "versions": versions,
        "n-shot": shots,
        "higher_is_better": better,
        "n-samples": counts,
        "config": config,
        "git_hash": null,
        "date": results.date,
        "task_hashes": hashes,
        "model_source": "paser",
        "model_name": results.model,
        "model_name_sanitized": file_name(&results.model),
    })
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_model_becomes_a_folder_name_as_the_harness_makes_it() {
        assert_eq!(file_name("org/model:v1[a]"), "org__model__v1__a__");
        assert_eq!(file_name("a//b"), "a__b");
        assert_eq!(file_name("a-b_c.d"), "a-b_c.d");
    }
}
