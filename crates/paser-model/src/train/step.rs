//! One step: a batch is cut into packs of about equal length, each computed by one thread, and their gradients are added in
//! the packs' order, so that the sum does not depend on how many threads there are.

use std::ops::Range;

use rayon::prelude::*;

use super::block::{self, Kept, Pass};
use super::dropout::Dropout;
use super::head;
use super::layout::{Layout, Slot, set_block};
use crate::decoder::embed;
use crate::kernels::RopeTable;
use crate::{Adapter, Batch, Checkpoint, Decoder, LowRank, ModelError, ModelSpec};

/// Tokens that one pack holds, about: its activations stay in the cache of a small model, and a step has work for several
/// threads.
const PACK_TOKENS: usize = 512;

/// A sample as it is trained on.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// Decides what dropout leaves out; the sample's own number.
    pub sample: u64,
    pub ids: &'a [u32],
    /// Whether the loss of each token counts, `[ids]`. Nothing predicts the first one.
    pub counted: &'a [bool],
}

impl Example<'_> {
    /// Tokens whose loss counts.
    pub fn targets(&self) -> usize {
        self.counted.iter().skip(1).filter(|counted| **counted).count()
    }
}

/// What one step came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// Mean over the counted tokens of the batch, nats.
    pub loss: f64,
    /// Counted tokens.
    pub targets: usize,
    /// Of that mean, in the trainee's layout.
    pub values: Vec<f32>,
}

/// A decoder in training.
#[derive(Debug)]
pub struct Trainee {
    decoder: Decoder,
    layout: Layout,
    values: Vec<f32>,
    rank: usize,
    alpha: f64,
    /// Layers are computed once more in the reverse pass.
    recompute: bool,
}

/// What a thread uses again from pack to pack.
#[derive(Default)]
struct Worker {
    kept: Vec<Kept>,
    inputs: Vec<Vec<f32>>,
    block: block::Scratch,
    head: head::Scratch,
}

impl Trainee {
    /// Trains low-rank additions, which start as `adapter` says. Its projections may be any.
    ///
    /// # Errors
    /// As [`Decoder::load`]; an adapter of other shapes.
    pub fn low_rank(checkpoint: &Checkpoint, adapter: &Adapter) -> Result<Self, ModelError> {
        let decoder = Decoder::load(checkpoint)?;
        let mut projections: Vec<_> = adapter.parts.keys().map(|(_, projection)| *projection).collect();
        projections.sort_unstable();
        projections.dedup();
        let layout = Layout::low_rank(&decoder.spec, adapter.rank, &projections);
        let mut values = vec![0.0; layout.len()];
        for (slot, range) in layout.parts() {
            let (key, of): (_, fn(&LowRank) -> &Vec<f32>) = match slot {
                Slot::A(layer, projection) => ((layer, projection), |part| &part.a),
                Slot::B(layer, projection) => ((layer, projection), |part| &part.b),
                _ => continue,
            };
            let found = adapter.parts.get(&key).map(of).filter(|found| found.len() == range.len());
            let Some(found) = found else {
                let expected = format!("{} numbers", range.len());
                let found = adapter.parts.get(&key).map_or(Vec::new(), |part| vec![of(part).len()]);
                return Err(ModelError::Shape {
                    path: checkpoint.dir().to_owned(),
                    tensor: slot.name(),
                    found,
                    expected,
                });
            };
            values[range].copy_from_slice(found);
        }
        Ok(Self { decoder, layout, values, rank: adapter.rank, alpha: adapter.alpha, recompute: false })
    }

    /// Trains the model's own weights: all of them, or those of the last layers with final norm and head.
    ///
    /// # Errors
    /// As [`Decoder::load`].
    pub fn weights(checkpoint: &Checkpoint, last_layers: Option<usize>) -> Result<Self, ModelError> {
        let decoder = Decoder::load(checkpoint)?;
        let layout = Layout::weights(&decoder.spec, last_layers);
        let values = layout.read(checkpoint)?;
        Ok(Self { decoder, layout, values, rank: 0, alpha: 0.0, recompute: false })
    }

    /// Keeps what fits into `bytes` on each of `threads`; where a pack's activations do not, layers are computed twice.
    #[must_use]
    pub fn within(mut self, bytes: u64, threads: usize) -> Self {
        let tokens = PACK_TOKENS.max(self.decoder.spec.context.min(PACK_TOKENS));
        self.recompute = self.activation_bytes(tokens) * threads as u64 > bytes;
        self
    }

