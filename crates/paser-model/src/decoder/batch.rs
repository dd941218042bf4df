//! Sequences laid end to end, one row per token and no padding. Beginnings that several sequences share (a template's
//! opening words) stand once, before the rows of those sequences.

use std::ops::Range;

use crate::{ModelError, ModelSpec};

/// Which packed rows belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    segments: Vec<Segment>,
    rows: usize,
    longest: usize,
}

/// A run of rows in which each row sees those before it, and all of `prefix` before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub rows: Range<usize>,
    /// Rows of an earlier segment; empty where the segment is a sequence from its start.
    pub prefix: Range<usize>,
    /// The last of `rows`, whose final hidden states are asked for.
    pub wanted: Range<usize>,
}

/// Sequences laid out by [`Batch::sharing`].
pub(crate) struct Shared {
    pub batch: Batch,
    /// Token ids of the batch's rows.
    pub ids: Vec<u32>,
    /// Of each sequence, its rows among the wanted rows of all segments.
    pub places: Vec<Range<usize>>,
}

impl Batch {
    /// Checks every sequence against the model and lays them out in order, nothing shared, every row wanted.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] and [`ModelError::TokenOutOfRange`], naming the sequence.
    pub fn new(spec: &ModelSpec, sequences: &[&[u32]]) -> Result<Self, ModelError> {
        check(spec, sequences)?;
        let mut batch = Self { segments: Vec::new(), rows: 0, longest: 0 };
        for ids in sequences {
            batch.push(ids.len(), 0..0, ids.len());
        }
        Ok(batch)
    }

    /// Lays sequences out so that shared beginnings stand once. Of sequence i the positions from `from[i]` on are
    /// wanted; they are never part of a shared beginning.
    pub(crate) fn sharing(spec: &ModelSpec, sequences: &[&[u32]], from: &[usize]) -> Result<Shared, ModelError> {
        check(spec, sequences)?;
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&sequence| (sequences[sequence], sequence));
        let mut batch = Self { segments: Vec::new(), rows: 0, longest: 0 };
        let mut ids = Vec::new();
        let mut places = vec![0..0; sequences.len()];
        let mut wanted = 0;
        for (members, shared) in groups(sequences, from, &order) {
            let prefix = if shared == 0 {
                0..0
            } else {
                ids.extend_from_slice(&sequences[members[0]][..shared]);
                batch.push(shared, 0..0, 0)
            };
            for &sequence in members {
                let length = sequences[sequence].len();
                let asked = length - from[sequence].min(length);
                ids.extend_from_slice(&sequences[sequence][shared..]);
                batch.push(length - shared, prefix.clone(), asked);
                places[sequence] = wanted..wanted + asked;
                wanted += asked;
            }
        }
        Ok(Shared { batch, ids, places })
    }

    fn push(&mut self, length: usize, prefix: Range<usize>, wanted: usize) -> Range<usize> {
        let rows = self.rows..self.rows + length;
        self.rows = rows.end;
        self.longest = self.longest.max(prefix.len() + length);
        self.segments.push(Segment { rows: rows.clone(), prefix, wanted: rows.end - wanted..rows.end });
        rows
    }

    /// Rows of all segments.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.longest
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

fn check(spec: &ModelSpec, sequences: &[&[u32]]) -> Result<(), ModelError> {
    for (sequence, ids) in sequences.iter().enumerate() {
        if ids.len() > spec.context {
            return Err(ModelError::TooLong { sequence, length: ids.len(), context: spec.context });
        }
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= spec.vocab) {
            return Err(ModelError::TokenOutOfRange { sequence, id, vocab: spec.vocab });
        }
    }
    Ok(())
}

/// Cuts sequences in dictionary order into runs with the length of the beginning that each run shares, so that the
/// rows saved, (members - 1) times shared, are most in all.
fn groups<'a>(sequences: &[&[u32]], from: &[usize], order: &'a [usize]) -> Vec<(&'a [usize], usize)> {
    let count = order.len();
    // common[i]: tokens that the sequences i and i + 1 of the order begin with alike
    let common: Vec<usize> = order
        .windows(2)
        .map(|pair| {
            let [earlier, later] = [pair[0], pair[1]].map(|sequence| sequences[sequence]);
            earlier.iter().zip(later).take_while(|(a, b)| a == b).count()
        })
        .collect();
    // best[i]: most rows saved by the first i sequences; start[i]: (first sequence of the last run, what it shares)
    let mut best = vec![0; count + 1];
    let mut start = vec![(0, 0); count + 1];
    for end in 1..=count {
        best[end] = best[end - 1];
        start[end] = (end - 1, 0);
        let last = order[end - 1];
        let mut shared = from[last].min(sequences[last].len());
        for first in (0..end - 1).rev() {
            shared = shared.min(common[first]).min(from[order[first]]);
            if shared == 0 {
                break;
            }
            let saved = best[first] + (end - first - 1) * shared;
            if saved > best[end] {
                best[end] = saved;
                start[end] = (first, shared);
            }
        }
    }
    let mut runs = Vec::new();
    let mut end = count;
    while end > 0 {
        let (first, shared) = start[end];
        runs.push((&order[first..end], shared));
        end = first;
    }
    runs.reverse();
    runs
}

#[cfg(test)]
mod tests {
    use super::groups;

    fn shared(sequences: &[&[u32]], from: &[usize]) -> Vec<(Vec<usize>, usize)> {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&sequence| (sequences[sequence], sequence));
        groups(sequences, from, &order).into_iter().map(|(members, shared)| (members.to_vec(), shared)).collect()
    }

    #[test]
    fn two_templates_share_within_themselves_rather_than_one_word_together() {
        let sequences: [&[u32]; 5] =
            [&[1, 2, 3, 4, 9], &[1, 7, 7, 7, 5], &[1, 2, 3, 4, 8], &[1, 7, 7, 7, 6], &[1, 2, 3, 4, 7]];
        assert_eq!(shared(&sequences, &[4; 5]), [(vec![4, 2, 0], 4), (vec![1, 3], 4)]);
    }

    #[test]
    fn wanted_positions_are_never_shared() {
        let same: [&[u32]; 2] = [&[1, 2, 3, 4], &[1, 2, 3, 4]];
        assert_eq!(shared(&same, &[3, 2]), [(vec![0, 1], 2)]);
        assert_eq!(shared(&same, &[0, 4]), [(vec![0], 0), (vec![1], 0)]);
        assert_eq!(shared(&[&[1, 2], &[3, 2]], &[2, 2]), [(vec![0], 0), (vec![1], 0)]);
        assert!(shared(&[], &[]).is_empty());
    }
}
