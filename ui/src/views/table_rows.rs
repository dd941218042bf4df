//! The table's columns, heads and single rows: which columns fit, how a cell reads, a row's status.

use egui::{Align2, Color32, Rect, Response, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{
    ColumnInfo, ColumnKind, ReasonCode,
    filter::{Filter, column_head},
};

use crate::{
    format,
    glossary::Place,
    state::AppState,
    theme::icons,
    widgets::{Words, look},
};

/// Least and largest width of the ids.
pub const IDS: f32 = 60.0;
const IDS_MOST: f32 = 124.0;

/// A column of the table.
pub struct Shown {
    info: Option<ColumnInfo>,
    /// Name to sort by.
    pub(super) name: String,
    head: String,
    width: f32,
    right: bool,
}

pub fn shown_columns(state: &AppState, width: f32) -> Vec<Shown> {
    let columns = state.project.as_ref().map_or(&[][..], |project| &project.columns);
    let wide = width > 900.0;
    let mut shown = Vec::new();
    let category =
        columns.iter().find(|c| c.name.starts_with("extra:") && matches!(c.kind, ColumnKind::Category { .. }));
    if let Some(info) = category.filter(|_| wide) {
        shown.push(Shown {
            info: Some(info.clone()),
            name: info.name.clone(),
            head: info.label.clone(),
            width: 110.0,
            right: false,
        });
    }
    let numbers = columns.iter().filter(|c| matches!(c.kind, ColumnKind::Number { .. }));
    let order = ["response_tokens", "loss_dense", "loss_pruned", "jsd", "ies"];
    let rank = |name: &str| order.iter().position(|known| *known == name).unwrap_or(order.len());
    // Which ones fit is decided by worth, where they stand by habit.
    let worth = ["jsd", "ies", "response_tokens", "loss_pruned", "loss_dense"];
    let mut best: Vec<_> = numbers.collect();
    best.sort_by_key(|c| worth.iter().position(|known| *known == c.name).unwrap_or(worth.len()));
    best.retain(|c| worth.contains(&c.name.as_str()));
    // Ids, status and a readable text come first.
    let mut room = width - IDS - 92.0 - 240.0 - shown.iter().map(|column| column.width).sum::<f32>();
    best.retain(|info| {
        room -= number_width(info);
        room >= 0.0
    });
    best.sort_by_key(|c| rank(&c.name));
    for info in best {
        let width = number_width(info);
        shown.push(Shown { info: Some(info.clone()), name: info.name.clone(), head: short(info), width, right: true });
    }
    if width > 240.0 {
        let (name, head) = ("status".to_owned(), "status".to_owned());
        shown.push(Shown { info: None, name, head, width: 92.0, right: false });
    }
    shown
}

fn number_width(info: &ColumnInfo) -> f32 {
    if info.name == "jsd" { 76.0 } else { (short(info).len() as f32 * 6.4 + 26.0).clamp(64.0, 110.0) }
}

/// Left and right end of every column in a row; the text takes what is left.
fn cells(rect: Rect, ids: f32, columns: &[Shown]) -> (Rect, Vec<Rect>) {
    let ids = ids.min(rect.width() * 0.4);
    let mut right = rect.right() - 6.0;
    let mut places: Vec<Rect> = columns
        .iter()
        .rev()
        .map(|column| {
            let cell = Rect::from_min_max(pos2(right - column.width, rect.top()), pos2(right, rect.bottom()));
            right -= column.width;
            cell
        })
        .collect();
    places.reverse();
    (Rect::from_min_max(pos2(rect.left() + ids, rect.top()), pos2(right, rect.bottom())), places)
}

pub fn column_heads(ui: &mut Ui, rect: Rect, state: &mut AppState, columns: &[Shown]) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.raised);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    let (text, places) = cells(rect, state.table.id_width, columns);
    let id_cell = Rect::from_min_max(rect.min, pos2(text.left(), rect.bottom()));
    let mut sortable = |ui: &mut Ui, cell: Rect, name: &str, head: &str, more: &str, right: bool| {
        let response = ui.interact(cell, ui.scope_id().with(("head", name)), Sense::click());
        let on = state.table.sort == name;
        response.widget_info(|| WidgetInfo::selected(Role::ColumnHeader, true, on, format!("Sort by {head}")));
        let ink = if on || response.hovered() { look.text } else { look.text_3 };
        let mut words = Words::of(look).part(head, crate::theme::small(), ink);
        if on {
            let arrow = if state.table.descending { icons::ARROW_DOWN } else { icons::ARROW_UP };
            words = words.part(" ", crate::theme::small(), ink).icon(arrow, 11.0, ink);
        }
        let inside = cell.shrink2(Vec2::new(8.0, 0.0));
        if right {
            words.paint(ui, inside.right_center(), Align2::RIGHT_CENTER, inside.width() + 6.0);
        } else {
            words.paint(ui, inside.left_center(), Align2::LEFT_CENTER, inside.width());
        }
        state.note(format!("head:{name}"), cell);
        if response.clicked() {
            // Largest number or first word, then the other way round, then pool order again.
            let falls = right && name != "id";
            if !on {
                (state.table.sort, state.table.descending) = (name.to_owned(), falls);
            } else if state.table.descending == falls {
                state.table.descending = !falls;
            } else {
                (state.table.sort, state.table.descending) = (String::new(), false);
            }
        }
        let order = match (on, state.table.descending) {
            (false, _) => "",
            (true, true) => ", falling",
            (true, false) => ", rising",
        };
        let meaning =
            crate::glossary::meaning(Place::Table, name).map(|meaning| format!("\n{meaning}")).unwrap_or_default();
        let name = name.strip_prefix("extra:").unwrap_or(name);
        let example = if name == "instruction" { " ~ *word*" } else { "" };
        let filter = format!("\nin a filter: {}{example}", Filter::Mark(name.to_owned()));
        response.on_hover_text(format!("{more}{order}{meaning}{filter}"));
    };
    sortable(ui, id_cell, "id", "id", "id of the sample", true);
    for (column, cell) in columns.iter().zip(places) {
        let more = match &column.info {
            Some(info) if !info.unit.is_empty() => format!("{}, {}", info.label, info.unit),
            Some(info) => info.label.clone(),
            None => "taken or not, and why".to_owned(),
        };
        sortable(ui, cell, &column.name, &column.head, &more, column.right);
    }
    sortable(ui, text, "instruction", "instruction", "the sample's instruction", false);
}

