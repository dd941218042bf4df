//! Carries commands out. The only place where a command turns into requests and changes of the state.

use std::rc::Rc;

use paser_protocol::{Edit, EditKind, EditSource, Part, Request, SelectionPlan, Stage, Strategy};

use crate::{
    command::Command,
    dialogs::{
        Action, AddStrategy, ArmsForm, Dialog, EditSamples, ExportForm, ModelsForm, ReadRunForm, RecoverForm,
        ReportForm, SettingsForm, safe,
    },
    history::{Rearranged, Step},
    layout::{Arrangement, Pane},
    recovery::{Axis, Outcome},
    recovery_tables,
    state::{AppState, Ask, Brush, ColourBy, For, LeftTab, MapOrder, Panels, PickFor, Screen, Tool},
    told::Did,
    transport::PickKind,
    views::passes,
};

pub(crate) const SCALES: [f32; 7] = [0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0];

impl AppState {
    /// Carries out a command that is enabled; others do nothing.
    pub(crate) fn execute(&mut self, command: Command, ctx: &egui::Context) {
        if command.enabled(self).is_err() {
            return;
        }
        match command {
            Command::OpenDemo => {
                self.toasts.clear_failures();
                self.opening = Some("the demo".to_owned());
                self.ask(Request::OpenDemo { fresh: false }, For::Open);
            }
            Command::DemoAgain => self.ask(Request::OpenDemo { fresh: true }, For::Done),
            Command::NewProject => {
                self.dialog = None;
                self.screen = Screen::NewProject;
            }
            Command::OpenProject => {
                if self.has_dialogs {
                    self.outbox.push(Ask::Pick(PickKind::Project, PickFor::OpenProject));
                } else {
                    self.dialog = Some(Dialog::OpenProject { path: String::new() });
                }
            }
            Command::CloseProject => {
                let job = self.project.as_ref().and_then(|project| project.job.as_ref());
                match job.map(|job| job.lasting) {
                    Some(true) => self.dialog = Some(Dialog::CloseProject),
                    Some(false) => self.close_project(false),
                    None => self.close_project(true),
                }
            }
            Command::Run => {
                self.toasts.clear_failures();
                self.ask(Request::Run { until: Stage::Select, memory: None }, For::Done);
            }
            Command::CancelJob => {
                if let Some(job) = self.project.as_mut().and_then(|project| Rc::make_mut(project).job.as_mut()) {
                    job.cancelling = true;
                }
                self.ask(Request::Cancel, For::Done);
            }
            Command::PauseJob => {
                if let Some(job) = self.project.as_mut().and_then(|project| Rc::make_mut(project).job.as_mut()) {
                    job.cancelling = true;
                }
                self.ask(Request::Pause, For::Done);
            }
            Command::ResumeJob => {
                self.toasts.clear_failures();
                self.ask(Request::Resume, For::Done);
            }
            Command::OpenHere => self.outbox.push(Ask::TurnToOwnEngine),
            Command::JobDetails => self.panels.job = !self.panels.job,
            Command::Undo | Command::Redo => self.step_history(command == Command::Undo),
            Command::Pin | Command::Exclude | Command::Release => {
                let rows = self.focus.inspected.into_iter().collect();
                self.curate(edit_of(command, rows));
            }
            Command::BrushPin | Command::BrushExclude | Command::BrushRelease => {
                let rows = self.acting_rows();
                if !rows.is_empty() {
                    let source = self.acting_source();
                    self.curate(Edit { source, ..edit_of(command, rows) });
                }
            }
            Command::EditSamples => {
                let brushed = self.acting_rows();
                let (rows, source) = match (brushed.is_empty(), self.focus.inspected) {
                    (true, Some(row)) => (vec![row], None),
                    _ => (brushed, self.acting_source()),
                };
                if !rows.is_empty() {
                    self.edit_samples(rows, source, Action::default());
                }
            }
            Command::ShowHidden => {
                let hidden = self.project.as_ref().map(|project| project.curation.hidden.clone()).unwrap_or_default();
                self.edit_samples(hidden, None, Action::Show);
            }
            Command::Models => self.dialog = Some(Dialog::Models(ModelsForm::default())),
            Command::Checks => self.dialog = Some(Dialog::Checks { typed: String::new() }),
            Command::Stability => self.dialog = Some(Dialog::Stability { chosen: None }),
            Command::Journal => self.dialog = Some(Dialog::Journal { typed: String::new() }),
            Command::Back => self.back(),
            Command::Freeze => self.dialog = Some(Dialog::Freeze { name: self.free_name(&self.build.plan) }),
            Command::Export => self.dialog = Some(Dialog::Export(ExportForm::default())),
            Command::ShowExplore => self.screen = Screen::Explore,
            Command::ShowCompare => self.screen = Screen::Compare,
            Command::ShowRecover => self.screen = Screen::Recover,
            Command::AddArms => self.dialog = Some(Dialog::AddArms(ArmsForm::default())),
            Command::DefaultArms => self.dialog = Some(Dialog::AddArms(ArmsForm::paser_and_random(self))),
            Command::TrainCompared => self.dialog = Some(Dialog::AddArms(ArmsForm::compared(self))),
            Command::Train => {
                self.toasts.clear_failures();
                self.ask(Request::Train { arms: Vec::new(), memory: None }, For::Done);
            }
            Command::TrainPilots => self.ask(Request::TrainPilots, For::Done),
            Command::SweepRates => self.ask(Request::SweepRates, For::Done),
            Command::RecoverSettings => {
                if let Some(view) = self.recovery.view.clone() {
                    self.dialog = Some(Dialog::RecoverSettings(RecoverForm::of(&view.settings)));
                }
            }
            Command::ReadRun => self.dialog = Some(Dialog::ReadRun(ReadRunForm::default())),
            Command::CopyVerdict => {
                if let Some(verdict) = self.recovery.verdict.clone() {
                    ctx.copy_text(recovery_tables::markdown(&verdict));
                    let now = self.now;
                    self.toasts.say(now, "Copied the verdict's table", "");
                }
            }
            Command::ExportReport => self.dialog = Some(Dialog::RecoveryReport(ReportForm::default())),
            Command::ShowRatio => self.recovery.shown.outcome = Outcome::Ratio,
            Command::ShowBars => self.recovery.shown.outcome = Outcome::Bars,
            Command::ShowTime => self.recovery.shown.outcome = Outcome::Time,
            Command::ShowCost => self.recovery.shown.outcome = Outcome::Cost,
            Command::ShowPilots => self.recovery.shown.outcome = Outcome::Pilots,
            Command::ShowEvaluations => self.recovery.shown.outcome = Outcome::Evaluations,
            Command::NextAxis => {
                let place = Axis::ALL.iter().position(|axis| *axis == self.recovery.shown.axis).unwrap_or(0);
                self.recovery.shown.axis = Axis::ALL[(place + 1) % Axis::ALL.len()];
            }
            Command::LogX => self.recovery.shown.log_x = !self.recovery.shown.log_x,
            Command::LogY => self.recovery.shown.log_y = !self.recovery.shown.log_y,
            Command::ColourDamageLeft => self.colour = ColourBy::DamageLeft,
            Command::AddStrategy => {
                self.screen = Screen::Compare;
                let plan = self.plan_to_add();
                let (budget, name) = (plan.budget.to_string(), self.free_name(&plan));
                self.dialog = Some(Dialog::AddStrategy(AddStrategy { plan, budget, name, waiting: false }));
            }
            Command::Prepare => self.dialog = Some(passes::form(self, self.build.plan.strategy)),
            Command::ExportDifference => {
                let (Some(selection), others) = (self.compare.names.first().cloned(), &self.compare.names[1..]) else {
                    return;
                };
                let part = Part { within: Vec::new(), without: others.to_vec() };
                self.dialog =
                    Some(Dialog::Export(ExportForm { selection: Some(selection), part, ..ExportForm::default() }));
            }
            Command::SaveDifferences => {
                let names = self.compare.names.clone();
                // A relative path starts in the project's exports; a browser without a path saves it itself.
                let path = if self.has_dialogs {
                    format!("differences {}.csv", safe(&names.join(" - ")))
                } else {
                    String::new()
                };
                self.ask(Request::Differences { names, path }, For::Differences);
            }
            Command::Palette => {
                self.dialog = match self.dialog {
                    Some(Dialog::Palette { .. }) => None,
                    _ => Some(Dialog::Palette { typed: String::new(), chosen: 0 }),
                };
            }
            Command::Shortcuts => {
                self.dialog = match self.dialog {
                    Some(Dialog::Shortcuts) => None,
                    _ => Some(Dialog::Shortcuts),
                };
            }
            Command::Search => {
                self.show_table();
                self.table.focus_search = true;
            }
            Command::InsideWords => self.table.search_inside_words(),
            Command::NextRow => self.step_row(1),
            Command::PreviousRow => self.step_row(-1),
            Command::Fit => self.map_order = Some(MapOrder::Fit),
            Command::ZoomIn => self.map_order = Some(MapOrder::In),
            Command::ZoomOut => self.map_order = Some(MapOrder::Out),
            Command::ShowInspected => self.map_order = Some(MapOrder::ShowInspected),
            Command::ToolPoint => self.tool = Tool::Point,
            Command::ToolHand => self.tool = Tool::Hand,
            Command::ToolBox => self.tool = Tool::Box,
            Command::ToolLasso => self.tool = Tool::Lasso,
            Command::ColourCluster => self.colour = ColourBy::Cluster,
            Command::ColourDamage => self.colour = ColourBy::Damage,
            Command::ColourTaken => self.colour = ColourBy::Taken,
            Command::ToggleContents => self.fold(Pane::Contents),
            Command::ToggleDamage => self.fold(Pane::Damage),
            Command::ToggleTable => self.fold(Pane::Table),
            Command::ToggleInspector => self.fold(Pane::Inspector),
            Command::ToggleLedger => {
                let words = if self.panels.ledger { "ledger folded" } else { "ledger unfolded" };
                self.arrange_once(words, |state| state.panels.ledger = !state.panels.ledger);
            }
            Command::ShowDamage | Command::ShowSchemes | Command::ShowCurves => {
                self.panels.left = match command {
                    Command::ShowDamage => LeftTab::Damage,
                    Command::ShowSchemes => LeftTab::Schemes,
                    _ => LeftTab::Curves,
                };
                self.show_damage();
            }
            Command::Settings => {
                self.dialog = match self.dialog {
                    Some(Dialog::Settings(_)) => None,
                    _ => Some(Dialog::Settings(SettingsForm { fresh: true, ..SettingsForm::default() })),
                };
                self.settings = None;
                self.ask(Request::Settings, For::Settings);
            }
            Command::Messages => self.dialog = Some(Dialog::Messages),
            Command::ResetLayout => {
                self.arrange_once("layout reset", |state| {
                    state.panels = Panels::default();
                    state.layouts.reset(state.screen);
                });
                (self.compare.lower, self.compare.measure) = Default::default();
                self.map_order = Some(MapOrder::Fit);
            }
            Command::Theme => self.mode = self.mode.next(),
            Command::Larger => scale(ctx, 1),
            Command::Smaller => scale(ctx, -1),
            Command::ActualSize => ctx.set_zoom_factor(1.0),
        }
    }

