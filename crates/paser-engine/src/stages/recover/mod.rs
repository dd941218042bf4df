//! Recover: every seed of every arm is a job of its own, whose shards are stretches of steps, each ending with a look at the
//! items (method.md 5). What a run leaves is an artefact: losses, looks, and the trained numbers.

pub(crate) mod items;
mod plan;
mod reference;
mod run;
pub(crate) mod texts;

use paser_protocol::ArmPlan;

pub(crate) use items::NO_ROW;
pub(crate) use plan::{Order, Pair, rows_of_arm};
pub(crate) use reference::Reference;
pub(crate) use run::RunFacts;

use super::Bench;
use crate::{
    session::lock,
    trouble::{Outcome, usage},
};

pub(crate) const STAGE: &str = "recover";
pub(crate) const REFERENCE: &str = "recover-reference";

/// Trains what is not trained yet of these arms. True: nothing was.
///
/// # Errors
/// No arm; an arm whose data is not there; nothing to measure on.
pub(crate) fn bring_up(bench: &Bench<'_>, arms: &[ArmPlan]) -> Outcome<bool> {
    if arms.is_empty() {
        return Err(usage(
            "There is no arm to train.",
            "Add one: `paser recover --add SELECTION`, or Add arm in the window.",
        ));
    }
    let pair = Pair::check(bench)?;
    let items = items::Items::read(bench, &pair.texts)?;
    let mut cached = reference::bring_up(bench, &pair, &items)?;
    // Every arm's data is looked for before the first is trained, which may take hours.
    let mut runs = Vec::new();
    for arm in arms {
        for &seed in &arm.seeds {
            runs.push(plan::RunPlan::check(bench, &pair, &items, arm, seed)?);
        }
    }
    lock(&bench.session.recovery).plan(runs.iter().map(|run| (run.order.clone(), run.inputs.key())));
    bench.changed();
    let count = runs.len();
    for (at, run) in runs.into_iter().enumerate() {
        cached &= run.bring_up(bench, &pair, &items, (at, count))?;
    }
    Ok(cached)
}

/// The part of a worker: the job says which run it is.
pub(crate) fn compute(bench: &Bench<'_>, job: &paser_project::Job) -> Outcome<()> {
    let details = job.work().ok().and_then(|work| work.details).unwrap_or_default();
    let order: Order = serde_json::from_str(&details).map_err(|error| {
        usage(format!("{}: the run's order: {error}", job.folder().display()), "Start the run again.")
    })?;
    let pair = Pair::check(bench)?;
    let items = items::Items::read(bench, &pair.texts)?;
    let run = plan::RunPlan::of_job(bench, &pair, &items, order, job.plan())?;
    run.shards(bench, &pair, &items, "training").map(drop)
}
