//! The rules of the method on pools small enough to follow by hand.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use paser_protocol::{
    Budget, Damage, Guard, Monitor, Refill, ShortfallReason, Silent, Strategy, Weight, order_by_hash,
};
use paser_select::{
    Cds, Concepts, Curation, PerSample, PoolColumns, Reason, Score, SelectError, SelectParams, cluster_damage,
    cluster_names, select,
};
use support::{Sample, params, pool, sample, score};

fn concepts(list: &[u32], mut sample: Sample) -> Sample {
    sample.concepts = list.to_vec();
    sample
}

fn damage_of(pool: &PoolColumns) -> Vec<Option<Cds>> {
    let order = order_by_hash(&pool.hashes, &pool.ids);
    cluster_damage(&order, &pool.clusters, pool.cluster_names.len(), &pool.scores, &pool.held_out)
}

#[test]
fn clusters_are_walked_by_damage_and_samples_by_efficiency_with_ties_by_hash() {
    // Cluster 1 is hurt more; in cluster 0 the short sample beats the long one of equal damage.
    let long = Sample { score: Some(score(0.2, 100)), ..sample(1, 0, 0.2) };
    let samples = [long, sample(3, 0, 0.2), sample(2, 0, 0.2), sample(9, 1, 0.6), sample(8, 1, 0.4)];
    let selection =
        select(&pool(&samples, 2), &Curation::default(), &params(Strategy::Paser, Budget::Samples(5)), &Silent)
            .unwrap();
    assert_eq!(selection.rows, [3, 4, 2, 1, 0]);
    assert_eq!(selection.reasons[0], Reason::Taken { order: 5, rank: 3 });
}

#[test]
fn a_rejected_sample_names_the_pair_and_who_brought_its_concepts() {
    let samples = [
        concepts(&[0, 1], sample(0, 0, 0.6)),
        concepts(&[2, 3], sample(1, 0, 0.5)),
        concepts(&[4, 1, 3], sample(2, 0, 0.4)),
        concepts(&[4, 5], sample(3, 0, 0.3)),
    ];
    let paper = SelectParams { refill: Refill::None, ..params(Strategy::Paser, Budget::Samples(4)) };
    let pool = pool(&samples, 1);
    let selection = select(&pool, &Curation::default(), &paper, &Silent).unwrap();
    assert_eq!(selection.rows, [0, 1, 3]);
    assert_eq!(selection.reasons[2], Reason::Conflict { first: 1, second: 3, first_row: 0, second_row: 1 });
    assert_eq!(
        selection.reasons[2].explain(&pool),
        "Rejected: \"k1\" (from sample s0) and \"k3\" (from sample s1) never stand together in the selection."
    );
    let row = &selection.ledger[0];
    assert_eq!((row.quota, row.taken, row.shortfall, row.rejected), (4, 3, 1, 1));
    assert_eq!(row.shortfall_reason, Some(ShortfallReason::NoConsistentCandidate));
    assert_eq!(selection.acceptance_rate, Some(0.75));

    let without =
        select(&pool, &Curation::default(), &params(Strategy::PaserNoNtem, Budget::Samples(4)), &Silent).unwrap();
    assert_eq!((without.rows, without.acceptance_rate), (vec![0, 1, 2, 3], None));
}

#[test]
fn refill_takes_the_fewest_conflicts_first_and_teaches_the_graph_nothing() {
    let samples = [
        concepts(&[0, 1, 2], sample(0, 0, 0.69)),
        concepts(&[3], sample(1, 0, 0.68)),
        concepts(&[4], sample(2, 0, 0.67)),
        concepts(&[0, 3, 4], sample(3, 0, 0.66)), // three conflicts
        concepts(&[0, 3], sample(4, 0, 0.65)),    // one
        concepts(&[1, 4], sample(5, 0, 0.64)),    // one, less efficient
        concepts(&[0, 3], sample(6, 1, 0.1)),     // would be consistent had the refilled sample been added
    ];
    let selection =
        select(&pool(&samples, 2), &Curation::default(), &params(Strategy::Paser, Budget::Samples(6)), &Silent)
            .unwrap();
    assert_eq!(selection.rows, [0, 1, 2, 4, 5, 6]);
    assert_eq!(selection.reasons[4], Reason::Refilled { order: 4, conflicts: 1 });
    assert_eq!(selection.reasons[6], Reason::Refilled { order: 6, conflicts: 1 });
    assert!(matches!(selection.reasons[3], Reason::Conflict { .. }));
    assert_eq!((selection.ledger[0].taken, selection.ledger[0].refilled, selection.ledger[0].rejected), (3, 2, 3));
}

