//! Why the inspected sample is in A and not in B: its fate in each of the compared selections.

use egui::Ui;

use super::{ink, letter_box};
use crate::{
    state::AppState,
    theme::icons,
    views::inspector::pair,
    widgets::{Words, look, pane::section_head},
};

/// A section of the inspector.
pub fn show(ui: &mut Ui, state: &mut AppState, row: u32) {
    let look = look(ui);
    section_head(ui, "In the compared selections", None);
    let fates = match state.compare.fates(row) {
        None => {
            Words::new(ui).t3("asking why").show(ui);
            return;
        }
        Some(Err(report)) => {
            Words::new(ui).t2(format!("{} {}", report.what, report.advice)).wrapped(ui);
            return;
        }
        Some(Ok(fates)) => fates,
    };
    for (at, fate) in fates.iter().enumerate() {
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(18.0), egui::Sense::hover());
            letter_box(ui, rect, Some(at));
            let (icon, colour) = if fate.taken { (icons::CHECK, ink(look, at)) } else { (icons::MINUS, look.text_3) };
            let width = ui.available_width();
            let words = Words::of(look).icon(icon, 13.0, colour).part(
                format!(" {}", fate.status),
                crate::theme::body(),
                if fate.taken { look.text } else { look.text_2 },
            );
            words.t3(format!("  {}", fate.selection)).show_in(ui, width, 1);
        });
        ui.add_space(2.0);
        Words::new(ui).t2(&fate.why).line_height(16.0).wrapped(ui);
        if let Some(blocking) = &fate.blocking {
            pair(ui, state, blocking);
        }
    }
}
