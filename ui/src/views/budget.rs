//! The budget: a slider in samples, percent or tokens, the clusters' shares as one bar, and the ledger as a line that
//! sums. While it is dragged, quotas are worked out here and marked provisional; at rest the engine takes the samples.

use egui::{Align2, Rect, Stroke, Ui, Vec2, pos2};
use paser_protocol::{Budget, Guard, SelectionPlan, SelectionView, Strategy};

use super::{budget_settings, ledger, passes};
use crate::{
    budget_math::{self, Waterfall},
    command::Command,
    format,
    glossary::Place,
    state::AppState,
    theme::icons,
    widgets::{
        Button, Words, explain,
        field::{Field, dropdown},
        look, row, row_right,
        segmented::{Face, segmented},
        slider::slider,
    },
};

const UNITS: [&str; 3] = ["samples", "%", "tokens"];

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.panel);
    let inside = rect.shrink2(Vec2::new(12.0, 0.0));
    let line = |top: f32, height: f32| {
        Rect::from_min_size(pos2(inside.left(), rect.top() + top), Vec2::new(inside.width(), height))
    };
    controls(ui, line(8.0, 28.0), state);
    shares(ui, line(43.0, 25.0), state);
    waterfall(ui, line(68.0, 20.0), state);
    if state.panels.ledger {
        ledger::show(ui, Rect::from_min_max(pos2(rect.left(), rect.top() + 92.0), rect.max), state);
    }
}

fn unit_of(budget: Budget) -> usize {
    match budget {
        Budget::Samples(_) => 0,
        Budget::Percent(_) => 1,
        Budget::Tokens(_) => 2,
    }
}

/// The budget as its field shows it.
fn typed(budget: Budget) -> String {
    match budget {
        Budget::Samples(count) | Budget::Tokens(count) => format::count(count),
        Budget::Percent(percent) => {
            let text = format::decimal(percent, 2);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// Reads what was typed in the unit of the budget.
fn parse(text: &str, budget: Budget, largest: u64) -> Option<Budget> {
    // In a share a comma is a decimal one; in counts it parts thousands.
    let is_share = matches!(budget, Budget::Percent(_));
    let text = if is_share { text.replace(',', ".") } else { text.replace(',', "") };
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '%').collect();
    let (number, factor) = match plain.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => match plain.strip_suffix('M') {
            Some(number) => (number, 1e6),
            None => (plain.as_str(), 1.0),
        },
    };
    let value =
        number.parse::<f64>().ok().map(|value| value * factor).filter(|value| value.is_finite() && *value >= 0.0)?;
    Some(match budget {
        Budget::Samples(_) => Budget::Samples((value.round() as u64).min(largest)),
        Budget::Tokens(_) => Budget::Tokens((value.round() as u64).min(largest)),
        Budget::Percent(_) => Budget::Percent(value.min(100.0)),
    })
}

pub fn set(state: &mut AppState, change: impl FnOnce(&mut SelectionPlan)) {
    let mut plan = state.build.plan.clone();
    change(&mut plan);
    state.set_plan(plan);
}

fn controls(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let scored = state.is_scored();
    let samples = state.samples();
    let budget = state.build.plan.budget;
    let largest = budget_math::largest(budget, state.clusters(), samples);
    let right = row_right(ui, rect, 8.0, |ui| {
        let enabled = Command::Freeze.enabled(state);
        let freeze =
            ui.add_enabled(enabled.is_ok(), Button::new("Freeze selection...").primary().icon(icons::SNOWFLAKE));
        state.note("Freeze", freeze.rect);
        if freeze.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
            state.run(Command::Freeze);
        }
        budget_settings::settings(ui, state);
        let strategies = Strategy::ALL.map(|strategy| (strategy.name(), strategy.describe()));
        let chosen = Strategy::ALL.iter().position(|strategy| *strategy == state.build.plan.strategy);
        let (response, picked) =
            dropdown(ui, "Strategy", state.build.plan.strategy.name(), 26.0, None, &strategies, chosen);
        state.note("strategy", response.rect);
        if let Some(place) = picked {
            set(state, |plan| plan.strategy = Strategy::ALL[place]);
            if passes::missing(state, Strategy::ALL[place]).is_some() {
                state.run(Command::Prepare);
            }
        }
        if rect.width() > 1_000.0 {
            Words::new(ui).t3("strategy").show(ui);
        }
        ui.min_rect().left()
    });
    let left = Rect::from_min_max(rect.min, pos2(right - 12.0, rect.bottom()));
    row(ui, left, 10.0, |ui| {
        if !scored {
            ui.disable();
        }
        Words::new(ui).strong("Budget").show(ui);
        number_field(ui, state, budget, largest);
        let faces = UNITS.map(|unit| (Face::Text(unit), unit));
        let mut cells = Vec::new();
        let picked = segmented(ui, "Budget in", &faces, unit_of(budget), 24.0, |place, cell| cells.push((place, cell)));
        for (place, cell) in cells {
            state.note(format!("unit:{}", UNITS[place]), cell);
        }
        if let Some(place) = picked {
            let converted = convert(state, budget, place, samples);
            set(state, |plan| plan.budget = converted);
        }
        drag(ui, state, budget, largest);
        let room = ui.available_width();
        if room > 60.0 {
            summary(state, Words::new(ui), samples).show_in(ui, room, 1);
        }
    });
}

