//! Small dense algebra in row-major slices: sequential products by faer (callers spread fixed blocks over threads,
//! so that every result is the same on any number of them), fixed-block sums, and a symmetric eigensolver.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::error::ManifoldError;

/// Rows of a block in parallel sums. Fixed: partial sums are added in block order, whatever the thread count.
pub(crate) const BLOCK_ROWS: usize = 1024;

/// `out[m, n] = left[m, k] right[n, k]^T`.
pub(crate) fn multiply_transposed<T: faer::traits::ComplexField + Copy>(
    out: &mut [T],
    left: &[T],
    right: &[T],
    inner: usize,
) {
    let (rows, columns) = (left.len() / inner, right.len() / inner);
    matmul(
        MatMut::from_row_major_slice_mut(out, rows, columns),
        Accum::Replace,
        MatRef::from_row_major_slice(left, rows, inner),
        MatRef::from_row_major_slice(right, columns, inner).transpose(),
        faer::traits::math_utils::one::<T>(),
        Par::Seq,
    );
}

/// `out[m, n] = left[m, k] right[k, n]`.
pub(crate) fn multiply<T: faer::traits::ComplexField + Copy>(out: &mut [T], left: &[T], right: &[T], inner: usize) {
    let (rows, columns) = (left.len() / inner, right.len() / inner);
    matmul(
        MatMut::from_row_major_slice_mut(out, rows, columns),
        Accum::Replace,
        MatRef::from_row_major_slice(left, rows, inner),
        MatRef::from_row_major_slice(right, inner, columns),
        faer::traits::math_utils::one::<T>(),
        Par::Seq,
    );
}

/// `left[r, m]^T right[r, n]` summed over all rows in f64, `[m, n]`: fixed blocks, added in order.
pub(crate) fn cross_gram(left: &[f64], left_columns: usize, right: &[f64], right_columns: usize) -> Vec<f64> {
    let partial: Vec<Vec<f64>> = left
        .par_chunks(BLOCK_ROWS * left_columns)
        .zip(right.par_chunks(BLOCK_ROWS * right_columns))
        .map(|(left, right)| {
            let rows = left.len() / left_columns;
            let mut out = vec![0.0; left_columns * right_columns];
            matmul(
                MatMut::from_row_major_slice_mut(&mut out, left_columns, right_columns),
                Accum::Replace,
                MatRef::from_row_major_slice(left, rows, left_columns).transpose(),
                MatRef::from_row_major_slice(right, rows, right_columns),
                1.0,
                Par::Seq,
            );
            out
        })
        .collect();
    sum_in_order(partial, left_columns * right_columns)
}

/// The sum of equally long parts, in their order.
pub(crate) fn sum_in_order(parts: Vec<Vec<f64>>, length: usize) -> Vec<f64> {
    let mut total = vec![0.0; length];
    for part in parts {
        for (sum, value) in total.iter_mut().zip(part) {
            *sum += value;
        }
    }
    total
}

/// Sum of `value(row)` over `0..rows`, in fixed blocks.
pub(crate) fn block_sum(rows: usize, value: impl Fn(usize) -> f64 + Sync) -> f64 {
    let parts: Vec<f64> = (0..rows.div_ceil(BLOCK_ROWS))
        .into_par_iter()
        .map(|block| (block * BLOCK_ROWS..rows.min((block + 1) * BLOCK_ROWS)).map(&value).sum())
        .collect();
    parts.iter().sum()
}

