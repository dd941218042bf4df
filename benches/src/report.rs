//! Figures of a comparison: ratios, medians, and a line for a person.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Task;
use crate::inputs::Folders;
use crate::record::{self, median};

/// One task's figures: all runs, medians, and peer / ours. A run that was stopped counts with the time it had, so that
/// `ratio` is a lower bound where only the peer was stopped.
///
/// # Errors
/// One of ours was stopped, or a run lacks its time.
pub fn result(task: Task, ours: Vec<Value>, peer: Vec<Value>, agreement: Value) -> Result<Value> {
    let stopped = |side: &[Value]| side.iter().filter(|run| !run["stopped_after_seconds"].is_null()).count();
    ensure!(stopped(&ours) == 0, "{}: a run of ours was stopped; raise --limit", task.name());
    let figures =
        |side: &[Value], key: &str| -> Option<Vec<f64>> { side.iter().map(|run| run[key].as_f64()).collect() };
    let seconds = |side: &[Value]| -> Result<f64> {
        let times = side.iter().map(|run| run["seconds"].as_f64().or_else(|| run["stopped_after_seconds"].as_f64()));
        Ok(median(times.collect::<Option<_>>().context("a run without its time")?))
    };
    let processor_ratio = figures(&ours, "cpu_seconds")
        .zip(figures(&peer, "cpu_seconds"))
        .map(|(ours, peer)| median(peer) / median(ours));
    let (ours_median, peer_median) = (seconds(&ours)?, seconds(&peer)?);
    Ok(json!({
        "task": task.name(),
        "ratio": peer_median / ours_median,
        "ratio_of_processor_time": processor_ratio,
        "ours_median_seconds": ours_median,
        "peer_median_seconds": peer_median,
        "peer_runs_stopped": stopped(&peer),
        "agreement": agreement,
        "ours": ours,
        "peer": peer,
    }))
}

/// The time of one run, for a person.
pub fn time(run: &Value) -> String {
    run["seconds"].as_f64().map_or_else(
        || format!("stopped after {} s", run["stopped_after_seconds"]),
        |seconds| format!("{seconds:.2} s"),
    )
}

/// One line for a person.
pub fn summary(result: &Value) -> String {
    let number = |key: &str| result[key].as_f64().unwrap_or(f64::NAN);
    let task = result["task"].as_str().unwrap_or_default();
    if result["peer_runs_stopped"].as_u64() > Some(0) {
        return format!(
            "{task}: at least {:.1} x the peer, which was stopped after {:.0} s (ours {:.2} s, median); {}",
            number("ratio"),
            number("peer_median_seconds"),
            number("ours_median_seconds"),
            result["agreement"]
        );
    }
    format!(
        "{task}: {:.2} x the peer ({:.2} x by processor time; ours {:.2} s, peer {:.2} s, medians); {}",
        number("ratio"),
        number("ratio_of_processor_time"),
        number("ours_median_seconds"),
        number("peer_median_seconds"),
        result["agreement"]
    )
}

/// Keeps all results of one call.
pub fn keep(folders: &Folders, settings: &str, results: Vec<Value>) -> Result<PathBuf> {
    record::keep(&folders.project, &folders.runs, "", json!({ "settings": settings, "results": results }))
}