#[test]
fn concepts_of_pins_enter_the_graph_first() {
    let samples = [
        concepts(&[0], Sample { score: None, ..sample(0, 0, 0.0) }),
        concepts(&[1], sample(1, 0, 0.1)),
        concepts(&[0, 1], sample(2, 0, 0.6)),
    ];
    let curation = Curation { pinned: vec![1, 0], ..Curation::default() };
    let paper = SelectParams { refill: Refill::None, ..params(Strategy::Paser, Budget::Samples(3)) };
    let selection = select(&pool(&samples, 1), &curation, &paper, &Silent).unwrap();
    assert_eq!(selection.rows, [0, 1]);
    assert_eq!(selection.reasons[2], Reason::Conflict { first: 0, second: 1, first_row: 0, second_row: 1 });
}

#[test]
fn marks_that_cannot_hold_are_errors() {
    let held = Sample { held_out: true, ..sample(0, 0, 0.1) };
    let pool = pool(&[held, sample(1, 0, 0.1), sample(2, 0, 0.1)], 1);
    let run = |curation: &Curation| {
        select(&pool, curation, &params(Strategy::Random, Budget::Samples(1)), &Silent).unwrap_err()
    };
    let marks = |pinned: &[u32], excluded: &[u32]| Curation {
        pinned: pinned.to_vec(),
        excluded: excluded.to_vec(),
        ..Curation::default()
    };
    assert_eq!(run(&marks(&[0], &[])), SelectError::PinnedHeldOut { id: "s0".to_owned() });
    assert_eq!(run(&marks(&[1], &[1])), SelectError::PinnedAndExcluded { id: "s1".to_owned() });
    assert_eq!(run(&marks(&[], &[7])), SelectError::NoSuchRow { row: 7, rows: 3 });
    assert_eq!(run(&marks(&[1, 2, 2], &[])), SelectError::MorePinsThanBudget { pinned: 2, budget: 1 });
}

#[test]
fn token_budgets_carry_the_rest_to_the_next_cluster_and_end_with_what_fits() {
    let tokens = |tokens, sample| Sample { tokens, ..sample };
    let samples = [
        tokens(60, sample(0, 0, 0.40)),
        tokens(60, sample(1, 0, 0.39)), // does not fit into 100
        tokens(50, sample(2, 1, 0.30)),
        tokens(50, sample(3, 1, 0.29)),
        tokens(50, sample(4, 1, 0.28)),
        tokens(15, sample(5, 0, 0.01)),
    ];
    let uniform = SelectParams { weight: Weight::Uniform, ..params(Strategy::Paser, Budget::Tokens(200)) };
    let selection = select(&pool(&samples, 2), &Curation::default(), &uniform, &Silent).unwrap();
    // Cluster 1 is hurt more (0.29 against 0.27), walks first and spends 50 + 50 of its 100; cluster 0 spends 60 of its
    // 100, the next 60 do not fit into 40, and the last pass adds the 15.
    assert_eq!(selection.rows, [2, 3, 0, 5]);
    assert_eq!(selection.reasons[1], Reason::TooLong { tokens: 60, room: 40 });
    assert_eq!((selection.selected, selection.budget), (175, 200));
    let quotas: Vec<(u64, u64, u64)> =
        selection.ledger.iter().map(|row| (row.quota, row.taken, row.shortfall)).collect();
    assert_eq!(quotas, [(100, 75, 25), (100, 100, 0)]);
    assert_eq!(selection.ledger[0].shortfall_reason, Some(ShortfallReason::NextSampleTooLong));

    // With 235 tokens cluster 1 has 117, spends 100, and its 17 go on: cluster 0 has 118 + 17 and takes both.
    let selection = select(
        &pool(&samples, 2),
        &Curation::default(),
        &SelectParams { budget: Budget::Tokens(235), ..uniform },
        &Silent,
    )
    .unwrap();
    assert_eq!(selection.rows, [2, 3, 0, 1, 5]);
    let quotas: Vec<(u64, u64)> = selection.ledger.iter().map(|row| (row.quota, row.shortfall)).collect();
    assert_eq!(quotas, [(135, 0), (100, 0)]);
}

