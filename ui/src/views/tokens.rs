//! The response token by token, shaded by divergence; the token under the pointer is framed, and below stand the next
//! tokens that both models think most likely there.

use egui::{Align2, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, pos2};
use paser_protocol::{SampleView, TokenView, TokensView};

use super::reading;
use crate::{
    format,
    state::AppState,
    widgets::{
        Words, look,
        pane::section_head,
        row, say,
        segmented::{Face, segmented},
    },
};

/// From line to line of a response.
const LINE: f32 = 18.0;

pub fn response(ui: &mut Ui, state: &mut AppState, sample: &SampleView) {
    let scored = state.numbers("jsd").and_then(|jsd| jsd.get(sample.row as usize).copied()).is_some_and(f32::is_finite);
    let tokens = if scored { state.data.tokens(sample.row) } else { None };
    match tokens {
        Some(Ok(tokens)) => {
            head_with_ramp(ui);
            first_or_not(ui, state, &tokens);
            shaded(ui, state, &tokens);
        }
        other => {
            section_head(
                ui,
                "Response",
                other.is_none().then(|| Words::new(ui).small(if scored { "scoring its tokens" } else { "not scored" })),
            );
            reading::text(ui, &sample.output, LINE);
            if let Some(Err(report)) = other {
                ui.add_space(4.0);
                crate::widgets::pane::remark(ui, "warn", &report.to_string());
                let again = ui.add(crate::widgets::Button::new("Try again").height(22.0));
                state.note("tokens again", again.rect);
                if again.clicked() {
                    state.data.tokens_again(sample.row);
                }
            }
        }
    }
}

fn head_with_ramp(ui: &mut Ui) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 20.0), Sense::hover());
    Words::of(look).small("Response").at(ui, rect.left_center(), Align2::LEFT_CENTER, 100.0);
    let high = Words::of(look).num3("0.69").paint(ui, rect.right_center(), Align2::RIGHT_CENTER, 60.0);
    let stops = look.shade_stops();
    let mut right = high.left() - 5.0;
    for colour in stops.iter().rev() {
        let cell = Rect::from_min_size(pos2(right - 12.0, rect.center().y - 4.0), Vec2::new(12.0, 8.0));
        ui.painter().rect_filled(cell, 0.0, *colour);
        right -= 12.0;
    }
    Words::of(look).small("token JSD, nats ").num3("0").paint(
        ui,
        pos2(right - 5.0, rect.center().y),
        Align2::RIGHT_CENTER,
        140.0,
    );
}

/// Does the first token count? And the sum over those that do.
fn first_or_not(ui: &mut Ui, state: &mut AppState, tokens: &TokensView) {
    let look = look(ui);
    let after = state.inspection.after_first;
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 24.0), Sense::hover());
    let choices =
        [(Face::Text("with first token"), "first token counts"), (Face::Text("after it"), "after the first token")];
    let mut cells = Vec::new();
    let picked = row(ui, rect, 0.0, |ui| {
        segmented(ui, "Shading", &choices, usize::from(after), 20.0, |place, cell| cells.push((place, cell)))
    });
    for (place, cell) in cells {
        state.note(if place == 0 { "first token counts" } else { "after first token" }, cell);
    }
    if let Some(picked) = picked {
        state.inspection.after_first = picked == 1;
    }
    let counted = tokens.tokens.iter().skip(usize::from(after));
    let sum: f64 = counted.map(|token| f64::from(token.jsd)).sum();
    let words = Words::of(look).small("sum ").num2(format::decimal(sum, 2)).small(" nats");
    words.at(ui, rect.right_center(), Align2::RIGHT_CENTER, 120.0);
    ui.add_space(4.0);
}

