//! Where a candidate stood that was not reached, and what place would have been enough: from the reasons of a selection.

use crate::reasons::Reason;

/// The place of a sample that better candidates kept out. Ranks count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its place among the candidates of its cluster, or of the pool.
    pub rank: u32,
    /// How many candidates there were.
    pub candidates: u32,
    /// The last place before its own that was taken; none where no better candidate was.
    pub last_taken: Option<u32>,
    /// Taken from places behind its own, because they fitted into what a token budget had left.
    pub later: u32,
    /// Candidates are those of its cluster, not of the pool.
    pub in_cluster: bool,
}

impl Standing {
    /// The standing of a row whose quota or cut came before it; none for every other reason. `reasons` and `labels`: one
    /// for each row of the pool, the labels those that the strategy spread its budget over.
    pub fn of(reasons: &[Reason], labels: &[u32], row: u32) -> Option<Self> {
        let at = row as usize;
        let (rank, in_cluster) = match *reasons.get(at)? {
            Reason::QuotaFull { rank } => (rank, true),
            Reason::BelowCut { rank } => (rank, false),
            _ => return None,
        };
        let label = *labels.get(at)?;
        let mut standing = Self { rank, candidates: 0, last_taken: None, later: 0, in_cluster };
        for (reason, other) in reasons.iter().zip(labels) {
            if in_cluster && *other != label {
                continue;
            }
            match *reason {
                Reason::Taken { rank: taken, .. } => {
                    standing.candidates += 1;
                    if taken > rank {
                        standing.later += 1;
                    } else {
                        standing.last_taken = standing.last_taken.max(Some(taken));
                    }
                }
                Reason::Refilled { .. }
                | Reason::QuotaFull { .. }
                | Reason::Conflict { .. }
                | Reason::TooLong { .. }
                | Reason::BelowCut { .. } => standing.candidates += 1,
                _ => {}
            }
        }
        Some(standing)
    }

    /// One sentence for people.
    pub fn explain(&self) -> String {
        let Self { rank, candidates, last_taken, later, in_cluster } = *self;
        let mut text = if in_cluster {
            format!("Not reached: candidate {rank} of {candidates} of its cluster; ")
        } else {
            format!("Below the cut: place {rank} of {candidates} in the order of the strategy; ")
        };
        text.push_str(&match (last_taken, in_cluster) {
            (Some(last), true) => format!("the last one taken was candidate {last}."),
            (Some(last), false) => format!("the last one taken had place {last}."),
            (None, _) => "no better one was taken either.".to_owned(),
        });
        if later > 0 {
            text.push_str(&format!(" Behind it, {later} shorter ones fitted into what the budget had left."));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_say_what_would_have_been_needed() {
        let taken = |rank| Reason::Taken { order: rank, rank };
        let full = |rank| Reason::QuotaFull { rank };
        let reasons = [taken(1), full(3), taken(2), full(1), Reason::Excluded, full(4), taken(5)];
        let labels = [0, 0, 0, 1, 0, 0, 0];
        let explain = |row| Standing::of(&reasons, &labels, row).map(|standing| standing.explain());
        assert_eq!(
            explain(1).as_deref(),
            Some(
                "Not reached: candidate 3 of 5 of its cluster; the last one taken was candidate 2. Behind it, 1 shorter \
                 ones fitted into what the budget had left."
            )
        );
        assert_eq!(
            explain(3).as_deref(),
            Some("Not reached: candidate 1 of 1 of its cluster; no better one was taken either.")
        );
        assert_eq!((explain(0), explain(4), explain(9)), (None, None, None));
        let reasons = [taken(1), Reason::BelowCut { rank: 2 }];
        assert_eq!(
            Standing::of(&reasons, &[0, 1], 1).map(|standing| standing.explain()).as_deref(),
            Some("Below the cut: place 2 of 2 in the order of the strategy; the last one taken had place 1.")
        );
    }
}
