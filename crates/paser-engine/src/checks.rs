//! The findings of the checks in memory, as a face sees them, and their exclusion: near-duplicates and samples that
//! contain a question of a benchmark.

use std::{
    path::{Path, PathBuf},
    sync::{TryLockError, atomic::AtomicBool},
};

use paser_data::{ALONE, MISSING};
use paser_project::{Artefact, Entry, recipe::ChecksRecipe, recipe::LEAST_SIMILARITY};
use paser_protocol::{BenchmarkView, ChecksView, Edit, EditKind, LeakView, NearDuplicatesView, NearGroupView, Stage};
use serde::{Deserialize, Serialize};

use crate::{
    loaded::{Samples, f32s, u8s, u32s},
    machine,
    progress::{Reporter, Sink},
    session::{Session, lock},
    stages::{Bench, Hands, checks, import},
    trouble::{Outcome, failed, usage},
};

/// Codes of the `duplicates` column.
pub(crate) const KEPT: u32 = 0;
pub(crate) const DUPLICATE: u32 = 1;
pub(crate) const UNIQUE: u32 = 2;
pub(crate) const DUPLICATE_LABELS: [&str; 3] = ["kept", "near-duplicate", "unique"];
/// Groups that are told with their rows.
const GROUPS: usize = 20;

