//! What must hold for every strategy, budget and person's mark: the sums of the ledger, who may be taken, a reason for
//! everyone, and independence of the order of the pool.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use paser_protocol::{Budget, Damage, Guard, ReasonCode, Refill, ShortfallReason, Silent, Strategy, Unit, Weight};
use paser_select::{
    ClusterWeight, Curation, PoolColumns, Reason, SelectError, SelectParams, Selection, linear_quantile, quotas,
    select, tukey_fence,
};
use proptest::prelude::*;
use support::{pool, random_case, rows_by_id};

fn labels<'a>(pool: &'a PoolColumns, params: &SelectParams) -> &'a [u32] {
    match params.strategy {
        Strategy::PaserNoS2ric => pool.alternative_clusters.as_deref().unwrap(),
        _ => &pool.clusters,
    }
}

fn guarded(params: &SelectParams) -> bool {
    params.guard == Guard::Tukey || params.strategy == Strategy::PaserGuarded
}

/// Fences, computed a second time from the words of the method.
fn above_fence(pool: &PoolColumns, curation: &Curation, params: &SelectParams) -> Vec<bool> {
    let labels = labels(pool, params);
    let open = |row: usize| {
        !pool.held_out[row] && !curation.pinned.contains(&(row as u32)) && !curation.excluded.contains(&(row as u32))
    };
    let losses = |cluster: Option<u32>| -> Vec<f64> {
        (0..pool.len())
            .filter(|&row| open(row) && cluster.is_none_or(|cluster| labels[row] == cluster))
            .filter_map(|row| pool.scores[row].map(|score| score.loss_dense))
            .collect()
    };
    (0..pool.len())
        .map(|row| {
            let mut own = losses(Some(labels[row]));
            if own.len() < 20 {
                own = losses(None);
            }
            pool.scores[row].is_some_and(|score| score.loss_dense > tukey_fence(&own))
        })
        .collect()
}

/// Left out by the rule of `ifd`, `superfiltering` or `nuggets`.
fn ruled_out(pool: &PoolColumns, params: &SelectParams, row: usize) -> bool {
    let value = pool.pass.as_ref().unwrap().values[row];
    match params.strategy {
        Strategy::Ifd | Strategy::Superfiltering => value.is_nan() || value >= 1.0,
        Strategy::Nuggets => value.is_nan(),
        _ => false,
    }
}

fn eligible(pool: &PoolColumns, curation: &Curation, params: &SelectParams) -> Vec<bool> {
    let above = above_fence(pool, curation, params);
    (0..pool.len())
        .map(|row| {
            let marked = curation.pinned.contains(&(row as u32)) || curation.excluded.contains(&(row as u32));
            let fenced_off = guarded(params) && above[row];
            !pool.held_out[row] && !marked && pool.scores[row].is_some() && !fenced_off && !ruled_out(pool, params, row)
        })
        .collect()
}

fn cost(pool: &PoolColumns, params: &SelectParams, row: u32) -> u64 {
    match params.budget.unit() {
        Unit::Samples => 1,
        Unit::Tokens => u64::from(pool.trained_tokens[row as usize]),
    }
}

