//! Loads the real pool of the shared data with its sentence vectors, for the quality program and the quality gate.
//! The vectors are made outside of this crate: `vectors` [n, 384] f32 in a safetensors file named by PASER_VECTORS.

use std::collections::BTreeMap;
use std::path::PathBuf;

use paser_manifold::{content_hash, order_by_hash};

/// The pool as arrays, rows in file order.
pub struct Mix {
    pub vectors: Vec<f32>,
    pub dimensions: usize,
    pub order: Vec<u32>,
    pub capability: Vec<u32>,
    pub source: Vec<u32>,
}

fn shared() -> PathBuf {
    std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from)
}

/// The pool, or why it cannot be had here.
pub fn load() -> Result<Mix, String> {
    let vectors_path = std::env::var_os("PASER_VECTORS").ok_or("PASER_VECTORS names no file of sentence vectors")?;
    let bytes = fs_err::read(PathBuf::from(vectors_path)).map_err(|error| error.to_string())?;
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|error| error.to_string())?;
    let tensor = file.tensor("vectors").map_err(|error| error.to_string())?;
    let dimensions = *tensor.shape().last().ok_or("`vectors` has no shape")?;
    let vectors =
        tensor.data().chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect();
    let text = fs_err::read_to_string(shared().join("data/recovery_mix.jsonl")).map_err(|error| error.to_string())?;
    let mut hashes = Vec::new();
    let mut ids = Vec::new();
    let (mut capability, mut source) = (Vec::new(), Vec::new());
    let mut names = [BTreeMap::new(), BTreeMap::new()];
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let sample: serde_json::Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let field = |name: &str| sample[name].as_str().unwrap_or_default();
        hashes.push(content_hash(&[field("instruction"), field("input"), field("output")]));
        ids.push(sample["id"].to_string());
        for (list, (names, key)) in
            [&mut capability, &mut source].into_iter().zip(names.iter_mut().zip(["capability", "source"]))
        {
            let next = names.len() as u32;
            list.push(*names.entry(field(key).to_owned()).or_insert(next));
        }
    }
    Ok(Mix { vectors, dimensions, order: order_by_hash(&hashes, &ids), capability, source })
}
