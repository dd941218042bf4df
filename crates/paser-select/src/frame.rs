//! One pool seen by one selection: who is held out, pinned, excluded, unscorable, guarded or eligible, what a row
//! costs, how badly each cluster is hurt. Everything later reads rows through this (section 2 of the method).

use paser_protocol::{Damage, Guard, Unit, order_by_hash};

use crate::columns::PoolColumns;
use crate::curation::Curation;
use crate::damage::{Cds, damage_by_label};
use crate::error::SelectError;
use crate::guard;
use crate::params::SelectParams;
use crate::strategies::by_pass;
use crate::water::ClusterWeight;

/// Standing of a row before any strategy looks at it. A pin outranks everything but hold-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    HeldOut,
    Pinned,
    Excluded,
    Unscorable,
    Guarded,
    /// Left out by the strategy's own rule.
    RuledOut,
    Eligible,
}

/// Which labels stand for capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    Clusters,
    KMeans,
}

pub(crate) struct Frame<'a> {
    pub pool: &'a PoolColumns,
    pub labels: &'a [u32],
    pub names: Vec<String>,
    /// Rows by content hash, then id.
    pub order: Vec<u32>,
    pub state: Vec<State>,
    /// Fence of each cluster on the dense loss.
    pub fences: Vec<f64>,
    pub cds: Vec<Option<Cds>>,
    pub unit: Unit,
    pub damage: Damage,
    /// What a person set for each cluster; nothing for k-means clusters, which nobody saw.
    pub by_hand: Vec<ByHand>,
}

/// Quota and emphasis of a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByHand {
    pub quota: Option<u64>,
    pub emphasis: f64,
}

impl<'a> Frame<'a> {
    pub fn new(
        pool: &'a PoolColumns,
        curation: &Curation,
        params: &SelectParams,
        grouping: Grouping,
        guard: Guard,
    ) -> Result<Self, SelectError> {
        let (labels, names) = match grouping {
            Grouping::Clusters => (pool.clusters.as_slice(), pool.cluster_names.clone()),
            Grouping::KMeans => {
                let labels = pool.alternative_clusters.as_deref().ok_or(SelectError::NoAlternativeClusters)?;
                let count = labels.iter().max().map_or(0, |label| *label as usize + 1);
                (labels, (1..=count).map(|number| format!("k-means {number}")).collect())
            }
        };
        let order = order_by_hash(&pool.hashes, &pool.ids);
        let mut state: Vec<State> = (0..pool.len())
            .map(|row| match (pool.held_out[row], &pool.scores[row]) {
                (true, _) => State::HeldOut,
                (false, None) => State::Unscorable,
                (false, Some(_)) => State::Eligible,
            })
            .collect();
        for (rows, mark) in [(&curation.excluded, State::Excluded), (&curation.pinned, State::Pinned)] {
            for &row in rows {
                if state[row as usize] != State::HeldOut {
                    state[row as usize] = mark;
                }
            }
        }
        // Quantiles do not depend on the order, and the pool's own is the quick one.
        let losses: Vec<(u32, f64)> = (0..pool.len())
            .filter(|row| state[*row] == State::Eligible)
            .filter_map(|row| pool.scores[row].map(|score| (labels[row], score.loss_dense)))
            .collect();
        let fences = guard::fences(&losses, names.len());
        let above = |row: usize| pool.scores[row].is_some_and(|score| score.loss_dense > fences[labels[row] as usize]);
        if guard == Guard::Tukey {
            for (row, state) in state.iter_mut().enumerate() {
                if *state == State::Eligible && above(row) {
                    *state = State::Guarded;
                }
            }
        }
        if let Some(pass) = pool.pass.as_ref().filter(|_| params.strategy.needs_pass()) {
            for (state, value) in state.iter_mut().zip(&pass.values) {
                if *state == State::Eligible && by_pass::is_ruled_out(params.strategy, *value) {
                    *state = State::RuledOut;
                }
            }
        }
        // A pin overrules the guard; an excluded row beyond the fence is still no evidence of damage.
        let counts = |row: usize| match state[row] {
            State::HeldOut | State::Unscorable | State::Guarded => false,
            State::Pinned | State::Eligible | State::RuledOut => true,
            State::Excluded => guard == Guard::None || !above(row),
        };
        let mut by_hand = vec![ByHand { quota: None, emphasis: 1.0 }; names.len()];
        if grouping == Grouping::Clusters {
            for &(cluster, quota) in &curation.quotas {
                by_hand[cluster as usize].quota = Some(quota);
            }
            for &(cluster, factor) in &curation.emphasis {
                by_hand[cluster as usize].emphasis = factor;
            }
        }
        let cds = damage_by_label(&order, labels, names.len(), &pool.scores, counts);
        Ok(Self {
            pool,
            labels,
            names,
            order,
            state,
            fences,
            cds,
            unit: params.budget.unit(),
            damage: params.damage,
            by_hand,
        })
    }

    pub fn clusters(&self) -> usize {
        self.names.len()
    }

    pub fn label(&self, row: u32) -> usize {
        self.labels[row as usize] as usize
    }

    /// What taking a row spends, in the unit of the budget.
    pub fn cost(&self, row: u32) -> u64 {
        match self.unit {
            Unit::Samples => 1,
            Unit::Tokens => u64::from(self.pool.trained_tokens[row as usize]),
        }
    }

    pub fn above_fence(&self, row: u32) -> bool {
        self.pool.scores[row as usize].is_some_and(|score| score.loss_dense > self.fences[self.label(row)])
    }

    /// Rows in that state, by content hash.
    pub fn rows(&self, state: State) -> impl Iterator<Item = u32> + '_ {
        self.order.iter().copied().filter(move |row| self.state[*row as usize] == state)
    }

    /// Eligible rows by falling value, ties by content hash.
    pub fn falling(&self, value: impl Fn(u32) -> f64) -> Vec<u32> {
        // A whole number that sorts as the float does, side by side with the row: comparing by looking up the values of
        // two rows far apart takes several times as long.
        let rising = |value: f64| {
            let bits = value.to_bits();
            if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
        };
        let mut keyed: Vec<(u64, u32, u32)> =
            self.rows(State::Eligible).zip(0..).map(|(row, place)| (!rising(value(row)), place, row)).collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, _, row)| row).collect()
    }

    /// Damage of a cluster under the chosen reading.
    pub fn cluster_damage(&self, cluster: usize) -> Option<f64> {
        self.cds[cluster].and_then(|cds| cds.damage(self.damage))
    }

    /// What [`crate::quotas`] needs of every cluster.
    pub fn weights(&self) -> Vec<ClusterWeight> {
        let mut weights: Vec<ClusterWeight> = (0..self.clusters())
            .map(|cluster| ClusterWeight {
                cds: self.cluster_damage(cluster),
                emphasis: self.by_hand[cluster].emphasis,
                fixed: self.by_hand[cluster].quota,
                ..ClusterWeight::default()
            })
            .collect();
        for row in 0..self.pool.len() as u32 {
            let state = self.state[row as usize];
            let weight = &mut weights[self.label(row)];
            weight.size += u64::from(state != State::HeldOut);
            match state {
                State::Eligible => weight.eligible += self.cost(row),
                State::Pinned => weight.pinned += self.cost(row),
                _ => {}
            }
        }
        weights
    }
}
