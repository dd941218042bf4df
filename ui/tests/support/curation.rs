//! The edits of a test's project: kept in their order, applied anew after every undo, redo and revert.

use std::collections::BTreeMap;

use paser_protocol::{
    ClusterView, CurationView, Edit, EditKind, EditView, EntryState, JournalEntryView, TagView, Unit,
};

#[derive(Default)]
pub struct Edits {
    /// Number, edit, and whether it is in force.
    lines: Vec<(u64, Edit, bool)>,
    /// Taken back, the last one at the end.
    undone: Vec<u64>,
    /// Lines of the journal: undo and redo are lines, too.
    entries: u64,
}

impl Edits {
    pub fn add(&mut self, edit: &Edit) {
        self.entries += 1;
        self.lines.push((self.entries, edit.clone(), true));
        self.undone.clear();
    }

    pub fn undo(&mut self) {
        let last = self.lines.iter().rev().find(|line| line.2).map(|line| line.0);
        if let Some(last) = last {
            self.revert(last);
        }
    }

    pub fn revert(&mut self, entry: u64) {
        self.entries += 1;
        self.undone.push(entry);
        self.set(entry, false);
    }

    pub fn redo(&mut self) {
        if let Some(entry) = self.undone.pop() {
            self.entries += 1;
            self.set(entry, true);
        }
    }

    fn set(&mut self, entry: u64, in_force: bool) {
        for line in self.lines.iter_mut().filter(|line| line.0 == entry) {
            line.2 = in_force;
        }
    }

    fn in_force(&self) -> impl DoubleEndedIterator<Item = &(u64, Edit, bool)> {
        self.lines.iter().filter(|line| line.2)
    }

    pub fn view(&self) -> CurationView {
        let mut view = CurationView { entries: self.entries, ..CurationView::default() };
        let mut tags: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let without = |rows: &mut Vec<u32>, gone: &[u32]| rows.retain(|row| !gone.contains(row));
        for (_, edit, _) in self.in_force() {
            match &edit.what {
                EditKind::Pin { rows } | EditKind::Exclude { rows } | EditKind::Release { rows } => {
                    without(&mut view.pinned, rows);
                    without(&mut view.excluded, rows);
                    match &edit.what {
                        EditKind::Pin { .. } => view.pinned.extend(rows),
                        EditKind::Exclude { .. } => view.excluded.extend(rows),
                        _ => {}
                    }
                }
                EditKind::Tag { rows, tag } => tags.entry(tag.clone()).or_default().extend(rows),
                EditKind::Untag { rows, tag } => without(tags.entry(tag.clone()).or_default(), rows),
                EditKind::Hide { rows } => view.hidden.extend(rows),
                EditKind::Show { rows } => without(&mut view.hidden, rows),
                _ => {}
            }
        }
        for rows in [&mut view.pinned, &mut view.excluded, &mut view.hidden] {
            rows.sort_unstable();
        }
        tags.retain(|_, rows| !rows.is_empty());
        view.tags = tags.into_iter().map(|(tag, rows)| TagView { tag, rows }).collect();
        let edit = |entry: u64, what: &str| EditView { entry, what: what.to_owned() };
        view.undo = self.in_force().next_back().map(|line| edit(line.0, "the last edit"));
        view.redo = self.undone.last().map(|entry| edit(*entry, "the undone edit"));
        view
    }

    /// Names, quotas and emphasis as a person set them.
    pub fn apply(&self, clusters: &mut [ClusterView]) {
        for (_, edit, _) in self.in_force() {
            let of = |id: &u32| clusters.iter().position(|cluster| cluster.cluster == *id);
            match &edit.what {
                EditKind::RenameCluster { cluster, name } => {
                    if let Some(at) = of(cluster) {
                        clusters[at].name.clone_from(name);
                    }
                }
                EditKind::SetQuota { cluster, quota, unit } => {
                    let unit: Unit = *unit;
                    if let Some(at) = of(cluster) {
                        clusters[at].quota = quota.map(|quota| (quota, unit));
                    }
                }
                EditKind::SetEmphasis { cluster, factor } => {
                    if let Some(at) = of(cluster) {
                        clusters[at].emphasis = *factor;
                    }
                }
                _ => {}
            }
        }
    }

    pub fn journal(&self) -> Vec<JournalEntryView> {
        let line = |(entry, edit, in_force): &(u64, Edit, bool)| {
            let (what, rows) = match &edit.what {
                EditKind::Pin { rows } => (format!("pin of {} samples", rows.len()), rows.clone()),
                EditKind::Exclude { rows } => (format!("exclusion of {} samples", rows.len()), rows.clone()),
                EditKind::Tag { rows, tag } => (format!("tag {tag} on {} samples", rows.len()), rows.clone()),
                EditKind::MergeClusters { clusters } => (format!("merge of {} clusters", clusters.len()), vec![]),
                EditKind::RenameCluster { name, .. } => (format!("cluster renamed to {name}"), vec![]),
                _ => ("another edit".to_owned(), vec![]),
            };
            JournalEntryView {
                entry: *entry,
                time: super::fixture::NOW - 600,
                what,
                reason: edit.reason.clone(),
                from: edit.source.as_ref().map(|source| source.words()).unwrap_or_default(),
                source: edit.source.clone(),
                state: if *in_force { EntryState::InForce } else { EntryState::TakenBack },
                of: None,
                samples: rows.len() as u64,
                lost: 0,
                trouble: None,
                rows,
                clusters: Vec::new(),
            }
        };
        self.lines.iter().map(line).collect()
    }
}