fn number_field(ui: &mut Ui, state: &mut AppState, budget: Budget, largest: u64) {
    let mut text = state.build.typed.clone().unwrap_or_else(|| typed(budget));
    let field = Field::new("Budget", 82.0).mono().accent().show(ui, &mut text);
    state.note("budget field", field.response.rect);
    if field.response.has_focus() {
        state.build.typed = Some(text);
    } else if let Some(text) = state.build.typed.take()
        && !ui.input(|input| input.key_pressed(egui::Key::Escape))
        && let Some(budget) = parse(&text, budget, largest)
    {
        set(state, |plan| plan.budget = budget);
    }
}

/// The same amount in another unit, as near as can be said.
fn convert(state: &AppState, budget: Budget, unit: usize, samples: u64) -> Budget {
    let selection = state.build.selection.as_ref();
    let taken = match budget {
        Budget::Tokens(_) => selection.map_or(0, |selection| selection.selected),
        other => other.resolve(samples),
    };
    match unit {
        0 => Budget::Samples(taken),
        1 => Budget::Percent((taken as f64 / samples.max(1) as f64 * 1_000.0).round() / 10.0),
        _ => Budget::Tokens(selection.map_or(0, |selection| selection.tokens)),
    }
}

fn drag(ui: &mut Ui, state: &mut AppState, budget: Budget, largest: u64) {
    let samples = state.samples();
    let amount = budget.resolve(samples);
    let before = (amount as f64 / largest.max(1) as f64) as f32;
    let mut share = before;
    let width = if ui.available_width() > 620.0 { 250.0 } else { (ui.available_width() - 200.0).clamp(80.0, 250.0) };
    let response = slider(ui, "Budget slider", width, &mut share, amount as f64);
    state.note("budget slider", response.rect);
    state.dragging_budget = response.dragged() || response.is_pointer_button_down_on();
    if response.changed() && share != before {
        let amount = budget_math::round_amount(f64::from(share), largest);
        set(state, |plan| {
            plan.budget = match budget {
                Budget::Samples(_) => Budget::Samples(amount),
                Budget::Percent(_) => Budget::Percent((f64::from(share) * 200.0).round() / 2.0),
                Budget::Tokens(_) => Budget::Tokens(amount),
            };
        });
    }
}

/// `of 38,563, 20.0 %, 0.91 M tokens`
fn summary(state: &AppState, words: Words, samples: u64) -> Words {
    let budget = state.build.plan.budget;
    let share = |count: u64| format::percent(count as f64 / samples.max(1) as f64);
    let selection = state.build.selection.as_ref().filter(|_| state.build.provisional.is_none());
    match budget {
        Budget::Tokens(_) => {
            let largest = budget_math::largest(budget, state.clusters(), samples);
            let largest = format::short(largest);
            match selection {
                Some(selection) => {
                    let count = selection.selected;
                    words
                        .t2("of ")
                        .num2(format!("{largest}, {}, {}", share(count), format::count(count)))
                        .t2(" samples")
                }
                None => words.t2("of ").num2(largest),
            }
        }
        _ => {
            let amount = format!("{}, {}", format::count(samples), share(budget.resolve(samples)));
            match selection {
                Some(selection) => {
                    words.t2("of ").num2(format!("{amount}, {}", format::short(selection.tokens))).t2(" tokens")
                }
                None => words.t2("of ").num2(amount),
            }
        }
    }
}

