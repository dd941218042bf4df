//! The pane of the curves: which metric of which items stands against step, tokens or time, on which axes and how smooth;
//! and below, what bands and lines are and how many seeds stand behind them.

use egui::{Align2, Rect, Ui, Vec2, pos2};
use paser_protocol::{MetricInfo, RecoveryView};

use super::{
    lines::{Lines, lines},
    plot::plot,
    style,
};
use crate::{
    command::Command,
    format,
    picture::View,
    recovery::{Axis, TRAINING_LOSS},
    state::AppState,
    theme::{self, icons},
    views::save_menu,
    widgets::{
        Words,
        button::drawn_button,
        field::dropdown,
        look,
        pane::pane,
        row, row_right,
        segmented::{Face, segmented},
        slider::slider,
    },
};

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let Some(view) = state.recovery.view.clone() else { return };
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::CHART_LINE, "Curves", look.canvas);
    state.note("pane:curves", rect);
    state.note(View::RecoveryCurves.place(), body);
    let (info, title) = subject(state, &view);
    head(ui, free, state, &view, &title);
    let line = Rect::from_min_size(body.min + Vec2::new(12.0, 4.0), Vec2::new(body.width() - 22.0, 24.0));
    controls(ui, line, state, &title);
    let drawn = lines(state, &view, look);
    let foot = Rect::from_min_max(pos2(body.left() + 14.0, body.bottom() - 24.0), body.right_bottom());
    caption(ui, foot, state, &drawn);
    let place = Rect::from_min_max(pos2(body.left() + 4.0, line.bottom()), pos2(body.right() - 6.0, foot.top()));
    if drawn.iter().all(|lines| lines.seeds.is_empty() && lines.apart.is_empty()) {
        let words = if drawn.is_empty() {
            "Every arm is hidden: click an eye in the table of arms."
        } else if state.recovery.shown.metric == TRAINING_LOSS {
            "The training loss of each step appears once the first part of a run is finished."
        } else {
            "A curve begins when the first arm is trained."
        };
        Words::of(look).t3(words).at(ui, place.center(), Align2::CENTER_CENTER, place.width() - 20.0);
        return;
    }
    plot(ui, place, state, &view, &drawn, &info);
}

/// What the curves are of: its format, and its words.
fn subject(state: &AppState, view: &RecoveryView) -> (MetricInfo, String) {
    let info = match state.recovery.metric(view) {
        Some(place) => view.metrics[place].clone(),
        None => MetricInfo {
            metric: TRAINING_LOSS.to_owned(),
            name: "training loss".to_owned(),
            unit: "nats per token".to_owned(),
            higher_is_better: false,
        },
    };
    let title = style::named(&info);
    (info, title)
}

fn head(ui: &mut Ui, free: Rect, state: &mut AppState, view: &RecoveryView, title: &str) {
    row_right(ui, free, 6.0, |ui| {
        save_menu::button(ui, state, View::RecoveryCurves);
        let faces = Axis::ALL.map(|axis| (Face::Text(axis.name()), axis.name()));
        let chosen = Axis::ALL.iter().position(|axis| *axis == state.recovery.shown.axis).unwrap_or(0);
        let mut cells = Vec::new();
        if let Some(place) = segmented(ui, "Axis", &faces, chosen, 22.0, |place, cell| cells.push((place, cell))) {
            state.recovery.shown.axis = Axis::ALL[place];
        }
        for (place, cell) in cells {
            state.note(format!("axis:{}", Axis::ALL[place].name()), cell);
        }
        let rest = ui.available_rect_before_wrap();
        row(ui, rest, 6.0, |ui| {
            let groups = state.recovery.metric(view).is_some() && !view.groups.is_empty();
            let room = ui.available_width() - 6.0;
            let width = if groups { room * 0.58 } else { room };
            metric_choice(ui, state, view, title, width.min(220.0));
            if groups {
                group_choice(ui, state, view, (room - width).min(150.0));
            }
        });
    });
}

fn metric_choice(ui: &mut Ui, state: &mut AppState, view: &RecoveryView, title: &str, width: f32) {
    let mut entries: Vec<(&str, &str)> =
        view.metrics.iter().map(|info| (info.name.as_str(), style::unit(info))).collect();
    entries.push(("training loss", "nats per token, every step"));
    let chosen = state.recovery.metric(view).unwrap_or(view.metrics.len());
    let (response, picked) = dropdown(ui, "Metric of the curves", title, 22.0, Some(width), &entries, Some(chosen));
    state.note("metric", response.rect);
    if let Some(place) = picked {
        state.recovery.shown.metric =
            view.metrics.get(place).map_or_else(|| TRAINING_LOSS.to_owned(), |info| info.metric.clone());
    }
}

