//! A project too large to be looked at whole: from the start of the server to the map on screen, memory of both sides,
//! requests to the engine one by one, and what a person does in the window.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use paser_tests::{Served, Window, processes};
use serde_json::{Value, json};

use crate::{
    SIZE, budget, idle,
    log::{self, number},
    memory, numbers,
};

/// Times that a request is asked.
const TIMES: usize = 3;
/// Samples of the large edit and of the large brush.
const EDITED: u64 = 100_000;
const BRUSHED: u64 = 300_000;

/// Everything on a copy of the project in `folder`.
pub fn measure(folder: &Path) -> Result<Value> {
    let opened = open(folder)?;
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), Some(folder))?;
    let requests = requests(&served)?;
    let memory_of_server = memory::of_process(served.process_id());
    drop(served);
    let window = in_the_window(folder)?;
    Ok(json!({
        "opened": opened,
        "requests": requests,
        "server_after_all_requests": memory_of_server,
        "window": window,
    }))
}

/// From nothing to the map on screen, several times.
fn open(folder: &Path) -> Result<Value> {
    let (mut url, mut map, mut session, mut processor) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut server, mut browser) = (Value::Null, Value::Null);
    for _ in 0..TIMES {
        let state = tempfile::tempdir()?;
        let began = Instant::now();
        let served = Served::start(state.path(), Some(folder))?;
        url.push(milliseconds(began));
        processor.push(idle::seconds(&[served.process_id()])? * 1e3);
        let window = Window::blank(SIZE.0, SIZE.1, &[])?;
        window.session.before_every_page(log::SCRIPT)?;
        window.open(&served.url, "&theme=dark")?;
        let (frame, _) = log::wait(&window, "the map", log::is_complete)?;
        map.push(number(&frame, "done"));
        // What was open is saved half a second after it changed.
        thread::sleep(Duration::from_secs(2));
        window.open(&served.url, "&theme=dark")?;
        let (frame, _) = log::wait(&window, "the last session", log::is_complete)?;
        session.push(number(&frame, "done"));
        server = memory::of_process(served.process_id());
        browser = memory::of_all(&processes::below(window.process_id())?);
    }
    let opened = json!({
        "how": "server: from the start of `paser serve` to its address, the project read; map and last session: since \
                navigation began, until the frame with the whole map and the engine's selection was handed over",
        "server_to_address_ms": numbers::summary(&url),
        "server_processor_ms_to_address": numbers::summary(&processor),
        "map_on_screen_ms": numbers::summary(&map),
        "reload_to_last_session_ms": numbers::summary(&session),
        "server": server,
        "browser": browser,
    });
    for name in ["server_to_address_ms", "map_on_screen_ms", "reload_to_last_session_ms"] {
        numbers::line(name, &opened[name]);
    }
    println!("memory: server {}, browser {}", opened["server"], opened["browser"]);
    Ok(opened)
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