/// The squared Euclidean distance of two f32 rows, summed in f64; exactly 0 for equal rows.
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let mut tail = 0.0;
    for (x, y) in a_blocks.remainder().iter().zip(b_blocks.remainder()) {
        let difference = f64::from(*x) - f64::from(*y);
        tail += difference * difference;
    }
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            let difference = f64::from(x[lane]) - f64::from(y[lane]);
            sums[lane] += difference * difference;
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// The dot product of two f64 slices in eight fixed lanes.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// All eigenpairs of the symmetric `matrix[n, n]`, eigenvalues falling; row j of the returned vectors `[n, n]` is
/// the j-th eigenvector. Householder reduction and implicit QL (EISPACK tred2 and tql2): slower than blocked
/// solvers, but the same bits wherever its buffers lie.
///
/// # Errors
/// [`ManifoldError::NotConverged`], for a matrix with values that are no numbers.
pub(crate) fn symmetric_eigen(matrix: &[f64], n: usize) -> Result<(Vec<f64>, Vec<f64>), ManifoldError> {
    if n == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut vectors = matrix.to_vec();
    let (mut diagonal, mut off) = (vec![0.0; n], vec![0.0; n]);
    tridiagonalise(&mut vectors, &mut diagonal, &mut off, n);
    // Rotations act on pairs of columns: on the transposed matrix these are contiguous rows.
    let mut rows = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            rows[j * n + i] = vectors[i * n + j];
        }
    }
    implicit_ql(&mut rows, &mut diagonal, &mut off, n)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]).then(a.cmp(&b)));
    let values = order.iter().map(|&j| diagonal[j]).collect();
    let vectors = order.iter().flat_map(|&j| rows[j * n..(j + 1) * n].iter().copied()).collect();
    Ok((values, vectors))
}

/// Householder reduction to tridiagonal form; `a` becomes the orthogonal transformation.
fn tridiagonalise(a: &mut [f64], diagonal: &mut [f64], off: &mut [f64], n: usize) {
    for i in (1..n).rev() {
        let scale: f64 = a[i * n..i * n + i].iter().map(|x| x.abs()).sum();
        let mut h = 0.0;
        if i == 1 || scale == 0.0 {
            off[i] = a[i * n + i - 1];
        } else {
            for k in 0..i {
                a[i * n + k] /= scale;
                h += a[i * n + k] * a[i * n + k];
            }
            let f = a[i * n + i - 1];
            let g = if f >= 0.0 { -h.sqrt() } else { h.sqrt() };
            off[i] = scale * g;
            h -= f * g;
            a[i * n + i - 1] = f - g;
            let mut total = 0.0;
            // p = A u / h with the lower triangle only: rows are contiguous.
            off[..i].fill(0.0);
            for j in 0..i {
                let u = a[i * n + j];
                let row = &a[j * n..j * n + j];
                let head = &a[i * n..i * n + j];
                off[j] += dot(row, head) + a[j * n + j] * u;
                for (sum, value) in off[..j].iter_mut().zip(row) {
                    *sum += value * u;
                }
            }
            for j in 0..i {
                a[j * n + i] = a[i * n + j] / h;
                off[j] /= h;
                total += off[j] * a[i * n + j];
            }
            let half = total / (h + h);
            for j in 0..i {
                off[j] -= half * a[i * n + j];
            }
            for j in 0..i {
                let (f, g) = (a[i * n + j], off[j]);
                for k in 0..=j {
                    let change = f * off[k] + g * a[i * n + k];
                    a[j * n + k] -= change;
                }
            }
        }
        diagonal[i] = h;
    }
    diagonal[0] = 0.0;
    off[0] = 0.0;
    let mut projected = vec![0.0; n];
    for i in 0..n {
        if diagonal[i] != 0.0 {
            projected[..i].fill(0.0);
            for k in 0..i {
                let weight = a[i * n + k];
                for (sum, value) in projected[..i].iter_mut().zip(&a[k * n..k * n + i]) {
                    *sum += weight * value;
                }
            }
            for k in 0..i {
                let weight = a[k * n + i];
                for (value, sum) in a[k * n..k * n + i].iter_mut().zip(&projected[..i]) {
                    *value -= sum * weight;
                }
            }
        }
        diagonal[i] = a[i * n + i];
        a[i * n + i] = 1.0;
        for j in 0..i {
            a[j * n + i] = 0.0;
            a[i * n + j] = 0.0;
        }
    }
}

/// Sweeps for one eigenvalue, far beyond the two or three that a symmetric matrix needs.
const SWEEPS: usize = 50;

