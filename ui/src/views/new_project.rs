//! The form of a new project, and at its right what it will cost before anything runs.

use egui::{Align2, Rect, Sense, Ui, Vec2, pos2};
use paser_protocol::{EstimateView, ProjectDraft, Request};

use super::{
    form::{Form, PATTERNS, Template},
    top_bar,
};
use crate::{
    app::split_bottom,
    command::Command,
    format,
    state::{AppState, Ask, Field, For, OTHERS, Screen},
    theme::{self, icons},
    widgets::{
        Button, Words, column,
        field::{self, dropdown},
        look,
        pane::remark,
        row, row_right, say,
        segmented::{Face, segmented},
    },
};

const ESTIMATE: f32 = 424.0;

/// Sends what the form wants to know.
pub fn ask(state: &mut AppState) {
    if state.screen != Screen::NewProject {
        return;
    }
    if let Some(token) = state.form.token_to_send(state.now) {
        state.ask(Request::SetToken { token }, For::Token);
    }
    for (field, path) in state.form.to_probe(state.now) {
        state.ask(Request::Probe { source: field.source(), path }, For::Probe(field));
    }
    if let Some((number, draft)) = state.form.to_estimate() {
        state.ask(Request::Estimate { draft }, For::Estimate(number));
    }
}

pub fn show(ui: &mut Ui, whole: Rect, state: &mut AppState) {
    let look = look(ui);
    let bar = Rect::from_min_max(whole.min, pos2(whole.right(), whole.top() + 40.0));
    top_bar::plain(ui, bar, state, Some("New project"));
    let below = Rect::from_min_max(pos2(whole.left(), bar.bottom()), whole.max);
    let (rest, status) = split_bottom(below, 22.0);
    let (main, foot) = split_bottom(rest, 48.0);
    ui.painter().rect_filled(status, 0.0, look.panel);
    let machine = state.hello.as_ref().map(|hello| hello.machine.clone()).unwrap_or_default();
    Words::of(look).small(machine).at(ui, pos2(status.left() + 10.0, status.center().y), Align2::LEFT_CENTER, 600.0);
    let split = main.right() - if whole.width() < 1_000.0 { 340.0 } else { ESTIMATE };
    let form = Rect::from_min_max(main.min, pos2(split - 1.0, main.bottom()));
    let estimate = Rect::from_min_max(pos2(split, main.top()), main.max);
    ui.painter().rect_filled(form, 0.0, look.panel);
    ui.painter().rect_filled(estimate, 0.0, look.panel);
    fields(ui, form, state);
    costs(ui, estimate, state);
    buttons(ui, foot, state);
}

fn fields(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    column(ui, rect, |ui| {
        egui::ScrollArea::vertical().id_salt("form").auto_shrink(false).show(ui, |ui| {
            egui::Frame::new().inner_margin(egui::Margin { left: 40, right: 40, top: 14, bottom: 16 }).show(ui, |ui| {
                ui.set_width(rect.width() - 80.0);
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                heading(ui, "What was pruned, and what may bring it back");
                part(ui, "Dense model", true, |ui| {
                    let hint = "meta-llama/Llama-2-7b-hf";
                    path(ui, state, Field::Dense, icons::CUBE, hint, "the model before pruning: a folder, or a hub id");
                });
                part(ui, "Pruned model", true, |ui| {
                    pruned(ui, state);
                    others(ui, state);
                });
                part(ui, "Pool", true, |ui| {
                    let hint = "recovery_mix.jsonl, or hub:org/name";
                    path(
                        ui,
                        state,
                        Field::Pool,
                        icons::DATABASE,
                        hint,
                        "instruction data in JSON, JSONL or Parquet, a folder of shards, or a data set on the hub",
                    );
                    parts(ui, state);
                });
                part(ui, "Template", true, |ui| template(ui, state));
                part(ui, "Encoder", true, |ui| {
                    let hint = "sentence-transformers/all-MiniLM-L6-v2";
                    let rest = "groups samples by meaning. Empty: TF-IDF + SVD, said so on every map";
                    path(ui, state, Field::Encoder, icons::GRAPH, hint, rest);
                });
                if state.form.names_the_hub() || !state.form.token.0.is_empty() {
                    part(ui, "Hub token", true, |ui| token(ui, state));
                }
                part(ui, "Project folder", false, |ui| {
                    path(
                        ui,
                        state,
                        Field::Folder,
                        icons::FOLDER,
                        "my-recovery",
                        "new or empty; everything of the project lies in it",
                    );
                });
            });
        });
    });
}

