//! Strategies that read a column which takes a pass of its own: how they are set, what that pass costs, and the order to
//! compute it. The pass is a job like a run: it shows its progress below, and can be cancelled and gone on with.

use egui::{Context, Ui};
use paser_protocol::{AnchorSource, MOST_ANCHORS, PassModel, PassView, Request, Strategy, StrategySettings};

use super::{
    export::{foot, line, paragraph, title},
    modal,
};
use crate::{
    command::Command,
    dialogs::{Dialog, Prepare},
    format,
    state::{AppState, For},
    widgets::{
        Button, Words,
        field::Field,
        segmented::{Face, segmented},
    },
};

/// Where the column of a strategy stands; none for strategies without one.
pub fn of(state: &AppState, strategy: Strategy) -> Option<&PassView> {
    state.project.as_ref()?.passes.iter().find(|pass| pass.strategy == strategy)
}

/// The column that a strategy waits for; none where it is there, or none is needed.
pub fn missing(state: &AppState, strategy: Strategy) -> Option<&PassView> {
    of(state, strategy).filter(|pass| strategy.needs_pass() && pass.key.is_none())
}

/// What is missing and what it costs, in one sentence.
pub fn sentence(pass: &PassView) -> String {
    let kept = pass.kept.map_or_else(String::new, |(done, parts)| format!("; {done} of {parts} parts are kept"));
    match &pass.blocked {
        Some(report) => format!("{} {}", report.what, report.advice),
        None => format!("{} needs {}: {}{kept}.", pass.strategy, pass.what, range(pass.estimate)),
    }
}

fn range(estimate: Option<(f64, f64)>) -> String {
    match estimate {
        Some((low, high)) => format!("{} to {}", format::duration(low), format::duration(high)),
        None => "its time depends on a model that was not read yet".to_owned(),
    }
}

/// A button that opens the form, where the strategy of the plan has one.
pub fn button(ui: &mut Ui, state: &mut AppState, text: &str) {
    let enabled = Command::Prepare.enabled(state);
    let response =
        ui.add_enabled(enabled.is_ok(), Button::new(text).height(20.0).name("Compute what the strategy reads"));
    state.note("Prepare", response.rect);
    if response.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
        state.run(Command::Prepare);
    }
}

/// The form for a strategy.
pub fn form(state: &AppState, strategy: Strategy) -> Dialog {
    let settings = state.project.as_ref().map(|project| project.strategies.clone()).unwrap_or_default();
    let anchors = settings.nuggets_anchors.to_string();
    Dialog::Prepare(Prepare { strategy, settings, anchors })
}

pub fn show(ctx: &Context, state: &mut AppState, mut form: Prepare) -> Option<Dialog> {
    let strategy = form.strategy;
    let ((go, cancel), veil) = modal(ctx, "Compute what the strategy reads", 600.0, None, |ui| {
        title(ui, &format!("{strategy}: one more pass over the pool"));
        paragraph(ui, words(strategy));
        let entered = fields(ui, state, &mut form);
        let busy = state.project.as_ref().is_some_and(|project| project.job.is_some());
        let anchors = form.anchors.trim().parse().ok().filter(|count| (1..=MOST_ANCHORS).contains(count));
        form.settings.nuggets_anchors = anchors.unwrap_or(form.settings.nuggets_anchors);
        let fine = match strategy {
            _ if busy => Err("a job is running"),
            Strategy::Superfiltering if form.settings.filter_model.trim().is_empty() => Err("name a model"),
            Strategy::Nuggets if anchors.is_none() => Err("from 1 to 1,000 anchors"),
            _ => Ok(()),
        };
        let known = match fine {
            Err(why) => why.to_owned(),
            Ok(()) => cost(state, &form),
        };
        let (go, cancel) = foot(ui, state, &known, "Compute", fine);
        (go || entered && fine.is_ok(), cancel)
    });
    if go {
        let settings = form.settings;
        state.ask(Request::Prepare { strategy, settings }, For::Done);
        return None;
    }
    (!cancel && !veil).then_some(Dialog::Prepare(form))
}

