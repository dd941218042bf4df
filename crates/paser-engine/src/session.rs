//! One open project: its folder and lock, recipe, catalogue, journal, artefacts, and what of them is in memory. Every
//! method takes `&self`: a run computes on its own thread while requests are answered on others.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use paser_project::{
    Address, Artefact, Catalogue, Folder, Intent, Journal, Lock, Recipe, SampleHead, Store, clear_merged, write_durably,
};
use paser_protocol::{Comparison, JobView, ProjectDraft, Report, SelectionPlan, Stage, Strategy, StrategySettings};
use paser_select::Score;

use crate::{
    checks::Checks,
    cluster_edits::{Clusters, SplitCache},
    clusters::{self, Parts},
    columns::ColumnCache,
    curated::{Curated, CuratedCache},
    inspector::LoadedModels,
    loaded::{Concepts, ManifoldData, Samples, Scores},
    models::Inspected,
    neighbours::LoadedVectors,
    partial::Partial,
    pool_source::NoPool,
    recovery::Recovery,
    schemes::OtherScores,
    selection::SelectionCache,
    stages::passes::PassData,
    trouble::{Outcome, Told, usage},
};

/// Rises with every change of any project in this process, so that no two states share a number.
static REVISIONS: AtomicU64 = AtomicU64::new(1);

/// The recipe as text and as values.
#[derive(Clone, Debug)]
pub(crate) struct RecipeText {
    pub text: String,
    pub recipe: Recipe,
}

/// What is in memory. All parts belong to the same samples.
#[derive(Clone, Default)]
pub(crate) struct Loaded {
    pub samples: Option<Arc<Samples>>,
    pub manifold: Option<Arc<ManifoldData>>,
    pub scores: Option<Arc<Scores>>,
    /// Of the other pruned models, by the recipe's names.
    pub others: BTreeMap<String, Arc<OtherScores>>,
    /// Of a scoring that is not whole; none where whole scores are there.
    pub partial: Option<Arc<Partial>>,
    pub concepts: Option<Arc<Concepts>>,
    pub checks: Option<Arc<Checks>>,
    /// What strategies with a pass of their own measured last.
    pub passes: BTreeMap<Strategy, Arc<PassData>>,
    /// One name per cluster of the manifold: its most distinctive concepts.
    pub base_names: Option<Arc<Vec<String>>>,
    /// What the journal means for all of it.
    pub curated: Arc<Curated>,
}

impl Loaded {
    /// The distinct samples.
    ///
    /// # Errors
    /// Before the import.
    pub(crate) fn samples(&self) -> Outcome<&Arc<Samples>> {
        self.samples.as_ref().ok_or_else(|| usage("The pool is not imported yet.", "Run the project first."))
    }

    /// The clusters in force: the manifold's, as a person edited them.
    pub(crate) fn clusters(&self) -> Option<&Clusters> {
        self.curated.clusters.as_deref()
    }

    /// The names of the clusters in force.
    pub(crate) fn names(&self) -> Option<&[String]> {
        self.clusters()?.names.as_deref()
    }

    /// Names everything that is in memory.
    pub(crate) fn key(&self) -> String {
        let keys = [
            self.samples.as_ref().map(|samples| &samples.key),
            self.manifold.as_ref().map(|manifold| &manifold.key),
            self.scores.as_ref().map(|scores| &scores.key),
            self.concepts.as_ref().map(|concepts| &concepts.key),
            self.checks.as_ref().map(|checks| &checks.key),
        ];
        let partial = self.partial.as_ref().map(|partial| format!(" and {} of {}", partial.scored, partial.key));
        let shown = self.clusters().map_or("", |clusters| clusters.shown.as_str());
        let passes: String = self.passes.values().map(|pass| format!(" {}", pass.key)).collect();
        let others: String =
            self.others.iter().map(|(name, other)| format!(" {name}: {} of {}", other.scored, other.key)).collect();
        keys.map(|key| key.map_or("", String::as_str)).join(" ")
            + &partial.unwrap_or_default()
            + shown
            + &passes
            + &others
    }

    /// The scores that are known, whole or not.
    pub(crate) fn scored_rows(&self) -> Option<&[Option<Score>]> {
        let partial = || self.partial.as_ref().map(|partial| partial.rows.as_slice());
        self.scores.as_ref().map(|scores| scores.rows.as_slice()).or_else(partial)
    }
}

/// What the run at work is to leave behind when it is told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stopping {
    /// Nothing but what is finished.
    #[default]
    Cancel,
    /// The wish to go on, when a person says so.
    Pause,
    /// The wish to go on, and the worker at work: another process takes the run over.
    Leave,
}

