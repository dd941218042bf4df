//! What was paid and what it brought: every arm as a point of total cost and recovery with the front of those that no other
//! beats in both, or as a curve of the metric against the time paid, where scoring comes first (the paper's figure 2).

use egui::{Align2, Color32, Rect, Stroke, Ui, Vec2, pos2};
use egui_plot::{AxisHints, GridInput, GridMark, Line, LineStyle, PlotBounds, PlotPoint, PlotPoints, Points};
use paser_protocol::{ArmView, Measure, MetricInfo, RecoveryView};

use super::{
    plot::{LABEL_GAP, axes, bare, hinted},
    scale::even_ticks,
    style::{self, Style, style},
};
use crate::{
    format,
    recovery::{Axis, Outcome, averaged, means},
    series::{even_step, spread},
    state::AppState,
    theme,
    widgets::{Words, look, say},
};

const FOOT: f32 = 26.0;

/// An arm in one of the two pictures.
struct Paid {
    name: String,
    style: Style,
    /// Seconds and value; one point, or a curve.
    points: Vec<[f64; 2]>,
    /// Of the last point.
    interval: Option<(f64, f64)>,
    n: usize,
}

/// Seconds that one run of the arm costs: all of its scoring, and its share of the training.
fn one_run(arm: &ArmView) -> f64 {
    let trained = arm.runs.iter().filter(|run| !run.points.is_empty()).count().max(1);
    arm.scoring_seconds + arm.training_seconds / trained as f64
}

fn paid(state: &AppState, view: &RecoveryView, look: &theme::Look, metric: usize, group: usize) -> Vec<Paid> {
    let time = state.recovery.shown.outcome == Outcome::Time;
    let visible = view.arms.iter().filter(|arm| arm.pilot.is_none() && state.recovery.is_visible(arm));
    let of = |arm: &ArmView| -> Option<Paid> {
        let (points, interval) = if time {
            let means = means(arm, metric, group, Axis::Time);
            let last = means.last().and_then(|mean| mean.half.map(|half| (mean.mean - half, mean.mean + half)));
            (means.iter().map(|mean| [arm.scoring_seconds + mean.x, mean.mean]).collect(), last)
        } else {
            let measure: Measure = arm.ratio.get(metric)?.get(group).copied().flatten()?;
            let interval = (measure.high > measure.low).then_some((measure.low, measure.high));
            (vec![[one_run(arm), measure.value]], interval)
        };
        let n = averaged(arm).len();
        let name = arm.name.clone();
        (!points.is_empty()).then(|| Paid { name, style: style(look, &state.recovery, view, arm), points, interval, n })
    };
    visible.filter_map(of).collect()
}

