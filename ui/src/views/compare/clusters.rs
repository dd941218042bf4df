//! Cluster by cluster: how many samples, tokens, how much damage, how long the responses, how many conflicts; and where
//! chance would land.

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{ClusterShare, ComparisonView};

use super::{fill, ink};
use crate::{
    compare::{Measure, letter},
    format,
    picture::View,
    state::{AppState, Brush},
    theme::icons,
    widgets::{
        Words, column, look,
        pane::pane,
        row_right,
        segmented::{Face, segmented},
    },
};

const MEASURES: [(Measure, &str, &str); 5] = [
    (Measure::Samples, "samples", "samples taken"),
    (Measure::Tokens, "tokens", "prompt and response tokens taken"),
    (Measure::Damage, "damage", "mean damage of what is taken, nats"),
    (Measure::Length, "length", "mean response of what is taken, tokens"),
    (Measure::Conflicts, "conflicts", "turned away by the concept graph, samples"),
];

const NUMBER: f32 = 62.0;

/// A measure in words, with its unit.
pub(crate) fn measure_name(measure: Measure) -> &'static str {
    MEASURES.iter().find(|(known, ..)| *known == measure).map_or("", |(_, _, words)| words)
}

fn value(measure: Measure, share: &ClusterShare) -> Option<f64> {
    match measure {
        Measure::Samples => Some(share.taken as f64),
        Measure::Tokens => Some(share.tokens as f64),
        Measure::Damage => share.mean_damage,
        Measure::Length => share.mean_response_tokens,
        Measure::Conflicts => Some(share.conflicts as f64),
    }
}

fn shown(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Samples | Measure::Conflicts => format::count(value as u64),
        Measure::Tokens => format::short(value as u64),
        Measure::Damage => format::nats(value),
        Measure::Length => format::decimal(value, 0),
    }
}

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::CHART_BAR, "Clusters", look.panel);
    state.note(View::Shares.place(), body);
    let left = row_right(ui, free, 6.0, |ui| {
        crate::views::save_menu::button(ui, state, View::Shares);
        let faces = MEASURES.map(|(_, word, _)| (Face::Text(word), word));
        let chosen = MEASURES.iter().position(|(measure, ..)| *measure == state.compare.measure).unwrap_or(0);
        let mut cells = Vec::new();
        let picked = segmented(ui, "Clusters by", &faces, chosen, 22.0, |place, cell| cells.push((place, cell)));
        for (place, cell) in cells {
            state.note(format!("measure:{}", MEASURES[place].1), cell);
        }
        if let Some(place) = picked {
            state.compare.measure = MEASURES[place].0;
        }
        ui.min_rect().left()
    });
    let words = "worst damage first";
    Words::new(ui).small(words).at(ui, free.left_center(), Align2::LEFT_CENTER, left - free.left() - 8.0);
    let Some(view) = state.compare.view.clone() else { return };
    let measure = state.compare.measure;
    let sides = view.selections.len();
    let numbers = NUMBER * sides as f32;
    let head = Rect::from_min_size(body.min, Vec2::new(body.width(), 20.0));
    for (at, side) in view.selections.iter().enumerate() {
        let right = head.right() - 10.0 - NUMBER * (sides - 1 - at) as f32;
        let words = Words::of(look).part(letter(at), crate::theme::title(11.0), ink(look, at));
        words.paint(ui, pos2(right, head.center().y), Align2::RIGHT_CENTER, NUMBER);
        let cell = Rect::from_min_max(pos2(right - NUMBER, head.top()), pos2(right, head.bottom()));
        crate::widgets::say(ui, cell, format!("{}: {}", letter(at), side.selection)).on_hover_text(&side.selection);
    }
    let unit = MEASURES.iter().find(|(other, ..)| *other == measure).map_or("", |(_, _, words)| *words);
    let chance = match (measure, &view.chance) {
        (Measure::Samples, Some(chance)) => {
            format!("; grey band: random at A's budget, n = {} seeds", chance.seeds)
        }
        _ => String::new(),
    };
    let line = pos2(head.left() + 10.0, head.center().y);
    Words::of(look).small(format!("{unit}{chance}")).at(ui, line, Align2::LEFT_CENTER, head.width() - numbers - 24.0);
    let rest = Rect::from_min_max(pos2(body.left(), head.bottom()), body.max);
    column(ui, rest, |ui| {
        egui::ScrollArea::vertical().id_salt("compared clusters").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            rows(ui, state, &view, measure);
        });
    });
}

/// The whole selections, above their clusters.
fn all(ui: &mut Ui, view: &ComparisonView, measure: Measure) {
    let look = look(ui);
    let sides = view.selections.len();
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 24.0), Sense::hover());
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    let middle = rect.center().y;
    Words::of(look).strong("all clusters").paint(ui, pos2(rect.left() + 26.0, middle), Align2::LEFT_CENTER, 160.0);
    let mut spoken = Vec::new();
    for (place, side) in view.selections.iter().enumerate() {
        let value = match measure {
            Measure::Samples => Some(side.selected as f64),
            Measure::Tokens => Some(side.tokens as f64),
            Measure::Damage => side.mean_damage,
            Measure::Length => (side.scored > 0).then_some(side.mean_response_tokens),
            Measure::Conflicts => Some(side.conflicts as f64),
        };
        // One decimal more than the clusters': strategies often differ by less than a token.
        let text = match (measure, value) {
            (Measure::Length, Some(value)) => format::decimal(value, 1),
            (_, Some(value)) => shown(measure, value),
            (_, None) => String::new(),
        };
        let right = rect.right() - 10.0 - NUMBER * (sides - 1 - place) as f32;
        spoken.push(format!("{} {text}", letter(place)));
        let words = Words::of(look).part(text, crate::theme::mono(), ink(look, place));
        words.paint(ui, pos2(right, middle), Align2::RIGHT_CENTER, NUMBER);
    }
    crate::widgets::say(ui, rect, format!("all clusters: {}", spoken.join(", ")));
}