fn words(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Ifd => {
            "Difficulty (IFD) is the loss of a response behind its prompt, divided by its loss behind the bare marker of the template. Below 1 the prompt helps; the highest below 1 are taken first."
        }
        Strategy::Superfiltering => {
            "A small model with its own tokenizer judges every response with and without its prompt. The ratio of perplexities decides, the highest below 1 first. There is no default model."
        }
        _ => {
            "The golden score is the share of anchor tasks that get easier when the sample stands before them as an example. Each sample costs one pass for every anchor."
        }
    }
}

/// True when Enter was pressed in a field.
fn fields(ui: &mut Ui, state: &mut AppState, form: &mut Prepare) -> bool {
    let settings = &mut form.settings;
    match form.strategy {
        Strategy::Ifd => {
            which_model(ui, state, &mut settings.ifd_model);
            false
        }
        Strategy::Superfiltering => line(ui, "Filter model", |ui| {
            let width = ui.available_width();
            let field = Field::new("Filter model", width).mono().hint("folder or org/name, on the engine's machine");
            let field = field.show(ui, &mut settings.filter_model);
            state.note("filter model", field.response.rect);
            field.entered
        }),
        _ => {
            which_model(ui, state, &mut settings.nuggets_model);
            let entered = line(ui, "Anchors", |ui| {
                let field = Field::new("Anchors", 90.0).mono().show(ui, &mut form.anchors);
                state.note("anchors", field.response.rect);
                Words::new(ui).small("nearest to the centres of as many k-means clusters").show(ui);
                field.entered
            });
            line(ui, "Anchors from", |ui| {
                let sources = [AnchorSource::Pool, AnchorSource::Holdout];
                let faces = [(Face::Text("pool"), "pool"), (Face::Text("held out"), "held out")];
                let chosen = usize::from(settings.nuggets_from == AnchorSource::Holdout);
                if let Some(place) = segmented(ui, "Anchors from", &faces, chosen, 26.0, |_, _| {}) {
                    settings.nuggets_from = sources[place];
                }
            });
            entered
        }
    }
}

fn which_model(ui: &mut Ui, state: &mut AppState, model: &mut PassModel) {
    line(ui, "Model", |ui| {
        let models = [PassModel::Dense, PassModel::Pruned];
        let faces = models.map(|model| (Face::Text(model.name()), model.name()));
        let mut cells = Vec::new();
        let chosen = usize::from(*model == PassModel::Pruned);
        let picked = segmented(ui, "Model", &faces, chosen, 26.0, |place, cell| cells.push((place, cell)));
        for (place, cell) in cells {
            state.note(format!("pass model:{}", models[place]), cell);
        }
        if let Some(place) = picked {
            *model = models[place];
        }
    });
}

/// What the pass costs as the form sets it: the engine's estimate, which grows with the anchors.
fn cost(state: &AppState, form: &Prepare) -> String {
    let Some((project, pass)) = state.project.as_ref().zip(of(state, form.strategy)) else { return String::new() };
    let before = &project.strategies;
    if form.settings == *before && pass.key.is_some() {
        return "It is there already.".to_owned();
    }
    if form.settings.filter_model != before.filter_model {
        return "Its time depends on the model.".to_owned();
    }
    let work = |settings: &StrategySettings| f64::from(settings.nuggets_anchors) + 1.0;
    let factor = if form.strategy == Strategy::Nuggets { work(&form.settings) / work(before) } else { 1.0 };
    let estimate = pass.estimate.map(|(low, high)| (low * factor, high * factor));
    let advice = match estimate {
        Some((_, high)) if high > 6.0 * 3600.0 => "; fewer anchors or a smaller pool would do",
        _ => "",
    };
    format!("{}{advice}", range(estimate))
}
