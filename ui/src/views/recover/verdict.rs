//! Two arms against each other, task by task: both values, their difference with its interval as a small forest plot, what
//! this test could have seen, and the word.

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{ArmView, Finding, MetricInfo, RecoveryView, VerdictRow, VerdictView};

use super::style::{self, whiskers};
use crate::{
    format,
    picture::View,
    state::AppState,
    theme::{self, Look, icons},
    views::save_menu,
    widgets::{Words, column, elided, field::dropdown, look, pane::pane, row, row_right, width_of},
};

const HEAD: f32 = 22.0;
const ROW: f32 = 24.0;
const FOREST: f32 = 96.0;
/// Widths of items, both values, difference, forest, least gap and verdict.
const WIDTHS: [f32; 7] = [44.0, 56.0, 56.0, 64.0, FOREST + 20.0, 54.0, 124.0];
/// Least room for a task's name.
const TASK: f32 = 104.0;

/// Widths in a table of this width: items and the least gap give way first, then the forest; they stand in the hint, too.
fn widths(room: f32) -> [f32; WIDTHS.len()] {
    let mut widths = WIDTHS;
    for (at, least) in [(0, 0.0), (5, 0.0), (4, 76.0)] {
        if room - 16.0 - widths.iter().sum::<f32>() >= TASK {
            break;
        }
        widths[at] = least;
    }
    // Where there is more than enough, intervals and names of arms get it.
    let spare = (room - 16.0 - widths.iter().sum::<f32>() - 2.0 * TASK).max(0.0);
    widths[4] += (spare * 0.5).min(120.0);
    widths[6] += (spare * 0.3).min(90.0);
    widths
}

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let Some(view) = state.recovery.view.clone() else { return };
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::SCALES, "Verdict", look.panel);
    state.note("pane:verdict", rect);
    state.note(View::Verdict.place(), body);
    head(ui, free, state, &view);
    let Some(verdict) = state.recovery.verdict.clone() else {
        let words = match (&state.recovery.verdict_problem, state.recovery.pair(&view)) {
            (Some(problem), _) => format!("{} {}", problem.what, problem.advice),
            (None, None) => "A verdict needs two arms.".to_owned(),
            (None, Some((first, second))) => {
                let done = |arm: &ArmView| arm.runs.iter().any(|run| run.state == paser_protocol::ArmState::Done);
                let missing: Vec<&str> =
                    [first, second].into_iter().filter(|arm| !done(arm)).map(|arm| arm.name.as_str()).collect();
                match missing.is_empty() {
                    true => "working out the intervals".to_owned(),
                    false => format!("No verdict before a seed is finished of {}.", missing.join(" and ")),
                }
            }
        };
        Words::of(look).t3(words).at(ui, body.center(), Align2::CENTER_CENTER, body.width() - 20.0);
        return;
    };
    table(ui, body, state, &view, &verdict);
}

fn head(ui: &mut Ui, free: Rect, state: &mut AppState, view: &RecoveryView) {
    let Some((first, second)) = state.recovery.pair(view) else { return };
    let (first, second) = (first.name.clone(), second.name.clone());
    row_right(ui, free, 6.0, |ui| {
        save_menu::button(ui, state, View::Verdict);
        if view.metrics.len() > 1 {
            let entries: Vec<_> = view.metrics.iter().map(|info| (info.name.as_str(), style::unit(info))).collect();
            let chosen = view.metrics.iter().position(|info| info.metric == state.recovery.shown.verdict_metric);
            let chosen = chosen.unwrap_or(0);
            let face = view.metrics[chosen].name.as_str();
            let width = Some(134.0_f32.min(ui.available_width() * 0.3));
            let (response, picked) = dropdown(ui, "Metric of the verdict", face, 22.0, width, &entries, Some(chosen));
            state.note("verdict metric", response.rect);
            if let Some(place) = picked {
                state.recovery.shown.verdict_metric.clone_from(&view.metrics[place].metric);
            }
        }
        let rest = ui.available_rect_before_wrap();
        row(ui, rest, 6.0, |ui| {
            let width = ((ui.available_width() - 62.0) / 2.0).clamp(60.0, 150.0);
            let arms: Vec<&str> =
                view.arms.iter().filter(|arm| arm.pilot.is_none()).map(|arm| arm.name.as_str()).collect();
            let entries: Vec<(&str, &str)> = arms.iter().map(|name| (*name, "")).collect();
            let place = |name: &str| arms.iter().position(|other| *other == name);
            let (one, picked) = dropdown(ui, "First arm", &first, 22.0, Some(width), &entries, place(&first));
            state.note("verdict first", one.rect);
            if let Some(place) = picked {
                let other = if arms[place] == second { first.clone() } else { second.clone() };
                state.recovery.shown.pair = Some((arms[place].to_owned(), other));
            }
            Words::new(ui).small("against").show(ui);
            let (two, picked) = dropdown(ui, "Second arm", &second, 22.0, Some(width), &entries, place(&second));
            state.note("verdict second", two.rect);
            if let Some(place) = picked {
                let other = if arms[place] == first { second.clone() } else { first.clone() };
                state.recovery.shown.pair = Some((other, arms[place].to_owned()));
            }
        });
    });
}

