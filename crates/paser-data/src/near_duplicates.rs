//! Near-duplicates of a pool: texts that share most of their runs of three words. `MinHash` with bands finds candidates
//! in linear time, the exact Jaccard similarity of the sets decides, and what is linked is one group (Broder 1997;
//! Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, 3.4).

use std::cmp::Reverse;

use paser_protocol::Monitor;
use rayon::prelude::*;

use crate::{
    DataError, Sample, hash_order,
    words::{HashedWords, mix},
};

/// Words of a shingle. A text of fewer words is the set of its single words.
const SHINGLE: usize = 3;
/// Minima of a sketch, which are cut into bands.
const PERMUTATIONS: usize = 128;
/// Share of the pairs at the threshold that the bands must find.
const RECALL: f64 = 0.99;
/// A bucket of more samples is crowded: its samples are compared with its representatives instead of all with all, so
/// that thousands of equal texts do not cost their square.
const CROWDED: usize = 256;
/// Representatives of a crowded bucket: its first samples, in content-hash order, that resemble none before them.
const REPRESENTATIVES: usize = 64;
/// Comparisons in a crowded bucket between two looks at the monitor.
const PATIENCE: usize = 4096;

/// No group.
pub const ALONE: u32 = u32::MAX;

/// Samples that say almost the same.
#[derive(Debug, Clone, PartialEq)]
pub struct NearGroup {
    /// The row to keep: the longest response (in characters), ties to the first in content-hash order.
    pub kept: u32,
    /// The others, in content-hash order.
    pub others: Vec<u32>,
    /// Smallest similarity of another sample to the kept one. Below the threshold where samples are linked by a chain.
    pub similarity: f32,
}

/// The near-duplicates of a pool. Row `i` of every vector is sample `i`.
#[derive(Debug, Clone, PartialEq)]
pub struct NearDuplicates {
    /// By falling size, equal ones by the kept sample's place in content-hash order.
    pub groups: Vec<NearGroup>,
    /// Number of the row's group, or [`ALONE`].
    pub group: Vec<u32>,
    /// Jaccard similarity to the kept sample of the group, 0 to 1; 1 for the kept one, NaN outside groups.
    pub similarity: Vec<f32>,
    /// True for all but the `others` of a group.
    pub kept: Vec<bool>,
    /// Comparisons that crowded buckets left out: samples that resembled none of the representatives of a bucket whose
    /// list of representatives was full, counted once a bucket.
    pub left_out: u64,
}

/// What is kept of a text.
struct Sketch {
    /// Hashes of its shingles, rising.
    shingles: Box<[u64]>,
    /// One hash a band; empty where the text has no word.
    bands: Box<[u64]>,
}

/// How the permutations are cut: `bands` runs of `rows` minima.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    bands: usize,
    rows: usize,
}

impl Cut {
    /// The longest bands, so the fewest candidates, that find a pair of similarity s with 1 - (1 - s^rows)^bands of at
    /// least [`RECALL`] at the threshold.
    fn of(threshold: f64) -> Self {
        let cut = |rows: usize| Self { bands: PERMUTATIONS / rows, rows };
        let finds = |cut: Cut| 1.0 - (1.0 - threshold.powi(cut.rows as i32)).powi(cut.bands as i32);
        (1..=32).rev().map(cut).find(|cut| finds(*cut) >= RECALL).unwrap_or(cut(1))
    }
}

/// Multipliers (odd) and offsets of the permutations x -> a x + b modulo 2^32.
fn permutations() -> [[u32; PERMUTATIONS]; 2] {
    let number = |at: usize, which: u64| (mix((at as u64) << 1 | which) >> 32) as u32;
    [std::array::from_fn(|at| number(at + 1, 0) | 1), std::array::from_fn(|at| number(at + 1, 1))]
}

