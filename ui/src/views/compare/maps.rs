//! One small map per selection and one for A and B together, all under one camera: what is panned, hovered or brushed
//! in one is so in all.

use std::rc::Rc;

use egui::{Align2, Color32, Rect, Ui, Vec2, pos2};

use crate::{
    compare::{MOST, letter},
    format,
    map::{Dots, Paint, Points, Scene, Thinning, raster::Raster, thinning::HELD},
    picture::View,
    state::AppState,
    theme::Look,
    views::{self, map::MapView, map_card, map_marks},
    widgets::{Words, look, row_right},
};

use super::{fill, letter_box};

const HEAD: f32 = 30.0;

/// What a small map's colours depend on.
#[derive(Clone, PartialEq)]
struct Key {
    points: u64,
    dark: bool,
    brush: u64,
    marks: u64,
    /// Keys of the reason columns, in the order of the letters, and of the clusters.
    columns: Vec<String>,
}

/// Pictures and colours of the small maps: one per letter, and the one of A and B at the end.
#[derive(Default)]
pub struct SmallMaps {
    rasters: [Raster; MOST + 1],
    paints: Option<(Key, Vec<Rc<Paint>>)>,
    next_id: u64,
}

impl SmallMaps {
    /// Draws with pictures of its own; what was drawn into them.
    pub(crate) fn drawn_apart(&mut self, draw: impl FnOnce(&mut Self)) -> Vec<(egui::TextureId, Scene)> {
        let rasters = std::mem::take(&mut self.rasters);
        draw(self);
        std::mem::replace(&mut self.rasters, rasters).into_iter().filter_map(Raster::into_drawn).collect()
    }

    pub fn show(&mut self, ui: &mut Ui, rect: Rect, state: &mut AppState, map: &mut MapView) {
        let look = look(ui);
        state.note(View::Maps.place(), rect);
        // The tools are Explore's: here the pointer points, and Shift draws a box.
        let tool = std::mem::take(&mut state.tool);
        let sides = state.compare.names.len();
        let places = places(rect, sides + 1);
        let key = state.column_info("map").map(|column| column.key.clone());
        let points = key.as_ref().and_then(|key| map.load(state, key));
        let paints = points.as_ref().and_then(|points| self.paints(state, points, look));
        let bodies: Vec<Rect> = places.iter().map(|place| body(*place)).collect();
        if let Some(points) = &points {
            map.aim(ui, bodies[0], state, points);
        }
        // Where the last line is not full.
        ui.painter().rect_filled(rect, 0.0, look.line);
        if places.last().is_some_and(|last| last.right() + 2.0 < rect.right()) {
            let last = places[places.len() - 1];
            let rest = Rect::from_min_max(pos2(last.right() + 1.0, last.top()), rect.max);
            ui.painter().rect_filled(rest, 0.0, look.canvas);
        }
        let mut touched = false;
        for (at, place) in places.iter().enumerate() {
            let overlay = at == sides;
            self.head(ui, *place, state, (!overlay).then_some(at));
            let body = bodies[at];
            state.note(if overlay { "map:both".to_owned() } else { format!("map:{}", letter(at)) }, body);
            let (Some(points), Some(paints)) = (&points, &paints) else {
                ui.painter().rect_filled(body, 0.0, look.canvas);
                let words = if key.is_some() { "reading the selections" } else { "no map yet" };
                Words::new(ui).t3(words).at(ui, body.center(), Align2::CENTER_CENTER, body.width());
                continue;
            };
            let name = if overlay { "Map of A and B".to_owned() } else { format!("Map of {}", letter(at)) };
            let (response, hovered) = map.touch(ui, body, &name, state, points);
            touched |= response.contains_pointer();
            let scene = Scene {
                points: points.clone(),
                paint: paints[at].clone(),
                camera: map.camera(),
                rect: body,
                ground: look.canvas,
                muted: look.muted,
                dots: Dots::of(&look.map, points, &map.camera(), ui.pixels_per_point()),
            };
            self.rasters[at].show(ui, &scene, state.now);
            map_marks::rings(&map.camera(), ui, body, state, points, &[]);
            map_marks::quiet_names(&map.camera(), ui, body, state);
            map.select(ui, body, &response, state, points);
            if let Some(row) = hovered {
                let at = map.camera().to_screen(body, points.places[row as usize]);
                map_card::show(ui, body, at, row, state);
            }
        }
        let bar = Rect::from_min_max(bodies[0].min, pos2(rect.right(), bodies[0].bottom()));
        map_card::brush_bar(ui, bar, state);
        if !touched {
            map.leave(state.now);
        }
        state.tool = tool;
    }

