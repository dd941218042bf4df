//! Between the protocol's words and the selection crate's: plans one way, ledgers and reasons the other. The only
//! place where both spellings meet.

use paser_protocol::{
    Budget, Damage, Guard, LedgerRow, ReasonCode, Refill, SelectionPlan, ShortfallReason, Strategy, Weight,
};
use paser_select::{Reason, SelectParams};

/// What the selection needs of a plan and the recipe's rule for concepts.
pub(crate) fn params(plan: &SelectionPlan, concepts: paser_select::Concepts) -> SelectParams {
    SelectParams {
        strategy: strategy(plan.strategy),
        budget: match plan.budget {
            Budget::Samples(count) => paser_select::Budget::Samples(count),
            Budget::Percent(percent) => paser_select::Budget::Percent(percent),
            Budget::Tokens(count) => paser_select::Budget::Tokens(count),
        },
        weight: match plan.weight {
            Weight::Cds => paser_select::Weight::Cds,
            Weight::CdsXSize => paser_select::Weight::CdsXSize,
            Weight::Uniform => paser_select::Weight::Uniform,
        },
        damage: match plan.damage {
            Damage::Whole => paser_select::Damage::Whole,
            Damage::AfterFirstToken => paser_select::Damage::AfterFirstToken,
        },
        guard: match plan.guard {
            Guard::None => paser_select::Guard::None,
            Guard::Tukey => paser_select::Guard::Tukey,
        },
        concepts: paser_select::Concepts { on: plan.concepts.on, strictness: plan.concepts.strictness, ..concepts },
        refill: match plan.refill {
            Refill::FewestConflicts => paser_select::Refill::FewestConflicts,
            Refill::None => paser_select::Refill::None,
        },
        seed: plan.seed,
    }
}

fn strategy(strategy: Strategy) -> paser_select::Strategy {
    match strategy {
        Strategy::Paser => paser_select::Strategy::Paser,
        Strategy::PaserGuarded => paser_select::Strategy::PaserGuarded,
        Strategy::PaserNoS2ric => paser_select::Strategy::PaserNoS2ric,
        Strategy::PaserNoCdais => paser_select::Strategy::PaserNoCdais,
        Strategy::PaserNoNtem => paser_select::Strategy::PaserNoNtem,
        Strategy::Full => paser_select::Strategy::Full,
        Strategy::Random => paser_select::Strategy::Random,
        Strategy::RandomLengthMatched => paser_select::Strategy::RandomLengthMatched,
        Strategy::Longest => paser_select::Strategy::Longest,
        Strategy::JsdTop => paser_select::Strategy::JsdTop,
        Strategy::PerplexityMid => paser_select::Strategy::PerplexityMid,
        Strategy::PerplexityTop => paser_select::Strategy::PerplexityTop,
        Strategy::Manual => paser_select::Strategy::Manual,
    }
}

pub(crate) fn ledger_row(row: &paser_select::LedgerRow) -> LedgerRow {
    LedgerRow {
        cluster: row.cluster,
        name: row.name.clone(),
        samples: row.samples,
        cds: row.cds,
        cds_low: row.cds_low,
        cds_high: row.cds_high,
        cds_rest: row.cds_rest,
        quota_raw: row.quota_raw,
        cap: row.cap,
        quota: row.quota,
        pinned: row.pinned,
        taken: row.taken,
        refilled: row.refilled,
        shortfall: row.shortfall,
        shortfall_reason: row.shortfall_reason.map(|reason| match reason {
            paser_select::ShortfallReason::NoConsistentCandidate => ShortfallReason::NoConsistentCandidate,
            paser_select::ShortfallReason::NextSampleTooLong => ShortfallReason::NextSampleTooLong,
        }),
        exhausted: row.exhausted,
        rejected: row.rejected,
        excluded: row.excluded,
        guarded: row.guarded,
        unscorable: row.unscorable,
        tokens: row.tokens,
    }
}

pub(crate) fn code(reason: &Reason) -> ReasonCode {
    match reason {
        Reason::Pinned { .. } => ReasonCode::Pinned,
        Reason::Taken { .. } => ReasonCode::Taken,
        Reason::Refilled { .. } => ReasonCode::Refilled,
        Reason::QuotaFull { .. } => ReasonCode::QuotaFull,
        Reason::Conflict { .. } => ReasonCode::Conflict,
        Reason::TooLong { .. } => ReasonCode::TooLong,
        Reason::BelowCut { .. } | Reason::NotDrawn | Reason::NotPinned => ReasonCode::NotTaken,
        Reason::Excluded => ReasonCode::Excluded,
        Reason::Guarded { .. } => ReasonCode::Guarded,
        Reason::Unscorable => ReasonCode::Unscorable,
        Reason::HeldOut => ReasonCode::HeldOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_keep_their_names() {
        for known in Strategy::ALL {
            assert_eq!(strategy(known).name(), known.name());
        }
        assert_eq!(paser_select::Strategy::ALL.len(), Strategy::ALL.len());
    }
}