fn heading(ui: &mut Ui, text: &str) {
    let look = look(ui);
    Words::of(look).part(text, theme::title(15.0), look.text).show(ui);
    ui.add_space(4.0);
}

/// A label at the left, its control at the right, a line below.
fn part(ui: &mut Ui, label: &str, line: bool, contents: impl FnOnce(&mut Ui)) {
    ui.add_space(12.0);
    let start = ui.cursor().min;
    let width = ui.available_width();
    Words::new(ui).t2(label).paint(ui, start + egui::vec2(0.0, 13.0), Align2::LEFT_CENTER, 128.0);
    let place = Rect::from_min_max(start + egui::vec2(140.0, 0.0), pos2(start.x + width, f32::INFINITY));
    let mut child =
        ui.new_child(egui::UiBuilder::new().max_rect(place).layout(egui::Layout::top_down(egui::Align::Min)));
    child.spacing_mut().item_spacing = Vec2::ZERO;
    contents(&mut child);
    let used = child.min_rect();
    ui.allocate_rect(Rect::from_min_max(start, pos2(start.x + width, used.bottom() + 12.0)), Sense::hover());
    if line {
        let y = ui.cursor().top();
        ui.painter().hline(start.x..=start.x + width, y - 0.5, egui::Stroke::new(1.0, look(ui).line));
    }
}

/// A path or hub id, a dialog where there is one, and what the engine says about it.
fn path(ui: &mut Ui, state: &mut AppState, field: Field, icon: char, hint: &str, rest: &str) {
    let width = ui.available_width();
    let (line, _) = ui.allocate_exact_size(Vec2::new(width, 26.0), Sense::hover());
    row(ui, line, 6.0, |ui| {
        let browse = state.has_dialogs;
        let room = width - if browse { 81.0 } else { 0.0 };
        let before = state.form.text(field).clone();
        let name = field.name();
        let typed = field::Field::new(name, room).mono().icon(icon).hint(hint).show(ui, state.form.text(field));
        state.note(format!("field:{name}"), typed.response.rect);
        if *state.form.text(field) != before {
            let now = state.now;
            state.form.changed(field, now);
        }
        if browse {
            let text = format!("Browse for {}", name.to_lowercase());
            if ui.add(Button::new("Browse...").height(26.0).name(&text)).clicked() {
                state.outbox.push(Ask::Pick(field.source().into(), crate::state::PickFor::Form(field)));
            }
        }
    });
    // One line is always there, so that nothing moves when an answer comes.
    let remarks = state.form.remarks(field).to_vec();
    if state.form.is_waiting(field) {
        remark(ui, "", "looking at it");
    } else if remarks.is_empty() {
        remark(ui, "", rest);
    }
    if state.form.is_waiting(field) {
        return;
    }
    for one in &remarks {
        remark(ui, &one.level, &one.text);
    }
    if field == Field::Pruned && state.form.same_model() {
        remark(ui, "warn", "this is the dense model itself: no damage will be found");
    }
    if remarks.iter().any(|one| one.level == "error") {
        ui.add_space(2.0);
        let text = format!("Look at the {} again", field.name().to_lowercase());
        let again = ui.add(Button::new("Look again").height(20.0).name(&text));
        state.note(format!("again:{}", field.name()), again.rect);
        if again.on_hover_text("After the file was mended.").clicked() {
            state.form.look_again(field);
        }
    }
}

