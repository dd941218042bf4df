//! A text field in its frame, and a drop-down that looks like one.

use egui::{Color32, Id, Key, Margin, Popup, Rect, Response, Stroke, StrokeKind, TextEdit, Ui, Vec2, pos2};

use super::{Button, focus_ring, look};
use crate::theme::{self, icons};

/// What a field did in this frame.
pub struct Typed {
    pub response: Response,
    /// Enter was pressed in it.
    pub entered: bool,
}

pub struct Field<'a> {
    name: &'a str,
    hint: &'a str,
    icon: Option<char>,
    mono: bool,
    accent: bool,
    secret: bool,
    width: f32,
    height: f32,
    id: Option<Id>,
}

impl<'a> Field<'a> {
    pub fn new(name: &'a str, width: f32) -> Self {
        Self { name, hint: "", icon: None, mono: false, accent: false, secret: false, width, height: 26.0, id: None }
    }

    pub fn hint(mut self, hint: &'a str) -> Self {
        self.hint = hint;
        self
    }

    pub fn icon(mut self, icon: char) -> Self {
        self.icon = Some(icon);
        self
    }

    /// Paths, ids and numbers.
    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// Shown as dots.
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// In the colour of the selection being built.
    pub fn accent(mut self) -> Self {
        self.accent = true;
        self
    }

    pub fn height(mut self, height: f32) -> Self {
        self.height = height;
        self
    }

    pub fn id(mut self, id: Id) -> Self {
        self.id = Some(id);
        self
    }

    pub fn show(self, ui: &mut Ui, text: &mut String) -> Typed {
        let look = look(ui);
        let (rect, outer) = ui.allocate_exact_size(Vec2::new(self.width, self.height), egui::Sense::hover());
        let edge = if outer.hovered() || ui.rect_contains_pointer(rect) { look.axis } else { look.edge };
        ui.painter().rect(rect, 3.0, look.control, Stroke::new(1.0, edge), StrokeKind::Inside);
        let mut inner = rect.shrink2(Vec2::new(8.0, 1.0));
        if let Some(icon) = self.icon {
            let place = pos2(inner.left() + 7.0, rect.center().y);
            ui.painter().text(place, egui::Align2::CENTER_CENTER, icon, theme::icon(14.0), look.text_2);
            inner.min.x += 20.0;
        }
        let font = if self.mono { theme::mono() } else { theme::body() };
        let mut edit = TextEdit::singleline(text)
            .font(font)
            .password(self.secret)
            .text_color(if self.accent { look.a } else { look.text })
            .hint_text(egui::RichText::new(self.hint).color(look.text_3).font(theme::body()))
            .frame(egui::Frame::NONE)
            .margin(Margin::ZERO)
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(inner.width())
            .min_size(inner.size());
        if let Some(id) = self.id {
            edit = edit.id(id);
        }
        let mut child = ui.new_child(egui::UiBuilder::new().max_rect(inner));
        child.shrink_clip_rect(inner);
        child.spacing_mut().interact_size.y = 0.0;
        let response = child.put(inner, edit).accessible_name(self.name);
        focus_ring(ui, &response, rect);
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        Typed { response: response.with_new_rect(rect), entered }
    }
}

/// A drop-down: `shown` on its face, entries with one more line each; the place of a newly chosen one.
pub fn dropdown(
    ui: &mut Ui,
    name: &str,
    shown: &str,
    height: f32,
    width: Option<f32>,
    entries: &[(&str, &str)],
    chosen: Option<usize>,
) -> (Response, Option<usize>) {
    let face = match width {
        Some(width) => super::elided(ui, shown, width - FACE_MARGIN),
        None => shown.to_owned(),
    };
    let mut button = Button::new(&face).name(name).height(height).caret(icons::CARET_DOWN);
    if let Some(width) = width {
        button = button.width(width);
    }
    let response = ui.add(button);
    let mut picked = None;
    Popup::menu(&response).accessible_name(name.to_owned()).gap(2.0).show(|ui| {
        let width_of =
            |text: &str, font| ui.painter().layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size().x;
        let widths = entries.iter().map(|(text, more)| width_of(text, theme::body()) + width_of(more, theme::small()));
        let width = response.rect.width().max(widths.fold(120.0, f32::max) + ENTRY_MARGIN);
        ui.set_width(width.min(ui.ctx().content_rect().width() - 32.0));
        let most = (ui.ctx().content_rect().height() - 200.0).clamp(120.0, 500.0);
        ui.set_max_height(most);
        egui::ScrollArea::vertical().max_height(most).show(ui, |ui| {
            for (place, (text, more)) in entries.iter().enumerate() {
                if menu_entry(ui, text, more, chosen == Some(place), None, true).clicked() {
                    picked = Some(place);
                    ui.close();
                }
            }
        });
    });
    (response, picked)
}

/// Of a drop-down's face: both edges and the caret.
const FACE_MARGIN: f32 = 44.0;

/// Of a menu's line: the mark, both edges, and what keeps the two texts apart.
const ENTRY_MARGIN: f32 = 52.0;

/// A line of a menu: text left, one more word or a shortcut right.
pub fn menu_entry(ui: &mut Ui, text: &str, more: &str, on: bool, icon: Option<char>, enabled: bool) -> Response {
    let look = look(ui);
    let size = Vec2::new(ui.available_width(), 26.0);
    let sense = if enabled { egui::Sense::click() } else { egui::Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    response.widget_info(|| egui::WidgetInfo::selected(egui::accesskit::Role::MenuItem, enabled, on, text));
    if response.hovered() && enabled || response.has_focus() {
        ui.painter().rect_filled(rect, 3.0, look.raised);
    }
    let ink = if enabled { look.text } else { look.disabled };
    let mut left = rect.left() + 8.0;
    if let Some(icon) = icon.or(on.then_some(icons::CHECK)) {
        ui.painter().text(pos2(left + 6.0, rect.center().y), egui::Align2::CENTER_CENTER, icon, theme::icon(14.0), ink);
    }
    left += 20.0;
    let galley = ui.painter().layout_no_wrap(text.to_owned(), theme::body(), ink);
    let right = rect.right() - 8.0;
    let rest = (right - left - galley.size().x - 16.0).max(0.0);
    ui.painter().galley(pos2(left, rect.center().y - galley.size().y / 2.0), galley, ink);
    if !more.is_empty() && rest > 20.0 {
        let colour = if enabled { look.text_3 } else { look.disabled };
        super::Words::of(look).part(more, theme::small(), colour).paint(
            ui,
            pos2(right, rect.center().y),
            egui::Align2::RIGHT_CENTER,
            rest,
        );
    }
    response
}

/// Fills a rectangle behind a popup's own contents: cards that lie over the map.
pub fn card(ui: &Ui, rect: Rect, fill: Color32) {
    ui.painter().rect(rect, 4.0, fill, Stroke::new(1.0, look(ui).edge), StrokeKind::Inside);
}
