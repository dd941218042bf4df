//! What all arms share: method, learning rate, steps, batch and what is measured, every field with its unit and bounds.

use egui::{Context, Rect, Ui, Vec2, pos2};
use paser_protocol::{Decay, Equal, Method, Request};

use super::add_arm::words;
use crate::{
    dialogs::{Dialog, NUMBERS, NumberField, RecoverForm},
    recovery::Want,
    state::{AppState, For},
    theme,
    views::{
        export::{foot, line, title},
        modal,
    },
    widgets::{
        Words,
        field::{Field, dropdown},
        look, row,
    },
};

const LINE: f32 = 32.0;

pub fn show(ctx: &Context, state: &mut AppState, mut form: RecoverForm) -> Option<Dialog> {
    let room = ctx.content_rect().height() - 150.0;
    let ((go, cancel), veil) = modal(ctx, "Settings of recovery", 760.0, None, |ui| {
        title(ui, "Settings of recovery");
        egui::ScrollArea::vertical().max_height(room).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            choices(ui, state, &mut form);
            numbers(ui, state, &mut form);
            line(ui, "Items", |ui| {
                let width = ui.available_width();
                let text = form.texts.entry("items").or_default();
                let hint = "files of items that are measured besides, JSONL; several by commas";
                let field = Field::new("Files of items", width).mono().hint(hint).show(ui, text);
                state.note("recover:items", field.response.rect);
            });
        });
        let checked = form.check();
        let fine = match &checked {
            Err(why) => Err(why.as_str()),
            Ok(settings) if *settings == form.before => Err("this is what is set"),
            Ok(_) => Ok(()),
        };
        let known = match &checked {
            Err(why) => format!("{why}."),
            Ok(_) => "Arms that are trained keep the settings that they were trained with.".to_owned(),
        };
        foot(ui, state, &known, "Set", fine)
    });
    if go && let Ok(settings) = form.check() {
        state.ask(Request::SetRecover { settings }, For::Recover(Want::Settings));
    }
    (!cancel && !veil).then_some(Dialog::RecoverSettings(form))
}

fn method_words(method: Method) -> (&'static str, &'static str) {
    match method {
        Method::Lora => ("LoRA", "low-rank additions to all projections"),
        Method::LastLayers => ("last layers", "with norm and head, for depth-pruned models"),
        Method::Full => ("every weight", "most memory"),
    }
}

fn decay_words(decay: Decay) -> (&'static str, &'static str) {
    match decay {
        Decay::Linear => ("linear", "falls to 0 at the last step"),
        Decay::Cosine => ("cosine", "falls to 0 along half a wave"),
        Decay::Constant => ("constant", "stays after the warm-up"),
    }
}

fn choices(ui: &mut Ui, state: &mut AppState, form: &mut RecoverForm) {
    let mut choice = |ui: &mut Ui, label: &str, name: &str, entries: &[(&str, &str)], chosen: Option<usize>| {
        line(ui, label, |ui| {
            let face = chosen.map_or("", |place| entries[place].0);
            let (response, picked) = dropdown(ui, name, face, 26.0, Some(180.0), entries, chosen);
            state.note(format!("recover:{label}"), response.rect);
            if let Some(place) = chosen {
                Words::new(ui).small(entries[place].1).show(ui);
            }
            picked
        })
    };
    let entries: Vec<_> = Method::ALL.iter().map(|method| method_words(*method)).collect();
    let chosen = Method::ALL.iter().position(|method| *method == form.method);
    if let Some(place) = choice(ui, "Method", "Which weights are trained", &entries, chosen) {
        form.method = Method::ALL[place];
    }
    let entries: Vec<_> = Decay::ALL.iter().map(|decay| decay_words(*decay)).collect();
    let chosen = Decay::ALL.iter().position(|decay| *decay == form.decay);
    if let Some(place) = choice(ui, "Decay", "How the learning rate goes on", &entries, chosen) {
        form.decay = Decay::ALL[place];
    }
    let entries: Vec<_> = Equal::ALL.iter().map(|equal| (words(*equal), "what all arms have as much of")).collect();
    let chosen = Equal::ALL.iter().position(|equal| *equal == form.equal);
    if let Some(place) = choice(ui, "Equal by", "What all arms have as much of", &entries, chosen) {
        form.equal = Equal::ALL[place];
    }
}

/// Is the number used with what is chosen?
fn is_used(form: &RecoverForm, key: &str) -> bool {
    match key {
        "rank" | "alpha" | "dropout" => form.method == Method::Lora,
        "last_layers" => form.method == Method::LastLayers,
        "steps" => form.equal == Equal::Steps,
        "epochs" => form.equal == Equal::Epochs,
        "response_tokens" => form.equal == Equal::ResponseTokens,
        _ => true,
    }
}

/// Two columns of numbers.
fn numbers(ui: &mut Ui, state: &mut AppState, form: &mut RecoverForm) {
    let lines = NUMBERS.len().div_ceil(2);
    let size = Vec2::new(ui.available_width(), LINE * lines as f32 + 4.0);
    let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    let inside = rect.shrink2(Vec2::new(16.0, 2.0));
    let width = inside.width() / 2.0;
    for (at, field) in NUMBERS.iter().enumerate() {
        let (side, line) = (at / lines, at % lines);
        let corner = inside.min + Vec2::new(side as f32 * width, line as f32 * LINE);
        number(ui, Rect::from_min_size(corner, Vec2::new(width - 10.0, LINE)), state, form, field);
    }
}

fn number(ui: &mut Ui, place: Rect, state: &mut AppState, form: &mut RecoverForm, field: &NumberField) {
    let look = look(ui);
    let (used, wrong) = (is_used(form, field.key), form.wrong(field).is_some());
    let ink = if used { look.text_2 } else { look.disabled };
    let label = Words::of(look).part(field.label, theme::body(), ink);
    label.paint(ui, place.left_center(), egui::Align2::LEFT_CENTER, 100.0);
    let rest = Rect::from_min_max(pos2(place.left() + 104.0, place.top()), place.max);
    row(ui, rest, 6.0, |ui| {
        let text = form.texts.entry(field.key).or_default();
        let typed = Field::new(field.label, 84.0).mono().height(26.0).show(ui, text);
        state.note(format!("recover:{}", field.key), typed.response.rect);
        let (hint, colour) = match (wrong, used) {
            (true, _) => (field.hint, look.error),
            (false, true) => (field.hint, look.text_3),
            (false, false) => ("not used as chosen above", look.disabled),
        };
        let room = ui.available_width();
        Words::of(look).part(hint, theme::small(), colour).show_in(ui, room, 1);
    });
}
