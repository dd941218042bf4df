//! A trainer's output folder: its newest checkpoint, adapter, state and event files, put together to one run.

use std::io::Read;
use std::path::{Path, PathBuf};

use fs_err::File;
use paser_protocol::Trainer;
use serde_json::Value;

use super::state::simple;
use super::{ForeignCurve, ForeignError, ForeignRun, events, read_events, read_state};

const STATE: &str = "trainer_state.json";
const ADAPTER: &str = "adapter_config.json";
/// Folders deep and entries in all that are looked at: a run is far below, and a wrong folder must not take for ever.
const MAX_DEPTH: usize = 4;
const MAX_ENTRIES: usize = 20_000;
/// The card and the configurations are short texts.
const MAX_TEXT: u64 = 1 << 20;

/// What was found below a folder. Links are not followed.
#[derive(Default)]
struct Found {
    /// With the number of its checkpoint; the folder itself counts as the newest.
    states: Vec<(u64, PathBuf)>,
    adapters: Vec<(u64, PathBuf)>,
    events: Vec<PathBuf>,
    entries: usize,
}

/// Reads a run from its output folder.
///
/// # Errors
/// A folder without `trainer_state.json`, event files or adapter, and files that cannot be read.
pub fn read_run(dir: &Path) -> Result<ForeignRun, ForeignError> {
    let mut found = Found::default();
    found.look(dir, number_of(dir).unwrap_or(u64::MAX), 0)?;
    found.events.sort();
    let mut notes = Vec::new();
    if found.entries >= MAX_ENTRIES {
        notes.push(format!("{}: only the first {MAX_ENTRIES} files were looked at.", dir.display()));
    }
    let mut states = Vec::new();
    for (number, path) in &found.states {
        states.push((*number, read_state(path)?));
    }
    // The one that got farthest; of equals the folder's own.
    let state = states.into_iter().max_by_key(|(number, state)| (state.global_step, *number)).map(|(_, state)| state);
    let adapter = found.adapters.into_iter().max_by_key(|(number, _)| *number).map(|(_, path)| path);
    if state.is_none() && found.events.is_empty() && adapter.is_none() {
        return Err(ForeignError::Unreadable {
            path: dir.to_owned(),
            reason: "there is no trainer_state.json, TensorBoard file or adapter. Give the trainer's output folder."
                .to_owned(),
        });
    }
    let state = state.unwrap_or_default();
    let (mut curve, mut settings) = (state.curve, state.settings);
    let began = found.events.iter().filter_map(|path| events::first_time(path)).min_by(f64::total_cmp);
    for path in &found.events {
        match read_events(path, began) {
            Ok(other) => curve.fill_from(other),
            // A killed run leaves an empty file; the others still count.
            Err(error) => curve.notes.push(format!("{error}. It is left out.")),
        }
    }
    let mut base_model = None;
    if let Some(folder) = &adapter {
        let path = folder.join(ADAPTER);
        let config: Value = serde_json::from_str(&text(&path)?)
            .map_err(|error| ForeignError::Unreadable { path, reason: format!("not JSON: {error}. Copy it again.") })?;
        base_model = config.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned);
        settings.extend(simple(&config));
    }
    let ForeignCurve { points, notes: told } = curve;
    notes.extend(told);
    Ok(ForeignRun {
        name: name_of(dir),
        points: points.into_values().collect(),
        base_model,
        adapter,
        settings,
        trainer: trainer_of(dir).or(state.trainer),
        notes,
    })
}

impl Found {
    fn look(&mut self, dir: &Path, number: u64, depth: usize) -> Result<(), ForeignError> {
        let mut entries = Vec::new();
        for entry in fs_err::read_dir(dir)? {
            self.entries += 1;
            if self.entries >= MAX_ENTRIES {
                break;
            }
            entries.push(entry?);
        }
        entries.sort_by_key(fs_err::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && depth < MAX_DEPTH {
                let below = number_of(&path).unwrap_or(if depth == 0 { 0 } else { number });
                self.look(&path, below, depth + 1)?;
            } else if kind.is_file() && name == STATE {
                self.states.push((number, path));
            } else if kind.is_file() && name == ADAPTER {
                self.adapters.push((number, dir.to_owned()));
            } else if kind.is_file() && name.contains(".tfevents.") {
                self.events.push(path);
            }
        }
        Ok(())
    }
}

/// `checkpoint-600` is 600.
fn number_of(dir: &Path) -> Option<u64> {
    dir.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok()
}

fn name_of(dir: &Path) -> String {
    let full = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    full.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A short text file.
fn text(path: &Path) -> Result<String, ForeignError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// By the files and the card that only one trainer writes. axolotl's card names TRL too.
fn trainer_of(dir: &Path) -> Option<Trainer> {
    if dir.join("trainer_log.jsonl").is_file() {
        return Some(Trainer::LlamaFactory);
    }
    let card = text(&dir.join("README.md")).unwrap_or_default();
    let marks = [("axolotl", Trainer::Axolotl), ("llama-factory", Trainer::LlamaFactory), ("- trl", Trainer::Trl)];
    marks.into_iter().find(|(mark, _)| card.contains(mark)).map(|(_, trainer)| trainer)
}
