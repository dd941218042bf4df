//! A project that is only looked at, also while another process owns it: what `paser status`, `compare` and `export`
//! need. Beside an owner nothing of the project is written.

use std::{path::Path, sync::atomic::AtomicBool};

use paser_project::{Entry, Folder, FrozenSelection, Lock, Owner, ProjectError};
use paser_protocol::{
    ChecksView, ComparisonView, Edit, ExportFormat, ExportedView, JournalEntryView, Part, ProjectView, RecoveryView,
    RowQuery, TableFormat, VerdictView,
};

use crate::{
    checks::{Excluded, Excluding},
    session::{Session, lock},
    table::TableOrder,
    trouble::{Outcome, Told},
};

/// What a person calls by a name, found in an open project. Nothing is changed.
#[derive(Clone, Copy)]
pub struct Lookup<'a>(&'a Session);

impl Lookup<'_> {
    /// # Errors
    /// As [`Session::rows_where`].
    pub fn rows_where(self, filter: &str) -> Outcome<Vec<u32>> {
        self.0.rows_where(filter)
    }

    /// # Errors
    /// As [`Session::inside_words`].
    pub fn inside_words(self, query: &RowQuery) -> Outcome<u64> {
        self.0.inside_words(query)
    }

    /// # Errors
    /// As [`Session::rows_of_ids`].
    pub fn rows_of_ids(self, ids: &[String]) -> Outcome<Vec<u32>> {
        self.0.rows_of_ids(ids)
    }

    /// # Errors
    /// As [`Session::cluster_named`].
    pub fn cluster_named(self, typed: &str) -> Outcome<u32> {
        self.0.cluster_named(typed)
    }

    /// # Errors
    /// As [`Session::ids_of`].
    pub fn ids_of(self, rows: &[u32]) -> Outcome<Vec<String>> {
        self.0.ids_of(rows)
    }

    /// # Errors
    /// As [`Session::frozen_named`].
    pub fn frozen_named(self, name: &str) -> Outcome<FrozenSelection> {
        self.0.frozen_named(name)
    }

    /// Counts and edits of an exclusion of findings.
    ///
    /// # Errors
    /// No pool.
    pub fn exclusions(self, found: &ChecksView, what: Excluding) -> Outcome<(Excluded, Vec<Edit>)> {
        self.0.exclusions(found, what)
    }

    pub fn is_pruned_model(self, typed: &str) -> bool {
        self.0.is_pruned_model(typed)
    }

    /// As [`Session::other_pruned_model`].
    pub fn other_pruned_model(self, typed: &str) -> Option<String> {
        self.0.other_pruned_model(typed)
    }

    /// A line of the journal by its number.
    pub fn entry(self, number: u64) -> Option<Entry> {
        lock(&self.0.journal).entries().iter().find(|entry| entry.entry == number).cloned()
    }

    /// What a line of the journal did, in words.
    pub fn words_of(self, entry: &Entry) -> String {
        lock(&self.0.journal).words_of(entry)
    }
}

impl Session {
    /// Rows, clusters and selections by what a person calls them.
    pub fn lookup(&self) -> Lookup<'_> {
        Lookup(self)
    }
}

/// The living process that has the project in `root` open.
pub fn owner_of(root: &Path) -> Option<Owner> {
    Lock::holder(&Folder::planned(root).lock())
}

/// A project as it stands on disk.
pub struct Reader {
    session: Session,
    owner: Option<Box<Owner>>,
}

impl Reader {
    /// Opens a project whoever owns it. Where nobody does it is owned while the reader lives, so that what a crash has
    /// left is mended first.
    ///
    /// # Errors
    /// As [`Session::open`]; of a living owner only while it is still making the project.
    pub fn open(root: &Path) -> Outcome<Self> {
        let folder = Folder::open(root).map_err(Told::told)?;
        match Lock::acquire(&folder.lock()) {
            Ok(lock) => Ok(Self { session: Session::open_owned(folder, lock)?, owner: None }),
            Err(ProjectError::Locked { path, owner }) => match Session::open_beside(folder)? {
                Some(session) => Ok(Self { session, owner: Some(owner) }),
                None => Err(ProjectError::Locked { path, owner }.told()),
            },
            Err(error) => Err(error.told()),
        }
    }

    /// The process that has the project open, in words.
    pub fn owner(&self) -> Option<String> {
        self.owner.as_ref().map(ToString::to_string)
    }

    pub fn view(&self) -> ProjectView {
        self.session.view()
    }

    /// Every line of the journal, oldest first.
    pub fn journal(&self) -> Vec<JournalEntryView> {
        self.session.journal()
    }

    /// Rows, clusters and selections by what a person calls them.
    pub fn lookup(&self) -> Lookup<'_> {
        Lookup(&self.session)
    }

    /// # Errors
    /// As [`Session::recovery_view`].
    pub fn recovery(&self) -> Outcome<RecoveryView> {
        self.session.recovery_view()
    }

    /// # Errors
    /// As [`Session::verdict`].
    pub fn verdict(&self, first: &str, second: &str, metric: &str) -> Outcome<VerdictView> {
        self.session.verdict(first, second, metric)
    }

    /// # Errors
    /// As [`Session::recovery_report`].
    pub fn recovery_report(&self, first: &str, second: &str, format: TableFormat, path: &str) -> Outcome<ExportedView> {
        self.session.recovery_report(first, second, format, path)
    }

    /// # Errors
    /// As [`Session::compare`].
    pub fn compare(&self, names: &[String], stop: &AtomicBool) -> Outcome<ComparisonView> {
        self.session.compare(names, stop)
    }

    /// # Errors
    /// As [`Session::write_differences`].
    pub fn write_differences(&self, names: &[String], path: &Path) -> Outcome<ExportedView> {
        self.session.write_differences(names, path)
    }

    /// # Errors
    /// As [`Session::write_table`].
    pub fn write_table(&self, order: &TableOrder, path: &Path) -> Outcome<ExportedView> {
        self.session.write_table(order, path)
    }

    /// # Errors
    /// As [`Session::table_as_csv`].
    pub fn table_as_csv(&self, order: &TableOrder) -> Outcome<(String, u64)> {
        self.session.table_as_csv(order)
    }

    /// Writes a frozen selection, or a part of it, to `path`.
    ///
    /// # Errors
    /// As [`Session::export`].
    pub fn export(
        &self,
        selection: &str,
        part: &Part,
        format: ExportFormat,
        path: &str,
        stop: &AtomicBool,
    ) -> Outcome<ExportedView> {
        self.session.export(Some(selection), part, format, path, stop)
    }
}