fn group_choice(ui: &mut Ui, state: &mut AppState, view: &RecoveryView, width: f32) {
    let items = |items: u64| format!("n = {} items", format::count(items));
    let all = items(view.groups.iter().map(|group| group.items).sum());
    let counts: Vec<String> = view.groups.iter().map(|group| items(group.items)).collect();
    let mut entries = vec![("all items", all.as_str())];
    entries.extend(view.groups.iter().zip(&counts).map(|(group, count)| (group.name.as_str(), count.as_str())));
    let chosen = state.recovery.group(view);
    let face = entries[chosen].0.to_owned();
    let (response, picked) = dropdown(ui, "Items of the curves", &face, 22.0, Some(width), &entries, Some(chosen));
    state.note("group", response.rect);
    if let Some(place) = picked {
        state.recovery.shown.group = if place == 0 { String::new() } else { view.groups[place - 1].name.clone() };
    }
}

/// The name of the axis, and how the lines are drawn.
fn controls(ui: &mut Ui, rect: Rect, state: &mut AppState, title: &str) {
    let left = row_right(ui, rect, 6.0, |ui| {
        let weight = state.recovery.shown.smoothing;
        Words::new(ui).num2(format::decimal(f64::from(weight), 2)).show(ui);
        let mut share = weight / MOST_SMOOTHING;
        let response = slider(ui, "Smoothing", 64.0, &mut share, f64::from(weight));
        state.note("smoothing", response.rect);
        if response.changed() {
            state.recovery.shown.smoothing = (share * MOST_SMOOTHING * 100.0).round() / 100.0;
        }
        response.on_hover_text("Moving average; the line as measured stays below it, faint. 0: as measured.");
        Words::new(ui).small("smooth").show(ui);
        ui.add_space(8.0);
        for (command, word, on) in
            [(Command::LogY, "log y", state.recovery.shown.log_y), (Command::LogX, "log x", state.recovery.shown.log_x)]
        {
            let response = drawn_button(ui, command.name(), on, None, Vec2::new(40.0, 20.0), |ui, rect, ink| {
                ui.painter().text(rect.center(), Align2::CENTER_CENTER, word, theme::small(), ink);
            });
            state.note(format!("{command:?}"), response.rect);
            if response.clicked() {
                state.run(command);
            }
        }
        ui.min_rect().left()
    });
    Words::new(ui).small(title).at(ui, rect.left_center(), Align2::LEFT_CENTER, left - rect.left() - 8.0);
}

const MOST_SMOOTHING: f32 = 0.98;

/// What bands and thin lines are, how many seeds stand behind each arm, and which were left out.
fn caption(ui: &mut Ui, rect: Rect, state: &AppState, drawn: &[Lines]) {
    let look = look(ui);
    let n: Vec<String> = drawn.iter().map(|lines| format!("{} {}", lines.name, lines.n)).collect();
    let mut words = Words::of(look).small("band: 95 % interval of the mean over seeds; thin lines: single seeds");
    if !n.is_empty() {
        words = words.small(format!("    n: {}", n.join(", ")));
    }
    let left_out: Vec<&String> =
        drawn.iter().flat_map(|lines| lines.apart.iter().filter_map(|(_, why)| why.as_ref())).collect();
    let response_text = left_out.iter().map(|why| why.as_str()).collect::<Vec<_>>().join("\n");
    let mut left = rect.left();
    if !left_out.is_empty() {
        let text = format!(" {} left out of bands and means    ", left_out.len());
        let words = Words::of(look).icon(icons::WARNING, 12.0, look.warn).part(text, theme::small(), look.warn);
        let said = words.at(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width());
        left = said.rect.right();
        said.on_hover_text(response_text);
    }
    if state.recovery.shown.log_x && left_out.is_empty() {
        words = words.small("    step 0 has no place on this axis");
    }
    let whole = words.text();
    let said = words.at(ui, pos2(left, rect.center().y), Align2::LEFT_CENTER, rect.right() - left - 8.0);
    said.on_hover_text(whole);
}