/// Right edges of the columns after the task, in a row that ends at `right`.
fn edges(right: f32, widths: [f32; WIDTHS.len()]) -> [f32; WIDTHS.len()] {
    let mut edge = right - 8.0;
    let mut edges = [0.0; WIDTHS.len()];
    for (place, width) in edges.iter_mut().zip(widths).rev() {
        *place = edge;
        edge -= width;
    }
    edges
}

fn table(ui: &mut Ui, body: Rect, state: &mut AppState, view: &RecoveryView, verdict: &VerdictView) {
    let look = look(ui);
    let info = &verdict.metric;
    let head = Rect::from_min_size(body.min, Vec2::new(body.width(), HEAD));
    ui.painter().rect_filled(head, 0.0, look.raised);
    let widths = widths(body.width());
    let edges = edges(head.right(), widths);
    let y = head.center().y;
    let left = |words: Words, x: f32, width: f32| words.paint(ui, pos2(x, y), Align2::LEFT_CENTER, width);
    left(Words::of(look).small("task"), head.left() + 8.0, 120.0);
    let ink = |text: &str, colour| Words::of(look).part(text, theme::small(), colour);
    let heads = [
        ink("items", look.text_3),
        ink(&verdict.first, look.a),
        ink(&verdict.second, look.b),
        ink("difference", look.text_3),
    ];
    for (words, (edge, width)) in heads.into_iter().zip(edges.into_iter().zip(widths)) {
        if width > 0.0 {
            words.paint(ui, pos2(edge, y), Align2::RIGHT_CENTER, width - 6.0);
        }
    }
    let forest = edges[4] - widths[4] / 2.0;
    let unit = Words::of(look).small(format!("{}, 95 %", style::unit(info)));
    unit.paint(ui, pos2(forest, y), Align2::CENTER_CENTER, widths[4] - 4.0);
    if widths[5] > 0.0 {
        Words::of(look).small("least gap").paint(ui, pos2(edges[5], y), Align2::RIGHT_CENTER, widths[5]);
    }
    left(Words::of(look).small("verdict"), edges[6] - widths[6] + 16.0, 80.0);
    let reach = verdict.rows.iter().flat_map(|row| [row.difference.low.abs(), row.difference.high.abs()]);
    let reach = reach.fold(1e-9, f64::max) * 1.05;
    let rows = body.with_min_y(head.bottom());
    column(ui, rows, |ui| {
        egui::ScrollArea::vertical().id_salt("verdict").auto_shrink(false).show(ui, |ui| {
            for line in &verdict.rows {
                one(ui, rows.width(), state, view, verdict, line, reach);
            }
            for note in footnotes(verdict) {
                let galley = Words::of(look).small(&note).galley(ui, rows.width() - 16.0, 3);
                let (place, response) =
                    ui.allocate_exact_size(Vec2::new(rows.width(), galley.size().y + 6.0), Sense::hover());
                response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &note));
                ui.painter().galley(place.min + Vec2::new(8.0, 5.0), galley, look.text_3);
            }
        });
    });
}

/// How it was tested, and what has to be known to believe it.
fn footnotes(verdict: &VerdictView) -> Vec<String> {
    let (one, two) = verdict.seeds;
    let seeds = if one == two { format!("{one} seeds each") } else { format!("{one} and {two} seeds") };
    let tasks = verdict.rows.len();
    let mut notes = vec![format!("{seeds}; bootstrap over seeds and items; Holm's correction over {tasks} tasks")];
    notes.extend(verdict.notes.iter().cloned());
    notes
}

/// The word of a finding, with the arm's name.
pub(crate) fn word(verdict: &VerdictView, finding: Finding) -> String {
    match finding {
        Finding::First => format!("{} better", verdict.first),
        Finding::Second => format!("{} better", verdict.second),
        Finding::CannotTell => "cannot tell".to_owned(),
    }
}

