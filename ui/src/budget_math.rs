//! Quotas in the window while the budget is dragged, by the same function as the engine's (`method.md` 2, "Budget"),
//! and the ledger as a waterfall that always sums. Everything here is arithmetic over a few dozen clusters.

use paser_protocol::{Budget, ClusterView, Damage, LedgerRow, SelectionPlan, ShortfallReason, Strategy, Weight};
use paser_select::{ClusterWeight, quotas};

/// One cluster's quota before the engine has answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvisionalRow {
    pub cluster: u32,
    pub raw: f64,
    pub cap: u64,
    pub quota: u64,
}

/// Quotas of a plan, without what the concept graph will do to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Provisional {
    /// In samples, or in tokens for a token budget.
    pub total: u64,
    pub rows: Vec<ProvisionalRow>,
    /// Why there are none: more pins than budget.
    pub problem: Option<String>,
}

/// Does the strategy give each of the project's clusters a quota?
pub fn has_quotas(strategy: Strategy) -> bool {
    matches!(strategy, Strategy::Paser | Strategy::PaserGuarded | Strategy::PaserNoCdais | Strategy::PaserNoNtem)
}

/// The largest budget: every sample, or every eligible token.
pub fn largest(budget: Budget, clusters: &[ClusterView], samples: u64) -> u64 {
    match budget {
        Budget::Samples(_) | Budget::Percent(_) => samples,
        Budget::Tokens(_) => clusters.iter().map(|cluster| cluster.eligible_tokens).sum(),
    }
}

/// A share of the largest budget as an amount that a person would say: at most 400 steps, each 1, 2 or 5 times a power
/// of ten, and the whole at the end.
pub fn round_amount(share: f64, largest: u64) -> u64 {
    let least = largest.div_ceil(400).max(1);
    let power = 10_u64.pow(least.ilog10());
    let step = power
        * match least.div_ceil(power) {
            1 => 1,
            2 => 2,
            3..=5 => 5,
            _ => 10,
        };
    ((share * largest as f64 / step as f64).round() as u64).saturating_mul(step).min(largest)
}

/// Quotas of `plan`; none where the strategy has none or nothing is scored yet.
pub fn provisional(clusters: &[ClusterView], plan: &SelectionPlan, samples: u64) -> Option<Provisional> {
    if !has_quotas(plan.strategy) || !clusters.iter().any(|cluster| cluster.cds.is_some()) {
        return None;
    }
    let in_tokens = matches!(plan.budget, Budget::Tokens(_));
    let weights: Vec<ClusterWeight> = clusters
        .iter()
        .map(|cluster| {
            let (eligible, pinned) = if in_tokens {
                (cluster.eligible_tokens, cluster.pinned_tokens)
            } else {
                (cluster.eligible, cluster.pinned)
            };
            ClusterWeight {
                cds: match plan.damage {
                    Damage::Whole => cluster.cds,
                    Damage::AfterFirstToken => cluster.cds_rest,
                },
                size: cluster.samples,
                eligible: eligible.saturating_sub(pinned),
                pinned,
                emphasis: cluster.emphasis,
                fixed: cluster.quota.filter(|(_, unit)| *unit == plan.budget.unit()).map(|(quota, _)| quota),
            }
        })
        .collect();
    let weight = if plan.strategy == Strategy::PaserNoCdais { Weight::Uniform } else { plan.weight };
    Some(match quotas(&weights, weight, plan.budget.resolve(samples)) {
        Ok(spread) => Provisional {
            total: spread.total,
            rows: clusters
                .iter()
                .zip(&spread.clusters)
                .map(|(cluster, quota)| ProvisionalRow {
                    cluster: cluster.cluster,
                    raw: quota.raw,
                    cap: quota.cap,
                    quota: quota.quota,
                })
                .collect(),
            problem: None,
        },
        Err(error) => Provisional { total: 0, rows: Vec::new(), problem: Some(error.to_string()) },
    })
}

/// The ledger's sums, in the budget's unit:
/// `raw - over + given - conflicts - too_long + refilled = taken`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waterfall {
    /// None for strategies without quotas.
    pub raw: Option<i64>,
    /// Raw quotas above what their clusters hold.
    pub over: i64,
    /// What flowed to other clusters instead.
    pub given: i64,
    /// Quota without a consistent candidate, before refilling.
    pub conflicts: i64,
    /// Token budgets: the next sample did not fit.
    pub too_long: i64,
    pub refilled: i64,
    pub taken: i64,
}

