//! The curves of all visible arms: a metric against step, tokens or time, with bands over seeds, reference lines of the
//! dense and the pruned model, labels at the line ends, and a cursor that can be read and moved.

use egui::{Align2, Color32, EventFilter, Key, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};
use egui_plot::{
    AxisHints, FilledArea, GridInput, GridMark, Line, MarkerShape, Plot, PlotBounds, PlotPoint, PlotPoints,
    PlotTransform, Points,
};
use paser_protocol::{Measure, MetricInfo, RecoveryView};

use super::{
    lines::{Lines, lines},
    style::{self, Dash},
};
use crate::{
    command::Command,
    format,
    picture::View,
    recovery::{Axis, TRAINING_LOSS, mean_at},
    series::{even_step, log_ticks, smooth, spread, thin},
    state::AppState,
    theme::{self, Look, icons},
    views::save_menu,
    widgets::{
        Words,
        button::drawn_button,
        field::{card, dropdown},
        focus_ring, look,
        pane::pane,
        row, row_right, say,
        segmented::{Face, segmented},
        slider::slider,
    },
};

/// Points of a line, at most; beyond, its lowest and highest of each stretch are kept.
const MOST_POINTS: usize = 2_000;
/// Right of the plot, for the names and values at the line ends.
const LABELS: f32 = 148.0;
const LABEL_GAP: f32 = 14.0;
/// Rows of the cursor's card.
const CARD_ROWS: usize = 7;

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

/// An axis, maybe of logarithms: what is drawn is the logarithm, what is written the value.
#[derive(Clone, Copy)]
struct Scale {
    log: bool,
    /// What a number on the axis stands for: 60 where seconds are read as minutes.
    unit: f64,
    /// The last step, where the axis is of steps: ticks are quarters of it.
    steps: Option<u32>,
}

impl Scale {
    /// None: it has no place on the axis.
    fn place(self, value: f64) -> Option<f64> {
        let value = value / self.unit;
        let place = if self.log { value.log10() } else { value };
        place.is_finite().then_some(place)
    }

    fn value(self, place: f64) -> f64 {
        self.unit * if self.log { 10_f64.powf(place) } else { place }
    }

    fn ticks(self, (low, high): (f64, f64)) -> Vec<GridMark> {
        if self.log {
            let ticks = log_ticks(low, high);
            let decade = GridMark { value: 0.0, step_size: 1.0 };
            return ticks.into_iter().map(|tick| GridMark { value: tick.log10(), ..decade }).collect();
        }
        let quarter = self.steps.filter(|steps| steps.is_multiple_of(4)).map(|steps| f64::from(steps / 4));
        let step_size = quarter.filter(|quarter| *quarter > 0.0).unwrap_or_else(|| even_step(low, high));
        let (first, last) = ((low / step_size).ceil() as i64, (high / step_size).floor() as i64);
        (first..=last).take(24).map(|place| GridMark { value: place as f64 * step_size, step_size }).collect()
    }

