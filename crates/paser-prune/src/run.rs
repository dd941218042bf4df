//! The pruning run: every projection of every layer in order, masks from magnitude or Wanda, patched into the copy.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use paser_model::{Block, Checkpoint, Projection, projection_name};
use paser_protocol::Monitor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::folder::{Folder, refuse_content};
use crate::mask::{by_magnitude, by_row};
use crate::wanda::Calibration;
use crate::{Method, Pattern, PruneError, PruneParams, PrunePlan};

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PruneReport {
    pub out: PathBuf,
    /// Parameters of the whole model, a tied head once.
    pub parameters: u64,
    /// How many of them are zero now.
    pub zeros: u64,
    /// SHA-256 over the calibration sequences; none for magnitude, which looks at no text.
    pub calibration_hash: Option<String>,
    pub layers: Vec<LayerZeros>,
}

/// One layer's matrices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerZeros {
    pub layer: usize,
    pub matrices: Vec<MatrixZeros>,
}

/// One matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixZeros {
    pub projection: Projection,
    pub parameters: u64,
    pub zeros: u64,
}

/// Content of `paser-prune.json`.
#[derive(Serialize)]
struct Note<'a> {
    method: Method,
    pattern: String,
    /// Content hash of the dense model.
    dense: String,
    calibration_sequences: usize,
    calibration_tokens: u64,
    calibration_hash: &'a Option<String>,
    parameters: u64,
    zeros: u64,
    version: &'static str,
}

/// Hash of calibration sequences: their number, lengths and ids.
pub fn calibration_hash(sequences: &[Vec<u32>]) -> String {
    let mut hash = Sha256::new();
    hash.update((sequences.len() as u64).to_le_bytes());
    for ids in sequences {
        hash.update((ids.len() as u64).to_le_bytes());
        for id in ids {
            hash.update(id.to_le_bytes());
        }
    }
    hex::encode(hash.finalize())
}

/// Makes a pruned copy of `checkpoint` in the folder `out`, which must not exist or be empty. Weights keep their
/// stored dtype and every other tensor its bytes. `calibration` is token sequences (magnitude ignores it). Progress
/// counts calibration tokens times passes for Wanda, projection weights for magnitude. Uses the current rayon pool;
/// the bytes do not depend on its size.
///
/// # Errors
/// Parameters out of range, a non-empty folder, rows that no N:M group fits, no calibration text, what reading and
/// running the model can give, full or read-only disks, [`PruneError::Cancelled`]. No folder is left behind.
pub fn prune(
    checkpoint: &Checkpoint,
    calibration: &[Vec<u32>],
    params: &PruneParams,
    out: &Path,
    monitor: &dyn Monitor,
) -> Result<PruneReport, PruneError> {
    let plan = params.check()?;
    refuse_content(out)?;
    check_groups(checkpoint, plan.pattern)?;
    let (layers, hash, tokens, folder) = match plan.method {
        Method::Magnitude => {
            let mut folder = Folder::copy(checkpoint, out)?;
            (magnitude(checkpoint, plan, &mut folder, monitor)?, None, 0, folder)
        }
        Method::Wanda => {
            let stream = Calibration::new(checkpoint, calibration)?;
            let tokens = stream.tokens;
            let mut folder = Folder::copy(checkpoint, out)?;
            (
                wanda(checkpoint, stream, plan, &mut folder, monitor)?,
                Some(calibration_hash(calibration)),
                tokens,
                folder,
            )
        }
    };
    let in_matrices: u64 = layers.iter().flat_map(|layer| &layer.matrices).map(|matrix| matrix.zeros).sum();
    let report = PruneReport {
        out: out.to_owned(),
        parameters: checkpoint.spec().parameters(),
        zeros: in_matrices + zeros_elsewhere(checkpoint)?,
        calibration_hash: hash,
        layers,
    };
    let note = Note {
        method: plan.method,
        pattern: plan.pattern.to_string(),
        dense: checkpoint.content_hash()?,
        calibration_sequences: if tokens == 0 { 0 } else { calibration.len() },
        calibration_tokens: tokens,
        calibration_hash: &report.calibration_hash,
        parameters: report.parameters,
        zeros: report.zeros,
        version: env!("CARGO_PKG_VERSION"),
    };
    let note = serde_json::to_string_pretty(&note)
        .map_err(|error| PruneError::Io { path: out.to_owned(), source: error.into() })?;
    folder.finish(&(note + "\n"))?;
    Ok(report)
}

