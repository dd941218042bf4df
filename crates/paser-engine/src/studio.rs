//! What server, shell and tests hold: one open project behind the protocol's requests. Quick requests answer at once; a
//! run works on a thread of its own and tells of itself by events.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Instant,
};

use paser_project::recipe::ClusterRule;
use paser_protocol::{ClusterChoice, Event, Hello, Reply, Report, Request, Stage};

use crate::{
    archive, demo, estimate, machine, probe, recents,
    run::RunOptions,
    session::{Session, lock},
    trouble::{Outcome, failed, usage},
};

/// Events that a slow subscriber may lag behind before it loses some.
const LAG: usize = 1024;

/// How a studio lives on this machine.
#[derive(Clone, Debug, Default)]
pub struct StudioOptions {
    /// Where recent projects and the demo are kept; none: the person's state folder.
    pub state_dir: Option<PathBuf>,
    /// Threads of a run; 0: all.
    pub threads: usize,
}

/// One person's open project and everything a face can ask of it.
pub struct Studio {
    shared: Arc<Shared>,
}

struct Shared {
    state: PathBuf,
    threads: usize,
    session: RwLock<Option<Arc<Session>>>,
    subscribers: Mutex<Vec<SyncSender<Event>>>,
    run: Mutex<Option<Run>>,
    card: OnceLock<Option<archive::Card>>,
}

