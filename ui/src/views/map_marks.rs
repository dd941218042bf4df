//! What is painted over the picture of the map in every frame: rings and names; and the way from point to point by
//! arrow keys.

use egui::{Color32, Rect, Stroke, Ui, Vec2};

use crate::{
    map::{Camera, Points, Scene, labels},
    state::{AppState, Brush},
    widgets::{Words, look},
};

/// Rings around the hovered and the inspected sample. `taken`: what they must not lie on.
pub fn rings(camera: &Camera, ui: &Ui, body: Rect, state: &AppState, points: &Points, taken: &[Rect]) {
    let look = look(ui);
    let painter = ui.painter_at(body);
    let at = |row: u32| points.places.get(row as usize).map(|place| camera.to_screen(body, *place));
    for (row, width) in [(state.focus.hovered, look.map.ring), (state.focus.inspected, look.map.ring + 1.0)] {
        if let Some(place) =
            row.and_then(at).filter(|place| taken.iter().all(|rect| !rect.expand(8.0).contains(*place)))
        {
            painter.circle_stroke(place, 6.5, Stroke::new(width + 2.0, look.canvas));
            painter.circle_stroke(place, 6.5, Stroke::new(width, look.accent));
        }
    }
}

/// Points that may be missing in a thinned picture.
pub fn dots(ui: &Ui, scene: &Scene, rows: [Option<u32>; 2]) {
    let painter = ui.painter_at(scene.rect);
    for row in rows.into_iter().flatten().map(|row| row as usize) {
        if let (Some(place), Some(colour)) = (scene.points.places.get(row), scene.paint.colours.get(row)) {
            let radius = scene.dots.radius.max(2.0);
            painter.circle_filled(scene.camera.to_screen(scene.rect, *place), radius, *colour);
        }
    }
}

/// `taken`: what no name may cover.
pub fn names(camera: &Camera, ui: &Ui, body: Rect, state: &AppState, taken: &[Rect]) {
    names_in(camera, ui, body, state, look(ui).text, taken);
}

/// The same, quieter: on a small map the points matter more.
pub fn quiet_names(camera: &Camera, ui: &Ui, body: Rect, state: &AppState) {
    let bar: Vec<Rect> = state.brush_bar.into_iter().collect();
    names_in(camera, ui, body, state, look(ui).text_2, &bar);
}

/// `usual`: the colour of names while nothing is brushed.
fn names_in(camera: &Camera, ui: &Ui, body: Rect, state: &AppState, usual: Color32, taken: &[Rect]) {
    let look = look(ui);
    let is_quiet = usual != look.text;
    let brush = state.focus.brush();
    let mut names: Vec<labels::Label> = state
        .clusters()
        .iter()
        .map(|cluster| {
            let loud = match brush {
                Brush::Clusters(brushed) => brushed.contains(&cluster.cluster),
                Brush::Nothing => true,
                Brush::Rows(_) => false,
            } || state.focus.hovered_cluster == Some(cluster.cluster);
            let named = *brush != Brush::Nothing || state.focus.hovered_cluster == Some(cluster.cluster);
            let font = if loud && (named || !is_quiet) { crate::theme::title(11.0) } else { crate::theme::small() };
            labels::Label {
                galley: Words::of(look).part(&cluster.name, font, Color32::PLACEHOLDER).galley(
                    ui,
                    body.width() - 16.0,
                    1,
                ),
                place: Vec2::new(cluster.centre[0], cluster.centre[1]),
                weight: cluster.samples,
                colour: match (loud, named) {
                    (true, true) => look.text,
                    (true, false) => usual,
                    (false, _) => look.text_3,
                },
                first: loud && *brush != Brush::Nothing,
            }
        })
        .collect();
    labels::show(&ui.painter_at(body), body, camera, &mut names, taken, look.map.label_gap, look.canvas);
}

/// The nearest point in a direction; sideways counts twice.
pub fn next_point(points: &Points, from: Option<u32>, step: Vec2, centre: Vec2) -> Option<u32> {
    let here = from.and_then(|row| points.places.get(row as usize)).copied().unwrap_or(centre);
    let direction = step.normalized();
    points
        .order
        .iter()
        .copied()
        .filter(|row| Some(*row) != from)
        .filter_map(|row| {
            let off = points.places[row as usize] - here;
            let along = off.dot(direction);
            let aside = off.dot(direction.rot90()).abs();
            (along > 0.0 && aside <= along).then_some((along + 2.0 * aside, row))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
        .map(|(_, row)| row)
}