fn check_groups(checkpoint: &Checkpoint, pattern: Pattern) -> Result<(), PruneError> {
    let Pattern::NofM(_, group) = pattern else { return Ok(()) };
    let spec = checkpoint.spec();
    for (layer, sizes) in spec.layers.iter().enumerate() {
        for projection in Projection::ALL {
            let (_, columns) = sizes.shape(projection, spec.hidden);
            if columns % group != 0 {
                return Err(PruneError::Groups { tensor: projection_name(layer, projection), columns, group });
            }
        }
    }
    Ok(())
}

fn magnitude(
    checkpoint: &Checkpoint,
    plan: PrunePlan,
    folder: &mut Folder,
    monitor: &dyn Monitor,
) -> Result<Vec<LayerZeros>, PruneError> {
    let spec = checkpoint.spec();
    let total =
        spec.layers.iter().flat_map(|layer| Projection::ALL.map(|projection| layer.shape(projection, spec.hidden)));
    let total: u64 = total.map(|(rows, columns)| (rows * columns) as u64).sum();
    let done = AtomicU64::new(0);
    let mut layers = Vec::new();
    for (layer, sizes) in spec.layers.iter().enumerate() {
        let masks = Projection::ALL
            .par_iter()
            .map(|&projection| {
                if monitor.cancelled() {
                    return Err(PruneError::Cancelled);
                }
                let weights = checkpoint.values(&projection_name(layer, projection))?;
                let mask = by_magnitude(&weights, sizes.shape(projection, spec.hidden).1, plan.pattern);
                let size = weights.len() as u64;
                monitor.progress(done.fetch_add(size, Ordering::Relaxed) + size, total);
                Ok((projection, zeros(&weights, &mask), mask))
            })
            .collect::<Result<Vec<_>, _>>()?;
        layers.push(store(checkpoint, layer, masks, folder)?);
    }
    Ok(layers)
}

fn wanda(
    checkpoint: &Checkpoint,
    mut stream: Calibration<'_>,
    plan: PrunePlan,
    folder: &mut Folder,
    monitor: &dyn Monitor,
) -> Result<Vec<LayerZeros>, PruneError> {
    let count = checkpoint.spec().layers.len();
    let total = 2 * stream.tokens * count as u64;
    let done = AtomicU64::new(0);
    let progress = |tokens: u64| monitor.progress(done.fetch_add(tokens, Ordering::Relaxed) + tokens, total);
    let mut layers = Vec::new();
    for layer in 0..count {
        let mut block = Block::load(checkpoint, layer)?;
        let norms = stream.measure(&block, monitor, &progress)?;
        let mut masks = Vec::new();
        for projection in Projection::ALL {
            if monitor.cancelled() {
                return Err(PruneError::Cancelled);
            }
            let norms = norms.of(projection);
            let weights = block.weight_mut(projection);
            // Rows are independent: chunks of whole rows give the same mask as the whole matrix.
            let mask: Vec<bool> = weights
                .par_chunks(norms.len() * 64)
                .map(|rows| by_row(rows, norms, plan.pattern))
                .collect::<Vec<_>>()
                .concat();
            let zeros = zeros(weights, &mask);
            for (weight, _) in weights.iter_mut().zip(&mask).filter(|(_, gone)| **gone) {
                *weight = 0.0;
            }
            masks.push((projection, zeros, mask));
        }
        layers.push(store(checkpoint, layer, masks, folder)?);
        stream.advance(&block, monitor, &progress)?;
    }
    Ok(layers)
}

/// Zeros once the masked weights are gone.
fn zeros(weights: &[f32], mask: &[bool]) -> u64 {
    weights.iter().zip(mask).filter(|(weight, gone)| **gone || **weight == 0.0).count() as u64
}

fn store(
    checkpoint: &Checkpoint,
    layer: usize,
    masks: Vec<(Projection, u64, Vec<bool>)>,
    folder: &mut Folder,
) -> Result<LayerZeros, PruneError> {
    let mut matrices = Vec::new();
    for (projection, zeros, mask) in masks {
        folder.zero(checkpoint, &projection_name(layer, projection), &mask)?;
        matrices.push(MatrixZeros { projection, parameters: mask.len() as u64, zeros });
    }
    Ok(LayerZeros { layer, matrices })
}

/// Zeros among norms, biases and embeddings.
fn zeros_elsewhere(checkpoint: &Checkpoint) -> Result<u64, PruneError> {
    let spec = checkpoint.spec();
    let mut zeros = 0;
    for name in checkpoint.tensor_names() {
        let matrix = name
            .strip_suffix(".weight")
            .is_some_and(|module| Projection::ALL.iter().any(|p| module.ends_with(p.module())));
        let not_a_parameter = name.ends_with(".inv_freq") || (spec.tied && name == "lm_head.weight");
        if !matrix && !not_a_parameter {
            zeros += checkpoint.values(name)?.iter().filter(|value| **value == 0.0).count() as u64;
        }
    }
    Ok(zeros)
}
