//! What came back, by group of items: recovery ratios between pruned (0) and dense (1), or the metric itself with both
//! models as lines (the paper's figure 3). At the cursor where there is one, else at the arms' ends.

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{ArmView, Measure, MetricInfo, RecoveryView};

use super::style::{self, Dash, Style, style, whiskers};
use crate::{
    format,
    recovery::{Axis, Outcome, apart, mean_at, means, ratio_at},
    series::even_step,
    state::AppState,
    theme::{self, Look},
    widgets::{Words, column, look, say},
};

const HEAD: f32 = 26.0;
const FOOT: f32 = 26.0;
const BAR: f32 = 11.0;
const STEP: f32 = 14.0;

/// One bar.
struct Bar {
    name: String,
    style: Style,
    value: Option<(f64, Option<(f64, f64)>)>,
    /// Seeds behind it.
    n: usize,
}

/// The bars of a group, and why there are none.
struct Group {
    name: String,
    items: u64,
    /// Of the first overall row: no cluster.
    cluster: Option<u32>,
    bars: Vec<Bar>,
    blank: Option<String>,
    /// Dense and pruned, where the metric itself is shown.
    lines: [Option<f64>; 2],
}

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState, view: &RecoveryView) {
    let look = look(ui);
    let Some((metric, info)) = state.recovery.measured(view) else {
        let words = "Nothing is measured yet: the engine has named no metric.";
        Words::of(look).t3(words).at(ui, body.center(), Align2::CENTER_CENTER, body.width() - 20.0);
        return;
    };
    let ratio = state.recovery.shown.outcome == Outcome::Ratio;
    let arms = state.recovery.barred(view);
    let groups: Vec<Group> = (0..=view.groups.len())
        .map(|place| {
            let mut group = group(state, view, look, (metric, info), place, &arms);
            if !ratio {
                group.lines =
                    [&view.dense, &view.pruned].map(|models| of(models, metric, place).map(|found| found.value));
                group.blank =
                    group.bars.iter().all(|bar| bar.value.is_none()).then(|| "no arm is measured here".to_owned());
            }
            group
        })
        .collect();
    let names = 132.0_f32.min(body.width() * 0.24);
    let numbers = 112.0;
    let inside = Rect::from_min_max(body.min + Vec2::new(10.0, 6.0), body.max - Vec2::new(10.0, FOOT));
    let scale =
        Rect::from_min_max(pos2(inside.left() + names, inside.top()), pos2(inside.right() - numbers, inside.bottom()));
    let range = if ratio { ratio_range(&groups) } else { metric_range(&groups) };
    let x =
        |value: f64| scale.left() + ((value - range.0) / (range.1 - range.0)).clamp(0.0, 1.0) as f32 * scale.width();
    ticks(ui, scale, range, ratio, info, &x);
    let rows = Rect::from_min_max(pos2(inside.left(), inside.top() + HEAD), inside.max);
    let least = STEP * arms.len().max(1) as f32 + 10.0;
    let height = (rows.height() / groups.len() as f32).clamp(least, least.max(65.0));
    let scrolls = height * groups.len() as f32 > rows.height() + 1.0;
    column(ui, rows, |ui| {
        egui::ScrollArea::vertical().id_salt("outcome").auto_shrink(false).show(ui, |ui| {
            for group in &groups {
                let (place, response) = ui.allocate_exact_size(Vec2::new(rows.width(), height), Sense::click());
                // The bar of the list lies over its right end.
                let place = if scrolls { place.with_max_x(place.right() - 10.0) } else { place };
                one(ui, place, state, group, scale, &x, (ratio, info));
                let on = state.recovery.shown.group == group.name && group.cluster.is_some();
                response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, spoken(group, ratio, info)));
                state.note(format!("group:{}", group.name), place);
                if response.hovered() {
                    state.focus.next_hovered_cluster = group.cluster;
                }
                if response.has_focus() {
                    ui.painter().rect_stroke(
                        place.shrink(1.0),
                        0.0,
                        Stroke::new(2.0, look.accent),
                        egui::StrokeKind::Inside,
                    );
                }
                if response.on_hover_text("Click: its curves").clicked() {
                    let whole = group.name == WHOLE;
                    state.recovery.shown.group = if whole { String::new() } else { group.name.clone() };
                }
            }
        });
    });
    caption(ui, Rect::from_min_max(pos2(inside.left(), body.bottom() - FOOT), body.max), state, &groups, (ratio, info));
}

const WHOLE: &str = "all items";

fn of(models: &[Vec<Option<Measure>>], metric: usize, place: usize) -> Option<Measure> {
    models.get(metric)?.get(place).copied().flatten()
}

