//! `cargo xtask figures [PROJECT]` and `cargo xtask bench ui`: the window's figures, taken of the real program in a real
//! browser and kept as JSON in `benches/runs/`. Owns the order of the measurements; see `benches/README.md`.

mod budget;
mod idle;
mod log;
mod memory;
mod million;
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

/// What is asked for.
struct Asked {
    /// Folder of the page of the painters.
    page: PathBuf,
    /// A copy of the project that the window's figures are taken of; none: the demo.
    project: Option<PathBuf>,
    /// A copy of a project with a million samples.
    million: Option<PathBuf>,
    /// Only the figures of that one.
    only_million: bool,
    /// How many points the painters draw, by commas.
    counts: String,
}

/// Serving writes to a project, and a drag of the budget is an edit: those named stay as they are.
fn asked(place: &Path) -> Result<Asked> {
    const USAGE: &str = "usage: figures PAGE [--counts N,N] [--million DIR] [--only-million] [PROJECT]";
    let mut asked = Asked {
        page: PathBuf::new(),
        project: None,
        million: None,
        only_million: false,
        counts: "3000,52000,200000".to_owned(),
    };
    let copied = |folder: PathBuf, name: &str| -> Result<Option<PathBuf>> {
        ensure!(folder.join("project.db").is_file(), "{} is not a project folder", folder.display());
        copy(&folder, &place.join(name))?;
        Ok(Some(place.join(name)))
    };
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--counts") => {
                asked.counts = arguments.next().context(USAGE)?.into_string().ok().context(USAGE)?;
            }
            Some("--million") => asked.million = copied(arguments.next().context(USAGE)?.into(), "million")?,
            Some("--only-million") => asked.only_million = true,
            _ if asked.page.as_os_str().is_empty() => asked.page = argument.into(),
            _ => asked.project = copied(argument.into(), "project")?,
        }
    }
    ensure!(!asked.page.as_os_str().is_empty(), USAGE);
    Ok(asked)
}

fn main() -> Result<()> {
    // Beside the build rather than in the system's folder, which may be memory: a large project is copied here.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let place =
        tempfile::tempdir_in(env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from))?;
    let asked = asked(place.path())?;
    let load = record::load_average();
    let settings = "Chromium without a window, WebGL by SwiftShader, page of 1280 x 800; times in milliseconds";
    let million = asked.million.as_deref().map(million::measure).transpose()?;
    // Debug or release; where it was built is nobody's business.
    let program = paser_tests::program("paser")?;
    let build = program.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let mut fields = json!({ "settings": settings, "build": build, "load_before": load });
    let prefix = if asked.only_million {
        "million-"
    } else if million.is_some() {
        "ui-"
    } else {
        "window-"
    };
    if !asked.only_million {
        let project = asked.project.as_deref();
        fields["bundle"] = bundle(&root.join("dist"))?;
        fields["painters"] = painters::measure(&asked.page, &asked.counts)?;
        fields["starts"] = program::starts(project)?;
        let (window, served, state) = open(project)?;
        fields["budget"] = budget::drag(&window)?;
        fields["panning_the_window"] = program::pan(&window)?;
        fields["window"] = program::about(&window)?;
        drop((window, served, state));
        fields["idle"] = idle::measure(project)?;
    }
    if let Some(million) = million {
        fields["million"] = million;
    }
    fields["load_after"] = json!(record::load_average());
    let file = record::keep(&root, &root.join("benches/runs"), prefix, fields)?;
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
