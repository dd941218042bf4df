//! What the selections share: a matrix with its expectation by chance, and every exact part as a row (for three and
//! more: an UpSet plot), each of which can be brushed and exported.

use std::rc::Rc;

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{ComparisonView, OverlapView, PartView};

use super::{fill, ink};
use crate::{
    command::Command,
    compare::letter,
    format,
    state::{AppState, Brush},
    theme::icons,
    widgets::{Button, Words, column, look, pane::section_head},
};

const CELL: f32 = 26.0;
const ROW: f32 = 24.0;

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState) {
    let Some(view) = state.compare.view.clone() else {
        let words = if state.compare.waiting { "comparing" } else { "nothing to compare" };
        Words::new(ui).t3(words).at(ui, body.center(), Align2::CENTER_CENTER, body.width());
        return;
    };
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("overlap").auto_shrink(false).show(ui, |ui| {
            egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 6)).show(ui, |ui| {
                ui.set_width(body.width() - 20.0);
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                matrix(ui, state, &view);
                ui.add_space(8.0);
                parts(ui, state, &view);
                brushed(ui, state);
            });
        });
    });
}

/// The overlap of two places, either way round.
fn between(view: &ComparisonView, a: usize, b: usize) -> Option<&OverlapView> {
    let name = |place: usize| &view.selections[place].selection;
    let same =
        |o: &&OverlapView| (&o.first, &o.second) == (name(a), name(b)) || (&o.first, &o.second) == (name(b), name(a));
    view.overlaps.iter().find(same)
}

fn matrix(ui: &mut Ui, state: &mut AppState, view: &ComparisonView) {
    let look = look(ui);
    section_head(ui, "Samples in both", Some(Words::new(ui).small("below: by chance")));
    let sides = view.selections.len();
    let names = 92.0_f32.min(ui.available_width() * 0.3);
    let wide = ((ui.available_width() - names) / sides as f32).min(92.0);
    let tall = CELL + 12.0;
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 20.0 + tall * sides as f32), Sense::hover());
    let cell = |line: usize, at: usize| {
        let corner = pos2(rect.left() + names + at as f32 * wide, rect.top() + 20.0 + line as f32 * tall);
        Rect::from_min_size(corner, Vec2::new(wide - 1.0, tall - 1.0))
    };
    for (at, side) in view.selections.iter().enumerate() {
        let over = cell(0, at);
        let words = |width: f32| (Words::of(look).part(&side.selection, crate::theme::small(), ink(look, at)), width);
        let (name, width) = words(wide - 6.0);
        name.paint(ui, pos2(over.center().x, rect.top() + 9.0), Align2::CENTER_CENTER, width);
        let (name, width) = words(names - 8.0);
        let left = cell(at, 0);
        name.paint(ui, pos2(rect.left() + names - 8.0, left.center().y), Align2::RIGHT_CENTER, width);
    }
    for line in 0..sides {
        for at in 0..sides {
            let place = cell(line, at);
            if line == at {
                ui.painter().rect_filled(place, 0.0, look.panel);
                let words = Words::of(look).num3(format::count(view.selections[at].selected));
                words.at(ui, place.center(), Align2::CENTER_CENTER, wide);
                continue;
            }
            let Some(overlap) = between(view, line, at) else { continue };
            ui.painter().rect_filled(place, 0.0, look.sequential(overlap.jaccard as f32 * 0.9));
            // On the bright end of the ramp the ground's colour reads better.
            let text = if overlap.jaccard > 0.55 { look.canvas } else { look.text };
            let dim = if overlap.jaccard > 0.55 { look.canvas } else { look.text_2 };
            let response = ui.interact(place, ui.scope_id().with(("cell", line, at)), Sense::click());
            let spoken = format!(
                "{} and {} share {}; by chance {}",
                overlap.first,
                overlap.second,
                format::count(overlap.shared),
                format::count(overlap.chance.round() as u64)
            );
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
            if response.hovered() || response.has_focus() {
                let ring = Stroke::new(1.5, look.accent);
                ui.painter().rect_stroke(place, 0.0, ring, egui::StrokeKind::Inside);
            }
            Words::of(look).part(format::count(overlap.shared), crate::theme::mono(), text).paint(
                ui,
                place.center() - Vec2::new(0.0, 7.0),
                Align2::CENTER_CENTER,
                wide,
            );
            Words::of(look).part(format::count(overlap.chance.round() as u64), crate::theme::mono_small(), dim).paint(
                ui,
                place.center() + Vec2::new(0.0, 9.0),
                Align2::CENTER_CENTER,
                wide,
            );
            let hint = format!("{spoken}. Shared of all that either holds: {}", format::percent(overlap.jaccard));
            if response.on_hover_text(hint).clicked() {
                let bits = (1_u8 << line) | (1 << at);
                brush(state, bits, bits);
            }
        }
    }
}

