//! Replies, columns and events on their way into the state. The only place that reads them.

use paser_protocol::{Event, Reply, Report, Request, SourceKind};

use crate::{
    data::Shape,
    dialogs::Dialog,
    format,
    state::{AppState, Ask, Field, For, Link, PickFor, Screen},
    transport::Incoming,
};

/// Something that arrived between two frames.
pub enum Message {
    Reply(For, Result<Box<Reply>, Report>),
    Column(String, Shape, Result<Vec<u8>, Report>),
    Picked(PickFor, Result<Option<String>, Report>),
    Incoming(Incoming),
}

impl AppState {
    pub(crate) fn receive(&mut self, message: Message) {
        match message {
            Message::Reply(what, Ok(reply)) => self.reply(what, *reply),
            Message::Reply(what, Err(report)) => self.refused(&what, &report),
            Message::Column(key, shape, Ok(bytes)) => self.data.column_arrived(&key, shape, Some(bytes)),
            Message::Column(key, shape, Err(report)) => {
                self.data.column_arrived(&key, shape, None);
                self.toasts.report(&report);
            }
            Message::Picked(what, Ok(Some(path))) => self.picked(what, path),
            Message::Picked(_, Ok(None)) => {}
            Message::Picked(_, Err(report)) => self.toasts.report(&report),
            Message::Incoming(Incoming::Connected(open)) => self.connected(open),
            Message::Incoming(Incoming::Event(event)) => self.event(event),
        }
    }

    fn connected(&mut self, open: bool) {
        let again = open && self.link == Link::Lost;
        self.link = if open { Link::Open } else { Link::Lost };
        if again {
            // Events were missed: look again.
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
            Event::Project { revision } => {
                if self.project.as_ref().is_some_and(|project| revision > project.revision) {
                    self.ask_project();
                }
            }
            Event::Job { job } => {
                if let Some(project) = &mut self.project {
                    project.job = Some(job);
                }
            }
            Event::Finished { report, seconds } => {
                if let Some(project) = &mut self.project {
                    project.job = None;
                }
                match report {
                    Some(report) => {
                        self.last_run = Some((report.what.clone(), false));
                        self.toasts.report(&report);
                    }
                    None => self.last_run = Some((format!("done in {}", format::duration(seconds)), true)),
                }
                if self.project.is_some() {
                    self.ask_project();
                }
            }
            Event::Notice { text } => {
                let now = self.now;
                self.toasts.say(now, text, "");
            }
        }
    }

    fn reply(&mut self, what: For, reply: Reply) {
        match (what, reply) {
            (For::Hello, Reply::Hello(hello)) => {
                let open = hello.open && self.project.is_none();
                self.hello = Some(hello);
                if open {
                    self.opening = Some("the open project".to_owned());
                    self.ask(Request::Project, For::Open);
                }
            }
            (For::Open, Reply::Project(project)) => {
                self.opening = None;
                self.take_project(project, true);
                self.screen = Screen::Explore;
                self.dialog = None;
            }
            (For::Open, Reply::Done) => self.ask(Request::Project, For::Open),
            (_, Reply::Project(project)) => {
                self.project_asked = false;
                self.take_project(project, false);
            }
            (For::Select(number), Reply::Selection(selection)) if number == self.build.newest => {
                self.build.waiting = false;
                self.build.selection = Some(*selection);
                self.build.provisional = None;
                self.marks_version += 1;
                self.table.requery();
                self.data.samples_stale();
                self.saved = Some(self.wall);
            }
            (For::Query(number), Reply::Rows { key, count }) => self.table.answered(number, key, count),
            (For::Texts, Reply::Texts(rows)) => {
                self.data.texts.extend(rows.into_iter().map(|text| (text.row, text)));
            }
            (For::Sample(row), Reply::Sample(sample)) => {
                self.data.samples.insert(row, std::rc::Rc::new(*sample));
            }
            (For::Tokens(row), Reply::Tokens(tokens)) => {
                self.data.tokens.insert(row, Ok(std::rc::Rc::new(tokens)));
            }
            (For::Probe(field), Reply::Probed(remarks)) => self.form.probed(field, remarks),
            (For::Estimate(number), Reply::Estimate(estimate)) => self.form.estimated(number, Ok(estimate)),
            (For::Curate, Reply::Curation(curation)) => {
                if let Some(project) = &mut self.project {
                    project.curation = curation;
                }
                self.marks_version += 1;
                self.saved = Some(self.wall);
                self.ask_project();
            }
            (For::Freeze(name), _) => {
                let now = self.now;
                self.dialog = None;
                self.toasts.say(now, format!("Frozen as {name}"), "It stays as it is; go on building the next one.");
                self.ask_project();
            }
            (For::Export(path), Reply::Exported(exported)) => self.exported(&path, exported),
            _ => {}
        }
    }

    fn exported(&mut self, path: &str, exported: paser_protocol::ExportedView) {
        if let Some(Dialog::Export(form)) = &mut self.dialog {
            form.waiting = false;
            if let Some(contents) = &exported.download {
                let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned();
                form.download = Some((name, contents.clone()));
            }
            form.done = Some(exported);
        }
    }

