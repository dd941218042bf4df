//! PASER itself: quotas by damage, clusters by falling damage, samples by falling efficiency, one concept graph over
//! all of them (sections 2 and 3 of the method; the paper's CDAIS and NTEM).

use crate::error::SelectError;
use crate::frame::{Frame, State};
use crate::params::SelectParams;
use crate::strategies::ablations::Variant;
use crate::strategies::random::draw_keys;
use crate::strategies::{Choice, Remarks};
use crate::walk::{Group, Plan, Unreached};
use crate::water::quotas;

pub(crate) fn plan(
    frame: &Frame<'_>,
    params: &SelectParams,
    variant: &Variant,
    budget: u64,
) -> Result<Choice, SelectError> {
    let spread = quotas(&frame.weights(), variant.weight, budget)?;
    let best_first = if variant.damage_orders { by_efficiency(frame) } else { by_chance(frame, params) };

    let mut clusters: Vec<u32> = (0..frame.clusters() as u32).collect();
    if variant.damage_orders {
        // Falling damage; clusters without a score last; ties by number.
        let damage = |cluster: u32| frame.cluster_damage(cluster as usize).unwrap_or(f64::NEG_INFINITY);
        clusters.sort_by(|&a, &b| damage(b).total_cmp(&damage(a)).then(a.cmp(&b)));
    }
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); frame.clusters()];
    for &row in &best_first {
        members[frame.label(row)].push(row);
    }
    let pinned: Vec<u64> = frame.weights().iter().map(|weight| weight.pinned).collect();
    let groups = clusters
        .iter()
        .map(|&cluster| {
            let cluster = cluster as usize;
            Group {
                quota: spread.clusters[cluster].quota - pinned[cluster],
                fixed: frame.by_hand[cluster].quota.is_some(),
                rows: std::mem::take(&mut members[cluster]),
            }
        })
        .collect();
    Ok(Choice {
        plan: Plan {
            groups,
            best_first,
            strictness: variant.strictness,
            refill: params.refill,
            unreached: Unreached::QuotaFull,
        },
        total: spread.total,
        raw: Some(spread.clusters.iter().map(|cluster| cluster.raw).collect()),
        cluster_of_group: Some(clusters),
        remarks: Remarks { equal_weights: spread.equal_weights, scaled: spread.scaled, held_back: spread.held_back },
        fixed: (frame.by_hand.iter().zip(&spread.clusters))
            .map(|(by_hand, served)| by_hand.quota.map(|_| served.quota))
            .collect(),
    })
}

/// Eligible rows by falling efficiency, ties by content hash; rows without damage after the first token come last.
fn by_efficiency(frame: &Frame<'_>) -> Vec<u32> {
    let value = |row: u32| {
        frame.pool.scores[row as usize].and_then(|score| score.efficiency(frame.damage)).unwrap_or(f64::NEG_INFINITY)
    };
    frame.falling(value)
}

fn by_chance(frame: &Frame<'_>, params: &SelectParams) -> Vec<u32> {
    let keys = draw_keys(frame, params);
    let mut rows: Vec<u32> = frame.rows(State::Eligible).collect();
    rows.sort_by_key(|row| keys[*row as usize]);
    rows
}
