//! What a stage will cost before it runs: seconds as a range, memory, disk, network. From rates measured on this project
//! where there are any, else from those of a common two-core machine. What cannot be known is said to be unknown.

use std::path::Path;

use paser_data::FileFormat;
use paser_hub::{DatasetRef, HubEnv};
use paser_project::{Folder, recipe::Recipe};
use paser_protocol::{EstimateView, Failure, PassModel, ProjectDraft, Remark, Report, Stage, Strategy};

use crate::{
    hub, machine,
    pool_source::{self, NoPool, PoolFiles},
    probe::GATED,
    session::{Loaded, Session, draft_recipe, lock},
    sources::{self, Kind, Known, NotHere, short_count},
    stages::passes,
    trouble::{Outcome, Told},
};

/// Rates of one thread of a common machine: bytes of pool a second, characters encoded, operations of scoring.
const IMPORT_BYTES: f64 = 4e6;
const ENCODE_CHARACTERS: f64 = 1.2e4;
pub(crate) const SCORE_OPERATIONS: f64 = 60e9;
/// Operations of the exact neighbour search a thread reaches.
const SEARCH_OPERATIONS: f64 = 120e9;
/// How far low and high ends lie from the middle.
const SPREAD: (f64, f64) = (0.6, 1.8);
/// Characters of a token and tokens of a template, for pools that are not tokenised yet.
const CHARACTERS_PER_TOKEN: f64 = 4.0;
const TEMPLATE_TOKENS: f64 = 40.0;
/// Tokens before a response that stands alone.
const MARKER_TOKENS: f64 = 5.0;
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

    /// Of a pool that was not read yet.
    fn of_pool(pool: &PoolFiles) -> Option<Self> {
        pool_source::size(pool).map(|(bytes, samples)| Self { bytes, samples })
    }
}

fn range(seconds: f64) -> (f64, f64) {
    (seconds * SPREAD.0, seconds * SPREAD.1)
}

/// Seconds of a stage in the middle of the range. `parameters`: of both models together, none where they are unknown.
fn seconds(
    session: Option<&Session>,
    recipe: &Recipe,
    size: Size,
    parameters: Option<f64>,
    stage: Stage,
    threads: f64,
) -> Option<f64> {
    let rate = |work: &str, one_thread: f64| {
        let measured = session.and_then(|session| lock(&session.catalogue).rate(work).ok().flatten());
        measured.unwrap_or(one_thread * threads)
    };
    Some(match stage {
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
        Stage::Score => 2.0 * parameters? * size.tokens() / rate("score", SCORE_OPERATIONS),
        Stage::Select => 0.3 + size.samples * 4e-5 * recipe.selections.len() as f64,
        // Arms tell of themselves.
        Stage::Recover => return None,
    })
}

/// Bytes that a stage needs; none where they depend on a model of unknown size.
fn memory(recipe: &Recipe, size: Size, parameters: Option<f64>, stage: Stage) -> Option<u64> {
    let width = if recipe.vectors.encoder.is_empty() { recipe.vectors.dimensions as f64 } else { 384.0 };
    let bytes = match stage {
        Stage::Import => size.bytes * 4.0,
        Stage::Embed => size.bytes * 2.0 + size.samples * width * 12.0,
        Stage::Manifold => size.samples * (width * 12.0 + 45.0 * 8.0 * 6.0 + 30.0 * 16.0),
        Stage::Score => parameters? * 4.0 + size.bytes * 2.0 + size.tokens() * 8.0 + 200e6,
        Stage::Select => size.samples * 600.0,
        Stage::Recover => return None,
    };
    Some(BASE_MEMORY + bytes as u64)
}

fn project_size(session: &Session, loaded: &Loaded, recipe: &Recipe) -> Option<Size> {
    match &loaded.samples {
        Some(samples) => {
            let report = &samples.facts.report;
            // Columns in Parquet are compressed: their size says little of the text's.
            let bytes = match report.format {
                FileFormat::Parquet => report.text_bytes.unwrap_or(report.bytes),
                FileFormat::JsonArray | FileFormat::JsonLines => report.bytes,
            };
            Some(Size { bytes: bytes as f64, samples: samples.len() as f64 })
        }
        None => Size::of_pool(&pool_source::find(&session.folder, &recipe.pool.path).ok()?),
    }
}

