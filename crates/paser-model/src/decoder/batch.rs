//! Sequences laid end to end, one row per token and no padding.

use std::ops::Range;

use crate::{ModelError, ModelSpec};

/// Bounds of the sequences among the packed rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    lengths: Vec<usize>,
}

impl Batch {
    /// Checks every sequence against the model.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] and [`ModelError::TokenOutOfRange`], naming the sequence.
    pub fn new(spec: &ModelSpec, sequences: &[&[u32]]) -> Result<Self, ModelError> {
        for (sequence, ids) in sequences.iter().enumerate() {
            if ids.len() > spec.context {
                return Err(ModelError::TooLong { sequence, length: ids.len(), context: spec.context });
            }
            if let Some(&id) = ids.iter().find(|&&id| id as usize >= spec.vocab) {
                return Err(ModelError::TokenOutOfRange { sequence, id, vocab: spec.vocab });
            }
        }
        Ok(Self { lengths: sequences.iter().map(|ids| ids.len()).collect() })
    }

    /// Tokens of all sequences.
    pub fn rows(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Tokens of the longest sequence.
    pub fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// Rows of each sequence.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.lengths.iter().scan(0, |next, &length| {
            let first = *next;
            *next += length;
            Some(first..*next)
        })
    }
}
