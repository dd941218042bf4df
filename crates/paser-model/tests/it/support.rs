//! Where shared data and the demo's lie.

use std::path::{Path, PathBuf};

/// A path below the shared folder, or `None` with a word on stderr where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let full = root.join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {} is absent (set PASER_SHARED)", full.display());
    None
}

/// A folder of the demo, which every checkout has.
pub fn demo(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../paser-demo/assets").join(part)
}

/// The largest distance of two values at one place; NaN where there is one.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |max, value| if value > max || value.is_nan() { value } else { max })
}

/// A tensor of a golden file as f32.
pub fn golden(file: &Path, tensor: &str) -> Vec<f32> {
    let bytes = fs_err::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(tensor).unwrap();
    tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// A golden file's token ids, [sequences, length] i64.
pub fn golden_ids(file: &Path, tensor: &str) -> Vec<Vec<u32>> {
    let bytes = fs_err::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ids = file.tensor(tensor).unwrap();
    let all: Vec<u32> = ids.data().as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as u32).collect();
    all.chunks(*ids.shape().last().unwrap()).map(<[u32]>::to_vec).collect()
}

/// Logits of all positions of all sequences.
pub fn logits(decoder: &paser_model::Decoder, sequences: &[Vec<u32>]) -> Vec<f32> {
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let hidden = decoder.hidden_rows(&sequences).unwrap();
    let mut logits = vec![0.0; hidden.len() / decoder.spec().hidden * decoder.spec().vocab];
    decoder.logits_rows(&hidden, &mut logits);
    logits
}

/// Names of all files below a folder, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs_err::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
