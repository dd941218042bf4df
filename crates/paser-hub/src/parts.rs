//! What a data set consists of: its configs and splits with the files of each, from its card where that says so, else
//! from the names of its files, else from the branch that the hub converted to Parquet. Pure.

use std::collections::BTreeMap;

use globset::GlobBuilder;
use paser_data::file_names::{TRAIN, is_beside, kind, one_split, shard, split_word};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Sibling;
use crate::files::is_safe;

/// The config of files outside of any folder, as Python's `datasets` calls it.
const DEFAULT: &str = "default";
/// Letters of a file's name or of a card's pattern; longer ones are nobody's.
const LONGEST: usize = 400;

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
    /// Why its files cannot be read as one pool.
    pub refused: Option<String>,
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
    let files: Vec<&Sibling> = siblings.iter().filter(|file| is_row_file(&file.rfilename)).collect();
    let mut named = from_card(&files, card);
    if named.is_empty() {
        for file in files.iter().filter(|file| kind(&file.rfilename).is_some()) {
            if let Some(part) = from_name(&file.rfilename) {
                named.entry(part).or_default().files.push(file);
            }
        }
        for chosen in named.values_mut() {
            // The same rows are often there in several formats.
            let best = chosen.files.iter().filter_map(|file| kind(&file.rfilename)).min();
            chosen.files.retain(|file| kind(&file.rfilename) == best);
            chosen.files.sort_by(|a, b| a.rfilename.cmp(&b.rfilename));
            let names: Vec<&str> = chosen.files.iter().map(|file| file.rfilename.as_str()).collect();
            chosen.refused = one_split(&names).err();
        }
    }
    finish(named, card)
}

/// The parts of the branch `refs/convert/parquet`: `config/split/0000.parquet`.
pub(crate) fn converted(siblings: &[Sibling], card: &Value) -> Vec<DatasetPart> {
    let mut named = Named::new();
    for file in siblings.iter().filter(|file| is_row_file(&file.rfilename) && file.rfilename.ends_with(".parquet")) {
        if let [config, split, _] = file.rfilename.split('/').collect::<Vec<_>>()[..] {
            named.entry((config.to_owned(), split.to_owned())).or_default().files.push(file);
        }
    }
    for chosen in named.values_mut() {
        chosen.files.sort_by(|a, b| a.rfilename.cmp(&b.rfilename));
    }
    finish(named, card)
}

/// A name that can be a file of the cache, and not one about the data.
fn is_row_file(name: &str) -> bool {
    name.len() <= LONGEST && is_safe(name) && !is_beside(name)
}

/// Files by config and split.
type Named<'a> = BTreeMap<(String, String), Chosen<'a>>;

#[derive(Default)]
struct Chosen<'a> {
    files: Vec<&'a Sibling>,
    refused: Option<String>,
}

fn finish(named: Named<'_>, card: &Value) -> Vec<DatasetPart> {
    let part = |((config, split), chosen): ((String, String), Chosen<'_>)| {
        let refused = chosen.refused.or_else(|| trouble(&chosen.files));
        let files = chosen.files.iter();
        let files = files.map(|file| DatasetFile { name: file.rfilename.clone(), bytes: file.bytes() }).collect();
        let told = told(card, &config, &split);
        let number = |key: &str| told?.get(key)?.as_u64();
        DatasetPart { rows: number("num_examples"), text_bytes: number("num_bytes"), config, split, files, refused }
    };
    named.into_iter().map(part).collect()
}

/// Why these files are not one pool.
fn trouble(files: &[&Sibling]) -> Option<String> {
    if let Some(other) = files.iter().find(|file| kind(&file.rfilename).is_none()) {
        return Some(format!("holds {}, which is no Parquet or JSON", other.rfilename));
    }
    let kinds = |file: &&Sibling| kind(&file.rfilename);
    if let [first, rest @ ..] = files
        && let Some(other) = rest.iter().find(|file| kinds(file) != kinds(first))
    {
        return Some(format!("mixes formats ({}, {})", first.rfilename, other.rfilename));
    }
    // What a card puts together is one split, whatever its names say; but of numbered files none may be missing.
    let mut numbered: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for name in files.iter().map(|file| file.rfilename.as_str()) {
        if let Some(shard) = shard(name) {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            numbered.entry((folder, shard.split)).or_default().push(name);
        }
    }
    numbered.values().find_map(|names| one_split(names).err())
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

/// `configs` of the card: each with patterns of files by split. Empty where it says nothing, or nothing that is read:
/// then the hub's converted branch is the better source.
fn from_card<'a>(files: &[&'a Sibling], card: &Value) -> Named<'a> {
    let mut named = Named::new();
    for config in card.get("configs").and_then(Value::as_array).into_iter().flatten() {
        let name = config.get("config_name").and_then(Value::as_str).unwrap_or(DEFAULT);
        let folder = config.get("data_dir").and_then(Value::as_str).map(|folder| folder.trim_matches(['.', '/']));
        let inside = |file: &'a Sibling| {
            let name = file.rfilename.as_str();
            match folder {
                None | Some("") => Some((file, name)),
                Some(folder) => Some((file, name.strip_prefix(folder)?.strip_prefix('/')?)),
            }
        };
        let files: Vec<(&'a Sibling, &str)> = files.iter().filter_map(|file| inside(file)).collect();
        let patterns = patterns(config.get("data_files").unwrap_or(&Value::Null));
        if patterns.is_empty() && folder.is_some() {
            for (file, inside) in files.iter().filter(|(file, _)| kind(&file.rfilename).is_some()) {
                if let Some((_, split)) = from_name(inside).filter(|_| is_word(name)) {
                    named.entry((name.to_owned(), split)).or_default().files.push(file);
                }
            }
        }
        for (split, pattern) in patterns {
            if !is_word(name) || !is_word(split) {
                continue;
            }
            let chosen = named.entry((name.to_owned(), split.to_owned())).or_default();
            match matching(&files, pattern) {
                Ok(found) => {
                    for file in found {
                        if chosen.files.iter().all(|known| known.rfilename != file.rfilename) {
                            chosen.files.push(file);
                        }
                    }
                }
                Err(why) => drop(chosen.refused.get_or_insert(why)),
            }
        }
    }
    named
}

