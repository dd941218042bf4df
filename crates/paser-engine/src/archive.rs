//! A recorded run as one block of bytes: the artefacts that cannot be had in seconds, what each stage recorded, the
//! selections whole, and the card of the welcome page. Plain concatenation; the program carries it uncompressed.

use std::path::Path;

use paser_project::{Arrays, Artefact, FrozenSelection, Inputs, Manifest, StageRecord, write_durably};
use paser_protocol::DemoCard;
use serde::{Deserialize, Serialize};

use crate::{
    loaded::{f32s, from_hex, u32s},
    selection::is_of,
    session::{Session, lock},
    stages::{concepts, embed, import, kmeans, manifold, score},
    trouble::{Outcome, Told, failed},
};

const MAGIC: &[u8] = b"PASER recorded run 1\n";
/// Stages whose arrays travel. Samples are imported again and vectors made again where they are needed: both take a
/// second and would be most of the bytes.
const CARRIED: [&str; 4] = [manifold::STAGE, score::STAGE, concepts::STAGE, kmeans::STAGE];

#[derive(Serialize, Deserialize)]
struct Record {
    stage: String,
    key: String,
    inputs: Inputs,
    seconds: f64,
    peak_memory_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Recorded {
    name: String,
    created: u64,
    key: String,
    inputs: Inputs,
    view: String,
    rows: Vec<u32>,
    ids: Vec<String>,
    /// Content hashes, hex. A recording of an earlier version has none: its pool is checked to be this one, so that its
    /// rows say the same.
    #[serde(default)]
    hashes: Vec<String>,
    reasons: Vec<u8>,
    #[serde(default)]
    provenance: String,
}

/// Named blocks.
struct Archive(Vec<(String, Vec<u8>)>);

impl Archive {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (name, content) in &self.0 {
            for part in [name.as_bytes(), content] {
                bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let mut blocks = Vec::new();
        let take = |rest: &mut &[u8]| -> Option<Vec<u8>> {
            let (length, after) = rest.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (content, after) = after.split_at_checked(length)?;
            *rest = after;
            Some(content.to_vec())
        };
        while !rest.is_empty() {
            let name = String::from_utf8(take(&mut rest)?).ok()?;
            blocks.push((name, take(&mut rest)?));
        }
        Some(Self(blocks))
    }

    fn find(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, content)| content.as_slice())
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Outcome<T> {
        let content = self.find(name).ok_or_else(|| broken(name))?;
        serde_json::from_slice(content).map_err(|_| broken(name))
    }

    /// The one artefact of a stage.
    fn artefact(&self, stage: &str) -> Outcome<Artefact> {
        let prefix = format!("arrays/{stage}-");
        let name = self.0.iter().find_map(|(name, _)| {
            let stem = name.strip_suffix(".json")?;
            stem.starts_with(&prefix).then_some(stem)
        });
        let name = name.ok_or_else(|| broken(stage))?;
        let manifest: Manifest = self.json(&format!("{name}.json"))?;
        let file = format!("{name}.safetensors");
        let bytes = self.find(&file).ok_or_else(|| broken(stage))?;
        Ok(Artefact { manifest, arrays: Arrays::from_bytes(bytes, Path::new(&file)).map_err(|_| broken(stage))? })
    }
}

fn broken(what: &str) -> paser_protocol::Report {
    failed(format!("the recorded run is damaged: {what}"), "Compute the demo anew: paser demo --fresh.")
}

/// What the welcome page draws before a demo is open: card, places and damage as column bytes.
pub(crate) struct Card {
    pub card: DemoCard,
    pub positions: Vec<u8>,
    pub damage: Vec<u8>,
}

/// Column keys of the card.
pub(crate) const CARD_POSITIONS: &str = "demo-positions";
pub(crate) const CARD_DAMAGE: &str = "demo-damage";

/// Reads only the card of a recorded run.
pub(crate) fn card(bytes: &[u8]) -> Option<Card> {
    let archive = Archive::from_bytes(bytes)?;
    Some(Card {
        card: archive.json("card.json").ok()?,
        positions: archive.find(CARD_POSITIONS)?.to_vec(),
        damage: archive.find(CARD_DAMAGE)?.to_vec(),
    })
}

/// What a run made, for a comparison with another one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Results {
    /// SHA-256 of the manifold's and of the scores' arrays.
    pub hashes: [String; 2],
    /// Cluster of every sample.
    pub clusters: Vec<u32>,
    /// One column per score, NaN where a sample has none.
    pub scores: Vec<Vec<f32>>,
    /// The recipe's selections.
    pub selections: Vec<Chosen>,
}

