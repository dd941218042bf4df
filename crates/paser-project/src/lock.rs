//! One owner per project. The operating system's file lock dies with its process, so a dead owner never blocks;
//! the file's text (pid and start time) names a living one. Where file locks do not exist, pid and start time decide.

use std::{
    fmt,
    fs::TryLockError,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::ProjectError;

/// Where an owner answers requests of this machine. Whoever reads the token may do what the owner may: it is shown to
/// nobody, and no log holds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// `http://127.0.0.1:PORT`
    pub base: String,
    pub token: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The process that owns a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub pid: u32,
    /// Start of the process in clock ticks since boot, as `/proc` tells it; 0 where it cannot be told.
    pub started: u64,
    /// File name of the program.
    pub program: String,
    pub host: String,
    /// None where it serves nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Brings a run to its end without a person, and lets the project go to whoever asks for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub background: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Owner {
    /// This process.
    pub fn this() -> Self {
        let pid = std::process::id();
        let program = std::env::current_exe()
            .ok()
            .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "paser".to_owned());
        let started = start_time(pid).unwrap_or(0);
        Self { pid, started, program, host: host(), address: None, background: false }
    }

    /// Whether this is the process that asks.
    fn is_this(&self) -> bool {
        let this = Self::this();
        (self.pid, self.started, &self.host) == (this.pid, this.started, &this.host)
    }

    /// False only where this machine can tell that the process is gone or its number belongs to another one.
    pub fn alive(&self) -> bool {
        if self.host != host() || !Path::new("/proc/self/stat").exists() {
            return true;
        }
        start_time(self.pid).is_some_and(|started| self.started == 0 || started == self.started)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, program, host: owner_host, .. } = self;
        if *owner_host == host() {
            write!(f, "another process: {program}, pid {pid}")
        } else {
            write!(f, "another process: {program}, pid {pid} on {owner_host}")
        }
    }
}

/// Held while a project is open; dropping it frees the project.
#[derive(Debug)]
pub struct Lock {
    file: fs_err::File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock, over a dead owner too.
    ///
    /// # Errors
    /// `Locked` with the living owner, or an input/output error with its path.
    pub fn acquire(path: &Path) -> Result<Self, ProjectError> {
        let mut file = open(path)?;
        match file.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(path, &mut file)),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                if read_owner(&mut file).is_some_and(|owner| !owner.is_this() && owner.alive()) {
                    return Err(locked(path, &mut file));
                }
            }
            Err(TryLockError::Error(error)) => {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())).into());
            }
        }
        let lock = Self { file, path: path.to_owned() };
        lock.announce(None, false)?;
        Ok(lock)
    }

    /// Says more of this owner: where it answers, and whether it lets the project go to whoever asks.
    ///
    /// # Errors
    /// The input/output error with the lock's path.
    pub fn announce(&self, address: Option<Address>, background: bool) -> Result<(), ProjectError> {
        let text = serde_json::to_string(&Owner { address, background, ..Owner::this() }).map_err(io::Error::from)?;
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        Ok(file.sync_all()?)
    }

    /// The living process that holds the lock at `path`; none where nobody does. Nothing is changed.
    pub fn holder(path: &Path) -> Option<Owner> {
        let mut file = fs_err::File::open(path).ok()?;
        let owner = read_owner(&mut file).filter(Owner::alive)?;
        // The text of a killed owner stays where nothing else tells that it is gone: its lock does not.
        match file.file().try_lock_shared() {
            Ok(()) => None,
            Err(_) => Some(owner),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The text of a freed lock names nobody. Failing to clear it is harmless: the lock itself goes with the file.
        let _ = self.file.set_len(0);
        let _ = self.file.file().unlock();
    }
}

/// The lock's file, which no other person of this machine may read.
fn open(path: &Path) -> io::Result<fs_err::File> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        use fs_err::os::unix::fs::OpenOptionsExt as _;
        let file = options.mode(0o600).open(path)?;
        // One that an earlier version made.
        if file.metadata()?.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

fn locked(path: &Path, file: &mut fs_err::File) -> ProjectError {
    let owner = read_owner(file).unwrap_or_else(|| Owner {
        pid: 0,
        started: 0,
        program: "a program that has not said its name yet".to_owned(),
        host: host(),
        address: None,
        background: false,
    });
    ProjectError::Locked { path: path.parent().unwrap_or(path).to_owned(), owner: Box::new(owner) }
}

fn read_owner(file: &mut fs_err::File) -> Option<Owner> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether a process of this number is there; where that cannot be told it is not.
pub(crate) fn is_running(pid: u32) -> bool {
    start_time(pid).is_some()
}

/// Field 22 of `/proc/<pid>/stat`. The second field may hold spaces and brackets, so counting starts after the last one.
fn start_time(pid: u32) -> Option<u64> {
    let text = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

fn host() -> String {
    fs_err::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn second_owner_is_refused_and_first_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("project.lock");
        let first = Lock::acquire(&path).unwrap();
        let error = Lock::acquire(&path).unwrap_err();
        let ProjectError::Locked { owner, .. } = &error else { panic!("{error}") };
        assert_eq!(owner.pid, std::process::id());
        drop(first);
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn a_holder_is_told_by_all_it_announces_and_its_token_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("project.lock");
        fs_err::write(&path, "").unwrap();
        let lock = Lock::acquire(&path).unwrap();
        let address = Address { base: "http://127.0.0.1:7717".to_owned(), token: "secret".to_owned() };
        lock.announce(Some(address.clone()), true).unwrap();
        let holder = Lock::holder(&path).unwrap();
        assert_eq!((holder.address.as_ref(), holder.background), (Some(&address), true));
        assert!(!format!("{holder:?} {holder}").contains("secret"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(lock);
        assert_eq!(Lock::holder(&path), None);
        // What a killed owner leaves names this process, which lives and holds nothing.
        fs_err::write(&path, serde_json::to_string(&Owner::this()).unwrap()).unwrap();
        assert_eq!(Lock::holder(&path), None);
    }

    #[test]
    fn a_dead_owner_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("project.lock");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let owner = Owner { pid: child.id(), ..Owner::this() };
        child.wait().unwrap();
        fs_err::write(&path, serde_json::to_string(&owner).unwrap()).unwrap();
        assert!(!owner.alive());
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn a_reused_pid_is_not_the_owner() {
        let this = Owner::this();
        assert!(this.alive());
        if this.started > 0 {
            assert!(!Owner { started: this.started + 1, ..this }.alive());
        }
    }
}
