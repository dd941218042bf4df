//! The run of a studio: started, paused, resumed, stopped, and left to go on when the window closes.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use paser_project::Intent;
use paser_protocol::{Event, Reply, Report, RunState, RunSummary, Stage};

use super::{Shared, Studio};
use crate::{
    handover,
    progress::Sink,
    recents,
    run::RunOptions,
    session::{Session, Stopping, lock},
    settings,
    trouble::{Outcome, Told, failed, usage},
};

/// A run at work.
pub(super) struct Run {
    cancel: Arc<AtomicBool>,
    /// Set before the end is told, so that who hears of it can start the next one.
    over: Arc<AtomicBool>,
    /// Its intent is the open project's own, so that another process can take it up.
    lasting: bool,
    thread: thread::JoinHandle<()>,
}

impl Run {
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

impl Studio {
    /// Threads given at the start win over the ones that were set.
    pub(super) fn run_options(&self) -> RunOptions {
        let (settings, trouble) = settings::read(&self.shared.state);
        if let Some(trouble) = trouble {
            tracing::warn!(%trouble, "the settings cannot be read");
        }
        let threads = if self.shared.threads > 0 { self.shared.threads } else { settings.threads as usize };
        RunOptions { threads, memory: settings.memory, worker: self.shared.worker.clone(), arms: Vec::new() }
    }

    /// Starts a run, after a change of the project that only a run may follow.
    pub(super) fn run_after(&self, prepare: impl FnOnce(&Session) -> Outcome<()>, until: Stage) -> Outcome<Reply> {
        self.run_with(prepare, until, self.run_options())
    }

    fn run_with(
        &self,
        prepare: impl FnOnce(&Session) -> Outcome<()>,
        until: Stage,
        options: RunOptions,
    ) -> Outcome<Reply> {
        let lasting = options.worker.is_some();
        let work = move |session: &Session, sink: Sink<'_>, cancel: &AtomicBool| {
            session.run(until, &options, sink, cancel).map(Some)
        };
        self.start(prepare, lasting, work)?;
        Ok(Reply::Done)
    }

    /// Starts a run through `until` within so many bytes; none: as many as were set.
    ///
    /// # Errors
    /// No project is open; a run is at work.
    pub fn run(&self, until: Stage, memory: Option<u64>) -> Outcome<()> {
        let options = self.run_options();
        self.run_with(|_| Ok(()), until, RunOptions { memory: memory.or(options.memory), ..options }).map(drop)
    }

