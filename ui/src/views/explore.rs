//! The Explore screen: contents, damage, map, table and inspector as tiles, budget below, status at the foot.

use egui::{Rect, Ui, pos2};

use super::{budget, contents, damage, inspector, jobs, ledger, map::MapView, table, tiles, top_bar};
use crate::{
    app::split_bottom,
    layout::Pane,
    state::{AppState, Screen},
};

/// From here on the contents tree is open and the inspector wider.
pub const WIDE: f32 = 1600.0;
/// Below, the damage panel gives its place to the contents or the inspector, or to both.
pub const NARROW: f32 = 1024.0;
pub const NARROW_FOR_BOTH: f32 = 1152.0;

pub fn show(ui: &mut Ui, whole: Rect, state: &mut AppState, map: &mut MapView) {
    let bar = Rect::from_min_max(whole.min, pos2(whole.right(), whole.top() + 40.0));
    top_bar::show(ui, bar, state);
    let below = Rect::from_min_max(pos2(whole.left(), bar.bottom()), whole.max);
    let (above_status, status) = split_bottom(below, 22.0);
    let ledger_height = if state.panels.ledger { ledger::height(state, below.height()) } else { 0.0 };
    let (main, budget_rect) = split_bottom(above_status, 92.0 + ledger_height);
    tiles::show(ui, main, state, Screen::Explore, &mut |ui, pane, rect, state| match pane {
        Pane::Contents => contents::show(ui, rect, state),
        Pane::Damage => damage::show(ui, rect, state),
        Pane::Table => table::show(ui, rect, state),
        Pane::Inspector => inspector::show(ui, rect, state),
        _ => {
            map.pane(ui, rect, state);
            state.note("pane:map", rect);
        }
    });
    budget::show(ui, budget_rect, state);
    jobs::status_bar(ui, status, state);
    for (name, rect) in [("pane:budget", budget_rect), ("pane:status", status)] {
        state.note(name, rect);
    }
}
