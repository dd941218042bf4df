//! A screen without a monitor, for the desktop window: `Xvfb` on the first free display.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

/// Ends with the value.
pub struct Screen {
    child: Child,
    /// `:N`
    pub display: String,
}

impl Screen {
    /// # Errors
    /// `Xvfb` is missing (`cargo xtask setup` installs it) or does not start.
    pub fn start(width: u32, height: u32) -> Result<Self> {
        let mut child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb could not be started: run `cargo xtask setup`")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut number = String::new();
        BufReader::new(stdout).read_line(&mut number)?;
        Ok(Self { child, display: format!(":{}", number.trim()) })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Already gone is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
