//! A sample's texts: prose as it is, code in the mono face and in greys, and all of it can be selected and copied.

use std::{ops::Range, sync::Arc};

use egui::{
    Color32, Galley, Response, Sense, Stroke, TextFormat, Ui, WidgetInfo, accesskit::Role, text::LayoutJob,
    text_selection::LabelSelectionState,
};

use crate::{
    code::{Part, parts},
    theme::{self, Look, bidi},
    widgets::look,
};

/// A whole text, `line` points from line to line.
pub fn text(ui: &mut Ui, text: &str, line: f32) -> Response {
    let job = job(look(ui), text, line, [(text.len(), None)], ui.available_width());
    if bidi::has_rtl(text) {
        // In the order of reading a selection would copy words in another order than they were written in.
        let broken = ui.painter().layout_job(job.clone());
        let lines: Vec<usize> =
            broken.rows.iter().map(|row| row.glyphs.len() + usize::from(row.ends_with_newline)).collect();
        let galley = ui.painter().layout_job(bidi::reorder(&job, &lines));
        let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
        ui.painter().galley(rect.min, galley, look(ui).text);
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text.trim()));
        return response;
    }
    selectable(ui, job, text.trim().to_owned()).1
}

/// A text that is laid out: parts of code by their kind, and behind each stretch its shade. `shades`: where a stretch
/// ends, in bytes, and its colour; rising, the last at the end of the text.
pub fn job(
    look: &Look,
    text: &str,
    line: f32,
    shades: impl IntoIterator<Item = (usize, Option<Color32>)>,
    width: f32,
) -> LayoutJob {
    let mut job = LayoutJob::default();
    job.wrap.max_width = width.max(1.0);
    let mut parts = parts(text).into_iter().peekable();
    let mut at = 0;
    for (end, shade) in shades {
        while let Some((range, part)) = parts.peek().cloned().filter(|_| at < end) {
            let upto = range.end.min(end);
            let mut format = face(look, part);
            format.line_height = Some(line);
            format.expand_bg = 0.0;
            format.background = shade.unwrap_or(Color32::TRANSPARENT);
            append(&mut job, text, at..upto, format);
            at = upto;
            if at == range.end {
                parts.next();
            }
        }
    }
    job
}

fn append(job: &mut LayoutJob, text: &str, range: Range<usize>, format: TextFormat) {
    if let Some(piece) = text.get(range) {
        job.append(piece, 0.0, format);
    }
}

/// Hue belongs to data: code differs by face, grey and slant.
fn face(look: &Look, part: Part) -> TextFormat {
    let (font, colour) = match part {
        Part::Prose => (theme::body(), look.text),
        Part::Fence | Part::Comment => (theme::mono(), look.text_3),
        Part::Code | Part::Text => (theme::mono(), look.text_2),
        Part::Keyword => (theme::mono(), look.text),
    };
    let mut format = TextFormat::simple(font, colour);
    format.valign = egui::Align::Center;
    format.italics = matches!(part, Part::Comment | Part::Text);
    format
}

/// Text that a person can select with the pointer and copy. It can be clicked, too.
pub fn selectable(ui: &mut Ui, job: LayoutJob, spoken: String) -> (Arc<Galley>, Response) {
    let galley = ui.painter().layout_job(job);
    // A finger scrolls; and the keyboard goes from control to control, not from text to text.
    let drags = ui.input(|input| !input.has_touch_screen());
    let sense = if drags { Sense::click_and_drag() } else { Sense::click() } - Sense::FOCUSABLE;
    let (rect, response) = ui.allocate_exact_size(galley.size(), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    LabelSelectionState::label_text_selection(ui, &response, rect.min, galley.clone(), look(ui).text, Stroke::NONE);
    (galley, response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_and_parts_of_code_cut_a_text_where_either_ends() {
        let look = Look::of(true);
        let text = "x\n```py\ndef f\n```";
        let shade = look.shade(0.5);
        let job = job(look, text, 18.0, [(10, None), (13, shade), (text.len(), None)], 200.0);
        assert_eq!(job.text, text);
        let pieces: Vec<(&str, bool)> = job
            .sections
            .iter()
            .map(|section| {
                let range = section.byte_range.start.0..section.byte_range.end.0;
                (&text[range], section.format.background != Color32::TRANSPARENT)
            })
            .collect();
        let expected = [
            ("x\n", false),
            ("```py\n", false),
            ("de", false),
            ("f", true),
            (" f", true),
            ("\n", false),
            ("```", false),
        ];
        assert_eq!(pieces, expected);
    }
}
