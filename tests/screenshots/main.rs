//! `cargo xtask screenshots [PROJECT...]`: every view of the real program in a real browser, on the demo and on the
//! projects named, dark and light, in two sizes, into `target/screenshots/`.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use paser_tests::{Served, Window};

const SIZES: [(u32, u32); 2] = [(1280, 800), (1920, 1080)];
/// WebDriver's code points.
const CONTROL: char = '\u{e009}';
const ESCAPE: &str = "\u{e00c}";

fn main() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    fs_err::create_dir_all(&folder)?;
    let state = tempfile::tempdir()?;
    let projects: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    for theme in ["dark", "light"] {
        for (width, height) in SIZES {
            let kind = format!("{width}-{theme}");
            let served = Served::start(state.path(), None)?;
            let album = Album { folder: folder.join("demo"), kind: kind.clone() };
            let window = Window::in_browser(&served.url, width, height, &format!("&theme={theme}"))?;
            album.take(&window, "welcome")?;
            window.click("NewProject")?;
            album.take(&window, "new-project")?;
            window.session.keys(&[], ESCAPE)?;
            window.open_demo()?;
            explore(&window, &album)?;
            curate(&window, &album)?;
            compare(&window, &album)?;
            drop((window, served));
            for project in &projects {
                let name = project.file_name().context("a project folder has a name")?.to_string_lossy().into_owned();
                let served = Served::start(state.path(), Some(project))?;
                let window = Window::in_browser(&served.url, width, height, &format!("&theme={theme}"))?;
                window.wait("the project", |state| state["selection"]["selected"].as_u64() > Some(0))?;
                let album = Album { folder: folder.join(name), kind: kind.clone() };
                explore(&window, &album)?;
                curate(&window, &album)?;
                compare(&window, &album)?;
            }
        }
    }
    println!("{}", folder.display());
    Ok(())
}

/// Where one window's pictures go.
struct Album {
    folder: PathBuf,
    kind: String,
}

impl Album {
    /// Waits until nothing moves, then takes the picture.
    fn take(&self, window: &Window, view: &str) -> Result<()> {
        thread::sleep(Duration::from_millis(1200));
        fs_err::create_dir_all(&self.folder)?;
        fs_err::write(self.folder.join(format!("{view}-{}.png", self.kind)), window.session.screenshot()?)?;
        Ok(())
    }
}

fn explore(window: &Window, album: &Album) -> Result<()> {
    album.take(window, "explore-first")?;
    window.click("bar:1")?;
    window
        .wait("a brushed cluster", |state| state["brushed_clusters"].as_array().is_some_and(|list| !list.is_empty()))?;
    window.click("row:1")?;
    window.wait("an inspected sample", |state| state["inspected"].is_u64())?;
    thread::sleep(Duration::from_secs(2));
    album.take(window, "explore")?;
    window.click("Ledger")?;
    album.take(window, "ledger")?;
    window.click("Ledger")?;
    window.click("tab:curves")?;
    album.take(window, "curves")?;
    window.click("tab:damage")?;
    window.session.keys(&[CONTROL], "k")?;
    album.take(window, "palette")?;
    window.session.keys(&[], ESCAPE)?;
    window.click("Shortcuts")?;
    album.take(window, "shortcuts")?;
    window.session.keys(&[], ESCAPE)?;
    window.click("Export")?;
    album.take(window, "export")?;
    window.session.keys(&[], ESCAPE)?;
    Ok(())
}

/// The forms of curation, over a brushed cluster; nothing is edited.
fn curate(window: &Window, album: &Album) -> Result<()> {
    window.click("cluster menu")?;
    album.take(window, "cluster-menu")?;
    window.session.keys(&[], ESCAPE)?;
    for (key, view) in [("t", "edit-samples"), ("u", "journal")] {
        window.session.keys(&[], key)?;
        album.take(window, view)?;
        window.session.keys(&[], ESCAPE)?;
    }
    window.click("ToggleContents")?;
    window.click("contents:Checks")?;
    album.take(window, "checks")?;
    window.session.keys(&[], ESCAPE)?;
    window.click("ToggleContents")?;
    Ok(())
}

/// The first two frozen selections side by side, then budgets and the form that adds a strategy.
fn compare(window: &Window, album: &Album) -> Result<()> {
    for _ in 0..2 {
        // The brush, then the inspected sample.
        window.session.keys(&[], ESCAPE)?;
    }
    window.click("ShowCompare")?;
    window.wait("a comparison", |state| state["comparison"].is_object())?;
    album.take(window, "compare")?;
    window.click("lower:budgets")?;
    // Twelve selections of each.
    thread::sleep(Duration::from_secs(12));
    album.take(window, "compare-budgets")?;
    window.click("lower:overlap")?;
    window.click("AddStrategy")?;
    album.take(window, "add-strategy")?;
    window.session.keys(&[], ESCAPE)?;
    window.click("ShowExplore")?;
    Ok(())
}
