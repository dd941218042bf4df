//! Our own thin widgets: flat rectangles, strokes and text in the tokens' colours. Each names itself to AccessKit.

pub mod bars;
pub mod button;
pub mod field;
pub mod pane;
pub mod segmented;
pub mod slider;
pub mod toast;
pub mod words;

pub use button::{Button, icon_button};
pub use words::{Words, explain, say};

use egui::{Color32, Rect, Response, Stroke, StrokeKind, Ui, Vec2, pos2};

use crate::theme::Look;

/// The colours of the theme that `ui` is drawn in.
pub fn look(ui: &Ui) -> &'static Look {
    Look::of(ui.visuals().dark_mode)
}

/// 2 px ring, 1 px off, around what has the keyboard.
pub fn focus_ring(ui: &Ui, response: &Response, rect: Rect) {
    if response.has_focus() {
        ui.painter().rect_stroke(rect.expand(1.0), 4.0, Stroke::new(2.0, look(ui).accent), StrokeKind::Outside);
    }
}

/// A child that fills `rect` and lays out from left to right, centred; clipped to it.
pub fn row<R>(ui: &mut Ui, rect: Rect, gap: f32, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let mut child =
        ui.new_child(egui::UiBuilder::new().max_rect(rect).layout(egui::Layout::left_to_right(egui::Align::Center)));
    child.spacing_mut().item_spacing = Vec2::new(gap, 0.0);
    contents(&mut child)
}

/// The same from right to left.
pub fn row_right<R>(ui: &mut Ui, rect: Rect, gap: f32, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let mut child =
        ui.new_child(egui::UiBuilder::new().max_rect(rect).layout(egui::Layout::right_to_left(egui::Align::Center)));
    child.spacing_mut().item_spacing = Vec2::new(gap, 0.0);
    contents(&mut child)
}

/// A child that fills `rect` from top to bottom, clipped to it.
pub fn column<R>(ui: &mut Ui, rect: Rect, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let mut child =
        ui.new_child(egui::UiBuilder::new().max_rect(rect).layout(egui::Layout::top_down(egui::Align::Min)));
    child.spacing_mut().item_spacing = Vec2::ZERO;
    child.shrink_clip_rect(rect);
    contents(&mut child)
}

/// The 9 px square that stands for a cluster.
pub fn swatch(ui: &mut Ui, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(9.0), egui::Sense::hover());
    ui.painter().rect_filled(rect, 2.0, colour);
}

/// A thin upright line between groups of a row.
pub fn separator(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(1.0, 16.0), egui::Sense::hover());
    ui.painter().rect_filled(rect, 0.0, look(ui).line);
}

/// A key cap.
pub fn key_cap(ui: &mut Ui, key: &str) {
    let look = look(ui);
    let galley = ui.painter().layout_no_wrap(key.to_owned(), crate::theme::mono_small(), look.text_3);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(galley.size().x + 8.0, 16.0), egui::Sense::hover());
    ui.painter().rect_stroke(rect, 3.0, Stroke::new(1.0, look.edge), StrokeKind::Inside);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, look.text_3);
}

/// A quiet box around a word.
pub fn chip(ui: &mut Ui, text: &str) {
    let look = look(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), crate::theme::small(), look.text_2);
    let size = Vec2::new((galley.size().x + 12.0).min(ui.max_rect().width()), 20.0);
    let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    ui.painter().rect(rect, 3.0, look.raised, Stroke::new(1.0, look.line), StrokeKind::Inside);
    ui.painter().with_clip_rect(rect.intersect(ui.clip_rect())).galley(
        pos2(rect.left() + 6.0, rect.center().y - galley.size().y / 2.0),
        galley,
        look.text_2,
    );
    say(ui, rect, text);
}

/// Thin bar of what is done, 0 to 1.
pub fn progress(ui: &mut Ui, width: f32, share: f32) -> Rect {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(width, 4.0), egui::Sense::hover());
    ui.painter().rect_filled(rect, 0.0, look.edge);
    let done = Rect::from_min_size(rect.min, Vec2::new(width * share.clamp(0.0, 1.0), 4.0));
    ui.painter().rect_filled(done, 0.0, look.accent);
    rect
}

/// A ramp with its ends printed: low, stops, high.
pub fn ramp_bar(ui: &mut Ui, stops: &[Color32], low: &str, high: &str, step: f32) {
    Words::new(ui).num2(low).show(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(step * stops.len() as f32, 8.0), egui::Sense::hover());
    for (place, colour) in stops.iter().enumerate() {
        let cell = Rect::from_min_size(pos2(rect.left() + step * place as f32, rect.top()), Vec2::new(step, 8.0));
        ui.painter().rect_filled(cell, 0.0, *colour);
    }
    Words::new(ui).num2(high).show(ui);
}

/// A dashed outline.
pub fn dashed_rect(ui: &Ui, rect: Rect, colour: Color32) {
    let corners = [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom(), rect.left_top()];
    ui.painter().extend(egui::Shape::dashed_line(&corners, Stroke::new(1.0, colour), 4.0, 3.0));
}

/// Width of a text in the usual face.
pub fn width_of(ui: &Ui, text: &str) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), crate::theme::body(), Color32::PLACEHOLDER).size().x
}

/// The first of the texts that fits into `room`, else the last.
pub fn fitting<const N: usize>(ui: &Ui, texts: [String; N], room: f32) -> String {
    let last = texts.last().cloned().unwrap_or_default();
    texts.into_iter().find(|text| width_of(ui, text) <= room).unwrap_or(last)
}

/// As much of a name as fits into `width`.
pub fn elided(ui: &Ui, name: &str, width: f32) -> String {
    let whole = |text: &str| width_of(ui, text) <= width;
    if whole(name) {
        return name.to_owned();
    }
    let mut kept: Vec<char> = name.chars().collect();
    while kept.pop().is_some() {
        let cut = format!("{}...", kept.iter().collect::<String>().trim_end());
        if whole(&cut) {
            return cut;
        }
    }
    String::new()
}
