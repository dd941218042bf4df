//! Frozen selections: made of a plan, kept whole under a name, renamed, discarded, and replayed to the byte.

use std::{
    sync::atomic::AtomicBool,
    time::{SystemTime, UNIX_EPOCH},
};

use paser_project::{FrozenSelection, SelectionHead};
use paser_protocol::{SelectionPlan, SelectionView};

use crate::{
    selection::{Selected, is_of},
    session::{RecipeText, Session, lock},
    trouble::{Outcome, Told, failed, usage},
};

/// Characters of a selection's name.
const LONGEST_NAME: usize = 80;

impl Session {
    /// Computes the selection of a plan and freezes it under a name.
    ///
    /// # Errors
    /// A name that is taken or empty; whatever keeps the selection from being computed; `cancelled` was set.
    pub fn select_as(&self, plan: &SelectionPlan, name: &str, cancelled: &AtomicBool) -> Outcome<SelectionView> {
        let name = self.free_name(name)?;
        self.quietly(cancelled, |bench| {
            let selected = self.select_with(plan, bench)?;
            if selected.selection.rows.is_empty() {
                return Err(usage("The selection holds no sample.", "Raise the budget, or pin samples for `manual`."));
            }
            self.store_selection(&name, &selected, false, &bench.recipe)?;
            self.touch();
            Ok(SelectionView { name: Some(name.clone()), ..selected.view.clone() })
        })
    }

    /// Freezes the selection of the current plan.
    pub fn freeze(&self, name: &str, cancelled: &AtomicBool) -> Outcome<SelectionView> {
        self.select_as(&self.plan(), name, cancelled)
    }

    fn free_name(&self, name: &str) -> Outcome<String> {
        let name = name.trim();
        if name.is_empty() {
            return Err(usage("A selection needs a name.", ""));
        }
        if name.chars().count() > LONGEST_NAME {
            return Err(usage(format!("A selection's name has at most {LONGEST_NAME} characters."), "Shorten it."));
        }
        if self.selection_heads()?.iter().any(|selection| selection.name == name) {
            return Err(usage(
                format!("There is a selection named {name} already."),
                "Choose another name, or discard the old one.",
            ));
        }
        Ok(name.to_owned())
    }

    /// Gives a frozen selection another name.
    ///
    /// # Errors
    /// There is none of that name; the new name is empty or taken; one that the recipe makes.
    pub fn rename_selection(&self, from: &str, to: &str) -> Outcome<()> {
        let frozen = self.frozen_named(from)?;
        if frozen.by_recipe {
            return Err(usage(
                format!("{from} is made by the recipe, which would make it again under its name."),
                "Change its name in recipe.toml.",
            ));
        }
        let to = self.free_name(to)?;
        let view = SelectionView { name: Some(to.clone()), ..stored_view(from, &frozen.view)? };
        let view = serde_json::to_string(&view).map_err(|error| failed(error.to_string(), ""))?;
        lock(&self.catalogue).rename_selection(from, &to, &view).map_err(Told::told)?;
        self.touch();
        Ok(())
    }

    /// Removes a frozen selection.
    pub fn discard(&self, name: &str) -> Outcome<()> {
        if !lock(&self.catalogue).remove_selection(name).map_err(Told::told)? {
            return Err(no_selection(name, &self.selection_heads()?));
        }
        self.touch();
        Ok(())
    }

    /// `recipe`: the one that the selection was computed by.
    pub(crate) fn store_selection(
        &self,
        name: &str,
        selected: &Selected,
        by_recipe: bool,
        recipe: &RecipeText,
    ) -> Outcome<()> {
        let samples = self.samples()?;
        if !is_of(&selected.inputs, &samples) {
            return Err(usage("The pool was imported anew while the selection was made.", "Select again."));
        }
        let view = SelectionView { name: Some(name.to_owned()), ..selected.view.clone() };
        let rows = &selected.selection.rows;
        let json = |text: serde_json::Result<String>| text.map_err(|error| failed(error.to_string(), ""));
        let frozen = FrozenSelection {
            name: name.to_owned(),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            by_recipe,
            key: selected.key.clone(),
            inputs: selected.inputs.clone(),
            view: json(serde_json::to_string(&view))?,
            rows: rows.clone(),
            ids: rows.iter().map(|row| samples.ids[*row as usize].clone()).collect(),
            hashes: rows.iter().map(|row| samples.hashes[*row as usize]).collect(),
            reasons: selected.reasons.to_vec(),
            provenance: json(serde_json::to_string(&self.provenance(&selected.inputs, recipe)?))?,
        };
        lock(&self.catalogue).put_selection(&frozen).map_err(Told::told)
    }

    /// Every frozen selection, in the order of their making.
    ///
    /// # Errors
    /// A catalogue that cannot be read.
    pub fn frozen(&self) -> Outcome<Vec<FrozenSelection>> {
        lock(&self.catalogue).selections().map_err(Told::told)
    }

    /// The same without their samples.
    pub(crate) fn selection_heads(&self) -> Outcome<Vec<SelectionHead>> {
        lock(&self.catalogue).selection_heads().map_err(Told::told)
    }

    /// A frozen selection by name.
    ///
    /// # Errors
    /// There is none of that name; a catalogue that cannot be read.
    pub fn frozen_named(&self, name: &str) -> Outcome<FrozenSelection> {
        let found = lock(&self.catalogue).selection(name).map_err(Told::told)?;
        match found {
            Some(found) => Ok(found),
            None => Err(no_selection(name, &self.selection_heads()?)),
        }
    }

    /// Computes a frozen selection again from the plan it stores, where everything else that decided it is still so.
    /// True: the same rows and reasons to the byte.
    ///
    /// # Errors
    /// Inputs that changed, named.
    pub fn replay(&self, name: &str, cancelled: &AtomicBool) -> Outcome<bool> {
        let frozen = self.frozen_named(name)?;
        let view = stored_view(&frozen.name, &frozen.view)?;
        let selected = self.quietly(cancelled, |bench| self.select_with(&view.plan, bench))?;
        let changed = selected.inputs.difference(&frozen.inputs);
        if !changed.is_empty() {
            return Err(usage(
                format!("{name} cannot be replayed: {} changed since it was frozen", changed.join(", ")),
                "The selection itself is stored whole and can still be exported.",
            ));
        }
        Ok(selected.selection.rows == frozen.rows && *selected.reasons == *frozen.reasons)
    }
}

/// The view that a frozen selection stores.
pub(crate) fn stored_view(name: &str, view: &str) -> Outcome<SelectionView> {
    serde_json::from_str(view)
        .map_err(|error| failed(format!("the stored selection {name}: {error}"), "Discard it and make it again."))
}

fn no_selection(name: &str, all: &[SelectionHead]) -> paser_protocol::Report {
    let names: Vec<&str> = all.iter().map(|selection| selection.name.as_str()).collect();
    let advice = if names.is_empty() {
        "There is none yet: make one with `paser select`.".to_owned()
    } else {
        format!("There are {}.", names.join(", "))
    };
    usage(format!("There is no selection named {name}."), advice)
}