#[test]
fn the_guard_keeps_what_surprises_the_dense_model_out_of_damage_and_selection() {
    let mut samples: Vec<Sample> = (0..30).map(|hash| sample(hash, 0, 0.1)).collect();
    let broken = Score { loss_dense: 9.0, ..score(0.69, 10) };
    samples.push(Sample { score: Some(broken), ..sample(99, 0, 0.0) });
    let pool = pool(&samples, 1);
    let run = |strategy, curation: &Curation| {
        select(&pool, curation, &params(strategy, Budget::Samples(5)), &Silent).unwrap()
    };
    let plain = run(Strategy::Paser, &Curation::default());
    assert_eq!((plain.rows[0], plain.above_fence), (30, Some(0.2)));
    let guarded = run(Strategy::PaserGuarded, &Curation::default());
    assert_eq!(guarded.reasons[30], Reason::Guarded { loss: 9.0, fence: 1.0 });
    assert_eq!((guarded.ledger[0].guarded, guarded.ledger[0].cap, guarded.above_fence), (1, 30, Some(0.0)));
    assert!((guarded.ledger[0].cds.unwrap() - 0.1).abs() < 1e-12 && plain.ledger[0].cds.unwrap() > 0.11);
    // An exclusion is no word on damage: the sample still counts, unless it lies beyond the fence of a guard.
    let mut curation = Curation { excluded: vec![30], ..Curation::default() };
    let cds = |strategy| run(strategy, &curation).ledger[0].cds.unwrap();
    assert!(cds(Strategy::Paser) > 0.11 && cds(Strategy::PaserGuarded) < 0.101);
    assert_eq!(damage_of(&pool)[0].unwrap().mean, cds(Strategy::Paser));
    let ledger_cds = cds(Strategy::Paser);
    curation.excluded.push(0);
    assert_eq!(run(Strategy::Paser, &curation).ledger[0].cds, Some(ledger_cds));
    // A person can overrule.
    let curation = Curation { pinned: vec![30], ..Curation::default() };
    let overruled = run(Strategy::PaserGuarded, &curation);
    assert_eq!((overruled.rows[0], overruled.ledger[0].guarded, overruled.above_fence), (30, 0, Some(0.2)));
    // The switch works on any strategy.
    let random = select(
        &pool,
        &Curation::default(),
        &SelectParams { guard: Guard::Tukey, ..params(Strategy::Random, Budget::Percent(100.0)) },
        &Silent,
    )
    .unwrap();
    assert_eq!((random.budget, random.rows.contains(&30)), (30, false));
}

#[test]
fn damage_after_the_first_token_can_decide() {
    let with_rest = |hash, cluster, jsd, rest| Sample {
        score: Some(Score { jsd_rest: rest, ..score(jsd, 10) }),
        ..sample(hash, cluster, 0.0)
    };
    let samples = [with_rest(0, 0, 0.6, Some(0.1)), with_rest(1, 1, 0.2, Some(0.3)), with_rest(2, 1, 0.6, None)];
    let pool = pool(&samples, 2);
    let run = |damage| {
        let params = SelectParams { damage, ..params(Strategy::Paser, Budget::Samples(3)) };
        select(&pool, &Curation::default(), &params, &Silent).unwrap()
    };
    assert_eq!(run(Damage::Whole).rows, [0, 2, 1]);
    assert_eq!(run(Damage::AfterFirstToken).rows, [1, 2, 0]);
    let damage = damage_of(&pool);
    assert_eq!((damage[1].unwrap().rest, damage[1].unwrap().rest_n, damage[1].unwrap().n), (Some(0.3), 1, 2));
}

#[test]
fn damage_has_the_t_interval_of_its_mean() {
    let samples: Vec<Sample> = [0.1, 0.2, 0.3].into_iter().zip(0..).map(|(jsd, hash)| sample(hash, 0, jsd)).collect();
    let mut with_empty = samples;
    with_empty.push(Sample { score: None, ..sample(9, 1, 0.0) });
    with_empty.push(sample(10, 2, 0.4));
    let damage = damage_of(&pool(&with_empty, 3));
    let first = damage[0].unwrap();
    // 0.2 +- 4.302653 * 0.1 / sqrt(3), cut at 0.
    assert!((first.mean - 0.2).abs() < 1e-12 && (first.high.unwrap() - 0.448_413_77).abs() < 1e-7);
    assert_eq!(first.low, Some(0.0));
    assert_eq!(damage[1], None);
    assert_eq!((damage[2].unwrap().low, damage[2].unwrap().high), (None, None));
}

