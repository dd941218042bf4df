//! What a data set consists of: its configs and splits with the files of each, from its card where that says so, else
//! from the names of its files, else from the branch that the hub converted to Parquet. Pure; owns the rules of names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Sibling;

/// Formats that are read, the preferred one first.
const KINDS: [&str; 3] = [".parquet", ".jsonl", ".json"];
/// What data sets keep about themselves beside their rows.
const NO_DATA: [&str; 6] =
    ["dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "metadata.json", "config.json"];
/// The config of files outside of any folder, as Python's `datasets` calls it.
const DEFAULT: &str = "default";

/// The files of one split of one config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetPart {
    pub config: String,
    pub split: String,
    /// In the order in which their rows count.
    pub files: Vec<DatasetFile>,
    /// Rows, and bytes of them uncompressed, as the card says.
    pub rows: Option<u64>,
    pub text_bytes: Option<u64>,
}

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFile {
    /// With `/` between folders.
    pub name: String,
    /// Mirrors may leave it out.
    pub bytes: Option<u64>,
}

impl DatasetPart {
    /// `config/split`, as it stands behind a data set's name.
    pub fn name(&self) -> String {
        format!("{}/{}", self.config, self.split)
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The hub converted the first gigabytes of it only.
    pub fn is_partial(&self) -> bool {
        self.split.starts_with("partial-")
    }
}

/// The parts that a repository's own files make up.
pub(crate) fn own(siblings: &[Sibling], card: &Value) -> Vec<DatasetPart> {
    let data: Vec<&Sibling> = siblings.iter().filter(|file| kind(&file.rfilename).is_some()).collect();
    let mut named = from_card(&data, card);
    if named.is_empty() {
        for file in data {
            if let Some(part) = from_name(&file.rfilename) {
                named.entry(part).or_default().push(file);
            }
        }
    }
    finish(named, card)
}

/// The parts of the branch `refs/convert/parquet`: `config/split/0000.parquet`.
pub(crate) fn converted(siblings: &[Sibling], card: &Value) -> Vec<DatasetPart> {
    let mut named = Named::new();
    for file in siblings.iter().filter(|file| file.rfilename.ends_with(".parquet")) {
        if let [config, split, _] = file.rfilename.split('/').collect::<Vec<_>>()[..] {
            named.entry((config.to_owned(), split.to_owned())).or_default().push(file);
        }
    }
    finish(named, card)
}

/// Files by config and split.
type Named<'a> = BTreeMap<(String, String), Vec<&'a Sibling>>;

fn finish(named: Named<'_>, card: &Value) -> Vec<DatasetPart> {
    let part = |((config, split), mut files): ((String, String), Vec<&Sibling>)| {
        // The same rows are often there in several formats.
        let best = files.iter().filter_map(|file| kind(&file.rfilename)).min();
        files.retain(|file| kind(&file.rfilename) == best);
        files.sort_by(|a, b| a.rfilename.cmp(&b.rfilename));
        files.dedup_by(|a, b| a.rfilename == b.rfilename);
        let files =
            files.iter().map(|file| DatasetFile { name: file.rfilename.clone(), bytes: file.bytes() }).collect();
        let told = told(card, &config, &split);
        let number = |key: &str| told?.get(key)?.as_u64();
        DatasetPart { rows: number("num_examples"), text_bytes: number("num_bytes"), config, split, files }
    };
    named.into_iter().map(part).collect()
}

/// What the card's `dataset_info` says of a split.
fn told<'a>(card: &'a Value, config: &str, split: &str) -> Option<&'a Value> {
    let info = card.get("dataset_info")?;
    let is_it = |info: &&Value| info.get("config_name").and_then(Value::as_str).unwrap_or(DEFAULT) == config;
    let info = match info {
        Value::Array(all) => all.iter().find(is_it)?,
        one => Some(one).filter(is_it)?,
    };
    info.get("splits")?.as_array()?.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(split))
}

