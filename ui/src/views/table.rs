//! Every sample as a row: virtual, sorted by any column, searched in full text, walked by keyboard. Shows what is
//! brushed, in the order that the engine gives as a column of row numbers.

use std::rc::Rc;

use egui::{Align2, Id, Key, Popup, Rect, Sense, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{Report, Request, RowQuery, filter::Filter, inside_words};

use super::{
    sample_menu,
    table_rows::{IDS, column_heads, one, shown_columns},
};

use crate::{
    command::Command,
    data::Data,
    focus::Combine,
    format,
    picture::View,
    state::{AppState, Brush, For},
    theme::icons,
    widgets::{
        Button, Words, column, elided,
        field::{Field, menu_entry},
        fitting, icon_button, look,
        pane::pane,
        row, row_right, width_of,
    },
};

const ROW: f32 = 24.0;
const HEAD: f32 = 22.0;
/// The line that offers what stands inside of words.
const OFFER: f32 = 26.0;
/// Widths of the head's free part from which on Export stands there, and buttons have icons and more words.
const ROOM_FOR_EXPORT: f32 = 260.0;
const ROOM_FOR_ICON: f32 = 560.0;
/// What a search needs to be read while it is typed: the field, its kind, and the gaps around.
const SEARCH: f32 = 190.0 + 26.0 + 16.0;
/// What the pill of the brush takes beside its words: edges, swatch, caret, gaps.
const PILL_MARKS: f32 = 54.0;
const LEAST_PILL: f32 = PILL_MARKS + 60.0;
/// Seconds after the last letter before the engine is asked.
const TYPING: f64 = 0.15;

/// Which rows the table shows.
pub struct TableState {
    pub search: String,
    /// What is typed is a filter expression, not words.
    pub is_filter: bool,
    /// Why the filter cannot be read.
    pub problem: Option<Report>,
    /// Column name; empty for pool order.
    pub sort: String,
    pub descending: bool,
    pub focus_search: bool,
    pub show_inspected: bool,
    /// Width of the ids seen so far.
    pub id_width: f32,
    /// Names of the columns that are shown.
    pub columns: Vec<String>,
    answer: Option<Answer>,
    /// Samples more that hold what was searched for inside of words.
    inside: u64,
    asked: Option<Asked>,
    /// The rows on screen; those of the last answer until the next ones have arrived.
    shown: Option<(String, Rc<Vec<u32>>)>,
    number: u64,
    /// The request whose rows are seen from the first one on: it was made for other words, another brush or order.
    top_of: u64,
    to_top: bool,
    stale: bool,
    /// When the search was last typed in.
    typed_at: f64,
    /// The brush was made here, row by row.
    marked: Option<Marked>,
}

/// Rows that are brushed in the table do not drive the others out of it: it goes on with the brush before.
struct Marked {
    /// Version of the brush that was made here.
    version: u64,
    shown: Brush,
    shown_version: u64,
}

/// What the engine was asked for, without the brush itself: a box may hold every row.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    text: String,
    is_filter: bool,
    brush: u64,
    sort: String,
    descending: bool,
}

/// Which rows there are, as a column key, and how many.
struct Answer {
    key: String,
    count: u64,
    /// The words or the filter that they were found by.
    text: String,
    is_filter: bool,
}

impl Default for TableState {
    fn default() -> Self {
        Self {
            search: String::new(),
            is_filter: false,
            problem: None,
            sort: String::new(),
            descending: false,
            focus_search: false,
            show_inspected: false,
            id_width: IDS,
            columns: Vec::new(),
            answer: None,
            inside: 0,
            asked: None,
            shown: None,
            number: 0,
            top_of: 0,
            to_top: false,
            stale: false,
            typed_at: f64::NEG_INFINITY,
            marked: None,
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
            let (text, is_filter) =
                self.asked.as_ref().map(|asked| (asked.text.clone(), asked.is_filter)).unwrap_or_default();
            self.problem = None;
            if self.answer.as_ref().is_none_or(|before| before.text != text) {
                self.inside = 0;
            }
            self.answer = Some(Answer { key, count, text, is_filter });
            self.to_top |= self.top_of == number;
        }
    }

    #[cfg(test)]
    pub(crate) fn search_answered(&mut self, words: &str, key: &str) {
        self.answer = Some(Answer { key: key.to_owned(), count: 0, text: words.to_owned(), is_filter: false });
    }

