//! Arms that are trained elsewhere: what is handed out for them, and the curves that come back. Those stand beside our own
//! and in no verdict: what they were measured on is not known here.

use std::path::Path;

use paser_project::write_durably;
use paser_protocol::{ArmRun, ArmState, ArmView, CurvePoint, ExportedView, Trainer};
use paser_recover::{ForeignRun, HandOut, Row, read_run};
use serde::{Deserialize, Serialize};

use super::groups::Metric;
use crate::{
    session::{Session, lock},
    stages::{import, recover},
    trouble::{Outcome, Told, unusable, usage},
};

/// The catalogue's fact that holds them.
const FACT: &str = "runs of other trainers";

/// A run under a name.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Named {
    name: String,
    run: ForeignRun,
}

impl Session {
    /// Reads what another trainer left, and keeps its curve under a name.
    ///
    /// # Errors
    /// A folder without a training log; a name that an arm has.
    pub fn read_foreign_run(&self, path: &str, name: &str) -> Outcome<()> {
        let name = name.trim();
        if name.is_empty() {
            return Err(usage("A run that is read needs a name.", ""));
        }
        if self.recipe().recipe.arms.iter().any(|arm| arm.name == name) {
            return Err(usage(format!("There is an arm named {name} already."), "Choose another name."));
        }
        let run = read_run(&self.folder.resolve(path.trim()))
            .map_err(|error| unusable(error.to_string(), "Hugging Face trainers write it at every checkpoint."))?;
        if run.points.is_empty() {
            return Err(unusable(format!("{}: the log holds no loss", run.path.display()), "Train with logging on."));
        }
        let mut all = self.foreign_runs();
        all.retain(|known| known.name != name);
        all.push(Named { name: name.to_owned(), run });
        self.keep_foreign(&all)
    }

    /// Forgets such a run; false where there is none.
    pub(crate) fn forget_foreign(&self, name: &str) -> Outcome<bool> {
        let mut all = self.foreign_runs();
        let before = all.len();
        all.retain(|known| known.name != name);
        if all.len() < before {
            self.keep_foreign(&all)?;
        }
        Ok(all.len() < before)
    }

    fn keep_foreign(&self, all: &[Named]) -> Outcome<()> {
        let text = serde_json::to_string(all).map_err(|error| usage(error.to_string(), ""))?;
        lock(&self.catalogue).set_fact(FACT, &text).map_err(Told::told)?;
        self.touch();
        Ok(())
    }

    fn foreign_runs(&self) -> Vec<Named> {
        let fact = lock(&self.catalogue).fact(FACT).ok().flatten();
        fact.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Curves of other trainers: their evaluation loss stands for the held-out loss, over whatever they evaluated on.
    pub(crate) fn foreign_arms(&self, first_colour: u32) -> Vec<ArmView> {
        let view = |(at, named): (usize, Named)| {
            let of = |point: &paser_recover::ForeignPoint| {
                let values = Metric::ALL
                    .iter()
                    .map(|metric| vec![point.eval_loss.filter(|_| *metric == Metric::Loss)])
                    .collect();
                CurvePoint { step: point.step, tokens: 0, response_tokens: 0, seconds: 0.0, values }
            };
            let points: Vec<CurvePoint> =
                named.run.points.iter().filter(|point| point.eval_loss.is_some()).map(of).collect();
            let last = named.run.points.last().map_or(0, |point| point.step);
            let run = ArmRun {
                seed: 0,
                state: ArmState::Done,
                step: last,
                steps: named.run.steps,
                skipped: 0,
                samples: 0,
                response_tokens: 0,
                points,
                losses: None,
            };
            ArmView {
                name: named.name,
                what: "trained elsewhere".to_owned(),
                colour: first_colour + at as u32,
                plan: None,
                pilot: None,
                runs: vec![run],
                samples: 0,
                scoring_seconds: 0.0,
                training_seconds: named.run.seconds.unwrap_or(0.0),
                estimate_seconds: None,
                last: Vec::new(),
                ratio: Vec::new(),
            }
        };
        self.foreign_runs().into_iter().enumerate().map(view).collect()
    }

    /// Writes an arm's data, configuration and command line into a new folder; a relative path starts in `exports/`.
    ///
    /// # Errors
    /// An arm or seed that is not there, data that cannot be found, a folder that is not empty.
    pub fn hand_out(&self, arm: &str, seed: u64, trainer: Trainer, path: &str) -> Outcome<ExportedView> {
        let recipe = self.recipe();
        let settings = &recipe.recipe.recover;
        let plan = recipe.recipe.arms.iter().find(|plan| plan.name == arm);
        let plan = plan.ok_or_else(|| usage(format!("There is no arm named {arm}."), ""))?;
        let rows = self
            .quietly(&std::sync::atomic::AtomicBool::new(false), |bench| recover::rows_of_arm(bench, plan, seed))?
            .0;
        let pool = import::pool(self, &*self.samples()?)?;
        let row = |row: &u32| {
            let sample = &pool.samples[*row as usize];
            Row { instruction: sample.instruction.clone(), input: sample.input.clone(), output: sample.output.clone() }
        };
        let rows: Vec<Row> = rows.iter().map(row).collect();
        let handed = HandOut {
            rows: &rows,
            settings,
            learning_rate: plan.learning_rate.unwrap_or(settings.learning_rate),
            steps: plan.steps.unwrap_or(settings.steps),
            seed,
            base: &recipe.recipe.models.pruned,
        };
        let place = self.destination(Path::new(path));
        if place.exists() && fs_err::read_dir(&place).map_err(Told::told)?.next().is_some() {
            return Err(usage(format!("{} is not empty.", place.display()), "Name a new folder."));
        }
        let mut paths = Vec::new();
        for (name, text) in handed.files(trainer) {
            let path = place.join(name);
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent).map_err(Told::told)?;
            }
            write_durably(&path, text.as_bytes()).map_err(Told::told)?;
            paths.push(path.to_string_lossy().into_owned());
        }
        Ok(ExportedView { paths, samples: rows.len() as u64, download: None })
    }
}
