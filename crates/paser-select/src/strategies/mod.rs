//! Every rule of choice by name, and what each makes of a pool: a plan for the shared walk (section 4 of the method).

mod ablations;
mod by_column;
mod full;
mod length_matched;
mod manual;
mod paser;
mod random;

use std::fmt;
use std::str::FromStr;

use paser_protocol::Monitor;
use serde::{Deserialize, Serialize};

use crate::columns::PoolColumns;
use crate::curation::Curation;
use crate::error::SelectError;
use crate::frame::Frame;
use crate::params::SelectParams;
use crate::walk::Plan;

macro_rules! strategies {
    ($($variant:ident $name:literal $about:literal;)+) => {
        /// A rule of choice. Reads and writes as its kebab-case name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum Strategy {
            $(#[doc = $about] $variant,)+
        }

        impl Strategy {
            /// Every strategy, in the order in which people should read them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name used on the command line, in recipes and on screen.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it does, in one line.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)+ }
            }
        }
    };
}

strategies! {
    Paser "paser" "Budget by damage of capability clusters, most damage per cost first, only samples consistent with those taken.";
    PaserGuarded "paser-guarded" "PASER without the samples that surprise even the dense model (the noise guard).";
    PaserNoS2ric "paser-no-s2ric" "PASER on plain k-means clusters of the same vectors.";
    PaserNoCdais "paser-no-cdais" "PASER with equal quotas and random order inside the clusters.";
    PaserNoNtem "paser-no-ntem" "PASER without the concept consistency graph.";
    Full "full" "All eligible samples, whatever the budget.";
    Random "random" "Uniform chance over the eligible samples.";
    RandomLengthMatched "random-length-matched" "Uniform chance, with the response lengths that PASER takes.";
    Longest "longest" "The longest responses.";
    JsdTop "jsd-top" "The highest damage, without clusters.";
    PerplexityMid "perplexity-mid" "The middle of the pruned model's response perplexity.";
    PerplexityTop "perplexity-top" "The highest response perplexity of the pruned model.";
    Manual "manual" "Pinned samples only.";
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Strategy {
    type Err = SelectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|strategy| strategy.name() == text.trim()).ok_or_else(|| {
            SelectError::NoSuchStrategy {
                text: text.to_owned(),
                known: Self::ALL.iter().map(|strategy| strategy.name()).collect::<Vec<_>>().join(", "),
            }
        })
    }
}

impl TryFrom<String> for Strategy {
    type Error = SelectError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.name().to_owned()
    }
}

/// What a strategy decided before the walk.
pub(crate) struct Choice {
    pub plan: Plan,
    /// What the quotas of the ledger must sum to.
    pub total: u64,
    /// Raw quota of each cluster; `None` for strategies without quotas.
    pub raw: Option<Vec<f64>>,
    /// Cluster of each group; `None` where groups are not clusters.
    pub cluster_of_group: Option<Vec<u32>>,
    pub equal_weights: bool,
}

/// The pool as this strategy sees it.
pub(crate) fn frame<'a>(
    pool: &'a PoolColumns,
    curation: &Curation,
    params: &SelectParams,
) -> Result<Frame<'a>, SelectError> {
    let variant = ablations::variant(params);
    Frame::new(pool, curation, params, variant.grouping, variant.guard)
}

pub(crate) fn plan(
    frame: &Frame<'_>,
    params: &SelectParams,
    budget: u64,
    monitor: &dyn Monitor,
) -> Result<Choice, SelectError> {
    match params.strategy {
        Strategy::Paser
        | Strategy::PaserGuarded
        | Strategy::PaserNoS2ric
        | Strategy::PaserNoCdais
        | Strategy::PaserNoNtem => paser::plan(frame, params, &ablations::variant(params), budget),
        Strategy::Full => Ok(full::plan(frame)),
        Strategy::Random => random::plan(frame, params, budget),
        Strategy::RandomLengthMatched => length_matched::plan(frame, params, budget, monitor),
        Strategy::Longest | Strategy::JsdTop | Strategy::PerplexityMid | Strategy::PerplexityTop => {
            by_column::plan(frame, params.strategy, budget)
        }
        Strategy::Manual => manual::plan(frame, budget),
    }
}