/// Findings that are not per row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CheckFacts {
    /// 0: near-duplicates were not looked for.
    pub threshold: f64,
    /// Comparisons that crowded buckets left out.
    pub left_out: u64,
    pub benchmarks: Vec<BenchmarkFacts>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BenchmarkFacts {
    pub name: String,
    pub path: String,
    pub questions: u64,
    pub too_short: u64,
    pub examples: Vec<LeakFacts>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LeakFacts {
    pub row: u32,
    pub question: String,
    pub shared: String,
    pub share: f32,
}

/// What the checks found. Vectors per row are empty for what was not looked for.
#[derive(Debug)]
pub(crate) struct Checks {
    pub key: String,
    pub facts: CheckFacts,
    /// [`KEPT`], [`DUPLICATE`] or [`UNIQUE`].
    pub duplicates: Vec<u32>,
    pub similarity: Vec<f32>,
    /// Group of each row, or [`ALONE`].
    group: Vec<u32>,
    /// Rows of each group, the kept one first, the others in content-hash order.
    groups: Vec<Vec<u32>>,
    /// Benchmark of each row, or [`MISSING`].
    pub leak: Vec<u32>,
    pub leak_share: Vec<f32>,
    /// Rows that contain a question, by benchmark.
    leaks: Vec<Vec<u32>>,
    seconds: f64,
}

impl Checks {
    pub(crate) fn read(artefact: &mut Artefact, samples: &Samples) -> Outcome<Self> {
        let broken = || failed("the checks artefact is of another pool", "Run again: it is computed anew.");
        let facts: CheckFacts = serde_json::from_value(artefact.manifest.summary.clone())
            .map_err(|error| failed(format!("the checks manifest: {error}"), "Run again: it is computed anew."))?;
        let mut checks = Self {
            key: artefact.manifest.key.clone(),
            duplicates: Vec::new(),
            similarity: Vec::new(),
            group: Vec::new(),
            groups: Vec::new(),
            leak: Vec::new(),
            leak_share: Vec::new(),
            leaks: vec![Vec::new(); facts.benchmarks.len()],
            seconds: artefact.manifest.seconds,
            facts,
        };
        let rows = samples.len();
        if checks.looked_for_duplicates() {
            checks.duplicates = u32s(artefact, "duplicates")?;
            checks.similarity = f32s(artefact, "duplicate_similarity")?;
            checks.group = u32s(artefact, "duplicate_group")?;
            let kept = u8s(artefact, "kept")?;
            if [checks.duplicates.len(), checks.similarity.len(), checks.group.len(), kept.len()] != [rows; 4] {
                return Err(broken());
            }
            let count = checks.group.iter().filter(|group| **group != ALONE).max().map_or(0, |last| last + 1);
            if count as usize > rows {
                return Err(broken());
            }
            checks.groups = vec![Vec::new(); count as usize];
            for first in [true, false] {
                for row in samples.order.iter().filter(|row| (kept[**row as usize] == 1) == first) {
                    if let Some(group) = checks.groups.get_mut(checks.group[*row as usize] as usize) {
                        group.push(*row);
                    }
                }
            }
            if checks.groups.iter().any(Vec::is_empty) {
                return Err(broken());
            }
        }
        if !checks.facts.benchmarks.is_empty() {
            checks.leak = u32s(artefact, "leak_benchmark")?;
            checks.leak_share = f32s(artefact, "leak_share")?;
            let (leak_rows, codes) = (u32s(artefact, "leak_rows")?, u32s(artefact, "leak_codes")?);
            let inside = leak_rows.iter().all(|row| (*row as usize) < rows);
            let examples = checks.facts.benchmarks.iter().flat_map(|benchmark| &benchmark.examples);
            let shown = examples.clone().all(|example| (example.row as usize) < rows);
            let named = |code: &u32| *code == MISSING || (*code as usize) < checks.leaks.len();
            let lengths = checks.leak.len() == rows && checks.leak_share.len() == rows;
            if !inside || !shown || !lengths || leak_rows.len() != codes.len() || !checks.leak.iter().all(named) {
                return Err(broken());
            }
            for (row, code) in leak_rows.into_iter().zip(codes) {
                checks.leaks.get_mut(code as usize).ok_or_else(broken)?.push(row);
            }
        }
        Ok(checks)
    }

    pub(crate) fn looked_for_duplicates(&self) -> bool {
        self.facts.threshold > 0.0
    }

    /// Label, value and unit of what a sample's own page tells.
    pub(crate) fn values(&self, row: u32, samples: &Samples) -> Vec<(String, String, String)> {
        let mut values = Vec::new();
        let at = row as usize;
        let group = self.group.get(at).and_then(|group| self.groups.get(*group as usize));
        if let (Some(group), Some(&DUPLICATE)) = (group, self.duplicates.get(at)) {
            let text = format!("{} (similarity {:.2})", samples.ids[group[0] as usize], self.similarity[at]);
            values.push(("near-duplicate of".to_owned(), text, String::new()));
        }
        for (benchmark, rows) in self.facts.benchmarks.iter().zip(&self.leaks) {
            if rows.binary_search(&row).is_ok() {
                values.push(("contains a question of".to_owned(), benchmark.name.clone(), String::new()));
            }
        }
        values
    }

    fn duplicate_rows(&self) -> Vec<u32> {
        (0..).zip(&self.duplicates).filter(|(_, code)| **code == DUPLICATE).map(|(row, _)| row).collect()
    }

    fn view(&self, samples: &Samples) -> ChecksView {
        let id = |row: u32| samples.ids[row as usize].clone();
        let near_duplicates = self.looked_for_duplicates().then(|| {
            let rows = self.duplicate_rows();
            let example = |group: &Vec<u32>| NearGroupView {
                kept: group[0],
                kept_id: id(group[0]),
                rows: group[1..].to_vec(),
                similarity: group[1..].iter().map(|row| self.similarity[*row as usize]).fold(1.0, f32::min),
            };
            NearDuplicatesView {
                threshold: self.facts.threshold,
                groups: self.groups.len() as u64,
                samples: rows.len() as u64,
                largest: self.groups.iter().map(Vec::len).max().unwrap_or(0) as u64,
                examples: self.groups.iter().take(GROUPS).map(example).collect(),
                rows,
            }
        });
        let benchmarks = self.facts.benchmarks.iter().zip(&self.leaks).map(|(facts, rows)| BenchmarkView {
            name: facts.name.clone(),
            path: facts.path.clone(),
            questions: facts.questions,
            too_short: facts.too_short,
            samples: rows.clone(),
            examples: facts
                .examples
                .iter()
                .map(|leak| LeakView {
                    row: leak.row,
                    id: id(leak.row),
                    question: leak.question.clone(),
                    shared: leak.shared.clone(),
                    share: leak.share,
                })
                .collect(),
        });
        let mut view = ChecksView {
            near_duplicates,
            benchmarks: benchmarks.collect(),
            seconds: self.seconds,
            ..ChecksView::default()
        };
        if view.near_duplicates.is_none() {
            view.off.push("Near-duplicates were not looked for: the threshold is 0.".to_owned());
        }
        if view.benchmarks.is_empty() {
            view.off.push("Benchmark questions were not looked for: no benchmark file is named.".to_owned());
        }
        if self.facts.left_out > 0 {
            view.notes.push(format!(
                "Where very many samples resembled each other, each was compared with a few of them: {} comparisons were \
                 left out, and a near-duplicate among them may be missing.",
                self.facts.left_out
            ));
        }
        view
    }
}

/// What `paser check` may ask for instead of the recipe's checks.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Jaccard similarity, 0.5 to 1, or 0 for no near-duplicates; none: the recipe's.
    pub threshold: Option<f64>,
    /// Files from the current folder; empty: the recipe's.
    pub benchmarks: Vec<PathBuf>,
    /// Threads; 0: all.
    pub threads: usize,
}

