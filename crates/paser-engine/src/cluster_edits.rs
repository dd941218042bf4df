//! The clusters in force: the manifold's own, as a person renamed, merged and split them. The manifold's artefact stays
//! as it is; what stands here follows from it and from the journal alone, so that undo restores it exactly.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use paser_manifold::{Rows, split_labels};
use paser_project::{Entry, JournalEdit, Marked, NamedCluster, sha256_hex};
use paser_protocol::{Silent, Unit, encode_u32};
use paser_select::cluster_names;

use crate::{
    loaded::{ManifoldData, Samples},
    session::{Loaded, lock},
    trouble::Told,
};

/// Samples by which a cluster is found in another manifold.
const ANCHORS: usize = 32;
/// Fewer of them than this in the pool say nothing.
const FEWEST_ANCHORS: usize = 4;
/// Seed of every split.
const SPLIT_SEED: u64 = 0;
/// Splits kept in memory, so that undo and redo cost nothing.
const KEPT_SPLITS: usize = 32;

/// The clusters in force, numbered densely in the order of their colours.
#[derive(Debug, Default)]
pub(crate) struct Clusters {
    /// SHA-256 of the labels that edits made of the manifold's; empty where they are as the manifold made them. What a
    /// selection depends on.
    pub edits: String,
    /// The same of labels, colours and names given: what a face shows.
    pub shown: String,
    /// `[n]`
    pub labels: Vec<u32>,
    /// Lasting ids: see [`NamedCluster::id`].
    ids: Vec<String>,
    pub colours: Vec<u32>,
    /// Names by concepts; none before the concepts are found.
    pub made_names: Option<Vec<String>>,
    /// The same under the names that a person gave.
    pub names: Option<Vec<String>>,
    /// Quotas set by hand, and the factors of the weights; 1 is none.
    pub quotas: Vec<Option<(u64, Unit)>>,
    pub emphasis: Vec<f64>,
    /// Of every edit of clusters in force: their numbers now, or why it does not apply.
    pub outcomes: BTreeMap<u64, Result<Vec<u32>, String>>,
}

impl Clusters {
    pub(crate) fn count(&self) -> usize {
        self.ids.len()
    }

    /// A cluster as the journal names it.
    pub(crate) fn named(&self, cluster: u32, manifold: &ManifoldData, samples: &Samples) -> Option<NamedCluster> {
        let at = cluster as usize;
        let member = |row: &&u32| self.labels[**row as usize] == cluster;
        let anchor = |row: &u32| {
            let at = *row as usize;
            Marked { id: samples.ids[at].clone(), hash: samples.hash_hex(at) }
        };
        Some(NamedCluster {
            id: self.ids.get(at)?.clone(),
            name: self.names.as_ref().map(|names| names[at].clone()).unwrap_or_default(),
            manifold: manifold.key.clone(),
            anchors: samples.order.iter().filter(member).take(ANCHORS).map(anchor).collect(),
        })
    }
}

/// Labels of splits that were computed, by what they follow from.
#[derive(Default)]
pub(crate) struct SplitCache(VecDeque<(String, Arc<[u32]>)>);

/// Makes the clusters in force from those of the manifold.
///
/// `entries`: the edits of clusters in force, oldest first. None before the pool is clustered.
pub(crate) fn clusters_of(loaded: &Loaded, entries: &[Entry], splits: &Mutex<SplitCache>) -> Option<Clusters> {
    let (samples, manifold) = (loaded.samples.as_deref()?, loaded.manifold.as_deref()?);
    let mut bench = Workbench::new(samples, manifold, splits);
    for entry in entries {
        let outcome = bench.apply(entry);
        bench.outcomes.insert(entry.entry, outcome);
    }
    Some(bench.finish(loaded))
}

/// A cluster while edits are applied. Its place in the list never changes.
struct Slot {
    id: String,
    colour: u32,
    /// Given by a person.
    name: Option<String>,
    /// Its samples are other ones than the manifold gave it.
    changed: bool,
    quota: Option<(u64, Unit)>,
    emphasis: f64,
    /// Where its samples went, once it was merged into another.
    joined: Option<usize>,
}

struct Workbench<'a> {
    samples: &'a Samples,
    manifold: &'a ManifoldData,
    splits: &'a Mutex<SplitCache>,
    slots: Vec<Slot>,
    /// `[n]`, places in `slots`.
    labels: Vec<u32>,
    /// Of every entry: the slots that it is about.
    outcomes: BTreeMap<u64, Result<Vec<usize>, String>>,
    /// Entries that mean nothing any more once their slot is merged into another.
    personal: BTreeSet<u64>,
}

impl<'a> Workbench<'a> {
    fn new(samples: &'a Samples, manifold: &'a ManifoldData, splits: &'a Mutex<SplitCache>) -> Self {
        let slot = |number: u32| Slot {
            id: number.to_string(),
            colour: number,
            name: None,
            changed: false,
            quota: None,
            emphasis: 1.0,
            joined: None,
        };
        Self {
            samples,
            manifold,
            splits,
            slots: (0..manifold.facts.count as u32).map(slot).collect(),
            labels: manifold.clusters.clone(),
            outcomes: BTreeMap::new(),
            personal: BTreeSet::new(),
        }
    }

