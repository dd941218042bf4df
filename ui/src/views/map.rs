//! The map: points by colour, hover, click, box, pan and zoom, names of clusters, pins and crosses. One struct serves
//! Explore and, without tools, the welcome page.

use std::rc::Rc;

use egui::{
    Id, Key, PointerButton, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role,
};

use paser_protocol::EditSource;

use super::{map_card, map_head, map_marks, map_paint};
use crate::{
    focus::Combine,
    map::{Camera, Dots, Paint, Points, Scene, gl::Gl, labels, raster::Raster, region, thinning::Shown},
    picture::View,
    state::{AppState, MapOrder, Tool},
    theme::icons,
    widgets::{look, pane::pane},
};

/// Seconds that the pointer rests on a point before its card is fetched.
const CARD_AFTER: f64 = 0.06;

pub struct MapView {
    camera: Camera,
    fit: Camera,
    points: Option<(MadeOf, Rc<Points>)>,
    pub(super) paint: map_paint::Cache,
    /// Colours of the map without tools, and what they were made for: points, theme, scale.
    still_paint: Option<((u64, bool, u32), Rc<Paint>)>,
    raster: Raster,
    gl: Option<Gl>,
    clock: Option<fn() -> f64>,
    flight: Option<Flight>,
    /// The region being drawn, on which map, and what becomes of the brush by it: as the keys were when it began.
    drawn: Option<(Id, Drawn, Combine)>,
    hover: (Option<u32>, f64),
    next_id: u64,
}

/// What points were made of: the positions' column key, and the hidden rows.
type MadeOf = (String, Vec<u32>);

/// A region being drawn, in the map's own units, so that it stays where it is while one zooms.
enum Drawn {
    /// From corner to pointer.
    Box { from: Vec2 },
    /// A line that follows the pointer, or corners set by clicks.
    Lasso { line: Vec<Vec2>, by_clicks: bool },
}

/// A camera on its way.
struct Flight {
    from: Camera,
    to: Camera,
    began: f64,
}

impl MapView {
    pub fn new(gl: Option<Gl>, clock: Option<fn() -> f64>) -> Self {
        Self {
            camera: Camera::default(),
            fit: Camera::default(),
            points: None,
            paint: map_paint::Cache::default(),
            still_paint: None,
            raster: Raster::default(),
            gl,
            clock,
            flight: None,
            drawn: None,
            hover: (None, 0.0),
            next_id: 1,
        }
    }

    pub fn camera(&self) -> Camera {
        self.camera
    }

    pub fn set_camera(&mut self, camera: Camera) {
        self.camera = camera;
    }

    /// For another project.
    pub fn reset(&mut self) {
        self.camera = Camera::default();
        self.points = None;
        self.paint = map_paint::Cache::default();
    }

