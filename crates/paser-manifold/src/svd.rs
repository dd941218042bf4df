//! Truncated singular value decomposition of a sparse matrix by subspace iteration from a seeded random range
//! (Halko, Martinsson and Tropp 2011) with a Rayleigh-Ritz step in each round; small matrices are solved exactly.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::dense::{BLOCK_ROWS, cross_gram, multiply_transposed, sum_in_order, symmetric_eigen};
use crate::error::ManifoldError;
use crate::lanczos::fix_signs;
use crate::progress::Progress;

/// Columns beyond the wanted ones: they take the error of the cut.
const SPARE: usize = 32;

/// Rounds after which the iteration gives up.
const ROUNDS: usize = 60;

/// Rounds after which [`LOOSE_TOLERANCE`] is enough: the values that still change are those near the cut, which weigh
/// least.
const ENOUGH_ROUNDS: usize = 12;
const LOOSE_TOLERANCE: f64 = 1e-2;

/// Largest relative change of a wanted squared singular value between rounds at which the iteration ends.
const TOLERANCE: f64 = 1e-3;

/// Terms whose images are held at a time.
const TERM_BLOCK: usize = 16_384;

/// Matrices with at most this many rows are solved exactly.
const EXACT_ROWS: usize = 400;

/// Singular values below this share of the largest are rounding.
const RANK_SHARE: f64 = 1e-6;

/// A sparse `[rows, terms]` matrix by rows and by terms.
pub(crate) struct Terms {
    offsets: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    term_offsets: Vec<usize>,
    term_rows: Vec<u32>,
    term_values: Vec<f32>,
}

impl Terms {
    /// From each row's `(term, value)` entries, terms rising.
    pub(crate) fn new(rows: &[Vec<(u32, f32)>], terms: usize) -> Self {
        let mut offsets = vec![0];
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        let mut counts = vec![0usize; terms + 1];
        for row in rows {
            for &(term, value) in row {
                columns.push(term);
                values.push(value);
                counts[term as usize + 1] += 1;
            }
            offsets.push(columns.len());
        }
        for term in 0..terms {
            counts[term + 1] += counts[term];
        }
        let mut cursors = counts.clone();
        let (mut term_rows, mut term_values) = (vec![0; columns.len()], vec![0.0; columns.len()]);
        for (i, row) in rows.iter().enumerate() {
            for &(term, value) in row {
                let at = &mut cursors[term as usize];
                term_rows[*at] = i as u32;
                term_values[*at] = value;
                *at += 1;
            }
        }
        Self { offsets, columns, values, term_offsets: counts, term_rows, term_values }
    }

    fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    fn terms(&self) -> usize {
        self.term_offsets.len() - 1
    }

    /// `Z X^T y` for the rows Z of `to`, which has the same terms, and `y[rows, width]`: a block of terms at a time.
    fn carry(&self, to: &Self, y: &[f32], width: usize, progress: &Progress) -> Result<Vec<f32>, ManifoldError> {
        let mut out = vec![0.0f32; to.rows() * width];
        let mut cursors = to.offsets[..to.rows()].to_vec();
        let mut image = vec![0.0f32; TERM_BLOCK.min(self.terms()) * width];
        for first in (0..self.terms()).step_by(TERM_BLOCK) {
            progress.check()?;
            let last = (first + TERM_BLOCK).min(self.terms());
            image.par_chunks_mut(width).take(last - first).enumerate().for_each(|(offset, image)| {
                image.fill(0.0);
                let range = self.term_offsets[first + offset]..self.term_offsets[first + offset + 1];
                for (&row, &value) in self.term_rows[range.clone()].iter().zip(&self.term_values[range]) {
                    add_scaled(image, value, &y[row as usize * width..(row as usize + 1) * width]);
                }
            });
            out.par_chunks_mut(width).zip(&mut cursors).enumerate().for_each(|(row, (out, cursor))| {
                while *cursor < to.offsets[row + 1] && (to.columns[*cursor] as usize) < last {
                    let from = (to.columns[*cursor] as usize - first) * width;
                    add_scaled(out, to.values[*cursor], &image[from..from + width]);
                    *cursor += 1;
                }
            });
        }
        Ok(out)
    }

