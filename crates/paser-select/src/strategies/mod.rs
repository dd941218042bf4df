//! Every rule of choice by name, and what each makes of a pool: a plan for the shared walk (section 4 of the method).

mod ablations;
mod by_column;
pub(crate) mod by_pass;
mod full;
mod instruction_mining;
mod kcenter;
mod length_matched;
mod manual;
mod paser;
mod random;

use paser_protocol::{Monitor, Strategy};

use crate::columns::PoolColumns;
use crate::curation::Curation;
use crate::error::SelectError;
use crate::frame::Frame;
use crate::params::SelectParams;
use crate::walk::Plan;

/// What a strategy decided before the walk.
pub(crate) struct Choice {
    pub plan: Plan,
    /// The part of the budget that could be spent; where there are quotas, they sum to it.
    pub total: u64,
    /// Raw quota of each cluster; `None` for strategies without quotas.
    pub raw: Option<Vec<f64>>,
    /// Cluster of each group; `None` where groups are not clusters.
    pub cluster_of_group: Option<Vec<u32>>,
    pub remarks: Remarks,
    /// Quotas that a person set, as they are served; none for clusters without one.
    pub fixed: Vec<Option<u64>>,
}

/// What must be told of a spread of the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Remarks {
    pub equal_weights: bool,
    pub scaled: bool,
    pub held_back: u64,
}

/// The pool as this strategy sees it.
pub(crate) fn frame<'a>(
    pool: &'a PoolColumns,
    curation: &Curation,
    params: &SelectParams,
) -> Result<Frame<'a>, SelectError> {
    let variant = ablations::variant(params);
    Frame::new(pool, curation, params, variant.grouping, variant.guard)
}

pub(crate) fn plan(
    frame: &Frame<'_>,
    params: &SelectParams,
    budget: u64,
    monitor: &dyn Monitor,
) -> Result<Choice, SelectError> {
    match params.strategy {
        Strategy::Paser
        | Strategy::PaserGuarded
        | Strategy::PaserNoS2ric
        | Strategy::PaserNoCdais
        | Strategy::PaserNoNtem => paser::plan(frame, params, &ablations::variant(params), budget),
        Strategy::Full => Ok(full::plan(frame)),
        Strategy::Random => random::plan(frame, params, budget),
        Strategy::RandomLengthMatched => length_matched::plan(frame, params, budget, monitor),
        Strategy::Longest | Strategy::JsdTop | Strategy::PerplexityMid | Strategy::PerplexityTop => {
            by_column::plan(frame, params.strategy, budget)
        }
        Strategy::Kcenter => kcenter::plan(frame, budget, monitor),
        Strategy::InstructionMining => instruction_mining::plan(frame, budget),
        Strategy::Ifd | Strategy::Superfiltering | Strategy::Nuggets => by_pass::plan(frame, params.strategy, budget),
        Strategy::Manual => manual::plan(frame, budget),
    }
}
