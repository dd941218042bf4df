//! Ours and peers on the same inputs in one run; see `benches/README.md`.

use anyhow::Result;

use crate::{figures, shell};

pub fn bench(arguments: &[String]) -> Result<()> {
    if let Some((_, rest)) = arguments.split_first().filter(|(first, _)| *first == "ui") {
        return figures::bench(rest);
    }
    shell::run(shell::cargo().args(["run", "--release", "--package", "paser-bench", "--"]).args(arguments))
}