/// An open project.
pub struct Session {
    pub(crate) folder: Folder,
    /// None where the project is only looked at.
    lock: Option<Lock>,
    pub(crate) catalogue: Mutex<Catalogue>,
    pub(crate) store: Store,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) curated: Mutex<CuratedCache>,
    pub(crate) splits: Mutex<SplitCache>,
    pub(crate) recipe: RwLock<Arc<RecipeText>>,
    pub(crate) loaded: RwLock<Loaded>,
    pub(crate) selections: Mutex<SelectionCache>,
    pub(crate) columns: Mutex<ColumnCache>,
    /// What a view tells of the artefacts in memory.
    pub(crate) parts: Mutex<Option<Arc<Parts>>>,
    pub(crate) models: Mutex<LoadedModels>,
    pub(crate) inspected: Mutex<Inspected>,
    pub(crate) vectors: Mutex<LoadedVectors>,
    /// Stops the models that continue a prompt.
    pub(crate) continuing: Mutex<Arc<AtomicBool>>,
    pub(crate) job: Mutex<Option<JobView>>,
    /// Held by the run at work.
    pub(crate) running: Mutex<()>,
    pub(crate) stopping: Mutex<Stopping>,
    pub(crate) failures: Mutex<BTreeMap<Stage, Report>>,
    /// Why the last run left the checks out.
    pub(crate) unchecked: Mutex<Option<Report>>,
    /// Stages that the last run computed rather than found.
    pub(crate) computed: Mutex<BTreeSet<Stage>>,
    pub(crate) comparison: Mutex<Option<Comparison>>,
    pub(crate) recovery: Mutex<Recovery>,
    revision: AtomicU64,
    /// Planted noise by row, where a demo knows it. Read after a selection, never by one.
    pub(crate) noise: Mutex<Option<Arc<Vec<bool>>>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of another thread leaves plain data behind, which is as good as it was.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Makes a project from a draft: folders, recipe, catalogue. Paths of the draft are as typed, from the current
    /// folder; those inside the project become relative.
    ///
    /// # Errors
    /// A folder that holds a project, or cannot be written; a pool that is not there; a draft that no recipe can express.
    pub fn create(draft: &ProjectDraft) -> Outcome<Self> {
        if draft.folder.trim().is_empty() {
            return Err(usage("A project needs a folder.", "Name one that does not hold a project yet."));
        }
        if !draft.pool.trim().is_empty() {
            match crate::pool_source::find(&Folder::planned(Path::new("")), draft.pool.trim()) {
                Ok(_) | Err(NoPool::NotDownloaded(_)) => {}
                Err(NoPool::Unusable(report)) => return Err(report),
            }
        }
        let root = PathBuf::from(draft.folder.trim());
        let folder = Folder::create(&root).map_err(Told::told)?;
        let mut recipe = draft_recipe(draft, &folder)?;
        if let Some(share) = draft.probe {
            crate::probe_project::take_part(&mut recipe, &folder, share)?;
        }
        Self::create_with(&folder, &recipe)
    }

    /// Makes a project with this recipe. `folder` comes from [`Folder::create`].
    pub(crate) fn create_with(folder: &Folder, recipe: &Recipe) -> Outcome<Self> {
        let text = recipe.render();
        Recipe::parse(&text, &folder.recipe()).map_err(Told::told)?;
        write_durably(&folder.recipe(), text.as_bytes()).map_err(Told::told)?;
        Self::open(folder.root())
    }

    /// Opens a project and reads what its stages made.
    ///
    /// # Errors
    /// No recipe there, a recipe with mistakes (each with its line), a living owner, a damaged catalogue.
    pub fn open(root: &Path) -> Outcome<Self> {
        let folder = Folder::open(root).map_err(Told::told)?;
        let lock = Lock::acquire(&folder.lock()).map_err(Told::told)?;
        Self::open_owned(folder, lock)
    }

    /// Opens a project whose lock is held, and mends what a crash has left.
    pub(crate) fn open_owned(folder: Folder, lock: Lock) -> Outcome<Self> {
        folder.tidy().map_err(Told::told)?;
        paser_prune::sweep_unfinished(&folder.models());
        let recipe = read_recipe(&folder)?;
        let catalogue = Catalogue::open(&folder.catalogue()).map_err(Told::told)?;
        let journal = Journal::open(&folder.journal()).map_err(Told::told)?;
        let store = Store::new(folder.arrays());
        clear_merged(&folder.jobs(), |stage, key| store.manifest(stage, key).is_some()).map_err(Told::told)?;
        let session = Self::of(folder, Some(lock), recipe, catalogue, journal)?;
        session.reload()?;
        Ok(session)
    }

    /// Opens a project that another process owns, to look at it: [`crate::Reader`] hands out nothing that writes. None
    /// where the owner is still making it.
    pub(crate) fn open_beside(folder: Folder) -> Outcome<Option<Self>> {
        let recipe = read_recipe(&folder)?;
        let journal = Journal::open_to_read(&folder.journal()).map_err(Told::told)?;
        let catalogue = Catalogue::open_to_read(&folder.catalogue()).map_err(Told::told)?;
        let Some(catalogue) = catalogue else { return Ok(None) };
        let session = Self::of(folder, None, recipe, catalogue, journal)?;
        session.reload()?;
        Ok(Some(session))
    }

    /// Opens a project beside its owner with nothing but its samples in memory, and with the recipe that a worker was
    /// given. None where the owner is still making it.
    pub(crate) fn open_to_work(folder: Folder, recipe: &str) -> Outcome<Option<Self>> {
        let parsed = Recipe::parse(recipe, &folder.recipe()).map_err(Told::told)?;
        let recipe = RecipeText { text: recipe.to_owned(), recipe: parsed };
        let journal = Journal::open_to_read(&folder.journal()).map_err(Told::told)?;
        let Some(catalogue) = Catalogue::open_to_read(&folder.catalogue()).map_err(Told::told)? else {
            return Ok(None);
        };
        let session = Self::of(folder, None, recipe, catalogue, journal)?;
        let mut loaded = Loaded::default();
        session.read_samples(&mut loaded)?;
        session.with_loaded(|held| *held = loaded);
        Ok(Some(session))
    }

    fn of(
        folder: Folder,
        lock: Option<Lock>,
        recipe: RecipeText,
        catalogue: Catalogue,
        journal: Journal,
    ) -> Outcome<Self> {
        Ok(Self {
            store: Store::new(folder.arrays()),
            folder,
            lock,
            catalogue: Mutex::new(catalogue),
            journal: Mutex::new(journal),
            curated: Mutex::new(CuratedCache::default()),
            splits: Mutex::new(SplitCache::default()),
            recipe: RwLock::new(Arc::new(recipe)),
            loaded: RwLock::new(Loaded::default()),
            selections: Mutex::new(SelectionCache::default()),
            columns: Mutex::new(ColumnCache::default()),
            parts: Mutex::new(None),
            models: Mutex::new(LoadedModels::default()),
            inspected: Mutex::default(),
            vectors: Mutex::default(),
            continuing: Mutex::default(),
            job: Mutex::new(None),
            running: Mutex::new(()),
            stopping: Mutex::default(),
            failures: Mutex::new(BTreeMap::new()),
            unchecked: Mutex::new(None),
            computed: Mutex::new(BTreeSet::new()),
            comparison: Mutex::new(None),
            recovery: Mutex::default(),
            revision: AtomicU64::new(REVISIONS.fetch_add(1, Ordering::Relaxed)),
            noise: Mutex::new(None),
        })
    }

    /// Says in the project's lock where this process answers, and whether it lets the project go to whoever asks.
    pub(crate) fn announce(&self, address: Option<Address>, background: bool) -> Outcome<()> {
        self.lock.as_ref().map_or(Ok(()), |lock| lock.announce(address, background)).map_err(Told::told)
    }

    /// The run that was begun and has not ended.
    pub(crate) fn intent(&self) -> Option<Intent> {
        Intent::read(&self.folder.jobs())
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    pub fn name(&self) -> String {
        let recipe = self.recipe();
        if recipe.recipe.name.is_empty() { self.folder.name() } else { recipe.recipe.name.clone() }
    }

    /// Is this the pruned model of the project: by the name that it is shown by, as the recipe has it, or by a path to
    /// the same folder?
    pub fn is_pruned_model(&self, typed: &str) -> bool {
        let recipe = self.recipe();
        let reference = &recipe.recipe.models.pruned;
        let folder = |path: &Path| fs_err::canonicalize(path).ok();
        let same =
            || folder(Path::new(typed)).is_some_and(|typed| folder(&self.folder.resolve(reference)) == Some(typed));
        typed == self.view().pruned || !reference.is_empty() && (typed == reference || same())
    }

    /// The recipe as it was read last. A run follows its own copy.
    pub(crate) fn recipe(&self) -> Arc<RecipeText> {
        self.recipe.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the recipe again: a person may have edited it.
    pub(crate) fn reread_recipe(&self) -> Outcome<Arc<RecipeText>> {
        let recipe = Arc::new(read_recipe(&self.folder)?);
        let mut held = self.recipe.write().unwrap_or_else(PoisonError::into_inner);
        if held.text != recipe.text {
            *held = recipe.clone();
            drop(held);
            self.touch();
        }
        Ok(recipe)
    }

    /// Takes notice of a recipe that was edited outside; one that cannot be read stays out until a run says why.
    pub fn reread(&self) {
        if let Err(report) = self.reread_recipe() {
            tracing::warn!(%report, "the recipe cannot be read");
        }
    }

    /// Changes one value of the recipe and leaves the rest of the file as it is. `value` is a TOML literal.
    pub(crate) fn set_recipe(&self, section: &str, key: &str, value: &str) -> Outcome<()> {
        let path = self.folder.recipe();
        let text = read_recipe(&self.folder)?.text;
        let changed = Recipe::with_value(&text, section, key, value, &path).map_err(Told::told)?;
        write_durably(&path, changed.as_bytes()).map_err(Told::told)?;
        self.reread_recipe()?;
        Ok(())
    }

    /// Names the benchmark files that the pool is checked against; paths are as typed, those inside the project become
    /// relative.
    pub(crate) fn set_benchmarks(&self, files: &[String]) -> Outcome<()> {
        let place = |typed: &String| {
            let path = self.folder.resolve(typed.trim());
            if path.is_file() {
                return Ok(self.folder.relative(&path));
            }
            Err(usage(
                format!("{}: there is no such benchmark file.", path.display()),
                "Name one on the engine's machine.",
            ))
        };
        let files = files.iter().map(place).collect::<Outcome<Vec<_>>>()?;
        let path = self.folder.recipe();
        let text = read_recipe(&self.folder)?.text;
        let changed = Recipe::with_benchmarks(&text, &files, &path).map_err(Told::told)?;
        write_durably(&path, changed.as_bytes()).map_err(Told::told)?;
        self.reread_recipe()?;
        Ok(())
    }

    /// Sets the strategies that need a pass of their own. A model's path is as typed; one inside the project becomes
    /// relative.
    pub(crate) fn set_strategies(&self, settings: &StrategySettings) -> Outcome<()> {
        let path = self.folder.recipe();
        let text = read_recipe(&self.folder)?.text;
        let typed = settings.filter_model.trim();
        let place = self.folder.resolve(typed);
        let filter_model =
            if typed.is_empty() || !place.exists() { typed.to_owned() } else { self.folder.relative(&place) };
        let settings = StrategySettings { filter_model, ..settings.clone() };
        let changed = Recipe::with_strategies(&text, &settings, &path).map_err(Told::told)?;
        if changed != text {
            write_durably(&path, changed.as_bytes()).map_err(Told::told)?;
            self.reread_recipe()?;
        }
        Ok(())
    }

    pub(crate) fn loaded(&self) -> Loaded {
        let mut loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone();
        let recipe = self.recipe();
        loaded.others.retain(|reference, _| recipe.recipe.models.others.contains(reference));
        loaded.curated = self.curated(&loaded);
        loaded
    }

    pub(crate) fn with_loaded(&self, change: impl FnOnce(&mut Loaded)) {
        change(&mut self.loaded.write().unwrap_or_else(PoisonError::into_inner));
        self.touch();
    }

    /// The distinct samples.
    ///
    /// # Errors
    /// Before the import.
    pub(crate) fn samples(&self) -> Outcome<Arc<Samples>> {
        self.loaded().samples().cloned()
    }

    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Something changed that a face shows.
    pub(crate) fn touch(&self) {
        self.revision.store(REVISIONS.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Reads what the catalogue says the stages made. Arrays that are gone or damaged count as not made.
    pub(crate) fn reload(&self) -> Outcome<()> {
        let mut loaded = Loaded::default();
        let artefact = |stage: &str| self.made_last(stage);
        self.read_samples(&mut loaded)?;
        if let Some(samples) = &loaded.samples {
            let rows = samples.len();
            if let Some(mut found) = artefact(Stage::Manifold.name())? {
                loaded.manifold =
                    ManifoldData::read(&mut found).ok().filter(|data| data.clusters.len() == rows).map(Arc::new);
            }
            loaded.scores = self.read_scores(Some(samples))?;
            if let Some(mut found) = artefact(crate::stages::concepts::STAGE)? {
                loaded.concepts =
                    Concepts::read(&mut found).ok().filter(|data| data.table.samples.len() == rows).map(Arc::new);
            }
        }
        self.read_recovery()?;
        if let (Some(samples), Some(mut found)) = (&loaded.samples, artefact(crate::stages::checks::STAGE)?) {
            loaded.checks = Checks::read(&mut found, samples).ok().map(Arc::new);
        }
        if let Some(rows) = loaded.samples.as_ref().map(|samples| samples.len()) {
            for strategy in Strategy::WITH_PASS {
                let found = artefact(strategy.name())?.and_then(|mut found| PassData::read(&mut found).ok());
                if let Some(pass) = found.filter(|pass| pass.column.values.len() == rows) {
                    loaded.passes.insert(strategy, Arc::new(pass));
                }
            }
        }
        self.read_others(&mut loaded)?;
        clusters::name_clusters(&mut loaded);
        self.with_loaded(|held| *held = loaded);
        self.read_noise();
        Ok(())
    }

    /// What a stage made last, if it is still there and whole.
    pub(crate) fn made_last(&self, stage: &str) -> Outcome<Option<Artefact>> {
        let record = lock(&self.catalogue).stage(stage).map_err(Told::told)?;
        Ok(record.and_then(|record| self.store.get(stage, &record.key).ok().flatten()))
    }

    pub(crate) fn read_scores(&self, samples: Option<&Samples>) -> Outcome<Option<Arc<Scores>>> {
        let found = self.made_last(Stage::Score.name())?.and_then(|mut found| Scores::read(&mut found).ok());
        Ok(found.filter(|scores| samples.is_some_and(|samples| samples.len() == scores.rows.len())).map(Arc::new))
    }

    fn read_samples(&self, loaded: &mut Loaded) -> Outcome<()> {
        if let Some(mut found) = self.made_last(Stage::Import.name())? {
            let each =
                |visit: &mut dyn FnMut(SampleHead<'_>)| lock(&self.catalogue).each_sample(visit).map_err(Told::told);
            loaded.samples = Samples::read(&mut found, each).ok().map(Arc::new);
        }
        Ok(())
    }

    /// The plan being built; kept across restarts.
    pub(crate) fn plan(&self) -> SelectionPlan {
        lock(&self.catalogue)
            .fact("plan")
            .ok()
            .flatten()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| {
                self.recipe().recipe.selections.first().map(|named| named.plan.clone()).unwrap_or_default()
            })
    }

    /// Keeps the plan for the next start. Nothing else depends on it, so no face has to look again.
    pub(crate) fn keep_plan(&self, plan: &SelectionPlan) -> Outcome<()> {
        if self.plan() == *plan {
            return Ok(());
        }
        let text = serde_json::to_string(plan).map_err(|error| crate::trouble::failed(error.to_string(), ""))?;
        lock(&self.catalogue).set_fact("plan", &text).map_err(Told::told)
    }
}

pub(crate) fn read_recipe(folder: &Folder) -> Outcome<RecipeText> {
    let recipe = Recipe::read(&folder.recipe()).map_err(Told::told)?;
    let text = fs_err::read_to_string(folder.recipe()).map_err(Told::told)?;
    Ok(RecipeText { text, recipe })
}

/// The recipe that a draft means.
pub(crate) fn draft_recipe(draft: &ProjectDraft, folder: &Folder) -> Outcome<Recipe> {
    let mut recipe = Recipe::new();
    let place = |typed: &str| {
        let typed = typed.trim();
        let path = Path::new(typed);
        if typed.is_empty() || !path.exists() { typed.to_owned() } else { folder.relative(path) }
    };
    if draft.pool.trim().is_empty() {
        return Err(usage(
            "A project needs a pool.",
            "Name a JSON, JSONL or Parquet file, or a data set on the hub: hub:org/name.",
        ));
    }
    recipe.pool.path = place(&draft.pool);
    recipe.models.dense = place(&draft.dense);
    recipe.models.pruned = place(&draft.pruned);
    recipe.models.others = draft.others.iter().map(|other| place(other)).filter(|other| !other.is_empty()).collect();
    recipe.vectors.encoder = place(&draft.encoder);
    if !draft.template.trim().is_empty() {
        recipe.template.name = draft.template.trim().to_owned();
    }
    if let Some(prune) = &draft.prune {
        recipe.prune.method = prune.method.clone();
        recipe.prune.pattern = prune.pattern.clone();
    }
    let text = recipe.render();
    Recipe::parse(&text, &folder.recipe()).map_err(Told::told)
}
