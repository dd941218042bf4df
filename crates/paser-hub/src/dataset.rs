//! A data set's rows from the hub: `hub:org/name@revision:config/split` to files in the cache. Owns what such a reference
//! means, and what is kept beside the cache's snapshots to know without a request which files make up a part.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use paser_protocol::Monitor;
use serde::{Deserialize, Serialize};

use crate::cache::{RepoCache, io};
use crate::client::{Client, RepoListing, Sibling};
use crate::fetch::Download;
use crate::files::is_safe;
use crate::id::{RepoId, RepoKind};
use crate::parts::{DatasetPart, converted, is_word, own};
use crate::{HubEnv, HubError};

/// What a reference to a data set starts with, so that it is never taken for a path.
pub const SCHEME: &str = "hub:";
/// Where the hub keeps its own Parquet copy of a data set.
const CONVERTED: &str = "refs/convert/parquet";
/// The branch that it is a copy of.
const MAIN: &str = "main";

/// A data set on the hub at a branch, tag or commit, and which part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetRef {
    repo: RepoId,
    /// Config and split; none: the only ones.
    part: Option<(String, String)>,
}

impl DatasetRef {
    /// `org/name` or `name`.
    pub fn name(&self) -> &str {
        &self.repo.name
    }

    /// The same data set, with no part chosen.
    pub fn without_part(&self) -> Self {
        Self { part: None, ..self.clone() }
    }

    /// The same data set, with a part chosen.
    pub fn with_part(&self, part: &DatasetPart) -> Self {
        Self { repo: self.repo.clone(), part: Some((part.config.clone(), part.split.clone())) }
    }

    /// The part that it names, or the only one.
    ///
    /// # Errors
    /// No such part, none named where there are several, or one whose files are not one pool.
    pub fn choose<'a>(&self, info: &'a DatasetInfo) -> Result<&'a DatasetPart, HubError> {
        const SHOWN: usize = 12;
        let listed = || {
            let mut names: Vec<String> = info.parts.iter().take(SHOWN).map(DatasetPart::name).collect();
            if info.parts.len() > SHOWN {
                names.push(format!("and {} more", info.parts.len() - SHOWN));
            }
            names.join(", ")
        };
        let part = match (&self.part, &info.parts[..]) {
            (None, [one]) => one,
            (None, _) => return Err(HubError::ChoosePart { id: self.to_string(), parts: listed() }),
            (Some((config, split)), parts) => {
                let found = parts.iter().find(|part| part.config == *config && part.split == *split);
                found.ok_or_else(|| HubError::NoSuchPart {
                    id: self.name().to_owned(),
                    part: format!("{config}/{split}"),
                    parts: listed(),
                })?
            }
        };
        match &part.refused {
            Some(why) => Err(HubError::PartRefused { id: self.name().to_owned(), part: part.name(), why: why.clone() }),
            None => Ok(part),
        }
    }
}

impl FromStr for DatasetRef {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let bad = |reason: &str| HubError::BadDataset { reference: text.to_owned(), reason: reason.to_owned() };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| bad("it does not start with hub:"))?;
        let (id, part) = rest.split_once(':').map_or((rest, None), |(id, part)| (id, Some(part)));
        let repo = RepoId::parse(RepoKind::Dataset, id).map_err(|error| match error {
            HubError::BadId { reason, .. } => bad(reason),
            other => other,
        })?;
        let part = match part.map(|part| part.split_once('/')) {
            None => None,
            Some(Some((config, split))) if is_word(config) && is_word(split) => {
                Some((config.to_owned(), split.to_owned()))
            }
            Some(_) => return Err(bad("behind the second colon stand a config and a split, with a slash between")),
        };
        Ok(Self { repo, part })
    }
}

impl fmt::Display for DatasetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.repo)?;
        match &self.part {
            Some((config, split)) => write!(f, ":{config}/{split}"),
            None => Ok(()),
        }
    }
}

/// What the hub says of a data set at a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    pub commit: String,
    /// The commit that holds the files: of the hub's converted branch where the data set's own files are not read.
    pub files_commit: String,
    pub parts: Vec<DatasetPart>,
    pub licence: Option<String>,
    /// A token of an account that accepted its licence is needed.
    pub gated: bool,
}

