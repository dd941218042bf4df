//! The one selection model of all views: hovered row and cluster, inspected row, brush.

use std::{collections::BTreeSet, rc::Rc};

/// The samples that are looked at; all others turn grey, in every view.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Brush {
    #[default]
    Nothing,
    Clusters(BTreeSet<u32>),
    /// Rows of a box on the map, ascending.
    Rows(Rc<Vec<u32>>),
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
            self.version += 1;
        }
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

    /// The brushed cluster where it is exactly one.
    pub fn single_cluster(&self) -> Option<u32> {
        match &self.brush {
            Brush::Clusters(clusters) if clusters.len() == 1 => clusters.first().copied(),
            _ => None,
        }
    }
}
