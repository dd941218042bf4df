//! Where one begins: the demo, a new or an old project, what was open lately, and the demo's map at the right.

use std::rc::Rc;

use egui::{Align2, Color32, Rect, Sense, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{DemoCard, Recent};

use super::{map::MapView, top_bar};
use crate::{
    app::split_bottom,
    command::Command,
    format,
    map::{Dots, Paint, Scene, labels::Label},
    state::{AppState, Link},
    theme::{self, icons},
    widgets::{self, Button, Words, column, dashed_rect, look, pane, ramp_bar, row, row_right},
};

pub fn show(ui: &mut Ui, whole: Rect, state: &mut AppState, map: &mut MapView) {
    let look = look(ui);
    let bar = Rect::from_min_max(whole.min, pos2(whole.right(), whole.top() + 40.0));
    top_bar::plain(ui, bar, state, None);
    let below = Rect::from_min_max(pos2(whole.left(), bar.bottom()), whole.max);
    let (main, status) = split_bottom(below, 22.0);
    let wide = whole.width() >= 960.0;
    let split = if wide { main.right() - (whole.width() * 0.4375).min(760.0) } else { main.right() };
    let left = Rect::from_min_max(main.min, pos2(split - 1.0, main.bottom()));
    ui.painter().rect_filled(left, 0.0, look.panel);
    begin(ui, left, state);
    if wide {
        let right = Rect::from_min_max(pos2(split, main.top()), main.max);
        demo(ui, right, state, map);
    }
    foot(ui, status, state);
}

fn begin(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let margin = if rect.width() > 640.0 { 72 } else { 32 };
    column(ui, rect, |ui| {
        egui::ScrollArea::vertical().id_salt("welcome").auto_shrink(false).show(ui, |ui| {
            let frame = egui::Frame::new().inner_margin(egui::Margin { left: margin, right: 48, top: 56, bottom: 24 });
            frame.show(ui, |ui| {
                ui.set_width(rect.width() - f32::from(margin) - 48.0);
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                let look = look(ui);
                Words::of(look)
                    .part("Choose the data that brings a pruned model back.", theme::title(22.0), look.text)
                    .wrapped(ui);
                ui.add_space(8.0);
                let width = ui.available_width().min(500.0);
                let words = "See what pruning damaged, spend a budget of samples where it hurts, and see the reason for every sample.";
                Words::of(look).part(words, theme::read(), look.text_2).line_height(20.0).show_in(ui, width, 4);
                ui.add_space(22.0);
                buttons(ui, state);
                ui.add_space(40.0);
                recents(ui, state);
                drop_here(ui, state);
            });
        });
    });
}

fn buttons(ui: &mut Ui, state: &mut AppState) {
    let (line, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 32.0), Sense::hover());
    row(ui, line, 8.0, |ui| {
        let entries = [
            (Command::OpenDemo, icons::PLAY, true),
            (Command::NewProject, icons::PLUS, false),
            (Command::OpenProject, icons::FOLDER_OPEN, false),
        ];
        for (command, icon, primary) in entries {
            let enabled = command.enabled(state);
            let mut button = Button::new(command.name()).icon(icon).height(32.0).reading();
            if primary {
                button = button.primary();
            }
            let response = ui.add_enabled(enabled.is_ok(), button);
            state.note(format!("{command:?}"), response.rect);
            if response.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
                state.run(command);
            }
        }
    });
    ui.add_space(8.0);
    let words = match (&state.opening, state.link, &state.hello) {
        (Some(what), ..) => format!("Opening {what}."),
        (None, Link::Open | Link::Waiting, _) if state.closing => {
            "Closing the project: a running stage stops at its last finished part.".to_owned()
        }
        (None, Link::Lost, None) => "The engine is not reachable; trying again.".to_owned(),
        (None, _, None) => "Asking the engine.".to_owned(),
        (None, _, Some(hello)) if hello.demo.is_none() => "The demo is not part of this program's files.".to_owned(),
        _ => "The demo opens in a few seconds, with every score already computed. No network, no GPU.".to_owned(),
    };
    let (line, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 18.0), Sense::hover());
    Words::new(ui).t3(words).at(ui, line.left_center(), Align2::LEFT_CENTER, line.width());
}