    /// Where a slot's samples are now.
    fn home(&self, mut slot: usize) -> usize {
        while let Some(into) = self.slots[slot].joined {
            slot = into;
        }
        slot
    }

    /// The slot of a cluster that the journal names; or why there is none.
    fn find(&self, cluster: &NamedCluster) -> Result<usize, String> {
        if cluster.manifold == self.manifold.key {
            let found = self.slots.iter().position(|slot| slot.id == cluster.id);
            return found
                .map(|slot| self.home(slot))
                .ok_or_else(|| format!("\"{}\" is a part of a split that does not apply any more", cluster.name));
        }
        let row = |sample: &Marked| self.samples.row_of(&sample.id, &sample.hash);
        let rows: Vec<u32> = cluster.anchors.iter().filter_map(row).collect();
        if rows.len() < FEWEST_ANCHORS {
            return Err(format!(
                "of the samples by which \"{}\" is known only {} are in the pool now",
                cluster.name,
                rows.len()
            ));
        }
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for row in &rows {
            *counts.entry(self.labels[*row as usize]).or_default() += 1;
        }
        let held = counts.into_iter().find(|(_, count)| count * 5 >= rows.len() * 4);
        held.map(|(slot, _)| slot as usize).ok_or_else(|| {
            format!("the pool was clustered anew, and no cluster holds four fifths of \"{}\"", cluster.name)
        })
    }

