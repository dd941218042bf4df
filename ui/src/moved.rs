//! What an edit of a quota or an emphasis did to the quotas of all clusters: told when the selection was made anew.

use paser_protocol::{EditKind, LedgerRow};

use crate::{format, state::AppState, told::Did};

/// Clusters named in a message; the others are counted.
const NAMED: usize = 8;

/// Quotas before an edit that is on its way.
pub struct Moving {
    cluster: u32,
    ledger: Vec<LedgerRow>,
    /// Number of the newest request for a selection then: only later answers know of the edit.
    since: u64,
    /// The edit and its entry in the journal, once it is written.
    pub(crate) written: Option<(Did, Option<u64>)>,
}

impl AppState {
    /// Keeps the quotas of now where the edit is one of quotas.
    pub(crate) fn quotas_will_move(&mut self, kind: &EditKind) {
        let (EditKind::SetQuota { cluster, .. } | EditKind::SetEmphasis { cluster, .. }) = kind else { return };
        let Some(selection) = &self.build.selection else { return };
        let ledger = selection.ledger.clone();
        self.build.moving = Some(Moving { cluster: *cluster, ledger, since: self.build.newest, written: None });
    }

    /// Tells what became of them, once.
    pub(crate) fn quotas_moved(&mut self, number: u64) {
        let Some(moving) = self.build.moving.take_if(|moving| number > moving.since) else { return };
        let Some(selection) = &self.build.selection else { return };
        // The next edit's message is another one.
        self.telling = None;
        let entry = moving.written.as_ref().and_then(|(_, entry)| *entry);
        let (now, changes) = (self.now, changes(&moving.ledger, &selection.ledger));
        if !changes.is_empty() {
            self.toasts.say(now, "Quotas before and now", changes);
            self.toasts.give_undo(entry.as_slice());
            return;
        }
        let Some(row) = selection.ledger.iter().find(|row| row.cluster == moving.cluster) else { return };
        let why = if row.quota >= row.cap {
            format!("{} is taken whole already: it has no sample more to give.", row.name)
        } else {
            format!("At this budget it moves less than one of the {} to or from {}.", selection.unit, row.name)
        };
        self.toasts.remark(now, "No quota changed", why);
        self.toasts.give_undo(entry.as_slice());
    }
}

/// `code: 311 to 420` on a line each; the largest change first.
fn changes(before: &[LedgerRow], after: &[LedgerRow]) -> String {
    let quota = |cluster: u32| before.iter().find(|row| row.cluster == cluster).map_or(0, |row| row.quota);
    let mut moved: Vec<(&LedgerRow, u64)> =
        after.iter().map(|row| (row, quota(row.cluster))).filter(|(row, before)| row.quota != *before).collect();
    moved.sort_by_key(|(row, before)| (std::cmp::Reverse(row.quota.abs_diff(*before)), row.cluster));
    let named = moved.iter().take(NAMED);
    let mut words: Vec<String> = named
        .map(|(row, before)| format!("{}: {} to {}", row.name, format::count(*before), format::count(row.quota)))
        .collect();
    if moved.len() > NAMED {
        words.push(format!("and {} more clusters, in the ledger", moved.len() - NAMED));
    }
    words.join("\n")
}
