//! Dragging the budget: from a movement of the pointer to the frame that shows its quotas and waterfall, and from letting
//! go to the engine's own selection.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};
use paser_tests::Window;
use serde_json::{Value, json};

use crate::{
    log::{self, Log, number},
    numbers,
};

const DRAGS: usize = 6;
const STEPS: usize = 20;

/// Times of one drag.
#[derive(Default)]
struct Times {
    handed_over: Vec<f64>,
    next_frame: Vec<f64>,
    layout: Vec<f64>,
    settled: Vec<f64>,
}

pub fn drag(window: &Window) -> Result<Value> {
    thread::sleep(Duration::from_secs(2));
    let [left, top, right, bottom] = window.rectangle("budget slider")?;
    let mut times = Times::default();
    for drag in 0..DRAGS {
        // Ends elsewhere than the drag before began, so that every drag changes the selection.
        let (from, to) = if drag % 2 == 0 { (0.2, 0.62) } else { (0.62, 0.2) };
        let at = |step: usize| left + (right - left) * (from + (to - from) * step as f64 / STEPS as f64);
        let path: Vec<(f64, f64)> = (0..=STEPS).map(|step| (at(step), f64::midpoint(top, bottom))).collect();
        log::clear(window)?;
        window.session.drag(&path)?;
        window.wait("the selection of the new budget", |state| {
            state["provisional"].is_null() && state["waiting"] == false
        })?;
        read(&log::read(window)?, &mut times);
        thread::sleep(Duration::from_millis(500));
    }
    let enough = DRAGS * STEPS / 2;
    ensure!(times.handed_over.len() >= enough, "only {} steps of the drags showed", times.handed_over.len());
    let results = json!({
        "how": format!(
            "{DRAGS} drags of {STEPS} steps by the browser's own pointer, from the time stamp of the event; settled: from \
             letting go to the engine's selection, its 250 ms of rest included"
        ),
        "to_new_quotas_handed_over_ms": numbers::summary(&times.handed_over),
        "to_the_start_of_the_frame_after_ms": numbers::summary(&times.next_frame),
        "layout_of_that_frame_ms": numbers::summary(&times.layout),
        "settled_ms": numbers::summary(&times.settled),
    });
    for name in
        ["to_new_quotas_handed_over_ms", "to_the_start_of_the_frame_after_ms", "layout_of_that_frame_ms", "settled_ms"]
    {
        numbers::line(&format!("budget drag: {name}"), &results[name]);
    }
    Ok(results)
}

/// A frame with a new provisional budget answers the oldest movement since the frame before it. Quotas, shares and
/// waterfall of a frame are drawn from the same numbers, after the slider has read the pointer.
fn read(log: &Log, times: &mut Times) {
    let when = |kind: &str| {
        log.events.iter().find(|event| event["kind"] == kind).map_or(f64::NAN, |event| number(event, "at"))
    };
    let (down, up) = (when("pointerdown"), when("pointerup"));
    let moves: Vec<f64> = log
        .events
        .iter()
        .filter(|event| event["kind"] == "mousemove")
        .map(|event| number(event, "at"))
        .filter(|at| *at > down && *at <= up)
        .collect();
    for (before, frame) in log.frames.iter().zip(log.frames.iter().skip(1)) {
        if frame["budget"] == before["budget"] || frame["provisional"].is_null() {
            continue;
        }
        let pending = moves.iter().find(|at| **at > number(before, "began") && **at <= number(frame, "began"));
        if let Some(at) = pending {
            times.handed_over.push(number(frame, "done") - at);
            times.layout.push(number(frame, "layout"));
            if frame["next"].is_number() {
                times.next_frame.push(number(frame, "next") - at);
            }
        }
    }
    let settled = log.frames.iter().find(|frame| number(frame, "began") > up && log::is_settled(frame));
    times.settled.extend(settled.map(|frame| number(frame, "done") - up));
}
