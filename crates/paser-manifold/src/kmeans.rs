//! k-means with k-means++ seeds: the start labels of the clustering (`method.md` section 1, item 7).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::dense::{BLOCK_ROWS, dot, multiply_transposed, sum_in_order};
use crate::error::ManifoldError;
use crate::progress::Progress;

/// How hard the lowest inertia is looked for. On real pools it has many local minima (at K = 8 four starts, as
/// `method.md` has them, end in three of them), and only labels near the lowest are the same from seed to seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Independent starts.
    starts: usize,
    /// How many of them, the best after [`FIRST_ROUNDS`], go on to the end.
    finalists: usize,
}

impl Effort {
    /// For the start labels of the clustering itself.
    pub(crate) const FULL: Self = Self { starts: 32, finalists: 8 };
    /// For labels of which hundreds are compared (stability curve, landmark errors), and for the ablation on bare vectors.
    pub(crate) const CURVE: Self = Self { starts: 8, finalists: 3 };
}

/// Rounds after which starts are compared.
const FIRST_ROUNDS: usize = 10;

/// Squared distances up to this are rounding: the point lies on its centre.
const ZERO_SQUARE: f64 = 1e-12;

/// Rounds after which a finalist stops even if labels still change.
const ROUNDS: usize = 100;

/// Rows scaled to unit length; zero rows stay zero.
pub(crate) fn row_normalised(rows: &[f64], width: usize, columns: usize) -> Vec<f64> {
    rows.par_chunks(width)
        .flat_map_iter(|row| {
            let row = &row[..columns];
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            let scale = if length > 0.0 { length.recip() } else { 0.0 };
            row.iter().map(move |x| x * scale)
        })
        .collect()
}

/// Labels of `points[n, width]` in `count` clusters, the largest cluster first (equal sizes by first row).
pub(crate) fn cluster(
    points: &[f64],
    width: usize,
    count: usize,
    effort: Effort,
    seed: u64,
    progress: &Progress,
) -> Result<Vec<u32>, ManifoldError> {
    let n = points.len() / width;
    if count <= 1 || n <= 1 {
        return Ok(vec![0; n]);
    }
    let mut starts: Vec<Lloyd> = (0..effort.starts)
        .into_par_iter()
        .map(|start| {
            let seed = seed.wrapping_mul(Effort::FULL.starts as u64).wrapping_add(start as u64);
            let mut lloyd = Lloyd::new(points, width, count, seed);
            lloyd.go_on(FIRST_ROUNDS, progress)?;
            Ok(lloyd)
        })
        .collect::<Result<_, ManifoldError>>()?;
    progress.step(1, 2)?;
    // Stable sorts: of equal inertia the first start wins.
    starts.sort_by(|a, b| a.inertia.total_cmp(&b.inertia));
    starts.truncate(effort.finalists);
    starts.par_iter_mut().try_for_each(|lloyd| lloyd.go_on(ROUNDS, progress))?;
    starts.sort_by(|a, b| a.inertia.total_cmp(&b.inertia));
    progress.step(1, 1)?;
    let mut labels = starts.swap_remove(0).labels;
    order_by_size(&mut labels, count);
    Ok(labels)
}

/// Renumbers labels so that larger clusters come first, equal sizes by their first row; returns the new number
/// of each old label.
pub(crate) fn order_by_size(labels: &mut [u32], count: usize) -> Vec<u32> {
    let mut sizes = vec![0usize; count];
    let mut first = vec![usize::MAX; count];
    for (row, &label) in labels.iter().enumerate() {
        sizes[label as usize] += 1;
        first[label as usize] = first[label as usize].min(row);
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| sizes[b].cmp(&sizes[a]).then(first[a].cmp(&first[b])));
    let mut numbers = vec![0; count];
    for (number, &label) in order.iter().enumerate() {
        numbers[label] = number as u32;
    }
    for label in labels {
        *label = numbers[*label as usize];
    }
    numbers
}

