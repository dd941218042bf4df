//! What both models write after the inspected sample's prompt, side by side. Computed on request only; the price stands
//! beside the button.

use egui::{Align2, Rect, Sense, Stroke, Ui, Vec2, pos2};
use paser_protocol::{LONGEST_CONTINUATION, MOST_CONTINUED};

use crate::{
    format,
    inspection::{Continuation, Continued},
    state::AppState,
    theme::icons,
    widgets::{Button, Words, look, pane, progress, say},
};

/// Seconds that a continuation would take; none before the models have read the sample.
pub fn possible(state: &AppState, row: u32) -> Option<f64> {
    match state.data.tokens.get(&row) {
        Some(Ok(tokens)) => Some(tokens.continue_seconds),
        _ => None,
    }
}

/// A section of the inspector.
pub fn show(ui: &mut Ui, state: &mut AppState, row: u32, seconds: f64) {
    let continuation = state.continuation(row).cloned();
    let right = match continuation.as_ref().map(|continuation| &continuation.outcome) {
        Some(Some(Ok(continued))) => format!("in {}", format::duration(continued.seconds)),
        _ => format!("greedy, at most {MOST_CONTINUED} tokens"),
    };
    pane::section_head(ui, "What both models write", Some(Words::new(ui).small(right)));
    match continuation {
        None if seconds > LONGEST_CONTINUATION => {
            let minutes = (seconds / 60.0).ceil();
            let text = format!("Continuing the prompt would take about {minutes} min on this machine.");
            Words::new(ui).t3(text).line_height(16.0).wrapped(ui);
        }
        None => button(ui, state, row, "Continue with both models", seconds),
        Some(Continuation { outcome: None, done, tokens, .. }) => running(ui, state, done, tokens),
        Some(Continuation { outcome: Some(Ok(continued)), .. }) => {
            let rect = both(ui, &continued);
            state.note("continuations", rect);
        }
        Some(Continuation { outcome: Some(Err(report)), .. }) => {
            pane::remark(ui, "warn", &report.to_string());
            button(ui, state, row, "Try again", seconds);
        }
    }
}

fn button(ui: &mut Ui, state: &mut AppState, row: u32, name: &str, seconds: f64) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let button = ui.add(Button::new(name).height(24.0).icon(icons::PLAY));
        state.note("continue", button.rect);
        if button.clicked() {
            state.continue_both(row);
        }
        let price =
            if seconds < 1.0 { "under a second".to_owned() } else { format!("about {}", format::duration(seconds)) };
        Words::new(ui).small(price).show(ui);
    });
}

fn running(ui: &mut Ui, state: &mut AppState, done: u32, tokens: u32) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let stop = ui.add(Button::new("Stop").height(24.0).icon(icons::X));
        state.note("stop continuing", stop.rect);
        if stop.clicked() {
            state.stop_continuing();
        }
        progress(ui, 80.0, done as f32 / tokens.max(1) as f32);
        let words = match done {
            0 => Words::new(ui).small("reading the prompt"),
            _ => Words::new(ui).small("token ").num2(done.to_string()).small(" of ").num2(tokens.to_string()),
        };
        words.show(ui);
    });
}

/// Two columns as those of the next tokens. What both have in common at the beginning is grey.
fn both(ui: &mut Ui, continued: &Continued) -> Rect {
    let look = look(ui);
    let width = ui.available_width();
    let half = width / 2.0;
    let (dense, pruned) = (continued.dense.trim_start(), continued.pruned.trim_start());
    let common = common(dense, pruned);
    let column = |name: &str, text: &str, ended: bool| {
        let (alike, own) = text.split_at(common);
        let end = if ended { " (end)" } else { " ..." };
        let words = Words::of(look).t3(alike).t(own).small(end).line_height(16.0);
        (format!("{name} writes: {text}{}", if ended { "" } else { ", and would go on" }), words)
    };
    let columns = [column("dense", dense, continued.stopped.0), column("pruned", pruned, continued.stopped.1)];
    let galleys: Vec<_> =
        columns.into_iter().map(|(spoken, words)| (spoken, words.galley(ui, half - 16.0, usize::MAX))).collect();
    let high = galleys.iter().map(|(_, galley)| galley.size().y).fold(0.0, f32::max);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(width, 22.0 + high + 12.0), Sense::hover());
    ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, look.line), egui::StrokeKind::Inside);
    let head = Rect::from_min_size(rect.min, Vec2::new(width, 22.0));
    ui.painter().rect_filled(head.shrink(1.0), 0.0, look.raised);
    ui.painter().vline(rect.left() + half, head.bottom()..=rect.bottom(), Stroke::new(1.0, look.line));
    for (side, (name, (spoken, galley))) in ["dense", "pruned"].into_iter().zip(galleys).enumerate() {
        let left = rect.left() + half * side as f32;
        Words::of(look).small(name).paint(ui, pos2(left + 8.0, head.center().y), Align2::LEFT_CENTER, half - 12.0);
        ui.painter().galley(pos2(left + 8.0, head.bottom() + 6.0), galley, look.text);
        say(ui, Rect::from_min_max(pos2(left, rect.top()), pos2(left + half, rect.bottom())), spoken);
    }
    rect
}

/// Bytes of the beginning that two texts share, up to the last whole character.
fn common(one: &str, other: &str) -> usize {
    let alike = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    alike.map(|(letter, _)| letter.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::common;

    #[test]
    fn a_shared_beginning_ends_at_a_whole_character() {
        assert_eq!(common("grün 1", "grün 2"), "grün ".len());
        assert_eq!(common("ä", "ö"), 0);
        assert_eq!(common("same", "same"), 4);
        assert_eq!(common("", "x"), 0);
    }
}
