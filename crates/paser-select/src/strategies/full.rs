//! `full`: every pin and every eligible sample, whatever the budget, by content hash.

use paser_protocol::Refill;

use crate::frame::{Frame, State};
use crate::strategies::random::pinned_and_eligible;
use crate::strategies::{Choice, Remarks};
use crate::walk::{Group, Plan, Unreached};

pub(crate) fn plan(frame: &Frame<'_>) -> Choice {
    let rows: Vec<u32> = frame.rows(State::Eligible).collect();
    let (pinned, eligible) = pinned_and_eligible(frame);
    Choice {
        plan: Plan {
            groups: vec![Group { quota: eligible, fixed: false, rows: rows.clone() }],
            best_first: rows,
            strictness: None,
            refill: Refill::None,
            unreached: Unreached::BelowCut,
        },
        total: pinned + eligible,
        raw: None,
        cluster_of_group: None,
        remarks: Remarks::default(),
        fixed: Vec::new(),
    }
}