fn sketch(sample: &Sample, cut: Cut, [multiply, add]: &[[u32; PERMUTATIONS]; 2]) -> Sketch {
    let words = HashedWords::of(&[&sample.instruction, &sample.input, &sample.output]);
    let length = if words.len() < SHINGLE { 1 } else { SHINGLE };
    let mut shingles: Vec<u64> = words.runs(length).collect();
    shingles.sort_unstable();
    shingles.dedup();
    if shingles.is_empty() {
        return Sketch { shingles: Box::default(), bands: Box::default() };
    }
    let mut minima = [u32::MAX; PERMUTATIONS];
    for shingle in &shingles {
        let value = (shingle >> 32) as u32;
        for at in 0..PERMUTATIONS {
            minima[at] = minima[at].min(multiply[at].wrapping_mul(value).wrapping_add(add[at]));
        }
    }
    let bands = minima.chunks_exact(cut.rows).take(cut.bands).enumerate();
    let bands = bands.map(|(band, run)| run.iter().fold(band as u64, |hash, minimum| mix(hash ^ u64::from(*minimum))));
    Sketch { bands: bands.collect(), shingles: shingles.into() }
}

/// Size of the intersection over size of the union, of two rising sets that are not empty.
fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut at, mut other, mut shared) = (0, 0, 0_usize);
    while at < a.len() && other < b.len() {
        let (left, right) = (a[at], b[other]);
        shared += usize::from(left == right);
        at += usize::from(left <= right);
        other += usize::from(right <= left);
    }
    shared as f64 / (a.len() + b.len() - shared) as f64
}

/// Are two sets at least so similar? Sizes alone refuse many.
fn alike(a: &Sketch, b: &Sketch, threshold: f64) -> bool {
    let (a, b) = (&a.shingles, &b.shingles);
    let (least, most) = (a.len().min(b.len()), a.len().max(b.len()));
    // A quotient, as `jaccard` is one: threshold times most may round to above least.
    least as f64 / most as f64 >= threshold && jaccard(a, b) >= threshold
}

/// Sets that grow together.
struct Union(Vec<u32>);

impl Union {
    fn root(&mut self, mut at: u32) -> u32 {
        while self.0[at as usize] != at {
            let above = self.0[self.0[at as usize] as usize];
            self.0[at as usize] = above;
            at = above;
        }
        at
    }

    /// The smaller root stands for both.
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}

/// Pairs of a bucket that are alike and not yet known to belong together, and how many comparisons were left out.
/// `roots`: what was known before this band.
fn bucket_pairs(
    bucket: &[(u64, u32)],
    sketches: &[Sketch],
    roots: &[u32],
    threshold: f64,
    monitor: &dyn Monitor,
) -> (Vec<(u32, u32)>, u64) {
    let place = |member: usize| bucket[member].1;
    let alike = |a: usize, b: usize| alike(&sketches[place(a) as usize], &sketches[place(b) as usize], threshold);
    let mut label: Vec<u32> = bucket.iter().map(|(_, place)| roots[*place as usize]).collect();
    let (mut pairs, mut left_out) = (Vec::new(), 0);
    if bucket.len() <= CROWDED {
        for b in 1..bucket.len() {
            for a in 0..b {
                if label[a] != label[b] && alike(a, b) {
                    pairs.push((place(a), place(b)));
                    let (gone, stays) = (label[b], label[a]);
                    label.iter_mut().filter(|label| **label == gone).for_each(|label| *label = stays);
                }
            }
        }
        return (pairs, 0);
    }
    let mut representatives: Vec<usize> = Vec::with_capacity(REPRESENTATIVES);
    for member in 0..bucket.len() {
        if member % PATIENCE == 0 && monitor.cancelled() {
            break;
        }
        let known = representatives.iter().any(|representative| label[*representative] == label[member]);
        if known {
            continue;
        }
        if let Some(representative) = representatives.iter().find(|representative| alike(**representative, member)) {
            pairs.push((place(*representative), place(member)));
            label[member] = label[*representative];
        } else if representatives.len() < REPRESENTATIVES {
            representatives.push(member);
        } else {
            left_out += 1;
        }
    }
    (pairs, left_out)
}

