//! What the program remembers between starts: recently opened projects, in the person's state folder.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use paser_project::write_durably;
use paser_protocol::{ProjectView, Recent};

const KEPT: usize = 12;

/// The state folder of this person: `$XDG_STATE_HOME/paser-studio`, or where the system keeps such things.
pub fn state_folder() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = std::env::home_dir().unwrap_or_else(std::env::temp_dir);
    let base = variable("XDG_STATE_HOME").unwrap_or_else(|| {
        if cfg!(target_os = "windows") {
            variable("LOCALAPPDATA").unwrap_or_else(|| home.join("AppData").join("Local"))
        } else if cfg!(target_os = "macos") {
            home.join("Library").join("Application Support")
        } else {
            home.join(".local").join("state")
        }
    });
    base.join("paser-studio")
}

fn file(state: &Path) -> PathBuf {
    state.join("recent.json")
}

/// Projects that are still there, the last opened first.
pub(crate) fn read(state: &Path) -> Vec<Recent> {
    let Ok(text) = fs_err::read(file(state)) else { return Vec::new() };
    let recent: Vec<Recent> = serde_json::from_slice(&text).unwrap_or_default();
    recent.into_iter().filter(|recent| Path::new(&recent.path).join("recipe.toml").is_file()).collect()
}

/// Puts a project first. A state folder that cannot be written costs the list, not the project.
pub(crate) fn remember(state: &Path, view: &ProjectView) {
    let samples = crate::sources::short_count(view.pool.samples);
    let line = match (view.pool.samples, view.pruning.is_empty()) {
        (0, _) => "not run yet".to_owned(),
        (_, true) => format!("{samples} samples"),
        (_, false) => format!("{}, {samples} samples", view.pruning),
    };
    let opened = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut recent = read(state);
    recent.retain(|known| known.path != view.path);
    recent.insert(0, Recent { name: view.name.clone(), path: view.path.clone(), line, opened });
    recent.truncate(KEPT);
    let written = fs_err::create_dir_all(state)
        .and_then(|()| serde_json::to_vec_pretty(&recent).map_err(std::io::Error::from))
        .and_then(|text| write_durably(&file(state), &text));
    if let Err(error) = written {
        tracing::warn!(%error, "the list of recent projects could not be written");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_list_that_is_no_list_is_an_empty_one() {
        let place = tempfile::tempdir().unwrap();
        assert!(read(place.path()).is_empty());
        fs_err::write(file(place.path()), "{").unwrap();
        assert!(read(place.path()).is_empty());
    }
}
