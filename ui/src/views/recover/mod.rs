//! The Recover screen: curves and what came back above, arms and the verdict below, and at the foot what may be concluded
//! or what training will take.

pub mod add_arm;
mod arm_menu;
mod arms;
mod cost;
mod cursor;
mod curves;
mod evaluations;
pub mod files;
mod lines;
mod pilots;
mod plot;
mod ratio;
mod scale;
pub mod settings;
pub(crate) mod style;
mod verdict;

use egui::{Align2, Rect, Ui, Vec2, pos2};
use paser_protocol::RecoveryView;

use super::{jobs, map::MapView, save_menu, tiles, top_bar};
use crate::{
    app::split_bottom,
    command::Command,
    format,
    layout::Pane,
    picture::View,
    recovery::{Outcome, Recovery},
    state::{AppState, Screen},
    theme::icons,
    widgets::{
        Button, Words,
        button::drawn_button,
        field::dropdown,
        look,
        pane::{empty, pane},
        row, row_right, swatch,
    },
};

pub(crate) use arms::sorted as arms_in_order;
pub(crate) use verdict::word;

const FOOT: f32 = 46.0;

pub fn show(ui: &mut Ui, whole: Rect, state: &mut AppState, map: &mut MapView) {
    let bar = Rect::from_min_max(whole.min, pos2(whole.right(), whole.top() + 40.0));
    top_bar::show(ui, bar, state);
    let below = Rect::from_min_max(pos2(whole.left(), bar.bottom()), whole.max);
    let (above_status, status) = split_bottom(below, 22.0);
    let (main, foot_rect) = split_bottom(above_status, FOOT);
    match state.recovery.view.clone() {
        Some(view) if !view.arms.is_empty() => {
            tiles::show(ui, main, state, Screen::Recover, &mut |ui, pane, rect, state| match pane {
                Pane::Curves => curves::show(ui, rect, state),
                Pane::Outcome => outcome(ui, rect, state),
                Pane::Arms => arms::show(ui, rect, state),
                Pane::Verdict => verdict::show(ui, rect, state),
                _ => {
                    map.pane(ui, rect, state);
                    state.note("pane:map", rect);
                }
            });
        }
        Some(view) => nothing(ui, main, state, &view),
        None => waiting(ui, main, state),
    }
    foot(ui, foot_rect, state);
    jobs::status_bar(ui, status, state);
    state.note("pane:status", status);
}

/// No answer of the engine yet, or none to be had.
fn waiting(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.canvas);
    match state.recovery.problem.clone() {
        Some(problem) => {
            if empty(ui, rect, &problem.what, &problem.advice, Some("Ask again")) {
                state.recovery.problem = None;
                state.recovery.stale();
            }
        }
        None => {
            Words::of(look).t3("reading the arms").at(ui, rect.center(), Align2::CENTER_CENTER, rect.width());
        }
    }
}

/// No arms: what one is, or what keeps them from being trained.
fn nothing(ui: &mut Ui, rect: Rect, state: &mut AppState, view: &RecoveryView) {
    ui.painter().rect_filled(rect, 0.0, look(ui).canvas);
    if let Some(blocked) = &view.blocked {
        // The way to what the advice speaks of.
        let ways =
            [("settings", Command::RecoverSettings), ("run the project", Command::Run), ("model", Command::Models)];
        let advice = blocked.advice.to_lowercase();
        let way = ways.into_iter().find(|(word, command)| advice.contains(word) && command.enabled(state).is_ok());
        let button = way.map(|(_, command)| command.name());
        if empty(ui, rect, &blocked.what, &blocked.advice, button)
            && let Some((_, command)) = way
        {
            state.run(command);
        }
        return;
    }
    let enabled = Command::DefaultArms.enabled(state);
    let todo = match enabled {
        Ok(()) => "An arm is the pruned model trained on one frozen selection, once for every seed, with the settings that all arms share. Its curves, its cost and what may be concluded from it stand here.".to_owned(),
        Err(why) => format!("An arm is the pruned model trained on one frozen selection, once for every seed. There is nothing to train on: {why}."),
    };
    let button = enabled.is_ok().then_some(Command::DefaultArms.name());
    if empty(ui, rect, "There are no arms yet", &todo, button) {
        state.run(Command::DefaultArms);
    }
    state.note("no arms", rect);
}