impl DatasetInfo {
    /// The files come from the hub's converted branch.
    pub fn is_converted(&self) -> bool {
        self.files_commit != self.commit
    }

    /// Bytes of a part's files that are not in the cache; none where the hub does not say.
    pub fn missing_bytes(&self, reference: &DatasetRef, part: &DatasetPart, env: &HubEnv) -> Option<u64> {
        let snapshot = RepoCache::new(&env.cache, &reference.repo).snapshot(&self.files_commit);
        part.files.iter().filter(|file| !snapshot.join(&file.name).exists()).map(|file| file.bytes).sum()
    }
}

/// A part of a data set in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// In the order in which their rows count.
    pub files: Vec<PathBuf>,
    pub commit: String,
    /// The commit of the hub's converted branch, where the files are of that.
    pub copy: Option<String>,
    pub config: String,
    pub split: String,
    pub licence: Option<String>,
}

/// The files of a data set, if everything is there. Never asks the hub.
pub fn cached_dataset(reference: &DatasetRef, env: &HubEnv) -> Option<Dataset> {
    let cache = RepoCache::new(&env.cache, &reference.repo);
    let info = known(&cache)?;
    let part = reference.choose(&info).ok()?;
    let dataset = place(&cache, &info, part);
    dataset.files.iter().all(|file| file.exists()).then_some(dataset)
}

/// Asks the hub what a data set consists of. Offline, what was fetched of it answers.
///
/// # Errors
/// [`HubError`]; `Offline` where nothing was fetched.
pub fn dataset_info(reference: &DatasetRef, env: &HubEnv, monitor: &dyn Monitor) -> Result<DatasetInfo, HubError> {
    if env.offline {
        let known = known(&RepoCache::new(&env.cache, &reference.repo));
        return known.ok_or_else(|| offline(reference, env));
    }
    look(reference, env, monitor).map(|(info, ..)| info)
}

/// The files of a data set, of which what is missing is downloaded. What is cached of its revision is returned without a
/// request (name another revision to get a newer state of a branch); a download that was stopped goes on where it was.
/// Progress counts bytes of the files that were missing.
///
/// # Errors
/// [`HubError`]; nothing that is wrong or half there is ever returned.
pub fn fetch_dataset(reference: &DatasetRef, env: &HubEnv, monitor: &dyn Monitor) -> Result<Dataset, HubError> {
    if let Some(dataset) = cached_dataset(reference, env) {
        return Ok(dataset);
    }
    if env.offline {
        return Err(offline(reference, env));
    }
    let (info, siblings, repo) = look(reference, env, monitor)?;
    let part = reference.choose(&info)?;
    let by_name = |name: &String| siblings.iter().find(|file| file.rfilename == *name);
    let files: Vec<&Sibling> = part.files.iter().filter_map(|file| by_name(&file.name)).collect();
    let (client, cache) = (Client::new(env, &repo, monitor)?, RepoCache::new(&env.cache, &repo));
    Download { id: &repo, client: &client, cache: &cache, env, monitor }.run(&info.files_commit, &files)?;
    cache.remember(&info.files_commit)?;
    let cache = RepoCache::new(&env.cache, &reference.repo);
    let index = index(&cache, &info.commit);
    let text = serde_json::to_vec_pretty(&info).map_err(|error| io(&index)(error.into()))?;
    cache.write(&index, &text)?;
    cache.remember(&info.commit)?;
    Ok(place(&cache, &info, part))
}

fn offline(reference: &DatasetRef, env: &HubEnv) -> HubError {
    let missing = "it, or this part of it, was not fetched yet".to_owned();
    HubError::Offline { id: reference.to_string(), cache: env.cache.clone(), missing }
}

