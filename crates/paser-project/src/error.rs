//! What can go wrong with a project folder, and how it is told: every error becomes a `Report` with the right
//! failure class. Machine trouble (disk, permission, memory) is told apart from trouble with the content.

use std::{io, path::PathBuf};

use paser_protocol::{Failure, Report};

use crate::lock::Owner;

#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The message of a `fs_err` error names the path.
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{path}: {source}")]
    Catalogue { path: PathBuf, source: rusqlite::Error },
    /// One line per problem, each naming file and line.
    #[error("{}", problems.join("\n"))]
    Recipe { problems: Vec<String> },
    #[error("{0} holds no recipe.toml, so it is no project")]
    NotAProject(PathBuf),
    #[error("{0} holds a project already")]
    AlreadyAProject(PathBuf),
    #[error("{0} is a file, and a project is a folder")]
    NoFolder(PathBuf),
    #[error("{path}: the project is open in {owner}")]
    Locked { path: PathBuf, owner: Box<Owner> },
    #[error("{path}: {detail}")]
    Damaged { path: PathBuf, detail: String },
    #[error("{0}")]
    Edit(String),
}

impl ProjectError {
    pub(crate) fn damaged(path: impl Into<PathBuf>, detail: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), detail: detail.into() }
    }
}

impl From<ProjectError> for Report {
    fn from(error: ProjectError) -> Self {
        let what = error.to_string();
        match error {
            ProjectError::Io(source) => report_of_io(&source),
            ProjectError::Catalogue { source, .. } => {
                let (failure, advice) = catalogue_advice(&source);
                Self::new(failure, what, advice)
            }
            ProjectError::Recipe { .. } => Self::new(Failure::Usage, what, "Correct the line and run again."),
            ProjectError::NotAProject(_) => Self::new(
                Failure::Usage,
                what,
                "Give the folder of a project, or make one with `paser new DIR --pool FILE`.",
            ),
            ProjectError::AlreadyAProject(_) => {
                Self::new(Failure::Usage, what, "Choose another folder, or open the project that is there.")
            }
            ProjectError::NoFolder(_) => Self::new(Failure::Usage, what, "Choose another name."),
            ProjectError::Locked { .. } => {
                Self::new(Failure::ComeBack, what, "Close it there, or work in that window; then try again.")
            }
            ProjectError::Damaged { .. } => Self::new(
                Failure::Failed,
                what,
                "Restore the file from a copy, or remove it if it is under arrays/ or jobs/: those are computed anew.",
            ),
            ProjectError::Edit(_) => Self::new(Failure::Usage, what, ""),
        }
    }
}

/// The failure class and advice for an input or output error; the message names the path if `fs_err` made it.
pub fn report_of_io(error: &io::Error) -> Report {
    use io::ErrorKind;
    let (failure, advice) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            (Failure::Machine, "The disk is full: free some space and run again; finished work is kept.")
        }
        ErrorKind::ReadOnlyFilesystem => {
            (Failure::Machine, "The folder is read-only: choose a folder that can be written to.")
        }
        ErrorKind::PermissionDenied => (Failure::Machine, "Check who owns the file and whether you may write there."),
        ErrorKind::OutOfMemory => (Failure::Machine, "Close other programs, or lower --memory."),
        ErrorKind::FileTooLarge => (Failure::Machine, "The file system takes no file of this size."),
        ErrorKind::NotFound => (Failure::Unusable, "Check the path."),
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => (Failure::Unusable, "Check the path."),
        _ => (Failure::Failed, ""),
    };
    Report::new(failure, error.to_string(), advice)
}

fn catalogue_advice(error: &rusqlite::Error) -> (Failure, &'static str) {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            (Failure::Machine, "The disk is full: free some space and run again; finished work is kept.")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            (Failure::Machine, "The folder is read-only: choose a folder that can be written to.")
        }
        Some(ErrorCode::SystemIoFailure) => (Failure::Machine, "Check the disk, and how much of it is free."),
        Some(ErrorCode::OutOfMemory) => (Failure::Machine, "Close other programs, or lower --memory."),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            Failure::Failed,
            "The catalogue is damaged: move project.db away; recipe, journal and arrays hold what is needed to make it anew.",
        ),
        _ => (Failure::Failed, ""),
    }
}
