//! Damage per cluster by each of the project's pruned models (the paper's figure 4): grouped bars, worst first by the
//! project's own model, and above them the models with their n and the choice of the one to work with.

use egui::{Align2, Popup, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};
use paser_protocol::{ClusterDamage, ClusterView, ProjectView, PrunedChange, Request, SchemeView};

use super::{cluster_menu, damage};
use crate::{
    format,
    state::{AppState, Brush, For},
    theme::icons,
    widgets::{
        Words,
        bars::{Columns, bars_head, measured, waiting},
        button::icon_button_sized,
        focus_ring, look, row_right,
    },
};

/// Heights of a model's line above, of a cluster's name and of one bar.
const MODEL: f32 = 22.0;
const NAME: f32 = 20.0;
const BAR: f32 = 15.0;
const EDGE: f32 = 10.0;

/// A model as a caption names it.
pub(crate) fn described(scheme: &SchemeView) -> String {
    let pruning = if scheme.pruning.is_empty() { String::new() } else { format!(" ({})", scheme.pruning) };
    format!("{}{pruning}, n = {}", scheme.name, format::count(scheme.scored))
}

/// What tells the models apart: their names without the words that all begin with.
fn short_names(schemes: &[SchemeView]) -> Vec<&str> {
    let is_end = |letter: char| matches!(letter, '-' | '_' | ' ' | '/');
    let first = schemes.first().map_or("", |scheme| scheme.name.as_str());
    let mut ends =
        first.char_indices().filter(|(_, letter)| is_end(*letter)).map(|(at, letter)| at + letter.len_utf8());
    let common = |end: &usize| schemes.iter().all(|s| s.name.starts_with(&first[..*end]) && s.name.len() > *end);
    let cut = ends.rfind(common).unwrap_or(0);
    schemes.iter().map(|scheme| &scheme.name[cut..]).collect()
}

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState) {
    let Some(project) = state.project.clone() else { return };
    let columns = damage::columns(body, state);
    let (rest, top) = damage::which_damage(ui, body, state);
    let mut top = top + 4.0;
    let names = short_names(&project.schemes);
    for (scheme, name) in project.schemes.iter().zip(&names) {
        let place = Rect::from_min_size(pos2(body.left(), top), Vec2::new(body.width(), MODEL));
        model(ui, place, state, &project, (scheme, name));
        top = place.bottom();
    }
    let head = Rect::from_min_max(pos2(body.left(), top + 4.0), pos2(body.right(), top + 26.0));
    bars_head(ui, head, columns, "cluster, worst first", "nats");
    ui.painter().hline(head.x_range(), head.top() - 0.5, Stroke::new(1.0, look(ui).line));
    let list = Rect::from_min_max(pos2(body.left(), head.bottom()), body.max);
    let height = NAME + BAR * project.schemes.len() as f32 + 5.0;
    crate::widgets::column(ui, list, |ui| {
        egui::ScrollArea::vertical().id_salt("schemes").auto_shrink(false).show(ui, |ui| {
            for cluster in damage::sorted(&project.clusters, rest) {
                let (_, place) = ui.allocate_space(Vec2::new(list.width(), height));
                group(ui, place, state, (&project.schemes, &names), cluster, (rest, columns));
            }
        });
    });
}

/// A pruned model: its name, what was pruned, samples scored, and the button that makes it the project's own.
fn model(ui: &mut Ui, place: Rect, state: &mut AppState, project: &ProjectView, (scheme, name): (&SchemeView, &str)) {
    let inside = place.shrink2(Vec2::new(EDGE, 0.0));
    let busy = project.job.is_some();
    let size = Vec2::splat(20.0);
    let button = Rect::from_center_size(pos2(inside.right() - size.x / 2.0, inside.center().y), size);
    if scheme.own {
        let words = Words::new(ui).icon(icons::CHECK, 13.0, look(ui).text_2);
        let own = words.at(ui, button.center(), Align2::CENTER_CENTER, size.x);
        own.on_hover_text("The project works with this one: columns, selections and the inspector.");
    } else {
        let what = format!("Work with {}", scheme.name);
        let why = if busy { Some("a job is running") } else { None };
        let response = row_right(ui, button, 0.0, |ui| icon_button_sized(ui, icons::ARROW_UP, &what, false, why, size));
        state.note(format!("use:{}", scheme.name), response.rect);
        let response = response.on_hover_text(
            "Work with this one: columns, selections and the inspector follow it. What is scored is not scored again.",
        );
        if response.clicked() && !busy {
            let change = PrunedChange::Use { model: scheme.reference.clone() };
            let what = format!("Selections are made with {} now", scheme.name);
            state.ask(Request::ChangePruned { change }, For::Told(what, String::new()));
        }
    }
    let n = match scheme.whole {
        true => format::count(scheme.scored),
        false => format!("{} so far", format::count(scheme.scored)),
    };
    let right = pos2(button.left() - 6.0, inside.center().y);
    let n = Words::new(ui).small("n ").num3(n).paint(ui, right, Align2::RIGHT_CENTER, 130.0);
    let words = Words::new(ui);
    let words = if scheme.own { words.strong(name) } else { words.t(name) };
    let words = words.t3(format!("  {}", scheme.pruning));
    let width = n.left() - inside.left() - 8.0;
    words
        .at(ui, inside.left_center(), Align2::LEFT_CENTER, width)
        .on_hover_text(format!("{}\n{}", scheme.name, scheme.reference));
}

