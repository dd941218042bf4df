//! Runs one strategy on one pool and hands back the selection with its reasons and its ledger. Owns the order of
//! things: check, frame, plan, walk, account (section 4 of the method).

use paser_protocol::{LedgerRow, Monitor, Unit};

use crate::columns::PoolColumns;
use crate::curation::Curation;
use crate::error::SelectError;
use crate::frame::{Frame, State};
use crate::ledger::ledger;
use crate::params::SelectParams;
use crate::reasons::Reason;
use crate::strategies;
use crate::walk::walk;

/// What one strategy chose, why, and the account of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Selected rows of the pool, in the order taken, pins first.
    pub rows: Vec<u32>,
    /// One reason per row of the pool.
    pub reasons: Vec<Reason>,
    /// One account per cluster, by number.
    pub ledger: Vec<LedgerRow>,
    /// The budget that could be spent, min(budget, available): the sum of the quotas, for strategies that have them.
    pub budget: u64,
    /// What `budget` and `selected` are counted in.
    pub unit: Unit,
    /// Pinned, taken and refilled, in that unit.
    pub selected: u64,
    /// Prompt and response tokens, as trained, of the selected samples.
    pub tokens: u64,
    /// Share of the candidates shown to the concept graph that it accepted; blank where it was not used.
    pub acceptance_rate: Option<f64>,
    /// Mean response tokens of the selected scorable samples.
    pub mean_response_tokens: Option<f64>,
    /// Share of the selected samples whose dense loss lies above its cluster's fence, guard or no guard.
    pub above_fence: Option<f64>,
    /// True where no cluster showed any damage, so that all had the same weight.
    pub equal_weights: bool,
    /// True where the quotas set by hand asked for more than the budget, so that each was scaled down.
    pub scaled: bool,
    /// Budget that samples could be had for, were it not for the quotas set by hand.
    pub held_back: u64,
}

/// Chooses samples of the pool. Same inputs give the same bytes; another order of the pool gives the same samples.
pub fn select(
    pool: &PoolColumns,
    curation: &Curation,
    params: &SelectParams,
    monitor: &dyn Monitor,
) -> Result<Selection, SelectError> {
    params.check()?;
    pool.check()?;
    curation.check(pool)?;
    let go_on = || if monitor.cancelled() { Err(SelectError::Cancelled) } else { Ok(()) };
    go_on()?;
    let frame = strategies::frame(pool, curation, params)?;
    go_on()?;
    let budget = params.budget.resolve(pool.selectable_samples());
    let choice = strategies::plan(&frame, params, budget, monitor)?;
    go_on()?;
    let uses_graph = choice.plan.strictness.is_some();
    if uses_graph && pool.concepts.len() != pool.len() {
        return Err(SelectError::NoConcepts { strategy: params.strategy.name() });
    }
    let outcome = walk(&frame, choice.plan, monitor)?;

    let mut kept = vec![0; frame.clusters()];
    if let Some(clusters) = &choice.cluster_of_group {
        for (&cluster, &inconsistent) in clusters.iter().zip(&outcome.inconsistent) {
            kept[cluster as usize] = inconsistent;
        }
    }
    let ledger = ledger(&frame, &outcome, choice.total, choice.raw.as_deref(), &choice.fixed, &kept);
    let reasons = (0..pool.len() as u32).map(|row| reason(&frame, row, outcome.reasons[row as usize])).collect();
    let share = |count: usize| (!outcome.rows.is_empty()).then(|| count as f64 / outcome.rows.len() as f64);
    let above_fence = share(outcome.rows.iter().filter(|row| frame.above_fence(**row)).count());
    let responses: Vec<f64> = outcome
        .rows
        .iter()
        .filter_map(|row| pool.scores[*row as usize].map(|score| f64::from(score.response_tokens)))
        .collect();
    let accepted = outcome.reasons.iter().filter(|reason| matches!(reason, Some(Reason::Taken { .. }))).count();
    let shown = accepted + outcome.rejected.iter().filter(|rejected| **rejected).count();
    Ok(Selection {
        reasons,
        budget: choice.total,
        unit: frame.unit,
        selected: outcome.rows.iter().map(|row| frame.cost(*row)).sum(),
        tokens: outcome.rows.iter().map(|row| u64::from(pool.trained_tokens[*row as usize])).sum(),
        acceptance_rate: (outcome.graph && shown > 0).then(|| accepted as f64 / shown as f64),
        mean_response_tokens: (!responses.is_empty()).then(|| responses.iter().sum::<f64>() / responses.len() as f64),
        above_fence,
        equal_weights: choice.remarks.equal_weights,
        scaled: choice.remarks.scaled,
        held_back: choice.remarks.held_back,
        rows: outcome.rows,
        ledger,
    })
}

fn reason(frame: &Frame<'_>, row: u32, walked: Option<Reason>) -> Reason {
    match frame.state[row as usize] {
        State::HeldOut => Reason::HeldOut,
        State::Excluded => Reason::Excluded,
        State::Unscorable => Reason::Unscorable,
        State::Guarded => Reason::Guarded {
            loss: frame.pool.scores[row as usize].map_or(f64::NAN, |score| score.loss_dense),
            fence: frame.fences[frame.label(row)],
        },
        State::RuledOut => {
            let value = frame.pool.pass.as_ref().map(|pass| f64::from(pass.values[row as usize]));
            Reason::RuledOut { value: value.filter(|value| !value.is_nan()) }
        }
        State::Pinned | State::Eligible => walked.unwrap_or(Reason::NotPinned),
    }
}
