//! The one bar widget: a row with name, n, bar, 95 % whiskers and number, that can be hovered, clicked and focused.

use egui::{Align2, Color32, Rect, Response, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};

use super::{Words, look};
use crate::format;

/// One row of bars.
pub struct Bar<'a> {
    pub name: &'a str,
    pub swatch: Color32,
    /// How many measurements are behind the value.
    pub n: u64,
    /// None: nothing measured yet.
    pub value: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub fill: Color32,
    /// Written instead of the bar where there is no value.
    pub waiting: &'a str,
    pub selected: bool,
    pub hovered: bool,
}

/// How the rows divide their width.
#[derive(Clone, Copy)]
pub struct Columns {
    /// Right end of the bar's scale, in the value's unit.
    pub scale: f64,
    pub bar_width: f32,
    pub number_width: f32,
}

pub const ROW: f32 = 24.0;
const EDGE: f32 = 10.0;
/// Between n and its bar.
const GAP: f32 = 8.0;

impl Columns {
    /// Left end of the bars in a row of `rect`.
    pub fn bar_left(&self, rect: Rect) -> f32 {
        rect.right() - self.number_width - self.bar_width
    }

    /// Where a value ends.
    pub fn at(&self, rect: Rect, value: f64) -> f32 {
        self.bar_left(rect) + (value / self.scale).clamp(0.0, 1.08) as f32 * self.bar_width
    }
}

/// The head above the rows: what the names are, n, the scale with three ticks, and its unit.
pub fn bars_head(ui: &mut Ui, rect: Rect, columns: Columns, words: &str, unit: &str) {
    let look = look(ui);
    let line = rect.center().y;
    Words::of(look).small(words).at(ui, pos2(rect.left() + EDGE, line), Align2::LEFT_CENTER, 120.0);
    let n = pos2(columns.bar_left(rect) - GAP, line);
    Words::of(look).small("n").paint(ui, n, Align2::RIGHT_CENTER, 40.0);
    Words::of(look).small(unit).paint(ui, pos2(rect.right() - EDGE, line), Align2::RIGHT_CENTER, 40.0);
    for (value, align) in [(0.0, Align2::LEFT_CENTER), (0.5, Align2::CENTER_CENTER), (1.0, Align2::RIGHT_CENTER)] {
        let value = value * columns.scale;
        let x = columns.at(rect, value).round();
        let x_line = if value == 0.0 { x + 0.5 } else { x - 0.5 };
        ui.painter().vline(x_line, rect.bottom() - 6.0..=rect.bottom() - 1.0, Stroke::new(1.0, look.axis));
        let text = if value == 0.0 { "0".to_owned() } else { trimmed(value) };
        // The middle one goes where three do not fit side by side.
        let middle = align == Align2::CENTER_CENTER;
        if middle && trimmed(columns.scale).len() + text.len() + 2 > (columns.bar_width / 9.0) as usize {
            continue;
        }
        Words::of(look).part(text, crate::theme::mono_small(), look.text_3).paint(
            ui,
            pos2(x, rect.center().y - 2.0),
            align,
            60.0,
        );
    }
}

/// `0.4`, `0.05`: no more decimals than there are.
fn trimmed(value: f64) -> String {
    let text = format::decimal(value, 3);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A bar with its interval and its number in the middle of a row; `half`: half its height.
pub fn measured(ui: &Ui, rect: Rect, columns: Columns, value: (f64, Option<(f64, f64)>), fill: Color32, half: f32) {
    let look = look(ui);
    let ((value, interval), middle) = (value, rect.center().y);
    let (left, end) = (columns.bar_left(rect), columns.at(rect, value));
    let body = Rect::from_min_max(pos2(left, middle - half), pos2(end.max(left + 1.0), middle + half));
    ui.painter().rect_filled(body, 0.0, fill);
    if let Some((low, high)) = interval {
        let (low, high) = (columns.at(rect, low), columns.at(rect, high));
        let stroke = Stroke::new(1.2, look.text);
        ui.painter().hline(low..=high, middle, stroke);
        for x in [low, high] {
            ui.painter().vline(x, middle - 3.0..=middle + 3.0, stroke);
        }
    }
    let end = pos2(rect.right() - EDGE, middle);
    Words::of(look).num(format::nats(value)).paint(ui, end, Align2::RIGHT_CENTER, columns.number_width);
}

/// What stands in a row's bar where nothing is measured yet.
pub fn waiting(ui: &Ui, rect: Rect, columns: Columns, words: &str) {
    let place = pos2(columns.bar_left(rect), rect.center().y);
    let width = columns.bar_width + columns.number_width - EDGE;
    Words::of(look(ui)).small(words).paint(ui, place, Align2::LEFT_CENTER, width);
}

pub fn bar(ui: &mut Ui, id: egui::Id, rect: Rect, columns: Columns, bar: &Bar<'_>) -> Response {
    let look = look(ui);
    let response = ui.interact(rect, id, Sense::click());
    let spoken = match bar.value {
        Some(value) => format!("{}, damage {} nats, n {}", bar.name, format::nats(value), format::count(bar.n)),
        None => format!("{}, {}", bar.name, bar.waiting),
    };
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, bar.selected, &spoken));
    if bar.selected {
        ui.painter().rect_filled(rect, 0.0, look.overlay);
        let edge = Rect::from_min_size(rect.min, Vec2::new(2.0, rect.height()));
        ui.painter().rect_filled(edge, 0.0, look.accent);
    } else if bar.hovered || response.hovered() {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    let middle = rect.center().y;
    let square = Rect::from_center_size(pos2(rect.left() + EDGE + 4.5, middle), Vec2::splat(9.0));
    ui.painter().rect_filled(square, 2.0, bar.swatch);
    let name_left = rect.left() + EDGE + 15.0;
    let n_left = match bar.value {
        Some(_) => {
            let words = Words::of(look).part(format::short(bar.n), crate::theme::mono_small(), look.text_3);
            words.paint(ui, pos2(columns.bar_left(rect) - GAP, middle), Align2::RIGHT_CENTER, 40.0).left()
        }
        None => columns.bar_left(rect),
    };
    let name_width = n_left - name_left - 6.0;
    let name = Words::of(look).t(bar.name);
    let cut = name.clone().galley(ui, f32::INFINITY, 1).size().x > name_width;
    name.paint(ui, pos2(name_left, middle), Align2::LEFT_CENTER, name_width);
    match bar.value {
        Some(value) => measured(ui, rect, columns, (value, bar.low.zip(bar.high)), bar.fill, 5.0),
        None => waiting(ui, rect, columns, bar.waiting),
    }
    if response.has_focus() {
        ui.painter().rect_stroke(rect.shrink(1.0), 0.0, Stroke::new(2.0, look.accent), egui::StrokeKind::Inside);
    }
    if cut { response.on_hover_text(bar.name) } else { response }
}
