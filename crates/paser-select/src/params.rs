//! The settings of a selection, as they stand in the recipe: every default of sections 2 to 4 of the method, and the
//! check that turns them into something that can run.

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::error::SelectError;
use crate::strategies::Strategy;

/// Whether samples that surprise the dense model too much are kept out (section 2, "The noise guard").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// The paper: every scorable sample may be taken.
    #[default]
    None,
    /// Samples above Tukey's fence of their cluster's dense loss count for nothing.
    Tukey,
}

/// What happens where the concept graph leaves a quota unfilled (section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refill {
    /// The paper: the quota stays short.
    None,
    /// The rejected samples with the fewest conflicts fill it.
    #[default]
    FewestConflicts,
}

/// What the budget is spread by (section 2, "Budget").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The paper: mean damage of the cluster.
    #[default]
    Cds,
    /// Mean damage times the number of samples.
    CdsXSize,
    /// The same for every cluster.
    Uniform,
}

/// Which part of the response the damage is measured on (section 2, "What the score hides").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// All response tokens.
    #[default]
    Whole,
    /// All but the first.
    AfterFirstToken,
}

/// How many concepts a sample has (section 3). Written as a number or as `"all"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PerSampleText", into = "PerSampleText")]
pub enum PerSample {
    /// The best phrases only, at most this many.
    Best(u32),
    /// Every phrase as `rake-nltk` gives it for the joined text: the literal rule, without limit of length and without
    /// folding.
    All,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum PerSampleText {
    Best(u32),
    All(All),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum All {
    All,
}

impl From<PerSampleText> for PerSample {
    fn from(text: PerSampleText) -> Self {
        match text {
            PerSampleText::Best(count) => Self::Best(count),
            PerSampleText::All(All::All) => Self::All,
        }
    }
}

impl From<PerSample> for PerSampleText {
    fn from(value: PerSample) -> Self {
        match value {
            PerSample::Best(count) => Self::Best(count),
            PerSample::All => Self::All(All::All),
        }
    }
}

/// The concept consistency graph and where its concepts come from (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
        Self {
            strategy: Strategy::Paser,
            budget: Budget::Percent(20.0),
            weight: Weight::default(),
            damage: Damage::default(),
            guard: Guard::default(),
            concepts: Concepts::default(),
            refill: Refill::default(),
            seed: 0,
        }
    }
}

impl SelectParams {
    /// Fails on a setting outside its range.
    pub fn check(&self) -> Result<(), SelectError> {
        self.budget.check()?;
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
