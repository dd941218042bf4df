//! How many samples carry which reason, selection by selection: in, and not in.

use egui::{Align2, Rect, Sense, Ui, Vec2, pos2};
use paser_protocol::{ReasonCode, SelectionView};

use super::ink;
use crate::{
    compare::letter,
    format,
    state::AppState,
    widgets::{Words, column, look, pane::section_head, say},
};

const ROW: f32 = 22.0;
const NUMBER: f32 = 66.0;

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState) {
    let Some(project) = state.project.clone() else { return };
    let find = |name: &String| project.selections.iter().find(|selection| selection.name.as_ref() == Some(name));
    let sides: Vec<&SelectionView> = state.compare.names.iter().filter_map(find).collect();
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("reasons").auto_shrink(false).show(ui, |ui| {
            egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 6)).show(ui, |ui| {
                ui.set_width(body.width() - 20.0);
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                head(ui, sides.len());
                group(ui, "In", &sides, ReasonCode::is_taken);
                ui.add_space(6.0);
                group(ui, "Not in", &sides, |code| !code.is_taken());
            });
        });
    });
}

fn right_end(rect: Rect, place: usize, sides: usize) -> f32 {
    rect.right() - NUMBER * (sides - 1 - place) as f32
}

fn head(ui: &mut Ui, sides: usize) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 18.0), Sense::hover());
    for place in 0..sides {
        let words = Words::of(look).part(letter(place), crate::theme::title(11.0), ink(look, place));
        words.paint(ui, pos2(right_end(rect, place, sides), rect.center().y), Align2::RIGHT_CENTER, NUMBER);
    }
}

fn group(ui: &mut Ui, name: &str, sides: &[&SelectionView], belongs: impl Fn(ReasonCode) -> bool) {
    let look = look(ui);
    section_head(ui, name, None);
    for code in ReasonCode::ALL.into_iter().filter(|code| belongs(*code)) {
        let count = |side: &SelectionView| {
            side.reasons.iter().find(|(word, _)| word == code.word()).map_or(0, |(_, count)| *count)
        };
        let counts: Vec<u64> = sides.iter().map(|side| count(side)).collect();
        if counts.iter().all(|count| *count == 0) {
            continue;
        }
        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
        ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, egui::Stroke::new(1.0, look.line));
        Words::of(look).t(code.word()).paint(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width() * 0.4);
        for (place, count) in counts.iter().enumerate() {
            let at = pos2(right_end(rect, place, sides.len()), rect.center().y);
            let words = Words::of(look).part(format::count(*count), crate::theme::mono(), ink(look, place));
            words.paint(ui, at, Align2::RIGHT_CENTER, NUMBER);
        }
        let spoken: Vec<String> =
            counts.iter().enumerate().map(|(place, count)| format!("{} {count}", letter(place))).collect();
        say(ui, rect, format!("{}: {}", code.word(), spoken.join(", ")));
    }
}
