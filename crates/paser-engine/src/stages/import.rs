//! Import: the pool file becomes distinct samples in the catalogue and columns in an artefact (method.md 1.1, 5).

use std::time::Instant;

use paser_data::{HoldOut, Pool, ReadOptions, Roles, Sample, read_pool_files};
use paser_project::{
    Arrays, Artefact, Inputs, SampleRecord,
    recipe::{HoldOutRule, Recipe},
};
use paser_protocol::{Monitor, Report};

use super::{Bench, Made, artefact, json, record_of};
use crate::{
    loaded::{PoolFacts, Samples, write_extra},
    pool_source::{self, NoPool, PoolFiles},
    session::{Session, lock},
    sources::Known,
    trouble::{Outcome, Told, failed, usage},
};

/// Rises when the same file would give other samples.
const VERSION: u32 = 1;
pub(crate) const STAGE: &str = "import";

pub(crate) struct ImportPlan {
    recipe: Recipe,
    /// What the file's content was when it was looked at.
    inputs: Inputs,
}

/// What a pool file holds.
struct Read {
    arrays: Arrays,
    facts: PoolFacts,
    records: Vec<SampleRecord>,
}

/// How the recipe says the pool is to be read.
pub(crate) fn read_options(recipe: &Recipe) -> ReadOptions {
    let roles = &recipe.roles;
    let named = |role: &str| (role != "none").then(|| role.to_owned());
    ReadOptions {
        roles: (roles.instruction != "auto").then(|| Roles {
            instruction: roles.instruction.clone(),
            input: named(&roles.input),
            output: roles.output.clone(),
            id: named(&roles.id),
        }),
        hold_out: match &recipe.pool.hold_out {
            HoldOutRule::None => HoldOut::None,
            HoldOutRule::Share(share) => HoldOut::Fraction { share: *share },
            HoldOutRule::MultiplesOf(divisor) => HoldOut::IdMultipleOf(*divisor),
            HoldOutRule::Ids(ids) => HoldOut::IdList(ids.clone()),
        },
    }
}

/// Everything that decides the samples.
pub(crate) fn inputs(recipe: &Recipe, pool_hash: &str) -> Inputs {
    let options = read_options(recipe);
    Inputs::new()
        .with("program's import", VERSION)
        .with("pool file", pool_hash)
        .with("roles", json(&options.roles))
        .with("hold-out", json(&options.hold_out))
}

/// The pool's files; of a data set on the hub, what is missing is downloaded.
fn obtain(bench: &Bench<'_>, recipe: &Recipe) -> Outcome<PoolFiles> {
    let (folder, reference) = (&bench.session.folder, &recipe.pool.path);
    match pool_source::find(folder, reference) {
        Err(NoPool::NotDownloaded(_)) => {
            bench.may_prepare()?;
            let fetch = |monitor: &dyn Monitor| pool_source::obtain(folder, reference, monitor);
            bench.work(&format!("downloading {reference}"), "bytes", fetch)
        }
        found => found.map_err(Report::from),
    }
}

impl ImportPlan {
    pub(crate) fn check(bench: &Bench<'_>) -> Outcome<Self> {
        let (session, recipe) = (bench.session, bench.recipe.recipe.clone());
        if recipe.pool.path.is_empty() {
            return Err(usage(
                format!("{}: `pool.path` is empty", session.folder.recipe().display()),
                "Name a JSON, JSONL or Parquet file, or a data set on the hub: hub:org/name.",
            ));
        }
        let known = pool_source::known(&lock(&session.catalogue), &session.folder, &recipe.pool.path);
        let hash = match known {
            Known::Yes(hash) | Known::Gone(hash) => hash,
            Known::Absent(report) if !pool_source::is_hub(&recipe.pool.path) => return Err(report),
            Known::Unread | Known::Absent(_) => {
                let pool = obtain(bench, &recipe)?;
                bench.work("looking for changes in the pool", "bytes", |monitor| {
                    pool_source::hash(&session.catalogue, &recipe.pool.path, &pool, monitor)
                })?
            }
        };
        let inputs = inputs(&recipe, &hash);
        Ok(Self { recipe, inputs })
    }

