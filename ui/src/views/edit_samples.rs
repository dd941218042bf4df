//! The form that edits many samples at once: pin, exclude, release, tag, hide or show, with a reason for the journal.

use egui::{Context, Id};
use paser_protocol::{Edit, EditKind, tag_name};

use super::{
    export::{foot, line, paragraph, title},
    modal,
};
use crate::{
    dialogs::{Action, Dialog, EditSamples},
    format,
    state::AppState,
    widgets::{
        Button, Words,
        field::Field,
        segmented::{Face, segmented},
    },
};

pub fn show(ctx: &Context, state: &mut AppState, mut form: EditSamples) -> Option<Dialog> {
    let ((go, cancel), veil) = modal(ctx, "Edit samples", 600.0, None, |ui| {
        title(ui, &format!("Edit {} sample{}", format::count(form.rows.len() as u64), plural(form.rows.len())));
        paragraph(
            ui,
            "One line in the journal; Ctrl+Z takes it back whole. Tags and hiding change no selection, and hidden samples leave the map, not the pool.",
        );
        line(ui, "Do", |ui| {
            let faces = Action::ALL.map(|action| (Face::Text(action.name()), action.name()));
            let chosen = Action::ALL.iter().position(|action| *action == form.action).unwrap_or(0);
            let mut cells = Vec::new();
            let picked = segmented(ui, "Do", &faces, chosen, 26.0, |place, cell| cells.push((place, cell)));
            for (place, cell) in cells {
                state.note(format!("do:{}", faces[place].1), cell);
            }
            if let Some(place) = picked {
                form.action = Action::ALL[place];
            }
        });
        let mut entered = false;
        if form.action.is_tag() {
            entered |= line(ui, "Tag", |ui| {
                let width = ui.available_width();
                let id = Id::unique("tag name");
                let field = Field::new("Tag", width).id(id).hint("needs a look").show(ui, &mut form.tag);
                if ui.memory(|memory| memory.focused().is_none()) && !field.entered {
                    ui.memory_mut(|memory| memory.request_focus(id));
                }
                state.note("tag", field.response.rect);
                field.entered
            });
            known_tags(ui, state, &mut form);
        }
        entered |= line(ui, "Reason", |ui| {
            let width = ui.available_width();
            let field = Field::new("Reason", width).hint("stands in the journal; may be left empty");
            let field = field.show(ui, &mut form.reason);
            state.note("reason", field.response.rect);
            field.entered
        });
        let fine = match form.action.is_tag().then(|| tag_name(&form.tag)) {
            Some(Err(_)) if form.tag.trim().is_empty() => Err("name the tag"),
            Some(Err(_)) => Err("the tag cannot be used"),
            _ => Ok(()),
        };
        let known = match form.action.is_tag().then(|| tag_name(&form.tag)) {
            Some(Err(why)) if !form.tag.trim().is_empty() => why,
            _ => form.source.as_ref().map_or_else(String::new, |source| format!("from {}", source.words())),
        };
        let (go, cancel) = foot(ui, state, &known, form.action.button(), fine);
        (go || entered && fine.is_ok(), cancel)
    });
    if go {
        let rows = form.rows.to_vec();
        let tag = form.tag.trim().to_owned();
        let what = match form.action {
            Action::Pin => EditKind::Pin { rows },
            Action::Exclude => EditKind::Exclude { rows },
            Action::Release => EditKind::Release { rows },
            Action::Tag => EditKind::Tag { rows, tag },
            Action::Untag => EditKind::Untag { rows, tag },
            Action::Hide => EditKind::Hide { rows },
            Action::Show => EditKind::Show { rows },
        };
        state.curate(Edit { reason: form.reason.trim().to_owned(), source: form.source.clone(), what });
        return None;
    }
    (!cancel && !veil).then_some(Dialog::EditSamples(form))
}

/// The tags there are, to be clicked instead of typed.
fn known_tags(ui: &mut egui::Ui, state: &mut AppState, form: &mut EditSamples) {
    let tags: Vec<String> =
        state.project.iter().flat_map(|project| &project.curation.tags).map(|tag| tag.tag.clone()).collect();
    if tags.is_empty() {
        return;
    }
    line(ui, "", |ui| {
        Words::new(ui).small("in use:").show(ui);
        for tag in tags.iter().take(6) {
            let response = ui.add(Button::new(tag).height(20.0));
            state.note(format!("known tag:{tag}"), response.rect);
            if response.clicked() {
                form.tag.clone_from(tag);
            }
        }
    });
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
