//! Every sample as a row: virtual, sorted by any column, searched in full text, walked by keyboard. Shows what is
//! brushed, in the order that the engine gives as a column of row numbers.

use std::rc::Rc;

use egui::{Align2, Id, Key, Popup, Rect, Response, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{ColumnInfo, ColumnKind, ReasonCode, Request, RowQuery};

use crate::{
    command::Command,
    data::Data,
    format,
    state::{AppState, Brush, For},
    theme::icons,
    widgets::{
        Button, Words, column,
        field::{Field, menu_entry},
        look,
        pane::pane,
        row, row_right,
    },
};

const ROW: f32 = 24.0;
const HEAD: f32 = 22.0;
/// Seconds after the last letter before the engine is asked.
const TYPING: f64 = 0.15;

/// Which rows the table shows.
pub struct TableState {
    pub search: String,
    /// Column name; empty for pool order.
    pub sort: String,
    pub descending: bool,
    pub focus_search: bool,
    pub show_inspected: bool,
    answer: Option<(String, u64)>,
    asked: Option<(RowQuery, u64)>,
    number: u64,
    stale: bool,
    /// When the search was last typed in.
    typed_at: f64,
}

impl Default for TableState {
    fn default() -> Self {
        Self {
            search: String::new(),
            sort: String::new(),
            descending: false,
            focus_search: false,
            show_inspected: false,
            answer: None,
            asked: None,
            number: 0,
            stale: false,
            typed_at: f64::NEG_INFINITY,
        }
    }
}

impl TableState {
    /// Something the rows depend on changed: ask again.
    pub fn requery(&mut self) {
        self.stale = true;
    }

    pub fn answered(&mut self, number: u64, key: String, count: u64) {
        if number == self.number {
            self.answer = Some((key, count));
        }
    }

    pub fn failed(&mut self, number: u64) {
        if number == self.number {
            self.answer = None;
        }
    }

    pub fn key(&self) -> Option<&str> {
        self.answer.as_ref().map(|(key, _)| key.as_str())
    }

    pub fn count(&self) -> Option<u64> {
        self.answer.as_ref().map(|(_, count)| *count)
    }

    /// Is a search on, and answered?
    pub fn is_filtered(&self) -> bool {
        self.filter_key().is_some()
    }

    /// Changes with the rows that the search finds.
    pub fn filter_key(&self) -> Option<&str> {
        let searched =
            self.asked.as_ref().is_some_and(|(query, number)| !query.text.is_empty() && *number == self.number);
        self.key().filter(|_| searched)
    }

    /// The rows in order, once they have arrived.
    pub fn rows(&self, data: &mut Data) -> Option<Rc<Vec<u32>>> {
        data.indices(self.key()?)
    }
}

/// Asks for the rows whenever brush, order or search changed.
fn query(ui: &Ui, state: &mut AppState) {
    let waited = state.now - state.table.typed_at;
    if waited < TYPING {
        ui.ctx().request_repaint_after_secs((TYPING - waited) as f32);
        return;
    }
    let (mut clusters, mut rows) = (Vec::new(), None);
    match state.focus.brush() {
        Brush::Nothing => {}
        Brush::Clusters(brushed) => clusters = brushed.iter().copied().collect(),
        Brush::Rows(brushed) => rows = Some(brushed.to_vec()),
    }
    let table = &mut state.table;
    let query = RowQuery {
        text: table.search.trim().to_owned(),
        clusters,
        rows,
        sort: table.sort.clone(),
        descending: table.descending,
    };
    let same = table.asked.as_ref().is_some_and(|(asked, _)| *asked == query);
    if same && !table.stale {
        return;
    }
    table.stale = false;
    table.number += 1;
    let number = table.number;
    table.asked = Some((query.clone(), number));
    state.ask(Request::Query { query }, For::Query(number));
}

/// A column of the table.
struct Shown {
    info: Option<ColumnInfo>,
    /// Name to sort by.
    name: String,
    head: String,
    width: f32,
    right: bool,
}

fn shown_columns(state: &AppState, width: f32) -> Vec<Shown> {
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
    let room = ((width - 60.0 - 200.0 - 86.0) / 74.0).max(0.0) as usize;
    let order = ["response_tokens", "loss_dense", "loss_pruned", "jsd", "ies"];
    let rank = |name: &str| order.iter().position(|known| *known == name).unwrap_or(order.len());
    // Which ones fit is decided by worth, where they stand by habit.
    let worth = ["jsd", "ies", "response_tokens", "loss_pruned", "loss_dense"];
    let mut best: Vec<_> = numbers.collect();
    best.sort_by_key(|c| worth.iter().position(|known| *known == c.name).unwrap_or(worth.len()));
    best.retain(|c| worth.contains(&c.name.as_str()));
    best.truncate(room);
    best.sort_by_key(|c| rank(&c.name));
    for info in best {
        let head = short(info);
        let width = if info.name == "jsd" { 76.0 } else { (head.len() as f32 * 6.4 + 26.0).clamp(64.0, 110.0) };
        shown.push(Shown { info: Some(info.clone()), name: info.name.clone(), head, width, right: true });
    }
    shown.push(Shown { info: None, name: "status".to_owned(), head: "status".to_owned(), width: 92.0, right: false });
    shown
}

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    query(ui, state);
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::TABLE, "Samples", look.panel);
    state.note("pane:table", rect);
    head(ui, free, state);
    let columns = shown_columns(state, body.width());
    let (titles, list) = body.split_top_bottom_at_y(body.top() + HEAD);
    column_heads(ui, titles, state, &columns);
    let Some(rows) = state.table.rows(&mut state.data) else {
        let key = state.table.key().map(str::to_owned);
        let text = if key.is_some_and(|key| state.data.failed(&key)) { "The rows could not be fetched." } else { "" };
        Words::new(ui).t3(text).at(ui, list.center(), Align2::CENTER_CENTER, 300.0);
        return;
    };
    if rows.is_empty() {
        let text = if state.table.search.is_empty() {
            "Nothing is brushed."
        } else {
            "No sample has these words. Clear the search, or try another word."
        };
        Words::new(ui).t3(text).at(ui, list.center(), Align2::CENTER_CENTER, list.width() - 20.0);
        return;
    }
    keyboard(ui, list, state, &rows);
    let jump = std::mem::take(&mut state.table.show_inspected)
        .then(|| state.focus.inspected.and_then(|row| rows.iter().position(|other| *other == row)))
        .flatten();
    column(ui, list, |ui| {
        let mut area = egui::ScrollArea::vertical().id_salt("samples").auto_shrink(false);
        let id = ui.make_persistent_id("samples offset");
        if let Some(place) = jump {
            let now = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0);
            let top = place as f32 * ROW;
            if top < now || top + ROW > now + list.height() {
                area = area.vertical_scroll_offset((top - list.height() / 2.0 + ROW).max(0.0));
            }
        }
        let output = area.show_rows(ui, ROW, rows.len(), |ui, range| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            for place in range {
                let (rect, response) = ui.allocate_exact_size(Vec2::new(list.width(), ROW), Sense::click());
                one(ui, rect, &response, state, rows[place], &columns);
                if place < 64 {
                    state.note(format!("row:{place}"), rect);
                }
            }
        });
        ui.data_mut(|data| data.insert_temp(id, output.state.clamped_offset().y));
    });
}