    /// Brings the catalogue's samples up to date. True: they were.
    pub(crate) fn bring_up(self, bench: &Bench<'_>) -> Outcome<bool> {
        let session = bench.session;
        let is_current = |inputs: &Inputs| {
            let key = inputs.key();
            session.loaded().samples.is_some_and(|samples| samples.key == key)
        };
        if is_current(&self.inputs) {
            return Ok(true);
        }
        bench.check_memory()?;
        // The samples of another import may stand in the catalogue: the file is read even where the columns are there.
        let started = Instant::now();
        let Read { arrays, facts, records } = self.read(bench)?;
        let seconds = started.elapsed().as_secs_f64();
        // The file may have been edited since it was looked at. What was read decides the name.
        let inputs = inputs(&self.recipe, &facts.report.sha256);
        if is_current(&inputs) {
            return Ok(true);
        }
        let (mut found, made) = artefact(bench, STAGE, &inputs, || Ok(Made { arrays, summary: json(&facts) }))?;
        if !made {
            found.manifest.seconds = seconds;
        }
        let samples = read_records(&mut found, &records)?;
        let downstream = [&super::manifold::DOWNSTREAM[..], &crate::stability::STAGES].concat();
        lock(&session.catalogue)
            .replace_pool(records.into_iter(), &downstream, &record_of(STAGE, &found))
            .map_err(Told::told)?;
        session.with_loaded(|loaded| {
            *loaded = crate::session::Loaded { samples: Some(samples.into()), ..Default::default() };
        });
        session.read_noise();
        Ok(false)
    }

    fn read(&self, bench: &Bench<'_>) -> Outcome<Read> {
        let options = read_options(&self.recipe);
        let PoolFiles { place, files, .. } = obtain(bench, &self.recipe)?;
        let pool = bench
            .work("reading the pool", "bytes", |monitor| read_pool_files(&place, &files, &options, monitor))
            .map_err(Told::told)?;
        let mut arrays = Arrays::new();
        let columns = write_extra(&pool.columns, &mut arrays);
        let facts = PoolFacts {
            roles: pool.roles.clone(),
            id_kind: pool.id_kind,
            aliases: pool.aliases.clone(),
            report: pool.report.clone(),
            columns,
        };
        let records = pool
            .samples
            .into_iter()
            .zip(&pool.held_out)
            .zip(0..)
            .map(|((sample, held_out), row)| to_record(sample, *held_out, row))
            .collect();
        Ok(Read { arrays, facts, records })
    }
}

fn read_records(artefact: &mut Artefact, records: &[SampleRecord]) -> Outcome<Samples> {
    Samples::read(artefact, |visit| {
        records.iter().for_each(|record| visit(record.head()));
        Ok(())
    })
}

fn to_record(sample: Sample, held_out: bool, row: u32) -> SampleRecord {
    SampleRecord {
        row,
        id: sample.id,
        line: sample.line,
        multiplicity: sample.multiplicity,
        hash: hex::encode(sample.hash),
        held_out,
        instruction: sample.instruction,
        input: sample.input,
        output: sample.output,
    }
}

/// The sample of a record. `hash` is the row's own, as bytes.
pub(crate) fn to_sample(record: SampleRecord, hash: [u8; 32]) -> Sample {
    Sample {
        id: record.id,
        instruction: record.instruction,
        input: record.input,
        output: record.output,
        hash,
        multiplicity: record.multiplicity,
        line: record.line,
    }
}