    /// Opens the form for these rows.
    pub(crate) fn edit_samples(&mut self, rows: Vec<u32>, source: Option<EditSource>, action: Action) {
        let (tag, reason) = (String::new(), String::new());
        self.dialog = Some(Dialog::EditSamples(EditSamples { rows: Rc::new(rows), source, action, tag, reason }));
    }

    /// Back to the welcome page. A job at work goes on without the window, or stops.
    pub(crate) fn close_project(&mut self, go_on: bool) {
        self.project = None;
        self.toasts.clear_failures();
        self.screen = Screen::Welcome;
        self.dialog = None;
        self.closing = true;
        self.ask(Request::CloseProject { go_on }, For::Close);
    }

    fn arrangement(&self) -> Arrangement {
        Arrangement { panels: self.panels.clone(), layouts: self.layouts.clone() }
    }

    /// Changes the layout by a step that can be taken back; changes that follow belong to it until the layout rests.
    pub(crate) fn arrange(&mut self, words: &str, change: impl FnOnce(&mut Self)) {
        let before = self.arrangement();
        change(self);
        let (after, screen) = (self.arrangement(), self.screen);
        if before != after {
            let entries = self.project.as_ref().map_or(0, |project| project.curation.entries);
            self.history.layout_changes(Rearranged { words: words.to_owned(), screen, before, after }, entries);
        }
    }

