//! `manual`: the pins and nothing else. Pins beyond the budget are an error, as everywhere.

use paser_protocol::Refill;

use crate::error::SelectError;
use crate::frame::Frame;
use crate::strategies::random::pinned_and_eligible;
use crate::strategies::{Choice, Remarks};
use crate::walk::{Plan, Unreached};

pub(crate) fn plan(frame: &Frame<'_>, budget: u64) -> Result<Choice, SelectError> {
    let (pinned, _) = pinned_and_eligible(frame);
    if pinned > budget {
        return Err(SelectError::MorePinsThanBudget { pinned, budget });
    }
    Ok(Choice {
        plan: Plan {
            groups: Vec::new(),
            best_first: Vec::new(),
            strictness: None,
            refill: Refill::None,
            unreached: Unreached::NotDrawn,
        },
        total: pinned,
        raw: None,
        cluster_of_group: None,
        remarks: Remarks::default(),
        fixed: Vec::new(),
    })
}
