//! The contents of the project as a tree, on wide screens: pool, clusters, frozen selections, models.

use egui::{Align2, Rect, Sense, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};

use crate::{
    dialogs::{Dialog, ExportForm},
    format,
    state::{AppState, Brush},
    theme::{self, icons},
    widgets::{Words, column, look, pane::pane},
};

const ROW: f32 = 24.0;

enum Mark {
    Icon(char),
    Swatch(egui::Color32),
}

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let (body, _) = pane(ui, rect, icons::LIST_BULLETS, "Contents", look.panel);
    let Some(project) = state.project.as_deref().cloned() else { return };
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("contents").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            ui.add_space(4.0);
            head(ui, "Pool", project.pool.samples);
            let file = project.pool.path.rsplit(['/', '\\']).next().unwrap_or(&project.pool.path).to_owned();
            leaf(ui, Mark::Icon(icons::FILE_TEXT), &file, &format::count(project.pool.rows), false);
            if project.pool.bad > 0
                && leaf(ui, Mark::Icon(icons::WARNING), "rows not read", &format::count(project.pool.bad), false)
            {
                state.dialog = Some(Dialog::BadRows);
            }
            head(ui, "Clusters", project.clusters.len() as u64);
            let mut clusters = project.clusters.clone();
            clusters.sort_by(|a, b| {
                b.cds.unwrap_or(-1.0).total_cmp(&a.cds.unwrap_or(-1.0)).then(a.cluster.cmp(&b.cluster))
            });
            for cluster in clusters {
                let on = matches!(state.focus.brush(), Brush::Clusters(brushed) if brushed.contains(&cluster.cluster));
                let swatch = Mark::Swatch(look.cluster(cluster.colour));
                if leaf(ui, swatch, &cluster.name, &format::count(cluster.samples), on) {
                    let add = ui.input(|input| input.modifiers.shift);
                    state.focus.click_cluster(cluster.cluster, add);
                }
            }
            head(ui, "Selections", project.selections.len() as u64 + u64::from(state.build.selection.is_some()));
            if let Some(selection) = &state.build.selection {
                let name = format!("{}, being built", selection.plan.strategy.name());
                leaf(ui, Mark::Swatch(look.a), &name, &format::count(selection.selected), true);
            }
            for selection in &project.selections {
                let name = selection.name.clone().unwrap_or_default();
                if leaf(ui, Mark::Icon(icons::LOCK_SIMPLE), &name, &format::count(selection.selected), false) {
                    state.dialog = Some(Dialog::Export(ExportForm { selection: Some(name), ..ExportForm::default() }));
                }
            }
            head(ui, "Models", 2);
            leaf(ui, Mark::Icon(icons::CUBE), &format!("dense: {}", project.dense), "", false);
            leaf(ui, Mark::Icon(icons::SCISSORS), &format!("pruned: {}", project.pruning), "", false);
        });
    });
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

/// True when it was clicked.
fn leaf(ui: &mut Ui, mark: Mark, text: &str, right: &str, on: bool) -> bool {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::TreeItem, true, on, text));
    if on {
        ui.painter().rect_filled(rect, 0.0, look.overlay);
    } else if response.hovered() {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    let centre = pos2(rect.left() + 30.0, rect.center().y);
    match mark {
        Mark::Icon(icon) => {
            ui.painter().text(centre, Align2::CENTER_CENTER, icon, theme::icon(13.0), look.text_2);
        }
        Mark::Swatch(colour) => {
            ui.painter().rect_filled(Rect::from_center_size(centre, Vec2::splat(9.0)), 2.0, colour);
        }
    }
    let number =
        Words::of(look).num3(right).paint(ui, pos2(rect.right() - 10.0, rect.center().y), Align2::RIGHT_CENTER, 90.0);
    let room = number.left() - rect.left() - 48.0;
    Words::of(look).t(text).paint(ui, pos2(rect.left() + 42.0, rect.center().y), Align2::LEFT_CENTER, room);
    response.clicked()
}
