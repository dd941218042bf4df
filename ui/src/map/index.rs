//! A uniform grid over the points: the nearest one within a radius, and all inside a box, without looking at the rest.

use egui::{Rect, Vec2};

pub struct Grid {
    origin: Vec2,
    cell: Vec2,
    columns: usize,
    rows: usize,
    /// Where each cell begins in `members`; one more at the end.
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Grid {
    /// About two points a cell. Points outside of `bounds` or not finite are left out.
    pub fn new(places: &[Vec2], bounds: Rect) -> Self {
        let side = ((places.len() as f32 / 2.0).sqrt().ceil() as usize).clamp(1, 2_048);
        let cell = (bounds.size() / side as f32).max(Vec2::splat(f32::MIN_POSITIVE));
        let mut grid = Self {
            origin: bounds.min.to_vec2(),
            cell,
            columns: side,
            rows: side,
            starts: vec![0; side * side + 1],
            members: Vec::new(),
        };
        let cells: Vec<Option<usize>> =
            places.iter().map(|place| place.is_finite().then(|| grid.cell_at(*place))).collect();
        for cell in cells.iter().flatten() {
            grid.starts[cell + 1] += 1;
        }
        for cell in 0..side * side {
            grid.starts[cell + 1] += grid.starts[cell];
        }
        grid.members = vec![0; grid.starts[side * side] as usize];
        let mut next = grid.starts.clone();
        for (point, cell) in cells.iter().enumerate() {
            if let Some(cell) = *cell {
                grid.members[next[cell] as usize] = point as u32;
                next[cell] += 1;
            }
        }
        grid
    }

    fn column(&self, x: f32) -> usize {
        (((x - self.origin.x) / self.cell.x) as isize).clamp(0, self.columns as isize - 1) as usize
    }

    fn row(&self, y: f32) -> usize {
        (((y - self.origin.y) / self.cell.y) as isize).clamp(0, self.rows as isize - 1) as usize
    }

    fn cell_at(&self, place: Vec2) -> usize {
        self.row(place.y) * self.columns + self.column(place.x)
    }

    fn each(&self, area: Rect, mut visit: impl FnMut(u32)) {
        for row in self.row(area.min.y)..=self.row(area.max.y) {
            let cells = row * self.columns;
            let (first, last) = (cells + self.column(area.min.x), cells + self.column(area.max.x));
            for member in &self.members[self.starts[first] as usize..self.starts[last + 1] as usize] {
                visit(*member);
            }
        }
    }

    /// Visits the cells that meet an area, with their points.
    pub(super) fn each_cell(&self, area: Rect, mut visit: impl FnMut(Rect, &[u32])) {
        for row in self.row(area.min.y)..=self.row(area.max.y) {
            for column in self.column(area.min.x)..=self.column(area.max.x) {
                let at = row * self.columns + column;
                let corner = self.origin + Vec2::new(column as f32, row as f32) * self.cell;
                let members = &self.members[self.starts[at] as usize..self.starts[at + 1] as usize];
                visit(Rect::from_min_size(corner.to_pos2(), self.cell), members);
            }
        }
    }

    /// The point nearest to `at` within `radius`; of equal ones the lower row.
    pub fn nearest(&self, places: &[Vec2], at: Vec2, radius: f32) -> Option<u32> {
        let area = Rect::from_center_size(at.to_pos2(), Vec2::splat(radius * 2.0));
        let mut best = (radius * radius, None);
        self.each(area, |point| {
            let distance = (places[point as usize] - at).length_sq();
            if distance < best.0 || (distance == best.0 && best.1.is_some_and(|found| point < found)) {
                best = (distance, Some(point));
            }
        });
        best.1
    }

    /// All points inside, ascending.
    pub fn inside(&self, places: &[Vec2], area: Rect) -> Vec<u32> {
        let mut found = Vec::new();
        self.each(area, |point| {
            if area.contains(places[point as usize].to_pos2()) {
                found.push(point);
            }
        });
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use egui::{pos2, vec2};

    use super::*;

    #[test]
    fn agrees_with_looking_at_every_point() {
        let mut seed = 7_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 24) as f32
        };
        let mut places: Vec<Vec2> = (0..2_000).map(|_| vec2(next() * 10.0 - 3.0, next() * 4.0)).collect();
        places[17] = vec2(f32::NAN, 0.0);
        let bounds = Rect::from_min_max(pos2(-3.0, 0.0), pos2(7.0, 4.0));
        let grid = Grid::new(&places, bounds);
        for _ in 0..200 {
            let at = vec2(next() * 12.0 - 4.0, next() * 5.0 - 0.5);
            let slow =
                (0..places.len() as u32).filter(|i| (places[*i as usize] - at).length_sq() < 0.09).min_by(|a, b| {
                    (places[*a as usize] - at).length_sq().total_cmp(&(places[*b as usize] - at).length_sq())
                });
            assert_eq!(grid.nearest(&places, at, 0.3), slow);
        }
        let area = Rect::from_min_max(pos2(0.5, 1.0), pos2(3.0, 2.5));
        let slow: Vec<u32> =
            (0..places.len() as u32).filter(|i| area.contains(places[*i as usize].to_pos2())).collect();
        assert!(!slow.is_empty());
        assert_eq!(grid.inside(&places, area), slow);
    }
}
