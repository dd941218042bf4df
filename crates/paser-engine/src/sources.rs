//! Models as a recipe names them: found, stamped and hashed. A hash is remembered with the sizes and times
//! of the files it was made of, so that looking at a project reads no weights; whatever changed is read again.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use paser_data::{Template, Tokenizer};
use paser_hub::{ModelId, Pattern, cached_model, encoder_files, fetch_model, model_files};
use paser_model::{Checkpoint, SentenceEncoder, inspect};
use paser_project::{Catalogue, Folder, sha256_hex};
use paser_protocol::{Monitor, Report};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    hub,
    trouble::{Outcome, Told, unusable},
};

/// A file younger than this may still change without its time changing.
const SETTLED: Duration = Duration::from_millis(50);

/// What a model reference is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A language model.
    Model,
    /// A sentence encoder.
    Encoder,
}

impl Kind {
    pub(crate) fn files(self) -> Vec<Pattern> {
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

/// The files whose change is a change of what is at `path`: the file itself; of a folder every file in it, and those
/// that `patterns` name in folders inside it. Names are relative to the folder.
fn stamped_files(path: &Path, patterns: &[Pattern]) -> Option<Vec<(String, PathBuf)>> {
    if !path.is_dir() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Some(vec![(name, path.to_owned())]);
    }
    let named = patterns.iter().filter_map(|pattern| pattern.glob.rsplit_once('/')).map(|(folder, _)| folder);
    let inner: BTreeSet<&str> = named.collect();
    let mut files = Vec::new();
    for entry in fs_err::read_dir(path).ok()? {
        let entry = entry.ok()?;
        files.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    for folder in inner {
        for entry in fs_err::read_dir(path.join(folder)).into_iter().flatten().flatten() {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if patterns.iter().any(|pattern| pattern.matches(&name)) {
                files.push((name, entry.path()));
            }
        }
    }
    files.sort();
    Some(files)
}

/// When the system says that content or name changed last: unlike the time of writing it cannot be set, so that a
/// file of the same size and time copied over another one is seen.
#[cfg(unix)]
fn changed(facts: &std::fs::Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = Duration::from_secs(u64::try_from(facts.ctime()).ok()?);
    UNIX_EPOCH.checked_add(seconds + Duration::from_nanos(u64::try_from(facts.ctime_nsec()).ok()?))
}

#[cfg(not(unix))]
fn changed(_: &std::fs::Metadata) -> Option<SystemTime> {
    None
}

/// Names, sizes and times of [`stamped_files`] in one hash, and the newest time.
fn stamp(path: &Path, patterns: &[Pattern]) -> Option<(String, SystemTime)> {
    stamp_of(stamped_files(path, patterns)?.into_iter())
}

/// Names, sizes and times of files in one hash, and the newest time; none where none is there.
pub(crate) fn stamp_of(files: impl Iterator<Item = (String, PathBuf)>) -> Option<(String, SystemTime)> {
    let mut text = String::new();
    let mut newest = UNIX_EPOCH;
    for (name, file) in files {
        // Cache folders of the hub hold links: what they point at counts.
        let Ok(facts) = fs_err::metadata(&file) else { continue };
        if facts.is_dir() {
            continue;
        }
        let written = facts.modified().ok()?;
        let changed = changed(&facts).unwrap_or(written);
        newest = newest.max(written).max(changed);
        let nanoseconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name} {} {} {}", facts.len(), nanoseconds(written), nanoseconds(changed));
    }
    (!text.is_empty()).then(|| (sha256_hex(text.as_bytes()), newest))
}

fn remembered<T: DeserializeOwned>(catalogue: &Catalogue, name: &str) -> Option<(String, T)> {
    let (stamp, value) = catalogue.stamped(name).ok()??;
    Some((stamp, serde_json::from_str(&value).ok()?))
}

fn known<T: DeserializeOwned>(
    catalogue: &Catalogue,
    name: &str,
    patterns: &[Pattern],
    place: Outcome<PathBuf>,
) -> Known<T> {
    known_by(catalogue, name, place.map(|path| stamp(&path, patterns)))
}

/// What is remembered under `name`, by the stamp of what is there now.
pub(crate) fn known_by<T: DeserializeOwned>(
    catalogue: &Catalogue,
    name: &str,
    now: Outcome<Option<(String, SystemTime)>>,
) -> Known<T> {
    match (now, remembered::<T>(catalogue, name)) {
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
    patterns: &[Pattern],
    read: impl FnOnce() -> Outcome<T>,
) -> Outcome<T> {
    learn_by(catalogue, name, || stamp(path, patterns), read)
}

/// The same for what is stamped in another way.
pub(crate) fn learn_by<T: Serialize + DeserializeOwned>(
    catalogue: &std::sync::Mutex<Catalogue>,
    name: &str,
    stamp: impl Fn() -> Option<(String, SystemTime)>,
    read: impl FnOnce() -> Outcome<T>,
) -> Outcome<T> {
    let mut now = stamp();
    if let Some((_, newest)) = &now
        && let Ok(age) = newest.elapsed()
        && age < SETTLED
    {
        thread::sleep(SETTLED);
        now = stamp();
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

/// Why a model's folder is not at hand.
#[derive(Clone, Debug)]
pub(crate) enum NotHere {
    /// A hub id that is fetched when a stage needs it.
    NotDownloaded(ModelId),
    Unusable(Report),
}

impl From<NotHere> for Report {
    fn from(why: NotHere) -> Self {
        match why {
            NotHere::NotDownloaded(id) => {
                unusable(format!("{id} is not downloaded yet"), "It is fetched from the hub when a stage needs it.")
            }
            NotHere::Unusable(report) => report,
        }
    }
}

/// Finds a model without touching the network.
pub(crate) fn find_model(folder: &Folder, reference: &str, kind: Kind) -> Result<PathBuf, NotHere> {
    let path = folder.resolve(reference);
    if path.is_dir() {
        return Ok(path);
    }
    if path.is_file() {
        return Err(NotHere::Unusable(unusable(
            format!("{} is a file: a model is a folder with config.json and safetensors", path.display()),
            "Give the folder that holds it.",
        )));
    }
    match reference.parse::<ModelId>() {
        Ok(id) if !looks_like_a_path(reference) => {
            let env = hub::env().map_err(NotHere::Unusable)?;
            cached_model(&id, &kind.files(), &env).ok_or(NotHere::NotDownloaded(id))
        }
        _ => Err(NotHere::Unusable(unusable(
            format!("{}: there is no such folder", path.display()),
            "Give the folder of a model, or a hub id such as org/name.",
        ))),
    }
}

/// Finds a model, downloading it if need be. `monitor` counts bytes.
pub(crate) fn obtain_model(folder: &Folder, reference: &str, kind: Kind, monitor: &dyn Monitor) -> Outcome<PathBuf> {
    match find_model(folder, reference, kind) {
        Ok(path) => Ok(path),
        Err(NotHere::NotDownloaded(id)) => {
            let env = hub::env()?;
            fetch_model(&id, &kind.files(), &env, monitor).map_err(Told::told)
        }
        Err(NotHere::Unusable(report)) => Err(report),
    }
}

/// The folder of a model that is named outside a project: a path from the current folder, or a hub id, of which what is
/// missing is downloaded. `monitor` counts bytes.
///
/// # Errors
/// No such folder, no such model on the hub, whatever keeps a download from ending.
pub fn model_folder(reference: &str, kind: Kind, monitor: &dyn Monitor) -> Outcome<PathBuf> {
    // Joined to nothing, a relative path stays as it was typed, in messages too.
    obtain_model(&Folder::planned(Path::new("")), reference, kind, monitor)
}

fn looks_like_a_path(reference: &str) -> bool {
    reference.starts_with(['/', '.', '~']) || reference.contains('\\') || reference.matches('/').count() > 1
}

pub(crate) fn known_model(catalogue: &Catalogue, folder: &Folder, reference: &str) -> Known<ModelFacts> {
    let place = find_model(folder, reference, Kind::Model).map_err(Report::from);
    known(catalogue, &format!("model {reference}"), &Kind::Model.files(), place)
}

/// Reads a decoder's folder whole: zeros and hash of the weights, tokenizer. `monitor` counts every parameter twice.
pub(crate) fn model_facts(
    catalogue: &std::sync::Mutex<Catalogue>,
    reference: &str,
    path: &Path,
    monitor: &dyn Monitor,
) -> Outcome<ModelFacts> {
    learn(catalogue, &format!("model {reference}"), path, &Kind::Model.files(), || {
        let checkpoint = Checkpoint::open(path).map_err(Told::told)?;
        let total = checkpoint.spec().parameters();
        let half = |number| Half { monitor, number, total };
        let report = inspect::inspect(&checkpoint, &half(0)).map_err(Told::told)?;
        let tokenizer = match checkpoint.tokenizer_path() {
            Some(_) => Some(Tokenizer::from_model_dir(path).map_err(Told::told)?),
            None => None,
        };
        let projections = || report.layers.iter().flat_map(|layer| &layer.projections);
        let zeros: u64 = projections().map(|projection| projection.zeros).sum();
        let weights: u64 = projections().map(|projection| (projection.rows * projection.columns) as u64).sum();
        Ok(ModelFacts {
            content: checkpoint.content_hash_watched(&half(1)).map_err(Told::told)?,
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

/// One of two passes over so many parameters, whatever the pass itself counts.
struct Half<'a> {
    monitor: &'a dyn Monitor,
    /// 0 or 1.
    number: u64,
    total: u64,
}

impl Monitor for Half<'_> {
    fn progress(&self, done: u64, total: u64) {
        let share = done as f64 / total.max(1) as f64;
        self.monitor.progress(self.number * self.total + (share * self.total as f64) as u64, 2 * self.total);
    }

    fn cancelled(&self) -> bool {
        self.monitor.cancelled()
    }
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
    let place = find_model(folder, reference, Kind::Encoder).map_err(Report::from);
    known(catalogue, &format!("encoder {reference}"), &Kind::Encoder.files(), place)
}

/// Loads the encoder if its facts are not remembered.
pub(crate) fn encoder_facts(
    catalogue: &std::sync::Mutex<Catalogue>,
    reference: &str,
    path: &Path,
) -> Outcome<EncoderFacts> {
    learn(catalogue, &format!("encoder {reference}"), path, &Kind::Encoder.files(), || {
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
        let stamp_of = |path: &Path| stamp(path, &Kind::Model.files()).map(|(stamp, _)| stamp);
        let first = stamp_of(place.path()).unwrap();
        assert_eq!(stamp_of(place.path()).unwrap(), first);
        fs_err::write(&file, "abcd").unwrap();
        let second = stamp_of(place.path()).unwrap();
        assert_ne!(first, second);
        fs_err::rename(&file, place.path().join("other.safetensors")).unwrap();
        assert_ne!(stamp_of(place.path()).unwrap(), second);
        assert!(stamp_of(&place.path().join("nothing")).is_none());
    }

    #[test]
    fn a_stamp_follows_what_an_encoder_keeps_in_folders() {
        let place = tempfile::tempdir().unwrap();
        let pooling = place.path().join("1_Pooling");
        fs_err::create_dir(&pooling).unwrap();
        fs_err::write(place.path().join("config.json"), "{}").unwrap();
        fs_err::write(pooling.join("config.json"), "{\"pooling_mode_mean_tokens\": true}").unwrap();
        let stamp_of = || stamp(place.path(), &Kind::Encoder.files()).unwrap().0;
        let before = stamp_of();
        fs_err::write(pooling.join("README.md"), "nothing that decides").unwrap();
        assert_eq!(stamp_of(), before);
        fs_err::write(pooling.join("config.json"), "{\"pooling_mode_cls_token\": true}").unwrap();
        assert_ne!(stamp_of(), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_stamp_sees_a_copy_of_the_same_size_and_time() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("pool.jsonl");
        fs_err::write(&file, "one").unwrap();
        let written = fs_err::metadata(&file).unwrap().modified().unwrap();
        let before = stamp(&file, &[]).unwrap().0;
        thread::sleep(SETTLED);
        fs_err::write(&file, "two").unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
        assert_eq!(fs_err::metadata(&file).unwrap().modified().unwrap(), written);
        assert_ne!(stamp(&file, &[]).unwrap().0, before);
    }

    #[test]
    fn what_was_learnt_is_kept_until_the_file_changes() {
        let place = tempfile::tempdir().unwrap();
        let catalogue = std::sync::Mutex::new(Catalogue::open(&place.path().join("project.db")).unwrap());
        let file = place.path().join("pool.jsonl");
        fs_err::write(&file, "one").unwrap();
        let read = |text: &str| {
            let text = text.to_owned();
            learn(&catalogue, "pool", &file, &[], || Ok(text)).unwrap()
        };
        assert_eq!(read("first"), "first");
        assert_eq!(read("second"), "first");
        fs_err::write(&file, "two, longer").unwrap();
        assert_eq!(read("third"), "third");
        fs_err::remove_file(&file).unwrap();
        let gone = known::<String>(&catalogue.lock().unwrap(), "pool", &[], Ok(file.clone()));
        assert!(matches!(gone, Known::Gone(value) if value == "third"));
    }

    #[test]
    fn paths_are_no_hub_ids() {
        assert!(looks_like_a_path("./a/b") && looks_like_a_path("/a") && looks_like_a_path("a/b/c"));
        assert!(!looks_like_a_path("org/name") && !looks_like_a_path("org/name@main"));
    }
}
