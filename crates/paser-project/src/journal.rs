//! Curation: pin, exclude and release, one line each in `journal.jsonl`, on disk before they count. Undo and redo
//! are lines too, so that the file tells the whole story; the state is what a replay of it gives.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{ProjectError, durable::sync_folder};

/// A sample as the journal knows it. The hash finds it again where ids are line numbers and the file changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Marked {
    pub id: String,
    /// SHA-256 of the content, hex.
    pub hash: String,
}

/// What a person decided about a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    Pinned,
    Excluded,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "edit")]
pub enum JournalEdit {
    Pin {
        samples: Vec<Marked>,
        reason: String,
    },
    Exclude {
        samples: Vec<Marked>,
        reason: String,
    },
    Release {
        samples: Vec<Marked>,
        reason: String,
    },
    /// Takes back the entry with this number.
    Undo {
        of: u64,
    },
    /// Brings back the entry with this number.
    Redo {
        of: u64,
    },
}

impl JournalEdit {
    fn marks(&self) -> Option<(&[Marked], Option<Mark>)> {
        match self {
            Self::Pin { samples, .. } => Some((samples, Some(Mark::Pinned))),
            Self::Exclude { samples, .. } => Some((samples, Some(Mark::Excluded))),
            Self::Release { samples, .. } => Some((samples, None)),
            Self::Undo { .. } | Self::Redo { .. } => None,
        }
    }

    /// `pin of 3 samples`, for menus.
    fn words(&self) -> String {
        let (word, samples) = match self {
            Self::Pin { samples, .. } => ("pin", samples),
            Self::Exclude { samples, .. } => ("exclusion", samples),
            Self::Release { samples, .. } => ("release", samples),
            Self::Undo { .. } => return "undo".to_owned(),
            Self::Redo { .. } => return "redo".to_owned(),
        };
        match samples.as_slice() {
            [only] => format!("{word} of sample {}", only.id),
            _ => format!("{word} of {} samples", samples.len()),
        }
    }
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1.
    pub entry: u64,
    /// Seconds since 1970.
    pub time: u64,
    #[serde(flatten)]
    pub edit: JournalEdit,
}

/// The state after all entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curation {
    /// Every decision in force, oldest first; none releases. For one sample the last one stands, but which of them
    /// name one sample only the pool can tell: after an import its id or its content may be another.
    pub decisions: Vec<(Marked, Option<Mark>)>,
    /// The edit that undo would take back: its number and its words; and the one that redo would bring back.
    pub undo: Option<(u64, String)>,
    pub redo: Option<(u64, String)>,
    pub entries: u64,
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    entries: Vec<Entry>,
    /// Entries in force, oldest first, and those taken back, the last one taken back at the end.
    done: Vec<u64>,
    undone: Vec<u64>,
}

impl Journal {
    /// Reads the journal. A last line without its newline was never acknowledged (the machine stopped while it was
    /// written) and is cut off.
    ///
    /// # Errors
    /// `Damaged` with the number of a line that cannot be read.
    pub fn open(path: &Path) -> Result<Self, ProjectError> {
        let (journal, whole) = Self::read(path)?;
        if path.exists() && whole < fs_err::metadata(path)?.len() {
            let file = fs_err::OpenOptions::new().write(true).open(path)?;
            file.set_len(whole)?;
            file.sync_all()?;
        }
        Ok(journal)
    }

