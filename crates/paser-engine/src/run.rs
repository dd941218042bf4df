//! A run: every stage up to one of them is brought up to date, in order, each only where its key changed. One run at a
//! time; requests are answered meanwhile.

use std::{
    collections::BTreeMap,
    sync::{TryLockError, atomic::AtomicBool},
    time::Instant,
};

use paser_project::Intent;
use paser_protocol::{
    ArmPlan, ClusterSummary, Event, Failure, JobView, Report, RunSummary, SelectionSummary, Stage, StageSummary,
    Strategy,
};

use crate::{
    machine,
    program::Program,
    progress::{Reporter, Sink},
    session::{RecipeText, Session, Stopping, lock},
    stages::{self, Bench, Hands},
    trouble::{Outcome, Told, cancelled, failed, paused, usage},
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
    /// The program whose workers compute the shards of jobs; none: this process does.
    pub worker: Option<Program>,
    /// Arms that a run through [`Stage::Recover`] trains; empty: all.
    pub arms: Vec<String>,
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
        self.at_work(events, options.worker.is_some(), |sink| {
            let intent = Intent { until, paused: false, memory: options.memory, arms: options.arms.clone() };
            intent.write(&self.folder.jobs()).map_err(Told::told)?;
            let outcome = self.run_stages(until, options, sink, cancel);
            self.after(intent, outcome)
        })
    }

    /// Does long work, of which there is one piece at a time, with a sink that keeps the job for those who look later.
    /// Work that is `lasting` goes on without this process.
    fn at_work<T>(&self, events: Sink<'_>, lasting: bool, work: impl FnOnce(Sink<'_>) -> Outcome<T>) -> Outcome<T> {
        let _running = match self.running.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(usage("A run is at work already.", "Wait for it, or cancel it."));
            }
        };
        let sink = |event: Event| {
            let event = match event {
                Event::Job { job } => {
                    let job = JobView { lasting, ..job };
                    *lock(&self.job) = Some(job.clone());
                    Event::Job { job }
                }
                other => other,
            };
            events(event);
        };
        let outcome = work(&sink);
        *lock(&self.job) = None;
        self.touch();
        events(Event::Project { revision: self.revision() });
        outcome
    }

    /// What is left of a run that is over: nothing, or the wish to go on.
    fn after(&self, intent: Intent, outcome: Outcome<RunSummary>) -> Outcome<RunSummary> {
        let stopped = outcome.as_ref().is_err_and(|report| report.failure == Failure::Cancelled);
        let how = *lock(&self.stopping);
        match how {
            Stopping::Leave if stopped => return outcome,
            Stopping::Pause if stopped => {
                Intent { paused: true, ..intent }.write(&self.folder.jobs()).map_err(Told::told)?;
                return Err(paused());
            }
            _ => {}
        }
        // What the run came to is told first.
        let removed = Intent::remove(&self.folder.jobs()).map_err(Told::told);
        outcome.and_then(|summary| removed.map(|()| summary))
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
        self.at_work(events, false, |sink| {
            let recipe = self.reread_recipe()?;
            let (threads, pool) = workers(options)?;
            let reporter = Reporter::new(sink, cancel);
            let (memory, hands, patient) = (options.memory, Hands::Here, true);
            let bench = Bench { session: self, reporter: &reporter, stage, threads, recipe, memory, hands, patient };
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
        for stage in Stage::ALL.into_iter().chain([Stage::Recover]).filter(|stage| *stage <= until) {
            if reporter.cancelled() {
                return Err(cancelled());
            }
            let (recipe, memory) = (recipe.clone(), options.memory);
            let hands = options.worker.as_ref().map_or(Hands::Here, Hands::Program);
            let patient = true;
            let bench = Bench { session: self, reporter: &reporter, stage, threads, recipe, memory, hands, patient };
            reporter.reset_peak_memory();
            let started = Instant::now();
            let outcome = pool.install(|| one_stage(&bench, &options.arms));
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
                        peak_memory_bytes: reporter.peak_memory(),
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
            if self.is_in_use(&manifest.stage, &manifest.key)? {
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
        if report.failure != Failure::Cancelled {
            lock(&self.failures).insert(stage, report.clone());
        }
        self.touch();
    }

    fn summary(&self, recipe: &RecipeText, stages: Vec<StageSummary>) -> Outcome<RunSummary> {
        let pruned = pruned_name(&recipe.recipe);
        Ok(RunSummary {
            stages,
            schemes: self.view().schemes,
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
fn one_stage(bench: &Bench<'_>, arms: &[String]) -> Outcome<Option<bool>> {
    let session = bench.session;
    match bench.stage {
        Stage::Import => {
            let imported = stages::import::ImportPlan::check(bench)?.bring_up(bench)?;
            let checked = stages::checks::bring_up_or_tell(bench)?;
            Ok(Some(imported && checked))
        }
        Stage::Embed => stages::embed::EmbedPlan::check(bench)?.bring_up(bench).map(Some),
        Stage::Manifold => stages::manifold::ManifoldPlan::check(bench)?.bring_up(bench).map(Some),
        Stage::Score => {
            // All of them are looked at before the first is scored, which may take hours.
            let plans = stages::score::ScorePlan::all(bench)?;
            let mut cached = None;
            for plan in plans {
                cached = Some(plan.bring_up(bench)? && cached != Some(false));
            }
            Ok(cached)
        }
        Stage::Select => {
            if session.loaded().scores.is_none() {
                return Ok(None);
            }
            stages::select::bring_up(bench).map(Some)
        }
        Stage::Recover => {
            let all = &bench.recipe.recipe.arms;
            let wanted = |arm: &&ArmPlan| arms.is_empty() || arms.contains(&arm.name);
            if let Some(unknown) = arms.iter().find(|name| !all.iter().any(|arm| arm.name == **name)) {
                let names: Vec<&str> = all.iter().map(|arm| arm.name.as_str()).collect();
                return Err(usage(
                    format!("There is no arm named {unknown}."),
                    format!("There are: {}.", names.join(", ")),
                ));
            }
            let arms: Vec<ArmPlan> = all.iter().filter(wanted).cloned().collect();
            stages::recover::bring_up(bench, &arms).map(Some)
        }
    }
}
