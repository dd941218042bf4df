//! Damage per cluster, worst first, with n and 95 % intervals; the numbers of the brushed cluster below. A second tab holds
//! the curves behind the number of clusters.

use egui::{Popup, Rect, Ui, pos2};
use paser_protocol::{ClusterView, Stage, StageState};

use super::{cluster, cluster_menu, curves, schemes};
use crate::{
    command::Command,
    format,
    picture::View,
    recovery::DamageLeft,
    state::{AppState, Brush, ColourBy, LeftTab},
    theme::icons,
    widgets::{
        Words,
        bars::{Bar, Columns, ROW, bar, bars_head},
        button::icon_button_sized,
        look,
        pane::{empty, pane},
        row_right,
        segmented::{Face, segmented},
    },
};

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let left = state.left_tab();
    let (title, icon, view) = match left {
        LeftTab::Damage => ("Damage", icons::CHART_BAR, View::Damage),
        LeftTab::Schemes => ("Damage", icons::SCISSORS, View::Schemes),
        LeftTab::Curves => ("Clusters", icons::CHART_LINE, View::Curves),
    };
    let (body, free) = pane(ui, rect, icon, title, look.panel);
    state.note("pane:damage", rect);
    state.note(view.place(), body);
    row_right(ui, free, 4.0, |ui| {
        super::save_menu::button(ui, state, view);
        let mut tabs = vec![
            (LeftTab::Damage, icons::CHART_BAR, Command::ShowDamage, "tab:damage"),
            (LeftTab::Schemes, icons::SCISSORS, Command::ShowSchemes, "tab:schemes"),
            (LeftTab::Curves, icons::CHART_LINE, Command::ShowCurves, "tab:curves"),
        ];
        tabs.retain(|(.., command, _)| *command != Command::ShowSchemes || command.enabled(state).is_ok());
        let faces: Vec<_> = tabs.iter().map(|(_, icon, command, _)| (Face::Icon(*icon), command.name())).collect();
        let chosen = tabs.iter().position(|(tab, ..)| *tab == left).unwrap_or(0);
        let mut cells = Vec::new();
        if let Some(place) = segmented(ui, "", &faces, chosen, 22.0, |place, cell| cells.push((place, cell))) {
            state.run(tabs[place].2);
        }
        for (place, cell) in cells {
            state.note(tabs[place].3, cell);
        }
        if left != LeftTab::Curves && !state.clusters().is_empty() && ui.available_width() > 120.0 {
            let rest = state.panels.after_first_token && rest_is_known(state);
            // After the first token the engine works out no interval.
            let words = if rest { "mean JSD, no interval" } else { "mean JSD, 95 % interval" };
            Words::new(ui).small(words).show(ui);
        }
    });
    match left {
        LeftTab::Damage => bars(ui, body, state),
        LeftTab::Schemes => schemes::show(ui, body, state),
        LeftTab::Curves => curves::show(ui, body, state),
    }
}

fn rest_is_known(state: &AppState) -> bool {
    state.clusters().iter().any(|cluster| cluster.cds_rest.is_some())
}

/// Worst damage first, of the whole response or, with `rest`, after its first token.
pub(crate) fn sorted(clusters: &[ClusterView], rest: bool) -> Vec<&ClusterView> {
    let value = |c: &ClusterView| if rest { c.cds_rest } else { c.cds }.unwrap_or(-1.0);
    let mut sorted: Vec<&ClusterView> = clusters.iter().collect();
    sorted.sort_by(|a, b| value(b).total_cmp(&value(a)).then(a.cluster.cmp(&b.cluster)));
    sorted
}

/// How rows of bars divide the panel.
pub(super) fn columns(body: Rect, state: &AppState) -> Columns {
    let bar_width = if body.width() > 310.0 { 96.0 } else { 66.0 };
    Columns { scale: state.damage_scale(), bar_width, number_width: 50.0 }
}

