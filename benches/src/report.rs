//! Figures of a comparison, the machine they were taken on, and the file they are kept in.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use fs_err as fs;
use serde_json::{Value, json};

use crate::Task;
use crate::inputs::Folders;

/// One task's figures: all runs, medians, and peer / ours.
pub fn result(task: Task, ours: Vec<Value>, peer: Vec<Value>, agreement: Value) -> Result<Value> {
    let figures = |side: &[Value], key: &str| -> Result<Vec<f64>> {
        side.iter().map(|run| run[key].as_f64().with_context(|| format!("a run without {key}"))).collect()
    };
    let medians = |key| -> Result<(f64, f64)> { Ok((median(figures(&ours, key)?), median(figures(&peer, key)?))) };
    let (ours_median, peer_median) = medians("seconds")?;
    let processor_ratio = medians("cpu_seconds").ok().map(|(ours, peer)| peer / ours);
    Ok(json!({
        "task": task.name(),
        "ratio": peer_median / ours_median,
        "ratio_of_processor_time": processor_ratio,
        "ours_median_seconds": ours_median,
        "peer_median_seconds": peer_median,
        "agreement": agreement,
        "ours": ours,
        "peer": peer,
    }))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// One line for a person.
pub fn summary(result: &Value) -> String {
    let number = |key: &str| result[key].as_f64().unwrap_or(f64::NAN);
    format!(
        "{}: {:.2} x the peer ({:.2} x by processor time; ours {:.2} s, peer {:.2} s, medians); {}",
        result["task"].as_str().unwrap_or_default(),
        number("ratio"),
        number("ratio_of_processor_time"),
        number("ours_median_seconds"),
        number("peer_median_seconds"),
        result["agreement"]
    )
}

/// Average number of running programs over the last minute.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Keeps all results of one call.
pub fn keep(folders: &Folders, settings: &str, results: Vec<Value>) -> Result<PathBuf> {
    let output = |program: &str, arguments: &[&str]| -> Option<String> {
        let output = Command::new(program).args(arguments).current_dir(&folders.project).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let field = |file: &str, key: &str| -> Option<String> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once([':', '='])?.1.trim().trim_matches('"').to_owned())
    };
    let date = output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]).unwrap_or_default();
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "uncommitted".to_owned());
    let changed = output("git", &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let day = date.replace(':', "").chars().take(15).collect::<String>();
    let record = json!({
        "date": date,
        "commit": commit,
        "uncommitted_changes": changed,
        "optimised_build": !cfg!(debug_assertions),
        "machine": {
            "processor": field("/proc/cpuinfo", "model name"),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "memory": field("/proc/meminfo", "MemTotal"),
            "system": field("/etc/os-release", "PRETTY_NAME"),
        },
        "settings": settings,
        "results": results,
    });
    let file = folders.runs.join(format!("{day}-{commit}.json"));
    fs::write(&file, serde_json::to_string_pretty(&record)? + "\n")?;
    Ok(file)
}