    fn apply(&mut self, entry: &Entry) -> Result<Vec<usize>, String> {
        match &entry.edit {
            JournalEdit::RenameCluster { cluster, to } => {
                let slot = self.find(cluster)?;
                self.slots[slot].name = Some(to.clone()).filter(|name| !name.is_empty());
                self.personal.insert(entry.entry);
                Ok(vec![slot])
            }
            JournalEdit::MergeClusters { clusters } => {
                let mut slots = clusters.iter().map(|cluster| self.find(cluster)).collect::<Result<Vec<_>, _>>()?;
                slots.sort_unstable();
                slots.dedup();
                self.merge(&slots).map(|slot| vec![slot])
            }
            JournalEdit::SplitCluster { cluster, parts } => {
                let slot = self.find(cluster)?;
                self.split(slot, *parts, entry.entry)
            }
            JournalEdit::SetQuota { cluster, quota, unit } => {
                let slot = self.find(cluster)?;
                self.slots[slot].quota = quota.map(|quota| (quota, *unit));
                self.personal.insert(entry.entry);
                Ok(vec![slot])
            }
            JournalEdit::SetEmphasis { cluster, factor } => {
                let slot = self.find(cluster)?;
                self.slots[slot].emphasis = *factor;
                self.personal.insert(entry.entry);
                Ok(vec![slot])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Merges two or more different slots into the largest of them (of equal ones the first), which keeps what a person set
    /// for it.
    fn merge(&mut self, slots: &[usize]) -> Result<usize, String> {
        let size = |slot: usize| self.labels.iter().filter(|label| **label as usize == slot).count();
        let largest = slots.iter().copied().max_by_key(|slot| (size(*slot), std::cmp::Reverse(*slot)));
        let Some(into) = largest.filter(|_| slots.len() > 1) else {
            return Err("its clusters are one cluster now".to_owned());
        };
        for &slot in slots.iter().filter(|slot| **slot != into) {
            self.slots[slot].joined = Some(into);
        }
        for label in self.labels.iter_mut().filter(|label| slots.contains(&(**label as usize))) {
            *label = into as u32;
        }
        self.slots[into].changed = true;
        Ok(into)
    }

    /// The largest part stays in the slot, with its quota and emphasis; the others get slots of their own. A name given
    /// to the whole fits no part.
    fn split(&mut self, slot: usize, parts: u32, entry: u64) -> Result<Vec<usize>, String> {
        let order = self.samples.order.iter().copied();
        let members: Vec<u32> = order.filter(|row| self.labels[*row as usize] as usize == slot).collect();
        let found = self.parts_of(&members, parts)?;
        // Parts are numbered by size, so that empty ones come last.
        let count = found.iter().max().map_or(0, |part| part + 1);
        if count < 2 {
            return Err("all its samples lie at one place".to_owned());
        }
        let mut slots = vec![slot];
        for part in 1..count {
            slots.push(self.slots.len());
            self.slots.push(Slot {
                id: format!("{entry}.{}", part + 1),
                colour: self.slots.len() as u32,
                name: None,
                changed: true,
                quota: None,
                emphasis: 1.0,
                joined: None,
            });
        }
        for (row, part) in members.iter().zip(found.iter()) {
            self.labels[*row as usize] = slots[*part as usize] as u32;
        }
        self.slots[slot].changed = true;
        self.slots[slot].name = None;
        Ok(slots)
    }

    /// Part of every member, 0 the largest. `members` are in content-hash order.
    fn parts_of(&self, members: &[u32], parts: u32) -> Result<Arc<[u32]>, String> {
        let key = format!("{} {parts} {}", self.manifold.key, sha256_hex(&encode_u32(members)));
        if let Some((_, found)) = lock(self.splits).0.iter().find(|(known, _)| *known == key) {
            return Ok(found.clone());
        }
        let width = self.manifold.dimensions();
        let points: Vec<f32> = members
            .iter()
            .flat_map(|row| self.manifold.coordinates[*row as usize * width..][..width].iter().copied())
            .collect();
        let held_out: Vec<bool> = members.iter().map(|row| self.samples.held_out[*row as usize]).collect();
        let order: Vec<u32> = (0..members.len() as u32).collect();
        let rows = Rows { vectors: &points, dimensions: width, order: &order, held_out: &held_out };
        let found: Arc<[u32]> = split_labels(&rows, parts as usize, SPLIT_SEED, &Silent)
            .map_err(|error| format!("it cannot be split: {}", error.told().what))?
            .into();
        let mut kept = lock(self.splits);
        kept.0.push_back((key, found.clone()));
        while kept.0.len() > KEPT_SPLITS {
            kept.0.pop_front();
        }
        Ok(found)
    }

    fn finish(mut self, loaded: &Loaded) -> Clusters {
        let mut alive: Vec<usize> = (0..self.slots.len()).filter(|slot| self.slots[*slot].joined.is_none()).collect();
        alive.sort_by_key(|slot| self.slots[*slot].colour);
        let mut number = vec![0_u32; self.slots.len()];
        for (dense, slot) in (0..).zip(&alive) {
            number[*slot] = dense;
        }
        for label in &mut self.labels {
            *label = number[*label as usize];
        }
        let slots: Vec<&Slot> = alive.iter().map(|slot| &self.slots[*slot]).collect();
        let made_names = made_names(&slots, &self.labels, loaded);
        let names = made_names.as_ref().map(|made| {
            slots.iter().zip(made).map(|(slot, made)| slot.name.clone().unwrap_or_else(|| made.clone())).collect()
        });
        let outcomes = self.outcomes.iter().map(|(entry, outcome)| {
            let now = match outcome {
                Ok(slots) if self.personal.contains(entry) && slots.iter().any(|slot| self.home(*slot) != *slot) => {
                    Err("its cluster was merged into another".to_owned())
                }
                Ok(slots) => Ok(slots.iter().map(|slot| number[self.home(*slot)]).collect()),
                Err(why) => Err(why.clone()),
            };
            (*entry, now)
        });
        Clusters {
            edits: edits_key(&slots, &self.labels),
            shown: shown_key(&slots, &self.labels),
            ids: slots.iter().map(|slot| slot.id.clone()).collect(),
            colours: slots.iter().map(|slot| slot.colour).collect(),
            made_names,
            names,
            quotas: slots.iter().map(|slot| slot.quota).collect(),
            emphasis: slots.iter().map(|slot| slot.emphasis).collect(),
            outcomes: outcomes.collect(),
            labels: self.labels,
        }
    }
}

/// Names by concepts: clusters that are as the manifold made them keep the names that they had there.
fn made_names(slots: &[&Slot], labels: &[u32], loaded: &Loaded) -> Option<Vec<String>> {
    let (samples, concepts) = (loaded.samples.as_ref()?, loaded.concepts.as_ref()?);
    let untouched = loaded.base_names.as_ref()?;
    if slots.iter().all(|slot| !slot.changed) {
        return Some(untouched.to_vec());
    }
    let table = &concepts.table;
    let anew = cluster_names(labels, slots.len(), &table.samples, &table.names, &samples.held_out);
    let mut names: Vec<String> = Vec::with_capacity(slots.len());
    let kept = |slot: &Slot| (!slot.changed).then(|| untouched[slot.colour as usize].clone());
    for (number, (slot, anew)) in slots.iter().zip(anew).enumerate() {
        let taken = |name: &String| names.contains(name) || slots.iter().any(|slot| kept(slot).as_ref() == Some(name));
        names.push(match kept(slot) {
            Some(name) => name,
            None if taken(&anew) => format!("{anew} ({})", number + 1),
            None => anew,
        });
    }
    Some(names)
}

/// Names what belongs where after the edits, so that what follows from it has another key.
fn edits_key(slots: &[&Slot], labels: &[u32]) -> String {
    if slots.iter().all(|slot| !slot.changed) { String::new() } else { sha256_hex(&encode_u32(labels)) }
}

/// Names what the clusters look like after the edits.
fn shown_key(slots: &[&Slot], labels: &[u32]) -> String {
    if slots.iter().all(|slot| !slot.changed && slot.name.is_none()) {
        return String::new();
    }
    let lines: String = slots.iter().map(|slot| format!("{} {:?}\n", slot.colour, slot.name)).collect();
    sha256_hex(&[lines.as_bytes(), &encode_u32(labels)].concat())
}