    /// Trains arms, all of them where none is named, within so many bytes; none: as many as were set.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) fn train(
        &self,
        prepare: impl FnOnce(&Session) -> Outcome<()>,
        arms: Vec<String>,
        memory: Option<u64>,
    ) -> Outcome<Reply> {
        let options = self.run_options();
        self.run_with(prepare, Stage::Recover, RunOptions { memory: memory.or(options.memory), arms, ..options })
    }

    /// Takes up a run that was interrupted; one that a person paused waits.
    pub(super) fn take_up(&self, session: &Session) {
        let Some(intent) = session.intent().filter(|intent| !intent.paused) else { return };
        if let Err(report) = self.go_on(intent) {
            tracing::warn!(%report, "the interrupted run cannot be taken up");
        }
    }

    /// Takes up a paused or interrupted run.
    pub(super) fn resume(&self) -> Outcome<Reply> {
        let intent = self.session()?.intent();
        let intent = intent.ok_or_else(|| usage("No run was paused or interrupted.", "Start one."))?;
        self.go_on(intent)
    }

    fn go_on(&self, intent: Intent) -> Outcome<Reply> {
        let options = self.run_options();
        let memory = intent.memory.or(options.memory);
        self.run_with(|_| Ok(()), intent.until, RunOptions { memory, arms: intent.arms, ..options })
    }

    /// Stops the run; a paused one is forgotten.
    pub(super) fn cancel(&self) -> Outcome<Reply> {
        if self.stop(Stopping::Cancel)? {
            return Ok(Reply::Done);
        }
        if let Ok(session) = self.session()
            && session.intent().is_some()
        {
            Intent::remove(&session.folder.jobs()).map_err(Told::told)?;
            session.touch();
            self.shared.send(&Event::Project { revision: session.revision() });
        }
        Ok(Reply::Done)
    }

    /// How far the run is, or how the last one ended.
    pub(super) fn run_state(&self) -> RunState {
        let at_work = lock(&self.shared.run).as_ref().is_some_and(|run| !run.is_over());
        let job = self.session().ok().and_then(|session| lock(&session.job).clone());
        RunState { at_work, job, ..lock(&self.shared.last_run).clone() }
    }

    pub(super) fn pause(&self) -> Outcome<Reply> {
        if self.stop(Stopping::Pause)? { Ok(Reply::Done) } else { Err(usage("No run is at work.", "")) }
    }

    /// Tells the run at work to stop; false where none is.
    fn stop(&self, how: Stopping) -> Outcome<bool> {
        let run = lock(&self.shared.run);
        let Some(run) = run.as_ref().filter(|run| !run.is_over()) else { return Ok(false) };
        if how == Stopping::Pause && !run.lasting {
            return Err(usage("This job cannot be paused.", "Cancel it, or let it end."));
        }
        *lock(&self.session()?.stopping) = how;
        run.cancel.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// Starts work on a thread of its own, unless some is at work; its end is an event, however it ends. `prepare` is
    /// done before, and not at all where the work cannot start.
    pub(super) fn start(
        &self,
        prepare: impl FnOnce(&Session) -> Outcome<()>,
        lasting: bool,
        work: impl FnOnce(&Session, Sink<'_>, &AtomicBool) -> Outcome<Option<RunSummary>> + Send + 'static,
    ) -> Outcome<()> {
        let session = self.session()?;
        let mut running = lock(&self.shared.run);
        if running.as_ref().is_some_and(|run| !run.is_over()) {
            return Err(usage("A run is at work already.", "Wait for it, or cancel it."));
        }
        prepare(&session)?;
        *lock(&session.stopping) = Stopping::Cancel;
        *lock(&self.shared.last_run) = RunState::default();
        let cancel = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let (shared, flag, ended) = (self.shared.clone(), cancel.clone(), over.clone());
        let body = move || {
            let started = Instant::now();
            let report = watched(&shared, &session, |sink| work(&session, sink, &flag));
            lock(&shared.last_run).report.clone_from(&report);
            drop(session);
            ended.store(true, Ordering::Release);
            shared.send(&Event::Finished { report, seconds: started.elapsed().as_secs_f64() });
        };
        let thread = thread::Builder::new()
            .name("run".to_owned())
            .spawn(body)
            .map_err(|error| failed(format!("no thread for the run: {error}"), "Close other programs."))?;
        *running = Some(Run { cancel, over, lasting, thread });
        Ok(())
    }

    /// Ends the run as `how` says, waits for it, and lets the project go. A run that is left goes on by a process of its
    /// own, unless `handed_over`: then somebody waits for the project.
    pub(super) fn close(&self, how: Stopping, handed_over: bool) -> Outcome<()> {
        std::mem::take(&mut *lock(&self.shared.closed)).store(true, Ordering::Relaxed);
        let run = lock(&self.shared.run).take();
        let session = self.session();
        let mut left = None;
        if let (Some(run), Ok(session)) = (run, &session) {
            let leaves = how == Stopping::Leave && run.lasting && !run.is_over();
            *lock(&session.stopping) = if leaves { Stopping::Leave } else { Stopping::Cancel };
            run.cancel.store(true, Ordering::Relaxed);
            if run.thread.join().is_err() {
                tracing::error!("the run's thread panicked");
            }
            // None where it came to its end meanwhile.
            left = session.intent().filter(|_| leaves && !handed_over);
        }
        let place = session.map(|session| session.folder.clone());
        *self.shared.session.write().unwrap_or_else(PoisonError::into_inner) = None;
        match (left, &self.shared.worker, place) {
            (Some(intent), Some(program), Ok(folder)) => {
                program.run_on(folder.root(), &folder.jobs(), &intent, self.shared.threads)
            }
            _ => Ok(()),
        }
    }

    /// Lets the project go to who asked for it; false where nobody did.
    ///
    /// # Errors
    /// As [`Self::shut_down`].
    pub fn hand_over_if_asked(&self) -> Outcome<bool> {
        let Ok(session) = self.session() else { return Ok(false) };
        if !handover::is_asked_for(&session.folder) {
            return Ok(false);
        }
        drop(session);
        self.close(Stopping::Leave, true)?;
        Ok(true)
    }
}

/// Does the work; why it did not end well. What a panic leaves of a session is as good as what a kill leaves: its parts
/// are replaced whole.
fn watched(
    shared: &Shared,
    session: &Session,
    work: impl FnOnce(Sink<'_>) -> Outcome<Option<RunSummary>>,
) -> Option<Report> {
    let sink = |event: Event| {
        if let Event::Notice { text } = &event {
            lock(&shared.last_run).notices.push(text.clone());
        }
        shared.send(&event);
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let outcome = work(&sink);
        recents::remember(&shared.state, &session.view());
        outcome
    }));
    match outcome {
        Ok(Ok(summary)) => {
            lock(&shared.last_run).summary = summary;
            None
        }
        Ok(Err(report)) => Some(report),
        Err(panic) => {
            *lock(&session.job) = None;
            session.touch();
            // It would only panic again.
            if let Err(error) = Intent::remove(&session.folder.jobs()) {
                tracing::warn!(%error, "the run that panicked cannot be forgotten");
            }
            Some(panicked(panic.as_ref()))
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Report {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    failed(
        format!("The run stopped because of a mistake in the program: {}", words.unwrap_or("no reason was given")),
        "What was finished is kept; run again to go on. Please report this with the log.",
    )
}
