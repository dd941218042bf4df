//! The head of the map's pane: colour, tools, and what is done with the view. Without room for them side by side, tools
//! and actions are in a menu.

use egui::{Popup, Rect, Ui, pos2};

use super::{map::MapView, map_paint, save_menu};
use crate::{
    command::Command,
    format,
    picture::View,
    state::{AppState, Tool},
    theme::icons,
    widgets::{
        Words,
        field::menu_entry,
        icon_button, row, row_right,
        segmented::{Face, segmented},
    },
};

/// What is meant by the number of points shown.
const THINNED: &str = "More points are in view than one picture holds: every part of every cluster shows the same share of \
                       its points, and what is brushed goes first. Zoom in to see all.";

/// Width of the tools, of what stands right of them, and of the gaps around.
const TOOLS_AND_ACTIONS: f32 = 4.0 * 31.0 + 56.0 + 16.0;
/// The same of the menu that takes their place.
const MORE: f32 = 26.0 + 8.0;
/// Least width of the choice of colours: enough for its caret and the beginning of a word.
const LEAST_CHOICE: f32 = 84.0;

const TOOLS: [(Tool, char, Command); 4] = [
    (Tool::Point, icons::CURSOR_CLICK, Command::ToolPoint),
    (Tool::Hand, icons::HAND, Command::ToolHand),
    (Tool::Box, icons::SELECTION, Command::ToolBox),
    (Tool::Lasso, icons::LASSO, Command::ToolLasso),
];

pub fn show(ui: &mut Ui, free: Rect, state: &mut AppState, map: &MapView) {
    let beside_tools = free.width() - TOOLS_AND_ACTIONS;
    let whole = beside_tools >= LEAST_CHOICE;
    let room = if whole { beside_tools } else { free.width() - MORE };
    let left = row(ui, free, 8.0, |ui| {
        if room >= LEAST_CHOICE {
            map_paint::choice(ui, state, room);
        }
        if whole {
            tools(ui, state);
        }
        ui.min_rect().right()
    });
    let right = Rect::from_min_max(pos2(left + 8.0, free.top()), free.max);
    row_right(ui, right, 4.0, |ui| {
        if !whole {
            more(ui, state, map);
            return;
        }
        if map.count() > 0 {
            save_menu::button(ui, state, View::Map);
        }
        let fit = icon_button(ui, icons::CORNERS_OUT, &Command::Fit.hint(), false, None);
        state.note("Fit", fit.rect);
        if fit.clicked() {
            state.run(Command::Fit);
        }
        ui.add_space(4.0);
        let words = match map.shown() {
            Some(shown) => {
                let words = Words::new(ui).small("showing ").num3(format::count(shown.drawn as u64));
                words.small(" of ").num3(format::count(shown.of as u64))
            }
            None => Words::new(ui).num3(format::count(state.samples())).small(" samples"),
        };
        if words.clone().galley(ui, f32::INFINITY, 1).size().x <= ui.available_width() {
            let words = words.show(ui);
            state.note("samples on the map", words.rect);
            if map.shown().is_some() {
                state.note("thinned", words.rect);
                words.on_hover_text(THINNED);
            }
        }
    });
}

fn more(ui: &mut Ui, state: &mut AppState, map: &MapView) {
    let more = icon_button(ui, icons::DOTS_THREE, "Tools and actions of the map", false, None);
    state.note("map menu", more.rect);
    Popup::menu(&more).accessible_name("Tools and actions of the map").show(|ui| {
        ui.set_width(230.0);
        let tools = TOOLS.iter().map(|(tool, icon, command)| (*command, *icon, *tool == state.tool));
        let commands: Vec<_> = tools.chain([(Command::Fit, icons::CORNERS_OUT, false)]).collect();
        for (command, icon, on) in commands {
            let entry = menu_entry(ui, command.name(), &command.keys().join("+"), on, Some(icon), true);
            state.note(format!("map:{command:?}"), entry.rect);
            if entry.clicked() {
                state.run(command);
                ui.close();
            }
        }
        if map.count() > 0 {
            save_menu::entries(ui, state, View::Map, "save");
        }
    });
}

/// The tools side by side.
fn tools(ui: &mut Ui, state: &mut AppState) {
    let hints = TOOLS.map(|(.., command)| command.long_hint());
    let faces: Vec<_> =
        TOOLS.iter().zip(&hints).map(|((_, icon, _), hint)| (Face::Icon(*icon), hint.as_str())).collect();
    let chosen = TOOLS.iter().position(|(tool, ..)| *tool == state.tool).unwrap_or(0);
    let mut cells = Vec::new();
    let picked = segmented(ui, "", &faces, chosen, 22.0, |place, cell| cells.push((place, cell)));
    for (place, cell) in cells {
        state.note(format!("tool:{:?}", TOOLS[place].0), cell);
    }
    if let Some(place) = picked {
        state.tool = TOOLS[place].0;
    }
}