/// A run at work.
struct Run {
    cancel: Arc<AtomicBool>,
    /// Set before the end is told, so that who hears of it can start the next one.
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Shared {
    fn send(&self, event: &Event) {
        lock(&self.subscribers).retain(|subscriber| match subscriber.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(event)) => {
                tracing::warn!(?event, "a subscriber is too slow and misses an event");
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }

    fn card(&self) -> Option<&archive::Card> {
        self.card.get_or_init(|| archive::card(paser_demo::assets::RECORDED)).as_ref()
    }
}

impl Studio {
    pub fn new(options: StudioOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: options.state_dir.unwrap_or_else(recents::state_folder),
                threads: options.threads,
                session: RwLock::new(None),
                subscribers: Mutex::new(Vec::new()),
                run: Mutex::new(None),
                card: OnceLock::new(),
            }),
        }
    }

    /// Events from now on. Several may listen; one that falls far behind loses events, and asks for the project again.
    pub fn subscribe(&self) -> Receiver<Event> {
        let (sender, receiver) = sync_channel(LAG);
        lock(&self.shared.subscribers).push(sender);
        receiver
    }

    /// The open project, for faces that live in this process.
    ///
    /// # Errors
    /// No project is open.
    pub fn session(&self) -> Outcome<Arc<Session>> {
        let session = self.shared.session.read().unwrap_or_else(PoisonError::into_inner);
        session.clone().ok_or_else(|| usage("No project is open.", "Open one, or the demo."))
    }

    /// Answers a request.
    ///
    /// # Errors
    /// The report that a face shows.
    pub fn handle(&self, request: Request) -> Outcome<Reply> {
        match request {
            Request::Hello => Ok(Reply::Hello(self.hello())),
            Request::OpenDemo { fresh } => self.open_demo(fresh),
            Request::OpenProject { path } => self.open(Path::new(&path)),
            Request::CloseProject => {
                self.close();
                Ok(Reply::Done)
            }
            Request::Probe { source, path } => Ok(Reply::Probed(probe::probe(source, &path))),
            Request::Estimate { draft } => estimate::draft(&draft).map(Reply::Estimate),
            Request::CreateProject { draft, run } => {
                let reply = self.take(Session::create(&draft)?);
                if run {
                    self.run(Stage::Select)?;
                }
                Ok(reply)
            }
            Request::Project => Ok(Reply::Project(Box::new(self.session()?.view()))),
            Request::Run { until } => self.run(until),
            Request::Cancel => {
                if let Some(run) = &*lock(&self.shared.run) {
                    run.cancel.store(true, Ordering::Relaxed);
                }
                Ok(Reply::Done)
            }
            Request::ChooseClusters { choice } => {
                let rule = match choice {
                    ClusterChoice::Automatic => ClusterRule::Automatic,
                    ClusterChoice::Coarse => ClusterRule::Coarse,
                    ClusterChoice::Fine => ClusterRule::Fine,
                    ClusterChoice::Fixed(k) => ClusterRule::Fixed(k),
                };
                self.session()?.set_recipe("manifold", "clusters", &rule.literal())?;
                self.run(Stage::Select)
            }
            Request::Query { query } => self.session()?.query(&query),
            Request::Texts { rows } => self.session()?.texts(&rows).map(Reply::Texts),
            Request::Sample { row } => self.session()?.sample(row).map(|sample| Reply::Sample(Box::new(sample))),
            Request::Tokens { row } => self.session()?.tokens(row).map(Reply::Tokens),
            Request::Select { plan } => {
                self.changing(|session| session.select(&plan).map(|view| Reply::Selection(Box::new(view))))
            }
            Request::Freeze { name } => {
                self.changing(|session| session.freeze(&name).map(|view| Reply::Selection(Box::new(view))))
            }
            Request::Discard { name } => self.changing(|session| session.discard(&name).map(|()| Reply::Done)),
            Request::Curate { edit } => {
                self.changing(|session| session.curate(&edit).map(|_| Reply::Curation(session.curation_view())))
            }
            Request::Undo => self.changing(|session| session.undo().map(|_| Reply::Curation(session.curation_view()))),
            Request::Redo => self.changing(|session| session.redo().map(|_| Reply::Curation(session.curation_view()))),
            Request::Export { selection, format, path } => {
                self.session()?.export(selection.as_deref(), format, &path).map(Reply::Exported)
            }
        }
    }

    /// A column's bytes by key.
    ///
    /// # Errors
    /// A key of something that is no more.
    pub fn column(&self, key: &str) -> Outcome<Arc<[u8]>> {
        if let Some(card) = self.shared.card() {
            if key == archive::CARD_POSITIONS {
                return Ok(card.positions.as_slice().into());
            }
            if key == archive::CARD_DAMAGE {
                return Ok(card.damage.as_slice().into());
            }
        }
        self.session()?.column(key)
    }

    /// Stops a run, waits for it and closes the project.
    pub fn shut_down(&self) {
        self.close();
    }

    fn hello(&self) -> Hello {
        Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine::describe(),
            recent: recents::read(&self.shared.state),
            demo: self.shared.card().map(|card| card.card.clone()),
            open: self.session().is_ok(),
        }
    }

    /// Does something that may change the project, and tells of it if it did.
    fn changing(&self, change: impl FnOnce(&Session) -> Outcome<Reply>) -> Outcome<Reply> {
        let session = self.session()?;
        let before = session.revision();
        let outcome = change(&session);
        let revision = session.revision();
        if revision != before {
            self.shared.send(&Event::Project { revision });
        }
        outcome
    }

    /// Makes a session the open one; the one before it is closed only now, when nothing can fail any more.
    fn take(&self, session: Session) -> Reply {
        self.close();
        let view = session.view();
        recents::remember(&self.shared.state, &view);
        *self.shared.session.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(session));
        Reply::Project(Box::new(view))
    }

    fn open(&self, path: &Path) -> Outcome<Reply> {
        if let Ok(open) = self.session()
            && std::path::absolute(path).is_ok_and(|path| path == open.root())
        {
            return Ok(Reply::Project(Box::new(open.view())));
        }
        Ok(self.take(Session::open(path)?))
    }

    fn open_demo(&self, fresh: bool) -> Outcome<Reply> {
        let folder = self.shared.state.join("demo");
        let open = self.session().ok().filter(|session| session.root() == folder);
        let reply = match open {
            Some(session) => Reply::Project(Box::new(session.view())),
            None => {
                let cancel = AtomicBool::new(false);
                let sink = |event: Event| self.shared.send(&event);
                self.take(demo::open(&folder, &sink, &cancel)?)
            }
        };
        if fresh {
            self.start(|session, sink, cancel| demo::run_again(session, sink, cancel).map(|_| ()))?;
        }
        Ok(reply)
    }

    fn run(&self, until: Stage) -> Outcome<Reply> {
        let options = RunOptions { threads: self.shared.threads, memory: None };
        self.start(move |session, sink, cancel| session.run(until, &options, sink, cancel).map(|_| ()))?;
        Ok(Reply::Done)
    }

    /// Starts work on a thread of its own; its end is an event.
    fn start(
        &self,
        work: impl FnOnce(&Session, crate::progress::Sink<'_>, &AtomicBool) -> Outcome<()> + Send + 'static,
    ) -> Outcome<()> {
        let session = self.session()?;
        let mut running = lock(&self.shared.run);
        if running.as_ref().is_some_and(|run| !run.over.load(Ordering::Acquire)) {
            return Err(usage("A run is at work already.", "Wait for it, or cancel it."));
        }
        let cancel = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let (shared, flag, ended) = (self.shared.clone(), cancel.clone(), over.clone());
        let body = move || {
            let started = Instant::now();
            let sink = |event: Event| shared.send(&event);
            let outcome = work(&session, &sink, &flag);
            recents::remember(&shared.state, &session.view());
            let report: Option<Report> = outcome.err();
            ended.store(true, Ordering::Release);
            shared.send(&Event::Finished { report, seconds: started.elapsed().as_secs_f64() });
        };
        let thread = thread::Builder::new()
            .name("run".to_owned())
            .spawn(body)
            .map_err(|error| failed(format!("no thread for the run: {error}"), "Close other programs."))?;
        *running = Some(Run { cancel, over, thread });
        Ok(())
    }

    /// Stops the run, waits for it, and lets the project go.
    fn close(&self) {
        let run = lock(&self.shared.run).take();
        if let Some(run) = run {
            run.cancel.store(true, Ordering::Relaxed);
            if run.thread.join().is_err() {
                tracing::error!("the run's thread panicked");
            }
        }
        *self.shared.session.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.close();
    }
}
