//! A worker: the process that computes the shards of one job. It looks at the project beside its owner, derives the
//! stage's plan again with the stage's own code, refuses where the two differ, computes what is not finished, and never
//! merges. Whoever cares follows it by the job's folder.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use paser_project::{Folder, Job, Lock, ProjectError, Work, WorkerState};
use paser_protocol::{Event, Failure, JobView, Report, Stage};

use crate::{
    machine,
    progress::Reporter,
    session::Session,
    stages::{Bench, Hands, embed, recover, score},
    trouble::{Outcome, Told, cancelled, failed, unusable, usage},
};

/// Between two looks for the wish to stop.
const LOOK: Duration = Duration::from_millis(100);
/// Others that look whether a worker is there may hold its lock for a moment.
const PATIENCE: Duration = Duration::from_millis(500);

/// The order of a worker of this program.
pub(crate) fn order(bench: &Bench<'_>, details: Option<&str>) -> Work {
    Work {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        recipe: bench.recipe.text.clone(),
        threads: bench.threads,
        memory: bench.memory,
        details: details.map(str::to_owned),
    }
}

/// Computes what is not finished of the job in `folder`, until it is or `cancel` or the job's stop marker says to stop.
///
/// # Errors
/// No job there; another worker at work on it; a project that is no longer the one that was planned for; whatever keeps
/// the stage from being computed. The report is in the job's state too.
pub fn work(folder: &Path, cancel: &AtomicBool) -> Outcome<()> {
    let folder = std::path::absolute(folder).map_err(Told::told)?;
    let job = Arc::new(Job::planned(&folder).map_err(Told::told)?);
    let _alone = take(&job)?;
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let first = WorkerState { pid: std::process::id(), started, what: "starting".to_owned(), ..measured() };
    job.tell(first.clone()).map_err(Told::told)?;
    job.say("worker started").map_err(Told::told)?;
    let outcome = watched(&job, cancel, |stop| {
        let tell = |event: Event| match event {
            Event::Job { job: view } => written(job.tell(state(&first, &view))),
            Event::Notice { text } => written(job.say(&text)),
            Event::Project { .. }
            | Event::Finished { .. }
            | Event::Continuing { .. }
            | Event::Inspecting { .. }
            | Event::Wanted { .. } => {}
        };
        compute(&folder, &job, &Reporter::new(&tell, stop))
    });
    let last = match &outcome {
        Ok(()) => job.say("worker ended"),
        Err(report) if report.failure == Failure::Cancelled => job.say("worker stopped"),
        Err(report) => job
            .tell(WorkerState { what: "gave up".to_owned(), report: Some(report.clone()), ..state_of(&first) })
            .and_then(|()| job.say(&format!("worker gave up: {}", report.what))),
    };
    // The outcome is the one to tell, and the shards are what counts.
    written(last);
    outcome
}

fn take(job: &Job) -> Outcome<Lock> {
    let asked = Instant::now();
    loop {
        match job.take() {
            Err(ProjectError::Locked { .. }) if asked.elapsed() < PATIENCE => thread::sleep(LOOK / 4),
            Err(ProjectError::Locked { owner, .. }) => {
                let what = format!("{}: a worker is at work on this job: {owner}", job.folder().display());
                return Err(Report::new(Failure::ComeBack, what, "Leave the job to it, or stop it first."));
            }
            other => return other.map_err(Told::told),
        }
    }
}

/// What nobody waits for: a disk that is full stops the next shard, with its own words.
fn written(outcome: Result<(), ProjectError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "the job's state cannot be written");
    }
}

fn measured() -> WorkerState {
    WorkerState { memory_bytes: machine::memory(), peak_memory_bytes: machine::peak_memory(), ..WorkerState::default() }
}

fn state_of(first: &WorkerState) -> WorkerState {
    WorkerState { pid: first.pid, started: first.started, ..measured() }
}

fn state(first: &WorkerState, view: &JobView) -> WorkerState {
    WorkerState {
        what: view.what.clone(),
        done: view.done,
        total: view.total,
        unit: view.unit.clone(),
        ..state_of(first)
    }
}

/// Does `work` with a flag that rises when the caller or the job's stop marker says to stop.
fn watched<T>(job: &Job, cancel: &AtomicBool, work: impl FnOnce(&AtomicBool) -> T) -> T {
    let (stop, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let watch = || {
            while !over.load(Ordering::Relaxed) {
                if cancel.load(Ordering::Relaxed) || job.is_asked_to_stop() {
                    stop.store(true, Ordering::Relaxed);
                    return;
                }
                thread::park_timeout(LOOK);
            }
        };
        let watcher = thread::Builder::new().name("stop".to_owned()).spawn_scoped(scope, watch);
        let result = work(&stop);
        over.store(true, Ordering::Relaxed);
        if let Ok(watcher) = watcher {
            watcher.thread().unpark();
        }
        result
    })
}

fn compute(folder: &Path, job: &Arc<Job>, reporter: &Reporter<'_>) -> Outcome<()> {
    let order = job.work().map_err(Told::told)?;
    if order.version != env!("CARGO_PKG_VERSION") {
        return Err(usage(
            format!(
                "{}: the job was planned by version {} of the program, and this is version {}",
                folder.display(),
                order.version,
                env!("CARGO_PKG_VERSION")
            ),
            "Run the project with this version.",
        ));
    }
    let known = [Stage::Embed, Stage::Score, Stage::Recover];
    let stage = known.into_iter().find(|stage| stage.name() == job.plan().stage).ok_or_else(|| {
        unusable(format!("{}: no worker computes the stage {:?}", folder.display(), job.plan().stage), "")
    })?;
    let root = folder.parent().and_then(Path::parent).ok_or_else(|| {
        usage(format!("{} is no job of a project", folder.display()), "Jobs lie in the folder `jobs` of a project.")
    })?;
    let project = Folder::open(root).map_err(Told::told)?;
    let session = Session::open_to_work(project, &order.recipe)?
        .ok_or_else(|| failed(format!("{}: the project is not made yet", root.display()), "Run it first."))?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(order.threads)
        .thread_name(|index| format!("work-{index}"))
        .build()
        .map_err(|error| failed(format!("no threads to work with: {error}"), "Lower --threads."))?;
    let bench = Bench {
        session: &session,
        reporter,
        stage,
        threads: order.threads,
        recipe: session.recipe(),
        memory: order.memory,
        hands: Hands::Worker(job),
        patient: true,
    };
    pool.install(|| {
        if reporter.cancelled() {
            return Err(cancelled());
        }
        match stage {
            Stage::Embed => embed::EmbedPlan::check(&bench)?.compute(&bench),
            Stage::Score => {
                let mut plans = score::ScorePlan::all(&bench)?.into_iter();
                let plan = plans.find(|plan| plan.inputs.key() == job.plan().key);
                plan.ok_or_else(|| changed(folder))?.compute(&bench)
            }
            Stage::Recover => recover::compute(&bench, job),
            Stage::Import | Stage::Manifold | Stage::Select => Ok(()),
        }
    })
}

/// The project is no longer the one that a job was planned for.
pub(crate) fn changed(folder: &Path) -> Report {
    Report::new(
        Failure::ComeBack,
        format!("{}: pool, models or settings changed since this job was planned", folder.display()),
        "Run the project again: it plans anew, and keeps what still fits.",
    )
}
