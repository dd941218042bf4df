//! Select: the recipe's selections, computed and stored whole. Those frozen by a person are left alone.

use std::time::Instant;

use paser_project::{Inputs, StageRecord};
use paser_protocol::Stage;

use super::Bench;
use crate::{
    session::lock,
    trouble::{Outcome, Told},
};

/// Brings every selection of the recipe up to date. True: all were.
pub(crate) fn bring_up(bench: &Bench<'_>) -> Outcome<bool> {
    let session = bench.session;
    let started = Instant::now();
    let recipe = &bench.recipe.recipe;
    let stored = session.selection_heads()?;
    let mut all_cached = true;
    for named in &recipe.selections {
        let current = stored.iter().find(|selection| selection.name == named.name);
        if current.is_some_and(|current| !current.by_recipe) {
            bench.notice(format!(
                "the name {} belongs to a selection frozen by hand: the recipe's selection of that name is left out",
                named.name
            ));
            continue;
        }
        let inputs = session.selection_inputs(&named.plan, bench)?;
        if current.is_some_and(|current| current.key == inputs.key()) {
            continue;
        }
        bench.check_memory()?;
        let selected = session.select_with(&named.plan, bench)?;
        session.store_selection(&named.name, &selected, true, &bench.recipe)?;
        all_cached = false;
    }
    for gone in stored.iter().filter(|stored| stored.by_recipe) {
        if !recipe.selections.iter().any(|named| named.name == gone.name) {
            lock(&session.catalogue).remove_selection(&gone.name).map_err(Told::told)?;
            all_cached = false;
        }
    }
    if !all_cached {
        let record = StageRecord {
            stage: Stage::Select.name().to_owned(),
            // Each selection carries its own key.
            key: String::new(),
            inputs: Inputs::new(),
            seconds: started.elapsed().as_secs_f64(),
            peak_memory_bytes: bench.reporter.peak_memory(),
        };
        lock(&session.catalogue).record_stage(&record).map_err(Told::told)?;
    }
    Ok(all_cached)
}
