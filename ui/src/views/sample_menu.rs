//! What can be done with samples, one list for every place: the bar of the brush, the table's head and its rows.

use egui::Ui;
use paser_protocol::SampleView;

use crate::{
    command::Command,
    dialogs::Action,
    format,
    state::AppState,
    theme::icons,
    widgets::{field::menu_entry, pane::section_head},
};

/// Of all brushed samples.
pub const BRUSHED: [(Command, &str, char); 4] = [
    (Command::BrushPin, "Pin all of them", icons::PUSH_PIN),
    (Command::BrushExclude, "Exclude all of them", icons::PROHIBIT),
    (Command::BrushRelease, "Release all of them", icons::ARROW_U_UP_LEFT),
    (Command::EditSamples, "Tag, hide, give a reason...", icons::TAG),
];

/// Of the inspected sample.
const ONE: [(Command, &str, char); 3] = [
    (Command::Pin, "Pin", icons::PUSH_PIN),
    (Command::Exclude, "Exclude", icons::PROHIBIT),
    (Command::Release, "Release", icons::ARROW_U_UP_LEFT),
];

/// The command that was clicked.
pub fn entries(ui: &mut Ui, state: &mut AppState, list: &[(Command, &str, char)]) -> Option<Command> {
    let mut clicked = None;
    for (command, words, icon) in list {
        if entry(ui, state, words, &command.keys().join("+"), *icon, true) {
            clicked = Some(*command);
        }
    }
    clicked
}

fn entry(ui: &mut Ui, state: &mut AppState, words: &str, keys: &str, icon: char, enabled: bool) -> bool {
    let response = menu_entry(ui, words, keys, false, Some(icon), enabled);
    state.note(format!("samples:{words}"), response.rect);
    let clicked = response.clicked() && enabled;
    if clicked {
        ui.close();
    }
    clicked
}

/// Of the row under the pointer; of all that are marked in the table where it is one of them.
pub fn of_row(ui: &mut Ui, state: &mut AppState, row: u32) {
    ui.set_width(250.0);
    if state.is_marked(row) {
        let (count, _) = state.brush_counts().unwrap_or_default();
        section_head(ui, &format!("{} brushed samples", format::count(count)), None);
        if let Some(command) = entries(ui, state, &BRUSHED) {
            state.run(command);
        }
        return;
    }
    state.focus.inspected = Some(row);
    if let Some(command) = entries(ui, state, &ONE) {
        state.run(command);
    }
    let (_, words, icon) = BRUSHED[3];
    if entry(ui, state, words, "", icon, true) {
        state.edit_samples(vec![row], None, Action::default());
    }
    if entry(ui, state, "Brush its nearest samples", "", icons::SELECTION, true) {
        state.inspection.brush_nearest_of = Some(row);
        state.inspect(row);
    }
    let sample = state.data.sample(row);
    if entry(ui, state, "Copy its text", "", icons::COPY, sample.is_some())
        && let Some(sample) = sample
    {
        ui.ctx().copy_text(text_of(&sample));
    }
}

/// Instruction, input and response, those that are there.
pub fn text_of(sample: &SampleView) -> String {
    let parts = [&sample.instruction, &sample.input, &sample.output];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}