    /// True where it was a filter that cannot be read: that is told where it is typed.
    pub fn failed(&mut self, number: u64, report: &Report) -> bool {
        let is_filter = self.asked.as_ref().is_some_and(|asked| asked.is_filter && !asked.text.is_empty());
        if number == self.number {
            self.answer = None;
            self.inside = 0;
            self.problem = is_filter.then(|| report.clone());
        }
        is_filter
    }

    pub fn key(&self) -> Option<&str> {
        self.answer.as_ref().map(|answer| answer.key.as_str())
    }

    pub fn count(&self) -> Option<u64> {
        self.answer.as_ref().map(|answer| answer.count)
    }

    /// Is a search on, and answered?
    pub fn is_filtered(&self) -> bool {
        self.found().is_some()
    }

    /// The words of an answered search, and the column key of the rows that they find.
    pub fn found(&self) -> Option<(&str, &str)> {
        let answer = self.answer.as_ref().filter(|answer| !answer.text.is_empty())?;
        Some((&answer.text, &answer.key))
    }

    /// Is it a filter that is typed: because it was said to be one, or because it compares something?
    pub fn reads_as_filter(&self) -> bool {
        let compares = self.search.contains(['<', '>', '=', '~']);
        self.is_filter || compares && Filter::parse(self.search.trim()).is_ok()
    }

    /// The search or the filter that is typed, made to find its words inside of others; none where it does so already.
    pub fn inside_words(&self) -> Option<String> {
        let typed = self.search.trim();
        if self.reads_as_filter() {
            return Some(Filter::parse(typed).ok()?.inside_words()?.to_string());
        }
        inside_words(typed)
    }

    pub(crate) fn search_inside_words(&mut self) {
        if let Some(wide) = self.inside_words() {
            self.search = wide;
            self.inside = 0;
        }
    }

    pub(crate) fn found_inside(&mut self, number: u64, more: u64) {
        if number == self.number {
            self.inside = more;
        }
    }

    /// What the answered rows were found by: the text, whether it is a filter, and the rows' column key.
    pub fn found_by(&self) -> Option<(String, bool, String)> {
        let answer = self.answer.as_ref().filter(|answer| !answer.text.is_empty())?;
        Some((answer.text.clone(), answer.is_filter, answer.key.clone()))
    }

    /// The rows in order; while new ones are on their way, the ones before them.
    pub fn rows(&mut self, data: &mut Data) -> Option<Rc<Vec<u32>>> {
        let key = self.answer.as_ref()?.key.clone();
        if let Some(rows) = data.indices(&key) {
            if let Some((old, _)) = self.shown.replace((key.clone(), rows.clone()))
                && old != key
            {
                data.forget_column(&old);
            }
            return Some(rows);
        }
        self.shown.as_ref().filter(|_| data.is_pending(&key)).map(|(_, rows)| rows.clone())
    }
}

/// Asks for the rows whenever brush, order or search changed.
fn query(ui: &Ui, state: &mut AppState) {
    // A project that is being made has no rows yet.
    if state.project.as_ref().is_none_or(|project| project.pool.key.is_empty()) {
        return;
    }
    let waited = state.now - state.table.typed_at;
    if waited < TYPING {
        ui.ctx().request_repaint_after_secs((TYPING - waited) as f32);
        return;
    }
    let (_, brush) = state.table_brush();
    let table = &mut state.table;
    let same = table.asked.as_ref().is_some_and(|asked| {
        asked.text == table.search.trim()
            && asked.is_filter == table.reads_as_filter()
            && asked.brush == brush
            && asked.sort == table.sort
            && asked.descending == table.descending
    });
    if same && !table.stale {
        return;
    }
    table.stale = false;
    table.number += 1;
    if !same {
        table.top_of = table.number;
    }
    let number = table.number;
    let (text, sort, descending) = (table.search.trim().to_owned(), table.sort.clone(), table.descending);
    let is_filter = table.reads_as_filter();
    table.asked = Some(Asked { text, is_filter, brush, sort, descending });
    let query = state.row_query(false);
    state.ask(Request::Query { query }, For::Query(number));
}

impl AppState {
    /// The brush that the table shows the samples of, and its version.
    fn table_brush(&self) -> (&Brush, u64) {
        match &self.table.marked {
            Some(marked) if self.has_marks() || marked.shown == *self.focus.brush() => {
                (&marked.shown, marked.shown_version)
            }
            _ => (self.focus.brush(), self.focus.version),
        }
    }

