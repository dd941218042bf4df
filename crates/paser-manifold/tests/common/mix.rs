//! Loads the real pool of the shared data with its sentence vectors, for the quality program and the quality gate.
//! Each program that includes this file uses a part of it.
//! The vectors are made outside of this crate: `vectors` [n, 384] f32 in a safetensors file named by PASER_VECTORS.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use paser_manifold::{content_hash, order_by_hash};

/// The pool as arrays, rows in file order.
pub struct Mix {
    pub vectors: Vec<f32>,
    pub dimensions: usize,
    pub order: Vec<u32>,
    pub capability: Vec<u32>,
    pub source: Vec<u32>,
    pub texts: Vec<String>,
}

fn shared() -> PathBuf {
    std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from)
}

/// The shared pool with its sentence vectors, or why they cannot be had here.
pub fn load() -> Result<Mix, String> {
    let mut mix = read(&shared().join("data/recovery_mix.jsonl"))?;
    let vectors_path = std::env::var_os("PASER_VECTORS").ok_or("PASER_VECTORS names no file of sentence vectors")?;
    let bytes = fs_err::read(PathBuf::from(vectors_path)).map_err(|error| error.to_string())?;
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|error| error.to_string())?;
    let tensor = file.tensor("vectors").map_err(|error| error.to_string())?;
    mix.dimensions = *tensor.shape().last().ok_or("`vectors` has no shape")?;
    mix.vectors = tensor.data().chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect();
    Ok(mix)
}

/// A pool without vectors.
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
        hashes.push(content_hash(&[field("instruction"), field("input"), field("output")]));
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
