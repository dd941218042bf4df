//! Both models of the project beside each other: what they are, every layer as a heat map or a table, and pruning the
//! dense one here.

mod layers;
mod others;
mod prune;

use std::rc::Rc;

use egui::{Align2, Context, Rect, Sense, Ui, Vec2, pos2};
use paser_protocol::{BetweenView, ModelView, ModelsView, Report, Request};

use super::{
    export::{foot, title},
    modal, padded,
};
use crate::{
    dialogs::{Dialog, ModelsForm},
    format,
    state::{AppState, For},
    widgets::{
        Words, look,
        pane::remark,
        progress, row,
        segmented::{Face, segmented},
    },
};

/// What is known of the models, and the state of the project that it was asked for.
#[derive(Default)]
pub struct Models {
    view: Option<Result<Rc<ModelsView>, Report>>,
    asked: Option<u64>,
    /// Weights read, of all.
    reading: Option<(u64, u64)>,
}

impl Models {
    fn ask(state: &mut AppState) {
        let Some(revision) = state.project.as_ref().map(|project| project.revision) else { return };
        if state.models.asked != Some(revision) {
            state.models.asked = Some(revision);
            state.ask(Request::Models, For::Models);
        }
    }

    pub fn arrived(&mut self, view: Result<ModelsView, Report>) {
        self.reading = None;
        self.view = Some(view.map(Rc::new));
    }

    pub fn reading(&mut self, done: u64, total: u64) {
        self.reading = Some((done, total));
    }

    /// Another project, or other models.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// How the layers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Zeros,
    Kept,
    Table,
}

impl Shown {
    const ALL: [(Self, &str, &str); 3] = [
        (Self::Zeros, "zeros", "share of each matrix that is exactly zero"),
        (Self::Kept, "kept", "weights that are not zero, as a share of the dense model's"),
        (Self::Table, "table", "sizes, parameters and zeros in numbers"),
    ];
}

pub fn show(ctx: &Context, state: &mut AppState, mut form: ModelsForm) -> Option<Dialog> {
    Models::ask(state);
    let known = state.models.view.clone();
    let mut pruned_here = false;
    let ((go, cancel), veil) = modal(ctx, "Models", 900.0, None, |ui| {
        title(ui, "Models");
        let known = match &known {
            None => {
                reading(ui, state.models.reading);
                "reading the weights".to_owned()
            }
            Some(Err(report)) => {
                padded(ui, 60.0, |ui, rect| {
                    row(ui, rect, 6.0, |ui| remark(ui, "error", &report.to_string()));
                });
                String::new()
            }
            Some(Ok(view)) => {
                for (name, model) in [("dense", &view.dense), ("pruned", &view.pruned)] {
                    facts(ui, name, model.as_ref());
                }
                between(ui, view.between.as_ref());
                choose(ui, state, view, &mut form);
                layers::show(ui, view, form.shown);
                pruned_here = prune::show(ui, state, view, &mut form);
                pruned_here |= others::show(ui, state, &mut form);
                format!("read in {}", format::duration(view.seconds))
            }
        };
        foot(ui, state, &known, "Done", Ok(()))
    });
    (!go && !cancel && !veil && !pruned_here).then_some(Dialog::Models(form))
}

fn reading(ui: &mut Ui, done: Option<(u64, u64)>) {
    padded(ui, 60.0, |ui, rect| {
        row(ui, rect, 12.0, |ui| {
            let (done, total) = done.unwrap_or((0, 1));
            progress(ui, 260.0, done as f32 / total.max(1) as f32);
            let words = match done {
                0 => "Every weight is read once.".to_owned(),
                _ => format!("{} of {} weights", format::short(done), format::short(total)),
            };
            Words::new(ui).num2(words).show(ui);
        });
    });
}

