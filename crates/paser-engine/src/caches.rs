//! What lies on disk and can be had again: models and data sets of the hub, the demo, artefacts of settings that were left. Measured,
//! and cleared one by one.

use std::path::{Path, PathBuf};

use paser_hub::{HubEnv, clear_downloads};
use paser_project::{Folder, Lock};
use paser_protocol::CacheView;

use crate::{
    session::Session,
    trouble::{Outcome, Told, usage},
};

const DEMO: &str = "demo";
const SPARE: &str = "spare";
const HUB: &str = "hub:";
/// How the hub's cache names the folder of a model or data set, and what stands before its name here.
const FOLDERS: [(&str, &str); 2] = [("models--", ""), ("datasets--", "datasets/")];

/// Bytes of the files below a folder, links not followed: in the hub's cache they point at files counted already.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs_err::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |metadata| metadata.len()),
            _ => 0,
        })
        .sum()
}

/// Models and data sets of the hub's cache: name and folder.
fn downloads(env: &HubEnv) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs_err::read_dir(&env.cache) else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| {
            let folder = entry.file_name().to_string_lossy().into_owned();
            let named = |(start, kind): (&str, &str)| {
                Some(format!("{kind}{}", folder.strip_prefix(start)?.replacen("--", "/", 1)))
            };
            Some((FOLDERS.into_iter().find_map(named)?, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Everything that can be cleared, with its size.
pub fn list(state: &Path, session: Option<&Session>) -> Vec<CacheView> {
    let mut caches = Vec::new();
    let demo = state.join("demo");
    if demo.is_dir() {
        let open = session.is_some_and(|session| session.root().starts_with(&demo));
        caches.push(CacheView {
            id: DEMO.to_owned(),
            name: "the demo project".to_owned(),
            path: demo.display().to_string(),
            bytes: size(&demo),
            cost: "what was edited in it is lost; opening the demo makes it again".to_owned(),
            held: open.then(|| "it is open".to_owned()),
        });
    }
    if let Some(session) = session {
        let bytes = session.spare_artefacts().map_or(0, |spare| spare.iter().map(|(.., bytes)| bytes).sum());
        let busy = session.view().job.is_some();
        caches.push(CacheView {
            id: SPARE.to_owned(),
            name: format!("results of earlier settings of {}", session.view().name),
            path: session.root().join("arrays").display().to_string(),
            bytes,
            cost: "going back to those settings computes them again".to_owned(),
            held: match (busy, bytes) {
                (true, _) => Some("a job is running".to_owned()),
                (false, 0) => Some("there are none".to_owned()),
                _ => None,
            },
        });
    }
    if let Ok(env) = HubEnv::from_process() {
        for (name, path) in downloads(&env) {
            caches.push(CacheView {
                id: format!("{HUB}{name}"),
                bytes: size(&path),
                path: path.display().to_string(),
                cost: "other programs of this machine share it; the next use downloads it again".to_owned(),
                held: None,
                name,
            });
        }
    }
    caches
}

/// Clears one of [`list`]; the bytes that it gave back.
///
/// # Errors
/// An id that is none of them; something in use; a file that cannot be removed.
pub fn clear(state: &Path, session: Option<&Session>, id: &str) -> Outcome<u64> {
    let known = list(state, session);
    let Some(cache) = known.iter().find(|cache| cache.id == id) else {
        let ids: Vec<&str> = known.iter().map(|cache| cache.id.as_str()).collect();
        let there = if ids.is_empty() { "there is nothing to clear".to_owned() } else { ids.join(", ") };
        return Err(usage(format!("Nothing is kept under {id:?}."), format!("What there is: {there}.")));
    };
    if let Some(why) = &cache.held {
        return Err(usage(format!("{} cannot be cleared: {why}.", cache.name), ""));
    }
    match (id, session) {
        (SPARE, Some(session)) => {
            for (stage, key, _) in session.spare_artefacts()? {
                session.store.remove(&stage, &key).map_err(Told::told)?;
            }
        }
        (DEMO, _) => clear_demo(state, Path::new(&cache.path))?,
        _ => {
            let folder = Path::new(&cache.path).file_name().unwrap_or_default().to_string_lossy();
            let env = HubEnv::from_process().map_err(Told::told)?;
            if !clear_downloads(&env, &folder).map_err(Told::told)? {
                return Err(usage(
                    format!("{} cannot be cleared: a program is downloading into it.", cache.name),
                    "Wait for it, or stop it.",
                ));
            }
        }
    }
    Ok(cache.bytes)
}

/// Another window's demo is not pulled from under it, and nobody opens one that is half gone.
fn clear_demo(state: &Path, demo: &Path) -> Outcome<()> {
    let folder = Folder::open(demo).ok();
    let lock = folder.map(|folder| Lock::acquire(&folder.lock()).map_err(Told::told)).transpose()?;
    // There a folder with an open file in it has no other name.
    let lock = lock.filter(|_| !cfg!(windows));
    let aside = state.join(format!("demo.removed-{}", std::process::id()));
    fs_err::rename(demo, &aside).map_err(Told::told)?;
    drop(lock);
    fs_err::remove_dir_all(&aside).map_err(Told::told)
}

impl Session {
    /// Artefacts that nothing refers to: stage, key, bytes.
    fn spare_artefacts(&self) -> Outcome<Vec<(String, String, u64)>> {
        let mut spare = Vec::new();
        for manifest in self.store.list().map_err(Told::told)? {
            if !self.is_in_use(&manifest.stage, &manifest.key)? {
                spare.push((manifest.stage, manifest.key, manifest.bytes));
            }
        }
        Ok(spare)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_demo_is_measured_and_cleared_and_nothing_else_is() {
        let state = tempfile::tempdir().unwrap();
        let own =
            |list: Vec<CacheView>| list.into_iter().filter(|cache| !cache.id.starts_with(HUB)).collect::<Vec<_>>();
        assert!(own(list(state.path(), None)).is_empty());
        fs_err::create_dir_all(state.path().join("demo/arrays")).unwrap();
        fs_err::write(state.path().join("demo/arrays/a"), [0; 1000]).unwrap();
        fs_err::write(state.path().join("recent.json"), "[]").unwrap();
        let found = own(list(state.path(), None));
        assert_eq!((found.len(), found[0].id.as_str(), found[0].bytes), (1, DEMO, 1000));
        let refused = clear(state.path(), None, "../recent.json").unwrap_err();
        assert!(refused.what.contains("recent.json"), "{refused}");
        assert_eq!(clear(state.path(), None, DEMO).unwrap(), 1000);
        assert!(!state.path().join("demo").exists() && state.path().join("recent.json").exists());
    }

    #[test]
    fn a_demo_that_another_window_has_open_stays_whole() {
        let state = tempfile::tempdir().unwrap();
        let demo = state.path().join("demo");
        fs_err::create_dir_all(&demo).unwrap();
        fs_err::write(demo.join("recipe.toml"), "").unwrap();
        let held = Lock::acquire(&Folder::open(&demo).unwrap().lock()).unwrap();
        assert!(clear(state.path(), None, DEMO).is_err());
        assert!(demo.join("recipe.toml").exists());
        drop(held);
        clear(state.path(), None, DEMO).unwrap();
        assert_eq!(fs_err::read_dir(state.path()).unwrap().count(), 0, "nor is anything left beside it");
    }
}
