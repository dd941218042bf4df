//! The journal: every edit with its time, reason and origin; to be read, filtered, shown on the map, and taken back one
//! by one, whatever came after.

use std::rc::Rc;

use egui::{Align2, Context, Sense, Ui, Vec2, pos2};
use paser_protocol::{EntryState, JournalEntryView, Request};

use super::{
    export::{foot, title},
    modal, padded,
};
use crate::{
    dialogs::Dialog,
    format,
    state::{AppState, For},
    theme::icons,
    told::Did,
    widgets::{Button, Words, field::Field, look, row, row_right},
};

const ROW: f32 = 44.0;

/// The entries, and the revision of the project that they were asked for.
#[derive(Default)]
pub struct Journal {
    pub entries: Option<Rc<Vec<JournalEntryView>>>,
    asked: Option<u64>,
}

impl Journal {
    /// Asks anew where the project changed: an entry came to it, or its rows and clusters are others.
    fn ask(state: &mut AppState) {
        let Some(revision) = state.project.as_ref().map(|project| project.revision) else { return };
        if state.journal.asked != Some(revision) {
            state.journal.asked = Some(revision);
            state.ask(Request::Journal, For::Journal);
        }
    }

    /// Another project, or another pool: rows of the entries are other samples.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

fn matches(entry: &JournalEntryView, words: &str) -> bool {
    let text = format!("{} {} {} {}", entry.what, entry.reason, entry.from, entry.state.word()).to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

pub fn show(ctx: &Context, state: &mut AppState, mut typed: String) -> Option<Dialog> {
    Journal::ask(state);
    let entries = state.journal.entries.clone();
    let mut left = false;
    let ((go, cancel), veil) = modal(ctx, "Journal", 760.0, None, |ui| {
        title(ui, "Journal");
        padded(ui, 34.0, |ui, rect| {
            row(ui, rect, 8.0, |ui| {
                let width = ui.available_width();
                let field = Field::new("Filter of the journal", width).icon(icons::FUNNEL);
                let field =
                    field.hint("words of an edit, a reason, a state: excluded, SQL, taken back").show(ui, &mut typed);
                state.note("journal filter", field.response.rect);
            });
        });
        let shown: Vec<&JournalEntryView> =
            entries.iter().flat_map(|entries| entries.iter().rev()).filter(|entry| matches(entry, &typed)).collect();
        let height = (ctx.content_rect().height() - 260.0).clamp(120.0, 460.0);
        let words = match &entries {
            None => "reading the journal",
            Some(entries) if entries.is_empty() => {
                "Nothing has been edited yet. Pin or exclude a sample, and it stands here."
            }
            Some(_) => "No edit matches these words.",
        };
        // As high with one line as with many: an edit taken back adds one, and the buttons must stay where they are.
        let area = egui::ScrollArea::vertical().id_salt("journal").max_height(height).min_scrolled_height(height);
        area.auto_shrink(false).show_rows(ui, ROW, shown.len().max(1), |ui, range| {
            if shown.is_empty() {
                padded(ui, 40.0, |ui, rect| {
                    Words::new(ui).t3(words).at(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width());
                });
            }
            for entry in shown.iter().skip(range.start).take(range.len()) {
                left |= line(ui, state, entry);
            }
        });
        let all = entries.as_ref().map_or(0, |entries| entries.len());
        let known = format!("{} of {} lines", format::count(shown.len() as u64), format::count(all as u64));
        foot(ui, state, &known, "Done", Ok(()))
    });
    (!go && !cancel && !veil && !left).then_some(Dialog::Journal { typed })
}

/// One entry in two lines; true where it was left for its samples on the map.
fn line(ui: &mut Ui, state: &mut AppState, entry: &JournalEntryView) -> bool {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    let inside = rect.shrink2(Vec2::new(16.0, 0.0));
    ui.painter().hline(inside.x_range(), rect.bottom() - 0.5, egui::Stroke::new(1.0, look.line));
    let in_force = entry.state == EntryState::InForce;
    let (shows, left) = row_right(ui, inside, 6.0, |ui| {
        if in_force {
            let back = ui.add(Button::new("Take back").height(22.0).name(&format!("Take back entry {}", entry.entry)));
            state.note(format!("revert:{}", entry.entry), back.rect);
            if back.clicked() {
                state.history.samples_change();
                let did = Did::Turned(format!("Taken back: {}", entry.what));
                state.ask_curation(Request::Revert { entry: entry.entry }, Some(did));
            }
        }
        let mut shows = false;
        if !entry.rows.is_empty() {
            let show =
                ui.add(Button::new("Show").height(22.0).name(&format!("Show the samples of entry {}", entry.entry)));
            state.note(format!("show entry:{}", entry.entry), show.rect);
            shows = show.on_hover_text("Brushes its samples").clicked();
        }
        (shows, ui.min_rect().left())
    });
    let first = inside.top() + 14.0;
    let second = inside.top() + 31.0;
    let number = Words::of(look).num3(format::count(entry.entry));
    number.paint(ui, pos2(inside.left() + 30.0, first), Align2::RIGHT_CENTER, 40.0);
    let (icon, colour) = match entry.state {
        EntryState::InForce => (icons::CHECK, look.ok),
        EntryState::TakenBack => (icons::ARROW_U_UP_LEFT, look.text_3),
        EntryState::Undo | EntryState::Revert => (icons::ARROW_COUNTER_CLOCKWISE, look.text_3),
        EntryState::Redo => (icons::ARROW_CLOCKWISE, look.text_3),
    };
    let ink = if in_force { look.text } else { look.text_3 };
    let room = left - inside.left() - 50.0;
    let mut words =
        Words::of(look).icon(icon, 13.0, colour).part(format!("  {}", entry.what), crate::theme::body_strong(), ink);
    words = words.t3(format!("  {}", entry.state.word()));
    words.at(ui, pos2(inside.left() + 40.0, first), Align2::LEFT_CENTER, room);
    let mut more = format::ago(entry.time, state.wall);
    if !entry.reason.is_empty() {
        more = format!("{more}, because: {}", entry.reason);
    }
    if !entry.from.is_empty() {
        more = format!("{more}; from {}", entry.from);
    }
    if entry.lost > 0 {
        more = format!("{more}; {} of {} not in the pool now", entry.lost, entry.samples);
    }
    let colour = if entry.trouble.is_some() { look.warn } else { look.text_2 };
    if let Some(trouble) = &entry.trouble {
        more = format!("no longer applies: {trouble}; {more}");
    }
    let at = pos2(inside.left() + 40.0, second);
    Words::of(look)
        .part(&more, crate::theme::small(), colour)
        .at(ui, at, Align2::LEFT_CENTER, room)
        .on_hover_text(&more);
    if shows {
        let mut rows = entry.rows.clone();
        rows.sort_unstable();
        rows.dedup();
        state.focus.set_rows(rows, entry.source.clone());
    }
    shows
}
