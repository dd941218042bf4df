//! The stages of a run, all of the same shape: parameters from the recipe are checked into a plan that names every
//! input and so its key; the plan is run with a voice; what comes out is an artefact with its manifest.

pub(crate) mod checks;
pub(crate) mod concepts;
pub(crate) mod embed;
pub(crate) mod import;
pub(crate) mod kmeans;
pub(crate) mod manifold;
pub(crate) mod neighbours;
pub(crate) mod passes;
pub(crate) mod prune;
pub(crate) mod recover;
pub(crate) mod score;
pub(crate) mod select;
pub(crate) mod sweep;

use std::{sync::Arc, time::Instant};

use paser_project::{Arrays, Artefact, Inputs, Job, Measured, StageRecord};
use paser_protocol::{Event, Monitor, Stage};

use crate::{
    estimate,
    program::Program,
    progress::Reporter,
    session::{RecipeText, Session, lock},
    trouble::{Outcome, Told},
    worker,
};

/// Who computes the shards of a job.
#[derive(Clone, Copy)]
pub(crate) enum Hands<'a> {
    /// This process.
    Here,
    /// A worker that this process starts or finds at work.
    Program(&'a Program),
    /// This process is the worker of this job.
    Worker(&'a Arc<Job>),
}

/// What a stage has to work with.
pub(crate) struct Bench<'a> {
    pub session: &'a Session,
    pub reporter: &'a Reporter<'a>,
    pub stage: Stage,
    pub threads: usize,
    /// The recipe that this work follows to its end, whatever a person writes into the file meanwhile.
    pub recipe: Arc<RecipeText>,
    /// Bytes that the estimate of what is computed may not pass.
    pub memory: Option<u64>,
    pub hands: Hands<'a>,
    /// May what is missing be computed for minutes or hours? Not while a face waits for an answer.
    pub patient: bool,
}

impl Bench<'_> {
    /// A worker computes what was planned: whatever would have to be fetched, read or made before is refused.
    pub(crate) fn may_prepare(&self) -> Outcome<()> {
        match self.hands {
            Hands::Here | Hands::Program(_) => Ok(()),
            Hands::Worker(job) => Err(worker::changed(job.folder())),
        }
    }

    pub(crate) fn work<T>(&self, what: &str, unit: &str, work: impl FnOnce(&dyn Monitor) -> T) -> T {
        self.reporter.work(self.stage, what, unit, work)
    }

    /// Refuses what cannot fit. Asked before something is computed, never for what is found.
    pub(crate) fn check_memory(&self) -> Outcome<()> {
        estimate::check_memory(self.session, &self.recipe.recipe, self.stage, self.memory)
    }

    /// Something that a face shows changed in the middle of a stage.
    pub(crate) fn changed(&self) {
        self.reporter.send(Event::Project { revision: self.session.revision() });
    }

    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.reporter.send(Event::Notice { text: text.into() });
    }
}

/// What a stage made, before it is stored.
pub(crate) struct Made {
    pub arrays: Arrays,
    pub summary: serde_json::Value,
}

/// The artefact under the key of `inputs`, computed only where it is not there or damaged. True: it was there.
pub(crate) fn artefact(
    bench: &Bench<'_>,
    stage: &str,
    inputs: &Inputs,
    make: impl FnOnce() -> Outcome<Made>,
) -> Outcome<(Artefact, bool)> {
    let key = inputs.key();
    match bench.session.store.get(stage, &key) {
        Ok(Some(found)) => return Ok((found, true)),
        Ok(None) => {}
        Err(damaged) => bench.notice(format!("{damaged}; it is computed anew")),
    }
    bench.check_memory()?;
    let started = Instant::now();
    let made = make()?;
    let measured = Measured {
        seconds: started.elapsed().as_secs_f64(),
        peak_memory_bytes: bench.reporter.peak_memory(),
        summary: made.summary,
    };
    let manifest = bench.session.store.put(stage, inputs, &made.arrays, measured).map_err(Told::told)?;
    Ok((Artefact { manifest, arrays: made.arrays }, false))
}

/// What the catalogue keeps of an artefact.
pub(crate) fn record_of(stage: &str, artefact: &Artefact) -> StageRecord {
    let manifest = &artefact.manifest;
    StageRecord {
        stage: stage.to_owned(),
        key: manifest.key.clone(),
        inputs: manifest.inputs.clone(),
        seconds: manifest.seconds,
        peak_memory_bytes: manifest.peak_memory_bytes,
    }
}

/// Writes into the catalogue what a stage made last.
pub(crate) fn record(session: &Session, stage: &str, artefact: &Artefact) -> Outcome<()> {
    lock(&session.catalogue).record_stage(&record_of(stage, artefact)).map_err(Told::told)
}

/// JSON of what always serialises.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
