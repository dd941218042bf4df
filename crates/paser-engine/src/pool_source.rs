//! The pool as a recipe names it: a file, a folder of shards, or a part of a data set on the hub. Found, fetched, stamped
//! and hashed here; read elsewhere.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
    time::SystemTime,
};

use paser_data::{joined_hash, parquet_size, pool_files};
use paser_hub::{Dataset, DatasetRef, HubEnv, SCHEME, cached_dataset, fetch_dataset};
use paser_project::{Catalogue, Folder, sha256_file};
use paser_protocol::{Monitor, Report};
use serde::{Deserialize, Serialize};

use crate::{
    hub,
    session::lock,
    sources::{self, Known},
    trouble::{Outcome, Told, cancelled, failed, unusable},
};

/// The files of a pool.
#[derive(Clone, Debug)]
pub(crate) struct PoolFiles {
    /// What errors about all of them name.
    pub place: PathBuf,
    /// In the order in which their rows count.
    pub files: Vec<PathBuf>,
    /// Where they were fetched from.
    pub source: Option<PoolSource>,
}

/// Where on the hub a pool comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoolSource {
    pub dataset: String,
    pub commit: String,
    /// The commit of the hub's Parquet copy, where the files are of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
    pub config: String,
    pub split: String,
    /// As its card names it.
    pub licence: Option<String>,
}

/// Why a pool is not at hand.
#[derive(Clone, Debug)]
pub(crate) enum NoPool {
    /// It is fetched when a run imports it.
    NotDownloaded(DatasetRef),
    Unusable(Report),
}

impl From<NoPool> for Report {
    fn from(why: NoPool) -> Self {
        match why {
            NoPool::NotDownloaded(reference) => unusable(
                format!("{reference} is not downloaded yet"),
                "It is fetched from the hub when a run imports it.",
            ),
            NoPool::Unusable(report) => report,
        }
    }
}

/// Is this a data set on the hub, and no path?
pub(crate) fn is_hub(reference: &str) -> bool {
    reference.starts_with(SCHEME)
}

fn files_of(dataset: Dataset, reference: &DatasetRef) -> PoolFiles {
    let Dataset { files, commit, copy, config, split, licence } = dataset;
    let place = PathBuf::from(reference.to_string());
    let source = PoolSource { dataset: reference.name().to_owned(), commit, copy, config, split, licence };
    PoolFiles { place, files, source: Some(source) }
}

/// Finds a pool without touching the network.
pub(crate) fn find(folder: &Folder, reference: &str) -> Result<PoolFiles, NoPool> {
    if is_hub(reference) {
        return find_cached(reference, &hub::env().map_err(NoPool::Unusable)?);
    }
    let place = folder.resolve(reference);
    if !place.exists() {
        return Err(NoPool::Unusable(unusable(
            format!("{}: there is no such pool file", place.display()),
            "Check the path; in a project it is `pool.path` in recipe.toml. A data set on the hub is hub:org/name.",
        )));
    }
    let files = pool_files(&place).map_err(|error| NoPool::Unusable(error.told()))?;
    Ok(PoolFiles { place, files, source: None })
}

/// The same for a data set on the hub, in another environment.
pub(crate) fn find_cached(reference: &str, env: &HubEnv) -> Result<PoolFiles, NoPool> {
    let reference: DatasetRef =
        reference.parse().map_err(|error: paser_hub::HubError| NoPool::Unusable(error.told()))?;
    match cached_dataset(&reference, env) {
        Some(dataset) => Ok(files_of(dataset, &reference)),
        None => Err(NoPool::NotDownloaded(reference)),
    }
}

/// Finds a pool, downloading it if need be. `monitor` counts bytes.
pub(crate) fn obtain(folder: &Folder, reference: &str, monitor: &dyn Monitor) -> Outcome<PoolFiles> {
    match find(folder, reference) {
        Ok(files) => Ok(files),
        Err(NoPool::NotDownloaded(reference)) => {
            let dataset = fetch_dataset(&reference, &hub::env()?, monitor).map_err(Told::told)?;
            Ok(files_of(dataset, &reference))
        }
        Err(NoPool::Unusable(report)) => Err(report),
    }
}

/// Names, sizes and times of the files, and the commit that holds them.
fn stamp(pool: &PoolFiles) -> Option<(String, SystemTime)> {
    let commits = |source: &PoolSource| format!("{} ", source.copy.as_ref().unwrap_or(&source.commit));
    let commit = pool.source.as_ref().map(commits).unwrap_or_default();
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    sources::stamp_of(pool.files.iter().map(|file| (format!("{commit}{}", name(file)), file.clone())))
}

/// What is remembered of the pool: its hash, that of the import's report.
pub(crate) fn known(catalogue: &Catalogue, folder: &Folder, reference: &str) -> Known<String> {
    let now = find(folder, reference).map(|pool| stamp(&pool)).map_err(Report::from);
    sources::known_by(catalogue, &format!("pool {reference}"), now)
}

