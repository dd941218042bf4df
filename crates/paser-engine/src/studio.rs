//! What server, shell and tests hold: one open project behind the protocol's requests. Quick requests answer at once; a
//! run works on a thread of its own and tells of itself by events.

mod running;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use paser_project::{Address, recipe::ClusterRule};
use paser_protocol::{
    ClusterChoice, DownloadView, Event, ExportedView, Hello, Reply, Report, Request, RunState, SettingsView, Stage,
};
use running::Run;

use crate::{
    archive, caches,
    checks::CheckOptions,
    crash, demo, estimate,
    export::Archived,
    handover, hub, machine, probe,
    program::Program,
    progress::Sink,
    recents,
    session::{Session, Stopping, lock},
    settings,
    table::TableOrder,
    trouble::{Outcome, Told, usage},
};

/// Events that a slow subscriber may lag behind before it loses some.
const LAG: usize = 1024;
/// Downloads that wait to be fetched; older ones are forgotten.
const DOWNLOADS: usize = 4;

/// How a studio lives on this machine.
#[derive(Clone, Debug, Default)]
pub struct StudioOptions {
    /// Where recent projects and the demo are kept; none: the person's state folder.
    pub state_dir: Option<PathBuf>,
    /// Threads of a run; 0: all.
    pub threads: usize,
    /// The program whose workers compute the shards of jobs, and which brings a run to its end when the window closes;
    /// none: this process computes, and a run ends with it.
    pub worker: Option<Program>,
    /// No person looks on: the project goes to whoever asks for it.
    pub background: bool,
}

/// One person's open project and everything a face can ask of it.
pub struct Studio {
    shared: Arc<Shared>,
}