/// `configs` of the card: each with patterns of files by split.
fn from_card<'a>(data: &[&'a Sibling], card: &Value) -> Named<'a> {
    let mut named = Named::new();
    for config in card.get("configs").and_then(Value::as_array).into_iter().flatten() {
        let name = config.get("config_name").and_then(Value::as_str).unwrap_or(DEFAULT);
        for (split, pattern) in patterns(config.get("data_files").unwrap_or(&Value::Null)) {
            let pattern = pattern.trim_start_matches("./");
            for file in data.iter().filter(|file| glob(pattern.as_bytes(), file.rfilename.as_bytes())) {
                if is_word(name) && is_word(split) {
                    named.entry((name.to_owned(), split.to_owned())).or_default().push(file);
                }
            }
        }
    }
    named
}

/// Pairs of split and pattern in all forms that cards use.
fn patterns(value: &Value) -> Vec<(&str, &str)> {
    fn each(value: &Value) -> Vec<&str> {
        match value {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
    match value {
        Value::Object(splits) => splits
            .iter()
            .flat_map(|(split, files)| each(files).into_iter().map(|file| (split.as_str(), file)))
            .collect(),
        Value::Array(all) if all.iter().any(Value::is_object) => {
            let entries = all.iter().filter_map(|one| Some((one.get("split")?.as_str()?, one.get("path")?)));
            entries.flat_map(|(split, path)| each(path).into_iter().map(move |file| (split, file))).collect()
        }
        other => each(other).into_iter().map(|file| ("train", file)).collect(),
    }
}

/// `*` and `?` stay in their folder, `**` does not.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    // A card is a stranger's text: a pattern of many stars would take for ever.
    if pattern.iter().filter(|byte| **byte == b'*').count() > 8 {
        return false;
    }
    match pattern {
        [] => name.is_empty(),
        [b'*', b'*', b'/', rest @ ..] if glob(rest, name) => true,
        [b'*', b'*', rest @ ..] => (0..=name.len()).any(|at| glob(rest, &name[at..])),
        [b'*', rest @ ..] => {
            let folder = name.iter().position(|byte| *byte == b'/').unwrap_or(name.len());
            (0..=folder).any(|at| glob(rest, &name[at..]))
        }
        [b'?', rest @ ..] => !name.is_empty() && name[0] != b'/' && glob(rest, &name[1..]),
        [byte, rest @ ..] => name.first() == Some(byte) && glob(rest, &name[1..]),
    }
}

fn kind(name: &str) -> Option<usize> {
    let file = name.rsplit('/').next().unwrap_or(name);
    if file.starts_with('.') || NO_DATA.contains(&file) {
        return None;
    }
    KINDS.iter().position(|kind| file.ends_with(kind))
}

/// A name that can stand behind a data set's.
pub(crate) fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 120
        && !word.starts_with('.')
        && word.chars().all(|letter| letter.is_alphanumeric() || "._-+ ()".contains(letter))
}

/// Config and split of a file by its name: `data/train-00000-of-00002.parquet`, `french/test.jsonl`, `train/0.parquet`.
fn from_name(name: &str) -> Option<(String, String)> {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let folders: Vec<&str> = folders.split('/').filter(|folder| !folder.is_empty() && *folder != "data").collect();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let split = match stem.split_once("-of-").and_then(|(head, _)| head.rsplit_once('-')) {
        Some((split, _)) => Some(split.to_owned()),
        None => keyword(stem).map(str::to_owned),
    };
    let (config, split) = match (&folders[..], split) {
        ([], split) => (DEFAULT, split),
        ([folder], None) if keyword(folder).is_some() => (DEFAULT, Some((*folder).to_owned())),
        ([folder], split) => (*folder, split),
        ([folder, split], None) => (*folder, Some((*split).to_owned())),
        _ => return None,
    };
    // As Python's `datasets`: what names no split is for training.
    let split = split.unwrap_or_else(|| "train".to_owned());
    (is_word(config) && is_word(&split)).then(|| (config.to_owned(), split))
}