/// The engine's side of every request that depends on the size of the pool.
fn requests(served: &Served) -> Result<Value> {
    let (base, token) = served.url.split_once("/?token=").context("no token in the address")?;
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let ask = |request: &Value| -> Result<Value> {
        let response = agent.post(format!("{base}/api/request")).header("authorization", format!("Bearer {token}"));
        let mut response = response.send_json(request)?;
        let answer: Value = response.body_mut().with_config().limit(256 << 20).read_json()?;
        if !response.status().is_success() {
            bail!("{request:.200}: {answer}");
        }
        Ok(answer)
    };
    let fetch = |key: &str| -> Result<usize> {
        let response = agent.get(format!("{base}/api/column/{key}")).header("authorization", format!("Bearer {token}"));
        Ok(response.call()?.body_mut().with_config().limit(256 << 20).read_to_vec()?.len())
    };
    let mut results = Vec::new();
    let mut time = |name: &str, work: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        let (mut times, mut processor) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            let (began, before) = (Instant::now(), idle::seconds(&[served.process_id()])?);
            work()?;
            times.push(milliseconds(began));
            processor.push((idle::seconds(&[served.process_id()])? - before) * 1e3);
        }
        println!("{name}: first {:.0} ms, then {:.0} ms", times[0], times[TIMES - 1]);
        results.push(json!({
            "request": name,
            "ms": times,
            "server_processor_ms": processor,
            "peak_resident_bytes": memory::of_process(served.process_id())["peak_resident_bytes"],
        }));
        Ok(())
    };
    let project = ask(&json!({ "do": "project" }))?;
    let columns = project.as_object().and_then(|reply| reply.values().find(|value| value["columns"].is_array()));
    let columns = columns.and_then(|project| project["columns"].as_array()).context("no columns")?;
    let key = |name: &str| columns.iter().find(|column| column["name"] == name).map(|column| column["key"].clone());
    time("project view", &mut || ask(&json!({ "do": "project" })).map(drop))?;
    for name in ["map", "cluster", "jsd", "perplexity_pruned"] {
        let key = key(name).with_context(|| format!("no column {name}"))?;
        time(&format!("column {name}"), &mut || fetch(key.as_str().unwrap_or_default()).map(drop))?;
    }
    let mut percent = 4.0;
    for strategy in ["paser", "paser-guarded", "random", "random-length-matched", "jsd-top"] {
        time(&format!("select by {strategy}, another budget each time"), &mut || {
            percent += 1.0;
            let mut plan = plan_of(&project)?;
            plan["strategy"] = json!(strategy);
            plan["budget"] = json!({ "unit": "percent", "value": percent });
            ask(&json!({ "do": "select", "plan": plan })).map(drop)
        })?;
    }
    let query = |query: Value| -> Result<Value> {
        let mut all =
            json!({ "text": "", "filter": "", "clusters": [], "rows": null, "sort": "", "descending": false });
        if let (Value::Object(all), Value::Object(query)) = (&mut all, query) {
            all.extend(query);
        }
        ask(&json!({ "do": "query", "query": all }))
    };
    let brushed: Vec<u64> = (0..BRUSHED).map(|row| row * 3).collect();
    for (name, asked) in [
        ("all rows", json!({})),
        ("sorted by damage", json!({ "sort": "jsd", "descending": true })),
        ("sorted by id", json!({ "sort": "id" })),
        ("sorted by instruction", json!({ "sort": "instruction" })),
        ("search for a word", json!({ "text": "river" })),
        ("search inside of words", json!({ "text": "*iver*" })),
        ("search for two words and a beginning", json!({ "text": "rhyme scheme narr" })),
        ("filter by numbers", json!({ "filter": "jsd > 0.2 and response_tokens < 40" })),
        ("filter by words", json!({ "filter": "text ~ \"river\" and not excluded" })),
        ("300,000 brushed rows", json!({ "rows": brushed })),
    ] {
        time(&format!("query: {name}"), &mut || query(asked.clone()).map(drop))?;
    }
    let page: Vec<u64> = (0..40).map(|row| 700_000 + row * 17).collect();
    time("texts of a page of 40 rows", &mut || ask(&json!({ "do": "texts", "rows": page })).map(drop))?;
    time("one sample", &mut || ask(&json!({ "do": "sample", "row": 700_001 })).map(drop))?;
    time("samples like one", &mut || ask(&json!({ "do": "neighbours", "row": 700_001, "count": 12 })).map(drop))?;
    let names: Vec<Value> = ["paser-10", "random-10"].map(Value::from).to_vec();
    time("compare two selections", &mut || ask(&json!({ "do": "compare", "names": names })).map(drop))?;
    let mut first = 0;
    time("exclude 100,000 samples", &mut || {
        first += 1;
        let rows: Vec<u64> = (0..EDITED).map(|row| first + row * 9).collect();
        let edit = json!({ "edit": "exclude", "rows": rows, "reason": "measured" });
        ask(&json!({ "do": "curate", "edit": edit })).map(drop)
    })?;
    time("project view with 300,000 exclusions", &mut || ask(&json!({ "do": "project" })).map(drop))?;
    time("select after exclusions, another budget each time", &mut || {
        percent += 1.0;
        let mut plan = plan_of(&project)?;
        plan["budget"] = json!({ "unit": "percent", "value": percent });
        ask(&json!({ "do": "select", "plan": plan })).map(drop)
    })?;
    time("undo of 100,000 exclusions", &mut || ask(&json!({ "do": "undo" })).map(drop))?;
    time("journal", &mut || ask(&json!({ "do": "journal" })).map(drop))?;
    Ok(json!({ "how": format!("{TIMES} times each, over HTTP on this machine"), "results": results }))
}