    fn has_marks(&self) -> bool {
        self.table.marked.as_ref().is_some_and(|marked| marked.version == self.focus.version)
    }

    /// Is it one of the rows that were brushed in the table?
    pub fn is_marked(&self, row: u32) -> bool {
        self.has_marks() && self.focus.is_brushed(row, None)
    }

    /// Brushes rows, rising, and leaves the table as it is.
    fn mark(&mut self, rows: Vec<u32>) {
        let (shown, shown_version) = self.table_brush();
        let shown = shown.clone();
        self.focus.set_rows(rows, None);
        self.table.marked = Some(Marked { version: self.focus.version, shown, shown_version });
    }

    /// Asks how many samples a search of whole words has left out.
    pub(crate) fn ask_inside_words(&mut self, number: u64) {
        if number != self.table.number || !self.table.is_filtered() {
            return;
        }
        let query = RowQuery { sort: String::new(), ..self.row_query(true) };
        if query.inside_words().is_some() {
            self.ask(Request::InsideWords { query }, For::InsideWords(number));
        }
    }

    /// The rows that the table is to show; `answered`: by the words that its rows were found by, not by what is typed.
    pub(crate) fn row_query(&self, answered: bool) -> RowQuery {
        let (mut clusters, mut rows) = (Vec::new(), None);
        match self.table_brush().0 {
            Brush::Nothing => {}
            Brush::Clusters(brushed) => clusters = brushed.iter().copied().collect(),
            Brush::Rows(brushed) => rows = Some(brushed.to_vec()),
        }
        let (text, is_filter) = match self.table.found_by() {
            Some((text, is_filter, _)) if answered => (text, is_filter),
            None if answered => (String::new(), false),
            _ => (self.table.search.trim().to_owned(), self.table.reads_as_filter()),
        };
        let (text, filter) = if is_filter { (String::new(), text) } else { (text, String::new()) };
        let (sort, descending) = (self.table.sort.clone(), self.table.descending);
        RowQuery { text, filter, clusters, rows, sort, descending }
    }
}

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    query(ui, state);
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::TABLE, "Samples", look.panel);
    state.note("pane:table", rect);
    state.note(View::Table.place(), body);
    let body = head(ui, free, body, state);
    let columns = shown_columns(state, body.width());
    state.table.columns = columns.iter().map(|column| column.name.clone()).collect();
    let (titles, list) = body.split_top_bottom_at_y(body.top() + HEAD);
    column_heads(ui, titles, state, &columns);
    if let Some(problem) = &state.table.problem {
        let words = format!("{} {}", problem.what, problem.advice);
        let inside = Rect::from_min_max(list.min + Vec2::new(12.0, 10.0), list.max);
        column(ui, inside, |ui| {
            ui.set_width(inside.width() - 12.0);
            crate::widgets::pane::remark(ui, "error", &words);
        });
        return;
    }
    let list = offer_inside_words(ui, list, state);
    let Some(rows) = state.table.rows(&mut state.data) else {
        let key = state.table.key().map(str::to_owned);
        let text = if key.is_some_and(|key| state.data.failed(&key)) { "The rows could not be fetched." } else { "" };
        Words::new(ui).t3(text).at(ui, list.center(), Align2::CENTER_CENTER, 300.0);
        return;
    };
    if rows.is_empty() {
        let text = match (state.table.search.is_empty(), state.focus.brush()) {
            (true, _) => "Nothing is brushed.",
            (false, Brush::Nothing) if state.table.reads_as_filter() => "No sample fits this filter.",
            (false, _) if state.table.reads_as_filter() => {
                "No brushed sample fits this filter. Clear the brush (Esc) to look in the whole pool."
            }
            (false, Brush::Nothing) => "No sample has these words. Clear the search, or try another word.",
            (false, _) => {
                "No brushed sample has these words. Clear the brush (Esc) to search the whole pool, or try another word."
            }
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
        let to_top = std::mem::take(&mut state.table.to_top);
        if to_top && jump.is_none() {
            area = area.vertical_scroll_offset(0.0);
        }
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
                if response.clicked() {
                    click(ui, state, &rows, place);
                }
                Popup::context_menu(&response).accessible_name("Sample").show(|ui| {
                    sample_menu::of_row(ui, state, rows[place]);
                });
                one(ui, rect, &response, state, rows[place], &columns);
                if place < 64 {
                    state.note(format!("row:{place}"), rect);
                }
            }
        });
        ui.data_mut(|data| data.insert_temp(id, output.state.clamped_offset().y));
    });
}

