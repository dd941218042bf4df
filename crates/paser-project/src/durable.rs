//! Writing that survives a power cut: temporary file, fsync, rename, fsync of the folder. A reader sees the old
//! file or the new one, never half of one.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use paser_protocol::Monitor;
use sha2::{Digest, Sha256};

/// Names that `write_durably` uses before the rename; what is left of them after a crash is swept away.
pub(crate) const TEMPORARY_SUFFIX: &str = ".partial";

/// Replaces `path` by `bytes`. On failure the old file stands as it was and the temporary one is gone; the error names
/// `path`, not the temporary name, so that every process tells the same trouble in the same words.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_of(path);
    let outcome = (|| {
        let mut file = fs_err::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs_err::rename(&temporary, path)?;
        sync_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")))
    })();
    if outcome.is_err() {
        // The write's own error is the one to tell.
        let _ = fs_err::remove_file(&temporary);
    }
    outcome.map_err(|error| {
        let text = error.to_string().replace(&*temporary.to_string_lossy(), &path.to_string_lossy());
        io::Error::new(error.kind(), text)
    })
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}{TEMPORARY_SUFFIX}", std::process::id()));
    path.with_file_name(name)
}

/// Makes a rename durable. Only Unix can open a folder for this; elsewhere the rename itself must do.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs_err::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Removes what interrupted writes left in `folder`; a folder that is not there has nothing to sweep.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    sweep_where(folder, |name| writer(name, TEMPORARY_SUFFIX).is_some())
}

/// Replaces `path` by `bytes` so that a reader sees the old file or the new one. A power cut may bring the old one back.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_of(path);
    fs_err::write(&temporary, bytes)?;
    fs_err::rename(&temporary, path)
}

/// The process in a temporary name: `NAME.PID` and the suffix.
pub(crate) fn writer(name: &str, suffix: &str) -> Option<u32> {
    name.strip_suffix(suffix)?.rsplit_once('.')?.1.parse().ok()
}

/// Removes the files and folders in `folder` whose names `is_left_over` knows.
pub(crate) fn sweep_where(folder: &Path, is_left_over: impl Fn(&str) -> bool) -> io::Result<()> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| is_left_over(&name.to_string_lossy())) {
            continue;
        }
        if path.is_dir() {
            fs_err::remove_dir_all(path)?;
        } else {
            fs_err::remove_file(path)?;
        }
    }
    Ok(())
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 of a file's bytes, read in pieces; none where it was cancelled. `monitor` counts bytes.
pub fn sha256_file(path: &Path, monitor: &dyn Monitor) -> io::Result<Option<String>> {
    let mut file = fs_err::File::open(path)?;
    let total = file.metadata()?.len();
    let mut done = 0;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Some(hex::encode(hasher.finalize())));
        }
        hasher.update(&buffer[..read]);
        done += read as u64;
        monitor.progress(done, total.max(done));
        if monitor.cancelled() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU64, Ordering};

    use paser_protocol::Silent;

    use super::*;

    /// Counts, and stops after so many bytes.
    struct Until {
        seen: AtomicU64,
        stop: u64,
    }

    impl Monitor for Until {
        fn progress(&self, done: u64, _total: u64) {
            self.seen.store(done, Ordering::Relaxed);
        }

        fn cancelled(&self) -> bool {
            self.seen.load(Ordering::Relaxed) >= self.stop
        }
    }

    #[test]
    fn hashing_a_large_file_counts_and_can_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, vec![7; 3 << 20]).unwrap();
        let monitor = Until { seen: AtomicU64::new(0), stop: 2 << 20 };
        assert!(sha256_file(&path, &monitor).unwrap().is_none());
        assert_eq!(monitor.seen.into_inner(), 2 << 20);
        let patient = Until { seen: AtomicU64::new(0), stop: u64::MAX };
        assert_eq!(sha256_file(&path, &patient).unwrap().unwrap(), sha256_hex(&vec![7; 3 << 20]));
        assert_eq!(patient.seen.into_inner(), 3 << 20);
    }

    #[test]
    fn replaces_whole_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_durably(&path, b"old").unwrap();
        write_durably(&path, b"new").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"new");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn failure_keeps_the_old_file_and_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs_err::create_dir(&path).unwrap();
        let error = write_durably(&path, b"x").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert!(path.is_dir());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_error_does_not_name_the_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere").join("a.json");
        let error = write_durably(&path, b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains(&*path.to_string_lossy()) && !text.contains(TEMPORARY_SUFFIX), "{text}");
    }

    #[test]
    fn file_and_bytes_hash_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, b"abc").unwrap();
        assert_eq!(sha256_file(&path, &Silent).unwrap().unwrap(), sha256_hex(b"abc"));
        assert!(sha256_hex(b"abc").starts_with("ba7816bf"));
    }
}
