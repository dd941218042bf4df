//! A folder that is filled file by file under a temporary name and gets its own when everything in it is on disk. What is
//! there already is never touched; dropped unfinished it leaves nothing.

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use fs_err::{File, OpenOptions};

use super::temporary::{Temporary, parent_of};
use crate::ModelError;

/// A folder in the making.
#[derive(Debug)]
pub struct NewFolder {
    temporary: Temporary,
    destination: PathBuf,
}

impl NewFolder {
    /// Begins a folder that will be called `destination`; folders above it are made.
    ///
    /// # Errors
    /// A destination with content, a name that is none, a place that cannot be written.
    pub fn new(destination: &Path) -> Result<Self, ModelError> {
        refuse_content(destination)?;
        let name = destination.file_name().ok_or_else(|| ModelError::Unsupported {
            path: destination.to_owned(),
            reason: "this is no name for a folder. Give the path of a new one.".to_owned(),
        })?;
        let parent = parent_of(destination);
        fs_err::create_dir_all(parent).map_err(ModelError::io(parent))?;
        let temporary = Temporary::new(parent, &name.to_string_lossy()).map_err(ModelError::io(destination))?;
        Ok(Self { temporary, destination: destination.to_owned() })
    }

    /// An empty file in the folder; `relative` may name folders on the way.
    ///
    /// # Errors
    /// A path that leaves the folder, a file that exists already, a place that cannot be written.
    pub fn create(&self, relative: &str) -> Result<File, ModelError> {
        let path = Path::new(relative);
        if relative.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(ModelError::Unsupported {
                path: self.destination.clone(),
                reason: format!("{relative:?} is no path inside of this folder."),
            });
        }
        let full = self.temporary.path().join(path);
        fs_err::create_dir_all(parent_of(&full)).map_err(|error| self.told(&error))?;
        OpenOptions::new().write(true).create_new(true).open(full).map_err(|error| self.told(&error))
    }

    /// A whole file, on disk when this returns.
    ///
    /// # Errors
    /// As [`Self::create`], and a full disk.
    pub fn write(&self, relative: &str, bytes: &[u8]) -> Result<(), ModelError> {
        let mut file = self.create(relative)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| self.told(&error))
    }

    /// A copy of a file's content under the same name. Permissions stay behind: the original may be read-only.
    ///
    /// # Errors
    /// As [`Self::write`], and an original that cannot be read.
    pub fn copy(&self, from: &Path) -> Result<(), ModelError> {
        let mut source = File::open(from).map_err(ModelError::io(from))?;
        let mut target = self.create(&from.file_name().unwrap_or_default().to_string_lossy())?;
        io::copy(&mut source, &mut target).and_then(|_| target.sync_all()).map_err(|error| self.told(&error))
    }

    /// Gives the folder its name. Files that [`Self::create`] gave must be flushed and closed.
    ///
    /// # Errors
    /// Somebody filled the destination meanwhile, or it cannot be written.
    pub fn finish(self) -> Result<(), ModelError> {
        let Self { temporary, destination } = self;
        refuse_content(&destination)?;
        if destination.exists() {
            fs_err::remove_dir(&destination).map_err(ModelError::io(&destination))?;
        }
        temporary.rename(&destination).map_err(ModelError::io(&destination))
    }

    /// Names files by where they would have ended up: the temporary name means nothing to anybody.
    pub(crate) fn told(&self, error: &io::Error) -> ModelError {
        let (temporary, destination) = (self.temporary.path().to_string_lossy(), self.destination.to_string_lossy());
        let text = error.to_string().replace(&*temporary, &destination);
        ModelError::Io { path: self.destination.clone(), source: io::Error::new(error.kind(), text) }
    }
}

fn refuse_content(destination: &Path) -> Result<(), ModelError> {
    if !destination.exists() {
        return Ok(());
    }
    let taken = || ModelError::OutputTaken(destination.to_owned());
    if !destination.is_dir() {
        return Err(taken());
    }
    let mut entries = fs_err::read_dir(destination).map_err(ModelError::io(destination))?;
    if entries.next().is_some() { Err(taken()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_never_overwritten_and_an_unfinished_folder_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("deep/out");
        let folder = NewFolder::new(&out).unwrap();
        folder.write("a/b.txt", b"b").unwrap();
        for outside in ["../x", "/x", "", "a/../../x"] {
            assert!(folder.create(outside).is_err(), "{outside}");
        }
        drop(folder);
        assert_eq!(fs_err::read_dir(dir.path().join("deep")).unwrap().count(), 0);
        fs_err::create_dir(&out).unwrap();
        let folder = NewFolder::new(&out).unwrap();
        folder.write("a.txt", b"a").unwrap();
        folder.finish().unwrap();
        assert_eq!(fs_err::read(out.join("a.txt")).unwrap(), b"a");
        assert!(matches!(NewFolder::new(&out), Err(ModelError::OutputTaken(_))));
    }
}
