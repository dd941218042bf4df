//! Strategies that read what a pass of their own measured: order, rule, ledger, and what must not matter.
#![allow(clippy::unwrap_used)]

mod support;

use paser_protocol::{Budget, ReasonCode, Silent, Strategy};
use paser_select::{Curation, PassColumn, PoolColumns, Reason, SelectError, Selection, select};
use proptest::prelude::*;
use support::{Sample, params, pool, sample};

/// Samples by rising hash, one cluster, with these numbers.
fn measured(values: &[f32]) -> PoolColumns {
    let samples: Vec<Sample> = (0..values.len() as u64).map(|hash| sample(hash, 0, 0.1)).collect();
    let pass = PassColumn { values: values.to_vec(), ties: vec![f32::NAN; values.len()] };
    PoolColumns { pass: Some(pass), ..pool(&samples, 1) }
}

fn run(pool: &PoolColumns, strategy: Strategy, budget: u64) -> Selection {
    select(pool, &Curation::default(), &params(strategy, Budget::Samples(budget)), &Silent).unwrap()
}

#[test]
fn the_highest_difficulty_below_one_comes_first_and_the_rest_is_ruled_out() {
    let pool = measured(&[0.4, 1.0, 0.9, 1.3, f32::NAN, 0.999, 0.4]);
    for strategy in [Strategy::Ifd, Strategy::Superfiltering] {
        let found = run(&pool, strategy, 3);
        assert_eq!(found.rows, [5, 2, 0], "equal values fall by content hash");
        assert_eq!(found.reasons[1], Reason::RuledOut { value: Some(1.0) });
        assert_eq!(found.reasons[3], Reason::RuledOut { value: Some(f64::from(1.3_f32)) });
        assert_eq!(found.reasons[4], Reason::RuledOut { value: None });
        assert_eq!(found.reasons[6], Reason::BelowCut { rank: 4 });
        let row = &found.ledger[0];
        assert_eq!((row.ruled_out, row.cap, row.quota, row.taken), (3, 4, 3, 3));
        // More than there is below 1: all of that and nothing more.
        assert_eq!((run(&pool, strategy, 7).budget, run(&pool, strategy, 7).rows.len()), (4, 4));
        let words: Vec<String> = [1, 4].map(|row: usize| found.reasons[row].explain(&pool)).to_vec();
        assert!(words[0].contains("1.000 is not below 1") && words[1].contains("too long"), "{words:?}");
    }
}

#[test]
fn golden_scores_fall_and_equal_ones_by_the_mean_gain() {
    let mut pool = measured(&[0.5, 1.0, 0.5, f32::NAN, 0.5, 0.0]);
    pool.pass.as_mut().unwrap().ties = vec![0.1, -0.2, 0.3, f32::NAN, 0.1, 0.4];
    let found = run(&pool, Strategy::Nuggets, 5);
    assert_eq!(found.rows, [1, 2, 0, 4, 5], "a score of 1 is the best there is, not ruled out");
    assert_eq!((found.ledger[0].ruled_out, found.reasons[3].code()), (1, ReasonCode::RuledOut));
}

#[test]
fn a_pin_overrules_the_rule_and_a_pool_without_the_pass_is_refused() {
    let pool = measured(&[0.4, 1.2, 0.9]);
    let curation = Curation { pinned: vec![1], ..Curation::default() };
    let found = select(&pool, &curation, &params(Strategy::Ifd, Budget::Samples(2)), &Silent).unwrap();
    assert_eq!((found.rows, found.ledger[0].ruled_out), (vec![1, 2], 0));
    let bare = PoolColumns { pass: None, ..pool.clone() };
    let refused = |pool: &PoolColumns| {
        select(pool, &Curation::default(), &params(Strategy::Ifd, Budget::Samples(2)), &Silent).unwrap_err()
    };
    assert_eq!(refused(&bare), SelectError::NoPass { strategy: "ifd" });
    assert!(matches!(refused(&measured(&[0.4, -0.1])), SelectError::BadNumber { column: "pass", .. }));
    let mut short = pool;
    short.pass.as_mut().unwrap().ties.pop();
    assert!(matches!(refused(&short), SelectError::ColumnLength { column: "pass ties", .. }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Only the order of the numbers and the side of 1 that they are on decide.
    #[test]
    fn a_rising_change_of_the_numbers_changes_nothing(
        values in prop::collection::vec(0.01_f32..1.6, 1..40),
        budget in 0_u64..40,
    ) {
        let bent: Vec<f32> = values.iter().map(|value| value * value * value).collect();
        let (plain, bent) = (run(&measured(&values), Strategy::Ifd, budget), run(&measured(&bent), Strategy::Ifd, budget));
        prop_assert_eq!(&plain.rows, &bent.rows);
        let codes = |found: &Selection| found.reasons.iter().map(Reason::code).collect::<Vec<_>>();
        prop_assert_eq!(codes(&plain), codes(&bent));
        let row = &plain.ledger[0];
        prop_assert_eq!(row.samples, row.cap + row.ruled_out);
        prop_assert!(plain.rows.iter().all(|row| values[*row as usize] < 1.0));
    }
}
