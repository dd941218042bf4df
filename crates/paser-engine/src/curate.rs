//! A person's edits: one journal line each, on disk before they count; and the journal as a face shows it.

use std::{collections::BTreeSet, ops::RangeInclusive};

use paser_project::{Entry, Journal, JournalEdit, Marked, NamedCluster, ProjectError};
use paser_protocol::{Edit, EditKind, EditSource, EntryState, JournalEntryView, cluster_name, tag_name};

use crate::{
    loaded::Samples,
    session::{Loaded, Session, lock},
    trouble::{Outcome, Told, usage},
};

/// Parts into which a cluster may be split.
const PARTS: RangeInclusive<u32> = 2..=12;

impl Session {
    /// Makes an edit.
    ///
    /// # Errors
    /// Rows beyond the pool, or none; pins of samples that are held out for evaluation; a tag or name that is none;
    /// clusters that are not there, or cannot be edited so; a journal that cannot be written.
    pub fn curate(&self, edit: &Edit) -> Outcome<Entry> {
        let entry = self.journal_edit(&edit.what)?;
        self.journal_line(|journal| journal.append(entry, edit.reason.trim(), edit.source.clone()))
    }

    /// An edit in the words of the journal.
    fn journal_edit(&self, what: &EditKind) -> Outcome<JournalEdit> {
        let loaded = self.loaded();
        let samples = self.samples()?;
        let samples = &*samples;
        let named = |cluster: u32| named(&loaded, cluster);
        let tagged = |tag: &str| tag_name(tag).map_err(|why| usage(why, "Name another one."));
        let edit = match what {
            EditKind::Pin { rows } => {
                if let Some(row) = rows.iter().find(|row| samples.held_out.get(**row as usize) == Some(&true)) {
                    return Err(usage(
                        format!("Sample {} is held out for evaluation.", samples.ids[*row as usize]),
                        "It cannot be pinned; change `pool.holdout` if it should be trained on.",
                    ));
                }
                JournalEdit::Pin { samples: marked(samples, rows)? }
            }
            EditKind::Exclude { rows } => JournalEdit::Exclude { samples: marked(samples, rows)? },
            EditKind::Release { rows } => JournalEdit::Release { samples: marked(samples, rows)? },
            EditKind::Tag { rows, tag } => JournalEdit::Tag { samples: marked(samples, rows)?, tag: tagged(tag)? },
            EditKind::Untag { rows, tag } => JournalEdit::Untag { samples: marked(samples, rows)?, tag: tagged(tag)? },
            EditKind::Hide { rows } => JournalEdit::Hide { samples: marked(samples, rows)? },
            EditKind::Show { rows } => JournalEdit::Show { samples: marked(samples, rows)? },
            EditKind::RenameCluster { cluster, name } => {
                let back = name.trim().is_empty();
                let to = if back { Ok(String::new()) } else { cluster_name(name) };
                let to = to.map_err(|why| usage(why, "Give another one."))?;
                let made = || loaded.clusters()?.made_names.as_ref()?.get(*cluster as usize);
                let called = if back { made() } else { Some(&to) };
                let mut others = loaded.names().unwrap_or_default().iter().enumerate();
                if others.any(|(at, other)| Some(other) == called && at != *cluster as usize) {
                    return Err(usage(
                        format!("Another cluster is called {} already.", called.unwrap_or(&to)),
                        "Give another name.",
                    ));
                }
                JournalEdit::RenameCluster { cluster: named(*cluster)?, to }
            }
            EditKind::MergeClusters { clusters } => {
                let clusters: BTreeSet<u32> = clusters.iter().copied().collect();
                if clusters.len() < 2 {
                    return Err(usage("A merge needs two clusters or more.", "Name another one."));
                }
                JournalEdit::MergeClusters { clusters: clusters.into_iter().map(named).collect::<Outcome<_>>()? }
            }
            EditKind::SplitCluster { cluster, parts } => {
                if !PARTS.contains(parts) {
                    let (least, most) = (PARTS.start(), PARTS.end());
                    return Err(usage(format!("A cluster is split into {least} to {most} parts."), ""));
                }
                JournalEdit::SplitCluster { cluster: named(*cluster)?, parts: *parts }
            }
            EditKind::SetQuota { cluster, quota, unit } => {
                JournalEdit::SetQuota { cluster: named(*cluster)?, quota: *quota, unit: *unit }
            }
            EditKind::SetEmphasis { cluster, factor } => {
                if !(0.0..=100.0).contains(factor) {
                    return Err(usage(format!("An emphasis is a factor from 0 to 100, not {factor}."), ""));
                }
                JournalEdit::SetEmphasis { cluster: named(*cluster)?, factor: *factor }
            }
        };
        if !edit.clusters().is_empty()
            && let Some(why) = self.trial(&loaded, &edit)
        {
            return Err(usage(format!("The {} is not possible: {why}.", edit.words()), ""));
        }
        Ok(edit)
    }

