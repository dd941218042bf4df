//! One layer forward with everything kept that its reverse needs, and the reverse. A frozen weight takes part in the
//! gradient of its input alone.

use std::ops::Range;

use faer::Accum;

use super::dropout::Dropout;
use super::layout::{Layout, Slot};
use super::low_rank::{self, Addition};
use crate::kernels::{
    self, AttentionScratch, Columns, Linear, Mask, RopeTable, add_transposed_times, times, vectorised,
};
use crate::{Block, Projection};

/// What is trained, and how, at one step over packed sequences.
pub(super) struct Pass<'a> {
    pub layout: &'a Layout,
    /// In the layout.
    pub values: &'a [f32],
    pub rank: usize,
    pub scale: f32,
    pub dropout: Option<Dropout>,
    /// Rows of each sequence.
    pub segments: &'a [Range<usize>],
    /// The sample of each row, and the row's position in it.
    pub rows: &'a [(u64, u32)],
}

/// What a layer's forward pass leaves for its reverse; all row major, one row a token.
#[derive(Debug, Default)]
pub(super) struct Kept {
    normed: Vec<f32>,
    /// Packed queries, keys and values as attention read them.
    qkv: Vec<f32>,
    /// The same before norm and rope; empty where heads have no norm.
    raw: Vec<f32>,
    heads: Vec<f32>,
    /// The residual stream between the two halves.
    middle: Vec<f32>,
    feed_normed: Vec<f32>,
    gate_up: Vec<f32>,
    activations: Vec<f32>,
    /// x A^T of each projection, [tokens, rank].
    inner: [Vec<f32>; 7],
}

/// Buffers that are used again from layer to layer.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    keys: Vec<u32>,
    low_rank: low_rank::Scratch,
    scores: Vec<f32>,
    attention: AttentionScratch,
    dactivations: Vec<f32>,
    dgate_up: Vec<f32>,
    dnormed: Vec<f32>,
    dheads: Vec<f32>,
    dqkv: Vec<f32>,
    draw: Vec<f32>,
}

/// Makes a buffer that long without caring what it holds.
fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    buffer
}

fn zeroed(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.clear();
    buffer.resize(len, 0.0);
    buffer
}

impl Pass<'_> {
    fn value(&self, slot: Slot) -> Option<&[f32]> {
        self.layout.place(slot).map(|range| &self.values[range])
    }

    /// The addition to a projection, where it has one.
    fn addition<'s>(&'s self, layer: usize, projection: Projection, keys: &'s mut Vec<u32>) -> Option<Addition<'s>> {
        let (a, b) = (self.value(Slot::A(layer, projection))?, self.value(Slot::B(layer, projection))?);
        let dropout = self.dropout.map(|dropout| {
            dropout.keys(layer, projection, self.rows, keys);
            (dropout, keys.as_slice())
        });
        Some(Addition { a, b, rank: self.rank, scale: self.scale, dropout })
    }

    /// Adds a projection's addition to its place in `out`, rows of `width`.
    fn add(
        &self,
        (layer, projection): (usize, Projection),
        x: &[f32],
        (out, at): (&mut [f32], Columns),
        inner: &mut [Vec<f32>; 7],
        scratch: &mut Scratch,
    ) {
        let Scratch { keys, low_rank, .. } = scratch;
        if let Some(addition) = self.addition(layer, projection, keys) {
            addition.forward(x, out, at, &mut inner[projection as usize], low_rank);
        }
    }

    /// Gradients of a projection's addition or own weight and bias, and what its addition gives to `dx`.
    fn back(
        &self,
        (layer, projection): (usize, Projection),
        (x, inner): (&[f32], &[Vec<f32>; 7]),
        (dout, at): (&[f32], Columns),
        dx: Option<&mut [f32]>,
        gradients: &mut [f32],
        (keys, scratch): (&mut Vec<u32>, &mut low_rank::Scratch),
    ) {
        if let Some(range) = self.layout.place(Slot::Weight(layer, projection)) {
            add_transposed_times(&mut gradients[range], 1.0, dout, at, x);
        }
        if let Some(range) = self.layout.place(Slot::Bias(layer, projection)) {
            let bias = &mut gradients[range];
            for row in dout.chunks_exact(at.width) {
                for (sum, value) in bias.iter_mut().zip(&row[at.first..at.first + at.count]) {
                    *sum += value;
                }
            }
        }
        let places = (self.layout.place(Slot::A(layer, projection)), self.layout.place(Slot::B(layer, projection)));
        if let ((Some(a), Some(b)), Some(addition)) = (places, self.addition(layer, projection, keys)) {
            // A and B of a projection stand one behind the other.
            let both = &mut gradients[a.start..b.end];
            let parts = both.split_at_mut(a.len());
            addition.back((x, &inner[projection as usize]), (dout, at), parts, dx, scratch);
        }
    }
}

