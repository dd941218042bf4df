//! `cargo xtask walk [MINUTES] [PROJECT]`: a person who looks around for an hour, in the real window, and what the programs
//! hold in memory meanwhile. Raw figures go to `benches/runs/walk-*.json`. Not a part of the tests: it takes its time.

// The one definition of how raw results are kept; the package around it carries models and tensors.
#[path = "../../benches/src/record.rs"]
mod record;

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Served, Window, processes};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

const CONTROL: char = '\u{e009}';
const ESCAPE: &str = "\u{e00c}";
/// Memory is read this often.
const EVERY: Duration = Duration::from_secs(20);
/// What is held by then is what a window holds; from there it may grow by a twentieth.
const SETTLED: Duration = Duration::from_mins(10);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let minutes: u64 = arguments.next().map_or(Ok(60), |text| text.parse()).context("MINUTES is a number")?;
    let project = arguments.next().map(PathBuf::from);
    let state = tempfile::tempdir()?;
    let served = Served::start(state.path(), project.as_deref())?;
    let window = Window::blank(1280, 800, &[])?;
    window.session.before_every_page(KEEP_MEMORY)?;
    window.open(&served.url, "")?;
    if project.is_none() {
        window.open_demo()?;
    }
    window.wait("the project", |state| state["selection"]["selected"].as_u64() > Some(0))?;
    let mut walker = Walker { window, random: StdRng::seed_from_u64(1), steps: 0 };
    let (started, mut readings) = (Instant::now(), Vec::new());
    let mut next = Duration::ZERO;
    while started.elapsed() < Duration::from_secs(60 * minutes) {
        walker.step()?;
        if started.elapsed() >= next {
            let reading = Reading {
                seconds: started.elapsed().as_secs_f64(),
                engine: processes::resident(served.process_id())?,
                browser: processes::proportional(&processes::below(walker.window.process_id())?)?.iter().sum(),
                page: page_memory(&walker.window)?,
            };
            println!("{}", reading.line());
            readings.push(reading);
            next = started.elapsed() + EVERY;
        }
    }
    keep(minutes, walker.steps, &readings)
}

/// Bytes held at one moment.
struct Reading {
    seconds: f64,
    engine: u64,
    /// All of the browser's processes, shared pages by share.
    browser: u64,
    /// The page's own WebAssembly memory.
    page: u64,
}

impl Reading {
    fn line(&self) -> String {
        let mega = |bytes: u64| bytes >> 20;
        format!(
            "{:6.0} s: engine {} MiB, browser {} MiB, page {} MiB",
            self.seconds,
            mega(self.engine),
            mega(self.browser),
            mega(self.page)
        )
    }
}

/// Keeps the page's WebAssembly memory where a script can ask for its size.
const KEEP_MEMORY: &str = "for (const name of ['instantiate', 'instantiateStreaming']) {\
    const own = WebAssembly[name];\
    WebAssembly[name] = async (...given) => {\
        const made = await own.apply(WebAssembly, given);\
        window.__memory = (made.instance || made).exports.memory;\
        return made;\
    };\
}";

fn page_memory(window: &Window) -> Result<u64> {
    window.session.script("return window.__memory.buffer.byteLength", &[])?.as_u64().context("no number")
}

