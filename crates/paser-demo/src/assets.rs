//! The material that ships inside the program: pool, hidden labels, tests, dense and pruned model.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use crate::pool::{Label, TestItem};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../assets/", $name)) as &[u8])),*]
    };
}

/// What a project of the demo reads: path inside the demo folder and bytes.
pub const INPUTS: &[(&str, &[u8])] = shipped![
    "pool.jsonl",
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
/// Where the folder or a file cannot be written; the error names it.
pub fn write_inputs(folder: &Path) -> Result<()> {
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
pub fn labels() -> Result<Vec<Label>> {
    lines(LABELS)
}

/// The 600 frozen test items.
///
/// # Errors
/// Never for the shipped file, which a test reads.
pub fn tests() -> Result<Vec<TestItem>> {
    lines(TESTS)
}

fn lines<T: for<'a> serde::Deserialize<'a>>(text: &str) -> Result<Vec<T>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