/// The choice between the damage of the whole response and after its first token, where both are known: whether it is the
/// latter, and where the rest of the panel begins.
pub(super) fn which_damage(ui: &mut Ui, body: Rect, state: &mut AppState) -> (bool, f32) {
    let top = body.top();
    if !rest_is_known(state) {
        return (false, top);
    }
    let rest = state.panels.after_first_token;

    let line = Rect::from_min_max(pos2(body.left() + 10.0, top + 4.0), pos2(body.right() - 10.0, top + 28.0));
    crate::widgets::row(ui, line, 8.0, |ui| {
        let faces =
            [(Face::Text("whole response"), "whole response"), (Face::Text("after first token"), "after first token")];
        let mut cells = Vec::new();
        if let Some(place) =
            segmented(ui, "Damage", &faces, usize::from(rest), 22.0, |place, cell| cells.push((place, cell)))
        {
            state.panels.after_first_token = place == 1;
        }
        for (place, cell) in cells {
            state.note(if place == 0 { "damage:whole" } else { "damage:rest" }, cell);
        }
        if ui.available_width() > 30.0 {
            let hint = Command::Stability.long_hint();
            let size = egui::vec2(22.0, 22.0);
            let other = icon_button_sized(ui, icons::SCALES, Command::Stability.name(), false, None, size);
            state.note("stability", other.rect);
            if other.on_hover_text(hint).clicked() {
                state.run(Command::Stability);
            }
        }
    });
    (rest, top + 28.0)
}

fn bars(ui: &mut Ui, body: Rect, state: &mut AppState) {
    let Some(project) = state.project.clone().filter(|project| !project.clusters.is_empty()) else {
        let inside = Rect::from_min_max(body.min + egui::vec2(10.0, 14.0), body.max);
        crate::widgets::column(ui, inside, |ui| {
            ui.set_width(inside.width() - 10.0);
            Words::new(ui).t3("Damage per cluster appears here once the pool has clusters and scores.").wrapped(ui);
        });
        return;
    };
    let look = look(ui);
    let columns = columns(body, state);
    let (rest, mut top) = which_damage(ui, body, state);
    let head = Rect::from_min_max(pos2(body.left(), top), pos2(body.right(), top + 22.0));
    let left = (state.colour == ColourBy::DamageLeft).then(|| state.recovery.damage_left()).flatten();
    let words = left.as_ref().map_or_else(|| "cluster, worst first".to_owned(), left_words);
    bars_head(ui, head, columns, &words, "nats");
    top = head.bottom();

    let clusters = sorted(&project.clusters, rest);
    let value = |c: &ClusterView| if rest { c.cds_rest } else { c.cds };
    let detail = cluster::wanted_height(state);
    let needed = ROW * clusters.len() as f32;
    let room = body.bottom() - top;
    // The bars come first. Words give way to them; numbers scroll, and give up room down to a third.
    let words_only = *state.focus.brush() == Brush::Nothing;
    let least = if words_only { room } else { room * 0.62 };
    let height = needed.min((room - detail).max(least)).max(3.0 * ROW).min(room);
    let list = Rect::from_min_max(pos2(body.left(), top), pos2(body.right(), top + height));
    let scoring = state.project.as_ref().and_then(|p| p.job.as_ref()).is_some_and(|job| job.stage == Stage::Score);
    let pointed = state.pointed_cluster();
    crate::widgets::column(ui, list, |ui| {
        egui::ScrollArea::vertical().id_salt("damage").auto_shrink(false).show(ui, |ui| {
            for cluster in clusters.iter().copied() {
                let (_, place) = ui.allocate_space(egui::vec2(list.width(), ROW));
                let pointed = pointed == Some(cluster.cluster);
                let shown = match &left {
                    Some(left) => Shown { pointed, ..of_arm(left, cluster) },
                    None => {
                        let interval = if rest { None } else { cluster.cds_low.zip(cluster.cds_high) };
                        Shown {
                            n: cluster.scored,
                            waiting: "not scored",
                            value: value(cluster),
                            interval,
                            scoring,
                            pointed,
                        }
                    }
                };
                one(ui, place, state, cluster, shown, columns);
            }
        });
    });
    if room - height < 2.0 * ROW {
        return;
    }
    let below = Rect::from_min_max(pos2(body.left(), list.bottom()), body.max);
    ui.painter().hline(below.x_range(), below.top() - 0.5, egui::Stroke::new(1.0, look.line));
    cluster::show(ui, below, state, &clusters);
}

