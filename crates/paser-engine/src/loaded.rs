//! What a project's stages made, as arrays in memory: read once from artefacts, shared by every view and selection.

use std::sync::OnceLock;

use paser_data::{Categories, ColumnValues, ExtraColumn, IdKind, ImportReport, Roles};
use paser_manifold::{Merge, Quality, StabilityCurve, Timing};
use paser_project::{Array, Arrays, Artefact, SampleHead, sha256_hex};
use paser_protocol::{Report, order_by_hash};
use paser_select::{Column, ConceptTable, Score};
use serde::{Deserialize, Serialize};

use crate::trouble::{Outcome, failed};

/// An array that must be there; a file whose checksum holds but lacks it is of another version.
fn missing(stage: &str, name: &str) -> Report {
    failed(format!("the {stage} artefact holds no array `{name}`"), "Run again: it is computed anew.")
}

/// The helpers below take an array out of its artefact: a large one is not held twice.
pub(crate) fn u32s(artefact: &mut Artefact, name: &str) -> Outcome<Vec<u32>> {
    artefact.arrays.take_u32(name).ok_or_else(|| missing(&artefact.manifest.stage, name))
}

pub(crate) fn f32s(artefact: &mut Artefact, name: &str) -> Outcome<Vec<f32>> {
    artefact.arrays.take_f32(name).ok_or_else(|| missing(&artefact.manifest.stage, name))
}

pub(crate) fn f64s(artefact: &mut Artefact, name: &str) -> Outcome<Vec<f64>> {
    artefact.arrays.take_f64(name).ok_or_else(|| missing(&artefact.manifest.stage, name))
}

pub(crate) fn u8s(artefact: &mut Artefact, name: &str) -> Outcome<Vec<u8>> {
    artefact.arrays.take_u8(name).ok_or_else(|| missing(&artefact.manifest.stage, name))
}

fn summary<T: serde::de::DeserializeOwned>(artefact: &Artefact) -> Outcome<T> {
    serde_json::from_value(artefact.manifest.summary.clone())
        .map_err(|error| failed(format!("the {} manifest: {error}", artefact.manifest.stage), "Run again."))
}

/// What an import found, beside the samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PoolFacts {
    pub roles: Roles,
    pub id_kind: IdKind,
    pub aliases: Vec<paser_data::Alias>,
    pub report: ImportReport,
    /// Extra columns in file order: name, and `number`, `text` or `json`.
    pub columns: Vec<(String, String)>,
}

/// The distinct samples without their texts. Row `i` of every vector is the same sample.
#[derive(Debug)]
pub(crate) struct Samples {
    pub key: String,
    pub ids: Column<String>,
    pub hashes: Column<[u8; 32]>,
    pub held_out: Column<bool>,
    pub multiplicity: Vec<u32>,
    pub lines: Vec<u64>,
    /// Rows in content-hash order.
    pub order: Vec<u32>,
    pub extra: Vec<ExtraColumn>,
    pub facts: PoolFacts,
    /// SHA-256 of the content hashes in pool order.
    pub fingerprint: String,
    /// The same of the hold-out marks.
    pub held_out_fingerprint: String,
    /// Where in `order` the hashes begin whose first two bytes are these; one more at the end.
    begins: Vec<u32>,
    /// Rows by rising id; made when a sample is first looked for by its id.
    by_id: OnceLock<Vec<u32>>,
}

