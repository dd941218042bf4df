//! A person's edits: one journal line each, on disk before they count.

use paser_project::{Entry, JournalEdit, Marked};
use paser_protocol::Edit;

use crate::{
    session::{Session, lock},
    trouble::{Outcome, Told, usage},
};

impl Session {
    /// Pins, excludes or releases rows.
    ///
    /// # Errors
    /// Rows beyond the pool; pins of samples that are held out for evaluation; a journal that cannot be written.
    pub fn curate(&self, edit: &Edit) -> Outcome<Entry> {
        let samples = self.samples()?;
        let marked = |rows: &[u32]| -> Outcome<Vec<Marked>> {
            if rows.is_empty() {
                return Err(usage("No sample is named.", "Give at least one."));
            }
            rows.iter()
                .map(|&row| {
                    let at = row as usize;
                    let id = samples.ids.get(at).ok_or_else(|| usage(format!("The pool has no row {row}."), ""))?;
                    Ok(Marked { id: id.clone(), hash: samples.hash_hex(at) })
                })
                .collect()
        };
        let edit = match edit {
            Edit::Pin { rows, reason } => {
                let marked = marked(rows)?;
                if let Some(row) = rows.iter().find(|row| samples.held_out[**row as usize]) {
                    return Err(usage(
                        format!("Sample {} is held out for evaluation.", samples.ids[*row as usize]),
                        "It cannot be pinned; change `pool.holdout` if it should be trained on.",
                    ));
                }
                JournalEdit::Pin { samples: marked, reason: reason.clone() }
            }
            Edit::Exclude { rows, reason } => JournalEdit::Exclude { samples: marked(rows)?, reason: reason.clone() },
            Edit::Release { rows, reason } => JournalEdit::Release { samples: marked(rows)?, reason: reason.clone() },
        };
        let entry = lock(&self.journal).append(edit).map_err(Told::told)?;
        self.touch();
        Ok(entry)
    }

    /// Takes back the last edit.
    pub fn undo(&self) -> Outcome<Entry> {
        let entry = lock(&self.journal).undo().map_err(Told::told)?;
        self.touch();
        Ok(entry)
    }

    /// Brings back the edit taken back last.
    pub fn redo(&self) -> Outcome<Entry> {
        let entry = lock(&self.journal).redo().map_err(Told::told)?;
        self.touch();
        Ok(entry)
    }

    /// Ids of these rows.
    ///
    /// # Errors
    /// Before the import; the first row that the pool does not have.
    pub fn ids_of(&self, rows: &[u32]) -> Outcome<Vec<String>> {
        let samples = self.samples()?;
        rows.iter()
            .map(|row| {
                let id = samples.ids.get(*row as usize);
                id.cloned().ok_or_else(|| usage(format!("The pool has no row {row}."), ""))
            })
            .collect()
    }

    /// Rows of these ids.
    ///
    /// # Errors
    /// The first id that the pool does not have.
    pub fn rows_of_ids(&self, ids: &[String]) -> Outcome<Vec<u32>> {
        let samples = self.samples()?;
        ids.iter()
            .map(|id| {
                samples.row_of_id(id).ok_or_else(|| {
                    usage(format!("The pool has no sample with the id {id}."), "Ids are the file's own, or line:N.")
                })
            })
            .collect()
    }
}
