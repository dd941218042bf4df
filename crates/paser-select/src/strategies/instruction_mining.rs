//! `instruction-mining`: the linear rule of Instruction Mining, version 1 (arXiv 2307.06290), for the evaluation loss that
//! a sample would lead to; the lowest first:
//!
//!     log L = 1.0694 - 0.1498 Rew + 8.257e-5 Len - 0.9350 Knn_6
//!
//! Rew needs a reward model and is left out, as a constant over the pool. Len: response tokens. `Knn_6`: distance to the
//! sixth neighbour among the sentence vectors. The coefficients were fitted on LLaMA runs and are the published ones.

use crate::error::SelectError;
use crate::frame::{Frame, State};
use crate::strategies::Choice;
use crate::strategies::random::in_one_order;
use crate::walk::Unreached;

const CONSTANT: f64 = 1.0694;
const LENGTH: f64 = 8.257e-5;
const NEIGHBOUR: f64 = -0.9350;

pub(crate) fn plan(frame: &Frame<'_>, budget: u64) -> Result<Choice, SelectError> {
    let distances = frame.pool.neighbour_distances.as_ref();
    let distances = distances.ok_or(SelectError::NoNeighbours { strategy: "instruction-mining" })?;
    let loss = |row: u32| {
        let length = frame.pool.scores[row as usize].map_or(0.0, |score| f64::from(score.response_tokens));
        CONSTANT + LENGTH * length + NEIGHBOUR * f64::from(distances[row as usize])
    };
    let mut rows: Vec<u32> = frame.rows(State::Eligible).collect();
    rows.sort_by(|&a, &b| loss(a).total_cmp(&loss(b)));
    in_one_order(frame, rows, budget, Unreached::BelowCut)
}
