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

/// What a polygon does in one row of cells.
#[derive(Default)]
struct Row {
    /// Spans of x in which an edge passes.
    edges: Vec<(f32, f32)>,
    /// Where edges cross the middle of the row, rising.
    crossings: Vec<f32>,
}

impl Row {
    /// `slack`: an edge counts so far beyond the row and beyond its own span, a little too often rather than never.
    fn of(polygon: &[Vec2], low: f32, high: f32, slack: Vec2) -> Self {
        let mut row = Self::default();
        let middle = f32::midpoint(low, high);
        let (low, high) = (low - slack.y, high + slack.y);
        for at in 0..polygon.len() {
            let (a, b) = (polygon[at], polygon[(at + 1) % polygon.len()]);
            let (bottom, top) = if a.y <= b.y { (a, b) } else { (b, a) };
            if top.y < low || bottom.y > high {
                continue;
            }
            let x = |y: f32| {
                let share = (y - bottom.y) / (top.y - bottom.y);
                if share.is_finite() { bottom.x + (top.x - bottom.x) * share.clamp(0.0, 1.0) } else { bottom.x }
            };
            let flat = top.y - bottom.y <= slack.y;
            let (from, to) = if flat { (a.x, b.x) } else { (x(low), x(high)) };
            row.edges.push((from.min(to) - slack.x, from.max(to) + slack.x));
            if (a.y > middle) != (b.y > middle) {
                row.crossings.push(x(middle));
            }
        }
        row.crossings.sort_unstable_by(f32::total_cmp);
        row
    }

    fn has_edge(&self, from: f32, to: f32) -> bool {
        self.edges.iter().any(|(left, right)| *left <= to && *right >= from)
    }

    /// By the even-odd rule, in the middle of the row.
    fn is_inside(&self, x: f32) -> bool {
        self.crossings.partition_point(|crossing| *crossing < x) % 2 == 1
    }
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
        let mut found = Found::new(places.len());
        let mut row: Option<(f32, Row)> = None;
        self.each_cell(bounds, |cell, members| {
            if members.is_empty() {
                return;
            }
            if row.as_ref().is_none_or(|(top, _)| *top != cell.min.y) {
                row = Some((cell.min.y, Row::of(polygon, cell.min.y, cell.max.y, cell.size() * 1e-3)));
            }
            let Some((_, row)) = &row else { return };
            if row.has_edge(cell.min.x, cell.max.x) {
                for point in members.iter().filter(|point| contains(polygon, places[**point as usize])) {
                    found.add(*point);
                }
            } else if row.is_inside(cell.center().x) {
                members.iter().for_each(|point| found.add(*point));
            }
        });
        found.rising()
    }
}

/// Rows in any order, each once, to be told in rising order: sorting a million of them takes longer than marking them.
struct Found {
    marks: Vec<bool>,
    count: usize,
}

impl Found {
    fn new(rows: usize) -> Self {
        Self { marks: vec![false; rows], count: 0 }
    }

    fn add(&mut self, row: u32) {
        self.marks[row as usize] = true;
        self.count += 1;
    }

    fn rising(self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.count);
        rows.extend((0..).zip(&self.marks).filter(|(_, mark)| **mark).map(|(row, _)| row));
        rows
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