/// Above the bars while a cursor replays an arm.
fn left_words(left: &DamageLeft) -> String {
    format!("left at step {}", format::count(u64::from(left.step)))
}

/// What an arm has left of a cluster's damage.
fn of_arm(left: &DamageLeft, cluster: &ClusterView) -> Shown {
    let found = left.clusters.get(&cluster.cluster);
    Shown {
        n: found.map_or(0, |left| left.items),
        waiting: "not measured",
        value: found.map(|left| left.nats),
        interval: found.and_then(|left| left.half.map(|half| (left.nats - half, left.nats + half))),
        scoring: false,
        pointed: false,
    }
}

/// What a row shows of its cluster.
struct Shown {
    /// Measurements behind the value.
    n: u64,
    /// Where there is none, and none is coming.
    waiting: &'static str,
    value: Option<f64>,
    interval: Option<(f64, f64)>,
    /// More scores are coming in.
    scoring: bool,
    /// The pointer is on it, here or in another view.
    pointed: bool,
}

fn one(ui: &mut Ui, place: Rect, state: &mut AppState, cluster: &ClusterView, shown: Shown, columns: Columns) {
    let look = look(ui);
    let Shown { n, waiting, value, interval, scoring, pointed } = shown;
    let selected = matches!(state.focus.brush(), Brush::Clusters(brushed) if brushed.contains(&cluster.cluster));
    let waiting = if scoring {
        format!("{} of {}", format::count(cluster.scored), format::count(cluster.samples))
    } else {
        waiting.to_owned()
    };
    let (low, high) = interval.unzip();
    let row = Bar {
        name: &cluster.name,
        swatch: look.cluster(cluster.colour),
        n,
        value,
        low,
        high,
        fill: look.damage((value.unwrap_or(0.0) / columns.scale) as f32),
        waiting: &waiting,
        selected,
        hovered: pointed,
    };
    let id = ui.scope_id().with(("bar", cluster.cluster));
    let response = bar(ui, id, place, columns, &row);
    state.note(format!("bar:{}", cluster.cluster), place);
    if response.hovered() {
        state.focus.next_hovered_cluster = Some(cluster.cluster);
    }
    Popup::context_menu(&response).accessible_name("Cluster").show(|ui| {
        cluster_menu::of_bar(ui, state, cluster);
    });
    if super::click_cluster(ui, &response, state, cluster.cluster) {
        state.show_table();
    }
    if value.is_some() && state.project.as_ref().is_some_and(|project| project.scored_so_far.is_some()) {
        let (scored, samples) = (format::count(cluster.scored), format::count(cluster.samples));
        response.on_hover_text(format!("{scored} of {samples} scored; the interval shrinks as more come in"));
    }
}

/// The empty state of map and bars: what is missing, and the stage that makes it.
pub fn nothing_yet(ui: &mut Ui, body: Rect, state: &mut AppState, arriving: bool) {
    if arriving {
        Words::new(ui).t3("reading the map").at(ui, body.center(), egui::Align2::CENTER_CENTER, 200.0);
        return;
    }
    let Some(project) = &state.project else { return };
    if let Some(job) = &project.job {
        let (what, pace) = (job.what.clone(), super::jobs::pace(job));
        let todo = if pace.is_empty() { what } else { format!("{what}. {pace}.") };
        empty(ui, body, "The clusters are being worked out", &todo, None);
        return;
    }
    let failed = project.stages.iter().find_map(|stage| match &stage.state {
        StageState::Failed { report } => Some((stage.stage, report.clone())),
        _ => None,
    });
    let clicked = match failed {
        Some((stage, report)) => empty(
            ui,
            body,
            &format!("The stage {} stopped", stage.name()),
            &format!("{} {}", report.what, report.advice),
            Some("Run again"),
        ),
        None => empty(
            ui,
            body,
            "Nothing has been computed yet",
            "The pool is read, but it has no clusters and no scores. Running takes the stages one after the other; a stop loses nothing.",
            Some("Run"),
        ),
    };
    if clicked {
        state.run(Command::Run);
    }
}