/// The pane of which a person chooses what it shows.
fn outcome(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let Some(view) = state.recovery.view.clone() else { return };
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::CHART_BAR, "Outcome", look.panel);
    state.note("pane:outcome", rect);
    state.note(View::Outcome.place(), body);
    let chosen = state.recovery.shown.outcome;
    row_right(ui, free, 6.0, |ui| {
        save_menu::button(ui, state, View::Outcome);
        let bars = matches!(chosen, Outcome::Ratio | Outcome::Bars);
        if bars {
            let all = state.recovery.shown.all_arms;
            let others = view.arms.iter().filter(|arm| arm.pilot.is_none()).count() > 2;
            if others {
                let name = if all { "Bars of the pair alone" } else { "Bars of all visible arms" };
                let response = drawn_button(ui, name, all, None, Vec2::new(30.0, 22.0), |ui, rect, ink| {
                    let font = crate::theme::small();
                    ui.painter().text(rect.center(), Align2::CENTER_CENTER, "all", font, ink);
                });
                state.note("all arms", response.rect);
                if response.clicked() {
                    state.recovery.shown.all_arms = !all;
                }
            }
        }
        let rest = ui.available_rect_before_wrap();
        row(ui, rest, 8.0, |ui| {
            let entries = Outcome::ALL.map(|outcome| (outcome.name(), outcome.about()));
            let at = Outcome::ALL.iter().position(|outcome| *outcome == chosen);
            let (response, picked) = dropdown(ui, "What the outcome shows", chosen.name(), 22.0, None, &entries, at);
            state.note("outcome", response.rect);
            if let Some(place) = picked {
                state.recovery.shown.outcome = Outcome::ALL[place];
            }
            if bars {
                legend(ui, state, &view);
            }
        });
    });
    match chosen {
        Outcome::Ratio | Outcome::Bars => ratio::show(ui, body, state, &view),
        Outcome::Time | Outcome::Cost => cost::show(ui, body, state, &view),
        Outcome::Pilots => pilots::show(ui, body, state, &view),
        Outcome::Evaluations => evaluations::show(ui, body, &view),
    }
}

/// Whose bars these are.
fn legend(ui: &mut Ui, state: &AppState, view: &RecoveryView) {
    let look = look(ui);
    let arms = state.recovery.barred(view);
    let widths = arms.iter().map(|arm| crate::widgets::width_of(ui, &arm.name) + 9.0 + 16.0);
    if widths.sum::<f32>() > ui.available_width() {
        return;
    }
    for arm in arms {
        swatch(ui, style::style(look, &state.recovery, view, arm).fill);
        Words::of(look).t2(&arm.name).show(ui);
    }
}

/// What is known now, and what can be done.
fn foot(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.panel);
    let inside = rect.shrink2(Vec2::new(12.0, 0.0));
    let view = state.recovery.view.clone();
    let arms = view.as_ref().is_some_and(|view| !view.arms.is_empty());
    let missing = view.as_ref().map_or(0, |view| Recovery::waiting_runs(view));
    let train = missing > 0 && !state.is_training();
    let left = row_right(ui, inside, 8.0, |ui| {
        if arms {
            if train {
                button(ui, state, Command::Train, "Train", icons::PLAY, true);
            }
            button(ui, state, Command::ExportReport, Command::ExportReport.name(), icons::FILE_TEXT, !train);
            button(ui, state, Command::CopyVerdict, "Copy table", icons::COPY, false);
        }
        ui.min_rect().left()
    });
    let words = Words::new(ui);
    let words = match (&view, train) {
        (Some(view), true) => estimate(words, view, missing),
        (Some(view), false) if arms => sentence(words, state, view),
        _ => words,
    };
    let text = words.text();
    let said = words.at(ui, inside.left_center(), Align2::LEFT_CENTER, left - inside.left() - 16.0);
    state.note("recover sentence", said.rect);
    said.on_hover_text(text);
}

fn button(ui: &mut Ui, state: &mut AppState, command: Command, text: &str, icon: char, primary: bool) {
    let enabled = command.enabled(state);
    let button = Button::new(text).icon(icon).name(command.name());
    let response = ui.add_enabled(enabled.is_ok(), if primary { button.primary() } else { button });
    state.note(format!("{command:?}"), response.rect);
    let response = response.on_hover_text(command.description());
    if response.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
        state.run(command);
    }
}

/// `6 runs wait: 38 min to 52 min, 3.2 GB of memory.`
fn estimate(words: Words, view: &RecoveryView, missing: usize) -> Words {
    let runs = if missing == 1 { " run waits: " } else { " runs wait: " };
    let words = words.strong(missing.to_string()).t(runs);
    let words = match view.estimate_seconds {
        Some((low, high)) => {
            let (low, high) = (format::duration(low), format::duration(high));
            if low == high { words.num(low) } else { words.num(low).t(" to ").num(high) }
        }
        None => words.t("how long they take is known once the first has begun"),
    };
    let words = match view.memory_bytes {
        Some(bytes) => words.t(", ").num(format::bytes(bytes)).t(" of memory."),
        None => words.t("."),
    };
    match &view.blocked {
        Some(blocked) => words.t2("  ").t2(&blocked.what),
        None => words,
    }
}

/// The verdict's sentence, with its first part strong.
fn sentence(words: Words, state: &AppState, view: &RecoveryView) -> Words {
    let recovery = &state.recovery;
    match (&recovery.verdict, &recovery.verdict_problem) {
        (Some(verdict), _) => match verdict.sentence.split_once(". ") {
            Some((first, rest)) => words.strong(format!("{first}.")).t2(format!(" {rest}")),
            None => words.t(&verdict.sentence),
        },
        (None, Some(problem)) => words.t(&problem.what).t2(" ").t2(&problem.advice),
        (None, None) if recovery.pair(view).is_none() => {
            words.t2("A verdict needs two arms: add one more, random at the same budget.")
        }
        (None, None) => words.t2("A verdict stands here once both arms have a finished seed."),
    }
}
