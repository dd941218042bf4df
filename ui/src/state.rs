//! Everything the window knows, in one place, fed by replies and events. Views read it, and write what they want into `outbox`.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::Discriminant,
    rc::Rc,
};

use egui::Rect;
use paser_protocol::{
    ClusterView, ColumnInfo, ColumnKind, DownloadView, Hello, ProjectView, ReasonCode, Report, Request, SelectionPlan,
    SelectionView, SettingsView,
};
use serde::{Deserialize, Serialize};

pub use crate::focus::Brush;
use crate::{
    budget_math::Provisional,
    command::Command,
    compare::Compare,
    data::Data,
    dialogs::Dialog,
    focus::Focus,
    history::{History, Step, difference},
    inspection::Inspection,
    layout::{Layouts, Pane},
    moved::Moving,
    picture::{Format, View},
    recovery::{Recovery, Want},
    theme::scripts::Fetched,
    told::{Did, Telling},
    transport::PickKind,
    views::{
        checks::Checks,
        explore::{NARROW, NARROW_FOR_BOTH},
        form::Form,
        journal::Journal,
        models::Models,
        stability::Stability,
        table::TableState,
    },
    widgets::toast::Toasts,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Screen {
    #[default]
    Welcome,
    NewProject,
    Explore,
    Compare,
    Recover,
}

impl Screen {
    pub fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::NewProject => "new-project",
            Self::Explore => "explore",
            Self::Compare => "compare",
            Self::Recover => "recover",
        }
    }

    /// A work place of the open project?
    pub fn is_work_place(self) -> bool {
        matches!(self, Self::Explore | Self::Compare | Self::Recover)
    }
}

/// What is known of the samples in a box.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BoxStats {
    pub samples: u64,
    pub taken: Option<u64>,
    /// Mean over the scored ones, nats.
    pub damage: Option<f64>,
    pub scored: u64,
    /// Samples per cluster.
    pub clusters: BTreeMap<u32, u64>,
}

/// Clusters that are counted by place.
const MOST_CLUSTERS: u32 = 4_096;

/// What a box's numbers were made from: the brush, and the keys of the columns that had arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BoxKey {
    brush: u64,
    columns: [Option<String>; 3],
}

/// What the map is coloured by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColourBy {
    #[default]
    Cluster,
    /// Every sample by its own damage.
    Damage,
    /// Every sample by its cluster's damage.
    ClusterDamage,
    Taken,
    /// Every sample by what an arm in training has left of its cluster's damage.
    DamageLeft,
    /// A column, by name.
    Column(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    #[default]
    Point,
    Hand,
    Box,
    Lasso,
}

/// What stands in the left panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftTab {
    #[default]
    Damage,
    /// Damage by each of several pruned models.
    Schemes,
    Curves,
}

/// Which panels are unfolded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Panels {
    pub damage: bool,
    pub table: bool,
    pub inspector: bool,
    pub ledger: bool,
    /// Process, memory and log of the running job.
    pub job: bool,
    /// None: open from 1600 px on.
    pub contents: Option<bool>,
    pub left: LeftTab,
    /// Bars show the damage after the first token.
    pub after_first_token: bool,
}

impl Default for Panels {
    fn default() -> Self {
        Self {
            damage: true,
            table: false,
            inspector: false,
            ledger: false,
            job: false,
            contents: None,
            left: LeftTab::Damage,
            after_first_token: false,
        }
    }
}

/// The selection being built.
#[derive(Default)]
pub struct Building {
    pub plan: SelectionPlan,
    pub selection: Option<SelectionView>,
    /// Quotas worked out here since the last answer of the engine.
    pub provisional: Option<Provisional>,
    /// When the plan was last changed, in seconds of `AppState::now`; none once it was sent.
    pub changed: Option<f64>,
    /// Number of the newest request; older answers are dropped.
    pub newest: u64,
    pub waiting: bool,
    /// Fingerprint of the clusters and edits that the newest request was made for.
    pub inputs: Option<u64>,
    /// The typed budget while its field has the focus.
    pub typed: Option<String>,
    /// Why the engine refused the plan.
    pub problem: Option<Report>,
    /// An edit of quotas, until the selection knows of it.
    pub moving: Option<Moving>,
}

/// What a view wants done.
#[expect(clippy::large_enum_variant, reason = "a handful of them live for one frame")]
#[derive(Clone, Debug)]
pub enum Ask {
    Command(Command),
    Request(Request, For),
    Pick(PickKind, PickFor),
    /// The page starts anew with the engine of this program.
    TurnToOwnEngine,
}

