//! What a person can do with the brushed clusters: rename, split, merge, set a quota or an emphasis by hand; the menu and
//! its small forms.

use egui::{Context, Id, Ui};
use paser_protocol::{ClusterView, Edit, EditKind, Unit};

use super::{
    export::{foot, line, paragraph, title},
    modal,
};
use crate::{
    command::Command,
    dialogs::{ClusterForm, Dialog, EditCluster},
    format,
    state::{AppState, Brush},
    theme::icons,
    widgets::{
        Words,
        field::{Field, menu_entry},
        segmented::{Face, segmented},
    },
};

/// Entries for a cluster under the pointer; for all that are brushed together where it is one of them.
pub fn of_bar(ui: &mut Ui, state: &mut AppState, cluster: &ClusterView) {
    let brushed: Vec<ClusterView> = match state.focus.brush() {
        Brush::Clusters(brushed) if brushed.len() > 1 && brushed.contains(&cluster.cluster) => {
            state.clusters().iter().filter(|other| brushed.contains(&other.cluster)).cloned().collect()
        }
        _ => vec![cluster.clone()],
    };
    show(ui, state, &brushed);
}

/// Entries for one cluster, or for several that are brushed together.
pub fn show(ui: &mut Ui, state: &mut AppState, brushed: &[ClusterView]) {
    ui.set_width(270.0);
    let ids: Vec<u32> = brushed.iter().map(|cluster| cluster.cluster).collect();
    let mut forms: Vec<(std::borrow::Cow<'_, str>, char, EditCluster, bool)> = Vec::new();
    if let [one] = brushed {
        let unit = state.build.plan.budget.unit();
        let quota = one.quota.map_or_else(String::new, |(quota, _)| quota.to_string());
        let unit = one.quota.map_or(unit, |(_, unit)| unit);
        let emphasis = format::decimal(one.emphasis, 2);
        let merge = "Merge... (first Ctrl+click another bar)";
        forms.extend([
            ("Rename...".into(), icons::PENCIL_SIMPLE, EditCluster::Rename { name: one.name.clone() }, true),
            ("Split...".into(), icons::ARROWS_SPLIT, EditCluster::Split { parts: 2 }, one.samples > 3),
            ("Set quota...".into(), icons::SCALES, EditCluster::Quota { quota, unit }, true),
            ("Set emphasis...".into(), icons::SLIDERS_HORIZONTAL, EditCluster::Emphasis { factor: emphasis }, true),
            (merge.into(), icons::ARROWS_MERGE, EditCluster::Merge, false),
        ]);
    } else {
        let merge = format!("Merge {} clusters...", brushed.len());
        forms.push((merge.into(), icons::ARROWS_MERGE, EditCluster::Merge, brushed.len() > 1));
    }
    for (text, icon, edit, enabled) in forms {
        let response = menu_entry(ui, &text, "", false, Some(icon), enabled);
        state.note(format!("cluster:{text}"), response.rect);
        if response.clicked() && enabled {
            let clusters = ids.clone();
            state.dialog = Some(Dialog::Cluster(ClusterForm { clusters, edit, reason: String::new() }));
            ui.close();
        }
    }
    let response = menu_entry(ui, "Tag or edit its samples...", "T", false, Some(icons::TAG), true);
    if response.clicked() {
        state.focus.set_brush(Brush::Clusters(ids.iter().copied().collect()));
        state.run(Command::EditSamples);
        ui.close();
    }
}

fn names(state: &AppState, clusters: &[u32]) -> Vec<String> {
    clusters.iter().filter_map(|id| state.cluster(*id)).map(|cluster| cluster.name.clone()).collect()
}

/// The form of one of these edits.
pub fn form(ctx: &Context, state: &mut AppState, mut form: ClusterForm) -> Option<Dialog> {
    let names = names(state, &form.clusters);
    let first = names.first().cloned().unwrap_or_default();
    let (heading, button) = match &form.edit {
        EditCluster::Rename { .. } => (format!("Rename {first}"), "Rename"),
        EditCluster::Split { .. } => (format!("Split {first}"), "Split"),
        EditCluster::Merge => (format!("Merge {} clusters", form.clusters.len()), "Merge"),
        EditCluster::Quota { .. } => (format!("Quota of {first}"), "Set"),
        EditCluster::Emphasis { .. } => (format!("Emphasis of {first}"), "Set"),
    };
    let mut what = None;
    let quota_now = form.clusters.first().and_then(|id| {
        let ledger = &state.build.selection.as_ref()?.ledger;
        ledger.iter().find(|row| row.cluster == *id).map(|row| (row.quota, row.quota >= row.cap))
    });
    let size = form.clusters.first().and_then(|id| state.cluster(*id)).map_or(0, |cluster| cluster.samples);
    let ((go, cancel), veil) = modal(ctx, "Edit clusters", 560.0, None, |ui| {
        title(ui, &heading);
        let mut entered = false;
        let cluster = form.clusters.first().copied().unwrap_or_default();
        let outcome: Result<EditKind, &str> = match &mut form.edit {
            EditCluster::Rename { name } => {
                paragraph(ui, "Empty gives back the name that is made of its concepts.");
                entered |= text(ui, state, "Name", "cluster name", "", name);
                Ok(EditKind::RenameCluster { cluster, name: name.trim().to_owned() })
            }
            EditCluster::Split { parts } => {
                paragraph(
                    ui,
                    "Its samples are cut into parts by their place on the manifold. Budget and damage follow at once; Ctrl+Z puts it together again.",
                );
                line(ui, "Parts", |ui| {
                    let choices: Vec<String> = (2..=8).map(|count| count.to_string()).collect();
                    let faces: Vec<_> =
                        choices.iter().map(|count| (Face::Text(count.as_str()), count.as_str())).collect();
                    let chosen = (*parts as usize).saturating_sub(2);
                    if let Some(place) = segmented(ui, "Parts", &faces, chosen, 26.0, |_, _| {}) {
                        *parts = place as u32 + 2;
                    }
                });
                Ok(EditKind::SplitCluster { cluster, parts: *parts })
            }
            EditCluster::Merge => {
                paragraph(ui, &format!("These become one, in the colour of the largest: {}.", names.join("; ")));
                Ok(EditKind::MergeClusters { clusters: form.clusters.clone() })
            }
            EditCluster::Quota { quota, unit } => {
                paragraph(
                    ui,
                    "What this cluster gives, pins included; the other clusters share the rest. It counts while the budget is in the same unit. Leave it empty to share by damage again.",
                );
                let now = quota_now.map_or_else(String::new, |(quota, _)| format!("now {}", format::count(quota)));
                entered |= text(ui, state, "Quota", "cluster quota", &now, quota);
                line(ui, "In", |ui| {
                    let units = [Unit::Samples, Unit::Tokens];
                    let faces = units.map(|unit| (Face::Text(unit.name()), unit.name()));
                    let chosen = usize::from(*unit == Unit::Tokens);
                    if let Some(place) = segmented(ui, "Quota in", &faces, chosen, 26.0, |_, _| {}) {
                        *unit = units[place];
                    }
                });
                let typed: String = quota.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
                match (typed.is_empty(), typed.parse()) {
                    (true, _) => Ok(EditKind::SetQuota { cluster, quota: None, unit: *unit }),
                    (false, Ok(count)) if *unit == Unit::Samples && count > size => Err("more than the cluster has"),
                    (false, Ok(count)) => Ok(EditKind::SetQuota { cluster, quota: Some(count), unit: *unit }),
                    (false, Err(_)) => Err("type a whole number"),
                }
            }
            EditCluster::Emphasis { factor } => {
                paragraph(
                    ui,
                    "Its weight in the budget is multiplied by this: 2 counts double, 1 changes nothing, 0 leaves it to pins and to what the others cannot hold.",
                );
                if quota_now.is_some_and(|(_, whole)| whole) {
                    paragraph(ui, "It is taken whole already: a larger factor gives it nothing more at this budget.");
                }
                entered |= text(ui, state, "Factor", "cluster emphasis", "", factor);
                match factor.trim().parse::<f64>() {
                    Ok(factor) if (0.0..=100.0).contains(&factor) => Ok(EditKind::SetEmphasis { cluster, factor }),
                    _ => Err("type a number from 0 to 100"),
                }
            }
        };
        let hint = "stands in the journal; may be left empty";
        entered |= text(ui, state, "Reason", "cluster reason", hint, &mut form.reason);
        let fine = outcome.as_ref().map(|_| ()).map_err(|why| *why);
        let (go, cancel) = foot(ui, state, fine.err().unwrap_or_default(), button, fine);
        let go = go || entered && fine.is_ok();
        what = outcome.ok().filter(|_| go);
        (go, cancel)
    });
    if let Some(what) = what.filter(|_| go) {
        state.curate(Edit::new(what, form.reason.trim()));
        return None;
    }
    (!cancel && !veil).then_some(Dialog::Cluster(form))
}

/// A labelled field; true when Enter was pressed in it.
fn text(ui: &mut Ui, state: &mut AppState, label: &str, name: &str, hint: &str, value: &mut String) -> bool {
    line(ui, label, |ui| {
        let width = ui.available_width();
        let id = Id::unique(name);
        let field = Field::new(label, width).id(id).hint(hint).show(ui, value);
        if label != "Reason" && ui.memory(|memory| memory.focused().is_none()) && !field.entered {
            ui.memory_mut(|memory| memory.request_focus(id));
        }
        state.note(name, field.response.rect);
        field.entered
    })
}

/// `quota 900 by hand`, `x 2`: what a person set, beside a cluster's name.
pub fn by_hand(cluster: &ClusterView) -> Option<String> {
    let quota = cluster.quota.map(|(quota, unit)| format!("quota {} {} by hand", format::count(quota), unit.name()));
    let emphasis =
        ((cluster.emphasis - 1.0).abs() > 1e-9).then(|| format!("emphasis {}", format::decimal(cluster.emphasis, 2)));
    let words: Vec<String> = quota.into_iter().chain(emphasis).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What a person set, as words for the pane of a cluster.
pub fn by_hand_words(ui: &mut Ui, cluster: &ClusterView) {
    if let Some(words) = by_hand(cluster) {
        Words::new(ui).small(words).wrapped(ui);
    }
}