    fn words(self, mark: GridMark, share: bool, whole: bool) -> String {
        let value = if self.log { 10_f64.powf(mark.value) } else { mark.value };
        let (value, step) = if share { (value * 100.0, mark.step_size * 100.0) } else { (value, mark.step_size) };
        if whole && value >= 10_000.0 {
            return format::short(value.round() as u64);
        }
        let places = if self.log {
            (1.0 - value.abs().log10()).ceil().clamp(0.0, 4.0)
        } else {
            (-step.log10() - 1e-9).ceil().max(0.0)
        };
        let text = format::decimal(value, places as usize);
        let trims = self.log && text.contains('.');
        if trims { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }
}

/// A dashed or dotted line across, with its value.
struct Reference {
    name: &'static str,
    value: f64,
    dash: Dash,
}

fn references(state: &AppState, view: &RecoveryView) -> Vec<Reference> {
    let Some(metric) = state.recovery.metric(view) else { return Vec::new() };
    let group = state.recovery.group(view);
    let of =
        |models: &[Vec<Option<Measure>>]| models.get(metric)?.get(group).copied().flatten().map(|found| found.value);
    let dense = of(&view.dense).map(|value| Reference { name: "dense", value, dash: Dash::Dashed });
    let pruned = of(&view.pruned).map(|value| Reference { name: "pruned", value, dash: Dash::Dotted });
    dense.into_iter().chain(pruned).collect()
}

fn plot(ui: &mut Ui, place: Rect, state: &mut AppState, view: &RecoveryView, drawn: &[Lines], info: &MetricInfo) {
    let look = look(ui);
    let shown = state.recovery.shown.clone();
    let references = references(state, view);
    let planned = (shown.axis == Axis::Step).then(|| {
        let runs = view.arms.iter().filter(|arm| state.recovery.is_visible(arm) && arm.pilot.is_none());
        runs.flat_map(|arm| &arm.runs).map(|run| run.steps).max().unwrap_or(0)
    });
    let (unit, word) = time_unit(drawn, shown.axis);
    let x_scale = Scale { log: shown.log_x, unit, steps: planned };
    let y_scale = Scale { log: shown.log_y, unit: 1.0, steps: None };
    let at = |x: f64, y: f64| Some([x_scale.place(x)?, y_scale.place(y)?]);
    let Some(bounds) = bounds(drawn, &references, planned, &at, x_scale.log) else { return };
    let (plot_rect, labels) = place.split_left_right_at_x(place.right() - LABELS);
    let plot_rect = plot_rect.with_max_y(plot_rect.bottom() - 16.0);
    let mut child = ui.new_child(egui::UiBuilder::new().id_salt("curves").max_rect(plot_rect));
    let (share, is_step) = (info.unit == "share", shown.axis != Axis::Time);
    child.visuals_mut().widgets.noninteractive.fg_stroke.color = look.text_3;
    let axis = |hints: AxisHints<'static>, scale: Scale, share: bool, whole: bool| {
        hints
            .tick_label_font(theme::mono_small())
            .tick_label_color(look.text_3)
            .label_spacing(10.0..=16.0)
            .formatter(move |mark, _| scale.words(mark, share, whole))
    };
    let layers = layers(drawn, look, &at, f64::from(shown.smoothing));
    let shown_plot = Plot::new("recovery curves")
        .width(plot_rect.width())
        .height(plot_rect.height())
        .show_background(false)
        .grid_color(look.grid)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .sense(Sense::hover())
        .cursor_color(Color32::TRANSPARENT)
        .custom_x_axes(vec![axis(AxisHints::new_x(), x_scale, false, is_step)])
        .custom_y_axes(vec![axis(AxisHints::new_y(), y_scale, share, false)])
        .x_grid_spacer(move |input: GridInput| x_scale.ticks(input.bounds))
        .y_grid_spacer(move |input: GridInput| y_scale.ticks(input.bounds))
        .label_formatter(|_| None)
        .set_margin_fraction(Vec2::ZERO)
        .show(&mut child, move |plot| {
            plot.set_plot_bounds(bounds);
            layers.draw(plot);
        });
    let transform = shown_plot.transform;
    let frame = *transform.frame();
    let axis_stroke = Stroke::new(1.0, look.axis);
    ui.painter().vline(frame.left(), frame.y_range(), axis_stroke);
    ui.painter().hline(frame.x_range(), frame.bottom(), axis_stroke);
    let words = Words::of(look).part(format!("{}{word}", shown.axis.words()), theme::small(), look.text_2);
    words.at(ui, pos2(frame.center().x, place.bottom() - 9.0), Align2::CENTER_CENTER, frame.width());
    for reference in &references {
        let Some(y) = y_scale.place(reference.value) else { continue };
        let y = transform.position_from_point_y(y);
        let ends = [pos2(frame.left(), y), pos2(frame.right(), y)];
        style::stroke(ui, ends, Stroke::new(1.5, look.text_2), reference.dash);
    }
    let weight = f64::from(shown.smoothing);
    ends(ui, labels.with_min_x(frame.right()), &transform, (drawn, weight), &references, y_scale, info);
    cursor(ui, frame, state, &transform, drawn, (x_scale, y_scale), info);
}

