//! What a person decided: pins, exclusions, quotas and emphasis, and the check that they fit the pool (section 2 of the
//! method, "Budget").

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
    /// Quotas of clusters, pins included, in the unit of the budget. Read by strategies that give the pool's clusters
    /// quotas; the others leave quotas and emphasis alone.
    pub quotas: Vec<(u32, u64)>,
    /// What the weights of clusters are multiplied by, 0 to 100.
    pub emphasis: Vec<(u32, f64)>,
}

impl Curation {
    /// Fails on rows and clusters the pool does not have, on samples that are pinned and excluded at once, on pins of
    /// held-out samples, and on an emphasis out of its range.
    pub fn check(&self, pool: &PoolColumns) -> Result<(), SelectError> {
        let rows = pool.len();
        if let Some(&row) = self.pinned.iter().chain(&self.excluded).find(|row| **row as usize >= rows) {
            return Err(SelectError::NoSuchRow { row, rows });
        }
        let clusters = pool.cluster_names.len();
        let named =
            self.quotas.iter().map(|(cluster, _)| cluster).chain(self.emphasis.iter().map(|(cluster, _)| cluster));
        if let Some(&cluster) = named.into_iter().find(|cluster| **cluster as usize >= clusters) {
            return Err(SelectError::NoClusterForQuota { cluster, clusters });
        }
        if let Some((_, factor)) = self.emphasis.iter().find(|(_, factor)| !(0.0..=100.0).contains(factor)) {
            return Err(SelectError::BadSetting {
                setting: "emphasis",
                value: factor.to_string(),
                range: "between 0 and 100",
            });
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
