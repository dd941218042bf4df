//! Low-rank additions to a decoder's projections (LoRA): y += alpha / rank * (x A^T) B^T. What training changes, and what
//! PEFT reads and writes.

mod merge;
pub mod peft;

use std::collections::BTreeMap;
use std::path::Path;

use crate::{ModelError, ModelSpec, Projection, projection_name};

pub use merge::{MatrixMerge, MergeReport, Zeros};

/// One projection's addition. Row major, f32.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    /// [rank, inputs].
    pub a: Vec<f32>,
    /// [outputs, rank].
    pub b: Vec<f32>,
}

/// The additions of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    pub rank: usize,
    pub alpha: f64,
    /// Share of the inputs that training leaves out at each step; 0 outside of training.
    pub dropout: f64,
    /// By layer and projection, in forward order.
    pub parts: BTreeMap<(usize, Projection), LowRank>,
}

impl Adapter {
    /// alpha / rank.
    pub fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }

    /// Trained numbers of an adapter of this rank on all seven projections of every layer.
    pub fn parameters(spec: &ModelSpec, rank: usize) -> u64 {
        let each = |layer: &crate::LayerSpec| -> usize {
            Projection::ALL
                .iter()
                .map(|&projection| layer.shape(projection, spec.hidden))
                .map(|(o, i)| rank * (o + i))
                .sum()
        };
        spec.layers.iter().map(|layer| each(layer) as u64).sum()
    }

    /// Checks every part against a model; `path` is where the adapter or the model came from.
    ///
    /// # Errors
    /// A rank of 0, an alpha that is no number, a layer that the model does not have, matrices of other sizes, values that
    /// are not finite.
    pub fn check(&self, spec: &ModelSpec, path: &Path) -> Result<(), ModelError> {
        if self.rank == 0 || !self.alpha.is_finite() {
            return Err(ModelError::Config {
                path: path.to_owned(),
                reason: format!("an adapter of rank {} and alpha {} changes nothing", self.rank, self.alpha),
            });
        }
        for (&(layer, projection), part) in &self.parts {
            let tensor = projection_name(layer, projection);
            let Some(sizes) = spec.layers.get(layer) else {
                return Err(ModelError::AnotherBase {
                    path: path.to_owned(),
                    reason: format!("it adds to {tensor}, and the model has {} layers", spec.layers.len()),
                });
            };
            let (outputs, inputs) = sizes.shape(projection, spec.hidden);
            for (values, name, rows, columns) in [(&part.a, "A", self.rank, inputs), (&part.b, "B", outputs, self.rank)]
            {
                if values.len() != rows * columns {
                    return Err(ModelError::Shape {
                        path: path.to_owned(),
                        tensor: format!("{name} of {tensor}"),
                        found: vec![values.len()],
                        expected: format!("{} values, [{rows}, {columns}]", rows * columns),
                    });
                }
                if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                    return Err(ModelError::NotFinite {
                        path: path.to_owned(),
                        tensor: format!("{name} of {tensor}"),
                        index,
                        value: values[index],
                    });
                }
            }
        }
        Ok(())
    }
}
