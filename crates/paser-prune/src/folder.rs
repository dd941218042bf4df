//! The output folder: a copy of the dense checkpoint whose projections are patched in place, built under a temporary
//! name beside its destination and renamed when complete and on disk. Dropping it unfinished removes it.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};
use paser_model::write::{Temporary, parent_of};
use paser_model::{Checkpoint, ModelError};

use crate::PruneError;

/// What travels along with the weights: configuration, tokenizer, chat template, licence.
const EXTENSIONS: [&str; 4] = ["json", "jinja", "model", "txt"];
const PREFIXES: [&str; 2] = ["LICENSE", "NOTICE"];

/// Name of the note that says how the weights were made.
pub(crate) const NOTE: &str = "paser-prune.json";

pub(crate) struct Folder {
    /// By the dense checkpoint's path. Open files keep some systems from removing or renaming their folder, so these
    /// come first.
    weights: BTreeMap<PathBuf, File>,
    temporary: Temporary,
    destination: PathBuf,
}

/// Refuses a destination that holds anything.
pub(crate) fn refuse_content(destination: &Path) -> Result<(), PruneError> {
    if !destination.exists() {
        return Ok(());
    }
    if !destination.is_dir() {
        return Err(PruneError::OutputNotEmpty(destination.to_owned()));
    }
    let mut entries = fs_err::read_dir(destination).map_err(PruneError::io(destination))?;
    if entries.next().is_some() { Err(PruneError::OutputNotEmpty(destination.to_owned())) } else { Ok(()) }
}

impl Folder {
    /// Copies the checkpoint to a temporary folder.
    pub(crate) fn copy(checkpoint: &Checkpoint, destination: &Path) -> Result<Self, PruneError> {
        refuse_content(destination)?;
        let name = destination
            .file_name()
            .ok_or_else(|| PruneError::Params(format!("{} is no name for a folder", destination.display())))?;
        let parent = parent_of(destination);
        fs_err::create_dir_all(parent).map_err(PruneError::io(parent))?;
        let temporary = Temporary::new(parent, &name.to_string_lossy()).map_err(PruneError::io(destination))?;
        let mut folder = Self { weights: BTreeMap::new(), temporary, destination: destination.to_owned() };
        for file in checkpoint.weight_files() {
            let copy = folder.copy_file(file)?;
            folder.weights.insert(file.to_owned(), copy);
        }
        let dir = checkpoint.dir();
        for entry in fs_err::read_dir(dir).map_err(PruneError::io(dir))? {
            let path = entry.map_err(PruneError::io(dir))?.path();
            if path.is_file() && !folder.weights.contains_key(&path) && travels(&path) {
                folder.copy_file(&path)?.sync_all().map_err(|error| folder.told(&error))?;
            }
        }
        Ok(folder)
    }

    /// Content only: the original may be read-only, the copy must not be.
    fn copy_file(&self, from: &Path) -> Result<File, PruneError> {
        let to = self.temporary.path().join(from.file_name().unwrap_or_default());
        let mut source = File::open(from).map_err(PruneError::io(from))?;
        let opened = OpenOptions::new().write(true).create_new(true).open(&to);
        let mut target = opened.map_err(|error| self.told(&error))?;
        std::io::copy(&mut source, &mut target).map_err(|error| self.told(&error))?;
        Ok(target)
    }

    /// Names the file by where it would have ended up: the temporary folder bears a process's number.
    fn told(&self, error: &std::io::Error) -> PruneError {
        let (temporary, destination) = (self.temporary.path().to_string_lossy(), self.destination.to_string_lossy());
        let text = error.to_string().replace(&*temporary, &destination);
        PruneError::Io { path: self.destination.clone(), source: std::io::Error::new(error.kind(), text) }
    }

    /// Sets the masked weights of a tensor to zero.
    pub(crate) fn zero(&mut self, checkpoint: &Checkpoint, tensor: &str, mask: &[bool]) -> Result<(), PruneError> {
        let mut bytes = checkpoint.tensor_bytes(tensor)?.to_vec();
        let width = bytes.len() / mask.len().max(1);
        for (weight, _) in bytes.chunks_exact_mut(width.max(1)).zip(mask).filter(|(_, gone)| **gone) {
            weight.fill(0);
        }
        let path = checkpoint.file_of(tensor)?;
        let place = checkpoint.tensor_info(tensor).map(|info| info.byte_range().start as u64);
        let (Some(offset), Some(file)) = (place, self.weights.get_mut(path)) else {
            return Err(ModelError::MissingTensor { path: path.to_owned(), tensor: tensor.to_owned() }.into());
        };
        let written = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(&bytes));
        written.map_err(|error| self.told(&error))
    }

    /// Writes the note, flushes everything and gives the folder its name.
    pub(crate) fn finish(self, note: &str) -> Result<(), PruneError> {
        let written = File::create(self.temporary.path().join(NOTE)).and_then(|mut file| {
            file.write_all(note.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| self.told(&error))?;
        for file in self.weights.values() {
            file.sync_all().map_err(|error| self.told(&error))?;
        }
        let Self { weights, temporary, destination } = self;
        drop(weights);
        refuse_content(&destination)?;
        if destination.exists() {
            fs_err::remove_dir(&destination).map_err(PruneError::io(&destination))?;
        }
        temporary.rename(&destination).map_err(PruneError::io(&destination))
    }
}

fn travels(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name != NOTE && (EXTENSIONS.contains(&extension) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tensor_without_its_file_is_named_and_nothing_is_written() {
        let dense = Path::new(env!("CARGO_MANIFEST_DIR")).join("../paser-demo/assets/dense");
        let checkpoint = Checkpoint::open(&dense).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::copy(&checkpoint, &dir.path().join("pruned")).unwrap();
        let name = paser_model::projection_name(0, paser_model::Projection::Q);
        let mask = vec![true; 128 * 128];
        folder.zero(&checkpoint, &name, &mask).unwrap();
        folder.weights.clear();
        let error = folder.zero(&checkpoint, &name, &mask).unwrap_err();
        assert!(matches!(&error, PruneError::Model(ModelError::MissingTensor { tensor, .. }) if *tensor == name));
        let error = folder.zero(&checkpoint, "model.norm.bias", &mask).unwrap_err();
        assert!(error.to_string().contains("model.norm.bias"), "{error}");
    }
}