fn plan_of(project: &Value) -> Result<Value> {
    let view = project.as_object().and_then(|reply| reply.values().find(|value| value["plan"].is_object()));
    Ok(view.context("no plan")?["plan"].clone())
}

/// What a person does, by the browser's own pointer.
fn in_the_window(folder: &Path) -> Result<Value> {
    let (window, served, _state) = crate::open(Some(folder))?;
    let about = crate::program::about(&window)?;
    let panning = crate::program::pan(&window)?;
    let budget = budget::drag(&window)?;
    let hover = hover(&window)?;
    let lasso = lasso(&window)?;
    let scroll = scroll(&window)?;
    let lost = lose_context(&window)?;
    Ok(json!({
        "window": about,
        "panning": panning,
        "budget": budget,
        "hover": hover,
        "lasso": lasso,
        "table_scroll": scroll,
        "lost_graphics_context": lost,
        "server": memory::of_process(served.process_id()),
        "browser": memory::of_all(&processes::below(window.process_id())?),
    }))
}

/// Layout of frames while the pointer moves over the map.
fn hover(window: &Window) -> Result<Value> {
    let [left, top, right, bottom] = window.rectangle("map")?;
    log::clear(window)?;
    for step in 0..25 {
        let share = 0.3 + 0.4 * f64::from(step) / 25.0;
        window.session.hover(left + (right - left) * share, top + (bottom - top) * (0.35 + 0.3 * share))?;
    }
    let log = log::read(window)?;
    let layouts: Vec<f64> = log.frames.iter().map(|frame| number(frame, "layout")).collect();
    let result = json!({
        "how": "the pointer moves over the map; layout: the window's own code of a frame, the pick with it",
        "layout_ms": numbers::summary(&layouts),
    });
    numbers::line("hover: layout_ms", &result["layout_ms"]);
    Ok(result)
}