/// The split that a word of a file's name stands for.
fn keyword(stem: &str) -> Option<&'static str> {
    stem.split(|letter: char| !letter.is_ascii_alphanumeric()).find_map(|word| {
        match word.to_ascii_lowercase().as_str() {
            "train" | "training" => Some("train"),
            "validation" | "valid" | "val" | "dev" => Some("validation"),
            "test" | "testing" | "eval" | "evaluation" => Some("test"),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn files(names: &[&str]) -> Vec<Sibling> {
        let file = |name: &&str| Sibling { rfilename: (*name).to_owned(), size: Some(10), blob_id: None, lfs: None };
        names.iter().map(file).collect()
    }

    fn named(parts: &[DatasetPart]) -> Vec<(String, usize)> {
        parts.iter().map(|part| (part.name(), part.files.len())).collect()
    }

    fn own_of(names: &[&str], card: &Value) -> Vec<(String, usize)> {
        named(&own(&files(names), card))
    }

    #[test]
    fn layouts_that_are_seen_on_the_hub() {
        let part = |name: &str, files| (name.to_owned(), files);
        let none = Value::Null;
        assert_eq!(
            own_of(&["README.md", "alpaca_data_cleaned.json", ".gitattributes"], &none),
            [part("default/train", 1)]
        );
        assert_eq!(
            own_of(&["data/train-00001-of-00002-ab.parquet", "data/train-00000-of-00002-cd.parquet"], &none),
            [part("default/train", 2)]
        );
        assert_eq!(
            own_of(&["data/train_sft-00000-of-00001.parquet", "data/test_gen-00000-of-00001.parquet"], &none),
            [part("default/test_gen", 1), part("default/train_sft", 1)]
        );
        assert_eq!(
            own_of(&["french/test.jsonl", "french/train.jsonl", "german/train.jsonl"], &none),
            [part("french/test", 1), part("french/train", 1), part("german/train", 1)]
        );
        assert_eq!(
            own_of(&["train/0.jsonl", "all/dev/0.parquet"], &none),
            [part("all/dev", 1), part("default/train", 1)]
        );
        assert_eq!(own_of(&["rows.json", "rows.parquet"], &none), [part("default/train", 1)], "one format of the same");
        assert_eq!(own_of(&["dataset_infos.json", "script.py", "x.csv", "a/b/c/d.json"], &none), []);
    }

    #[test]
    fn a_card_says_which_files_are_which() {
        let card = json!({
            "configs": [
                {"config_name": "main", "data_files": [
                    {"split": "train", "path": "raw/*.parquet"}, {"split": "test", "path": ["held/**"]},
                ]},
                {"config_name": "small", "data_files": "raw/0.parquet"},
            ],
            "dataset_info": [{"config_name": "main", "splits": [{"name": "train", "num_examples": 7, "num_bytes": 90}]}],
        });
        let parts = own(&files(&["raw/0.parquet", "raw/1.parquet", "raw/x/2.parquet", "held/x/3.parquet"]), &card);
        assert_eq!(
            named(&parts),
            [("main/test".to_owned(), 1), ("main/train".to_owned(), 2), ("small/train".to_owned(), 1)]
        );
        assert_eq!((parts[1].rows, parts[1].text_bytes, parts[1].bytes()), (Some(7), Some(90), Some(20)));
        assert_eq!(parts[0].rows, None);
    }

    #[test]
    fn the_converted_branch_tells_what_is_partial() {
        let parts = converted(&files(&["default/partial-train/0000.parquet", "default/test/0000.parquet"]), &json!({}));
        assert_eq!(parts.iter().map(DatasetPart::is_partial).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn patterns_of_many_stars_match_nothing() {
        assert!(glob(b"**/*.json", b"a.json") && glob(b"**/*.json", b"a/b/c.json") && !glob(b"*.json", b"a/b.json"));
        assert!(!glob(&b"*a".repeat(40), &b"a".repeat(400)));
    }
}
