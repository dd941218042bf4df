//! One projection's low-rank addition, forward and reverse.

use faer::Accum;

use super::dropout::Dropout;
use crate::kernels::{Columns, add_times_transposed, add_transposed_times, times};

/// The addition at one step: out += scale (x A^T) B^T, with some of x left out.
#[derive(Clone, Copy)]
pub(super) struct Addition<'a> {
    /// [rank, inputs].
    pub a: &'a [f32],
    /// [outputs, rank].
    pub b: &'a [f32],
    pub rank: usize,
    pub scale: f32,
    pub dropout: Option<(Dropout, &'a [u32])>,
}

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    kept: Vec<f32>,
    inner: Vec<f32>,
}

impl Addition<'_> {
    /// What is left of x.
    fn kept<'x>(&self, x: &'x [f32], kept: &'x mut Vec<f32>) -> &'x [f32] {
        let Some((dropout, keys)) = self.dropout else { return x };
        kept.resize(x.len(), 0.0);
        dropout.apply(keys, x, kept);
        kept
    }

    /// Adds to the columns `at` of `out`, and keeps x A^T [n, rank] in `inner`.
    pub(super) fn forward(&self, x: &[f32], out: &mut [f32], at: Columns, inner: &mut Vec<f32>, scratch: &mut Scratch) {
        let rows = out.len() / at.width;
        inner.clear();
        inner.resize(rows * self.rank, 0.0);
        add_times_transposed(inner, Columns::all(self.rank), 1.0, self.kept(x, &mut scratch.kept), self.a);
        add_times_transposed(out, at, self.scale, inner, self.b);
    }

    /// `dout` columns `at`: the gradient of what the projection gave. Adds to `da`, `db`, and to `dx` unless it is none.
    pub(super) fn back(
        &self,
        (x, inner): (&[f32], &[f32]),
        (dout, at): (&[f32], Columns),
        (da, db): (&mut [f32], &mut [f32]),
        dx: Option<&mut [f32]>,
        scratch: &mut Scratch,
    ) {
        add_transposed_times(db, self.scale, dout, at, inner);
        let Scratch { kept, inner: dinner } = scratch;
        dinner.resize(inner.len(), 0.0);
        times(dinner, Accum::Replace, self.scale, dout, at, self.b);
        add_transposed_times(da, 1.0, dinner, Columns::all(self.rank), self.kept(x, kept));
        let Some(dx) = dx else { return };
        match self.dropout {
            None => times(dx, Accum::Add, 1.0, dinner, Columns::all(self.rank), self.a),
            Some((dropout, keys)) => {
                kept.resize(dx.len(), 0.0);
                times(kept, Accum::Replace, 1.0, dinner, Columns::all(self.rank), self.a);
                dropout.add(keys, kept, dx);
            }
        }
    }
}