fn one(
    ui: &mut Ui,
    width: f32,
    state: &mut AppState,
    view: &RecoveryView,
    verdict: &VerdictView,
    line: &VerdictRow,
    reach: f64,
) {
    let look = look(ui);
    let info = &verdict.metric;
    let (place, response) = ui.allocate_exact_size(Vec2::new(width, ROW), Sense::click());
    let difference = style::signed(info, line.difference.value);
    let spoken = format!("{}: {difference} {}, {}", line.task, style::unit(info), word(verdict, line.finding));
    let on = state.recovery.shown.group == line.task;
    response.widget_info(|| WidgetInfo::selected(Role::Row, true, on, &spoken));
    state.note(format!("verdict:{}", line.task), place);
    if response.hovered() {
        ui.painter().rect_filled(place, 0.0, look.raised);
    }
    ui.painter().hline(place.x_range(), place.bottom() - 0.5, Stroke::new(1.0, look.line));
    if response.has_focus() {
        ui.painter().rect_stroke(place.shrink(1.0), 0.0, Stroke::new(2.0, look.accent), egui::StrokeKind::Inside);
    }
    let y = place.center().y;
    let widths = widths(width);
    let edges = edges(place.right(), widths);
    let room = edges[0] - widths[0] - place.left() - 8.0;
    Words::of(look).t(&line.task).paint(ui, pos2(place.left() + 8.0, y), Align2::LEFT_CENTER, room);
    let mono = |text: String, colour| Words::of(look).part(text, theme::mono(), colour);
    let cells = [
        mono(format::count(line.items), look.text_3),
        mono(style::value(info, line.first), look.a),
        mono(style::value(info, line.second), look.b),
        mono(difference, look.text),
    ];
    for (words, (edge, width)) in cells.into_iter().zip(edges.into_iter().zip(widths)) {
        if width > 0.0 {
            words.paint(ui, pos2(edge, y), Align2::RIGHT_CENTER, width);
        }
    }
    let (colour, ink, icon) = of_finding(look, line.finding);
    let middle = edges[4] - widths[4] / 2.0;
    let x = |value: f64| middle + (value / reach).clamp(-1.0, 1.0) as f32 * (widths[4] - 20.0) / 2.0;
    ui.painter().vline(middle.round() + 0.5, place.top()..=place.bottom() - 1.0, Stroke::new(1.0, look.axis));
    whiskers(ui, [x(line.difference.low), x(line.difference.high)], y, Stroke::new(1.5, colour));
    ui.painter().circle_filled(pos2(x(line.difference.value), y), 3.0, colour);
    let gap = mono(style::value(info, line.least_gap), look.text_3);
    if widths[5] > 0.0 {
        gap.paint(ui, pos2(edges[5], y), Align2::RIGHT_CENTER, widths[5]);
    }
    let left = edges[6] - widths[6] + 16.0;
    match icon {
        Some(icon) => drop(ui.painter().text(pos2(left + 6.0, y), Align2::CENTER_CENTER, icon, theme::icon(13.0), ink)),
        None => drop(ui.painter().text(pos2(left + 6.0, y), Align2::CENTER_CENTER, "?", theme::body(), ink)),
    }
    let room = place.right() - left - 21.0;
    let words = match line.finding {
        Finding::First => short(ui, &verdict.first, room),
        Finding::Second => short(ui, &verdict.second, room),
        Finding::CannotTell => word(verdict, line.finding),
    };
    let words = Words::of(look).part(words, theme::body(), ink);
    words.paint(ui, pos2(left + 17.0, y), Align2::LEFT_CENTER, room);
    if response.clicked() && view.groups.iter().any(|group| group.name == line.task) {
        state.recovery.shown.group.clone_from(&line.task);
    }
    response.on_hover_text(hint(info, line));
}

/// `random, same... better`: the name gives way, the word does not.
fn short(ui: &Ui, name: &str, room: f32) -> String {
    let better = " better";
    format!("{}{better}", elided(ui, name, room - width_of(ui, better)))
}

/// Mark, ink and icon of a finding.
fn of_finding(look: &Look, finding: Finding) -> (egui::Color32, egui::Color32, Option<char>) {
    match finding {
        Finding::First => (look.a_fill, look.a, Some(icons::CHECK)),
        Finding::Second => (look.b_fill, look.b, Some(icons::CHECK)),
        Finding::CannotTell => (look.text_3, look.text_2, None),
    }
}

/// The interval and the tests in numbers.
fn hint(info: &MetricInfo, line: &VerdictRow) -> String {
    let (low, high) = (style::signed(info, line.difference.low), style::signed(info, line.difference.high));
    let mcnemar = line.mcnemar.map_or_else(String::new, |p| format!("; McNemar p {}", format::decimal(p, 3)));
    format!(
        "n = {} items. 95 % interval of the difference: {low} to {high} {}; p {} after Holm's correction{mcnemar}. A difference of {} would be found four times out of five.",
        format::count(line.items),
        style::unit(info),
        format::decimal(line.p, 3),
        style::value(info, line.least_gap)
    )
}