fn check_sums(
    pool: &PoolColumns,
    curation: &Curation,
    params: &SelectParams,
    selection: &Selection,
) -> Result<(), TestCaseError> {
    let eligible = eligible(pool, curation, params);
    let labels = labels(pool, params);
    let pinned: u64 = curation.pinned.iter().map(|row| cost(pool, params, *row)).sum();
    let available =
        pinned + (0..pool.len()).filter(|row| eligible[*row]).map(|row| cost(pool, params, row as u32)).sum::<u64>();
    let asked = match params.strategy {
        Strategy::Full => available,
        Strategy::Manual => pinned,
        _ => params.budget.resolve(pool.selectable_samples()),
    };
    let ledger = &selection.ledger;
    prop_assert_eq!(selection.budget, asked.min(available));
    let has_quotas = matches!(
        params.strategy,
        Strategy::Paser
            | Strategy::PaserGuarded
            | Strategy::PaserNoS2ric
            | Strategy::PaserNoCdais
            | Strategy::PaserNoNtem
    );
    let asked_for = if has_quotas { selection.budget } else { selection.selected };
    prop_assert_eq!(ledger.iter().map(|row| row.quota).sum::<u64>(), asked_for);
    prop_assert_eq!(ledger.iter().map(|row| row.pinned + row.taken + row.refilled).sum::<u64>(), selection.selected);
    prop_assert_eq!(selection.rows.iter().map(|row| cost(pool, params, *row)).sum::<u64>(), selection.selected);
    prop_assert_eq!(ledger.iter().map(|row| row.tokens).sum::<u64>(), selection.tokens);
    prop_assert_eq!(ledger.iter().map(|row| row.cap).sum::<u64>(), available);
    for row in ledger {
        prop_assert_eq!(row.quota, row.pinned + row.taken + row.refilled + row.shortfall);
        prop_assert!(row.quota <= row.cap, "{row:?}");
        prop_assert_eq!(row.exhausted, row.quota == row.cap);
        prop_assert_eq!(row.shortfall_reason.is_some(), row.shortfall > 0);
        let members: Vec<usize> =
            (0..pool.len()).filter(|&at| labels[at] == row.cluster && !pool.held_out[at]).collect();
        prop_assert_eq!(row.samples, members.len() as u64);
        let count = |code| members.iter().filter(|&&at| selection.reasons[at].code() == code).count() as u64;
        prop_assert_eq!(
            (row.excluded, row.guarded, row.unscorable, row.ruled_out),
            (
                count(ReasonCode::Excluded),
                count(ReasonCode::Guarded),
                count(ReasonCode::Unscorable),
                count(ReasonCode::RuledOut)
            )
        );
        prop_assert!(
            row.rejected >= count(ReasonCode::Conflict) + count(ReasonCode::Refilled) || selection.unit == Unit::Tokens
        );
        prop_assert!(row.rejected >= count(ReasonCode::Conflict));
        prop_assert_eq!(row.quota_raw.is_some(), has_quotas);
        if !has_quotas {
            prop_assert_eq!((row.quota, row.shortfall), (row.pinned + row.taken, 0));
        }
    }
    Ok(())
}

fn check_rows(
    pool: &PoolColumns,
    curation: &Curation,
    params: &SelectParams,
    selection: &Selection,
) -> Result<(), TestCaseError> {
    let eligible = eligible(pool, curation, params);
    let distinct: BTreeSet<u32> = selection.rows.iter().copied().collect();
    prop_assert_eq!(distinct.len(), selection.rows.len(), "a sample was taken twice");
    for &row in &curation.pinned {
        prop_assert!(distinct.contains(&row));
    }
    prop_assert_eq!(selection.reasons.len(), pool.len());
    for (row, reason) in selection.reasons.iter().enumerate() {
        let pinned = curation.pinned.contains(&(row as u32));
        prop_assert_eq!(reason.selected(), distinct.contains(&(row as u32)));
        prop_assert!(!reason.selected() || pinned || eligible[row], "{reason:?}");
        prop_assert_eq!(pinned, matches!(reason, Reason::Pinned { .. }));
        match *reason {
            Reason::Pinned { order } | Reason::Taken { order, .. } | Reason::Refilled { order, .. } => {
                prop_assert_eq!(selection.rows[order as usize - 1], row as u32);
            }
            Reason::HeldOut => prop_assert!(pool.held_out[row]),
            Reason::Excluded => prop_assert!(curation.excluded.contains(&(row as u32))),
            Reason::Unscorable => prop_assert!(pool.scores[row].is_none()),
            Reason::RuledOut { value } => {
                prop_assert!(ruled_out(pool, params, row) && value.is_none_or(|value| value >= 1.0));
            }
            Reason::Guarded { loss, fence } => prop_assert!(loss > fence && guarded(params)),
            Reason::TooLong { tokens, room } => {
                prop_assert!(tokens > room && selection.unit == Unit::Tokens && eligible[row]);
            }
            Reason::NotPinned => prop_assert_eq!(params.strategy, Strategy::Manual),
            Reason::QuotaFull { .. } | Reason::BelowCut { .. } | Reason::NotDrawn => {
                prop_assert!(eligible[row] && params.strategy != Strategy::Manual);
            }
            Reason::Conflict { first, second, first_row, second_row } => {
                prop_assert!(eligible[row] && params.concepts.on && first != second);
                let concepts = &pool.concepts;
                prop_assert!(concepts[row].contains(&first) && concepts[row].contains(&second));
                for (concept, source) in [(first, first_row), (second, second_row)] {
                    let introduced = selection
                        .rows
                        .iter()
                        .find(|taken| {
                            concepts[**taken as usize].contains(&concept)
                                && !matches!(selection.reasons[**taken as usize], Reason::Refilled { .. })
                        })
                        .copied();
                    prop_assert_eq!(introduced, Some(source), "not the sample that introduced the concept");
                }
            }
        }
        prop_assert!(!reason.explain(pool).is_empty());
    }
    Ok(())
}

