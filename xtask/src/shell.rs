//! Running other programs: each call is printed before it runs and named when it fails.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

/// The workspace's top folder.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or_else(|| manifest.to_owned(), Path::to_owned)
}

/// Where cargo builds: `CARGO_TARGET_DIR`, else `target/`.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program of ours, built by the dev profile.
pub fn built(program: &str) -> PathBuf {
    target().join("debug").join(format!("{program}{}", env::consts::EXE_SUFFIX))
}

/// `cargo` in the workspace, with the toolchain that runs this program.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Builds all that tests need. A package alone would take some dependencies with other features, and build them again.
pub fn build() -> Result<()> {
    run(cargo().args(["build", "--workspace", "--all-targets"]))
}

/// Runs to the end, output shown.
pub fn run(command: &mut Command) -> Result<()> {
    let line = describe(command);
    eprintln!("xtask: {line}");
    let start = Instant::now();
    let status = command.status().with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    eprintln!("xtask: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a program that a person ends by Ctrl-C, which is no failure of it.
pub fn run_until_stopped(command: &mut Command) -> Result<()> {
    let line = describe(command);
    eprintln!("xtask: {line}");
    let status = command.status().with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() && status.code() != Some(130) {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Standard output of a quiet call; none where it fails or is absent.
pub fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