#[test]
fn columns_decide_without_clusters() {
    let samples: Vec<Sample> = [(1, 0.1, 5.0), (9, 0.3, 1.0), (5, 0.2, 3.0), (7, 0.4, 2.0), (3, 0.0, 4.0)]
        .into_iter()
        .zip(0..)
        .map(|((response, jsd, loss), hash)| Sample {
            score: Some(Score { loss_pruned: loss, ..score(jsd, response) }),
            ..sample(hash, 0, 0.0)
        })
        .collect();
    let run = |strategy| {
        select(&pool(&samples, 1), &Curation::default(), &params(strategy, Budget::Samples(3)), &Silent).unwrap().rows
    };
    assert_eq!(run(Strategy::Longest), [1, 3, 2]);
    assert_eq!(run(Strategy::JsdTop), [3, 1, 2]);
    assert_eq!(run(Strategy::PerplexityTop), [0, 4, 2]);
    assert_eq!(run(Strategy::PerplexityMid), [2, 4, 3]);
    assert_eq!(run(Strategy::Full).len(), 5);
    assert_eq!(run(Strategy::Manual), Vec::<u32>::new());
}

#[test]
fn ablations_change_one_part_each() {
    let mut samples: Vec<Sample> =
        (0..40).map(|hash| sample(hash, u32::from(hash >= 30), if hash < 30 { 0.1 } else { 0.6 })).collect();
    for (index, sample) in samples.iter_mut().enumerate() {
        sample.alternative = index as u32 % 2;
    }
    let pool = pool(&samples, 2);
    let run = |strategy, seed| {
        select(&pool, &Curation::default(), &SelectParams { seed, ..params(strategy, Budget::Samples(8)) }, &Silent)
            .unwrap()
    };
    let equal = run(Strategy::PaserNoCdais, 0);
    assert_eq!(equal.ledger.iter().map(|row| row.quota).collect::<Vec<_>>(), [4, 4]);
    assert!(equal.rows[..4].iter().all(|row| *row < 30), "clusters are walked by id");
    assert_ne!(equal.rows, run(Strategy::PaserNoCdais, 1).rows);
    let other = run(Strategy::PaserNoS2ric, 0);
    assert_eq!(other.ledger.iter().map(|row| row.samples).collect::<Vec<_>>(), [20, 20]);
    assert_ne!(run(Strategy::Random, 0).rows, run(Strategy::Random, 1).rows);
    let no_labels = PoolColumns { alternative_clusters: None, ..pool.clone() };
    let error = select(&no_labels, &Curation::default(), &params(Strategy::PaserNoS2ric, Budget::Samples(8)), &Silent);
    assert_eq!(error, Err(SelectError::NoAlternativeClusters));
}

#[test]
fn random_is_uniform() {
    let samples: Vec<Sample> = (0..50).map(|hash| sample(hash, 0, 0.1)).collect();
    let pool = pool(&samples, 1);
    let mut drawn = [0u32; 50];
    for seed in 0..2000 {
        let params = SelectParams { seed, ..params(Strategy::Random, Budget::Samples(10)) };
        for row in select(&pool, &Curation::default(), &params, &Silent).unwrap().rows {
            drawn[row as usize] += 1;
        }
    }
    // Expected 400 of 2,000, standard deviation 17.9: five of them either way.
    assert!(drawn.iter().all(|count| (310..490).contains(count)), "{drawn:?}");
}

#[test]
fn settings_outside_their_range_are_refused() {
    let with = |concepts| SelectParams { concepts, ..SelectParams::default() };
    for bad in [
        with(Concepts { strictness: 1.5, ..Concepts::default() }),
        with(Concepts { max_words: 0, ..Concepts::default() }),
        with(Concepts { per_sample: PerSample::Best(0), ..Concepts::default() }),
        params(Strategy::Paser, Budget::Percent(f64::NAN)),
        params(Strategy::Paser, Budget::Percent(100.5)),
    ] {
        assert!(matches!(bad.check(), Err(SelectError::BadSetting { .. })), "{bad:?}");
    }
}

