//! The budget's slider: one filled line with a handle, ticks at tenths, arrow keys.

use egui::{Key, Rect, Response, Sense, Ui, Vec2, WidgetInfo, pos2};

use super::{focus_ring, look};

/// Shows `share` (0 to 1) and changes it. `spoken` is the value for AccessKit.
pub fn slider(ui: &mut Ui, name: &str, width: f32, share: &mut f32, spoken: f64) -> Response {
    let look = look(ui);
    let (rect, mut response) = ui.allocate_exact_size(Vec2::new(width, 20.0), Sense::click_and_drag());
    let track = rect.shrink2(Vec2::new(4.0, 0.0));
    let before = *share;
    if let Some(pointer) = response.interact_pointer_pos() {
        *share = ((pointer.x - track.left()) / track.width()).clamp(0.0, 1.0);
        response.request_focus();
    }
    if response.has_focus() {
        ui.memory_mut(|memory| {
            let filter = egui::EventFilter { horizontal_arrows: true, ..Default::default() };
            memory.set_focus_lock_filter(response.id, filter);
        });
        let step = ui.input(|input| {
            let presses = |key| input.num_presses(key) as f32;
            let size = if input.modifiers.shift { 0.05 } else { 0.005 };
            (presses(Key::ArrowRight) - presses(Key::ArrowLeft)) * size
        });
        if step != 0.0 {
            *share = (*share + step).clamp(0.0, 1.0);
        }
    }
    if *share != before {
        response.mark_changed();
    }
    response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), spoken, name));
    let middle = rect.center().y;
    let at = track.left() + track.width() * *share;
    let line = |from: f32, to: f32| Rect::from_min_max(pos2(from, middle - 1.5), pos2(to, middle + 1.5));
    ui.painter().rect_filled(line(track.left(), track.right()), 0.0, look.edge);
    ui.painter().rect_filled(line(track.left(), at), 0.0, look.a_fill);
    for tenth in 1..10 {
        let x = track.left() + track.width() * tenth as f32 / 10.0;
        ui.painter().vline(x, middle + 4.0..=middle + 7.0, egui::Stroke::new(1.0, look.axis));
    }
    let handle = Rect::from_center_size(pos2(at, middle), Vec2::new(8.0, 14.0));
    ui.painter().rect_filled(handle, 2.0, if response.hovered() { look.accent_hover } else { look.accent });
    focus_ring(ui, &response, handle);
    response.on_hover_cursor(egui::CursorIcon::ResizeHorizontal)
}