/// Replays the order taken with a graph of plain sets: every sample taken must have been consistent when it was taken.
fn check_graph(pool: &PoolColumns, params: &SelectParams, selection: &Selection) -> Result<(), TestCaseError> {
    let family = matches!(
        params.strategy,
        Strategy::Paser | Strategy::PaserGuarded | Strategy::PaserNoS2ric | Strategy::PaserNoCdais
    );
    if !family || !params.concepts.on {
        prop_assert!(selection.ledger.iter().all(|row| row.rejected == 0 && row.refilled == 0));
        prop_assert_eq!(selection.acceptance_rate, None);
        return Ok(());
    }
    let mut known = BTreeSet::new();
    let mut linked = BTreeSet::new();
    for &row in &selection.rows {
        let concepts = &pool.concepts[row as usize];
        let mut pairs = BTreeSet::new();
        for &a in concepts {
            for &b in concepts {
                if a < b {
                    pairs.insert((a, b));
                }
            }
        }
        match selection.reasons[row as usize] {
            Reason::Refilled { .. } => continue,
            Reason::Taken { .. } if params.concepts.strictness == 1.0 => {
                let clash =
                    pairs.iter().find(|(a, b)| known.contains(a) && known.contains(b) && !linked.contains(&(*a, *b)));
                prop_assert_eq!(clash, None);
            }
            _ => {}
        }
        known.extend(concepts.iter().copied());
        linked.extend(pairs);
    }
    Ok(())
}