fn group(
    state: &AppState,
    view: &RecoveryView,
    look: &Look,
    (metric, info): (usize, &MetricInfo),
    place: usize,
    arms: &[&ArmView],
) -> Group {
    let ratio = state.recovery.shown.outcome == Outcome::Ratio;
    let bar = |arm: &ArmView| {
        let interval = |(value, half): (f64, Option<f64>)| (value, half.map(|half| (value - half, value + half)));
        let value = match (state.recovery.shown.cursor, ratio) {
            (Some(step), true) => ratio_at(view, arm, metric, place, step).map(interval),
            (Some(step), false) => {
                let means = means(arm, metric, place, Axis::Step);
                mean_at(&means, step).map(|mean| interval((mean.mean, mean.half)))
            }
            (None, _) => {
                let found = of(if ratio { &arm.ratio } else { &arm.last }, metric, place);
                found.map(|found| (found.value, (found.high > found.low).then_some((found.low, found.high))))
            }
        };
        let n = crate::recovery::averaged(arm).len();
        Bar { name: arm.name.clone(), style: style(look, &state.recovery, view, arm), value, n }
    };
    let bars: Vec<Bar> = arms.iter().map(|arm| bar(arm)).collect();
    let blank = bars.iter().all(|bar| bar.value.is_none()).then(|| blank(view, (metric, info), place));
    let of_items = place.checked_sub(1).and_then(|place| view.groups.get(place));
    Group {
        name: of_items.map_or_else(|| WHOLE.to_owned(), |group| group.name.clone()),
        items: of_items.map_or_else(|| view.groups.iter().map(|group| group.items).sum(), |group| group.items),
        cluster: of_items.and_then(|group| group.cluster),
        bars,
        blank,
        lines: [None, None],
    }
}

/// Why no ratio can be given.
fn blank(view: &RecoveryView, (metric, info): (usize, &MetricInfo), place: usize) -> String {
    let (Some(dense), Some(pruned)) = (of(&view.dense, metric, place), of(&view.pruned, metric, place)) else {
        return "blank: dense and pruned are not measured here yet".to_owned();
    };
    let (difference, half) = apart(dense, pruned);
    if difference.abs() > half {
        return "blank: no seed is finished yet".to_owned();
    }
    let text = style::plus_minus(style::value(info, difference), Some(style::value(info, half)));
    format!("blank: dense {} pruned is {text} {}", format::MINUS, style::unit(info))
}

