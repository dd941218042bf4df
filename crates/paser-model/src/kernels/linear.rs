//! Matrix products. A linear layer keeps its weight as checkpoints store it, [outputs, inputs]; the product reads it
//! transposed.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// y = x W^T + b for rows of x.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// Row major [outputs, inputs].
    pub weight: Vec<f32>,
    /// `[outputs]`, or empty.
    pub bias: Vec<f32>,
    pub outputs: usize,
    pub inputs: usize,
}

impl Linear {
    /// Writes [rows, outputs] to `out`; `x` is [rows, inputs].
    pub(crate) fn write(&self, x: &[f32], out: &mut [f32]) {
        self.product(x, out, Accum::Replace);
        self.add_bias(out);
    }

    /// Adds the result to what `out` holds: the residual connection.
    pub(crate) fn add_to(&self, x: &[f32], out: &mut [f32]) {
        self.product(x, out, Accum::Add);
        self.add_bias(out);
    }

    fn product(&self, x: &[f32], out: &mut [f32], accum: Accum) {
        let rows = out.len() / self.outputs;
        if rows == 0 {
            return;
        }
        matmul(
            MatMut::from_row_major_slice_mut(out, rows, self.outputs),
            accum,
            MatRef::from_row_major_slice(x, rows, self.inputs),
            MatRef::from_row_major_slice(&self.weight, self.outputs, self.inputs).transpose(),
            1.0,
            Par::Seq,
        );
    }

    fn add_bias(&self, out: &mut [f32]) {
        if self.bias.is_empty() {
            return;
        }
        for row in out.chunks_exact_mut(self.outputs) {
            for (value, bias) in row.iter_mut().zip(&self.bias) {
                *value += bias;
            }
        }
    }
}

/// out [rows, weight_rows] = x [rows, inputs] weight^T, weight [weight_rows, inputs].
pub(crate) fn matmul_transposed(x: &[f32], weight: &[f32], inputs: usize, out: &mut [f32]) {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    if rows == 0 || outputs == 0 {
        return;
    }
    matmul(
        MatMut::from_row_major_slice_mut(out, rows, outputs),
        Accum::Replace,
        MatRef::from_row_major_slice(x, rows, inputs),
        MatRef::from_row_major_slice(weight, outputs, inputs).transpose(),
        1.0,
        Par::Seq,
    );
}