/// Seconds, low and high, of the scoring that is left: `shares` of the project's own pair, and of each of the others.
pub(crate) fn scoring(session: &Session, loaded: &Loaded, recipe: &Recipe, shares: &[f64]) -> Option<(f64, f64)> {
    let size = project_size(session, loaded, recipe)?;
    let own = parameters(session, recipe).filter(|own| *own > 0.0);
    let pairs = std::iter::once(own).chain(
        recipe
            .models
            .others
            .iter()
            .map(|other| Some(parameters_of(session, &recipe.models.dense)? + parameters_of(session, other)?)),
    );
    let all = pairs.zip(shares).filter(|(_, share)| **share > 0.0).map(|(pair, share)| Some(pair? * share));
    let all = all.sum::<Option<f64>>()?;
    seconds(Some(session), recipe, size, Some(all), Stage::Score, machine::threads() as f64).map(range)
}

/// Parameters of both models together: 0 where the recipe names none, none where one was not read or downloaded yet.
fn parameters(session: &Session, recipe: &Recipe) -> Option<f64> {
    let count = |reference: &str| parameters_of(session, reference);
    let models = &recipe.models;
    if models.dense.is_empty() {
        return Some(0.0);
    }
    let dense = count(&models.dense)?;
    Some(dense + if models.pruned.is_empty() { dense } else { count(&models.pruned)? })
}

/// Of one model; none where it was not read or downloaded yet.
fn parameters_of(session: &Session, reference: &str) -> Option<f64> {
    match sources::known_model(&lock(&session.catalogue), &session.folder, reference) {
        Known::Yes(facts) | Known::Gone(facts) => Some(facts.parameters as f64),
        _ => parameters_in(&sources::find_model(&session.folder, reference, Kind::Model).ok()?),
    }
}

/// By the heads of the weights; none where the folder is no model.
fn parameters_in(folder: &Path) -> Option<f64> {
    Some(paser_model::Checkpoint::open(folder).ok()?.spec().parameters() as f64)
}

/// Seconds, low and high, of a stage that has to run.
pub(crate) fn stage(session: &Session, loaded: &Loaded, recipe: &Recipe, stage: Stage) -> Option<(f64, f64)> {
    let size = project_size(session, loaded, recipe)?;
    let parameters = if stage == Stage::Score { parameters(session, recipe) } else { None };
    if stage == Stage::Score && parameters == Some(0.0) {
        return None;
    }
    let (low, high) = seconds(Some(session), recipe, size, parameters, stage, machine::threads() as f64).map(range)?;
    if stage != Stage::Select {
        return Some((low, high));
    }
    // The columns that the recipe's selections read and that are not there yet.
    let mut passes: Vec<Strategy> = recipe.selections.iter().map(|named| named.plan.strategy).collect();
    passes.retain(|strategy| strategy.needs_pass());
    passes.sort();
    passes.dedup();
    let missing = passes.into_iter().map(|strategy| passes::view(session, loaded, recipe, strategy));
    missing.filter(|view| view.key.is_none()).try_fold((low, high), |(low, high), view| {
        let (least, most) = view.estimate?;
        Some((low + least, high + most))
    })
}

