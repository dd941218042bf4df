//! The training log: a CSV with `#` header lines (what was planned) and one row per look at the development
//! items.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;
use fs_err::OpenOptions;
use std::io::Write;

use crate::tasks::Capability;

/// An open log file.
pub struct TrainingLog {
    path: PathBuf,
}

/// One row of the log.
pub struct Row {
    pub step: usize,
    pub tokens: u64,
    /// Mean answer-token loss since the last row, in nats.
    pub loss: f64,
    /// Exact match on the development items, in the order of [`Capability::ALL`], 0 to 1.
    pub exact: [f64; 6],
    pub seconds: f64,
}

impl TrainingLog {
    /// Starts a new log with these header lines.
    pub fn create(path: &Path, header: &[String]) -> Result<Self> {
        let mut text = String::new();
        for line in header {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str("step,tokens,loss");
        for capability in Capability::ALL {
            text.push_str(&format!(",{}", capability.name()));
        }
        text.push_str(",seconds\n");
        fs::write(path, text)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Goes on with an existing log; `note` becomes a `#` line in it.
    pub fn resume(path: &Path, note: &str) -> Result<Self> {
        let log = Self { path: path.to_owned() };
        log.append(&format!("# {note}\n"))?;
        Ok(log)
    }

    pub fn row(&self, row: &Row) -> Result<()> {
        let mut line = format!("{},{},{:.4}", row.step, row.tokens, row.loss);
        for exact in row.exact {
            line.push_str(&format!(",{exact:.3}"));
        }
        line.push_str(&format!(",{:.0}\n", row.seconds));
        self.append(&line)
    }

    fn append(&self, text: &str) -> Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        file.write_all(text.as_bytes())?;
        Ok(())
    }
}
