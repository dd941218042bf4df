//! Ours and peers on the same inputs in one run; see `benches/README.md`.

use anyhow::Result;

use crate::shell;

pub fn bench(arguments: &[String]) -> Result<()> {
    shell::run(shell::cargo().args(["run", "--release", "--package", "paser-bench", "--"]).args(arguments))
}
