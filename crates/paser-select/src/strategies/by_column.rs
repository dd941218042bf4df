//! Strategies that sort the eligible samples by one number and take the head: `longest`, `jsd-top`, `perplexity-mid`,
//! `perplexity-top` (section 4 of the method). Ties fall by content hash.

use paser_protocol::Strategy;

use crate::error::SelectError;
use crate::frame::Frame;
use crate::strategies::Choice;
use crate::strategies::random::in_one_order;
use crate::walk::Unreached;

pub(crate) fn plan(frame: &Frame<'_>, strategy: Strategy, budget: u64) -> Result<Choice, SelectError> {
    let value = |row: u32| {
        frame.pool.scores[row as usize].and_then(|score| match strategy {
            Strategy::Longest => Some(f64::from(score.response_tokens)),
            Strategy::JsdTop => score.damage(frame.damage),
            // Perplexity is the exponential of the loss, so both have the same order.
            _ => Some(score.loss_pruned),
        })
    };
    let key = |row: u32| value(row).unwrap_or(f64::NEG_INFINITY);
    let mut rows = frame.falling(key);
    if strategy == Strategy::PerplexityMid {
        rows = from_the_middle(&rows);
    }
    in_one_order(frame, rows, budget, Unreached::BelowCut)
}

/// Rows by distance of their rank from the middle rank, the higher perplexity first at equal distance.
fn from_the_middle(falling: &[u32]) -> Vec<u32> {
    let mut places: Vec<usize> = (0..falling.len()).collect();
    places.sort_by_key(|&place| (2 * place as i64 - (falling.len() as i64 - 1)).abs());
    places.into_iter().map(|place| falling[place]).collect()
}
