//! The statistics against the truth: comparisons of arms whose true difference is known.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use paser_eval::stats::{Pairing, compare};
use paser_protocol::Finding;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const COMPARISONS: usize = 1000;

/// What an arm's values are drawn from.
#[derive(Clone, Copy, Debug)]
struct World {
    seeds: usize,
    items: usize,
    /// Standard deviation of what a seed adds to all items, in standard errors of the item mean.
    seed_effect: f64,
    answers: bool,
    rows: usize,
}

/// Box and Muller.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random_range(0.0..1.0));
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// One row: values of two arms by seed and item; the first one's true mean is higher by `gap`.
fn draw(world: World, gap: f64, random: &mut ChaCha8Rng) -> [Vec<Vec<f64>>; 2] {
    // What is hard for one arm is hard for the other: log-normal losses, or a chance to be right.
    let hard: Vec<f64> = (0..world.items).map(|_| normal(random)).collect();
    let spread = if world.answers { 0.45 } else { 0.6 } / (world.items as f64).sqrt();
    [gap, 0.0].map(|gap| {
        // How an arm differs on single items, beyond its mean.
        let own: Vec<f64> = (0..world.items).map(|_| normal(random)).collect();
        (0..world.seeds)
            .map(|_| {
                let seed = world.seed_effect * spread * normal(random);
                (0..world.items)
                    .map(|item| {
                        if world.answers {
                            let chance = 0.5 + 0.25 * (hard[item] / 1.5).tanh() + 0.1 * own[item].tanh() + gap + seed;
                            f64::from(u8::from(random.random_range(0.0..1.0) < chance))
                        } else {
                            (0.5 * hard[item]).exp() + 0.15 * own[item] + gap + seed + 0.1 * normal(random)
                        }
                    })
                    .collect()
            })
            .collect()
    })
}

/// Share of comparisons in which some row is called better, and the mean stated gap.
fn claims(world: World, gap: f64, seed: u64) -> (f64, f64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut claimed, mut gaps) = (0, 0.0);
    for _ in 0..COMPARISONS {
        let rows: Vec<[Vec<Vec<f64>>; 2]> =
            (0..world.rows).map(|row| draw(world, if row == 0 { gap } else { 0.0 }, &mut random)).collect();
        let pairings: Vec<Pairing<'_>> = rows
            .iter()
            .map(|[first, second]| Pairing { first, second, higher_is_better: true, answers: world.answers })
            .collect();
        let found = compare(&pairings);
        let real = |row: &Option<paser_eval::stats::Comparison>| row.as_ref().unwrap().finding != Finding::CannotTell;
        // Where there is a difference, only its row counts.
        let hit =
            if gap == 0.0 { found.iter().any(real) } else { found[0].as_ref().unwrap().finding == Finding::First };
        claimed += usize::from(hit);
        gaps += found[0].as_ref().unwrap().least_gap;
    }
    (claimed as f64 / COMPARISONS as f64, gaps / COMPARISONS as f64)
}

#[test]
fn without_a_difference_hardly_any_is_claimed_and_one_of_the_stated_gap_is_found() {
    let mut missed = Vec::new();
    let mut number = 0;
    for answers in [false, true] {
        for (seeds, rows) in [(3, 1), (3, 6), (5, 1), (5, 6)] {
            for seed_effect in [0.0, 1.0, 2.0] {
                number += 1;
                let world = World { seeds, items: 150, seed_effect, answers, rows };
                let (false_claims, gap) = claims(world, 0.0, number);
                let (found, _) = claims(world, gap, number + 1000);
                eprintln!(
                    "{world:?}: false {:.1} %, found at the stated gap {:.1} %",
                    100.0 * false_claims,
                    100.0 * found
                );
                if false_claims > 0.05 || found < 0.8 {
                    missed.push(format!("{world:?}: {false_claims} {found}"));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
