//! The walk that every strategy shares: groups of candidates in order, each with a quota, best first; the concept
//! graph's test where there is one; refill, carry of what a group could not spend, and the last pass of token budgets
//! (sections 2 and 3 of the method).

use paser_protocol::{Monitor, Refill};

use crate::consistency::{ConceptGraph, Full, MOST_PAIRS, Verdict};
use crate::error::SelectError;
use crate::frame::Frame;
use crate::reasons::Reason;

/// Candidates walked together: a cluster, a bin of lengths, or the whole pool.
pub(crate) struct Group {
    /// What this group may spend, in the unit of the budget, beside what earlier groups leave over.
    pub quota: u64,
    /// Its quota was set by hand: it spends that, takes nothing from other groups and leaves them nothing.
    pub fixed: bool,
    /// Eligible rows, best first.
    pub rows: Vec<u32>,
}

/// Why candidates behind the last one taken were not taken.
#[derive(Clone, Copy)]
pub(crate) enum Unreached {
    QuotaFull,
    BelowCut,
    NotDrawn,
}

impl Unreached {
    fn reason(self, rank: u32) -> Reason {
        match self {
            Self::QuotaFull => Reason::QuotaFull { rank },
            Self::BelowCut => Reason::BelowCut { rank },
            Self::NotDrawn => Reason::NotDrawn,
        }
    }
}

/// How a strategy chooses beyond the pins.
pub(crate) struct Plan {
    /// Groups in walk order.
    pub groups: Vec<Group>,
    /// All eligible rows, best first over all groups: the order of the last pass.
    pub best_first: Vec<u32>,
    /// Share of known pairs that must be linked; `None` walks without a concept graph.
    pub strictness: Option<f64>,
    pub refill: Refill,
    pub unreached: Unreached,
}

/// What came of a walk.
pub(crate) struct Outcome {
    /// Rows in the order taken, pins first.
    pub rows: Vec<u32>,
    /// Reason of every pinned and eligible row; `None` for the others.
    pub reasons: Vec<Option<Reason>>,
    /// Rows the concept graph turned away, later refilled or not.
    pub rejected: Vec<bool>,
    /// Per group: what it could not spend because no consistent candidate was left.
    pub inconsistent: Vec<u64>,
    /// Per group with a fixed quota: what its next sample was too long for.
    left: Vec<u64>,
    /// All eligible rows, best first.
    pub best_first: Vec<u32>,
    /// True where the concept graph was in use.
    pub graph: bool,
}

/// Takes the pins, then walks the plan. The monitor counts candidates.
pub(crate) fn walk(frame: &Frame<'_>, plan: Plan, monitor: &dyn Monitor) -> Result<Outcome, SelectError> {
    let Plan { groups, best_first, strictness, refill, unreached } = plan;
    let rows = frame.pool.len();
    let mut walker = Walker {
        frame,
        graph: strictness.map(|strictness| ConceptGraph::new(frame.pool.concept_names.len(), strictness)),
        refill,
        outcome: Outcome {
            rows: Vec::new(),
            reasons: vec![None; rows],
            rejected: vec![false; rows],
            inconsistent: Vec::with_capacity(groups.len()),
            left: Vec::with_capacity(groups.len()),
            best_first,
            graph: strictness.is_some(),
        },
        ranks: vec![0; rows],
        steps: 0,
        total: groups.iter().map(|group| group.rows.len() as u64).sum(),
        monitor,
    };
    walker.take_pins()?;
    let mut group_of = vec![u32::MAX; rows];
    for (index, group) in groups.iter().enumerate() {
        for (position, &row) in group.rows.iter().enumerate() {
            group_of[row as usize] = index as u32;
            walker.ranks[row as usize] = position as u32 + 1;
            walker.outcome.reasons[row as usize] = Some(unreached.reason(position as u32 + 1));
        }
    }
    let mut carry = 0;
    for group in &groups {
        carry = walker.group(group, carry)?;
    }
    let fixed: Vec<bool> = groups.iter().map(|group| group.fixed).collect();
    walker.last_pass(&group_of, &fixed, carry)?;
    Ok(walker.outcome)
}

struct Walker<'a> {
    frame: &'a Frame<'a>,
    graph: Option<ConceptGraph>,
    refill: Refill,
    outcome: Outcome,
    /// Place of each candidate in its group.
    ranks: Vec<u32>,
    steps: u64,
    total: u64,
    monitor: &'a dyn Monitor,
}

