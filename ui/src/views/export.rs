//! The small forms over the screen: freeze, discard, export, open by path, rows that were not read, and the recipe.

use egui::{Align2, Context, Id, Rect, Sense, Ui, Vec2, pos2};
use paser_protocol::{ExportFormat, Part, Request};

use super::{modal, padded};
use crate::{
    dialogs::{Dialog, ExportForm},
    format,
    state::{AppState, Ask, For, PickFor},
    theme::icons,
    transport::PickKind,
    widgets::{
        Button, Words,
        field::{Field, dropdown},
        look,
        pane::remark,
        row, row_right,
        segmented::{Face, segmented},
    },
};

pub(super) fn title(ui: &mut Ui, text: &str) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 46.0), Sense::hover());
    let look = look(ui);
    Words::of(look).part(text, crate::theme::title(15.0), look.text).at(
        ui,
        pos2(rect.left() + 16.0, rect.center().y + 2.0),
        Align2::LEFT_CENTER,
        rect.width() - 32.0,
    );
}

/// Text over the whole width.
pub(super) fn paragraph(ui: &mut Ui, text: &str) {
    egui::Frame::new().inner_margin(egui::Margin { left: 16, right: 16, top: 2, bottom: 6 }).show(ui, |ui| {
        ui.set_width(ui.available_width());
        Words::new(ui).t2(text).wrapped(ui);
    });
}

/// A label and room for its control.
pub(super) fn line<R>(ui: &mut Ui, label: &str, contents: impl FnOnce(&mut Ui) -> R) -> R {
    padded(ui, 36.0, |ui, rect| {
        Words::new(ui).t2(label).paint(ui, rect.left_center(), Align2::LEFT_CENTER, 100.0);
        let place = Rect::from_min_max(pos2(rect.left() + 104.0, rect.top()), rect.max);
        row(ui, place, 6.0, contents)
    })
}

/// What is known now at the left; cancel and the primary button at the right: (primary, cancel).
pub(super) fn foot(
    ui: &mut Ui,
    state: &mut AppState,
    known: &str,
    primary: &str,
    enabled: Result<(), &str>,
) -> (bool, bool) {
    let below = ui.min_rect().bottom() - ui.cursor().top() - 46.0;
    ui.add_space(below.max(8.0));
    padded(ui, 46.0, |ui, rect| {
        let (go, cancel, left) = row_right(ui, rect, 8.0, |ui| {
            let go = ui.add_enabled(enabled.is_ok(), Button::new(primary).primary());
            state.note(format!("dialog:{primary}"), go.rect);
            let go = go.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked();
            // Where there is nothing but to be done, one button says so.
            let cancel = primary != "Done" && ui.add(Button::new("Close")).clicked();
            (go, cancel, ui.min_rect().left())
        });
        Words::new(ui).t2(known).at(ui, rect.left_center(), Align2::LEFT_CENTER, left - rect.left() - 12.0);
        (go, cancel)
    })
}