fn head(ui: &mut Ui, free: Rect, state: &mut AppState) {
    let count = state.table.count();
    let right = row_right(ui, free, 6.0, |ui| {
        let enabled = Command::Export.enabled(state);
        let export =
            ui.add_enabled(enabled.is_ok(), Button::new("Export...").icon(icons::DOWNLOAD_SIMPLE).height(24.0));
        state.note("Export", export.rect);
        if export.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
            state.run(Command::Export);
        }
        if let Some(count) = count.filter(|_| *state.focus.brush() != Brush::Nothing) {
            let text = format!("Apply to all {}...", format::count(count));
            let all = ui.add(Button::new(&text).height(24.0).name("Apply to all"));
            state.note("Apply to all", all.rect);
            Popup::menu(&all).accessible_name("Apply to all").show(|ui| {
                ui.set_min_width(240.0);
                for (command, icon) in [
                    (Command::BrushPin, icons::PUSH_PIN),
                    (Command::BrushExclude, icons::PROHIBIT),
                    (Command::BrushRelease, icons::ARROW_U_UP_LEFT),
                ] {
                    if menu_entry(ui, command.name(), "", false, Some(icon), true).clicked() {
                        state.run(command);
                        ui.close();
                    }
                }
            });
        }
        ui.min_rect().left()
    });
    let left = Rect::from_min_max(free.min, pos2(right - 8.0, free.bottom()));
    row(ui, left, 8.0, |ui| {
        let brush = match state.focus.brush() {
            Brush::Nothing => None,
            Brush::Clusters(brushed) if brushed.len() == 1 => {
                let cluster = brushed.first().and_then(|id| state.cluster(*id));
                cluster.map(|cluster| (cluster.name.clone(), Some(look(ui).cluster(cluster.colour))))
            }
            Brush::Clusters(brushed) => Some((format!("{} clusters", brushed.len()), None)),
            Brush::Rows(_) => Some(("box".to_owned(), None)),
        };
        if let Some((name, colour)) = brush {
            let count = count.map(format::count).unwrap_or_default();
            let text = format!("{name}  {count}");
            let mut pill = Button::new(&text).height(22.0).caret(icons::X).name("Clear the brush of the table");
            if let Some(colour) = colour {
                pill = pill.swatch(colour);
            }
            if ui.add(pill).clicked() {
                state.focus.set_brush(Brush::Nothing);
            }
        } else if let Some(count) = count {
            Words::new(ui).num3(format::count(count)).show(ui);
        }
        let width = ui.available_width().min(220.0);
        if width > 80.0 {
            let id = Id::unique("find in text");
            let before = state.table.search.clone();
            let field = Field::new("Find in text", width)
                .hint("find in text")
                .icon(icons::MAGNIFYING_GLASS)
                .height(22.0)
                .id(id)
                .show(ui, &mut state.table.search);
            state.note("search", field.response.rect);
            if std::mem::take(&mut state.table.focus_search) {
                ui.memory_mut(|memory| memory.request_focus(id));
            }
            if before != state.table.search {
                state.table.typed_at = state.now;
            }
        }
    });
}

