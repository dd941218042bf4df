//! Sentences that must stand beside the numbers of a selection.

use paser_protocol::{SelectionPlan, Strategy, Unit};
use paser_select::Selection;

use crate::curated::Curated;

/// What a reader of this selection has to know.
pub(crate) fn notes(plan: &SelectionPlan, selection: &Selection, curated: &Curated) -> Vec<String> {
    let mut notes = Vec::new();
    if plan.strategy == Strategy::InstructionMining {
        notes.push(
            "Instruction Mining without its reward term, which needs a reward model: response length and the distance to \
             the sixth neighbour decide."
                .to_owned(),
        );
    }
    if plan.strategy == Strategy::Kcenter {
        notes.push(
            "Farthest first on the sentence vectors: the selection covers the pool, outliers first, and looks at \
             no score."
                .to_owned(),
        );
    }
    match plan.strategy {
        Strategy::Ifd => notes.push(
            "Highest difficulty (IFD) first; 1 or more is ruled out, as are responses cut at the limit. The published \
             first stage, a short training before scoring, is left out."
                .to_owned(),
        ),
        Strategy::Superfiltering => notes.push(
            "Highest difficulty by the filter model first; 1 or more is ruled out. The published second step, \
             facility location, is left out."
                .to_owned(),
        ),
        Strategy::Nuggets => notes.push(
            "Highest golden score first; equal ones by the mean gain over the anchor tasks. Samples too long to stand \
             before an anchor task are ruled out."
                .to_owned(),
        ),
        _ => {}
    }
    if selection.equal_weights {
        notes.push("No cluster shows any damage, so all have the same weight.".to_owned());
    }
    notes.extend(notes_by_hand(plan, selection, curated));
    let exhausted: Vec<&str> = selection
        .ledger
        .iter()
        .filter(|row| row.exhausted && row.cap > 0 && row.quota_raw.is_some())
        .map(|row| row.name.as_str())
        .collect();
    if plan.strategy != Strategy::Full && !exhausted.is_empty() {
        notes.push(format!("Taken whole, so that nothing was chosen there: {}.", exhausted.join("; ")));
    }
    let shortfall: u64 = selection.ledger.iter().map(|row| row.shortfall).sum();
    if shortfall > 0 {
        notes.push(format!("{shortfall} {} of the budget found no sample.", selection.unit.name()));
    }
    let lost = curated.marks.lost;
    if lost > 0 {
        notes.push(format!("{lost} pinned or excluded samples are not in this pool and count for nothing."));
    }
    notes
}

/// What became of the quotas and the emphasis that a person set.
fn notes_by_hand(plan: &SelectionPlan, selection: &Selection, curated: &Curated) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(clusters) = &curated.clusters else { return notes };
    let unit = plan.budget.unit();
    let set = clusters.quotas.iter().any(Option::is_some) || clusters.emphasis.iter().any(|factor| *factor != 1.0);
    if set && !heeds_quotas(plan.strategy) {
        notes.push(format!("Quotas and emphasis set by hand count for nothing under {}.", plan.strategy));
        return notes;
    }
    let names = clusters.names.as_deref().unwrap_or_default();
    let foreign = clusters.quotas.iter().zip(names).filter(|(quota, _)| quota.is_some_and(|(_, of)| of != unit));
    let foreign: Vec<&str> = foreign.map(|(_, name)| name.as_str()).collect();
    if !foreign.is_empty() {
        let other = if unit == Unit::Samples { Unit::Tokens } else { Unit::Samples };
        notes.push(format!(
            "Quotas set by hand in {} are not applied to a budget in {}: {}.",
            other.name(),
            unit.name(),
            foreign.join("; ")
        ));
    }
    if selection.scaled {
        notes.push("The quotas set by hand exceed the budget together, so each was scaled down.".to_owned());
    }
    if selection.held_back > 0 {
        notes.push(format!(
            "{} {} of the budget are not spent: all that is left lies in clusters with a quota set by hand.",
            selection.held_back,
            unit.name()
        ));
    }
    notes
}

/// Whether quotas and emphasis of the project's clusters change what a strategy takes.
pub(crate) fn heeds_quotas(strategy: Strategy) -> bool {
    match strategy {
        Strategy::Paser
        | Strategy::PaserGuarded
        | Strategy::PaserNoCdais
        | Strategy::PaserNoNtem
        | Strategy::RandomLengthMatched => true,
        Strategy::PaserNoS2ric
        | Strategy::Full
        | Strategy::Random
        | Strategy::Longest
        | Strategy::JsdTop
        | Strategy::PerplexityMid
        | Strategy::PerplexityTop
        | Strategy::Kcenter
        | Strategy::InstructionMining
        | Strategy::Ifd
        | Strategy::Superfiltering
        | Strategy::Nuggets
        | Strategy::Manual => false,
    }
}