/// One segment per cluster, worst damage first; the numbers below.
fn shares(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let bar = Rect::from_min_size(rect.min, Vec2::new(rect.width(), 10.0));
    state.note("budget bar", bar);
    let Some(project) = state.project.clone() else { return };
    let mut clusters: Vec<_> = project.clusters.iter().collect();
    clusters.sort_by(|a, b| b.cds.unwrap_or(-1.0).total_cmp(&a.cds.unwrap_or(-1.0)).then(a.cluster.cmp(&b.cluster)));
    let provisional = state.build.provisional.is_some();
    let amount = |id: u32| match (&state.build.provisional, &state.build.selection) {
        (Some(provisional), _) => provisional.rows.iter().find(|row| row.cluster == id).map_or(0, |row| row.quota),
        (None, Some(selection)) => {
            selection.ledger.iter().find(|row| row.cluster == id).map_or(0, |row| row.pinned + row.taken + row.refilled)
        }
        (None, None) => 0,
    };
    let amounts: Vec<_> = clusters.into_iter().map(|cluster| (cluster, amount(cluster.cluster))).collect();
    let total: u64 = amounts.iter().map(|(_, amount)| amount).sum();
    if total == 0 {
        ui.painter().rect_filled(bar, 0.0, look.raised);
        return;
    }
    let mut left = bar.left();
    let mut hovered = None;
    let pointed = state.pointed_cluster();
    for (cluster, amount) in &amounts {
        let width = bar.width() * *amount as f32 / total as f32;
        let segment = Rect::from_min_max(pos2(left, bar.top()), pos2((left + width - 1.0).max(left), bar.bottom()));
        left += width;
        if *amount == 0 {
            continue;
        }
        let brushed = state.focus.is_brushed(u32::MAX, Some(cluster.cluster));
        let colour = look.cluster(cluster.colour);
        let colour = if provisional { crate::theme::mix(look.panel, colour, 0.62) } else { colour };
        ui.painter().rect_filled(segment, 0.0, colour);
        let response = ui.interact(segment, ui.scope_id().with(("share", cluster.cluster)), egui::Sense::click());
        let spoken = format!("{}: {} {}", cluster.name, format::count(*amount), unit(state));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Button, true, &spoken));
        if response.hovered() {
            hovered = Some(cluster.cluster);
        }
        super::click_cluster(ui, &response, state, cluster.cluster);
        if pointed == Some(cluster.cluster) {
            ui.painter().rect_stroke(
                segment.expand(1.0),
                0.0,
                Stroke::new(1.5, look.accent),
                egui::StrokeKind::Outside,
            );
        }
        let text = if matches!(state.build.plan.budget, Budget::Tokens(_)) {
            format::short(*amount)
        } else {
            format::count(*amount)
        };
        let ink = if brushed { look.text } else { look.text_3 };
        let words = Words::of(look).part(text, crate::theme::mono_small(), ink);
        if words.clone().galley(ui, f32::INFINITY, 1).size().x + 6.0 < width {
            words.paint(ui, pos2(segment.left() + 1.0, bar.bottom() + 9.0), Align2::LEFT_CENTER, width);
        }
        response.on_hover_text(spoken);
    }
    if let Some(cluster) = hovered {
        state.focus.next_hovered_cluster = Some(cluster);
    }
}

fn unit(state: &AppState) -> &'static str {
    if matches!(state.build.plan.budget, Budget::Tokens(_)) { "tokens" } else { "samples" }
}

