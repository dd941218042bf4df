//! Exact nearest neighbours by cosine: blocked f32 matrix products with running best lists, then the candidates
//! re-ranked by f64 distances (`method.md` section 1, item 3).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::dense::{multiply_transposed, squared_distance};
use crate::error::ManifoldError;
use crate::progress::Progress;

/// Rows of a tile of the product.
const TILE: usize = 512;

/// Candidates that [`nearest`] keeps beyond the wanted ones for the f64 re-ranking.
const SPARE: usize = 15;

/// The nearest rows of each query, by rising distance, equal distances by rising row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Neighbours {
    /// Neighbours of each query.
    pub(crate) count: usize,
    /// `[queries, count]` rows.
    pub(crate) rows: Vec<u32>,
    /// `[queries, count]` chord distances, sqrt(2 - 2 cos).
    pub(crate) distances: Vec<f64>,
}

impl Neighbours {
    pub(crate) fn of(&self, query: usize) -> (&[u32], &[f64]) {
        let range = query * self.count..(query + 1) * self.count;
        (&self.rows[range.clone()], &self.distances[range])
    }

    pub(crate) fn queries(&self) -> usize {
        self.rows.len().checked_div(self.count).unwrap_or(0)
    }
}

/// The best candidates of a block of queries: higher score first, then lower row. Every pair is offered once, so
/// the lists do not depend on the order of the offers.
struct Best {
    width: usize,
    filled: Vec<usize>,
    scores: Vec<f32>,
    rows: Vec<u32>,
    /// The score that a newcomer must reach.
    bars: Vec<f32>,
}

impl Best {
    fn new(queries: usize, width: usize) -> Self {
        Self {
            width,
            filled: vec![0; queries],
            scores: vec![0.0; queries * width],
            rows: vec![0; queries * width],
            bars: vec![f32::NEG_INFINITY; queries],
        }
    }

    fn offer(&mut self, query: usize, score: f32, row: u32) {
        let start = query * self.width;
        let mut at = self.filled[query];
        let before = |other: f32, other_row: u32| other > score || (other == score && other_row < row);
        if at == self.width {
            if before(self.scores[start + at - 1], self.rows[start + at - 1]) {
                return;
            }
            at -= 1;
        } else {
            self.filled[query] += 1;
        }
        while at > 0 && !before(self.scores[start + at - 1], self.rows[start + at - 1]) {
            self.scores[start + at] = self.scores[start + at - 1];
            self.rows[start + at] = self.rows[start + at - 1];
            at -= 1;
        }
        self.scores[start + at] = score;
        self.rows[start + at] = row;
        if self.filled[query] == self.width {
            self.bars[query] = self.scores[start + self.width - 1];
        }
    }
}

fn lock(best: &Mutex<Best>) -> std::sync::MutexGuard<'_, Best> {
    best.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The `count` nearest other rows of every row of `vectors[n, dimensions]` (unit rows), out of `candidates`
