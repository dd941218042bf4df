//! Strategies that read what a pass of their own measured, highest first (section 4 of the method):
//!
//! * `ifd` (Cherry LLM, arXiv 2308.12032): loss(response | prompt) / loss(response alone);
//! * `superfiltering` (arXiv 2402.00530): the ratio of the perplexities, by a small model;
//! * `nuggets` (arXiv 2312.10302): the share of anchor tasks whose loss falls behind the sample as an example.
//!
//! The first two leave out what is not below 1: there the prompt does not help. What the pass could not measure is left
//! out by all three. Equal values fall by the pass's second number, then by content hash.

use paser_protocol::Strategy;

use crate::error::SelectError;
use crate::frame::{Frame, State};
use crate::strategies::Choice;
use crate::strategies::random::in_one_order;
use crate::walk::Unreached;

/// Whether the strategy's own rule leaves out a sample with this number.
pub(crate) fn is_ruled_out(strategy: Strategy, value: f32) -> bool {
    value.is_nan() || strategy != Strategy::Nuggets && value >= 1.0
}

pub(crate) fn plan(frame: &Frame<'_>, strategy: Strategy, budget: u64) -> Result<Choice, SelectError> {
    let pass = frame.pool.pass.as_ref().ok_or(SelectError::NoPass { strategy: strategy.name() })?;
    let tie = |row: u32| {
        let tie = pass.ties[row as usize];
        if tie.is_nan() { f32::NEG_INFINITY } else { tie }
    };
    let mut rows: Vec<u32> = frame.rows(State::Eligible).collect();
    rows.sort_by(|&a, &b| pass.values[b as usize].total_cmp(&pass.values[a as usize]).then(tie(b).total_cmp(&tie(a))));
    in_one_order(frame, rows, budget, Unreached::BelowCut)
}
