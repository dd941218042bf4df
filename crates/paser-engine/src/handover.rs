//! A run without a window lets its project go to whoever asks: the wish is a file, `jobs/hand-over`. The run ends, its
//! worker goes on, and the new owner takes both up.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use paser_project::{Folder, Lock};
use paser_protocol::Failure;

use crate::{
    session::Session,
    trouble::{Outcome, Told},
};

/// A run looks for the wish ten times a second, and stops within a second.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

fn wish(folder: &Folder) -> PathBuf {
    folder.jobs().join("hand-over")
}

/// Opens a project, from the hands of a run without a window too.
///
/// # Errors
/// As [`Session::open`].
pub fn open(root: &Path) -> Outcome<Session> {
    let refused = match Session::open(root) {
        Err(report) if report.failure == Failure::ComeBack => report,
        other => return other,
    };
    let folder = Folder::open(root).map_err(Told::told)?;
    if !Lock::holder(&folder.lock()).is_some_and(|owner| owner.background) {
        return Err(refused);
    }
    let asked = Instant::now();
    loop {
        // A run that begins just now forgets wishes of earlier days.
        if !is_asked_for(&folder) {
            fs_err::write(wish(&folder), "").map_err(Told::told)?;
        }
        match Session::open(root) {
            Err(report) if report.failure == Failure::ComeBack && asked.elapsed() < PATIENCE => thread::sleep(LOOK),
            opened => {
                forget(&folder)?;
                return opened;
            }
        }
    }
}

/// Whether somebody wants the project.
pub(crate) fn is_asked_for(folder: &Folder) -> bool {
    wish(folder).exists()
}

/// Takes a wish back that nobody waits for any more.
pub(crate) fn forget(folder: &Folder) -> Outcome<()> {
    match fs_err::remove_file(wish(folder)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.told()),
        _ => Ok(()),
    }
}
