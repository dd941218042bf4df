//! What the journal means for what is in memory: marks, tags and what is hidden, as rows, and the clusters in force. Kept
//! until the journal, the samples or their clusters change, because every view and every selection asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use paser_project::{Entry, Journal, JournalEdit, Marked, sha256_hex};
use paser_protocol::{CurationView, EditView, TagView, Unit};

use crate::{
    cluster_edits::{Clusters, clusters_of},
    loaded::Samples,
    session::{Loaded, Session, lock},
};

/// What a person decided about a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Pinned,
    Excluded,
}

/// Rows of one pool that a person decided about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub pinned: Vec<u32>,
    pub excluded: Vec<u32>,
    /// Pinned or excluded samples that are not in the pool.
    pub lost: usize,
    /// SHA-256 of the marks by id and content: what a selection depends on.
    pub fingerprint: String,
}

/// The journal's edits in force, applied to what is in memory.
#[derive(Debug, Default)]
pub(crate) struct Curated {
    pub marks: Marks,
    pub tags: Vec<TagView>,
    pub hidden: Vec<u32>,
    /// None before the pool is clustered.
    pub clusters: Option<Arc<Clusters>>,
    undo: Option<EditView>,
    redo: Option<EditView>,
    entries: u64,
}

/// What a [`Curated`] follows from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sources {
    /// Lines of the journal, which only grows.
    entries: usize,
    samples: Option<String>,
    clusters: ClusterSources,
}

/// What the clusters in force follow from, beside the samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ClusterSources {
    /// Numbers of the edits of clusters in force.
    edits: Vec<u64>,
    manifold: Option<String>,
    concepts: Option<String>,
}

/// The newest, with what it follows from.
#[derive(Default)]
pub(crate) struct CuratedCache(Option<(Sources, Arc<Curated>)>);

impl Session {
    /// What the journal means for these artefacts.
    pub(crate) fn curated(&self, loaded: &Loaded) -> Arc<Curated> {
        let journal = lock(&self.journal);
        let about_clusters = |entry: &&Entry| !entry.edit.clusters().is_empty();
        let sources = Sources {
            entries: journal.entries().len(),
            samples: loaded.samples.as_ref().map(|samples| samples.key.clone()),
            clusters: ClusterSources {
                edits: journal.in_force().filter(about_clusters).map(|entry| entry.entry).collect(),
                manifold: loaded.manifold.as_ref().map(|manifold| manifold.key.clone()),
                concepts: loaded.concepts.as_ref().map(|concepts| concepts.key.clone()),
            },
        };
        let known = lock(&self.curated).0.clone();
        if let Some((known, curated)) = &known
            && *known == sources
        {
            return curated.clone();
        }
        let mut curated = Curated::of(&journal, loaded.samples.as_deref());
        let edits: Vec<Entry> = journal.in_force().filter(about_clusters).cloned().collect();
        // No lock is held from here on: a split computes on threads that may come back here for other work.
        drop(journal);
        let same = |known: &Sources| known.samples == sources.samples && known.clusters == sources.clusters;
        curated.clusters = match known {
            Some((known, curated)) if same(&known) => curated.clusters.clone(),
            _ => clusters_of(loaded, &edits, &self.splits).map(Arc::new),
        };
        let curated = Arc::new(curated);
        lock(&self.curated).0 = Some((sources, curated.clone()));
        curated
    }

    /// Why an edit of clusters would not apply now.
    pub(crate) fn trial(&self, loaded: &Loaded, edit: &JournalEdit) -> Option<String> {
        let journal = lock(&self.journal);
        let mut edits: Vec<Entry> =
            journal.in_force().filter(|entry| !entry.edit.clusters().is_empty()).cloned().collect();
        let number = journal.next_number();
        drop(journal);
        edits.push(Entry { entry: number, time: 0, edit: edit.clone(), reason: String::new(), source: None });
        let mut clusters = clusters_of(loaded, &edits, &self.splits)?;
        clusters.outcomes.remove(&number)?.err()
    }
}

impl Curated {
    fn of(journal: &Journal, samples: Option<&Samples>) -> Self {
        let edit = |entry: Option<&Entry>| entry.map(|entry| EditView { entry: entry.entry, what: entry.edit.words() });
        let mut curated = Self {
            undo: edit(journal.next_undo()),
            redo: edit(journal.next_redo()),
            entries: journal.entries().len() as u64,
            ..Self::default()
        };
        if let Some(samples) = samples {
            curated.marks = Marks::of(journal, samples);
            (curated.tags, curated.hidden) = tags_and_hidden(journal, samples);
        }
        curated
    }