/// Inspects a row. Shift brushes from the inspected one to it, as they stand in the table; Ctrl adds it to the brush or
/// takes it out.
fn click(ui: &Ui, state: &mut AppState, rows: &[u32], place: usize) {
    let row = rows[place];
    let modifiers = ui.input(|input| input.modifiers);
    if modifiers.command {
        // A brush from elsewhere decides what the table shows; which of these are meant is told from here on.
        let brushed = if state.has_marks() { state.acting_rows() } else { Vec::new() };
        let combine = if brushed.binary_search(&row).is_ok() { Combine::Subtract } else { Combine::Add };
        state.mark(combine.rows(&brushed, &[row]));
        return;
    }
    if modifiers.shift {
        let from = state.focus.inspected.and_then(|row| rows.iter().position(|other| *other == row)).unwrap_or(place);
        let mut range = rows[from.min(place)..=from.max(place)].to_vec();
        range.sort_unstable();
        state.mark(range);
    }
    state.inspect(row);
    ui.memory_mut(|memory| memory.request_focus(Id::unique("samples list")));
}

/// Whole words were searched for: what stands inside of other words is one click away. The room that is left.
fn offer_inside_words(ui: &mut Ui, list: Rect, state: &mut AppState) -> Rect {
    let more = state.table.inside;
    if more == 0 {
        return list;
    }
    let look = look(ui);
    let (strip, rest) = list.split_top_bottom_at_y(list.top() + OFFER);
    ui.painter().hline(strip.x_range(), strip.bottom() - 0.5, egui::Stroke::new(1.0, look.line));
    let right = row_right(ui, strip.shrink2(Vec2::new(8.0, 0.0)), 6.0, |ui| {
        let include = ui.add(Button::new("Search inside words").height(20.0).name(Command::InsideWords.name()));
        state.note("InsideWords", include.rect);
        if include.on_hover_text(Command::InsideWords.long_hint()).clicked() {
            state.run(Command::InsideWords);
        }
        ui.min_rect().left()
    });
    let (samples, hold) = if more == 1 { ("sample", "holds") } else { ("samples", "hold") };
    let words = format!("Whole words only: {} more {samples} {hold} it inside of a word.", format::count(more));
    let room = right - strip.left() - 20.0;
    Words::of(look).t2(words).at(ui, pos2(strip.left() + 12.0, strip.center().y), Align2::LEFT_CENTER, room);
    rest
}

/// What can be done with the rows, which they are, and the search; the search stands in a line below where the head has
/// no room for it. The body that is left.
fn head(ui: &mut Ui, free: Rect, body: Rect, state: &mut AppState) -> Rect {
    let right = row_right(ui, free, 6.0, |ui| {
        super::save_menu::button(ui, state, View::Table);
        if free.width() > ROOM_FOR_EXPORT {
            let enabled = Command::Export.enabled(state);
            let mut button = Button::new("Export...").height(24.0).name(Command::Export.name());
            // The same icon stands beside it, for what is on screen.
            if free.width() > ROOM_FOR_ICON {
                button = button.icon(icons::DOWNLOAD_SIMPLE);
            }
            let export = ui.add_enabled(enabled.is_ok(), button);
            state.note("Export", export.rect);
            if export.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
                state.run(Command::Export);
            }
        }
        apply_to_all(ui, state, free.width() > ROOM_FOR_ICON);
        ui.min_rect().left()
    });
    let left = Rect::from_min_max(free.min, pos2(right - 8.0, free.bottom()));
    let brushed = *state.focus.brush() != Brush::Nothing;
    let two_lines = left.width() < SEARCH + if brushed { LEAST_PILL } else { 60.0 };
    row(ui, left, 8.0, |ui| {
        let room = ui.available_width() - if two_lines { 0.0 } else { SEARCH };
        which_rows(ui, state, room);
        if !two_lines {
            search(ui, state);
        }
    });
    if !two_lines {
        return body;
    }
    let look = look(ui);
    let (line, body) = body.split_top_bottom_at_y(body.top() + 28.0);
    ui.painter().rect_filled(line, 0.0, look.panel);
    ui.painter().hline(line.x_range(), line.bottom() - 0.5, egui::Stroke::new(1.0, look.line));
    row(ui, line.shrink2(Vec2::new(8.0, 0.0)), 8.0, |ui| search(ui, state));
    body
}

