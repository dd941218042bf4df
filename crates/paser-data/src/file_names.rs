//! What the names of data files tell: which hold rows, of which split they are, and which shard of how many. Folders of
//! this machine and repositories on the hub go by the same rules, those of Python's `datasets`.

use std::collections::BTreeMap;

/// Endings of the formats that are read, the preferred one first.
pub const KINDS: [&str; 3] = ["parquet", "jsonl", "json"];
/// What data sets keep about themselves beside their rows.
const NO_DATA: [&str; 4] = ["dataset_dict.json", "state.json", "metadata.json", "config.json"];
/// The split of what names none.
pub const TRAIN: &str = "train";

/// One of the numbered files that a split is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard<'a> {
    pub split: &'a str,
    /// From 0.
    pub number: u32,
    pub total: u32,
}

/// Is this a file about the data, or a hidden one?
pub fn is_beside(name: &str) -> bool {
    let file = last(name);
    file.starts_with('.') || file.starts_with("dataset_info") || NO_DATA.contains(&file)
}

/// Place in [`KINDS`] of a file that holds rows. Folders before the name do not matter.
pub fn kind(name: &str) -> Option<usize> {
    let (stem, ending) = last(name).rsplit_once('.')?;
    let kind = KINDS.iter().position(|kind| ending.eq_ignore_ascii_case(kind))?;
    (!is_beside(name) && !stem.is_empty()).then_some(kind)
}

/// The split that a word of a name stands for: `alpaca_test` is of `test`.
pub fn split_word(name: &str) -> Option<&'static str> {
    name.split(|letter: char| !letter.is_ascii_alphanumeric()).find_map(|word| {
        match word.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(TRAIN),
            "validation" | "valid" | "val" | "dev" => Some("validation"),
            "test" | "testing" | "eval" | "evaluation" => Some("test"),
            _ => None,
        }
    })
}

/// `train-00000-of-00003-a1b2.parquet` as shard 0 of 3 of train.
pub fn shard(name: &str) -> Option<Shard<'_>> {
    let (head, tail) = last(name).rsplit_once("-of-")?;
    let (split, number) = head.rsplit_once('-')?;
    let digits = tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len());
    let total: u32 = tail[..digits].parse().ok()?;
    (total <= 100_000).then_some(Shard { split, number: number.parse().ok()?, total })
}

/// Why these files are not all the rows of one split and nothing else.
///
/// # Errors
/// Several splits, numbered files beside others, numberings of two lengths, a missing shard.
pub fn one_split(names: &[&str]) -> Result<(), String> {
    let shards: Vec<Shard<'_>> = names.iter().filter_map(|name| shard(name)).collect();
    let mut splits: BTreeMap<&str, &str> = BTreeMap::new();
    for name in names {
        let file = last(name);
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let split = shard(name).map_or_else(|| split_word(stem).unwrap_or(TRAIN), |shard| shard.split);
        splits.entry(split).or_insert(file);
    }
    if splits.len() > 1 {
        let splits: Vec<String> = splits.iter().map(|(split, file)| format!("{split}: {file}")).collect();
        return Err(format!("holds several splits ({})", splits.join(", ")));
    }
    let Some(Shard { split, total, .. }) = shards.first().copied() else { return Ok(()) };
    if let Some(other) = names.iter().find(|name| shard(name).is_none()) {
        return Err(format!("holds {} beside the numbered files of {split}", last(other)));
    }
    if let Some(other) = shards.iter().find(|shard| shard.total != total) {
        return Err(format!("holds {split} in {total} files and in {}", other.total));
    }
    match (0..total).find(|number| shards.iter().all(|shard| shard.number != *number)) {
        Some(missing) => Err(format!("lacks shard {missing} of {total} of {split}")),
        None => Ok(()),
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_kind_and_split() {
        assert_eq!(
            ["a.parquet", "x/b.JSONL", "c.json", "d.csv", ".json", "x/.e.json"].map(kind),
            [Some(0), Some(1), Some(2), None, None, None]
        );
        assert_eq!(
            ["dataset_infos.json", "dataset_info.json", "state.json", "data/metadata.json"].map(kind),
            [None; 4]
        );
        assert_eq!(
            ["alpaca_test", "latest", "dev-set", "Training"].map(split_word),
            [Some("test"), None, Some("validation"), Some(TRAIN)]
        );
        assert_eq!(
            shard("data/train_sft-00001-of-00002-ab.parquet").map(|shard| (shard.split, shard.number)),
            Some(("train_sft", 1))
        );
        assert_eq!(["train-0-of-999999999.json", "of-the-king.json"].map(shard), [None; 2]);
    }

    #[test]
    fn one_split_is_all_of_one_and_nothing_else() {
        for whole in [
            &["b.jsonl", "a.jsonl"][..],
            &["train.jsonl", "more.jsonl"],
            &["train-00000-of-00002.json", "train-00001-of-00002.json"],
        ] {
            assert_eq!(one_split(whole), Ok(()), "{whole:?}");
        }
        for (names, why) in [
            (&["train.jsonl", "test.jsonl"][..], "test: test.jsonl, train: train.jsonl"),
            (&["alpaca.jsonl", "alpaca_eval.jsonl"], "several splits"),
            (&["test-00000-of-00001.json", "train-00000-of-00001.json"], "several splits"),
            (&["train-00000-of-00001.json", "test.json"], "several splits"),
            (&["train-00000-of-00001.json", "more.json"], "more.json beside the numbered"),
            (&["train-00000-of-00001.json", "train-00000-of-00002.json"], "in 1 files and in 2"),
            (&["train-00000-of-00002.json"], "lacks shard 1 of 2 of train"),
        ] {
            let told = one_split(names);
            assert!(told.as_ref().is_err_and(|told| told.contains(why)), "{names:?}: {told:?}");
        }
    }
}
