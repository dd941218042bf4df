//! The ledger unfolded: one line per cluster from damage to what was taken, a line of sums, and why the rest was not.

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{LedgerRow, SelectionView, ShortfallReason};

use super::cluster_menu;
use crate::{
    format,
    glossary::Place,
    picture::View,
    state::{AppState, Brush},
    widgets::{Words, column, explain, look, row_right},
};

const ROW: f32 = 20.0;
const HEAD: f32 = 22.0;

/// Head, rows, sums and the reasons; at most 45 % of what is there.
pub fn height(state: &AppState, room: f32) -> f32 {
    let rows = state.build.selection.as_ref().map_or(1, |selection| selection.ledger.len() + 1);
    (HEAD + ROW * rows as f32 + 30.0).min(room * 0.45)
}

type Cell = fn(&LedgerRow) -> String;

/// Head, width, and how a cell reads. The first column, the cluster, takes the rest.
const COLUMNS: [(&str, f32, Cell); 14] = [
    ("samples", 66.0, |row| format::count(row.samples)),
    ("damage, nats", 80.0, |row| row.cds.map(format::nats).unwrap_or_default()),
    ("raw quota", 76.0, |row| row.quota_raw.map(|raw| format::decimal(raw, 1)).unwrap_or_default()),
    ("cap", 70.0, |row| format::count(row.cap)),
    ("quota", 70.0, |row| format::count(row.quota)),
    ("pinned", 58.0, |row| format::count(row.pinned)),
    ("taken", 66.0, |row| format::count(row.taken)),
    ("refilled", 66.0, |row| format::count(row.refilled)),
    ("short", 56.0, |row| format::count(row.shortfall)),
    ("rejected", 66.0, |row| format::count(row.rejected)),
    ("excluded", 66.0, |row| format::count(row.excluded)),
    ("guarded", 66.0, |row| format::count(row.guarded)),
    ("unscorable", 76.0, |row| format::count(row.unscorable)),
    ("ruled out", 66.0, |row| format::count(row.ruled_out)),
];

/// The heads, in their order.
pub const HEADS: [&str; COLUMNS.len()] = {
    let mut heads = [""; COLUMNS.len()];
    let mut at = 0;
    while at < heads.len() {
        heads[at] = COLUMNS[at].0;
        at += 1;
    }
    heads
};

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    ui.painter().hline(rect.x_range(), rect.top() + 0.5, Stroke::new(1.0, look.line));
    state.note(View::Ledger.place(), rect);
    let Some(selection) = state.build.selection.clone() else {
        Words::new(ui).t3("There is no selection yet.").at(ui, rect.center(), Align2::CENTER_CENTER, 300.0);
        return;
    };
    let head = Rect::from_min_size(rect.min, Vec2::new(rect.width(), HEAD));
    ui.painter().rect_filled(head, 0.0, look.raised);
    let provisional = if state.build.provisional.is_some() { ", of the last rest" } else { "" };
    let first = format!("cluster, in {}{provisional}", selection.unit);
    line(ui, head, &first, &COLUMNS.map(|(name, ..)| name.to_owned()), true, false);
    let foot = 26.0;
    let body = Rect::from_min_max(pos2(rect.left(), head.bottom()), pos2(rect.right(), rect.bottom() - foot));
    let pointed = state.pointed_cluster();
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("ledger").auto_shrink(false).show(ui, |ui| {
            for row in sorted(&selection) {
                let (place, response) = ui.allocate_exact_size(Vec2::new(rect.width(), ROW), Sense::click());
                let on = matches!(state.focus.brush(), Brush::Clusters(brushed) if brushed.contains(&row.cluster));
                let cells = COLUMNS.map(|(_, _, cell)| cell(row));
                let spoken =
                    format!("{}: quota {}, taken {}", row.name, row.quota, row.pinned + row.taken + row.refilled);
                response.widget_info(|| WidgetInfo::selected(Role::Row, true, on, &spoken));
                if on {
                    ui.painter().rect_filled(place, 0.0, look.overlay);
                } else if response.hovered() || pointed == Some(row.cluster) {
                    ui.painter().rect_filled(place, 0.0, look.raised);
                }
                if response.hovered() {
                    state.focus.next_hovered_cluster = Some(row.cluster);
                }
                let by_hand = state.cluster(row.cluster).and_then(cluster_menu::by_hand);
                let name = by_hand.map_or_else(|| name(row), |words| format!("{} ({words})", name(row)));
                line(ui, place, &name, &cells, false, false);
                if let Some(colour) = state.cluster(row.cluster).map(|cluster| look.cluster(cluster.colour)) {
                    let square = Rect::from_center_size(pos2(place.left() + 16.5, place.center().y), Vec2::splat(9.0));
                    ui.painter().rect_filled(square, 2.0, colour);
                }
                super::click_cluster(ui, &response, state, row.cluster);
            }
            let (place, _) = ui.allocate_exact_size(Vec2::new(rect.width(), ROW), Sense::hover());
            line(ui, place, "all", &sums(&selection), false, true);
        });
    });
    let foot = Rect::from_min_max(pos2(rect.left(), rect.bottom() - foot), rect.max);
    let button = Rect::from_min_max(pos2(foot.right() - 34.0, foot.top()), pos2(foot.right() - 8.0, foot.bottom()));
    row_right(ui, button, 0.0, |ui| super::save_menu::button(ui, state, View::Ledger));
    reasons(ui, foot.with_max_x(button.left()), &selection);
}

