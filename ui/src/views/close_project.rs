//! Closing a project while a job is at work: it goes on without the window, or stops, or the window stays.

use egui::Context;

use super::{
    export::{paragraph, title},
    modal, padded,
};
use crate::{
    dialogs::Dialog,
    state::AppState,
    widgets::{Button, row_right},
};

/// What a person chose.
enum Choice {
    GoOn,
    Stop,
    Stay,
}

pub fn show(ctx: &Context, state: &mut AppState) -> Option<Dialog> {
    let enter = ctx.input(|input| input.key_pressed(egui::Key::Enter));
    let (clicked, veil) = modal(ctx, "Close project", 520.0, None, |ui| {
        title(ui, "A job is at work");
        paragraph(
            ui,
            "It can go on without the window: it comes to its end by itself, and whoever opens the project sees how far it is. Stopped, it keeps what is finished.",
        );
        ui.add_space(8.0);
        padded(ui, 46.0, |ui, rect| {
            row_right(ui, rect, 8.0, |ui| {
                let mut chosen = None;
                let go_on = ui.add(Button::new("Go on in the background").primary());
                state.note("dialog:Go on in the background", go_on.rect);
                let stop = ui.add(Button::new("Stop the job"));
                state.note("dialog:Stop the job", stop.rect);
                let stay = ui.add(Button::new("Stay"));
                state.note("dialog:Stay", stay.rect);
                for (response, choice) in [(go_on, Choice::GoOn), (stop, Choice::Stop), (stay, Choice::Stay)] {
                    if response.clicked() {
                        chosen = Some(choice);
                    }
                }
                chosen
            })
        })
    });
    match clicked.or_else(|| enter.then_some(Choice::GoOn)) {
        Some(Choice::GoOn) => state.close_project(true),
        Some(Choice::Stop) => state.close_project(false),
        Some(Choice::Stay) => {}
        None => return (!veil).then_some(Dialog::CloseProject),
    }
    None
}
