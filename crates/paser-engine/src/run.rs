//! A run: every stage up to one of them is brought up to date, in order, each only where its key changed. One run at a
//! time; requests are answered meanwhile.

use std::{
    collections::BTreeMap,
    sync::{TryLockError, atomic::AtomicBool},
    time::Instant,
};

use paser_protocol::{Event, Report, Stage, Strategy};
use serde::Serialize;

use crate::{
    machine,
    progress::{Reporter, Sink},
    session::{RecipeText, Session, lock},
    stages::{self, Bench},
    trouble::{Outcome, Told, cancelled, failed, usage},
    views::pruned_name,
};

/// Artefacts of a stage that are kept besides the current one.
const SPARE: usize = 4;

/// How a run uses the machine.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Threads; 0: all.
    pub threads: usize,
    /// Bytes that the estimate may not pass; none: no limit.
    pub memory: Option<u64>,
}

/// One stage of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageSummary {
    pub stage: Stage,
    /// Of this run; near 0 where the stage was cached.
    pub seconds: f64,
    pub cached: bool,
    pub peak_memory_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterSummary {
    pub cluster: u32,
    pub name: String,
    pub samples: u64,
    pub cds: Option<f64>,
    pub cds_low: Option<f64>,
    pub cds_high: Option<f64>,
    pub cds_rest: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelectionSummary {
    pub selection: String,
    pub strategy: String,
    pub pruned: String,
    pub budget: u64,
    pub selected: u64,
}

/// What `paser run` prints last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    pub stages: Vec<StageSummary>,
    pub clusters: Vec<ClusterSummary>,
    pub selections: Vec<SelectionSummary>,
}

impl Session {
    /// Brings the project up to date through `until`. `events` is called from other threads too.
    ///
    /// # Errors
    /// The first stage that fails ends the run; what was finished stays. A run at work refuses a second one.
    pub fn run(
        &self,
        until: Stage,
        options: &RunOptions,
        events: Sink<'_>,
        cancel: &AtomicBool,
    ) -> Outcome<RunSummary> {
        self.at_work(events, |sink| self.run_stages(until, options, sink, cancel))
    }

