//! Which points a picture leaves out when it cannot hold all of them in the time of a frame: the same share of every
//! cluster in every part of the map, and never all of one, so that a small cluster is not lost. The parts belong to the
//! map, not to the screen: what is drawn does not change by panning.

use super::Points;

/// Points that a picture draws one by one. More are thinned; the density picture counts all of them.
pub const HELD: usize = 400_000;

/// Parts of the map along each side.
const PARTS: usize = 64;
/// Clusters beyond this many are told apart by less.
const CLUSTERS: usize = 256;

/// Of the points in the view: how many are drawn, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub drawn: usize,
    pub of: usize,
}

/// The order in which points are left out.
pub struct Thinning {
    /// By place in the points' order of drawing; a point is drawn where this is below the share's [`bound`].
    pub keys: Vec<u16>,
}

/// What keys have to be below for a share from 0 to 1 of every group; at 0 the first of each stays.
pub fn bound(share: f64) -> u32 {
    ((share * 65_536.0).ceil() as u32).clamp(1, 65_536)
}

impl Thinning {
    /// `clusters`: by row, where they are known.
    pub fn new(points: &Points, clusters: Option<&[u32]>) -> Self {
        let (corner, size) = (points.bounds.min, points.bounds.size());
        let part = |at: f32, from: f32, width: f32| (((at - from) / width * PARTS as f32) as usize).min(PARTS - 1);
        let group = |row: u32| {
            let place = points.places[row as usize];
            let cell = part(place.y, corner.y, size.y) * PARTS + part(place.x, corner.x, size.x);
            let cluster = clusters.and_then(|clusters| clusters.get(row as usize)).map_or(0, |cluster| *cluster);
            cell * CLUSTERS + cluster as usize % CLUSTERS
        };
        // The shuffled order decides who of a group stays longest.
        let groups: Vec<u32> = points.order.iter().map(|row| group(*row) as u32).collect();
        let mut counts = vec![0_u32; PARTS * PARTS * CLUSTERS];
        let mut places = Vec::with_capacity(groups.len());
        for &group in &groups {
            let count = &mut counts[group as usize];
            places.push(*count);
            *count += 1;
        }
        let key = |(place, group): (u32, u32)| (u64::from(place) * 65_536 / u64::from(counts[group as usize])) as u16;
        Self { keys: places.into_iter().zip(groups).map(key).collect() }
    }
}

/// The shares of the coloured and of the grey points that are drawn: first the coloured ones, which are what is looked
/// at, then as many of the grey as there is room for, and some of them always.
pub fn shares(coloured: usize, grey: usize, held: usize) -> (f64, f64) {
    let of = |room: usize, count: usize| if count <= room { 1.0 } else { room as f64 / count as f64 };
    let context = (held / 10).min(grey);
    let first = of(held - context, coloured);
    let left = held.saturating_sub(coloured).max(context);
    (first, of(left, grey))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clusters in one blob: a large one, and every thousandth point of another.
    fn blob() -> (Points, Vec<u32>) {
        let mut seed = 9_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 24) as f32
        };
        let count = 30_000;
        let xy: Vec<f32> = (0..2 * count).map(|_| next() + next() + next()).collect();
        let clusters = (0..count as u32).map(|row| u32::from(row % 1_000 == 0)).collect();
        (Points::new(&xy, 1), clusters)
    }

    #[test]
    fn every_part_of_every_cluster_keeps_its_share_and_at_least_one() {
        let (points, clusters) = blob();
        let thinning = Thinning::new(&points, Some(&clusters));
        let again = Thinning::new(&points, Some(&clusters));
        assert_eq!(thinning.keys, again.keys);
        let keys: std::collections::BTreeMap<u32, u16> = points.order.iter().copied().zip(thinning.keys).collect();
        for share in [0.0, 0.05, 0.3, 0.9, 1.0] {
            let kept = |row: &u32| u32::from(keys[row]) < bound(share);
            let mut groups = std::collections::BTreeMap::<(u32, u32, u32), (usize, usize)>::new();
            for row in 0..30_000 {
                let cell = (points.places[row as usize] - points.bounds.min.to_vec2()) / points.bounds.size() * 64.0;
                let key = (cell.x as u32, cell.y as u32, clusters[row as usize]);
                let group = groups.entry(key).or_default();
                group.0 += usize::from(kept(&row));
                group.1 += 1;
            }
            for (group, (drawn, of)) in groups {
                let expected = ((share * of as f64).ceil() as usize).max(1);
                assert!(drawn.abs_diff(expected) <= 1 && drawn > 0, "{group:?}: {drawn} of {of} at {share}");
            }
        }
        // A larger share draws what a smaller one drew.
        let kept = |share| (0..30_000).filter(|row| u32::from(keys[row]) < bound(share)).count();
        assert!(kept(0.2) < kept(0.5) && kept(1.0) == 30_000);
    }

    #[test]
    fn what_is_brushed_is_drawn_before_what_is_not() {
        assert_eq!(shares(100, 50, 400), (1.0, 1.0));
        assert_eq!(shares(300, 1_000, 400), (1.0, 0.1));
        assert_eq!(shares(0, 1_000, 400), (1.0, 0.4));
        let (coloured, grey) = shares(4_000, 1_000, 400);
        assert!((coloured - 0.09).abs() < 1e-9 && (grey - 0.04).abs() < 1e-9);
        assert_eq!(shares(800, 0, 400), (0.5, 1.0));
    }
}
