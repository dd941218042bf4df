//! The output folder: a copy of the dense checkpoint whose projections are patched in place, built under a temporary
//! name beside its destination and renamed when complete. Dropping it unfinished removes it.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};
use paser_model::Checkpoint;

use crate::PruneError;

/// What travels along with the weights: configuration, tokenizer, chat template, licence.
const EXTENSIONS: [&str; 4] = ["json", "jinja", "model", "txt"];
const PREFIXES: [&str; 2] = ["LICENSE", "NOTICE"];

/// Name of the note that says how the weights were made.
pub(crate) const NOTE: &str = "paser-prune.json";

pub(crate) struct Folder {
    temporary: PathBuf,
    destination: PathBuf,
    /// By the dense checkpoint's path.
    weights: BTreeMap<PathBuf, File>,
    finished: bool,
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
        let parent = match destination.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = destination
            .file_name()
            .ok_or_else(|| PruneError::Params(format!("{} is no name for a folder", destination.display())))?;
        fs_err::create_dir_all(parent).map_err(PruneError::io(parent))?;
        let temporary = parent.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
        fs_err::create_dir(&temporary).map_err(PruneError::io(&temporary))?;
        let mut folder =
            Self { temporary, destination: destination.to_owned(), weights: BTreeMap::new(), finished: false };
        for file in checkpoint.weight_files() {
            let copy = folder.copy_file(file)?;
            folder.weights.insert(file.to_owned(), copy);
        }
        let dir = checkpoint.dir();
        for entry in fs_err::read_dir(dir).map_err(PruneError::io(dir))? {
            let path = entry.map_err(PruneError::io(dir))?.path();
            if path.is_file() && !folder.weights.contains_key(&path) && travels(&path) {
                folder.copy_file(&path)?;
            }
        }
        Ok(folder)
    }

    /// Content only: the original may be read-only, the copy must not be.
    fn copy_file(&self, from: &Path) -> Result<File, PruneError> {
        let to = self.temporary.join(from.file_name().unwrap_or_default());
        let mut source = File::open(from).map_err(PruneError::io(from))?;
        let mut target = OpenOptions::new().write(true).create_new(true).open(&to).map_err(PruneError::io(&to))?;
        std::io::copy(&mut source, &mut target).map_err(PruneError::io(&to))?;
        Ok(target)
    }

    /// Sets the masked weights of a tensor to zero.
    pub(crate) fn zero(&mut self, checkpoint: &Checkpoint, tensor: &str, mask: &[bool]) -> Result<(), PruneError> {
        let mut bytes = checkpoint.tensor_bytes(tensor)?.to_vec();
        let width = bytes.len() / mask.len().max(1);
        for (weight, _) in bytes.chunks_exact_mut(width.max(1)).zip(mask).filter(|(_, gone)| **gone) {
            weight.fill(0);
        }
        let path = checkpoint.file_of(tensor)?;
        let offset = checkpoint.tensor_info(tensor).map_or(0, |info| info.byte_range().start) as u64;
        if let Some(file) = self.weights.get_mut(path) {
            let failed = |source| PruneError::Io { path: self.destination.clone(), source };
            file.seek(SeekFrom::Start(offset)).map_err(failed)?;
            file.write_all(&bytes).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes the note, flushes everything and gives the folder its name.
    pub(crate) fn finish(mut self, note: &str) -> Result<(), PruneError> {
        let path = self.temporary.join(NOTE);
        fs_err::write(&path, note).map_err(PruneError::io(&path))?;
        for (path, file) in &self.weights {
            file.sync_all().map_err(PruneError::io(path))?;
        }
        // Open handles keep some systems from renaming.
        self.weights.clear();
        refuse_content(&self.destination)?;
        if self.destination.exists() {
            fs_err::remove_dir(&self.destination).map_err(PruneError::io(&self.destination))?;
        }
        fs_err::rename(&self.temporary, &self.destination).map_err(PruneError::io(&self.destination))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.finished {
            self.weights.clear();
            // The reason why it is unfinished is the error that people should see, not a failure to tidy up.
            let _ = fs_err::remove_dir_all(&self.temporary);
        }
    }
}

fn travels(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name != NOTE && (EXTENSIONS.contains(&extension) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}
