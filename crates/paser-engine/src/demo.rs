//! The demo: pool and models that ship with the program, a recorded run that opens in seconds, and the same computed
//! anew beside it to show that it agrees with the record.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use paser_demo::assets;
use paser_project::{
    Folder, Lock, Recipe,
    recipe::{ClusterRule, NamedPlan},
    sha256_hex, write_durably,
};
use paser_protocol::{Comparison, ConceptRule, Event, Guard, JobView, RunSummary, SelectionPlan, Stage, Strategy};
use serde::{Deserialize, Serialize};

use crate::{
    archive::Results,
    progress::Sink,
    run::RunOptions,
    session::{Session, lock},
    trouble::{Outcome, Told, failed, usage},
};

/// The demo's number of clusters before merging.
const CLUSTERS: u32 = 12;
/// File that says a folder is the demo's, of which edition, and whether it is complete.
const MARK: &str = "demo.json";

/// Planted noise that one strategy took, with and without concept graph and guard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoiseRow {
    pub strategy: Strategy,
    pub concepts: bool,
    pub guard: Guard,
    pub selected: u64,
    pub noise: u64,
}

/// Written before anything else of the demo, and again at its end: what stands in a folder is never guessed.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    edition: String,
    complete: bool,
}

impl Mark {
    fn read(root: &Path) -> Option<Self> {
        serde_json::from_slice(&fs_err::read(root.join(MARK)).ok()?).ok()
    }

    fn write(root: &Path, complete: bool) -> Outcome<()> {
        let mark = Self { edition: edition().to_owned(), complete };
        let text = serde_json::to_vec_pretty(&mark).map_err(|error| failed(error.to_string(), ""))?;
        write_durably(&root.join(MARK), &text).map_err(Told::told)
    }
}

/// What stands in a folder that is to hold the demo.
enum Found {
    Nothing,
    /// Begun by this edition and not finished: the program was stopped.
    Unfinished,
    Complete,
    /// The demo of another version of the program.
    Earlier,
}

/// # Errors
/// Something that is not the demo.
fn look(root: &Path) -> Outcome<Found> {
    if let Some(mark) = Mark::read(root) {
        return Ok(match (mark.edition == edition(), mark.complete && Folder::open(root).is_ok()) {
            (false, _) => Found::Earlier,
            (true, false) => Found::Unfinished,
            (true, true) => Found::Complete,
        });
    }
    if Folder::open(root).is_ok() {
        return Err(usage(
            format!("{} holds a project that is not the demo.", root.display()),
            "Open it with `paser run` or `paser serve`, or name another folder for the demo.",
        ));
    }
    let empty = match fs_err::read_dir(root) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error.told()),
    };
    if empty {
        return Ok(Found::Nothing);
    }
    Err(usage(
        format!("{} is not empty, and the demo would replace files in it.", root.display()),
        "Name a new folder for the demo.",
    ))
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
    // Chosen on the random arm with a seed that no arm is compared by; held-out loss 0.0674, 0.0632 and 0.0631 nats at a
    // ninth, a third and all of this rate.
    recipe.recover.learning_rate = 0.0018;
    recipe.recover.batch = 32;
    recipe.recover.steps = 100;
    recipe.recover.points = 5;
    recipe.recover.items = vec!["tests.jsonl".to_owned()];
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
        let pool = assets::INPUTS.iter().find(|(name, _)| *name == "pool.jsonl");
        pool.map(|(_, bytes)| sha256_hex(bytes)).unwrap_or_default()
    })
}

/// Everything that ships of the demo, in one hash.
fn edition() -> &'static str {
    static EDITION: OnceLock<String> = OnceLock::new();
    EDITION.get_or_init(|| {
        let recipe = recipe().render();
        let parts = assets::INPUTS.iter().map(|(_, bytes)| *bytes).chain([assets::RECORDED, recipe.as_bytes()]);
        sha256_hex(parts.map(sha256_hex).collect::<String>().as_bytes())
    })
}

/// Is this a demo that was begun and not finished? Opening it by [`open`] finishes it.
pub(crate) fn is_unfinished(root: &Path) -> bool {
    matches!(look(root), Ok(Found::Unfinished))
}

/// Puts the demo's files into `root`, over an unfinished one too, and makes a project of them.
fn make(root: &Path) -> Outcome<Session> {
    let root = std::path::absolute(root).map_err(Told::told)?;
    fs_err::create_dir_all(&root).map_err(Told::told)?;
    let folder = Folder::planned(&root);
    let held = Lock::acquire(&folder.lock()).map_err(Told::told)?;
    Mark::write(&root, false)?;
    assets::write_inputs(&root).map_err(|error| match error {
        assets::AssetError::Write(error) => error.told(),
        error => failed(error.to_string(), ""),
    })?;
    drop(held);
    Session::create_with(&folder, &recipe())
}

