//! The plot of the curves: bands, lines and flags, the reference lines of both models, and names at the line ends. Also what
//! every plot of Recover has in common.

use egui::{Align2, Color32, Rect, Sense, Stroke, Ui, Vec2, pos2};
use egui_plot::{
    AxisHints, FilledArea, GridInput, Line, MarkerShape, Plot, PlotBounds, PlotPoints, PlotTransform, Points,
};
use paser_protocol::{Measure, MetricInfo, RecoveryView};

use super::{
    cursor,
    lines::Lines,
    scale::{Scale, time_unit},
    style::{self, Dash},
};
use crate::{
    recovery::Axis,
    series::{Reading, smooth, spread, thin},
    state::AppState,
    theme::{self, Look},
    widgets::{Words, look, say},
};

/// Points of a line, at most; beyond, its lowest and highest of each stretch are kept.
const MOST_POINTS: usize = 2_000;
/// Right of the plot, for the names and values at the line ends.
const LABELS: f32 = 148.0;
pub(super) const LABEL_GAP: f32 = 14.0;

/// A plot without ground, legend or movements of its own.
pub(super) fn bare<'a>(name: &str, size: Vec2, look: &Look) -> Plot<'a> {
    Plot::new(name.to_owned())
        .width(size.x)
        .height(size.y)
        .show_background(false)
        .grid_color(look.grid)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .sense(Sense::hover())
        .cursor_color(Color32::TRANSPARENT)
        .label_formatter(|_| None)
        .set_margin_fraction(Vec2::ZERO)
}

/// An axis in our face and grey.
pub(super) fn hinted(hints: AxisHints<'static>, look: &Look) -> AxisHints<'static> {
    hints.tick_label_font(theme::mono_small()).tick_label_color(look.text_3).label_spacing(10.0..=16.0)
}

/// The two lines that a plot stands on.
pub(super) fn axes(ui: &Ui, frame: Rect) {
    let stroke = Stroke::new(1.0, look(ui).axis);
    ui.painter().vline(frame.left(), frame.y_range(), stroke);
    ui.painter().hline(frame.x_range(), frame.bottom(), stroke);
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

pub(super) fn plot(
    ui: &mut Ui,
    place: Rect,
    state: &mut AppState,
    view: &RecoveryView,
    drawn: &[Lines],
    info: &MetricInfo,
) {
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
        hinted(hints, look).formatter(move |mark, _| scale.words(mark, share, whole))
    };
    let layers = layers(drawn, look, &at, f64::from(shown.smoothing));
    let shown_plot = bare("recovery curves", plot_rect.size(), look)
        .custom_x_axes(vec![axis(AxisHints::new_x(), x_scale, false, is_step)])
        .custom_y_axes(vec![axis(AxisHints::new_y(), y_scale, share, false)])
        .x_grid_spacer(move |input: GridInput| x_scale.ticks(input.bounds))
        .y_grid_spacer(move |input: GridInput| y_scale.ticks(input.bounds))
        .show(&mut child, move |plot| {
            plot.set_plot_bounds(bounds);
            layers.draw(plot);
        });
    let transform = shown_plot.transform;
    let frame = *transform.frame();
    axes(ui, frame);
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
    cursor::cursor(ui, frame, state, &transform, drawn, (x_scale, y_scale), info);
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

/// x, lower end, upper end, and the fill.
type Band = (Vec<f64>, Vec<f64>, Vec<f64>, Color32);

/// What is drawn inside of the plot, lowest first.
struct Layers {
    bands: Vec<Band>,
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
        let raw = |readings: &[Reading]| -> Vec<[f64; 2]> {
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
