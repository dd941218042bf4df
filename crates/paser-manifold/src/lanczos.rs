//! The algebraically largest eigenpairs of a sparse symmetric operator by thick-restart Lanczos with full
//! re-orthogonalisation in f64 (`method.md` section 1, item 5; Wu and Simon 2000). Small operators are solved densely.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::dense::{block_sum, cross_gram, dot, multiply, sum_in_order, symmetric_eigen};
use crate::error::ManifoldError;
use crate::progress::Progress;
use crate::sparse::SparseRows;

/// Rows of one block of the basis: the blocks of one pass stay in the second-level cache.
const BLOCK: usize = 512;

/// Residual at which a pair counts as found; its eigenvalue is then right to about the square of it.
const TOLERANCE: f64 = 1e-8;

/// Restarts after which the iteration gives up.
const RESTARTS: usize = 300;

/// Operators up to this size are solved densely.
const DENSE_ROWS: usize = 300;

/// Eigenpairs, eigenvalues falling.
#[derive(Debug, Clone)]
pub(crate) struct Eigenpairs {
    pub(crate) values: Vec<f64>,
    /// `[rows, pairs]` eigenvectors as columns, each with its entry of largest magnitude positive.
    pub(crate) vectors: Vec<f64>,
    /// |M u - lambda u| of each pair, measured.
    pub(crate) residuals: Vec<f64>,
    /// Largest |u_i . u_j - delta_ij|, measured.
    pub(crate) orthogonality: f64,
    /// Products with the operator.
    pub(crate) products: usize,
}

/// The `pairs` largest eigenpairs of `matrix`, whose largest eigenvalue is 1 with the unit eigenvector `first`.
///
/// Islands that hang on weak links have eigenvalues that rounding cannot tell from 1. So the known pair is lifted to 2,
/// `M + first first^T`, and comes out pure, first, and apart from theirs.
pub(crate) fn largest(
    matrix: &SparseRows,
    first: &[f64],
    pairs: usize,
    seed: u64,
    progress: &Progress,
) -> Result<Eigenpairs, ManifoldError> {
    let n = matrix.rows();
    let pairs = pairs.min(n);
    let lifted = Lifted { matrix, first };
    let (mut values, mut vectors, products) = if n <= DENSE_ROWS.max(2 * pairs + 20) {
        dense(&lifted, pairs)?
    } else {
        thick_restart(&lifted, pairs, seed, progress)?
    };
    values[0] -= 1.0;
    fix_signs(&mut vectors, pairs);
    let (residuals, orthogonality) = measure(matrix, &values, &vectors);
    progress.step(1, 1)?;
    Ok(Eigenpairs { values, vectors, residuals, orthogonality, products })
}

/// `M + first first^T`.
struct Lifted<'a> {
    matrix: &'a SparseRows,
    first: &'a [f64],
}

impl Lifted<'_> {
    fn apply(&self, x: &[f64], out: &mut [f64]) {
        self.matrix.apply(x, out);
        let along = block_sum(x.len(), |i| self.first[i] * x[i]);
        for (out, first) in out.iter_mut().zip(self.first) {
            *out += along * first;
        }
    }
}

fn dense(operator: &Lifted, pairs: usize) -> Result<(Vec<f64>, Vec<f64>, usize), ManifoldError> {
    let n = operator.matrix.rows();
    let mut matrix = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            matrix[i * n + j] = operator.first[i] * operator.first[j];
        }
        let (columns, values) = operator.matrix.row(i);
        for (&j, &value) in columns.iter().zip(values) {
            matrix[i * n + j as usize] += value;
        }
    }
    let (values, vectors) = symmetric_eigen(&matrix, n)?;
    let columns = (0..n).flat_map(|i| (0..pairs).map(move |j| (i, j))).map(|(i, j)| vectors[j * n + i]).collect();
    Ok((values[..pairs].to_vec(), columns, 0))
}

/// The basis in blocks of rows; block b holds `[columns, rows of b]`.
struct Basis {
    blocks: Vec<Vec<f64>>,
    rows: usize,
}

impl Basis {
    fn new(rows: usize, columns: usize) -> Self {
        let blocks = (0..rows.div_ceil(BLOCK)).map(|b| vec![0.0; columns * BLOCK.min(rows - b * BLOCK)]).collect();
        Self { blocks, rows }
    }

    fn height(&self, block: usize) -> usize {
        BLOCK.min(self.rows - block * BLOCK)
    }

    /// `V^T w` over the first `columns` columns.
    fn project(&self, columns: usize, w: &[f64]) -> Vec<f64> {
        let parts = self
            .blocks
            .par_iter()
            .zip(w.par_chunks(BLOCK))
            .map(|(block, w)| block.chunks_exact(w.len()).take(columns).map(|column| dot(column, w)).collect())
            .collect();
        sum_in_order(parts, columns)
    }

