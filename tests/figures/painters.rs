//! Frame times while panning: the page of `ui/examples/painters` in the browser, once as it comes and once with every frame
//! waiting until the graphics card has drawn it.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use paser_tests::Window;
use serde_json::{Value, json};

use crate::{SIZE, numbers, site};

const FRAMES: usize = 30;
const ROUNDS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(900);

/// `counts`: how many points, by commas.
pub fn measure(page: &Path, counts: &str) -> Result<Value> {
    let url = site::serve(page)?;
    let url = format!("{url}?frames={FRAMES}&rounds={ROUNDS}&counts={counts}");
    let (mut results, page) = run(&url, &["interval_ms", "work_ms", "rest_to_sharp_ms"])?;
    // Waiting changes the pace of the frames: a run of its own.
    let (waited, page_waited) = run(&format!("{url}&wait"), &["drawn_ms"])?;
    for result in &mut results {
        let same = |other: &&Value| other["points"] == result["points"] && other["painter"] == result["painter"];
        result["drawn_ms"] = waited.iter().find(same).map_or(Value::Null, |waited| waited["drawn_ms"].clone());
    }
    for result in &results {
        for key in ["interval_ms", "work_ms", "drawn_ms", "rest_to_sharp_ms"]
            .into_iter()
            .filter(|key| result[*key].is_object())
        {
            numbers::line(&format!("{} points, {}: {key}", result["points"], result["painter"]), &result[key]);
        }
    }
    Ok(json!({
        "how": format!(
            "{ROUNDS} rounds of {FRAMES} frames each; every painter in turn within a round; interval: from the start of \
             a frame to the next; work: layout, tessellation and hand-over in the page; drawn: from the start of a \
             frame until the graphics card has drawn it; rest to sharp: from the start of the last frame that moved to \
             the start of the one after the sharp picture was handed over; a painter that needs more than 20 s for a \
             frame is not asked again at that size or a larger one"
        ),
        "results": results,
        "sizes": page["sizes"],
        "too_slow": [page["too_slow"].clone(), page_waited["too_slow"].clone()],
    }))
}

/// One entry a painter and size, and what else the page tells.
fn run(url: &str, keys: &[&str]) -> Result<(Vec<Value>, Value)> {
    let window = Window::blank(SIZE.0, SIZE.1, &[])?;
    window.session.open(url)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Seldom, because every look interrupts the page.
        thread::sleep(Duration::from_secs(2));
        let state = window.session.script("return [window.__figures?.done, window.__figures?.error]", &[])?;
        if !state[1].is_null() {
            bail!("the page of the painters failed: {}", state[1]);
        }
        if state[0] == true {
            break;
        }
        if Instant::now() > deadline {
            bail!("the page of the painters did not end in time");
        }
    }
    let mut page = window.session.script("return window.__figures", &[])?;
    let turns = page["turns"].as_array().cloned().unwrap_or_default();
    page["turns"].take();
    let mut kinds: Vec<(u64, String)> = Vec::new();
    for turn in &turns {
        let kind =
            (turn["points"].as_u64().unwrap_or_default(), turn["painter"].as_str().unwrap_or_default().to_owned());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut results = Vec::new();
    for (points, painter) in kinds {
        let all = |key: &str| -> Vec<f64> {
            let of = turns.iter().filter(|turn| turn["points"] == points && turn["painter"] == painter.as_str());
            of.flat_map(|turn| turn[key].as_array().into_iter().flatten().filter_map(Value::as_f64)).collect()
        };
        let mut result = json!({ "points": points, "painter": painter });
        for key in keys {
            result[*key] = numbers::summary(&all(key));
        }
        results.push(result);
    }
    Ok((results, page))
}