pub fn freeze(ctx: &Context, state: &mut AppState, mut name: String) -> Option<Dialog> {
    let selection = state.build.selection.clone();
    let ((go, cancel), veil) = modal(ctx, "Freeze selection", 480.0, None, |ui| {
        title(ui, "Freeze selection");
        paragraph(
            ui,
            "A frozen selection keeps its samples, the kind of reason of each, and its ledger, whatever you change later.",
        );
        ui.add_space(6.0);
        let entered = line(ui, "Name", |ui| {
            let width = ui.available_width();
            let id = Id::unique("freeze name");
            let field = Field::new("Name of the selection", width).id(id).show(ui, &mut name);
            if ui.memory(|memory| memory.focused().is_none()) && !field.entered {
                ui.memory_mut(|memory| memory.request_focus(id));
            }
            state.note("freeze name", field.response.rect);
            field.entered
        });
        let taken = state.project.as_ref().is_some_and(|project| {
            project.selections.iter().any(|selection| selection.name.as_deref() == Some(name.trim()))
        });
        let moving = state.build.waiting || state.build.changed.is_some();
        let fine = match (name.trim().is_empty(), taken, moving) {
            (true, ..) => Err("give it a name"),
            (_, true, _) => Err("another selection has this name"),
            (_, _, true) => Err("the selection is being made"),
            _ => Ok(()),
        };
        let known = match (&selection, taken) {
            (_, true) => "Another selection has this name.".to_owned(),
            (Some(selection), false) => {
                format!("{} samples, {} tokens", format::count(selection.selected), format::short(selection.tokens))
            }
            (None, false) => String::new(),
        };
        let (go, cancel) = foot(ui, state, &known, "Freeze", fine);
        (go || entered && fine.is_ok(), cancel)
    });
    if go {
        let name = name.trim().to_owned();
        state.ask(Request::Freeze { name: name.clone() }, For::Freeze(name.clone()));
        return Some(Dialog::Freeze { name });
    }
    (!cancel && !veil).then_some(Dialog::Freeze { name })
}

/// A frozen selection under another name.
pub fn rename(ctx: &Context, state: &mut AppState, from: String, mut to: String) -> Option<Dialog> {
    let ((go, cancel), veil) = modal(ctx, "Rename selection", 480.0, None, |ui| {
        title(ui, &format!("Rename {from}"));
        let entered = line(ui, "Name", |ui| {
            let width = ui.available_width();
            let id = Id::unique("rename");
            let field = Field::new("New name of the selection", width).id(id).show(ui, &mut to);
            if ui.memory(|memory| memory.focused().is_none()) && !field.entered {
                ui.memory_mut(|memory| memory.request_focus(id));
            }
            state.note("rename", field.response.rect);
            field.entered
        });
        let fine = match to.trim() {
            "" => Err("give it a name"),
            name if name == from => Err("it has this name"),
            name if state.is_name_taken(name) => Err("another selection has this name"),
            _ => Ok(()),
        };
        let (go, cancel) = foot(ui, state, "", "Rename", fine);
        (go || entered && fine.is_ok(), cancel)
    });
    if go {
        let to = to.trim().to_owned();
        state.ask(Request::Rename { from: from.clone(), to: to.clone() }, For::Rename(from.clone(), to.clone()));
        return Some(Dialog::Rename { from, to });
    }
    (!cancel && !veil).then_some(Dialog::Rename { from, to })
}

/// Nothing brings a discarded selection back: it is asked once more.
pub fn discard(ctx: &Context, state: &mut AppState, name: String) -> Option<Dialog> {
    let samples = state.project.as_ref().and_then(|project| {
        let frozen = project.selections.iter().find(|selection| selection.name.as_deref() == Some(&name));
        frozen.map(|selection| selection.selected)
    });
    let ((go, cancel), veil) = modal(ctx, "Discard selection", 480.0, None, |ui| {
        title(ui, &format!("Discard {name}?"));
        paragraph(
            ui,
            "Its samples, reasons and ledger are removed from the project, and nothing brings them back. Files that were exported stay.",
        );
        let known = samples.map_or_else(String::new, |count| format!("{} samples, frozen", format::count(count)));
        let fine = if samples.is_some() { Ok(()) } else { Err("it is not there any more") };
        foot(ui, state, &known, "Discard", fine)
    });
    if go {
        state.ask(Request::Discard { name: name.clone() }, For::Discard(name.clone()));
        return Some(Dialog::Discard { name });
    }
    (!cancel && !veil).then_some(Dialog::Discard { name })
}

