//! `random`, and the chance behind every random order: each sample draws a key from (strategy, seed, content hash), and
//! keys are sorted. So neither the order of the pool nor the other samples nor a library's generator decides, and a
//! larger budget with the same seed only adds samples.

use sha2::{Digest, Sha256};

use paser_protocol::Refill;

use crate::error::SelectError;
use crate::frame::{Frame, State};
use crate::params::SelectParams;
use crate::strategies::{Choice, Remarks};
use crate::walk::{Group, Plan, Unreached};

/// A uniform 64-bit key for every row.
pub(crate) fn draw_keys(frame: &Frame<'_>, params: &SelectParams) -> Vec<u64> {
    frame
        .pool
        .hashes
        .iter()
        .map(|hash| {
            let mut digest = Sha256::new();
            digest.update(params.strategy.name().as_bytes());
            digest.update([0]);
            digest.update(params.seed.to_le_bytes());
            digest.update(hash);
            let bytes = digest.finalize();
            bytes.iter().take(8).fold(0u64, |key, byte| (key << 8) | u64::from(*byte))
        })
        .collect()
}

pub(crate) fn plan(frame: &Frame<'_>, params: &SelectParams, budget: u64) -> Result<Choice, SelectError> {
    let keys = draw_keys(frame, params);
    let mut rows: Vec<u32> = frame.rows(State::Eligible).collect();
    rows.sort_by_key(|row| keys[*row as usize]);
    in_one_order(frame, rows, budget, Unreached::NotDrawn)
}

/// A strategy without quotas: pins, then rows of one list until the budget is spent.
pub(crate) fn in_one_order(
    frame: &Frame<'_>,
    rows: Vec<u32>,
    budget: u64,
    unreached: Unreached,
) -> Result<Choice, SelectError> {
    let (pinned, eligible) = pinned_and_eligible(frame);
    let free = budget.checked_sub(pinned).ok_or(SelectError::MorePinsThanBudget { pinned, budget })?.min(eligible);
    Ok(Choice {
        plan: Plan {
            groups: vec![Group { quota: free, fixed: false, rows: rows.clone() }],
            best_first: rows,
            strictness: None,
            refill: Refill::None,
            unreached,
        },
        total: pinned + free,
        raw: None,
        cluster_of_group: None,
        remarks: Remarks::default(),
        fixed: Vec::new(),
    })
}

/// What the pins cost and what the eligible unpinned rows would cost, in the unit of the budget.
pub(crate) fn pinned_and_eligible(frame: &Frame<'_>) -> (u64, u64) {
    let sum = |state| frame.rows(state).map(|row| frame.cost(row)).sum();
    (sum(State::Pinned), sum(State::Eligible))
}