struct Shared {
    state: PathBuf,
    threads: usize,
    worker: Option<Program>,
    background: bool,
    /// Where this studio answers, if a server serves it.
    address: Mutex<Option<Address>>,
    /// What the run said so far, and how it ended.
    last_run: Mutex<RunState>,
    session: RwLock<Option<Arc<Session>>>,
    subscribers: Mutex<Vec<SyncSender<Event>>>,
    run: Mutex<Option<Run>>,
    card: OnceLock<Option<archive::Card>>,
    /// What kept the project from opening that was named at the program's start.
    trouble: Mutex<Option<Report>>,
    /// Set when the open project is closed: answers that are still being computed for it stop.
    closed: Mutex<Arc<AtomicBool>>,
    /// Files to be fetched once, by column key.
    downloads: Mutex<VecDeque<(String, Arc<[u8]>)>>,
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
                worker: options.worker,
                background: options.background,
                address: Mutex::new(None),
                last_run: Mutex::default(),
                session: RwLock::new(None),
                subscribers: Mutex::new(Vec::new()),
                run: Mutex::new(None),
                card: OnceLock::new(),
                trouble: Mutex::new(None),
                closed: Mutex::default(),
                downloads: Mutex::new(VecDeque::new()),
            }),
        }
    }

    /// Opens the project that was named at the program's start. What keeps it from opening is told by the window, which
    /// opens all the same: see [`Hello::trouble`].
    pub fn open_at_start(&self, path: &Path) {
        if let Err(report) = self.open(path) {
            tracing::warn!(%report, "the project cannot be opened");
            *lock(&self.shared.trouble) = Some(report);
        }
    }

    /// Events from now on. Several may listen; one that falls far behind loses events, and asks for the project again.
    pub fn subscribe(&self) -> Receiver<Event> {
        let (sender, receiver) = sync_channel(LAG);
        lock(&self.shared.subscribers).push(sender);
        receiver
    }

    /// Tells everybody who listens.
    pub fn tell(&self, event: &Event) {
        self.shared.send(event);
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
        let closed = lock(&self.shared.closed).clone();
        match request {
            Request::Hello => Ok(Reply::Hello(self.hello())),
            Request::OpenDemo { fresh } => self.open_demo(fresh),
            Request::OpenProject { path } => self.open(Path::new(&path)),
            Request::CloseProject { go_on } => {
                self.close(if go_on { Stopping::Leave } else { Stopping::Cancel }, false)?;
                Ok(Reply::Done)
            }
            Request::Probe { source, path } => Ok(Reply::Probed(probe::probe(source, &path))),
            Request::Estimate { draft } => estimate::draft(&draft).map(Reply::Estimate),
            Request::SetToken { token } => {
                hub::set_token(token);
                Ok(Reply::Done)
            }
            Request::CreateProject { draft, run } => {
                let reply = self.take(Session::create(&draft)?)?;
                if run {
                    self.run_after(|_| Ok(()), Stage::Select)?;
                }
                Ok(reply)
            }
            Request::Project => Ok(Reply::Project(Box::new(self.session()?.view()))),
            Request::Run { until, memory } => self.run(until, memory).map(|()| Reply::Done),
            Request::Cancel => self.cancel(),
            Request::Pause => self.pause(),
            Request::Resume => self.resume(),
            Request::RunState => Ok(Reply::RunState(Box::new(self.run_state()))),
            Request::Prepare { strategy, settings } => {
                let options = self.run_options();
                let work = move |session: &Session, sink: Sink<'_>, cancel: &AtomicBool| {
                    session.prepare(strategy, &options, sink, cancel).map(|()| None)
                };
                self.start(move |session| session.set_strategies(&settings), false, work)?;
                Ok(Reply::Done)
            }
            Request::Stability => self.session()?.stability().map(|view| Reply::Stability(Box::new(view))),
            Request::Sweep { factors } => {
                let options = self.run_options();
                let work = move |session: &Session, sink: Sink<'_>, cancel: &AtomicBool| {
                    session.sweep_factors(&factors, &options, sink, cancel).map(|_| None)
                };
                self.start(|_| Ok(()), false, work)?;
                Ok(Reply::Done)
            }
            Request::Adopt { factor, value } => {
                self.run_after(move |session| session.adopt(factor, value), Stage::Select)
            }
            Request::ChooseClusters { choice } => {
                let rule = match choice {
                    ClusterChoice::Automatic => ClusterRule::Automatic,
                    ClusterChoice::Coarse => ClusterRule::Coarse,
                    ClusterChoice::Fine => ClusterRule::Fine,
                    ClusterChoice::Fixed(k) => ClusterRule::Fixed(k),
                };
                let choose = |session: &Session| session.set_recipe("manifold", "clusters", &rule.literal());
                self.run_after(choose, Stage::Select)
            }
            Request::Query { query } => self.session()?.query(&query),
            Request::InsideWords { query } => Ok(Reply::InsideWords { more: self.session()?.inside_words(&query)? }),
            Request::Texts { rows } => self.session()?.texts(&rows).map(Reply::Texts),
            Request::Sample { row } => self.session()?.sample(row).map(|sample| Reply::Sample(Box::new(sample))),
            Request::Tokens { row } => self.session()?.tokens(row).map(Reply::Tokens),
            Request::Neighbours { row, count } => {
                self.session()?.neighbours(row, count, &closed).map(Reply::Neighbours)
            }
            Request::Continue { row, tokens } => {
                self.session()?.continue_both(row, tokens, &|event| self.shared.send(&event), &closed)
            }
            Request::StopContinuing => {
                self.session()?.stop_continuing();
                Ok(Reply::Done)
            }
            Request::Select { plan } => {
                self.changing(|session| session.select(&plan, &closed).map(|view| Reply::Selection(Box::new(view))))
            }
            Request::Freeze { name } => {
                self.changing(|session| session.freeze(&name, &closed).map(|view| Reply::Selection(Box::new(view))))
            }
            Request::FreezePlan { plan, name } => self.changing(|session| {
                session.select_as(&plan, &name, &closed).map(|view| Reply::Selection(Box::new(view)))
            }),
            Request::Rename { from, to } => {
                self.changing(|session| session.rename_selection(&from, &to).map(|()| Reply::Done))
            }
            Request::Compare { names } => {
                self.session()?.compare(&names, &closed).map(|view| Reply::Comparison(Box::new(view)))
            }
            Request::BudgetCurve { name } => self.session()?.budget_curve(&name, &closed).map(Reply::BudgetCurve),
            Request::Fates { row, names } => self.session()?.fates(row, &names, &closed).map(Reply::Fates),
            Request::Differences { names, path } if path.is_empty() => {
                let archive = self.session()?.differences(&names)?;
                Ok(Reply::Exported(self.offer(archive)))
            }
            Request::Differences { names, path } => {
                self.session()?.write_differences(&names, Path::new(&path)).map(Reply::Exported)
            }
            Request::Table { query, columns, selections, shown, path } => {
                let order = TableOrder { query, columns, selections, shown };
                if path.is_empty() {
                    let archive = self.session()?.table(&order)?;
                    Ok(Reply::Exported(self.offer(archive)))
                } else {
                    self.session()?.write_table(&order, Path::new(&path)).map(Reply::Exported)
                }
            }
            Request::Discard { name } => self.changing(|session| session.discard(&name).map(|()| Reply::Done)),
            Request::Curate { edit } => {
                self.changing(|session| session.curate(&edit).map(|_| Reply::Curation(session.curation_view())))
            }
            Request::Undo => self.changing(|session| session.undo().map(|_| Reply::Curation(session.curation_view()))),
            Request::Redo => self.changing(|session| session.redo().map(|_| Reply::Curation(session.curation_view()))),
            Request::SetBenchmarks { files } => {
                self.run_after(move |session| session.set_benchmarks(&files), Stage::Import)
            }
            Request::Recovery => Ok(Reply::Recovery(Box::new(self.session()?.recovery_view()?))),
            Request::Verdict { first, second, metric } => {
                Ok(Reply::Verdict(Box::new(self.session()?.verdict(&first, &second, &metric)?)))
            }
            Request::AddArms { arms } => self.changing(|session| session.add_arms(&arms).map(|()| Reply::Done)),
            Request::RemoveArm { name } => self.changing(|session| session.remove_arm(&name).map(|()| Reply::Done)),
            Request::SetRecover { settings } => {
                self.changing(|session| session.set_recover(&settings).map(|()| Reply::Done))
            }
            Request::Train { arms, memory } => self.train(|_| Ok(()), arms, memory),
            Request::TrainPilots => {
                let session = self.session()?;
                let pilots = session.add_pilots()?;
                self.train(|_| Ok(()), pilots, None)
            }
            Request::SweepRates => {
                let options = self.run_options();
                let work = move |session: &Session, sink: Sink<'_>, cancel: &AtomicBool| {
                    session.sweep_rates(&options, sink, cancel).map(|_| None)
                };
                self.start(|_| Ok(()), false, work)?;
                Ok(Reply::Done)
            }
            Request::WriteArm { arm, seed, format, path } => {
                let session = self.session()?;
                let (reply, notice) = if path.is_empty() {
                    let (archive, notice) = session.arm_archive(&arm, seed, format)?;
                    (self.offer(archive), notice)
                } else {
                    session.write_arm(&arm, seed, format, &path)?
                };
                if let Some(text) = notice {
                    self.shared.send(&Event::Notice { text });
                }
                Ok(Reply::Exported(reply))
            }
            Request::RecoveryReport { first, second, format, path } => {
                let session = self.session()?;
                let written = if path.is_empty() {
                    self.offer(session.recovery_report_file(&first, &second, format)?)
                } else {
                    session.recovery_report(&first, &second, format, &path)?
                };
                Ok(Reply::Exported(written))
            }
            Request::ReadRun { path, arm } => {
                self.changing(|session| session.read_foreign_run(&path, &arm).map(|()| Reply::Done))
            }
            Request::HandOut { arm, seed, trainer, path } => {
                self.session()?.hand_out(&arm, seed, trainer, &path).map(Reply::Exported)
            }
            Request::Models => {
                let view = self.session()?.models(&|event| self.shared.send(&event), &closed)?;
                Ok(Reply::Models(Box::new(view)))
            }
            Request::ChangePruned { change } => {
                self.run_after(move |session| session.change_pruned(&change), Stage::Select)
            }
            Request::PruneHere { draft } => self.run_after(move |session| session.prune_here(&draft), Stage::Select),
            Request::Check { threshold, benchmarks } => {
                let benchmarks = benchmarks.into_iter().map(PathBuf::from).collect();
                let options = CheckOptions { threshold, benchmarks, threads: self.shared.threads };
                let session = self.session()?;
                let sink = |event: Event| self.shared.send(&event);
                let found = session.check(&options, &sink, &closed).map(|found| Reply::Checks(Box::new(found)));
                self.shared.send(&Event::Project { revision: session.revision() });
                found
            }
            Request::Checks => Ok(Reply::Checks(Box::new(self.session()?.checks()))),
            Request::Revert { entry } => {
                self.changing(|session| session.revert(entry).map(|_| Reply::Curation(session.curation_view())))
            }
            Request::Journal => self.session().map(|session| Reply::Journal(session.journal())),
            Request::WindowCrashed { what } => {
                let path = crash::write(&self.shared.state, "page", &what).map_err(Told::told)?;
                Ok(Reply::Reported { path: path.display().to_string() })
            }
            Request::Settings => Ok(self.settings()),
            Request::SetSettings { settings } => {
                settings::write(&self.shared.state, settings)?;
                Ok(self.settings())
            }
            Request::ClearCache { id } => {
                let session = self.session().ok();
                // A run that begins now would read what is being removed.
                let running = lock(&self.shared.run);
                if running.as_ref().is_some_and(|run| !run.is_over()) {
                    return Err(usage("A run is at work.", "Wait for it, or cancel it."));
                }
                caches::clear(&self.shared.state, session.as_deref(), &id)?;
                drop(running);
                Ok(self.settings())
            }
            Request::Export { selection, part, format, path } if path.is_empty() => {
                let archive = self.session()?.export_archive(selection.as_deref(), &part, format, &closed)?;
                Ok(Reply::Exported(self.offer(archive)))
            }
            Request::Export { selection, part, format, path } => {
                self.session()?.export(selection.as_deref(), &part, format, &path, &closed).map(Reply::Exported)
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
        let mut downloads = lock(&self.shared.downloads);
        if let Some(place) = downloads.iter().position(|(known, _)| known == key)
            && let Some((_, bytes)) = downloads.remove(place)
        {
            return Ok(bytes);
        }
        drop(downloads);
        self.session()?.column(key)
    }

    /// The window is closed: the project is let go, and a run at work goes on without this process.
    ///
    /// # Errors
    /// The process that is to bring the run to its end cannot be started; what is finished is kept.
    pub fn shut_down(&self) -> Outcome<()> {
        self.close(Stopping::Leave, false)
    }

    /// Says where this studio answers from now on; the owner's note of the open project tells it to other programs.
    pub fn serve_at(&self, address: Option<Address>) {
        lock(&self.shared.address).clone_from(&address);
        if let Ok(session) = self.session() {
            self.announce(&session);
        }
    }

    fn announce(&self, session: &Session) {
        let address = lock(&self.shared.address).clone();
        if let Err(report) = session.announce(address, self.shared.background) {
            tracing::warn!(%report, "other programs cannot be told where this one answers");
        }
    }

    /// Keeps a zip until it is fetched.
    fn offer(&self, archive: Archived) -> ExportedView {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let key = format!("download-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut downloads = lock(&self.shared.downloads);
        downloads.push_back((key.clone(), archive.bytes.into()));
        while downloads.len() > DOWNLOADS {
            downloads.pop_front();
        }
        let download = Some(DownloadView { name: archive.name, key });
        ExportedView { paths: Vec::new(), samples: archive.samples, download }
    }

    fn hello(&self) -> Hello {
        Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine::describe(),
            recent: recents::read(&self.shared.state),
            demo: self.shared.card().map(|card| card.card.clone()),
            open: self.session().is_ok(),
            trouble: lock(&self.shared.trouble).clone(),
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
    fn take(&self, session: Session) -> Outcome<Reply> {
        self.close(Stopping::Leave, false)?;
        if self.shared.background {
            handover::forget(&session.folder)?;
        }
        self.announce(&session);
        *lock(&self.shared.trouble) = None;
        let view = session.view();
        recents::remember(&self.shared.state, &view);
        *self.shared.session.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(session));
        Ok(Reply::Project(Box::new(view)))
    }

    fn open(&self, path: &Path) -> Outcome<Reply> {
        if let Ok(open) = self.session()
            && same_folder(path, open.root())
        {
            return Ok(Reply::Project(Box::new(open.view())));
        }
        if demo::is_unfinished(path) {
            return self.open_demo_in(path);
        }
        let reply = self.take(handover::open(path)?)?;
        if !self.shared.background {
            self.take_up(&*self.session()?);
        }
        Ok(reply)
    }

    fn open_demo_in(&self, folder: &Path) -> Outcome<Reply> {
        let sink = |event: Event| self.shared.send(&event);
        self.take(demo::open(folder, &self.run_options(), &sink, &AtomicBool::new(false))?)
    }

    /// The demo that is open, wherever it lies; else the one of the state folder.
    fn open_demo(&self, fresh: bool) -> Outcome<Reply> {
        let reply = match self.session().ok().filter(|session| session.is_demo()) {
            Some(session) => Reply::Project(Box::new(session.view())),
            None => self.open_demo_in(&self.shared.state.join("demo"))?,
        };
        if fresh {
            let options = self.run_options();
            let work = move |session: &Session, sink: Sink<'_>, cancel: &AtomicBool| {
                demo::run_again(session, &options, sink, cancel).map(|(summary, _)| Some(summary))
            };
            self.start(|_| Ok(()), false, work)?;
        }
        Ok(reply)
    }

    fn settings(&self) -> Reply {
        let (settings, trouble) = settings::read(&self.shared.state);
        let session = self.session().ok();
        Reply::Settings(Box::new(SettingsView {
            settings,
            threads: machine::threads() as u32,
            threads_fixed: (self.shared.threads > 0).then_some(self.shared.threads as u32),
            memory: machine::total_memory(),
            devices: settings::devices(),
            caches: caches::list(&self.shared.state, session.as_deref()),
            state_folder: self.shared.state.display().to_string(),
            trouble,
        }))
    }
}