/// Which part of a data set on the hub, where it has several.
fn parts(ui: &mut Ui, state: &mut AppState) {
    if state.form.parts.is_empty() || state.form.is_waiting(Field::Pool) {
        return;
    }
    ui.add_space(4.0);
    let entries: Vec<(&str, &str)> =
        state.form.parts.iter().map(|part| (part.name.as_str(), part.about.as_str())).collect();
    let chosen = state.form.part();
    let shown = chosen.map_or_else(|| format!("Choose one of {} parts", entries.len()), |at| entries[at].0.to_owned());
    let width = ui.available_width();
    let (response, picked) = dropdown(ui, "Part of the data set", &shown, 26.0, Some(width), &entries, chosen);
    state.note("parts", response.rect);
    if let Some(place) = picked {
        let reference = state.form.parts[place].reference.clone();
        state.form.set(Field::Pool, reference);
    }
}

fn token(ui: &mut Ui, state: &mut AppState) {
    let width = ui.available_width();
    let before = state.form.token.clone();
    let field = field::Field::new("Hub token", width).mono().secret().icon(icons::LOCK_SIMPLE).hint("hf_...");
    let typed = field.show(ui, &mut state.form.token.0);
    state.note("field:Hub token", typed.response.rect);
    if state.form.token != before {
        let now = state.now;
        state.form.token_changed(now);
    }
    ui.add_space(3.0);
    let words = "for gated models and data sets, until the program ends; it is written nowhere. Empty: HF_TOKEN, or the token \
                 file";
    Words::new(ui).small(words).wrapped(ui);
}

fn pruned(ui: &mut Ui, state: &mut AppState) {
    let (line, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 26.0), Sense::hover());
    row(ui, line, 10.0, |ui| {
        let faces = [(Face::Text("I have one"), "I have one"), (Face::Text("Prune here"), "Prune here")];
        let chosen = usize::from(state.form.prune_here);
        if let Some(place) = segmented(ui, "Pruned model", &faces, chosen, 24.0, |_, _| {}) {
            state.form.prune_here = place == 1;
        }
    });
    ui.add_space(4.0);
    if !state.form.prune_here {
        path(
            ui,
            state,
            Field::Pruned,
            icons::SCISSORS,
            "llama2-7b-pruned",
            "the same model after pruning: a folder, or a hub id",
        );
        return;
    }
    let (line, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 26.0), Sense::hover());
    row(ui, line, 10.0, |ui| {
        let faces = [(Face::Text("magnitude"), "magnitude"), (Face::Text("Wanda"), "Wanda")];
        if let Some(place) = segmented(ui, "Method", &faces, usize::from(state.form.wanda), 24.0, |_, _| {}) {
            state.form.wanda = place == 1;
        }
        let faces = PATTERNS.map(|(pattern, _)| (Face::Text(pattern), pattern));
        if let Some(place) = segmented(ui, "Pattern", &faces, state.form.pattern, 24.0, |_, _| {}) {
            state.form.pattern = place;
        }
        Words::new(ui).small(PATTERNS[state.form.pattern].1).show(ui);
    });
    ui.add_space(3.0);
    let words = if state.form.wanda {
        "weights times the inputs they meet on a part of the pool; about a minute, written into the project folder"
    } else {
        "the smallest weights go; seconds, written into the project folder"
    };
    Words::new(ui).small(words).wrapped(ui);
}

/// Further pruned copies of the dense model, to be compared with the first.
fn others(ui: &mut Ui, state: &mut AppState) {
    let mut removed = None;
    for place in 0..state.form.others.len() {
        let field = Field::Other(place);
        ui.add_space(6.0);
        path(
            ui,
            state,
            field,
            icons::SCISSORS,
            "llama2-7b-wanda-2-4",
            "another pruned copy, scored and shown beside it",
        );
        ui.add_space(2.0);
        let name = format!("Remove the {}", field.name().to_lowercase());
        let remove = ui.add(Button::new("Remove").height(20.0).name(&name));
        state.note(format!("remove:{}", field.name()), remove.rect);
        if remove.clicked() {
            removed = Some(place);
        }
    }
    if let Some(place) = removed {
        state.form.remove_other(place);
    }
    if state.form.others.len() < OTHERS.len() {
        ui.add_space(6.0);
        let add = ui.add(Button::new("Add another pruned model").height(22.0).icon(icons::PLUS));
        state.note("add pruned", add.rect);
        let hint = "Damage per cluster of each stands side by side; each is one more pass over the pool.";
        if add.on_hover_text(hint).clicked() {
            state.form.add_other();
        }
    }
}