    /// Does long work, of which there is one piece at a time, with a sink that keeps the job for those who look later.
    pub(crate) fn at_work<T>(&self, events: Sink<'_>, work: impl FnOnce(Sink<'_>) -> Outcome<T>) -> Outcome<T> {
        let _running = match self.running.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(usage("A run is at work already.", "Wait for it, or cancel it."));
            }
        };
        let sink = |event: Event| {
            if let Event::Job { job } = &event {
                *lock(&self.job) = Some(job.clone());
            }
            events(event);
        };
        let outcome = work(&sink);
        *lock(&self.job) = None;
        self.touch();
        events(Event::Project { revision: self.revision() });
        outcome
    }

    /// Does `work` on threads of its own with a bench that may take its time. One piece of long work at a time.
    pub(crate) fn long_work<T: Send>(
        &self,
        stage: Stage,
        options: &RunOptions,
        events: Sink<'_>,
        cancel: &AtomicBool,
        work: impl FnOnce(&Bench<'_>) -> Outcome<T> + Send,
    ) -> Outcome<T> {
        self.at_work(events, |sink| {
            let recipe = self.reread_recipe()?;
            let (threads, pool) = workers(options)?;
            let reporter = Reporter::new(sink, cancel);
            let (memory, patient) = (options.memory, true);
            let bench = Bench { session: self, reporter: &reporter, stage, threads, recipe, memory, patient };
            pool.install(|| work(&bench))
        })
    }

    /// What the column that a strategy reads would cost, in words; none where it is there or takes no pass of its own.
    pub fn pass_cost(&self, strategy: Strategy) -> Option<String> {
        let recipe = self.recipe();
        let view = |strategy| stages::passes::view(self, &self.loaded(), &recipe.recipe, strategy);
        let view = strategy.needs_pass().then(|| view(strategy)).filter(|view| view.key.is_none())?;
        Some(format!("{}, {}", view.what, stages::passes::words_of(view.estimate)))
    }

    /// Computes the column that a strategy reads, where it takes a pass of its own; nothing where it is there.
    ///
    /// # Errors
    /// What keeps it from being computed; `cancel` was set: what was finished stays.
    pub fn prepare(
        &self,
        strategy: Strategy,
        options: &RunOptions,
        events: Sink<'_>,
        cancel: &AtomicBool,
    ) -> Outcome<()> {
        if !strategy.needs_pass() {
            return Ok(());
        }
        self.long_work(Stage::Select, options, events, cancel, |bench| {
            stages::passes::bring_up(bench, strategy).map(|_| ())
        })
    }

    fn run_stages(
        &self,
        until: Stage,
        options: &RunOptions,
        sink: Sink<'_>,
        cancel: &AtomicBool,
    ) -> Outcome<RunSummary> {
        let recipe = self.reread_recipe()?;
        lock(&self.failures).clear();
        let (threads, pool) = workers(options)?;
        let reporter = Reporter::new(sink, cancel);
        let mut summaries = Vec::new();
        for stage in Stage::ALL.into_iter().filter(|stage| *stage <= until) {
            if reporter.cancelled() {
                return Err(cancelled());
            }
            let (recipe, memory) = (recipe.clone(), options.memory);
            let patient = true;
            let bench = Bench { session: self, reporter: &reporter, stage, threads, recipe, memory, patient };
            machine::reset_peak_memory();
            let started = Instant::now();
            let outcome = pool.install(|| one_stage(&bench));
            // A job view stays until its stage is over, so that a face does not blink between pieces of work.
            *lock(&self.job) = None;
            match outcome {
                Ok(Some(cached)) => {
                    if cached {
                        lock(&self.computed).remove(&stage);
                    } else {
                        lock(&self.computed).insert(stage);
                        self.touch();
                    }
                    summaries.push(StageSummary {
                        stage,
                        seconds: started.elapsed().as_secs_f64(),
                        cached,
                        peak_memory_bytes: machine::peak_memory(),
                    });
                    if !cached {
                        reporter.send(Event::Project { revision: self.revision() });
                    }
                }
                Ok(None) => {}
                Err(report) => {
                    self.fail(stage, &report);
                    return Err(report);
                }
            }
        }
        self.sweep()?;
        self.summary(&recipe, summaries)
    }

    /// Removes artefacts that nothing refers to, but for the newest few of each stage: going back to a setting that
    /// was just left should cost nothing, an old one may cost its computation.
    fn sweep(&self) -> Outcome<()> {
        let mut manifests = self.store.list().map_err(Told::told)?;
        manifests.sort_by_key(|manifest| std::cmp::Reverse(manifest.created));
        let mut kept: BTreeMap<String, usize> = BTreeMap::new();
        for manifest in manifests {
            let record = lock(&self.catalogue).stage(&manifest.stage).map_err(Told::told)?;
            if record.is_some_and(|record| record.key == manifest.key) {
                continue;
            }
            let count = kept.entry(manifest.stage.clone()).or_default();
            *count += 1;
            if *count > SPARE {
                self.store.remove(&manifest.stage, &manifest.key).map_err(Told::told)?;
            }
        }
        Ok(())
    }

    fn fail(&self, stage: Stage, report: &Report) {
        if report.failure != paser_protocol::Failure::Cancelled {
            lock(&self.failures).insert(stage, report.clone());
        }
        self.touch();
    }

    fn summary(&self, recipe: &RecipeText, stages: Vec<StageSummary>) -> Outcome<RunSummary> {
        let pruned = pruned_name(&recipe.recipe);
        Ok(RunSummary {
            stages,
            clusters: self
                .parts(&self.loaded())
                .clusters
                .iter()
                .map(|cluster| ClusterSummary {
                    cluster: cluster.cluster,
                    name: cluster.name.clone(),
                    samples: cluster.samples,
                    cds: cluster.cds,
                    cds_low: cluster.cds_low,
                    cds_high: cluster.cds_high,
                    cds_rest: cluster.cds_rest,
                })
                .collect(),
            selections: self
                .selection_views()?
                .into_iter()
                .map(|selection| SelectionSummary {
                    selection: selection.name.unwrap_or_default(),
                    strategy: selection.plan.strategy.name().to_owned(),
                    pruned: pruned.clone(),
                    budget: selection.budget,
                    selected: selection.selected,
                })
                .collect(),
        })
    }
}

/// Threads to compute with.
fn workers(options: &RunOptions) -> Outcome<(usize, rayon::ThreadPool)> {
    let threads = if options.threads == 0 { machine::threads() } else { options.threads };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("work-{index}"))
        .build()
        .map_err(|error| failed(format!("no threads to work with: {error}"), "Lower --threads."))?;
    Ok((threads, pool))
}

/// True: cached. None: the recipe asks for no such stage.
fn one_stage(bench: &Bench<'_>) -> Outcome<Option<bool>> {
    let session = bench.session;
    match bench.stage {
        Stage::Import => {
            let imported = stages::import::ImportPlan::check(bench)?.bring_up(bench)?;
            let checked = stages::checks::bring_up_or_tell(bench)?;
            Ok(Some(imported && checked))
        }
        Stage::Embed => stages::embed::EmbedPlan::check(bench)?.bring_up(bench).map(Some),
        Stage::Manifold => stages::manifold::ManifoldPlan::check(bench)?.bring_up(bench).map(Some),
        Stage::Score => match stages::score::ScorePlan::check(bench)? {
            Some(plan) => plan.bring_up(bench).map(Some),
            None => Ok(None),
        },
        Stage::Select => {
            if session.loaded().scores.is_none() {
                return Ok(None);
            }
            stages::select::bring_up(bench).map(Some)
        }
    }
}
