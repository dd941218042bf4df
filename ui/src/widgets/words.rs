//! A line of text whose parts differ in weight, grey and face: "of 38,563, 20.0 %". Painted by us, read by AccessKit.

use std::sync::Arc;

use egui::{
    Align2, Color32, FontId, Galley, Pos2, Rect, Response, Sense, Ui, WidgetInfo, accesskit::Role, text::LayoutJob,
};

use super::look;
use crate::{
    glossary::{Place, meaning},
    theme::{self, Look, bidi},
};

/// Builds one text out of parts.
#[derive(Clone)]
pub struct Words {
    look: &'static Look,
    job: LayoutJob,
}

impl Words {
    pub fn new(ui: &Ui) -> Self {
        Self::of(look(ui))
    }

    pub fn of(look: &'static Look) -> Self {
        Self { look, job: LayoutJob { break_on_newline: true, ..LayoutJob::default() } }
    }

    pub fn part(mut self, text: impl AsRef<str>, font: FontId, colour: Color32) -> Self {
        let mut format = egui::TextFormat::simple(font, colour);
        format.valign = egui::Align::Center;
        self.job.append(text.as_ref(), 0.0, format);
        self
    }

    /// 12, first grey.
    pub fn t(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text;
        self.part(text, theme::body(), colour)
    }

    /// 12, second grey.
    pub fn t2(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text_2;
        self.part(text, theme::body(), colour)
    }

    /// 12, third grey.
    pub fn t3(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text_3;
        self.part(text, theme::body(), colour)
    }

    pub fn strong(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text;
        self.part(text, theme::body_strong(), colour)
    }

    /// 11, third grey.
    pub fn small(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text_3;
        self.part(text, theme::small(), colour)
    }

    pub fn num(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text;
        self.part(text, theme::mono(), colour)
    }

    pub fn num2(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text_2;
        self.part(text, theme::mono(), colour)
    }

    pub fn num3(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.text_3;
        self.part(text, theme::mono(), colour)
    }

    /// A number in the colour of the selection being built.
    pub fn num_a(self, text: impl AsRef<str>) -> Self {
        let colour = self.look.a;
        self.part(text, theme::mono(), colour)
    }

    pub fn icon(self, glyph: char, size: f32, colour: Color32) -> Self {
        self.part(glyph.to_string(), theme::icon(size), colour)
    }

    pub fn text(&self) -> String {
        spoken(&self.job.text)
    }

    /// At most `rows` lines of `width`; "..." where it is cut.
    pub fn galley(mut self, ui: &Ui, width: f32, rows: usize) -> Arc<Galley> {
        self.job.wrap.max_width = width.max(1.0);
        self.job.wrap.max_rows = rows;
        self.job.wrap.break_anywhere = rows == 1;
        self.job.halign = egui::Align::LEFT;
        if !bidi::has_rtl(&self.job.text) {
            return ui.painter().layout_job(self.job);
        }
        // Lines are broken in the order of writing, then each is put into the order of reading.
        if rows == 1 {
            return ui.painter().layout_job(bidi::reorder(&self.job, &[]));
        }
        let broken = ui.painter().layout_job(self.job.clone());
        let lines: Vec<usize> =
            broken.rows.iter().map(|row| row.glyphs.len() + usize::from(row.ends_with_newline)).collect();
        ui.painter().layout_job(bidi::reorder(&self.job, &lines))
    }

    /// With a fixed distance from line to line.
    pub fn line_height(mut self, height: f32) -> Self {
        for section in &mut self.job.sections {
            section.format.line_height = Some(height);
        }
        self
    }

    /// One line inside a layout.
    pub fn show(self, ui: &mut Ui) -> Response {
        let width = ui.available_width();
        self.show_in(ui, width, 1)
    }

    /// Wrapped to the width that is there.
    pub fn wrapped(self, ui: &mut Ui) -> Response {
        let width = ui.available_width();
        self.show_in(ui, width, usize::MAX)
    }

    pub fn show_in(self, ui: &mut Ui, width: f32, rows: usize) -> Response {
        let text = self.text();
        let galley = self.galley(ui, width, rows);
        let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
        ui.painter().galley(rect.min, galley, Color32::PLACEHOLDER);
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
        response
    }

    /// One line at a place.
    pub fn at(self, ui: &mut Ui, place: Pos2, anchor: Align2, width: f32) -> Response {
        let text = self.text();
        let rect = self.paint(ui, place, anchor, width);
        say(ui, rect, text)
    }

    /// The same without telling AccessKit: for parts of a row that names itself as a whole.
    pub fn paint(self, ui: &Ui, place: Pos2, anchor: Align2, width: f32) -> Rect {
        let galley = self.galley(ui, width, 1);
        let rect = anchor.anchor_size(place, galley.size());
        ui.painter().galley(rect.min, galley, Color32::PLACEHOLDER);
        rect
    }
}

/// Icons are private-use characters: nobody reads them aloud.
fn spoken(text: &str) -> String {
    text.chars().filter(|c| !('\u{e000}'..='\u{f8ff}').contains(c)).collect::<String>().trim().to_owned()
}

/// Names a painted place to AccessKit as plain text.
pub fn say(ui: &mut Ui, rect: Rect, text: impl Into<String>) -> Response {
    let text = text.into();
    let id = ui.next_auto_id();
    ui.skip_ahead_auto_ids(1);
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    response
}

/// Tells what `word` means while the pointer rests there.
pub fn explain(response: Response, place: Place, word: &str) {
    if let Some(text) = meaning(place, word) {
        response.on_hover_text(text);
    }
}
