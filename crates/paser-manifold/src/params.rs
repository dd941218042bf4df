//! The parameters of the clustering, their defaults and their check (`method.md` section 1, items 3 to 8).

use serde::{Deserialize, Serialize};

use crate::error::ManifoldError;

/// How many clusters are asked for, before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "CountWord", into = "CountWord")]
pub enum ClusterCount {
    /// The fine number of the stability curve; the coarse one, marked, where no number is clear.
    #[default]
    Automatic,
    /// The largest number of clusters whose stability is at least 0.80.
    Fine,
    /// The smallest number of clusters within 0.02 of the best stability.
    Coarse,
    /// This many, 1 to 200; no stability curve is computed.
    Fixed(usize),
}

/// The form of [`ClusterCount`] in a recipe: a word or a number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum CountWord {
    Number(usize),
    Word(String),
}

impl TryFrom<CountWord> for ClusterCount {
    type Error = String;

    fn try_from(word: CountWord) -> Result<Self, String> {
        match word {
            CountWord::Number(count) => Ok(Self::Fixed(count)),
            CountWord::Word(word) => match word.as_str() {
                "automatic" => Ok(Self::Automatic),
                "fine" => Ok(Self::Fine),
                "coarse" => Ok(Self::Coarse),
                _ => Err(format!("clusters = `{word}`: use automatic, fine, coarse or a number")),
            },
        }
    }
}

impl From<ClusterCount> for CountWord {
    fn from(count: ClusterCount) -> Self {
        match count {
            ClusterCount::Automatic => Self::Word("automatic".into()),
            ClusterCount::Fine => Self::Word("fine".into()),
            ClusterCount::Coarse => Self::Word("coarse".into()),
            ClusterCount::Fixed(count) => Self::Number(count),
        }
    }
}

/// What the first labels are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// k-means on the row-normalised first K eigenvectors.
    #[default]
    Spectral,
    /// k-means on the row-normalised diffusion coordinates: here `dimensions` decides.
    Manifold,
}

/// Parameters of [`crate::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ManifoldParams {
    /// Graph neighbours of a row, 2 to 100 (default 15).
    pub neighbours: usize,
    /// Candidates of the fast search, re-ranked in f64; at least `neighbours`, at most 250 (default 30).
    pub candidates: usize,
    /// The neighbour whose distance is the local bandwidth, 1 to `neighbours` (default 7).
    pub bandwidth_neighbour: usize,
    /// Density exponent, 0 to 1 (default 0: the paper's normalised Laplacian).
    pub alpha: f64,
    /// Diffusion coordinates d, 1 to 200 (default 16).
    pub dimensions: usize,
    /// Diffusion time t, 0 to 100 (default 1).
    pub time: f64,
    /// Number of clusters before merging (default automatic).
    pub clusters: ClusterCount,
    /// Whether small clusters join larger ones (default true).
    pub merge: bool,
    /// What the first labels are taken from (default spectral).
    pub start: Start,
    /// Seed of every random choice (default 0).
    pub seed: u64,
    /// Largest number of clusters that the stability curve looks at, 4 to 200 (default: 40); small pools lower it.
    pub k_max: Option<usize>,
    /// Rows of the stability curve, the first in content-hash order; at least 240 (default 10,000).
    pub curve_rows: usize,
    /// Half-splits of the stability curve, 1 to 20 (default 3).
    pub half_splits: usize,
    /// Whether the two-dimensional map is laid out (default true).
    pub map: bool,
}

impl Default for ManifoldParams {
    fn default() -> Self {
        Self {
            neighbours: 15,
            candidates: 30,
            bandwidth_neighbour: 7,
            alpha: 0.0,
            dimensions: 16,
            time: 1.0,
            clusters: ClusterCount::Automatic,
            merge: true,
            start: Start::Spectral,
            seed: 0,
            k_max: None,
            curve_rows: 10_000,
            half_splits: 3,
            map: true,
        }
    }
}

/// Parameters that passed [`ManifoldParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct Checked(ManifoldParams);

impl Checked {
    /// The parameters as they were given.
    pub fn params(&self) -> &ManifoldParams {
        &self.0
    }
}

fn require(holds: bool, name: &'static str, value: &dyn ToString, allowed: &'static str) -> Result<(), ManifoldError> {
    if holds { Ok(()) } else { Err(ManifoldError::Parameter { name, value: value.to_string(), allowed }) }
}

impl ManifoldParams {
    /// Checks every range; the error names the first parameter that is off and what it may be.
    pub fn check(self) -> Result<Checked, ManifoldError> {
        require((2..=100).contains(&self.neighbours), "neighbours", &self.neighbours, "2 to 100")?;
        require(
            (self.neighbours..=250).contains(&self.candidates),
            "candidates",
            &self.candidates,
            "at least `neighbours` and at most 250",
        )?;
        require(
            (1..=self.neighbours).contains(&self.bandwidth_neighbour),
            "bandwidth_neighbour",
            &self.bandwidth_neighbour,
            "1 to `neighbours`",
        )?;
        require((0.0..=1.0).contains(&self.alpha), "alpha", &self.alpha, "0 to 1")?;
        require((1..=200).contains(&self.dimensions), "dimensions", &self.dimensions, "1 to 200")?;
        require((0.0..=100.0).contains(&self.time), "time", &self.time, "0 to 100")?;
        if let ClusterCount::Fixed(count) = self.clusters {
            require((1..=200).contains(&count), "clusters", &count, "1 to 200")?;
        }
        if let Some(largest) = self.k_max {
            require((4..=200).contains(&largest), "k_max", &largest, "4 to 200")?;
        }
        require(self.curve_rows >= 240, "curve_rows", &self.curve_rows, "at least 240")?;
        require((1..=20).contains(&self.half_splits), "half_splits", &self.half_splits, "1 to 20")?;
        Ok(Checked(self))
    }
}