/// Left and right end of every column in a row; the text takes what is left.
fn cells(rect: Rect, columns: &[Shown]) -> (Rect, Vec<Rect>) {
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
    (Rect::from_min_max(pos2(rect.left() + 60.0, rect.top()), pos2(right, rect.bottom())), places)
}

fn column_heads(ui: &mut Ui, rect: Rect, state: &mut AppState, columns: &[Shown]) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.raised);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    let (text, places) = cells(rect, columns);
    let id_cell = Rect::from_min_max(rect.min, pos2(text.left(), rect.bottom()));
    let mut sortable = |ui: &mut Ui, cell: Rect, name: &str, head: &str, right: bool| {
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
        if response.clicked() && name != "status" {
            if on && !state.table.descending {
                state.table.sort.clear();
            } else if on {
                state.table.descending = false;
            } else {
                (state.table.sort, state.table.descending) = (name.to_owned(), right);
            }
        }
    };
    sortable(ui, id_cell, "", "id", true);
    for (column, cell) in columns.iter().zip(places) {
        sortable(ui, cell, &column.name, &column.head, column.right);
    }
    Words::of(look).small("instruction").paint(
        ui,
        pos2(text.left() + 8.0, text.center().y),
        Align2::LEFT_CENTER,
        120.0,
    );
}

fn one(ui: &mut Ui, rect: Rect, response: &Response, state: &mut AppState, row: u32, columns: &[Shown]) {
    let look = look(ui);
    let text = state.data.text(row).map(|text| (text.id.clone(), text.instruction.replace('\n', " ")));
    let (id, instruction) = text.unwrap_or_default();
    let on = state.focus.inspected == Some(row);
    let status = status(state, row);
    let spoken = format!("{id} {instruction} {}", status.1);
    response.widget_info(|| WidgetInfo::selected(Role::Row, true, on, &spoken));
    if on {
        ui.painter().rect_filled(rect, 0.0, look.overlay);
        ui.painter().rect_filled(Rect::from_min_size(rect.min, Vec2::new(2.0, rect.height())), 0.0, look.accent);
    } else if response.hovered() || state.focus.hovered == Some(row) {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    if response.hovered() {
        state.focus.next_hovered = Some(row);
    }
    if response.clicked() {
        state.inspect(row);
        ui.memory_mut(|memory| memory.request_focus(Id::unique("samples list")));
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    let excluded = state.is_excluded(row);
    let (text_cell, places) = cells(rect, columns);
    let middle = rect.center().y;
    Words::of(look).num3(&id).paint(ui, pos2(text_cell.left() - 6.0, middle), Align2::RIGHT_CENTER, 54.0);
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
fn status(state: &mut AppState, row: u32) -> (char, &'static str, egui::Color32) {
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

fn value(
    ui: &mut Ui,
    cell: Rect,
    state: &mut AppState,
    row: u32,
    column: &Shown,
    status: &(char, &str, egui::Color32),
) {
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
    match info.name.as_str() {
        "jsd" => "jsd",
        "ies" => "ies",
        "response_tokens" => "tokens",
        "loss_dense" => "loss, dense",
        "loss_pruned" => "loss, pruned",
        _ => return info.label.clone(),
    }
    .to_owned()
}

/// Decimals of a column, by its unit.
pub fn places(info: &ColumnInfo) -> usize {
    match (info.name.as_str(), info.unit.as_str()) {
        ("ies", _) => 4,
        (_, "tokens" | "samples" | "rows" | "bytes" | "count") => 0,
        (name, _) if name.ends_with("tokens") || name == "multiplicity" || name == "line" => 0,
        (name, _) if name.starts_with("loss") => 2,
        _ => 3,
    }
}

/// Arrows, Home, End and pages while the list has the keyboard.
fn keyboard(ui: &Ui, list: Rect, state: &mut AppState, rows: &[u32]) {
    let id = Id::unique("samples list");
    let response = ui.interact(list, id, Sense::focusable_noninteractive());
    response.widget_info(|| WidgetInfo::labeled(Role::Table, true, "Samples"));
    if !response.has_focus() {
        return;
    }
    let filter = egui::EventFilter { vertical_arrows: true, ..Default::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let page = (list.height() / ROW) as i64 - 1;
    let step = ui.input(|input| {
        let presses = |key| input.num_presses(key) as i64;
        presses(Key::ArrowDown) - presses(Key::ArrowUp)
            + page * (presses(Key::PageDown) - presses(Key::PageUp))
            + rows.len() as i64 * (presses(Key::End) - presses(Key::Home))
    });
    if step == 0 {
        return;
    }
    let here = state.focus.inspected.and_then(|row| rows.iter().position(|other| *other == row));
    let next = here.map_or(0, |here| (here as i64 + step).clamp(0, rows.len() as i64 - 1));
    state.inspect(rows[next as usize]);
    state.table.show_inspected = true;
}
