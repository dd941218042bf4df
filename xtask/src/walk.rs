//! An hour in the real window, and what it holds in memory meanwhile; see `benches/README.md`.

use std::{env, path::PathBuf, process::Command};

use anyhow::Result;

use crate::{setup, shell, web};

/// `cargo xtask walk [MINUTES] [PROJECT]`: into `benches/runs/`.
pub fn walk(arguments: &[String]) -> Result<()> {
    setup::everything()?;
    web::build()?;
    shell::build()?;
    // The driver runs in the workspace's folder, a path is meant from here.
    let here = env::current_dir()?;
    let minutes = arguments.first().map_or("60", String::as_str);
    let projects: Vec<PathBuf> = arguments.iter().skip(1).map(|folder| here.join(folder)).collect();
    shell::run(
        Command::new(shell::built("walk"))
            .current_dir(shell::root())
            .arg(minutes)
            .args(projects)
            .env("PASER_BIN_DIR", shell::target().join("debug")),
    )
}
