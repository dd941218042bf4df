//! Layer by layer: a cell for every matrix, coloured by what pruning left of it, or the numbers as a table.

use egui::{Align2, Color32, Rect, Ui, pos2};
use paser_protocol::{LayerView, ModelView, ModelsView, ProjectionView};

use super::{Shown, line, middle};
use crate::{
    format,
    theme::{self, icons},
    widgets::{Words, look, ramp_bar, row, say},
};

const ROW: f32 = 20.0;
const NAME: f32 = 62.0;
const COLUMNS: [(&str, f32); 7] = [
    ("heads", 0.11),
    ("kv heads", 0.11),
    ("head width", 0.11),
    ("feed-forward", 0.17),
    ("parameters", 0.23),
    ("zeros", 0.17),
    ("N:M", 0.10),
];

/// Does the n-th layer of the one come from the n-th of the other?
pub(super) fn can_be_paired(view: &ModelsView) -> bool {
    matches!((&view.dense, &view.pruned), (Some(dense), Some(pruned)) if dense.layers.len() == pruned.layers.len())
}

pub(super) fn show(ui: &mut Ui, view: &ModelsView, shown: Shown) {
    let Some(model) = view.pruned.as_ref().or(view.dense.as_ref()) else { return };
    // Without the other one, or with another number of layers, there is nothing to set a layer beside.
    let dense = view.dense.as_ref().filter(|_| can_be_paired(view));
    let height = (ui.ctx().content_rect().height() - 400.0).clamp(120.0, 420.0);
    egui::Frame::new().inner_margin(egui::Margin::symmetric(16, 4)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        if shown == Shown::Table {
            table_head(ui);
        } else {
            map_head(ui, model);
        }
        let count = model.layers.len();
        let area =
            egui::ScrollArea::vertical().id_salt(("layers", shown as u8)).max_height(height).auto_shrink([false, true]);
        area.show_rows(ui, ROW, count, |ui, range| {
            for place in range {
                let before = dense.and_then(|dense| dense.layers.get(place));
                match shown {
                    Shown::Table => table_line(ui, place, &model.layers[place], before),
                    _ => map_line(ui, place, &model.layers[place], before, shown),
                }
            }
        });
        if shown != Shown::Table {
            legend(ui, shown);
        }
    });
}

fn legend(ui: &mut Ui, shown: Shown) {
    let rect = line(ui, 22.0);
    row(ui, rect, 6.0, |ui| {
        let words = if shown == Shown::Kept { "kept of the dense model" } else { "exactly zero" };
        Words::new(ui).small(words).show(ui);
        let stops = look(ui).sequential_stops();
        ramp_bar(ui, stops, "0 %", "100 %", 14.0);
    });
}

fn cells(rect: Rect, count: usize) -> impl Iterator<Item = Rect> {
    let width = (rect.width() - NAME) / count.max(1) as f32;
    (0..count).map(move |place| {
        let left = rect.left() + NAME + width * place as f32;
        Rect::from_min_max(pos2(left, rect.top()), pos2(left + width, rect.bottom()))
    })
}

fn map_head(ui: &mut Ui, model: &ModelView) {
    let rect = line(ui, ROW);
    Words::new(ui).small("layer").paint(ui, rect.left_center(), Align2::LEFT_CENTER, NAME);
    let Some(first) = model.layers.first() else { return };
    for (cell, projection) in cells(rect, first.projections.len()).zip(&first.projections) {
        middle(ui, cell, Words::new(ui).small(&projection.name));
    }
}

/// 0 to 1; none where there is nothing to measure by: a matrix that is gone, or no dense one beside it.
fn share(projection: &ProjectionView, before: Option<&ProjectionView>, shown: Shown) -> Option<f64> {
    let size = f64::from(projection.rows) * f64::from(projection.columns);
    match shown {
        Shown::Kept => {
            let before = before?.kept();
            (before > 0).then(|| projection.kept() as f64 / before as f64)
        }
        _ => (size > 0.0).then(|| projection.zeros as f64 / size),
    }
}