/// Where a projection's outputs stand in the rows of the matrix that holds it.
fn columns(block: &Block, linear: &Linear, projection: Projection) -> Columns {
    let count = block.spec.shape(projection, block.hidden).0;
    Columns { width: linear.outputs, first: block.first_row(projection), count }
}

const QKV: [Projection; 3] = [Projection::Q, Projection::K, Projection::V];
const GATED: [Projection; 2] = [Projection::Gate, Projection::Up];

/// The layer over the residual stream `x` [tokens, hidden], in place.
pub(super) fn forward(
    block: &Block,
    layer: usize,
    pass: &Pass<'_>,
    rope: &RopeTable,
    x: &mut [f32],
    kept: &mut Kept,
    scratch: &mut Scratch,
) {
    let shape = block.attention_shape();
    let (tokens, width) = (x.len() / block.hidden, shape.width());
    let Kept { normed, qkv, raw, heads, middle, feed_normed, gate_up, activations, inner } = kept;
    kernels::rms_norm(x, &block.input_norm, block.norm_eps, sized(normed, x.len()));
    block.qkv.write(normed, sized(qkv, tokens * width));
    for projection in QKV {
        let at = columns(block, &block.qkv, projection);
        pass.add((layer, projection), normed, (qkv, at), inner, scratch);
    }
    if block.head_norms.is_some() {
        raw.clone_from(qkv);
    }
    let out_width = shape.heads * shape.head_dim;
    let mask = Mask::Causal { window: block.spec.window };
    sized(heads, tokens * out_width);
    for rows in pass.segments {
        let own = &mut qkv[rows.start * width..rows.end * width];
        block.position(shape, rope, 0, own);
        let out = &mut heads[rows.start * out_width..rows.end * out_width];
        kernels::attention(shape, mask, own, 0, out, &mut scratch.scores);
    }
    block.o.add_to(heads, x);
    pass.add((layer, Projection::O), heads, (x, Columns::all(block.hidden)), inner, scratch);
    middle.clear();
    middle.extend_from_slice(x);
    kernels::rms_norm(x, &block.feed_norm, block.norm_eps, sized(feed_normed, x.len()));
    block.gate_up.write(feed_normed, sized(gate_up, tokens * 2 * block.spec.ffn));
    for projection in GATED {
        let at = columns(block, &block.gate_up, projection);
        pass.add((layer, projection), feed_normed, (gate_up, at), inner, scratch);
    }
    kernels::silu_times(gate_up, block.spec.ffn, sized(activations, tokens * block.spec.ffn));
    block.down.add_to(activations, x);
    pass.add((layer, Projection::Down), activations, (x, Columns::all(block.hidden)), inner, scratch);
}