/// A model in a line.
fn facts(ui: &mut Ui, name: &str, model: Option<&ModelView>) {
    padded(ui, 24.0, |ui, rect| {
        Words::new(ui).t2(name).paint(ui, rect.left_center(), Align2::LEFT_CENTER, 60.0);
        let at = pos2(rect.left() + 62.0, rect.center().y);
        let width = rect.right() - at.x;
        let words = match model {
            None => Words::new(ui).t3("not made yet: run the project, or prune here"),
            Some(model) => {
                let zeros = format::percent(model.zeros as f64 / model.parameters.max(1) as f64);
                let pattern = model.pattern.as_ref().map(|pattern| format!(", {pattern} everywhere"));
                Words::new(ui)
                    .strong(model.reference.rsplit(['/', '\\']).next().unwrap_or(&model.reference))
                    .t2(format!(
                        "  {}, {} parameters, {zeros} zero{}; {} layers, hidden {}, vocabulary {}, context {}, {} head, {}{}",
                        model.family,
                        format::count(model.parameters),
                        pattern.unwrap_or_default(),
                        model.layers.len(),
                        format::count(model.hidden),
                        format::count(model.vocabulary),
                        format::count(model.context),
                        if model.tied { "tied" } else { "own" },
                        model.dtype,
                        if model.has_tokenizer { "" } else { ", no tokenizer" },
                    ))
            }
        };
        let hover = model.map_or_else(String::new, |model| {
            let assumed = model
                .assumed
                .iter()
                .map(|(field, value)| format!("\nassumed: {field} = {value}, which no file states"));
            model.reference.clone() + &assumed.collect::<String>()
        });
        let response = words.at(ui, at, Align2::LEFT_CENTER, width);
        if !hover.is_empty() {
            response.on_hover_text(hover);
        }
    });
}

fn between(ui: &mut Ui, between: Option<&BetweenView>) {
    let Some(between) = between else { return };
    let mut tensors =
        format!("{} tensors are equal, {} changed", format::count(between.equal), format::count(between.changed));
    for (count, whose) in [(between.only_dense, "dense"), (between.only_pruned, "pruned")] {
        if count > 0 {
            tensors = format!("{tensors}, {} only in the {whose} model", format::count(count));
        }
    }
    let (level, tokenizers) = match (between.tokenizers_agree, &between.tokenizer_difference) {
        (true, None) => ("ok", "The tokenizers agree: this pair can be scored.".to_owned()),
        (true, Some(difference)) => ("ok", format!("The tokenizers agree, though {difference}.")),
        (false, difference) => {
            let difference = difference.as_deref().unwrap_or("they are not the same");
            ("error", format!("The tokenizers differ: {difference}. This pair cannot be scored."))
        }
    };
    padded(ui, 26.0, |ui, rect| {
        row(ui, rect, 6.0, |ui| remark(ui, level, &format!("{tokenizers} {tensors}.")));
    });
}

fn choose(ui: &mut Ui, state: &mut AppState, view: &ModelsView, form: &mut ModelsForm) {
    padded(ui, 34.0, |ui, rect| {
        row(ui, rect, 10.0, |ui| {
            let faces = Shown::ALL.map(|(_, word, _)| (Face::Text(word), word));
            let chosen = Shown::ALL.iter().position(|(shown, ..)| *shown == form.shown).unwrap_or(0);
            let mut cells = Vec::new();
            let picked = segmented(ui, "Layers by", &faces, chosen, 22.0, |place, cell| cells.push((place, cell)));
            for (place, cell) in cells {
                state.note(format!("layers:{}", Shown::ALL[place].1), cell);
            }
            if let Some(place) = picked {
                form.shown = Shown::ALL[place].0;
            }
            let mut words = Shown::ALL[chosen].2.to_owned();
            if form.shown == Shown::Kept && !layers::can_be_paired(view) {
                words = "the models have other numbers of layers: which belongs to which is not known".to_owned();
            }
            Words::new(ui).small(words).show(ui);
        });
    });
}

/// A cell's words in its middle.
fn middle(ui: &Ui, rect: Rect, words: Words) {
    words.paint(ui, rect.center(), Align2::CENTER_CENTER, rect.width());
}

/// A line's room.
fn line(ui: &mut Ui, height: f32) -> Rect {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::hover());
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, egui::Stroke::new(1.0, look(ui).line));
    rect
}
