//! The contents of the project as a tree: pool, clusters, selections, models. Open by itself on wide screens.

use egui::{Align2, Popup, Rect, Response, Sense, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{ClusterView, EditSource, PoolView, ProjectView, SelectionView, TagView};

use super::compare::menu;
use crate::{
    command::Command,
    dialogs::Dialog,
    format,
    state::{AppState, Brush, ColourBy},
    theme::{self, icons},
    widgets::{Words, button::icon_button_sized, column, look, pane::pane, row},
};

const ROW: f32 = 24.0;

enum Mark {
    Icon(char),
    Swatch(egui::Color32),
}

/// One line of the tree.
struct Leaf<'a> {
    mark: Mark,
    text: &'a str,
    right: String,
    /// It is what the other views show.
    on: bool,
    /// The pointer is on it in another view.
    pointed: bool,
    /// Room at its right end that is not its own.
    margin: f32,
}

impl<'a> Leaf<'a> {
    fn new(mark: Mark, text: &'a str, right: String) -> Self {
        Self { mark, text, right, on: false, pointed: false, margin: 0.0 }
    }
}

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let (body, _) = pane(ui, rect, icons::LIST_BULLETS, "Contents", look.panel);
    state.note("pane:contents", rect);
    let Some(project) = state.project.clone() else { return };
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("contents").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            ui.add_space(4.0);
            pool(ui, state, &project.pool);
            reports(ui, state, project.curation.entries);
            clusters(ui, state, &project.clusters);
            tags(ui, state, &project.curation.tags);
            selections(ui, state, &project.selections);
            models(ui, &project);
        });
    });
}

fn pool(ui: &mut Ui, state: &mut AppState, pool: &PoolView) {
    head(ui, "Pool", pool.samples);
    let file = pool.path.rsplit(['/', '\\']).next().unwrap_or(&pool.path);
    let mut all = Leaf::new(Mark::Icon(icons::FILE_TEXT), file, format::count(pool.rows));
    all.on = *state.focus.brush() == Brush::Nothing && state.panels.table;
    let response = leaf(ui, all);
    state.note("contents:pool", response.rect);
    if response.on_hover_text(format!("{}: show every sample", pool.path)).clicked() {
        state.focus.set_brush(Brush::Nothing);
        state.show_table();
    }
    if pool.bad > 0 {
        let bad = Leaf::new(Mark::Icon(icons::WARNING), "rows not read", format::count(pool.bad));
        if leaf(ui, bad).clicked() {
            state.dialog = Some(Dialog::BadRows);
        }
    }
}

/// Lines that open what there is to read about the pool.
fn reports(ui: &mut Ui, state: &mut AppState, edits: u64) {
    for (command, icon, words, right) in [
        (Command::Models, icons::CUBE, "models, layer by layer", String::new()),
        (Command::Checks, icons::COPY, "duplicates, leakage", String::new()),
        (Command::Journal, icons::CLOCK_COUNTER_CLOCKWISE, "journal of edits", format::count(edits)),
    ] {
        let response = leaf(ui, Leaf::new(Mark::Icon(icon), words, right));
        state.note(format!("contents:{command:?}"), response.rect);
        if response.on_hover_text(command.hint()).clicked() {
            state.run(command);
        }
    }
}

fn clusters(ui: &mut Ui, state: &mut AppState, clusters: &[ClusterView]) {
    let look = look(ui);
    head(ui, "Clusters", clusters.len() as u64);
    let mut sorted: Vec<&ClusterView> = clusters.iter().collect();
    sorted.sort_by(|a, b| b.cds.unwrap_or(-1.0).total_cmp(&a.cds.unwrap_or(-1.0)).then(a.cluster.cmp(&b.cluster)));
    let pointed = state.pointed_cluster();
    for cluster in sorted {
        let mark = Mark::Swatch(look.cluster(cluster.colour));
        let mut line = Leaf::new(mark, &cluster.name, format::count(cluster.samples));
        line.on = matches!(state.focus.brush(), Brush::Clusters(brushed) if brushed.contains(&cluster.cluster));
        line.pointed = pointed == Some(cluster.cluster);
        let response = leaf(ui, line);
        state.note(format!("contents:{}", cluster.cluster), response.rect);
        if response.hovered() {
            state.focus.next_hovered_cluster = Some(cluster.cluster);
        }
        super::click_cluster(ui, &response, state, cluster.cluster);
    }
}

/// What a person tagged; a click brushes the samples of a tag.
fn tags(ui: &mut Ui, state: &mut AppState, tags: &[TagView]) {
    if tags.is_empty() {
        return;
    }
    head(ui, "Tags", tags.len() as u64);
    for tag in tags {
        let mut line = Leaf::new(Mark::Icon(icons::TAG), &tag.tag, format::count(tag.rows.len() as u64));
        line.on = matches!(state.focus.brush(), Brush::Rows(rows) if **rows == tag.rows);
        let response = leaf(ui, line);
        state.note(format!("contents:tag:{}", tag.tag), response.rect);
        if response.on_hover_text("Brush the samples with this tag").clicked() {
            let source = EditSource::Filter { text: format!("tag = \"{}\"", tag.tag) };
            state.focus.set_rows(tag.rows.clone(), Some(source));
            state.panels.table = true;
        }
    }
}