/// One folder, by whatever links it is named?
fn same_folder(one: &Path, other: &Path) -> bool {
    match (fs_err::canonicalize(one), fs_err::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        if let Err(report) = self.close(Stopping::Cancel, false) {
            tracing::error!(%report, "the project was not closed well");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{thread, time::Duration};

    use paser_protocol::{Failure, JobView, ProjectDraft, RunSummary};

    use super::*;

    fn studio(place: &Path) -> Studio {
        let pool = place.join("pool.jsonl");
        fs_err::write(&pool, "{\"instruction\": \"a\", \"output\": \"b\"}\n").unwrap();
        let studio =
            Studio::new(StudioOptions { state_dir: Some(place.join("state")), threads: 1, ..Default::default() });
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let draft = ProjectDraft { folder: text(place.join("p")), pool: text(pool), ..ProjectDraft::default() };
        studio.handle(Request::CreateProject { draft, run: false }).unwrap();
        studio
    }

    #[test]
    fn a_panic_ends_a_run_and_the_next_one_can_start() {
        let place = tempfile::tempdir().unwrap();
        let studio = studio(place.path());
        let events = studio.subscribe();
        let work = |session: &Session, _: Sink<'_>, _: &AtomicBool| -> Outcome<Option<RunSummary>> {
            let job = JobView {
                stage: Stage::Import,
                what: "reading".to_owned(),
                done: 0,
                total: 1,
                unit: "bytes".to_owned(),
                seconds: 0.0,
                eta_seconds: None,
                cancelling: false,
                lasting: false,
                worker: None,
            };
            *lock(&session.job) = Some(job);
            panic!("a hole in the floor")
        };
        studio.start(|_| Ok(()), false, work).unwrap();
        let told = events.recv_timeout(Duration::from_secs(60)).expect("no end was told");
        let Event::Finished { report: Some(report), .. } = told else { panic!("{told:?}") };
        assert!(report.failure == Failure::Failed && report.what.contains("a hole in the floor"), "{report}");
        assert!(studio.session().unwrap().view().job.is_none());
        studio.handle(Request::Run { until: Stage::Import, memory: None }).unwrap();
        let end = events.iter().find(|event| matches!(event, Event::Finished { .. })).unwrap();
        assert!(matches!(end, Event::Finished { report: None, .. }), "{end:?}");
    }

    #[test]
    fn clusters_chosen_while_a_run_is_at_work_change_nothing() {
        let place = tempfile::tempdir().unwrap();
        let studio = studio(place.path());
        let events = studio.subscribe();
        let wait = |_: &Session, _: Sink<'_>, cancel: &AtomicBool| {
            while !cancel.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            Ok(None)
        };
        studio.start(|_| Ok(()), false, wait).unwrap();
        let recipe = place.path().join("p").join("recipe.toml");
        let before = fs_err::read_to_string(&recipe).unwrap();
        let choose = || studio.handle(Request::ChooseClusters { choice: ClusterChoice::Fixed(7) });
        assert_eq!(choose().unwrap_err().failure, Failure::Usage);
        assert_eq!(fs_err::read_to_string(&recipe).unwrap(), before);
        studio.handle(Request::Cancel).unwrap();
        events.recv().unwrap();
        choose().unwrap();
        assert!(fs_err::read_to_string(&recipe).unwrap().contains("clusters = 7"));
    }

    #[cfg(unix)]
    #[test]
    fn a_project_is_itself_by_another_name() {
        let place = tempfile::tempdir().unwrap();
        let studio = studio(place.path());
        let link = place.path().join("link");
        fs_err::os::unix::fs::symlink(place.path().join("p"), &link).unwrap();
        let path = link.to_string_lossy().into_owned();
        assert!(matches!(studio.handle(Request::OpenProject { path }).unwrap(), Reply::Project(_)));
    }

    #[test]
    fn what_cannot_be_opened_at_the_start_is_told_to_the_window() {
        let place = tempfile::tempdir().unwrap();
        let owner = studio(place.path());
        let second = Studio::new(StudioOptions {
            state_dir: Some(place.path().join("state")),
            threads: 1,
            ..Default::default()
        });
        second.open_at_start(&place.path().join("p"));
        let trouble = |studio: &Studio| match studio.handle(Request::Hello).unwrap() {
            Reply::Hello(hello) => hello.trouble,
            other => panic!("{other:?}"),
        };
        let report = trouble(&second).unwrap();
        assert!(report.failure == Failure::ComeBack && report.what.contains(&std::process::id().to_string()));
        assert_eq!(trouble(&second), Some(report), "a reload must tell it again");
        drop(owner);
        let path = place.path().join("p").to_string_lossy().into_owned();
        second.handle(Request::OpenProject { path }).unwrap();
        assert_eq!(trouble(&second), None);
    }
}