fn recents(ui: &mut Ui, state: &mut AppState) {
    let look = look(ui);
    let recent = state.hello.as_ref().map_or_else(Vec::new, |hello| hello.recent.iter().take(8).cloned().collect());
    Words::of(look).strong("Recent").show(ui);
    ui.add_space(6.0);
    if recent.is_empty() {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 44.0), Sense::hover());
        dashed_rect(ui, rect, look.edge);
        let words =
            "Nothing yet. The demo shows what the program does; your own pool comes by \u{201c}New project\u{201d}.";
        Words::of(look).icon(icons::FILE_TEXT, 15.0, look.text_3).t3(format!("  {words}")).at(
            ui,
            pos2(rect.left() + 14.0, rect.center().y),
            Align2::LEFT_CENTER,
            rect.width() - 28.0,
        );
        return;
    }
    let top = ui.cursor().top();
    ui.painter().hline(ui.max_rect().x_range(), top - 0.5, egui::Stroke::new(1.0, look.line));
    for (place, one) in recent.iter().enumerate() {
        if recent_row(ui, one, state, place) && Command::OpenProject.enabled(state).is_ok() {
            state.open_project(one.path.clone());
        }
    }
}

/// Says that a pool or a folder may be dropped; a browser does not tell where a file lies.
fn drop_here(ui: &mut Ui, state: &AppState) {
    if !state.has_dialogs {
        return;
    }
    ui.add_space(18.0);
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 44.0), Sense::hover());
    dashed_rect(ui, rect, look.edge);
    let words = "Drop a pool (JSON, JSONL or Parquet) or a project folder anywhere on this window";
    Words::of(look).icon(icons::DOWNLOAD_SIMPLE, 15.0, look.text_3).t3(format!("  {words}")).at(
        ui,
        pos2(rect.left() + 14.0, rect.center().y),
        Align2::LEFT_CENTER,
        rect.width() - 28.0,
    );
}

fn recent_row(ui: &mut Ui, recent: &Recent, state: &mut AppState, place: usize) -> bool {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 60.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Open {}", recent.name)));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    widgets::focus_ring(ui, &response, rect);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, egui::Stroke::new(1.0, look.line));
    let icon = pos2(rect.left() + 22.0, rect.center().y);
    ui.painter().text(icon, Align2::CENTER_CENTER, icons::CHART_SCATTER, theme::icon(22.0), look.text_3);
    let when = if state.wall > 0 { format::ago(recent.opened, state.wall) } else { String::new() };
    let right =
        Words::of(look).num3(when).paint(ui, pos2(rect.right() - 10.0, rect.center().y), Align2::RIGHT_CENTER, 120.0);
    let room = right.left() - rect.left() - 58.0;
    let left = rect.left() + 46.0;
    let line = |y: f32| pos2(left, rect.top() + y);
    Words::of(look).part(&recent.name, theme::read_strong(), look.text).paint(
        ui,
        line(15.0),
        Align2::LEFT_CENTER,
        room,
    );
    Words::of(look).t2(&recent.line).paint(ui, line(31.0), Align2::LEFT_CENTER, room);
    Words::of(look).num3(&recent.path).paint(ui, line(47.0), Align2::LEFT_CENTER, room);
    state.note(format!("recent:{place}"), rect);
    response.clicked()
}

