//! Which files a pool is made of: one file, or the files of a folder in the order of their names (as data sets are cut
//! into shards), and the one hash that stands for all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::DataError;
use crate::file_names::{KINDS, kind, one_split};

/// The files of the pool at `path`, in the order in which their rows count.
///
/// # Errors
/// A folder that holds no data, data of several kinds or of several splits, or not every shard; what cannot be listed.
pub fn pool_files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let refuse = |what: String| DataError::NotInstructionData { path: path.to_owned(), what };
    let mut found: BTreeMap<usize, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs_err::read_dir(path)? {
        let file = entry?.path();
        if let Some(kind) = kind(&name_of(&file)).filter(|_| file.is_file()) {
            found.entry(kind).or_default().push(file);
        }
    }
    if found.len() > 1 {
        let kinds: Vec<String> =
            found.iter().map(|(kind, files)| format!("{} .{}", files.len(), KINDS[*kind])).collect();
        return Err(refuse(format!(
            "holds data files of several kinds ({}): give one of them, or a folder with one kind",
            kinds.join(", ")
        )));
    }
    let Some((_, mut files)) = found.pop_first() else {
        return Err(refuse(
            "holds no .parquet, .jsonl or .json file: give a file, or the folder of one split".to_owned(),
        ));
    };
    files.sort();
    let names: Vec<String> = files.iter().map(|file| name_of(file)).collect();
    one_split(&names.iter().map(String::as_str).collect::<Vec<_>>()).map_err(|why| {
        refuse(format!("{why}: give one file, or a folder with the whole of one split and nothing else"))
    })?;
    Ok(files)
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// One SHA-256 for files in an order, from the SHA-256 of each, all hexadecimal: of a single file its own, of several
/// that of their hashes, one a line.
pub fn joined_hash(hashes: &[String]) -> String {
    match hashes {
        [one] => one.clone(),
        several => hex::encode(Sha256::digest(several.iter().map(|hash| format!("{hash}\n")).collect::<String>())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(files: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs_err::write(folder.path().join(file), "x").unwrap();
        }
        let found = pool_files(folder.path()).map_err(|error| error.to_string())?;
        Ok(found.iter().map(|file| name_of(file)).collect())
    }

    #[test]
    fn shards_in_the_order_of_their_names() {
        let files = ["train-00001-of-00002.parquet", "train-00000-of-00002.parquet", "README.md", "dataset_infos.json"];
        assert_eq!(names(&files).unwrap(), [files[1], files[0]]);
        assert_eq!(names(&["b.jsonl", "a.jsonl"]).unwrap(), ["a.jsonl", "b.jsonl"]);
    }

    #[test]
    fn folders_that_could_mean_several_pools_are_refused() {
        for (files, part) in [
            (&["README.md"][..], "no .parquet"),
            (&["a.jsonl", "a.parquet"], "1 .parquet, 1 .jsonl"),
            (
                &["test-00000-of-00001.parquet", "train-00000-of-00001.parquet"],
                "(test: test-00000-of-00001.parquet, train: ",
            ),
            (&["test.jsonl", "train.jsonl"], "several splits"),
            (&["train-00000-of-00002.parquet"], "lacks shard 1 of 2 of train"),
        ] {
            let error = names(files).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_hash_of_one_file_is_its_own() {
        assert_eq!(joined_hash(&["ab".to_owned()]), "ab");
        let both = joined_hash(&["ab".to_owned(), "cd".to_owned()]);
        assert_eq!(both, hex::encode(Sha256::digest("ab\ncd\n")));
    }
}
