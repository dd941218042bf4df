//! Every command, and every cluster and sample, by typing a part of its name.

use egui::{Align2, Context, Id, Key, Rect, Sense, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};

use super::modal;
use crate::{
    command::Command,
    dialogs::Dialog,
    format,
    picture::{Format, View},
    state::{AppState, Brush},
    theme::{self, icons},
    widgets::{Words, field::Field, key_cap, look, row_right},
};

const ROW: f32 = 32.0;

/// What an entry does.
#[derive(Clone)]
enum Act {
    Command(Command),
    Cluster(u32),
    Compare(String),
    Discard(String),
    Find(String),
    Save(View, Format),
}

struct Entry {
    act: Act,
    name: String,
    more: String,
    why: Option<&'static str>,
}

/// From here on a match is of scattered letters: a search in the samples' text comes before it.
const SCATTERED: usize = 50;

/// Letters of `typed` in order in `name`; lower is better. None: no match.
fn score(typed: &str, name: &str) -> Option<usize> {
    let (typed, name) = (typed.to_lowercase(), name.to_lowercase());
    if let Some(at) = name.find(&typed) {
        return Some(if at == 0 { 0 } else { 1 + usize::from(!name[..at].ends_with(' ')) });
    }
    let mut rest = name.chars();
    let mut gaps = 0;
    for letter in typed.chars().filter(|c| !c.is_whitespace()) {
        loop {
            match rest.next() {
                Some(other) if other == letter => break,
                Some(_) => gaps += 1,
                None => return None,
            }
        }
    }
    Some(SCATTERED + gaps)
}

/// All typed words stand at the starts of words of a description: a worse match than any name.
fn score_of_words(typed: &str, description: &str) -> Option<usize> {
    let description = description.to_lowercase().replace('-', " ");
    let starts = |typed: &str| description.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with(typed));
    let typed = typed.to_lowercase();
    typed.split_whitespace().all(starts).then_some(40)
}

fn entries(state: &AppState, typed: &str) -> Vec<Entry> {
    let mut found: Vec<(usize, Entry)> = Vec::new();
    let typed = typed.trim();
    for command in Command::ALL.into_iter().filter(|command| !matches!(command, Command::Palette | Command::Back)) {
        let by_name = score(typed, command.name());
        let by_words = score_of_words(typed, &format!("{} {}", command.name(), command.description()));
        if let Some(score) = by_name.into_iter().chain(by_words).min() {
            let why = command.enabled(state).err();
            let entry = Entry {
                act: Act::Command(command),
                name: command.name().to_owned(),
                more: command.description().to_owned(),
                why,
            };
            // What cannot be had now stands below.
            found.push((score * 2 + usize::from(why.is_some()) * 100, entry));
        }
    }
    for view in View::ALL.into_iter().filter(|view| !typed.is_empty() && view.is_shown(state)) {
        for format in Format::ALL {
            let name = format!("Save {} as {}", view.name(), format.name());
            if let Some(score) = score(typed, &name) {
                let more = "what is on screen now".to_owned();
                found.push((score * 2 + 1, Entry { act: Act::Save(view, format), name, more, why: None }));
            }
        }
    }
    for cluster in state.clusters() {
        let name = format!("Show {}", cluster.name);
        // Names are made of words of the pool: scattered letters are in most of them.
        if let Some(score) = score(typed, &name).filter(|score| !typed.is_empty() && *score < SCATTERED) {
            let more = format!("cluster of {} samples", format::count(cluster.samples));
            found.push((score * 2 + 1, Entry { act: Act::Cluster(cluster.cluster), name, more, why: None }));
        }
    }
    let frozen = state.project.iter().flat_map(|project| &project.selections);
    for (name, selection) in frozen.filter_map(|selection| selection.name.as_ref().map(|name| (name, selection))) {
        let command = format!("Compare {name}");
        if let Some(score) = score(typed, &command).filter(|_| !typed.is_empty()) {
            let more = format!("a frozen selection of {} samples", format::count(selection.selected));
            found.push((score * 2 + 1, Entry { act: Act::Compare(name.clone()), name: command, more, why: None }));
        }
        let command = format!("Discard {name}...");
        if let Some(score) = score(typed, &command).filter(|_| !typed.is_empty()) {
            let more = format!("a frozen selection of {} samples", format::count(selection.selected));
            found.push((score * 2 + 1, Entry { act: Act::Discard(name.clone()), name: command, more, why: None }));
        }
    }
    if state.project.is_some() && !typed.is_empty() {
        let name = format!("Find \u{201c}{typed}\u{201d} in the samples' text");
        found.push((
            SCATTERED * 2 - 1,
            Entry { act: Act::Find(typed.to_owned()), name, more: String::new(), why: None },
        ));
    }
    found.sort_by_key(|(score, _)| *score);
    found.into_iter().map(|(_, entry)| entry).collect()
}

