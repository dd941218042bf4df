//! The real window: from the start to its first frame, the welcome page, the demo and a project; and frames while its
//! map is panned.

use std::{path::Path, thread, time::Duration, time::Instant};

use anyhow::{Context as _, Result};
use paser_tests::{Served, Window};
use serde_json::{Value, json};

use crate::{
    SIZE,
    log::{self, number},
    numbers,
};

const RUNS: usize = 5;

/// Each run has a new server, a new browser and no saved state.
pub fn starts(project: Option<&Path>) -> Result<Value> {
    let names = [
        "server_answers",
        "page_first_paint",
        "first_frame",
        "welcome_complete",
        "demo_opened_after_click",
        "reload_to_last_session",
        "project_complete",
        "longest_layout_of_a_frame",
    ];
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for _ in 0..RUNS {
        let state = tempfile::tempdir()?;
        let began = Instant::now();
        let served = Served::start(state.path(), None)?;
        times[0].push(began.elapsed().as_secs_f64() * 1e3);
        let window = Window::blank(SIZE.0, SIZE.1, &[])?;
        window.session.before_every_page(log::SCRIPT)?;
        window.open(&served.url, "&theme=dark")?;
        let (welcome, log) = log::wait(&window, "the welcome page", |frame| frame["welcome"] == true)?;
        let paint = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
        times[1].push(window.session.script(paint, &[])?.as_f64().context("the page was not painted")?);
        times[2].push(number(&log.frames[0], "done"));
        times[3].push(number(&welcome, "done"));

        thread::sleep(Duration::from_secs(1));
        window.open_demo()?;
        let (demo, log) = log::wait(&window, "the demo", log::is_complete)?;
        let clicks = log.events.iter().filter(|event| event["kind"] == "pointerup");
        times[4].push(number(&demo, "done") - clicks.map(|event| number(event, "at")).next().unwrap_or(f64::NAN));
        times[7].push(longest(&log));

        // What was open is saved half a second after it changed.
        thread::sleep(Duration::from_secs(2));
        window.open(&served.url, "&theme=dark")?;
        let (last, _) = log::wait(&window, "the last session", log::is_complete)?;
        times[5].push(number(&last, "done"));
        drop((window, served));

        if let Some(project) = project {
            let served = Served::start(state.path(), Some(project))?;
            let window = Window::blank(SIZE.0, SIZE.1, &[])?;
            window.session.before_every_page(log::SCRIPT)?;
            window.open(&served.url, "&theme=dark")?;
            let (frame, log) = log::wait(&window, "the project", log::is_complete)?;
            times[6].push(number(&frame, "done"));
            times[7].push(longest(&log));
        }
    }
    let mut results = json!({
        "how": "since navigation began, until the drawing of that frame was handed over; new browser and state each run",
    });
    for (name, times) in names.iter().zip(&times) {
        results[name] = numbers::summary(times);
        numbers::line(name, &results[name]);
    }
    Ok(results)
}

fn longest(log: &log::Log) -> f64 {
    log.frames.iter().map(|frame| number(frame, "layout")).max_by(f64::total_cmp).unwrap_or(f64::NAN)
}

/// What the figures belong to.
pub fn about(window: &Window) -> Result<Value> {
    let state = window.state()?;
    let script = "const gl = document.createElement('canvas').getContext('webgl2'); \
                  const names = gl?.getExtension('WEBGL_debug_renderer_info'); \
                  return [navigator.userAgent, names ? gl.getParameter(names.UNMASKED_RENDERER_WEBGL) : null]";
    let browser = window.session.script(script, &[])?;
    Ok(json!({
        "browser": browser[0],
        "graphics": browser[1],
        "project": state["project"]["name"],
        "samples": state["project"]["samples"],
        "clusters": state["project"]["clusters"],
        "painter": state["painter"],
    }))
}

/// Drags the map a little in every frame, to and fro.
pub fn pan(window: &Window) -> Result<Value> {
    const FRAMES: usize = 120;
    let [left, top, right, bottom] = window.rectangle("map")?;
    // Events of the page's own making: WebDriver's come too seldom to have one in every frame.
    let script = "const [x, y, frames] = arguments; const canvas = document.getElementById('canvas'); \
        const at = (frame) => x + 160 - Math.abs((frame * 4 + 160) % 640 - 320); \
        const tell = (target, kind, frame) => target.dispatchEvent(new PointerEvent(kind, \
            { bubbles: true, button: 0, buttons: 1, clientX: at(frame), clientY: y, pointerId: 1 })); \
        return new Promise((end) => { let frame = 0; tell(document, 'mousemove', 0); tell(canvas, 'pointerdown', 0); \
            const step = () => { frame += 1; tell(document, 'mousemove', frame); \
                if (frame < frames) requestAnimationFrame(step); else { tell(document, 'pointerup', frame); end(); } }; \
            requestAnimationFrame(step); });";
    let before = window.state()?["camera"].clone();
    log::clear(window)?;
    let middle = [f64::midpoint(left, right), f64::midpoint(top, bottom)];
    window.session.script(script, &[json!(middle[0]), json!(middle[1]), json!(FRAMES)])?;
    let log = log::read(window)?;
    anyhow::ensure!(window.state()?["camera"] != before, "the map did not move");
    let frames = log.frames.get(5..).unwrap_or_default();
    let pairs = || frames.iter().zip(frames.iter().skip(1));
    let interval: Vec<f64> = pairs().map(|(one, next)| number(next, "began") - number(one, "began")).collect();
    let layout: Vec<f64> = frames.iter().map(|frame| number(frame, "layout")).collect();
    let work: Vec<f64> = pairs().map(|(_, next)| number(next, "work_before")).collect();
    let results = json!({
        "how": "the real map is dragged in every frame; layout: the window's own code; work: that and tessellation, \
                hand-over, and what is published for tests",
        "interval_ms": numbers::summary(&interval),
        "layout_ms": numbers::summary(&layout),
        "work_ms": numbers::summary(&work),
    });
    for name in ["interval_ms", "layout_ms", "work_ms"] {
        numbers::line(&format!("panning the window: {name}"), &results[name]);
    }
    Ok(results)
}
