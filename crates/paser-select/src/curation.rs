//! What a person decided: pins, exclusions and emphasis. Of a pin and an exclusion of the same sample the later edit
//! wins, which the two methods here see to (section 2 of the method, "Budget").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::columns::PoolColumns;
use crate::error::SelectError;

/// A person's marks on the rows and clusters of one pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Curation {
    /// Rows that are always taken, whatever the strategy.
    pub pinned: Vec<u32>,
    /// Rows that are never taken.
    pub excluded: Vec<u32>,
    /// Factor on the weight of a cluster: 2.0 lets it count double.
    pub emphasis: BTreeMap<u32, f64>,
}

impl Curation {
    /// Pins a row; an earlier exclusion of it is taken back.
    pub fn pin(&mut self, row: u32) {
        self.clear(row);
        self.pinned.push(row);
    }

    /// Excludes a row; an earlier pin of it is taken back.
    pub fn exclude(&mut self, row: u32) {
        self.clear(row);
        self.excluded.push(row);
    }

    /// Takes back whatever was said about a row.
    pub fn clear(&mut self, row: u32) {
        self.pinned.retain(|&pinned| pinned != row);
        self.excluded.retain(|&excluded| excluded != row);
    }

    /// Fails on rows and clusters the pool does not have, on factors that are no factors, on samples that are pinned
    /// and excluded at once, and on pins of held-out samples.
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
        let clusters = pool.cluster_names.len();
        for (&cluster, &factor) in &self.emphasis {
            if cluster as usize >= clusters || !factor.is_finite() || factor < 0.0 {
                return Err(SelectError::BadEmphasis { cluster, factor, last: clusters.saturating_sub(1) });
            }
        }
        Ok(())
    }
}
