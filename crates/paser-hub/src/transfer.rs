//! One file from the hub into its blob: resumed by Range, checked against its hash, renamed into place at the end.
//! Owns the `.incomplete` file and the lock that keeps two processes (Python's too) from writing the same blob.

use std::fs::TryLockError;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use fs_err::File;
use paser_protocol::Monitor;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use crate::HubError;
use crate::cache::{RepoCache, io};
use crate::client::{Client, ContentHash, Metadata, TRIES};

const PIECE: usize = 256 << 10;

/// A file on its way.
pub(crate) struct Transfer<'a> {
    pub client: &'a Client<'a>,
    pub cache: &'a RepoCache,
    pub monitor: &'a dyn Monitor,
    pub id: &'a str,
    pub commit: &'a str,
    pub file: &'a str,
    pub metadata: &'a Metadata,
    /// Called with the bytes of this file that are on disk.
    pub progress: &'a dyn Fn(u64),
}

/// A hash of the hub's on its way over a file.
enum Check {
    Sha256(Sha256),
    /// Git's hash: SHA-1 of `blob <length>\0` and the content.
    Git(Sha1),
}

impl Check {
    fn new(expected: &ContentHash, length: u64) -> Self {
        match expected.digits().len() {
            64 => Self::Sha256(Sha256::new()),
            _ => Self::Git(Sha1::new_with_prefix(format!("blob {length}\0"))),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Git(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> (&'static str, String) {
        match self {
            Self::Sha256(hash) => ("SHA-256", hex::encode(hash.finalize())),
            Self::Git(hash) => ("git hash", hex::encode(hash.finalize())),
        }
    }
}

impl Transfer<'_> {
    /// Makes the blob exist and returns its path.
    pub(crate) fn run(&self) -> Result<PathBuf, HubError> {
        // without a hash from the hub the name is that of the file at its commit
        let name = match &self.metadata.hash {
            Some(hash) => hash.digits().to_owned(),
            None => hex::encode(Sha256::digest(format!("{}/{}", self.commit, self.file))),
        };
        let blob = self.cache.blob(&name);
        let partial = blob.with_file_name(format!("{name}.incomplete"));
        for path in [&blob, &self.cache.lock_file(&name)] {
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent).map_err(io(parent))?;
            }
        }
        let _lock = self.lock(&name)?;
        if blob.exists() {
            (self.progress)(self.metadata.size.unwrap_or(0));
            return Ok(blob);
        }
        let resumed = self.fill(&partial)?;
        match self.verify(&partial) {
            // what an earlier run left may be what is damaged: once more from the start
            Err(HubError::Checksum { .. }) if resumed => {
                let _ = fs_err::remove_file(&partial);
                self.fill(&partial)?;
                self.verify(&partial)?;
            }
            result => result?,
        }
        fs_err::rename(&partial, &blob).map_err(io(&blob))?;
        Ok(blob)
    }

