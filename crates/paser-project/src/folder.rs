//! The layout of a project folder: one name for every place. A project outlives the program; everything in it
//! but `project.db` and the lock is a plain file that can be read, copied and compared.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{ProjectError, durable, lock};

/// How the names of [`Folder::download_place`] begin.
const DOWNLOAD: &str = ".download-";

/// A folder that holds (or will hold) a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folders of a new project in `root`, which may exist but must hold no recipe.
    ///
    /// # Errors
    /// As [`Self::check_free`], or the input/output error with its path.
    pub fn create(root: &Path) -> Result<Self, ProjectError> {
        Self::check_free(root)?;
        fs_err::create_dir_all(root)?;
        let folder = Self { root: std::path::absolute(root)? };
        folder.make_places()?;
        Ok(folder)
    }

    /// Looks whether a project could be made in `root`, and makes nothing.
    ///
    /// # Errors
    /// `AlreadyAProject` where a recipe stands there, `NoFolder` where `root` is a file.
    pub fn check_free(root: &Path) -> Result<(), ProjectError> {
        let folder = Self { root: std::path::absolute(root)? };
        if folder.recipe().exists() {
            return Err(ProjectError::AlreadyAProject(folder.root));
        }
        if folder.root.is_file() {
            return Err(ProjectError::NoFolder(folder.root));
        }
        Ok(())
    }

    /// The layout of a project that may not exist: nothing is looked at or made.
    pub fn planned(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A folder with a recipe in it; nothing is changed. [`Self::tidy`] sweeps, once the lock is held.
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

    /// Makes missing places and removes what interrupted writes have left: half-written files of the project and of its
    /// exports. Only the owner of the lock may call this.
    pub fn tidy(&self) -> Result<(), ProjectError> {
        self.make_places()?;
        durable::sweep(&self.root)?;
        durable::sweep(&self.arrays())?;
        durable::sweep_where(&self.exports(), |name| name.starts_with(DOWNLOAD) || left_by_dead(name))?;
        Ok(())
    }

    /// A place for an export that is handed out and removed again; unlike any other of this process.
    pub fn download_place(&self) -> PathBuf {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        self.exports().join(format!("{DOWNLOAD}{}-{number}", std::process::id()))
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

/// Whether `name` is the temporary name of an export whose process is gone. Others may write into the folder, too:
/// what a living process writes is left alone.
fn left_by_dead(name: &str) -> bool {
    name.starts_with('.') && durable::writer(name, ".part").is_some_and(|pid| !lock::is_running(pid))
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
        assert!(matches!(Folder::create(&folder.recipe()), Err(ProjectError::NoFolder(_))));
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
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let export = folder.exports().join(format!(".train.json.{dead}.part"));
        let at_work = folder.exports().join(format!(".train.json.{}.part", std::process::id()));
        let exported = folder.exports().join("train.json");
        for file in [&export, &at_work, &exported] {
            fs_err::write(file, "half").unwrap();
        }
        let download = folder.exports().join(".download-17-0");
        fs_err::create_dir(&download).unwrap();
        fs_err::write(download.join("train.json"), "half").unwrap();
        folder.tidy().unwrap();
        for gone in [&left, &download, &export] {
            assert!(!gone.exists(), "{}", gone.display());
        }
        for kept in [&at_work, &exported] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }
}