    /// Takes back the newest edit in force.
    ///
    /// # Errors
    /// There is none; a journal that cannot be written.
    pub fn undo(&self) -> Outcome<Entry> {
        self.journal_line(Journal::undo)
    }

    /// Brings back the edit taken back last.
    ///
    /// # Errors
    /// There is none; a journal that cannot be written.
    pub fn redo(&self) -> Outcome<Entry> {
        self.journal_line(Journal::redo)
    }

    /// Takes back one edit, wherever it stands: see [`Journal`].
    ///
    /// # Errors
    /// No edit in force has that number; a journal that cannot be written.
    pub fn revert(&self, entry: u64) -> Outcome<Entry> {
        self.journal_line(|journal| journal.revert(entry))
    }

    fn journal_line(&self, write: impl FnOnce(&mut Journal) -> Result<&Entry, ProjectError>) -> Outcome<Entry> {
        let entry = write(&mut lock(&self.journal)).map_err(Told::told)?.clone();
        self.touch();
        Ok(entry)
    }

    /// Every line of the journal, oldest first.
    pub fn journal(&self) -> Vec<JournalEntryView> {
        let loaded = self.loaded();
        let journal = lock(&self.journal);
        journal.entries().iter().map(|entry| entry_view(entry, &journal, &loaded)).collect()
    }

    /// Ids of these rows.
    ///
    /// # Errors
    /// Before the import; the first row that the pool does not have.
    pub fn ids_of(&self, rows: &[u32]) -> Outcome<Vec<String>> {
        let samples = self.samples()?;
        rows.iter()
            .map(|row| {
                let id = samples.ids.get(*row as usize);
                id.cloned().ok_or_else(|| usage(format!("The pool has no row {row}."), ""))
            })
            .collect()
    }

    /// Rows of these ids.
    ///
    /// # Errors
    /// The first id that the pool does not have.
    pub fn rows_of_ids(&self, ids: &[String]) -> Outcome<Vec<u32>> {
        let samples = self.samples()?;
        ids.iter()
            .map(|id| {
                samples.row_of_id(id).ok_or_else(|| {
                    usage(format!("The pool has no sample with the id {id}."), "Ids are the file's own, or line:N.")
                })
            })
            .collect()
    }
}

/// Rows as the journal names them, each once.
fn marked(samples: &Samples, rows: &[u32]) -> Outcome<Vec<Marked>> {
    if rows.is_empty() {
        return Err(usage("No sample is named.", "Give at least one."));
    }
    let mut seen = BTreeSet::new();
    rows.iter()
        .filter(|row| seen.insert(**row))
        .map(|&row| {
            let at = row as usize;
            let id = samples.ids.get(at).ok_or_else(|| usage(format!("The pool has no row {row}."), ""))?;
            Ok(Marked { id: id.clone(), hash: samples.hash_hex(at) })
        })
        .collect()
}

/// A cluster as the journal names it.
fn named(loaded: &Loaded, cluster: u32) -> Outcome<NamedCluster> {
    let (Some(samples), Some(manifold), Some(clusters)) = (&loaded.samples, &loaded.manifold, loaded.clusters()) else {
        return Err(usage("The pool has to be clustered first.", "Run the project."));
    };
    clusters.named(cluster, manifold, samples).ok_or_else(|| {
        usage(format!("There is no cluster {cluster}."), format!("Clusters go from 0 to {}.", clusters.count() - 1))
    })
}

fn entry_view(entry: &Entry, journal: &Journal, loaded: &Loaded) -> JournalEntryView {
    let state = journal.state_of(entry);
    let named = entry.edit.samples();
    let samples = loaded.samples.as_deref();
    let row = |sample: &Marked| samples.and_then(|samples| samples.row_of(&sample.id, &sample.hash));
    let rows: Vec<u32> = named.iter().filter_map(row).collect();
    // Before an import nothing is known of any sample.
    let gone = samples.is_some() && !named.is_empty() && rows.is_empty();
    let outcome = loaded.clusters().and_then(|clusters| clusters.outcomes.get(&entry.entry)).cloned();
    let (clusters, unfit) = match outcome.unwrap_or_else(|| Ok(Vec::new())) {
        Ok(clusters) => (clusters, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let trouble = if gone { Some("none of its samples is in the pool now".to_owned()) } else { unfit };
    JournalEntryView {
        entry: entry.entry,
        time: entry.time,
        what: journal.words_of(entry),
        reason: entry.reason.clone(),
        from: entry.source.as_ref().map(EditSource::words).unwrap_or_default(),
        source: entry.source.clone(),
        state,
        of: entry.edit.of(),
        samples: named.len() as u64,
        lost: (named.len() - rows.len()) as u64,
        trouble: trouble.filter(|_| state == EntryState::InForce),
        rows,
        clusters,
    }
}
