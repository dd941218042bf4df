//! Reads the keys of all commands, and shows them on one sheet.

use egui::{Align2, Context, Rect, Sense, Vec2, pos2};

use super::modal;
use crate::{
    command::{Command, Group},
    dialogs::Dialog,
    state::AppState,
    theme::icons,
    widgets::{Words, icon_button, key_cap, look, row_right},
};

/// Turns pressed keys into commands. Plain letters belong to a text field while one has the keyboard.
pub fn read(state: &mut AppState, ctx: &Context) {
    // Esc has left the field before this is asked.
    let writing = state.writing || ctx.text_edit_focused();
    // An open menu has the keyboard, Esc too: that closes it.
    let menu = egui::Popup::is_any_open(ctx);
    let mut commands: Vec<Command> = Command::ALL.to_vec();
    // The one with more modifiers first: Ctrl+Shift+Z is no Ctrl+Z.
    commands.sort_by_key(|command| {
        command.shortcut().map_or(0, |s| -i32::from(s.modifiers.shift) - i32::from(s.modifiers.command))
    });
    if ctx.input_mut(|input| input.consume_shortcut(&REDO_TOO)) {
        state.run(Command::Redo);
    }
    if ctx.input_mut(|input| input.consume_shortcut(&LARGER_TOO)) {
        state.run(Command::Larger);
    }
    for command in commands {
        let Some(shortcut) = command.shortcut() else { continue };
        let plain = !shortcut.modifiers.command;
        if plain && menu {
            continue;
        }
        if plain && (writing || (state.dialog.is_some() && command != Command::Back && command != Command::Shortcuts)) {
            if command == Command::Back && writing && state.dialog.is_some() {
                // Esc closes a dialog also from inside its field.
            } else {
                continue;
            }
        }
        if plain && !state.screen.is_work_place() && !matches!(command, Command::Back | Command::Shortcuts) {
            continue;
        }
        // A pane that hangs on the pointer is let go of by Esc.
        if command == Command::Back && state.dragging_pane {
            continue;
        }
        if ctx.input_mut(|input| input.consume_shortcut(&shortcut)) {
            state.run(command);
        }
    }
}

/// What other programs call Redo.
const REDO_TOO: egui::KeyboardShortcut = egui::KeyboardShortcut::new(egui::Modifiers::COMMAND, egui::Key::Y);

/// The key of + without Shift, on keyboards that have it there.
const LARGER_TOO: egui::KeyboardShortcut = egui::KeyboardShortcut::new(egui::Modifiers::COMMAND, egui::Key::Equals);

/// Heights of a command and of a group's name.
const LINE: f32 = 21.0;
const GROUP: f32 = 22.0;

fn with_keys(group: Group) -> impl Iterator<Item = Command> {
    Command::ALL.into_iter().filter(move |command| command.group() == group && command.shortcut().is_some())
}

/// Two columns of all commands that have a key.
pub fn sheet(ctx: &Context) -> Option<Dialog> {
    let (close, veil) = modal(ctx, "Keyboard shortcuts", 640.0, None, |ui| {
        let look = look(ui);
        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 44.0), Sense::hover());
        Words::of(look).part("Keyboard shortcuts", crate::theme::title(15.0), look.text).at(
            ui,
            pos2(rect.left() + 16.0, rect.center().y),
            Align2::LEFT_CENTER,
            400.0,
        );
        let close = row_right(ui, rect.shrink2(Vec2::new(10.0, 0.0)), 0.0, |ui| {
            icon_button(ui, icons::X, "Close", false, None).clicked()
        });
        let columns: [&[Group]; 2] =
            [&[Group::Map, Group::View], &[Group::Selection, Group::Edit, Group::Recovery, Group::Project]];
        let width = ui.available_width() / 2.0 - 32.0;
        let words = "Shift with a click adds a cluster to the brush; in the table Ctrl adds a row or takes it out, and Shift brushes every row up to the one clicked; Shift with a drag on the map draws a box; Space with a drag moves it. Tab walks the controls, arrows walk rows and points. Drag the edge of a pane to resize it, its head to move it.";
        let words = Words::of(look).small(words).galley(ui, width, 9);
        let height = |groups: &[Group]| -> f32 {
            let lines = |group: &Group| with_keys(*group).count() as f32 * LINE + GROUP + 8.0;
            groups.iter().map(lines).sum()
        };
        let height = height(columns[0]).max(height(columns[1]) + 4.0 + words.size().y) + 16.0;
        let (body, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::hover());
        for (side, groups) in columns.into_iter().enumerate() {
            let left = body.left() + 16.0 + side as f32 * (body.width() / 2.0);
            let mut top = body.top();
            for group in groups {
                Words::of(look).small(group.name()).at(ui, pos2(left, top + 10.0), Align2::LEFT_CENTER, width);
                top += GROUP;
                for command in with_keys(*group) {
                    let line = Rect::from_min_size(pos2(left, top), Vec2::new(width, LINE));
                    Words::of(look).t(command.name()).at(ui, line.left_center(), Align2::LEFT_CENTER, width - 90.0);
                    row_right(ui, line, 3.0, |ui| {
                        for key in command.keys().into_iter().rev() {
                            key_cap(ui, key);
                        }
                    });
                    top += LINE;
                }
                top += 8.0;
            }
            if side == 1 {
                ui.painter().galley(pos2(left, top + 4.0), words.clone(), look.text_3);
            }
        }
        close
    });
    if close || veil { None } else { Some(Dialog::Shortcuts) }
}
