//! What the page noted of its frames (`log.js`): reading it, and waiting for a frame of a kind.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use paser_tests::Window;
use serde_json::Value;

/// Runs in every page before its own scripts.
pub const SCRIPT: &str = include_str!("log.js");

const PATIENCE: Duration = Duration::from_secs(120);

/// Frames and events since the page was asked for, or since `clear`.
pub struct Log {
    pub frames: Vec<Value>,
    pub events: Vec<Value>,
}

pub fn read(window: &Window) -> Result<Log> {
    let mut log = window.session.script("return window.__log", &[])?;
    let list = |value: Value| if let Value::Array(list) = value { list } else { Vec::new() };
    Ok(Log { frames: list(log["frames"].take()), events: list(log["events"].take()) })
}

/// Forgets what was noted.
pub fn clear(window: &Window) -> Result<()> {
    window.session.script("window.__log.frames.length = 0; window.__log.events.length = 0", &[]).map(drop)
}

/// Waits until a frame is noted of which `wanted` holds and which was handed over; that frame and all the log.
pub fn wait(window: &Window, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<(Value, Log)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = read(window)?;
        if let Some(frame) = log.frames.iter().find(|frame| frame["done"].is_number() && wanted(frame)) {
            return Ok((frame.clone(), log));
        }
        if Instant::now() > deadline {
            bail!("waited in vain for {what}; the last frame was {:#}", log.frames.last().unwrap_or(&Value::Null));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The project's map, and the engine's own selection.
pub fn is_complete(frame: &Value) -> bool {
    frame["points"].as_u64() > Some(0) && frame["selected"].as_u64() > Some(0) && is_settled(frame)
}

/// The engine has answered.
pub fn is_settled(frame: &Value) -> bool {
    frame["provisional"].is_null() && frame["waiting"] == false
}

pub fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}
