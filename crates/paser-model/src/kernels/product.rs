//! Products of matrices that lie in wider rows: what the reverse pass is made of.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Columns of row-major values.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    /// Of a whole row.
    pub width: usize,
    pub first: usize,
    pub count: usize,
}

impl Columns {
    /// All columns of rows of this width.
    pub(crate) fn all(width: usize) -> Self {
        Self { width, first: 0, count: width }
    }

    fn of(self, values: &[f32]) -> MatRef<'_, f32> {
        let rows = values.len() / self.width;
        MatRef::from_row_major_slice(values, rows, self.width).submatrix(0, self.first, rows, self.count)
    }

    fn of_mut(self, values: &mut [f32]) -> MatMut<'_, f32> {
        let rows = values.len() / self.width;
        MatMut::from_row_major_slice_mut(values, rows, self.width).submatrix_mut(0, self.first, rows, self.count)
    }
}

/// out [n, count] += alpha x [n, k] w^T, w [count, k].
pub(crate) fn add_times_transposed(out: &mut [f32], at: Columns, alpha: f32, x: &[f32], w: &[f32]) {
    if out.is_empty() {
        return;
    }
    let w = Columns::all(w.len() / at.count).of(w);
    matmul(at.of_mut(out), Accum::Add, Columns::all(w.ncols()).of(x), w.transpose(), alpha, Par::Seq);
}

/// out [n, k] (+)= alpha d [n, count] w, w [count, k].
pub(crate) fn times(out: &mut [f32], accum: Accum, alpha: f32, d: &[f32], at: Columns, w: &[f32]) {
    if out.is_empty() {
        return;
    }
    let w = Columns::all(w.len() / at.count).of(w);
    matmul(Columns::all(w.ncols()).of_mut(out), accum, at.of(d), w, alpha, Par::Seq);
}

/// out [count, k] += alpha d^T x, d [n, count], x [n, k]: the gradient of a weight.
pub(crate) fn add_transposed_times(out: &mut [f32], alpha: f32, d: &[f32], at: Columns, x: &[f32]) {
    if d.is_empty() {
        return;
    }
    let k = out.len() / at.count;
    matmul(Columns::all(k).of_mut(out), Accum::Add, at.of(d).transpose(), Columns::all(k).of(x), alpha, Par::Seq);
}

/// [columns, rows] of [rows, columns].
pub(crate) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}