    /// `X X^T` as a dense matrix.
    fn gram(&self) -> Vec<f64> {
        let n = self.rows();
        let mut out = vec![0.0; n * n];
        for term in 0..self.terms() {
            let range = self.term_offsets[term]..self.term_offsets[term + 1];
            for a in range.clone() {
                for b in range.clone() {
                    out[self.term_rows[a] as usize * n + self.term_rows[b] as usize] +=
                        f64::from(self.term_values[a]) * f64::from(self.term_values[b]);
                }
            }
        }
        out
    }
}

fn add_scaled(out: &mut [f32], scale: f32, values: &[f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += scale * value;
    }
}

/// The left part of a truncated decomposition.
pub(crate) struct Left {
    /// Singular values, falling; fewer than wanted when the rank is lower.
    pub(crate) singular: Vec<f64>,
    /// `[rows, singular.len()]` U Sigma, the entry of largest magnitude of each column positive.
    pub(crate) scaled: Vec<f64>,
}

/// The `wanted` largest singular values of `matrix` and its rows in their space.
pub(crate) fn truncated(matrix: &Terms, wanted: usize, seed: u64, progress: &Progress) -> Result<Left, ManifoldError> {
    let n = matrix.rows();
    let (values, mut vectors) = if n <= EXACT_ROWS.max(wanted + SPARE) {
        let (values, vectors) = symmetric_eigen(&matrix.gram(), n)?;
        let kept = wanted.min(n);
        let columns = (0..n).flat_map(|i| (0..kept).map(move |j| (i, j))).map(|(i, j)| vectors[j * n + i]).collect();
        (values[..kept].to_vec(), columns)
    } else {
        subspace(matrix, wanted, seed, ROUNDS, progress)?
    };
    let width = values.len();
    let rank = values.iter().take_while(|&&value| value > 0.0 && value.sqrt() > RANK_SHARE * values[0].sqrt()).count();
    fix_signs(&mut vectors, width);
    let singular: Vec<f64> = values[..rank].iter().map(|value| value.sqrt()).collect();
    let scaled = vectors
        .chunks_exact(width)
        .flat_map(|row| row[..rank].iter().zip(&singular).map(|(u, sigma)| u * sigma))
        .collect();
    progress.step(1, 1)?;
    Ok(Left { singular, scaled })
}

/// Rows of `others`, which has the terms of `matrix`, in the space of its directions: `[others.rows(), singular.len()]`
/// `Z V` with V = X^T U Sigma^-1. A row that stands in `matrix` too comes out as its row of `left.scaled`.
pub(crate) fn project(
    matrix: &Terms,
    left: &Left,
    others: &Terms,
    progress: &Progress,
) -> Result<Vec<f64>, ManifoldError> {
    let width = left.singular.len();
    let directions: Vec<f32> = left
        .scaled
        .chunks_exact(width)
        .flat_map(|row| row.iter().zip(&left.singular).map(|(value, sigma)| (value / (sigma * sigma)) as f32))
        .collect();
    Ok(matrix.carry(others, &directions, width, progress)?.into_iter().map(f64::from).collect())
}

/// Eigenpairs of X X^T: `wanted` values and `[rows, wanted]` vectors, after at most `rounds` rounds.
fn subspace(
    matrix: &Terms,
    wanted: usize,
    seed: u64,
    rounds: usize,
    progress: &Progress,
) -> Result<(Vec<f64>, Vec<f64>), ManifoldError> {
    let (n, width) = (matrix.rows(), wanted + SPARE);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let y: Vec<f32> = (0..n * width).map(|_| random.random::<f32>() - 0.5).collect();
    let mut q = orthonormal(&y, width)?;
    let mut before: Option<Vec<f64>> = None;
    let mut round = 0;
    loop {
        let image = matrix.carry(matrix, &q, width, progress)?;
        let projected = gram_of(&q, &image, width);
        let (values, vectors) = symmetric_eigen(&projected, width)?;
        round += 1;
        let change = before.as_ref().map_or(f64::INFINITY, |before| {
            before.iter().zip(&values).take(wanted).map(|(old, new)| (new - old).abs() / new.abs()).fold(0.0, f64::max)
        });
        // The change falls about geometrically from round to round: its logarithm is the progress.
        progress.step((1000.0 * (change.min(1.0).ln() / TOLERANCE.ln()).min(1.0)) as usize, 1000)?;
        if change < TOLERANCE || round >= ENOUGH_ROUNDS && change < LOOSE_TOLERANCE {
            let rotation: Vec<f32> = vectors[..wanted * width].iter().map(|&x| x as f32).collect();
            let rotated = rotate(&q, width, &rotation);
            return Ok((values[..wanted].to_vec(), rotated.iter().map(|&x| f64::from(x)).collect()));
        }
        if round >= rounds {
            return Err(ManifoldError::NotConverged { what: "the singular vectors", residual: change, steps: round });
        }
        before = Some(values);
        q = orthonormal(&image, width)?;
    }
}

