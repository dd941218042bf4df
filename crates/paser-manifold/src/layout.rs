//! The map: a UMAP-style layout of the neighbour graph in two dimensions, for looking at and never for deciding
//! (`method.md` section 1, item 8). Attraction along all edges and sampled repulsion, all points moved together
//! by Adam: the result does not depend on the number of threads.

use rayon::prelude::*;

use crate::error::ManifoldError;
use crate::progress::Progress;
use crate::sparse::SparseRows;

/// The curve 1 / (1 + a d^2b) that UMAP fits to a least distance of 0.1 and a spread of 1.
const A: f32 = 1.577;
const B: f32 = 0.8951;

/// Weight of repulsion against attraction, as UMAP's five negative samples for each sampled edge.
const REPULSION: f32 = 5.0;

/// Points that push each point in each round.
const PUSHES: usize = 8;

/// Adam as uwot uses it for whole-batch layouts.
const MOMENTUM: f32 = 0.5;
const SCALING: f32 = 0.9;

/// Standard deviation of the starting positions, and how far out they may lie.
const START_SPREAD: f64 = 4.0;
const START_REACH: f64 = 8.0;

/// A point's place and its Adam moments.
#[derive(Clone, Copy, Default)]
struct Moving {
    mean: [f32; 2],
    square: [f32; 2],
}

/// Places `[n]` of the vertices of `weights`, started from the first two columns of `coordinates[n, width]`.
pub(crate) fn lay_out(
    weights: &SparseRows,
    coordinates: &[f64],
    width: usize,
    seed: u64,
    progress: &Progress,
) -> Result<Vec<[f32; 2]>, ManifoldError> {
    let n = weights.rows();
    let mut places = start(coordinates, width, n, seed);
    if n < 2 {
        return Ok(places);
    }
    let strongest = weights.values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let pulls: Vec<f32> = weights.values.par_iter().map(|weight| (weight / strongest) as f32).collect();
    let rounds = if n <= 10_000 { 500 } else { 200 };
    let mut moving = vec![Moving::default(); n];
    for round in 0..rounds {
        progress.step(round, rounds)?;
        let rate = 1.0 - round as f32 / rounds as f32;
        let corrections = [1.0 - MOMENTUM.powi(round as i32 + 1), 1.0 - SCALING.powi(round as i32 + 1)];
        let old = &places;
        let next: Vec<[f32; 2]> = moving
            .par_iter_mut()
            .enumerate()
            .with_min_len(256)
            .map(|(i, moving)| {
                let range = weights.offsets[i]..weights.offsets[i + 1];
                let force = force(old, i, &weights.columns[range.clone()], &pulls[range], seed, round);
                let mut place = old[i];
                for axis in 0..2 {
                    moving.mean[axis] = MOMENTUM * moving.mean[axis] + (1.0 - MOMENTUM) * force[axis];
                    moving.square[axis] = SCALING * moving.square[axis] + (1.0 - SCALING) * force[axis] * force[axis];
                    let mean = moving.mean[axis] / corrections[0];
                    let root = (moving.square[axis] / corrections[1]).sqrt();
                    place[axis] += rate * mean / (root + 1e-7);
                }
                place
            })
            .collect();
        places = next;
    }
    centre(&mut places);
    progress.step(1, 1)?;
    Ok(places)
}