/// Nothing that fits is left lying: a full sample budget, or a rest of tokens too short for everything eligible.
fn check_spent(
    pool: &PoolColumns,
    curation: &Curation,
    params: &SelectParams,
    selection: &Selection,
) -> Result<(), TestCaseError> {
    let may_fall_short = params.refill == Refill::None && params.concepts.on;
    if !may_fall_short {
        let eligible = eligible(pool, curation, params);
        let left = selection.budget - selection.selected;
        prop_assert!(selection.unit == Unit::Tokens || left == 0);
        for (row, eligible) in eligible.into_iter().enumerate() {
            if eligible && !selection.reasons[row].selected() && params.strategy != Strategy::Manual {
                prop_assert!(
                    cost(pool, params, row as u32) > left
                        || params.strategy == Strategy::RandomLengthMatched && left == 0,
                    "{left} left"
                );
            }
        }
        let reasons: Vec<ShortfallReason> = selection.ledger.iter().filter_map(|row| row.shortfall_reason).collect();
        prop_assert!(reasons.iter().all(|reason| *reason == ShortfallReason::NextSampleTooLong));
    } else if selection.unit == Unit::Samples {
        let reasons: Vec<ShortfallReason> = selection.ledger.iter().filter_map(|row| row.shortfall_reason).collect();
        prop_assert!(reasons.iter().all(|reason| *reason == ShortfallReason::NoConsistentCandidate));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn everything_adds_up((samples, curation, params) in random_case()) {
        let pool = pool(&samples, support::clusters());
        let pinned: u64 = curation.pinned.iter().map(|row| cost(&pool, &params, *row)).sum();
        let asked = params.budget.resolve(pool.selectable_samples());
        match select(&pool, &curation, &params, &Silent) {
            Err(SelectError::MorePinsThanBudget { pinned: said, budget }) => {
                prop_assert!(params.strategy != Strategy::Full && pinned > asked);
                prop_assert_eq!((said, budget), (pinned, asked));
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
            Ok(selection) => {
                prop_assert!(pinned <= asked || params.strategy == Strategy::Full);
                check_sums(&pool, &curation, &params, &selection)?;
                check_rows(&pool, &curation, &params, &selection)?;
                check_graph(&pool, &params, &selection)?;
                check_spent(&pool, &curation, &params, &selection)?;
            }
        }
    }

    /// The same with quotas and emphasis that a person set: what is served is the ledger's quota to the unit, also in tokens.
    #[test]
    fn quotas_by_hand_add_up(
        (samples, curation, params) in random_case(),
        hands in prop::collection::vec((prop::option::of(0u64..400), 0.0..3.0f64), support::clusters() as usize),
    ) {
        let pool = pool(&samples, support::clusters());
        let quotas_set = (0..).zip(&hands).filter_map(|(cluster, (quota, _))| quota.map(|quota| (cluster, quota)));
        let emphasis = (0..).zip(&hands).map(|(cluster, (_, factor))| (cluster, *factor));
        let plain = curation;
        let curation = Curation { quotas: quotas_set.collect(), emphasis: emphasis.collect(), ..plain.clone() };
        let Ok(selection) = select(&pool, &curation, &params, &Silent) else {
            prop_assert!(select(&pool, &plain, &params, &Silent).is_err());
            return Ok(());
        };
        check_rows(&pool, &curation, &params, &selection)?;
        check_graph(&pool, &params, &selection)?;
        let ledger = &selection.ledger;
        prop_assert_eq!(ledger.iter().map(|row| row.pinned + row.taken + row.refilled).sum::<u64>(), selection.selected);
        for row in ledger {
            prop_assert_eq!(row.quota, row.pinned + row.taken + row.refilled + row.shortfall);
            prop_assert!(row.quota <= row.cap);
        }
        match params.strategy {
            Strategy::Paser | Strategy::PaserGuarded | Strategy::PaserNoCdais | Strategy::PaserNoNtem => {}
            // Its sizes are those of `paser` with the same quotas.
            Strategy::RandomLengthMatched => return Ok(()),
            _ => {
                prop_assert!(ledger.iter().all(|row| !row.by_hand));
                prop_assert_eq!(&selection, &select(&pool, &plain, &params, &Silent).unwrap());
                return Ok(());
            }
        }
        let weight = if params.strategy == Strategy::PaserNoCdais { Weight::Uniform } else { params.weight };
        let weights: Vec<ClusterWeight> = (ledger.iter().zip(&hands))
            .map(|(row, (fixed, emphasis))| ClusterWeight {
                cds: if params.damage == Damage::Whole { row.cds } else { row.cds_rest },
                size: row.samples,
                eligible: row.cap - row.pinned,
                pinned: row.pinned,
                emphasis: *emphasis,
                fixed: *fixed,
            })
            .collect();
        let live = quotas(&weights, weight, params.budget.resolve(pool.selectable_samples())).unwrap();
        prop_assert_eq!((live.total, live.scaled, live.held_back), (selection.budget, selection.scaled, selection.held_back));
        prop_assert_eq!(ledger.iter().map(|row| row.quota).sum::<u64>(), selection.budget);
        for ((live, row), (fixed, _)) in live.clusters.iter().zip(ledger).zip(&hands) {
            prop_assert_eq!((row.by_hand, row.quota_raw), (fixed.is_some(), Some(live.raw)));
            if row.by_hand || selection.unit == Unit::Samples {
                prop_assert_eq!(live.quota, row.quota, "{:?}", row);
            }
        }
    }

    /// Quotas drawn while a slider moves, from what a window knows of each cluster, are those of the selection that follows.
    #[test]
    fn live_quotas_are_the_quotas_of_the_selection((samples, curation, params) in random_case()) {
        let params = SelectParams { strategy: Strategy::PaserGuarded, ..params };
        let pool = pool(&samples, support::clusters());
        let Ok(selection) = select(&pool, &curation, &params, &Silent) else { return Ok(()) };
        let weights: Vec<ClusterWeight> = selection
            .ledger
            .iter()
            .map(|row| ClusterWeight {
                cds: if params.damage == Damage::Whole { row.cds } else { row.cds_rest },
                size: row.samples,
                eligible: row.cap - row.pinned,
                pinned: row.pinned,
                ..ClusterWeight::default()
            })
            .collect();
        let live = quotas(&weights, params.weight, params.budget.resolve(pool.selectable_samples())).unwrap();
        prop_assert_eq!(live.total, selection.budget);
        for (live, row) in live.clusters.iter().zip(&selection.ledger) {
            prop_assert_eq!((live.cap, Some(live.raw)), (row.cap, row.quota_raw));
            prop_assert!(live.quota == row.quota || selection.unit == Unit::Tokens);
        }
    }

    #[test]
    fn order_of_the_pool_does_not_matter((samples, curation, params) in random_case(), turn in 1usize..60) {
        let mut turned = samples.clone();
        turned.reverse();
        let middle = turn % samples.len().max(1);
        turned.rotate_left(middle);
        let (first, second) = (pool(&samples, support::clusters()), pool(&turned, support::clusters()));
        let rows = rows_by_id(&second);
        let map = |row: u32| rows[first.ids[row as usize].as_str()];
        let mut mapped = curation.clone();
        mapped.pinned = curation.pinned.iter().rev().map(|row| map(*row)).collect();
        mapped.excluded = curation.excluded.iter().rev().map(|row| map(*row)).collect();
        let (Ok(one), Ok(two)) = (select(&first, &curation, &params, &Silent), select(&second, &mapped, &params, &Silent)) else {
            return Ok(());
        };
        prop_assert_eq!(one.rows.iter().map(|row| map(*row)).collect::<Vec<_>>(), &two.rows[..]);
        prop_assert_eq!(&one.ledger, &two.ledger);
        prop_assert_eq!((one.acceptance_rate, one.mean_response_tokens, one.above_fence), (two.acceptance_rate, two.mean_response_tokens, two.above_fence));
        for (row, reason) in one.reasons.iter().enumerate() {
            let expected = match *reason {
                Reason::Conflict { first, second, first_row, second_row } => {
                    Reason::Conflict { first, second, first_row: map(first_row), second_row: map(second_row) }
                }
                other => other,
            };
            prop_assert_eq!(two.reasons[map(row as u32) as usize], expected);
        }
    }

    /// Without quotas a larger sample budget only adds.
    #[test]
    fn larger_budgets_only_add((samples, curation, params) in random_case(), small in 0u64..40, more in 0u64..40) {
        let pool = pool(&samples, support::clusters());
        for strategy in [Strategy::Random, Strategy::Longest, Strategy::JsdTop, Strategy::PerplexityMid, Strategy::PerplexityTop, Strategy::Kcenter, Strategy::InstructionMining, Strategy::Ifd, Strategy::Superfiltering, Strategy::Nuggets, Strategy::PaserNoNtem] {
            let run = |count| select(&pool, &curation, &SelectParams { strategy, budget: Budget::Samples(count), ..params }, &Silent);
            let (Ok(small), Ok(large)) = (run(small), run(small + more)) else { continue };
            if strategy != Strategy::PaserNoNtem {
                prop_assert_eq!(&large.rows[..small.rows.len()], &small.rows[..]);
            }
            prop_assert!(large.selected >= small.selected);
        }
    }

    #[test]
    fn length_matched_takes_as_many_from_each_bin((samples, curation, params) in random_case(), budget in 0u64..60) {
        let pool = pool(&samples, support::clusters());
        let run = |strategy| select(&pool, &curation, &SelectParams { strategy, budget: Budget::Samples(budget), ..params }, &Silent);
        let (Ok(paser), Ok(matched)) = (run(Strategy::Paser), run(Strategy::RandomLengthMatched)) else { return Ok(()) };
        let eligible = eligible(&pool, &curation, &SelectParams { strategy: Strategy::Paser, ..params });
        let length = |row: usize| pool.scores[row].map(|score| f64::from(score.response_tokens));
        let mut lengths: Vec<f64> =
            (0..pool.len()).filter(|row| eligible[*row] || curation.pinned.contains(&(*row as u32))).filter_map(length).collect();
        lengths.sort_unstable_by(f64::total_cmp);
        let bins = |selection: &Selection| {
            let mut bins = BTreeMap::new();
            for &row in selection.rows.iter().filter(|row| eligible[**row as usize]) {
                let bin = (1..20).filter(|bin| linear_quantile(&lengths, f64::from(*bin) / 20.0) < length(row as usize).unwrap()).count();
                *bins.entry(bin).or_insert(0) += 1;
            }
            bins
        };
        prop_assert_eq!(bins(&paser), bins(&matched));
        prop_assert_eq!(paser.rows.len(), matched.rows.len());
    }
}