    /// Bytes that the reverse pass of so many tokens needs where nothing is computed twice.
    pub fn activation_bytes(&self, tokens: usize) -> u64 {
        let spec = &self.decoder.spec;
        let layer = |layer: &crate::LayerSpec| {
            let qkv = (layer.heads + 2 * layer.kv_heads) * layer.head_dim;
            4 * spec.hidden
                + qkv * if layer.qk_norm { 2 } else { 1 }
                + layer.heads * layer.head_dim
                + 3 * layer.ffn
                + 7 * self.rank
        };
        spec.layers.iter().map(|of| (layer(of) * tokens * 4) as u64).sum()
    }

    pub fn spec(&self) -> &ModelSpec {
        &self.decoder.spec
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The trained numbers.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The additions as they are now; none where the model's own weights are trained.
    pub fn adapter(&self) -> Option<Adapter> {
        (self.rank > 0).then(|| Adapter::of_values(&self.layout, &self.values, self.rank, self.alpha))
    }

    /// The model as it is now, additions merged.
    pub fn merged(&self) -> Decoder {
        let mut decoder = self.decoder.clone();
        if let Some(adapter) = self.adapter() {
            decoder.add(&adapter);
        }
        decoder
    }

    /// Changes the trained numbers: an optimiser's step, or what a checkpoint held.
    pub fn change(&mut self, change: impl FnOnce(&mut [f32])) {
        change(&mut self.values);
        if self.rank > 0 {
            return;
        }
        let Self { decoder, layout, values, .. } = self;
        for (layer, block) in decoder.blocks.iter_mut().enumerate() {
            set_block(block, layer, layout, values);
        }
        for (slot, range) in layout.parts() {
            match slot {
                Slot::Embedding => decoder.embedding.copy_from_slice(&values[range]),
                Slot::FinalNorm => decoder.final_norm.copy_from_slice(&values[range]),
                Slot::Head => {
                    if let Some(head) = &mut decoder.head {
                        head.copy_from_slice(&values[range]);
                    }
                }
                _ => {}
            }
        }
    }

    /// Mean loss of the batch and its gradient, on the threads of the current rayon pool.
    ///
    /// # Errors
    /// A sequence that does not fit the model, by its place in the batch; [`ModelError::Cancelled`] once `stop` says so.
    pub fn gradients(
        &self,
        batch: &[Example<'_>],
        dropout: Option<Dropout>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Gradients, ModelError> {
        let sequences: Vec<&[u32]> = batch.iter().map(|example| example.ids).collect();
        Batch::new(&self.decoder.spec, &sequences)?;
        let targets: usize = batch.iter().map(Example::targets).sum();
        let mut sum = Gradients { loss: 0.0, targets, values: vec![0.0; self.layout.len()] };
        if targets == 0 {
            return Ok(sum);
        }
        let packs = packs(batch);
        let longest = sequences.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let ropes = self.ropes(longest);
        let dropout = dropout.filter(|dropout| !dropout.is_off());
        let threads = rayon::current_num_threads().max(1);
        // Threads that are done with a round wait for the others, which have packs of about the same length.
        for round in packs.chunks(threads) {
            let parts: Vec<Option<(f64, Vec<f32>)>> = round
                .par_iter()
                .map(|pack| self.pack(pack, &ropes, (1.0 / targets as f64) as f32, dropout, stop))
                .collect();
            for part in parts {
                let (loss, gradients) = part.ok_or(ModelError::Cancelled)?;
                sum.loss += loss / targets as f64;
                for (sum, value) in sum.values.iter_mut().zip(gradients) {
                    *sum += value;
                }
            }
        }
        Ok(sum)
    }

    /// A table for every width of a head.
    fn ropes(&self, longest: usize) -> Vec<(usize, RopeTable)> {
        let mut tables: Vec<(usize, RopeTable)> = Vec::new();
        for layer in &self.decoder.spec.layers {
            if !tables.iter().any(|(width, _)| *width == layer.head_dim) {
                tables.push((layer.head_dim, RopeTable::new(&self.decoder.spec.rope, layer.head_dim, longest)));
            }
        }
        tables
    }

    /// Sum of the pack's losses, and `weight` times its gradient; none once `stop` says so.
    fn pack(
        &self,
        pack: &[Example<'_>],
        ropes: &[(usize, RopeTable)],
        weight: f32,
        dropout: Option<Dropout>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Option<(f64, Vec<f32>)> {
        let Packed { segments, rows, targets } = Packed::new(pack);
        let sequences: Vec<&[u32]> = pack.iter().map(|example| example.ids).collect();
        let decoder = &self.decoder;
        let pass = Pass {
            layout: &self.layout,
            values: &self.values,
            rank: self.rank,
            scale: if self.rank == 0 { 0.0 } else { (self.alpha / self.rank as f64) as f32 },
            dropout,
            segments: &segments,
            rows: &rows,
        };
        let rope = |layer: usize| {
            let width = decoder.spec.layers[layer].head_dim;
            ropes.iter().find(|(of, _)| *of == width).map(|(_, table)| table)
        };
        let mut worker = Worker::default();
        let layers = decoder.blocks.len();
        let first = self.layout.first_layer().unwrap_or(layers);
        let mut x = embed(&decoder.embedding, decoder.spec.hidden, &sequences);
        let mut once = Kept::default();
        for (layer, block) in decoder.blocks.iter().enumerate() {
            if stop() {
                return None;
            }
            // Layers below the first trained one have no reverse.
            if layer >= first {
                worker.inputs.push(x.clone());
            }
            let keeps = layer >= first && (!self.recompute || layer + 1 == layers);
            let mut kept = if keeps { Kept::default() } else { std::mem::take(&mut once) };
            block::forward(block, layer, &pass, rope(layer)?, &mut x, &mut kept, &mut worker.block);
            if keeps {
                worker.kept.push(kept);
            } else {
                once = kept;
            }
        }
        let mut gradients = vec![0.0; self.layout.len()];
        let mut dx = vec![0.0; x.len()];
        let loss =
            head::loss_and_gradient(decoder, &pass, (&x, &targets), weight, &mut dx, &mut gradients, &mut worker.head);
        let embedded = self.layout.place(Slot::Embedding).filter(|_| first == 0);
        for layer in (first..layers).rev() {
            if stop() {
                return None;
            }
            let block = &decoder.blocks[layer];
            let input = worker.inputs.pop()?;
            let kept = if self.recompute && layer + 1 < layers {
                let mut again = input.clone();
                block::forward(block, layer, &pass, rope(layer)?, &mut again, &mut once, &mut worker.block);
                std::mem::take(&mut once)
            } else {
                worker.kept.pop()?
            };
            let below = layer > first || embedded.is_some();
            let input = (input.as_slice(), &kept);
            block::back(block, layer, &pass, rope(layer)?, input, &mut dx, &mut gradients, below, &mut worker.block);
            once = kept;
        }
        if let Some(place) = embedded {
            let hidden = decoder.spec.hidden;
            let table = &mut gradients[place];
            for (&id, dx) in sequences.iter().copied().flatten().zip(dx.chunks_exact(hidden)) {
                for (sum, dx) in table[id as usize * hidden..][..hidden].iter_mut().zip(dx) {
                    *sum += dx;
                }
            }
        }
        Some((loss, gradients))
    }
}

/// Sequences end to end.
struct Packed {
    segments: Vec<Range<usize>>,
    rows: Vec<(u64, u32)>,
    /// Row, and the token that it has to predict.
    targets: Vec<(usize, u32)>,
}

impl Packed {
    fn new(pack: &[Example<'_>]) -> Self {
        let mut packed = Self { segments: Vec::new(), rows: Vec::new(), targets: Vec::new() };
        for example in pack {
            let start = packed.rows.len();
            packed.rows.extend((0..example.ids.len()).map(|position| (example.sample, position as u32)));
            packed.segments.push(start..packed.rows.len());
            let predicted = (1..example.ids.len()).filter(|&at| example.counted[at]);
            packed.targets.extend(predicted.map(|at| (start + at - 1, example.ids[at])));
        }
        packed
    }
}

/// Cuts a batch into packs of about [`PACK_TOKENS`] tokens and about equal length: the longest first, each to the pack that
/// has the fewest tokens.
fn packs<'a>(batch: &[Example<'a>]) -> Vec<Vec<Example<'a>>> {
    let total: usize = batch.iter().map(|example| example.ids.len()).sum();
    let count = total.div_ceil(PACK_TOKENS).clamp(1, batch.len().max(1));
    let mut packs: Vec<(usize, Vec<Example<'a>>)> = vec![(0, Vec::new()); count];
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(batch[at].ids.len()), at));
    for at in order {
        if let Some((tokens, pack)) = packs.iter_mut().min_by_key(|(tokens, _)| *tokens) {
            *tokens += batch[at].ids.len();
            pack.push(batch[at]);
        }
    }
    packs.into_iter().map(|(_, pack)| pack).collect()
}
