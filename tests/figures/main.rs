//! `cargo xtask figures [PROJECT]`: the window's figures, taken of the real program in a real browser and kept as JSON
//! in `benches/runs/`. Owns the order of the measurements; see `benches/README.md`.

mod budget;
mod idle;
mod log;
mod numbers;
mod painters;
mod program;
// The one definition of how raw results are kept; the package around it carries models and tensors.
#[path = "../../benches/src/record.rs"]
mod record;
mod site;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Served, Window};
use serde_json::{Value, json};

/// The page's size in points.
const SIZE: (u32, u32) = (1280, 800);

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let page = arguments.next().context("run `cargo xtask figures [PROJECT]`")?;
    let place = tempfile::tempdir()?;
    // Serving writes to a project, and a drag of the budget is an edit: the one named stays as it is.
    let project = match arguments.next() {
        Some(folder) => {
            ensure!(folder.join("project.db").is_file(), "{} is not a project folder", folder.display());
            copy(&folder, &place.path().join("project"))?;
            Some(place.path().join("project"))
        }
        None => None,
    };
    let project = project.as_deref();

    let load = record::load_average();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let bundle = bundle(&root.join("dist"))?;
    let painters = painters::measure(&page)?;
    let starts = program::starts(project)?;
    let (window, served, state) = open(project)?;
    let budget = budget::drag(&window)?;
    let panning = program::pan(&window)?;
    let about = program::about(&window)?;
    drop((window, served, state));
    let idle = idle::measure(project)?;

    let fields = json!({
        "settings": "Chromium without a window, WebGL by SwiftShader, page of 1280 x 800; times in milliseconds",
        "load_before": load,
        "load_after": record::load_average(),
        "window": about,
        "bundle": bundle,
        "painters": painters,
        "starts": starts,
        "budget": budget,
        "panning_the_window": panning,
        "idle": idle,
    });
    let file = record::keep(&root, &root.join("benches/runs"), "window-", fields)?;
    println!("raw results: {}", file.display());
    Ok(())
}

/// The window on the project, or on the demo where none is named, at rest.
fn open(project: Option<&Path>) -> Result<(Window, Served, tempfile::TempDir)> {
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), project)?;
    let window = Window::blank(SIZE.0, SIZE.1, &[])?;
    window.session.before_every_page(log::SCRIPT)?;
    window.open(&served.url, "&theme=dark")?;
    if project.is_none() {
        window.open_demo()?;
    }
    log::wait(&window, "the project with its selection", log::is_complete)?;
    Ok((window, served, state))
}

/// Bytes of every file of the bundle as built, and as sent.
fn bundle(dist: &Path) -> Result<Value> {
    let (mut files, mut raw, mut compressed) = (Vec::new(), 0, 0);
    for entry in fs_err::read_dir(dist)? {
        let path = entry?.path();
        let twin = PathBuf::from(format!("{}.br", path.display()));
        if !twin.is_file() {
            continue;
        }
        let sizes = [fs_err::metadata(&path)?.len(), fs_err::metadata(&twin)?.len()];
        raw += sizes[0];
        compressed += sizes[1];
        files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), sizes));
    }
    files.sort();
    println!("bundle: {compressed} bytes compressed, {raw} raw");
    let files: Vec<Value> = files
        .into_iter()
        .map(|(name, [raw, compressed])| json!({ "name": name, "bytes": raw, "compressed_bytes": compressed }))
        .collect();
    Ok(json!({ "bytes": raw, "compressed_bytes": compressed, "files": files }))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            fs_err::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
