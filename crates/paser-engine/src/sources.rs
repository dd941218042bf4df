//! Pools and models as a recipe names them: found, stamped and hashed. A hash is remembered with the sizes and times
//! of the files it was made of, so that looking at a project reads no weights; whatever changed is read again.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use paser_data::{Template, Tokenizer};
use paser_hub::{HubEnv, ModelId, Pattern, cached_model, encoder_files, fetch_model, model_files};
use paser_model::{Checkpoint, SentenceEncoder, inspect};
use paser_project::{Catalogue, Folder, sha256_file, sha256_hex};
use paser_protocol::{Monitor, Report};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::trouble::{Outcome, Told, unusable};

/// A file younger than this may still change without its time changing.
const SETTLED: Duration = Duration::from_millis(50);

/// What a model reference is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Encoder,
}

impl Kind {
    fn files(self) -> Vec<Pattern> {
        match self {
            Self::Model => model_files(),
            Self::Encoder => encoder_files(),
        }
    }
}

/// Everything about a decoder's folder that keys and views need without reading it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelFacts {
    /// SHA-256 of description and weights.
    pub content: String,
    /// SHA-256 of the tokenizer; none where the folder has none.
    pub tokenizer: Option<String>,
    /// Fingerprint of the tokenizer's own chat template, where there is one.
    pub chat: Option<String>,
    pub context: usize,
    /// Logits of the model, and entries of its tokenizer.
    pub vocab: usize,
    pub vocabulary: usize,
    pub parameters: u64,
    pub layers: usize,
    /// Share of zeros in the projections, and an N:M pattern that all of them keep.
    pub zeros: f64,
    pub pattern: Option<(usize, usize)>,
    pub family: String,
    pub dtype: String,
    /// What the folder's own note says about its pruning: `Wanda 60 %`.
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EncoderFacts {
    pub content: String,
    pub dimensions: usize,
}

/// What is known of a source without reading it.
#[derive(Clone, Debug)]
pub(crate) enum Known<T> {
    /// Unchanged since it was read.
    Yes(T),
    /// Not there any more; what was read when it was.
    Gone(T),
    /// There, but changed or never read.
    Unread,
    /// Not there, and never read.
    Absent(Report),
}

impl<T> Known<T> {
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Yes(value) | Self::Gone(value) => Some(value),
            Self::Unread | Self::Absent(_) => None,
        }
    }
}

/// Name, size and time of a file, or of every file in a folder.
fn stamp(path: &Path) -> Option<(String, SystemTime)> {
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in fs_err::read_dir(path).ok()? {
            files.push(entry.ok()?.path());
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let mut text = String::new();
    let mut newest = UNIX_EPOCH;
    for file in files {
        // Cache folders of the hub hold links: what they point at counts.
        let Ok(facts) = fs_err::metadata(&file) else { continue };
        if facts.is_dir() {
            continue;
        }
        let time = facts.modified().ok()?;
        newest = newest.max(time);
        let nanoseconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name} {} {nanoseconds}", facts.len());
    }
    (!text.is_empty()).then(|| (sha256_hex(text.as_bytes()), newest))
}

fn remembered<T: DeserializeOwned>(catalogue: &Catalogue, name: &str) -> Option<(String, T)> {
    let (stamp, value) = catalogue.stamped(name).ok()??;
    Some((stamp, serde_json::from_str(&value).ok()?))
}

fn known<T: DeserializeOwned>(catalogue: &Catalogue, name: &str, place: Outcome<PathBuf>) -> Known<T> {
    let memory = remembered::<T>(catalogue, name);
    match (place.map(|path| stamp(&path)), memory) {
        (Ok(Some((now, _))), Some((then, value))) if now == then => Known::Yes(value),
        (Ok(Some(_)), _) => Known::Unread,
        (Ok(None) | Err(_), Some((_, value))) => Known::Gone(value),
        (Err(report), None) => Known::Absent(report),
        (Ok(None), None) => Known::Absent(unusable(format!("{name}: nothing is there"), "Check the path.")),
    }
}

/// Reads what is not known, with the stamp taken before the reading.
fn learn<T: Serialize + DeserializeOwned>(
    catalogue: &std::sync::Mutex<Catalogue>,
    name: &str,
    path: &Path,
    read: impl FnOnce() -> Outcome<T>,
) -> Outcome<T> {
    let mut now = stamp(path);
    if let Some((_, newest)) = &now
        && let Ok(age) = newest.elapsed()
        && age < SETTLED
    {
        thread::sleep(SETTLED);
        now = stamp(path);
    }
    let lock = || catalogue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let (Some((now, _)), Some((then, value))) = (&now, remembered::<T>(&lock(), name))
        && *now == then
    {
        return Ok(value);
    }
    let value = read()?;
    if let Some((stamp, _)) = now {
        let text = serde_json::to_string(&value).map_err(|error| crate::trouble::failed(error.to_string(), ""))?;
        lock().set_stamped(name, &stamp, &text).map_err(Told::told)?;
    }
    Ok(value)
}