/// `a^T b` of f32 columns, summed in f64.
fn gram_of(a: &[f32], b: &[f32], width: usize) -> Vec<f64> {
    let parts = a
        .par_chunks(BLOCK_ROWS * width)
        .zip(b.par_chunks(BLOCK_ROWS * width))
        .map(|(a, b)| {
            let a: Vec<f64> = a.iter().map(|&x| f64::from(x)).collect();
            let b: Vec<f64> = b.iter().map(|&x| f64::from(x)).collect();
            cross_gram(&a, width, &b, width)
        })
        .collect();
    let mut gram = sum_in_order(parts, width * width);
    // X X^T is symmetric; what the rounding of f32 adds is not.
    for i in 0..width {
        for j in 0..i {
            let mean = f64::midpoint(gram[i * width + j], gram[j * width + i]);
            gram[i * width + j] = mean;
            gram[j * width + i] = mean;
        }
    }
    gram
}

/// `rows[n, width] R^T` for `rotation[m, width]`.
fn rotate(rows: &[f32], width: usize, rotation: &[f32]) -> Vec<f32> {
    let columns = rotation.len() / width;
    let mut out = vec![0.0; rows.len() / width * columns];
    out.par_chunks_mut(BLOCK_ROWS * columns)
        .zip(rows.par_chunks(BLOCK_ROWS * width))
        .for_each(|(out, rows)| multiply_transposed(out, rows, rotation, width));
    out
}

/// An orthonormal basis of the columns of y: `y E Lambda^-1/2` with `y^T y = E Lambda E^T`, twice, because the first
/// pass in f32 is not exact. Columns that are only rounding become zero.
fn orthonormal(y: &[f32], width: usize) -> Result<Vec<f32>, ManifoldError> {
    let mut q = y.to_vec();
    for _ in 0..2 {
        let (values, vectors) = symmetric_eigen(&gram_of(&q, &q, width), width)?;
        let least = values[0] * 1e-12;
        let whiten: Vec<f32> = vectors
            .chunks_exact(width)
            .zip(&values)
            .flat_map(|(row, &value)| {
                let scale = if value > least { value.sqrt().recip() } else { 0.0 };
                row.iter().map(move |x| (x * scale) as f32)
            })
            .collect();
        q = rotate(&q, width, &whiten);
    }
    Ok(q)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicU64;

    use paser_protocol::Silent;

    use super::*;

    /// Random sparse rows of unit length.
    fn matrix(rows: usize, terms: u32) -> Terms {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let rows: Vec<Vec<(u32, f32)>> = (0..rows)
            .map(|_| {
                let mut found: Vec<u32> = (0..9).map(|_| random.random_range(0..terms)).collect();
                found.sort_unstable();
                found.dedup();
                let value = (found.len() as f32).sqrt().recip();
                found.into_iter().map(|term| (term, value)).collect()
            })
            .collect();
        Terms::new(&rows, terms as usize)
    }

    #[test]
    fn an_iteration_that_is_cut_short_is_no_result() {
        let reported = AtomicU64::new(0);
        let progress = Progress::whole(&Silent, &reported);
        let matrix = matrix(700, 300);
        let found = subspace(&matrix, 20, 0, 1, &progress);
        assert!(matches!(found, Err(ManifoldError::NotConverged { steps: 1, .. })));
        let (values, vectors) = subspace(&matrix, 20, 0, ROUNDS, &progress).unwrap();
        assert_eq!((values.len(), vectors.len()), (20, 700 * 20));
    }

    #[test]
    fn rows_of_the_matrix_project_onto_themselves() {
        let reported = AtomicU64::new(0);
        let progress = Progress::whole(&Silent, &reported);
        // Solved exactly, and by the iteration, whose directions are right to about its tolerance.
        for (rows, within) in [(200, 1e-5), (700, 2e-2)] {
            let matrix = matrix(rows, 300);
            let left = truncated(&matrix, 20, 0, &progress).unwrap();
            let again = project(&matrix, &left, &matrix, &progress).unwrap();
            let apart = again.iter().zip(&left.scaled).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart < within, "{rows} rows: {apart}");
        }
    }
}