/// Samples in the brush, as far as the table shows them: it shows more where it was made row by row.
fn brushed(state: &AppState) -> Option<u64> {
    match state.focus.brush() {
        Brush::Rows(rows) if state.has_marks() => Some(rows.len() as u64),
        _ => state.table.count(),
    }
}

fn apply_to_all(ui: &mut Ui, state: &mut AppState, wide: bool) {
    let acts = state.table.is_filtered() || *state.focus.brush() != Brush::Nothing;
    let count = if state.table.is_filtered() { state.table.count() } else { brushed(state) };
    let Some(count) = count.filter(|count| *count > 0 && acts) else { return };
    let words = if wide { "Apply to all" } else { "All" };
    let texts = [format!("{words} {}...", format::count(count)), "All...".to_owned()];
    let text = fitting(ui, texts, ui.available_width() - 24.0);
    let all = ui.add(Button::new(&text).height(24.0).name("Apply to all"));
    state.note("Apply to all", all.rect);
    Popup::menu(&all).accessible_name("Apply to all").show(|ui| {
        ui.set_width(250.0);
        let command = sample_menu::entries(ui, state, &sample_menu::BRUSHED);
        let brush = menu_entry(ui, "Brush them", "", false, Some(icons::SELECTION), true).clicked();
        if (command.is_some() || brush)
            && state.brush_found()
            && let Some(command) = command
        {
            state.run(command);
        }
        if brush {
            ui.close();
        }
    });
}

/// The brush with its way out, else the number of rows.
fn which_rows(ui: &mut Ui, state: &mut AppState, room: f32) {
    let brush = match state.focus.brush() {
        Brush::Nothing => None,
        Brush::Clusters(brushed) if brushed.len() == 1 => {
            let cluster = brushed.first().and_then(|id| state.cluster(*id));
            cluster.map(|cluster| (cluster.name.clone(), Some(look(ui).cluster(cluster.colour))))
        }
        Brush::Clusters(brushed) => Some((format!("{} clusters", brushed.len()), None)),
        Brush::Rows(_) => Some(("brushed".to_owned(), None)),
    };
    let count = brushed(state).map(format::count).unwrap_or_default();
    let Some((name, colour)) = brush else {
        Words::new(ui).num3(count).show_in(ui, room, 1);
        return;
    };
    // Where there is no room for both, the name matters more: the count stands on the button beside, too.
    let whole = format!("{name}  {count}");
    let room = room - PILL_MARKS;
    let text = if width_of(ui, &whole) <= room { whole } else { elided(ui, &name, room) };
    let text = if text.is_empty() { count } else { text };
    let mut pill = Button::new(&text).height(22.0).caret(icons::X).name("Clear the brush of the table");
    if let Some(colour) = colour {
        pill = pill.swatch(colour);
    }
    let pill = ui.add(pill);
    state.note("table brush", pill.rect);
    if pill.clicked() {
        state.focus.set_brush(Brush::Nothing);
    }
}

fn search(ui: &mut Ui, state: &mut AppState) {
    let is_filter = state.table.reads_as_filter();
    let width = (ui.available_width() - 26.0 - 8.0).min(if is_filter { 390.0 } else { 300.0 });
    let id = Id::unique("find in text");
    let before = state.table.search.clone();
    let (name, hint, icon) = if is_filter {
        ("Filter", "jsd > 0.2 and tokens < 50", icons::FUNNEL)
    } else {
        ("Find in text", "whole words, or jsd > 0.2 and tokens < 50", icons::MAGNIFYING_GLASS)
    };
    let kind = icon_button(ui, icon, FILTER_HINT, is_filter, None);
    state.note("filter kind", kind.rect);
    if kind.clicked() {
        state.table.is_filter = !state.table.is_filter;
        state.table.problem = None;
        state.table.focus_search = true;
    }
    let field = Field::new(name, width.max(60.0)).hint(hint).height(22.0).id(id).show(ui, &mut state.table.search);
    state.note("search", field.response.rect);
    if std::mem::take(&mut state.table.focus_search) {
        ui.memory_mut(|memory| memory.request_focus(id));
    }
    if before != state.table.search {
        state.table.typed_at = state.now;
    }
}

/// What a filter may say.
const FILTER_HINT: &str = "Whole words (*sql* also finds MySQL), or a filter: columns with = != < <= > >= (jsd, ies, tokens, ...; every head tells its name), cluster = \"name\", tag = name, status = taken, text ~ *sql*, instruction ~ \"words\", pinned, excluded, hidden; and, or, not, parentheses";

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
