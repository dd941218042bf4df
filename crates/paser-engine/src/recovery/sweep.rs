//! The learning rate, chosen on the random arm alone (method.md 5): a third of it, itself, three times it. The seed is one that
//! no arm is compared by.

use std::sync::atomic::AtomicBool;

use paser_protocol::{ArmData, ArmPlan, Event, Stage, Strategy};

use crate::{
    progress::Sink,
    run::RunOptions,
    session::{Session, lock},
    stages::recover,
    trouble::{Outcome, usage},
};

/// Rates that are tried, in parts of the one in force.
const TRIED: [f64; 3] = [1.0 / 3.0, 1.0, 3.0];
/// A seed for settings, never for verdicts.
const DEVELOPMENT_SEED: u64 = 1_000_003;

impl Session {
    /// Trains the random arm at three rates and writes the best into the recipe.
    ///
    /// # Errors
    /// No selection drawn at random; whatever keeps an arm from being trained; all three diverged.
    pub fn sweep_rates(&self, options: &RunOptions, events: Sink<'_>, cancel: &AtomicBool) -> Outcome<f64> {
        let selection = self.random_selection()?;
        let rate = self.recipe().recipe.recover.learning_rate;
        let arms: Vec<ArmPlan> = TRIED
            .iter()
            .map(|times| ArmPlan {
                name: format!("learning rate {:.3e}", rate * times),
                data: ArmData::Selection { name: selection.clone() },
                seeds: vec![DEVELOPMENT_SEED],
                equal: None,
                learning_rate: Some(rate * times),
                steps: None,
            })
            .collect();
        self.long_work(Stage::Recover, options, events, cancel, |bench| recover::bring_up(bench, &arms))?;
        let runs = lock(&self.recovery).runs.clone();
        let mut found: Vec<(f64, f64)> = Vec::new();
        let mut told = Vec::new();
        for arm in &arms {
            let rate = arm.learning_rate.unwrap_or(rate);
            let known = runs.get(&(arm.name.clone(), DEVELOPMENT_SEED));
            let loss = known.filter(|known| known.facts.diverged.is_none()).and_then(|known| known.facts.loss.last());
            match loss {
                Some(loss) => {
                    let mean = loss.iter().map(|value| f64::from(*value)).sum::<f64>() / loss.len().max(1) as f64;
                    told.push(format!("{rate:.2e}: {mean:.4} nats"));
                    found.push((mean, rate));
                }
                None => told.push(format!("{rate:.2e}: diverged")),
            }
        }
        let best = found.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, rate)| rate).ok_or_else(|| {
            usage("All three learning rates diverged.", "Set recover.learning_rate to a tenth of it and try again.")
        })?;
        self.set_recipe("recover", "learning_rate", &format!("{best:?}"))?;
        events(Event::Notice {
            text: format!(
                "Held-out loss of the random arm by learning rate: {}. {best:.2e} stands in the recipe now.",
                told.join(", ")
            ),
        });
        Ok(best)
    }

    /// The name of a selection that is drawn at random.
    fn random_selection(&self) -> Outcome<String> {
        let views = self.selection_views()?;
        let random = views.into_iter().find(|view| view.plan.strategy == Strategy::Random).and_then(|view| view.name);
        random.ok_or_else(|| {
            usage(
                "There is no selection drawn at random to choose the learning rate on.",
                "Make one: `paser select --strategy random`, or the strategy `random` in the window.",
            )
        })
    }
}
