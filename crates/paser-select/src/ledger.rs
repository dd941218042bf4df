//! The ledger: per cluster, what damage asked for, what there was, and what became of it. Its sums hold for every
//! strategy and budget: quota = pinned + taken + refilled + shortfall, never above the cap; without quotas,
//! quota = pinned + taken (section 2 of the method).

use paser_protocol::{LedgerRow, ShortfallReason};

use crate::frame::{Frame, State};
use crate::reasons::Reason;
use crate::walk::Outcome;

/// Builds the ledger of a walk. `total` is what the quotas must sum to, `raw` the raw quota of each cluster, `fixed` the
/// quotas set by hand, `kept` the shortfall of each cluster for want of consistent candidates. What nobody could spend
/// is booked where the best remaining samples are, within the caps. Strategies without quotas have no `raw`, and so no
/// shortfall.
pub(crate) fn ledger(
    frame: &Frame<'_>,
    outcome: &Outcome,
    total: u64,
    raw: Option<&[f64]>,
    fixed: &[Option<u64>],
    kept: &[u64],
) -> Vec<LedgerRow> {
    let mut rows: Vec<LedgerRow> = frame
        .names
        .iter()
        .enumerate()
        .map(|(cluster, name)| {
            let cds = frame.cds[cluster];
            let shortfall = kept.get(cluster).copied().unwrap_or(0);
            LedgerRow {
                cluster: cluster as u32,
                name: name.clone(),
                samples: 0,
                cds: cds.map(|cds| cds.mean),
                cds_low: cds.and_then(|cds| cds.low),
                cds_high: cds.and_then(|cds| cds.high),
                cds_rest: cds.and_then(|cds| cds.rest),
                quota_raw: raw.map(|raw| raw[cluster]),
                cap: 0,
                quota: 0,
                pinned: 0,
                taken: 0,
                refilled: 0,
                shortfall,
                shortfall_reason: (shortfall > 0).then_some(ShortfallReason::NoConsistentCandidate),
                exhausted: false,
                by_hand: fixed.get(cluster).is_some_and(Option::is_some),
                rejected: 0,
                excluded: 0,
                guarded: 0,
                unscorable: 0,
                ruled_out: 0,
                tokens: 0,
            }
        })
        .collect();
    for row in 0..frame.pool.len() as u32 {
        let account = &mut rows[frame.label(row)];
        let cost = frame.cost(row);
        account.samples += u64::from(frame.state[row as usize] != State::HeldOut);
        account.rejected += u64::from(outcome.rejected[row as usize]);
        match frame.state[row as usize] {
            State::Pinned | State::Eligible => account.cap += cost,
            State::Excluded => account.excluded += 1,
            State::Unscorable => account.unscorable += 1,
            State::Guarded => account.guarded += 1,
            State::RuledOut => account.ruled_out += 1,
            State::HeldOut => {}
        }
        match outcome.reasons[row as usize] {
            Some(Reason::Pinned { .. }) => account.pinned += cost,
            Some(Reason::Taken { .. }) => account.taken += cost,
            Some(Reason::Refilled { .. }) => account.refilled += cost,
            _ => continue,
        }
        account.tokens += u64::from(frame.pool.trained_tokens[row as usize]);
    }
    if raw.is_some() {
        book_left(frame, outcome, fixed, &mut rows);
        book_unspent(frame, outcome, total, &mut rows);
    }
    for account in &mut rows {
        account.quota = account.pinned + account.taken + account.refilled + account.shortfall;
        account.exhausted = account.quota == account.cap;
    }
    rows
}

/// What a quota set by hand could not spend is its own cluster's shortfall.
fn book_left(frame: &Frame<'_>, outcome: &Outcome, fixed: &[Option<u64>], rows: &mut [LedgerRow]) {
    for (account, fixed) in rows.iter_mut().zip(fixed) {
        let Some(fixed) = fixed else { continue };
        let accounted = account.pinned + account.taken + account.refilled + account.shortfall;
        let left = fixed.saturating_sub(accounted);
        if left == 0 {
            continue;
        }
        let would_fit = outcome.best_first.iter().any(|&row| {
            frame.label(row) == account.cluster as usize
                && frame.cost(row) <= left
                && !outcome.reasons[row as usize].is_some_and(|reason| reason.selected())
        });
        account.shortfall += left;
        account.shortfall_reason.get_or_insert(if would_fit {
            ShortfallReason::NoConsistentCandidate
        } else {
            ShortfallReason::NextSampleTooLong
        });
    }
}

fn book_unspent(frame: &Frame<'_>, outcome: &Outcome, total: u64, rows: &mut [LedgerRow]) {
    let accounted: u64 = rows.iter().map(|row| row.pinned + row.taken + row.refilled + row.shortfall).sum();
    let unspent = total.saturating_sub(accounted);
    let mut left = unspent;
    for &row in &outcome.best_first {
        if left == 0 {
            break;
        }
        if outcome.reasons[row as usize].is_some_and(|reason| reason.selected()) {
            continue;
        }
        let account = &mut rows[frame.label(row)];
        if account.by_hand {
            continue;
        }
        let room = account.cap - account.pinned - account.taken - account.refilled - account.shortfall;
        let booked = room.min(left);
        if booked > 0 {
            account.shortfall += booked;
            left -= booked;
            // A sample that would fit was held back by its concepts alone.
            let reason = if frame.cost(row) <= unspent {
                ShortfallReason::NoConsistentCandidate
            } else {
                ShortfallReason::NextSampleTooLong
            };
            account.shortfall_reason.get_or_insert(reason);
        }
    }
}