/// Implicit QL on a tridiagonal matrix; row j of `rows` ends as the j-th eigenvector.
fn implicit_ql(rows: &mut [f64], diagonal: &mut [f64], off: &mut [f64], n: usize) -> Result<(), ManifoldError> {
    off.rotate_left(1);
    off[n - 1] = 0.0;
    for l in 0..n {
        let mut sweeps = 0;
        loop {
            let split = (l..n - 1)
                .find(|&m| off[m].abs() <= f64::EPSILON * (diagonal[m].abs() + diagonal[m + 1].abs()))
                .unwrap_or(n - 1);
            if split == l {
                break;
            }
            if sweeps == SWEEPS {
                let residual = off[l].abs();
                return Err(ManifoldError::NotConverged {
                    what: "the eigenvalues of a matrix",
                    residual,
                    steps: sweeps,
                });
            }
            sweeps += 1;
            let mut g = (diagonal[l + 1] - diagonal[l]) / (2.0 * off[l]);
            let mut r = g.hypot(1.0);
            g = diagonal[split] - diagonal[l] + off[l] / (g + r.copysign(g));
            let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
            let mut underflow = false;
            for i in (l..split).rev() {
                let f = sine * off[i];
                let b = cosine * off[i];
                r = f.hypot(g);
                off[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= shift;
                    off[split] = 0.0;
                    underflow = true;
                    break;
                }
                sine = f / r;
                cosine = g / r;
                g = diagonal[i + 1] - shift;
                r = (diagonal[i] - g) * sine + 2.0 * cosine * b;
                shift = sine * r;
                diagonal[i + 1] = g + shift;
                g = cosine * r - b;
                let (left, right) = rows.split_at_mut((i + 1) * n);
                for (x, y) in left[i * n..].iter_mut().zip(&mut right[..n]) {
                    let f = *y;
                    *y = sine * *x + cosine * f;
                    *x = cosine * *x - sine * f;
                }
            }
            if !underflow {
                diagonal[l] -= shift;
                off[l] = g;
                off[split] = 0.0;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn eigenpairs_rebuild_the_matrix() {
        let n = 23;
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let value = (((i * 31 + j * 17) % 29) as f64 - 14.0) / 7.0;
                matrix[i * n + j] = value;
                matrix[j * n + i] = value;
            }
        }
        let (values, vectors) = symmetric_eigen(&matrix, n).unwrap();
        assert!(values.is_sorted_by(|a, b| a >= b));
        for i in 0..n {
            for j in 0..n {
                let rebuilt: f64 = (0..n).map(|k| values[k] * vectors[k * n + i] * vectors[k * n + j]).sum();
                assert!((rebuilt - matrix[i * n + j]).abs() < 1e-12, "{i} {j}");
                let product = dot(&vectors[i * n..(i + 1) * n], &vectors[j * n..(j + 1) * n]);
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn repeated_and_zero_eigenvalues_are_found() {
        let (values, _) = symmetric_eigen(&[1.0; 16], 4).unwrap();
        assert!((values[0] - 4.0).abs() < 1e-14);
        assert!(values[1..].iter().all(|value| value.abs() < 1e-14));
        assert_eq!(symmetric_eigen(&[3.0], 1), Ok((vec![3.0], vec![1.0])));
    }

    #[test]
    fn a_matrix_without_eigenvalues_is_no_result() {
        let mut matrix = [1.0; 16];
        matrix[6] = f64::NAN;
        matrix[9] = f64::NAN;
        assert!(matches!(symmetric_eigen(&matrix, 4), Err(ManifoldError::NotConverged { .. })));
    }

    #[test]
    fn products_have_the_right_orientation() {
        let mut out = vec![0.0; 4];
        multiply_transposed(&mut out, &[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0], 2);
        assert_eq!(out, [17.0, 23.0, 39.0, 53.0]);
        multiply(&mut out, &[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0], 2);
        assert_eq!(out, [19.0, 22.0, 43.0, 50.0]);
        assert_eq!(cross_gram(&[1.0, 2.0, 3.0, 4.0], 2, &[5.0, 6.0], 1), [23.0, 34.0]);
    }
}