/// One selection's samples and every sample's reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    pub name: String,
    pub rows: Vec<u32>,
    pub ids: Vec<String>,
    pub reasons: Vec<u8>,
}

impl Results {
    fn of(mut manifold: Artefact, mut score: Artefact, selections: Vec<Chosen>) -> Outcome<Self> {
        let columns = crate::loaded::SCORE_COLUMNS.iter().map(|(name, _, _)| f32s(&mut score, name));
        let scores = columns.collect::<Outcome<_>>()?;
        Ok(Self {
            clusters: u32s(&mut manifold, "clusters")?,
            hashes: [manifold.manifest.sha256, score.manifest.sha256],
            scores,
            selections,
        })
    }

    /// Of a recorded run, read from its bytes alone.
    ///
    /// # Errors
    /// Damaged bytes.
    pub(crate) fn recorded(bytes: &[u8]) -> Outcome<Self> {
        let archive = Archive::from_bytes(bytes).ok_or_else(|| broken("its frame"))?;
        let selections = archive.json::<Vec<Recorded>>("selections.json")?.into_iter().map(|selection| Chosen {
            name: selection.name,
            rows: selection.rows,
            ids: selection.ids,
            reasons: selection.reasons,
        });
        Self::of(archive.artefact(manifold::STAGE)?, archive.artefact(score::STAGE)?, selections.collect())
    }
}

impl Session {
    /// This project's results as a recorded run.
    ///
    /// # Errors
    /// A project that was not run to the end.
    pub fn pack_recorded(&self) -> Outcome<Vec<u8>> {
        let mut blocks = Vec::new();
        let mut records = Vec::new();
        for stage in [import::STAGE, embed::STAGE, manifold::STAGE, score::STAGE, concepts::STAGE] {
            let record = lock(&self.catalogue).stage(stage).map_err(Told::told)?;
            let record =
                record.ok_or_else(|| failed(format!("the stage {stage} was not run"), "Run the project first."))?;
            records.push(Record {
                stage: record.stage,
                key: record.key,
                inputs: record.inputs,
                seconds: record.seconds,
                peak_memory_bytes: record.peak_memory_bytes,
            });
        }
        for manifest in self.store.list().map_err(Told::told)? {
            let current = records.iter().any(|record| record.key == manifest.key) || manifest.stage == kmeans::STAGE;
            if !CARRIED.contains(&manifest.stage.as_str()) || !current {
                continue;
            }
            let arrays = self.store.path(&manifest.stage, &manifest.key);
            for path in [arrays.with_extension("json"), arrays] {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                blocks.push((format!("arrays/{name}"), fs_err::read(&path).map_err(Told::told)?));
            }
        }
        let selections: Vec<Recorded> = self.frozen()?.into_iter().map(recorded).collect();
        let view = self.view();
        let positions = self.column_named("map").ok_or_else(|| failed("there is no map", "Run the project first."))?;
        let damage = self.column_named("jsd").ok_or_else(|| failed("there are no scores", "Run the project first."))?;
        let card = DemoCard {
            samples: view.pool.samples,
            clusters: view.clusters.len() as u32,
            damage_scale: view.damage_scale,
            positions: CARD_POSITIONS.to_owned(),
            damage: CARD_DAMAGE.to_owned(),
            labels: view.clusters.iter().map(|cluster| (cluster.name.clone(), cluster.centre)).collect(),
        };
        let json = |value: serde_json::Result<Vec<u8>>| value.map_err(|error| failed(error.to_string(), ""));
        blocks.push(("stages.json".to_owned(), json(serde_json::to_vec(&records))?));
        blocks.push(("selections.json".to_owned(), json(serde_json::to_vec(&selections))?));
        blocks.push(("card.json".to_owned(), json(serde_json::to_vec(&card))?));
        blocks.push((CARD_POSITIONS.to_owned(), positions));
        blocks.push((CARD_DAMAGE.to_owned(), damage));
        Ok(Archive(blocks).to_bytes())
    }

