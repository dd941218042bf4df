//! The pilot matrix: a short arm on the data of one cluster alone (row), and what it did to the held-out samples of every
//! cluster (column). Gain and harm differ by ramp, by sign and by number.

use egui::{Align2, Color32, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{Measure, RecoveryView};

use crate::{
    command::Command,
    format,
    state::AppState,
    theme::{self, Look},
    widgets::{Words, column, look, pane::empty},
};

const HEAD: f32 = 40.0;
const FOOT: f32 = 26.0;

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState, view: &RecoveryView) {
    if view.pilots.is_empty() {
        let enabled = Command::TrainPilots.enabled(state);
        let todo = match enabled {
            Ok(()) => "A pilot is a short arm on one cluster alone. Its row tells what data of that cluster does to every cluster, per thousand response tokens.".to_owned(),
            Err(why) => format!("A pilot is a short arm on one cluster alone. It cannot be trained now: {why}."),
        };
        if empty(ui, body, "No pilots yet", &todo, enabled.is_ok().then_some("Train a pilot for each cluster")) {
            state.run(Command::TrainPilots);
        }
        return;
    }
    let look = look(ui);
    let names = 118.0_f32.min(body.width() * 0.28);
    let inside = Rect::from_min_max(body.min + Vec2::new(10.0, 4.0), body.max - Vec2::new(10.0, FOOT));
    let columns = view.pilots.iter().map(|row| row.gain.len()).max().unwrap_or(1).max(1);
    let wide = ((inside.width() - names) / columns as f32).min(64.0);
    let top = view.pilots.iter().flat_map(|row| &row.gain).flatten().map(|gain| gain.value.abs()).fold(1e-9, f64::max);
    let ids: Vec<u32> = state.clusters().iter().map(|cluster| cluster.cluster).collect();
    for at in 0..columns {
        let Some(id) = ids.get(at) else { continue };
        let middle = inside.left() + names + wide * (at as f32 + 0.5);
        let square = Rect::from_center_size(pos2(middle, inside.top() + 10.0), Vec2::splat(9.0));
        let colour = state.cluster(*id).map_or(look.neither, |cluster| look.cluster(cluster.colour));
        ui.painter().rect_filled(square, 2.0, colour);
        let Some(group) = view.groups.iter().find(|group| group.cluster == Some(*id)) else { continue };
        let items = group.items;
        let n = Words::of(look).part(format!("n {}", format::short(items)), theme::mono_small(), look.text_3);
        n.paint(ui, pos2(middle, inside.top() + 26.0), Align2::CENTER_CENTER, wide);
    }
    Words::of(look).small("trained on").paint(ui, inside.left_top() + Vec2::new(0.0, 10.0), Align2::LEFT_CENTER, names);
    let rows = inside.with_min_y(inside.top() + HEAD);
    let tall = (rows.height() / view.pilots.len() as f32).clamp(22.0, 40.0);
    column(ui, rows, |ui| {
        egui::ScrollArea::vertical().id_salt("pilots").auto_shrink(false).show(ui, |ui| {
            for row in &view.pilots {
                let (line, _) = ui.allocate_exact_size(Vec2::new(rows.width(), tall), Sense::hover());
                let name =
                    state.cluster(row.cluster).map(|cluster| (cluster.name.clone(), look.cluster(cluster.colour)));
                let (name, colour) = name.unwrap_or_else(|| (format!("cluster {}", row.cluster), look.neither));
                let square = Rect::from_center_size(line.left_center() + Vec2::new(4.5, 0.0), Vec2::splat(9.0));
                ui.painter().rect_filled(square, 2.0, colour);
                let left = line.left_center() + Vec2::new(14.0, 0.0);
                Words::of(look).t2(&name).paint(ui, left, Align2::LEFT_CENTER, names - 20.0);
                for (at, gain) in row.gain.iter().enumerate() {
                    let corner = pos2(line.left() + names + wide * at as f32, line.top());
                    let place = Rect::from_min_size(corner, Vec2::new(wide - 1.0, tall - 1.0));
                    let on = ids.get(at).and_then(|id| state.cluster(*id)).map_or_else(String::new, |c| c.name.clone());
                    cell(ui, place, state, (&name, &on, row.cluster, ids.get(at).copied()), *gain, top);
                }
            }
        });
    });
    let place = Rect::from_min_max(pos2(inside.left(), body.bottom() - FOOT), body.max);
    let words = format!(
        "held-out loss gained per thousand response tokens, nats; {} and warm: it harms; sure ones are framed",
        format::MINUS
    );
    let said = Words::of(look).small(&words).at(ui, place.left_center(), Align2::LEFT_CENTER, place.width() - 12.0);
    said.on_hover_text(words);
}

/// Colour and ink of a gain: gains on the one ramp, harm on the other.
fn paint(look: &Look, share: f64) -> (Color32, Color32) {
    let strength = share.abs() as f32;
    let fill = if share < 0.0 { look.damage(strength * 0.85) } else { look.sequential(strength * 0.85) };
    (fill, if strength > 0.6 { look.canvas } else { look.text })
}

fn cell(
    ui: &mut Ui,
    place: Rect,
    state: &mut AppState,
    (from, on, row, cluster): (&str, &str, u32, Option<u32>),
    gain: Option<Measure>,
    top: f64,
) {
    let look = look(ui);
    let response = ui.interact(place, ui.scope_id().with(("gain", row, cluster)), Sense::click());
    let Some(gain) = gain else {
        ui.painter().rect_filled(place, 0.0, look.panel);
        response
            .widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{from} on {on}: no held-out samples")));
        response.on_hover_text(format!("{from} on {on}: no held-out samples there"));
        return;
    };
    let (fill, ink) = paint(look, gain.value / top);
    ui.painter().rect_filled(place, 0.0, fill);
    let sure = gain.low > 0.0 || gain.high < 0.0;
    if sure {
        ui.painter().rect_stroke(place.shrink(0.5), 0.0, Stroke::new(1.0, ink), egui::StrokeKind::Inside);
    }
    let places = if top < 0.1 { 3 } else { 2 };
    let number = format::decimal(gain.value, places);
    Words::of(look).part(&number, theme::mono_small(), ink).paint(
        ui,
        place.center(),
        Align2::CENTER_CENTER,
        place.width(),
    );
    let interval = format!("{} to {}", format::decimal(gain.low, places + 1), format::decimal(gain.high, places + 1));
    let words = format!("{from} on {on}: {}, 95 % {interval}", format::decimal(gain.value, places + 1));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
    if response.hovered() {
        state.focus.next_hovered_cluster = cluster;
    }
    if response.hovered() || response.has_focus() {
        ui.painter().rect_stroke(place, 0.0, Stroke::new(1.5, look.accent), egui::StrokeKind::Inside);
    }
    let clicked = response.clicked();
    response.on_hover_text(words);
    if clicked && let Some(cluster) = cluster {
        state.focus.click_cluster(cluster, false);
    }
}
