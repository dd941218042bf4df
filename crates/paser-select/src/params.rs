//! The settings of a selection, as they stand in the recipe: every default of sections 2 to 4 of the method, and the
//! check that turns them into something that can run.

use paser_protocol::{Budget, Damage, Guard, Refill, SelectionPlan, Strategy, Weight};

use crate::error::SelectError;

/// How many concepts a sample has (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerSample {
    /// The best phrases only, at most this many.
    Best(u32),
    /// Every phrase as `rake-nltk` gives it for the joined text: the literal rule, without limit of length and without
    /// folding.
    All,
}

/// The concept consistency graph and where its concepts come from (section 3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concepts {
    /// False leaves the graph out.
    pub on: bool,
    /// Concepts of a sample: its best phrases, or all.
    pub per_sample: PerSample,
    /// Longest phrase that may be a concept, in words; unused where all phrases are taken.
    pub max_words: u32,
    /// Share of a candidate's known pairs that must be linked, in [0, 1]; 1 is the paper.
    pub strictness: f64,
}

impl Default for Concepts {
    fn default() -> Self {
        Self { on: true, per_sample: PerSample::Best(5), max_words: 4, strictness: 1.0 }
    }
}

/// Everything that decides a selection beside the pool and the person's marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelectParams {
    /// The rule of choice.
    pub strategy: Strategy,
    /// How much is chosen.
    pub budget: Budget,
    /// What the budget is spread by.
    pub weight: Weight,
    /// Which part of the response counts as damage.
    pub damage: Damage,
    /// The noise guard; `paser-guarded` has it always.
    pub guard: Guard,
    /// The concept graph.
    pub concepts: Concepts,
    /// What fills a quota that the concept graph leaves short.
    pub refill: Refill,
    /// Seed of every random order.
    pub seed: u64,
}

impl Default for SelectParams {
    fn default() -> Self {
        Self::new(&SelectionPlan::default(), Concepts::default())
    }
}

impl SelectParams {
    /// A plan, and where its concepts come from; the plan's switch and strictness go before those of `concepts`.
    pub fn new(plan: &SelectionPlan, concepts: Concepts) -> Self {
        Self {
            strategy: plan.strategy,
            budget: plan.budget,
            weight: plan.weight,
            damage: plan.damage,
            guard: plan.guard,
            concepts: Concepts { on: plan.concepts.on, strictness: plan.concepts.strictness, ..concepts },
            refill: plan.refill,
            seed: plan.seed,
        }
    }

    /// Fails on a setting outside its range.
    pub fn check(&self) -> Result<(), SelectError> {
        if let Budget::Percent(percent) = self.budget
            && !(0.0..=100.0).contains(&percent)
        {
            return Err(SelectError::BadSetting {
                setting: "budget",
                value: self.budget.to_string(),
                range: "between 0% and 100%",
            });
        }
        if !(0.0..=1.0).contains(&self.concepts.strictness) {
            return Err(SelectError::BadSetting {
                setting: "concepts.strictness",
                value: self.concepts.strictness.to_string(),
                range: "between 0 and 1",
            });
        }
        if self.concepts.per_sample == PerSample::Best(0) {
            return Err(SelectError::BadSetting {
                setting: "concepts.per_sample",
                value: "0".to_owned(),
                range: "at least 1, or \"all\"",
            });
        }
        if self.concepts.max_words == 0 {
            return Err(SelectError::BadSetting {
                setting: "concepts.max_words",
                value: "0".to_owned(),
                range: "at least 1",
            });
        }
        Ok(())
    }
}