impl Walker<'_> {
    fn take_pins(&mut self) -> Result<(), SelectError> {
        let pins: Vec<u32> = self.frame.rows(crate::frame::State::Pinned).collect();
        for row in pins {
            self.outcome.rows.push(row);
            self.outcome.reasons[row as usize] = Some(Reason::Pinned { order: self.outcome.rows.len() as u32 });
            self.accept(row)?;
        }
        Ok(())
    }

    /// Walks one group and returns what it hands on: the carried part it did not use and, where its next sample was too
    /// long or none was left, its own remainder.
    fn group(&mut self, group: &Group, carry: u64) -> Result<u64, SelectError> {
        let carried = if group.fixed { 0 } else { carry };
        let mut room = group.quota + carried;
        let mut rejected = Vec::new();
        let mut ran_out = true;
        for &row in &group.rows {
            if room == 0 {
                ran_out = false;
                break;
            }
            self.step()?;
            if let Some(conflict) = self.conflict(row) {
                self.outcome.reasons[row as usize] = Some(conflict);
                self.outcome.rejected[row as usize] = true;
                rejected.push(row);
            } else if self.fits(row, room) {
                self.take(row)?;
                room -= self.frame.cost(row);
            } else {
                ran_out = false;
                break;
            }
        }
        let spent = group.quota + carried - room;
        let mut inconsistent = 0;
        if ran_out && room > 0 && !rejected.is_empty() {
            match self.refill {
                Refill::None => inconsistent = group.quota.saturating_sub(spent),
                Refill::FewestConflicts => {
                    for (row, conflicts) in self.by_conflicts(&rejected)? {
                        if room == 0 || !self.fits(row, room) {
                            break;
                        }
                        self.refill(row, conflicts);
                        room -= self.frame.cost(row);
                    }
                }
            }
        }
        self.outcome.inconsistent.push(inconsistent);
        let left = room - inconsistent;
        self.outcome.left.push(if group.fixed { left } else { 0 });
        Ok(if group.fixed { carry } else { left })
    }

    /// Spends what was carried past the last group on the best remaining samples that fit, until none does; groups with a
    /// fixed quota spend what they have left themselves.
    fn last_pass(&mut self, group_of: &[u32], fixed: &[bool], mut carry: u64) -> Result<(), SelectError> {
        let mut remaining: Vec<u32> = self.outcome.best_first.clone();
        loop {
            let before = self.outcome.rows.len();
            remaining.retain(|&row| self.outcome.reasons[row as usize].is_some_and(|reason| !reason.selected()));
            if carry == 0 && self.outcome.left.iter().all(|left| *left == 0) || remaining.is_empty() {
                return Ok(());
            }
            for &row in &remaining {
                let cost = self.frame.cost(row);
                let group = group_of[row as usize] as usize;
                // A group that ran out of consistent candidates still has its own remainder to spend.
                let own = self.outcome.inconsistent[group] + self.outcome.left[group];
                if cost > own + if fixed[group] { 0 } else { carry } {
                    continue;
                }
                self.step()?;
                if let Some(conflict) = self.conflict(row) {
                    self.outcome.reasons[row as usize] = Some(conflict);
                    self.outcome.rejected[row as usize] = true;
                    continue;
                }
                self.take(row)?;
                let left = self.outcome.left[group].saturating_sub(cost);
                self.outcome.inconsistent[group] = own.saturating_sub(cost) - left;
                self.outcome.left[group] = left;
                carry -= cost.saturating_sub(own);
            }
            if self.outcome.rows.len() == before {
                break;
            }
        }
        if self.refill == Refill::FewestConflicts {
            let fits = |outcome: &Outcome, row: u32, carry: u64| {
                let group = group_of[row as usize] as usize;
                self.frame.cost(row) <= if fixed[group] { outcome.left[group] } else { carry }
            };
            let fitting: Vec<u32> = remaining.into_iter().filter(|&row| fits(&self.outcome, row, carry)).collect();
            for (row, conflicts) in self.by_conflicts(&fitting)? {
                let group = group_of[row as usize] as usize;
                let room = if fixed[group] { &mut self.outcome.left[group] } else { &mut carry };
                let cost = self.frame.cost(row);
                if cost <= *room {
                    *room -= cost;
                    self.refill(row, conflicts);
                }
            }
        }
        Ok(())
    }

    /// Rows by fewest conflicts with the graph as it stands; the given order (best first) breaks ties.
    fn by_conflicts(&mut self, rows: &[u32]) -> Result<Vec<(u32, u32)>, SelectError> {
        let mut counted = Vec::with_capacity(rows.len());
        for &row in rows {
            self.step()?;
            let conflicts = self.graph.as_ref().map_or(0, |graph| graph.conflicts(self.concepts(row)));
            counted.push((row, conflicts));
        }
        counted.sort_by_key(|(_, conflicts)| *conflicts);
        Ok(counted)
    }

    fn conflict(&self, row: u32) -> Option<Reason> {
        let graph = self.graph.as_ref()?;
        match graph.verdict(self.concepts(row)) {
            Verdict::Consistent => None,
            Verdict::Blocked { first, second } => Some(Reason::Conflict {
                first,
                second,
                first_row: graph.introduced_by(first)?,
                second_row: graph.introduced_by(second)?,
            }),
        }
    }

    fn fits(&mut self, row: u32, room: u64) -> bool {
        let tokens = self.frame.cost(row);
        if tokens > room {
            self.outcome.reasons[row as usize] = Some(Reason::TooLong { tokens, room });
        }
        tokens <= room
    }

    fn take(&mut self, row: u32) -> Result<(), SelectError> {
        self.outcome.rows.push(row);
        self.outcome.reasons[row as usize] =
            Some(Reason::Taken { order: self.outcome.rows.len() as u32, rank: self.ranks[row as usize] });
        // A row rejected earlier can have become consistent by the last pass.
        self.outcome.rejected[row as usize] = false;
        self.accept(row)
    }

    fn refill(&mut self, row: u32, conflicts: u32) {
        self.outcome.rows.push(row);
        self.outcome.reasons[row as usize] =
            Some(Reason::Refilled { order: self.outcome.rows.len() as u32, conflicts });
    }

    fn accept(&mut self, row: u32) -> Result<(), SelectError> {
        let Some(graph) = self.graph.as_mut() else { return Ok(()) };
        let concepts = &self.frame.pool.concepts[row as usize];
        graph.accept(row, concepts).map_err(|Full| SelectError::TooManyPairs {
            id: self.frame.pool.ids[row as usize].clone(),
            concepts: concepts.len(),
            limit: MOST_PAIRS,
        })
    }

    fn concepts(&self, row: u32) -> &[u32] {
        &self.frame.pool.concepts[row as usize]
    }

    fn step(&mut self) -> Result<(), SelectError> {
        self.steps += 1;
        if self.steps.is_multiple_of(256) {
            if self.monitor.cancelled() {
                return Err(SelectError::Cancelled);
            }
            self.monitor.progress(self.steps.min(self.total), self.total);
        }
        Ok(())
    }
}
