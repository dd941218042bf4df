//! The demo: pool and models that ship with the program, a recorded run that opens in seconds, and the same computed
//! anew beside it to show that both agree.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use paser_project::{
    Folder, Recipe,
    recipe::{ClusterRule, NamedPlan},
    sha256_hex,
};
use paser_protocol::{Comparison, ConceptRule, Event, Guard, Monitor, SelectionPlan, Silent, Stage, Strategy};
use serde::Serialize;

use crate::{
    progress::Sink,
    run::{RunOptions, RunSummary},
    session::{Session, lock},
    stages::{manifold, score},
    trouble::{Outcome, Told, failed},
};

/// The demo's number of clusters before merging.
const CLUSTERS: u32 = 12;

/// Planted noise that one strategy took, with and without concept graph and guard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoiseRow {
    pub strategy: Strategy,
    pub concepts: bool,
    pub guard: Guard,
    pub selected: u64,
    pub noise: u64,
}

/// The demo's recipe: everything pinned.
pub(crate) fn recipe() -> Recipe {
    let mut recipe = Recipe::new();
    recipe.name = "Demo".to_owned();
    recipe.pool.path = "pool.jsonl".to_owned();
    recipe.models.dense = "dense".to_owned();
    recipe.models.pruned = "pruned".to_owned();
    recipe.template.name = "chat".to_owned();
    recipe.manifold.clusters = ClusterRule::Fixed(CLUSTERS);
    let strategies =
        [Strategy::Paser, Strategy::PaserGuarded, Strategy::PaserNoNtem, Strategy::Random, Strategy::JsdTop];
    recipe.selections = strategies
        .into_iter()
        .map(|strategy| NamedPlan {
            name: format!("{}-20", strategy.name()),
            plan: SelectionPlan { strategy, ..SelectionPlan::default() },
        })
        .collect();
    recipe
}

/// SHA-256 of the demo's pool.
fn pool_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let pool = paser_demo::assets::INPUTS.iter().find(|(name, _)| *name == "pool.jsonl");
        pool.map(|(_, bytes)| sha256_hex(bytes)).unwrap_or_default()
    })
}

/// Puts the demo's files into `root` and makes a project of them.
fn make(root: &Path) -> Outcome<Session> {
    let folder = Folder::create(root).map_err(Told::told)?;
    let written = paser_demo::assets::write_inputs(folder.root());
    written.map_err(|error| match error.downcast::<std::io::Error>() {
        Ok(error) => error.told(),
        Err(error) => failed(error.to_string(), ""),
    })?;
    Session::create_with(&folder, &recipe())
}

/// Opens the demo in `root`, making it from the recorded run where it is not there yet.
///
/// # Errors
/// A folder that holds something else, is locked, or cannot be written.
pub fn open(root: &Path, events: Sink<'_>, cancel: &AtomicBool) -> Outcome<Session> {
    let session = match Folder::open(root) {
        Ok(_) => Session::open(root)?,
        Err(_) => {
            let session = make(root)?;
            let options = RunOptions::default();
            session.run(Stage::Import, &options, events, cancel)?;
            if let Err(report) = session.unpack_recorded(paser_demo::assets::RECORDED) {
                events(Event::Notice { text: format!("{} It is computed now.", report.what) });
            }
            session.run(Stage::Select, &options, events, cancel)?;
            session
        }
    };
    Ok(session)
}

/// Computes the demo anew in `root`, which is emptied if it holds an earlier one.
pub fn compute(root: &Path, events: Sink<'_>, cancel: &AtomicBool) -> Outcome<(Session, RunSummary)> {
    if Folder::open(root).is_ok() {
        // Only what holds a project of ours is removed, and only while nobody owns it.
        drop(Session::open(root)?);
        fs_err::remove_dir_all(root).map_err(Told::told)?;
    }
    let session = make(root)?;
    let summary = session.run(Stage::Select, &RunOptions::default(), events, cancel)?;
    Ok((session, summary))
}

/// Where the run computed anew stands.
pub(crate) fn again_folder(recorded: &Session) -> PathBuf {
    recorded.root().join("again")
}

/// Computes everything anew beside a recorded project and says what differs.
///
/// # Errors
/// Whatever keeps a run from ending.
pub fn run_again(recorded: &Session, events: Sink<'_>, cancel: &AtomicBool) -> Outcome<(RunSummary, Comparison)> {
    let sink = |event: Event| {
        // The run belongs to another folder, but the person looks at this project.
        match event {
            Event::Job { job } => {
                *lock(&recorded.job) = Some(job.clone());
                events(Event::Job { job });
            }
            Event::Project { .. } => {}
            other => events(other),
        }
    };
    let outcome = compute(&again_folder(recorded), &sink, cancel);
    *lock(&recorded.job) = None;
    let (fresh, summary) = outcome?;
    let comparison = compare(recorded, &fresh)?;
    *lock(&recorded.comparison) = Some(comparison.clone());
    recorded.touch();
    events(Event::Project { revision: recorded.revision() });
    Ok((summary, comparison))
}

