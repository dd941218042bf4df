//! Frozen selections side by side, from their reason columns: what the engine counts, in few lines.

use paser_protocol::{
    ChanceView, ClusterShare, ComparedView, ComparisonView, OverlapView, PartView, ReasonCode, SelectionView,
};

use super::fixture::Pool;

/// A frozen selection with its reason bytes.
pub type Side<'a> = (&'a SelectionView, &'a [u8]);

fn taken(reasons: &[u8]) -> Vec<u32> {
    let is_taken = |row: &u32| ReasonCode::from_byte(reasons[*row as usize]).is_some_and(ReasonCode::is_taken);
    (0..reasons.len() as u32).filter(is_taken).collect()
}

fn mean(pool: &Pool, rows: &[u32]) -> Option<f64> {
    let sum: f64 = rows.iter().map(|row| f64::from(pool.jsd[*row as usize])).sum();
    (!rows.is_empty()).then(|| sum / rows.len() as f64)
}

fn tokens(pool: &Pool, rows: &[u32]) -> u64 {
    rows.iter().map(|row| (pool.tokens[*row as usize] + pool.prompt[*row as usize]) as u64).sum()
}

pub fn compare(pool: &Pool, sides: &[Side<'_>]) -> ComparisonView {
    let rows: Vec<Vec<u32>> = sides.iter().map(|(_, reasons)| taken(reasons)).collect();
    let count = pool.len();
    let clusters = pool.cluster.iter().max().map_or(0, |last| last + 1);
    let selections = sides
        .iter()
        .zip(&rows)
        .map(|((view, reasons), rows)| ComparedView {
            selection: view.name.clone().unwrap_or_default(),
            strategy: view.plan.strategy.name().to_owned(),
            plan: view.plan.clone(),
            frozen: super::fixture::NOW,
            selected: view.selected,
            tokens: view.tokens,
            mean_response_tokens: view.mean_response_tokens,
            median_response_tokens: Some(41.0),
            mean_damage: mean(pool, rows),
            scored: rows.len() as u64,
            above_fence: view.above_fence,
            noise: view.noise,
            conflicts: reasons.iter().filter(|code| **code == ReasonCode::Conflict as u8).count() as u64,
            clusters: (0..clusters)
                .map(|cluster| {
                    let rows: Vec<u32> =
                        rows.iter().copied().filter(|row| pool.cluster[*row as usize] == cluster).collect();
                    ClusterShare {
                        cluster,
                        name: cluster.to_string(),
                        taken: rows.len() as u64,
                        tokens: tokens(pool, &rows),
                        mean_response_tokens: Some(40.0),
                        mean_damage: mean(pool, &rows),
                        conflicts: 0,
                    }
                })
                .collect(),
        })
        .collect();
    let held: Vec<usize> = (0..count as u32)
        .map(|row| rows.iter().enumerate().map(|(at, rows)| usize::from(rows.binary_search(&row).is_ok()) << at).sum())
        .collect();
    let mut parts = Vec::new();
    for bits in 1..1 << sides.len() {
        let rows: Vec<u32> = (0..count as u32).filter(|row| held[*row as usize] == bits).collect();
        if !rows.is_empty() {
            parts.push(PartView {
                held: (0..sides.len()).map(|at| bits & (1 << at) != 0).collect(),
                samples: rows.len() as u64,
                tokens: tokens(pool, &rows),
                mean_damage: mean(pool, &rows),
            });
        }
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.samples));
    let mut overlaps = Vec::new();
    for first in 0..sides.len() {
        for second in first + 1..sides.len() {
            let both = (1 << first) | (1 << second);
            let shared = held.iter().filter(|held| **held & both == both).count();
            let (a, b) = (rows[first].len(), rows[second].len());
            overlaps.push(OverlapView {
                first: sides[first].0.name.clone().unwrap_or_default(),
                second: sides[second].0.name.clone().unwrap_or_default(),
                shared: shared as u64,
                chance: (a * b) as f64 / count as f64,
                jaccard: shared as f64 / (a + b - shared).max(1) as f64,
            });
        }
    }
    ComparisonView {
        selections,
        overlaps,
        parts,
        neither: held.iter().filter(|held| **held == 0).count() as u64,
        selectable: count as u64,
        chance: Some(ChanceView {
            seeds: 20,
            taken: (0..clusters).map(|cluster| (20 + u64::from(cluster), 44 + u64::from(cluster))).collect(),
            mean_damage: Some((0.161, 0.178)),
        }),
    }
}
