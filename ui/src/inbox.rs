//! Replies, columns and events on their way into the state. The only place that reads them.

use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use paser_protocol::{
    CurationView, DownloadView, Event, Failure, Probed, ProjectView, Reply, Report, Request, SourceKind,
};

use crate::{
    command::Command,
    data::Shape,
    dialogs::Dialog,
    format,
    history::History,
    inspection::Continued,
    state::{AppState, Field, For, Link, PickFor, RunEnd, Screen},
    theme::scripts::{Fetched, Script},
    told::Did,
    transport::{Incoming, Saved},
    views::passes,
};

/// Something that arrived between two frames.
pub enum Message {
    Reply(For, Result<Box<Reply>, Report>),
    Column(String, Shape, Result<Vec<u8>, Report>),
    Picked(PickFor, Result<Option<String>, Report>),
    /// A font of the machine, for this script.
    Font(Script, Result<Vec<u8>, Report>),
    /// A file of this name was handed to the person.
    Saved(String, Result<Saved, Report>),
    Incoming(Incoming),
}

/// Ends of file names that are pools.
const POOLS: [&str; 5] = ["json", "jsonl", "ndjson", "csv", "parquet"];

/// Ascending, so that rows are found in them quickly.
fn sorted(mut curation: CurationView) -> CurationView {
    curation.pinned.sort_unstable();
    curation.excluded.sort_unstable();
    curation.hidden.sort_unstable();
    curation
}

/// What the models' values of a sample depend on, besides the sample.
fn scores_of(project: &ProjectView) -> [Option<&str>; 4] {
    let scores = project.columns.iter().find(|column| column.name == "jsd").map(|column| column.key.as_str());
    [scores, Some(&project.dense), Some(&project.pruned), Some(&project.template)]
}

/// What the map's colours and signs depend on, besides columns.
#[derive(PartialEq)]
struct Marks<'a> {
    pinned: &'a [u32],
    excluded: &'a [u32],
    hidden: &'a [u32],
    scale: u64,
    /// Id, colour, and the bits of the damage.
    clusters: Vec<(u32, u32, Option<u64>)>,
}

impl<'a> Marks<'a> {
    fn of(project: &'a ProjectView) -> Self {
        Self {
            pinned: &project.curation.pinned,
            excluded: &project.curation.excluded,
            hidden: &project.curation.hidden,
            scale: project.damage_scale.to_bits(),
            clusters: project.clusters.iter().map(|c| (c.cluster, c.colour, c.cds.map(f64::to_bits))).collect(),
        }
    }
}

impl AppState {
    pub(crate) fn receive(&mut self, message: Message) {
        match message {
            Message::Reply(what, Ok(reply)) => self.reply(what, *reply),
            Message::Reply(what, Err(report)) => self.refused(&what, &report),
            Message::Column(key, shape, Ok(bytes)) => self.data.column_arrived(&key, shape, bytes),
            Message::Column(key, _, Err(report)) => {
                self.data.column_failed(&key, self.now);
                self.toasts.report(&report);
            }
            Message::Picked(what, Ok(Some(path))) => self.picked(what, path),
            Message::Picked(_, Ok(None)) => {}
            Message::Picked(_, Err(report)) | Message::Saved(_, Err(report)) => self.toasts.report(&report),
            Message::Font(script, Ok(bytes)) => self.font_arrived(script, &bytes),
            // Said once: a script is asked for once.
            Message::Font(_, Err(report)) => {
                let now = self.now;
                self.toasts.say(now, report.what, report.advice);
            }
            Message::Saved(name, Ok(saved)) => {
                let now = self.now;
                match saved {
                    Saved::At(path) => self.toasts.say(now, format!("Saved {name}"), path),
                    Saved::Browser => {
                        self.toasts.say(now, format!("Saved {name}"), "It is among the browser's downloads.");
                    }
                    Saved::Dismissed => {}
                }
            }
            Message::Incoming(Incoming::Connected(open)) => self.connected(open),
            Message::Incoming(Incoming::Event(event)) => self.event(event),
            Message::Incoming(Incoming::Dropped(paths)) => self.dropped(&paths),
        }
    }

