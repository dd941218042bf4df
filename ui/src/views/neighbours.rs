//! The samples most like the inspected one: a click inspects one of them, a button brushes fifty.

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{EditSource, NeighbourView, SampleView};

use crate::{
    format,
    state::{AppState, MapOrder},
    theme::icons,
    widgets::{Button, Words, focus_ring, look, pane},
};

/// Neighbours that are listed.
const LISTED: usize = 8;
const ROW: f32 = 22.0;

/// A section of the inspector.
pub fn show(ui: &mut Ui, state: &mut AppState, sample: &SampleView) {
    let found = state.neighbours(sample.row);
    let right = match &found {
        None => Some("looking for them"),
        Some(Ok(_)) => Some("cosine"),
        Some(Err(_)) => None,
    };
    pane::section_head(ui, "Nearest samples", right.map(|right| Words::new(ui).small(right)));
    match found {
        // As high as the list, so that nothing below jumps.
        None => ui.add_space(ROW * LISTED as f32 + 36.0),
        Some(Ok(near)) if near.is_empty() => {
            Words::new(ui).t3("The pool has no other sample.").wrapped(ui);
        }
        Some(Ok(near)) => {
            for neighbour in near.iter().take(LISTED) {
                one(ui, state, neighbour);
            }
            ui.add_space(8.0);
            let name = format!("Brush {} nearest", format::count(near.len() as u64));
            let button = ui.add(Button::new(&name).height(24.0).icon(icons::SELECTION));
            state.note("brush nearest", button.rect);
            let asked = state.inspection.brush_nearest_of.take_if(|row| *row == sample.row).is_some();
            if button.clicked() || asked {
                let mut rows: Vec<u32> = near.iter().map(|neighbour| neighbour.row).collect();
                rows.sort_unstable();
                state.focus.set_rows(rows, Some(EditSource::Neighbours { of: sample.id.clone() }));
            }
        }
        Some(Err(report)) => {
            pane::remark(ui, "warn", &report.to_string());
            let again = ui.add(Button::new("Try again").height(22.0));
            state.note("neighbours again", again.rect);
            if again.clicked() {
                state.inspection.neighbours_again();
            }
        }
    }
}

/// Cluster, id, beginning of the text, and the cosine.
fn one(ui: &mut Ui, state: &mut AppState, neighbour: &NeighbourView) {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
    let wide = Rect::from_x_y_ranges(rect.left() - 10.0..=rect.right() + 10.0, rect.y_range());
    state.note(format!("near:{}", neighbour.row), rect);
    let similarity = format::decimal(f64::from(neighbour.similarity), 3);
    response.widget_info(|| {
        let text = format!("Sample {}, cosine {similarity}: {}", neighbour.id, neighbour.instruction);
        WidgetInfo::labeled(Role::Button, true, text)
    });
    if response.hovered() || state.focus.hovered == Some(neighbour.row) {
        ui.painter().rect_filled(wide, 0.0, look.raised);
    }
    if response.hovered() {
        state.focus.next_hovered = Some(neighbour.row);
    }
    if response.clicked() {
        state.inspect(neighbour.row);
        state.table.show_inspected = true;
        state.map_order = Some(MapOrder::ShowInspected);
    }
    let middle = rect.center().y;
    let cluster = state.cluster_of(neighbour.row).and_then(|cluster| state.cluster(cluster));
    let colour = cluster.map_or(look.neither, |cluster| look.cluster(cluster.colour));
    let swatch = Rect::from_center_size(pos2(rect.left() + 4.5, middle), Vec2::splat(9.0));
    ui.painter().rect_filled(swatch, 2.0, colour);
    let id = Words::of(look).num3(&neighbour.id).paint(ui, pos2(rect.left() + 16.0, middle), Align2::LEFT_CENTER, 90.0);
    let value = Words::of(look).num2(similarity).paint(ui, rect.right_center(), Align2::RIGHT_CENTER, 60.0);
    let left = id.right() + 8.0;
    Words::of(look).t2(&neighbour.instruction).paint(
        ui,
        pos2(left, middle),
        Align2::LEFT_CENTER,
        value.left() - 8.0 - left,
    );
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    focus_ring(ui, &response, rect);
}
