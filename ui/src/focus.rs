//! The one selection model of all views: hovered row and cluster, inspected row, brush.

use std::{collections::BTreeSet, rc::Rc};

use paser_protocol::EditSource;

/// The samples that are looked at; all others turn grey, in every view.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Brush {
    #[default]
    Nothing,
    Clusters(BTreeSet<u32>),
    /// Rows of a region of the map, of a part of a comparison, of a filter: ascending.
    Rows(Rc<Vec<u32>>),
}

/// How a region and what is brushed already become the new brush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    #[default]
    Replace,
    Add,
    Subtract,
    Intersect,
}

impl Combine {
    /// Shift adds, Alt takes away, both keep what is in both.
    pub fn of(modifiers: egui::Modifiers) -> Self {
        match (modifiers.shift, modifiers.alt) {
            (true, true) => Self::Intersect,
            (true, false) => Self::Add,
            (false, true) => Self::Subtract,
            (false, false) => Self::Replace,
        }
    }

    /// Two rising lists of rows; the outcome rises, too.
    pub fn rows(self, before: &[u32], region: &[u32]) -> Vec<u32> {
        if self == Self::Replace {
            return region.to_vec();
        }
        let mut rows = Vec::with_capacity(before.len());
        let (mut here, mut there) = (before.iter().peekable(), region.iter().peekable());
        loop {
            let (row, in_before, in_region) = match (here.peek(), there.peek()) {
                (None, None) => return rows,
                (Some(row), None) => (**row, true, false),
                (None, Some(row)) => (**row, false, true),
                (Some(a), Some(b)) => ((**a).min(**b), a <= b, b <= a),
            };
            if in_before {
                here.next();
            }
            if in_region {
                there.next();
            }
            let kept = match self {
                Self::Replace | Self::Add => true,
                Self::Subtract => in_before && !in_region,
                Self::Intersect => in_before && in_region,
            };
            if kept {
                rows.push(row);
            }
        }
    }
}

/// The one selection model.
#[derive(Clone, Debug, Default)]
pub struct Focus {
    pub hovered: Option<u32>,
    pub hovered_cluster: Option<u32>,
    pub inspected: Option<u32>,
    /// What this frame's views say is hovered; takes the place of the two above at its end.
    pub next_hovered: Option<u32>,
    pub next_hovered_cluster: Option<u32>,
    brush: Brush,
    /// How the brushed rows were found; none for clusters, which tell it themselves.
    source: Option<EditSource>,
    /// Rises with every change of the brush.
    pub version: u64,
}

impl Focus {
    pub fn brush(&self) -> &Brush {
        &self.brush
    }

    /// Nothing hovered, inspected or brushed: for another project.
    pub fn forgotten(&self) -> Self {
        Self { version: self.version + 1, ..Self::default() }
    }

    /// Ends a frame; true when something else is hovered now.
    pub fn turn(&mut self) -> bool {
        let before = (self.hovered, self.hovered_cluster);
        self.hovered = self.next_hovered.take();
        self.hovered_cluster = self.next_hovered_cluster.take();
        before != (self.hovered, self.hovered_cluster)
    }

    pub fn set_brush(&mut self, brush: Brush) {
        if self.brush != brush {
            self.brush = brush;
            self.source = None;
            self.version += 1;
        }
    }

    /// Brushes rows, and keeps how they were found.
    pub fn set_rows(&mut self, rows: Vec<u32>, source: Option<EditSource>) {
        self.set_brush(if rows.is_empty() { Brush::Nothing } else { Brush::Rows(Rc::new(rows)) });
        self.source = source;
    }

    pub fn source(&self) -> Option<&EditSource> {
        self.source.as_ref()
    }

    /// Click on a cluster: alone, or with Shift added to or taken from the brush. A second click clears it.
    pub fn click_cluster(&mut self, cluster: u32, add: bool) {
        let brush = match (&self.brush, add) {
            (Brush::Clusters(clusters), true) => {
                let mut clusters = clusters.clone();
                if !clusters.remove(&cluster) {
                    clusters.insert(cluster);
                }
                clusters
            }
            (Brush::Clusters(clusters), false) if clusters.len() == 1 && clusters.contains(&cluster) => BTreeSet::new(),
            _ => BTreeSet::from([cluster]),
        };
        self.set_brush(if brush.is_empty() { Brush::Nothing } else { Brush::Clusters(brush) });
    }

    pub fn is_brushed(&self, row: u32, cluster: Option<u32>) -> bool {
        match &self.brush {
            Brush::Nothing => true,
            Brush::Clusters(clusters) => cluster.is_some_and(|cluster| clusters.contains(&cluster)),
            Brush::Rows(rows) => rows.binary_search(&row).is_ok(),
        }
    }

    /// Whether each of `count` rows is out of the brush; `cluster_of` a row.
    pub fn faded(&self, count: usize, cluster_of: &dyn Fn(usize) -> Option<u32>) -> Vec<bool> {
        match &self.brush {
            Brush::Nothing => vec![false; count],
            Brush::Clusters(clusters) => {
                let in_brush = |row: usize| cluster_of(row).is_some_and(|cluster| clusters.contains(&cluster));
                (0..count).map(|row| !in_brush(row)).collect()
            }
            Brush::Rows(rows) => {
                let mut faded = vec![true; count];
                for row in rows.iter() {
                    if let Some(faded) = faded.get_mut(*row as usize) {
                        *faded = false;
                    }
                }
                faded
            }
        }
    }

    /// The brushed cluster where it is exactly one.
    pub fn single_cluster(&self) -> Option<u32> {
        match &self.brush {
            Brush::Clusters(clusters) if clusters.len() == 1 => clusters.first().copied(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_add_take_away_and_cut() {
        let (before, region) = ([1, 3, 5, 7], [3, 4, 5, 9]);
        assert_eq!(Combine::Replace.rows(&before, &region), region);
        assert_eq!(Combine::Add.rows(&before, &region), [1, 3, 4, 5, 7, 9]);
        assert_eq!(Combine::Subtract.rows(&before, &region), [1, 7]);
        assert_eq!(Combine::Intersect.rows(&before, &region), [3, 5]);
        let with = |shift, alt| Combine::of(egui::Modifiers { shift, alt, ..Default::default() });
        assert_eq!(with(true, false), Combine::Add);
        assert_eq!(with(false, true), Combine::Subtract);
        assert_eq!(with(true, true), Combine::Intersect);
    }

    #[test]
    fn all_rows_at_once_fade_as_each_by_itself() {
        let mut focus = Focus::default();
        let cluster_of = |row: usize| (row > 0).then_some(row as u32 % 3);
        for brush in [Brush::Nothing, Brush::Clusters([1, 2].into()), Brush::Rows(Rc::new(vec![0, 4, 5, 99]))] {
            focus.set_brush(brush);
            let one_by_one: Vec<bool> = (0..8).map(|row| !focus.is_brushed(row as u32, cluster_of(row))).collect();
            assert_eq!(focus.faded(8, &cluster_of), one_by_one);
        }
    }

    #[test]
    fn another_brush_forgets_how_the_last_one_was_found() {
        let mut focus = Focus::default();
        focus.set_rows(vec![1, 2], Some(EditSource::Filter { text: "jsd > 0.1".to_owned() }));
        assert!(focus.source().is_some());
        focus.set_brush(Brush::Clusters([1].into()));
        assert!(focus.source().is_none());
    }
}