    /// Letter, name and number of samples; over the last one what its colours mean.
    fn head(&self, ui: &mut Ui, place: Rect, state: &mut AppState, side: Option<usize>) {
        let look = look(ui);
        let head = Rect::from_min_size(place.min, Vec2::new(place.width(), HEAD));
        ui.painter().rect_filled(head, 0.0, look.panel);
        ui.painter().hline(head.x_range(), head.bottom() - 0.5, egui::Stroke::new(1.0, look.line));
        let middle = head.center().y - 0.5;
        match side {
            Some(at) => {
                let name = state.compare.names.get(at).cloned().unwrap_or_default();
                letter_box(ui, Rect::from_center_size(pos2(head.left() + 19.0, middle), Vec2::splat(18.0)), Some(at));
                let count = state.project.as_ref().and_then(|project| {
                    let frozen = project.selections.iter().find(|frozen| frozen.name.as_ref() == Some(&name));
                    frozen.map(|frozen| frozen.selected)
                });
                let right = pos2(head.right() - 10.0, middle);
                let words = Words::of(look).small("n ").num3(count.map(format::count).unwrap_or_default());
                let number = words.at(ui, right, Align2::RIGHT_CENTER, 90.0);
                let left = pos2(head.left() + 34.0, middle);
                let room = number.rect.left() - left.x - 8.0;
                Words::of(look).strong(name).at(ui, left, Align2::LEFT_CENTER, room);
            }
            None => {
                let left = pos2(head.left() + 10.0, middle);
                let title = Words::of(look).strong("A and B").at(ui, left, Align2::LEFT_CENTER, 80.0);
                let free = Rect::from_min_max(pos2(title.rect.right() + 8.0, head.top()), head.max);
                row_right(ui, free.shrink2(Vec2::new(8.0, 0.0)), 4.0, |ui| {
                    views::save_menu::button(ui, state, View::Maps);
                    let narrow = free.width() < 220.0;
                    for (colour, word, short) in classes(look).into_iter().rev() {
                        let word = if narrow { short } else { word };
                        Words::new(ui).part(word, crate::theme::small(), look.text_2).show(ui);
                        let (square, _) = ui.allocate_exact_size(Vec2::splat(9.0), egui::Sense::hover());
                        ui.painter().rect_filled(square, 2.0, colour);
                        ui.add_space(4.0);
                    }
                });
            }
        }
    }

    fn paints(&mut self, state: &mut AppState, points: &Points, look: &'static Look) -> Option<Vec<Rc<Paint>>> {
        // Looking at it asks for it.
        let clusters = state.row_clusters();
        let (mut columns, held) = state.held()?;
        columns.extend(state.column_info("cluster").map(|column| column.key.clone()).filter(|_| clusters.is_some()));
        let key =
            Key { points: points.id, dark: look.dark, brush: state.focus.version, marks: state.marks_version, columns };
        if let Some((made, paints)) = &self.paints
            && *made == key
        {
            return Some(paints.clone());
        }
        let count = points.places.len();
        let cluster_of = |row: usize| clusters.as_ref().and_then(|c| c.get(row).copied()).filter(|c| *c != u32::MAX);
        let out = state.focus.faded(count, &cluster_of);
        let thinning = (points.order.len() > HELD)
            .then(|| Thinning::new(points, clusters.as_ref().map(|clusters| clusters.as_slice())));
        let sides = state.compare.names.len();
        let mut paints = Vec::new();
        for at in 0..=sides {
            let of = |row: usize| -> Option<Color32> {
                let held = held.get(row).copied().unwrap_or(0);
                if at < sides { (held & (1 << at) != 0).then(|| fill(look, at)) } else { both(look, held) }
            };
            let colours = Rc::new((0..count).map(|row| of(row).unwrap_or(look.neither)).collect());
            // What a selection does not hold lies below what it holds.
            let faded = (0..count).map(|row| out[row] || of(row).is_none()).collect();
            self.next_id += 1;
            paints.push(Rc::new(Paint::new(points, colours, faded, thinning.as_ref(), self.next_id)));
        }
        self.paints = Some((key, paints.clone()));
        Some(paints)
    }
}

/// What the colours of the map of A and B mean, in a word and in a letter.
fn classes(look: &Look) -> [(Color32, &'static str, &'static str); 4] {
    [
        (look.a_fill, "A only", "A"),
        (look.both, "both", "AB"),
        (look.b_fill, "B only", "B"),
        (look.neither, "neither", "none"),
    ]
}

fn both(look: &Look, held: u8) -> Option<Color32> {
    match held & 3 {
        1 => Some(look.a_fill),
        2 => Some(look.b_fill),
        3 => Some(look.both),
        _ => None,
    }
}

fn body(place: Rect) -> Rect {
    Rect::from_min_max(pos2(place.left(), place.top() + HEAD), place.max)
}

/// Equal places: side by side, in two lines from five on or where they would be narrow.
fn places(rect: Rect, count: usize) -> Vec<Rect> {
    let lines = if count > 4 || rect.width() / (count as f32) < 220.0 { 2 } else { 1 };
    let columns = count.div_ceil(lines);
    let size = Vec2::new(
        (rect.width() - (columns - 1) as f32) / columns as f32,
        (rect.height() - (lines - 1) as f32) / lines as f32,
    );
    (0..count)
        .map(|at| {
            let step = size + Vec2::splat(1.0);
            let corner = rect.min + Vec2::new((at % columns) as f32 * step.x, (at / columns) as f32 * step.y);
            Rect::from_min_size(corner, size)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_equal_and_within() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), Vec2::new(1_000.0, 400.0));
        for count in 2..=5 {
            let places = places(rect, count);
            assert_eq!(places.len(), count);
            for (at, place) in places.iter().enumerate() {
                assert!(rect.expand(0.01).contains_rect(*place));
                assert!((place.size() - places[0].size()).length() < 1e-3);
                assert!(places[at + 1..].iter().all(|other| !place.shrink(0.1).intersects(other.shrink(0.1))));
            }
        }
    }
}