/// Greedy k-means++ seeds: candidates are drawn with probability proportional to the squared distance to the nearest
/// centre, and of `2 + ln(count)` candidates the one that leaves the smallest sum of squares becomes the next centre.
fn seeds(points: &[f64], width: usize, count: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    let n = points.len() / width;
    let row = |at: usize| &points[at * width..(at + 1) * width];
    let trials = 2 + (count as f64).ln() as usize;
    let lengths: Vec<f64> = points.par_chunks(width).map(|point| dot(point, point)).collect();
    let mut centres = row(random.random_range(0..n)).to_vec();
    let mut nearest = vec![f64::INFINITY; n];
    let mut squares = vec![0.0; n * trials];
    let totals = lower(points, &lengths, &centres, width, &nearest, &mut squares[..n]);
    nearest.copy_from_slice(&squares[..n]);
    let mut total = totals[0];
    while centres.len() < count * width {
        let candidates: Vec<usize> = (0..trials).map(|_| draw(&nearest, random.random::<f64>() * total)).collect();
        let rows: Vec<f64> = candidates.iter().flat_map(|&at| row(at).iter().copied()).collect();
        let totals = lower(points, &lengths, &rows, width, &nearest, &mut squares);
        let mut best = 0;
        for trial in 1..trials {
            if totals[trial] < totals[best] {
                best = trial;
            }
        }
        centres.extend_from_slice(row(candidates[best]));
        total = totals[best];
        for (nearest, squares) in nearest.iter_mut().zip(squares.chunks_exact(trials)) {
            *nearest = squares[best];
        }
    }
    centres
}

/// `squares[n, candidates]`: the square of each point to its nearest centre if the candidate were one, too; returns the
/// sum for each candidate, added in fixed blocks.
fn lower(
    points: &[f64],
    lengths: &[f64],
    candidates: &[f64],
    width: usize,
    nearest: &[f64],
    squares: &mut [f64],
) -> Vec<f64> {
    let count = candidates.len() / width;
    let own: Vec<f64> = candidates.chunks_exact(width).map(|row| dot(row, row)).collect();
    let parts = squares
        .par_chunks_mut(BLOCK_ROWS * count)
        .zip(points.par_chunks(BLOCK_ROWS * width))
        .zip(nearest.par_chunks(BLOCK_ROWS).zip(lengths.par_chunks(BLOCK_ROWS)))
        .map(|((squares, points), (nearest, lengths))| {
            multiply_transposed(squares, points, candidates, width);
            let mut sums = vec![0.0; count];
            for (squares, (nearest, length)) in squares.chunks_exact_mut(count).zip(nearest.iter().zip(lengths)) {
                for ((square, own), sum) in squares.iter_mut().zip(&own).zip(&mut sums) {
                    let apart = length + own - 2.0 * *square;
                    *square = if apart > ZERO_SQUARE { apart.min(*nearest) } else { 0.0 };
                    *sum += *square;
                }
            }
            sums
        })
        .collect();
    sum_in_order(parts, count)
}

/// The row at `left` of the running sum of squares; the last row that counts when rounding carries beyond the end.
fn draw(squares: &[f64], mut left: f64) -> usize {
    squares
        .iter()
        .position(|square| {
            left -= square;
            left < 0.0
        })
        .or_else(|| squares.iter().rposition(|square| *square > 0.0))
        .unwrap_or(squares.len() - 1)
}

/// One start of Lloyd's iteration.
struct Lloyd<'a> {
    points: &'a [f64],
    width: usize,
    centres: Vec<f64>,
    labels: Vec<u32>,
    /// Squared distance of each point to its centre.
    squares: Vec<f64>,
    inertia: f64,
    settled: bool,
}

impl<'a> Lloyd<'a> {
    fn new(points: &'a [f64], width: usize, count: usize, seed: u64) -> Self {
        let n = points.len() / width;
        let centres = seeds(points, width, count, &mut ChaCha8Rng::seed_from_u64(seed));
        Self {
            points,
            width,
            centres,
            labels: vec![u32::MAX; n],
            squares: vec![0.0; n],
            inertia: f64::INFINITY,
            settled: false,
        }
    }