fn shaded(ui: &mut Ui, state: &mut AppState, tokens: &TokensView) {
    let look = look(ui);
    let skipped = usize::from(state.inspection.after_first);
    let mut starts = Vec::with_capacity(tokens.tokens.len());
    let mut characters = 0;
    let mut text = String::new();
    let mut ends = Vec::with_capacity(tokens.tokens.len());
    for token in &tokens.tokens {
        let piece = if token.text.is_empty() { "\u{2022}" } else { &token.text };
        starts.push(characters);
        characters += piece.chars().count();
        text.push_str(piece);
        ends.push(text.len());
    }
    // The shade of the token in which a byte stands.
    let shades = tokens.tokens.iter().enumerate().map(|(place, token)| {
        let shade = if place < skipped { None } else { look.shade(token.jsd) };
        (ends[place], shade)
    });
    let job = reading::job(look, &text, LINE, shades, ui.available_width());
    let (galley, response) = reading::selectable(ui, job, format!("Response: {text}"));
    let rect = response.rect;
    let under = response.hover_pos().and_then(|at| {
        let cursor = galley.cursor_from_pos(at - rect.min);
        let place = starts.partition_point(|start| *start <= cursor.index.0).checked_sub(1)?;
        Some(place)
    });
    let id = ui.scope_id().with(("token", tokens.row));
    let kept = ui.data(|data| data.get_temp::<usize>(id));
    if response.clicked()
        && let Some(under) = under
    {
        ui.data_mut(|data| data.insert_temp(id, under));
    }
    // Without a pointer: the token that hurts most.
    let worst = || {
        let most = tokens
            .tokens
            .iter()
            .enumerate()
            .skip(skipped)
            .max_by(|a, b| a.1.jsd.total_cmp(&b.1.jsd).then(b.0.cmp(&a.0)));
        most.map(|(place, _)| place)
    };
    let Some(place) = under.or(kept).or_else(worst).filter(|place| *place < tokens.tokens.len()) else { return };
    let token = &tokens.tokens[place];
    let length = token.text.chars().count().max(1);
    let from = galley.pos_from_cursor(egui::text::CCursor::new(egui::text::CharIndex(starts[place])));
    let to = galley.pos_from_cursor(egui::text::CCursor::new(egui::text::CharIndex(starts[place] + length)));
    let right = if (to.top() - from.top()).abs() < 2.0 { to.left() } else { galley.size().x };
    let frame = Rect::from_min_max(pos2(from.left(), from.top()), pos2(right.max(from.left() + 3.0), from.bottom()));
    let frame = frame.translate(rect.min.to_vec2());
    // Inside of its own place: its neighbours stand close.
    ui.painter().rect_stroke(frame, 0.0, Stroke::new(1.0, look.accent), StrokeKind::Inside);
    state.note("token", frame);
    ui.add_space(8.0);
    next_tokens(ui, token);
    state.note("tokens", rect);
}

/// Both models' most likely next tokens; the one that stands in the text is written firmly.
fn next_tokens(ui: &mut Ui, token: &TokenView) {
    let look = look(ui);
    let rows = token.dense.len().max(token.pruned.len()).min(3);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 22.0 + 20.0 * rows as f32), Sense::hover());
    ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, look.line), StrokeKind::Inside);
    let head = Rect::from_min_size(rect.min, Vec2::new(rect.width(), 22.0));
    ui.painter().rect_filled(head.shrink(1.0), 0.0, look.raised);
    let half = rect.width() / 2.0;
    for (side, (name, likely)) in [("dense", &token.dense), ("pruned", &token.pruned)].into_iter().enumerate() {
        let left = rect.left() + half * side as f32;
        let words = format!("{name}: next token");
        Words::of(look).small(&words).paint(ui, pos2(left + 8.0, head.center().y), Align2::LEFT_CENTER, half - 12.0);
        let mut spoken = words;
        for (place, (text, probability)) in likely.iter().take(rows).enumerate() {
            let middle = head.bottom() + 10.0 + 20.0 * place as f32;
            let here = text.trim() == token.text.trim();
            let shown = visible(text);
            let words = if here { Words::of(look).num(&shown) } else { Words::of(look).num3(&shown) };
            words.paint(ui, pos2(left + 8.0, middle), Align2::LEFT_CENTER, 48.0);
            let bar =
                Rect::from_min_size(pos2(left + 60.0, middle - 3.0), Vec2::new((44.0 * probability).max(1.0), 6.0));
            ui.painter().rect_filled(bar, 0.0, if here { look.text_2 } else { look.neither });
            let number = format::decimal(f64::from(*probability), 2);
            Words::of(look).num2(&number).paint(ui, pos2(left + half - 8.0, middle), Align2::RIGHT_CENTER, 50.0);
            spoken.push_str(&format!(" {shown} {number}"));
        }
        say(ui, Rect::from_min_max(pos2(left, rect.top()), pos2(left + half, rect.bottom())), spoken);
    }
    ui.add_space(4.0);
    let words = Words::of(look).small("JSD ").num2(format::nats(f64::from(token.jsd)));
    let words = words.small("   loss dense ").num2(format::decimal(f64::from(token.loss_dense), 2));
    words.small("   loss pruned ").num2(format::decimal(f64::from(token.loss_pruned), 2)).show(ui);
}

/// A token as one can see it: spaces and line ends have marks.
fn visible(text: &str) -> String {
    if text.is_empty() {
        return "end".to_owned();
    }
    if text.trim().is_empty() {
        return text.chars().map(|c| if c == '\n' { '↵' } else { '·' }).collect();
    }
    text.trim().to_owned()
}
