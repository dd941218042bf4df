//! Prune the dense model here: method and pattern, what will be zero, and what else changes, before anything starts.

use egui::Ui;
use paser_protocol::{ModelsView, PruneDraft, Request};

use super::super::padded;
use crate::{
    dialogs::ModelsForm,
    format,
    state::{AppState, For},
    views::form::PATTERNS,
    widgets::{
        Button, Words, row, row_right,
        segmented::{Face, segmented},
    },
};

const METHODS: [(&str, &str); 2] = [("magnitude", "magnitude"), ("wanda", "Wanda")];

/// True where pruning was ordered.
pub(super) fn show(ui: &mut Ui, state: &mut AppState, view: &ModelsView, form: &mut ModelsForm) -> bool {
    let Some(dense) = &view.dense else { return false };
    ui.add_space(6.0);
    let mut pattern_cells = Vec::new();
    let go = padded(ui, 34.0, |ui, rect| {
        let (go, left) = row_right(ui, rect, 8.0, |ui| {
            let busy = state.project.as_ref().is_some_and(|project| project.job.is_some());
            let go = ui.add_enabled(!busy, Button::new("Prune and score"));
            state.note("prune", go.rect);
            (go.on_disabled_hover_text("a job is running").clicked(), ui.min_rect().left())
        });
        let controls = egui::Rect::from_min_max(rect.min, egui::pos2(left - 8.0, rect.bottom()));
        row(ui, controls, 10.0, |ui| {
            Words::new(ui).t2("Prune here").show(ui);
            let faces = METHODS.map(|(_, words)| (Face::Text(words), words));
            if let Some(place) = segmented(ui, "Method", &faces, usize::from(form.wanda), 24.0, |_, _| {}) {
                form.wanda = place == 1;
            }
            let faces = PATTERNS.map(|(pattern, _)| (Face::Text(pattern), pattern));
            let note = |place, cell| pattern_cells.push((place, cell));
            if let Some(place) = segmented(ui, "Pattern", &faces, form.pattern, 24.0, note) {
                form.pattern = place;
            }
            Words::new(ui).small(PATTERNS[form.pattern].1).show(ui);
        });
        go
    });
    for (place, cell) in pattern_cells {
        state.note(format!("pattern:{}", PATTERNS[place].0), cell);
    }
    let weights: u64 = dense
        .layers
        .iter()
        .flat_map(|layer| &layer.projections)
        .map(|projection| u64::from(projection.rows) * u64::from(projection.columns))
        .sum();
    let zeros = weights as f64 * share(PATTERNS[form.pattern].0);
    let replaced =
        state.project.as_ref().filter(|project| !project.pruned.is_empty()).map_or_else(String::new, |project| {
            format!(" Takes the place of {} in the recipe; frozen selections stay.", project.pruned)
        });
    let words = format!(
        "About {} of {} parameters become zero ({}); as large on disk as the dense model, because zeros are stored. Every sample is scored anew.{replaced}",
        format::short(zeros as u64),
        format::short(dense.parameters),
        format::percent(zeros / dense.parameters.max(1) as f64),
    );
    egui::Frame::new().inner_margin(egui::Margin { left: 16, right: 16, top: 2, bottom: 2 }).show(ui, |ui| {
        ui.set_width(ui.available_width());
        Words::new(ui).small(&words).wrapped(ui);
    });
    if go {
        let method = METHODS[usize::from(form.wanda)].0.to_owned();
        let draft = PruneDraft { method, pattern: PATTERNS[form.pattern].0.to_owned() };
        state.ask(Request::PruneHere { draft }, For::Done);
    }
    go
}

/// The share of zeros that a pattern makes.
fn share(pattern: &str) -> f64 {
    match pattern
        .split_once(':')
        .and_then(|(kept, group)| Some((kept.parse::<f64>().ok()?, group.parse::<f64>().ok()?)))
    {
        Some((kept, group)) => 1.0 - kept / group,
        None => pattern.parse().unwrap_or(f64::NAN),
    }
}
