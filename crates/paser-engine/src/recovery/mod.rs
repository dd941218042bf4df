//! What is known of the recovery: the models on the items, and every run of every arm, trained, stopped or at work.

mod arms;
mod elsewhere;
mod groups;
mod report;
mod sweep;
mod view;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use paser_project::jobs_of;

use crate::{
    session::{Session, lock},
    stages::recover::{self, Order, Reference, RunFacts},
    trouble::{Outcome, Told},
};

/// A run as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub facts: Arc<RunFacts>,
    /// Of the artefact; none while it is not trained to its end.
    pub key: Option<String>,
}

/// Runs by arm and seed.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    pub reference: Option<Arc<Reference>>,
    pub runs: BTreeMap<(String, u64), Known>,
    /// What the run at work has before it.
    pub waiting: Vec<(String, u64)>,
    /// The one that is trained now.
    pub training: Option<(String, u64)>,
}

impl Recovery {
    /// These runs come next. One that was planned otherwise before is forgotten.
    pub(crate) fn plan(&mut self, runs: impl Iterator<Item = (Order, String)>) {
        self.waiting.clear();
        for (order, key) in runs {
            let place = (order.arm.clone(), order.seed);
            let fits = |known: &Known| known.facts.order == order && known.key.as_ref().is_none_or(|of| *of == key);
            if !self.runs.get(&place).is_some_and(fits) {
                self.runs.remove(&place);
            }
            if self.runs.get(&place).is_none_or(|known| known.key.is_none()) {
                self.waiting.push(place);
            }
        }
    }

    pub(crate) fn set_reference(&mut self, reference: Reference) {
        self.reference = Some(Arc::new(reference));
    }

    /// A run at work, as far as it is.
    pub(crate) fn show(&mut self, facts: &RunFacts) {
        let place = (facts.order.arm.clone(), facts.order.seed);
        self.training = Some(place.clone());
        self.runs.insert(place, Known { facts: Arc::new(facts.clone()), key: None });
    }

    pub(crate) fn finish(&mut self, order: &Order, facts: RunFacts, key: String) {
        let place = (order.arm.clone(), order.seed);
        self.waiting.retain(|waiting| *waiting != place);
        self.training = None;
        self.runs.insert(place, Known { facts: Arc::new(facts), key: Some(key) });
    }
}

impl Session {
    /// Reads what was trained before, whole and in part.
    pub(crate) fn read_recovery(&self) -> Outcome<()> {
        let mut found = Recovery { reference: self.read_reference()?.map(Arc::new), ..Recovery::default() };
        for job in jobs_of(&self.folder.jobs(), recover::STAGE) {
            let order = job.work().ok().and_then(|work| work.details);
            let Some(order) = order.and_then(|details| serde_json::from_str::<Order>(&details).ok()) else { continue };
            let mut facts = RunFacts::of(order);
            for shard in 0..job.plan().shards.len() {
                let Some((_, arrays)) = job.finished(shard) else { break };
                facts.add(&arrays);
            }
            found.show(&facts);
        }
        found.training = None;
        let begin = format!("{} ", recover::STAGE);
        let records = lock(&self.catalogue).stages_beginning(&begin).map_err(Told::told)?;
        for record in records {
            let Ok(Some(mut artefact)) = self.store.get(recover::STAGE, &record.key) else { continue };
            if let Ok(facts) = RunFacts::read(&mut artefact) {
                found.finish(&facts.order.clone(), facts, record.key);
            }
        }
        *lock(&self.recovery) = found;
        Ok(())
    }
}