/// A cluster's name, and a bar by each model below it.
fn group(
    ui: &mut Ui,
    place: Rect,
    state: &mut AppState,
    (schemes, names): (&[SchemeView], &[&str]),
    cluster: &ClusterView,
    (rest, columns): (bool, Columns),
) {
    let look = look(ui);
    let found: Vec<(&SchemeView, Option<&ClusterDamage>)> = (schemes.iter())
        .map(|scheme| (scheme, scheme.damage.iter().find(|damage| damage.cluster == cluster.cluster)))
        .collect();
    let response = ui.interact(place, ui.scope_id().with(("group", cluster.cluster)), Sense::click());
    let selected = matches!(state.focus.brush(), Brush::Clusters(brushed) if brushed.contains(&cluster.cluster));
    let said: Vec<String> = found.iter().map(|(scheme, damage)| spoken(scheme, *damage, cluster, rest)).collect();
    let all = format!("{}: {}", cluster.name, said.join("; "));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &all));
    if selected {
        ui.painter().rect_filled(place, 0.0, look.overlay);
        ui.painter().rect_filled(Rect::from_min_size(place.min, Vec2::new(2.0, place.height())), 0.0, look.accent);
    } else if response.hovered() || state.pointed_cluster() == Some(cluster.cluster) {
        ui.painter().rect_filled(place, 0.0, look.raised);
    }
    ui.painter().hline(place.x_range(), place.bottom() - 0.5, Stroke::new(1.0, look.line));
    state.note(format!("group:{}", cluster.cluster), place);

    let name = Rect::from_min_size(place.min, Vec2::new(place.width(), NAME));
    let square = Rect::from_center_size(pos2(name.left() + EDGE + 4.5, name.center().y + 1.0), Vec2::splat(9.0));
    ui.painter().rect_filled(square, 2.0, look.cluster(cluster.colour));
    let left = square.right() + 6.0;
    let words = Words::of(look).t(&cluster.name);
    words.paint(ui, pos2(left, square.center().y), Align2::LEFT_CENTER, name.right() - left - EDGE);
    for (at, ((scheme, damage), short)) in found.iter().zip(names).enumerate() {
        let top = name.bottom() + at as f32 * BAR;
        let line = Rect::from_min_max(pos2(place.left(), top), pos2(place.right(), top + BAR));
        let words = Words::of(look);
        let words = if scheme.own { words.t2(short) } else { words.t3(short) };
        let scored = damage.map_or(0, |damage| damage.scored);
        let n = Words::of(look).part(format::short(scored), crate::theme::mono_small(), look.text_3);
        let n = n.paint(ui, pos2(columns.bar_left(line) - 8.0, line.center().y), Align2::RIGHT_CENTER, 40.0);
        let width = n.left() - left - 6.0;
        words.paint(ui, pos2(left, line.center().y), Align2::LEFT_CENTER, width);
        let value = damage.and_then(|damage| if rest { damage.cds_rest } else { damage.cds });
        match value {
            Some(value) => {
                let interval = damage.filter(|_| !rest).and_then(|damage| damage.cds_low.zip(damage.cds_high));
                measured(ui, line, columns, (value, interval), look.damage((value / columns.scale) as f32), 4.0);
            }
            None => waiting(ui, line, columns, "not scored"),
        }
    }
    focus_ring(ui, &response, place);
    if response.hovered() {
        state.focus.next_hovered_cluster = Some(cluster.cluster);
    }
    Popup::context_menu(&response).accessible_name("Cluster").show(|ui| {
        cluster_menu::show(ui, state, std::slice::from_ref(cluster));
    });
    if super::click_cluster(ui, &response, state, cluster.cluster) {
        state.panels.table = true;
    }
    response.on_hover_text(format!("{}\n{}", cluster.name, said.join("\n")));
}

/// One bar in words.
fn spoken(scheme: &SchemeView, damage: Option<&ClusterDamage>, cluster: &ClusterView, rest: bool) -> String {
    let value = damage.and_then(|damage| if rest { damage.cds_rest } else { damage.cds });
    let (Some(damage), Some(value)) = (damage, value) else { return format!("{}: not scored", scheme.name) };
    let interval = match damage.cds_low.zip(damage.cds_high).filter(|_| !rest) {
        Some((low, high)) => format!(" (95 %: {} to {})", format::nats(low), format::nats(high)),
        None => String::new(),
    };
    let n = match scheme.whole {
        true => format!("n = {}", format::count(damage.scored)),
        false => format!("{} of {} scored", format::count(damage.scored), format::count(cluster.samples)),
    };
    format!("{}: {} nats{interval}, {n}", scheme.name, format::nats(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_by_what_tells_them_apart() {
        let of = |names: &[&str]| -> Vec<String> {
            let scheme = |name: &&str| SchemeView {
                reference: String::new(),
                name: (*name).to_owned(),
                pruning: String::new(),
                own: false,
                scored: 0,
                whole: true,
                damage: Vec::new(),
            };
            let schemes: Vec<SchemeView> = names.iter().map(scheme).collect();
            short_names(&schemes).into_iter().map(str::to_owned).collect()
        };
        assert_eq!(of(&["llama-7b-wanda", "llama-7b-2of4"]), ["wanda", "2of4"]);
        assert_eq!(of(&["llama-7b", "llama-7b-2of4"]), ["7b", "7b-2of4"], "no name is cut away whole");
        assert_eq!(of(&["wanda50", "wanda60"]), ["wanda50", "wanda60"], "words are not cut");
        assert_eq!(of(&["../é-a", "../é-b"]), ["a", "b"]);
    }
}
