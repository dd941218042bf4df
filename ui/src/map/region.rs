//! A region drawn on the map: which points lie in it, and a drawn line with fewer corners.

use egui::{Rect, Vec2, pos2};

use super::index::Grid;

/// Most corners of a region: enough for any hand.
pub const CORNERS: usize = 256;

/// Is a place inside, by the even-odd rule? `polygon` closes itself.
fn contains(polygon: &[Vec2], place: Vec2) -> bool {
    let mut inside = false;
    let mut last = polygon.len() - 1;
    for at in 0..polygon.len() {
        let (a, b) = (polygon[at], polygon[last]);
        if (a.y > place.y) != (b.y > place.y) && place.x < (b.x - a.x) * (place.y - a.y) / (b.y - a.y) + a.x {
            inside = !inside;
        }
        last = at;
    }
    inside
}

/// Does an edge come into a rectangle? A little too often rather than never.
fn touches(a: Vec2, b: Vec2, area: Rect) -> bool {
    let edge = Rect::from_two_pos(a.to_pos2(), b.to_pos2());
    if !edge.intersects(area) {
        return false;
    }
    // All corners on one side of the edge's line?
    let side = |x: f32, y: f32| (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
    let corners = [
        side(area.min.x, area.min.y),
        side(area.max.x, area.min.y),
        side(area.min.x, area.max.y),
        side(area.max.x, area.max.y),
    ];
    !(corners.iter().all(|side| *side > 0.0) || corners.iter().all(|side| *side < 0.0))
}

impl Grid {
    /// All points inside a polygon, ascending. Whole cells are taken or left by their middle; only where an edge passes
    /// is every point looked at, so that the cost is that of the outline and of what is found.
    pub fn within(&self, places: &[Vec2], polygon: &[Vec2]) -> Vec<u32> {
        if polygon.len() < 3 || polygon.iter().any(|corner| !corner.is_finite()) {
            return Vec::new();
        }
        let mut bounds = Rect::NOTHING;
        for corner in polygon {
            bounds.extend_with(corner.to_pos2());
        }
        let mut found = Vec::new();
        self.each_cell(bounds, |cell, members| {
            if members.is_empty() {
                return;
            }
            let area = cell.expand2(cell.size() * 1e-3);
            let edge = (0..polygon.len()).any(|at| touches(polygon[at], polygon[(at + 1) % polygon.len()], area));
            if edge {
                found.extend(members.iter().copied().filter(|point| contains(polygon, places[*point as usize])));
            } else if contains(polygon, cell.center().to_vec2()) {
                found.extend_from_slice(members);
            }
        });
        found.sort_unstable();
        found
    }
}

/// The four corners of a box.
pub fn corners(area: Rect) -> Vec<Vec2> {
    [area.left_top(), area.right_top(), area.right_bottom(), area.left_bottom()].map(|corner| corner.to_vec2()).to_vec()
}

/// A drawn line with fewer corners: none moves it by more than `tolerance` (Douglas and Peucker, 1973), and at most
/// [`CORNERS`] stay.
pub fn simplified(line: &[Vec2], tolerance: f32) -> Vec<Vec2> {
    let mut tolerance = tolerance;
    let mut kept = keep(line, tolerance);
    while kept.len() > CORNERS {
        tolerance *= 1.5;
        kept = keep(line, tolerance);
    }
    kept
}

fn keep(line: &[Vec2], tolerance: f32) -> Vec<Vec2> {
    if line.len() < 3 {
        return line.to_vec();
    }
    let mut stays = vec![false; line.len()];
    (stays[0], stays[line.len() - 1]) = (true, true);
    let mut open = vec![(0, line.len() - 1)];
    while let Some((from, to)) = open.pop() {
        let (a, b) = (line[from], line[to]);
        let far = |at: usize| {
            let along = b - a;
            let length = along.length();
            let off = line[at] - a;
            if length > 0.0 { (along.x * off.y - along.y * off.x).abs() / length } else { off.length() }
        };
        let farthest = (from + 1..to).max_by(|x, y| far(*x).total_cmp(&far(*y)));
        if let Some(at) = farthest.filter(|at| far(*at) > tolerance) {
            stays[at] = true;
            open.extend([(from, at), (at, to)]);
        }
    }
    line.iter().zip(stays).filter(|(_, stays)| *stays).map(|(corner, _)| *corner).collect()
}

/// Is `at` near enough to a corner to mean it, on the screen?
pub fn is_at(corner: egui::Pos2, at: egui::Pos2) -> bool {
    corner.distance(pos2(at.x, at.y)) < 8.0
}

#[cfg(test)]
mod tests {
    use egui::vec2;

    use super::*;

    struct Dice(u32);

    impl Dice {
        fn next(&mut self) -> f32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 8) as f32 / (1 << 24) as f32
        }
    }

    #[test]
    fn a_region_holds_what_looking_at_every_point_finds() {
        let mut dice = Dice(7);
        let mut places: Vec<Vec2> = (0..3_000).map(|_| vec2(dice.next() * 10.0 - 3.0, dice.next() * 4.0)).collect();
        places[11] = vec2(f32::NAN, 1.0);
        let bounds = Rect::from_min_max(pos2(-3.0, 0.0), pos2(7.0, 4.0));
        let grid = Grid::new(&places, bounds);
        for count in [3, 4, 5, 9, 40] {
            for _ in 0..40 {
                // Crossing itself as often as not, and beyond the map now and then.
                let polygon: Vec<Vec2> =
                    (0..count).map(|_| vec2(dice.next() * 12.0 - 4.0, dice.next() * 6.0 - 1.0)).collect();
                let slow: Vec<u32> = (0..places.len() as u32)
                    .filter(|row| places[*row as usize].is_finite() && contains(&polygon, places[*row as usize]))
                    .collect();
                assert_eq!(grid.within(&places, &polygon), slow, "{polygon:?}");
            }
        }
        assert!(grid.within(&places, &[vec2(0.0, 0.0), vec2(1.0, 1.0)]).is_empty());
        assert!(grid.within(&places, &[vec2(f32::NAN, 0.0), vec2(1.0, 1.0), vec2(0.0, 1.0)]).is_empty());
    }

    #[test]
    fn a_box_is_a_region_of_four_corners() {
        let places = [vec2(0.5, 0.5), vec2(1.5, 0.5), vec2(0.2, 0.9)];
        let grid = Grid::new(&places, Rect::from_min_max(pos2(0.0, 0.0), pos2(2.0, 1.0)));
        let area = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        assert_eq!(grid.within(&places, &corners(area)), grid.inside(&places, area));
    }

    #[test]
    fn a_drawn_line_keeps_its_shape_with_few_corners() {
        let circle: Vec<Vec2> = (0..2_000)
            .map(|step| {
                let angle = step as f32 / 2_000.0 * std::f32::consts::TAU;
                vec2(angle.cos(), angle.sin()) * 100.0
            })
            .collect();
        let few = simplified(&circle, 1.0);
        assert!((8..=60).contains(&few.len()), "{}", few.len());
        assert_eq!((few[0], few[few.len() - 1]), (circle[0], circle[1_999]));
        let mut dice = Dice(3);
        let noise: Vec<Vec2> = (0..4_000).map(|_| vec2(dice.next(), dice.next()) * 500.0).collect();
        assert!(simplified(&noise, 1.0).len() <= CORNERS);
    }
}