    /// Reads the journal of a project that another process owns: its whole lines.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_to_read(path: &Path) -> Result<Self, ProjectError> {
        Ok(Self::read(path)?.0)
    }

    /// The journal, and the length of its whole lines in bytes.
    fn read(path: &Path) -> Result<(Self, u64), ProjectError> {
        let mut journal = Self { path: path.to_owned(), entries: Vec::new(), done: Vec::new(), undone: Vec::new() };
        if !path.exists() {
            return Ok((journal, 0));
        }
        let bytes = fs_err::read(path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for (index, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let entry: Entry = serde_json::from_slice(line)
                .map_err(|error| ProjectError::damaged(path, format!("line {}: {error}", index + 1)))?;
            journal.replay(&entry);
            journal.entries.push(entry);
        }
        Ok((journal, whole as u64))
    }

    fn replay(&mut self, entry: &Entry) {
        match entry.edit {
            JournalEdit::Undo { of } => {
                self.done.retain(|number| *number != of);
                self.undone.push(of);
            }
            JournalEdit::Redo { of } => {
                self.undone.retain(|number| *number != of);
                self.done.push(of);
            }
            _ => {
                self.done.push(entry.entry);
                self.undone.clear();
            }
        }
    }

    /// Appends an edit; when this returns it is on disk.
    pub fn append(&mut self, edit: JournalEdit) -> Result<Entry, ProjectError> {
        let entry = Entry { entry: self.entries.last().map_or(1, |last| last.entry + 1), time: now(), edit };
        let line = serde_json::to_string(&entry).map_err(std::io::Error::from)?;
        let created = !self.path.exists();
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&self.path)?;
        let before = file.metadata()?.len();
        let outcome = file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_all());
        if let Err(error) = outcome {
            // Half a line must not stand before the next one.
            let _ = file.set_len(before);
            return Err(error.into());
        }
        if created {
            sync_folder(self.path.parent().unwrap_or_else(|| Path::new(".")))?;
        }
        self.replay(&entry);
        self.entries.push(entry.clone());
        Ok(entry)
    }

    /// Takes back the last edit in force.
    ///
    /// # Errors
    /// `Edit` where there is nothing to undo.
    pub fn undo(&mut self) -> Result<Entry, ProjectError> {
        let of = *self.done.last().ok_or_else(|| ProjectError::Edit("there is nothing to undo".to_owned()))?;
        self.append(JournalEdit::Undo { of })
    }

    /// Brings back the edit that was taken back last.
    ///
    /// # Errors
    /// `Edit` where there is nothing to redo.
    pub fn redo(&mut self) -> Result<Entry, ProjectError> {
        let of = *self.undone.last().ok_or_else(|| ProjectError::Edit("there is nothing to redo".to_owned()))?;
        self.append(JournalEdit::Redo { of })
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn find(&self, number: u64) -> Option<&Entry> {
        self.entries.binary_search_by_key(&number, |entry| entry.entry).ok().map(|at| &self.entries[at])
    }

    pub fn curation(&self) -> Curation {
        let mut decisions = Vec::new();
        for entry in self.done.iter().filter_map(|number| self.find(*number)) {
            let Some((samples, mark)) = entry.edit.marks() else { continue };
            decisions.extend(samples.iter().map(|sample| (sample.clone(), mark)));
        }
        let last = |numbers: &[u64]| {
            numbers.last().and_then(|number| self.find(*number)).map(|entry| (entry.entry, entry.edit.words()))
        };
        Curation { decisions, undo: last(&self.done), redo: last(&self.undone), entries: self.entries.len() as u64 }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(id: &str) -> Marked {
        Marked { id: id.to_owned(), hash: format!("hash of {id}") }
    }

    fn pin(id: &str) -> JournalEdit {
        JournalEdit::Pin { samples: vec![sample(id)], reason: String::new() }
    }

    fn exclude(id: &str) -> JournalEdit {
        JournalEdit::Exclude { samples: vec![sample(id)], reason: "off topic".to_owned() }
    }

    /// The last decision about a sample.
    fn stands(journal: &Journal, id: &str) -> Option<Mark> {
        let decisions = journal.curation().decisions;
        decisions.iter().rev().find(|(marked, _)| marked.id == id).and_then(|(_, mark)| *mark)
    }

    #[test]
    fn a_reader_leaves_the_line_that_is_being_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.jsonl");
        assert!(Journal::open_to_read(&path).unwrap().entries().is_empty() && !path.exists());
        Journal::open(&path).unwrap().append(pin("a")).unwrap();
        let mut bytes = fs_err::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"entry\": 2");
        fs_err::write(&path, &bytes).unwrap();
        assert_eq!(Journal::open_to_read(&path).unwrap().entries().len(), 1);
        assert_eq!(fs_err::read(&path).unwrap(), bytes);
        assert_eq!(Journal::open(&path).unwrap().entries().len(), 1);
        assert!(fs_err::read(&path).unwrap().len() < bytes.len(), "the owner cuts it off");
    }

    #[test]
    fn replay_gives_the_state_that_was_left() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal.append(pin("a")).unwrap();
        journal.append(exclude("b")).unwrap();
        journal.append(exclude("a")).unwrap();
        assert_eq!(stands(&journal, "a"), Some(Mark::Excluded));
        journal.undo().unwrap();
        assert_eq!(stands(&journal, "a"), Some(Mark::Pinned));
        assert_eq!(journal.curation().redo, Some((3, "exclusion of sample a".to_owned())));
        let left = journal.curation();
        assert_eq!(Journal::open(&path).unwrap().curation(), left);
        assert_eq!(left.entries, 4);
        journal.redo().unwrap();
        assert_eq!(stands(&journal, "a"), Some(Mark::Excluded));
        assert!(journal.redo().is_err());
        for _ in 0..3 {
            journal.undo().unwrap();
        }
        assert!(journal.curation().decisions.is_empty());
        assert!(journal.undo().is_err());
        journal.append(pin("c")).unwrap();
        assert!(journal.redo().is_err(), "a new edit ends what could be redone");
    }

    #[test]
    fn decisions_come_in_their_order() {
        let place = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&place.path().join("j")).unwrap();
        journal.append(pin("a")).unwrap();
        journal.append(JournalEdit::Release { samples: vec![sample("a")], reason: String::new() }).unwrap();
        assert_eq!(journal.curation().decisions, [(sample("a"), Some(Mark::Pinned)), (sample("a"), None)]);
    }

    #[test]
    fn a_line_cut_by_a_crash_is_dropped_and_the_rest_kept() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        journal.append(pin("a")).unwrap();
        let whole = fs_err::read(&path).unwrap();
        journal.append(pin("b")).unwrap();
        let both = fs_err::read(&path).unwrap();
        fs_err::write(&path, &both[..both.len() - 5]).unwrap();
        let mut again = Journal::open(&path).unwrap();
        assert_eq!(again.entries().len(), 1);
        assert_eq!(fs_err::read(&path).unwrap(), whole);
        assert_eq!(again.append(pin("c")).unwrap().entry, 2);
    }

    #[test]
    fn a_broken_line_is_named() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal.append(pin("a")).unwrap();
        let mut text = fs_err::read_to_string(&path).unwrap();
        text.push_str("not json\n");
        fs_err::write(&path, text).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("journal.jsonl") && error.contains("line 2"), "{error}");
    }
}
