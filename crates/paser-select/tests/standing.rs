//! What is said of a sample that was not reached agrees with the codes and the order of its selection.
#![allow(clippy::unwrap_used)]

mod support;

use paser_protocol::{
    ReasonCode::{self, Conflict, NotTaken, QuotaFull, Refilled, Taken, TooLong},
    Silent, Strategy, Unit,
};
use paser_select::{PoolColumns, Reason, SelectParams, Standing, select};
use proptest::prelude::*;
use support::{pool, random_case};

fn labels<'a>(pool: &'a PoolColumns, params: &SelectParams) -> &'a [u32] {
    match params.strategy {
        Strategy::PaserNoS2ric => pool.alternative_clusters.as_deref().unwrap(),
        _ => &pool.clusters,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn ranks_agree_with_the_reasons((samples, curation, params) in random_case()) {
        let pool = pool(&samples, support::clusters());
        let Ok(selection) = select(&pool, &curation, &params, &Silent) else { return Ok(()) };
        let labels = labels(&pool, &params);
        let codes: Vec<ReasonCode> = selection.reasons.iter().map(Reason::code).collect();
        for row in 0..pool.len() {
            let standing = Standing::of(&selection.reasons, labels, row as u32);
            let ranked = matches!(selection.reasons[row], Reason::QuotaFull { .. } | Reason::BelowCut { .. });
            prop_assert_eq!(standing.is_some(), ranked);
            let Some(standing) = standing else { continue };
            prop_assert_eq!(standing.in_cluster, codes[row] == QuotaFull);
            let group: Vec<usize> =
                (0..pool.len()).filter(|other| !standing.in_cluster || labels[*other] == labels[row]).collect();
            let counted = |codes_of: &[ReasonCode]| group.iter().filter(|row| codes_of.contains(&codes[**row])).count();
            let candidates = counted(&[Taken, Refilled, QuotaFull, Conflict, TooLong, NotTaken]);
            prop_assert_eq!(standing.candidates as usize, candidates);
            prop_assert!(standing.rank >= 1 && standing.rank <= standing.candidates);

            let rank_of = |row: &usize| match selection.reasons[*row] {
                Reason::Taken { rank, .. } => Some(rank),
                _ => None,
            };
            let taken: Vec<u32> = group.iter().filter_map(rank_of).collect();
            prop_assert_eq!(taken.len(), counted(&[Taken]));
            prop_assert_eq!(standing.last_taken, taken.iter().copied().filter(|rank| *rank < standing.rank).max());
            prop_assert_eq!(standing.later as usize, taken.iter().filter(|rank| **rank > standing.rank).count());
            // In samples the walk stops where the budget is spent: a better place would have been taken or looked at.
            if params.budget.unit() == Unit::Samples {
                prop_assert_eq!(standing.later, 0);
            }
            // The order of PASER is that of efficiency: better ones stand before it, worse ones behind.
            if matches!(params.strategy, Strategy::Paser | Strategy::PaserGuarded | Strategy::PaserNoS2ric) {
                let value = |row: usize| {
                    pool.scores[row].and_then(|score| score.efficiency(params.damage)).unwrap_or(f64::NEG_INFINITY)
                };
                let candidate = |row: &&usize| !matches!(
                    codes[**row],
                    ReasonCode::Pinned | ReasonCode::Excluded | ReasonCode::Guarded | ReasonCode::Unscorable
                        | ReasonCode::HeldOut
                );
                let better = |other: &&usize| {
                    (value(**other), pool.hashes[row]) > (value(row), pool.hashes[**other])
                };
                let before = group.iter().filter(candidate).filter(better).count();
                prop_assert_eq!(standing.rank as usize, before + 1);
            }
        }
    }
}