/// Seconds that one on the axis stands for, and its word.
fn time_unit(drawn: &[Lines], axis: Axis) -> (f64, &'static str) {
    if axis != Axis::Time {
        return (1.0, "");
    }
    let readings = drawn.iter().flat_map(|lines| lines.seeds.iter().chain(lines.apart.iter().map(|(line, _)| line)));
    match readings.flatten().map(|reading| reading.x).fold(0.0, f64::max) {
        ..180.0 => (1.0, ", s"),
        180.0..10_800.0 => (60.0, ", min"),
        _ => (3_600.0, ", h"),
    }
}

/// What is seen of the plane: all lines, the references, and the steps that are planned.
fn bounds(
    drawn: &[Lines],
    references: &[Reference],
    planned: Option<u32>,
    at: &dyn Fn(f64, f64) -> Option<[f64; 2]>,
    log_x: bool,
) -> Option<PlotBounds> {
    let readings = drawn
        .iter()
        .flat_map(|lines| {
            lines.seeds.iter().chain(lines.apart.iter().filter(|(_, why)| why.is_none()).map(|(line, _)| line))
        })
        .flatten();
    let mut points: Vec<[f64; 2]> = readings.filter_map(|reading| at(reading.x, reading.value)).collect();
    // What left all bounds does not squeeze the rest; it is drawn as far as it is inside.
    if points.is_empty() {
        let left_out = drawn.iter().flat_map(|lines| lines.apart.iter().flat_map(|(line, _)| line));
        points = left_out.filter_map(|reading| at(reading.x, reading.value)).collect();
    }
    let range = |axis: usize| {
        let values = points.iter().map(|point| point[axis]);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ((mut left, mut right), (mut low, mut high)) = (range(0), range(1));
    if !left.is_finite() || !low.is_finite() {
        return None;
    }
    for reference in references {
        if let Some([_, y]) = at(1.0, reference.value) {
            (low, high) = (low.min(y), high.max(y));
        }
    }
    if !log_x {
        left = 0.0;
    }
    if let Some([x, _]) = planned.and_then(|steps| at(f64::from(steps), 1.0)) {
        right = right.max(x);
    }
    let (width, height) = ((right - left).max(1e-9), (high - low).max(1e-9));
    Some(PlotBounds::from_min_max([left, low - height * 0.05], [left + width, high + height * 0.05]))
}

/// What is drawn inside of the plot, lowest first.
struct Layers {
    bands: Vec<(Vec<f64>, Vec<f64>, Vec<f64>, Color32)>,
    lines: Vec<(Vec<[f64; 2]>, Color32, f32, Dash)>,
    flags: Vec<([f64; 2], Color32)>,
}

fn layers(drawn: &[Lines], look: &Look, at: &dyn Fn(f64, f64) -> Option<[f64; 2]>, weight: f64) -> Layers {
    let mut layers = Layers { bands: Vec::new(), lines: Vec::new(), flags: Vec::new() };
    let (mut thin_lines, mut means) = (Vec::new(), Vec::new());
    // The pair lies above the others.
    let order = drawn.iter().filter(|lines| !lines.of_pair).chain(drawn.iter().rev().filter(|lines| lines.of_pair));
    for lines in order {
        let (fill, dash) = (lines.style.fill, lines.style.dash);
        let (mut xs, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        for mean in &lines.mean {
            let Some(half) = mean.half else { continue };
            if let (Some([x, bottom]), Some([_, top])) = (at(mean.x, mean.mean - half), at(mean.x, mean.mean + half)) {
                xs.push(x);
                low.push(bottom);
                high.push(top);
            }
        }
        let smoothed = |ys: &[f64]| -> Vec<f64> {
            let points: Vec<[f64; 2]> = xs.iter().zip(ys).map(|(x, y)| [*x, *y]).collect();
            smooth(&points, weight).into_iter().map(|[_, y]| y).collect()
        };
        let (low, high) = (smoothed(&low), smoothed(&high));
        if xs.len() > 1 && xs.len() <= MOST_POINTS {
            layers.bands.push((xs, low, high, fill.gamma_multiply(if lines.of_pair { 0.18 } else { 0.10 })));
        }
        let raw = |readings: &[crate::series::Reading]| -> Vec<[f64; 2]> {
            readings.iter().filter_map(|reading| at(reading.x, reading.value)).collect()
        };
        if lines.of_pair && lines.n > 1 {
            for seed in &lines.seeds {
                let points = smooth(&raw(seed), weight);
                thin_lines.push((thin(&points, MOST_POINTS), fill.gamma_multiply(0.30), 1.0, Dash::Solid));
            }
        }
        for (line, why) in &lines.apart {
            let points = raw(line);
            if let (Some(last), Some(_)) = (points.last(), why) {
                layers.flags.push((*last, look.error));
            }
            let dash = if why.is_some() { Dash::Dotted } else { Dash::Solid };
            thin_lines.push((thin(&points, MOST_POINTS), fill.gamma_multiply(0.45), 1.0, dash));
        }
        let mean: Vec<[f64; 2]> = lines.mean.iter().filter_map(|mean| at(mean.x, mean.mean)).collect();
        if weight > 0.0 {
            thin_lines.push((thin(&mean, MOST_POINTS), fill.gamma_multiply(0.30), 1.0, Dash::Solid));
        }
        means.push((thin(&smooth(&mean, weight), MOST_POINTS), fill, lines.style.width, dash));
    }
    layers.lines = thin_lines;
    layers.lines.extend(means);
    layers
}

impl Layers {
    fn draw(self, plot: &mut egui_plot::PlotUi<'_>) {
        for (xs, low, high, fill) in &self.bands {
            plot.add(FilledArea::new("band", xs, low, high).fill_color(*fill));
        }
        for (points, colour, width, dash) in self.lines {
            let line = Line::new("line", PlotPoints::new(points)).color(colour).width(width);
            plot.line(line.style(dash.line()).allow_hover(false));
        }
        for (at, colour) in self.flags {
            let flag = Points::new("left out", PlotPoints::new(vec![at])).color(colour).radius(4.0);
            plot.points(flag.shape(MarkerShape::Cross).allow_hover(false));
        }
    }
}

/// Names and last values right of the plot, where none covers another.
fn ends(
    ui: &mut Ui,
    rect: Rect,
    transform: &PlotTransform,
    (drawn, weight): (&[Lines], f64),
    references: &[Reference],
    y_scale: Scale,
    info: &MetricInfo,
) {
    let look = look(ui);
    let mut labels: Vec<(f32, String, f64, Color32)> = Vec::new();
    for lines in drawn {
        // Where the line that is drawn ends.
        let mean: Vec<[f64; 2]> =
            lines.mean.iter().filter_map(|mean| Some([mean.x, y_scale.place(mean.mean)?])).collect();
        if let Some([_, y]) = smooth(&mean, weight).last().copied() {
            labels.push((transform.position_from_point_y(y), lines.name.clone(), y_scale.value(y), lines.style.ink));
        }
    }
    for reference in references {
        if let Some(y) = y_scale.place(reference.value) {
            labels.push((transform.position_from_point_y(y), reference.name.to_owned(), reference.value, look.text_2));
        }
    }
    let wanted: Vec<f32> = labels.iter().map(|(y, ..)| *y).collect();
    let places = spread(&wanted, LABEL_GAP, rect.top() + 8.0, rect.bottom() - 22.0);
    for ((y, name, value, ink), at) in labels.into_iter().zip(places) {
        let leader = [pos2(rect.left() + 2.0, y), pos2(rect.left() + 10.0, at)];
        ui.painter().line_segment(leader, Stroke::new(1.0, look.axis));
        let number = Words::of(look).part(style::value(info, value), theme::mono_small(), ink);
        let number = number.paint(ui, pos2(rect.right() - 4.0, at), Align2::RIGHT_CENTER, 60.0);
        let left = pos2(rect.left() + 13.0, at);
        let words = Words::of(look).part(&name, theme::small(), ink);
        words.paint(ui, left, Align2::LEFT_CENTER, number.left() - left.x - 4.0);
        let whole = Rect::from_min_max(pos2(left.x, at - 7.0), pos2(rect.right(), at + 7.0));
        say(ui, whole, format!("{name}: {} at the end", style::value(info, value)));
    }
}

/// The upright line, its dots and its card; moved by click, drag and arrows.
fn cursor(
    ui: &mut Ui,
    frame: Rect,
    state: &mut AppState,
    transform: &PlotTransform,
    drawn: &[Lines],
    (x_scale, y_scale): (Scale, Scale),
    info: &MetricInfo,
) {
    let look = look(ui);
    let id = ui.scope_id().with("cursor of the curves");
    let response = ui.interact(frame, id, Sense::click_and_drag());
    let at = state.recovery.shown.cursor;
    response.widget_info(|| WidgetInfo::slider(true, f64::from(at.unwrap_or(0)), "Step of the cursor on the curves"));
    state.note("curves", frame);
    if (response.clicked() || response.dragged())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        response.request_focus();
        let x = transform.value_from_position(pointer).x;
        let means = drawn.iter().flat_map(|lines| &lines.mean);
        let far = means.filter_map(|mean| Some(((x_scale.place(mean.x)? - x).abs(), mean.step)));
        if let Some((_, step)) = far.min_by(|a, b| a.0.total_cmp(&b.0)) {
            state.set_cursor(Some(step));
        }
    }
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        let by = ui.input(|input| {
            let presses = |key| input.num_presses(key) as i64;
            presses(Key::ArrowRight) - presses(Key::ArrowLeft)
        });
        if by != 0 {
            state.step_cursor(by);
        }
    }
    // Who clicks knows where: the ring is for those who came by keys.
    let by_pointer = id.with("by pointer");
    if response.clicked() || response.dragged() {
        ui.data_mut(|data| data.insert_temp(by_pointer, true));
    } else if !response.has_focus() || ui.input(|input| input.key_pressed(Key::Tab)) {
        ui.data_mut(|data| data.remove::<bool>(by_pointer));
    }
    if !ui.data(|data| data.get_temp(by_pointer).unwrap_or(false)) {
        focus_ring(ui, &response, frame.shrink(2.0));
    }
    let Some(step) = state.recovery.shown.cursor else {
        response.on_hover_text("Click or drag: the values at a step, and the map as it was then");
        return;
    };
    let values: Vec<(&Lines, &crate::series::Mean)> =
        drawn.iter().filter_map(|lines| Some((lines, mean_at(&lines.mean, step)?))).collect();
    let upright = values.iter().find(|(lines, _)| lines.of_pair).or(values.first());
    let Some(x) = upright.and_then(|(_, mean)| x_scale.place(mean.x)) else { return };
    let x = transform.position_from_point_x(x).clamp(frame.left(), frame.right());
    ui.painter().vline(x, frame.y_range(), Stroke::new(1.0, look.accent));
    for (lines, mean) in values.iter().filter(|(lines, _)| lines.of_pair) {
        if let (Some(x), Some(y)) = (x_scale.place(mean.x), y_scale.place(mean.mean)) {
            let dot = transform.position_from_point(&PlotPoint::new(x, y));
            ui.painter().circle(dot, 3.5, lines.style.fill, Stroke::new(1.0, look.canvas));
        }
    }
    values_card(ui, frame, x, state, step, &values, info);
}

