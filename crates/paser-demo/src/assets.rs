//! The material that ships inside the program: pool, hidden labels, tests, dense and pruned model.

use std::io;
use std::path::Path;

use fs_err as fs;

use crate::pool::{Label, TestItem};

/// Why the demo's material could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// The folder or a file cannot be written; the message names it.
    #[error("{0}; make room for the demo, or name a folder that can be written to")]
    Write(#[from] io::Error),
    /// A row that ships with the program does not read.
    #[error("{file}, line {line}: {source}; this build of the program is broken, install it again")]
    Row { file: &'static str, line: usize, source: serde_json::Error },
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../assets/", $name)) as &[u8])),*]
    };
}

/// What a project of the demo reads: path inside the demo folder and bytes.
pub const INPUTS: &[(&str, &[u8])] = shipped![
    "pool.jsonl",
    "tests.jsonl",
    "dense/config.json",
    "dense/generation_config.json",
    "dense/model.safetensors",
    "dense/tokenizer.json",
    "dense/tokenizer_config.json",
    "pruned/config.json",
    "pruned/generation_config.json",
    "pruned/model.safetensors",
    "pruned/tokenizer.json",
    "pruned/tokenizer_config.json",
];

const LABELS: &str = include_str!("../assets/labels.jsonl");
const TESTS: &str = include_str!("../assets/tests.jsonl");

/// The model card of the demo, Markdown.
pub const CARD: &str = include_str!("../assets/README.md");

/// A run of the demo as the engine recorded it; empty until one was made.
pub const RECORDED: &[u8] = include_bytes!("../assets/recorded.bin");

/// Writes pool, dense and pruned model into a folder, which is made where it does not exist. Files already
/// there under these names are replaced.
///
/// # Errors
/// [`AssetError::Write`].
pub fn write_inputs(folder: &Path) -> Result<(), AssetError> {
    for (name, bytes) in INPUTS {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// Capability, sub-type and planted noise of every pool row, in the pool's order. For reports only: never an
/// input of a strategy.
///
/// # Errors
/// Never for the shipped file, which a test reads.
pub fn labels() -> Result<Vec<Label>, AssetError> {
    lines("labels.jsonl", LABELS)
}

/// The 600 frozen test items.
///
/// # Errors
/// Never for the shipped file, which a test reads.
pub fn tests() -> Result<Vec<TestItem>, AssetError> {
    lines("tests.jsonl", TESTS)
}

fn lines<T: for<'a> serde::Deserialize<'a>>(file: &'static str, text: &str) -> Result<Vec<T>, AssetError> {
    (1..)
        .zip(text.lines())
        .map(|(line, text)| serde_json::from_str(text).map_err(|source| AssetError::Row { file, line, source }))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_cannot_be_written_or_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("pool.jsonl");
        fs::create_dir(&taken).unwrap();
        let error = write_inputs(folder.path()).unwrap_err();
        assert!(matches!(error, AssetError::Write(_)) && error.to_string().contains("pool.jsonl"), "{error}");
        let error = lines::<Label>("labels.jsonl", "{}\n").unwrap_err().to_string();
        assert!(error.starts_with("labels.jsonl, line 1: missing field"), "{error}");
    }
}
