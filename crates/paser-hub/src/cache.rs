//! The cache folder that Python's tools share: `models--org--name/{blobs,refs,snapshots}` and `.locks`. Owns its paths,
//! atomic writing of refs and pointers, and finding what is already there.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hf_hub::{Cache, CacheRepo};

use crate::files::{Pattern, is_safe, missing, wanted};
use crate::id::RepoId;
use crate::{HubEnv, HubError};

/// The folder of one repository.
pub(crate) struct RepoCache {
    root: PathBuf,
    repo: CacheRepo,
    id: RepoId,
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> HubError {
    let path = path.to_owned();
    move |source| HubError::Io { path, source }
}

impl RepoCache {
    pub(crate) fn new(cache: &Path, id: &RepoId) -> Self {
        Self { root: cache.to_owned(), repo: Cache::new(cache.to_owned()).repo(id.repo()), id: id.clone() }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join(self.id.repo().folder_name())
    }

    /// `name` is the digits of a hash.
    pub(crate) fn blob(&self, name: &str) -> PathBuf {
        self.repo.blob_path(name)
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    pub(crate) fn lock_file(&self, name: &str) -> PathBuf {
        self.root.join(".locks").join(self.id.repo().folder_name()).join(format!("{name}.lock"))
    }

    fn reference(&self) -> PathBuf {
        self.folder().join("refs").join(&self.id.revision)
    }

    /// The commit that the revision pointed to when it was last downloaded.
    pub(crate) fn commit(&self) -> Option<String> {
        if self.id.is_pinned() {
            return Some(self.id.revision.clone());
        }
        let commit = fs_err::read_to_string(self.reference()).ok()?;
        let commit = commit.trim();
        (!commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| commit.to_owned())
    }

    /// The cached snapshot, with what it lacks of `patterns` (`None`: nothing).
    pub(crate) fn find(&self, patterns: &[Pattern]) -> Option<(PathBuf, Option<String>)> {
        let snapshot = self.snapshot(&self.commit()?);
        let mut names = Vec::new();
        list(&snapshot, "", &mut names);
        if names.is_empty() {
            return None;
        }
        let found = wanted(patterns, names.iter().map(String::as_str));
        Some((snapshot, missing(patterns, &found)))
    }

    /// Makes `snapshots/<commit>/<file>` point to a blob. Where the system has no links the blob itself is moved there.
    pub(crate) fn point(&self, commit: &str, file: &str, blob: &Path) -> Result<(), HubError> {
        if !is_safe(file) {
            return Err(HubError::UnsafeName { id: self.id.name.clone(), name: file.to_owned() });
        }
        let pointer = self.snapshot(commit).join(file);
        if let Some(parent) = pointer.parent() {
            fs_err::create_dir_all(parent).map_err(io(parent))?;
        }
        let up = "../".repeat(file.split('/').count() + 1);
        let target = format!("{up}blobs/{}", blob.file_name().unwrap_or_default().to_string_lossy());
        let draft = draft_of(&pointer);
        match link(&target, &draft) {
            Ok(()) => fs_err::rename(&draft, &pointer).map_err(io(&pointer)),
            Err(_) => fs_err::rename(blob, &pointer).map_err(io(&pointer)),
        }
    }

    /// Writes down which commit the revision points to.
    pub(crate) fn remember(&self, commit: &str) -> Result<(), HubError> {
        if self.id.is_pinned() {
            return Ok(());
        }
        self.write(&self.reference(), commit.as_bytes())
    }

    /// Writes a small file whole.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), HubError> {
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent).map_err(io(parent))?;
        }
        let draft = draft_of(path);
        fs_err::write(&draft, bytes).map_err(io(&draft))?;
        fs_err::rename(&draft, path).map_err(io(path))
    }
}

/// Removes the folder of one repository, whatever program it was fetched by. False: a program is at work on it.
///
/// # Errors
/// What cannot be removed.
pub fn clear_downloads(env: &HubEnv, folder: &str) -> Result<bool, HubError> {
    let place = env.cache.join(folder);
    let locks = env.cache.join(".locks").join(folder);
    let mut held = Vec::new();
    for entry in fs_err::read_dir(&locks).into_iter().flatten().flatten() {
        let file = fs_err::File::open(entry.path()).map_err(io(&entry.path()))?;
        match file.try_lock() {
            Ok(()) => held.push(file),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(io(&locks)(error)),
        }
    }
    // Moved aside in one step: nobody finds half of it.
    let aside = draft_of(&place);
    fs_err::rename(&place, &aside).map_err(io(&place))?;
    fs_err::remove_dir_all(&aside).map_err(io(&aside))?;
    Ok(true)
}

/// A name beside `path` that no other process or thread uses.
fn draft_of(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}.{count}.draft", std::process::id()))
}

#[cfg(unix)]
fn link(target: &str, at: &Path) -> std::io::Result<()> {
    fs_err::os::unix::fs::symlink(target, at)
}

#[cfg(windows)]
fn link(target: &str, at: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target.replace('/', "\\"), at)
}

/// Names of the files under `folder` whose content is there, with `/` between folders. A dangling pointer does not count.
fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match fs_err::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() && prefix.matches('/').count() < 8 => {
                list(&entry.path(), &format!("{name}/"), names);
            }
            Ok(metadata) if metadata.is_file() => names.push(name),
            _ => {}
        }
    }
}
