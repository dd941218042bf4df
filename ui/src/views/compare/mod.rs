//! The Compare screen: frozen selections left, small maps with one camera above, overlap, clusters and fates below, and
//! at the foot what two selections share by choice and by chance.

mod budgets;
mod cards;
mod clusters;
pub mod fates;
pub mod maps;
mod overlap;
mod reasons;

use egui::{Align2, Color32, Rect, Ui, Vec2, pos2};

use super::{inspector, jobs, map::MapView, tiles, top_bar};
use crate::{
    app::split_bottom,
    command::Command,
    compare::{Lower, letter},
    format,
    layout::Pane,
    picture::View,
    state::{AppState, Screen},
    theme::{Look, icons},
    widgets::{
        Button, Words, look,
        pane::{empty, pane},
        row_right,
        segmented::{Face, segmented},
    },
};
pub use cards::add_strategy;
pub(super) use cards::menu;
pub(crate) use clusters::measure_name;
use maps::SmallMaps;

const FOOT: f32 = 46.0;

/// The fill of a selection by its place: A and B have their colours, the others are told apart by name.
pub(super) fn fill(look: &Look, place: usize) -> Color32 {
    match place {
        0 => look.a_fill,
        1 => look.b_fill,
        _ => look.random,
    }
}

/// The same for text.
pub(super) fn ink(look: &Look, place: usize) -> Color32 {
    match place {
        0 => look.a,
        1 => look.b,
        _ => look.text_2,
    }
}

/// The letter of a selection in its box.
pub(super) fn letter_box(ui: &Ui, rect: Rect, place: Option<usize>) {
    let look = look(ui);
    let (stroke, text) = match place {
        Some(place) => (ink(look, place), letter(place)),
        None => (look.edge, ""),
    };
    ui.painter().rect_stroke(rect, 3.0, egui::Stroke::new(1.0, stroke), egui::StrokeKind::Inside);
    Words::of(look).part(text, crate::theme::title(11.0), stroke).paint(
        ui,
        rect.center(),
        Align2::CENTER_CENTER,
        rect.width(),
    );
}

pub fn show(ui: &mut Ui, whole: Rect, state: &mut AppState, map: &mut MapView, small: &mut SmallMaps) {
    let bar = Rect::from_min_max(whole.min, pos2(whole.right(), whole.top() + 40.0));
    top_bar::show(ui, bar, state);
    let below = Rect::from_min_max(pos2(whole.left(), bar.bottom()), whole.max);
    let (above_status, status) = split_bottom(below, 22.0);
    let (main, foot_rect) = split_bottom(above_status, FOOT);
    tiles::show(ui, main, state, Screen::Compare, &mut |ui, pane, rect, state| match pane {
        Pane::Selections => cards::show(ui, rect, state),
        Pane::Overlap => lower(ui, rect, state),
        Pane::Clusters => {
            clusters::show(ui, rect, state);
            state.note("pane:clusters", rect);
        }
        Pane::Inspector => inspector::show(ui, rect, state),
        _ if state.compare.names.len() < 2 => lonely(ui, rect, state),
        _ => small.show(ui, rect, state, map),
    });
    foot(ui, foot_rect, state);
    jobs::status_bar(ui, status, state);
    state.note("pane:status", status);
}

/// Fewer than two selections: what to do.
fn lonely(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.canvas);
    let frozen = state.project.as_ref().map_or(0, |project| project.selections.len());
    let (missing, todo) = if frozen < 2 {
        (
            "Two frozen selections make a comparison",
            "Add a strategy: it is computed and frozen here. Or freeze what you build in Explore.",
        )
    } else {
        ("Choose a second selection", "Click the empty box of a selection on the left; up to four stand side by side.")
    };
    let button = (frozen < 2).then_some("Add strategy...");
    if empty(ui, rect, missing, todo, button) {
        state.run(Command::AddStrategy);
    }
}

