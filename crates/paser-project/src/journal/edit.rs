//! What a line of the journal says, and how it is told in words.

use paser_protocol::Unit;
use serde::{Deserialize, Serialize};

/// A sample as the journal knows it. The hash finds it again where ids are line numbers and the file changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Marked {
    pub id: String,
    /// SHA-256 of the content, hex.
    pub hash: String,
}

/// A cluster as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCluster {
    /// What it was called then.
    pub name: String,
    /// Key of the manifold in which it has its id.
    pub manifold: String,
    /// The manifold's own number, or `ENTRY.PART` for a part that a split made.
    pub id: String,
    /// A few of its samples, by which it is found in another manifold.
    pub anchors: Vec<Marked>,
}

/// One line's edit. What it names is named so that it is found again after an import or another clustering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "edit")]
pub enum JournalEdit {
    Pin {
        samples: Vec<Marked>,
    },
    Exclude {
        samples: Vec<Marked>,
    },
    /// Neither pinned nor excluded any more.
    Release {
        samples: Vec<Marked>,
    },
    Tag {
        samples: Vec<Marked>,
        tag: String,
    },
    Untag {
        samples: Vec<Marked>,
        tag: String,
    },
    Hide {
        samples: Vec<Marked>,
    },
    Show {
        samples: Vec<Marked>,
    },
    RenameCluster {
        cluster: NamedCluster,
        /// What it is called from now on; empty: by the name made of its concepts.
        to: String,
    },
    MergeClusters {
        clusters: Vec<NamedCluster>,
    },
    SplitCluster {
        cluster: NamedCluster,
        parts: u32,
    },
    SetQuota {
        cluster: NamedCluster,
        /// None: back to the budget's rule.
        quota: Option<u64>,
        unit: Unit,
    },
    SetEmphasis {
        cluster: NamedCluster,
        factor: f64,
    },
    /// Takes back the entry with this number.
    Undo {
        of: u64,
    },
    /// Brings back the entry with this number.
    Redo {
        of: u64,
    },
}

impl JournalEdit {
    /// The samples that it is about.
    pub fn samples(&self) -> &[Marked] {
        match self {
            Self::Pin { samples }
            | Self::Exclude { samples }
            | Self::Release { samples }
            | Self::Tag { samples, .. }
            | Self::Untag { samples, .. }
            | Self::Hide { samples }
            | Self::Show { samples } => samples,
            Self::RenameCluster { .. }
            | Self::MergeClusters { .. }
            | Self::SplitCluster { .. }
            | Self::SetQuota { .. }
            | Self::SetEmphasis { .. }
            | Self::Undo { .. }
            | Self::Redo { .. } => &[],
        }
    }

    /// The clusters that it is about.
    pub fn clusters(&self) -> &[NamedCluster] {
        match self {
            Self::RenameCluster { cluster, .. }
            | Self::SplitCluster { cluster, .. }
            | Self::SetQuota { cluster, .. }
            | Self::SetEmphasis { cluster, .. } => std::slice::from_ref(cluster),
            Self::MergeClusters { clusters } => clusters,
            _ => &[],
        }
    }

    /// The entry that an undo or a redo is about.
    pub fn of(&self) -> Option<u64> {
        match self {
            Self::Undo { of } | Self::Redo { of } => Some(*of),
            _ => None,
        }
    }

    /// `pin of 3 samples`, for menus.
    pub fn words(&self) -> String {
        let samples = || match self.samples() {
            [only] => format!("sample {}", only.id),
            samples => format!("{} samples", samples.len()),
        };
        match self {
            Self::Pin { .. } => format!("pin of {}", samples()),
            Self::Exclude { .. } => format!("exclusion of {}", samples()),
            Self::Release { .. } => format!("release of {}", samples()),
            Self::Tag { tag, .. } => format!("tag {tag:?} on {}", samples()),
            Self::Untag { tag, .. } => format!("tag {tag:?} off {}", samples()),
            Self::Hide { .. } => format!("hiding of {}", samples()),
            Self::Show { .. } => format!("showing of {}", samples()),
            Self::RenameCluster { cluster, to } if to.is_empty() => {
                format!("renaming of \"{}\" to the name made of its concepts", cluster.name)
            }
            Self::RenameCluster { cluster, to } => format!("renaming of \"{}\" to \"{to}\"", cluster.name),
            Self::MergeClusters { clusters } => {
                let names: Vec<String> = clusters.iter().map(|cluster| format!("\"{}\"", cluster.name)).collect();
                format!("merging of {}", names.join(" and "))
            }
            Self::SplitCluster { cluster, parts } => {
                format!("split of \"{}\" into {parts} parts", cluster.name)
            }
            Self::SetQuota { cluster, quota: Some(quota), unit } => {
                format!("quota of {quota} {} for \"{}\"", unit.name(), cluster.name)
            }
            Self::SetQuota { cluster, quota: None, .. } => format!("automatic quota for \"{}\"", cluster.name),
            Self::SetEmphasis { cluster, factor } => format!("emphasis {factor} on \"{}\"", cluster.name),
            Self::Undo { of } => format!("taking back of entry {of}"),
            Self::Redo { of } => format!("bringing back of entry {of}"),
        }
    }
}
