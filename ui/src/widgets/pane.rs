//! The 30 px head of a pane, sections, and the empty state: what is missing, what to do, one button.

use egui::{Align2, Rect, Stroke, Ui, Vec2, pos2};

use super::{Button, Words, look, row, say};
use crate::theme::{self, icons};

pub const HEAD: f32 = 30.0;

/// Draws the ground (none where it is transparent) and the head; the rest of the pane, and the free part of the head.
pub fn pane(ui: &mut Ui, rect: Rect, icon: char, title: &str, ground: egui::Color32) -> (Rect, Rect) {
    let look = look(ui);
    let (head, body) = rect.split_top_bottom_at_y(rect.top() + HEAD);
    ui.painter().rect_filled(body, 0.0, ground);
    ui.painter().rect_filled(head, 0.0, look.panel);
    ui.painter().hline(head.x_range(), head.bottom() - 0.5, Stroke::new(1.0, look.line));
    let middle = head.center().y - 0.5;
    ui.painter().text(pos2(head.left() + 17.0, middle), Align2::CENTER_CENTER, icon, theme::icon(15.0), look.text);
    let title = Words::of(look).strong(title).at(ui, pos2(head.left() + 33.0, middle), Align2::LEFT_CENTER, 220.0);
    let free =
        Rect::from_min_max(pos2(title.rect.right() + 8.0, head.top()), pos2(head.right() - 8.0, head.bottom() - 1.0));
    (body, free)
}

/// A small grey head inside a pane, with a word at its right end.
pub fn section_head(ui: &mut Ui, text: &str, right: Option<Words>) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 20.0), egui::Sense::hover());
    let head = Words::new(ui).small(text).at(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width());
    if let Some(right) = right {
        right.at(ui, rect.right_center(), Align2::RIGHT_CENTER, rect.width() - head.rect.width() - 8.0);
    }
}

/// A line across the pane.
pub fn rule(ui: &mut Ui) {
    let clip = ui.clip_rect();
    let y = ui.cursor().top() + 0.5;
    ui.painter().hline(clip.x_range(), y, Stroke::new(1.0, look(ui).line));
    ui.add_space(1.0);
}

/// What is missing, what to do, one button. True when it was clicked.
pub fn empty(ui: &mut Ui, rect: Rect, missing: &str, todo: &str, button: Option<&str>) -> bool {
    let look = look(ui);
    let width = (rect.width() - 32.0).min(460.0);
    let text = Words::of(look).t2(todo).galley(ui, width - 32.0, 6);
    let height = 14.0 + 18.0 + 4.0 + text.size().y + if button.is_some() { 10.0 + 28.0 } else { 0.0 } + 16.0;
    let place = Rect::from_center_size(rect.center(), Vec2::new(width, height.min(rect.height() - 8.0)));
    ui.painter().rect(place, 0.0, look.panel, Stroke::new(1.0, look.line), egui::StrokeKind::Inside);
    let left = place.left() + 16.0;
    Words::of(look).strong(missing).at(ui, pos2(left, place.top() + 23.0), Align2::LEFT_CENTER, width - 32.0);
    let at = pos2(left, place.top() + 36.0);
    let below = at.y + text.size().y + 10.0;
    say(ui, Rect::from_min_size(at, text.size()), todo);
    ui.painter().galley(at, text, look.text_2);
    let Some(button) = button else { return false };
    let line = Rect::from_min_size(pos2(left, below), Vec2::new(width - 32.0, 28.0));
    row(ui, line, 8.0, |ui| ui.add(Button::new(button).primary()).clicked())
}

/// A remark with its icon: `ok`, `warn` or `error`. Never cut: what is to be done often stands at its end.
pub fn remark(ui: &mut Ui, level: &str, text: &str) {
    let look = look(ui);
    let (icon, colour) = match level {
        "ok" => (icons::CHECK, look.ok),
        "warn" => (icons::WARNING, look.warn),
        "error" => (icons::X_CIRCLE, look.error),
        _ => (icons::INFO, look.text_3),
    };
    let width = ui.available_width() - 19.0;
    let galley = Words::of(look).small(text).galley(ui, width, usize::MAX);
    let (rect, _) =
        ui.allocate_exact_size(Vec2::new(ui.available_width(), galley.size().y + 6.0), egui::Sense::hover());
    ui.painter().text(
        pos2(rect.left() + 6.5, rect.top() + 10.0),
        Align2::CENTER_CENTER,
        icon,
        theme::icon(14.0),
        colour,
    );
    let at = pos2(rect.left() + 19.0, rect.top() + 3.0);
    ui.painter().galley(at, galley, look.text_3);
    say(ui, rect, format!("{level}: {text}"));
}
