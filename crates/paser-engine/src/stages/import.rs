//! Import: the pool file becomes distinct samples in the catalogue and columns in an artefact (method.md 1.1, 5).

use std::path::PathBuf;

use paser_data::{HoldOut, Pool, ReadOptions, Roles, Sample, hex, read_pool};
use paser_project::{
    Arrays, Inputs, SampleRecord,
    recipe::{HoldOutRule, Recipe},
};

use super::{Bench, Made, artefact, json, record};
use crate::{
    loaded::{PoolFacts, Samples, write_extra},
    session::{Session, lock},
    sources,
    trouble::{Outcome, Told, failed, usage},
};

/// Rises when the same file would give other samples.
const VERSION: u32 = 1;
pub(crate) const STAGE: &str = "import";

pub(crate) struct ImportPlan {
    path: PathBuf,
    options: ReadOptions,
    pub inputs: Inputs,
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

impl ImportPlan {
    pub(crate) fn check(session: &Session, recipe: &Recipe) -> Outcome<Self> {
        if recipe.pool.path.is_empty() {
            return Err(usage(
                format!("{}: `pool.path` is empty", session.folder.recipe().display()),
                "Name an Alpaca JSON or JSONL file.",
            ));
        }
        let path = session.folder.resolve(&recipe.pool.path);
        let known = sources::known_pool(&lock(&session.catalogue), &session.folder, &recipe.pool.path);
        let hash = match known {
            sources::Known::Yes(hash) | sources::Known::Gone(hash) => hash,
            sources::Known::Absent(report) => return Err(report),
            sources::Known::Unread => sources::pool_hash(&session.catalogue, &session.folder, &recipe.pool.path)?,
        };
        Ok(Self { path, options: read_options(recipe), inputs: inputs(recipe, &hash) })
    }

    /// Brings the catalogue's samples up to date. True: they were.
    pub(crate) fn bring_up(self, bench: &Bench<'_>) -> Outcome<bool> {
        let session = bench.session;
        let key = self.inputs.key();
        let current = session.loaded().samples.is_some_and(|samples| samples.key == key);
        if current {
            return Ok(true);
        }
        // The samples of another import may stand in the catalogue: they are written again even where the columns are there.
        let mut records = None;
        let (found, _) = artefact(bench, STAGE, &self.inputs, || {
            let (made, samples) = self.read(bench)?;
            records = Some(samples);
            Ok(made)
        })?;
        let records = match records {
            Some(records) => records,
            None => self.read(bench)?.1,
        };
        let samples = Samples::read(&found, &records)?;
        {
            let mut catalogue = lock(&session.catalogue);
            for stage in super::manifold::DOWNSTREAM {
                catalogue.forget_stage(stage).map_err(Told::told)?;
            }
            catalogue.replace_samples(records.into_iter()).map_err(Told::told)?;
        }
        record(session, STAGE, &found)?;
        session.with_loaded(|loaded| {
            *loaded = crate::session::Loaded { samples: Some(samples.into()), ..Default::default() };
        });
        session.read_noise();
        Ok(false)
    }

    fn read(&self, bench: &Bench<'_>) -> Outcome<(Made, Vec<SampleRecord>)> {
        let pool = bench
            .work("reading the pool", "bytes", |monitor| read_pool(&self.path, &self.options, monitor))
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
        Ok((Made { arrays, summary: json(&facts) }, records))
    }
}

fn to_record(sample: Sample, held_out: bool, row: u32) -> SampleRecord {
    SampleRecord {
        row,
        id: sample.id,
        line: sample.line,
        multiplicity: sample.multiplicity,
        hash: hex(&sample.hash),
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

/// The whole pool again, texts included, as the import left it.
pub(crate) fn pool(session: &Session) -> Outcome<Pool> {
    let samples = session.samples()?;
    let records = lock(&session.catalogue).samples().map_err(Told::told)?;
    if records.len() != samples.len() {
        return Err(failed("The catalogue holds another pool than the one in memory.", "Open the project again."));
    }
    Ok(Pool {
        samples: records.into_iter().zip(&samples.hashes).map(|(record, hash)| to_sample(record, *hash)).collect(),
        columns: samples.extra.clone(),
        roles: samples.facts.roles.clone(),
        id_kind: samples.facts.id_kind,
        aliases: samples.facts.aliases.clone(),
        held_out: samples.held_out.clone(),
        report: samples.facts.report.clone(),
    })
}
