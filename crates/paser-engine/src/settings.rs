//! What a person set for the engine (threads, memory), in the state folder beside the recent projects.

use std::path::{Path, PathBuf};

use paser_project::write_durably;
use paser_protocol::{DeviceView, EngineSettings};

use crate::{
    machine,
    trouble::{Outcome, Told, failed, usage},
};

/// The least that a limit of memory may be: below it no stage runs.
const LEAST_MEMORY: u64 = 64 << 20;
const MOST_THREADS: u32 = 1024;

fn file(state: &Path) -> PathBuf {
    state.join("settings.json")
}

/// The settings, and why a file of them could not be read.
pub(crate) fn read(state: &Path) -> (EngineSettings, Option<String>) {
    let path = file(state);
    let text = match fs_err::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Default::default(),
        Err(error) => return (EngineSettings::default(), Some(error.to_string())),
    };
    match serde_json::from_slice(&text) {
        Ok(settings) => (settings, None),
        Err(error) => (EngineSettings::default(), Some(format!("{}: {error}", path.display()))),
    }
}

/// # Errors
/// A number out of range; a state folder that cannot be written.
pub(crate) fn write(state: &Path, settings: EngineSettings) -> Outcome<()> {
    if settings.threads > MOST_THREADS {
        return Err(usage(format!("{} threads are too many.", settings.threads), "Use at most 1,024, or 0 for all."));
    }
    if settings.memory.is_some_and(|memory| memory < LEAST_MEMORY) {
        return Err(usage("No stage runs in less than 64 MiB of memory.", "Allow more, or set no limit."));
    }
    let text = serde_json::to_vec_pretty(&settings).map_err(|error| failed(error.to_string(), ""))?;
    fs_err::create_dir_all(state).map_err(Told::told)?;
    write_durably(&file(state), &text).map_err(Told::told)
}

/// Where models run, and why not elsewhere.
pub(crate) fn devices() -> Vec<DeviceView> {
    let missing = |name: &str, why: &str| DeviceView { name: name.to_owned(), missing: Some(why.to_owned()) };
    vec![
        DeviceView { name: format!("processor: {}", machine::describe()), missing: None },
        missing("CUDA", "this build computes on the processor only; graphics cards come with a later version"),
        missing("Metal", "this build computes on the processor only; graphics cards come with a later version"),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn settings_come_back_and_a_broken_file_is_told() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(read(place.path()), Default::default());
        let settings = EngineSettings { threads: 3, memory: Some(4 << 30) };
        write(place.path(), settings).unwrap();
        assert_eq!(read(place.path()), (settings, None));
        assert!(write(place.path(), EngineSettings { memory: Some(1), ..settings }).is_err());
        assert!(write(place.path(), EngineSettings { threads: 5_000, ..settings }).is_err());
        assert_eq!(read(place.path()).0, settings, "what is refused changes nothing");
        fs_err::write(place.path().join("settings.json"), "{").unwrap();
        let (settings, trouble) = read(place.path());
        assert_eq!(settings, EngineSettings::default());
        assert!(trouble.unwrap().contains("settings.json"));
    }
}
