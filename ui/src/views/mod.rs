//! One file per view. A view reads the state, draws into a rectangle, and writes what it wants done into the outbox.

pub mod budget;
pub mod budget_settings;
pub mod checks;
pub mod close_project;
pub mod cluster;
pub mod cluster_menu;
pub mod compare;
pub mod contents;
pub mod continuations;
pub mod curves;
pub mod damage;
pub mod edit_samples;
pub mod explore;
pub mod export;
pub mod form;
pub mod inspector;
pub mod job_details;
pub mod jobs;
pub mod journal;
pub mod ledger;
pub mod map;
pub mod map_card;
pub mod map_head;
pub mod map_marks;
pub mod map_paint;
pub mod models;
pub mod neighbours;
pub mod new_project;
pub mod palette;
pub mod passes;
pub mod reading;
pub mod recover;
pub mod sample_menu;
pub mod save_menu;
pub mod schemes;
pub mod settings;
pub mod shortcuts;
pub mod stability;
pub mod table;
pub mod table_rows;
pub mod tiles;
pub mod tokens;
pub mod top_bar;
pub mod welcome;

use egui::{Align2, Area, Context, Id, Order, Rect, Response, Ui, Vec2};

use crate::{dialogs::Dialog, state::AppState, widgets};

/// Whatever lies over the screen.
pub fn show_dialog(ctx: &Context, state: &mut AppState) {
    let Some(dialog) = state.dialog.take() else {
        state.opened = None;
        return;
    };
    let (kind, texts) = (std::mem::discriminant(&dialog), dialog.texts());
    let opened = state.opened.take().filter(|(other, _)| *other == kind);
    if opened.is_none() {
        ctx.data_mut(|data| data.remove::<f32>(Id::unique(HEIGHT)));
    }
    let opened = opened.filter(|(_, texts)| !texts.is_empty()).unwrap_or_else(|| (kind, texts.clone()));
    ctx.data_mut(|data| data.insert_temp(Id::unique(TYPED), !texts.is_empty() && texts != opened.1));
    state.opened = Some(opened);
    let kept = match dialog {
        Dialog::Palette { typed, chosen } => palette::show(ctx, state, typed, chosen),
        Dialog::Shortcuts => shortcuts::sheet(ctx),
        Dialog::CloseProject => close_project::show(ctx, state),
        Dialog::Freeze { name } => export::freeze(ctx, state, name),
        Dialog::Stability { chosen } => stability::show(ctx, state, chosen),
        Dialog::Prepare(form) => passes::show(ctx, state, form),
        Dialog::AddStrategy(form) => compare::add_strategy(ctx, state, form),
        Dialog::EditSamples(form) => edit_samples::show(ctx, state, form),
        Dialog::Cluster(form) => cluster_menu::form(ctx, state, form),
        Dialog::Models(form) => models::show(ctx, state, form),
        Dialog::Checks { typed } => checks::show(ctx, state, typed),
        Dialog::Journal { typed } => journal::show(ctx, state, typed),
        Dialog::Rename { from, to } => export::rename(ctx, state, from, to),
        Dialog::Discard { name } => export::discard(ctx, state, name),
        Dialog::Export(form) => export::export(ctx, state, form),
        Dialog::OpenProject { path } => export::open_project(ctx, state, path),
        Dialog::Settings(form) => settings::show(ctx, state, form),
        Dialog::Messages => settings::messages(ctx, state),
        Dialog::BadRows => export::bad_rows(ctx, state),
        Dialog::Recipe => export::recipe(ctx, state),
        Dialog::AddArms(form) => recover::add_arm::show(ctx, state, form),
        Dialog::RemoveArm { name } => recover::files::remove(ctx, state, name),
        Dialog::ArmFile(form) => recover::files::arm_file(ctx, state, form),
        Dialog::ReadRun(form) => recover::files::read_run(ctx, state, form),
        Dialog::RecoveryReport(form) => recover::files::report(ctx, state, form),
        Dialog::RecoverSettings(form) => recover::settings::show(ctx, state, form),
    };
    // A command carried out inside may have opened another one.
    if state.dialog.is_none() {
        state.dialog = kept;
    }
}

