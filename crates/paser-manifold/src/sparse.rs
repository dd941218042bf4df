//! A symmetric sparse matrix by rows, the form of the neighbour graph in every step after the search.

use rayon::prelude::*;

/// Compressed rows: row i holds `columns[offsets[i]..offsets[i + 1]]`, rising, with their values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SparseRows {
    pub(crate) offsets: Vec<usize>,
    pub(crate) columns: Vec<u32>,
    pub(crate) values: Vec<f64>,
}

impl SparseRows {
    /// The symmetric matrix of undirected edges `(i, j, value)`; an edge given twice keeps its first value.
    pub(crate) fn from_edges(rows: usize, edges: &[(u32, u32, f64)]) -> Self {
        let mut lists: Vec<Vec<(u32, f64)>> = vec![Vec::new(); rows];
        for &(i, j, value) in edges {
            lists[i as usize].push((j, value));
            lists[j as usize].push((i, value));
        }
        lists.par_iter_mut().for_each(|list| {
            list.sort_by_key(|entry| entry.0);
            list.dedup_by_key(|entry| entry.0);
        });
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let entries = lists.iter().map(Vec::len).sum();
        let (mut columns, mut values) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
        for list in lists {
            for (column, value) in list {
                columns.push(column);
                values.push(value);
            }
            offsets.push(columns.len());
        }
        Self { offsets, columns, values }
    }

    pub(crate) fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(crate) fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.offsets[i]..self.offsets[i + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The same pattern with `value(i, j, old)`.
    pub(crate) fn map(&self, value: impl Fn(usize, usize, f64) -> f64 + Sync) -> Self {
        let values = (0..self.rows())
            .into_par_iter()
            .flat_map_iter(|i| {
                let (columns, values) = self.row(i);
                columns.iter().zip(values).map(|(&j, &old)| value(i, j as usize, old)).collect::<Vec<_>>()
            })
            .collect();
        Self { offsets: self.offsets.clone(), columns: self.columns.clone(), values }
    }

    /// The sum of each row.
    pub(crate) fn row_sums(&self) -> Vec<f64> {
        (0..self.rows()).into_par_iter().map(|i| self.row(i).1.iter().sum()).collect()
    }

    /// `D^-1/2 M D^-1/2` with D the row sums.
    pub(crate) fn normalised(&self, sums: &[f64]) -> Self {
        self.map(|i, j, value| value / (sums[i] * sums[j]).sqrt())
    }

    /// `out = M x` for one column.
    pub(crate) fn apply(&self, x: &[f64], out: &mut [f64]) {
        out.par_chunks_mut(512).enumerate().for_each(|(block, out)| {
            for (offset, out) in out.iter_mut().enumerate() {
                let (columns, values) = self.row(block * 512 + offset);
                *out = columns.iter().zip(values).map(|(&j, value)| value * x[j as usize]).sum();
            }
        });
    }

    /// `out[n, width] = M x[n, width]`, row-major.
    pub(crate) fn apply_rows(&self, x: &[f64], width: usize, out: &mut [f64]) {
        out.par_chunks_mut(256 * width).enumerate().for_each(|(block, out)| {
            for (offset, out) in out.chunks_exact_mut(width).enumerate() {
                let (columns, values) = self.row(block * 256 + offset);
                out.fill(0.0);
                for (&j, &value) in columns.iter().zip(values) {
                    let from = j as usize * width;
                    for (sum, x) in out.iter_mut().zip(&x[from..from + width]) {
                        *sum += value * x;
                    }
                }
            }
        });
    }
}

/// The median of a list (of an even count the mean of the middle two); 0 for an empty list.
pub(crate) fn median(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let mut sorted = values.to_vec();
    let middle = sorted.len() / 2;
    let (below, upper, _) = sorted.select_nth_unstable_by(middle, f64::total_cmp);
    if values.len() % 2 == 1 {
        return *upper;
    }
    let lower = below.iter().copied().max_by(f64::total_cmp).unwrap_or(*upper);
    (lower + *upper) / 2.0
}
