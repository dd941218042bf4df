//! The window itself: one frame from what arrived, through the views, to what is sent. Owns the state, the way to the
//! engine, and what only drawing needs (the maps' pictures).

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::Arc};

use egui::{Rect, Ui, pos2};

use crate::{
    dialogs::{Dialog, safe},
    figures::Source,
    inbox::Message,
    map::gl::Gl,
    picture::{Format, Taken, View},
    saved::Saved,
    state::{AppState, Ask, For, Link, Screen},
    theme::{
        self,
        scripts::{Needed, Script},
    },
    transport::{Incoming, Transport},
    views::{self, compare::maps::SmallMaps, form::Form, map::MapView},
};
use paser_protocol::{DownloadView, Failure, Report, Request};

/// Seconds of rest after which a changed plan goes to the engine.
const PLAN_REST: f64 = 0.25;

/// What the page around the window can do.
#[derive(Clone, Default)]
pub struct Host {
    /// Milliseconds, for timing the graphics card; none where there is none.
    pub clock: Option<fn() -> f64>,
    /// Seconds since 1970.
    pub wall: Option<fn() -> u64>,
    pub has_gl: bool,
    /// Draw points by WebGL without timing it first.
    pub force_gl: bool,
    /// The system asks for less motion.
    pub less_motion: bool,
    /// Every frame begins in the colour of the lines between panes: without a graphics card each layer of ground costs.
    pub cleared: bool,
}

pub struct App {
    pub state: AppState,
    transport: Rc<dyn Transport>,
    inbox: Rc<RefCell<Vec<Message>>>,
    map: MapView,
    small_maps: SmallMaps,
    welcome_map: MapView,
    host: Host,
    saved: Saved,
    /// Scripts that the window's own faces lack.
    needed: Needed,
    asked_fonts: BTreeSet<Script>,
    /// Of the fonts that have arrived.
    installed: usize,
    started: bool,
}

impl App {
    pub fn new(transport: Rc<dyn Transport>, host: Host, saved: Saved) -> Self {
        let mut state = AppState {
            has_dialogs: transport.has_dialogs(),
            attached: transport.has_own_engine(),
            less_motion: host.less_motion,
            ..AppState::default()
        };
        saved.restore(&mut state);
        let gl = host.has_gl.then(|| if host.force_gl { Gl::untimed() } else { Gl::default() });
        Self {
            state,
            transport,
            inbox: Rc::default(),
            map: MapView::new(gl, host.clock),
            small_maps: SmallMaps::default(),
            welcome_map: MapView::new(None, None),
            host,
            saved,
            needed: Needed::default(),
            asked_fonts: BTreeSet::new(),
            installed: 0,
            started: false,
        }
    }

    /// What should outlive the window.
    pub fn saved(&self, ctx: &egui::Context) -> Saved {
        let mut saved = Saved::of(&self.state, self.map.camera(), ctx.zoom_factor());
        if saved.project.is_none() && self.state.opening.is_some() {
            saved.project = self.saved.project.clone();
        }
        saved
    }

    pub fn camera(&self) -> crate::map::Camera {
        self.map.camera()
    }

    fn start(&mut self, ctx: &egui::Context) {
        self.started = true;
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        ctx.add_font_provider(Arc::new(self.needed.clone()));
        if let Some(scale) = self.saved.scale {
            ctx.set_zoom_factor(scale.clamp(0.5, 3.0));
        }
        let (inbox, repaint) = (self.inbox.clone(), ctx.clone());
        self.transport.events(Rc::new(move |incoming: Incoming| {
            inbox.borrow_mut().push(Message::Incoming(incoming));
            repaint.request_repaint();
        }));
        self.state.ask(Request::Hello, For::Hello);
        self.send(ctx);
    }