    /// The same, where no drag goes on.
    fn arrange_once(&mut self, words: &str, change: impl FnOnce(&mut Self)) {
        self.history.layout_rests();
        self.arrange(words, change);
        self.history.layout_rests();
    }

    /// Folds a pane or unfolds it; one that stands behind another tab comes to the front.
    fn fold(&mut self, pane: Pane) {
        let open = self.is_behind(pane)
            || match pane {
                Pane::Contents => !self.contents_open(),
                Pane::Damage => !self.damage_shown(),
                Pane::Table => !self.panels.table,
                _ => !self.panels.inspector,
            };
        let words = format!("{} {}", pane.name().to_lowercase(), if open { "unfolded" } else { "folded" });
        self.arrange_once(&words, |state| {
            match pane {
                Pane::Contents => state.panels.contents = (open != state.wide).then_some(open),
                Pane::Damage if open => state.show_damage(),
                Pane::Damage => state.panels.damage = false,
                Pane::Table => state.panels.table = open,
                _ => state.panels.inspector = open,
            }
            if open {
                state.layouts.bring_to_front(state.screen, pane);
            }
        });
    }

    /// Takes the last step back, or brings back the one that was taken back last.
    fn step_history(&mut self, back: bool) {
        match if back { self.next_undo() } else { self.next_redo() } {
            Some(Step::Plan(_)) => {
                let plan = &self.build.plan;
                let plan = if back { self.history.undo_plan(plan) } else { self.history.redo_plan(plan) };
                if let Some(plan) = plan {
                    self.put_plan(plan);
                }
            }
            Some(Step::Layout(_)) => {
                let change = if back { self.history.undo_layout() } else { self.history.redo_layout() };
                if let Some(change) = change {
                    let (from, to) =
                        if back { (&change.after, &change.before) } else { (&change.before, &change.after) };
                    let mut now = self.arrangement();
                    now.turn(from, to);
                    (self.panels, self.layouts) = (now.panels, now.layouts);
                    self.screen = change.screen;
                }
            }
            Some(Step::Edit(what)) => {
                let (request, did) = if back { (Request::Undo, "Taken back") } else { (Request::Redo, "Made again") };
                let did = Did::Turned(format!("{did}: {what}"));
                self.ask_curation(request, Some(did));
            }
            None => {}
        }
    }

