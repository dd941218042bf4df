//! A person's edits of the pool, where they came from, and the journal of them as a face shows it.

use serde::{Deserialize, Serialize};

use crate::Unit;

/// Most characters of a tag, and of a cluster's name.
const LONGEST_NAME: usize = 64;

/// One edit of the pool by a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// Why; empty where nobody said.
    #[serde(default)]
    pub reason: String,
    /// Where its samples were found. The samples themselves decide, never this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<EditSource>,
    #[serde(flatten)]
    pub what: EditKind,
}

impl Edit {
    /// An edit of things named one by one.
    pub fn new(what: EditKind, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), source: None, what }
    }

    #[must_use]
    pub fn found_by(self, source: EditSource) -> Self {
        Self { source: Some(source), ..self }
    }
}

/// What an edit does. Rows are those of the pool in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "edit")]
pub enum EditKind {
    /// Taken by every selection.
    Pin {
        #[serde(with = "crate::rows")]
        rows: Vec<u32>,
    },
    /// Taken by none.
    Exclude {
        #[serde(with = "crate::rows")]
        rows: Vec<u32>,
    },
    /// Neither pinned nor excluded any more.
    Release {
        #[serde(with = "crate::rows")]
        rows: Vec<u32>,
    },
    /// Adds a tag; a sample may have several.
    Tag {
        #[serde(with = "crate::rows")]
        rows: Vec<u32>,
        tag: String,
    },
    Untag {
        #[serde(with = "crate::rows")]
        rows: Vec<u32>,
        tag: String,
    },
    /// Out of sight; no selection changes by it.
    Hide {
        #[serde(with = "crate::rows")]
        rows: Vec<u32>,
    },
    Show {
        #[serde(with = "crate::rows")]
        rows: Vec<u32>,
    },
    /// Clusters go by the number that the person saw: [`crate::ClusterView::cluster`]. An empty name: back to the one made
    /// of the cluster's concepts.
    RenameCluster { cluster: u32, name: String },
    /// Two or more become one; the largest keeps its place and colour.
    MergeClusters { clusters: Vec<u32> },
    /// Into 2 to 12 parts, by k-means on the coordinates of its samples; the largest keeps place and colour.
    SplitCluster { cluster: u32, parts: u32 },
    /// None: back to the budget's rule.
    SetQuota { cluster: u32, quota: Option<u64>, unit: Unit },
    /// Multiplies the cluster's weight by 0 to 100; 1 is none.
    SetEmphasis { cluster: u32, factor: f64 },
}

/// How the samples of an edit were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum EditSource {
    /// Drawn on the map; `map` is the key of the map's column, in whose coordinates the corners are.
    Region { polygon: Vec<[f32; 2]>, map: String },
    /// A filter expression.
    Filter { text: String },
    /// A full-text search.
    Search { text: String },
    /// All samples of a cluster, by its name then.
    Cluster { name: String },
    /// What lies near a sample, by its id.
    Neighbours { of: String },
}

impl EditSource {
    /// Where the samples came from, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Region { polygon, .. } => format!("a region of the map with {} corners", polygon.len()),
            Self::Filter { text } => format!("the filter {text}"),
            Self::Search { text } => format!("the search for {text}"),
            Self::Cluster { name } => format!("the cluster {name}"),
            Self::Neighbours { of } => format!("the neighbours of sample {of}"),
        }
    }
}

/// A tag as it is kept: trimmed.
///
/// # Errors
/// In words: an empty one, one of more than 64 characters, one with a comma or a control character.
pub fn tag_name(typed: &str) -> Result<String, String> {
    let tag = typed.trim();
    if tag.is_empty() {
        return Err("A tag needs at least one letter.".to_owned());
    }
    if tag.chars().count() > LONGEST_NAME {
        return Err(format!("A tag has at most {LONGEST_NAME} characters."));
    }
    if tag.chars().any(|letter| letter == ',' || letter.is_control()) {
        return Err("A tag holds no comma and no control character.".to_owned());
    }
    Ok(tag.to_owned())
}

/// A cluster's name as it is kept: trimmed.
///
/// # Errors
/// In words: an empty one, one of more than 64 characters, one with a control character.
pub fn cluster_name(typed: &str) -> Result<String, String> {
    let name = typed.trim();
    if name.is_empty() {
        return Err("A cluster's name needs at least one letter.".to_owned());
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(format!("A cluster's name is one line of at most {LONGEST_NAME} characters."));
    }
    Ok(name.to_owned())
}

/// The samples that have a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagView {
    pub tag: String,
    /// Rising.
    #[serde(with = "crate::rows")]
    pub rows: Vec<u32>,
}

/// Where an entry of the journal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryState {
    InForce,
    TakenBack,
    /// Took back the edit that was then the newest in force.
    Undo,
    /// Brought an edit back.
    Redo,
    /// Took back an edit that was not the newest.
    Revert,
}

impl EntryState {
    /// The word people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::TakenBack => "taken back",
            Self::Undo => "undo",
            Self::Redo => "redo",
            Self::Revert => "revert",
        }
    }
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntryView {
    /// Its number, from 1.
    pub entry: u64,
    /// Seconds since 1970.
    pub time: u64,
    /// `exclusion of 3 samples`
    pub what: String,
    pub reason: String,
    /// Where the samples came from, in words; empty where they were named one by one.
    pub from: String,
    /// The same as it was recorded.
    pub source: Option<EditSource>,
    pub state: EntryState,
    /// The entry that an undo, redo or revert is about.
    pub of: Option<u64>,
    /// Samples it names, and how many of them are not in the pool now.
    pub samples: u64,
    pub lost: u64,
    /// Why it no longer applies; none where it does, or is not in force.
    pub trouble: Option<String>,
    /// Rows of its samples in the pool of now, in the order in which it names them.
    #[serde(with = "crate::rows")]
    pub rows: Vec<u32>,
    /// The clusters that it is about, by their numbers of now; empty where it is about samples, or does not apply.
    pub clusters: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_short_and_plain() {
        assert_eq!(tag_name("  needs a look "), Ok("needs a look".to_owned()));
        assert_eq!(tag_name(&"ä".repeat(64)).map(|tag| tag.chars().count()), Ok(64));
        for typed in ["", "   ", "a,b", "a\nb", &"x".repeat(65)] {
            assert!(tag_name(typed).is_err(), "{typed:?} was accepted");
        }
    }
}
