//! What the window costs while nobody touches it: frames drawn, and processor time of the browser's processes and of the
//! server (from `/proc`, so on Linux only), beside an empty page.

use std::{path::Path, thread, time::Duration};

use anyhow::Result;
use paser_tests::{Served, Window, processes};
use serde_json::{Value, json};

use crate::{SIZE, log, open};

const REST: Duration = Duration::from_secs(10);
const WATCHED: Duration = Duration::from_secs(10);
/// Of `/proc/*/stat`; the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

pub fn measure(project: Option<&Path>) -> Result<Value> {
    let mut results = Vec::new();
    let window = Window::blank(SIZE.0, SIZE.1, &[])?;
    results.push(rest("an empty page", &window, None)?);
    window.session.script("const again = () => requestAnimationFrame(again); again()", &[])?;
    results.push(rest("an empty page with an animation-frame loop", &window, None)?);
    drop(window);

    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), None)?;
    let window = Window::blank(SIZE.0, SIZE.1, &[])?;
    window.session.before_every_page(log::SCRIPT)?;
    window.open(&served.url, "&theme=dark")?;
    log::wait(&window, "the welcome page", |frame| frame["welcome"] == true)?;
    results.push(rest("welcome", &window, Some(&served))?);
    drop((window, served));

    let (window, served, _state) = open(project)?;
    results.push(rest(if project.is_some() { "project" } else { "demo" }, &window, Some(&served))?);
    Ok(json!({
        "how": format!("{} s at rest, then {} s watched; per cent of one core", REST.as_secs(), WATCHED.as_secs()),
        "results": results,
    }))
}

fn rest(name: &str, window: &Window, served: Option<&Served>) -> Result<Value> {
    let frames = || window.session.script("return window.__log ? window.__log.frames.length : 0", &[]);
    thread::sleep(REST);
    let drawn = frames()?.as_u64().unwrap_or_default();
    let browser = processes::below(window.process_id())?;
    let server: Vec<u32> = served.map(Served::process_id).into_iter().collect();
    let before = [seconds(&browser)?, seconds(&server)?];
    thread::sleep(WATCHED);
    let after = [seconds(&browser)?, seconds(&server)?];
    let drawn = frames()?.as_u64().unwrap_or_default() - drawn;
    let share = |place: usize| ((after[place] - before[place]) / WATCHED.as_secs_f64() * 1e4).round() / 100.0;
    println!("idle, {name}: {drawn} frames, browser {} %, server {} % of a core", share(0), share(1));
    Ok(json!({
        "page": name,
        "frames_drawn": drawn,
        "browser_processes": browser.len(),
        "browser_percent": share(0),
        "server_percent": share(1),
    }))
}

/// Processor time of these processes so far; one that has ended counts nothing.
pub fn seconds(processes: &[u32]) -> Result<f64> {
    let ticks = |process: &u32| -> Option<f64> {
        let fields = processes::stat(*process)?;
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    };
    Ok(processes.iter().filter_map(ticks).sum::<f64>() / TICKS_PER_SECOND)
}