/// What the hub lists of a data set, the files at `files_commit`, and the revision that these are of.
fn look(
    reference: &DatasetRef,
    env: &HubEnv,
    monitor: &dyn Monitor,
) -> Result<(DatasetInfo, Vec<Sibling>, RepoId), HubError> {
    let repo = &reference.repo;
    let listing = Client::new(env, repo, monitor)?.listing()?;
    let parts = own(&listing.siblings, &listing.card);
    let info = |listing: &RepoListing, files_commit: String, parts| DatasetInfo {
        commit: listing.sha.clone(),
        files_commit,
        parts,
        licence: listing.licence(),
        gated: listing.is_gated(),
    };
    if parts.iter().any(|part| part.refused.is_none()) {
        return Ok((info(&listing, listing.sha.clone(), parts), listing.siblings, repo.clone()));
    }
    // What its own files are refused for is told where there is no copy to take instead.
    let without_copy = |advice: &'static str, parts: Vec<DatasetPart>, siblings: Vec<Sibling>| {
        if !parts.is_empty() {
            return Ok((info(&listing, listing.sha.clone(), parts), siblings, repo.clone()));
        }
        let wanted = "*.parquet, *.jsonl, *.json".to_owned();
        Err(HubError::Lacks { id: reference.name().to_owned(), wanted, advice })
    };
    // The hub converts the newest state of the main branch, and nothing else.
    let is_newest = repo.revision == MAIN || {
        let main = RepoId { revision: MAIN.to_owned(), ..repo.clone() };
        Client::new(env, &main, monitor)?.listing()?.sha == listing.sha
    };
    if !is_newest {
        let advice = "the hub's Parquet copy is of the newest state only, not of the revision that was asked for: name no \
                      revision, or convert the files of this one yourself";
        return without_copy(advice, parts, listing.siblings.clone());
    }
    let branch = RepoId { revision: CONVERTED.to_owned(), ..repo.clone() };
    let copy = match Client::new(env, &branch, monitor)?.listing() {
        Err(HubError::RevisionNotFound { .. } | HubError::NotFound { .. }) => None,
        other => Some(other?),
    };
    let copied =
        copy.map(|copy| (converted(&copy.siblings, &listing.card), copy)).filter(|(parts, _)| !parts.is_empty());
    let Some((copied, copy)) = copied else {
        let advice = "its rows are in another format or made by a script, and the hub has no Parquet copy of them: convert \
                      it, and give the file";
        return without_copy(advice, parts, listing.siblings.clone());
    };
    Ok((info(&listing, copy.sha.clone(), copied), copy.siblings, branch))
}

/// Where the parts of a commit are written down: the cache itself does not say which files make up a split.
fn index(cache: &RepoCache, commit: &str) -> PathBuf {
    cache.folder().join("paser").join(format!("{commit}.json"))
}

/// What was written down of the revision that was fetched last.
fn known(cache: &RepoCache) -> Option<DatasetInfo> {
    let info: DatasetInfo = serde_json::from_slice(&fs_err::read(index(cache, &cache.commit()?)).ok()?).ok()?;
    let safe = |part: &DatasetPart| part.files.iter().all(|file| is_safe(&file.name));
    let commit = |commit: &str| !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!info.parts.is_empty() && info.parts.iter().all(safe) && commit(&info.files_commit)).then_some(info)
}

fn place(cache: &RepoCache, info: &DatasetInfo, part: &DatasetPart) -> Dataset {
    let snapshot: &Path = &cache.snapshot(&info.files_commit);
    Dataset {
        files: part.files.iter().map(|file| snapshot.join(&file.name)).collect(),
        commit: info.commit.clone(),
        copy: info.is_converted().then(|| info.files_commit.clone()),
        config: part.config.clone(),
        split: part.split.clone(),
        licence: info.licence.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn references_are_read_back() {
        for text in ["hub:org/name", "hub:name", "hub:org/name@refs/pr/1", "hub:org/name@v1:default/train_sft"] {
            assert_eq!(text.parse::<DatasetRef>().unwrap().to_string(), text);
        }
        assert_eq!("hub:org/name@main".parse::<DatasetRef>().unwrap().to_string(), "hub:org/name");
    }

    #[test]
    fn what_is_no_reference_says_how_one_looks() {
        for bad in
            ["org/name", "hub:", "hub:a/b/c", "hub:../b", "hub:a/b:", "hub:a/b:train", "hub:a/b:../x", "hub:a/b:x/y/z"]
        {
            let error = bad.parse::<DatasetRef>().unwrap_err().to_string();
            assert!(error.contains("hub:org/name:config/split"), "{bad}: {error}");
        }
    }
}