    /// A font's face in its collection stands before its file.
    fn font_arrived(&mut self, script: Script, bytes: &[u8]) {
        let Some((index, file)) = bytes.split_first_chunk::<4>() else { return };
        let (bytes, index) = (Arc::new(file.to_vec()), u32::from_le_bytes(*index));
        self.fonts.push(Fetched { script, bytes, index });
    }

    fn connected(&mut self, open: bool) {
        let again = open && self.link == Link::Lost;
        self.link = if open { Link::Open } else { Link::Lost };
        if again {
            // Events were missed: look again.
            self.data.forget_failures();
            self.ask(Request::Hello, For::Hello);
            if self.project.is_some() {
                self.ask_project();
            }
        }
    }

    pub(crate) fn ask_project(&mut self) {
        if !self.project_asked {
            self.project_asked = true;
            self.ask(Request::Project, For::Project);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Wanted { path } => self.open_project(path),
            Event::Project { revision } => {
                if self.project.as_ref().is_some_and(|project| revision > project.revision) {
                    self.ask_project();
                }
            }
            Event::Job { job } => {
                if let Some(project) = &mut self.project {
                    Rc::make_mut(project).job = Some(job);
                }
            }
            Event::Finished { report, seconds } => {
                if let Some(project) = &mut self.project {
                    Rc::make_mut(project).job = None;
                }
                match report {
                    Some(report) => {
                        let stopped = report.failure == Failure::Cancelled;
                        let end = if stopped { RunEnd::Stopped } else { RunEnd::Failed };
                        self.last_run = Some((end, report.to_string()));
                        self.toasts.report(&report);
                    }
                    None => self.last_run = Some((RunEnd::Well, format!("done in {}", format::duration(seconds)))),
                }
                if self.project.is_some() {
                    self.ask_project();
                }
            }
            Event::Notice { text } => {
                let now = self.now;
                self.toasts.say(now, text, "");
            }
            Event::Inspecting { done, total } => self.models.reading(done, total),
            Event::Continuing { row, done, tokens } => self.inspection.continuing(row, done, tokens),
        }
    }