/// The whole pool again, texts included, as the import of these samples left it.
pub(crate) fn pool(session: &Session, samples: &Samples) -> Outcome<Pool> {
    let records = lock(&session.catalogue).samples().map_err(Told::told)?;
    let same = |(record, hash): (&SampleRecord, &[u8; 32])| record.hash == hex::encode(hash);
    if records.len() != samples.len() || !records.iter().zip(&samples.hashes).all(same) {
        return Err(failed("The catalogue holds another pool than the one in memory.", "Open the project again."));
    }
    Ok(Pool {
        samples: records.into_iter().zip(&samples.hashes).map(|(record, hash)| to_sample(record, *hash)).collect(),
        columns: samples.extra.clone(),
        roles: samples.facts.roles.clone(),
        id_kind: samples.facts.id_kind,
        aliases: samples.facts.aliases.clone(),
        held_out: samples.held_out.to_vec(),
        report: samples.facts.report.clone(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{path::PathBuf, sync::atomic::AtomicBool};

    use paser_project::sha256_hex;
    use paser_protocol::ProjectDraft;

    use super::*;

    const OLD: &str = "{\"instruction\": \"Name a colour.\", \"output\": \"Green.\"}\n";
    const NEW: &str = "{\"instruction\": \"Name a fruit.\", \"output\": \"Plum.\"}\n{\"instruction\": \"Add 2 and 3.\", \"output\": \"5\"}\n";

    #[test]
    fn a_pool_edited_while_it_is_imported_is_kept_under_its_own_name() {
        let place = tempfile::tempdir().unwrap();
        let pool = place.path().join("pool.jsonl");
        fs_err::write(&pool, OLD).unwrap();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let draft =
            ProjectDraft { folder: text(place.path().join("p")), pool: text(pool.clone()), ..ProjectDraft::default() };
        let session = Session::create(&draft).unwrap();
        let recipe = session.recipe().recipe.clone();
        let key_of = |text: &str| inputs(&recipe, &sha256_hex(text.as_bytes())).key();
        let never = AtomicBool::new(false);
        session.quietly(&never, |bench| {
            let plan = ImportPlan::check(bench).unwrap();
            fs_err::write(&pool, NEW).unwrap();
            assert!(!plan.bring_up(bench).unwrap());
            assert_eq!(session.samples().unwrap().len(), 2);
            assert_eq!(session.samples().unwrap().key, key_of(NEW));
            assert_eq!(lock(&session.catalogue).stage(STAGE).unwrap().unwrap().key, key_of(NEW));
            assert!(ImportPlan::check(bench).unwrap().bring_up(bench).unwrap(), "and it is known by it");
            // The old text is imported as itself, not as what was stored while it was looked at.
            fs_err::write(&pool, OLD).unwrap();
            assert!(!ImportPlan::check(bench).unwrap().bring_up(bench).unwrap());
            assert_eq!((session.samples().unwrap().len(), session.samples().unwrap().key.clone()), (1, key_of(OLD)));
        });
    }

    #[test]
    fn every_sample_is_found_by_its_id_and_by_its_content() {
        let place = tempfile::tempdir().unwrap();
        let pool = place.path().join("pool.jsonl");
        let line = |id: &str| format!("{{\"id\": {id:?}, \"instruction\": \"about {id}\", \"output\": \"b\"}}\n");
        let ids = ["m", "b", "10", "9", "a", "zz", "z"];
        fs_err::write(&pool, ids.map(line).concat()).unwrap();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let draft = ProjectDraft { folder: text(place.path().join("p")), pool: text(pool), ..ProjectDraft::default() };
        let session = Session::create(&draft).unwrap();
        let never = AtomicBool::new(false);
        session.quietly(&never, |bench| ImportPlan::check(bench).unwrap().bring_up(bench).unwrap());
        let samples = session.samples().unwrap();
        for (row, id) in (0..).zip(ids) {
            assert_eq!(samples.row_of_id(id), Some(row), "{id}");
            assert_eq!(samples.row_of_hash(&samples.hashes[row as usize]), Some(row), "{id}");
            assert_eq!(samples.row_of("another id", &samples.hash_hex(row as usize)), Some(row), "{id}");
            assert_eq!(samples.row_of(id, "another content"), Some(row), "{id}");
        }
        for unknown in ["", "0", "aa", "zzz"] {
            assert_eq!(samples.row_of_id(unknown), None, "{unknown}");
        }
        assert_eq!((samples.row_of_hash(&[0; 32]), samples.row_of_hash(&[255; 32])), (None, None));
    }

    #[test]
    fn columns_of_another_length_are_no_import() {
        let place = tempfile::tempdir().unwrap();
        let pool = place.path().join("pool.jsonl");
        fs_err::write(&pool, NEW.replace("\"output\"", "\"weight\": 1, \"output\"")).unwrap();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let draft = ProjectDraft { folder: text(place.path().join("p")), pool: text(pool), ..ProjectDraft::default() };
        let session = Session::create(&draft).unwrap();
        let never = AtomicBool::new(false);
        session.quietly(&never, |bench| ImportPlan::check(bench).unwrap().bring_up(bench).unwrap());
        let key = session.samples().unwrap().key.clone();
        let whole = session.store.get(STAGE, &key).unwrap().unwrap();
        let records = lock(&session.catalogue).samples().unwrap();
        assert!(read_records(&mut whole.clone(), &records).is_ok());
        assert!(read_records(&mut whole.clone(), &records[..1]).is_err(), "samples of another import");
        let mut short = whole;
        short.arrays.insert("extra:0", paser_project::Array::column(vec![1.0_f64]));
        assert!(read_records(&mut short, &records).is_err(), "a column of another import");
    }
}