/// Places of those that nobody beats: none costs less and brings as much. By rising cost.
fn front(points: &[[f64; 2]]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a][0].total_cmp(&points[*b][0]).then(points[*b][1].total_cmp(&points[*a][1])));
    let mut best = f64::NEG_INFINITY;
    order.retain(|place| {
        let better = points[*place][1] > best;
        best = best.max(points[*place][1]);
        better
    });
    order
}

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState, view: &RecoveryView) {
    let look = look(ui);
    let Some((metric, info)) = state.recovery.measured(view) else { return };
    let (group, time) = (state.recovery.group(view), state.recovery.shown.outcome == Outcome::Time);
    let paid = paid(state, view, look, metric, group);
    if paid.is_empty() {
        let words =
            if time { "No arm is trained yet." } else { "No arm has a finished seed with a recovery ratio yet." };
        Words::of(look).t3(words).at(ui, body.center(), Align2::CENTER_CENTER, body.width() - 20.0);
        return;
    }
    let references = references(view, metric, group, time);
    let most = paid.iter().flat_map(|arm| &arm.points).map(|point| point[0]).fold(1.0, f64::max);
    let (unit, word) = if most < 180.0 {
        (1.0, "s")
    } else if most < 3.0 * 3_600.0 {
        (60.0, "min")
    } else {
        (3_600.0, "h")
    };
    let values = paid.iter().flat_map(|arm| {
        let ends = arm.interval.map_or(Vec::new(), |(low, high)| vec![low, high]);
        arm.points.iter().map(|point| point[1]).chain(ends).collect::<Vec<_>>()
    });
    let (low, high) = values
        .chain(references.iter().map(|(_, value)| *value))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let margin = ((high - low) * 0.08).max(1e-6);
    let bounds = PlotBounds::from_min_max([0.0, low - margin], [most / unit * 1.05, high + margin]);
    let top = Rect::from_min_max(body.min + Vec2::new(10.0, 4.0), pos2(body.right(), body.top() + 24.0));
    let whole = view.groups.get(group.wrapping_sub(1)).map_or("all items", |group| group.name.as_str());
    let title = if time {
        format!("{}, {whole}", style::named(info))
    } else {
        format!("recovery ratio of the {}, {whole}", info.name)
    };
    Words::of(look).small(title).at(ui, top.left_center(), Align2::LEFT_CENTER, top.width() - 10.0);
    let place = Rect::from_min_max(
        pos2(body.left() + 4.0, top.bottom()),
        pos2(body.right() - 92.0, body.bottom() - FOOT - 16.0),
    );
    let share = time && info.unit == "share";
    let axis = |hints: AxisHints<'static>, share: bool| {
        hinted(hints, look).formatter(move |mark, _| {
            let (value, step) =
                if share { (mark.value * 100.0, mark.step_size * 100.0) } else { (mark.value, mark.step_size) };
            format::decimal(value, (-step.log10() - 1e-9).ceil().max(0.0) as usize)
        })
    };
    let lines: Vec<(Vec<[f64; 2]>, Style)> =
        paid.iter().map(|arm| (arm.points.iter().map(|[x, y]| [x / unit, *y]).collect(), arm.style)).collect();
    let ends: Vec<[f64; 2]> = paid.iter().filter_map(|arm| arm.points.last().copied()).collect();
    let best: Vec<[f64; 2]> =
        if time { Vec::new() } else { front(&ends).into_iter().map(|at| [ends[at][0] / unit, ends[at][1]]).collect() };
    let mut child = ui.new_child(egui::UiBuilder::new().id_salt("cost").max_rect(place));
    child.visuals_mut().widgets.noninteractive.fg_stroke.color = look.text_3;
    let shown = bare("cost of recovery", place.size(), look)
        .custom_x_axes(vec![axis(AxisHints::new_x(), false)])
        .custom_y_axes(vec![axis(AxisHints::new_y(), share)])
        .x_grid_spacer(ticks)
        .y_grid_spacer(ticks)
        .show(&mut child, move |plot| {
            plot.set_plot_bounds(bounds);
            if best.len() > 1 {
                let line = Line::new("front", PlotPoints::new(best)).color(look.axis).width(1.0);
                plot.line(line.style(LineStyle::dashed_dense()).allow_hover(false));
            }
            for (points, style) in lines {
                let last = points.last().copied();
                if points.len() > 1 {
                    let line = Line::new("arm", PlotPoints::new(points)).color(style.fill).width(style.width);
                    plot.line(line.style(style.dash.line()).allow_hover(false));
                }
                plot.points(
                    Points::new("arm", PlotPoints::new(last.into_iter().collect::<Vec<_>>()))
                        .color(style.fill)
                        .radius(4.0)
                        .allow_hover(false),
                );
            }
        });
    let (frame, transform) = (*shown.transform.frame(), shown.transform);
    axes(ui, frame);
    let mut labels = Vec::new();
    for ((name, value), dash) in references.iter().zip([style::Dash::Dashed, style::Dash::Dotted]) {
        let y = transform.position_from_point_y(*value);
        style::stroke(ui, [pos2(frame.left(), y), pos2(frame.right(), y)], Stroke::new(1.5, look.text_2), dash);
        let text = if time { style::value(info, *value) } else { format::decimal(*value, 0) };
        let right = pos2(frame.right() + 6.0, y);
        let words = Words::of(look).part(format!("{name} {text}"), theme::small(), look.text_2);
        words.at(ui, right, Align2::LEFT_CENTER, body.right() - right.x - 4.0);
    }
    for arm in &paid {
        let Some([x, y]) = arm.points.last().copied() else { continue };
        let at = transform.position_from_point(&PlotPoint::new(x / unit, y));
        if let Some((low, high)) = arm.interval {
            let (low, high) = (transform.position_from_point_y(low), transform.position_from_point_y(high));
            let stroke = Stroke::new(1.2, arm.style.fill);
            ui.painter().vline(at.x, high..=low, stroke);
            for y in [low, high] {
                ui.painter().hline(at.x - 3.0..=at.x + 3.0, y, stroke);
            }
        }
        labels.push((at, arm.name.clone(), arm.style.ink));
    }
    names(ui, Rect::from_min_max(frame.min, pos2(body.right() - 6.0, frame.bottom())), labels);
    let below = pos2(frame.center().x, place.bottom() + 8.0);
    let words = if time {
        format!("scoring, then training of one run, {word}")
    } else {
        format!("scoring and training of one run, {word}")
    };
    Words::of(look).part(words, theme::small(), look.text_2).at(ui, below, Align2::CENTER_CENTER, frame.width());
    foot(ui, Rect::from_min_max(pos2(body.left() + 10.0, body.bottom() - FOOT), body.max), &paid, (time, info));
}