/// The near-duplicates among the samples that are not held out. `held_out`: one mark per sample. `threshold` in (0, 1] is the Jaccard similarity of two
/// sets of shingles: runs of three words of instruction, input and output, in lower case and without punctuation.
/// Depends on the texts alone: neither on the order of the rows nor on the number of threads.
///
/// # Errors
/// `Cancelled`.
pub fn near_duplicates(
    samples: &[Sample],
    held_out: &[bool],
    threshold: f64,
    monitor: &dyn Monitor,
) -> Result<NearDuplicates, DataError> {
    let cut = Cut::of(threshold);
    let permutations = permutations();
    // From here on a sample is its place in content-hash order.
    let mut order = hash_order(samples);
    order.retain(|row| !held_out[*row as usize]);
    let total = 2 * order.len() as u64;
    let go_on = |done: u64| {
        monitor.progress(done, total);
        if monitor.cancelled() { Err(DataError::Cancelled) } else { Ok(()) }
    };
    let mut sketches: Vec<Sketch> = Vec::with_capacity(order.len());
    for part in order.chunks(PATIENCE) {
        go_on(sketches.len() as u64)?;
        sketches.par_extend(part.par_iter().map(|row| sketch(&samples[*row as usize], cut, &permutations)));
    }
    let mut union = Union((0..order.len() as u32).collect());
    let mut left_out = 0;
    for band in 0..cut.bands {
        go_on(total / 2 + total / 2 * band as u64 / cut.bands as u64)?;
        let mut keys: Vec<(u64, u32)> =
            (0..).zip(&sketches).filter_map(|(place, sketch)| Some((*sketch.bands.get(band)?, place))).collect();
        keys.par_sort_unstable();
        let buckets: Vec<&[(u64, u32)]> = keys.chunk_by(|a, b| a.0 == b.0).filter(|bucket| bucket.len() > 1).collect();
        let roots: Vec<u32> = (0..order.len() as u32).map(|place| union.root(place)).collect();
        let found: Vec<_> = buckets
            .par_iter()
            .map(|bucket| {
                if monitor.cancelled() {
                    return (Vec::new(), 0);
                }
                bucket_pairs(bucket, &sketches, &roots, threshold, monitor)
            })
            .collect();
        for (pairs, out) in found {
            left_out += out;
            pairs.into_iter().for_each(|(a, b)| union.join(a, b));
        }
    }
    go_on(total)?;
    let mut result = gather(samples, &order, &sketches, &mut union);
    result.left_out = left_out;
    Ok(result)
}

/// The groups of the joined sets.
fn gather(samples: &[Sample], order: &[u32], sketches: &[Sketch], union: &mut Union) -> NearDuplicates {
    let mut places: Vec<(u32, u32)> = (0..order.len() as u32).map(|place| (union.root(place), place)).collect();
    places.sort_unstable();
    let mut sets: Vec<(u32, Vec<u32>)> = places
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|set| set.len() > 1)
        .map(|set| {
            let length = |place: u32| samples[order[place as usize] as usize].output.chars().count();
            let members = set.iter().map(|(_, place)| *place);
            let kept = members.clone().min_by_key(|place| (Reverse(length(*place)), *place)).unwrap_or(set[0].1);
            (kept, members.filter(|place| *place != kept).collect())
        })
        .collect();
    sets.sort_by_key(|(kept, others)| (Reverse(others.len()), *kept));
    let mut result = NearDuplicates {
        groups: Vec::with_capacity(sets.len()),
        group: vec![ALONE; samples.len()],
        similarity: vec![f32::NAN; samples.len()],
        kept: vec![true; samples.len()],
        left_out: 0,
    };
    for (number, (kept, others)) in (0..).zip(sets) {
        let row = |place: u32| order[place as usize];
        let shingles = |place: u32| &sketches[place as usize].shingles;
        let near: Vec<f32> = others.par_iter().map(|other| jaccard(shingles(kept), shingles(*other)) as f32).collect();
        result.group[row(kept) as usize] = number;
        result.similarity[row(kept) as usize] = 1.0;
        for (other, near) in others.iter().zip(&near) {
            let at = row(*other) as usize;
            (result.group[at], result.similarity[at], result.kept[at]) = (number, *near, false);
        }
        result.groups.push(NearGroup {
            kept: row(kept),
            others: others.into_iter().map(row).collect(),
            similarity: near.into_iter().fold(1.0, f32::min),
        });
    }
    result
}

#[cfg(test)]
mod tests;
