//! One of a few, side by side: units of the budget, tools of the map, tabs of a panel.

use egui::{Color32, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};

use super::{focus_ring, look};
use crate::theme;

/// What a segment shows.
#[derive(Clone, Copy)]
pub enum Face<'a> {
    Text(&'a str),
    Icon(char),
}

/// Shows the choices; the newly chosen one, if any. `group` stands before each accessible name.
pub fn segmented(
    ui: &mut Ui,
    group: &str,
    choices: &[(Face<'_>, &str)],
    chosen: usize,
    height: f32,
    mut note: impl FnMut(usize, Rect),
) -> Option<usize> {
    let look = look(ui);
    let faces: Vec<_> = choices
        .iter()
        .map(|(face, _)| match face {
            Face::Text(text) => ui.painter().layout_no_wrap((*text).to_owned(), theme::body(), Color32::PLACEHOLDER),
            Face::Icon(glyph) => {
                ui.painter().layout_no_wrap(glyph.to_string(), theme::icon(15.0), Color32::PLACEHOLDER)
            }
        })
        .collect();
    let widths: Vec<f32> = faces.iter().map(|face| (face.size().x + 16.0).max(30.0).ceil()).collect();
    let (rect, whole) = ui.allocate_exact_size(Vec2::new(widths.iter().sum(), height), Sense::hover());
    ui.painter().rect_filled(rect, 3.0, look.control);
    let mut picked = None;
    let mut left = rect.left();
    for (place, ((face, width), (_, name))) in faces.into_iter().zip(&widths).zip(choices).enumerate() {
        let cell = Rect::from_min_size(pos2(left, rect.top()), Vec2::new(*width, height));
        left += width;
        let on = place == chosen;
        let response = ui.interact(cell, whole.id.with(place), Sense::click());
        let spoken = if group.is_empty() { (*name).to_owned() } else { format!("{group}: {name}") };
        response.widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), on, &spoken));
        let fill = match (on, response.hovered()) {
            (true, _) => look.overlay,
            (_, true) => look.raised,
            _ => Color32::TRANSPARENT,
        };
        ui.painter().rect_filled(cell.shrink(1.0), 2.0, fill);
        let ink = if on { look.text } else { look.text_2 };
        ui.painter().galley_with_override_text_color(cell.center() - face.size() / 2.0, face, ink);
        if place + 1 < choices.len() {
            ui.painter().vline(cell.right() - 0.5, cell.y_range(), Stroke::new(1.0, look.edge));
        }
        focus_ring(ui, &response, cell);
        note(place, cell);
        if response.clicked() && !on {
            picked = Some(place);
        }
        if matches!(choices[place].0, Face::Icon(_)) {
            response.on_hover_text(*name);
        }
    }
    ui.painter().rect_stroke(rect, 3.0, Stroke::new(1.0, look.edge), StrokeKind::Inside);
    picked
}