/// Seconds, low and high, of the column of a strategy with a pass of its own; none where they depend on a model of unknown
/// size.
pub(crate) fn pass(session: &Session, loaded: &Loaded, recipe: &Recipe, strategy: Strategy) -> Option<(f64, f64)> {
    let (samples, scores) = (loaded.samples.as_ref()?, loaded.scores.as_ref()?);
    let settings = &recipe.strategies;
    let scored = (samples.len() as u64).saturating_sub(scores.facts.unscorable).max(1) as f64;
    let tokens = scores.facts.tokens as f64;
    let of_model = |which: PassModel| match which {
        PassModel::Dense => parameters_of(session, &recipe.models.dense),
        // One that is made here is as large as the dense one.
        PassModel::Pruned if recipe.models.pruned.is_empty() => parameters_of(session, &recipe.models.dense),
        PassModel::Pruned => parameters_of(session, &recipe.models.pruned),
    };
    let (parameters, read) = match strategy {
        Strategy::Ifd => (of_model(settings.ifd_model)?, scores.facts.response_tokens as f64 + scored * MARKER_TOKENS),
        Strategy::Superfiltering if settings.filter_model.trim().is_empty() => return None,
        Strategy::Superfiltering => {
            (parameters_of(session, settings.filter_model.trim())?, tokens + scores.facts.response_tokens as f64)
        }
        _ => (of_model(settings.nuggets_model)?, tokens + f64::from(settings.nuggets_anchors) * tokens),
    };
    let rate = |work: &str| lock(&session.catalogue).rate(work).ok().flatten();
    let measured = rate(strategy.name()).or_else(|| rate("score"));
    let rate = measured.unwrap_or(SCORE_OPERATIONS * machine::threads() as f64);
    Some(range(2.0 * parameters * read / rate))
}

/// Refuses a stage that cannot fit.
pub(crate) fn check_memory(session: &Session, recipe: &Recipe, stage: Stage, limit: Option<u64>) -> Outcome<()> {
    let Some(limit) = limit else { return Ok(()) };
    let Some(size) = project_size(session, &session.loaded(), recipe) else { return Ok(()) };
    // One pair is in memory at a time: the largest decides.
    let dense = parameters_of(session, &recipe.models.dense);
    let pairs = recipe.models.others.iter().map(|other| Some(dense? + parameters_of(session, other)?));
    let largest = pairs.chain([parameters(session, recipe)]).flatten().reduce(f64::max);
    let needed = memory(recipe, size, largest, stage);
    let Some(needed) = needed.filter(|needed| *needed > limit) else { return Ok(()) };
    Err(Report::new(
        Failure::Machine,
        format!(
            "{} needs about {:.1} GiB of memory, and the limit (--memory, or the settings) allows {:.1} GiB",
            stage.name(),
            needed as f64 / f64::from(1 << 30),
            limit as f64 / f64::from(1 << 30)
        ),
        "Allow more, take a smaller pool, or run on a larger machine.",
    ))
}

/// Measured on a pool of 38,563 samples in 12 clusters: an adjusted Rand index with its capabilities of 0.26 by words,
/// 0.60 by MiniLM's vectors.
pub const WORDS_ONLY: &str = "Without an encoder samples are grouped by their words (TF-IDF + SVD), and clusters follow capabilities less well: name a sentence encoder where you can.";

/// A model of a draft.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weighed {
    parameters: Option<f64>,
    /// To be downloaded.
    bytes: Option<u64>,
}

const NOTHING: Weighed = Weighed { parameters: Some(0.0), bytes: Some(0) };

/// How large a model is that may not be here yet. What is wrong with its name becomes a remark.
fn weigh(folder: &Folder, reference: &str, kind: Kind, env: Option<&HubEnv>, remarks: &mut Vec<Remark>) -> Weighed {
    if reference.is_empty() {
        return NOTHING;
    }
    let id = match sources::find_model(folder, reference, kind) {
        Ok(_) if kind == Kind::Encoder => return NOTHING,
        Ok(path) => return Weighed { parameters: parameters_in(&path), bytes: Some(0) },
        Err(NotHere::NotDownloaded(id)) => id,
        Err(NotHere::Unusable(report)) => {
            remarks.push(remark("error", report.to_string()));
            return Weighed { parameters: None, bytes: Some(0) };
        }
    };
    match env.map(|env| (env, hub::ask_model(&id, kind, env))) {
        Some((env, Ok(size))) => {
            let text = match size.missing_bytes {
                Some(bytes) => format!("{id} is downloaded when a stage needs it, {:.1} MB.", bytes as f64 / 1e6),
                None => format!("{id} is downloaded when a stage needs it; how large it is, the hub does not say now."),
            };
            remarks.push(remark("warn", text));
            if let Some(licence) = &size.licence {
                remarks.push(remark("ok", format!("licence of {id}: {licence}")));
            }
            if size.gated && env.token.is_none() {
                remarks.push(remark("warn", format!("{id} is {GATED}")));
            }
            Weighed { parameters: size.parameters.map(|count| count as f64), bytes: size.missing_bytes }
        }
        Some((_, Err(report))) => {
            remarks.push(remark("error", report.to_string()));
            Weighed { parameters: None, bytes: None }
        }
        None => Weighed { parameters: None, bytes: None },
    }
}