pub fn export(ctx: &Context, state: &mut AppState, mut form: ExportForm) -> Option<Dialog> {
    let ((go, cancel), veil) = modal(ctx, "Export", 560.0, None, |ui| {
        title(ui, "Export");
        let before = form.clone();
        line(ui, "Selection", |ui| {
            let mut names = vec!["the one being built".to_owned()];
            let frozen = state.project.iter().flat_map(|project| &project.selections).filter_map(|s| s.name.clone());
            names.extend(frozen);
            let entries: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
            let chosen = form.selection.as_ref().map_or(Some(0), |name| names.iter().position(|other| other == name));
            let shown = chosen.map_or("", |place| names[place].as_str());
            let width = ui.available_width();
            let (response, picked) = dropdown(ui, "Selection to export", shown, 26.0, Some(width), &entries, chosen);
            state.note("export selection", response.rect);
            if let Some(place) = picked {
                let before = std::mem::replace(&mut form.selection, (place > 0).then(|| names[place].clone()));
                form.part = turned(std::mem::take(&mut form.part), before.as_deref(), form.selection.as_deref());
            }
        });
        part_line(ui, state, &mut form);
        line(ui, "Format", |ui| {
            let faces = [
                (Face::Text("Alpaca JSON"), "Alpaca JSON"),
                (Face::Text("Alpaca JSONL"), "Alpaca JSONL"),
                (Face::Text("messages JSONL"), "messages JSONL"),
            ];
            let chosen = ExportFormat::ALL.iter().position(|format| *format == form.format).unwrap_or(0);
            if let Some(place) = segmented(ui, "Format", &faces, chosen, 26.0, |_, _| {}) {
                form.format = ExportFormat::ALL[place];
            }
        });
        line(ui, "File", |ui| {
            let browse = state.has_dialogs;
            let width = ui.available_width() - if browse { 82.0 } else { 0.0 };
            let hint =
                if browse { "path on this machine" } else { "path on the engine's machine; empty: download here" };
            let field = Field::new("Path of the export", width).mono().hint(hint).show(ui, &mut form.path);
            state.note("export path", field.response.rect);
            if browse {
                let button = ui.add(Button::new("Browse...").height(26.0));
                state.note("browse export", button.rect);
                if button.clicked() {
                    state.outbox.push(Ask::Pick(PickKind::Save, PickFor::Export));
                }
            }
        });
        if before != form {
            form.done = None;
        }
        paragraph(
            ui,
            if form.path.trim().is_empty() && state.has_dialogs {
                "Say where the file goes: type a path, or browse."
            } else if form.path.trim().is_empty() {
                "The browser saves a zip: the data file, manifest.json and indices.txt. With a path, the engine writes them there."
            } else {
                "Beside it, manifest.json and indices.txt say what was taken, from which pool and by which recipe."
            },
        );
        if let Some(done) = &form.done {
            done_lines(ui, done);
        }
        let count = samples_of(state, &form);
        let fine = match (form.waiting, form.path.trim().is_empty() && state.has_dialogs) {
            (true, _) => Err("it is being written"),
            (_, true) => Err("say where to"),
            _ => Ok(()),
        };
        let known = count.map_or_else(String::new, |count| format!("{} samples", format::count(count)));
        let primary = if form.path.trim().is_empty() && !state.has_dialogs { "Download" } else { "Write" };
        foot(ui, state, &known, primary, fine)
    });
    if go {
        form.waiting = true;
        form.done = None;
        let path = form.path.trim().to_owned();
        let shown = if path.is_empty() { form.file_name() } else { path.clone() };
        let (selection, part) = (form.selection.clone(), form.part.clone());
        state.ask(Request::Export { selection, part, format: form.format, path }, For::Export(shown));
    }
    (!cancel && !veil).then_some(Dialog::Export(form))
}

/// The same part of another selection: what stood beside it and is now asked for changes places with it. Whole where that
/// has no meaning.
fn turned(part: Part, before: Option<&str>, now: Option<&str>) -> Part {
    let (Some(before), Some(now)) = (before, now) else { return Part::default() };
    let beside = |names: &[String]| names.iter().any(|name| name == now);
    if !beside(&part.without) && !beside(&part.within) {
        return Part::default();
    }
    let turn =
        |names: Vec<String>| names.into_iter().map(|name| if name == now { before.to_owned() } else { name }).collect();
    Part { without: turn(part.without), within: turn(part.within) }
}

