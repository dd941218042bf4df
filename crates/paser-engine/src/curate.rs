//! A person's edits: one journal line each, on disk before they count; and the journal as a face shows it.

use std::collections::BTreeSet;

use paser_project::{Entry, Journal, JournalEdit, Marked, ProjectError};
use paser_protocol::{Edit, EditKind, EditSource, EntryState, JournalEntryView, tag_name};

use crate::{
    loaded::Samples,
    session::{Session, lock},
    trouble::{Outcome, Told, usage},
};

impl Session {
    /// Makes an edit.
    ///
    /// # Errors
    /// Rows beyond the pool, or none; pins of samples that are held out for evaluation; a tag that is none; a journal
    /// that cannot be written.
    pub fn curate(&self, edit: &Edit) -> Outcome<Entry> {
        let samples = self.samples()?;
        let entry = self.journal_edit(&edit.what, &samples)?;
        self.journal_line(|journal| journal.append(entry, edit.reason.trim(), edit.source.clone()))
    }

    /// An edit in the words of the journal.
    fn journal_edit(&self, what: &EditKind, samples: &Samples) -> Outcome<JournalEdit> {
        let tagged = |tag: &str| tag_name(tag).map_err(|why| usage(why, "Name another one."));
        Ok(match what {
            EditKind::Pin { rows } => {
                if let Some(row) = rows.iter().find(|row| samples.held_out.get(**row as usize) == Some(&true)) {
                    return Err(usage(
                        format!("Sample {} is held out for evaluation.", samples.ids[*row as usize]),
                        "It cannot be pinned; change `pool.holdout` if it should be trained on.",
                    ));
                }
                JournalEdit::Pin { samples: marked(samples, rows)? }
            }
            EditKind::Exclude { rows } => JournalEdit::Exclude { samples: marked(samples, rows)? },
            EditKind::Release { rows } => JournalEdit::Release { samples: marked(samples, rows)? },
            EditKind::Tag { rows, tag } => JournalEdit::Tag { samples: marked(samples, rows)?, tag: tagged(tag)? },
            EditKind::Untag { rows, tag } => JournalEdit::Untag { samples: marked(samples, rows)?, tag: tagged(tag)? },
            EditKind::Hide { rows } => JournalEdit::Hide { samples: marked(samples, rows)? },
            EditKind::Show { rows } => JournalEdit::Show { samples: marked(samples, rows)? },
        })
    }

    /// Takes back the newest edit in force.
    ///
    /// # Errors
    /// There is none; a journal that cannot be written.
    pub fn undo(&self) -> Outcome<Entry> {
        self.journal_line(Journal::undo)
    }

    /// Brings back the edit taken back last.
    ///
    /// # Errors
    /// There is none; a journal that cannot be written.
    pub fn redo(&self) -> Outcome<Entry> {
        self.journal_line(Journal::redo)
    }

    /// Takes back one edit, wherever it stands: see [`Journal`].
    ///
    /// # Errors
    /// No edit in force has that number; a journal that cannot be written.
    pub fn revert(&self, entry: u64) -> Outcome<Entry> {
        self.journal_line(|journal| journal.revert(entry))
    }

    fn journal_line(&self, write: impl FnOnce(&mut Journal) -> Result<&Entry, ProjectError>) -> Outcome<Entry> {
        let entry = write(&mut lock(&self.journal)).map_err(Told::told)?.clone();
        self.touch();
        Ok(entry)
    }

    /// Every line of the journal, oldest first.
    pub fn journal(&self) -> Vec<JournalEntryView> {
        let loaded = self.loaded();
        let journal = lock(&self.journal);
        let samples = loaded.samples.as_deref();
        journal.entries().iter().map(|entry| entry_view(entry, journal.state_of(entry), samples)).collect()
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

/// Rows as the journal names them, each once.
fn marked(samples: &Samples, rows: &[u32]) -> Outcome<Vec<Marked>> {
    if rows.is_empty() {
        return Err(usage("No sample is named.", "Give at least one."));
    }
    let mut seen = BTreeSet::new();
    rows.iter()
        .filter(|row| seen.insert(**row))
        .map(|&row| {
            let at = row as usize;
            let id = samples.ids.get(at).ok_or_else(|| usage(format!("The pool has no row {row}."), ""))?;
            Ok(Marked { id: id.clone(), hash: samples.hash_hex(at) })
        })
        .collect()
}

fn entry_view(entry: &Entry, state: EntryState, samples: Option<&Samples>) -> JournalEntryView {
    let named = entry.edit.samples();
    let row = |sample: &Marked| samples.and_then(|samples| samples.row_of(&sample.id, &sample.hash));
    let rows: Vec<u32> = named.iter().filter_map(row).collect();
    let lost = (named.len() - rows.len()) as u64;
    // Before an import nothing is known of any sample.
    let gone = samples.is_some() && !named.is_empty() && rows.is_empty();
    let trouble = (gone && state == EntryState::InForce).then(|| "none of its samples is in the pool now".to_owned());
    JournalEntryView {
        entry: entry.entry,
        time: entry.time,
        what: entry.edit.words(),
        reason: entry.reason.clone(),
        from: entry.source.as_ref().map(EditSource::words).unwrap_or_default(),
        source: entry.source.clone(),
        state,
        of: entry.edit.of(),
        samples: named.len() as u64,
        lost,
        trouble,
        rows,
    }
}