/// A pool of a draft: its size where that is known, and the bytes to be downloaded.
struct WeighedPool {
    size: Option<Size>,
    bytes: Option<u64>,
}

/// How large a pool is that may not be here yet. What is wrong with its name becomes a remark.
fn weigh_pool(folder: &Folder, reference: &str, env: Option<&HubEnv>, remarks: &mut Vec<Remark>) -> WeighedPool {
    let found = match env {
        Some(env) if pool_source::is_hub(reference) => pool_source::find_cached(reference, env),
        _ => pool_source::find(folder, reference),
    };
    match found {
        Ok(pool) => {
            let licence = pool.source.as_ref().and_then(|source| Some((&source.dataset, source.licence.as_ref()?)));
            remarks.extend(licence.map(|(name, licence)| remark("ok", format!("licence of {name}: {licence}"))));
            WeighedPool { size: Size::of_pool(&pool), bytes: Some(0) }
        }
        Err(NoPool::Unusable(report)) => {
            remarks.push(remark("error", report.to_string()));
            WeighedPool { size: None, bytes: Some(0) }
        }
        Err(NoPool::NotDownloaded(dataset)) => {
            let asked = env.map(|env| weigh_dataset(&dataset, env, remarks));
            let asked = asked.unwrap_or(Ok(WeighedPool { size: None, bytes: None }));
            asked.unwrap_or_else(|report| {
                remarks.push(remark("error", report.to_string()));
                WeighedPool { size: None, bytes: None }
            })
        }
    }
}