    fn column_named(&self, name: &str) -> Option<Vec<u8>> {
        let info = self.view().columns.into_iter().find(|column| column.name == name)?;
        self.column(&info.key).ok().map(|bytes| bytes.to_vec())
    }

    /// Puts a recorded run into this project, whose pool must be imported: what a stage would compute from other
    /// inputs is left out and computed by the next run.
    ///
    /// # Errors
    /// Damaged bytes; a folder that cannot be written.
    pub fn unpack_recorded(&self, bytes: &[u8]) -> Outcome<()> {
        let archive = Archive::from_bytes(bytes).ok_or_else(|| broken("its frame"))?;
        let records: Vec<Record> = archive.json("stages.json")?;
        let samples = self.samples()?;
        if !records.iter().any(|record| record.stage == import::STAGE && record.key == samples.key) {
            return Err(failed(
                "the recorded run belongs to another pool",
                "Compute the demo anew: paser demo --fresh.",
            ));
        }
        for (name, content) in &archive.0 {
            if let Some(file) = name.strip_prefix("arrays/").filter(|file| !file.contains(['/', '\\'])) {
                write_durably(&self.folder.arrays().join(file), content).map_err(Told::told)?;
            }
        }
        for record in records.into_iter().filter(|record| record.stage != import::STAGE) {
            let record = StageRecord {
                stage: record.stage,
                key: record.key,
                inputs: record.inputs,
                seconds: record.seconds,
                peak_memory_bytes: record.peak_memory_bytes,
            };
            lock(&self.catalogue).record_stage(&record).map_err(Told::told)?;
        }
        for selection in archive.json::<Vec<Recorded>>("selections.json")? {
            let hashes: Option<Vec<[u8; 32]>> = if selection.hashes.is_empty() && is_of(&selection.inputs, &samples) {
                selection.rows.iter().map(|row| samples.hashes.get(*row as usize).copied()).collect()
            } else {
                selection.hashes.iter().map(|hash| from_hex(hash)).collect()
            };
            let frozen = FrozenSelection {
                name: selection.name,
                created: selection.created,
                by_recipe: true,
                key: selection.key,
                inputs: selection.inputs,
                view: selection.view,
                rows: selection.rows,
                ids: selection.ids,
                hashes: hashes.ok_or_else(|| broken("the hashes of a selection"))?,
                reasons: selection.reasons,
                provenance: selection.provenance,
            };
            lock(&self.catalogue).put_selection(&frozen).map_err(Told::told)?;
        }
        self.reload()
    }

    /// This project's results, for a comparison with another run.
    ///
    /// # Errors
    /// A project that was not run to the end.
    pub(crate) fn results(&self) -> Outcome<Results> {
        let artefact = |stage: &str| -> Outcome<Artefact> {
            let missing = || failed(format!("the stage {stage} was not run"), "Run the project first.");
            let record = lock(&self.catalogue).stage(stage).map_err(Told::told)?.ok_or_else(missing)?;
            self.store.get(stage, &record.key).map_err(Told::told)?.ok_or_else(missing)
        };
        let own = self.frozen()?.into_iter().filter(|frozen| frozen.by_recipe).map(|frozen| Chosen {
            name: frozen.name,
            rows: frozen.rows,
            ids: frozen.ids,
            reasons: frozen.reasons,
        });
        Results::of(artefact(manifold::STAGE)?, artefact(score::STAGE)?, own.collect())
    }
}

fn recorded(frozen: FrozenSelection) -> Recorded {
    Recorded {
        name: frozen.name,
        created: frozen.created,
        key: frozen.key,
        inputs: frozen.inputs,
        view: frozen.view,
        rows: frozen.rows,
        ids: frozen.ids,
        hashes: frozen.hashes.iter().map(hex::encode).collect(),
        reasons: frozen.reasons,
        provenance: frozen.provenance,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_come_back_and_damage_is_seen() {
        let archive = Archive(vec![("a".to_owned(), vec![1, 2, 3]), ("b".to_owned(), Vec::new())]);
        let bytes = archive.to_bytes();
        let back = Archive::from_bytes(&bytes).unwrap();
        assert_eq!(back.0, archive.0);
        for end in MAGIC.len() + 1..bytes.len() {
            let cut = Archive::from_bytes(&bytes[..end]);
            assert!(cut.is_none_or(|cut| cut.0.len() < 2));
        }
        assert!(Archive::from_bytes(b"something else").is_none());
    }
}