fn rows(ui: &mut Ui, state: &mut AppState, view: &ComparisonView, measure: Measure) {
    let look = look(ui);
    let sides = view.selections.len();
    let of = |at: usize, cluster: u32| view.selections[at].clusters.iter().find(|share| share.cluster == cluster);
    let mut clusters: Vec<_> = state.clusters().to_vec();
    clusters.sort_by(|a, b| b.cds.unwrap_or(-1.0).total_cmp(&a.cds.unwrap_or(-1.0)).then(a.cluster.cmp(&b.cluster)));
    let band = |cluster: u32| -> Option<(f64, f64)> {
        let chance = view.chance.as_ref().filter(|_| measure == Measure::Samples)?;
        chance.taken.get(cluster as usize).map(|(low, high)| (*low as f64, *high as f64))
    };
    let largest = clusters
        .iter()
        .flat_map(|cluster| {
            let values = (0..sides).filter_map(|at| of(at, cluster.cluster).and_then(|share| value(measure, share)));
            values.chain(band(cluster.cluster).map(|(_, high)| high)).collect::<Vec<_>>()
        })
        .fold(0.0, f64::max)
        .max(1e-9);
    all(ui, view, measure);
    let tall = (8.0 * sides as f32 + 8.0).max(24.0);
    let pointed = state.pointed_cluster();
    for cluster in &clusters {
        let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), tall), Sense::click());
        let on = matches!(state.focus.brush(), Brush::Clusters(brushed) if brushed.contains(&cluster.cluster));
        let values: Vec<Option<f64>> =
            (0..sides).map(|at| of(at, cluster.cluster).and_then(|share| value(measure, share))).collect();
        let spoken: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(at, value)| {
                format!("{} {}", letter(at), value.map_or_else(|| "none".to_owned(), |value| shown(measure, value)))
            })
            .collect();
        let spoken = format!("{}: {}", cluster.name, spoken.join(", "));
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, &spoken));
        state.note(format!("compared:{}", cluster.cluster), rect);
        if on {
            ui.painter().rect_filled(rect, 0.0, look.overlay);
        } else if response.hovered() || pointed == Some(cluster.cluster) {
            ui.painter().rect_filled(rect, 0.0, look.raised);
        }
        if response.hovered() {
            state.focus.next_hovered_cluster = Some(cluster.cluster);
        }
        let middle = rect.center().y;
        let square = Rect::from_center_size(pos2(rect.left() + 14.5, middle), Vec2::splat(9.0));
        ui.painter().rect_filled(square, 2.0, look.cluster(cluster.colour));
        let numbers = NUMBER * sides as f32;
        let names = ((rect.width() - numbers) * 0.45).min(190.0);
        let left = pos2(rect.left() + 26.0, middle);
        Words::of(look).t(&cluster.name).paint(ui, left, Align2::LEFT_CENTER, names - 30.0);
        let (bar_left, bar_right) = (rect.left() + names + 4.0, rect.right() - numbers - 18.0);
        let at_value = |value: f64| bar_left + (bar_right - bar_left).max(1.0) * (value / largest) as f32;
        ui.painter().vline(bar_left - 0.5, rect.y_range(), Stroke::new(1.0, look.axis));
        if let Some((low, high)) = band(cluster.cluster) {
            let area = Rect::from_min_max(
                pos2(at_value(low), rect.top() + 2.0),
                pos2(at_value(high).max(at_value(low) + 2.0), rect.bottom() - 2.0),
            );
            ui.painter().rect_filled(area, 0.0, look.random.gamma_multiply(0.35));
        }
        let top = middle - 4.0 * sides as f32;
        for (place, value) in values.iter().enumerate() {
            let right = rect.right() - 10.0 - NUMBER * (sides - 1 - place) as f32;
            let text = value.map_or_else(String::new, |value| shown(measure, value));
            let words = Words::of(look).part(text, crate::theme::mono(), ink(look, place));
            words.paint(ui, pos2(right, middle), Align2::RIGHT_CENTER, NUMBER);
            let Some(value) = value else { continue };
            let y = top + 8.0 * place as f32;
            let bar = Rect::from_min_max(pos2(bar_left, y + 1.0), pos2(at_value(*value).max(bar_left + 1.0), y + 7.0));
            // C and D are grey alike: D is hollow.
            if place < 3 {
                ui.painter().rect_filled(bar, 0.0, fill(look, place));
            } else {
                let edge = Stroke::new(1.0, fill(look, place));
                ui.painter().rect_stroke(bar, 0.0, edge, egui::StrokeKind::Inside);
            }
        }
        if response.has_focus() {
            let ring = Stroke::new(2.0, look.accent);
            ui.painter().rect_stroke(rect.shrink(1.0), 0.0, ring, egui::StrokeKind::Inside);
        }
        let response = response.on_hover_text(&cluster.name);
        crate::views::click_cluster(ui, &response, state, cluster.cluster);
    }
}
