//! The window's figures, taken of the real program by the end-to-end tests' own driver; see `benches/README.md`.

use std::{env, path::PathBuf};

use anyhow::Result;

use crate::{setup, shell, web};

/// `cargo xtask figures [PROJECT]`: into `benches/runs/`.
pub fn figures(projects: &[String]) -> Result<()> {
    setup::everything()?;
    web::build()?;
    let page = web::example("painters")?;
    shell::run(shell::cargo().args(["build", "--package", "paser-cli"]))?;
    // The driver runs in the workspace's folder, a path is meant from here.
    let here = env::current_dir()?;
    let projects: Vec<PathBuf> = projects.iter().map(|folder| here.join(folder)).collect();
    shell::run(
        shell::cargo()
            .args(["run", "--package", "paser-tests", "--bin", "figures", "--"])
            .arg(page)
            .args(projects)
            .env("PASER_BIN_DIR", shell::target().join("debug")),
    )
}