/// What a reply is for.
#[derive(Clone, Debug, PartialEq)]
pub enum For {
    Hello,
    Project,
    /// A project is being opened: go to it.
    Open,
    Select(u64),
    Query(u64),
    /// By the number of the query.
    InsideWords(u64),
    /// Rows, and the generation of the data that they were asked for.
    Texts(u64, Vec<u32>),
    Sample(u64, u32),
    Tokens(u64, u32),
    Probe(Field),
    /// The engine has the hub's token.
    Token,
    Estimate(u64),
    /// What the edit does, where a message is to tell of it.
    Curate(Option<Did>),
    Freeze(String),
    FreezePlan(String),
    Rename(String, String),
    /// By the number of the request.
    Compare(u64),
    /// Name, and the fingerprint of what else decides it.
    BudgetCurve(String, u64),
    /// By the number of the request.
    Fates(u64),
    Differences,
    Settings,
    /// A table that is written for the window to save; its file's name.
    Table(String),
    Journal,
    Checks,
    Models,
    Stability,
    /// By the number of the request.
    Neighbours(u64),
    Continue(u64),
    Discard(String),
    /// Arms, curves and verdicts.
    Recover(Want),
    Export(String),
    /// The project is let go.
    Close,
    /// The engine did what this says.
    Told(String, String),
    /// Nothing but errors matters.
    Done,
}

/// The fields of the new-project form that are looked at before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Pool,
    Dense,
    Pruned,
    /// A further pruned model, by its place.
    Other(usize),
    Encoder,
    Folder,
}

/// What further pruned models are called where they are typed.
pub const OTHERS: [&str; 4] =
    ["Second pruned model", "Third pruned model", "Fourth pruned model", "Fifth pruned model"];

impl Field {
    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pool => "Pool",
            Self::Dense => "Dense model",
            Self::Pruned => "Pruned model",
            Self::Other(place) => OTHERS[place.min(OTHERS.len() - 1)],
            Self::Encoder => "Encoder",
            Self::Folder => "Project folder",
        }
    }
}

/// Where a chosen path goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickFor {
    OpenProject,
    Form(Field),
    Benchmark,
    Export,
    /// The open form about an arm or a report.
    Recover,
}

/// What the map is asked to do by a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOrder {
    Fit,
    In,
    Out,
    /// Bring the inspected sample into view.
    ShowInspected,
    /// Let go of the region that is being drawn.
    ForgetRegion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    Well,
    /// By the person.
    Stopped,
    Failed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    #[default]
    Waiting,
    Open,
    Lost,
}

#[derive(Default)]
pub struct AppState {
    pub screen: Screen,
    pub mode: crate::theme::Mode,
    pub hello: Option<Hello>,
    pub link: Link,
    /// Shared, so that a view can hold it while it changes the rest.
    pub project: Option<Rc<ProjectView>>,
    /// A project is being opened; its name or path.
    pub opening: Option<String>,
    /// The engine stops what runs and lets the project go.
    pub closing: bool,
    pub project_asked: bool,
    /// Another project was opened since the last frame.
    pub fresh_project: bool,
    pub data: Data,
    pub focus: Focus,
    pub compare: Compare,
    pub recovery: Recovery,
    pub inspection: Inspection,
    pub journal: Journal,
    pub checks: Checks,
    pub models: Models,
    pub stability: Stability,
    pub panels: Panels,
    pub layouts: Layouts,
    /// A pane hangs on the pointer: Esc lets go of it.
    pub dragging_pane: bool,
    pub colour: ColourBy,
    pub tool: Tool,
    pub build: Building,
    pub history: History,
    /// Edits that the engine has not answered: what comes off next is known only then.
    pub edits_waiting: u32,
    pub table: TableState,
    pub form: Form,
    pub dialog: Option<Dialog>,
    /// Which dialog is open, and what its fields held at first.
    pub(crate) opened: Option<(Discriminant<Dialog>, Vec<String>)>,
    /// A file to be fetched and handed to the person, beside one that a dialog waits for.
    pub download: Option<DownloadView>,
    pub toasts: Toasts,
    pub(crate) telling: Option<Telling>,
    /// Fonts of the machine that have arrived.
    pub fonts: Vec<Fetched>,
    /// The engine's, once they were asked for.
    pub settings: Option<Rc<SettingsView>>,
    /// The page is drawn for a file: without controls that lie over a view.
    pub for_file: bool,
    /// A view to be saved at the end of this frame, and as what.
    pub save_view: Option<(View, Format)>,
    /// How the last run ended, with its words.
    pub last_run: Option<(RunEnd, String)>,
    /// When the project last changed on disk, in seconds since 1970.
    pub saved: Option<u64>,
    pub map_order: Option<MapOrder>,
    /// A region is being drawn corner by corner.
    pub drawing: bool,
    pub has_dialogs: bool,
    /// The window shows another program's project, and has an engine of its own.
    pub attached: bool,
    /// Rises when pins, crosses, clusters or their damage changed.
    pub marks_version: u64,
    pub outbox: Vec<Ask>,
    /// Rectangles of named widgets in this frame, for tests in a browser.
    pub rects: BTreeMap<String, Rect>,
    /// Seconds of the egui clock.
    pub now: f64,
    /// Seconds since 1970.
    pub wall: u64,
    pub dragging_budget: bool,
    /// A text field had the keyboard at the end of the last frame.
    pub writing: bool,
    /// The theme this frame is drawn in.
    pub dark: bool,
    /// Wide enough for the contents beside everything else.
    pub wide: bool,
    /// Of the window, points.
    pub width: f32,
    /// The system asks for less motion.
    pub less_motion: bool,
    /// Of the brushed rows; made again when brush, columns or selection change.
    pub(crate) box_stats: Option<(BoxKey, Rc<BoxStats>)>,
    /// Where the bar of the brush was last drawn on the map.
    pub brush_bar: Option<Rect>,
}