/// The pool's hash. `monitor` counts bytes.
pub(crate) fn hash(
    catalogue: &Mutex<Catalogue>,
    reference: &str,
    pool: &PoolFiles,
    monitor: &dyn Monitor,
) -> Outcome<String> {
    if let Some(source) = &pool.source {
        let text = serde_json::to_string(source).map_err(|error| failed(error.to_string(), ""))?;
        lock(catalogue).set_stamped(&source_name(reference), &source.commit, &text).map_err(Told::told)?;
    }
    sources::learn_by(
        catalogue,
        &format!("pool {reference}"),
        || stamp(pool),
        || {
            let mut whole = 0;
            for file in &pool.files {
                whole += fs_err::metadata(file).map_err(Told::told)?.len();
            }
            let mut before = 0;
            let mut hashes = Vec::new();
            for file in &pool.files {
                let part = Part { monitor, before, whole };
                hashes.push(sha256_file(file, &part).map_err(Told::told)?.ok_or_else(cancelled)?);
                before += fs_err::metadata(file).map_err(Told::told)?.len();
            }
            Ok(joined_hash(&hashes))
        },
    )
}

/// One file of several.
struct Part<'a> {
    monitor: &'a dyn Monitor,
    before: u64,
    whole: u64,
}

impl Monitor for Part<'_> {
    fn progress(&self, done: u64, _total: u64) {
        self.monitor.progress((self.before + done).min(self.whole), self.whole);
    }

    fn cancelled(&self) -> bool {
        self.monitor.cancelled()
    }
}

fn source_name(reference: &str) -> String {
    format!("source of {reference}")
}

/// Where the pool was fetched from when it was hashed last; none for files of this machine.
pub(crate) fn source(catalogue: &Catalogue, reference: &str) -> Option<PoolSource> {
    let (_, text) = catalogue.stamped(&source_name(reference)).ok()??;
    serde_json::from_str(&text).ok()
}

/// Bytes of text and rows of a pool that was not read yet, as estimates; none where a file cannot be looked at.
pub(crate) fn size(pool: &PoolFiles) -> Option<(f64, f64)> {
    pool.files.iter().map(|file| size_of(file)).try_fold((0.0, 0.0), |(bytes, rows), one| {
        let (more, rows_more) = one?;
        Some((bytes + more, rows + rows_more))
    })
}

/// Of a Parquet file as it says itself; else its first megabyte says how long a row is.
fn size_of(path: &Path) -> Option<(f64, f64)> {
    use std::io::Read;
    if let Some(size) = parquet_size(path) {
        return Some((size.bytes as f64, size.rows as f64));
    }
    let bytes = fs_err::metadata(path).ok()?.len();
    let mut head = Vec::new();
    fs_err::File::open(path).ok()?.take(1 << 20).read_to_end(&mut head).ok()?;
    let rows = head.windows(13).filter(|window| *window == b"\"instruction\"").count();
    let rows = rows.max(head.iter().filter(|byte| **byte == b'\n').count() / 6).max(1);
    let per_row = head.len() as f64 / rows as f64;
    Some((bytes as f64, (bytes as f64 / per_row).max(1.0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_sized_by_its_head() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pool.jsonl");
        let row = "{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}\n";
        fs_err::write(&path, row.repeat(30_000)).unwrap();
        let (_, rows) = size_of(&path).unwrap();
        assert!((rows - 30_000.0).abs() < 300.0, "{rows}");
        assert!(size_of(&place.path().join("none")).is_none());
    }

    #[test]
    fn a_folder_of_shards_is_hashed_and_stamped_as_one_pool() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::planned(place.path());
        let shards = place.path().join("shards");
        fs_err::create_dir(&shards).unwrap();
        for name in ["b.jsonl", "a.jsonl"] {
            fs_err::write(shards.join(name), format!("{{\"instruction\": {name:?}, \"output\": \"b\"}}\n")).unwrap();
        }
        let catalogue = Mutex::new(Catalogue::open(&place.path().join("project.db")).unwrap());
        let pool = find(&folder, "shards").unwrap();
        let hashed = hash(&catalogue, "shards", &pool, &paser_protocol::Silent).unwrap();
        let options = paser_data::ReadOptions::default();
        let read = paser_data::read_pool(&shards, &options, &paser_protocol::Silent).unwrap();
        assert_eq!(hashed, read.report.sha256, "the import names itself by what it read");
        assert!(matches!(known(&lock(&catalogue), &folder, "shards"), Known::Yes(value) if value == hashed));
        fs_err::write(shards.join("a.jsonl"), "longer than it was").unwrap();
        assert!(matches!(known(&lock(&catalogue), &folder, "shards"), Known::Unread));
    }
}
