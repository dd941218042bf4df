//! The panes of all work places: their names, and the room that each wants.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pane {
    Contents,
    Damage,
    Map,
    Table,
    Inspector,
    /// Frozen selections, in Compare.
    Selections,
    /// Their small maps.
    Maps,
    Overlap,
    /// Cluster by cluster.
    Clusters,
    /// Of the arms, in Recover.
    Curves,
    /// What came back, by group of items.
    Outcome,
    Arms,
    /// Two arms against each other.
    Verdict,
}

/// Head, column heads and seven rows.
const TABLE: f32 = 30.0 + 22.0 + 7.0 * 24.0;

/// Head, column heads, seven rows and a sentence.
const ARMS: f32 = 30.0 + 22.0 + 7.0 * 24.0 + 22.0;

impl Pane {
    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contents => "Contents",
            Self::Damage => "Damage",
            Self::Map => "Map",
            Self::Table => "Samples",
            Self::Inspector => "Sample",
            Self::Selections => "Selections",
            Self::Maps => "Maps",
            Self::Overlap => "Overlap",
            Self::Clusters => "Clusters",
            Self::Curves => "Curves",
            Self::Outcome => "Outcome",
            Self::Arms => "Arms",
            Self::Verdict => "Verdict",
        }
    }

    /// Width in a row of `room`, points.
    pub(super) fn width(self, room: f32, wide: bool) -> f32 {
        match self {
            Self::Contents | Self::Selections => 232.0,
            Self::Damage => 328.0 + if wide { 40.0 } else { 0.0 },
            Self::Inspector => 316.0 + if wide { 56.0 } else { 0.0 },
            Self::Overlap => (room * 0.42).clamp(280.0, 460.0),
            Self::Outcome => (room * 0.46).floor(),
            Self::Arms => (room * 0.49).floor(),
            Self::Curves | Self::Verdict => room * 0.5,
            Self::Map | Self::Table | Self::Maps | Self::Clusters => 460.0_f32.min(room * 0.5),
        }
    }

    /// Height in a column of `room`, points.
    pub(super) fn height(self, room: f32, wide: bool) -> f32 {
        match self {
            Self::Table => (TABLE + if wide { 6.0 * 24.0 } else { 0.0 }).min(room * 0.6),
            Self::Overlap | Self::Clusters => 300.0_f32.min(room * 0.5),
            Self::Arms | Self::Verdict => (ARMS + if wide { 4.0 * 24.0 } else { 0.0 }).min(room * 0.5),
            _ => room * 0.5,
        }
    }

    /// Among panes in one line, the greediest takes what the others leave.
    pub(super) fn greed(self) -> u8 {
        match self {
            Self::Map | Self::Maps | Self::Curves => 3,
            Self::Table | Self::Clusters | Self::Verdict => 2,
            _ => 1,
        }
    }
}