    /// One frame, into the whole of `ui`.
    pub fn ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        if !self.started {
            self.start(&ctx);
        }
        self.state.now = ctx.input(|input| input.time);
        self.state.wall = self.host.wall.map_or(0, |wall| wall());
        self.state.toasts.wall = self.state.wall;
        self.state.rects.clear();
        ctx.set_theme(self.state.mode.preference());
        self.state.dark = ctx.theme() == egui::Theme::Dark;
        self.state.wide = ctx.content_rect().width() >= views::explore::WIDE;
        self.state.width = ctx.content_rect().width();
        self.receive();
        self.drop_files(&ctx);
        views::shortcuts::read(&mut self.state, &ctx);
        self.run_commands(&ctx);
        self.rest(&ctx);

        self.page(ui);
        views::show_dialog(&ctx, &mut self.state);
        self.save_downloads(&ctx);
        let now = self.state.now;
        let aside = self.state.dialog.is_some();
        // Above what can be pressed at the foot of each screen. Under a dialog that is nothing, and its foot stays free.
        let bottom = match self.state.screen {
            _ if aside => 8.0,
            Screen::Explore => 126.0,
            Screen::Compare | Screen::Recover => 80.0,
            Screen::NewProject => 84.0,
            Screen::Welcome => 34.0,
        };
        self.state.toasts.show(&ctx, now, bottom, aside);
        if let Some(undo) = self.state.toasts.undo_at {
            self.state.note("toast:undo", undo);
        }
        if let Some((entries, what)) = self.state.toasts.undone.take() {
            self.state.take_back(&entries, &what);
        }