fn selections(ui: &mut Ui, state: &mut AppState, frozen: &[SelectionView]) {
    let look = look(ui);
    head(ui, "Selections", frozen.len() as u64 + u64::from(state.build.selection.is_some()));
    if let Some(selection) = &state.build.selection {
        let name = format!("{}, being built", selection.plan.strategy.name());
        let mut line = Leaf::new(Mark::Swatch(look.a), &name, format::count(selection.selected));
        line.on = state.colour == ColourBy::Taken;
        let response = leaf(ui, line);
        state.note("contents:built", response.rect);
        if response.on_hover_text("Show on the map what is taken").clicked() {
            state.colour = if state.colour == ColourBy::Taken { ColourBy::Cluster } else { ColourBy::Taken };
        }
    }
    for selection in frozen {
        let Some(name) = &selection.name else { continue };
        let mut line = Leaf::new(Mark::Icon(icons::LOCK_SIMPLE), name, format::count(selection.selected));
        line.margin = 20.0;
        let response = leaf(ui, line);
        state.note(format!("frozen:{name}"), response.rect);
        let response = response.on_hover_text("Show it beside others, in Compare");
        if response.clicked() {
            if state.compare.place(name).is_none() {
                state.compare.toggle(name);
            }
            state.run(Command::ShowCompare);
        }
        let more = Rect::from_center_size(response.rect.right_center() - Vec2::new(14.0, 0.0), Vec2::splat(20.0));
        let more = row(ui, more, 0.0, |ui| {
            icon_button_sized(ui, icons::DOTS_THREE, &format!("What to do with {name}"), false, None, Vec2::splat(20.0))
        });
        state.note(format!("more:{name}"), more.rect);
        Popup::menu(&more).accessible_name("Frozen selection").show(|ui| menu(ui, state, selection, name));
        Popup::context_menu(&response).accessible_name("Frozen selection").show(|ui| menu(ui, state, selection, name));
    }
}

/// What the project was made from: to read, with nothing behind it.
fn models(ui: &mut Ui, project: &ProjectView) {
    let named: Vec<_> = [
        (icons::CUBE, "dense", &project.dense, &project.dense),
        (icons::SCISSORS, "pruned", &project.pruning, &project.pruned),
    ]
    .into_iter()
    .filter(|(.., path)| !path.is_empty())
    .collect();
    head(ui, "Models", named.len() as u64);
    for (icon, part, words, path) in named {
        let words = if words.is_empty() { path } else { words };
        let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
        let text = format!("{part}: {words}");
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
        draw(ui, rect, &Leaf::new(Mark::Icon(icon), &text, String::new()));
        response.on_hover_text(path);
    }
}

fn head(ui: &mut Ui, text: &str, count: u64) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    ui.painter().text(
        pos2(rect.left() + 16.0, rect.center().y),
        Align2::CENTER_CENTER,
        icons::CARET_DOWN,
        theme::icon(12.0),
        look.text_3,
    );
    Words::of(look).t(text).at(ui, pos2(rect.left() + 28.0, rect.center().y), Align2::LEFT_CENTER, 140.0);
    Words::of(look).num3(format::count(count)).paint(
        ui,
        pos2(rect.right() - 10.0, rect.center().y),
        Align2::RIGHT_CENTER,
        80.0,
    );
}

fn leaf(ui: &mut Ui, leaf: Leaf<'_>) -> Response {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::TreeItem, true, leaf.on, leaf.text));
    if leaf.on {
        ui.painter().rect_filled(rect, 0.0, look.overlay);
    } else if response.hovered() || leaf.pointed {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    draw(ui, rect, &leaf);
    if response.has_focus() {
        let ring = egui::Stroke::new(2.0, look.accent);
        ui.painter().rect_stroke(rect.shrink(1.0), 0.0, ring, egui::StrokeKind::Inside);
    }
    response
}

fn draw(ui: &Ui, rect: Rect, leaf: &Leaf<'_>) {
    let look = look(ui);
    let centre = pos2(rect.left() + 30.0, rect.center().y);
    match leaf.mark {
        Mark::Icon(icon) => {
            ui.painter().text(centre, Align2::CENTER_CENTER, icon, theme::icon(13.0), look.text_2);
        }
        Mark::Swatch(colour) => {
            ui.painter().rect_filled(Rect::from_center_size(centre, Vec2::splat(9.0)), 2.0, colour);
        }
    }
    let right = pos2(rect.right() - 10.0 - leaf.margin, rect.center().y);
    let number = Words::of(look).num3(&leaf.right).paint(ui, right, Align2::RIGHT_CENTER, 90.0);
    let room = number.left() - rect.left() - 48.0;
    let left = pos2(rect.left() + 42.0, rect.center().y);
    Words::of(look).t(leaf.text).paint(ui, left, Align2::LEFT_CENTER, room);
}
