//! Spreads a budget over clusters: quotas that a person set, then capped water-filling in real numbers, then
//! largest-remainder rounding. Owns the rule of section 2 of the method ("Budget"); forty clusters take microseconds, so
//! a window can call it while a slider moves.

use paser_protocol::Weight;

use crate::error::SelectError;

/// What the spread needs to know of one cluster. `eligible` and `pinned` are in the unit of the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterWeight {
    /// Mean damage under the chosen reading; `None` where nothing was scored.
    pub cds: Option<f64>,
    /// Distinct samples after hold-out.
    pub size: u64,
    /// Eligible unpinned samples, or their tokens.
    pub eligible: u64,
    /// Pinned samples, or their tokens.
    pub pinned: u64,
    /// What a person multiplies its weight by; 1 is none.
    pub emphasis: f64,
    /// A quota that a person set, pins included.
    pub fixed: Option<u64>,
}

impl Default for ClusterWeight {
    fn default() -> Self {
        Self { cds: None, size: 0, eligible: 0, pinned: 0, emphasis: 1.0, fixed: None }
    }
}

impl ClusterWeight {
    fn weight(&self, weight: Weight) -> f64 {
        let damage = self.cds.unwrap_or(0.0);
        let weight = match weight {
            Weight::Cds => damage,
            Weight::CdsXSize => damage * self.size as f64,
            Weight::Uniform => 1.0,
        };
        weight * self.emphasis
    }

    /// What its own quota asks for beyond the pins, as far as there are samples.
    fn asked(&self) -> Option<u64> {
        self.fixed.map(|fixed| fixed.saturating_sub(self.pinned).min(self.eligible))
    }
}

/// The share of one cluster, in the unit of the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusterQuota {
    /// Pins plus the share its weight alone would give, or the quota that a person set: before caps and rounding.
    pub raw: f64,
    /// Pins plus eligible unpinned samples: the most it can give.
    pub cap: u64,
    /// What it is asked for.
    pub quota: u64,
}

/// The spread of one budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Quotas {
    /// One entry per cluster, in the order given.
    pub clusters: Vec<ClusterQuota>,
    /// Sum of the quotas: the smaller of budget and `available`.
    pub total: u64,
    /// The most that could be spent: the caps, and of clusters with a quota by hand that quota.
    pub available: u64,
    /// True where no cluster had any weight, so that all count the same.
    pub equal_weights: bool,
    /// True where the quotas by hand asked for more than the budget, so that each was scaled down.
    pub scaled: bool,
    /// Budget that samples could be had for, were it not for the quotas by hand.
    pub held_back: u64,
}