        self.state.writing = ctx.text_edit_focused();
        if self.state.focus.turn() {
            ctx.request_repaint();
        }
        self.run_commands(&ctx);
        if let Some((view, format)) = self.state.save_view.take() {
            self.save_view(&ctx, view, format);
        }
        self.fetch_fonts(&ctx);
        self.state.ask_for_comparison();
        if let Some(again) = self.state.ask_for_recovery() {
            ctx.request_repaint_after_secs(again as f32);
        }
        self.state.ask_for_data();
        self.send(&ctx);
    }

    /// The screen, without what lies over it.
    fn page(&mut self, ui: &mut Ui) {
        let whole = ui.ctx().content_rect();
        let mut page = ui.new_child(egui::UiBuilder::new().max_rect(whole));
        let ui = &mut page;
        ui.set_clip_rect(whole);
        ui.spacing_mut().item_spacing = egui::Vec2::ZERO;
        if !self.host.cleared {
            ui.painter().rect_filled(whole, 0.0, crate::widgets::look(ui).line);
        }
        // Set again by the map that has one.
        (self.state.drawing, self.state.dragging_pane) = (false, false);
        match self.state.screen {
            Screen::Welcome => views::welcome::show(ui, whole, &mut self.state, &mut self.welcome_map),
            Screen::NewProject => views::new_project::show(ui, whole, &mut self.state),
            Screen::Explore => views::explore::show(ui, whole, &mut self.state, &mut self.map),
            Screen::Compare => {
                views::compare::show(ui, whole, &mut self.state, &mut self.map, &mut self.small_maps);
            }
            Screen::Recover => views::recover::show(ui, whole, &mut self.state, &mut self.map),
        }
    }

    /// What a view shows, as a file for the person.
    fn save_view(&mut self, ctx: &egui::Context, view: View, format: Format) {
        let project = self.state.project.as_ref().map(|project| project.name.clone()).unwrap_or_default();
        let name = format!("{}.{}", safe(&format!("{project} {}", view.name())), format.ending());
        let bytes = match format {
            Format::Png | Format::Fine => self.picture(ctx, view, format).and_then(|taken| taken.png()),
            Format::Svg => self.picture(ctx, view, format).and_then(|taken| taken.svg()).map(String::into_bytes),
            Format::Csv => match self.state.numbers_of(view) {
                Some(Source::Engine(request)) => return self.state.ask(request, For::Table(name)),
                Some(Source::Here(table)) => Ok(table.to_csv(&project, &self.state.shown_words(view)).into_bytes()),
                None => Err("its numbers have not arrived".to_owned()),
            },
        };
        match bytes {
            Ok(bytes) => self.hand_over(ctx, name, &bytes),
            Err(why) => self.state.toasts.report(&Report::new(
                Failure::Failed,
                format!("The {} was not saved: {why}.", view.name()),
                "Wait until it is drawn, then save it again.",
            )),
        }
    }

    /// The view as it is on screen, drawn once more.
    fn picture(&mut self, ctx: &egui::Context, view: View, format: Format) -> Result<Taken, String> {
        let place = self.state.rects.get(view.place()).copied();
        let body = place.filter(|body| body.is_positive()).ok_or("it is not on screen")?;
        let (rects, caption) = (self.state.rects.clone(), self.state.caption(view));
        self.state.for_file = true;
        let mut scenes = Vec::new();
        let mut taken = None;
        // Each map is lent out for as long as the others are drawn with it.
        let mut small = std::mem::take(&mut self.small_maps);
        let mut map = std::mem::replace(&mut self.map, MapView::new(None, None));
        let of_small = small.drawn_apart(|small| {
            let of_map = map.drawn_apart(|map| {
                std::mem::swap(&mut self.small_maps, small);
                std::mem::swap(&mut self.map, map);
                let fonts = self.state.fonts.clone();
                taken = Some(crate::picture::take(ctx, (body, format.scale()), caption, &fonts, |ui| self.page(ui)));
                std::mem::swap(&mut self.small_maps, small);
                std::mem::swap(&mut self.map, map);
            });
            scenes.extend(of_map);
        });
        scenes.extend(of_small);
        (self.small_maps, self.map) = (small, map);
        self.state.rects = rects;
        self.state.for_file = false;
        let mut taken = taken.ok_or("it was not drawn")?;
        taken.scenes = scenes;
        Ok(taken)
    }

    fn hand_over(&self, ctx: &egui::Context, name: String, bytes: &[u8]) {
        let (inbox, repaint) = (self.inbox.clone(), ctx.clone());
        let told = name.clone();
        self.transport.save(
            &name,
            bytes,
            Box::new(move |saved| {
                inbox.borrow_mut().push(Message::Saved(told, saved));
                repaint.request_repaint();
            }),
        );
    }

    /// Fonts for letters that were drawn without one: asked for, and put to use once they are here.
    fn fetch_fonts(&mut self, ctx: &egui::Context) {
        for font in self.state.fonts.iter().skip(self.installed) {
            theme::scripts::install(ctx, font);
        }
        self.installed = self.state.fonts.len();
        for script in self.needed.take() {
            if !self.asked_fonts.insert(script) {
                continue;
            }
            let (inbox, repaint) = (self.inbox.clone(), ctx.clone());
            self.transport.font(
                script,
                Box::new(move |bytes| {
                    inbox.borrow_mut().push(Message::Font(script, bytes));
                    repaint.request_repaint();
                }),
            );
        }
    }

    fn receive(&mut self) {
        let messages = std::mem::take(&mut *self.inbox.borrow_mut());
        let greeted = self.state.hello.is_some();
        for message in messages {
            self.state.receive(message);
        }
        if self.state.fresh_project {
            self.state.fresh_project = false;
            self.map.reset();
            let path = self.state.project.as_ref().map(|project| project.path.clone()).unwrap_or_default();
            if let Some(camera) = self.saved.restore_project(&mut self.state, &path) {
                self.map.set_camera(camera);
            }
        }
        if !greeted && self.state.hello.is_some() {
            self.reopen();
        }
    }

    /// Starts where one left: the project that was open when the window closed.
    fn reopen(&mut self) {
        if self.state.opening.is_some() || !self.saved.screen.is_work_place() {
            return;
        }
        // Another project was asked for, and what kept it from opening stands on the screen.
        if self.state.hello.as_ref().is_some_and(|hello| hello.trouble.is_some()) {
            return;
        }
        if let Some(path) = self.saved.project.clone().filter(|path| !path.is_empty()) {
            self.state.open_project(path);
        }
    }

    /// Files dropped on a page have no path: say what to do instead. The desktop shell sends paths by itself.
    fn drop_files(&mut self, ctx: &egui::Context) {
        let Some(file) = ctx.input(|input| input.raw.dropped_files.first().cloned()) else { return };
        let name = file.path().display().to_string();
        let advice = "Type its path on the engine's machine, or drop it on the desktop program.";
        self.state.toasts.report(&Report::new(
            Failure::Usage,
            format!("A browser does not tell where {name} lies."),
            advice,
        ));
    }

    fn run_commands(&mut self, ctx: &egui::Context) {
        let asks = std::mem::take(&mut self.state.outbox);
        for ask in asks {
            match ask {
                Ask::Command(command) => self.state.execute(command, ctx),
                other => self.state.outbox.push(other),
            }
        }
    }

    /// A changed plan goes to the engine once it rests.
    fn rest(&mut self, ctx: &egui::Context) {
        if let Some(changed) = self.state.build.changed {
            let rested = self.state.now - changed;
            if rested >= PLAN_REST && !self.state.dragging_budget {
                self.state.select_now();
            } else {
                ctx.request_repaint_after_secs((PLAN_REST - rested).clamp(0.02, PLAN_REST) as f32);
            }
        }
        if let Some(delay) = self.state.form.rest(self.state.now) {
            ctx.request_repaint_after_secs(delay);
        }
        // Without a link everything is asked for once it is back.
        if self.state.link != Link::Lost
            && let Some(delay) = self.state.data.try_again(self.state.now)
        {
            ctx.request_repaint_after_secs(delay as f32 + 0.01);
        }
        views::new_project::ask(&mut self.state);
    }

    fn send(&mut self, ctx: &egui::Context) {
        for ask in std::mem::take(&mut self.state.outbox) {
            let (inbox, repaint) = (self.inbox.clone(), ctx.clone());
            match ask {
                Ask::Command(command) => self.state.outbox.push(Ask::Command(command)),
                Ask::Request(request, what) => self.transport.request(
                    request,
                    Box::new(move |reply| {
                        inbox.borrow_mut().push(Message::Reply(what, reply.map(Box::new)));
                        repaint.request_repaint();
                    }),
                ),
                Ask::TurnToOwnEngine => self.transport.turn_to_own_engine(),
                Ask::Pick(kind, what) => self.transport.pick(
                    kind,
                    Box::new(move |path| {
                        inbox.borrow_mut().push(Message::Picked(what, path));
                        repaint.request_repaint();
                    }),
                ),
            }
        }
        for (key, shape) in std::mem::take(&mut self.state.data.wanted_columns) {
            let (inbox, repaint, name) = (self.inbox.clone(), ctx.clone(), key.clone());
            self.transport.column(
                &key,
                Box::new(move |bytes| {
                    inbox.borrow_mut().push(Message::Column(name, shape, bytes));
                    repaint.request_repaint();
                }),
            );
        }
    }

    fn save_downloads(&mut self, ctx: &egui::Context) {
        let of_dialog = match &mut self.state.dialog {
            Some(Dialog::Export(form)) => form.download.take(),
            _ => None,
        };
        for DownloadView { name, key } in of_dialog.into_iter().chain(self.state.download.take()) {
            let (transport, inbox, repaint) = (self.transport.clone(), self.inbox.clone(), ctx.clone());
            self.transport.column(
                &key,
                Box::new(move |bytes| match bytes {
                    Ok(bytes) => {
                        let told = name.clone();
                        let done = move |saved| {
                            inbox.borrow_mut().push(Message::Saved(told, saved));
                            repaint.request_repaint();
                        };
                        transport.save(&name, &bytes, Box::new(done));
                    }
                    Err(report) => {
                        inbox.borrow_mut().push(Message::Reply(For::Export(name), Err(report)));
                        repaint.request_repaint();
                    }
                }),
            );
        }
    }

    /// What tests in a browser read: screen, project, counts, and where named widgets are.
    pub fn summary(&self, ctx: &egui::Context) -> serde_json::Value {
        let state = &self.state;
        let corners = |rect: &Rect| [rect.min.x, rect.min.y, rect.max.x, rect.max.y];
        let rects: serde_json::Map<String, serde_json::Value> =
            state.rects.iter().map(|(name, rect)| (name.clone(), serde_json::json!(corners(rect)))).collect();
        let project = state.project.as_ref().map(|project| {
            serde_json::json!({
                "name": project.name,
                "path": project.path,
                "demo": project.demo,
                "revision": project.revision,
                "samples": project.pool.samples,
                "clusters": project.clusters.len(),
                "pinned": project.curation.pinned,
                "excluded": project.curation.excluded,
                "hidden": project.curation.hidden,
                "tags": project.curation.tags.iter().map(|tag| (&tag.tag, tag.rows.len())).collect::<Vec<_>>(),
                "cluster_names": project.clusters.iter().map(|cluster| &cluster.name).collect::<Vec<_>>(),
                "journal": project.curation.entries,
                "selections": project.selections.iter().map(|selection| selection.name.clone()).collect::<Vec<_>>(),
                "job": project.job,
            })
        });
        let selection = state.build.selection.as_ref().map(|selection| {
            serde_json::json!({
                "selected": selection.selected,
                "budget": selection.budget,
                "unit": selection.unit,
                "tokens": selection.tokens,
                "quotas": selection.ledger.iter().map(|row| row.quota).collect::<Vec<_>>(),
            })
        });
        let brushed: Vec<u32> = match state.focus.brush() {
            crate::state::Brush::Clusters(clusters) => clusters.iter().copied().collect(),
            _ => Vec::new(),
        };
        let camera = self.map.camera();
        let toasts: Vec<serde_json::Value> = state
            .toasts
            .iter()
            .map(|toast| {
                serde_json::json!({
                    "what": toast.what,
                    "advice": toast.advice,
                    "failed": toast.failed,
                    "cut": toast.cut,
                })
            })
            .collect();
        let form: serde_json::Map<String, serde_json::Value> = Form::FIELDS
            .iter()
            .map(|&field| {
                let remarks = serde_json::json!(state.form.remarks(field));
                let waiting = state.form.is_waiting(field);
                (field.name().to_owned(), serde_json::json!({ "remarks": remarks, "waiting": waiting }))
            })
            .collect();
        let palette = match &state.dialog {
            Some(Dialog::Palette { typed, .. }) => Some(typed),
            _ => None,
        };
        serde_json::json!({
            "screen": state.screen.name(),
            "link": format!("{:?}", state.link),
            "attached": state.attached,
            "opening": state.opening,
            "project": project,
            "selection": selection,
            "plan": state.build.plan,
            "provisional": state.build.provisional.as_ref().map(|provisional| provisional.total),
            "waiting": state.build.waiting || state.build.changed.is_some(),
            "brushed_clusters": brushed,
            "brushed_rows": match state.focus.brush() {
                crate::state::Brush::Rows(rows) => rows.len(),
                _ => 0,
            },
            "inspected": state.focus.inspected,
            "hovered": state.focus.hovered,
            "compared": state.compare.names,
            "comparison": state.compare.view.as_deref(),
            "table_rows": state.table.count(),
            "camera": { "centre": camera.centre, "scale": camera.scale, "fitted": camera.fitted },
            "colour": state.colour,
            "dialog": state.dialog.as_ref().map(|dialog| format!("{dialog:?}").split([' ', '(']).next().unwrap_or("").to_owned()),
            "palette": palette,
            "toasts": toasts,
            "last_run": state.last_run.as_ref().map(|(end, text)| {
                serde_json::json!({ "text": text, "end": format!("{end:?}") })
            }),
            "form": form,
            "dark": ctx.theme() == egui::Theme::Dark,
            "pixels_per_point": ctx.pixels_per_point(),
            "painter": self.map.painter(),
            "map_points": self.map.count(),
            "thinned": self.map.shown().map(|shown| [shown.drawn, shown.of]),
            "rects": rects,
        })
    }
}

/// Prepares a context: faces and both themes.
pub fn prepare(ctx: &egui::Context) {
    theme::apply(ctx);
}

/// The bottom strip of every screen.
pub(crate) fn split_bottom(rect: Rect, height: f32) -> (Rect, Rect) {
    let y = rect.bottom() - height;
    (Rect::from_min_max(rect.min, pos2(rect.right(), y - 1.0)), Rect::from_min_max(pos2(rect.left(), y), rect.max))
}