/// Finds a model without touching the network.
pub(crate) fn find_model(folder: &Folder, reference: &str, kind: Kind) -> Outcome<PathBuf> {
    let path = folder.resolve(reference);
    if path.is_dir() {
        return Ok(path);
    }
    match reference.parse::<ModelId>() {
        Ok(id) if !looks_like_a_path(reference) => {
            let env = HubEnv::from_process().map_err(Told::told)?;
            cached_model(&id, &kind.files(), &env).ok_or_else(|| {
                unusable(
                    format!("{reference} is not downloaded yet"),
                    "It is fetched from the hub when a stage needs it.",
                )
            })
        }
        _ => Err(unusable(
            format!("{}: there is no model folder", path.display()),
            "Give the path of a folder, or a hub id: org/name.",
        )),
    }
}

/// Finds a model, downloading it if need be. `monitor` counts bytes.
pub(crate) fn obtain_model(folder: &Folder, reference: &str, kind: Kind, monitor: &dyn Monitor) -> Outcome<PathBuf> {
    match find_model(folder, reference, kind) {
        Ok(path) => Ok(path),
        Err(report) => match reference.parse::<ModelId>() {
            Ok(id) if !looks_like_a_path(reference) => {
                let env = HubEnv::from_process().map_err(Told::told)?;
                fetch_model(&id, &kind.files(), &env, monitor).map_err(Told::told)
            }
            _ => Err(report),
        },
    }
}

fn looks_like_a_path(reference: &str) -> bool {
    reference.starts_with(['/', '.', '~']) || reference.contains('\\') || reference.matches('/').count() > 1
}

/// What is remembered of the pool file: its SHA-256.
pub(crate) fn known_pool(catalogue: &Catalogue, folder: &Folder, reference: &str) -> Known<String> {
    let path = folder.resolve(reference);
    let place = if path.is_file() {
        Ok(path)
    } else {
        Err(unusable(format!("{}: there is no such pool file", path.display()), "Correct `pool.path` in recipe.toml."))
    };
    known(catalogue, &format!("pool {reference}"), place)
}

pub(crate) fn pool_hash(catalogue: &std::sync::Mutex<Catalogue>, folder: &Folder, reference: &str) -> Outcome<String> {
    let path = folder.resolve(reference);
    learn(catalogue, &format!("pool {reference}"), &path, || sha256_file(&path).map_err(Told::told))
}

pub(crate) fn known_model(catalogue: &Catalogue, folder: &Folder, reference: &str) -> Known<ModelFacts> {
    known(catalogue, &format!("model {reference}"), find_model(folder, reference, Kind::Model))
}

/// Reads a decoder's folder whole: hash of the weights, zeros, tokenizer. `monitor` counts parameters.
pub(crate) fn model_facts(
    catalogue: &std::sync::Mutex<Catalogue>,
    reference: &str,
    path: &Path,
    monitor: &dyn Monitor,
) -> Outcome<ModelFacts> {
    learn(catalogue, &format!("model {reference}"), path, || {
        let checkpoint = Checkpoint::open(path).map_err(Told::told)?;
        let report = inspect::inspect(&checkpoint, monitor).map_err(Told::told)?;
        let tokenizer = match checkpoint.tokenizer_path() {
            Some(_) => Some(Tokenizer::from_model_dir(path).map_err(Told::told)?),
            None => None,
        };
        let projections = || report.layers.iter().flat_map(|layer| &layer.projections);
        let zeros: u64 = projections().map(|projection| projection.zeros).sum();
        let weights: u64 = projections().map(|projection| (projection.rows * projection.columns) as u64).sum();
        Ok(ModelFacts {
            content: checkpoint.content_hash().map_err(Told::told)?,
            tokenizer: tokenizer.as_ref().map(Tokenizer::hash_hex),
            chat: Template::by_name("chat", path).ok().map(|template| template.fingerprint()),
            context: report.context,
            vocab: report.vocab,
            vocabulary: tokenizer.as_ref().map_or(0, Tokenizer::vocabulary),
            parameters: report.parameters,
            layers: report.layers.len(),
            zeros: zeros as f64 / weights.max(1) as f64,
            pattern: report.pattern.map(|pattern| (pattern.kept, pattern.group)),
            family: report.family.label().to_owned(),
            dtype: report.dtype,
            note: pruning_note(path),
        })
    })
}

/// The note that our own pruning leaves beside the weights, in words.
fn pruning_note(path: &Path) -> Option<String> {
    let note: serde_json::Value = serde_json::from_slice(&fs_err::read(path.join("paser-prune.json")).ok()?).ok()?;
    let method = match note.get("method")?.as_str()? {
        "wanda" => "Wanda",
        "magnitude" => "magnitude",
        other => other,
    };
    let pattern = note.get("pattern")?.as_str()?;
    Some(match pattern.parse::<f64>() {
        Ok(share) => format!("{method} {:.0} %", share * 100.0),
        Err(_) => format!("{method} {pattern}"),
    })
}

