//! How long the parts of a row or a column are: what a person set, else what each pane wants; the greediest takes the rest.

use std::collections::BTreeSet;

use egui_tiles::LinearDir;

use super::{Node, Pane, Part};

/// No pane is shorter where there is room, points.
pub(crate) const LEAST: f32 = 96.0;
/// Between two panes, points.
pub(crate) const GAP: f32 = 1.0;

/// The window, as far as lengths depend on it.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub unfolded: &'a BTreeSet<Pane>,
    pub wide: bool,
}

/// Lengths of all parts in `room` points, and which of them takes what the others leave. A folded part has the length
/// that it would have.
pub(super) fn lengths(parts: &[Part], room: f32, dir: LinearDir, window: Window<'_>) -> (Vec<f32>, Option<usize>) {
    let shown: Vec<usize> = (0..parts.len()).filter(|at| parts[*at].node.is_shown(window.unfolded)).collect();
    let available = (room - GAP * shown.len().saturating_sub(1) as f32).max(0.0);
    let wanted = |part: &Part| part.points.unwrap_or_else(|| wanted(&part.node, room, dir, window));
    let mut lengths: Vec<f32> = parts.iter().map(wanted).collect();
    let greed = |at: usize| {
        let panes = parts[at].node.panes();
        panes.into_iter().filter(|pane| window.unfolded.contains(pane)).map(Pane::greed).max().unwrap_or(0)
    };
    let Some(flexible) = shown.iter().copied().rev().max_by_key(|at| greed(*at)) else { return (lengths, None) };
    let fixed: f32 = shown.iter().filter(|at| **at != flexible).map(|at| lengths[*at]).sum();
    let most = (available - LEAST).max(available * 0.5);
    if fixed > most {
        shown.iter().filter(|at| **at != flexible).for_each(|at| lengths[*at] = (lengths[*at] * most / fixed).floor());
    }
    let fixed: f32 = shown.iter().filter(|at| **at != flexible).map(|at| lengths[*at]).sum();
    lengths[flexible] = available - fixed;
    (lengths, Some(flexible))
}

/// As much as the pane of it that wants most.
fn wanted(node: &Node, room: f32, dir: LinearDir, window: Window<'_>) -> f32 {
    let shown = node.panes().into_iter().filter(|pane| window.unfolded.contains(pane));
    let each = shown.map(|pane| match dir {
        LinearDir::Horizontal => pane.width(room, window.wide),
        LinearDir::Vertical => pane.height(room, window.wide),
    });
    each.fold(LEAST, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Screen;

    fn explore(room: f32, unfolded: &[Pane]) -> Vec<f32> {
        let Some(Node::Row(parts)) = Node::of(Screen::Explore) else { panic!("a row") };
        let unfolded = unfolded.iter().copied().collect();
        lengths(&parts, room, LinearDir::Horizontal, Window { unfolded: &unfolded, wide: false }).0
    }

    #[test]
    fn the_map_takes_what_the_others_leave() {
        let all = [Pane::Contents, Pane::Damage, Pane::Map, Pane::Inspector];
        assert_eq!(explore(1280.0, &all), [232.0, 328.0, 1280.0 - 232.0 - 328.0 - 316.0 - 3.0, 316.0]);
        assert_eq!(explore(1280.0, &all[2..3])[2], 1280.0);
    }

    #[test]
    fn where_there_is_no_room_the_others_give_way() {
        let lengths = explore(600.0, &[Pane::Contents, Pane::Damage, Pane::Map, Pane::Inspector]);
        assert!((LEAST..LEAST + 3.0).contains(&lengths[2]), "{lengths:?}");
        assert_eq!(lengths.iter().sum::<f32>(), 597.0);
    }
}
