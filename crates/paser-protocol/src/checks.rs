//! What is wrong with a pool before anything is chosen from it: near-duplicates, and samples that contain a question of a
//! benchmark. Nothing here leaves a sample out by itself: the rows are for an exclusion.

use serde::{Deserialize, Serialize};

/// The checks of the open project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChecksView {
    /// None where they were not looked for.
    pub near_duplicates: Option<NearDuplicatesView>,
    /// In the order of the recipe.
    pub benchmarks: Vec<BenchmarkView>,
    /// What the checks took when they were computed.
    pub seconds: f64,
    /// What was not looked for, and why, as sentences.
    pub off: Vec<String>,
    /// Sentences that must stand beside the numbers.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearDuplicatesView {
    /// Jaccard similarity of three-word runs, 0.5 to 1.
    pub threshold: f64,
    pub groups: u64,
    /// Samples of all groups but the kept one of each: the length of `rows`.
    pub samples: u64,
    /// Samples of the largest group, the kept one included.
    pub largest: u64,
    /// The first 20 groups, the largest first.
    pub examples: Vec<NearGroupView>,
    /// What an exclusion of near-duplicates takes out, rising.
    pub rows: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearGroupView {
    /// The sample to keep: the longest response.
    pub kept: u32,
    pub kept_id: String,
    /// The others, in content-hash order.
    pub rows: Vec<u32>,
    /// Smallest similarity of another sample to the kept one; below the threshold where samples are linked by a chain.
    pub similarity: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkView {
    /// `ARC-e`
    pub name: String,
    /// As the recipe names it.
    pub path: String,
    pub questions: u64,
    /// Questions of fewer than 6 words, which were not looked for.
    pub too_short: u64,
    /// Rows of the samples that contain a question, rising.
    pub samples: Vec<u32>,
    /// The first 20 of them, by falling share.
    pub examples: Vec<LeakView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakView {
    pub row: u32,
    pub id: String,
    pub question: String,
    /// The first words that question and sample share: lower case, no punctuation.
    pub shared: String,
    /// Share of the question's runs of 8 words that the sample holds, 0 to 1.
    pub share: f32,
}