/// From pruned to dense, and as far beyond as the bars go.
fn ratio_range(groups: &[Group]) -> (f64, f64) {
    let values = groups.iter().flat_map(|group| &group.bars).filter_map(|bar| bar.value);
    let ends = values.flat_map(|(value, interval)| {
        let (low, high) = interval.unwrap_or((value, value));
        [value.min(low.max(-0.5)), value.max(high.min(1.5))]
    });
    let (low, high) = ends.fold((0.0_f64, 1.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    (low.max(-1.0), high.min(2.0))
}

/// Bars of a metric begin at 0.
fn metric_range(groups: &[Group]) -> (f64, f64) {
    let bars = groups.iter().flat_map(|group| &group.bars).filter_map(|bar| bar.value);
    let ends = bars.map(|(value, interval)| interval.map_or(value, |(_, high)| high.max(value)));
    let lines = groups.iter().flat_map(|group| group.lines).flatten();
    let high = ends.chain(lines).fold(0.0_f64, f64::max);
    (0.0, if high > 0.0 { high * 1.02 } else { 1.0 })
}

fn ticks(ui: &Ui, scale: Rect, range: (f64, f64), ratio: bool, info: &MetricInfo, x: &dyn Fn(f64) -> f32) {
    let look = look(ui);
    let y = scale.top() + 9.0;
    let mark = |value: f64, text: String, align: Align2, strong: bool| {
        let colour = if strong { look.axis } else { look.grid };
        ui.painter().vline(x(value).round() + 0.5, scale.top() + 18.0..=scale.bottom(), Stroke::new(1.0, colour));
        Words::of(look).part(text, theme::mono_small(), look.text_3).paint(ui, pos2(x(value), y), align, 90.0);
    };
    if ratio {
        mark(0.0, "0 pruned".to_owned(), if range.0 < 0.0 { Align2::CENTER_CENTER } else { Align2::LEFT_CENTER }, true);
        // Beside the words at both ends there is not always room.
        let between: &[f64] = if scale.width() > 320.0 { &[0.25, 0.5, 0.75] } else { &[0.5] };
        for value in between.iter().copied() {
            mark(value, format::decimal(value, if value == 0.5 { 1 } else { 2 }), Align2::CENTER_CENTER, false);
        }
        mark(1.0, "dense 1".to_owned(), Align2::RIGHT_CENTER, true);
        return;
    }
    let step = even_step(range.0, range.1);
    for place in 0..=(range.1 / step).floor() as i64 {
        let value = place as f64 * step;
        let text = style::value(info, value);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
        mark(value, text, if place == 0 { Align2::LEFT_CENTER } else { Align2::CENTER_CENTER }, place == 0);
    }
}

fn text(value: f64, interval: Option<(f64, f64)>, ratio: bool, info: &MetricInfo) -> String {
    let half = interval.map(|(low, high)| (high - low) / 2.0);
    if ratio {
        return style::plus_minus(format::decimal(value, 2), half.map(|half| format::decimal(half, 2)));
    }
    style::plus_minus(style::value(info, value), half.map(|half| style::value(info, half)))
}

fn spoken(group: &Group, ratio: bool, info: &MetricInfo) -> String {
    let bars = group.bars.iter().filter_map(|bar| {
        let (value, interval) = bar.value?;
        Some(format!("{} {}, n {}", bar.name, text(value, interval, ratio, info), bar.n))
    });
    let words: Vec<String> = bars.chain(group.blank.clone()).collect();
    format!("{}, {} items: {}", group.name, format::count(group.items), words.join("; "))
}

fn one(
    ui: &mut Ui,
    place: Rect,
    state: &AppState,
    group: &Group,
    scale: Rect,
    x: &dyn Fn(f64) -> f32,
    (ratio, info): (bool, &MetricInfo),
) {
    let look = look(ui);
    if state.focus.hovered_cluster.is_some() && state.focus.hovered_cluster == group.cluster {
        ui.painter().rect_filled(place, 0.0, look.raised.gamma_multiply(0.5));
    }
    let all = STEP * group.bars.len().max(1) as f32;
    let middle = place.center().y;
    let name = Words::of(look).t2(&group.name);
    name.paint(ui, pos2(place.left(), middle - 6.0), Align2::LEFT_CENTER, scale.left() - place.left() - 8.0);
    let n = format!("n = {}", format::count(group.items));
    let words = Words::of(look).part(n, theme::mono_small(), look.text_3);
    words.paint(ui, pos2(place.left(), middle + 8.0), Align2::LEFT_CENTER, scale.left() - place.left() - 8.0);
    if let Some(blank) = &group.blank {
        let room = place.right() - scale.left() - 12.0;
        Words::of(look).small(blank).paint(ui, pos2(scale.left() + 6.0, middle), Align2::LEFT_CENTER, room);
    }
    for (at, bar) in group.bars.iter().enumerate() {
        let Some((value, interval)) = bar.value else { continue };
        let y = middle - all / 2.0 + STEP * (at as f32 + 0.5);
        let (from, to) = (x(0.0).min(x(value)), x(0.0).max(x(value)));
        let body = Rect::from_min_max(pos2(from, y - BAR / 2.0), pos2(to.max(from + 1.0), y + BAR / 2.0));
        ui.painter().rect_filled(body, 0.0, bar.style.fill);
        if let Some((low, high)) = interval {
            whiskers(ui, [x(low), x(high)], y, Stroke::new(1.2, look.text));
        }
        let number = Words::of(look).part(text(value, interval, ratio, info), theme::mono(), bar.style.ink);
        number.paint(ui, pos2(place.right(), y), Align2::RIGHT_CENTER, place.right() - scale.right() - 4.0);
    }
    for (value, dash) in group.lines.iter().zip([Dash::Dashed, Dash::Dotted]) {
        let Some(value) = value else { continue };
        let x = x(*value).round() + 0.5;
        let ends = [pos2(x, middle - all / 2.0 - 3.0), pos2(x, middle + all / 2.0 + 3.0)];
        style::stroke(ui, ends, Stroke::new(1.5, look.text), dash);
    }
}

fn caption(ui: &mut Ui, rect: Rect, state: &AppState, groups: &[Group], (ratio, info): (bool, &MetricInfo)) {
    let m = format::MINUS;
    let when = match state.recovery.shown.cursor {
        Some(step) => format!("at step {}", format::count(u64::from(step))),
        None => "at the end".to_owned(),
    };
    let what = if ratio {
        format!("(recovered {m} pruned) / (dense {m} pruned) of the {}, {when}", info.name)
    } else {
        format!("{}, {when}; dashed: dense, dotted: pruned", style::named(info))
    };
    let mut n: Vec<usize> = groups.iter().take(1).flat_map(|group| group.bars.iter().map(|bar| bar.n)).collect();
    n.dedup();
    let n: Vec<String> = n.iter().map(usize::to_string).collect();
    let text = format!("{what}; 95 % intervals, n = {} seeds", n.join(" and "));
    let said = Words::new(ui).small(&text).at(
        ui,
        pos2(rect.left(), rect.center().y),
        Align2::LEFT_CENTER,
        rect.width() - 12.0,
    );
    let whole = said.rect;
    said.on_hover_text(&text);
    say(ui, whole, text);
}