/// that the f32 search finds; fewer in small pools.
pub(crate) fn exact(
    vectors: &[f32],
    dimensions: usize,
    candidates: usize,
    count: usize,
    progress: &Progress,
) -> Result<Neighbours, ManifoldError> {
    let n = vectors.len() / dimensions;
    let width = candidates.min(n - 1);
    let count = count.min(width);
    if width == 0 {
        return Ok(Neighbours { count: 0, rows: Vec::new(), distances: Vec::new() });
    }
    let blocks = n.div_ceil(TILE);
    let rows_of = |block: usize| block * TILE..n.min((block + 1) * TILE);
    let best: Vec<Mutex<Best>> = (0..blocks).map(|block| Mutex::new(Best::new(rows_of(block).len(), width))).collect();
    // Pairs of blocks by their distance, so that neighbouring tasks rarely want the same lists.
    let pairs: Vec<(usize, usize)> =
        (0..blocks).flat_map(|offset| (0..blocks - offset).map(move |block| (block, block + offset))).collect();
    let done = AtomicUsize::new(0);
    let [searching, ranking] = progress.split([0.95, 0.05]);
    pairs.par_iter().try_for_each_init(
        || vec![0.0f32; TILE * TILE],
        |tile, &(left, right)| {
            searching.step(done.fetch_add(1, Ordering::Relaxed), pairs.len())?;
            let (left_rows, right_rows) = (rows_of(left), rows_of(right));
            let tile = &mut tile[..left_rows.len() * right_rows.len()];
            multiply_transposed(
                tile,
                &vectors[left_rows.start * dimensions..left_rows.end * dimensions],
                &vectors[right_rows.start * dimensions..right_rows.end * dimensions],
                dimensions,
            );
            if left == right {
                scan_diagonal(tile, left_rows.start, &mut lock(&best[left]));
            } else {
                let (mut left_best, mut right_best) = (lock(&best[left]), lock(&best[right]));
                scan_pair(tile, left_rows.start, right_rows.start, &mut left_best, &mut right_best);
            }
            Ok(())
        },
    )?;
    let lists: Vec<Best> =
        best.into_iter().map(|best| best.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
    let found = rerank(vectors, vectors, dimensions, &lists, count, TILE);
    ranking.step(1, 1)?;
    Ok(found)
}

/// Offers both rows of every pair above the diagonal to each other.
fn scan_diagonal(tile: &[f32], start: usize, best: &mut Best) {
    let columns = best.filled.len();
    for (row, scores) in tile.chunks_exact(columns).enumerate() {
        for (column, &score) in scores.iter().enumerate().skip(row + 1) {
            if score >= best.bars[row] {
                best.offer(row, score, (start + column) as u32);
            }
            if score >= best.bars[column] {
                best.offer(column, score, (start + row) as u32);
            }
        }
    }
}

/// Offers both rows of every pair of a tile to each other; whole stretches below all bars are passed over.
fn scan_pair(tile: &[f32], left_start: usize, right_start: usize, left: &mut Best, right: &mut Best) {
    const STRETCH: usize = 32;
    let columns = right.filled.len();
    for (row, scores) in tile.chunks_exact(columns).enumerate() {
        for (stretch, scores) in scores.chunks(STRETCH).enumerate() {
            let first = stretch * STRETCH;
            let bar = left.bars[row];
            let hit = scores
                .iter()
                .zip(&right.bars[first..first + scores.len()])
                .fold(false, |hit, (&score, &other)| hit | (score >= bar) | (score >= other));
            if !hit {
                continue;
            }
            for (column, &score) in (first..).zip(scores) {
                if score >= left.bars[row] {
                    left.offer(row, score, (right_start + column) as u32);
                }
                if score >= right.bars[column] {
                    right.offer(column, score, (left_start + row) as u32);
                }
            }
        }
    }
}

/// The `count` rows of `base[m, dimensions]` nearest to every row of `queries[n, dimensions]`; fewer when the
/// base has fewer.
pub(crate) fn nearest(
    queries: &[f32],
    base: &[f32],
    dimensions: usize,
    count: usize,
    progress: &Progress,
) -> Result<Neighbours, ManifoldError> {
    let (n, m) = (queries.len() / dimensions, base.len() / dimensions);
    let width = (count + SPARE).min(m);
    let count = count.min(width);
    if n == 0 || count == 0 {
        return Ok(Neighbours { count, rows: Vec::new(), distances: Vec::new() });
    }
    // Few queries still fill every thread.
    let height = TILE.min(n.div_ceil(8)).max(16);
    let blocks = n.div_ceil(height);
    let done = AtomicUsize::new(0);
    let [searching, ranking] = progress.split([0.95, 0.05]);
    let lists: Vec<Best> = queries
        .par_chunks(height * dimensions)
        .map_init(
            || vec![0.0f32; height * TILE],
            |tile, block| {
                let rows = block.len() / dimensions;
                let mut best = Best::new(rows, width);
                for (index, part) in base.chunks(TILE * dimensions).enumerate() {
                    searching.check()?;
                    let columns = part.len() / dimensions;
                    let tile = &mut tile[..rows * columns];
                    multiply_transposed(tile, block, part, dimensions);
                    for (row, scores) in tile.chunks_exact(columns).enumerate() {
                        for (column, &score) in scores.iter().enumerate() {
                            if score >= best.bars[row] {
                                best.offer(row, score, (index * TILE + column) as u32);
                            }
                        }
                    }
                }
                searching.step(done.fetch_add(1, Ordering::Relaxed) + 1, blocks)?;
                Ok(best)
            },
        )
        .collect::<Result<_, ManifoldError>>()?;
    let found = rerank(queries, base, dimensions, &lists, count, height);
    ranking.step(1, 1)?;
    Ok(found)
}

/// The `count` best of each candidate list by f64 distance.
fn rerank(queries: &[f32], base: &[f32], dimensions: usize, lists: &[Best], count: usize, height: usize) -> Neighbours {
    let ranked: Vec<(Vec<u32>, Vec<f64>)> = lists
        .par_iter()
        .enumerate()
        .map(|(block, best)| {
            let (mut rows, mut distances) = (Vec::new(), Vec::new());
            let mut list: Vec<(f64, u32)> = Vec::new();
            for (offset, &filled) in best.filled.iter().enumerate() {
                let query = (block * height + offset) * dimensions;
                let query = &queries[query..query + dimensions];
                list.clear();
                list.extend(best.rows[offset * best.width..offset * best.width + filled].iter().map(|&row| {
                    let from = row as usize * dimensions;
                    (squared_distance(query, &base[from..from + dimensions]), row)
                }));
                list.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                rows.extend(list[..count].iter().map(|entry| entry.1));
                distances.extend(list[..count].iter().map(|entry| entry.0.sqrt()));
            }
            (rows, distances)
        })
        .collect();
    let mut found = Neighbours { count, rows: Vec::new(), distances: Vec::new() };
    for (rows, distances) in ranked {
        found.rows.extend(rows);
        found.distances.extend(distances);
    }
    found
}

/// The share of true nearest neighbours in `found`, by f64 distances to all rows, on at most `sample` rows spread
/// evenly over the pool; and how many rows that were.
pub(crate) fn recall(
    vectors: &[f32],
    dimensions: usize,
    found: &Neighbours,
    sample: usize,
    progress: &Progress,
) -> Result<(f64, usize), ManifoldError> {
    let n = vectors.len() / dimensions;
    if found.count == 0 {
        return Ok((1.0, 0));
    }
    let sample = sample.min(n);
    let picked: Vec<usize> = (0..sample).map(|index| index * n / sample).collect();
    let done = AtomicUsize::new(0);
    let hits: Vec<usize> = picked
        .par_chunks(64)
        .map(|queries| {
            let wide: Vec<f64> = queries
                .iter()
                .flat_map(|&row| vectors[row * dimensions..(row + 1) * dimensions].iter().map(|&x| f64::from(x)))
                .collect();
            let mut cosines = vec![0.0; queries.len() * n];
            let mut tile = vec![0.0; queries.len() * TILE];
            for (block, part) in vectors.chunks(TILE * dimensions).enumerate() {
                progress.check()?;
                let part: Vec<f64> = part.iter().map(|&x| f64::from(x)).collect();
                let columns = part.len() / dimensions;
                let tile = &mut tile[..queries.len() * columns];
                multiply_transposed(tile, &wide, &part, dimensions);
                for (row, scores) in tile.chunks_exact(columns).enumerate() {
                    let from = row * n + block * TILE;
                    cosines[from..from + columns].copy_from_slice(scores);
                }
            }
            let mut hits = 0;
            for (query, cosines) in queries.iter().zip(cosines.chunks_exact(n)) {
                let mut others: Vec<f64> = cosines.to_vec();
                others[*query] = f64::NEG_INFINITY;
                let bar = *others.select_nth_unstable_by(found.count - 1, |a, b| b.total_cmp(a)).1;
                // Rows as near as the last true neighbour count as true: ties have no right order.
                hits += found.of(*query).0.iter().filter(|&&row| cosines[row as usize] >= bar - 1e-9).count();
            }
            progress.step(done.fetch_add(queries.len(), Ordering::Relaxed) + queries.len(), sample)?;
            Ok(hits)
        })
        .collect::<Result<_, ManifoldError>>()?;
    Ok((hits.iter().sum::<usize>() as f64 / (sample * found.count) as f64, sample))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use paser_protocol::Silent;
    use proptest::prelude::*;

    use super::*;

    /// Unit rows on a coarse grid, so that equal rows and equal distances happen.
    fn rows() -> impl Strategy<Value = Vec<f32>> {
        let row = prop::collection::vec(-2i8..3, 3).prop_filter("a direction", |row| row.iter().any(|&x| x != 0));
        prop::collection::vec(row, 2..60).prop_map(|rows| {
            rows.iter()
                .flat_map(|row| {
                    let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                    row.iter().map(move |&x| (f64::from(x) / length) as f32)
                })
                .collect()
        })
    }

    /// All rows by rising f64 distance to a query, equal distances by rising row.
    fn sorted(query: &[f32], base: &[f32], skip: Option<usize>) -> Vec<(f64, u32)> {
        let mut all: Vec<(f64, u32)> = base
            .chunks_exact(3)
            .enumerate()
            .filter(|(row, _)| Some(*row) != skip)
            .map(|(row, other)| (squared_distance(query, other), row as u32))
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn distances_are_those_of_a_full_sort(rows in rows(), count in 2usize..9) {
            let reported = AtomicU64::new(0);
            let progress = Progress::whole(&Silent, &reported);
            // With every other row as a candidate f32 ties cannot hide a row.
            let found = exact(&rows, 3, 60, count, &progress).expect("not cancelled");
            let crossed = nearest(&rows, &rows, 3, count, &progress).expect("not cancelled");
            for (query, row) in rows.chunks_exact(3).enumerate() {
                let expected = sorted(row, &rows, Some(query));
                for (place, (&other, &distance)) in found.of(query).0.iter().zip(found.of(query).1).enumerate() {
                    prop_assert_eq!(other, expected[place].1);
                    prop_assert_eq!(distance, expected[place].0.sqrt());
                }
                let expected = sorted(row, &rows, None);
                for (place, distance) in crossed.of(query).1.iter().enumerate() {
                    prop_assert!((distance - expected[place].0.sqrt()).abs() < 1e-3);
                }
            }
        }
    }

    #[test]
    fn equal_scores_keep_the_lower_rows_in_any_order_of_offers() {
        for offers in [[7, 3, 5, 9], [3, 5, 7, 9], [9, 7, 5, 3]] {
            let mut best = Best::new(1, 3);
            for row in offers {
                best.offer(0, 0.5, row);
            }
            best.offer(0, 0.75, 8);
            assert_eq!(best.rows, [8, 3, 5], "{offers:?}");
            assert_eq!(best.bars, [0.5]);
        }
    }

    #[test]
    fn more_rows_than_a_tile_find_their_planted_partner() {
        // Rows on a circle: the nearest two of each are its neighbours on it.
        let n = 3 * TILE + 17;
        let rows: Vec<f32> = (0..n)
            .flat_map(|i| {
                // A stride that is prime to n scatters neighbours over all tiles.
                let angle = (i * 7 % n) as f64 / n as f64 * std::f64::consts::TAU;
                [angle.cos() as f32, angle.sin() as f32]
            })
            .collect();
        let reported = AtomicU64::new(0);
        let progress = Progress::whole(&Silent, &reported);
        let found = exact(&rows, 2, 6, 2, &progress).expect("not cancelled");
        for i in 0..n {
            let mut own: Vec<usize> = found.of(i).0.iter().map(|&row| row as usize * 7 % n).collect();
            own.sort_unstable();
            let mut expected = [(i * 7 + 1) % n, (i * 7 + n - 1) % n];
            expected.sort_unstable();
            assert_eq!(own, expected, "row {i}");
        }
        assert_eq!(recall(&rows, 2, &found, 100, &progress).expect("not cancelled"), (1.0, 100));
    }
}
