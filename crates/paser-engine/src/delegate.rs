//! The owner's side of a job that a worker computes: starts the worker, or attaches to one that is still at work, and
//! takes over each shard as its marker appears. A worker that dies is started again.

use std::{
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use paser_project::{Arrays, Job, stop_worker, workers};
use paser_protocol::{Failure, Monitor, Report, WorkerView};

use crate::{
    job::{Hear, Named},
    program::Program,
    progress::Reporter,
    session::{Stopping, lock},
    stages::Bench,
    trouble::{Outcome, Told, cancelled},
    worker,
};

/// Between two looks into the job's folder.
const LOOK: Duration = Duration::from_millis(100);
/// A worker that was asked to stop has this long before it is killed.
const NOTICE: Duration = Duration::from_secs(1);
/// A worker that has no shard left to compute, or is not ours to kill, is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Deaths in a row without a new shard before the run gives up.
const DEATHS: u32 = 3;
/// Lines of the log that a person sees.
const LINES: usize = 6;

/// The worker of a job, ours or not.
struct Hired<'a> {
    job: &'a Job,
    program: &'a Program,
    child: Option<Child>,
    deaths: u32,
}

impl Hired<'_> {
    fn is_at_work(&mut self) -> bool {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(_))) => {
                self.child = None;
                false
            }
            Some(Ok(None)) => true,
            // One that cannot be asked is told by its lock.
            Some(Err(_)) | None => self.job.worker().is_some(),
        }
    }

    fn start(&mut self) -> Outcome<()> {
        self.child = Some(self.program.start_worker(self.job.folder(), &self.job.printed())?);
        Ok(())
    }

    /// Waits until the worker is gone; false where it still is there.
    fn wait(&mut self, patience: Duration) -> bool {
        let asked = Instant::now();
        while self.is_at_work() {
            if asked.elapsed() > patience {
                return false;
            }
            thread::sleep(LOOK / 4);
        }
        true
    }

    /// The stop marker, then the end of the process where it is ours.
    fn stop(&mut self) -> Outcome<()> {
        if !self.is_at_work() {
            return Ok(());
        }
        self.job.ask_to_stop(true).map_err(Told::told)?;
        if !self.wait(if self.child.is_some() { NOTICE } else { PATIENCE })
            && let Some(mut child) = self.child.take()
        {
            // Gone in between is as good.
            let _ = child.kill();
            child.wait().map_err(Told::told)?;
        }
        if self.is_at_work() {
            // Not ours to kill: it stops when it looks.
            return Ok(());
        }
        self.job.ask_to_stop(false).map_err(Told::told)
    }

    /// What is to be told of a worker that is gone and has shards left; none where it is to be started again.
    fn why_gone(&mut self) -> Option<Report> {
        if let Some(report) = self.job.state().and_then(|state| state.worker?.report) {
            return Some(report);
        }
        if self.job.is_asked_to_stop() {
            return Some(cancelled());
        }
        self.deaths += 1;
        if self.deaths <= DEATHS {
            tracing::warn!(job = %self.job.folder().display(), "the worker is gone; it is started again");
            return None;
        }
        let mut last = self.job.last_logged(3).join("\n");
        let printed = self.job.last_printed(LINES);
        if !printed.is_empty() {
            last = format!("{last}\n{printed}");
        }
        Some(Report::new(
            Failure::Failed,
            format!(
                "The process that computes died {DEATHS} times in a row without finishing a part. Its log ends:\n{last}"
            ),
            format!(
                "A system that is short of memory ends processes: lower --threads or close programs, and run again. All of the log is in {}.",
                self.job.folder().display()
            ),
        ))
    }
}

/// Workers of other jobs have nothing to do for this run: a recipe that was edited since wants other scores.
fn stop_others(job: &Job, jobs: &Path) -> Outcome<()> {
    for (folder, _) in workers(jobs).into_iter().filter(|(folder, _)| folder != job.folder()) {
        stop_worker(&folder).map_err(Told::told)?;
    }
    Ok(())
}

/// Fills `found` with the arrays of every shard, by a worker; `finished` hears of each that was not there.
pub(crate) fn follow(
    bench: &Bench<'_>,
    program: &Program,
    job: &Job,
    (named, costs): (Named<'_>, &[u64]),
    monitor: &dyn Monitor,
    found: &mut [Option<Arrays>],
    finished: Hear<'_>,
) -> Outcome<()> {
    if found.iter().all(Option::is_some) {
        return Ok(());
    }
    stop_others(job, &bench.session.folder.jobs())?;
    let mut hired = Hired { job, program, child: None, deaths: 0 };
    if job.is_asked_to_stop() {
        hired.wait(PATIENCE);
        job.ask_to_stop(false).map_err(Told::told)?;
    }
    job.order(&worker::order(bench, named.details)).map_err(Told::told)?;
    if !hired.is_at_work() {
        hired.start()?;
    }
    let total = costs.iter().sum();
    loop {
        // Asked before the markers are read: a worker that ends in between has left them all.
        let at_work = hired.is_at_work();
        for (shard, place) in found.iter_mut().enumerate().filter(|(_, place)| place.is_none()) {
            if !job.is_marked(shard) {
                continue;
            }
            match job.finished(shard) {
                Some((_, arrays)) => {
                    finished(&[(&job.plan().shards[shard], &arrays)]);
                    *place = Some(arrays);
                    hired.deaths = 0;
                }
                None => job.unmark(shard).map_err(Told::told)?,
            }
        }
        let done = found.iter().zip(costs).filter(|(shard, _)| shard.is_some()).map(|(_, cost)| cost).sum();
        monitor.progress(tell(bench.reporter, job, named.what).map_or(done, |said| said.max(done)), total);
        if found.iter().all(Option::is_some) {
            hired.wait(PATIENCE);
            bench.reporter.set_worker(None);
            return Ok(());
        }
        if monitor.cancelled() {
            if *lock(&bench.session.stopping) != Stopping::Leave {
                hired.stop()?;
            }
            bench.reporter.set_worker(None);
            return Err(cancelled());
        }
        if !at_work {
            bench.reporter.set_worker(None);
            match hired.why_gone() {
                Some(report) => return Err(report),
                None => hired.start()?,
            }
        }
        thread::sleep(LOOK);
    }
}

/// Shows what the worker says of itself. Its own count, where it is at the work that is waited for.
fn tell(reporter: &Reporter<'_>, job: &Job, what: &str) -> Option<u64> {
    let state = job.state()?.worker?;
    reporter.note_peak(state.peak_memory_bytes);
    reporter.set_worker(Some(WorkerView {
        pid: state.pid,
        what: state.what.clone(),
        memory_bytes: state.memory_bytes,
        peak_memory_bytes: state.peak_memory_bytes,
        log: job.last_logged(LINES),
    }));
    (state.what == what).then_some(state.done)
}
