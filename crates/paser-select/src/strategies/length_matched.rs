//! `random-length-matched`: chance, but with the response lengths that `paser` takes, so that length cannot explain a
//! difference between the two (section 4 of the method).

use paser_protocol::{Monitor, Refill};

use crate::error::SelectError;
use crate::frame::{Frame, State};
use crate::guard::linear_quantile;
use crate::params::SelectParams;
use crate::strategies::random::{draw_keys, pinned_and_eligible};
use crate::strategies::{Choice, ablations, paser};
use crate::walk::{Group, Plan, Unreached, walk};

/// Quantile bins of response tokens.
const BINS: usize = 20;

pub(crate) fn plan(
    frame: &Frame<'_>,
    params: &SelectParams,
    budget: u64,
    monitor: &dyn Monitor,
) -> Result<Choice, SelectError> {
    let reference = paser::plan(frame, params, &ablations::variant(params), budget)?;
    if reference.plan.strictness.is_some() && frame.pool.concepts.len() != frame.pool.len() {
        return Err(SelectError::NoConcepts { strategy: params.strategy.name() });
    }
    let outcome = walk(frame, reference.plan, monitor)?;

    let edges = bin_edges(frame);
    let bin = |row: u32| edges.partition_point(|edge| *edge < length(frame, row));
    let mut groups: Vec<Group> = (0..BINS).map(|_| Group { quota: 0, fixed: false, rows: Vec::new() }).collect();
    for &row in outcome.rows.iter().filter(|row| frame.state[**row as usize] == State::Eligible) {
        groups[bin(row)].quota += frame.cost(row);
    }
    let keys = draw_keys(frame, params);
    let mut best_first: Vec<u32> = frame.rows(State::Eligible).collect();
    best_first.sort_by_key(|row| keys[*row as usize]);
    for &row in &best_first {
        groups[bin(row)].rows.push(row);
    }
    let (pinned, _) = pinned_and_eligible(frame);
    let total = reference.total;
    // What a token budget left over because the next sample was too long may fit here; what lacked consistent
    // candidates stays unspent, so that both selections have the same size.
    let spent: u64 = groups.iter().map(|group| group.quota).sum();
    let inconsistent: u64 = outcome.inconsistent.iter().sum();
    if let Some(last) = groups.last_mut() {
        last.quota += total - pinned - spent - inconsistent;
    }
    Ok(Choice {
        plan: Plan { groups, best_first, strictness: None, refill: Refill::None, unreached: Unreached::NotDrawn },
        total,
        raw: None,
        cluster_of_group: None,
        remarks: reference.remarks,
        fixed: Vec::new(),
    })
}

fn length(frame: &Frame<'_>, row: u32) -> f64 {
    frame.pool.scores[row as usize].map_or(0.0, |score| f64::from(score.response_tokens))
}

/// The 19 inner quantiles of response tokens over the eligible rows, pinned ones included. Equal lengths share a bin.
fn bin_edges(frame: &Frame<'_>) -> Vec<f64> {
    let mut lengths: Vec<f64> = frame
        .rows(State::Eligible)
        .chain(frame.rows(State::Pinned))
        .filter(|row| frame.pool.scores[*row as usize].is_some())
        .map(|row| length(frame, row))
        .collect();
    lengths.sort_unstable_by(f64::total_cmp);
    if lengths.is_empty() {
        return Vec::new();
    }
    (1..BINS).map(|bin| linear_quantile(&lengths, bin as f64 / BINS as f64)).collect()
}
