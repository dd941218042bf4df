//! Strategies that read the sentence vectors: `kcenter` against the plain definition, `instruction-mining` against the
//! published rule.
#![allow(clippy::unwrap_used)]

mod support;

use paser_protocol::{Budget, Monitor, Silent, Strategy, order_by_hash};
use paser_select::{Curation, PoolColumns, SelectError, SelectParams, Vectors, select};
use proptest::prelude::*;
use support::{Sample, params, pool, random_case, sample, score};

/// Points on a line, by rising hash.
fn line(points: &[f32]) -> PoolColumns {
    let samples: Vec<Sample> = (0..points.len() as u64).map(|hash| sample(hash, 0, 0.1)).collect();
    PoolColumns { vectors: Some(Vectors { values: points.into(), dimensions: 1 }), ..pool(&samples, 1) }
}

fn chosen(pool: &PoolColumns, curation: &Curation, budget: Budget) -> Vec<u32> {
    select(pool, curation, &params(Strategy::Kcenter, budget), &Silent).unwrap().rows
}

#[test]
fn the_farthest_comes_next_from_the_middle_or_from_the_pins() {
    let pool = line(&[0.0, 1.0, 4.0, 5.0, 10.0]);
    // The mean is 4; then 10; then 0; then 1 and 5 are equally far, and the earlier hash wins.
    assert_eq!(chosen(&pool, &Curation::default(), Budget::Samples(5)), [2, 4, 0, 1, 3]);
    let curation = Curation { pinned: vec![4, 0], excluded: vec![3], ..Curation::default() };
    assert_eq!(chosen(&pool, &curation, Budget::Samples(3)), [0, 4, 2]);
}

#[test]
fn a_token_budget_takes_what_fits_and_the_farthest_first() {
    let mut pool = line(&[0.0, 1.0, 4.0, 5.5, 10.0]);
    pool.trained_tokens = vec![50, 10, 20, 10, 30].into();
    // 4 (20) and 10 (30) are taken; 0 (50) is too long for what is left; of 1 and 5.5 the latter is farther from all.
    assert_eq!(chosen(&pool, &Curation::default(), Budget::Tokens(60)), [2, 4, 3]);
    assert_eq!(chosen(&pool, &Curation::default(), Budget::Tokens(70)), [2, 4, 3, 1]);
}

#[test]
fn the_published_rule_decides_without_its_reward() {
    let samples: Vec<Sample> = [100, 500, 10, 10]
        .into_iter()
        .zip(0..)
        .map(|(length, hash)| Sample { score: Some(score(0.1, length)), ..sample(hash, 0, 0.1) })
        .collect();
    let mut pool = pool(&samples, 1);
    // 8.257e-5 Len - 0.9350 Knn: -0.4592, -0.4730, -0.4673, -0.4667.
    pool.neighbour_distances = Some(vec![0.5, 0.55, 0.5007, 0.5]);
    let run = |pool: &PoolColumns| {
        select(pool, &Curation::default(), &params(Strategy::InstructionMining, Budget::Samples(4)), &Silent)
    };
    assert_eq!(run(&pool).unwrap().rows, [1, 2, 3, 0]);
    pool.neighbour_distances = None;
    assert!(matches!(run(&pool), Err(SelectError::NoNeighbours { .. })));
    pool.neighbour_distances = Some(vec![0.5, f32::NAN, 0.5, 0.5]);
    assert!(matches!(run(&pool), Err(SelectError::BadNumber { column: "neighbour_distances", .. })));
    pool.neighbour_distances = Some(vec![0.5]);
    assert!(matches!(run(&pool), Err(SelectError::ColumnLength { column: "neighbour_distances", .. })));
}

#[test]
fn vectors_that_are_missing_or_broken_are_named_and_a_stop_is_heard() {
    let whole = line(&[0.0, 1.0]);
    let run = |pool: &PoolColumns, monitor: &dyn Monitor| {
        select(pool, &Curation::default(), &params(Strategy::Kcenter, Budget::Samples(2)), monitor)
    };
    let with = |vectors| PoolColumns { vectors, ..whole.clone() };
    let vectors = |values: &[f32]| Some(Vectors { values: values.into(), dimensions: 1 });
    assert!(matches!(run(&with(None), &Silent), Err(SelectError::NoVectors { .. })));
    assert!(matches!(run(&with(vectors(&[1.0])), &Silent), Err(SelectError::ColumnLength { column: "vectors", .. })));
    assert!(matches!(
        run(&with(vectors(&[1.0, f32::NAN])), &Silent),
        Err(SelectError::BadNumber { column: "vectors", .. })
    ));
    struct Later(std::sync::atomic::AtomicU32);
    impl Monitor for Later {
        fn progress(&self, _: u64, _: u64) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.0.load(std::sync::atomic::Ordering::Relaxed) > 1
        }
    }
    assert_eq!(run(&whole, &Later(0.into())).unwrap_err(), SelectError::Cancelled);
}

proptest! {
    /// Every centre is the farthest from those before it, by the definition computed anew; on any number of threads.
    #[test]
    fn centres_are_farthest_first((samples, curation, params) in random_case(), budget in 0u64..40) {
        let pool = pool(&samples, support::clusters());
        let params = SelectParams { strategy: Strategy::Kcenter, budget: Budget::Samples(budget), ..params };
        let threads = |count| rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
        let run = |count| threads(count).install(|| select(&pool, &curation, &params, &Silent));
        let Ok(found) = run(1) else { return Ok(()) };
        prop_assert_eq!(&found, &run(3).unwrap());
        let vectors = pool.vectors.as_ref().unwrap();
        let distance = |a: u32, b: u32| -> f32 {
            vectors.of(a).iter().zip(vectors.of(b)).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let order = order_by_hash(&pool.hashes, &pool.ids);
        let open = |row: u32| found.reasons[row as usize].code();
        use paser_protocol::ReasonCode::{NotTaken, Taken};
        for at in curation.pinned.len().max(1)..found.rows.len() {
            let (before, next) = (&found.rows[..at], found.rows[at]);
            let gap = |row: u32| before.iter().map(|centre| distance(row, *centre)).fold(f32::INFINITY, f32::min);
            let left = order.iter().copied().filter(|row| !before.contains(row) && matches!(open(*row), Taken | NotTaken));
            let farthest = left.clone().map(gap).fold(0.0, f32::max);
            prop_assert_eq!(left.clone().find(|row| gap(*row) == farthest), Some(next));
        }
    }
}