#[test]
fn a_stop_is_heeded() {
    struct StopSoon(AtomicU64);
    impl Monitor for StopSoon {
        fn progress(&self, done: u64, total: u64) {
            assert!(done <= total);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) >= 2
        }
    }
    let samples: Vec<Sample> = (0..5000).map(|hash| sample(hash, 0, 0.1)).collect();
    let stopped = select(
        &pool(&samples, 1),
        &Curation::default(),
        &params(Strategy::Paser, Budget::Percent(100.0)),
        &StopSoon(AtomicU64::new(0)),
    );
    assert_eq!(stopped, Err(SelectError::Cancelled));
}

#[test]
fn names_are_distinctive_distinct_and_readable() {
    let concepts = ["answer", "python list", "sort python", "tree", "speed limit", "==>"].map(str::to_owned);
    let labels = [0, 0, 0, 1, 1, 1, 2, 3, 3];
    let samples = [vec![0, 1], vec![0, 1, 2], vec![1, 5], vec![0, 3], vec![3], vec![4], vec![5], vec![0, 3], vec![4]];
    let names = cluster_names(&labels, 4, &samples, &concepts, &[false; 9]);
    // "sort python" shares a word with the better "python list"; cluster 2 has no words at all; cluster 3 owns only
    // what weighs more there than elsewhere.
    assert_eq!(names, ["python list", "tree", "cluster 3", "speed limit, answer"]);
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), 4, "{names:?}");
}

#[test]
fn held_out_samples_name_no_cluster() {
    let concepts = ["python list", "tree", "speed limit"].map(str::to_owned);
    let labels = [0, 0, 1, 1, 0, 1];
    let samples = [vec![0], vec![0], vec![1], vec![1], vec![2], vec![2]];
    let held_out = [false, false, false, false, true, true];
    let names = cluster_names(&labels, 2, &samples, &concepts, &held_out);
    assert_eq!(names, cluster_names(&labels[..4], 2, &samples[..4], &concepts, &[false; 4]));
    assert_eq!(names, ["python list", "tree"]);
}

#[test]
fn literal_concepts_beyond_all_memory_are_refused_by_name() {
    let mut pool = pool(&[sample(7, 0, 0.1)], 1);
    pool.concept_names = (0..7000).map(|concept| format!("k{concept}")).collect();
    pool.concepts = vec![(0..7000).collect()].into();
    let error = select(&pool, &Curation::default(), &params(Strategy::Paser, Budget::Samples(1)), &Silent).unwrap_err();
    assert!(error.to_string().starts_with("sample `s7` has 7000 concepts"), "{error}");
    // Without the graph they cost nothing.
    assert!(select(&pool, &Curation::default(), &params(Strategy::PaserNoNtem, Budget::Samples(1)), &Silent).is_ok());
}

/// Without quotas, quota = pinned + taken: what nobody could spend is no cluster's shortfall.
#[test]
fn a_token_budget_without_quotas_falls_short_of_no_quota() {
    let samples: Vec<Sample> = (0..3).map(|hash| Sample { tokens: 60, ..sample(hash, hash as u32 % 2, 0.1) }).collect();
    for strategy in [Strategy::Random, Strategy::Longest, Strategy::JsdTop, Strategy::RandomLengthMatched] {
        let selection =
            select(&pool(&samples, 2), &Curation::default(), &params(strategy, Budget::Tokens(100)), &Silent).unwrap();
        assert_eq!((selection.selected, selection.budget), (60, 100), "{strategy}");
        for row in &selection.ledger {
            assert_eq!((row.quota, row.shortfall, row.shortfall_reason), (row.taken, 0, None), "{strategy}");
        }
    }
}

#[test]
fn bad_columns_are_named() {
    let good = pool(&[sample(0, 0, 0.1)], 1);
    let run = |pool: &PoolColumns| {
        select(pool, &Curation::default(), &SelectParams::default(), &Silent).unwrap_err().to_string()
    };
    let mut bad = good.clone();
    bad.scores[0].as_mut().unwrap().jsd = f64::NAN;
    assert!(run(&bad).contains("`jsd` is NaN for sample `s0`"));
    let mut bad = good.clone();
    bad.held_out.push(true);
    assert!(run(&bad).contains("`held_out` has 2 rows"));
    let mut bad = good.clone();
    bad.clusters[0] = 3;
    assert!(run(&bad).contains("cluster 3 of sample `s0`"));
    let mut bad = good.clone();
    bad.alternative_clusters = Some(vec![u32::MAX]);
    assert!(run(&bad).contains("cluster 4294967295 of sample `s0`"));
    let mut bad = good;
    bad.concepts.clear();
    assert!(run(&bad).contains("extract the concepts first"));
}
