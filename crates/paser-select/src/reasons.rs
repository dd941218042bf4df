//! Why a sample was or was not taken: one reason per row of the pool, for programs (`code`) and for people (`explain`).

use paser_protocol::ReasonCode;

use crate::columns::PoolColumns;

/// The fate of one sample. Orders and ranks count from 1; rows and concepts are indices into the pool's columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// A person pinned it.
    Pinned {
        /// Place in the selection.
        order: u32,
    },
    /// The strategy took it.
    Taken {
        /// Place in the selection.
        order: u32,
        /// Place among the candidates of its cluster (or of the pool, for strategies without quotas).
        rank: u32,
    },
    /// The concept graph had rejected it, and its cluster had too few others.
    Refilled {
        /// Place in the selection.
        order: u32,
        /// Pairs of its concepts that the graph knows and does not link.
        conflicts: u32,
    },
    /// Better candidates of its cluster filled the quota.
    QuotaFull {
        /// Place among the candidates of its cluster.
        rank: u32,
    },
    /// Two of its concepts are in the graph and were never seen together.
    Conflict {
        /// One concept of the blocking pair.
        first: u32,
        /// The other.
        second: u32,
        /// Selected row that brought the first concept in.
        first_row: u32,
        /// Selected row that brought the second concept in.
        second_row: u32,
    },
    /// It would not fit into what the token budget had left.
    TooLong {
        /// Its prompt and response tokens as trained.
        tokens: u64,
        /// Tokens left when its turn came.
        room: u64,
    },
    /// Its value was not among the best.
    BelowCut {
        /// Place in the order of the strategy.
        rank: u32,
    },
    /// Chance chose others.
    NotDrawn,
    /// The strategy takes pins only.
    NotPinned,
    /// A person excluded it.
    Excluded,
    /// It surprises the dense model too much to be evidence of damage.
    Guarded {
        /// Its dense response loss, nats a token.
        loss: f64,
        /// The fence of its cluster.
        fence: f64,
    },
    /// The strategy's own rule leaves it out.
    RuledOut {
        /// Its instruction-following difficulty, at least 1; none where the pass gave no number.
        value: Option<f64>,
    },
    /// Its prompt leaves no room for a response token.
    Unscorable,
    /// It is kept for evaluation.
    HeldOut,
}

impl Reason {
    /// The reason without its figures, as the column of a selection has it.
    pub fn code(&self) -> ReasonCode {
        match self {
            Self::Pinned { .. } => ReasonCode::Pinned,
            Self::Taken { .. } => ReasonCode::Taken,
            Self::Refilled { .. } => ReasonCode::Refilled,
            Self::QuotaFull { .. } => ReasonCode::QuotaFull,
            Self::Conflict { .. } => ReasonCode::Conflict,
            Self::TooLong { .. } => ReasonCode::TooLong,
            Self::BelowCut { .. } | Self::NotDrawn | Self::NotPinned => ReasonCode::NotTaken,
            Self::Excluded => ReasonCode::Excluded,
            Self::Guarded { .. } => ReasonCode::Guarded,
            Self::RuledOut { .. } => ReasonCode::RuledOut,
            Self::Unscorable => ReasonCode::Unscorable,
            Self::HeldOut => ReasonCode::HeldOut,
        }
    }

    /// True for samples that are in the selection.
    pub fn selected(&self) -> bool {
        self.code().is_taken()
    }

    /// One sentence for people, with concepts and samples by name.
    pub fn explain(&self, pool: &PoolColumns) -> String {
        let concept = |index: u32| pool.concept_names.get(index as usize).map_or("?", String::as_str);
        let id = |row: u32| pool.ids.get(row as usize).map_or("?", String::as_str);
        match *self {
            Self::Pinned { order } => format!("Pinned: number {order} of the selection."),
            Self::Taken { order, rank } => {
                format!("Taken: number {order} of the selection, candidate {rank} in its order.")
            }
            Self::Refilled { order, conflicts } => {
                format!(
                    "Refilled: number {order} of the selection. It has {conflicts} concept conflicts, and its cluster had no consistent candidate left."
                )
            }
            Self::QuotaFull { rank } => format!("Not reached: its cluster's quota was full before candidate {rank}."),
            Self::Conflict { first, second, first_row, second_row } => format!(
                "Rejected: \"{}\" (from sample {}) and \"{}\" (from sample {}) never stand together in the selection.",
                concept(first),
                id(first_row),
                concept(second),
                id(second_row)
            ),
            Self::TooLong { tokens, room } => format!("Too long: {tokens} tokens where {room} were left."),
            Self::BelowCut { rank } => format!("Below the cut: place {rank} in the order of the strategy."),
            Self::NotDrawn => "Not drawn: chance chose others.".to_owned(),
            Self::NotPinned => "Not pinned: this strategy takes pins only.".to_owned(),
            Self::Excluded => "Excluded by hand.".to_owned(),
            Self::Guarded { loss, fence } => {
                format!(
                    "Guarded: the dense model's loss of {loss:.2} nats a token lies above its cluster's fence of {fence:.2}."
                )
            }
            Self::RuledOut { value: Some(value) } => format!(
                "Ruled out: a difficulty of {value:.3} is not below 1, so its prompt does not help to predict its response."
            ),
            Self::RuledOut { value: None } => {
                "Ruled out: it is too long to be measured by the strategy's rule.".to_owned()
            }
            Self::Unscorable => "Unscorable: its prompt leaves no room for a response token.".to_owned(),
            Self::HeldOut => "Held out for evaluation.".to_owned(),
        }
    }
}
