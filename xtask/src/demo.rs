//! `demo` and `studio`: from a fresh machine to the open program.

use std::{env, process::Command};

use anyhow::Result;

use crate::{setup, shell, web};

/// Builds window, command line and desktop program.
pub fn build() -> Result<()> {
    eprintln!("xtask: step 1 of 2, the window; on a fresh machine a few minutes");
    web::build()?;
    eprintln!("xtask: step 2 of 2, the programs; on a fresh machine about ten minutes");
    shell::run(shell::cargo().args(["build", "--package", "paser-cli", "--package", "paser-studio"]))
}

/// Ends with the program open on the demo where there is a display; else with a report file and a served address.
pub fn demo(arguments: &[String]) -> Result<()> {
    setup::for_window()?;
    build()?;
    let folder = shell::target().join("demo");
    let report = folder.join("report.html");
    shell::run(Command::new(shell::built("paser")).arg("demo").arg(&folder).arg("--report").arg(&report))?;
    eprintln!("xtask: the demo's report is {}", report.display());
    if arguments.iter().any(|argument| argument == "--no-window") {
        return Ok(());
    }
    if has_display() {
        shell::run(Command::new(shell::built("paser-studio")).arg(&folder))
    } else {
        eprintln!("xtask: no display here; serving the same window for a browser (Ctrl+C ends it)");
        shell::run_until_stopped(Command::new(shell::built("paser")).arg("serve").arg(&folder))
    }
}

/// Opens the desktop program, on a project where one is named.
pub fn studio(arguments: &[String]) -> Result<()> {
    setup::for_window()?;
    build()?;
    shell::run(Command::new(shell::built("paser-studio")).args(arguments))
}

fn has_display() -> bool {
    cfg!(any(windows, target_os = "macos"))
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}