/// Makes the demo from the recorded run.
fn unpack(root: &Path, options: &RunOptions, events: Sink<'_>, cancel: &AtomicBool) -> Outcome<Session> {
    let session = make(root)?;
    session.run(Stage::Import, options, events, cancel)?;
    if let Err(report) = session.unpack_recorded(assets::RECORDED) {
        events(Event::Notice { text: format!("{} It is computed now.", report.what) });
    }
    session.run(Stage::Select, options, events, cancel)?;
    Mark::write(session.root(), true)?;
    Ok(session)
}

/// Renames the demo of another version, with whatever a person did in it.
///
/// # Errors
/// Somebody has it open; a folder that cannot be renamed.
fn set_aside(root: &Path) -> Outcome<PathBuf> {
    let root = std::path::absolute(root).map_err(Told::told)?;
    drop(Lock::acquire(&Folder::planned(&root).lock()).map_err(Told::told)?);
    let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = (1_u32..)
        .map(|number| root.with_file_name(format!("{name}-earlier-{number}")))
        .find(|place| !place.exists())
        .unwrap_or_else(|| root.with_extension("earlier"));
    fs_err::rename(&root, &aside).map_err(Told::told)?;
    Ok(aside)
}

/// Opens the demo in `root`, making it from the recorded run where it is not there yet or was not finished. The demo of
/// another version of the program is kept beside it.
///
/// # Errors
/// A folder that holds something else, is locked, or cannot be written.
pub fn open(root: &Path, options: &RunOptions, events: Sink<'_>, cancel: &AtomicBool) -> Outcome<Session> {
    match look(root)? {
        Found::Complete => Session::open(root),
        Found::Nothing | Found::Unfinished => unpack(root, options, events, cancel),
        Found::Earlier => {
            let aside = set_aside(root)?;
            let text = format!("The demo of an earlier version is kept in {}.", aside.display());
            events(Event::Notice { text });
            unpack(root, options, events, cancel)
        }
    }
}

/// Computes the demo anew in `root`, which is emptied if it holds an earlier one.
///
/// # Errors
/// A folder that holds something else; whatever keeps a run from ending.
pub fn compute(
    root: &Path,
    options: &RunOptions,
    events: Sink<'_>,
    cancel: &AtomicBool,
) -> Outcome<(Session, RunSummary)> {
    if !matches!(look(root)?, Found::Nothing) {
        drop(Lock::acquire(&Folder::planned(root).lock()).map_err(Told::told)?);
        fs_err::remove_dir_all(root).map_err(Told::told)?;
    }
    let session = make(root)?;
    let summary = session.run(Stage::Select, options, events, cancel)?;
    Mark::write(session.root(), true)?;
    Ok((session, summary))
}

/// Where the run computed anew stands.
pub(crate) fn again_folder(demo: &Session) -> PathBuf {
    demo.root().join("again")
}

/// Computes everything anew beside an open demo and says how it differs from the recorded run. What a person changed in
/// the open demo plays no part.
///
/// # Errors
/// Whatever keeps a run from ending.
pub fn run_again(
    demo: &Session,
    options: &RunOptions,
    events: Sink<'_>,
    cancel: &AtomicBool,
) -> Outcome<(RunSummary, Comparison)> {
    let sink = |event: Event| {
        // The run belongs to another folder, but the person looks at this project.
        match event {
            Event::Job { job } => {
                // Without this window nobody would compare.
                let job = JobView { lasting: false, ..job };
                *lock(&demo.job) = Some(job.clone());
                events(Event::Job { job });
            }
            Event::Project { .. } => {}
            other => events(other),
        }
    };
    let outcome = compute(&again_folder(demo), options, &sink, cancel);
    *lock(&demo.job) = None;
    let (fresh, summary) = outcome?;
    let comparison = compare(&Results::recorded(assets::RECORDED)?, &fresh.results()?);
    *lock(&demo.comparison) = Some(comparison.clone());
    demo.touch();
    events(Event::Project { revision: demo.revision() });
    Ok((summary, comparison))
}

/// The largest difference of two scores; that of a score and none, or of unequal columns, is beyond every number.
fn score_difference(recorded: &[Vec<f32>], fresh: &[Vec<f32>]) -> f64 {
    if recorded.iter().map(Vec::len).ne(fresh.iter().map(Vec::len)) {
        return f64::MAX;
    }
    let pairs = recorded.iter().flatten().zip(fresh.iter().flatten());
    pairs
        .map(|(old, new)| match (old.is_nan(), new.is_nan()) {
            (true, true) => 0.0,
            (false, false) => (f64::from(*old) - f64::from(*new)).abs(),
            _ => f64::MAX,
        })
        .fold(0.0, f64::max)
}