/// Brushes the rows whose letters, of those in `of`, are exactly `held`.
fn brush(state: &mut AppState, held: u8, of: u8) {
    let Some((_, letters)) = state.held() else { return };
    let rows: Vec<u32> =
        (0_u32..).zip(&letters).filter(|(_, letters)| **letters & of == held).map(|(row, _)| row).collect();
    let brush = if rows.is_empty() { Brush::Nothing } else { Brush::Rows(Rc::new(rows)) };
    state.focus.set_brush(brush);
}

fn parts(ui: &mut Ui, state: &mut AppState, view: &ComparisonView) {
    let look = look(ui);
    section_head(ui, "Every part", Some(Words::new(ui).small("n, tokens, mean damage in nats; click to brush")));
    let sides = view.selections.len();
    let top = view.parts.iter().map(|part| part.samples).max().unwrap_or(1).max(1);
    let all = (1_u8 << sides) - 1;
    for part in &view.parts {
        let held = part.held.iter().enumerate().fold(0_u8, |held, (place, is)| held | (u8::from(*is) << place));
        let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
        let spoken = format!("{}: {} samples", part_words(view, part), format::count(part.samples));
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
        state.note(format!("part:{held}"), rect);
        if response.hovered() || response.has_focus() {
            ui.painter().rect_filled(rect, 0.0, look.raised);
        }
        let middle = rect.center().y;
        // The dots of an UpSet plot: one a letter, joined where it is held.
        let dots: Vec<_> = (0..sides).map(|place| pos2(rect.left() + 10.0 + 18.0 * place as f32, middle)).collect();
        let on: Vec<_> = dots.iter().zip(&part.held).filter(|(_, held)| **held).map(|(dot, _)| *dot).collect();
        if let (Some(first), Some(last)) = (on.first(), on.last()) {
            ui.painter().line_segment([*first, *last], Stroke::new(2.0, look.text_2));
        }
        for (place, dot) in dots.iter().enumerate() {
            let colour = if part.held[place] { fill(look, place) } else { look.edge };
            ui.painter().circle_filled(*dot, if part.held[place] { 5.0 } else { 3.0 }, colour);
        }
        let left = rect.left() + 18.0 * sides as f32 + 8.0;
        let numbers = 176.0;
        let room = (rect.right() - numbers - left).max(20.0);
        let bar = Rect::from_min_size(
            pos2(left, middle - 6.0),
            Vec2::new((room * part.samples as f32 / top as f32).max(1.0), 12.0),
        );
        ui.painter().rect_filled(bar, 0.0, part_colour(look, held));
        let number = |x: f32, words: Words| words.paint(ui, pos2(x, middle), Align2::RIGHT_CENTER, 70.0);
        number(rect.right() - 110.0, Words::of(look).num(format::count(part.samples)));
        number(rect.right() - 52.0, Words::of(look).num3(format::short(part.tokens)));
        number(rect.right() - 2.0, Words::of(look).num2(part.mean_damage.map(format::nats).unwrap_or_default()));
        if response.on_hover_text(part_words(view, part)).clicked() {
            brush(state, held, all);
        }
    }
    let words = format!("neither: {} of {}", format::count(view.neither), format::count(view.selectable));
    ui.add_space(4.0);
    Words::new(ui).small(if sides > 2 { words.replace("neither", "in none") } else { words }).show(ui);
}

/// The way from brushed samples to their texts.
fn brushed(ui: &mut Ui, state: &mut AppState) {
    let Brush::Rows(rows) = state.focus.brush() else { return };
    let words = format!("Open the {} brushed in the table", format::count(rows.len() as u64));
    ui.add_space(6.0);
    let open = ui.add(Button::new(&words).height(24.0).icon(icons::TABLE));
    state.note("open brushed", open.rect);
    if open.clicked() {
        state.show_table();
        state.run(Command::ShowExplore);
    }
}

fn part_colour(look: &crate::theme::Look, held: u8) -> egui::Color32 {
    match held {
        1 => look.a_fill,
        2 => look.b_fill,
        3 => look.both,
        _ => look.random,
    }
}

/// `A and B, not C`
fn part_words(view: &ComparisonView, part: &PartView) -> String {
    let letters = |held: bool| -> Vec<&str> {
        (0..view.selections.len()).filter(|place| part.held[*place] == held).map(letter).collect()
    };
    let (on, off) = (letters(true).join(" and "), letters(false).join(" nor "));
    if off.is_empty() { on } else { format!("{on}, not {off}") }
}