fn map_line(ui: &mut Ui, place: usize, layer: &LayerView, before: Option<&LayerView>, shown: Shown) {
    let rect = line(ui, ROW);
    let look = look(ui);
    Words::of(look).num2(place.to_string()).paint(ui, rect.left_center(), Align2::LEFT_CENTER, NAME);
    for (at, (cell, projection)) in cells(rect, layer.projections.len()).zip(&layer.projections).enumerate() {
        let dense = before.and_then(|before| before.projections.get(at));
        let share = share(projection, dense, shown);
        let inside = cell.shrink(1.0);
        let (fill, words) = match share {
            Some(share) => (look.sequential(share.clamp(0.0, 1.0) as f32), format::percent(share)),
            None => (look.panel, "-".to_owned()),
        };
        ui.painter().rect_filled(inside, 0.0, fill);
        let ink = if share.is_none() { look.text_3 } else { ink_on(fill) };
        middle(ui, inside, Words::of(look).part(&words, theme::mono_small(), ink));
        let size = |projection: &ProjectionView| {
            let (rows, columns) = (u64::from(projection.rows), u64::from(projection.columns));
            let pattern = projection.pattern.as_ref().map_or_else(String::new, |pattern| format!(", {pattern}"));
            let zeros = format::percent(projection.zeros as f64 / (rows * columns).max(1) as f64);
            format!("{} x {}, {zeros} zero{pattern}", format::count(rows), format::count(columns))
        };
        let mut spoken = format!("layer {place}, {}: {}", projection.name, size(projection));
        if let Some(dense) = dense {
            spoken = format!("{spoken}; dense: {}", size(dense));
        }
        say(ui, inside, spoken.clone()).on_hover_text(spoken);
    }
}

/// Black or white, whichever is read more easily on `fill`.
fn ink_on(fill: Color32) -> Color32 {
    let [red, green, blue, _] = egui::Rgba::from(fill).to_array();
    let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    if luminance > 0.18 { Color32::BLACK } else { Color32::WHITE }
}

fn columns(rect: Rect) -> impl Iterator<Item = Rect> {
    let width = rect.width() - NAME;
    let mut left = rect.left() + NAME;
    COLUMNS.iter().map(move |(_, share)| {
        let cell = Rect::from_min_max(pos2(left, rect.top()), pos2(left + width * share, rect.bottom()));
        left = cell.right();
        cell
    })
}

fn table_head(ui: &mut Ui) {
    let rect = line(ui, ROW);
    Words::new(ui).small("layer").paint(ui, rect.left_center(), Align2::LEFT_CENTER, NAME);
    for (cell, (name, _)) in columns(rect).zip(COLUMNS) {
        Words::new(ui).small(name).paint(ui, cell.right_center(), Align2::RIGHT_CENTER, cell.width());
    }
}

fn table_line(ui: &mut Ui, place: usize, layer: &LayerView, before: Option<&LayerView>) {
    let rect = line(ui, ROW);
    let look = look(ui);
    let pattern = |layer: &LayerView| {
        let mut all = layer.projections.iter().map(|projection| projection.pattern.clone());
        let first = all.next().flatten();
        if all.all(|other| other == first) { first.unwrap_or_default() } else { "mixed".to_owned() }
    };
    let numbers = |layer: &LayerView| {
        [
            layer.heads.to_string(),
            layer.kv_heads.to_string(),
            layer.head_dim.to_string(),
            format::count(u64::from(layer.ffn)),
            format::count(layer.parameters),
            format::percent(layer.zeros as f64 / layer.parameters.max(1) as f64),
            pattern(layer),
        ]
    };
    let (now, before) = (numbers(layer), before.map(numbers));
    Words::of(look).num2(place.to_string()).paint(ui, rect.left_center(), Align2::LEFT_CENTER, NAME);
    let mut spoken = format!("layer {place}");
    for (at, (cell, value)) in columns(rect).zip(&now).enumerate() {
        let was = before.as_ref().map(|before| &before[at]).filter(|before| *before != value);
        let words = match was {
            Some(was) if !was.is_empty() => Words::of(look)
                .num3(was)
                .part(" ", theme::mono_small(), look.text_3)
                .icon(icons::ARROW_RIGHT, 11.0, look.text_3)
                .part(" ", theme::mono_small(), look.text_3)
                .num(value),
            Some(_) => Words::of(look).num(value),
            None => Words::of(look).num2(value),
        };
        words.paint(ui, cell.right_center(), Align2::RIGHT_CENTER, cell.width() - 4.0);
        if !value.is_empty() {
            spoken = format!("{spoken}, {} {value}", COLUMNS[at].0);
        }
        if let Some(was) = was.filter(|was| !was.is_empty()) {
            spoken = format!("{spoken}, {was} in the dense model");
        }
    }
    say(ui, rect, spoken);
}
