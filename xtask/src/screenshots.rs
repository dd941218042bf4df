//! The pictures of the README, taken of the real program by the end-to-end tests' own driver.

use anyhow::Result;

use crate::{demo, setup, shell};

/// `cargo xtask screenshots [PROJECT...]`: the demo, and any project folders given, into `target/screenshots/`.
pub fn screenshots(projects: &[String]) -> Result<()> {
    setup::everything()?;
    demo::build()?;
    shell::run(
        shell::cargo()
            .args(["run", "--package", "paser-tests", "--bin", "screenshots", "--"])
            .args(projects)
            .env("PASER_TAURI_DRIVER", setup::driver_path())
            .env("PASER_BIN_DIR", shell::target().join("debug")),
    )
}