/// Scores, clusters and selections of two runs side by side.
fn compare(recorded: &Results, fresh: &Results) -> Comparison {
    let difference = score_difference(&recorded.scores, &fresh.scores);
    let clusters_equal = recorded.clusters == fresh.clusters;
    let byte_identical = recorded.hashes == fresh.hashes && recorded.selections == fresh.selections;
    let selections: Vec<(String, f64)> = recorded
        .selections
        .iter()
        .map(|old| {
            let new = fresh.selections.iter().find(|other| other.name == old.name);
            let mut ids: Vec<&String> = new.into_iter().flat_map(|new| &new.ids).collect();
            ids.sort_unstable();
            let shared = old.ids.iter().filter(|id| ids.binary_search(id).is_ok()).count();
            (old.name.clone(), shared as f64 / old.ids.len().max(ids.len()).max(1) as f64)
        })
        .collect();
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
    Comparison { score_difference: difference, clusters_equal, selections, byte_identical, verdict }
}

impl Session {
    /// Is this the demo, wherever its folder lies?
    pub fn is_demo(&self) -> bool {
        self.has_demo_pool() && Mark::read(self.root()).is_some()
    }

    fn has_demo_pool(&self) -> bool {
        self.loaded().samples.is_some_and(|samples| samples.facts.report.sha256 == pool_hash())
    }

    /// Reads which samples are planted noise, where the pool is the demo's. Only reports look at it.
    pub fn read_noise(&self) {
        let Some(samples) = self.loaded().samples.filter(|_| self.has_demo_pool()) else { return };
        let Ok(labels) = assets::labels() else { return };
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
    pub fn noise_report(&self, plan: &SelectionPlan, cancelled: &AtomicBool) -> Outcome<Vec<NoiseRow>> {
        if lock(&self.noise).is_none() {
            return Ok(Vec::new());
        }
        let mut rows = Vec::new();
        let has_pass = |strategy: Strategy| self.loaded().passes.contains_key(&strategy);
        for strategy in Strategy::ALL.into_iter().filter(|strategy| !strategy.needs_pass() || has_pass(*strategy)) {
            for (on, guard) in [(true, Guard::None), (true, Guard::Tukey), (false, Guard::None), (false, Guard::Tukey)]
            {
                let concepts = ConceptRule { on, ..plan.concepts };
                let plan = SelectionPlan { strategy, guard, concepts, ..plan.clone() };
                let selected = self.quietly(cancelled, |bench| self.select_with(&plan, bench))?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::archive::Chosen;

    fn results() -> Results {
        let chosen = |name: &str, ids: [&str; 4]| Chosen {
            name: name.to_owned(),
            rows: vec![0, 1, 2, 3],
            ids: ids.map(str::to_owned).to_vec(),
            reasons: vec![1, 1, 1, 1, 0],
        };
        Results {
            hashes: ["m".to_owned(), "s".to_owned()],
            clusters: vec![0, 0, 1, 1, 2],
            scores: vec![vec![0.25, 0.5, f32::NAN, 0.125, 0.0]],
            selections: vec![chosen("paser-20", ["a", "b", "c", "d"]), chosen("random-20", ["e", "f", "g", "h"])],
        }
    }

    #[test]
    fn every_difference_of_two_runs_is_said() {
        let recorded = results();
        assert!(compare(&recorded, &recorded).byte_identical);
        let mut fresh = results();
        fresh.scores[0][1] = 0.75;
        fresh.clusters[0] = 2;
        fresh.selections[0].ids[3] = "z".to_owned();
        let comparison = compare(&recorded, &fresh);
        assert!(!comparison.byte_identical && !comparison.clusters_equal);
        assert_eq!(comparison.score_difference, 0.25);
        assert_eq!(comparison.selections, [("paser-20".to_owned(), 0.75), ("random-20".to_owned(), 1.0)]);
        // What one of them lacks is no agreement.
        fresh = results();
        fresh.selections.pop();
        assert_eq!(compare(&recorded, &fresh).selections[1].1, 0.0);
        fresh.scores[0][2] = 0.5;
        assert_eq!(compare(&recorded, &fresh).score_difference, f64::MAX);
        fresh.scores[0].pop();
        assert_eq!(compare(&recorded, &fresh).score_difference, f64::MAX);
    }

    #[test]
    fn the_recorded_run_can_be_read_without_a_project() {
        let recorded = Results::recorded(assets::RECORDED).unwrap();
        assert_eq!(recorded.clusters.len(), 3000);
        assert!(recorded.selections.len() == recipe().selections.len() && recorded.scores.len() > 10);
        assert!(Results::recorded(&assets::RECORDED[..assets::RECORDED.len() - 3]).is_err());
    }
}
