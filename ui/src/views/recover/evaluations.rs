//! Tasks and perplexities of dense, pruned and the arms: a block for each task and protocol, a row for each model.

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{EvaluationRow, RecoveryView};

use super::style::{plus_minus, whiskers};
use crate::{
    format,
    widgets::{Words, column, look, pane::empty},
};

const ROW: f32 = 22.0;
/// Right edges of numbers and n from the right edge of the pane.
const NUMBER: f32 = 84.0;
const FOREST: f32 = 130.0;

/// Shares of right answers are read as points; perplexities as they are.
fn number(row: &EvaluationRow, value: f64) -> String {
    if is_share(row) { format::decimal(value * 100.0, 1) } else { format::decimal(value, 2) }
}

fn is_share(row: &EvaluationRow) -> bool {
    row.metric.starts_with("acc") || row.metric == "exact_match"
}

pub fn show(ui: &mut Ui, body: Rect, view: &RecoveryView) {
    if view.evaluations.is_empty() {
        let todo = "They are measured by `paser evaluate`, or read from results of lm-eval with More about arms, Read another trainer's run.";
        empty(ui, body, "No task or perplexity is measured yet", todo, None);
        return;
    }
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("evaluations").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            let same = |a: &EvaluationRow, b: &EvaluationRow| {
                (&a.task, &a.profile, &a.metric) == (&b.task, &b.profile, &b.metric)
            };
            let mut rows: Vec<&EvaluationRow> = view.evaluations.iter().collect();
            rows.sort_by(|a, b| (&a.task, &a.profile, &a.metric).cmp(&(&b.task, &b.profile, &b.metric)));
            for block in rows.chunk_by(|a, b| same(a, b)) {
                head(ui, body.width(), block[0]);
                let ends = block.iter().flat_map(|row| [row.value.low, row.value.high]);
                let range =
                    ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
                for row in block {
                    line(ui, body.width(), row, range);
                }
            }
        });
    });
}

fn head(ui: &mut Ui, width: f32, row: &EvaluationRow) {
    let look = look(ui);
    let (place, _) = ui.allocate_exact_size(Vec2::new(width, ROW + 2.0), Sense::hover());
    ui.painter().rect_filled(place, 0.0, look.raised);
    let unit = if is_share(row) { ", points" } else { "" };
    let words = Words::of(look).strong(&row.task).small(format!("  {}{unit}, {}", row.metric, row.profile));
    words.at(ui, place.left_center() + Vec2::new(10.0, 0.0), Align2::LEFT_CENTER, width - 120.0);
    let n = Words::of(look).small(format!("n = {} items", format::count(row.items)));
    n.paint(ui, place.right_center() - Vec2::new(10.0, 0.0), Align2::RIGHT_CENTER, 110.0);
}

fn line(ui: &mut Ui, width: f32, row: &EvaluationRow, (low, high): (f64, f64)) {
    let look = look(ui);
    let (place, response) = ui.allocate_exact_size(Vec2::new(width, ROW), Sense::hover());
    let half = (row.value.high > row.value.low).then(|| number(row, (row.value.high - row.value.low) / 2.0));
    let text = plus_minus(number(row, row.value.value), half);
    let spoken = format!("{}, {} of {}: {text}", row.task, row.metric, row.model);
    response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &spoken));
    ui.painter().hline(place.x_range(), place.bottom() - 0.5, Stroke::new(1.0, look.line));
    let y = place.center().y;
    let forest = Rect::from_min_max(
        pos2(place.right() - NUMBER - FOREST - 24.0, place.top()),
        pos2(place.right() - NUMBER - 24.0, place.bottom()),
    );
    let x = |value: f64| forest.left() + ((value - low) / (high - low).max(1e-12)) as f32 * forest.width();
    whiskers(ui, [x(row.value.low), x(row.value.high)], y, Stroke::new(1.5, look.text_2));
    ui.painter().circle_filled(pos2(x(row.value.value), y), 3.0, look.text);
    Words::of(look).num(text).paint(ui, pos2(place.right() - 10.0, y), Align2::RIGHT_CENTER, NUMBER + 10.0);
    let words = Words::of(look).t(&row.model);
    let words = if row.foreign { words.small("  read from elsewhere") } else { words };
    words.paint(ui, pos2(place.left() + 10.0, y), Align2::LEFT_CENTER, forest.left() - place.left() - 18.0);
}
