//! The pruned models beside the project's own: which there are, one more, one less, and another one to work with.

use egui::{Align2, Ui, pos2};
use paser_protocol::{PrunedChange, Request, SchemeView};

use super::super::{padded, schemes::described};
use crate::{
    dialogs::ModelsForm,
    state::{AppState, For},
    theme::icons,
    widgets::{Button, Words, field::Field, row, row_right},
};

/// True where a change was ordered, which a run follows.
pub(super) fn show(ui: &mut Ui, state: &mut AppState, form: &mut ModelsForm) -> bool {
    let Some(project) = state.project.clone().filter(|project| !project.pruned.is_empty()) else { return false };
    let busy = project.job.is_some();
    let mut change = None;
    for scheme in project.schemes.iter().filter(|scheme| !scheme.own) {
        change = other(ui, state, scheme, busy).or(change);
    }
    padded(ui, 34.0, |ui, rect| {
        let (add, left) = row_right(ui, rect, 8.0, |ui| {
            let fine = if busy {
                Err("a job is running")
            } else if form.other.trim().is_empty() {
                Err("name a model")
            } else {
                Ok(())
            };
            let add = ui.add_enabled(fine.is_ok(), Button::new("Add and score"));
            state.note("add pruned", add.rect);
            (add.on_disabled_hover_text(fine.err().unwrap_or_default()).clicked(), ui.min_rect().left())
        });
        row(ui, egui::Rect::from_min_max(rect.min, pos2(left - 8.0, rect.bottom())), 10.0, |ui| {
            let words = Words::new(ui).t2("Compare with").show(ui);
            let hint = "another pruned copy of the dense model: a folder, or a hub id";
            let field = Field::new("Another pruned model", ui.available_width() - 4.0).mono().icon(icons::SCISSORS);
            let typed = field.hint(hint).show(ui, &mut form.other);
            state.note("field:Another pruned model", typed.response.rect);
            words.on_hover_text(
                "Its damage per cluster stands beside that of the project's own: one more pass over the pool.",
            );
        });
        if add {
            change = Some(PrunedChange::Add { model: form.other.trim().to_owned() });
        }
    });
    let ordered = change.is_some();
    if let Some(change) = change {
        state.ask(Request::ChangePruned { change }, For::Done);
    }
    ordered
}

fn other(ui: &mut Ui, state: &mut AppState, scheme: &SchemeView, busy: bool) -> Option<PrunedChange> {
    padded(ui, 26.0, |ui, rect| {
        let (change, left) = row_right(ui, rect, 8.0, |ui| {
            let mut change = None;
            let model = || scheme.reference.clone();
            for (text, name, to) in [
                ("Remove", format!("Remove {}", scheme.name), PrunedChange::Remove { model: model() }),
                ("Work with this one", format!("Work with {}", scheme.name), PrunedChange::Use { model: model() }),
            ] {
                let button = ui.add_enabled(!busy, Button::new(text).height(22.0).name(&name));
                state.note(format!("{text}:{}", scheme.name), button.rect);
                if button.on_disabled_hover_text("a job is running").clicked() {
                    change = Some(to);
                }
            }
            (change, ui.min_rect().left())
        });
        let words =
            Words::new(ui).t2("also  ").t(described(scheme)).t3(if scheme.whole { "" } else { "  to be scored" });
        let width = left - rect.left() - 8.0;
        words.at(ui, rect.left_center(), Align2::LEFT_CENTER, width).on_hover_text(&scheme.reference);
        change
    })
}