impl AppState {
    pub fn run(&mut self, command: Command) {
        self.outbox.push(Ask::Command(command));
    }

    pub fn ask(&mut self, request: Request, what: For) {
        self.outbox.push(Ask::Request(request, what));
    }

    /// Remembers where a widget is, for tests in a browser.
    pub fn note(&mut self, name: impl Into<String>, rect: Rect) {
        self.rects.insert(name.into(), rect);
    }

    pub fn clusters(&self) -> &[ClusterView] {
        self.project.as_ref().map_or(&[], |project| &project.clusters)
    }

    pub fn cluster(&self, id: u32) -> Option<&ClusterView> {
        self.clusters().iter().find(|cluster| cluster.cluster == id)
    }

    pub fn column_info(&self, name: &str) -> Option<&ColumnInfo> {
        self.project.as_ref()?.columns.iter().find(|column| column.name == name)
    }

    /// A number column by name, once it has arrived.
    pub fn numbers(&mut self, name: &str) -> Option<Rc<Vec<f32>>> {
        let key = self.column_info(name)?.key.clone();
        self.data.numbers(&key)
    }

    /// The cluster of every row.
    pub fn row_clusters(&mut self) -> Option<Rc<Vec<u32>>> {
        let info = self.column_info("cluster")?;
        let key = matches!(info.kind, ColumnKind::Category { .. }).then(|| info.key.clone())?;
        self.data.indices(&key)
    }

    pub fn cluster_of(&mut self, row: u32) -> Option<u32> {
        self.row_clusters()?.get(row as usize).copied().filter(|cluster| *cluster != u32::MAX)
    }

    /// The reason byte of every row in the selection being built.
    pub fn reasons(&mut self) -> Option<Rc<Vec<u8>>> {
        let key = self.build.selection.as_ref()?.reason_column.clone();
        if key.is_empty() { None } else { self.data.codes(&key) }
    }

    pub fn reason(&mut self, row: u32) -> Option<ReasonCode> {
        ReasonCode::from_byte(*self.reasons()?.get(row as usize)?)
    }

    /// Top of the damage ramp, nats.
    pub fn damage_scale(&self) -> f64 {
        self.project.as_ref().map_or(1.0, |project| if project.damage_scale > 0.0 { project.damage_scale } else { 1.0 })
    }

    /// What stands in the left panel now: a comparison of pruned models needs several.
    pub fn left_tab(&self) -> LeftTab {
        let several = self.project.as_ref().is_some_and(|project| !project.schemes.is_empty());
        if self.panels.left == LeftTab::Schemes && !several { LeftTab::Damage } else { self.panels.left }
    }

    /// The cluster that the pointer is on, in whichever view: itself, or by one of its samples.
    pub fn pointed_cluster(&mut self) -> Option<u32> {
        let by_sample = self.focus.hovered.and_then(|row| self.cluster_of(row));
        self.focus.hovered_cluster.or(by_sample)
    }