/// Scores, clusters and selections of two runs side by side.
pub fn compare(recorded: &Session, fresh: &Session) -> Outcome<Comparison> {
    let missing = || failed("one of the two runs is not complete", "Run it again.");
    let (old_manifold, new_manifold) =
        (recorded.raw(manifold::STAGE)?.ok_or_else(missing)?, fresh.raw(manifold::STAGE)?.ok_or_else(missing)?);
    let (old_scores, new_scores) =
        (recorded.raw(score::STAGE)?.ok_or_else(missing)?, fresh.raw(score::STAGE)?.ok_or_else(missing)?);
    let mut difference = 0.0_f64;
    for (old, new) in old_scores.2.iter().flatten().zip(new_scores.2.iter().flatten()) {
        if old.is_nan() != new.is_nan() {
            // A score against none: no difference of two scores is as large.
            difference = f64::MAX;
        } else if !old.is_nan() {
            difference = difference.max((f64::from(*old) - f64::from(*new)).abs());
        }
    }
    let clusters_equal = old_manifold.1 == new_manifold.1;
    let mut byte_identical = old_manifold.0 == new_manifold.0 && old_scores.0 == new_scores.0;
    let mut selections = Vec::new();
    let others = fresh.frozen();
    for old in recorded.frozen().into_iter().filter(|frozen| frozen.by_recipe) {
        let Some(new) = others.iter().find(|other| other.name == old.name) else { continue };
        let mut ids: Vec<&String> = new.ids.iter().collect();
        ids.sort_unstable();
        let shared = old.ids.iter().filter(|id| ids.binary_search(id).is_ok()).count();
        let larger = old.ids.len().max(new.ids.len()).max(1);
        selections.push((old.name.clone(), shared as f64 / larger as f64));
        byte_identical &= old.rows == new.rows && old.reasons == new.reasons;
    }
    let worst = selections.iter().map(|(_, share)| *share).fold(1.0, f64::min);
    let verdict = if byte_identical {
        "The run computed anew is the recorded one, byte for byte.".to_owned()
    } else {
        format!(
            "Scores differ by at most {difference:.1e}, clusters are {}, selections agree in at least {:.1} % of their samples.",
            if clusters_equal { "the same" } else { "not the same" },
            worst * 100.0
        )
    };
    Ok(Comparison { score_difference: difference, clusters_equal, selections, byte_identical, verdict })
}

impl Session {
    /// Is this the demo's pool?
    pub fn is_demo(&self) -> bool {
        self.loaded().samples.is_some_and(|samples| samples.facts.report.sha256 == pool_hash())
    }

    /// Reads which samples are planted noise, where this is the demo. Only reports look at it.
    pub fn read_noise(&self) {
        let Some(samples) = self.loaded().samples.filter(|_| self.is_demo()) else { return };
        let Ok(labels) = paser_demo::assets::labels() else { return };
        let mut noise = vec![false; samples.len()];
        for label in labels.iter().filter(|label| !label.noise.is_empty()) {
            if let Some(row) = samples.row_of_id(&label.id) {
                noise[row as usize] = true;
            }
        }
        *lock(&self.noise) = Some(Arc::new(noise));
        self.touch();
    }

    /// Planted noise taken by every strategy at a budget, for the four combinations of concept graph and guard. Empty
    /// where no noise is known.
    pub fn noise_report(&self, plan: &SelectionPlan) -> Outcome<Vec<NoiseRow>> {
        if lock(&self.noise).is_none() {
            return Ok(Vec::new());
        }
        let mut rows = Vec::new();
        for strategy in Strategy::ALL {
            for (on, guard) in [(true, Guard::None), (true, Guard::Tukey), (false, Guard::None), (false, Guard::Tukey)]
            {
                let concepts = ConceptRule { on, ..plan.concepts };
                let plan = SelectionPlan { strategy, guard, concepts, ..plan.clone() };
                let monitor: &dyn Monitor = &Silent;
                let selected = self.quietly(|bench| self.select_with(&plan, bench, monitor))?;
                rows.push(NoiseRow {
                    strategy,
                    concepts: on,
                    guard,
                    selected: selected.view.selected,
                    noise: selected.view.noise.unwrap_or(0),
                });
            }
        }
        Ok(rows)
    }
}
