//! What a stage will cost before it runs: seconds as a range, memory, disk, network. From rates measured on this project
//! where there are any, else from those of a common two-core machine.

use std::path::Path;

use paser_project::{Folder, recipe::Recipe};
use paser_protocol::{EstimateView, Failure, ProjectDraft, Remark, Report, Stage};

use crate::{
    machine,
    session::{Loaded, Session, draft_recipe, lock},
    sources::{self, Kind, Known, short_count},
    trouble::Outcome,
};

/// Rates of one thread of a common machine: bytes of pool a second, characters encoded, operations of scoring.
const IMPORT_BYTES: f64 = 4e6;
const ENCODE_CHARACTERS: f64 = 1.2e4;
const SCORE_OPERATIONS: f64 = 60e9;
/// Operations of the exact neighbour search a thread reaches.
const SEARCH_OPERATIONS: f64 = 120e9;
/// How far low and high ends lie from the middle.
const SPREAD: (f64, f64) = (0.6, 1.8);
/// Characters of a token and tokens of a template, for pools that are not tokenised yet.
const CHARACTERS_PER_TOKEN: f64 = 4.0;
const TEMPLATE_TOKENS: f64 = 40.0;
/// Memory of a project that is open, before any stage.
const BASE_MEMORY: u64 = 150 << 20;

/// What is known of a pool's size.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    bytes: f64,
    samples: f64,
}

impl Size {
    fn tokens(self) -> f64 {
        self.bytes * 0.85 / CHARACTERS_PER_TOKEN + self.samples * TEMPLATE_TOKENS
    }

    /// Characters of instructions and inputs, about a third of a pool.
    fn question_characters(self) -> f64 {
        self.bytes * 0.35
    }

    /// From a file that was not read yet: its first megabyte says how long a row is.
    fn of_file(path: &Path) -> Option<Self> {
        use std::io::Read;
        let bytes = fs_err::metadata(path).ok()?.len();
        let mut head = Vec::new();
        fs_err::File::open(path).ok()?.take(1 << 20).read_to_end(&mut head).ok()?;
        let rows = head.windows(13).filter(|window| *window == b"\"instruction\"").count();
        let rows = rows.max(head.iter().filter(|byte| **byte == b'\n').count() / 6).max(1);
        let per_row = head.len() as f64 / rows as f64;
        Some(Self { bytes: bytes as f64, samples: (bytes as f64 / per_row).max(1.0) })
    }
}

fn range(seconds: f64) -> (f64, f64) {
    (seconds * SPREAD.0, seconds * SPREAD.1)
}

/// Seconds of each stage in the middle of the range. `parameters`: of both models together.
fn seconds(session: Option<&Session>, recipe: &Recipe, size: Size, parameters: f64, stage: Stage, threads: f64) -> f64 {
    let rate = |work: &str, one_thread: f64| {
        let measured = session.and_then(|session| lock(&session.catalogue).rate(work).ok().flatten());
        measured.unwrap_or(one_thread * threads)
    };
    match stage {
        Stage::Import => size.bytes / IMPORT_BYTES,
        Stage::Embed if recipe.vectors.encoder.is_empty() => {
            size.samples * recipe.vectors.dimensions as f64 * 8e-6 / threads + 0.3
        }
        Stage::Embed => size.question_characters() / rate("encode", ENCODE_CHARACTERS),
        Stage::Manifold => {
            let search = 2.0 * size.samples * size.samples * 384.0 / (SEARCH_OPERATIONS * threads);
            let rest = size.samples * 5e-4 / threads;
            let curve = match recipe.manifold.clusters {
                paser_project::recipe::ClusterRule::Fixed(_) => 0.0,
                _ => size.samples.min(recipe.manifold.curve_rows as f64) * 3e-3 / threads,
            };
            search + rest + curve + size.samples * 1e-4
        }
        Stage::Score => 2.0 * parameters * size.tokens() / rate("score", SCORE_OPERATIONS),
        Stage::Select => 0.3 + size.samples * 4e-5 * recipe.selections.len() as f64,
    }
}

fn memory(recipe: &Recipe, size: Size, parameters: f64, stage: Stage) -> u64 {
    let width = if recipe.vectors.encoder.is_empty() { recipe.vectors.dimensions as f64 } else { 384.0 };
    let bytes = match stage {
        Stage::Import => size.bytes * 4.0,
        Stage::Embed => size.bytes * 2.0 + size.samples * width * 12.0,
        Stage::Manifold => size.samples * (width * 12.0 + 45.0 * 8.0 * 6.0 + 30.0 * 16.0),
        Stage::Score => parameters * 4.0 + size.bytes * 2.0 + size.tokens() * 8.0 + 200e6,
        Stage::Select => size.samples * 600.0,
    };
    BASE_MEMORY + bytes as u64
}

fn project_size(session: &Session, loaded: &Loaded, recipe: &Recipe) -> Option<Size> {
    match &loaded.samples {
        Some(samples) => Some(Size { bytes: samples.facts.report.bytes as f64, samples: samples.len() as f64 }),
        None => Size::of_file(&session.folder.resolve(&recipe.pool.path)),
    }
}