    /// The panes of this work place that are not folded.
    pub fn unfolded(&self) -> BTreeSet<Pane> {
        let panes = self.layouts.of(self.screen).map(|layout| layout.panes()).unwrap_or_default();
        panes.into_iter().filter(|pane| self.is_unfolded(*pane)).collect()
    }

    fn is_unfolded(&self, pane: Pane) -> bool {
        match pane {
            Pane::Contents => self.contents_open(),
            Pane::Damage => self.panels.damage && !self.is_narrow(),
            Pane::Table => self.panels.table,
            // In Compare the maps want the room where there is no sample to read.
            Pane::Inspector => {
                self.panels.inspector && (self.screen != Screen::Compare || self.focus.inspected.is_some())
            }
            Pane::Overlap | Pane::Clusters => self.compare.names.len() > 1,
            Pane::Map | Pane::Selections | Pane::Maps => true,
            Pane::Curves | Pane::Outcome | Pane::Arms | Pane::Verdict => true,
        }
    }

    /// Unfolded, and behind no other tab?
    pub fn is_on_screen(&self, pane: Pane) -> bool {
        self.layouts.of(self.screen).is_some_and(|layout| layout.on_screen(&self.unfolded()).contains(&pane))
    }

    /// Unfolded, behind another tab?
    pub fn is_behind(&self, pane: Pane) -> bool {
        self.unfolded().contains(&pane) && !self.is_on_screen(pane)
    }

    /// Unfolds the table, and brings it before other tabs.
    pub fn show_table(&mut self) {
        self.panels.table = true;
        self.layouts.bring_to_front(Screen::Explore, Pane::Table);
    }

    /// Is the contents tree open?
    pub fn contents_open(&self) -> bool {
        self.panels.contents.unwrap_or(self.wide)
    }

    /// Too narrow for the damage panel beside the contents or the inspector, whichever are open?
    fn is_narrow(&self) -> bool {
        match (self.contents_open(), self.panels.inspector) {
            (true, true) => self.width < NARROW_FOR_BOTH,
            (false, false) => false,
            _ => self.width < NARROW,
        }
    }

    /// Is the damage panel on screen? In a narrow window it gives its place to contents and inspector.
    pub fn damage_shown(&self) -> bool {
        self.is_on_screen(Pane::Damage)
    }

    /// Brings the damage panel on screen; in a narrow window contents and inspector fold.
    pub fn show_damage(&mut self) {
        self.panels.damage = true;
        self.layouts.bring_to_front(Screen::Explore, Pane::Damage);
        if self.is_narrow() {
            self.panels.inspector = false;
            self.panels.contents = None;
        }
    }

