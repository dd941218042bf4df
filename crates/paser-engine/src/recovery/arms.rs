//! Arms and settings of the recipe, as a person changes them.

use paser_project::{Recipe, write_durably};
use paser_protocol::{ArmData, ArmPlan, RecoverSettings};

use crate::{
    session::{Session, read_recipe},
    trouble::{Outcome, Told, usage},
};

/// Characters of an arm's name.
const LONGEST_NAME: usize = 80;
/// Steps of a pilot, at most.
const PILOT_STEPS: u32 = 200;

impl Session {
    /// Adds arms to the recipe; one of a name that is there is replaced by none: names are taken once.
    ///
    /// # Errors
    /// A name that is empty, too long or taken; a selection or cluster that is not there; no seed.
    pub fn add_arms(&self, arms: &[ArmPlan]) -> Outcome<()> {
        let mut all = self.recipe().recipe.arms.clone();
        let heads = self.selection_heads()?;
        for arm in arms {
            let name = arm.name.trim();
            if name.is_empty() || name.chars().count() > LONGEST_NAME {
                return Err(usage(format!("An arm's name has 1 to {LONGEST_NAME} characters."), ""));
            }
            if all.iter().any(|known| known.name == name) {
                return Err(usage(
                    format!("There is an arm named {name} already."),
                    "Choose another name, or remove it first.",
                ));
            }
            if arm.seeds.is_empty() {
                return Err(usage(
                    format!("The arm {name} has no seed."),
                    "Give at least one; three tell chance from effect.",
                ));
            }
            match &arm.data {
                ArmData::Selection { name: selection } if !heads.iter().any(|head| head.name == *selection) => {
                    self.frozen_named(selection)?;
                }
                ArmData::Cluster { cluster } => {
                    let clusters = self.loaded().clusters().map_or(0, |clusters| clusters.count());
                    if *cluster as usize >= clusters {
                        return Err(usage(
                            format!("There is no cluster {cluster}: the project has {clusters}."),
                            "`paser status` lists them.",
                        ));
                    }
                }
                ArmData::Selection { .. } => {}
            }
            all.push(ArmPlan { name: name.to_owned(), ..arm.clone() });
        }
        self.set_arms(&all)
    }

    /// Takes an arm out of the recipe.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn remove_arm(&self, name: &str) -> Outcome<()> {
        let mut all = self.recipe().recipe.arms.clone();
        let before = all.len();
        all.retain(|arm| arm.name != name);
        if all.len() == before && self.forget_foreign(name)? {
            return Ok(());
        }
        if all.len() == before {
            let names: Vec<&str> = all.iter().map(|arm| arm.name.as_str()).collect();
            return Err(usage(format!("There is no arm named {name}."), format!("There are: {}.", names.join(", "))));
        }
        self.set_arms(&all)
    }

    fn set_arms(&self, arms: &[ArmPlan]) -> Outcome<()> {
        let path = self.folder.recipe();
        let text = read_recipe(&self.folder)?.text;
        let changed = Recipe::with_arms(&text, arms, &path).map_err(Told::told)?;
        write_durably(&path, changed.as_bytes()).map_err(Told::told)?;
        self.reread_recipe()?;
        Ok(())
    }

    /// Sets how arms are trained. Paths of items are as typed; those inside the project become relative.
    ///
    /// # Errors
    /// A value out of its bounds; a file that is not there.
    pub fn set_recover(&self, settings: &RecoverSettings) -> Outcome<()> {
        let place = |typed: &String| {
            let path = self.folder.resolve(typed.trim());
            if path.is_file() {
                return Ok(self.folder.relative(&path));
            }
            Err(usage(
                format!("{}: there is no such file of items.", path.display()),
                "Name one on the engine's machine.",
            ))
        };
        let items = settings.items.iter().map(place).collect::<Outcome<Vec<_>>>()?;
        let settings = RecoverSettings { items, ..settings.clone() };
        let path = self.folder.recipe();
        let text = read_recipe(&self.folder)?.text;
        let changed = Recipe::with_recover(&text, &settings, &path).map_err(Told::told)?;
        if changed != text {
            write_durably(&path, changed.as_bytes()).map_err(Told::told)?;
            self.reread_recipe()?;
        }
        Ok(())
    }

    /// Adds a short arm for each cluster that has none yet.
    ///
    /// # Errors
    /// No clusters yet.
    pub fn add_pilots(&self) -> Outcome<Vec<String>> {
        let loaded = self.loaded();
        let clusters =
            loaded.clusters().ok_or_else(|| usage("The pool has no clusters yet.", "Run the project first."))?;
        let recipe = self.recipe();
        let settings = &recipe.recipe.recover;
        let names = loaded.names().unwrap_or_default();
        let mut all = recipe.recipe.arms.clone();
        let mut pilots = Vec::new();
        for cluster in 0..clusters.count() as u32 {
            let data = ArmData::Cluster { cluster };
            if let Some(known) = all.iter().find(|arm| arm.data == data) {
                pilots.push(known.name.clone());
                continue;
            }
            let called =
                names.get(cluster as usize).map_or_else(|| cluster.to_string(), |name| format!("{cluster} {name}"));
            let name: String = format!("pilot {called}").chars().take(LONGEST_NAME).collect();
            pilots.push(name.clone());
            let steps = Some((settings.steps / 4).clamp(1, PILOT_STEPS));
            let equal = Some(paser_protocol::Equal::Steps);
            all.push(ArmPlan { name, data, seeds: vec![1], equal, learning_rate: None, steps });
        }
        self.set_arms(&all)?;
        Ok(pilots)
    }
}