/// Which findings to exclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excluding {
    Duplicates,
    Leaks,
    All,
}

/// What an exclusion of findings did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Excluded {
    /// Samples that are excluded now and were not before.
    pub samples: u64,
    /// Findings that were excluded already.
    pub before: u64,
    /// Findings that a person pinned, which stay pinned.
    pub pinned: u64,
    /// The journal's lines: one for near-duplicates, one for each benchmark.
    pub entries: Vec<Entry>,
}

impl Session {
    /// The checks that were made last, what was not looked for, and why the last run could not make them.
    pub fn checks(&self) -> ChecksView {
        let loaded = self.loaded();
        let recipe = self.recipe();
        let asked = &recipe.recipe.checks;
        let failed = lock(&self.unchecked).as_ref().map(|report| format!("The last run left the checks out: {report}"));
        let (Some(samples), Some(checks)) = (&loaded.samples, &loaded.checks) else {
            let unmade = || "The pool has not been checked yet: run the project, or `paser check`.".to_owned();
            let off = failed.unwrap_or_else(unmade);
            return ChecksView { off: vec![off], ..ChecksView::default() };
        };
        let mut view = checks.view(samples);
        let paths = checks.facts.benchmarks.iter().map(|benchmark| &benchmark.path);
        if let Some(failed) = failed {
            view.notes.push(failed);
        } else if checks.facts.threshold != asked.near_duplicates || !paths.eq(&asked.benchmarks) {
            view.notes.push("recipe.toml asks for other checks by now: run the project again.".to_owned());
        }
        view.notes.extend(assumed(asked));
        view
    }