    /// `w <- w - V h`, then `V^T w` and `w . w` of the new w in the same pass.
    fn subtract(&self, h: &[f64], w: &mut [f64]) -> Vec<f64> {
        let parts = self
            .blocks
            .par_iter()
            .zip(w.par_chunks_mut(BLOCK))
            .map(|(block, w)| {
                for (column, &weight) in block.chunks_exact(w.len()).zip(h) {
                    for (value, v) in w.iter_mut().zip(column) {
                        *value -= weight * v;
                    }
                }
                let mut sums: Vec<f64> =
                    block.chunks_exact(w.len()).take(h.len()).map(|column| dot(column, w)).collect();
                sums.push(dot(w, w));
                sums
            })
            .collect();
        sum_in_order(parts, h.len() + 1)
    }

    fn set(&mut self, column: usize, w: &[f64], scale: f64) {
        self.blocks.par_iter_mut().zip(w.par_chunks(BLOCK)).for_each(|(block, w)| {
            for (value, w) in block[column * w.len()..(column + 1) * w.len()].iter_mut().zip(w) {
                *value = w * scale;
            }
        });
    }

    /// `V <- V S` for the first columns: row j of `rotation[kept, columns]` holds the j-th new column.
    fn rotate(&mut self, rotation: &[f64], columns: usize) {
        let rows = self.rows;
        self.blocks.par_iter_mut().enumerate().for_each(|(b, block)| {
            let height = BLOCK.min(rows - b * BLOCK);
            let mut out = vec![0.0; rotation.len() / columns * height];
            multiply(&mut out, rotation, &block[..columns * height], columns);
            block[..out.len()].copy_from_slice(&out);
        });
    }
}

/// A random vector made orthogonal to the first `columns` columns, of unit length.
fn fresh(basis: &Basis, columns: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    let mut w: Vec<f64> = (0..basis.rows).map(|_| random.random::<f64>() - 0.5).collect();
    let first = basis.project(columns, &w);
    let again = basis.subtract(&first, &mut w);
    let last = basis.subtract(&again[..columns], &mut w);
    let scale = last[columns].sqrt().recip();
    w.iter_mut().for_each(|value| *value *= scale);
    w
}

fn thick_restart(
    operator: &Lifted,
    pairs: usize,
    seed: u64,
    progress: &Progress,
) -> Result<(Vec<f64>, Vec<f64>, usize), ManifoldError> {
    let n = operator.matrix.rows();
    // A small basis: on graphs of text, orthogonalising costs more than the few products that a larger one saves.
    let size = (pairs + pairs / 4 + 20).min(n - 1);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut basis = Basis::new(n, size + 1);
    let mut current = fresh(&basis, 0, &mut random);
    basis.set(0, &current, 1.0);
    let mut projected = vec![0.0; size * size];
    let mut w = vec![0.0; n];
    let (mut start, mut products) = (0, 0);
    let mut worst = f64::INFINITY;
    let mut first_worst = f64::INFINITY;
    for restart in 0..RESTARTS {
        let mut coupling = 0.0;
        for j in start..size {
            progress.check()?;
            operator.apply(&current, &mut w);
            products += 1;
            let first = basis.project(j + 1, &w);
            let again = basis.subtract(&first, &mut w);
            let last = basis.subtract(&again[..=j], &mut w);
            for i in 0..=j {
                let value = first[i] + again[i];
                projected[i * size + j] = value;
                projected[j * size + i] = value;
            }
            coupling = last[j + 1].max(0.0).sqrt();
            if coupling > 1e-13 {
                let scale = coupling.recip();
                w.iter_mut().for_each(|value| *value *= scale);
            } else {
                // The basis spans an invariant subspace: go on from a new direction, uncoupled.
                coupling = 0.0;
                w = fresh(&basis, j + 1, &mut random);
            }
            current.copy_from_slice(&w);
            basis.set(j + 1, &current, 1.0);
        }
        let (values, vectors) = symmetric_eigen(&projected, size)?;
        let residual = |i: usize| (coupling * vectors[i * size + size - 1]).abs();
        worst = (0..pairs).map(residual).fold(0.0, f64::max);
        if restart == 0 {
            first_worst = worst.max(10.0 * TOLERANCE);
        }
        // Residuals fall about geometrically: their logarithm is the progress.
        let share = ((first_worst / worst.max(TOLERANCE)).ln() / (first_worst / TOLERANCE).ln()).clamp(0.0, 1.0);
        progress.step((share * 1000.0) as usize, 1000)?;
        if worst <= TOLERANCE {
            basis.rotate(&vectors[..pairs * size], size);
            let mut columns = vec![0.0; n * pairs];
            columns.par_chunks_mut(BLOCK * pairs).enumerate().for_each(|(b, out)| {
                let height = basis.height(b);
                for (row, out) in out.chunks_exact_mut(pairs).enumerate() {
                    for (j, value) in out.iter_mut().enumerate() {
                        *value = basis.blocks[b][j * height + row];
                    }
                }
            });
            return Ok((values[..pairs].to_vec(), columns, products));
        }
        let kept = pairs + (size - pairs) / 3;
        basis.rotate(&vectors[..kept * size], size);
        basis.set(kept, &current, 1.0);
        projected.fill(0.0);
        for i in 0..kept {
            projected[i * size + i] = values[i];
        }
        start = kept;
    }
    Err(ManifoldError::NotConverged { what: "the eigenvectors of the graph", residual: worst, steps: products })
}