fn parameters(session: &Session, recipe: &Recipe) -> f64 {
    let count = |reference: &str| {
        let known = sources::known_model(&lock(&session.catalogue), &session.folder, reference);
        match known {
            Known::Yes(facts) | Known::Gone(facts) => facts.parameters as f64,
            _ => match sources::find_model(&session.folder, reference, Kind::Model) {
                Ok(path) => paser_model::Checkpoint::open(&path).map_or(0.0, |model| model.spec().parameters() as f64),
                Err(_) => 0.0,
            },
        }
    };
    let models = &recipe.models;
    if models.dense.is_empty() {
        return 0.0;
    }
    let dense = count(&models.dense);
    dense + if models.pruned.is_empty() { dense } else { count(&models.pruned) }
}

/// Seconds, low and high, of a stage that has to run.
pub(crate) fn stage(session: &Session, loaded: &Loaded, recipe: &Recipe, stage: Stage) -> Option<(f64, f64)> {
    let size = project_size(session, loaded, recipe)?;
    let parameters = if stage == Stage::Score { parameters(session, recipe) } else { 0.0 };
    if stage == Stage::Score && parameters == 0.0 {
        return None;
    }
    Some(range(seconds(Some(session), recipe, size, parameters, stage, machine::threads() as f64)))
}

/// Refuses a stage that cannot fit.
pub(crate) fn check_memory(session: &Session, stage: Stage, limit: Option<u64>) -> Outcome<()> {
    let Some(limit) = limit else { return Ok(()) };
    let recipe = session.recipe();
    let Some(size) = project_size(session, &session.loaded(), &recipe.recipe) else { return Ok(()) };
    let needed = memory(&recipe.recipe, size, parameters(session, &recipe.recipe), stage);
    if needed <= limit {
        return Ok(());
    }
    Err(Report::new(
        Failure::Machine,
        format!(
            "{} needs about {:.1} GiB of memory and --memory allows {:.1} GiB",
            stage.name(),
            needed as f64 / f64::from(1 << 30),
            limit as f64 / f64::from(1 << 30)
        ),
        "Allow more, take a smaller pool, or run on a larger machine.",
    ))
}

/// What a project that is not made yet will cost.
pub(crate) fn draft(draft: &ProjectDraft) -> Outcome<EstimateView> {
    let here = std::env::current_dir().unwrap_or_default();
    let place = if draft.folder.trim().is_empty() { here.join("project") } else { here.join(draft.folder.trim()) };
    let folder = Folder::planned(&place);
    let recipe = draft_recipe(draft, &folder)?;
    let mut remarks = Vec::new();
    let size = Size::of_file(&folder.resolve(&recipe.pool.path));
    if size.is_none() {
        remarks.push(remark("error", format!("{}: there is no such pool file", draft.pool)));
    }
    let size = size.unwrap_or_default();
    let mut network = false;
    let mut count = |reference: &str, kind: Kind| -> f64 {
        if reference.is_empty() {
            return 0.0;
        }
        match sources::find_model(&folder, reference, kind) {
            Ok(path) => paser_model::Checkpoint::open(&path).map_or(0.0, |model| model.spec().parameters() as f64),
            Err(report) => {
                network = true;
                remarks.push(remark("warn", format!("{}. {}", report.what, report.advice)));
                0.0
            }
        }
    };
    let dense = count(&recipe.models.dense, Kind::Model);
    let pruned = if recipe.models.pruned.is_empty() { dense } else { count(&recipe.models.pruned, Kind::Model) };
    if !recipe.vectors.encoder.is_empty()
        && let Err(report) = sources::find_model(&folder, &recipe.vectors.encoder, Kind::Encoder)
    {
        network = true;
        remarks.push(remark("warn", format!("{}. {}", report.what, report.advice)));
    }
    if network {
        remarks.push(remark("warn", "What has to be downloaded is not in this estimate.".to_owned()));
    }
    let threads = machine::threads() as f64;
    let scored = !recipe.models.dense.is_empty();
    let stages: Vec<Stage> =
        Stage::ALL.into_iter().filter(|stage| scored || !matches!(stage, Stage::Score | Stage::Select)).collect();
    let free = machine::free_memory();
    let needed = stages.iter().map(|stage| memory(&recipe, size, dense + pruned, *stage)).max().unwrap_or(0);
    if free > 0 && needed > free {
        remarks.push(remark("warn", format!("{:.1} GB of memory are free.", free as f64 / 1e9)));
    }
    if size.samples > 0.0 {
        let about = size.samples.round() as u64;
        remarks.insert(
            0,
            remark("ok", format!("about {} samples, {} tokens", short_count(about), short_count(size.tokens() as u64))),
        );
    }
    Ok(EstimateView {
        stages: stages
            .iter()
            .map(|stage| {
                let (low, high) = range(seconds(None, &recipe, size, dense + pruned, *stage, threads));
                (stage.name().to_owned(), low, high)
            })
            .collect(),
        memory_bytes: needed,
        memory_free_bytes: free,
        disk_bytes: (size.bytes * 3.0 + size.samples * 2500.0) as u64
            + if recipe.prune.method == "none" { 0 } else { (dense * 2.0) as u64 },
        network_bytes: 0,
        remarks,
    })
}

fn remark(level: &str, text: String) -> Remark {
    Remark { level: level.to_owned(), text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_sized_by_its_head() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pool.jsonl");
        let row = "{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}\n";
        fs_err::write(&path, row.repeat(30_000)).unwrap();
        let size = Size::of_file(&path).unwrap();
        assert!((size.samples - 30_000.0).abs() < 300.0, "{}", size.samples);
        assert!(Size::of_file(&place.path().join("none")).is_none());
    }
}