/// Under this name stands whether the open dialog holds what a person typed.
const TYPED: &str = "typed into the dialog";

/// Under this name, the height of the open dialog: what became shorter leaves the buttons where they are.
const HEIGHT: &str = "height of the dialog";

/// A card over a veil. The contents' answer, and whether it was left by a click on the veil: that loses nothing typed.
pub(crate) fn modal<R>(
    ctx: &Context,
    name: &str,
    width: f32,
    top: Option<f32>,
    contents: impl FnOnce(&mut Ui) -> R,
) -> (R, bool) {
    let screen = ctx.content_rect();
    let veil = Area::new(Id::unique(("veil", name)))
        .order(Order::Foreground)
        .fixed_pos(screen.min)
        .accessible_name("Outside of the dialog")
        .role(egui::accesskit::Role::Pane)
        .show(ctx, |ui| {
            let look = widgets::look(ui);
            let (rect, response) = ui.allocate_exact_size(screen.size(), egui::Sense::click_and_drag());
            let name = || egui::WidgetInfo::labeled(egui::accesskit::Role::Button, true, "Leave the dialog");
            response.widget_info(name);
            ui.painter().rect_filled(rect, 0.0, look.canvas.gamma_multiply(0.6));
            // A slow hand clicks, too; with a list open a click closes that alone.
            let clicked = response.clicked() || response.drag_stopped() && response.contains_pointer();
            let typed = ui.data(|data| data.get_temp(Id::unique(TYPED)).unwrap_or(false));
            clicked && !typed && !egui::Popup::is_any_open(ui.ctx())
        })
        .inner;
    let area = Area::new(Id::unique(("card", name)))
        .order(Order::Foreground)
        .accessible_name(name)
        .role(egui::accesskit::Role::Dialog);
    let area = match top {
        Some(top) => area.anchor(Align2::CENTER_TOP, Vec2::new(0.0, top)),
        None => area.anchor(Align2::CENTER_CENTER, Vec2::ZERO),
    };
    let shown = area.show(ctx, |ui| {
        let look = widgets::look(ui);
        egui::Frame::new()
            .fill(look.panel)
            .stroke(egui::Stroke::new(1.0, look.edge))
            .corner_radius(4)
            .show(ui, |ui| {
                ui.set_width(width.min(screen.width() - 24.0));
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                // At a fixed top a list may come and go below the field.
                let height = ui.data(|data| data.get_temp::<f32>(Id::unique(HEIGHT))).filter(|_| top.is_none());
                ui.set_min_height(height.unwrap_or_default().min(screen.height() - 24.0));
                let answer = contents(ui);
                let height = ui.min_rect().height();
                ui.data_mut(|data| data.insert_temp(Id::unique(HEIGHT), height));
                answer
            })
            .inner
    });
    // A card of another size stands where its middle was only in the next frame.
    let id = Id::unique(("card size", name));
    let size = shown.response.rect.size();
    if ctx.data(|data| data.get_temp::<Vec2>(id)) != Some(size) {
        ctx.data_mut(|data| data.insert_temp(id, size));
        ctx.request_repaint();
    }
    // An open list of the card lies above it.
    if !egui::Popup::is_any_open(ctx) {
        ctx.move_to_top(shown.response.layer_id);
    }
    (shown.inner, veil)
}

/// A click on a cluster's sign, in whichever view: brushes it, or with Shift or Ctrl adds it. True where that was done:
/// what follows in a double or triple click would undo the first.
pub(crate) fn click_cluster(ui: &Ui, response: &Response, state: &mut AppState, cluster: u32) -> bool {
    let once = response.clicked() && !response.double_clicked() && !response.triple_clicked();
    if once {
        let add = ui.input(|input| input.modifiers.shift || input.modifiers.command);
        state.focus.click_cluster(cluster, add);
    }
    once
}

/// A line of a form inside a modal: room for controls, with padding.
pub(crate) fn padded<R>(ui: &mut Ui, height: f32, contents: impl FnOnce(&mut Ui, Rect) -> R) -> R {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), egui::Sense::hover());
    contents(ui, rect.shrink2(Vec2::new(16.0, 0.0)))
}
