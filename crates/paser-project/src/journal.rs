//! Curation: every edit of a person is one line in `journal.jsonl`, on disk before it counts. Undo, redo and revert are
//! lines too, so that the file tells the whole story; the state is what a replay of it gives.

mod edit;

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use paser_protocol::{EditSource, EntryState};
use serde::{Deserialize, Serialize};

pub use edit::{JournalEdit, Marked, NamedCluster};

use crate::{ProjectError, durable::sync_folder};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1.
    pub entry: u64,
    /// Seconds since 1970.
    pub time: u64,
    #[serde(flatten)]
    pub edit: JournalEdit,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Where the samples were found; told, never followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<EditSource>,
}

/// The open journal.
///
/// An edit is in force or taken back. A new one is in force, and ends what could be redone. Undo takes back the newest
/// in force, revert takes back any that is in force; redo brings back the one that was taken back last, by either. Edits
/// in force count in the order of their numbers, so that one that comes back stands where it stood.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    entries: Vec<Entry>,
    in_force: BTreeSet<u64>,
    /// What redo can bring back, the one taken back last at the end.
    undone: Vec<u64>,
    /// Lines that took back an edit which was not the newest in force.
    reverts: BTreeSet<u64>,
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
        let mut journal = Self {
            path: path.to_owned(),
            entries: Vec::new(),
            in_force: BTreeSet::new(),
            undone: Vec::new(),
            reverts: BTreeSet::new(),
        };
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
                if self.in_force.last().is_some_and(|newest| *newest != of) {
                    self.reverts.insert(entry.entry);
                }
                if self.in_force.remove(&of) {
                    self.undone.push(of);
                }
            }
            JournalEdit::Redo { of } => {
                if let Some(at) = self.undone.iter().rposition(|undone| *undone == of) {
                    self.undone.remove(at);
                    self.in_force.insert(of);
                }
            }
            _ => {
                self.in_force.insert(entry.entry);
                self.undone.clear();
            }
        }
    }

    /// The number that the next line will have.
    pub fn next_number(&self) -> u64 {
        self.entries.last().map_or(1, |last| last.entry + 1)
    }

    /// Appends an edit; when this returns it is on disk.
    ///
    /// # Errors
    /// A file that cannot be written; it is left as it was.
    pub fn append(
        &mut self,
        edit: JournalEdit,
        reason: &str,
        source: Option<EditSource>,
    ) -> Result<&Entry, ProjectError> {
        let entry = Entry { entry: self.next_number(), time: now(), edit, reason: reason.to_owned(), source };
        let line = serde_json::to_string(&entry).map_err(io::Error::from)?;
        write_line(&self.path, &line, sync_folder)?;
        self.replay(&entry);
        self.entries.push(entry);
        Ok(&self.entries[self.entries.len() - 1])
    }

    /// Takes back the newest edit in force.
    ///
    /// # Errors
    /// `Edit` where there is nothing to undo.
    pub fn undo(&mut self) -> Result<&Entry, ProjectError> {
        let of = *self.in_force.last().ok_or_else(|| ProjectError::Edit("there is nothing to undo".to_owned()))?;
        self.append(JournalEdit::Undo { of }, "", None)
    }

    /// Takes back one edit, wherever it stands.
    ///
    /// # Errors
    /// `Edit` where no edit in force has that number.
    pub fn revert(&mut self, number: u64) -> Result<&Entry, ProjectError> {
        if !self.in_force.contains(&number) {
            let why = match self.find(number).map(|entry| entry.edit.of()) {
                None => format!("the journal has no entry {number}"),
                Some(None) => format!("entry {number} is taken back already"),
                Some(Some(of)) => format!("entry {number} is itself an undo or a redo, of entry {of}"),
            };
            return Err(ProjectError::Edit(why));
        }
        self.append(JournalEdit::Undo { of: number }, "", None)
    }

    /// Brings back the edit that was taken back last.
    ///
    /// # Errors
    /// `Edit` where there is nothing to redo.
    pub fn redo(&mut self) -> Result<&Entry, ProjectError> {
        let of = *self.undone.last().ok_or_else(|| ProjectError::Edit("there is nothing to redo".to_owned()))?;
        self.append(JournalEdit::Redo { of }, "", None)
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn find(&self, number: u64) -> Option<&Entry> {
        self.entries.binary_search_by_key(&number, |entry| entry.entry).ok().map(|at| &self.entries[at])
    }

    /// `pin of 3 samples`, `Took back entry 1: pin of 3 samples`
    pub fn words_of(&self, entry: &Entry) -> String {
        let whole = |did: &str, of: u64| match self.find(of) {
            Some(other) => format!("{did} back entry {of}: {}", other.edit.words()),
            None => format!("{did} back entry {of}"),
        };
        match entry.edit {
            JournalEdit::Undo { of } => whole("Took", of),
            JournalEdit::Redo { of } => whole("Brought", of),
            _ => entry.edit.words(),
        }
    }

    /// Edits in force, in the order in which they count.
    pub fn in_force(&self) -> impl Iterator<Item = &Entry> {
        self.in_force.iter().filter_map(|number| self.find(*number))
    }

    /// What undo would take back.
    pub fn next_undo(&self) -> Option<&Entry> {
        self.find(*self.in_force.last()?)
    }

    /// What redo would bring back.
    pub fn next_redo(&self) -> Option<&Entry> {
        self.find(*self.undone.last()?)
    }

    /// Where one of the entries stands.
    pub fn state_of(&self, entry: &Entry) -> EntryState {
        match entry.edit {
            JournalEdit::Undo { .. } if self.reverts.contains(&entry.entry) => EntryState::Revert,
            JournalEdit::Undo { .. } => EntryState::Undo,
            JournalEdit::Redo { .. } => EntryState::Redo,
            _ if self.in_force.contains(&entry.entry) => EntryState::InForce,
            _ => EntryState::TakenBack,
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Appends a line for good, or leaves the file as it was. `sync_folder` is asked where the line is the file's first.
fn write_line(path: &Path, line: &str, sync_folder: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let created = !path.exists();
    let mut file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let outcome = file
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| if created { sync_folder(folder) } else { Ok(()) });
    if outcome.is_err() {
        // Neither half a line nor one that nobody was told of may stand before the next one.
        let _ = file.set_len(before);
        if created {
            let _ = fs_err::remove_file(path);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn sample(id: &str) -> Marked {
        Marked { id: id.to_owned(), hash: format!("hash of {id}") }
    }

    fn pin(id: &str) -> JournalEdit {
        JournalEdit::Pin { samples: vec![sample(id)] }
    }

    fn exclude(id: &str) -> JournalEdit {
        JournalEdit::Exclude { samples: vec![sample(id)] }
    }

    fn add(journal: &mut Journal, edit: JournalEdit) -> u64 {
        journal.append(edit, "", None).unwrap().entry
    }

    fn in_force(journal: &Journal) -> Vec<u64> {
        journal.in_force().map(|entry| entry.entry).collect()
    }

    fn redoable(journal: &Journal) -> Option<u64> {
        journal.next_redo().map(|entry| entry.entry)
    }

    #[test]
    fn a_line_whose_folder_cannot_be_synced_is_not_there() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.jsonl");
        let synced = std::cell::Cell::new(0);
        let sync = |works: bool| {
            let synced = &synced;
            move |folder: &Path| {
                synced.set(synced.get() + 1);
                if works { sync_folder(folder) } else { Err(io::Error::other("no")) }
            }
        };
        assert!(write_line(&path, "first", sync(false)).is_err());
        assert!(Journal::open(&path).unwrap().entries().is_empty() && !path.exists());
        write_line(&path, "second", sync(true)).unwrap();
        assert_eq!(synced.get(), 2, "the file is new again");
        write_line(&path, "third", sync(false)).unwrap();
        assert_eq!((fs_err::read_to_string(&path).unwrap().as_str(), synced.get()), ("second\nthird\n", 2));
    }

    #[test]
    fn a_reader_leaves_the_line_that_is_being_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.jsonl");
        assert!(Journal::open_to_read(&path).unwrap().entries().is_empty() && !path.exists());
        add(&mut Journal::open(&path).unwrap(), pin("a"));
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
        for edit in [pin("a"), exclude("b"), exclude("a")] {
            add(&mut journal, edit);
        }
        assert_eq!(in_force(&journal), [1, 2, 3]);
        journal.undo().unwrap();
        assert_eq!(in_force(&journal), [1, 2]);
        assert_eq!(journal.next_redo().map(|entry| entry.edit.words()), Some("exclusion of sample a".to_owned()));
        let again = Journal::open(&path).unwrap();
        assert_eq!((in_force(&again), redoable(&again), again.entries().len()), (vec![1, 2], Some(3), 4));
        journal.redo().unwrap();
        assert_eq!(in_force(&journal), [1, 2, 3]);
        assert!(journal.redo().is_err());
        for _ in 0..3 {
            journal.undo().unwrap();
        }
        assert!(in_force(&journal).is_empty());
        assert!(journal.undo().is_err());
        add(&mut journal, pin("c"));
        assert!(journal.redo().is_err(), "a new edit ends what could be redone");
    }

    #[test]
    fn one_edit_goes_and_comes_back_to_its_place() {
        let place = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&place.path().join("j")).unwrap();
        for edit in [pin("a"), exclude("b"), exclude("a")] {
            add(&mut journal, edit);
        }
        journal.revert(1).unwrap();
        assert_eq!(in_force(&journal), [2, 3]);
        journal.undo().unwrap();
        journal.redo().unwrap();
        journal.redo().unwrap();
        assert_eq!(in_force(&journal), [1, 2, 3], "the pin of a stands before its exclusion again");
        let states: Vec<EntryState> = journal.entries().iter().map(|entry| journal.state_of(entry)).collect();
        let forces = [EntryState::InForce; 3];
        assert_eq!(states[..3], forces);
        assert_eq!(states[3..], [EntryState::Revert, EntryState::Undo, EntryState::Redo, EntryState::Redo]);
        let told: Vec<String> = journal.entries()[2..5].iter().map(|entry| journal.words_of(entry)).collect();
        let words =
            ["exclusion of sample a", "Took back entry 1: pin of sample a", "Took back entry 3: exclusion of sample a"];
        assert_eq!(told, words);
        assert_eq!(journal.words_of(&journal.entries()[5]), "Brought back entry 3: exclusion of sample a");
        for (number, why) in [(9, "no entry 9"), (4, "of entry 1")] {
            assert!(journal.revert(number).unwrap_err().to_string().contains(why));
        }
        journal.revert(2).unwrap();
        assert!(journal.revert(2).unwrap_err().to_string().contains("taken back already"));
    }

    #[test]
    fn a_line_cut_by_a_crash_is_dropped_and_the_rest_kept() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("j");
        let mut journal = Journal::open(&path).unwrap();
        add(&mut journal, pin("a"));
        let whole = fs_err::read(&path).unwrap();
        add(&mut journal, pin("b"));
        let both = fs_err::read(&path).unwrap();
        fs_err::write(&path, &both[..both.len() - 5]).unwrap();
        let mut again = Journal::open(&path).unwrap();
        assert_eq!(again.entries().len(), 1);
        assert_eq!(fs_err::read(&path).unwrap(), whole);
        assert_eq!(add(&mut again, pin("c")), 2);
    }

    #[test]
    fn a_broken_line_is_named() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        add(&mut journal, pin("a"));
        let mut text = fs_err::read_to_string(&path).unwrap();
        text.push_str("not json\n");
        fs_err::write(&path, text).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("journal.jsonl") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn lines_of_earlier_versions_are_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.jsonl");
        let lines = [
            r#"{"entry":1,"time":5,"edit":"pin","samples":[{"id":"7","hash":"ab"}],"reason":"good"}"#,
            r#"{"entry":2,"time":6,"edit":"exclude","samples":[{"id":"8","hash":"cd"}],"reason":""}"#,
            r#"{"entry":3,"time":7,"edit":"undo","of":2}"#,
        ];
        fs_err::write(&path, lines.join("\n") + "\n").unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(in_force(&journal), [1]);
        assert_eq!((journal.entries()[0].reason.as_str(), &journal.entries()[0].source), ("good", &None));
        let source =
            EditSource::Region { polygon: vec![[0.1, 0.25], [1.0, -3.5], [0.0, 2.0]], map: "map-1".to_owned() };
        journal.append(pin("9"), "all of it", Some(source.clone())).unwrap();
        let again = Journal::open(&path).unwrap();
        assert_eq!(again.entries()[3].source, Some(source));
        assert_eq!(again.entries(), journal.entries());
    }

    #[derive(Clone, Debug)]
    enum Act {
        Edit,
        Undo,
        Redo,
        Revert(prop::sample::Index),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            4 => Just(Act::Edit),
            2 => Just(Act::Undo),
            2 => Just(Act::Redo),
            2 => any::<prop::sample::Index>().prop_map(Act::Revert),
        ];
        prop::collection::vec(act, 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Against a plain model: a list of numbers in force, sorted, and a stack of those taken back.
        #[test]
        fn memory_disk_and_a_plain_model_agree(acts in acts()) {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("j");
            let mut journal = Journal::open(&path).unwrap();
            let (mut alive, mut gone): (Vec<u64>, Vec<u64>) = Default::default();
            for act in acts {
                match act {
                    Act::Edit => {
                        alive.push(add(&mut journal, pin("a")));
                        gone.clear();
                    }
                    Act::Undo => {
                        prop_assert_eq!(journal.undo().is_ok(), !alive.is_empty());
                        gone.extend(alive.pop());
                    }
                    Act::Redo => {
                        prop_assert_eq!(journal.redo().is_ok(), !gone.is_empty());
                        alive.extend(gone.pop());
                        alive.sort_unstable();
                    }
                    Act::Revert(_) if alive.is_empty() => prop_assert!(journal.revert(1).is_err()),
                    Act::Revert(which) => {
                        let number = alive.remove(which.index(alive.len()));
                        journal.revert(number).unwrap();
                        gone.push(number);
                    }
                }
                prop_assert_eq!(&in_force(&journal), &alive);
                prop_assert_eq!(redoable(&journal), gone.last().copied());
            }
            let again = Journal::open(&path).unwrap();
            prop_assert_eq!(again.entries(), journal.entries());
            prop_assert_eq!((in_force(&again), &again.undone), (alive.clone(), &gone));
            for (one, other) in again.entries().iter().zip(journal.entries()) {
                prop_assert_eq!(again.state_of(one), journal.state_of(other));
            }
            for number in alive {
                journal.revert(number).unwrap();
            }
            prop_assert!(in_force(&journal).is_empty());
        }
    }
}
