//! Right-to-left texts in the order in which they are read. egui lays a line out from left to right and shapes each
//! stretch of one face by itself: here the stretches of a line are put into their visual order (Unicode UAX 9), and what
//! is inside a stretch stays as it was written, for the shaper to turn.

use std::ops::Range;

use egui::text::{LayoutJob, LayoutSection};
use unicode_bidi::{BidiClass, BidiInfo, Direction, bidi_class, get_base_direction_full};

/// Does any part of a text run from right to left?
pub fn has_rtl(text: &str) -> bool {
    text.chars().any(|c| c >= '\u{590}' && is_rtl(c))
}

fn is_rtl(c: char) -> bool {
    matches!(bidi_class(c), BidiClass::R | BidiClass::AL)
}

/// Belongs to the letters around it: shaped with them.
fn is_joined(c: char) -> bool {
    is_rtl(c) || matches!(bidi_class(c), BidiClass::NSM | BidiClass::BN)
}

/// The stretches of one line from left to right, as places in `line`.
fn pieces(line: &str) -> Vec<Range<usize>> {
    let base = match get_base_direction_full(line) {
        Direction::Rtl => unicode_bidi::Level::rtl(),
        _ => unicode_bidi::Level::ltr(),
    };
    let info = BidiInfo::new(line, Some(base));
    let mut pieces = Vec::new();
    for paragraph in &info.paragraphs {
        let (levels, runs) = info.visual_runs(paragraph, paragraph.range.clone());
        for run in runs {
            if !levels[run.start].is_rtl() {
                pieces.push(run);
                continue;
            }
            // Words and what stands between them have faces of their own.
            let mut words: Vec<(Range<usize>, bool)> = Vec::new();
            for (place, c) in line[run.clone()].char_indices() {
                let (start, joined) = (run.start + place, is_joined(c));
                let end = start + c.len_utf8();
                match words.last_mut() {
                    Some((word, true)) if joined => word.end = end,
                    _ => words.push((start..end, joined)),
                }
            }
            pieces.extend(words.into_iter().rev().map(|(word, _)| word));
        }
    }
    pieces
}

/// The text of one line in visual order.
pub fn display(line: &str) -> String {
    if has_rtl(line) { pieces(line).into_iter().map(|piece| &line[piece]).collect() } else { line.to_owned() }
}

/// The same for a text of parts: one line, or the lines that it was broken into, as numbers of characters.
pub fn reorder(job: &LayoutJob, lines: &[usize]) -> LayoutJob {
    let mut out = LayoutJob { sections: Vec::new(), text: String::new(), ..job.clone() };
    let mut start = 0;
    let mut lines = lines.iter().copied().peekable();
    while start < job.text.len() {
        let count = lines.next().unwrap_or(usize::MAX);
        let end = job.text[start..].char_indices().nth(count).map_or(job.text.len(), |(place, _)| start + place);
        let line = job.text[start..end].trim_end_matches('\n');
        for piece in pieces(line) {
            append(&mut out, job, start + piece.start..start + piece.end);
        }
        start = end;
        if start < job.text.len() {
            append_break(&mut out, job, start);
        }
    }
    out
}

/// A piece with the looks of the parts that it lies in.
fn append(out: &mut LayoutJob, job: &LayoutJob, piece: Range<usize>) {
    for section in &job.sections {
        let (start, end) = (section.byte_range.start.0.max(piece.start), section.byte_range.end.0.min(piece.end));
        if start < end {
            let from = out.text.len();
            out.text.push_str(&job.text[start..end]);
            push(out, section, from);
        }
    }
}

fn append_break(out: &mut LayoutJob, job: &LayoutJob, before: usize) {
    let section = job.sections.iter().rev().find(|section| section.byte_range.start.0 < before);
    if let Some(section) = section.or(job.sections.first()) {
        let from = out.text.len();
        out.text.push('\n');
        push(out, section, from);
    }
}

fn push(out: &mut LayoutJob, section: &LayoutSection, from: usize) {
    let byte_range = egui::text::ByteIndex(from)..egui::text::ByteIndex(out.text.len());
    out.sections.push(LayoutSection { leading_space: 0.0, byte_range, format: section.format.clone() });
}

#[cfg(test)]
mod tests {
    use egui::{Color32, FontId, TextFormat};

    use super::*;

    #[test]
    fn words_of_a_line_stand_in_the_order_in_which_they_are_read() {
        assert_eq!(display("plain text"), "plain text");
        assert_eq!(display("你好 👩\u{200d}🚀 e\u{301}"), "你好 👩\u{200d}🚀 e\u{301}");
        // Each word as it is written, the last one leftmost.
        assert_eq!(display("\u{645}\u{631} \u{628}\u{643}"), "\u{628}\u{643} \u{645}\u{631}");
        // A number inside keeps its digits, Latin around it keeps its side.
        assert_eq!(display("id 7: \u{645}\u{631} \u{628}\u{643} end"), "id 7: \u{628}\u{643} \u{645}\u{631} end");
        assert_eq!(display("\u{645} 12 \u{628}"), "\u{628} 12 \u{645}");
        // A mark stays with its letter.
        assert_eq!(display("\u{645}\u{64e} \u{628}"), "\u{628} \u{645}\u{64e}");
    }

    #[test]
    fn nothing_is_lost_and_every_part_keeps_its_look() {
        let mut job = LayoutJob::default();
        let look = |colour| TextFormat::simple(FontId::default(), colour);
        job.append("\u{645}\u{631} ", 0.0, look(Color32::RED));
        job.append("\u{628}\u{643}", 0.0, look(Color32::BLUE));
        let out = reorder(&job, &[]);
        assert_eq!(out.text, "\u{628}\u{643} \u{645}\u{631}");
        assert_eq!(out.sections[0].format.color, Color32::BLUE);
        let mut letters: Vec<char> = out.text.chars().collect();
        let mut before: Vec<char> = job.text.chars().collect();
        letters.sort_unstable();
        before.sort_unstable();
        assert_eq!(letters, before);
        let two = reorder(&job, &[3]);
        assert_eq!(two.text, " \u{645}\u{631}\n\u{628}\u{643}", "lines stay one below the other");
    }
}