/// Overlap, reasons or budgets.
fn lower(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let (icon, title) = match state.compare.lower {
        Lower::Overlap => (icons::CIRCLE_HALF, "Overlap"),
        Lower::Budgets => (icons::CHART_LINE, "Budgets"),
        Lower::Reasons => (icons::LIST_BULLETS, "Reasons"),
    };
    let (body, free) = pane(ui, rect, icon, title, look.panel);
    let faces = Lower::ALL.map(|lower| (Face::Text(lower.name()), lower.name()));
    let view = match state.compare.lower {
        Lower::Overlap => View::Overlap,
        Lower::Budgets => View::Budgets,
        Lower::Reasons => View::Reasons,
    };
    state.note(view.place(), body);
    row_right(ui, free, 6.0, |ui| {
        super::save_menu::button(ui, state, view);
        let chosen = Lower::ALL.iter().position(|lower| *lower == state.compare.lower).unwrap_or(0);
        let mut cells = Vec::new();
        let picked = segmented(ui, "Lower pane", &faces, chosen, 22.0, |place, cell| cells.push((place, cell)));
        for (place, cell) in cells {
            state.note(format!("lower:{}", faces[place].1), cell);
        }
        if let Some(place) = picked {
            state.compare.lower = Lower::ALL[place];
        }
    });
    match state.compare.lower {
        Lower::Overlap => overlap::show(ui, body, state),
        Lower::Budgets => budgets::show(ui, body, state),
        Lower::Reasons => reasons::show(ui, body, state),
    }
    state.note("pane:overlap", rect);
}

/// What is known now, and what can be done with it.
fn foot(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.panel);
    let inside = rect.shrink2(Vec2::new(12.0, 0.0));
    let left = row_right(ui, inside, 8.0, |ui| {
        for (command, icon, primary) in [
            (Command::TrainCompared, icons::PLAY, true),
            (Command::ExportDifference, icons::DOWNLOAD_SIMPLE, false),
            (Command::SaveDifferences, icons::TABLE, false),
        ] {
            let enabled = command.enabled(state);
            let button = Button::new(command.name()).icon(icon);
            let button = ui.add_enabled(enabled.is_ok(), if primary { button.primary() } else { button });
            state.note(format!("{command:?}"), button.rect);
            if button.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
                state.run(command);
            }
        }
        ui.min_rect().left()
    });
    let words = Words::new(ui);
    let words = match (&state.compare.view, &state.compare.problem) {
        (_, Some(problem)) => words.t(&problem.what).t2(" ").t2(&problem.advice),
        (Some(view), None) => sentence(words, view, state),
        (None, None) if state.compare.waiting => words.t2("comparing"),
        (None, None) => words.t2(""),
    };
    words.at(ui, inside.left_center(), Align2::LEFT_CENTER, left - inside.left() - 16.0);
}

fn sentence(words: Words, view: &paser_protocol::ComparisonView, state: &AppState) -> Words {
    let (Some(overlap), Some(a)) = (view.overlaps.first(), view.selections.first()) else { return words };
    let words = words
        .t("A and B share ")
        .strong(format::count(overlap.shared))
        .t(" of ")
        .strong(format::count(a.selected))
        .t(" samples. By chance it would be ")
        .num(format::count(overlap.chance.round() as u64))
        .t(".");
    let Some((chance, (low, high))) = view.chance.as_ref().and_then(|c| c.mean_damage.map(|band| (c, band))) else {
        let pinned = state.project.as_ref().map_or(0, |project| project.curation.pinned.len() as u64);
        let full = pinned > a.selected;
        return if full {
            words.t2("  No random draw of A's size holds all samples that are pinned now.")
        } else {
            words
        };
    };
    words.t2("  Random at A's budget, n = ").num2(chance.seeds.to_string()).t2(" seeds: damage ").num2(format!(
        "{} to {}",
        format::nats(low),
        format::nats(high)
    ))
}
