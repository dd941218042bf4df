//! Names of clusters on the map: at their centres, the largest first, none over another, each with a halo in the
//! colour of the ground so that it reads over points.

use std::sync::Arc;

use egui::{Color32, Galley, Painter, Rect, Vec2, vec2};

use super::Camera;

/// A name that wants a place.
pub struct Label {
    pub galley: Arc<Galley>,
    pub place: Vec2,
    /// Larger ones are placed first.
    pub weight: u64,
    pub colour: Color32,
    /// Placed before all others, and never left out.
    pub first: bool,
}

/// Draws what fits; `taken` are rectangles nothing may cover.
pub fn show(
    painter: &Painter,
    rect: Rect,
    camera: &Camera,
    labels: &mut [Label],
    taken: &[Rect],
    gap: f32,
    ground: Color32,
) {
    labels.sort_by(|a, b| b.first.cmp(&a.first).then(b.weight.cmp(&a.weight)));
    let mut taken = taken.to_vec();
    for label in labels.iter() {
        let size = label.galley.size();
        let mut centre = camera.to_screen(rect, label.place);
        if !rect.expand(size.x / 2.0).contains(centre) {
            continue;
        }
        let (low, high) = (rect.left() + size.x / 2.0 + 4.0, rect.right() - size.x / 2.0 - 4.0);
        // A name wider than its map has no room to move in.
        centre.x = if low < high { centre.x.clamp(low, high) } else { rect.center().x };
        let found = [0.0, -14.0, 14.0, -28.0, 28.0, -42.0, 42.0].into_iter().find_map(|off| {
            let place = Rect::from_center_size(centre + vec2(0.0, off), size + vec2(gap, 2.0));
            let inside = place.top() >= rect.top() + 2.0 && place.bottom() <= rect.bottom() - 2.0;
            (inside && !taken.iter().any(|other| other.intersects(place))).then_some(place)
        });
        let place = match found {
            Some(place) => place,
            None if label.first => Rect::from_center_size(centre, size + vec2(gap, 2.0)),
            None => continue,
        };
        taken.push(place);
        let min = (place.center() - size / 2.0).round();
        for x in [-1.0, 0.0, 1.0] {
            for y in [-1.0, 0.0, 1.0] {
                if x != 0.0 || y != 0.0 {
                    painter.galley_with_override_text_color(min + vec2(x, y), label.galley.clone(), ground);
                }
            }
        }
        painter.galley_with_override_text_color(min, label.galley.clone(), label.colour);
    }
}