    /// What decides a selection whose budget counts `unit`.
    pub(crate) fn for_selection(&self, unit: Unit) -> paser_select::Curation {
        let (quotas, emphasis) = self
            .clusters
            .as_ref()
            .map_or((&[][..], &[][..]), |clusters| (clusters.quotas.as_slice(), clusters.emphasis.as_slice()));
        let quota = |(cluster, quota): (u32, &Option<(u64, Unit)>)| {
            quota.filter(|(_, of)| *of == unit).map(|(quota, _)| (cluster, quota))
        };
        let emphasis = (0..).zip(emphasis).map(|(cluster, factor)| (cluster, *factor));
        paser_select::Curation {
            pinned: self.marks.pinned.clone(),
            excluded: self.marks.excluded.clone(),
            quotas: (0..).zip(quotas).filter_map(quota).collect(),
            emphasis: emphasis.filter(|(_, factor)| *factor != 1.0).collect(),
        }
    }

    pub(crate) fn view(&self) -> CurationView {
        CurationView {
            pinned: self.marks.pinned.clone(),
            excluded: self.marks.excluded.clone(),
            tags: self.tags.clone(),
            hidden: self.hidden.clone(),
            undo: self.undo.clone(),
            redo: self.redo.clone(),
            entries: self.entries,
        }
    }
}

impl Marks {
    /// Decisions as rows of a pool. A row may have been named by another id or another content before an import, so
    /// they become rows first; then the last one stands.
    fn of(journal: &Journal, samples: &Samples) -> Self {
        let mut rows: Vec<Option<Mark>> = vec![None; samples.len()];
        let mut lost: BTreeSet<&Marked> = BTreeSet::new();
        for entry in journal.in_force() {
            let mark = match entry.edit {
                JournalEdit::Pin { .. } => Some(Mark::Pinned),
                JournalEdit::Exclude { .. } => Some(Mark::Excluded),
                JournalEdit::Release { .. } => None,
                _ => continue,
            };
            for sample in entry.edit.samples() {
                match (samples.row_of(&sample.id, &sample.hash), mark) {
                    (Some(row), mark) => rows[row as usize] = mark,
                    (None, Some(_)) => {
                        lost.insert(sample);
                    }
                    (None, None) => {
                        lost.remove(sample);
                    }
                }
            }
        }
        let with = |wanted: Mark| (0..).zip(&rows).filter(move |(_, mark)| **mark == Some(wanted)).map(|(row, _)| row);
        let mut marks = Self {
            pinned: with(Mark::Pinned).collect(),
            excluded: with(Mark::Excluded).collect(),
            lost: lost.len(),
            fingerprint: String::new(),
        };
        marks.fingerprint = marks.sha256(samples);
        marks
    }

    fn sha256(&self, samples: &Samples) -> String {
        let pinned = self.pinned.iter().map(|row| (*row, Mark::Pinned));
        let excluded = self.excluded.iter().map(|row| (*row, Mark::Excluded));
        let mut lines: Vec<(&str, String, Mark)> = pinned
            .chain(excluded)
            .map(|(row, mark)| (samples.ids[row as usize].as_str(), samples.hash_hex(row as usize), mark))
            .collect();
        lines.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut text: String = lines.iter().map(|(id, hash, mark)| format!("{id:?} {hash:?} {mark:?}\n")).collect();
        if self.lost > 0 {
            text.push_str(&format!("and {} that are not in the pool\n", self.lost));
        }
        sha256_hex(text.as_bytes())
    }
}

fn tags_and_hidden(journal: &Journal, samples: &Samples) -> (Vec<TagView>, Vec<u32>) {
    let mut tags: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let mut hidden = BTreeSet::new();
    for entry in journal.in_force() {
        let rows = entry.edit.samples().iter().filter_map(|sample| samples.row_of(&sample.id, &sample.hash));
        match &entry.edit {
            JournalEdit::Tag { tag, .. } => tags.entry(tag).or_default().extend(rows),
            JournalEdit::Untag { tag, .. } => {
                let tagged = tags.entry(tag).or_default();
                rows.for_each(|row| {
                    tagged.remove(&row);
                });
            }
            JournalEdit::Hide { .. } => hidden.extend(rows),
            JournalEdit::Show { .. } => rows.for_each(|row| {
                hidden.remove(&row);
            }),
            _ => {}
        }
    }
    let tags = tags
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(tag, rows)| TagView { tag: tag.to_owned(), rows: rows.into_iter().collect() });
    (tags.collect(), hidden.into_iter().collect())
}
