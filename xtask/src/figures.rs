//! The window's figures, taken of the real program by the end-to-end tests' own driver; see `benches/README.md`.

use std::{env, path::PathBuf, process::Command};

use anyhow::Result;

use crate::{setup, shell, web};

/// Points that the painters of `bench ui` draw.
const COUNTS: &str = "10000,52000,200000,1000000,2600000";
/// Samples of the large project.
const MILLION: &str = "1000000";

/// `cargo xtask figures [PROJECT]`: into `benches/runs/window-*.json`.
pub fn figures(projects: &[String]) -> Result<()> {
    setup::everything()?;
    web::build()?;
    let page = web::example("painters")?;
    shell::build()?;
    // The driver runs in the workspace's folder, a path is meant from here.
    let here = env::current_dir()?;
    let projects: Vec<PathBuf> = projects.iter().map(|folder| here.join(folder)).collect();
    run(page, &[], &projects)
}

/// `cargo xtask bench ui [--only-million] [PROJECT]`: many points beside `egui_plot`, a made-up project of a million
/// samples, and the window's figures; into `benches/runs/ui-*.json`, the million alone into `million-*.json`.
pub fn bench(arguments: &[String]) -> Result<()> {
    setup::everything()?;
    web::build()?;
    let page = web::example("painters")?;
    shell::build()?;
    let million = shell::target().join(format!("synthetic-{MILLION}"));
    if !million.join("project.db").is_file() {
        synthetic(&["--samples".to_owned(), MILLION.to_owned(), million.to_string_lossy().into_owned()])?;
    }
    let here = env::current_dir()?;
    let (switches, projects): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|word| word.starts_with("--"));
    let mut options = vec!["--counts".to_owned(), COUNTS.to_owned()];
    options.extend(["--million".to_owned(), million.to_string_lossy().into_owned()]);
    options.extend(switches.into_iter().cloned());
    let projects: Vec<PathBuf> = projects.into_iter().map(|folder| here.join(folder)).collect();
    run(page, &options, &projects)
}

/// `cargo xtask synthetic [--samples N] [--seed N] DIR`: a made-up project.
pub fn synthetic(arguments: &[String]) -> Result<()> {
    let here = env::current_dir()?;
    let mut words = arguments.to_vec();
    // A path is meant from here.
    if let Some(folder) = words.last_mut().filter(|word| !word.starts_with('-')) {
        *folder = here.join(&*folder).to_string_lossy().into_owned();
    }
    shell::build()?;
    shell::run(Command::new(shell::built("examples/synthetic")).args(words))
}

fn run(page: PathBuf, options: &[String], projects: &[PathBuf]) -> Result<()> {
    shell::run(
        Command::new(shell::built("figures"))
            .current_dir(shell::root())
            .arg(page)
            .args(options)
            .args(projects)
            .env("PASER_BIN_DIR", shell::target().join("debug")),
    )
}