    /// One level at a time: dialog, region being drawn, box or cluster, sample, search. Messages have a button of their own.
    fn back(&mut self) {
        if self.dialog.take().is_some() {
            return;
        }
        if self.drawing {
            self.map_order = Some(MapOrder::ForgetRegion);
            return;
        }
        match self.screen {
            Screen::NewProject => {
                self.screen = if self.project.is_some() { Screen::Explore } else { Screen::Welcome };
            }
            Screen::Recover if self.recovery.shown.cursor.is_some() => self.set_cursor(None),
            Screen::Explore | Screen::Compare | Screen::Recover if *self.focus.brush() != Brush::Nothing => {
                self.focus.set_brush(Brush::Nothing);
            }
            Screen::Explore | Screen::Compare if self.focus.inspected.is_some() => self.focus.inspected = None,
            Screen::Explore if !self.table.search.is_empty() => self.table.search.clear(),
            _ => {}
        }
    }

    /// `paser 1`, or the next number that is free.
    pub(crate) fn free_name(&self, plan: &SelectionPlan) -> String {
        let strategy = plan.strategy.name();
        (1..).map(|number| format!("{strategy} {number}")).find(|name| !self.is_name_taken(name)).unwrap_or_default()
    }

    pub(crate) fn is_name_taken(&self, name: &str) -> bool {
        self.project
            .as_ref()
            .is_some_and(|project| project.selections.iter().any(|selection| selection.name.as_deref() == Some(name)))
    }

    /// What one would compare with next: the plan being built, or, where that is frozen already, random at its budget
    /// with the next seed.
    fn plan_to_add(&self) -> SelectionPlan {
        let plan = self.build.plan.clone();
        let frozen = self.project.iter().flat_map(|project| &project.selections);
        let frozen: Vec<&SelectionPlan> = frozen.map(|selection| &selection.plan).collect();
        if !frozen.contains(&&plan) {
            return plan;
        }
        let random = |seed| SelectionPlan { strategy: Strategy::Random, seed, ..plan.clone() };
        (0..).map(random).find(|plan| !frozen.contains(&plan)).unwrap_or(plan)
    }

    /// The next or previous row in the table's order.
    fn step_row(&mut self, step: i64) {
        let Some(rows) = self.table.rows(&mut self.data) else { return };
        let here = self.focus.inspected.and_then(|row| rows.iter().position(|other| *other == row));
        let next = match here {
            Some(here) => (here as i64 + step).clamp(0, rows.len() as i64 - 1),
            None => 0,
        };
        if let Some(row) = rows.get(next as usize) {
            self.inspect(*row);
            self.table.show_inspected = true;
        }
    }
}

fn edit_of(command: Command, rows: Vec<u32>) -> Edit {
    let what = match command {
        Command::Pin | Command::BrushPin => EditKind::Pin { rows },
        Command::Exclude | Command::BrushExclude => EditKind::Exclude { rows },
        _ => EditKind::Release { rows },
    };
    Edit::new(what, "")
}

/// To the next of the scales.
fn scale(ctx: &egui::Context, step: i32) {
    let now = ctx.zoom_factor();
    let place = SCALES.iter().position(|scale| *scale >= now - 0.01).unwrap_or(SCALES.len() - 1) as i32;
    let next = (place + step).clamp(0, SCALES.len() as i32 - 1);
    ctx.set_zoom_factor(SCALES[next as usize]);
}