    /// A new view of the project. `fresh`: another project than the one before.
    fn take_project(&mut self, project: Box<paser_protocol::ProjectView>, fresh: bool) {
        let fresh = fresh || self.project.as_ref().is_none_or(|old| old.path != project.path);
        let old_revision = self.project.as_ref().map(|old| old.revision);
        if fresh {
            self.data = crate::data::Data::default();
            self.focus = self.focus.forgotten();
            self.build = crate::state::Building { newest: self.build.newest, ..Default::default() };
            self.table = crate::views::table::TableState::default();
            self.last_run = None;
            self.build.plan = project.plan.clone();
            self.fresh_project = true;
            if project.columns.iter().any(|column| column.name == "ies") {
                (self.table.sort, self.table.descending) = ("ies".to_owned(), true);
            }
        }
        let mut keep: std::collections::BTreeSet<String> =
            project.columns.iter().map(|column| column.key.clone()).collect();
        keep.extend(self.build.selection.as_ref().map(|selection| selection.reason_column.clone()));
        keep.extend(self.table.key().map(str::to_owned));
        if let Some(demo) = self.hello.as_ref().and_then(|hello| hello.demo.as_ref()) {
            keep.extend([demo.positions.clone(), demo.damage.clone()]);
        }
        let clusters_changed = self.project.as_ref().is_none_or(|old| {
            old.clusters
                .iter()
                .map(|c| (c.cluster, c.samples))
                .ne(project.clusters.iter().map(|c| (c.cluster, c.samples)))
        });
        if clusters_changed && !fresh {
            self.focus.set_brush(crate::state::Brush::Nothing);
        }
        self.project = Some(project);
        self.data.forget_columns_but(&keep);
        self.marks_version += 1;
        self.saved = Some(self.wall);
        if fresh || old_revision != self.project.as_ref().map(|project| project.revision) {
            self.data.samples_stale();
            self.table.requery();
        }
        // Saving the plan raises the revision too: ask again only when something that decides the selection changed.
        if self.build.changed.is_none() && self.build.inputs != Some(self.selection_inputs()) {
            self.select_now();
        }
    }

    /// A fingerprint of what decides the selection besides the plan.
    fn selection_inputs(&self) -> u64 {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = std::hash::DefaultHasher::new();
        if let Some(project) = &self.project {
            project.curation.pinned.hash(&mut hasher);
            project.curation.excluded.hash(&mut hasher);
            for cluster in &project.clusters {
                (cluster.cluster, cluster.samples, cluster.eligible, cluster.pinned).hash(&mut hasher);
                cluster.cds.map(f64::to_bits).hash(&mut hasher);
                cluster.cds_rest.map(f64::to_bits).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Asks the engine for the selection of the plan, if anything is scored.
    pub(crate) fn select_now(&mut self) {
        self.build.changed = None;
        self.build.inputs = Some(self.selection_inputs());
        if self.is_scored() {
            self.build.newest += 1;
            self.build.waiting = true;
            let plan = self.build.plan.clone();
            self.ask(Request::Select { plan }, For::Select(self.build.newest));
        } else {
            self.build.selection = None;
        }
    }

    fn refused(&mut self, what: &For, report: &Report) {
        match what {
            For::Open => {
                self.opening = None;
                if self.project.is_none() && self.screen == Screen::Explore {
                    self.screen = Screen::Welcome;
                }
            }
            For::Project => self.project_asked = false,
            For::Select(number) if *number == self.build.newest => {
                self.build.waiting = false;
                self.build.problem = Some(report.clone());
                return;
            }
            For::Query(number) => self.table.failed(*number),
            For::Sample(row) => self.data.samples_failed(*row),
            For::Tokens(row) => {
                self.data.tokens.insert(*row, Err(report.clone()));
                return;
            }
            For::Probe(field) => {
                let remark = paser_protocol::Remark { level: "error".to_owned(), text: report.to_string() };
                self.form.probed(*field, vec![remark]);
                return;
            }
            For::Estimate(number) => {
                self.form.estimated(*number, Err(report.clone()));
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
            PickFor::Export => {
                if let Some(Dialog::Export(form)) = &mut self.dialog {
                    form.path = path;
                    form.done = None;
                }
            }
        }
    }

    pub(crate) fn open_project(&mut self, path: String) {
        self.opening = Some(path.clone());
        self.ask(Request::OpenProject { path }, For::Open);
    }

    /// Requests for what the views wanted to show.
    pub(crate) fn ask_for_data(&mut self) {
        if !self.data.wanted_texts.is_empty() {
            let rows: Vec<u32> = std::mem::take(&mut self.data.wanted_texts).into_iter().collect();
            for rows in rows.chunks(256) {
                self.outbox.push(Ask::Request(Request::Texts { rows: rows.to_vec() }, For::Texts));
            }
        }
        if let Some(row) = self.data.wanted_sample.take() {
            self.ask(Request::Sample { row }, For::Sample(row));
        }
        if let Some(row) = self.data.wanted_tokens.take() {
            self.ask(Request::Tokens { row }, For::Tokens(row));
        }
    }
}

impl Field {
    pub fn source(self) -> SourceKind {
        match self {
            Self::Pool => SourceKind::Pool,
            Self::Dense | Self::Pruned => SourceKind::Model,
            Self::Encoder => SourceKind::Encoder,
            Self::Folder => SourceKind::Folder,
        }
    }
}
