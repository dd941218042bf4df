//! What a job says of itself while it is at work: `state.json` for whoever follows it, `log.jsonl` as its diary,
//! `worker.log` for what its worker prints, `work.json` as the worker's order, `stop` as the wish that it ends.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use paser_protocol::Report;
use serde::{Deserialize, Serialize};

use crate::ShardMarker;

/// Bytes at the end of a log that its last lines are looked for in.
const TAIL: u64 = 16 << 10;

/// `state.json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    pub stage: String,
    pub key: String,
    pub shards: usize,
    pub finished: usize,
    /// Seconds since 1970.
    pub updated: u64,
    /// None where the process that owns the project computes.
    #[serde(default)]
    pub worker: Option<WorkerState>,
}

/// What a worker tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerState {
    pub pid: u32,
    /// Seconds since 1970.
    pub started: u64,
    /// The piece of work at hand, in words: `scoring`.
    pub what: String,
    pub done: u64,
    pub total: u64,
    pub unit: String,
    /// Bytes now, and the most so far; 0 where the system does not tell.
    pub memory_bytes: u64,
    pub peak_memory_bytes: u64,
    /// Why it gave up; none while it works and after it ended well.
    pub report: Option<Report>,
}

/// `work.json`: what a worker needs beside the plan, so that an edit of the project's files does not confuse it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Of the program that wrote the plan.
    pub version: String,
    /// The text of the recipe that the plan was made of.
    pub recipe: String,
    pub threads: usize,
    pub memory: Option<u64>,
    /// What the stage itself has to be told, as JSON; none where recipe and plan say all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// A line of `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogLine {
    /// Seconds since 1970.
    pub time: u64,
    pub pid: u32,
    pub what: String,
    pub shard: Option<ShardMarker>,
}

impl LogLine {
    /// `14:03:20 shard 12 finished in 8.4 s (process 4711)`, in UTC.
    fn words(&self) -> String {
        let (hours, minutes, seconds) = (self.time / 3600 % 24, self.time / 60 % 60, self.time % 60);
        let what = match &self.shard {
            Some(marker) => format!("shard {} {} in {:.1} s", marker.shard + 1, self.what, marker.seconds),
            None => self.what.clone(),
        };
        format!("{hours:02}:{minutes:02}:{seconds:02} {what} (process {})", self.pid)
    }
}

/// The last lines of a job's diary in words, oldest first.
pub(crate) fn last_lines(log: &Path, count: usize) -> Vec<String> {
    let lines = tail(log);
    let lines: Vec<LogLine> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(LogLine::words).collect()
}

/// The last lines of a text.
pub(crate) fn last_words(log: &Path, count: usize) -> String {
    let text = tail(log);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The end of a file; empty where it cannot be read.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs_err::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_lines_of_a_log_are_read_as_words() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log.jsonl");
        assert!(last_lines(&log, 3).is_empty());
        let marker = ShardMarker { shard: 2, sha256: String::new(), rows: 5, units: 7, seconds: 1.25 };
        let line = |what: &str, shard: Option<ShardMarker>| {
            serde_json::to_string(&LogLine { time: 3_723, pid: 9, what: what.to_owned(), shard }).unwrap()
        };
        let text = format!(
            "{}\nno json\n{}\n{}\n",
            line("planned", None),
            line("opened", None),
            line("finished", Some(marker))
        );
        fs_err::write(&log, text).unwrap();
        let told = ["01:02:03 opened (process 9)", "01:02:03 shard 3 finished in 1.2 s (process 9)"];
        assert_eq!(last_lines(&log, 2), told);
        assert_eq!(last_words(&log, 1), last_words(&log, 5).lines().last().unwrap());
    }
}