/// The demo's points, each by its damage; a click opens it.
fn demo(ui: &mut Ui, rect: Rect, state: &mut AppState, map: &mut MapView) {
    let look = look(ui);
    let (body, caption) = split_bottom(rect, 40.0);
    ui.painter().rect_filled(body, 0.0, look.canvas);
    ui.painter().rect_filled(caption, 0.0, look.panel);
    let Some(card) = state.hello.as_ref().and_then(|hello| hello.demo.clone()) else {
        if state.hello.is_some() {
            pane::empty(
                ui,
                body,
                "The demo's files are missing",
                "The program still works with your own pool and models.",
                None,
            );
        }
        return;
    };
    caption_line(ui, caption, &card);
    let (points, damage) = (map.load(state, &card.positions), state.data.numbers(&card.damage));
    let (Some(points), Some(damage)) = (points, damage) else { return };
    let scale = if card.damage_scale > 0.0 { card.damage_scale as f32 } else { 1.0 };
    let paint = map.still_paint(points.id, look.dark, scale, || {
        let count = points.places.len();
        let colour =
            |row: usize| damage.get(row).filter(|v| v.is_finite()).map_or(look.neither, |v| look.damage(v / scale));
        let colours = Rc::new((0..count).map(colour).collect());
        Paint::new(&points, colours, vec![false; count], None, u64::from(look.dark) + 1)
    });
    let mut names: Vec<Label> = card
        .labels
        .iter()
        .enumerate()
        .map(|(place, (name, centre))| Label {
            galley: ui.painter().layout_no_wrap(name.clone(), theme::title(11.0), Color32::PLACEHOLDER),
            place: Vec2::new(centre[0], centre[1]),
            weight: 1_000 - place as u64,
            colour: look.text,
            first: false,
        })
        .collect();
    let (now, pixels) = (state.now, ui.pixels_per_point());
    map.still(
        ui,
        body.shrink(1.0),
        |camera| Scene {
            dots: Dots::of(&look.map, &points, &camera, pixels),
            points: points.clone(),
            paint,
            camera,
            rect: body,
            ground: look.canvas,
            muted: look.muted,
        },
        &mut names,
        now,
    );
    let response = ui.interact(body, ui.scope_id().with("demo map"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Map of the demo: open it"));
    state.note("demo map", body);
    if response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
        state.run(Command::OpenDemo);
    }
}

fn caption_line(ui: &mut Ui, rect: Rect, card: &DemoCard) {
    let inside = rect.shrink2(Vec2::new(16.0, 0.0));
    let words = Words::new(ui)
        .strong("The demo")
        .t3("   ")
        .num3(format::count(card.samples))
        .t3(format!(" samples, {} clusters", card.clusters));
    words.at(ui, inside.left_center(), Align2::LEFT_CENTER, inside.width() * 0.6);
    let stops = look(ui).damage_stops();
    let top = format::decimal(card.damage_scale, 3);
    let top = top.trim_end_matches('0').trim_end_matches('.').to_owned();
    let width = 14.0 * stops.len() as f32 + 150.0;
    let place = Rect::from_min_max(pos2(inside.right() - width, inside.top()), inside.max);
    row_right(ui, place, 0.0, |ui| {
        let inner = ui.max_rect();
        row(ui, inner, 6.0, |ui| {
            Words::new(ui).small("damage, nats").show(ui);
            ramp_bar(ui, stops, "0", &top, 14.0);
        });
    });
}

fn foot(ui: &mut Ui, rect: Rect, state: &AppState) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.panel);
    row(ui, rect.shrink2(Vec2::new(10.0, 0.0)), 14.0, |ui| match (&state.hello, state.link) {
        (_, Link::Lost) => {
            let words = Words::of(look).icon(icons::WARNING, 13.0, look.warn);
            words.part(" the engine is not reachable; trying again", theme::small(), look.warn).show(ui);
        }
        (Some(hello), _) => {
            Words::of(look).icon(icons::CHECK, 13.0, look.ok).small(format!(" {}", hello.machine)).show(ui);
            Words::of(look).small(format!("version {}", hello.version)).show(ui);
        }
        (None, _) => {
            Words::of(look).small("asking the engine").show(ui);
        }
    });
}