    fn lock(&self, name: &str) -> Result<std::fs::File, HubError> {
        let path = self.cache.lock_file(name);
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(io(&path))?.into_parts().0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if self.monitor.cancelled() => return Err(HubError::Cancelled),
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
                // a file system without locks
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(file),
                Err(TryLockError::Error(error)) => {
                    let source =
                        std::io::Error::new(error.kind(), format!("could not lock {}: {error}", path.display()));
                    return Err(HubError::Io { path, source });
                }
            }
        }
    }

    /// Downloads until the file is whole. True where it went on from what an earlier run left.
    fn fill(&self, partial: &Path) -> Result<bool, HubError> {
        let mut file = File::options().create(true).append(true).open(partial).map_err(io(partial))?;
        let start = file.metadata().map_err(io(partial))?.len();
        let mut have = start;
        let mut fruitless = 0;
        loop {
            if self.metadata.size.is_some_and(|size| have > size) {
                have = truncate(&file, partial)?;
            }
            (self.progress)(have);
            if self.metadata.size == Some(have) {
                break;
            }
            let before = have;
            match self.receive(&mut file, partial, &mut have) {
                Ok(()) => break,
                Err(error) => {
                    fruitless = if have > before { 0 } else { fruitless + 1 };
                    if fruitless >= TRIES {
                        return Err(error);
                    }
                    self.client.wait_after(&error, fruitless).map_err(|stop| stop.unwrap_or(error))?;
                }
            }
        }
        file.sync_all().map_err(io(partial))?;
        Ok(start > 0)
    }

    /// One request. `have` follows the length of the file, also when the connection is cut.
    fn receive(&self, file: &mut File, partial: &Path, have: &mut u64) -> Result<(), HubError> {
        let url = || format!("{}/{}", self.id, self.file);
        let response = match self.client.open(self.commit, self.file, *have) {
            Err(HubError::Server { status: 416, .. }) if *have > 0 => {
                *have = truncate(file, partial)?;
                self.client.open(self.commit, self.file, 0)?
            }
            result => result?,
        };
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok()).and_then(parse_range);
        let total = match (response.status(), range) {
            (StatusCode::PARTIAL_CONTENT, Some((from, total))) if from == *have => total,
            (StatusCode::PARTIAL_CONTENT, _) => {
                return Err(HubError::Answer { url: url(), reason: "not the range that was asked for".to_owned() });
            }
            _ => {
                // the server sends the whole file
                if *have > 0 {
                    *have = truncate(file, partial)?;
                }
                response
                    .headers()
                    .get("content-length")
                    .and_then(|size| size.to_str().ok())
                    .and_then(|size| size.parse().ok())
            }
        };
        let total = self.metadata.size.or(total);
        let body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let pieces = read_elsewhere(body).map_err(io(partial))?;
        loop {
            let piece = match pieces.recv_timeout(Duration::from_millis(50)) {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) => return Err(HubError::Network { url: url(), reason: error.to_string() }),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if self.monitor.cancelled() => return Err(HubError::Cancelled),
                Err(RecvTimeoutError::Timeout) => continue,
            };
            if self.monitor.cancelled() {
                return Err(HubError::Cancelled);
            }
            file.write_all(&piece).map_err(|source| match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    let needed = total.unwrap_or(0).saturating_sub(*have);
                    HubError::DiskFull { path: partial.to_owned(), needed }
                }
                _ => HubError::Io { path: partial.to_owned(), source },
            })?;
            *have += piece.len() as u64;
            (self.progress)(*have);
        }
        match total {
            Some(total) if *have < total => Err(HubError::Network {
                url: url(),
                reason: format!("the connection ended after {have} of {total} bytes"),
            }),
            Some(total) if *have > total => {
                Err(HubError::Answer { url: url(), reason: format!("{have} bytes came where {total} were announced") })
            }
            _ => Ok(()),
        }
    }

    /// Compares the file with its hash; deletes it where they differ.
    fn verify(&self, partial: &Path) -> Result<(), HubError> {
        let Some(expected) = &self.metadata.hash else { return Ok(()) };
        let mut file = File::open(partial).map_err(io(partial))?;
        let mut check = Check::new(expected, file.metadata().map_err(io(partial))?.len());
        let mut buffer = vec![0; PIECE];
        loop {
            if self.monitor.cancelled() {
                return Err(HubError::Cancelled);
            }
            let count = file.read(&mut buffer).map_err(io(partial))?;
            if count == 0 {
                break;
            }
            check.update(&buffer[..count]);
        }
        let (kind, found) = check.finish();
        if found == expected.digits() {
            return Ok(());
        }
        drop(file);
        let _ = fs_err::remove_file(partial);
        let (id, file, expected) = (self.id.to_owned(), self.file.to_owned(), expected.digits().to_owned());
        Err(HubError::Checksum { id, file, kind, found, expected })
    }
}

fn truncate(file: &File, path: &Path) -> Result<u64, HubError> {
    file.set_len(0).map_err(io(path))?;
    Ok(0)
}

/// Pieces of a body, read on a thread of their own: a silent server then delays no cancel.
fn read_elsewhere(mut body: impl Read + Send + 'static) -> std::io::Result<Receiver<std::io::Result<Vec<u8>>>> {
    let (sender, receiver) = sync_channel(8);
    let work = move || {
        loop {
            let mut piece = vec![0; PIECE];
            let piece = match body.read(&mut piece) {
                Ok(0) => return,
                Ok(count) => {
                    piece.truncate(count);
                    Ok(piece)
                }
                Err(error) => Err(error),
            };
            let failed = piece.is_err();
            if sender.send(piece).is_err() || failed {
                return;
            }
        }
    };
    thread::Builder::new().name("hub-download".to_owned()).spawn(work)?;
    Ok(receiver)
}

/// `bytes 5-9/10` as (5, Some(10)).
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(parse_range("bytes */10"), None);
        assert_eq!(parse_range("lines 1-2/3"), None);
    }

    #[test]
    fn git_hashes_are_those_of_git() {
        // `git hash-object` of a file that holds "hello" and a newline
        let digits = "ce013625030ba8dba906f756967f9e9ca394464a";
        let mut check = Check::new(&ContentHash::read(digits).unwrap(), 6);
        check.update(b"hello\n");
        assert_eq!(check.finish(), ("git hash", digits.to_owned()));
    }
}