impl Samples {
    /// `each` hands every sample to what it is given, in pool order.
    pub(crate) fn read(
        artefact: &mut Artefact,
        each: impl FnOnce(&mut dyn FnMut(SampleHead<'_>)) -> Outcome<()>,
    ) -> Outcome<Self> {
        let facts: PoolFacts = summary(artefact)?;
        let rows = facts.report.kept as usize;
        let mut samples = Self {
            key: artefact.manifest.key.clone(),
            ids: Column::default(),
            hashes: Column::default(),
            held_out: Column::default(),
            multiplicity: Vec::with_capacity(rows),
            lines: Vec::with_capacity(rows),
            order: Vec::new(),
            begins: Vec::new(),
            extra: read_extra(artefact, &facts)?,
            facts,
            fingerprint: String::new(),
            held_out_fingerprint: String::new(),
            by_id: OnceLock::new(),
        };
        let (mut ids, mut hashes, mut held_out) =
            (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut broken = None;
        each(&mut |head| {
            let Some(hash) = from_hex(head.hash) else {
                broken.get_or_insert_with(|| format!("sample {} has the hash {:?}", head.id, head.hash));
                return;
            };
            ids.push(head.id.to_owned());
            hashes.push(hash);
            held_out.push(head.held_out);
            samples.multiplicity.push(head.multiplicity);
            samples.lines.push(head.line);
        })?;
        if let Some(what) = broken {
            return Err(failed(format!("{what} in the catalogue"), "Import again."));
        }
        if ids.len() != rows {
            return Err(failed(
                format!("the catalogue holds {} samples, and the import made {rows}", ids.len()),
                "Import again.",
            ));
        }
        samples.order = order_by_hash(&hashes, &ids);
        samples.begins = begins(&hashes);
        samples.fingerprint = sha256_hex(hashes.as_flattened());
        let marks: Vec<u8> = held_out.iter().map(|held| u8::from(*held)).collect();
        samples.held_out_fingerprint = sha256_hex(&marks);
        (samples.ids, samples.hashes, samples.held_out) = (ids.into(), hashes.into(), held_out.into());
        Ok(samples)
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The row of a sample that a journal line names: by content, and by id where the content is not there.
    pub(crate) fn row_of(&self, id: &str, hash: &str) -> Option<u32> {
        let by_content = from_hex(hash).and_then(|hash| self.row_of_hash(&hash));
        // An id that is a line number means nothing once the file changed.
        by_content.or_else(|| if id.starts_with("line:") { None } else { self.row_of_id(id) })
    }

    /// Of equal samples, which an import does not make, the last one.
    pub(crate) fn row_of_hash(&self, hash: &[u8; 32]) -> Option<u32> {
        let first = first_bytes(hash);
        let (from, to) = (self.begins[first] as usize, self.begins[first + 1] as usize);
        self.order[from..to].iter().rev().copied().find(|row| self.hashes[*row as usize] == *hash)
    }

    pub(crate) fn row_of_id(&self, id: &str) -> Option<u32> {
        let of = |row: &u32| self.ids[*row as usize].as_str();
        let by_id = self.by_id.get_or_init(|| {
            let mut rows: Vec<u32> = (0..self.len() as u32).collect();
            rows.sort_by(|a, b| of(a).cmp(of(b)));
            rows
        });
        let end = by_id.partition_point(|row| of(row) <= id);
        by_id[..end].last().copied().filter(|row| of(row) == id)
    }

    pub(crate) fn hash_hex(&self, row: usize) -> String {
        hex::encode(self.hashes[row])
    }
}

fn first_bytes(hash: &[u8; 32]) -> usize {
    usize::from(hash[0]) << 8 | usize::from(hash[1])
}

fn begins(hashes: &[[u8; 32]]) -> Vec<u32> {
    let mut begins = vec![0; (1 << 16) + 1];
    for hash in hashes {
        begins[first_bytes(hash) + 1] += 1;
    }
    for at in 1..begins.len() {
        begins[at] += begins[at - 1];
    }
    begins
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Extra columns as arrays: `extra:N` for the cells, `labels:N` for the strings of a text column.
pub(crate) fn write_extra(columns: &[ExtraColumn], arrays: &mut Arrays) -> Vec<(String, String)> {
    let mut kinds = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let kind = match &column.values {
            ColumnValues::Number(numbers) => {
                arrays.insert(format!("extra:{index}"), Array::column(numbers.clone()));
                "number"
            }
            ColumnValues::Text(texts) | ColumnValues::Json(texts) => {
                arrays.insert(format!("extra:{index}"), Array::column(texts.codes.clone()));
                // A list of strings always serialises.
                let labels = serde_json::to_vec(&texts.values).unwrap_or_default();
                arrays.insert(format!("labels:{index}"), Array::column(labels));
                if matches!(column.values, ColumnValues::Text(_)) { "text" } else { "json" }
            }
        };
        kinds.push((column.name.clone(), kind.to_owned()));
    }
    kinds
}

fn read_extra(artefact: &mut Artefact, facts: &PoolFacts) -> Outcome<Vec<ExtraColumn>> {
    let mut columns = Vec::with_capacity(facts.columns.len());
    for (index, (name, kind)) in facts.columns.iter().enumerate() {
        let cells = format!("extra:{index}");
        let values = if kind == "number" {
            ColumnValues::Number(f64s(artefact, &cells)?)
        } else {
            let labels = u8s(artefact, &format!("labels:{index}"))?;
            let values = serde_json::from_slice(&labels)
                .map_err(|error| failed(format!("the labels of column {name}: {error}"), "Import again."))?;
            let texts = Categories { values, codes: u32s(artefact, &cells)? };
            if kind == "text" { ColumnValues::Text(texts) } else { ColumnValues::Json(texts) }
        };
        let cells = match &values {
            ColumnValues::Number(numbers) => numbers.len(),
            ColumnValues::Text(texts) | ColumnValues::Json(texts) => texts.codes.len(),
        };
        if cells as u64 != facts.report.kept {
            return Err(failed(
                format!("column {name} has {cells} cells for {} samples", facts.report.kept),
                "Import again.",
            ));
        }
        columns.push(ExtraColumn { name: name.clone(), values });
    }
    Ok(columns)
}

/// Numbers of the manifold that are not per row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ManifoldFacts {
    pub vectors: String,
    pub vector_dimensions: usize,
    pub count: usize,
    pub count_before_merge: usize,
    pub cluster_of_label: Vec<u32>,
    pub eigenvalues: Vec<f64>,
    pub merges: Vec<Merge>,
    pub quality: Quality,
    pub curve: Option<StabilityCurve>,
    pub timings: Vec<Timing>,
    /// How the number of clusters was decided, in words.
    pub rule: String,
}

#[derive(Debug)]
pub(crate) struct ManifoldData {
    pub key: String,
    /// `[n]` after merging, 0 the largest; what a person made of them is [`Loaded::clusters`].
    ///
    /// [`Loaded::clusters`]: crate::session::Loaded::clusters
    pub clusters: Vec<u32>,
    /// `[n, 2]`
    pub map: Vec<f32>,
    /// Largest share of a sample in any cluster, 0 to 1.
    pub certainty: Vec<f32>,
    /// `[n, dimensions]` diffusion coordinates.
    pub coordinates: Vec<f32>,
    pub facts: ManifoldFacts,
}

impl ManifoldData {
    pub(crate) fn read(artefact: &mut Artefact) -> Outcome<Self> {
        let facts: ManifoldFacts = summary(artefact)?;
        let membership = f32s(artefact, "membership")?;
        let certainty = membership
            .chunks_exact(facts.count.max(1))
            .map(|shares| shares.iter().copied().fold(0.0, f32::max))
            .collect();
        Ok(Self {
            key: artefact.manifest.key.clone(),
            clusters: u32s(artefact, "clusters")?,
            map: f32s(artefact, "map")?,
            certainty,
            coordinates: f32s(artefact, "coordinates")?,
            facts,
        })
    }

    /// How many diffusion coordinates a sample has.
    pub(crate) fn dimensions(&self) -> usize {
        self.coordinates.len() / self.clusters.len().max(1)
    }
}

/// One number column of the score stage: array name, label, unit.
pub(crate) const SCORE_COLUMNS: [(&str, &str, &str); 13] = [
    ("jsd", "damage (JSD)", "nats"),
    ("jsd_rest", "damage after the first token", "nats"),
    ("jsd_first", "damage of the first token", "nats"),
    ("jsd_first3", "damage of the first three tokens", "nats"),
    ("first_share", "first token's share of the damage", ""),
    ("ies", "efficiency (IES)", "nats per log token"),
    ("loss_dense", "dense loss", "nats per token"),
    ("loss_pruned", "pruned loss", "nats per token"),
    ("kl_dense_pruned", "KL(dense, pruned)", "nats"),
    ("kl_pruned_dense", "KL(pruned, dense)", "nats"),
    ("entropy_dense", "dense entropy", "nats"),
    ("entropy_pruned", "pruned entropy", "nats"),
    ("top1_agreement", "same most likely token", ""),
];

/// Whole-number columns of the score stage.
pub(crate) const TOKEN_COLUMNS: [(&str, &str); 3] = [
    ("sample_tokens", "tokens of instruction and input"),
    ("prompt_tokens", "prompt tokens"),
    ("response_tokens", "response tokens"),
];

/// Marks in the `state` array of the score stage.
pub(crate) const SCORED: u8 = 0;
pub(crate) const UNSCORABLE: u8 = 1;

/// Numbers of the score stage that are not per row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ScoreFacts {
    pub tokens: u64,
    pub response_tokens: u64,
    pub unscorable: u64,
    pub cut: u64,
    pub max_tokens: usize,
    /// Floating point operations per second that the pass reached.
    pub rate: f64,
    /// Why rows are unscorable.
    pub reasons: Vec<(u32, String)>,
}

#[derive(Debug)]
pub(crate) struct Scores {
    pub key: String,
    pub rows: Column<Option<Score>>,
    pub trained_tokens: Column<u32>,
    /// Column arrays by name, in pool order; NaN where a row has no score.
    pub columns: Vec<(&'static str, Vec<f32>)>,
    pub tokens: Vec<(&'static str, Vec<u32>)>,
    pub facts: ScoreFacts,
}

impl Scores {
    pub(crate) fn read(artefact: &mut Artefact) -> Outcome<Self> {
        let facts: ScoreFacts = summary(artefact)?;
        let state = u8s(artefact, "state")?;
        let columns =
            SCORE_COLUMNS.iter().map(|(name, _, _)| Ok((*name, f32s(artefact, name)?))).collect::<Outcome<Vec<_>>>()?;
        let tokens =
            TOKEN_COLUMNS.iter().map(|(name, _)| Ok((*name, u32s(artefact, name)?))).collect::<Outcome<Vec<_>>>()?;
        let trained_tokens = u32s(artefact, "trained_tokens")?;
        let number = |name: &str| columns.iter().find(|(known, _)| *known == name).map(|(_, values)| values.as_slice());
        let count = |name: &str| tokens.iter().find(|(known, _)| *known == name).map(|(_, values)| values.as_slice());
        let (jsd, jsd_rest, ies) = (number("jsd"), number("jsd_rest"), number("ies"));
        let (loss_dense, loss_pruned) = (number("loss_dense"), number("loss_pruned"));
        let (sample, prompt, response) = (count("sample_tokens"), count("prompt_tokens"), count("response_tokens"));
        let of = |column: Option<&[f32]>, row: usize| column.map_or(f64::NAN, |values| f64::from(values[row]));
        let tokens_of = |column: Option<&[u32]>, row: usize| column.map_or(0, |values| values[row]);
        let rows: Vec<Option<Score>> = (0..state.len())
            .map(|row| {
                (state[row] == SCORED).then(|| {
                    let response = tokens_of(response, row);
                    Score {
                        jsd: of(jsd, row),
                        jsd_rest: Some(of(jsd_rest, row)).filter(|rest| !rest.is_nan()),
                        ies: of(ies, row),
                        loss_dense: of(loss_dense, row),
                        loss_pruned: of(loss_pruned, row),
                        sample_tokens: tokens_of(sample, row) + response,
                        prompt_tokens: tokens_of(prompt, row),
                        response_tokens: response,
                    }
                })
            })
            .collect();
        Ok(Self {
            key: artefact.manifest.key.clone(),
            rows: rows.into(),
            trained_tokens: trained_tokens.into(),
            columns,
            tokens,
            facts,
        })
    }

    pub(crate) fn column(&self, name: &str) -> Option<&[f32]> {
        self.columns.iter().find(|(known, _)| *known == name).map(|(_, values)| values.as_slice())
    }
}

#[derive(Debug)]
pub(crate) struct Concepts {
    pub key: String,
    pub table: SharedTable,
}

/// A [`ConceptTable`] that selections share.
#[derive(Debug)]
pub(crate) struct SharedTable {
    pub samples: Column<Vec<u32>>,
    pub names: Column<String>,
}

impl Concepts {
    pub(crate) fn write(table: &ConceptTable) -> Arrays {
        let mut offsets = Vec::with_capacity(table.samples.len() + 1);
        let mut ids = Vec::new();
        offsets.push(0);
        for list in &table.samples {
            ids.extend_from_slice(list);
            offsets.push(ids.len() as u32);
        }
        let mut arrays = Arrays::new();
        arrays.insert("offsets", Array::column(offsets)).insert("concepts", Array::column(ids)).insert(
            "names",
            // A list of strings always serialises.
            Array::column(serde_json::to_vec(&table.names).unwrap_or_default()),
        );
        arrays
    }

    pub(crate) fn read(artefact: &mut Artefact) -> Outcome<Self> {
        let offsets = u32s(artefact, "offsets")?;
        let ids = u32s(artefact, "concepts")?;
        let names: Vec<String> = serde_json::from_slice(&u8s(artefact, "names")?)
            .map_err(|error| failed(format!("the names of the concepts: {error}"), "Run again."))?;
        let samples = offsets
            .windows(2)
            .map(|pair| ids.get(pair[0] as usize..pair[1] as usize).map(<[u32]>::to_vec))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| missing("concepts", "offsets"))?;
        Ok(Self {
            key: artefact.manifest.key.clone(),
            table: SharedTable { samples: samples.into(), names: names.into() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_come_back_from_text() {
        let hash: [u8; 32] = std::array::from_fn(|at| at as u8 * 7);
        assert_eq!(from_hex(&hex::encode(hash)), Some(hash));
        assert_eq!(from_hex("ab"), None);
        assert_eq!(from_hex(&"zz".repeat(32)), None);
    }
}
