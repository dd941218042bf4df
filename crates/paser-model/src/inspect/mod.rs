//! What a checkpoint holds, layer by layer: sizes, parameters, zeros, N:M patterns; and for two checkpoints, what
//! differs. Reads weights, runs nothing.

mod compare;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use paser_protocol::Monitor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::spec::{Assumption, Family, Projection, projection_name};
use crate::{Checkpoint, ModelError};

pub use compare::{Comparison, FieldDifference, LayerDifference, TensorDifferences, compare};

/// One checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub dir: PathBuf,
    pub family: Family,
    pub hidden: usize,
    pub vocab: usize,
    pub context: usize,
    pub tied: bool,
    /// Number type of the projections on disk.
    pub dtype: String,
    /// All parameters, a tied head once.
    pub parameters: u64,
    /// Parameters that are exactly zero.
    pub zeros: u64,
    /// The pattern that every projection matrix has, if there is one.
    pub pattern: Option<ZeroPattern>,
    pub has_tokenizer: bool,
    /// Values that neither configuration nor tensors state.
    pub assumed: Vec<Assumption>,
    pub layers: Vec<LayerReport>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    pub layer: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub ffn: usize,
    pub parameters: u64,
    pub zeros: u64,
    pub projections: Vec<ProjectionReport>,
}

/// One projection matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectionReport {
    pub projection: Projection,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    pub zeros: u64,
    pub pattern: Option<ZeroPattern>,
}

/// In each group of `group` neighbours of a row at most `kept` are not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZeroPattern {
    pub kept: usize,
    pub group: usize,
}

/// Patterns that hardware and pruners use, narrowest group first: a 2:4 matrix also satisfies 4:8.
const PATTERNS: [ZeroPattern; 2] = [ZeroPattern { kept: 2, group: 4 }, ZeroPattern { kept: 4, group: 8 }];

impl ZeroPattern {
    /// Whether every group of every row keeps the pattern. Rows must be a whole number of groups long.
    pub fn holds(self, weights: &[f32], columns: usize) -> bool {
        columns.is_multiple_of(self.group)
            && weights
                .chunks_exact(self.group)
                .all(|group| group.iter().filter(|weight| **weight != 0.0).count() <= self.kept)
    }

    /// The first known pattern that a matrix keeps; none for a matrix without zeros or with nothing but zeros.
    fn find(weights: &[f32], columns: usize, zeros: u64) -> Option<Self> {
        if zeros == 0 || zeros == weights.len() as u64 {
            return None;
        }
        PATTERNS.into_iter().find(|pattern| pattern.holds(weights, columns))
    }
}

/// Reads every weight and reports. Progress counts parameters.
///
/// # Errors
/// Non-finite weights and unreadable dtypes, named; [`ModelError::Cancelled`].
pub fn inspect(checkpoint: &Checkpoint, monitor: &dyn Monitor) -> Result<Report, ModelError> {
    let spec = checkpoint.spec();
    let total = spec.parameters();
    let done = AtomicU64::new(0);
    let count = |name: &str| -> Result<(u64, Vec<f32>), ModelError> {
        if monitor.cancelled() {
            return Err(ModelError::Cancelled);
        }
        let weights = checkpoint.values(name)?;
        let zeros = weights.iter().filter(|weight| **weight == 0.0).count() as u64;
        let size = weights.len() as u64;
        monitor.progress((done.fetch_add(size, Ordering::Relaxed) + size).min(total), total);
        Ok((zeros, weights))
    };
    let layers = (0..spec.layers.len())
        .into_par_iter()
        .map(|layer| {
            let sizes = &spec.layers[layer];
            let mut projections = Vec::new();
            for projection in Projection::ALL {
                let (zeros, weights) = count(&projection_name(layer, projection))?;
                let (rows, columns) = sizes.shape(projection, spec.hidden);
                let pattern = ZeroPattern::find(&weights, columns, zeros);
                projections.push(ProjectionReport { projection, rows, columns, zeros, pattern });
            }
            let prefix = format!("model.layers.{layer}.");
            let matrices: Vec<String> =
                Projection::ALL.iter().map(|&projection| projection_name(layer, projection)).collect();
            let mut zeros = projections.iter().map(|report| report.zeros).sum();
            for name in
                checkpoint.tensor_names().filter(|name| name.starts_with(&prefix) && !name.ends_with("inv_freq"))
            {
                if !matrices.iter().any(|matrix| matrix == name) {
                    zeros += count(name)?.0;
                }
            }
            Ok(LayerReport {
                layer,
                heads: sizes.heads,
                kv_heads: sizes.kv_heads,
                head_dim: sizes.head_dim,
                ffn: sizes.ffn,
                parameters: sizes.parameters(spec.hidden),
                zeros,
                projections,
            })
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let mut zeros = layers.iter().map(|layer| layer.zeros).sum();
    for name in checkpoint.tensor_names().filter(|name| !name.starts_with("model.layers.")) {
        if !(spec.tied && name == crate::infer::HEAD) {
            zeros += count(name)?.0;
        }
    }
    let mut patterns = layers.iter().flat_map(|layer| &layer.projections).map(|report| report.pattern);
    let first = patterns.next().flatten();
    Ok(Report {
        dir: checkpoint.dir().to_owned(),
        family: spec.family,
        hidden: spec.hidden,
        vocab: spec.vocab,
        context: spec.context,
        tied: spec.tied,
        dtype: spec.weights_dtype.clone(),
        parameters: total,
        zeros,
        pattern: first.filter(|first| patterns.all(|pattern| pattern == Some(*first))),
        has_tokenizer: checkpoint.tokenizer_path().is_some(),
        assumed: spec.assumed.clone(),
        layers,
    })
}

#[cfg(test)]
mod tests {
    use super::ZeroPattern;

    const TWO_OF_FOUR: ZeroPattern = ZeroPattern { kept: 2, group: 4 };
    const FOUR_OF_EIGHT: ZeroPattern = ZeroPattern { kept: 4, group: 8 };

    #[test]
    fn patterns_are_told_apart() {
        let two = [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 3.0, 4.0];
        let four = [1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let loose = [1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0, 0.0];
        let zeros = |weights: &[f32]| weights.iter().filter(|weight| **weight == 0.0).count() as u64;
        assert_eq!(ZeroPattern::find(&two, 8, zeros(&two)), Some(TWO_OF_FOUR));
        assert_eq!(ZeroPattern::find(&four, 8, zeros(&four)), Some(FOUR_OF_EIGHT));
        assert_eq!(ZeroPattern::find(&loose, 8, zeros(&loose)), None);
        assert_eq!(ZeroPattern::find(&[0.0; 8], 8, 8), None);
        assert_eq!(ZeroPattern::find(&two[..6], 6, zeros(&two[..6])), None, "a row of 6 has no groups of 4");
    }
}
