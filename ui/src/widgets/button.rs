//! Buttons: the one primary of a screen, plain ones, compact ones in heads, and icons that say their name on hover.

use egui::{Color32, Response, Sense, Stroke, StrokeKind, Ui, Vec2, Widget, WidgetInfo, accesskit::Role, pos2};

use super::{focus_ring, look};
use crate::theme;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Primary,
    Quiet,
}

/// A button with a text, and maybe an icon before it.
#[must_use]
pub struct Button<'a> {
    text: &'a str,
    icon: Option<char>,
    caret: Option<char>,
    kind: Kind,
    height: f32,
    reading: bool,
    name: Option<&'a str>,
    swatch: Option<Color32>,
    width: Option<f32>,
    strong: bool,
}

impl<'a> Button<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            icon: None,
            caret: None,
            kind: Kind::Plain,
            height: 28.0,
            reading: false,
            name: None,
            swatch: None,
            width: None,
            strong: false,
        }
    }

    pub fn icon(mut self, glyph: char) -> Self {
        self.icon = Some(glyph);
        self
    }

    /// A caret after the text: it opens something.
    pub fn caret(mut self, glyph: char) -> Self {
        self.caret = Some(glyph);
        self
    }

    pub fn primary(mut self) -> Self {
        self.kind = Kind::Primary;
        self
    }

    /// Text only.
    pub fn quiet(mut self) -> Self {
        self.kind = Kind::Quiet;
        self
    }

    pub fn height(mut self, height: f32) -> Self {
        self.height = height;
        self
    }

    /// Text of 13, for forms and the welcome page.
    pub fn reading(mut self) -> Self {
        self.reading = true;
        self
    }

    pub fn swatch(mut self, colour: Color32) -> Self {
        self.swatch = Some(colour);
        self
    }

    pub fn strong(mut self) -> Self {
        self.strong = true;
        self
    }

    pub fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// What AccessKit and tests call it, where that is not the text.
    pub fn name(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self
    }
}

impl Widget for Button<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let look = look(ui);
        let font = match (self.kind, self.reading) {
            (Kind::Primary, false) => theme::body_strong(),
            (Kind::Primary, true) => theme::read_strong(),
            (_, false) if self.strong => theme::body_strong(),
            (_, false) => theme::body(),
            (_, true) => theme::read(),
        };
        let size = if self.reading { 15.0 } else { 14.0 };
        let text = ui.painter().layout_no_wrap(self.text.to_owned(), font, Color32::PLACEHOLDER);
        let glyph =
            |glyph: char, size| ui.painter().layout_no_wrap(glyph.to_string(), theme::icon(size), Color32::PLACEHOLDER);
        let icon = self.icon.map(|icon| glyph(icon, size));
        let caret = self.caret.map(|caret| glyph(caret, 12.0));
        let padding = match (self.kind, self.reading) {
            (Kind::Quiet, _) => 6.0,
            (_, true) => 14.0,
            _ if self.height < 26.0 => 8.0,
            _ => 10.0,
        };
        let gap = 6.0;
        let inner = text.size().x
            + icon.as_ref().map_or(0.0, |icon| icon.size().x + gap)
            + self.swatch.map_or(0.0, |_| 9.0 + gap)
            + caret.as_ref().map_or(0.0, |caret| caret.size().x + gap);
        let width = self.width.unwrap_or(inner + padding * 2.0);
        let (rect, response) = ui.allocate_exact_size(Vec2::new(width, self.height), Sense::click());
        let enabled = ui.is_enabled();
        let name = self.name.unwrap_or(self.text);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
        if ui.is_rect_visible(rect) {
            let (pressed, hovered) = (response.is_pointer_button_down_on(), response.hovered());
            let (fill, edge, ink) = match self.kind {
                _ if !enabled && self.kind == Kind::Quiet => {
                    (Color32::TRANSPARENT, Color32::TRANSPARENT, look.disabled)
                }
                _ if !enabled => (Color32::TRANSPARENT, look.line, look.disabled),
                Kind::Primary if pressed => (look.accent_press, look.accent_press, look.on_accent),
                Kind::Primary if hovered => (look.accent_hover, look.accent_hover, look.on_accent),
                Kind::Primary => (look.accent, look.accent, look.on_accent),
                Kind::Plain if pressed => (look.panel, look.edge, look.text),
                Kind::Plain if hovered => (look.overlay, look.edge, look.text),
                Kind::Plain => (look.control, look.edge, look.text),
                Kind::Quiet if hovered || pressed => (look.overlay, Color32::TRANSPARENT, look.text),
                Kind::Quiet if self.strong => (Color32::TRANSPARENT, Color32::TRANSPARENT, look.text),
                Kind::Quiet => (Color32::TRANSPARENT, Color32::TRANSPARENT, look.text_2),
            };
            ui.painter().rect(rect, 3.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
            let mut x = if self.width.is_some() { rect.left() + 8.0 } else { rect.center().x - inner / 2.0 };
            if let Some(colour) = self.swatch {
                let square = egui::Rect::from_center_size(pos2(x + 4.5, rect.center().y), Vec2::splat(9.0));
                ui.painter().rect_filled(square, 2.0, colour);
                x += 9.0 + gap;
            }
            if let Some(icon) = icon {
                let width = icon.size().x;
                ui.painter().galley_with_override_text_color(pos2(x, rect.center().y - icon.size().y / 2.0), icon, ink);
                x += width + gap;
            }
            ui.painter().galley_with_override_text_color(pos2(x, rect.center().y - text.size().y / 2.0), text, ink);
            if let Some(caret) = caret {
                let x = rect.right() - caret.size().x - if self.width.is_some() { 8.0 } else { padding };
                ui.painter().galley_with_override_text_color(
                    pos2(x, rect.center().y - caret.size().y / 2.0),
                    caret,
                    ink,
                );
            }
            focus_ring(ui, &response, rect);
        }
        response
    }
}

/// 26 px square with an icon. `on` fills it; `why` disables it and says why on hover.
pub fn icon_button(ui: &mut Ui, glyph: char, name: &str, on: bool, why: Option<&str>) -> Response {
    icon_button_sized(ui, glyph, name, on, why, Vec2::splat(26.0))
}

pub fn icon_button_sized(ui: &mut Ui, glyph: char, name: &str, on: bool, why: Option<&str>, size: Vec2) -> Response {
    let glyph = glyph.to_string();
    drawn_button(ui, name, on, why, size, move |ui, rect, ink| {
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, &glyph, theme::icon(16.0), ink);
    })
}

/// An icon button whose icon is drawn by `draw(ui, rect, ink)`.
pub fn drawn_button(
    ui: &mut Ui,
    name: &str,
    on: bool,
    why: Option<&str>,
    size: Vec2,
    draw: impl FnOnce(&Ui, egui::Rect, Color32),
) -> Response {
    let look = look(ui);
    let sense = if why.is_none() { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    let label = name.split("  (").next().unwrap_or(name);
    response.widget_info(|| WidgetInfo::selected(Role::Button, why.is_none(), on, label));
    let hovered = response.hovered() && why.is_none();
    let ink = match (why.is_some(), on || hovered) {
        (true, _) => look.disabled,
        (_, true) => look.text,
        _ => look.text_2,
    };
    if on || hovered {
        ui.painter().rect_filled(rect, 3.0, if on { look.overlay } else { look.raised });
    }
    draw(ui, rect, ink);
    focus_ring(ui, &response, rect);
    response.on_hover_text(match why {
        Some(why) => format!("{name}: {why}"),
        None => name.to_owned(),
    })
}
