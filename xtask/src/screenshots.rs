//! The pictures of the README, taken of the real program by the end-to-end tests' own driver.

use std::process::Command;

use anyhow::Result;

use crate::{setup, shell, web};

/// `cargo xtask screenshots [PROJECT...]`: the demo, and any project folders given, into `target/screenshots/`.
pub fn screenshots(projects: &[String]) -> Result<()> {
    setup::everything()?;
    web::build()?;
    shell::build()?;
    shell::run(
        Command::new(shell::built("screenshots"))
            .current_dir(shell::root())
            .args(projects)
            .env("PASER_TAURI_DRIVER", setup::driver_path())
            .env("PASER_BIN_DIR", shell::target().join("debug")),
    )
}
