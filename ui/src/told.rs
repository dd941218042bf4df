//! What an edit did, as one short message with Undo; edits within a moment share theirs.

use paser_protocol::{CurationView, EditKind, Request};

use crate::{
    format,
    state::{AppState, For},
};

/// Seconds within which edits share a message.
const MOMENT: f64 = 1.5;

/// What a message says of an edit.
#[derive(Clone, Debug, PartialEq)]
pub enum Did {
    /// So many samples were pinned.
    Samples(u64, String),
    Cluster(String),
    /// Told with all quotas, where they move.
    Quota(String),
    /// An edit was taken back, or made again.
    Turned(String),
}

/// The newest message, while further edits may join it.
pub struct Telling {
    parts: Vec<Did>,
    entries: Vec<u64>,
    at: f64,
}

fn sentence(parts: &[Did]) -> String {
    let words: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Did::Samples(1, done) => format!("1 sample {done}"),
            Did::Samples(count, done) => format!("{} samples {done}", format::count(*count)),
            Did::Cluster(words) | Did::Quota(words) | Did::Turned(words) => words.clone(),
        })
        .collect();
    words.join("; ")
}

impl AppState {
    /// An edit in the words of its message.
    pub(crate) fn did(&self, what: &EditKind) -> Did {
        let samples = |rows: &[u32], done: &str| Did::Samples(rows.len() as u64, done.to_owned());
        let name = |id: &u32| self.cluster(*id).map_or_else(String::new, |cluster| format!("\"{}\"", cluster.name));
        let words = match what {
            EditKind::Pin { rows } => return samples(rows, "pinned"),
            EditKind::Exclude { rows } => return samples(rows, "excluded"),
            EditKind::Release { rows } => return samples(rows, "released"),
            EditKind::Tag { rows, tag } => return samples(rows, &format!("tagged {tag}")),
            EditKind::Untag { rows, tag } => return samples(rows, &format!("without the tag {tag}")),
            EditKind::Hide { rows } => return samples(rows, "hidden"),
            EditKind::Show { rows } => return samples(rows, "shown again"),
            EditKind::RenameCluster { cluster, name: to } if to.trim().is_empty() => {
                format!("{} named after its concepts again", name(cluster))
            }
            EditKind::RenameCluster { cluster, name: to } => format!("{} renamed to \"{}\"", name(cluster), to.trim()),
            EditKind::MergeClusters { clusters } => format!("{} clusters merged", clusters.len()),
            EditKind::SplitCluster { cluster, parts } => format!("{} split into {parts} parts", name(cluster)),
            EditKind::SetQuota { cluster, quota: None, .. } => {
                return Did::Quota(format!("Quota of {} follows from the budget again", name(cluster)));
            }
            EditKind::SetQuota { cluster, quota: Some(quota), unit } => {
                let quota = format::count(*quota);
                return Did::Quota(format!("Quota of {} set to {quota} {}", name(cluster), unit.name()));
            }
            EditKind::SetEmphasis { cluster, factor } => {
                return Did::Quota(format!("Emphasis of {} set to {}", name(cluster), format::decimal(*factor, 2)));
            }
        };
        Did::Cluster(words)
    }

    /// An edit is on disk: `curation` is what it left.
    pub(crate) fn edit_written(&mut self, did: Option<Did>, curation: &CurationView) {
        // Only the newest line is this edit's.
        let entry = curation.undo.as_ref().map(|edit| edit.entry).filter(|entry| *entry == curation.entries);
        match (did, &mut self.build.moving) {
            (None, _) => {}
            (Some(did @ Did::Quota(_)), Some(moving)) => moving.written = Some((did, entry)),
            (Some(did @ Did::Turned(_)), _) => {
                self.toasts.forget_undo();
                self.telling = None;
                let now = self.now;
                self.toasts.say(now, sentence(&[did]), "");
            }
            (Some(did), _) => self.tell(did, entry),
        }
    }

    /// Another plan: which quotas an edit has moved can no longer be told, only that it was made.
    pub(crate) fn tell_without_quotas(&mut self) {
        if let Some((did, entry)) = self.build.moving.take().and_then(|moving| moving.written) {
            self.tell(did, entry);
        }
    }

    fn tell(&mut self, did: Did, entry: Option<u64>) {
        let now = self.now;
        let before = self.telling.take().filter(|telling| now - telling.at < MOMENT && self.toasts.newest_has_undo());
        let joins = before.is_some();
        let mut telling = before.unwrap_or(Telling { parts: Vec::new(), entries: Vec::new(), at: now });
        match (telling.parts.last_mut(), &did) {
            (Some(Did::Samples(count, done)), Did::Samples(more, now_done)) if done == now_done => *count += more,
            _ => telling.parts.push(did),
        }
        telling.entries.extend(entry);
        telling.at = now;
        if joins {
            self.toasts.take_newest_back();
        }
        self.toasts.say(now, sentence(&telling.parts), "");
        self.toasts.give_undo(&telling.entries);
        self.telling = Some(telling);
    }

    /// Undo was pressed in a message: its edits go, the newest first.
    pub(crate) fn take_back(&mut self, entries: &[u64], what: &str) {
        self.history.samples_change();
        for (place, entry) in entries.iter().enumerate().rev() {
            let did = (place == 0).then(|| Did::Turned(format!("Taken back: {what}")));
            self.ask_curation(Request::Revert { entry: *entry }, did);
        }
    }

    /// Asks for an edit of samples, or for one to be taken back or brought back.
    pub fn ask_curation(&mut self, request: Request, did: Option<Did>) {
        self.edits_waiting += 1;
        self.ask(request, For::Curate(did));
    }
}
