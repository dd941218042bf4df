//! From an id to a folder: what is cached is used without a request, what is missing is downloaded. Owns the order of
//! work and the sum of the bytes; the steps are in `client`, `transfer` and `cache`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use paser_protocol::Monitor;

use crate::cache::RepoCache;
use crate::client::{Client, Metadata, Sibling};
use crate::files::{Need, POOLING, Pattern, is_safe, missing, wanted};
use crate::id::RepoId;
use crate::transfer::Transfer;
use crate::{HubEnv, HubError, ModelId};

/// The model's folder in the cache, if everything in `wanted` is there. Never asks the hub.
pub fn cached_model(id: &ModelId, wanted: &[Pattern], env: &HubEnv) -> Option<PathBuf> {
    match RepoCache::new(&env.cache, &id.0).find(wanted)? {
        (snapshot, None) => Some(snapshot),
        _ => None,
    }
}

/// The folder of the model's files: `<cache>/models--org--name/snapshots/<commit>`. A complete cached snapshot of the
/// revision is returned without a request (name another revision to get a newer state of a branch); else missing files
/// are downloaded, small ones first, so that whatever stops the download, it goes on where it stopped. Progress counts
/// bytes of the files that were missing.
///
/// # Errors
/// [`HubError`]; nothing that is wrong or half there ever stands in the returned folder.
pub fn fetch_model(id: &ModelId, wanted: &[Pattern], env: &HubEnv, monitor: &dyn Monitor) -> Result<PathBuf, HubError> {
    let cache = RepoCache::new(&env.cache, &id.0);
    let cached = cache.find(wanted);
    if let Some((snapshot, None)) = cached {
        return Ok(snapshot);
    }
    if env.offline {
        let missing = cached.and_then(|(_, missing)| missing).unwrap_or_else(|| "nothing of it is there".to_owned());
        return Err(HubError::Offline { id: id.to_string(), cache: env.cache.clone(), missing });
    }
    let client = Client::new(env, &id.0, monitor)?;
    let listing = client.listing()?;
    let files = choose(id, wanted, &listing.siblings)?;

    let snapshot = Download { id: &id.0, client: &client, cache: &cache, env, monitor }.run(&listing.sha, &files)?;
    cache.remember(&listing.sha)?;
    Ok(snapshot)
}

/// The files of one commit on their way into its snapshot.
pub(crate) struct Download<'a> {
    pub id: &'a RepoId,
    pub client: &'a Client<'a>,
    pub cache: &'a RepoCache,
    pub env: &'a HubEnv,
    pub monitor: &'a dyn Monitor,
}

impl Download<'_> {
    /// Fetches what is not there yet, in the order of `files`, and returns the snapshot's folder.
    pub(crate) fn run(&self, commit: &str, files: &[&Sibling]) -> Result<PathBuf, HubError> {
        let Self { id, client, cache, env, monitor } = *self;
        let snapshot = cache.snapshot(commit);
        let mut waiting: Vec<(&Sibling, Metadata)> = Vec::new();
        for file in files {
            if !snapshot.join(&file.rfilename).exists() {
                waiting.push((file, client.metadata(commit, file)?));
            }
        }
        let blob_is_there =
            |metadata: &Metadata| metadata.hash.as_ref().is_some_and(|hash| cache.blob(hash.digits()).exists());
        let total: u64 = waiting.iter().filter_map(|(_, metadata)| metadata.size).sum();
        let needed: u64 =
            waiting.iter().filter(|entry| !blob_is_there(&entry.1)).filter_map(|entry| entry.1.size).sum();
        check_space(env, needed)?;

        let done = AtomicU64::new(0);
        monitor.progress(0, total);
        for (file, metadata) in &waiting {
            let before = done.load(Ordering::Relaxed);
            let progress = |bytes: u64| {
                done.store(before + bytes, Ordering::Relaxed);
                monitor.progress((before + bytes).min(total), total);
            };
            let transfer = Transfer {
                client,
                cache,
                monitor,
                id: &id.name,
                commit,
                file: &file.rfilename,
                metadata,
                progress: &progress,
            };
            let blob = transfer.run()?;
            cache.point(commit, &file.rfilename, &blob)?;
            done.store(before + metadata.size.unwrap_or(0), Ordering::Relaxed);
        }
        monitor.progress(total, total);
        Ok(snapshot)
    }
}

/// The files to have, weights last: a snapshot that has its weights has everything.
pub(crate) fn choose<'a>(
    id: &ModelId,
    patterns: &[Pattern],
    siblings: &'a [Sibling],
) -> Result<Vec<&'a Sibling>, HubError> {
    let names = wanted(patterns, siblings.iter().map(|file| file.rfilename.as_str()));
    if let Some(bad) = names.iter().find(|name| !is_safe(name)) {
        return Err(HubError::UnsafeName { id: id.name().to_owned(), name: bad.escape_debug().to_string() });
    }
    if let Some(wanted) = missing(patterns, &names) {
        let has = |suffix: &str| siblings.iter().any(|file| file.rfilename.ends_with(suffix));
        let advice = if has("adapter_model.safetensors") {
            "it is an adapter, not a model: name its base model"
        } else if has(".gguf") && !has(".bin") {
            "it holds GGUF files only: name the repository these were made from"
        } else if has(".bin") && !has(".safetensors") {
            "its weights are pickle files, which are not read: convert them to safetensors, or name a copy that has them"
        } else if wanted == POOLING || wanted == "modules.json" {
            "it is no sentence encoder: name a repository made by sentence-transformers"
        } else {
            "it is not a complete model"
        };
        return Err(HubError::Lacks { id: id.to_string(), wanted, advice });
    }
    let is_weight = |name: &str| patterns.iter().any(|pattern| pattern.need == Need::Weights && pattern.matches(name));
    let mut files: Vec<&Sibling> =
        siblings.iter().filter(|file| names.binary_search(&file.rfilename.as_str()).is_ok()).collect();
    files.sort_by_key(|file| (is_weight(&file.rfilename), &file.rfilename));
    Ok(files)
}

/// Says before the download that it will not fit. Where the system does not tell, the download will.
fn check_space(env: &HubEnv, needed: u64) -> Result<(), HubError> {
    let existing = env.cache.ancestors().find(|folder| folder.exists());
    let free = existing.and_then(|folder| fs4::available_space(folder).ok());
    match free {
        Some(free) if free < needed => Err(HubError::DiskFull { path: env.cache.clone(), needed: needed - free }),
        _ => Ok(()),
    }
}
