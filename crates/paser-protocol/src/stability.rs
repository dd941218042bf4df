//! How far clusters and selection depend on single settings: one factor at a time around what the recipe says
//! (`method.md` 1 and 2; the paper's figure 5).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Budget, Report};

/// A setting that is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    Dimensions,
    Time,
    Clusters,
    Neighbours,
    Temperature,
    Seed,
}

impl Factor {
    pub const ALL: [Self; 6] =
        [Self::Dimensions, Self::Time, Self::Clusters, Self::Neighbours, Self::Temperature, Self::Seed];

    /// As method and command line write it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Dimensions => "d",
            Self::Time => "t",
            Self::Clusters => "K",
            Self::Neighbours => "k",
            Self::Temperature => "tau",
            Self::Seed => "seed",
        }
    }

    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dimensions => "diffusion coordinates",
            Self::Time => "diffusion time",
            Self::Clusters => "clusters before merging",
            Self::Neighbours => "graph neighbours",
            Self::Temperature => "temperature of the divergence",
            Self::Seed => "seed of the manifold",
        }
    }

    /// Whether the recipe has it, so that another value can be adopted.
    pub fn can_be_adopted(self) -> bool {
        self != Self::Temperature
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

impl FromStr for Factor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|factor| factor.symbol() == text)
            .ok_or_else(|| format!("`{text}` is no factor: one of {}", Self::ALL.map(Self::symbol).join(", ")))
    }
}

/// What one setting makes of the pool, against the current one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingView {
    pub value: f64,
    /// The value in force.
    pub current: bool,
    /// Adjusted Rand index of its clusters with the current ones.
    pub agreement: f64,
    /// Samples behind it: those that are not held out.
    pub rows: u64,
    /// Clusters after merging.
    pub clusters: u32,
    /// Samples of its `paser` selection, and how many of them the current one holds, too.
    pub selected: u64,
    pub shared: u64,
    /// Shared over all of both, and what chance would share of two selections of these sizes.
    pub overlap: f64,
    pub chance: f64,
}

/// One factor of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorView {
    pub factor: Factor,
    pub current: f64,
    /// By rising value; empty where it was not computed for what is in force now.
    pub settings: Vec<SettingView>,
    /// Values that would be computed.
    pub values: Vec<f64>,
    /// Estimated seconds, low and high, of what is missing.
    pub estimate: Option<(f64, f64)>,
    /// Settings (of tau: parts of its pass) finished and in all, where it was stopped half-way.
    pub kept: Option<(u64, u64)>,
}

/// Everything a sweep has to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StabilityView {
    pub factors: Vec<FactorView>,
    /// The budget that the selections compared are made at.
    pub budget: Budget,
    /// What keeps it from being computed.
    pub blocked: Option<Report>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn factors_read_as_they_are_written_and_case_tells_two_of_them_apart() {
        for factor in Factor::ALL {
            assert_eq!(factor.to_string().parse::<Factor>().unwrap(), factor);
        }
        assert_ne!("k".parse::<Factor>(), "K".parse::<Factor>());
        assert!("T".parse::<Factor>().unwrap_err().contains("d, t, K, k, tau, seed"));
    }
}
