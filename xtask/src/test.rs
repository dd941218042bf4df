//! Every check, in the order that fails soonest: what CI runs.

use anyhow::Result;

use crate::{setup, shell, web};

pub fn test() -> Result<()> {
    setup::everything()?;
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    // The bundle first: server and shell embed it.
    web::build()?;
    // One set of packages and targets for build, tests and lints, so that no dependency is built twice.
    let all = ["--workspace", "--all-targets"];
    shell::build()?;
    shell::run(
        shell::cargo()
            .args(["nextest", "run"])
            .args(all)
            .env("PASER_TAURI_DRIVER", setup::driver_path())
            .env("PASER_BIN_DIR", shell::target().join("debug")),
    )?;
    shell::run(shell::cargo().arg("clippy").args(all).args(["--", "--deny", "warnings"]))?;
    dependencies()?;
    shell::run(
        shell::cargo()
            .args(["doc", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-Dwarnings"),
    )
}

/// Licences and sources of what is linked, by `deny.toml`, where `cargo deny` is at hand: building it takes minutes, so
/// that it is not installed for this alone.
fn dependencies() -> Result<()> {
    if shell::ask(shell::cargo().args(["deny", "--version"])).is_none() {
        eprintln!("xtask: licences and sources are NOT checked here: `cargo install cargo-deny` brings the check");
        return Ok(());
    }
    shell::run(shell::cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}
