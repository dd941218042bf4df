//! A recorded run as one block of bytes: the artefacts that cannot be had in seconds, what each stage recorded, the
//! selections whole, and the card of the welcome page. Plain concatenation; the program carries it uncompressed.

use paser_project::{FrozenSelection, Inputs, StageRecord, write_durably};
use paser_protocol::DemoCard;
use serde::{Deserialize, Serialize};

use crate::{
    loaded::{f32s, u32s},
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
    reasons: Vec<u8>,
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

/// Key of an artefact, its integer arrays one after the other, and its float arrays.
pub(crate) type RawStage = (String, Vec<u32>, Vec<Vec<f32>>);

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
        let selections: Vec<Recorded> = self.frozen().into_iter().map(recorded).collect();
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
        let imported = self.samples()?.key.clone();
        if !records.iter().any(|record| record.stage == import::STAGE && record.key == imported) {
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
            let frozen = FrozenSelection {
                name: selection.name,
                created: selection.created,
                by_recipe: true,
                key: selection.key,
                inputs: selection.inputs,
                view: selection.view,
                rows: selection.rows,
                ids: selection.ids,
                reasons: selection.reasons,
            };
            lock(&self.catalogue).put_selection(&frozen).map_err(Told::told)?;
        }
        self.reload()
    }

    /// This project's arrays, for a comparison of two runs.
    pub(crate) fn raw(&self, stage: &str) -> Outcome<Option<RawStage>> {
        let record = lock(&self.catalogue).stage(stage).map_err(Told::told)?;
        let Some(record) = record else { return Ok(None) };
        let Some(found) = self.store.get(stage, &record.key).map_err(Told::told)? else { return Ok(None) };
        let clusters = if stage == manifold::STAGE { u32s(&found, "clusters")? } else { Vec::new() };
        let mut columns = Vec::new();
        if stage == score::STAGE {
            for (name, _, _) in crate::loaded::SCORE_COLUMNS {
                columns.push(f32s(&found, name)?);
            }
        }
        Ok(Some((found.manifest.sha256, clusters, columns)))
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
        reasons: frozen.reasons,
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
