//! What arms are measured on: held-out samples of the pool, and the items of files. Never part of any selection.

use std::path::PathBuf;

use paser_data::{ColumnValues, Encoded, Encoding, HoldOut, ReadOptions, encode_sample, read_pool};
use paser_project::sha256_hex;
use paser_protocol::Silent;
use paser_score::Item;

use super::texts::Texts;
use crate::{
    loaded::Samples,
    stages::Bench,
    trouble::{Outcome, Told, unusable, usage},
};

/// The row of an item that is no sample of the pool.
pub(crate) const NO_ROW: u32 = u32::MAX;
/// The column of an item's file that groups it.
const GROUP: &str = "capability";

/// Items in the order in which every look measures them.
pub(crate) struct Items {
    encoded: Vec<Encoded>,
    /// Row in the pool, or [`NO_ROW`].
    pub rows: Vec<u32>,
    /// Place in `names`; 0 for samples of the pool, which are grouped by cluster.
    pub groups: Vec<u32>,
    /// Names of groups; the first stands for the pool's own.
    pub names: Vec<String>,
    /// SHA-256 over all tokens.
    pub hash: String,
    /// Items that cannot be measured, because their prompt leaves no room for a response.
    pub left_out: u64,
}

impl Items {
    /// Reads and tokenises them.
    ///
    /// # Errors
    /// A file that cannot be read; nothing to measure.
    pub(crate) fn read(bench: &Bench<'_>, texts: &Texts) -> Outcome<Self> {
        let settings = &bench.recipe.recipe.recover;
        let samples = bench.session.samples()?;
        let mut items = Self {
            encoded: Vec::new(),
            rows: Vec::new(),
            groups: Vec::new(),
            names: vec![String::new()],
            hash: String::new(),
            left_out: 0,
        };
        for row in held_out(&samples, settings.held_out as usize) {
            match texts.encoding(row)? {
                Encoding::Scorable(encoded) => items.push(encoded.clone(), row, 0),
                Encoding::Unscorable(_) => items.left_out += 1,
            }
        }
        for file in &settings.items {
            items.add_file(bench.session.folder.resolve(file), texts)?;
        }
        if items.encoded.is_empty() {
            return Err(usage(
                "There is nothing to measure arms on.",
                "Set pool.holdout (0.05 keeps every twentieth sample out of all selections), or name files in recover.items.",
            ));
        }
        let mut bytes = Vec::new();
        for encoded in &items.encoded {
            bytes.extend_from_slice(&encoded.prompt_tokens.to_le_bytes());
            bytes.extend(encoded.ids.iter().flat_map(|id| id.to_le_bytes()));
        }
        items.hash = sha256_hex(&bytes);
        Ok(items)
    }

    fn push(&mut self, encoded: Encoded, row: u32, group: u32) {
        self.encoded.push(encoded);
        self.rows.push(row);
        self.groups.push(group);
    }

    fn add_file(&mut self, path: PathBuf, texts: &Texts) -> Outcome<()> {
        let options = ReadOptions { roles: None, hold_out: HoldOut::None };
        let pool = read_pool(&path, &options, &Silent).map_err(Told::told)?;
        if let Some(bad) = pool.report.bad.first() {
            let what = format!("{}: line {}: {}", path.display(), bad.line, bad.reason);
            return Err(unusable(what, "Items are measured all or not at all: correct the file."));
        }
        let column = pool.columns.iter().find(|column| column.name == GROUP).map(|column| &column.values);
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for (at, sample) in pool.samples.iter().enumerate() {
            let name = match column {
                Some(ColumnValues::Text(texts)) => texts.get(at).unwrap_or(&file),
                _ => &file,
            };
            let group = match self.names.iter().skip(1).position(|known| known == name) {
                Some(place) => place + 1,
                None => {
                    self.names.push(name.to_owned());
                    self.names.len() - 1
                }
            };
            match encode_sample(sample, &texts.template, &texts.tokenizer, texts.max_tokens).map_err(Told::told)? {
                Encoding::Scorable(encoded) => self.push(encoded, NO_ROW, group as u32),
                Encoding::Unscorable(_) => self.left_out += 1,
            }
        }
        Ok(())
    }

    /// As the scoring pass takes them.
    pub(crate) fn scored(&self) -> Vec<Item<'_>> {
        let each = self.encoded.iter().enumerate();
        each.map(|(at, encoded)| crate::stages::score::item(at as u32, encoded)).collect()
    }
}

/// The first so many held-out samples in content-hash order.
fn held_out(samples: &Samples, most: usize) -> Vec<u32> {
    samples.order.iter().copied().filter(|row| samples.held_out[*row as usize]).take(most).collect()
}