fn references(view: &RecoveryView, metric: usize, group: usize, time: bool) -> Vec<(&'static str, f64)> {
    if !time {
        return vec![("dense", 1.0), ("pruned", 0.0)];
    }
    let of =
        |models: &[Vec<Option<Measure>>]| models.get(metric)?.get(group).copied().flatten().map(|found| found.value);
    [("dense", of(&view.dense)), ("pruned", of(&view.pruned))]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
}

fn ticks(input: GridInput) -> Vec<GridMark> {
    even_ticks(input.bounds, even_step(input.bounds.0, input.bounds.1))
}

/// Names beside their points, where none covers another.
fn names(ui: &mut Ui, rect: Rect, mut labels: Vec<(egui::Pos2, String, Color32)>) {
    let look = look(ui);
    labels.sort_by(|a, b| a.0.x.total_cmp(&b.0.x));
    // Those whose points lie close together share a column.
    for near in labels.chunk_by(|a, b| b.0.x - a.0.x < 90.0) {
        let left = near.iter().map(|(at, ..)| at.x).fold(0.0, f32::max) + 8.0;
        let wanted: Vec<f32> = near.iter().map(|(at, ..)| at.y).collect();
        let places = spread(&wanted, LABEL_GAP, rect.top() + 6.0, rect.bottom() - 6.0);
        for ((at, name, ink), y) in near.iter().zip(places) {
            let end = pos2(left + 8.0, y);
            ui.painter().line_segment([*at + Vec2::new(5.0, 0.0), end], Stroke::new(1.0, look.axis));
            let words = Words::of(look).part(name, theme::small(), *ink);
            let said = words.paint(ui, end + Vec2::new(3.0, 0.0), Align2::LEFT_CENTER, rect.right() - end.x - 4.0);
            say(ui, said, name);
        }
    }
}

fn foot(ui: &mut Ui, rect: Rect, paid: &[Paid], (time, info): (bool, &MetricInfo)) {
    let n: Vec<String> = paid.iter().map(|arm| format!("{} {}", arm.name, arm.n)).collect();
    let what = match (time, info.higher_is_better) {
        (false, _) => "dashed: what no arm beats in both".to_owned(),
        (true, true) => "a curve begins when its data is scored; higher is better".to_owned(),
        (true, false) => "a curve begins when its data is scored; lower is better".to_owned(),
    };
    let text = format!("{what}; 95 % intervals, n: {}", n.join(", "));
    let said = Words::new(ui).small(&text).at(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width() - 12.0);
    said.on_hover_text(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_holds_what_nobody_beats_in_both() {
        let points = [[10.0, 0.5], [20.0, 0.4], [30.0, 0.9], [30.0, 0.7], [50.0, 0.9]];
        assert_eq!(front(&points), [0, 2]);
        assert!(front(&[]).is_empty());
    }
}