    fn reply(&mut self, what: For, reply: Reply) {
        match (what, reply) {
            (For::Hello, Reply::Hello(hello)) => {
                // Only the first greeting goes to what is open; a later one would take the person from where they are.
                let open = hello.open && self.hello.is_none() && self.project.is_none();
                if let Some(report) = hello.trouble.as_ref().filter(|_| self.hello.is_none()) {
                    self.toasts.report(report);
                }
                self.hello = Some(hello);
                if open {
                    self.opening = Some("the open project".to_owned());
                    self.ask(Request::Project, For::Open);
                }
            }
            (For::Close, _) => self.closed(),
            (For::Recover(want), reply) => self.recovery_reply(want, reply),
            (For::Open, Reply::Project(project)) => {
                self.opening = None;
                self.take_project(*project, true);
                if !self.screen.is_work_place() {
                    self.screen = Screen::Explore;
                }
                // Who types into the palette meanwhile goes on typing.
                if !matches!(self.dialog, Some(Dialog::Palette { .. })) {
                    self.dialog = None;
                }
            }
            (For::Open, Reply::Done) => self.ask(Request::Project, For::Open),
            (_, Reply::Project(project)) => {
                self.project_asked = false;
                self.take_project(*project, false);
            }
            (For::Select(number), Reply::Selection(selection)) if number == self.build.newest => {
                self.build.waiting = false;
                self.build.selection = Some(*selection);
                self.build.provisional = None;
                self.build.problem = None;
                self.quotas_moved(number);
                self.table.requery();
                self.data.samples_stale();
                self.saved = Some(self.wall);
            }
            (For::Query(number), Reply::Rows { key, count }) => {
                self.table.answered(number, key, count);
                self.ask_inside_words(number);
            }
            (For::InsideWords(number), Reply::InsideWords { more }) => self.table.found_inside(number, more),
            (For::Told(what, more), _) => {
                let now = self.now;
                self.toasts.say(now, what, more);
            }
            (For::Texts(generation, _), Reply::Texts(rows)) if generation == self.data.generation => {
                self.data.texts_arrived(rows);
            }
            (For::Sample(generation, row), Reply::Sample(sample)) if generation == self.data.generation => {
                self.data.sample_arrived(row, *sample);
            }
            (For::Tokens(generation, row), Reply::Tokens(tokens)) if generation == self.data.generation => {
                self.data.tokens.insert(row, Ok(Rc::new(tokens)));
            }
            (For::Probe(field), Reply::Probed(probed)) => self.form.probed(field, probed),
            (For::Token, Reply::Done) => self.form.token_arrived(),
            (For::Estimate(number), Reply::Estimate(estimate)) => self.form.estimated(number, Ok(estimate)),
            (For::Curate(did), Reply::Curation(curation)) => {
                self.edits_waiting = self.edits_waiting.saturating_sub(1);
                self.edit_written(did, &curation);
                if let Some(project) = &mut self.project {
                    Rc::make_mut(project).curation = sorted(curation);
                }
                self.marks_version += 1;
                self.saved = Some(self.wall);
                self.ask_project();
            }
            (For::Freeze(name), _) => {
                let now = self.now;
                self.dialog = None;
                self.toasts.say(
                    now,
                    format!("Frozen as {name}"),
                    "It stays as it is, in the contents (N); go on building the next one.",
                );
                self.ask_project();
            }
            (For::FreezePlan(name), Reply::Selection(frozen)) => {
                if matches!(self.dialog, Some(Dialog::AddStrategy(_))) {
                    self.dialog = None;
                }
                // It stands there at once; the project that is asked for holds it, too.
                if let Some(project) = &mut self.project {
                    Rc::make_mut(project).selections.push(*frozen);
                }
                if self.compare.place(&name).is_none() {
                    self.compare.toggle(&name);
                }
                let now = self.now;
                self.toasts.say(now, format!("Frozen as {name}"), "It stands beside the others.");
                self.ask_project();
            }
            (For::Rename(from, to), _) => {
                if matches!(self.dialog, Some(Dialog::Rename { .. })) {
                    self.dialog = None;
                }
                self.compare.renamed(&from, &to);
                let now = self.now;
                self.toasts.say(now, format!("{from} is called {to} now"), "");
                if let Some(project) = &mut self.project {
                    let selections = &mut Rc::make_mut(project).selections;
                    for selection in selections.iter_mut().filter(|selection| selection.name.as_ref() == Some(&from)) {
                        selection.name = Some(to.clone());
                    }
                }
                self.ask_project();
            }
            (For::Compare(number), Reply::Comparison(view)) => self.compare.arrived(number, Ok(*view)),
            (For::BudgetCurve(name, inputs), Reply::BudgetCurve(curve)) => {
                self.compare.curve_arrived(&name, inputs, Ok(curve));
            }
            (For::Fates(number), Reply::Fates(fates)) => self.compare.fates_arrived(number, Ok(fates)),
            (For::Differences, Reply::Exported(exported)) => self.differences_written(exported),
            (For::Models, Reply::Models(view)) => self.models.arrived(Ok(*view)),
            (For::Settings, Reply::Settings(view)) => self.settings = Some(Rc::new(*view)),
            (For::Table(name), Reply::Exported(exported)) => {
                self.download = exported.download.map(|download| DownloadView { name, ..download });
            }
            (For::Checks, Reply::Checks(view)) => self.checks.arrived(*view),
            (For::Stability, Reply::Stability(view)) => self.stability.arrived(*view),
            (For::Neighbours(number), Reply::Neighbours(found)) => {
                self.inspection.neighbours_arrived(number, Ok(found));
            }
            (For::Continue(number), Reply::Continuations { dense, pruned, stopped, seconds, .. }) => {
                self.inspection.continued(number, Ok(Continued { dense, pruned, stopped, seconds }));
            }
            (For::Journal, Reply::Journal(entries)) => self.journal.entries = Some(Rc::new(entries)),
            (For::Discard(name), _) => {
                let now = self.now;
                self.dialog = None;
                self.toasts.say(now, format!("Discarded {name}"), "");
                self.ask_project();
            }
            (For::Export(_), Reply::Exported(exported)) => self.exported(exported),
            _ => {}
        }
    }