    /// At most `rounds` more rounds.
    fn go_on(&mut self, rounds: usize, progress: &Progress) -> Result<(), ManifoldError> {
        let (width, count) = (self.width, self.centres.len() / self.width);
        for _ in 0..rounds {
            if self.settled {
                break;
            }
            progress.check()?;
            let changed = assign(self.points, width, &self.centres, &mut self.labels, &mut self.squares);
            self.inertia = self.squares.iter().sum();
            self.settled = changed == 0;
            let mut sums = totals(self.points, width, count, &self.labels);
            let mut sizes: Vec<f64> = sums[count * width..].to_vec();
            fill_empty(self.points, width, &mut sums, &mut sizes, &mut self.labels, &mut self.squares);
            for (centre, (sum, size)) in self.centres.chunks_exact_mut(width).zip(sums.chunks_exact(width).zip(&sizes))
            {
                if *size > 0.0 {
                    for (centre, sum) in centre.iter_mut().zip(sum) {
                        *centre = sum / size;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Gives each point its nearest centre (ties to the lower centre); returns how many labels changed.
fn assign(points: &[f64], width: usize, centres: &[f64], labels: &mut [u32], squares: &mut [f64]) -> usize {
    let count = centres.len() / width;
    let halves: Vec<f64> =
        centres.chunks_exact(width).map(|centre| centre.iter().map(|x| x * x).sum::<f64>() / 2.0).collect();
    points
        .par_chunks(BLOCK_ROWS * width)
        .zip(labels.par_chunks_mut(BLOCK_ROWS))
        .zip(squares.par_chunks_mut(BLOCK_ROWS))
        .map_init(Vec::new, |scores, ((points, labels), squares)| {
            scores.resize(labels.len() * count, 0.0);
            multiply_transposed(scores, points, centres, width);
            let mut changed = 0;
            for (((scores, point), label), square) in
                scores.chunks_exact(count).zip(points.chunks_exact(width)).zip(labels).zip(squares)
            {
                let (mut best, mut score) = (0, f64::NEG_INFINITY);
                for (centre, (value, half)) in scores.iter().zip(&halves).enumerate() {
                    if value - half > score {
                        (best, score) = (centre, value - half);
                    }
                }
                changed += usize::from(*label != best as u32);
                *label = best as u32;
                *square = (point.iter().map(|x| x * x).sum::<f64>() - 2.0 * score).max(0.0);
            }
            changed
        })
        .sum()
}

/// Sums of the points of each cluster `[count, width]`, followed by their numbers `[count]`.
fn totals(points: &[f64], width: usize, count: usize, labels: &[u32]) -> Vec<f64> {
    let parts = points
        .par_chunks(BLOCK_ROWS * width)
        .zip(labels.par_chunks(BLOCK_ROWS))
        .map(|(points, labels)| {
            let mut sums = vec![0.0; count * (width + 1)];
            for (point, &label) in points.chunks_exact(width).zip(labels) {
                let from = label as usize * width;
                for (sum, value) in sums[from..from + width].iter_mut().zip(point) {
                    *sum += value;
                }
                sums[count * width + label as usize] += 1.0;
            }
            sums
        })
        .collect();
    sum_in_order(parts, count * (width + 1))
}

/// Moves the point farthest from its centre into each empty cluster.
fn fill_empty(
    points: &[f64],
    width: usize,
    sums: &mut [f64],
    sizes: &mut [f64],
    labels: &mut [u32],
    squares: &mut [f64],
) {
    for empty in 0..sizes.len() {
        if sizes[empty] > 0.0 {
            continue;
        }
        let mut farthest = 0;
        for row in 0..squares.len() {
            if squares[row] > squares[farthest] {
                farthest = row;
            }
        }
        if squares[farthest] <= ZERO_SQUARE {
            return;
        }
        let from = labels[farthest] as usize;
        for (column, value) in points[farthest * width..(farthest + 1) * width].iter().enumerate() {
            sums[from * width + column] -= value;
            sums[empty * width + column] = *value;
        }
        sizes[from] -= 1.0;
        sizes[empty] = 1.0;
        labels[farthest] = empty as u32;
        squares[farthest] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use paser_protocol::Silent;

    use super::*;

    fn labels(points: &[f64], width: usize, count: usize) -> Vec<u32> {
        let reported = AtomicU64::new(0);
        cluster(points, width, count, Effort::FULL, 3, &Progress::whole(&Silent, &reported)).expect("not cancelled")
    }

    #[test]
    fn separate_groups_are_found_and_numbered_by_size() {
        let points: Vec<f64> = (0..90)
            .flat_map(|i| {
                let centre = if i % 9 == 0 {
                    5.0
                } else if i % 3 == 0 {
                    -5.0
                } else {
                    0.0
                };
                [centre + (i % 7) as f64 * 0.01, centre * 2.0]
            })
            .collect();
        let found = labels(&points, 2, 3);
        for (i, &label) in found.iter().enumerate() {
            let expected = if i % 9 == 0 {
                2
            } else if i % 3 == 0 {
                1
            } else {
                0
            };
            assert_eq!(label, expected, "point {i}");
        }
    }

    #[test]
    fn fewer_distinct_points_than_clusters_do_not_hang() {
        let found = labels(&[1.0; 20], 1, 4);
        assert!(found.iter().all(|&label| label == 0));
    }
}
