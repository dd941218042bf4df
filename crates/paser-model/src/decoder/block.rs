//! One decoder layer: x += o(attention(norm x)); x += down(silu(gate(norm x)) * up(norm x)). Weights are f32, q, k, v
//! stand in one matrix and gate, up in another, so that each is one product.

use std::ops::Range;

use super::batch::Segment;
use crate::checkpoint::Checkpoint;
use crate::infer::{bias_name, layer_part};
use crate::kernels::{self, AttentionShape, Linear, Mask, RopeTable};
use crate::spec::{LayerSpec, Projection, projection_name};
use crate::{Batch, ModelError, ModelSpec};

/// Rows that go through the feed-forward part together: its widest intermediate then stays in the cache.
const FEED_ROWS: usize = 256;

/// Matrices of one layer that read the same input rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Input of q, k and v: the normalised residual stream.
    Attention,
    /// Input of o: what the heads give, side by side.
    Heads,
    /// Input of gate and up: the normalised residual stream.
    FeedForward,
    /// Input of down: the gated activations.
    Activations,
}

impl Site {
    /// Where a projection reads.
    pub fn of(projection: Projection) -> Self {
        match projection {
            Projection::Q | Projection::K | Projection::V => Self::Attention,
            Projection::O => Self::Heads,
            Projection::Gate | Projection::Up => Self::FeedForward,
            Projection::Down => Self::Activations,
        }
    }
}

/// Receives rows [n, width of the site] as the forward pass reaches them; one site may come in several pieces.
pub type Observer<'a> = dyn FnMut(Site, &[f32]) + 'a;

/// A loaded layer.
#[derive(Debug)]
pub struct Block {
    spec: LayerSpec,
    hidden: usize,
    norm_eps: f64,
    input_norm: Vec<f32>,
    feed_norm: Vec<f32>,
    /// Weights of the per-head norms of q and k.
    head_norms: Option<(Vec<f32>, Vec<f32>)>,
    qkv: Linear,
    o: Linear,
    gate_up: Linear,
    down: Linear,
}

/// Buffers that a forward pass reuses from layer to layer.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    normed: Vec<f32>,
    qkv: Vec<f32>,
    /// Rows of a shared beginning and of a segment after it, together.
    joined: Vec<f32>,
    heads: Vec<f32>,
    scores: Vec<f32>,
    gate_up: Vec<f32>,
    activations: Vec<f32>,
}

/// A sequence that goes on.
pub(crate) struct Continued<'a> {
    pub rope: &'a RopeTable,
    /// Rows read earlier, which stand first in `past`.
    pub before: usize,
    /// Rows that come now.
    pub rows: usize,
    /// Packed queries, keys and values, [rows, width].
    pub past: &'a mut Vec<f32>,
}

impl Block {
    /// Reads layer `layer`, every weight as f32.
    ///
    /// # Errors
    /// Missing or non-finite tensors and unreadable dtypes.
    pub fn load(checkpoint: &Checkpoint, layer: usize) -> Result<Self, ModelError> {
        let model = checkpoint.spec();
        let Some(spec) = model.layers.get(layer) else {
            let tensor = projection_name(layer, Projection::Q);
            return Err(ModelError::MissingTensor { path: checkpoint.dir().to_owned(), tensor });
        };
        let hidden = model.hidden;
        let stack = |projections: &[Projection]| -> Result<Linear, ModelError> {
            let mut linear = Linear {
                weight: Vec::new(),
                bias: Vec::new(),
                outputs: 0,
                inputs: spec.shape(projections[0], hidden).1,
            };
            for &projection in projections {
                linear.outputs += spec.shape(projection, hidden).0;
                linear.weight.extend(checkpoint.values(&projection_name(layer, projection))?);
                if spec.bias(projection) {
                    linear.bias.extend(checkpoint.values(&bias_name(layer, projection))?);
                }
            }
            Ok(linear)
        };
        let part = |name: &str| checkpoint.values(&layer_part(layer, name));
        Ok(Self {
            spec: spec.clone(),
            hidden,
            norm_eps: model.norm_eps,
            input_norm: part("input_layernorm.weight")?,
            feed_norm: part("post_attention_layernorm.weight")?,
            head_norms: if spec.qk_norm {
                Some((part("self_attn.q_norm.weight")?, part("self_attn.k_norm.weight")?))
            } else {
                None
            },
            qkv: stack(&[Projection::Q, Projection::K, Projection::V])?,
            o: stack(&[Projection::O])?,
            gate_up: stack(&[Projection::Gate, Projection::Up])?,
            down: stack(&[Projection::Down])?,
        })
    }