fn template(ui: &mut Ui, state: &mut AppState) {
    let entries = Template::ALL.map(|template| (template.name(), template.describe()));
    let chosen = Template::ALL.iter().position(|template| *template == state.form.template);
    let width = ui.available_width();
    let (_, picked) = dropdown(ui, "Template", state.form.template.name(), 26.0, Some(width), &entries, chosen);
    if let Some(place) = picked {
        state.form.template = Template::ALL[place];
    }
    ui.add_space(3.0);
    Words::new(ui).small(state.form.template.describe()).show(ui);
}

fn costs(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    column(ui, rect, |ui| {
        egui::ScrollArea::vertical().id_salt("estimate").auto_shrink(false).show(ui, |ui| {
            egui::Frame::new().inner_margin(egui::Margin { left: 24, right: 24, top: 14, bottom: 16 }).show(ui, |ui| {
                ui.set_width(rect.width() - 48.0);
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                heading(ui, "Estimate");
                Words::new(ui).t3("from rates of a common machine; this one is measured as it runs").wrapped(ui);
                ui.add_space(12.0);
                match state.form.estimate.clone() {
                    None => {
                        Words::new(ui)
                            .t2("Name two models and a pool, and the cost of every stage appears here.")
                            .wrapped(ui);
                    }
                    Some(Err(report)) => remark(ui, "error", &report.to_string()),
                    Some(Ok(estimate)) => shown(ui, &estimate),
                }
            });
        });
    });
}

/// Name left, number right, a line below.
fn table_line(ui: &mut Ui, name: Words, value: String, last: bool) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 24.0), Sense::hover());
    let spoken = format!("{} {value}", name.text());
    name.paint(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width() - 130.0);
    Words::of(look).num(value).paint(ui, rect.right_center(), Align2::RIGHT_CENTER, 130.0);
    say(ui, rect, spoken);
    if !last {
        ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, egui::Stroke::new(1.0, look.line));
    }
}

fn shown(ui: &mut Ui, estimate: &EstimateView) {
    let look = look(ui);
    let known = || estimate.stages.iter().filter_map(|(_, range)| *range);
    let (low, high) = known().fold((0.0, 0.0), |sum, (low, high)| (sum.0 + low, sum.1 + high));
    let all = known().count() == estimate.stages.len();
    let middle = |low: f64, high: f64| (low + high) / 2.0;
    let (time, more) = match (high > 0.0, all) {
        (true, true) => (format::duration(middle(low, high)), "  in all"),
        (true, false) => (format::duration(middle(low, high)), "  and what is unknown"),
        (false, _) => ("unknown".to_owned(), ""),
    };
    Words::of(look).part(time, theme::big_mono(), look.text).t2(more).show(ui);
    ui.add_space(6.0);
    let (bar, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 12.0), Sense::hover());
    let total = middle(low, high).max(f64::MIN_POSITIVE);
    let mut left = bar.left();
    for (low, high) in known() {
        let share = middle(low, high) / total;
        let width = bar.width() * share as f32;
        let cell = Rect::from_min_max(pos2(left, bar.top()), pos2((left + width - 1.0).max(left + 1.0), bar.bottom()));
        ui.painter().rect_filled(cell, 0.0, if share > 0.25 { look.text_2 } else { look.text_3 });
        left += width;
    }
    ui.add_space(8.0);
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
    for (name, range) in &estimate.stages {
        let value = range.map(|(low, high)| format::duration(middle(low, high)));
        table_line(ui, Words::of(look).t(name), or_unknown(value), false);
    }
    let range = or_unknown(all.then(|| format!("{} to {}", format::duration(low), format::duration(high))));
    table_line(ui, Words::of(look).strong("range"), range, true);
    ui.add_space(14.0);
    memory(ui, estimate);
    ui.add_space(12.0);
    table_line(ui, Words::of(look).t("disk"), or_unknown(estimate.disk_bytes.map(format::bytes)), false);
    let network = estimate.network_bytes.map(|bytes| if bytes == 0 { "none".to_owned() } else { format::bytes(bytes) });
    table_line(ui, Words::of(look).t("network"), or_unknown(network), false);
    ui.add_space(8.0);
    for one in &estimate.remarks {
        remark(ui, &one.level, &one.text);
    }
}

