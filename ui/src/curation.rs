//! A person's marks as the window knows them, the rows that an edit acts on and how they were found, and the way of an
//! edit to the engine.

use std::collections::{BTreeMap, BTreeSet};

use paser_protocol::{Edit, EditSource, ProjectView, Request};

use crate::state::{AppState, Brush};

/// Rows whose cluster is one of `brushed`, rising.
fn rows_in(clusters: &[u32], brushed: &BTreeSet<u32>) -> Vec<u32> {
    (0..).zip(clusters).filter(|(_, cluster)| brushed.contains(cluster)).map(|(row, _)| row).collect()
}

impl AppState {
    pub fn is_pinned(&self, row: u32) -> bool {
        self.project.as_ref().is_some_and(|project| project.curation.pinned.binary_search(&row).is_ok())
    }

    pub fn is_excluded(&self, row: u32) -> bool {
        self.project.as_ref().is_some_and(|project| project.curation.excluded.binary_search(&row).is_ok())
    }

    pub fn is_hidden(&self, row: u32) -> bool {
        self.project.as_ref().is_some_and(|project| project.curation.hidden.binary_search(&row).is_ok())
    }

    /// Tags of a sample, by name.
    pub fn tags_of(&self, row: u32) -> Vec<String> {
        let tags = self.project.iter().flat_map(|project| &project.curation.tags);
        tags.filter(|tag| tag.rows.binary_search(&row).is_ok()).map(|tag| tag.tag.clone()).collect()
    }

    /// The brushed rows, rising.
    pub fn acting_rows(&mut self) -> Vec<u32> {
        match self.focus.brush().clone() {
            Brush::Rows(rows) => rows.to_vec(),
            Brush::Clusters(brushed) => {
                self.row_clusters().map(|clusters| rows_in(&clusters, &brushed)).unwrap_or_default()
            }
            Brush::Nothing => Vec::new(),
        }
    }

    /// How the rows that an edit acts on were found.
    pub fn acting_source(&self) -> Option<EditSource> {
        match self.focus.brush() {
            Brush::Rows(_) => self.focus.source().cloned(),
            Brush::Clusters(brushed) => {
                let names: Vec<&str> =
                    brushed.iter().filter_map(|id| self.cluster(*id)).map(|cluster| cluster.name.as_str()).collect();
                Some(EditSource::Cluster { name: names.join("; ") })
            }
            Brush::Nothing => None,
        }
    }

    /// The rows that words or a filter found become the brush. False while they have not arrived; true also where
    /// nothing was searched for, so that the brush is what the table shows.
    pub fn brush_found(&mut self) -> bool {
        let Some((text, is_filter, key)) = self.table.found_by() else { return self.table.count().is_some() };
        let Some(rows) = self.data.indices(&key) else { return false };
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        let source = if is_filter { EditSource::Filter { text } } else { EditSource::Search { text } };
        self.focus.set_rows(rows, Some(source));
        true
    }

    /// Other clusters, the same samples: the brush keeps its own. Brushed rows are samples already.
    pub(crate) fn keep_brush(&mut self, old: &ProjectView, project: &ProjectView) {
        let Brush::Clusters(brushed) = self.focus.brush().clone() else { return };
        // Numbers go by size and change with it; a colour stays with its cluster.
        let known = |project: &ProjectView| -> BTreeMap<(u32, u64), u32> {
            project.clusters.iter().map(|one| ((one.colour, one.samples), one.cluster)).collect()
        };
        let after = known(project);
        let (own, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            known(old).into_iter().partition(|(_, cluster)| brushed.contains(cluster));
        let kept: Option<BTreeSet<u32>> = own.keys().map(|one| after.get(one).copied()).collect();
        // Merged or split among themselves: what is new holds what they held.
        let new: BTreeSet<u32> =
            after.iter().filter(|(one, _)| !others.contains_key(one)).map(|(_, cluster)| *cluster).collect();
        let is_theirs = !new.is_empty() && others.keys().all(|one| after.contains_key(one));
        if let Some(same) = kept.or(is_theirs.then_some(new)) {
            if same != brushed {
                self.focus.set_brush(Brush::Clusters(same));
            }
            return;
        }
        let column = old.columns.iter().find(|column| column.name == "cluster");
        let clusters = column.and_then(|column| self.data.indices(&column.key));
        self.focus.set_rows(clusters.map(|clusters| rows_in(&clusters, &brushed)).unwrap_or_default(), None);
    }

    pub fn curate(&mut self, edit: Edit) {
        self.history.samples_change();
        self.quotas_will_move(&edit.what);
        let did = self.did(&edit.what);
        self.ask_curation(Request::Curate { edit }, Some(did));
    }
}