    fn exported(&mut self, exported: paser_protocol::ExportedView) {
        if let Some(Dialog::Export(form)) = &mut self.dialog {
            form.waiting = false;
            form.download = exported.download.clone();
            form.done = Some(exported);
        }
    }

    fn differences_written(&mut self, exported: paser_protocol::ExportedView) {
        let now = self.now;
        let what = format!("{} samples differ", format::count(exported.samples));
        match (exported.paths.first(), exported.download) {
            (Some(path), _) => self.toasts.say(now, what, path),
            (None, download) => {
                self.download = download;
                self.toasts.say(now, what, "");
            }
        }
    }

    /// The project was let go: what is recent now, and what else can be opened.
    fn closed(&mut self) {
        self.closing = false;
        self.ask(Request::Hello, For::Hello);
    }

    /// A new view of the project. `fresh`: another project than the one before.
    fn take_project(&mut self, mut project: ProjectView, fresh: bool) {
        project.curation = sorted(project.curation);
        let old = self.project.take();
        let fresh = fresh || old.as_ref().is_none_or(|old| old.path != project.path);
        let same = old.as_ref().filter(|_| !fresh);
        if fresh {
            self.data = self.data.of_another_project();
            self.focus = self.focus.forgotten();
            self.compare = self.compare.of_another_project();
            self.recovery = self.recovery.of_another_project();
            self.inspection = self.inspection.of_another_project();
            self.journal.forget();
            self.checks.forget();
            self.models.forget();
            self.stability.forget();
            self.toasts.forget_undo();
            self.telling = None;
            self.build = crate::state::Building { newest: self.build.newest, ..Default::default() };
            self.history = History::default();
            self.table = crate::views::table::TableState::default();
            self.last_run = None;
            self.build.plan = project.plan.clone();
            self.fresh_project = true;
            if project.columns.iter().any(|column| column.name == "ies") {
                (self.table.sort, self.table.descending) = ("ies".to_owned(), true);
            }
        }
        if let Some(old) = same {
            self.close_forms_of_other_rows(old, &project);
            if old.pool.key != project.pool.key {
                self.journal.forget();
                self.checks.forget();
                self.models.forget();
                self.data.pool_changed();
                self.focus = self.focus.forgotten();
            } else if scores_of(old) != scores_of(&project) {
                self.data.scores_changed();
            }
            self.keep_brush(old, &project);
        }
        if same.is_none_or(|old| Marks::of(old) != Marks::of(&project)) {
            self.marks_version += 1;
        }
        let same_revision = same.is_some_and(|old| old.revision == project.revision);
        self.data.forget_columns_but(&self.named_columns(&project));
        self.project = Some(Rc::new(project));
        self.saved = Some(self.wall);
        if !same_revision {
            self.data.forget_failures();
            self.data.samples_stale();
            self.table.requery();
        }
        // Saving the plan raises the revision too: ask again only when something that decides the selection changed.
        if self.build.changed.is_none() && self.build.inputs != Some(self.selection_inputs()) {
            self.select_now();
        }
    }

    /// A form that names rows or clusters closes when these are others now: it would edit what nobody chose.
    fn close_forms_of_other_rows(&mut self, old: &ProjectView, project: &ProjectView) {
        let clusters = |project: &ProjectView| {
            project.columns.iter().find(|column| column.name == "cluster").map(|column| column.key.clone())
        };
        let stale = match &self.dialog {
            Some(Dialog::EditSamples(_)) => old.pool.key != project.pool.key,
            Some(Dialog::Cluster(_)) => old.pool.key != project.pool.key || clusters(old) != clusters(project),
            _ => false,
        };
        if stale {
            self.dialog = None;
            let now = self.now;
            self.toasts.say(now, "The form was closed", "The pool or its clusters changed while it was open.");
        }
    }