/// Turns `dx`, the gradient of what the layer gave, into that of its input `x`, and adds to `gradients` those of what is
/// trained in it. `below`: whether anything below needs a gradient; where not, `dx` is left unfinished.
#[expect(clippy::too_many_arguments, reason = "a layer's input, what was kept of it, and where gradients go")]
pub(super) fn back(
    block: &Block,
    layer: usize,
    pass: &Pass<'_>,
    rope: &RopeTable,
    (x, kept): (&[f32], &Kept),
    dx: &mut [f32],
    gradients: &mut [f32],
    below: bool,
    scratch: &mut Scratch,
) {
    let shape = block.attention_shape();
    let (tokens, width, hidden, ffn) = (x.len() / block.hidden, shape.width(), block.hidden, block.spec.ffn);
    let Scratch { keys, low_rank, attention, dactivations, dgate_up, dnormed, dheads, dqkv, draw, .. } = scratch;

    sized(dactivations, tokens * ffn);
    times(dactivations, Accum::Replace, 1.0, dx, Columns::all(hidden), &block.down.weight);
    let down = (kept.activations.as_slice(), &kept.inner);
    let out = (&*dx, Columns::all(hidden));
    pass.back((layer, Projection::Down), down, out, Some(dactivations), gradients, (keys, low_rank));
    kernels::silu_times_back(&kept.gate_up, ffn, dactivations, sized(dgate_up, tokens * 2 * ffn));
    sized(dnormed, x.len());
    times(dnormed, Accum::Replace, 1.0, dgate_up, Columns::all(2 * ffn), &block.gate_up.weight);
    for projection in GATED {
        let out = (dgate_up.as_slice(), columns(block, &block.gate_up, projection));
        let input = (kept.feed_normed.as_slice(), &kept.inner);
        pass.back((layer, projection), input, out, Some(dnormed), gradients, (keys, low_rank));
    }
    norm_back(pass, Slot::FeedNorm(layer), (&kept.middle, &block.feed_norm, block.norm_eps), dnormed, dx, gradients);

    sized(dheads, kept.heads.len());
    times(dheads, Accum::Replace, 1.0, dx, Columns::all(hidden), &block.o.weight);
    let out = (&*dx, Columns::all(hidden));
    let heads = (kept.heads.as_slice(), &kept.inner);
    pass.back((layer, Projection::O), heads, out, Some(dheads), gradients, (keys, low_rank));
    zeroed(dqkv, tokens * width);
    let mask = Mask::Causal { window: block.spec.window };
    let out_width = shape.heads * shape.head_dim;
    for rows in pass.segments {
        let own = rows.start * width..rows.end * width;
        let dout = &dheads[rows.start * out_width..rows.end * out_width];
        kernels::attention_back(shape, mask, &kept.qkv[own.clone()], dout, &mut dqkv[own.clone()], attention);
        turn_back(block, rope, &mut dqkv[own]);
    }
    if block.head_norms.is_some() {
        head_norms_back(block, layer, pass, &kept.raw, dqkv, draw, gradients);
    }
    sized(dnormed, x.len());
    if below || pass.layout.place(Slot::InputNorm(layer)).is_some() {
        times(dnormed, Accum::Replace, 1.0, dqkv, Columns::all(width), &block.qkv.weight);
    }
    for projection in QKV {
        let out = (dqkv.as_slice(), columns(block, &block.qkv, projection));
        let input = (kept.normed.as_slice(), &kept.inner);
        pass.back((layer, projection), input, out, below.then_some(&mut **dnormed), gradients, (keys, low_rank));
    }
    if below || pass.layout.place(Slot::InputNorm(layer)).is_some() {
        norm_back(pass, Slot::InputNorm(layer), (x, &block.input_norm, block.norm_eps), dnormed, dx, gradients);
    }
}

/// Adds the gradient of a norm's input to `dx`, and that of its weight where it is trained.
pub(super) fn norm_back(
    pass: &Pass<'_>,
    slot: Slot,
    (x, weight, eps): (&[f32], &[f32], f64),
    dy: &[f32],
    dx: &mut [f32],
    gradients: &mut [f32],
) {
    let dweight = match pass.layout.place(slot) {
        Some(range) => &mut gradients[range],
        None => &mut [],
    };
    kernels::rms_norm_back(x, weight, eps, dy, dx, dweight);
}

/// Gradients of queries and keys before rope, in place.
fn turn_back(block: &Block, rope: &RopeTable, dqkv: &mut [f32]) {
    let shape = block.attention_shape();
    let turned = (shape.heads + shape.kv_heads) * shape.head_dim;
    vectorised(
        #[inline(always)]
        || {
            for (position, row) in dqkv.chunks_exact_mut(shape.width()).enumerate() {
                for head in row[..turned].chunks_exact_mut(shape.head_dim) {
                    rope.turn_back(head, position);
                }
            }
        },
    );
}

/// Gradients of queries and keys before their norms, in place; `raw` is what the norms read.
fn head_norms_back(
    block: &Block,
    layer: usize,
    pass: &Pass<'_>,
    raw: &[f32],
    dqkv: &mut [f32],
    draw: &mut Vec<f32>,
    gradients: &mut [f32],
) {
    let Some((query, key)) = &block.head_norms else { return };
    let shape = block.attention_shape();
    let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let norms = [(Slot::QueryNorm(layer), query, 0..queries), (Slot::KeyNorm(layer), key, queries..queries + keys)];
    for (slot, weight, at) in norms {
        let rows = dqkv.chunks_exact_mut(shape.width()).zip(raw.chunks_exact(shape.width()));
        for (dqkv, raw) in rows {
            let dhead = zeroed(draw, at.len());
            norm_back(pass, slot, (&raw[at.clone()], weight, block.norm_eps), &dqkv[at.clone()], dhead, gradients);
            dqkv[at.clone()].copy_from_slice(dhead);
        }
    }
}
