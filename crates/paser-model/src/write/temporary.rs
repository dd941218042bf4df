//! A folder under a temporary name beside its destination, for work that may be killed. The process that fills it holds
//! a lock inside; what a dead process left is swept away by the next run for the same destination.

use std::fs::TryLockError;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use fs_err::File;

/// The locked file. Its absence means: still being made, or finished.
const MARK: &str = ".paser-unfinished.lock";
const SUFFIX: &str = ".tmp";

/// Removed when dropped before it got its name.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    lock: Option<File>,
    named: bool,
}

impl Temporary {
    /// An empty folder in `parent` for a destination called `name`.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn new(parent: &Path, name: &str) -> io::Result<Self> {
        sweep(parent, &format!(".{name}."));
        let mut number = 0;
        loop {
            let path = parent.join(format!(".{name}.{}.{number}{SUFFIX}", std::process::id()));
            number += 1;
            match fs_err::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let mut folder = Self { path, lock: None, named: false };
            let file = File::create(folder.path.join(MARK))?;
            match file.file().try_lock() {
                // Another run is sweeping it away already.
                Err(TryLockError::WouldBlock) => continue,
                // A file system without locks: nobody sweeps there either.
                Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => return Err(error),
                _ => folder.lock = Some(file),
            }
            return Ok(folder);
        }
    }

    /// Where it stands until it has its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its name and makes that durable; its files are flushed already. `destination` must not exist.
    ///
    /// # Errors
    /// A destination that exists meanwhile or cannot be written.
    pub fn rename(mut self, destination: &Path) -> io::Result<()> {
        // The mark goes before the lock: whoever gets the lock later finds no mark and leaves the folder alone.
        fs_err::remove_file(self.path.join(MARK))?;
        self.lock = None;
        sync_folder(&self.path)?;
        fs_err::rename(&self.path, destination)?;
        self.named = true;
        sync_folder(parent_of(destination))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.named {
            // Some systems remove no open file.
            self.lock = None;
            // The reason why it is unfinished is the error that people should see, not a failure to tidy up.
            let _ = fs_err::remove_dir_all(&self.path);
        }
    }
}

/// The folder in which `path` stands.
pub fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Removes what killed runs left in `parent`, whatever model they were to make.
pub fn sweep_unfinished(parent: &Path) {
    sweep(parent, ".");
}

/// Removes what killed runs left in `parent` under names that begin with `prefix`. What cannot be removed stays: it is
/// in nobody's way.
fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = fs_err::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        if !found.starts_with(prefix) || !found.ends_with(SUFFIX) {
            continue;
        }
        let mark = entry.path().join(MARK);
        // The lock is held until the folder is gone, so that no new process takes the folder for its own meanwhile.
        if let Ok(file) = File::options().write(true).open(&mark)
            && file.file().try_lock().is_ok()
            && mark.exists()
        {
            let _ = fs_err::remove_dir_all(entry.path());
        }
    }
}

/// Makes the names in a folder durable. Only Unix can open a folder for this.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