pub fn one(ui: &mut Ui, rect: Rect, response: &Response, state: &mut AppState, row: u32, columns: &[Shown]) {
    let look = look(ui);
    let text = state.data.text(row).map(|text| (text.id.clone(), text.instruction.replace('\n', " ")));
    let (id, instruction) = text.unwrap_or_default();
    let (on, marked) = (state.focus.inspected == Some(row), state.is_marked(row));
    let status = status(state, row);
    let spoken = format!("{id} {instruction} {}{}", status.1, if marked { ", brushed" } else { "" });
    response.widget_info(|| WidgetInfo::selected(Role::Row, true, on, &spoken));
    if on {
        ui.painter().rect_filled(rect, 0.0, look.overlay);
        ui.painter().rect_filled(Rect::from_min_size(rect.min, Vec2::new(2.0, rect.height())), 0.0, look.accent);
    } else if response.hovered() || state.focus.hovered == Some(row) || marked {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    if marked {
        ui.painter().rect_filled(Rect::from_min_size(rect.min, Vec2::new(4.0, rect.height())), 0.0, look.accent);
    }
    if response.hovered() {
        state.focus.next_hovered = Some(row);
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    let excluded = state.is_excluded(row);
    let (text_cell, places) = cells(rect, state.table.id_width, columns);
    let middle = rect.center().y;
    let wanted = (id.chars().count() as f32 * 7.0 + 20.0).min(IDS_MOST);
    if wanted > state.table.id_width {
        state.table.id_width = wanted;
        ui.ctx().request_repaint();
    }
    let room = text_cell.left() - rect.left() - 10.0;
    Words::of(look).num3(&id).paint(ui, pos2(text_cell.left() - 6.0, middle), Align2::RIGHT_CENTER, room);
    let ink = if excluded { look.disabled } else { look.text };
    let shown = Words::of(look).part(&instruction, crate::theme::body(), ink).paint(
        ui,
        pos2(text_cell.left() + 8.0, middle),
        Align2::LEFT_CENTER,
        text_cell.width() - 14.0,
    );
    if excluded {
        ui.painter().hline(shown.x_range(), middle, Stroke::new(1.0, look.disabled));
    }
    for (column, cell) in columns.iter().zip(places) {
        value(ui, cell, state, row, column, &status);
    }
}

/// Icon, word and colour of a row's status.
fn status(state: &mut AppState, row: u32) -> (char, &'static str, Color32) {
    let look = crate::theme::Look::of(state.dark);
    if state.is_pinned(row) {
        return (icons::PUSH_PIN, "pinned", look.pinned);
    }
    if state.is_excluded(row) {
        return (icons::X, "excluded", look.excluded);
    }
    match state.reason(row) {
        Some(reason) => {
            let (icon, colour) = match reason {
                ReasonCode::Taken | ReasonCode::Pinned | ReasonCode::Refilled => (icons::CHECK, look.a),
                ReasonCode::Conflict => (icons::GRAPH, look.text_3),
                ReasonCode::Guarded => (icons::SHIELD_CHECK, look.text_3),
                ReasonCode::TooLong => (icons::RULER, look.text_3),
                ReasonCode::Excluded => (icons::X, look.excluded),
                _ => (icons::MINUS, look.text_3),
            };
            (icon, reason.word(), colour)
        }
        None => (icons::MINUS, "", look.text_3),
    }
}

fn value(ui: &mut Ui, cell: Rect, state: &mut AppState, row: u32, column: &Shown, status: &(char, &str, Color32)) {
    let look = look(ui);
    let inside = cell.shrink2(Vec2::new(8.0, 0.0));
    let Some(info) = &column.info else {
        if !status.1.is_empty() {
            Words::of(look)
                .icon(status.0, 13.0, status.2)
                .part(format!(" {}", status.1), crate::theme::body(), status.2)
                .paint(ui, inside.left_center(), Align2::LEFT_CENTER, inside.width() + 8.0);
        }
        return;
    };
    match &info.kind {
        ColumnKind::Number { .. } => {
            let Some(number) = state.data.numbers(&info.key).and_then(|values| values.get(row as usize).copied())
            else {
                return;
            };
            let places = places(info);
            let text = format::decimal(f64::from(number), places);
            let words = if info.name == "jsd" || info.name == "ies" {
                Words::of(look).num(text)
            } else {
                Words::of(look).num2(text)
            };
            let shown = words.paint(ui, inside.right_center(), Align2::RIGHT_CENTER, inside.width() + 6.0);
            if info.name == "jsd" && number.is_finite() {
                let share = number / state.damage_scale() as f32;
                ui.painter().circle_filled(pos2(shown.left() - 8.0, cell.center().y), 3.5, look.damage(share));
            }
        }
        ColumnKind::Category { labels } => {
            let label =
                state.data.indices(&info.key).and_then(|values| labels.get(*values.get(row as usize)? as usize));
            if let Some(label) = label {
                Words::of(look).t2(label).paint(ui, inside.left_center(), Align2::LEFT_CENTER, inside.width());
            }
        }
        ColumnKind::Codes | ColumnKind::Positions => {}
    }
}

/// The head of a column: the field's short words for what everybody knows, else its label.
fn short(info: &ColumnInfo) -> String {
    column_head(&info.name).map_or_else(|| info.label.clone(), str::to_owned)
}

/// Decimals of a column, by its unit.
fn places(info: &ColumnInfo) -> usize {
    match (info.name.as_str(), info.unit.as_str()) {
        ("ies", _) => 4,
        (_, "tokens" | "samples" | "rows" | "bytes" | "count") => 0,
        (name, _) if name.ends_with("tokens") || name == "multiplicity" || name == "line" => 0,
        (name, _) if name.starts_with("loss") => 2,
        _ => 3,
    }
}
