//! An adapter becomes part of the weights: W + alpha / rank * B A, in f32. Zeros of a sparse base can be kept, and every
//! matrix says how many it had and has.

use paser_protocol::Monitor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Adapter, LowRank};
use crate::{Block, Checkpoint, Decoder, ModelError, Projection};

/// What becomes of weights that are exactly zero in the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zeros {
    /// They stay zero: a sparse model stays sparse, and computes something else than base and adapter side by side.
    Keep,
    /// They get their addition: computes exactly what base and adapter do side by side.
    Fill,
}

/// One matrix before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixMerge {
    pub layer: usize,
    pub projection: Projection,
    pub parameters: u64,
    /// Weights that were exactly zero.
    pub zeros_before: u64,
    /// Weights that are now, before rounding to a file's type.
    pub zeros_after: u64,
}

/// What merging did to the matrices that the adapter names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeReport {
    pub matrices: Vec<MatrixMerge>,
}

impl MergeReport {
    /// Share of zeros over all merged matrices, before and after; 0 without any.
    pub fn sparsity(&self) -> (f64, f64) {
        let sum = |of: fn(&MatrixMerge) -> u64| self.matrices.iter().map(of).sum::<u64>() as f64;
        let parameters = sum(|matrix| matrix.parameters).max(1.0);
        (sum(|matrix| matrix.zeros_before) / parameters, sum(|matrix| matrix.zeros_after) / parameters)
    }
}

impl LowRank {
    /// Adds `scale` * B A to `weight`, row major [outputs, inputs]. Gives the numbers of zeros before and after. Sizes must
    /// have been checked.
    fn add_to(&self, weight: &mut [f32], rank: usize, scale: f32, zeros: Zeros) -> (u64, u64) {
        let inputs = self.a.len() / rank;
        let rows = weight.par_chunks_exact_mut(inputs).zip(self.b.par_chunks_exact(rank));
        let counts = rows.map_init(
            || vec![0.0_f32; inputs],
            |added, (row, factors)| {
                added.fill(0.0);
                for (&factor, direction) in factors.iter().zip(self.a.chunks_exact(inputs)) {
                    for (sum, &value) in added.iter_mut().zip(direction) {
                        *sum += factor * value;
                    }
                }
                let (mut before, mut after) = (0_u64, 0_u64);
                for (weight, &sum) in row.iter_mut().zip(&*added) {
                    let zero = *weight == 0.0;
                    before += u64::from(zero);
                    if !(zero && zeros == Zeros::Keep) {
                        *weight += scale * sum;
                    }
                    after += u64::from(*weight == 0.0);
                }
                (before, after)
            },
        );
        counts.reduce(|| (0, 0), |left, right| (left.0 + right.0, left.1 + right.1))
    }
}

impl Adapter {
    /// Adds this adapter's part to one projection's weight, row major [outputs, inputs]; none where it has no part. The
    /// adapter must have passed [`Adapter::check`].
    pub fn merge_into(
        &self,
        layer: usize,
        projection: Projection,
        weight: &mut [f32],
        zeros: Zeros,
    ) -> Option<MatrixMerge> {
        let part = self.parts.get(&(layer, projection))?;
        let (zeros_before, zeros_after) = part.add_to(weight, self.rank, self.scale(), zeros);
        Some(MatrixMerge { layer, projection, parameters: weight.len() as u64, zeros_before, zeros_after })
    }

    /// Adds this adapter to a layer's weights.
    fn merge_into_block(&self, layer: usize, block: &mut Block, zeros: Zeros, report: &mut MergeReport) {
        for projection in Projection::ALL {
            if self.parts.contains_key(&(layer, projection)) {
                report.matrices.extend(self.merge_into(layer, projection, block.weight_mut(projection), zeros));
            }
        }
    }
}

impl Decoder {
    /// A checkpoint's decoder with an adapter merged into its weights, without a detour over the disk. `monitor` counts
    /// layers.
    ///
    /// # Errors
    /// As [`Decoder::load`] and [`Adapter::check`]; [`ModelError::Cancelled`].
    pub fn load_with(
        checkpoint: &Checkpoint,
        adapter: &Adapter,
        zeros: Zeros,
        monitor: &dyn Monitor,
    ) -> Result<(Self, MergeReport), ModelError> {
        adapter.check(checkpoint.spec(), checkpoint.dir())?;
        let mut decoder = Self::load(checkpoint)?;
        let mut report = MergeReport::default();
        let blocks = decoder.blocks_mut();
        let total = blocks.len() as u64;
        for (layer, block) in blocks.iter_mut().enumerate() {
            if monitor.cancelled() {
                return Err(ModelError::Cancelled);
            }
            adapter.merge_into_block(layer, block, zeros, &mut report);
            monitor.progress(layer as u64 + 1, total);
        }
        Ok((decoder, report))
    }
}