    /// The layer's sizes.
    pub fn spec(&self) -> &LayerSpec {
        &self.spec
    }

    /// A projection's weight, row major [outputs, inputs].
    pub fn weight_mut(&mut self, projection: Projection) -> &mut [f32] {
        let (rows, columns) = self.spec.shape(projection, self.hidden);
        let (query, key) = (self.spec.heads * self.spec.head_dim, self.spec.kv_heads * self.spec.head_dim);
        let (linear, first) = match projection {
            Projection::Q => (&mut self.qkv, 0),
            Projection::K => (&mut self.qkv, query),
            Projection::V => (&mut self.qkv, query + key),
            Projection::O => (&mut self.o, 0),
            Projection::Gate => (&mut self.gate_up, 0),
            Projection::Up => (&mut self.gate_up, self.spec.ffn),
            Projection::Down => (&mut self.down, 0),
        };
        &mut linear.weight[first * columns..(first + rows) * columns]
    }

    /// Runs the layer over the residual stream `x` [batch.rows(), hidden], in place.
    pub fn forward(&self, model: &ModelSpec, batch: &Batch, x: &mut [f32], observe: &mut Observer<'_>) {
        let rope = RopeTable::new(&model.rope, self.spec.head_dim, batch.longest());
        self.run(batch, &rope, x, &mut Scratch::default(), observe);
    }

    pub(crate) fn run(
        &self,
        batch: &Batch,
        rope: &RopeTable,
        x: &mut [f32],
        scratch: &mut Scratch,
        observe: &mut Observer<'_>,
    ) {
        self.mix(batch, rope, x, |segment| segment.rows.clone(), scratch, observe);
        self.o.add_to(&scratch.heads, x);
        self.feed(x, scratch, observe);
    }

    /// The last layer of a model: as [`Self::run`], but only the batch's wanted rows come out, one after the other.
    pub(crate) fn run_wanted(&self, batch: &Batch, rope: &RopeTable, x: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        self.mix(batch, rope, x, |segment| segment.wanted.clone(), scratch, &mut |_, _| {});
        let mut out = Vec::with_capacity(
            batch.segments().iter().map(|segment| segment.wanted.len()).sum::<usize>() * self.hidden,
        );
        for segment in batch.segments() {
            out.extend_from_slice(&x[segment.wanted.start * self.hidden..segment.wanted.end * self.hidden]);
        }
        self.o.add_to(&scratch.heads, &mut out);
        self.feed(&mut out, scratch, &mut |_, _| {});
        out
    }