    /// Which painter draws the points: `texture`, `webgl`, or `timing`.
    pub fn painter(&self) -> &'static str {
        match self.gl.as_ref().map(|gl| gl.is_fast(self.count())) {
            Some(Some(true)) => "webgl",
            Some(None) => "timing",
            _ => "texture",
        }
    }

    /// What of the points in the view is left out; none where all are drawn.
    pub fn shown(&self) -> Option<Shown> {
        self.raster.shown().filter(|_| self.painter() != "webgl")
    }

    /// Draws with a picture of its own, by the painter that needs no graphics card; what that drew.
    pub(crate) fn drawn_apart(&mut self, draw: impl FnOnce(&mut Self)) -> Option<(egui::TextureId, Scene)> {
        let (gl, raster) = (self.gl.take(), std::mem::take(&mut self.raster));
        draw(self);
        self.gl = gl;
        std::mem::replace(&mut self.raster, raster).into_drawn()
    }

    /// Points that have arrived.
    pub fn count(&self) -> usize {
        self.points.as_ref().map_or(0, |(_, points)| points.places.len())
    }

    /// Positions under a column key, once they have arrived. Hidden samples have none.
    pub(super) fn load(&mut self, state: &mut AppState, key: &str) -> Option<Rc<Points>> {
        let hidden = state.project.as_ref().map_or(&[][..], |project| &project.curation.hidden);
        if let Some((loaded, points)) = &self.points
            && loaded.0 == key
            && loaded.1 == hidden
        {
            return Some(points.clone());
        }
        let hidden = hidden.to_vec();
        let xy = state.data.numbers(key)?;
        let mut xy = xy.as_ref().clone();
        for row in &hidden {
            xy.get_mut(2 * *row as usize..).into_iter().flatten().take(2).for_each(|place| *place = f32::NAN);
        }
        self.next_id += 1;
        let points = Rc::new(Points::new(&xy, self.next_id));
        self.points = Some(((key.to_owned(), hidden), points.clone()));
        Some(points)
    }

    /// The pane of Explore.
    pub fn pane(&mut self, ui: &mut Ui, rect: Rect, state: &mut AppState) {
        let look = look(ui);
        // The painters draw the ground with the points.
        let (body, free) = pane(ui, rect, icons::CHART_SCATTER, "Map", egui::Color32::TRANSPARENT);
        map_head::show(ui, free, state, self);
        state.note("map", body);
        state.note(View::Map.place(), body);
        let key = state.column_info("map").map(|column| column.key.clone());
        // What colours the points is fetched beside them, not after they are drawn.
        map_paint::ask(state);
        let points = key.as_ref().and_then(|key| self.load(state, key));
        let Some(points) = points else {
            ui.painter().rect_filled(body, 0.0, look.canvas);
            super::damage::nothing_yet(ui, body, state, key.is_some());
            return;
        };
        self.interactive(ui, body, state, points);
    }

    fn interactive(&mut self, ui: &mut Ui, body: Rect, state: &mut AppState, points: Rc<Points>) {
        let now = state.now;
        self.follow(ui, body, state, &points, now);
        let response = ui.interact(body, Id::unique("map"), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Map of the pool"));
        self.navigate(ui, body, &response, state);
        let hovered = self.pick(ui, body, &response, state, &points, now);
        let scene = self.draw(ui, body, state, &points);
        if self.shown().is_some() {
            map_marks::dots(ui, &scene, [state.focus.hovered, state.focus.inspected]);
        }
        let mut taken = vec![map_paint::legend(ui, body, state, &scene.paint.signs)];
        taken.extend(map_card::hidden(ui, body, state));
        map_card::brush_bar(ui, body, state);
        taken.extend(state.brush_bar);
        map_marks::names(&self.camera, ui, body, state, &taken);
        // No name hides what is inspected.
        map_marks::rings(&self.camera, ui, body, state, &points, &taken);
        self.select(ui, body, &response, state, &points);
        if let Some(row) = hovered
            && now - self.hover.1 >= CARD_AFTER
            && self.drawn.is_none()
        {
            let at = self.camera.to_screen(body, points.places[row as usize]);
            map_card::show(ui, body, at, row, state);
        }
        if response.has_focus() {
            ui.painter().rect_stroke(body.shrink(1.0), 0.0, Stroke::new(2.0, look(ui).accent), StrokeKind::Inside);
        }
    }

    /// Turns the camera, once a frame, for maps of the same size that share it.
    pub(super) fn aim(&mut self, ui: &Ui, body: Rect, state: &mut AppState, points: &Points) {
        let now = state.now;
        self.follow(ui, body, state, points, now);
    }

    /// Pointer and keys on one of several maps; the sample whose card is due.
    pub(super) fn touch(
        &mut self,
        ui: &Ui,
        body: Rect,
        name: &str,
        state: &mut AppState,
        points: &Points,
    ) -> (Response, Option<u32>) {
        let now = state.now;
        let response = ui.interact(body, Id::unique(("map", name)), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, name));
        self.navigate(ui, body, &response, state);
        let mut due = None;
        if response.contains_pointer() || response.has_focus() {
            let hovered = self.pick(ui, body, &response, state, points, now);
            due = hovered.filter(|_| now - self.hover.1 >= CARD_AFTER);
        }
        (response, due)
    }

    /// The pointer is on none of several maps.
    pub(super) fn leave(&mut self, now: f64) {
        if self.hover.0.is_some() {
            self.hover = (None, now);
        }
    }

    /// Fits, flies, and obeys orders.
    fn follow(&mut self, ui: &Ui, body: Rect, state: &mut AppState, points: &Points, now: f64) {
        self.fit = Camera::fit(points.bounds, body);
        if self.camera.fitted && self.flight.is_none() {
            self.camera = self.fit;
        }
        if state.map_order == Some(MapOrder::ForgetRegion) {
            self.drawn = None;
            state.map_order = None;
        }
        state.drawing = self.drawn.is_some();
        if let Some(order) = state.map_order.take() {
            let mut to = self.camera;
            match order {
                MapOrder::ForgetRegion => {}
                MapOrder::Fit => to = self.fit,
                MapOrder::In => to.zoom(body, body.center(), 1.5, &self.fit),
                MapOrder::Out => to.zoom(body, body.center(), 1.0 / 1.5, &self.fit),
                MapOrder::ShowInspected => {
                    if let Some(place) = state.focus.inspected.and_then(|row| points.places.get(row as usize)) {
                        to.centre = [place.x, place.y];
                        to.scale = to.scale.max(self.fit.scale * 3.0);
                        to.fitted = false;
                    }
                }
            }
            self.flight = Some(Flight { from: self.camera, to, began: now });
        }
        let Some(flight) = &self.flight else { return };
        let motion = look(ui).motion.camera;
        let share =
            if motion <= 0.0 || state.less_motion { 1.0 } else { ((now - flight.began) as f32 / motion).min(1.0) };
        let ease = share * share * (3.0 - 2.0 * share);
        let mix = |a: f32, b: f32| a + (b - a) * ease;
        self.camera = Camera {
            centre: [mix(flight.from.centre[0], flight.to.centre[0]), mix(flight.from.centre[1], flight.to.centre[1])],
            scale: flight.from.scale * (flight.to.scale / flight.from.scale).powf(ease),
            fitted: flight.to.fitted && share >= 1.0,
        };
        if share >= 1.0 {
            self.camera = flight.to;
            self.flight = None;
        } else {
            ui.ctx().request_repaint();
        }
    }

    fn navigate(&mut self, ui: &Ui, body: Rect, response: &Response, state: &AppState) {
        let space = ui.input(|input| input.key_down(Key::Space));
        let hand = !matches!(state.tool, Tool::Box | Tool::Lasso) || space;
        let moving =
            response.dragged_by(PointerButton::Middle) || (hand && response.dragged_by(PointerButton::Primary));
        let shift = ui.input(|input| input.modifiers.shift);
        if moving && !(shift && state.tool == Tool::Point) {
            self.flight = None;
            self.camera.pan(response.drag_delta());
        }
        if response.hovered() || response.contains_pointer() {
            let (scroll, pinch, at) =
                ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta(), input.pointer.hover_pos()));
            let factor = (scroll * 0.004).exp() * pinch;
            if let Some(at) = at.filter(|_| factor != 1.0) {
                self.flight = None;
                self.camera.zoom(body, at, factor, &self.fit);
            }
            let cursor = match (state.tool, moving || space) {
                (_, true) if moving => egui::CursorIcon::Grabbing,
                (Tool::Hand, _) | (_, true) => egui::CursorIcon::Grab,
                (Tool::Box | Tool::Lasso, _) => egui::CursorIcon::Crosshair,
                (Tool::Point, _) if state.focus.hovered.is_some() => egui::CursorIcon::PointingHand,
                (Tool::Point, _) => egui::CursorIcon::Default,
            };
            ui.ctx().set_cursor_icon(cursor);
        }
    }

    /// The point under the pointer, and what a click or an arrow key does with it.
    fn pick(
        &mut self,
        ui: &Ui,
        body: Rect,
        response: &Response,
        state: &mut AppState,
        points: &Points,
        now: f64,
    ) -> Option<u32> {
        let over =
            response.hover_pos().filter(|_| response.hovered() && !response.dragged() && state.tool != Tool::Hand);
        let radius = look(ui).map.hit_radius / self.camera.scale;
        let found = over.and_then(|at| points.grid.nearest(&points.places, self.camera.to_map(body, at), radius));
        let found = found.filter(|row| {
            let cluster = state.cluster_of(*row);
            state.focus.is_brushed(*row, cluster)
        });
        if found != self.hover.0 {
            self.hover = (found, now);
        }
        if found.is_some() {
            state.focus.next_hovered = found;
            if now - self.hover.1 < CARD_AFTER {
                ui.ctx().request_repaint_after_secs(CARD_AFTER as f32);
            }
        }
        if response.clicked() {
            response.request_focus();
        }
        // With the lasso a click sets a corner.
        if response.clicked() && state.tool != Tool::Lasso {
            match found {
                Some(row) => {
                    state.inspect(row);
                    state.table.show_inspected = true;
                }
                None if state.tool == Tool::Point => state.focus.inspected = None,
                None => {}
            }
        }
        if response.has_focus() {
            let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
            let step = ui.input(|input| {
                let pressed = |key| f32::from(u8::from(input.key_pressed(key)));
                Vec2::new(
                    pressed(Key::ArrowRight) - pressed(Key::ArrowLeft),
                    pressed(Key::ArrowUp) - pressed(Key::ArrowDown),
                )
            });
            if step != Vec2::ZERO
                && let Some(row) =
                    map_marks::next_point(points, state.focus.inspected, step, Vec2::from(self.camera.centre))
            {
                state.inspect(row);
                state.table.show_inspected = true;
            }
        }
        found
    }

    /// Draws the points by whichever painter is right on this machine.
    fn draw(&mut self, ui: &Ui, body: Rect, state: &mut AppState, points: &Rc<Points>) -> Scene {
        let look = look(ui);
        let paint = self.paint.get(state, points, look);
        let scene = Scene {
            points: points.clone(),
            paint,
            camera: self.camera,
            rect: body,
            ground: look.canvas,
            muted: look.muted,
            dots: Dots::of(&look.map, points, &self.camera, ui.pixels_per_point()),
        };
        self.render(ui, &scene, state.now);
        scene
    }

    pub(super) fn render(&mut self, ui: &Ui, scene: &Scene, now: f64) {
        let fast = self.gl.as_ref().map(|gl| gl.is_fast(scene.points.order.len()));
        if let (Some(gl), Some(Some(true))) = (&self.gl, fast)
            && scene.dots.density < 1.0
        {
            ui.painter_at(scene.rect).rect_filled(scene.rect, 0.0, scene.ground);
            ui.painter_at(scene.rect).add(gl.shape(scene, ui.pixels_per_point(), None));
            return;
        }
        if let (Some(gl), Some(None), Some(clock)) = (&self.gl, fast, self.clock) {
            // Drawn below the picture, so that the timed frames are never seen.
            ui.painter_at(scene.rect).add(gl.shape(scene, ui.pixels_per_point(), Some(clock)));
            ui.painter_at(scene.rect).rect_filled(scene.rect, 0.0, scene.ground);
            ui.ctx().request_repaint();
        }
        self.raster.show(ui, scene, now);
    }

    /// Box and lasso: a region is drawn, and its samples become the brush, or are added to it, taken from it or cut
    /// with it.
    pub(super) fn select(&mut self, ui: &Ui, body: Rect, response: &Response, state: &mut AppState, points: &Points) {
        self.begin_region(ui, body, response, state);
        if response.clicked() && state.tool == Tool::Lasso {
            self.corner(ui, body, response);
        }
        if self.drawn.as_ref().is_none_or(|(map, ..)| *map != response.id) {
            return;
        }
        let Some(to) = ui.input(|input| input.pointer.latest_pos()) else { return };
        let here = self.camera.to_map(body, to);
        let near = 2.0 / self.camera.scale;
        let let_go = response.drag_stopped() || !response.is_pointer_button_down_on();
        let Some((_, drawn, combine)) = &mut self.drawn else { return };
        let combine = *combine;
        let (outline, done) = match drawn {
            Drawn::Box { from } => (region::corners(Rect::from_two_pos(from.to_pos2(), here.to_pos2())), let_go),
            Drawn::Lasso { line, by_clicks: false } => {
                if line.last().is_none_or(|last| (*last - here).length() > near) {
                    line.push(here);
                }
                (line.clone(), let_go)
            }
            Drawn::Lasso { line, by_clicks: true } => {
                let closed = line.len() > 3 && line.last() == line.first();
                let done = closed || response.double_clicked() || ui.input(|input| input.key_pressed(Key::Enter));
                let mut outline = line.clone();
                if !done {
                    outline.push(here);
                }
                (outline, done)
            }
        };
        if done {
            self.drawn = None;
            self.brush_region(state, points, &outline, combine);
        } else {
            self.outline(ui, body, &outline);
        }
    }

    fn begin_region(&mut self, ui: &Ui, body: Rect, response: &Response, state: &AppState) {
        let (shift, space) = ui.input(|input| (input.modifiers.shift, input.key_down(Key::Space)));
        if !response.drag_started_by(PointerButton::Primary) || space {
            return;
        }
        let Some(at) = ui.input(|input| input.pointer.press_origin()).map(|at| self.camera.to_map(body, at)) else {
            return;
        };
        let drawn = match state.tool {
            Tool::Box => Drawn::Box { from: at },
            Tool::Point if shift => Drawn::Box { from: at },
            Tool::Lasso => Drawn::Lasso { line: vec![at], by_clicks: false },
            Tool::Point | Tool::Hand => return,
        };
        // With the point tool, Shift is what draws the box.
        let combine = match state.tool {
            Tool::Point => Combine::Replace,
            _ => Combine::of(ui.input(|input| input.modifiers)),
        };
        self.drawn = Some((response.id, drawn, combine));
    }

    /// A click with the lasso: the first or the next corner, or the first again, which closes the region.
    fn corner(&mut self, ui: &Ui, body: Rect, response: &Response) {
        let Some(at) = response.interact_pointer_pos() else { return };
        let place = self.camera.to_map(body, at);
        match &mut self.drawn {
            Some((map, Drawn::Lasso { line, by_clicks: true }, _)) if *map == response.id => {
                let first = line[0];
                let closes = line.len() > 2 && region::is_at(self.camera.to_screen(body, first), at);
                line.push(if closes { first } else { place });
            }
            _ => {
                let combine = Combine::of(ui.input(|input| input.modifiers));
                self.drawn = Some((response.id, Drawn::Lasso { line: vec![place], by_clicks: true }, combine));
            }
        }
    }

    fn outline(&self, ui: &Ui, body: Rect, outline: &[Vec2]) {
        let look = look(ui);
        let mut line: Vec<Pos2> = outline.iter().map(|place| self.camera.to_screen(body, *place)).collect();
        line.extend(line.first().copied());
        ui.painter_at(body).extend(egui::Shape::dashed_line(&line, Stroke::new(1.5, look.accent), 5.0, 3.0));
    }

    fn brush_region(&self, state: &mut AppState, points: &Points, outline: &[Vec2], combine: Combine) {
        let polygon = region::simplified(outline, 0.75 / self.camera.scale);
        let rows = points.grid.within(&points.places, &polygon);
        let rows = match combine {
            Combine::Replace => rows,
            other => other.rows(&state.acting_rows(), &rows),
        };
        let map = state.column_info("map").map(|column| column.key.clone()).unwrap_or_default();
        let polygon = polygon.iter().map(|corner| [corner.x, corner.y]).collect();
        let source = (combine == Combine::Replace).then_some(EditSource::Region { polygon, map });
        state.focus.set_rows(rows, source);
        state.show_table();
    }

    /// The colours of the map without tools, made once for what they depend on.
    pub fn still_paint(&mut self, points: u64, dark: bool, scale: f32, make: impl FnOnce() -> Paint) -> Rc<Paint> {
        let key = (points, dark, scale.to_bits());
        match &self.still_paint {
            Some((made, paint)) if *made == key => paint.clone(),
            _ => {
                let paint = Rc::new(make());
                self.still_paint = Some((key, paint.clone()));
                paint
            }
        }
    }

    /// Without tools: fits, draws, and shows names. For the welcome page.
    pub fn still(
        &mut self,
        ui: &Ui,
        body: Rect,
        scene: impl FnOnce(Camera) -> Scene,
        names: &mut [labels::Label],
        now: f64,
    ) {
        let bounds = self.points.as_ref().map_or(Rect::ZERO, |(_, points)| points.bounds);
        self.camera = Camera::fit(bounds, body);
        let scene = scene(self.camera);
        self.render(ui, &scene, now);
        let look = look(ui);
        labels::show(&ui.painter_at(body), body, &self.camera, names, &[], look.map.label_gap, look.canvas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_still_map_is_coloured_once_a_theme() {
        let points = Points::new(&[0.0, 0.0], 1);
        let mut map = MapView::new(None, None);
        let mut made = 0;
        for dark in [true, true, true, false, false] {
            map.still_paint(points.id, dark, 0.4, || {
                made += 1;
                Paint::new(&points, vec![egui::Color32::RED].into(), vec![false], None, made)
            });
        }
        assert_eq!(made, 2);
    }
}