/// Growth from the two minutes after [`SETTLED`] to the last two minutes, by medians.
fn keep(minutes: u64, steps: u64, readings: &[Reading]) -> Result<()> {
    let settled = SETTLED.as_secs_f64();
    let last = readings.last().context("nothing was read")?.seconds;
    let grown = |of: fn(&Reading) -> u64| -> Value {
        let median = |from: f64, to: f64| {
            let within = readings.iter().filter(|reading| (from..=to).contains(&reading.seconds));
            let all: Vec<f64> = within.map(|reading| of(reading) as f64).collect();
            (!all.is_empty()).then(|| record::median(all))
        };
        let (before, after) = (median(settled, settled + 120.0), median(last - 120.0, last));
        let percent = before.zip(after).map(|(before, after)| (after / before - 1.0) * 100.0);
        json!({ "after_ten_minutes": before, "at_the_end": after, "grown_percent": percent })
    };
    let results = json!({
        "minutes": minutes,
        "load_at_the_end": record::load_average(),
        "steps": steps,
        "engine": grown(|reading| reading.engine),
        "browser": grown(|reading| reading.browser),
        "page": grown(|reading| reading.page),
        "readings": readings.iter().map(|reading| json!([reading.seconds.round(), reading.engine, reading.browser, reading.page])).collect::<Vec<_>>(),
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = record::keep(&root, &root.join("benches/runs"), "walk-", results)?;
    println!("raw results: {}", file.display());
    Ok(())
}

/// Somebody who looks around.
struct Walker {
    window: Window,
    random: StdRng,
    steps: u64,
}

impl Walker {
    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        let step = self.random.random_range(0..12_u32);
        self.one(step).with_context(|| format!("step {} of the walk, of kind {step}", self.steps))?;
        thread::sleep(Duration::from_millis(300));
        let state = self.window.state()?;
        ensure!(state.is_object(), "the page is gone");
        Ok(())
    }

    fn keys(&self, keys: &str) -> Result<()> {
        self.window.session.keys(&[], keys)
    }

    /// A point of the map's middle, so that a drag stays on it.
    fn on_the_map(&mut self) -> Result<(f64, f64)> {
        let [left, top, right, bottom] = self.window.rectangle("map")?;
        let share = |random: &mut StdRng| random.random_range(0.25..0.75);
        let (across, down) = (share(&mut self.random), share(&mut self.random));
        Ok((left + (right - left) * across, top + (bottom - top) * down))
    }

    fn one(&mut self, step: u32) -> Result<()> {
        match step {
            0 | 1 => {
                for _ in 0..6 {
                    let (x, y) = self.on_the_map()?;
                    self.window.session.hover(x, y)?;
                }
                Ok(())
            }
            2 => {
                // Round with the lasso, then back to nothing.
                self.keys("o")?;
                let corners = (0..5).map(|_| self.on_the_map()).collect::<Result<Vec<_>>>()?;
                self.window.session.drag(&corners)?;
                self.keys("v")?;
                self.keys(ESCAPE)
            }
            3 => {
                self.keys("h")?;
                let (from, to) = (self.on_the_map()?, self.on_the_map()?);
                self.window.session.drag(&[from, to])?;
                self.keys("vf")
            }
            4 => {
                let bar = self.random.random_range(0..3_u32);
                self.window.click(&format!("bar:{bar}"))?;
                self.keys("jjjk")?;
                self.keys(ESCAPE)?;
                self.keys(ESCAPE)
            }
            5 => {
                let (x, y) = self.on_the_map()?;
                self.window.session.click(x, y)?;
                self.keys("jj")?;
                self.keys(ESCAPE)
            }
            6 => {
                let [left, top, right, bottom] = self.window.rectangle("budget slider")?;
                let middle = f64::midpoint(top, bottom);
                let to = self.random.random_range(0.2..0.6);
                let path: Vec<(f64, f64)> = [0.3, f64::midpoint(0.3, to), to]
                    .iter()
                    .map(|share| (left + (right - left) * share, middle))
                    .collect();
                self.window.session.drag(&path)?;
                self.window.wait("the budget's selection", |state| state["provisional"].is_null()).map(drop)
            }
            7 => {
                self.window.session.keys(&[CONTROL], "f")?;
                let word = ["the", "write", "sum", "code"][self.random.random_range(0..4_usize)];
                self.keys(word)?;
                thread::sleep(Duration::from_millis(800));
                self.keys(ESCAPE)?;
                self.keys(ESCAPE)
            }
            8 => {
                for key in ["t", "u"] {
                    self.keys(key)?;
                    thread::sleep(Duration::from_millis(400));
                    self.keys(ESCAPE)?;
                }
                self.window.session.keys(&[CONTROL], "k")?;
                self.keys(ESCAPE)
            }
            9 => {
                self.keys("dcslc")?;
                self.keys("l")
            }
            10 => {
                let (x, y) = self.on_the_map()?;
                self.window.session.click(x, y)?;
                self.keys("p")?;
                thread::sleep(Duration::from_millis(400));
                self.window.session.keys(&[CONTROL], "z")?;
                self.keys(ESCAPE)
            }
            _ => {
                self.keys("2")?;
                thread::sleep(Duration::from_secs(2));
                self.keys("1")?;
                self.window.rectangle("map").map(drop)
            }
        }
    }
}