    /// As [`Self::run`] for rows that go on with sequences read before: `x` holds those of each sequence, one after the
    /// other. Their packed queries, keys and values take their place behind the earlier ones.
    pub(crate) fn run_on(&self, sequences: &mut [Continued<'_>], x: &mut [f32], scratch: &mut Scratch) {
        let shape = self.attention_shape();
        let (rows, width, out_width) = (x.len() / self.hidden, shape.width(), shape.heads * shape.head_dim);
        scratch.normed.resize(x.len(), 0.0);
        scratch.qkv.resize(rows * width, 0.0);
        scratch.heads.resize(rows * out_width, 0.0);
        kernels::rms_norm(x, &self.input_norm, self.norm_eps, &mut scratch.normed);
        self.qkv.write(&scratch.normed, &mut scratch.qkv);
        let mask = Mask::Causal { window: self.spec.window };
        let (mut own, mut out) = (scratch.qkv.as_slice(), scratch.heads.as_mut_slice());
        for Continued { rope, before, rows, past } in sequences {
            let (new, later) = own.split_at(*rows * width);
            let (heads, rest) = out.split_at_mut(*rows * out_width);
            past.truncate(*before * width);
            past.extend_from_slice(new);
            self.position(shape, rope, *before, &mut past[*before * width..]);
            kernels::attention(shape, mask, past, *before, heads, &mut scratch.scores);
            (own, out) = (later, rest);
        }
        self.o.add_to(&scratch.heads, x);
        self.feed(x, scratch, &mut |_, _| {});
    }

    fn attention_shape(&self) -> AttentionShape {
        AttentionShape { heads: self.spec.heads, kv_heads: self.spec.kv_heads, head_dim: self.spec.head_dim }
    }

    /// Attention: what the heads give for the rows that `queries` names (the last ones of each segment) goes to
    /// `scratch.heads`, [rows named, heads * head_dim].
    fn mix(
        &self,
        batch: &Batch,
        rope: &RopeTable,
        x: &[f32],
        queries: fn(&Segment) -> Range<usize>,
        scratch: &mut Scratch,
        observe: &mut Observer<'_>,
    ) {
        let shape = self.attention_shape();
        let (rows, width) = (batch.rows(), shape.width());
        let out_width = shape.heads * shape.head_dim;
        scratch.normed.resize(rows * self.hidden, 0.0);
        scratch.qkv.resize(rows * width, 0.0);
        scratch
            .heads
            .resize(batch.segments().iter().map(|segment| queries(segment).len()).sum::<usize>() * out_width, 0.0);
        kernels::rms_norm(x, &self.input_norm, self.norm_eps, &mut scratch.normed);
        observe(Site::Attention, &scratch.normed);
        self.qkv.write(&scratch.normed, &mut scratch.qkv);
        let mask = Mask::Causal { window: self.spec.window };
        let mut done = 0;
        for segment in batch.segments() {
            let own = segment.rows.start * width..segment.rows.end * width;
            self.position(shape, rope, segment.prefix.len(), &mut scratch.qkv[own.clone()]);
            let asked = queries(segment);
            let out = &mut scratch.heads[done..done + asked.len() * out_width];
            done += out.len();
            let first = segment.prefix.len() + asked.start - segment.rows.start;
            if segment.prefix.is_empty() {
                kernels::attention(shape, mask, &scratch.qkv[own], first, out, &mut scratch.scores);
            } else {
                scratch.joined.clear();
                scratch
                    .joined
                    .extend_from_slice(&scratch.qkv[segment.prefix.start * width..segment.prefix.end * width]);
                scratch.joined.extend_from_slice(&scratch.qkv[own]);
                kernels::attention(shape, mask, &scratch.joined, first, out, &mut scratch.scores);
            }
        }
        observe(Site::Heads, &scratch.heads);
    }

    /// Norms (where the family has them) and turns queries and keys of one segment that starts at position `start`.
    fn position(&self, shape: AttentionShape, rope: &RopeTable, start: usize, qkv: &mut [f32]) {
        let turned = (shape.heads + shape.kv_heads) * shape.head_dim;
        kernels::vectorised(
            #[inline(always)]
            || {
                for (position, row) in qkv.chunks_exact_mut(shape.width()).enumerate() {
                    for (head, values) in row[..turned].chunks_exact_mut(shape.head_dim).enumerate() {
                        if let Some((query, key)) = &self.head_norms {
                            let weight = if head < shape.heads { query } else { key };
                            kernels::rms_norm_in_place(values, weight, self.norm_eps);
                        }
                        rope.turn(values, start + position);
                    }
                }
            },
        );
    }

    fn feed(&self, x: &mut [f32], scratch: &mut Scratch, observe: &mut Observer<'_>) {
        for rows in x.chunks_mut(FEED_ROWS * self.hidden) {
            self.feed_rows(rows, scratch, observe);
        }
    }

    fn feed_rows(&self, x: &mut [f32], scratch: &mut Scratch, observe: &mut Observer<'_>) {
        let (rows, ffn) = (x.len() / self.hidden, self.spec.ffn);
        let normed = &mut scratch.normed[..rows * self.hidden];
        scratch.gate_up.resize(rows * 2 * ffn, 0.0);
        scratch.activations.resize(rows * ffn, 0.0);
        kernels::rms_norm(x, &self.feed_norm, self.norm_eps, normed);
        observe(Site::FeedForward, normed);
        self.gate_up.write(normed, &mut scratch.gate_up);
        kernels::silu_times(&scratch.gate_up, ffn, &mut scratch.activations);
        observe(Site::Activations, &scratch.activations);
        self.down.add_to(&scratch.activations, x);
    }
}
