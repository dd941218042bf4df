//! A project for a command that changes it: this process owns it, or asks the one that does. Where the owner answers
//! nobody, the command is told to come back.

use std::path::Path;

use paser_engine::{Reader, Session};
use paser_protocol::{CurationView, Failure, ProjectView, Reply, Report, Request};
use paser_server::Remote;

/// An open project.
pub enum Opened {
    Own(Box<Session>),
    Owned(Box<Owned>),
}

/// A project that a living server owns, and what it has on disk.
pub struct Owned {
    pub reader: Reader,
    pub remote: Remote,
}

/// Opens a project to change it.
///
/// # Errors
/// As [`Session::open`]; of a living owner only where it answers nobody.
pub fn open(folder: &Path) -> Result<Opened, Report> {
    let refused = match Session::open(folder) {
        Ok(session) => return Ok(Opened::Own(Box::new(session))),
        Err(report) if report.failure == Failure::ComeBack => report,
        Err(report) => return Err(report),
    };
    let remote = Remote::of(folder).ok_or(refused)?;
    let reader = Reader::open(folder)?;
    let owned = Owned { reader, remote };
    // Rows are numbers of a pool: both have to mean the same one.
    if owned.project()?.pool.key != owned.reader.view().pool.key {
        return Err(Report::new(
            Failure::ComeBack,
            "The program that has the project open imports another pool just now.",
            "Try again when it is done.",
        ));
    }
    Ok(Opened::Owned(Box::new(owned)))
}

impl Owned {
    /// # Errors
    /// What the owner says.
    pub fn project(&self) -> Result<ProjectView, Report> {
        match self.remote.ask(&Request::Project)? {
            Reply::Project(view) => Ok(*view),
            other => Err(unexpected(&other)),
        }
    }

    /// The curation after an edit.
    ///
    /// # Errors
    /// What the owner says.
    pub fn curate(&self, request: &Request) -> Result<CurationView, Report> {
        match self.remote.ask(request)? {
            Reply::Curation(view) => Ok(view),
            other => Err(unexpected(&other)),
        }
    }
}

/// Another reply than the request has: two versions of the program.
pub fn unexpected(reply: &Reply) -> Report {
    let name = serde_json::to_value(reply).ok().and_then(|value| value["reply"].as_str().map(str::to_owned));
    Report::new(
        Failure::Failed,
        format!("the program that has the project open gave an answer of another kind: {}", name.unwrap_or_default()),
        "Use the same version of the program.",
    )
}