/// What the hub says of a data set that is not here.
fn weigh_dataset(dataset: &DatasetRef, env: &HubEnv, remarks: &mut Vec<Remark>) -> Outcome<WeighedPool> {
    let Some(info) = hub::ask_dataset(dataset, env)? else {
        let text = format!("{dataset} is downloaded when a run imports it; how large it is, the hub does not say now.");
        remarks.push(remark("warn", text));
        return Ok(WeighedPool { size: None, bytes: None });
    };
    let part = dataset.choose(&info).map_err(Told::told)?;
    let bytes = info.missing_bytes(dataset, part, env);
    let size = bytes.map_or_else(|| "of unknown size".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    remarks.push(remark("warn", format!("{dataset} is downloaded when a run imports it, {size}.")));
    remarks.push(match &info.licence {
        Some(licence) => remark("ok", format!("licence of {}: {licence}", dataset.name())),
        None => remark("warn", format!("the card of {} names no licence", dataset.name())),
    });
    if info.gated && env.token.is_none() {
        remarks.push(remark("warn", format!("{} is {GATED}", dataset.name())));
    }
    let told = part.rows.zip(part.text_bytes);
    Ok(WeighedPool { size: told.map(|(rows, bytes)| Size { bytes: bytes as f64, samples: rows as f64 }), bytes })
}

/// What a project that is not made yet will cost. May ask the hub, but not for long.
pub(crate) fn draft(draft: &ProjectDraft) -> Outcome<EstimateView> {
    draft_with(draft, hub::env().ok().as_ref())
}

fn draft_with(draft: &ProjectDraft, env: Option<&HubEnv>) -> Outcome<EstimateView> {
    let here = std::env::current_dir().unwrap_or_default();
    let place = if draft.folder.trim().is_empty() { here.join("project") } else { here.join(draft.folder.trim()) };
    let folder = Folder::planned(&place);
    let recipe = draft_recipe(draft, &folder)?;
    let mut remarks = Vec::new();
    let pool = weigh_pool(&folder, &recipe.pool.path, env, &mut remarks);
    let dense = weigh(&folder, &recipe.models.dense, Kind::Model, env, &mut remarks);
    let models = &recipe.models;
    let pruned = if models.pruned.is_empty() || models.pruned == models.dense {
        // Made here, or the same: as large as the dense one, and nothing more to fetch.
        Weighed { bytes: Some(0), ..dense }
    } else {
        weigh(&folder, &models.pruned, Kind::Model, env, &mut remarks)
    };
    let encoder = weigh(&folder, &recipe.vectors.encoder, Kind::Encoder, env, &mut remarks);
    if recipe.vectors.encoder.is_empty() {
        remarks.push(remark("warn", WORDS_ONLY.to_owned()));
    }
    let others: Vec<Weighed> =
        models.others.iter().map(|other| weigh(&folder, other, Kind::Model, env, &mut remarks)).collect();
    // The scoring is of every pair; one of them is in memory at a time.
    let pairs = std::iter::once(&pruned).chain(&others).map(|other| Some(dense.parameters? + other.parameters?));
    let pairs: Option<Vec<f64>> = pairs.collect();
    let (all, both) = (
        pairs.as_ref().map(|pairs| pairs.iter().sum()),
        pairs.as_ref().and_then(|pairs| pairs.iter().copied().reduce(f64::max)),
    );
    let threads = machine::threads() as f64;
    let scored = !recipe.models.dense.is_empty();
    let stages: Vec<Stage> =
        Stage::ALL.into_iter().filter(|stage| scored || !matches!(stage, Stage::Score | Stage::Select)).collect();
    let free = machine::free_memory();
    let each: Option<Vec<u64>> = stages.iter().map(|stage| memory(&recipe, pool.size?, both, *stage)).collect();
    let needed = each.and_then(|each| each.into_iter().max());
    if free > 0 && needed.is_some_and(|needed| needed > free) {
        remarks.push(remark("warn", format!("{:.1} GB of memory are free.", free as f64 / 1e9)));
    }
    if let Some(size) = pool.size {
        let about = size.samples.round() as u64;
        remarks.insert(
            0,
            remark("ok", format!("about {} samples, {} tokens", short_count(about), short_count(size.tokens() as u64))),
        );
    }
    let made = if recipe.prune.method == "none" { Some(0.0) } else { dense.parameters.map(|count| count * 2.0) };
    let models = [&dense, &pruned, &encoder].into_iter().chain(&others).map(|model| model.bytes);
    let network = models.chain([pool.bytes]).sum::<Option<u64>>();
    let kept = pool.size.map(|size| size.bytes * 3.0 + size.samples * 2500.0);
    Ok(EstimateView {
        stages: stages
            .iter()
            .map(|stage| {
                let seconds = pool.size.and_then(|size| seconds(None, &recipe, size, all, *stage, threads));
                (stage.name().to_owned(), seconds.map(range))
            })
            .collect(),
        memory_bytes: needed,
        memory_free_bytes: free,
        // What is downloaded goes to the hub's cache, on the same disk as a rule.
        disk_bytes: made.zip(network).zip(kept).map(|((made, network), kept)| (kept + made) as u64 + network),
        network_bytes: network,
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

    fn draft_of(place: &Path, dense: &str, encoder: &str) -> ProjectDraft {
        let pool = place.join("pool.jsonl");
        fs_err::write(&pool, "{\"instruction\": \"a\", \"output\": \"b\"}\n".repeat(100)).unwrap();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        ProjectDraft {
            folder: text(&place.join("p")),
            pool: text(&pool),
            dense: dense.to_owned(),
            pruned: dense.to_owned(),
            encoder: encoder.to_owned(),
            ..ProjectDraft::default()
        }
    }

    fn seconds_of(estimate: &EstimateView, stage: Stage) -> Option<(f64, f64)> {
        estimate.stages.iter().find(|(name, _)| name == stage.name()).unwrap().1
    }

    #[test]
    fn a_model_that_nobody_can_weigh_has_no_cost_made_up() {
        let place = tempfile::tempdir().unwrap();
        let offline = HubEnv {
            endpoint: "http://127.0.0.1:9".to_owned(),
            cache: place.path().to_owned(),
            token: None,
            offline: true,
            certificates: None,
        };
        let estimate = draft_with(&draft_of(place.path(), "no-such-org/none-such", ""), Some(&offline)).unwrap();
        assert_eq!(seconds_of(&estimate, Stage::Score), None);
        assert!(seconds_of(&estimate, Stage::Import).is_some());
        assert_eq!((estimate.network_bytes, estimate.memory_bytes, estimate.disk_bytes), (None, None, None));
        // Nothing to fetch is known to be nothing.
        let estimate = draft_with(&draft_of(place.path(), "", ""), Some(&offline)).unwrap();
        assert_eq!(estimate.network_bytes, Some(0));
        assert!(estimate.memory_bytes.is_some());
    }

    /// A hub that answers every request, which begins with `asked`, by `listing`.
    fn hub_with(asked: &'static str, listing: &serde_json::Value) -> String {
        use std::io::{BufRead as _, BufReader, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let listing = listing.to_string();
        let serve = move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                assert!(first.starts_with(asked) && !head.is_empty(), "{first}");
                let length = listing.len();
                let answer =
                    format!("HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{listing}");
                let _ = (&stream).write_all(answer.as_bytes());
            }
        };
        std::thread::Builder::new().spawn(serve).unwrap();
        endpoint
    }

    #[test]
    fn the_hub_is_asked_how_large_a_model_is() {
        let place = tempfile::tempdir().unwrap();
        let listing = serde_json::json!({
            "sha": "0123456789abcdef0123456789abcdef01234567",
            "siblings": [
                {"rfilename": "config.json", "size": 1000}, {"rfilename": "tokenizer.json", "size": 2000},
                {"rfilename": "model.safetensors", "size": 3_000_000},
            ],
            "safetensors": {"total": 1_500_000},
            "gated": "manual",
            "tags": ["license:llama3"],
        });
        let endpoint = hub_with("GET /api/models/org/weighed/", &listing);
        let env = HubEnv { endpoint, cache: place.path().join("hub"), token: None, offline: false, certificates: None };
        let estimate = draft_with(&draft_of(place.path(), "org/weighed", ""), Some(&env)).unwrap();
        assert_eq!(estimate.network_bytes, Some(3_003_000));
        assert!(seconds_of(&estimate, Stage::Score).is_some_and(|(low, high)| low > 0.0 && high > low));
        let told = |part: &str| estimate.remarks.iter().any(|remark| remark.text.contains(part));
        assert!(told("licence of org/weighed: llama3") && told("gated"), "{estimate:?}");
    }

    #[test]
    fn the_hub_is_asked_how_large_a_data_set_is() {
        let place = tempfile::tempdir().unwrap();
        let listing = |info: serde_json::Value| {
            serde_json::json!({
                "sha": "0123456789abcdef0123456789abcdef01234567",
                "siblings": [{"rfilename": "data/train-00000-of-00001.parquet", "size": 4_000_000}],
                "cardData": {"license": "mit", "dataset_info": info},
            })
        };
        let told = serde_json::json!({"splits": [{"name": "train", "num_examples": 20_000, "num_bytes": 9_000_000}]});
        for (name, info, is_known) in [("told", told, true), ("silent", serde_json::Value::Null, false)] {
            let endpoint = hub_with("GET /api/datasets/org/", &listing(info));
            let cache = place.path().join("hub");
            let env = HubEnv { endpoint, cache, token: None, offline: false, certificates: None };
            let mut draft = draft_of(place.path(), "", "");
            draft.pool = format!("hub:org/{name}");
            let estimate = draft_with(&draft, Some(&env)).unwrap();
            assert_eq!(estimate.network_bytes, Some(4_000_000));
            // Rows that nobody told are not made up from a compressed size.
            assert_eq!(seconds_of(&estimate, Stage::Embed).is_some(), is_known, "{estimate:?}");
            assert_eq!((estimate.memory_bytes.is_some(), estimate.disk_bytes.is_some()), (is_known, is_known));
            let remarks: Vec<&str> = estimate.remarks.iter().map(|remark| remark.text.as_str()).collect();
            assert!(remarks.iter().any(|text| text.contains("4.0 MB")), "{remarks:?}");
            assert!(remarks.iter().any(|text| text.contains(&format!("licence of org/{name}: mit"))), "{remarks:?}");
            assert_eq!(remarks.iter().any(|text| text.contains("about 20.0 k samples")), is_known, "{remarks:?}");
        }
    }
}