/// Which samples of a selection that is being compared: all, or those of one part of the comparison.
fn part_line(ui: &mut Ui, state: &mut AppState, form: &mut ExportForm) {
    let Some(name) = form.selection.clone().filter(|name| state.compare.place(name).is_some()) else {
        form.part = Part::default();
        return;
    };
    let others: Vec<String> = state.compare.names.iter().filter(|other| **other != name).cloned().collect();
    let mut parts = vec![("all of it".to_owned(), Part::default())];
    if others.len() > 1 {
        let part = Part { without: others.clone(), ..Part::default() };
        parts.push((format!("what it alone holds: without {}", others.join(" and ")), part));
    }
    for other in &others {
        let one = vec![other.clone()];
        parts.push((format!("without {other}"), Part { without: one.clone(), ..Part::default() }));
        parts.push((format!("shared with {other}"), Part { within: one, ..Part::default() }));
    }
    line(ui, "Samples", |ui| {
        let entries: Vec<_> = parts.iter().map(|(words, _)| (words.as_str(), "")).collect();
        let chosen = parts.iter().position(|(_, part)| same(part, &form.part));
        let width = ui.available_width();
        let shown = chosen.map_or("", |place| parts[place].0.as_str());
        let (response, picked) = dropdown(ui, "Samples to export", shown, 26.0, Some(width), &entries, chosen);
        state.note("export part", response.rect);
        if let Some(place) = picked {
            form.part = parts[place].1.clone();
        }
    });
}

/// The same names, in whatever order.
fn same(one: &Part, other: &Part) -> bool {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    sorted(&one.without) == sorted(&other.without) && sorted(&one.within) == sorted(&other.within)
}

/// Samples of a part, from the comparison on screen.
fn samples_of_part(state: &AppState, name: &str, part: &Part) -> Option<u64> {
    let view = state.compare.view.as_ref()?;
    let place = |name: &String| view.selections.iter().position(|side| side.selection == *name);
    let own = place(&name.to_owned())?;
    let within = part.within.iter().map(place).collect::<Option<Vec<_>>>()?;
    let without = part.without.iter().map(place).collect::<Option<Vec<_>>>()?;
    let meant = view.parts.iter().filter(|part| {
        part.held[own] && within.iter().all(|at| part.held[*at]) && !without.iter().any(|at| part.held[*at])
    });
    Some(meant.map(|part| part.samples).sum())
}

fn samples_of(state: &AppState, form: &ExportForm) -> Option<u64> {
    match &form.selection {
        Some(name) if !form.part.is_whole() => samples_of_part(state, name, &form.part),
        None => state.build.selection.as_ref().map(|selection| selection.selected),
        Some(name) => {
            let frozen = &state.project.as_ref()?.selections;
            frozen.iter().find(|selection| selection.name.as_ref() == Some(name)).map(|selection| selection.selected)
        }
    }
}

fn done_lines(ui: &mut Ui, done: &paser_protocol::ExportedView) {
    egui::Frame::new().inner_margin(egui::Margin::symmetric(16, 2)).show(ui, |ui| {
        let what = if done.download.is_some() { "handed to the browser" } else { "written" };
        remark(ui, "ok", &format!("{} samples {what}", format::count(done.samples)));
        for path in &done.paths {
            Words::new(ui).num3(path).wrapped(ui);
        }
    });
}

