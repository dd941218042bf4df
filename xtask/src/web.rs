//! Builds the window for web view and browser: `ui` for wasm, its JavaScript glue, and compressed copies, into
//! `dist/`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};

use crate::{setup, shell};

const PROFILE: &str = "wasm-release";
const PAGE: [&str; 4] = ["index.html", "style.css", "boot.js", "calm.js"];

pub fn build() -> Result<()> {
    let wasm = compile(["--bin", "ui"])?.join("ui.wasm");
    let work = shell::target().join("dist-new");
    bind(&wasm, &work)?;
    for file in PAGE {
        fs_err::copy(shell::root().join("ui").join(file), work.join(file))?;
    }
    publish(&work)
}

/// Builds an example of `ui` and its page as the window is built, into a folder of its own below `target/`; that
/// folder.
pub fn example(name: &str) -> Result<PathBuf> {
    let wasm = compile(["--example", name])?.join("examples").join(format!("{name}.wasm"));
    let work = shell::target().join(name);
    bind(&wasm, &work)?;
    let page = shell::root().join("ui/examples").join(name).join("index.html");
    fs_err::copy(page, work.join("index.html"))?;
    Ok(work)
}

/// Compiles one target of `ui`; the folder of the profile's output.
fn compile(target: [&str; 2]) -> Result<PathBuf> {
    let toolchain = setup::wasm_toolchain()?;
    let mut cargo = shell::cargo();
    cargo.args(["build", "--package", "ui"]).args(target);
    cargo.args(["--target", "wasm32-unknown-unknown", "--profile", PROFILE]);
    // Features as the window alone needs them, whatever is asked for the rest of the workspace.
    cargo.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
    if let Some(rustc) = toolchain.rustc {
        cargo.env("RUSTC", rustc);
    }
    shell::run(&mut cargo)?;
    Ok(shell::target().join("wasm32-unknown-unknown").join(PROFILE))
}

/// The module and its JavaScript glue, into an empty folder.
fn bind(wasm: &Path, work: &Path) -> Result<()> {
    if work.exists() {
        fs_err::remove_dir_all(work)?;
    }
    fs_err::create_dir_all(work)?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .omit_default_module_path(true)
        .generate(work)
        .context("wasm-bindgen")
}

/// Copies what changed, with a compressed twin: an untouched `dist/` spares the shell and the server a rebuild.
fn publish(work: &Path) -> Result<()> {
    let dist = shell::root().join("dist");
    fs_err::create_dir_all(&dist)?;
    for entry in fs_err::read_dir(work)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        let (bytes, place) = (fs_err::read(entry.path())?, dist.join(entry.file_name()));
        let twin = dist.join(format!("{}.br", entry.file_name().to_string_lossy()));
        if twin.exists() && fs_err::read(&place).is_ok_and(|old| old == bytes) {
            continue;
        }
        let start = Instant::now();
        let compressed = compress(&bytes)?;
        eprintln!(
            "xtask: dist/{} {} KiB, compressed {} KiB ({:.1} s)",
            entry.file_name().to_string_lossy(),
            bytes.len() / 1024,
            compressed.len() / 1024,
            start.elapsed().as_secs_f64()
        );
        fs_err::write(&place, &bytes)?;
        fs_err::write(&twin, compressed)?;
    }
    Ok(())
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let (quality, window) = (9, 24);
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 1 << 16, quality, window);
    writer.write_all(bytes)?;
    writer.flush()?;
    Ok(writer.into_inner())
}