    /// Keys of the columns that something on screen may still want.
    fn named_columns(&self, project: &ProjectView) -> BTreeSet<String> {
        let mut keep: BTreeSet<String> = project.columns.iter().map(|column| column.key.clone()).collect();
        keep.extend(self.build.selection.as_ref().map(|selection| selection.reason_column.clone()));
        let frozen = project
            .selections
            .iter()
            .filter(|selection| selection.name.as_ref().is_some_and(|name| self.compare.place(name).is_some()));
        keep.extend(frozen.map(|selection| selection.reason_column.clone()));
        keep.extend(self.table.key().map(str::to_owned));
        keep.extend(self.recovery.columns());
        if let Some(demo) = self.hello.as_ref().and_then(|hello| hello.demo.as_ref()) {
            keep.extend([demo.positions.clone(), demo.damage.clone()]);
        }
        keep
    }

    /// A fingerprint of what decides the selection besides the plan.
    pub(crate) fn selection_inputs(&self) -> u64 {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = std::hash::DefaultHasher::new();
        if let Some(project) = &self.project {
            project.curation.pinned.hash(&mut hasher);
            project.curation.excluded.hash(&mut hasher);
            for cluster in &project.clusters {
                (cluster.cluster, cluster.samples, cluster.eligible, cluster.pinned).hash(&mut hasher);
                (cluster.quota.map(|(quota, unit)| (quota, unit.name())), cluster.emphasis.to_bits()).hash(&mut hasher);
                cluster.cds.map(f64::to_bits).hash(&mut hasher);
                cluster.cds_rest.map(f64::to_bits).hash(&mut hasher);
            }
            let strategy = self.build.plan.strategy;
            passes::of(self, strategy).filter(|_| strategy.needs_pass()).map(|pass| &pass.key).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Asks the engine for the selection of the plan, if anything is scored.
    pub(crate) fn select_now(&mut self) {
        self.history.plan_rests();
        self.build.changed = None;
        self.build.inputs = Some(self.selection_inputs());
        let missing = passes::missing(self, self.build.plan.strategy).map(passes::sentence);
        if let Some(sentence) = missing.filter(|_| self.is_scored()) {
            // Whatever is on its way is of another plan.
            self.build.newest += 1;
            self.build.waiting = false;
            self.build.selection = None;
            self.build.problem = Some(Report::new(Failure::Usage, sentence, ""));
        } else if self.is_scored() {
            self.build.newest += 1;
            self.build.waiting = true;
            let plan = self.build.plan.clone();
            self.ask(Request::Select { plan }, For::Select(self.build.newest));
        } else {
            self.build.selection = None;
            self.build.problem = None;
        }
    }

    fn refused(&mut self, what: &For, report: &Report) {
        match what {
            For::Open => {
                self.opening = None;
                if self.project.is_none() && self.screen.is_work_place() {
                    self.screen = Screen::Welcome;
                }
            }
            For::Close => self.closed(),
            For::Recover(want) if self.recovery_refused(want, report) => return,
            For::Compare(number) => {
                self.compare.arrived(*number, Err(report.clone()));
                return;
            }
            For::BudgetCurve(name, inputs) => {
                self.compare.curve_arrived(name, *inputs, Err(report.clone()));
                return;
            }
            For::Fates(number) => {
                self.compare.fates_arrived(*number, Err(report.clone()));
                return;
            }
            For::Neighbours(number) => {
                self.inspection.neighbours_arrived(*number, Err(report.clone()));
                return;
            }
            For::Continue(number) => {
                self.inspection.continued(*number, Err(report.clone()));
                return;
            }
            For::FreezePlan(_) => {
                if let Some(Dialog::AddStrategy(form)) = &mut self.dialog {
                    form.waiting = false;
                }
            }
            For::Curate(did) => {
                self.edits_waiting = self.edits_waiting.saturating_sub(1);
                if matches!(did, Some(Did::Quota(_))) {
                    self.build.moving = None;
                }
            }
            For::Project => self.project_asked = false,
            For::Select(number) if *number == self.build.newest => {
                self.build.waiting = false;
                self.build.problem = Some(report.clone());
                return;
            }
            For::Query(number) if self.table.failed(*number, report) => return,
            // The rows are there without it.
            For::InsideWords(_) => return,
            For::Texts(generation, rows) if *generation == self.data.generation => {
                self.data.texts_failed(rows, self.now);
            }
            For::Sample(generation, row) if *generation == self.data.generation => {
                self.data.sample_failed(*row, self.now);
            }
            For::Tokens(generation, row) => {
                if *generation == self.data.generation {
                    self.data.tokens.insert(*row, Err(report.clone()));
                }
                return;
            }
            For::Probe(field) => {
                let remark = paser_protocol::Remark { level: "error".to_owned(), text: report.to_string() };
                self.form.probed(*field, Probed { remarks: vec![remark], choices: Vec::new() });
                return;
            }
            For::Estimate(number) => {
                self.form.estimated(*number, Err(report.clone()));
                return;
            }
            For::Models => {
                self.models.arrived(Err(report.clone()));
                return;
            }
            For::Export(_) => {
                if let Some(Dialog::Export(form)) = &mut self.dialog {
                    form.waiting = false;
                }
            }
            _ => {}
        }
        self.toasts.report(report);
    }

    fn picked(&mut self, what: PickFor, path: String) {
        match what {
            PickFor::OpenProject => self.open_project(path),
            PickFor::Form(field) => self.form.set(field, path),
            PickFor::Benchmark => {
                if let Some(Dialog::Checks { typed }) = &mut self.dialog {
                    *typed = path;
                }
            }
            PickFor::Export => {
                if let Some(Dialog::Export(form)) = &mut self.dialog {
                    form.path = path;
                    form.done = None;
                }
            }
            PickFor::Recover => match &mut self.dialog {
                Some(Dialog::ArmFile(form)) => form.path = path,
                Some(Dialog::RecoveryReport(form)) => form.path = path,
                Some(Dialog::ReadRun(form)) => form.path = path,
                _ => {}
            },
        }
    }

    pub(crate) fn open_project(&mut self, path: String) {
        self.toasts.clear_failures();
        self.opening = Some(path.clone());
        self.ask(Request::OpenProject { path }, For::Open);
    }

    /// Paths that were dropped on the window: a file is a pool, a folder a project or, in the form, what is missing.
    fn dropped(&mut self, paths: &[String]) {
        let Some(path) = paths.first().cloned() else { return };
        let name = path.rsplit(['/', '\\']).next().unwrap_or(&path);
        let file = name.rsplit_once('.').is_some_and(|(stem, end)| !stem.is_empty() && POOLS.contains(&end));
        if self.screen == Screen::NewProject {
            let field = if file { Field::Pool } else { self.form.folder_for() };
            self.form.set(field, path);
        } else if let Err(why) = Command::NewProject.enabled(self) {
            let what = format!("{name} was not opened: {why}.");
            self.toasts.report(&Report::new(Failure::Usage, what, "Drop it again in a moment."));
        } else if file {
            self.dialog = None;
            self.screen = Screen::NewProject;
            self.form.set(Field::Pool, path);
        } else {
            self.open_project(path);
        }
    }

    /// Requests for what the views wanted to show.
    pub(crate) fn ask_for_data(&mut self) {
        let generation = self.data.generation;
        if !self.data.wanted_texts.is_empty() {
            let rows: Vec<u32> = std::mem::take(&mut self.data.wanted_texts).into_iter().collect();
            for rows in rows.chunks(256) {
                let rows = rows.to_vec();
                self.ask(Request::Texts { rows: rows.clone() }, For::Texts(generation, rows));
            }
        }
        if let Some(row) = self.data.wanted_sample.take() {
            self.ask(Request::Sample { row }, For::Sample(generation, row));
        }
        self.leave_continuation();
        if let Some(row) = self.data.wanted_tokens.take() {
            self.ask(Request::Tokens { row }, For::Tokens(generation, row));
        }
    }
}

impl Field {
    pub fn source(self) -> SourceKind {
        match self {
            Self::Pool => SourceKind::Pool,
            Self::Dense | Self::Pruned | Self::Other(_) => SourceKind::Model,
            Self::Encoder => SourceKind::Encoder,
            Self::Folder => SourceKind::Folder,
        }
    }
}