fn values_card(
    ui: &mut Ui,
    frame: Rect,
    x: f32,
    state: &AppState,
    step: u32,
    values: &[(&Lines, &crate::series::Mean)],
    info: &MetricInfo,
) {
    let look = look(ui);
    let number = |value: f64, half: Option<f64>| {
        style::plus_minus(style::value(info, value), half.map(|half| style::value(info, half)))
    };
    let mut rows: Vec<(String, String, Color32)> = values
        .iter()
        .take(CARD_ROWS)
        .map(|(lines, mean)| (lines.name.clone(), number(mean.mean, mean.half), lines.style.ink))
        .collect();
    let pair: Vec<_> = values.iter().filter(|(lines, _)| lines.of_pair).collect();
    if let [(first, one), (_, two)] = pair.as_slice() {
        // The first of the verdict less the second, whichever stands first in the recipe.
        let verdict = state.recovery.view.as_ref().and_then(|view| state.recovery.pair(view));
        let turned = verdict.is_some_and(|(a, _)| a.name != first.name);
        let difference = if turned { two.mean - one.mean } else { one.mean - two.mean };
        let half = one.half.zip(two.half).map(|(one, two)| style::value(info, one.hypot(two)));
        rows.push(("difference".to_owned(), style::plus_minus(style::signed(info, difference), half), look.text));
    }
    let size = Vec2::new(212.0, 27.0 + 17.0 * rows.len() as f32 + 6.0);
    let left = if x + 10.0 + size.x < frame.right() { x + 10.0 } else { x - 10.0 - size.x };
    let place = Rect::from_min_size(pos2(left.max(frame.left() + 2.0), frame.top() + 22.0), size);
    card(ui, place, look.overlay);
    let more = if state.recovery.damage_left().is_some() { ", shown on the map too" } else { "" };
    let head = Words::of(look).t2("step ").num2(format::count(u64::from(step))).t2(more);
    head.at(ui, pos2(place.left() + 10.0, place.top() + 15.0), Align2::LEFT_CENTER, size.x - 20.0);
    for (line, (name, text, ink)) in rows.into_iter().enumerate() {
        let y = place.top() + 35.0 + 17.0 * line as f32;
        let number = Words::of(look).part(&text, theme::mono(), ink);
        let number = number.paint(ui, pos2(place.right() - 10.0, y), Align2::RIGHT_CENTER, 130.0);
        let left = pos2(place.left() + 10.0, y);
        Words::of(look).part(&name, theme::small(), ink).paint(
            ui,
            left,
            Align2::LEFT_CENTER,
            number.left() - left.x - 6.0,
        );
        let whole = Rect::from_min_max(pos2(left.x, y - 8.0), pos2(place.right() - 10.0, y + 8.0));
        say(ui, whole, format!("{name} at step {}: {text}", format::count(u64::from(step))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_read_as_values_on_both_kinds_of_axis() {
        let words = |scale: Scale, bounds: (f64, f64), share: bool| -> Vec<String> {
            scale.ticks(bounds).into_iter().map(|mark| scale.words(mark, share, false)).collect()
        };
        let scale = |log: bool| Scale { log, unit: 1.0, steps: None };
        assert_eq!(words(scale(false), (1.08, 1.42), false), ["1.1", "1.2", "1.3", "1.4"]);
        assert_eq!(words(scale(false), (0.2, 0.8), true), ["20", "40", "60", "80"]);
        assert_eq!(
            words(Scale { steps: Some(240), ..scale(false) }, (0.0, 240.0), false),
            ["0", "60", "120", "180", "240"]
        );
        let log = words(scale(true), (0.0, 2.0), false);
        assert_eq!(log, ["1", "2", "5", "10", "20", "50", "100"]);
        assert!(scale(true).place(0.0).is_none());
        assert_eq!(Scale { unit: 60.0, ..scale(false) }.place(120.0), Some(2.0));
    }
}
