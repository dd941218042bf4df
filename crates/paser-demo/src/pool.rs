//! The pool of 3,000 samples with its planted noise and hidden labels, the frozen tests, and development
//! items. Pool rows carry id, instruction, input and output only: labels live in a file of their own.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::split::Part;
use crate::tasks::{Capability, Task};
use crate::world::World;

/// Samples of each kind of planted noise: 4 percent each.
pub const CONTRADICTIONS: usize = 120;
pub const OFF_TOPIC: usize = 120;
/// Test items per capability.
pub const TESTS_EACH: usize = 100;
/// The seed of the shipped pool, tests and development items.
pub const SEED: u64 = 20_261;

/// A pool row as the program reads it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct PoolRow {
    pub id: String,
    pub instruction: String,
    pub input: String,
    pub output: String,
}

/// What is known of a pool row and must never be an input of a strategy.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Label {
    pub id: String,
    pub capability: String,
    pub sub: String,
    /// "", "contradiction" or "off-topic".
    pub noise: String,
}

/// A test or development item.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct TestItem {
    pub id: String,
    pub instruction: String,
    pub input: String,
    pub output: String,
    pub capability: String,
    pub sub: String,
}

struct Drawn {
    task: Task,
    capability: Capability,
    sub: &'static str,
    noise: &'static str,
}

/// The pool and its labels, row by row in the same order.
pub struct Pool {
    pub rows: Vec<PoolRow>,
    pub labels: Vec<Label>,
}

/// Different tasks of one capability from one part, sub-types in turn. A sub-type whose texts run out gives
/// its place to the others.
fn distinct(
    capability: Capability,
    part: Part,
    count: usize,
    world: &World,
    draw: &mut Draw,
    seen: &mut BTreeSet<String>,
) -> Result<Vec<Drawn>> {
    let subs = capability.subs();
    let mut open: Vec<usize> = (0..subs.len()).collect();
    let mut drawn = Vec::with_capacity(count);
    let mut turn = 0;
    while drawn.len() < count {
        if open.is_empty() {
            bail!(
                "the generator has only {} different {} samples for {part:?}, {count} wanted",
                drawn.len(),
                capability.name()
            );
        }
        let slot = turn % open.len();
        let sub = open[slot];
        let found = (0..400).find_map(|_| {
            let task = capability.task(sub, world, draw);
            (task.part() == part && seen.insert(task.text())).then_some(task)
        });
        match found {
            Some(task) => {
                drawn.push(Drawn { task, capability, sub: subs[sub], noise: "" });
                turn += 1;
            }
            None => {
                open.remove(slot);
            }
        }
    }
    Ok(drawn)
}

/// Every row of the pool: 42 % rewriting, 25 facts, 12 strings, 9 chains, 6 arithmetic, 6 code; 240 of the
/// 3,000 carry a wrong answer.
pub fn generate_pool(seed: u64) -> Result<Pool> {
    let world = World::osmarra();
    let mut draw = Draw::new(seed);
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for capability in Capability::ALL {
        all.extend(distinct(capability, Part::Pool, capability.pool_size(), &world, &mut draw, &mut seen)?);
    }
    draw.shuffle(&mut all);
    plant_noise(&mut all, &world, &mut draw);
    let mut rows = Vec::with_capacity(all.len());
    let mut labels = Vec::with_capacity(all.len());
    for (i, drawn) in all.into_iter().enumerate() {
        let id = format!("sample-{i:04}");
        labels.push(Label {
            id: id.clone(),
            capability: drawn.capability.name().to_owned(),
            sub: drawn.sub.to_owned(),
            noise: drawn.noise.to_owned(),
        });
        rows.push(PoolRow {
            id,
            instruction: drawn.task.instruction,
            input: drawn.task.input,
            output: drawn.task.output,
        });
    }
    Ok(Pool { rows, labels })
}

/// Contradictions take the answer of a fresh task of the same sub-type, off-topic rows that of a fresh task
/// of another capability; both differ from the right answer.
fn plant_noise(all: &mut [Drawn], world: &World, draw: &mut Draw) {
    let mut order: Vec<usize> = (0..all.len()).collect();
    draw.shuffle(&mut order);
    let spoiled = order.iter().take(CONTRADICTIONS + OFF_TOPIC);
    for (n, &row) in spoiled.enumerate() {
        let right = all[row].task.output.clone();
        let own = all[row].capability;
        let wrong = loop {
            let (capability, sub) = if n < CONTRADICTIONS {
                let sub = own.subs().iter().position(|s| *s == all[row].sub);
                (own, sub.unwrap_or(0))
            } else {
                let capability = Capability::ALL[draw.index(Capability::ALL.len())];
                if capability == own {
                    continue;
                }
                (capability, draw.index(capability.subs().len()))
            };
            let other = capability.task(sub, world, draw).output;
            if other != right {
                break other;
            }
        };
        all[row].task.output = wrong;
        all[row].noise = if n < CONTRADICTIONS { "contradiction" } else { "off-topic" };
    }
}

/// `each` unseen items per capability from `part`, never noisy.
pub fn generate_items(seed: u64, part: Part, each: usize, prefix: &str) -> Result<Vec<TestItem>> {
    let world = World::osmarra();
    let mut draw = Draw::new(seed);
    let mut seen = BTreeSet::new();
    let mut items = Vec::new();
    for capability in Capability::ALL {
        for drawn in distinct(capability, part, each, &world, &mut draw, &mut seen)? {
            items.push(TestItem {
                id: format!("{prefix}-{:03}", items.len()),
                instruction: drawn.task.instruction,
                input: drawn.task.input,
                output: drawn.task.output,
                capability: capability.name().to_owned(),
                sub: drawn.sub.to_owned(),
            });
        }
    }
    Ok(items)
}

/// The frozen tests: 100 items for each of the six capabilities.
pub fn generate_tests() -> Result<Vec<TestItem>> {
    generate_items(SEED + 1, Part::Tests, TESTS_EACH, "test")
}

/// An endless stream of training tasks, disjoint from tests, pool and development items.
pub struct TrainingStream {
    world: World,
    draw: Draw,
}

impl TrainingStream {
    pub fn new(seed: u64) -> Self {
        Self { world: World::osmarra(), draw: Draw::new(seed) }
    }

    /// The next task, its capability drawn by `shares` (in the order of [`Capability::ALL`]).
    pub fn next(&mut self, shares: &[f64; 6]) -> Task {
        let capability = Capability::ALL[self.draw.weighted(shares)];
        loop {
            let sub = self.draw.index(capability.subs().len());
            let task = capability.task(sub, &self.world, &mut self.draw);
            if task.part() == Part::Training {
                return task;
            }
        }
    }

    /// Brings a list into random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        self.draw.shuffle(list);
    }
}

/// Writes one JSON object a line.
pub fn write_jsonl<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let mut out = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut out, row)?;
        out.write_all(b"\n")?;
    }
    fs::write(path, out)?;
    Ok(())
}

/// Reads one JSON object a line; an error names the file and line.
pub fn read_jsonl<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path)?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(i, line)| {
            serde_json::from_str(line).with_context(|| format!("{}: line {} is not a valid row", path.display(), i + 1))
        })
        .collect()
}
