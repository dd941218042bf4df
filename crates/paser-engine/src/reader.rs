//! A project that is only looked at, also while another process owns it: what `paser status`, `compare` and `export`
//! need. Beside an owner nothing of the project is written.

use std::{path::Path, sync::atomic::AtomicBool};

use paser_project::{Folder, Lock, Owner, ProjectError};
use paser_protocol::{ComparisonView, ExportFormat, ExportedView, JournalEntryView, Part, ProjectView};

use crate::{
    session::Session,
    table::TableOrder,
    trouble::{Outcome, Told},
};

/// A project as it stands on disk.
pub struct Reader {
    session: Session,
    owner: Option<Owner>,
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
