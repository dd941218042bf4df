//! Low-rank additions to a decoder's projections (LoRA): y += alpha / rank * (x A^T) B^T. What training changes, and what
//! PEFT reads and writes.

mod merged;
mod peft;

use std::collections::BTreeMap;

use crate::train::{Layout, Slot};
use crate::{ModelSpec, Projection};

pub use merged::{NamedBytes, Sparsity, merged_files};

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
    /// The additions that trained numbers in a layout of low-rank parts are.
    pub fn of_values(layout: &Layout, values: &[f32], rank: usize, alpha: f64) -> Self {
        let mut parts = BTreeMap::new();
        for (slot, range) in layout.parts() {
            if let Slot::A(layer, projection) = slot
                && let Some(b) = layout.place(Slot::B(layer, projection))
            {
                parts.insert((layer, projection), LowRank { a: values[range].to_vec(), b: values[b].to_vec() });
            }
        }
        Self { rank, alpha, dropout: 0.0, parts }
    }

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
}