pub(crate) fn known_encoder(catalogue: &Catalogue, folder: &Folder, reference: &str) -> Known<EncoderFacts> {
    known(catalogue, &format!("encoder {reference}"), find_model(folder, reference, Kind::Encoder))
}

/// Loads the encoder if its facts are not remembered.
pub(crate) fn encoder_facts(
    catalogue: &std::sync::Mutex<Catalogue>,
    reference: &str,
    path: &Path,
) -> Outcome<EncoderFacts> {
    learn(catalogue, &format!("encoder {reference}"), path, || {
        let encoder = SentenceEncoder::load(path).map_err(Told::told)?;
        Ok(EncoderFacts { content: encoder.content_hash().to_owned(), dimensions: encoder.dimensions() })
    })
}

/// What pruning did, in words, from what differs between the two models.
pub(crate) fn pruning_words(dense: &ModelFacts, pruned: &ModelFacts) -> String {
    if let Some(note) = &pruned.note {
        return note.clone();
    }
    let mut words = Vec::new();
    if pruned.layers < dense.layers {
        words.push(format!("{} of {} layers removed", dense.layers - pruned.layers, dense.layers));
    }
    match pruned.pattern {
        Some((kept, group)) => words.push(format!("{kept}:{group}")),
        None if pruned.zeros > dense.zeros + 0.005 => words.push(format!("{:.0} % zeros", pruned.zeros * 100.0)),
        None => {}
    }
    if pruned.layers == dense.layers && pruned.parameters < dense.parameters {
        let gone = 1.0 - pruned.parameters as f64 / dense.parameters as f64;
        words.push(format!("{:.0} % fewer parameters", gone * 100.0));
    }
    if words.is_empty() { "no difference in shape or zeros".to_owned() } else { words.join(", ") }
}

/// Reads the headers of a model folder and says in a line what it is.
pub(crate) fn describe_model(path: &Path) -> Outcome<String> {
    let checkpoint = Checkpoint::open(path).map_err(Told::told)?;
    let spec = checkpoint.spec();
    let tokenizer = Tokenizer::from_model_dir(path).map_err(Told::told)?;
    Ok(format!(
        "{}, {} layers, {} parameters, {}, context {}, vocabulary {}",
        spec.family.label(),
        spec.layers.len(),
        short_count(spec.parameters()),
        spec.weights_dtype,
        spec.context,
        tokenizer.vocabulary()
    ))
}

pub(crate) fn describe_encoder(path: &Path) -> Outcome<String> {
    let encoder = SentenceEncoder::load(path).map_err(Told::told)?;
    Ok(format!("sentence encoder, {} dimensions", encoder.dimensions()))
}

/// `5.4 M`
pub(crate) fn short_count(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", count as f64 / 1e6),
        _ => format!("{:.1} G", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stamp_follows_name_size_and_time() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("model.safetensors");
        fs_err::write(&file, "abc").unwrap();
        let first = stamp(place.path()).unwrap().0;
        assert_eq!(stamp(place.path()).unwrap().0, first);
        fs_err::write(&file, "abcd").unwrap();
        let second = stamp(place.path()).unwrap().0;
        assert_ne!(first, second);
        fs_err::rename(&file, place.path().join("other.safetensors")).unwrap();
        assert_ne!(stamp(place.path()).unwrap().0, second);
        assert!(stamp(&place.path().join("nothing")).is_none());
    }

    #[test]
    fn what_was_learnt_is_kept_until_the_file_changes() {
        let place = tempfile::tempdir().unwrap();
        let catalogue = std::sync::Mutex::new(Catalogue::open(&place.path().join("project.db")).unwrap());
        let file = place.path().join("pool.jsonl");
        fs_err::write(&file, "one").unwrap();
        let read = |text: &str| {
            let text = text.to_owned();
            learn(&catalogue, "pool", &file, || Ok(text)).unwrap()
        };
        assert_eq!(read("first"), "first");
        assert_eq!(read("second"), "first");
        fs_err::write(&file, "two, longer").unwrap();
        assert_eq!(read("third"), "third");
        fs_err::remove_file(&file).unwrap();
        let gone = known::<String>(&catalogue.lock().unwrap(), "pool", Ok(file.clone()));
        assert!(matches!(gone, Known::Gone(value) if value == "third"));
    }

    #[test]
    fn paths_are_no_hub_ids() {
        assert!(looks_like_a_path("./a/b") && looks_like_a_path("/a") && looks_like_a_path("a/b/c"));
        assert!(!looks_like_a_path("org/name") && !looks_like_a_path("org/name@main"));
    }
}