/// Spreads `budget` over the clusters: pins first, then the quotas set by hand (never below the pins, never above the cap,
/// scaled down in proportion where they exceed the budget together), and the rest by weight, each cluster at most its
/// eligible samples; what a full cluster cannot hold flows to the others by the same weights. Clusters without weight
/// come into play only when all others are full; those with a quota by hand get that and no more. Fails where the pins
/// alone exceed the budget.
pub fn quotas(clusters: &[ClusterWeight], weight: Weight, budget: u64) -> Result<Quotas, SelectError> {
    let pinned: u64 = clusters.iter().map(|cluster| cluster.pinned).sum();
    let eligible: u64 = clusters.iter().map(|cluster| cluster.eligible).sum();
    let Some(free) = budget.checked_sub(pinned) else {
        return Err(SelectError::MorePinsThanBudget { pinned, budget });
    };
    let asked: Vec<u64> = clusters.iter().map(|cluster| cluster.asked().unwrap_or(0)).collect();
    let all_asked: u64 = asked.iter().sum();
    let scaled = all_asked > free;
    let fixed = if scaled {
        let share = free as f64 / all_asked as f64;
        let shares: Vec<f64> = asked.iter().map(|asked| *asked as f64 * share).collect();
        round_to_sum(&shares, &asked, free)
    } else {
        asked
    };
    let rest = free - fixed.iter().sum::<u64>();

    let open: Vec<bool> = clusters.iter().map(|cluster| cluster.fixed.is_none()).collect();
    let caps: Vec<u64> =
        clusters.iter().map(|cluster| if cluster.fixed.is_none() { cluster.eligible } else { 0 }).collect();
    let room: u64 = caps.iter().sum();
    let weigh = |of: &dyn Fn(&ClusterWeight) -> f64| -> Vec<f64> {
        clusters.iter().zip(&open).map(|(cluster, open)| if *open { of(cluster) } else { 0.0 }).collect()
    };
    let mut weights = weigh(&|cluster| cluster.weight(weight));
    let counts = |weights: &[f64]| weights.iter().zip(&caps).any(|(weight, cap)| *weight > 0.0 && *cap > 0);
    let equal_weights = room > 0 && !counts(&weights);
    if equal_weights {
        weights = weigh(&|cluster| cluster.emphasis);
        if !counts(&weights) {
            weights = weigh(&|_| 1.0);
        }
    }
    let sum: f64 = weights.iter().sum();
    let spread = rest.min(room);
    let shares = round_to_sum(&water_fill(&weights, &caps, spread), &caps, spread);
    let total = pinned + free - rest + spread;
    let quotas = clusters.iter().enumerate().map(|(at, cluster)| ClusterQuota {
        raw: match cluster.fixed {
            Some(fixed) => fixed as f64,
            None if sum > 0.0 => cluster.pinned as f64 + rest as f64 * (weights[at] / sum),
            None => cluster.pinned as f64,
        },
        cap: cluster.pinned + cluster.eligible,
        quota: cluster.pinned + fixed[at] + shares[at],
    });
    Ok(Quotas {
        clusters: quotas.collect(),
        total,
        available: pinned + all_asked + room,
        equal_weights,
        scaled,
        held_back: budget.min(pinned + eligible) - total,
    })
}

/// Real shares `min(cap, level x weight)` that sum to `amount`, which must not exceed the sum of the caps.
fn water_fill(weights: &[f64], caps: &[u64], amount: u64) -> Vec<f64> {
    let mut shares = vec![0.0; weights.len()];
    let mut left = amount as f64;
    let weighted: Vec<usize> = (0..weights.len()).filter(|&k| weights[k] > 0.0 && caps[k] > 0).collect();
    let weightless: Vec<usize> = (0..weights.len()).filter(|&k| weights[k] <= 0.0 && caps[k] > 0).collect();
    for (mut open, weight) in [(weighted, Some(weights)), (weightless, None)] {
        let of = |k: usize| weight.map_or(1.0, |weights| weights[k]);
        // Clusters fill in order of cap / weight, so one sorted pass finds the level.
        open.sort_by(|&a, &b| (caps[a] as f64 / of(a)).total_cmp(&(caps[b] as f64 / of(b))).then(a.cmp(&b)));
        // Sums from the back keep what is still open free of cancellation.
        let mut behind = vec![0.0; open.len() + 1];
        for (position, &k) in open.iter().enumerate().rev() {
            behind[position] = behind[position + 1] + of(k);
        }
        for (position, &k) in open.iter().enumerate() {
            if left * (of(k) / behind[position]) < caps[k] as f64 {
                // All that follow are open too. One formula for all keeps equal weights equal to the bit.
                for &k in &open[position..] {
                    shares[k] = (left * (of(k) / behind[position])).clamp(0.0, caps[k] as f64);
                }
                left = 0.0;
                break;
            }
            shares[k] = caps[k] as f64;
            left = (left - shares[k]).max(0.0);
        }
    }
    shares
}

/// Whole numbers with the given sum: floors, then one more for the largest remainders (ties to the lower index).
fn round_to_sum(shares: &[f64], caps: &[u64], amount: u64) -> Vec<u64> {
    let mut whole: Vec<u64> = shares.iter().zip(caps).map(|(share, cap)| (share.floor() as u64).min(*cap)).collect();
    let mut left = amount.saturating_sub(whole.iter().sum());
    let mut order: Vec<usize> = (0..shares.len()).collect();
    // Remainders that differ by rounding noise alone are ties.
    let remainder = |k: usize| (shares[k].fract() * 1e9).round() as u64;
    order.sort_by_key(|&k| (std::cmp::Reverse(remainder(k)), k));
    while left > 0 {
        let before = left;
        for &k in &order {
            if left > 0 && whole[k] < caps[k] {
                whole[k] += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    whole
}