/// The path field: everywhere, because a native dialog may not open.
pub fn open_project(ctx: &Context, state: &mut AppState, mut path: String) -> Option<Dialog> {
    let ((go, cancel), veil) = modal(ctx, "Open project", 520.0, None, |ui| {
        title(ui, "Open project");
        let entered = line(ui, "Folder", |ui| {
            let browse = state.has_dialogs;
            let width = ui.available_width() - if browse { 82.0 } else { 0.0 };
            let field = Field::new("Project folder", width)
                .mono()
                .icon(icons::FOLDER)
                .hint("a folder with recipe.toml, on the engine's machine")
                .show(ui, &mut path);
            state.note("open path", field.response.rect);
            if browse && ui.add(Button::new("Browse...").height(26.0)).clicked() {
                state.outbox.push(Ask::Pick(PickKind::Project, PickFor::OpenProject));
            }
            field.entered
        });
        let fine = if path.trim().is_empty() { Err("type a path") } else { Ok(()) };
        let known = if state.opening.is_some() { "opening" } else { "" };
        let (go, cancel) = foot(ui, state, known, "Open", fine);
        (go || entered && fine.is_ok(), cancel)
    });
    if go {
        state.open_project(path.trim().to_owned());
    }
    (!cancel && !veil).then_some(Dialog::OpenProject { path })
}

pub fn bad_rows(ctx: &Context, state: &mut AppState) -> Option<Dialog> {
    let pool = state.project.as_ref().map(|project| project.pool.clone()).unwrap_or_default();
    let (close, veil) = modal(ctx, "Rows that were not read", 640.0, None, |ui| {
        title(ui, &format!("{} rows were not read", format::count(pool.bad)));
        padded(ui, 22.0, |ui, rect| {
            Words::new(ui).num3(&pool.path).at(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width());
        });
        egui::ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            for bad in &pool.bad_rows {
                padded(ui, 22.0, |ui, rect| {
                    let look = look(ui);
                    let right = pos2(rect.left() + 60.0, rect.center().y);
                    Words::of(look).num3(format::count(bad.line)).paint(ui, right, Align2::RIGHT_CENTER, 60.0);
                    let left = pos2(rect.left() + 72.0, rect.center().y);
                    Words::of(look).t2(&bad.reason).at(ui, left, Align2::LEFT_CENTER, rect.width() - 72.0);
                });
            }
        });
        let rest = pool.bad.saturating_sub(pool.bad_rows.len() as u64);
        let known = if rest > 0 { format!("and {} more", format::count(rest)) } else { String::new() };
        let (go, cancel) = foot(ui, state, &known, "Done", Ok(()));
        go || cancel
    });
    (!close && !veil).then_some(Dialog::BadRows)
}

pub fn recipe(ctx: &Context, state: &mut AppState) -> Option<Dialog> {
    let mut recipe = state.project.as_ref().map(|project| project.recipe.clone()).unwrap_or_default();
    let ((go, cancel), veil) = modal(ctx, "Recipe", 720.0, None, |ui| {
        title(ui, "Recipe");
        egui::Frame::new().inner_margin(egui::Margin::symmetric(16, 0)).show(ui, |ui| {
            egui::ScrollArea::vertical().max_height(440.0).show(ui, |ui| {
                let edit = egui::TextEdit::multiline(&mut recipe)
                    .font(crate::theme::mono())
                    .desired_width(f32::INFINITY)
                    .interactive(false);
                ui.add(edit).accessible_name("Recipe");
            });
        });
        foot(ui, state, "recipe.toml of the project; the command line reads the same", "Copy", Ok(()))
    });
    if go {
        ctx.copy_text(recipe);
    }
    (!cancel && !veil).then_some(Dialog::Recipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_turns_with_its_selection_and_is_whole_where_it_has_no_meaning() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let alone = Part { without: names(&["b", "c"]), ..Part::default() };
        let turned_to_b = turned(alone.clone(), Some("a"), Some("b"));
        assert!(same(&turned_to_b, &Part { without: names(&["c", "a"]), ..Part::default() }));
        assert!(turned(alone.clone(), Some("a"), Some("d")).is_whole(), "d was not compared");
        assert!(turned(alone, Some("a"), None).is_whole());
        let shared = Part { within: names(&["b"]), ..Part::default() };
        assert!(same(&turned(shared, Some("a"), Some("b")), &Part { within: names(&["a"]), ..Part::default() }));
    }
}
