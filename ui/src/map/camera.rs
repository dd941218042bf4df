//! Where on the map one looks: a centre in the map's own units and a scale in points per unit. y grows upwards.

use egui::{Pos2, Rect, Vec2, pos2, vec2};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    pub centre: [f32; 2],
    /// Points of the screen per unit of the map.
    pub scale: f32,
    /// Nobody has moved it since it was fitted: it follows the size of the pane.
    pub fitted: bool,
}

impl Default for Camera {
    fn default() -> Self {
        Self { centre: [0.0, 0.0], scale: 1.0, fitted: true }
    }
}

impl Camera {
    /// All of `bounds` in `rect`, with a little air.
    pub fn fit(bounds: Rect, rect: Rect) -> Self {
        let room = rect.size().max(Vec2::splat(1.0)) * 0.95;
        let scale = (room.x / bounds.width()).min(room.y / bounds.height());
        Self { centre: [bounds.center().x, bounds.center().y], scale: scale.clamp(1e-6, 1e9), fitted: true }
    }

    pub fn to_screen(&self, rect: Rect, place: Vec2) -> Pos2 {
        let middle = rect.center();
        pos2(middle.x + (place.x - self.centre[0]) * self.scale, middle.y - (place.y - self.centre[1]) * self.scale)
    }

    pub fn to_map(&self, rect: Rect, at: Pos2) -> Vec2 {
        let off = (at - rect.center()) / self.scale;
        vec2(self.centre[0] + off.x, self.centre[1] - off.y)
    }

    pub fn pan(&mut self, by: Vec2) {
        if by != Vec2::ZERO {
            self.centre[0] -= by.x / self.scale;
            self.centre[1] += by.y / self.scale;
            self.fitted = false;
        }
    }

    /// Zooms so that what lies under `at` stays there. Between half and a thousand times the fit.
    pub fn zoom(&mut self, rect: Rect, at: Pos2, factor: f32, fit: &Self) {
        let before = self.to_map(rect, at);
        self.scale = (self.scale * factor).clamp(fit.scale * 0.5, fit.scale * 1_000.0);
        let after = self.to_map(rect, at);
        self.centre[0] += before.x - after.x;
        self.centre[1] += before.y - after.y;
        self.fitted = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zoom_keeps_what_is_under_the_pointer() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 400.0));
        let bounds = Rect::from_min_max(pos2(-3.0, -2.0), pos2(5.0, 4.0));
        let fit = Camera::fit(bounds, rect);
        let mut camera = fit;
        let at = pos2(150.0, 90.0);
        let before = camera.to_map(rect, at);
        camera.zoom(rect, at, 3.0, &fit);
        assert!((camera.to_map(rect, at) - before).length() < 1e-4);
        assert!((camera.to_screen(rect, before) - at).length() < 1e-3);
        for corner in [bounds.left_top(), bounds.right_bottom()] {
            assert!(rect.contains(fit.to_screen(rect, corner.to_vec2())));
        }
    }
}
