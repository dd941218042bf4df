//! Low-rank additions to a decoder's projections (LoRA): y += alpha / rank * (x A^T) B^T. What training changes, and what
//! PEFT reads and writes.

use std::collections::BTreeMap;

use crate::{ModelSpec, Projection};

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
}