    /// Makes the checks, or finds them made; the recipe's become the project's. Imports the pool where it was not.
    ///
    /// # Errors
    /// A threshold out of range; a benchmark file that cannot be used, with the line; `cancel` was set; a run at work.
    pub fn check(&self, options: &CheckOptions, events: Sink<'_>, cancel: &AtomicBool) -> Outcome<ChecksView> {
        let _running = match self.running.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(usage("A run is at work already.", "Wait for it, or cancel it."));
            }
        };
        if let Some(threshold) = options.threshold.filter(|share| *share != 0.0)
            && !(LEAST_SIMILARITY..=1.0).contains(&threshold)
        {
            let what =
                format!("The threshold must be 0 (off) or a number from {LEAST_SIMILARITY} to 1, not {threshold}.");
            return Err(usage(what, "0.8 finds texts that differ in a few words."));
        }
        let recipe = self.reread_recipe()?;
        let threads = if options.threads == 0 { machine::threads() } else { options.threads };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| failed(format!("no threads to work with: {error}"), "Lower --threads."))?;
        let reporter = Reporter::new(events, cancel);
        let asked = recipe.recipe.checks.clone();
        let bench = Bench {
            session: self,
            reporter: &reporter,
            stage: Stage::Import,
            threads,
            recipe,
            memory: None,
            hands: Hands::Here,
            patient: true,
        };
        pool.install(|| {
            if self.loaded().samples.is_none() {
                import::ImportPlan::check(&bench)?.bring_up(&bench)?;
            }
            if options.threshold.is_none() && options.benchmarks.is_empty() {
                checks::bring_up(&bench)?;
                return Ok(self.checks());
            }
            let samples = self.samples()?;
            let plan = if options.benchmarks.is_empty() {
                let asked =
                    ChecksRecipe { near_duplicates: options.threshold.unwrap_or(asked.near_duplicates), ..asked };
                checks::plan(self, &asked, &samples)?
            } else {
                let asked = ChecksRecipe {
                    near_duplicates: options.threshold.unwrap_or(asked.near_duplicates),
                    benchmarks: options.benchmarks.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
                    assumed: asked.assumed && options.threshold.is_none(),
                };
                // The names as typed: what is said of a file is said by the name that a person gave it.
                checks::ChecksPlan::new(&asked, &samples, |written| Path::new(written).to_owned())?
            };
            let (mut found, _) = plan.find(&bench, &samples)?;
            Ok(Checks::read(&mut found, &samples)?.view(&samples))
        })
    }

    /// Excludes what checks found: one journal line for the near-duplicates, one for each benchmark. Samples that a
    /// person pinned are left alone.
    ///
    /// # Errors
    /// Findings of another pool; a journal that cannot be written.
    pub fn exclude_checked(&self, found: &ChecksView, what: Excluding) -> Outcome<Excluded> {
        let (mut done, edits) = self.exclusions(found, what)?;
        for edit in &edits {
            done.entries.push(self.curate(edit)?);
        }
        Ok(done)
    }

    /// What [`Self::exclude_checked`] would do: its counts, and the edits that are to be made.
    ///
    /// # Errors
    /// No pool.
    pub(crate) fn exclusions(&self, found: &ChecksView, what: Excluding) -> Outcome<(Excluded, Vec<Edit>)> {
        self.samples()?;
        let mut made = Vec::new();
        let marks = self.loaded().curated.marks.clone();
        let mut done = Excluded::default();
        let mut gone: std::collections::BTreeSet<u32> = marks.excluded.iter().copied().collect();
        let mut edits = Vec::new();
        if let (Some(near), Excluding::Duplicates | Excluding::All) = (&found.near_duplicates, what) {
            let reason = match near.examples.as_slice() {
                [only] if near.groups == 1 => format!("near-duplicate of {}", only.kept_id),
                _ => format!("near-duplicates of {} kept samples (similarity {} or more)", near.groups, near.threshold),
            };
            edits.push((&near.rows, reason));
        }
        if what != Excluding::Duplicates {
            let leaks = found.benchmarks.iter();
            edits.extend(leaks.map(|found| (&found.samples, format!("contains a question of {}", found.name))));
        }
        // What is excluded for one reason needs no other; what was so before is counted once.
        let mut met = std::collections::BTreeSet::new();
        for (rows, reason) in edits {
            let mut fresh = Vec::new();
            for &row in rows.iter().filter(|row| met.insert(**row)) {
                if marks.pinned.binary_search(&row).is_ok() {
                    done.pinned += 1;
                } else if gone.insert(row) {
                    fresh.push(row);
                } else {
                    done.before += 1;
                }
            }
            if !fresh.is_empty() {
                done.samples += fresh.len() as u64;
                made.push(Edit::new(EditKind::Exclude { rows: fresh }, reason));
            }
        }
        Ok((done, made))
    }
}

/// A recipe of an earlier version says nothing of checks.
fn assumed(recipe: &ChecksRecipe) -> Option<String> {
    recipe.assumed.then(|| {
        format!(
            "recipe.toml has no [checks]: near-duplicates are looked for from {} on, and no benchmark is.",
            recipe.near_duplicates
        )
    })
}
