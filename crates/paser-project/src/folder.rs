//! The layout of a project folder: one name for every place. A project outlives the program; everything in it
//! but `project.db` and the lock is a plain file that can be read, copied and compared.

use std::path::{Path, PathBuf};

use crate::{ProjectError, durable};

/// A folder that holds (or will hold) a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folders of a new project in `root`, which may exist but must hold no recipe.
    ///
    /// # Errors
    /// `AlreadyAProject` where a recipe stands there, or the input/output error with its path.
    pub fn create(root: &Path) -> Result<Self, ProjectError> {
        fs_err::create_dir_all(root)?;
        let folder = Self { root: std::path::absolute(root)? };
        if folder.recipe().exists() {
            return Err(ProjectError::AlreadyAProject(folder.root));
        }
        folder.make_places()?;
        Ok(folder)
    }

    /// The layout of a project that may not exist: nothing is looked at or made.
    pub fn planned(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A folder with a recipe in it. Sweeps away what interrupted writes have left.
    ///
    /// # Errors
    /// `NotAProject` where there is no recipe.
    pub fn open(root: &Path) -> Result<Self, ProjectError> {
        let folder = Self { root: std::path::absolute(root)? };
        if !folder.recipe().is_file() {
            return Err(ProjectError::NotAProject(folder.root));
        }
        Ok(folder)
    }

    /// Makes missing places and removes half-written files. Only the owner of the lock may call this.
    pub fn tidy(&self) -> Result<(), ProjectError> {
        self.make_places()?;
        durable::sweep(&self.root)?;
        durable::sweep(&self.arrays())?;
        Ok(())
    }

    fn make_places(&self) -> Result<(), ProjectError> {
        for place in [self.arrays(), self.jobs(), self.exports()] {
            fs_err::create_dir_all(place)?;
        }
        Ok(())
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder's own name, for titles.
    pub fn name(&self) -> String {
        self.root.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    pub fn recipe(&self) -> PathBuf {
        self.root.join("recipe.toml")
    }

    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    pub fn catalogue(&self) -> PathBuf {
        self.root.join("project.db")
    }

    pub fn lock(&self) -> PathBuf {
        self.root.join("project.lock")
    }

    pub fn arrays(&self) -> PathBuf {
        self.root.join("arrays")
    }

    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// Models made inside the project.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// A path of the recipe: relative ones start at the project folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The inverse of [`Self::resolve`] for a recipe: relative where the file lies inside the project, so that the
    /// folder can be moved; absolute elsewhere.
    pub fn relative(&self, path: &Path) -> String {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match absolute.strip_prefix(&self.root) {
            Ok(inside) => inside.to_string_lossy().into_owned(),
            Err(_) => absolute.to_string_lossy().into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_project_is_a_folder_with_a_recipe() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("mine");
        let folder = Folder::create(&root).unwrap();
        assert!(matches!(Folder::open(&root), Err(ProjectError::NotAProject(_))));
        fs_err::write(folder.recipe(), "").unwrap();
        assert_eq!(Folder::open(&root).unwrap(), folder);
        assert!(matches!(Folder::create(&root), Err(ProjectError::AlreadyAProject(_))));
        assert_eq!(folder.name(), "mine");
    }

    #[test]
    fn paths_inside_are_relative_and_outside_absolute() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(&place.path().join("p")).unwrap();
        assert_eq!(folder.relative(&folder.root().join("pool.jsonl")), "pool.jsonl");
        let outside = place.path().join("pool.jsonl");
        assert_eq!(folder.resolve(&folder.relative(&outside)), std::path::absolute(&outside).unwrap());
    }

    #[test]
    fn tidy_removes_what_a_crash_left() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(place.path()).unwrap();
        let left = folder.arrays().join("x.safetensors.99.partial");
        fs_err::write(&left, "half").unwrap();
        folder.tidy().unwrap();
        assert!(!left.exists());
    }
}
