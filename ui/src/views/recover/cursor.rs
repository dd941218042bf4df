//! The cursor on the curves: an upright line at a step, its dots and its card of values; moved by click, drag and arrows.

use egui::{Align2, Color32, EventFilter, Key, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};
use egui_plot::{PlotPoint, PlotTransform};
use paser_protocol::MetricInfo;

use super::{lines::Lines, scale::Scale, style};
use crate::{
    format,
    recovery::mean_at,
    series::Mean,
    state::AppState,
    theme,
    widgets::{Words, field::card, focus_ring, look, say},
};

/// Rows of the cursor's card.
const CARD_ROWS: usize = 7;

/// The upright line, its dots and its card; moved by click, drag and arrows.
pub(super) fn cursor(
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
    let values: Vec<(&Lines, &Mean)> =
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
    values: &[(&Lines, &Mean)],
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