/// From letting go of a lasso to the frame that shows its counts in every panel.
fn lasso(window: &Window) -> Result<Value> {
    let (mut shown, mut layout, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..5 {
        window.click("tool:Lasso")?;
        let [left, top, right, bottom] = window.rectangle("map")?;
        let (x, y) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        let reach = 0.3 + 0.02 * f64::from(round);
        let path: Vec<(f64, f64)> = (0..=24)
            .map(|step| {
                let angle = f64::from(step) / 24.0 * std::f64::consts::TAU;
                (x + (right - left) * reach * angle.cos(), y + (bottom - top) * reach * angle.sin())
            })
            .collect();
        log::clear(window)?;
        window.session.drag(&path)?;
        let brushed = |frame: &Value| frame["brushed"].as_u64() > Some(0);
        log::wait(window, "the brush", brushed)?;
        thread::sleep(Duration::from_millis(1_000));
        let log = log::read(window)?;
        let up =
            log.events.iter().find(|event| event["kind"] == "pointerup").map_or(f64::NAN, |event| number(event, "at"));
        // Panels left of the map are laid out before it: the frame after the one that made the brush shows its counts.
        let after: Vec<&Value> = log.frames.iter().filter(|frame| brushed(frame)).take(2).collect();
        let [made, told] = after[..] else { bail!("the brush was not drawn") };
        shown.push(number(told, "done") - up);
        layout.push(number(made, "layout") + number(told, "layout"));
        rows.push(made["brushed"].as_u64().unwrap_or_default());
        window.session.keys(&[], "\u{e00c}")?;
        window.wait("no brush", |state| state["brushed_rows"] == 0)?;
    }
    window.click("tool:Point")?;
    let result = json!({
        "how": "from the time stamp of the pointer's release to the hand-over of the second frame with the brush; layout: \
                the window's own code of both frames",
        "rows": rows,
        "released_to_counts_ms": numbers::summary(&shown),
        "layout_ms": numbers::summary(&layout),
    });
    for name in ["released_to_counts_ms", "layout_ms"] {
        numbers::line(&format!("lasso: {name}"), &result[name]);
    }
    Ok(result)
}

/// The graphics context is lost and comes back: until all points are drawn again.
fn lose_context(window: &Window) -> Result<Value> {
    log::clear(window)?;
    let lost = window.session.script(
        "const before = window.__paser_starts; const watch = setInterval(() => { \
             if (window.__paser_starts > before) { window.__started_again = performance.now(); clearInterval(watch); } \
         }, 5); const canvas = document.querySelector('canvas'); \
         const context = canvas.getContext('webgl2') || canvas.getContext('webgl'); \
         const lose = context.getExtension('WEBGL_lose_context'); lose.loseContext(); \
         setTimeout(() => lose.restoreContext(), 300); return performance.now();",
        &[],
    )?;
    let lost = lost.as_f64().context("the page has no clock")?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let started = loop {
        if let Some(started) = window.session.script("return window.__started_again || null", &[])?.as_f64() {
            break started;
        }
        if Instant::now() > deadline {
            bail!("the window did not start again after the loss");
        }
        thread::sleep(Duration::from_millis(50));
    };
    // Frames before that are of the dead context.
    let again = |frame: &Value| number(frame, "began") >= started && log::is_complete(frame);
    let (frame, _) = log::wait(window, "the map after the loss", again)?;
    let milliseconds = number(&frame, "done") - lost;
    println!("lost context: all points again after {milliseconds:.0} ms");
    Ok(json!({ "until_all_points_are_drawn_again_ms": milliseconds, "points": frame["points"] }))
}

/// Frames while the table of all samples is scrolled.
fn scroll(window: &Window) -> Result<Value> {
    let state = window.state()?;
    if !state["rects"]["pane:table"].is_array() {
        window.session.keys(&[], "\\")?;
    }
    let [left, top, right, bottom] = window.rectangle("pane:table")?;
    window.wait("the rows of the table", |state| state["table_rows"].as_u64() > Some(100_000))?;
    let script = "const [x, y, frames] = arguments; const canvas = document.getElementById('canvas'); \
        return new Promise((end) => { let frame = 0; const step = () => { frame += 1; \
            canvas.dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, clientX: x, clientY: y, \
                deltaY: frame % 20 == 0 ? 400000 : 240, deltaMode: 0 })); \
            if (frame < frames) requestAnimationFrame(step); else end(); }; requestAnimationFrame(step); });";
    window.session.hover(f64::midpoint(left, right), f64::midpoint(top, bottom))?;
    log::clear(window)?;
    window
        .session
        .script(script, &[json!(f64::midpoint(left, right)), json!(f64::midpoint(top, bottom)), json!(100)])?;
    let log = log::read(window)?;
    let layouts: Vec<f64> = log.frames.iter().map(|frame| number(frame, "layout")).collect();
    let result = json!({
        "how": "a turn of the wheel in every frame, every twentieth a leap; layout: the window's own code",
        "layout_ms": numbers::summary(&layouts),
    });
    numbers::line("table scroll: layout_ms", &result["layout_ms"]);
    Ok(result)
}