/// In the order of the damage panel: worst first.
pub(crate) fn sorted(selection: &SelectionView) -> Vec<&LedgerRow> {
    let mut rows: Vec<&LedgerRow> = selection.ledger.iter().collect();
    rows.sort_by(|a, b| b.cds.unwrap_or(-1.0).total_cmp(&a.cds.unwrap_or(-1.0)).then(a.cluster.cmp(&b.cluster)));
    rows
}

/// The cluster's name, and what the ledger has to say about it.
fn name(row: &LedgerRow) -> String {
    let why = match row.shortfall_reason {
        Some(ShortfallReason::NoConsistentCandidate) => " (no consistent candidate left)",
        Some(ShortfallReason::NextSampleTooLong) => " (next sample too long)",
        None if row.exhausted => " (taken whole)",
        None => "",
    };
    format!("{}{why}", row.name)
}

fn sums(selection: &SelectionView) -> [String; COLUMNS.len()] {
    let mut sum = LedgerRow {
        cluster: 0,
        name: String::new(),
        samples: 0,
        cds: None,
        cds_low: None,
        cds_high: None,
        cds_rest: None,
        quota_raw: None,
        cap: 0,
        quota: 0,
        pinned: 0,
        taken: 0,
        refilled: 0,
        shortfall: 0,
        shortfall_reason: None,
        exhausted: false,
        by_hand: false,
        rejected: 0,
        excluded: 0,
        guarded: 0,
        unscorable: 0,
        ruled_out: 0,
        tokens: 0,
    };
    for row in &selection.ledger {
        sum.samples += row.samples;
        sum.cap += row.cap;
        sum.quota += row.quota;
        sum.pinned += row.pinned;
        sum.taken += row.taken;
        sum.refilled += row.refilled;
        sum.shortfall += row.shortfall;
        sum.rejected += row.rejected;
        sum.excluded += row.excluded;
        sum.guarded += row.guarded;
        sum.unscorable += row.unscorable;
        sum.ruled_out += row.ruled_out;
        if let Some(raw) = row.quota_raw {
            sum.quota_raw = Some(sum.quota_raw.unwrap_or(0.0) + raw);
        }
    }
    COLUMNS.map(|(_, _, cell)| cell(&sum))
}

fn line(ui: &mut Ui, rect: Rect, first: &str, cells: &[String; COLUMNS.len()], head: bool, strong: bool) {
    let look = look(ui);
    if !head {
        ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    }
    let middle = rect.center().y;
    let mut right = rect.right() - 12.0;
    for ((_, width, _), text) in COLUMNS.iter().zip(cells).rev() {
        let words = Words::of(look);
        let words = match (head, strong, text.as_str()) {
            (true, ..) => words.small(text),
            (_, _, "0") => words.num3(text),
            (_, true, _) => words.num(text),
            _ => words.num2(text),
        };
        if head {
            let said = words.at(ui, pos2(right, middle), Align2::RIGHT_CENTER, *width);
            explain(said, Place::Ledger, text);
        } else {
            words.paint(ui, pos2(right, middle), Align2::RIGHT_CENTER, *width);
        }
        right -= width;
        if right < rect.left() + 240.0 {
            break;
        }
    }
    let words = Words::of(look);
    let words = match (head, strong) {
        (true, _) => words.small(first),
        (_, true) => words.strong(first),
        _ => words.t(first),
    };
    let left = rect.left() + if head || strong { 12.0 } else { 28.0 };
    words.paint(ui, pos2(left, middle), Align2::LEFT_CENTER, right - left);
}

/// How many rows carry each reason, and the sentences that must stand beside the numbers.
fn reasons(ui: &mut Ui, rect: Rect, selection: &SelectionView) {
    let mut words = Words::new(ui).small("samples by reason:  ");
    for (word, count) in selection.reasons.iter().filter(|(_, count)| *count > 0) {
        words = words.small(format!("{word} ")).num2(format::count(*count)).small("   ");
    }
    if let Some(rate) = selection.acceptance_rate {
        words = words.small("accepted by the concept graph ").num2(format::percent(rate)).small("   ");
    }
    words = words.small("above the fence ").num2(format::percent(selection.above_fence)).small("   ");
    for note in &selection.notes {
        words = words.small(format!("{note}   "));
    }
    let whole = words.text();
    let said = words.at(ui, pos2(rect.left() + 12.0, rect.center().y), Align2::LEFT_CENTER, rect.width() - 24.0);
    said.on_hover_text(whole);
}