    /// What Undo would take back.
    pub fn next_undo(&self) -> Option<Step<'_>> {
        self.history.next_undo(&self.project.as_ref()?.curation)
    }

    /// What Redo would bring back.
    pub fn next_redo(&self) -> Option<Step<'_>> {
        self.history.next_redo(&self.project.as_ref()?.curation)
    }

    /// The change that Undo would take back, in words.
    pub fn undo_words(&self) -> Option<String> {
        Some(match self.next_undo()? {
            Step::Plan(before) => difference(before, &self.build.plan),
            Step::Edit(what) | Step::Layout(what) => what.to_owned(),
        })
    }

    /// The change that Redo would make again, in words.
    pub fn redo_words(&self) -> Option<String> {
        Some(match self.next_redo()? {
            Step::Plan(after) => difference(&self.build.plan, after),
            Step::Edit(what) | Step::Layout(what) => what.to_owned(),
        })
    }

    /// Number of distinct samples.
    pub fn samples(&self) -> u64 {
        self.project.as_ref().map_or(0, |project| project.pool.samples)
    }

    /// Is there anything a selection could be made from?
    pub fn is_scored(&self) -> bool {
        self.column_info("jsd").is_some() && self.clusters().iter().any(|cluster| cluster.cds.is_some())
    }

    /// The frozen selection that is the one being built.
    pub fn built_name(&self) -> Option<&str> {
        let built = self.build.selection.as_ref()?;
        let frozen = self.project.as_ref()?.selections.iter();
        frozen.filter(|frozen| frozen.reason_column == built.reason_column).find_map(|frozen| frozen.name.as_deref())
    }

    /// Brushed samples and how many of them the selection being built takes.
    pub fn brush_counts(&mut self) -> Option<(u64, Option<u64>)> {
        match self.focus.brush().clone() {
            Brush::Nothing => None,
            Brush::Clusters(brushed) => {
                let count = self.clusters().iter().filter(|c| brushed.contains(&c.cluster)).map(|c| c.samples).sum();
                let taken = self.build.selection.as_ref().map(|selection| {
                    let rows = selection.ledger.iter().filter(|row| brushed.contains(&row.cluster));
                    rows.map(|row| row.pinned + row.taken + row.refilled).sum()
                });
                let in_samples = self.build.selection.as_ref().is_some_and(|selection| selection.unit == "samples");
                Some((count, taken.filter(|_| in_samples)))
            }
            Brush::Rows(_) => self.box_stats().map(|stats| (stats.samples, stats.taken)),
        }
    }

    /// Counts and mean damage of brushed rows; none where the brush is no box.
    pub fn box_stats(&mut self) -> Option<Rc<BoxStats>> {
        let Brush::Rows(rows) = self.focus.brush().clone() else { return None };
        let (jsd, clusters, reasons) = (self.numbers("jsd"), self.row_clusters(), self.reasons());
        let column = |name: &str| self.column_info(name).map(|column| column.key.clone());
        let taken = self.build.selection.as_ref().map(|selection| selection.reason_column.clone());
        let key = BoxKey {
            brush: self.focus.version,
            columns: [
                column("jsd").filter(|_| jsd.is_some()),
                column("cluster").filter(|_| clusters.is_some()),
                taken.filter(|_| reasons.is_some()),
            ],
        };
        if let Some((made, stats)) = &self.box_stats
            && *made == key
        {
            return Some(stats.clone());
        }
        let mut stats =
            BoxStats { samples: rows.len() as u64, taken: reasons.as_ref().map(|_| 0), ..BoxStats::default() };
        let (mut sum, mut scored) = (0.0, 0_u64);
        let mut by_cluster: Vec<u64> = Vec::new();
        for row in rows.iter().map(|row| *row as usize) {
            if let Some(value) = jsd.as_ref().and_then(|jsd| jsd.get(row)).filter(|value| value.is_finite()) {
                sum += f64::from(*value);
                scored += 1;
            }
            match clusters.as_ref().and_then(|clusters| clusters.get(row)) {
                Some(&cluster) if cluster < MOST_CLUSTERS => {
                    let place = cluster as usize;
                    if by_cluster.len() <= place {
                        by_cluster.resize(place + 1, 0);
                    }
                    by_cluster[place] += 1;
                }
                Some(&cluster) => *stats.clusters.entry(cluster).or_default() += 1,
                None => {}
            }
            let code = reasons.as_ref().and_then(|reasons| reasons.get(row));
            let taken = code.and_then(|code| ReasonCode::from_byte(*code));
            if taken.is_some_and(ReasonCode::is_taken) {
                *stats.taken.get_or_insert(0) += 1;
            }
        }
        stats.clusters.extend((0..).zip(by_cluster).filter(|(_, count)| *count > 0));
        stats.damage = (scored > 0).then(|| sum / scored as f64);
        stats.scored = scored;
        let stats = Rc::new(stats);
        self.box_stats = Some((key, stats.clone()));
        Some(stats)
    }

    /// Shows a sample: the inspector and the table unfold on the first one.
    pub fn inspect(&mut self, row: u32) {
        self.focus.inspected = Some(row);
        self.panels.inspector = true;
        self.layouts.bring_to_front(self.screen, Pane::Inspector);
        self.data.tokens_again(row);
    }

    /// Another plan: quotas are worked out here at once, the engine is asked after a rest.
    pub fn set_plan(&mut self, plan: SelectionPlan) {
        if plan != self.build.plan {
            let entries = self.project.as_ref().map_or(0, |project| project.curation.entries);
            self.history.plan_changes(&self.build.plan, entries);
            self.put_plan(plan);
        }
    }

    /// As [`Self::set_plan`], without a step that could be taken back.
    pub fn put_plan(&mut self, plan: SelectionPlan) {
        self.build.plan = plan;
        self.tell_without_quotas();
        self.build.changed = Some(self.now);
        self.build.problem = None;
        let samples = self.samples();
        self.build.provisional = match self.is_scored() {
            true => crate::budget_math::provisional(self.clusters(), &self.build.plan, samples),
            false => None,
        };
    }
}