/// The ledger in one line, and the words that must stand beside it.
fn waterfall(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let right = row_right(ui, rect, 8.0, |ui| {
        let caret = if state.panels.ledger { icons::CARET_DOWN } else { icons::CARET_UP };
        let response = ui.add(Button::new("Ledger").quiet().height(20.0).caret(caret));
        state.note("Ledger", response.rect);
        if response.clicked() {
            state.run(Command::ToggleLedger);
        }
        let strategy = state.build.plan.strategy;
        if passes::missing(state, strategy).is_some() {
            passes::button(ui, state, "Compute...");
        }
        ui.min_rect().left()
    });
    let left = Rect::from_min_max(rect.min, pos2(right - 8.0, rect.bottom()));
    let problem = state.build.problem.as_ref().map(ToString::to_string);
    let problem = problem.or_else(|| state.build.provisional.as_ref().and_then(|p| p.problem.clone()));
    row(ui, left, 12.0, |ui| {
        if let Some(problem) = problem {
            let text = format!(" {}", problem.replace('\n', " "));
            Words::new(ui).icon(icons::WARNING, 14.0, look.warn).part(text, crate::theme::body(), look.warn).show(ui);
            return;
        }
        if !state.is_scored() {
            Words::new(ui)
                .t3("Each cluster gets a share of the budget by its damage, once the pool is scored.")
                .show(ui);
            return;
        }
        let provisional = state.build.provisional.is_some();
        let fall = match (&state.build.provisional, &state.build.selection) {
            (Some(provisional), _) => Waterfall::of_provisional(provisional),
            (None, Some(selection)) => Waterfall::of_ledger(&selection.ledger),
            (None, None) => return,
        };
        // What fits is shown; the sum always is.
        let item = |value: String, words: &str| Words::of(look).num(value).t3(format!(" {words}"));
        let mut parts = Vec::new();
        if let Some(raw) = fall.raw {
            parts.push((item(format::count(raw.unsigned_abs()), "raw quota"), "raw quota"));
            parts.extend(fall.steps().into_iter().map(|(words, amount)| (item(format::signed(amount), words), words)));
            parts.push((Words::of(look).t3("="), ""));
        }
        let word = if provisional { " quota, provisional until at rest" } else { " taken" };
        parts.push((Words::of(look).num_a(format::count(fall.taken.unsigned_abs())).t3(word), ""));
        for (part, word) in parts {
            if ui.available_width() > 24.0 {
                explain(part.show(ui), Place::Waterfall, word);
            }
        }
        if let Some(project) = &state.project {
            let (pinned, excluded) = (project.curation.pinned.len(), project.curation.excluded.len());
            if pinned + excluded > 0 && ui.available_width() > 170.0 {
                crate::widgets::separator(ui);
                item(format::count(pinned as u64), "pinned").show(ui);
                item(format::count(excluded as u64), "excluded").show(ui);
            }
        }
        beside(ui, state, provisional);
    });
}

/// Mean length and noise stand beside every selection, where there is room.
fn beside(ui: &mut Ui, state: &mut AppState, provisional: bool) {
    let Some(selection) = state.build.selection.clone().filter(|_| !provisional) else { return };
    if ui.available_width() < 240.0 {
        return;
    }
    crate::widgets::separator(ui);
    let length = format::decimal(selection.mean_response_tokens, 1);
    Words::new(ui).t3("mean response ").num2(length).t3(" tokens").show(ui);
    if let Some(noise) = selection.noise
        && ui.available_width() > 130.0
    {
        Words::new(ui).num2(format::count(noise)).t3(" planted noise").show(ui);
    }
    offer_guard(ui, state, &selection);
}

/// Where a selection reaches above the noise fence: how much of it, and the guard.
fn offer_guard(ui: &mut Ui, state: &mut AppState, selection: &SelectionView) {
    let plan = &state.build.plan;
    let guarded = plan.guard == Guard::Tukey || plan.strategy == Strategy::PaserGuarded;
    let above = selection.above_fence;
    // A pin overrules the guard.
    let pinned = state.project.as_ref().map_or(0, |project| project.curation.pinned.len());
    let guard_helps = above * selection.selected as f64 > pinned as f64;
    if guarded || !guard_helps || ui.available_width() < 130.0 {
        return;
    }
    if ui.available_width() > 280.0 {
        Words::new(ui).num2(format::percent(above)).t3(" above the noise fence").show(ui);
    }
    let hint = format!(
        "{} of this selection surprise even the dense model: they lie above Tukey's fence of their cluster. The noise guard sets such samples aside.",
        format::percent(above)
    );
    let response = ui.add(Button::new("Set noise aside").height(20.0));
    state.note("Set noise aside", response.rect);
    if response.on_hover_text(hint).clicked() {
        set(state, |plan| plan.guard = Guard::Tukey);
    }
}