pub fn show(ctx: &Context, state: &mut AppState, mut typed: String, mut chosen: usize) -> Option<Dialog> {
    let entries = entries(state, &typed);
    chosen = chosen.min(entries.len().saturating_sub(1));
    let (moves, enter) = ctx.input_mut(|input| {
        let down = input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowDown) as i64;
        let up = input.count_and_consume_key(egui::Modifiers::NONE, Key::ArrowUp) as i64;
        (down - up, input.consume_key(egui::Modifiers::NONE, Key::Enter))
    });
    chosen = (chosen as i64 + moves).clamp(0, entries.len().saturating_sub(1) as i64) as usize;
    let before = typed.clone();
    let (clicked, veil) = modal(ctx, "Search or run", 560.0, Some(72.0), |ui| {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 46.0), Sense::hover());
        let id = Id::unique("palette field");
        let inside = Rect::from_center_size(rect.center(), Vec2::new(rect.width() - 20.0, 28.0));
        crate::widgets::row(ui, inside, 0.0, |ui| {
            let width = ui.available_width();
            Field::new("Search or run", width)
                .hint("a command, a cluster, or words of a sample")
                .icon(icons::MAGNIFYING_GLASS)
                .height(28.0)
                .id(id)
                .show(ui, &mut typed);
        });
        ui.memory_mut(|memory| memory.request_focus(id));
        list(ui, &entries, chosen, moves != 0)
    });
    let act = if enter { Some(chosen) } else { clicked };
    if let Some(entry) = act.and_then(|place| entries.get(place)) {
        if entry.why.is_some() {
            return Some(Dialog::Palette { typed, chosen });
        }
        match entry.act.clone() {
            Act::Command(command) => state.run(command),
            Act::Cluster(cluster) => {
                state.focus.set_brush(Brush::Clusters([cluster].into()));
                state.show_table();
            }
            Act::Compare(name) => {
                if state.compare.place(&name).is_none() {
                    state.compare.toggle(&name);
                }
                state.run(Command::ShowCompare);
            }
            Act::Discard(name) => state.dialog = Some(Dialog::Discard { name }),
            Act::Save(view, format) => state.save_view = Some((view, format)),
            Act::Find(text) => {
                state.table.search = text;
                state.show_table();
            }
        }
        return None;
    }
    if veil {
        return None;
    }
    Some(Dialog::Palette { chosen: if typed == before { chosen } else { 0 }, typed })
}

fn list(ui: &mut Ui, entries: &[Entry], chosen: usize, moved: bool) -> Option<usize> {
    let look = look(ui);
    let mut clicked = None;
    let height = (ROW * entries.len().clamp(1, 11) as f32).min(ui.ctx().content_rect().height() - 160.0);
    // The card offers the room that it had in the last frame: a list that was short must not grow by its margin a frame.
    let area = egui::ScrollArea::vertical().min_scrolled_height(height).max_height(height);
    area.auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        if entries.is_empty() {
            let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
            Words::of(look).t3("Nothing has this name.").at(
                ui,
                pos2(rect.left() + 16.0, rect.center().y),
                Align2::LEFT_CENTER,
                300.0,
            );
        }
        for (place, entry) in entries.iter().enumerate() {
            let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
            let enabled = entry.why.is_none();
            response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, enabled, place == chosen, &entry.name));
            if place == chosen {
                ui.painter().rect_filled(rect, 0.0, look.overlay);
                ui.painter().rect_filled(Rect::from_min_size(rect.min, Vec2::new(2.0, ROW)), 0.0, look.accent);
                if moved {
                    response.scroll_to_me(None);
                }
            } else if response.hovered() {
                ui.painter().rect_filled(rect, 0.0, look.raised);
            }
            let ink = if enabled { look.text } else { look.disabled };
            let middle = rect.center().y;
            let name = Words::of(look).part(&entry.name, theme::body(), ink).paint(
                ui,
                pos2(rect.left() + 16.0, middle),
                Align2::LEFT_CENTER,
                330.0,
            );
            let more = entry.why.unwrap_or(&entry.more);
            let ink = if enabled { look.text_3 } else { look.disabled };
            let room = rect.right() - name.right() - 120.0;
            Words::of(look).part(more, theme::small(), ink).paint(
                ui,
                pos2(name.right() + 10.0, middle),
                Align2::LEFT_CENTER,
                room,
            );
            if let Act::Command(command) = entry.act {
                row_right(ui, rect.shrink2(Vec2::new(12.0, 0.0)), 3.0, |ui| {
                    for key in command.keys().into_iter().rev() {
                        key_cap(ui, key);
                    }
                });
            }
            if response.clicked() {
                clicked = Some(place);
            }
        }
    });
    ui.add_space(6.0);
    clicked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_by_part_and_by_letters() {
        assert_eq!(score("fre", "Freeze selection..."), Some(0));
        assert!(score("selection", "Freeze selection...") < score("election", "Freeze selection..."));
        assert!(score("fzs", "Freeze selection...").is_some());
        assert_eq!(score("zzz", "Freeze selection..."), None);
        let state = AppState::default();
        let first = |typed: &str| entries(&state, typed).first().map(|entry| entry.name.clone()).unwrap_or_default();
        for (typed, name) in [
            ("repeat", "Duplicates and leakage..."),
            ("benchmark", "Duplicates and leakage..."),
            ("filter", "Find in the samples' text"),
            ("text larger", "Larger"),
        ] {
            assert_eq!(first(typed), name, "{typed}");
        }
        assert!(entries(&state, "theme").first().is_some_and(|entry| entry.name.contains("theme")));
    }
}