/// The files that a card's pattern names, by name. `*` and `?` stay in their folder, `**` does not.
fn matching<'a>(files: &[(&'a Sibling, &str)], pattern: &str) -> Result<Vec<&'a Sibling>, String> {
    let short: String = pattern.chars().take(60).collect();
    let not_read = || format!("is {short:?} in the card, which is not understood here");
    let plain = pattern.trim_start_matches("./");
    if plain.len() > LONGEST {
        return Err(not_read());
    }
    let glob = GlobBuilder::new(plain).literal_separator(true).build().map_err(|_| not_read())?.compile_matcher();
    let mut found: Vec<&Sibling> =
        files.iter().filter(|(_, inside)| glob.is_match(inside)).map(|(file, _)| *file).collect();
    found.sort_by(|a, b| a.rfilename.cmp(&b.rfilename));
    if found.is_empty() { Err(format!("is {short:?} in the card, which no file matches")) } else { Ok(found) }
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
        other => each(other).into_iter().map(|file| (TRAIN, file)).collect(),
    }
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
    let split = shard(name).map_or_else(|| split_word(stem), |shard| Some(shard.split)).map(str::to_owned);
    let (config, split) = match (&folders[..], split) {
        ([], split) => (DEFAULT, split),
        ([folder], None) if split_word(folder).is_some() => (DEFAULT, Some((*folder).to_owned())),
        ([folder], split) => (*folder, split),
        ([folder, split], None) => (*folder, Some((*split).to_owned())),
        _ => return None,
    };
    // As Python's `datasets`: what names no split is for training.
    let split = split.unwrap_or_else(|| TRAIN.to_owned());
    (is_word(config) && is_word(&split)).then(|| (config.to_owned(), split))
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
    fn patterns_are_read_whole_and_in_their_order_or_refused_in_words() {
        let card = |path: &Value| json!({"configs": [{"data_files": [{"split": "train", "path": path}]}]});
        let found = |names: &[&str], path: Value| {
            let parts = own(&files(names), &card(&path));
            let part = parts.into_iter().next().unwrap_or_else(|| panic!("{path}: no part"));
            (part.files.into_iter().map(|file| file.name).collect::<Vec<_>>(), part.refused.unwrap_or_default())
        };
        let all = ["x/b.jsonl", "a1.jsonl", "a2.jsonl", "a3.jsonl"];
        assert_eq!(found(&all, json!("a[12].jsonl")).0, ["a1.jsonl", "a2.jsonl"]);
        assert_eq!(found(&all, json!("{a3,a1}.jsonl")).0, ["a1.jsonl", "a3.jsonl"]);
        assert_eq!(found(&all, json!(["a3.jsonl", "./a*.jsonl"])).0, ["a3.jsonl", "a1.jsonl", "a2.jsonl"]);
        assert_eq!(found(&all, json!("**/*.jsonl")).0.len(), 4);
        assert_eq!(found(&all, json!("*.jsonl")).0.len(), 3);
        for (names, path, why) in [
            (&all[..], json!(["a1.jsonl", "gone.jsonl"]), "no file matches"),
            (&all, json!("a[.jsonl"), "not understood"),
            (&["a.jsonl", "b.parquet"], json!("*"), "mixes formats"),
            (&["a.jsonl", "b.csv"], json!("*"), "b.csv, which is no"),
            (&["d/train-00000-of-00002.parquet"], json!("d/*"), "lacks shard 1 of 2"),
        ] {
            let (_, refused) = found(names, path.clone());
            assert!(refused.contains(why), "{path}: {refused}");
        }
        let stars = Value::from("*a".repeat(40));
        assert!(found(&["x.jsonl"], stars).1.contains("no file matches"), "and in a moment");
    }

    #[test]
    fn a_folder_that_the_card_names_is_looked_through() {
        let card =
            json!({"configs": [{"config_name": "fr", "data_dir": "french"}, {"data_dir": "x", "data_files": "*"}]});
        let names = ["french/test.jsonl", "french/train.jsonl", "german/train.jsonl", "x/rows.jsonl"];
        let parts = own_of(&names, &card);
        let part = |name: &str| (name.to_owned(), 1);
        assert_eq!(parts, [part("default/train"), part("fr/test"), part("fr/train")]);
    }

    #[test]
    fn names_that_leave_the_cache_are_no_files() {
        let long = format!("{}.json", "a".repeat(LONGEST));
        assert_eq!(own_of(&["../train.json", "/train.json", "a\\b.json", &long], &Value::Null), []);
    }
}