/// The pull of the neighbours and the push of some random points on point i.
fn force(places: &[[f32; 2]], i: usize, neighbours: &[u32], pulls: &[f32], seed: u64, round: usize) -> [f32; 2] {
    let here = places[i];
    let mut force = [0.0f32; 2];
    let mut total = 0.0;
    for (&j, &pull) in neighbours.iter().zip(pulls) {
        total += pull;
        let there = places[j as usize];
        let away = [here[0] - there[0], here[1] - there[1]];
        let square = away[0] * away[0] + away[1] * away[1];
        if square > 0.0 {
            let spread = square.powf(B);
            // Twice: UMAP samples each edge from both of its ends.
            let strength = -4.0 * A * B * spread / (square * (1.0 + A * spread));
            force[0] += pull * (strength * away[0]).clamp(-8.0, 8.0);
            force[1] += pull * (strength * away[1]).clamp(-8.0, 8.0);
        }
    }
    let weight = REPULSION * total / PUSHES as f32;
    let mut state = mix(seed ^ mix(((round as u64) << 32) | i as u64));
    for _ in 0..PUSHES {
        state = mix(state);
        let j = ((u128::from(state) * places.len() as u128) >> 64) as usize;
        if j == i {
            continue;
        }
        let away = [here[0] - places[j][0], here[1] - places[j][1]];
        let square = away[0] * away[0] + away[1] * away[1];
        let strength = 2.0 * B / ((0.001 + square) * (1.0 + A * square.powf(B)));
        force[0] += weight * (strength * away[0]).clamp(-4.0, 4.0);
        force[1] += weight * (strength * away[1]).clamp(-4.0, 4.0);
    }
    force
}

/// The output function of splitmix64: a random number for each counter.
fn mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Spectral starting places: the first two coordinates, scaled alike, with a little noise to part equal points.
fn start(coordinates: &[f64], width: usize, n: usize, seed: u64) -> Vec<[f32; 2]> {
    let mut places = vec![[0.0f32; 2]; n];
    for axis in 0..2.min(width) {
        let column = |i: usize| coordinates[i * width + axis];
        let mean = (0..n).map(column).sum::<f64>() / n as f64;
        let deviation = ((0..n).map(|i| (column(i) - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        let scale = if deviation > 0.0 { START_SPREAD / deviation } else { 0.0 };
        for (i, place) in places.iter_mut().enumerate() {
            place[axis] = ((column(i) - mean) * scale).clamp(-START_REACH, START_REACH) as f32;
        }
    }
    for (i, place) in places.iter_mut().enumerate() {
        for (axis, value) in place.iter_mut().enumerate() {
            let noise = mix(mix(seed.wrapping_add(1)) ^ (i * 2 + axis) as u64) >> 40;
            *value += noise as f32 / (1u64 << 24) as f32 * 0.1 - 0.05;
        }
    }
    places
}

fn centre(places: &mut [[f32; 2]]) {
    for axis in 0..2 {
        let mean = places.iter().map(|place| f64::from(place[axis])).sum::<f64>() / places.len() as f64;
        for place in places.iter_mut() {
            place[axis] -= mean as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use paser_protocol::Silent;

    use super::*;

    #[test]
    fn groups_of_the_graph_lie_apart_and_close_together() {
        let mut edges = Vec::new();
        for group in 0..3u32 {
            for i in 0..40 {
                for step in 1..6 {
                    edges.push((group * 40 + i, group * 40 + (i + step) % 40, 1.0));
                }
            }
        }
        edges.push((0, 40, 0.01));
        edges.push((40, 80, 0.01));
        let graph = SparseRows::from_edges(120, &edges);
        let reported = AtomicU64::new(0);
        let places = lay_out(&graph, &[], 0, 5, &Progress::whole(&Silent, &reported)).expect("not cancelled");
        let distance = |i: usize, j: usize| (places[i][0] - places[j][0]).hypot(places[i][1] - places[j][1]);
        let (mut near, mut nearest_is_own) = (0.0f32, 0);
        for i in 0..120 {
            let mut others: Vec<usize> = (0..120).filter(|&j| j != i).collect();
            others.sort_by(|&a, &b| distance(i, a).total_cmp(&distance(i, b)));
            nearest_is_own += usize::from(others[0] / 40 == i / 40);
            near = near.max(distance(i, others[0]));
        }
        assert!(nearest_is_own >= 118, "{nearest_is_own}");
        assert!(near < 3.0, "{near}");
        assert!(places.iter().flatten().all(|value| value.is_finite()));
    }
}
