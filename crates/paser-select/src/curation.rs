//! What a person decided: pins and exclusions, and the check that they fit the pool (section 2 of the method, "Budget").

use crate::columns::PoolColumns;
use crate::error::SelectError;

/// A person's marks on the rows of one pool. No row is in both lists: of a pin and an exclusion the later edit wins,
/// which whoever keeps the edits sees to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curation {
    /// Rows that are always taken, whatever the strategy.
    pub pinned: Vec<u32>,
    /// Rows that are never taken.
    pub excluded: Vec<u32>,
}

impl Curation {
    /// Fails on rows the pool does not have, on samples that are pinned and excluded at once, and on pins of held-out
    /// samples.
    pub fn check(&self, pool: &PoolColumns) -> Result<(), SelectError> {
        let rows = pool.len();
        if let Some(&row) = self.pinned.iter().chain(&self.excluded).find(|row| **row as usize >= rows) {
            return Err(SelectError::NoSuchRow { row, rows });
        }
        let mut excluded = vec![false; rows];
        for &row in &self.excluded {
            excluded[row as usize] = true;
        }
        for &row in &self.pinned {
            let id = || pool.ids[row as usize].clone();
            if excluded[row as usize] {
                return Err(SelectError::PinnedAndExcluded { id: id() });
            }
            if pool.held_out[row as usize] {
                return Err(SelectError::PinnedHeldOut { id: id() });
            }
        }
        Ok(())
    }
}
