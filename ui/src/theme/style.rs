//! Sets up an egui context: faces, and both themes' visuals from the tokens, for the few stock widgets we use
//! (text fields, scroll areas, popups).

use egui::{CornerRadius, Margin, Stroke, Theme, Vec2, epaint::Shadow, style::WidgetVisuals};

use super::{Look, body, fonts, mono, small, title};

/// Loads the faces and both themes. Call once per context.
pub fn apply(ctx: &egui::Context) {
    ctx.set_fonts(fonts::definitions());
    for theme in [Theme::Dark, Theme::Light] {
        let look = Look::of(theme == Theme::Dark);
        ctx.style_mut_of(theme, |style| {
            style.text_styles = [
                (egui::TextStyle::Small, small()),
                (egui::TextStyle::Body, body()),
                (egui::TextStyle::Button, body()),
                (egui::TextStyle::Monospace, mono()),
                (egui::TextStyle::Heading, title(15.0)),
            ]
            .into();
            style.animation_time = 0.0;
            style.scroll_animation = egui::style::ScrollAnimation::none();
            style.interaction.selectable_labels = false;
            style.interaction.tooltip_delay = 0.35;
            let spacing = &mut style.spacing;
            spacing.item_spacing = Vec2::new(8.0, 0.0);
            spacing.button_padding = Vec2::new(8.0, 4.0);
            spacing.menu_margin = Margin::same(4);
            spacing.interact_size = Vec2::new(0.0, 24.0);
            spacing.tooltip_width = 320.0;
            spacing.scroll.bar_width = 8.0;
            spacing.scroll.floating_width = 4.0;
            spacing.scroll.dormant_handle_opacity = 0.5;
            visuals(&mut style.visuals, look);
        });
    }
}

fn visuals(visuals: &mut egui::Visuals, look: &Look) {
    let widget = |fill, stroke, text| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, stroke),
        corner_radius: CornerRadius::same(3),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.dark_mode = look.dark;
    visuals.override_text_color = None;
    visuals.widgets.noninteractive = widget(look.panel, look.line, look.text);
    visuals.widgets.inactive = widget(look.control, look.edge, look.text);
    visuals.widgets.hovered = widget(look.overlay, look.axis, look.text);
    visuals.widgets.active = widget(look.panel, look.axis, look.text);
    visuals.widgets.open = widget(look.overlay, look.edge, look.text);
    visuals.selection.bg_fill = look.a_fill.gamma_multiply(0.35);
    visuals.selection.stroke = Stroke::new(1.0, look.text);
    visuals.hyperlink_color = look.text_2;
    visuals.faint_bg_color = look.raised;
    visuals.extreme_bg_color = look.control;
    visuals.text_edit_bg_color = Some(look.control);
    visuals.code_bg_color = look.raised;
    visuals.warn_fg_color = look.warn;
    visuals.error_fg_color = look.error;
    visuals.window_corner_radius = CornerRadius::same(4);
    visuals.window_shadow = Shadow::NONE;
    visuals.window_fill = look.overlay;
    visuals.window_stroke = Stroke::new(1.0, look.edge);
    visuals.menu_corner_radius = CornerRadius::same(4);
    visuals.panel_fill = look.panel;
    visuals.popup_shadow = Shadow::NONE;
    visuals.text_cursor.stroke = Stroke::new(1.5, look.text);
    visuals.text_cursor.blink = false;
    visuals.disabled_alpha = 1.0;
}
