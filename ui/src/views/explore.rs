//! The Explore screen: damage left, map and table in the middle, inspector right, budget below, status at the foot.

use egui::{Rect, Ui, pos2};

use super::{budget, contents, damage, inspector, jobs, ledger, map::MapView, table, top_bar};
use crate::{app::split_bottom, state::AppState};

const DAMAGE: f32 = 328.0;
/// Head, column heads and seven rows.
const TABLE: f32 = 30.0 + 22.0 + 7.0 * 24.0;
const CONTENTS: f32 = 232.0;
/// From here on the contents tree is open and the inspector wider.
pub const WIDE: f32 = 1600.0;
/// Below, the damage panel gives its place to the contents and the inspector.
pub const NARROW: f32 = 1024.0;

pub fn show(ui: &mut Ui, whole: Rect, state: &mut AppState, map: &mut MapView) {
    let bar = Rect::from_min_max(whole.min, pos2(whole.right(), whole.top() + 40.0));
    top_bar::show(ui, bar, state);
    let below = Rect::from_min_max(pos2(whole.left(), bar.bottom()), whole.max);
    let (above_status, status) = split_bottom(below, 22.0);
    let ledger_height = if state.panels.ledger { ledger::height(state, below.height()) } else { 0.0 };
    let (main, budget_rect) = split_bottom(above_status, 92.0 + ledger_height);
    let wide = state.wide;

    let mut centre = main;
    if state.contents_open() {
        let pane = take_left(&mut centre, CONTENTS);
        contents::show(ui, pane, state);
    }
    if state.damage_shown() {
        let pane = take_left(&mut centre, if wide { DAMAGE + 40.0 } else { DAMAGE });
        damage::show(ui, pane, state);
    }
    if state.panels.inspector {
        let pane = take_right(&mut centre, if wide { 372.0 } else { 316.0 });
        inspector::show(ui, pane, state);
    }
    if state.panels.table {
        let height = if wide { TABLE + 6.0 * 24.0 } else { TABLE }.min(centre.height() * 0.6);
        let (upper, lower) = split_bottom(centre, height);
        centre = upper;
        table::show(ui, lower, state);
    }
    map.pane(ui, centre, state);
    budget::show(ui, budget_rect, state);
    jobs::status_bar(ui, status, state);
    for (name, rect) in [("pane:map", centre), ("pane:budget", budget_rect), ("pane:status", status)] {
        state.note(name, rect);
    }
}

/// Cuts `width` and a line from the left.
fn take_left(rect: &mut Rect, width: f32) -> Rect {
    let taken = Rect::from_min_max(rect.min, pos2(rect.left() + width, rect.bottom()));
    rect.min.x += width + 1.0;
    taken
}

fn take_right(rect: &mut Rect, width: f32) -> Rect {
    let taken = Rect::from_min_max(pos2(rect.right() - width, rect.top()), rect.max);
    rect.max.x -= width + 1.0;
    taken
}
