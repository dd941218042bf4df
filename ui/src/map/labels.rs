//! Names of clusters on the map: at their centres, the largest first, none over another, each on a plate in the colour
//! of the ground so that it reads over points.

use std::sync::Arc;

use egui::{Color32, Galley, Painter, Rect, Vec2, vec2};

use super::Camera;

/// How firmly a plate covers the points below it.
const PLATE: f32 = 0.8;

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
        // What must be named may stand farther from its centre.
        let most = if label.first { rect.height() } else { 42.0 };
        let steps = (1..=(most / 14.0) as u32).flat_map(|step| [-14.0, 14.0].map(|off| off * step as f32));
        let found = std::iter::once(0.0).chain(steps).find_map(|off| {
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
        let plate = Rect::from_min_size(min, size).expand2(vec2(3.0, 0.0));
        painter.rect_filled(plate, 3.0, ground.gamma_multiply(PLATE));
        painter.galley_with_override_text_color(min, label.galley.clone(), label.colour);
    }
}
