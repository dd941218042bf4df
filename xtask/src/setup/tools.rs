//! Test tools that come as crates: the test runner, and the bridge from WebDriver to the desktop window.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::shell;

const NEXTEST: &str = "0.9.143";
const DRIVER: &str = "2.1.0";

/// `cargo nextest`, built once where the machine lacks it.
pub fn nextest() -> Result<()> {
    if shell::ask(shell::cargo().args(["nextest", "--version"])).is_some() {
        return Ok(());
    }
    shell::run(shell::cargo().args(["install", "cargo-nextest", "--locked", "--version", NEXTEST]))
}

/// Where the window's WebDriver bridge lies.
pub fn driver_path() -> PathBuf {
    shell::target().join("tools/bin/tauri-driver")
}

/// `tauri-driver`, built once into the target folder.
pub fn driver() -> Result<()> {
    if shell::ask(Command::new(driver_path()).arg("--help")).is_some() {
        return Ok(());
    }
    shell::run(
        shell::cargo()
            .args(["install", "tauri-driver", "--locked", "--version", DRIVER, "--root"])
            .arg(shell::target().join("tools"))
            .env_remove("CARGO_TARGET_DIR"),
    )
}
