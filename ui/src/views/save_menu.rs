//! The small menu in a view's head: save what it shows as a picture, as vectors or as a table.

use egui::{Popup, Response, Ui};

use crate::{
    picture::{Format, View},
    state::AppState,
    theme::icons,
    widgets::{field::menu_entry, icon_button},
};

pub fn button(ui: &mut Ui, state: &mut AppState, view: View) -> Response {
    let hint = format!("Save {} as...", view.name());
    let response = icon_button(ui, icons::DOWNLOAD_SIMPLE, &hint, false, None);
    state.note(format!("save:{}", view.name()), response.rect);
    Popup::menu(&response).accessible_name(format!("Save {}", view.name())).show(|ui| {
        ui.set_width(230.0);
        entries(ui, state, view, "");
    });
    response
}

/// One entry a format; `more` stands at their right ends.
pub fn entries(ui: &mut Ui, state: &mut AppState, view: View, more: &str) {
    for format in Format::ALL {
        let entry = menu_entry(ui, format.name(), more, false, None, true);
        state.note(format!("save:{format:?}"), entry.rect);
        if entry.clicked() {
            state.save_view = Some((view, format));
            ui.close();
        }
    }
}