/// Makes the entry of largest magnitude of each column positive; of equal entries the lower row decides.
pub(crate) fn fix_signs(vectors: &mut [f64], columns: usize) {
    let mut largest = vec![0.0f64; columns];
    for row in vectors.chunks_exact(columns) {
        for (best, value) in largest.iter_mut().zip(row) {
            if value.abs() > best.abs() {
                *best = *value;
            }
        }
    }
    vectors.par_chunks_mut(columns).for_each(|row| {
        for (value, best) in row.iter_mut().zip(&largest) {
            if *best < 0.0 {
                *value = -*value;
            }
        }
    });
}

/// Residual norms and the largest deviation from orthonormality.
fn measure(operator: &SparseRows, values: &[f64], vectors: &[f64]) -> (Vec<f64>, f64) {
    let (n, pairs) = (operator.rows(), values.len());
    let mut image = vec![0.0; n * pairs];
    operator.apply_rows(vectors, pairs, &mut image);
    image.par_chunks_mut(pairs).zip(vectors.par_chunks(pairs)).for_each(|(image, row)| {
        for ((out, value), lambda) in image.iter_mut().zip(row).zip(values) {
            *out -= lambda * value;
        }
    });
    let squares = cross_gram(&image, pairs, &image, pairs);
    let gram = cross_gram(vectors, pairs, vectors, pairs);
    let residuals = (0..pairs).map(|j| squares[j * pairs + j].sqrt()).collect();
    let mut orthogonality = 0.0f64;
    for i in 0..pairs {
        for j in 0..pairs {
            let expected = f64::from(u8::from(i == j));
            orthogonality = orthogonality.max((gram[i * pairs + j] - expected).abs());
        }
    }
    (residuals, orthogonality)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use paser_protocol::Silent;

    use super::*;

    /// The path graph with loops at its ends: eigenvalues cos(pi j / n).
    fn path(n: usize) -> SparseRows {
        let mut edges: Vec<(u32, u32, f64)> = (1..n as u32).map(|i| (i - 1, i, 0.5)).collect();
        edges.push((0, 0, 0.5));
        edges.push((n as u32 - 1, n as u32 - 1, 0.5));
        SparseRows::from_edges(n, &edges)
    }

    fn solve(operator: &SparseRows, pairs: usize) -> Eigenpairs {
        let reported = AtomicU64::new(0);
        let first = vec![(operator.rows() as f64).sqrt().recip(); operator.rows()];
        largest(operator, &first, pairs, 7, &Progress::whole(&Silent, &reported)).expect("converges")
    }

    #[test]
    fn eigenvalues_of_a_path_are_cosines() {
        for n in [40, 700] {
            let found = solve(&path(n), 12);
            for (j, value) in found.values.iter().enumerate() {
                let expected = (std::f64::consts::PI * j as f64 / n as f64).cos();
                assert!((value - expected).abs() < 1e-12, "n {n} pair {j}: {value} against {expected}");
            }
            assert!(found.residuals.iter().all(|&r| r < 1e-7));
            assert!(found.orthogonality < 1e-12);
        }
    }

    #[test]
    fn nearly_separate_parts_leave_the_known_vector_pure() {
        // Two paths whose ends are linked by next to nothing.
        for n in [200, 800] {
            let half = n as u32 / 2;
            let mut edges: Vec<(u32, u32, f64)> =
                (1..n as u32).filter(|&i| i != half).map(|i| (i - 1, i, 0.5)).collect();
            for end in [0, half - 1, half, n as u32 - 1] {
                edges.push((end, end, 0.5));
            }
            edges.push((half - 1, half, 1e-15));
            let found = solve(&SparseRows::from_edges(n, &edges), 4);
            for row in found.vectors.chunks_exact(4) {
                assert!((row[0] - (n as f64).sqrt().recip()).abs() < 1e-10, "{row:?}");
                assert!((row[1].abs() - (n as f64).sqrt().recip()).abs() < 1e-7, "{row:?}");
            }
        }
    }

    #[test]
    fn signs_make_the_largest_entry_positive_and_ties_go_to_the_lower_row() {
        let mut vectors = vec![-0.5, 0.1, 0.5, -0.9];
        fix_signs(&mut vectors, 2);
        assert_eq!(vectors, [0.5, -0.1, -0.5, 0.9]);
    }
}