fn memory(ui: &mut Ui, estimate: &EstimateView) {
    let look = look(ui);
    Words::of(look)
        .part(estimate.memory_bytes.map_or_else(|| "unknown".to_owned(), format::bytes), theme::big_mono(), look.text)
        .t2("  of ")
        .num2(format::bytes(estimate.memory_free_bytes))
        .t2(" free memory")
        .show(ui);
    ui.add_space(6.0);
    let (bar, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 12.0), Sense::hover());
    let share = (estimate.memory_bytes.unwrap_or(0) as f64 / estimate.memory_free_bytes.max(1) as f64).min(1.0) as f32;
    let colour = if share >= 1.0 { look.error } else { look.text_2 };
    ui.painter().rect_filled(Rect::from_min_size(bar.min, Vec2::new(bar.width() * share, 12.0)), 0.0, colour);
    ui.painter().rect_stroke(bar, 0.0, egui::Stroke::new(1.0, look.edge), egui::StrokeKind::Inside);
}

fn buttons(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.panel);
    let inside = Rect::from_min_max(pos2(rect.left() + 40.0, rect.top()), pos2(rect.right() - 24.0, rect.bottom()));
    let making = if state.opening.is_some() { Err("it is being made") } else { Command::NewProject.enabled(state) };
    let enabled = state.form.missing().and(making);
    let left = row_right(ui, inside, 10.0, |ui| {
        let mut create = None;
        for (text, draft, run, hover) in [
            ("Create and score", Form::draft as fn(&Form) -> ProjectDraft, true, ""),
            ("Create only", Form::draft, false, ""),
            (
                "Probe 2 % first",
                Form::probe,
                true,
                "In a project of its own beside this one: where does it hurt, in a minute or two?",
            ),
        ] {
            let button = if text == "Create and score" { Button::new(text).primary() } else { Button::new(text) };
            let mut response = ui.add_enabled(enabled.is_ok(), button);
            state.note(text, response.rect);
            if !hover.is_empty() {
                response = response.on_hover_text(hover);
            }
            if response.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
                create = Some((draft(&state.form), run));
            }
        }
        if ui.add(Button::new("Cancel")).clicked() {
            state.screen = if state.project.is_some() { Screen::Explore } else { Screen::Welcome };
        }
        if let Some((draft, run)) = create {
            state.toasts.clear_failures();
            state.opening = Some(draft.folder.clone());
            state.ask(Request::CreateProject { draft, run }, For::Open);
        }
        ui.min_rect().left()
    });
    let known = match (&state.opening, enabled) {
        (Some(_), _) => "Making the project.".to_owned(),
        (None, Err(why)) => {
            let mut why = why.to_owned();
            why[..1].make_ascii_uppercase();
            format!("{why}.")
        }
        (None, Ok(())) => {
            "A run goes on when this window closes, and from its last finished part after a stop.".to_owned()
        }
    };
    let words = Words::of(look).icon(icons::INFO, 14.0, look.text_3).t3(format!("  {known}"));
    words.at(ui, inside.left_center(), Align2::LEFT_CENTER, left - inside.left() - 12.0);
}