impl Waterfall {
    pub fn of_ledger(ledger: &[LedgerRow]) -> Self {
        let sum = |part: fn(&LedgerRow) -> u64| ledger.iter().map(part).sum::<u64>() as i64;
        let quota = sum(|row| row.quota);
        let raw: Option<f64> = ledger.iter().map(|row| row.quota_raw).sum();
        let over: f64 = ledger.iter().filter_map(|row| row.quota_raw.map(|raw| (raw - row.cap as f64).max(0.0))).sum();
        let too_long = ledger
            .iter()
            .filter(|row| row.shortfall_reason == Some(ShortfallReason::NextSampleTooLong))
            .map(|row| row.shortfall)
            .sum::<u64>() as i64;
        let refilled = sum(|row| row.refilled);
        Self::new(raw, over, quota, sum(|row| row.shortfall) - too_long + refilled, too_long, refilled)
    }

    pub fn of_provisional(provisional: &Provisional) -> Self {
        let raw = provisional.rows.iter().map(|row| row.raw).sum();
        let over = provisional.rows.iter().map(|row| (row.raw - row.cap as f64).max(0.0)).sum();
        Self::new(Some(raw), over, provisional.total as i64, 0, 0, 0)
    }

    fn new(raw: Option<f64>, over: f64, quota: i64, conflicts: i64, too_long: i64, refilled: i64) -> Self {
        let raw = raw.map(|raw| raw.round() as i64);
        let over = if raw.is_some() { over.round() as i64 } else { 0 };
        // What was rounded goes into this one, so that the line sums to the unit.
        let given = raw.map_or(0, |raw| quota - raw + over);
        Self { raw, over, given, conflicts, too_long, refilled, taken: quota - conflicts - too_long + refilled }
    }

    /// The steps worth a word: name and signed amount.
    pub fn steps(&self) -> Vec<(&'static str, i64)> {
        let mut steps = Vec::new();
        if self.raw.is_some() {
            steps.push(("over cluster size", -self.over));
            steps.push(("given to other clusters", self.given));
        }
        steps.push(("lost to concept conflicts", -self.conflicts));
        steps.push(("next sample too long", -self.too_long));
        steps.push(("refilled", self.refilled));
        steps.retain(|(_, amount)| *amount != 0);
        steps
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(raw: f64, cap: u64, quota: u64, taken: u64, refilled: u64, shortfall: u64) -> LedgerRow {
        LedgerRow {
            cluster: 0,
            name: String::new(),
            samples: 0,
            cds: None,
            cds_low: None,
            cds_high: None,
            cds_rest: None,
            quota_raw: Some(raw),
            cap,
            quota,
            pinned: 0,
            taken,
            refilled,
            shortfall,
            shortfall_reason: (shortfall > 0).then_some(ShortfallReason::NoConsistentCandidate),
            exhausted: quota == cap,
            by_hand: false,
            rejected: 0,
            excluded: 0,
            guarded: 0,
            unscorable: 0,
            ruled_out: 0,
            tokens: 0,
        }
    }

    #[test]
    fn a_dragged_budget_is_round_and_ends_at_the_whole_pool() {
        for largest in [0, 1, 399, 3_000, 38_563, 6_177_626] {
            assert_eq!(round_amount(0.0, largest), 0);
            assert_eq!(round_amount(1.0, largest), largest);
        }
        assert_eq!(round_amount(0.2003, 3_000), 600);
        assert_eq!(round_amount(0.2, 38_563), 7_700);
        assert_eq!(round_amount(0.1, 6_177_626), 620_000);
    }

    /// What counts is the damage after the first token; a cluster in which no response has a second one has none, here as
    /// in the selection.
    #[test]
    fn a_cluster_without_second_tokens_has_no_weight() {
        let cluster = |cluster, cds_rest| ClusterView {
            cluster,
            name: String::new(),
            colour: cluster,
            samples: 50,
            tokens: 500,
            cds: Some(0.3),
            cds_low: None,
            cds_high: None,
            cds_rest,
            scored: 50,
            eligible: 50,
            eligible_tokens: 1000,
            pinned: 0,
            pinned_tokens: 0,
            concepts: Vec::new(),
            quota: None,
            emphasis: 1.0,
            centre: [0.0; 2],
            histogram: Vec::new(),
        };
        let plan =
            SelectionPlan { damage: Damage::AfterFirstToken, budget: Budget::Samples(20), ..SelectionPlan::default() };
        let found = provisional(&[cluster(0, None), cluster(1, Some(0.1))], &plan, 100).unwrap();
        assert_eq!(found.rows.iter().map(|row| row.quota).collect::<Vec<_>>(), [0, 20]);
    }

    #[test]
    fn the_waterfall_sums() {
        let ledger = [row(182.4, 100, 100, 100, 0, 0), row(817.6, 5_000, 900, 700, 150, 50)];
        let fall = Waterfall::of_ledger(&ledger);
        assert_eq!(fall.raw, Some(1_000));
        assert_eq!(fall.over, 82);
        assert_eq!(fall.conflicts, 200);
        assert_eq!(fall.taken, 950);
        let sum: i64 = fall.raw.unwrap_or(0) + fall.steps().iter().map(|(_, amount)| amount).sum::<i64>();
        assert_eq!(sum, fall.taken);
    }
}
