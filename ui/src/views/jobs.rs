//! Running work: the short form in the top bar, and the status bar with stage, progress, time left and cancel.

use egui::{Rect, Ui, Vec2, pos2};
use paser_protocol::{JobView, StageState, StageView};

use super::job_details;
use crate::{
    command::Command,
    format,
    state::{AppState, Link, RunEnd},
    theme::icons,
    widgets::{self, Button, Words, look, row, row_right},
};

fn share(job: &JobView) -> f32 {
    if job.total == 0 { 0.0 } else { (job.done as f64 / job.total as f64) as f32 }
}

/// `25 min left, 6,300 tokens per s`
pub fn pace(job: &JobView) -> String {
    let mut parts = Vec::new();
    if let Some(left) = job.eta_seconds {
        parts.push(format!("{} left", format::duration(left)));
    }
    if job.seconds > 0.5 && job.done > 0 {
        let rate = job.done as f64 / job.seconds;
        let rate = if rate < 10.0 { format::decimal(rate, 1) } else { format::count(rate as u64) };
        parts.push(format!("{rate} {} per s", job.unit));
    }
    parts.join(", ")
}

/// A box with name, bar and time left; nothing without a job.
pub fn top_bar_job(ui: &mut Ui, state: &mut AppState) {
    let Some(job) = state.project.as_ref().and_then(|project| project.job.clone()) else { return };
    if ui.available_width() < 230.0 {
        return;
    }
    ui.add_space(12.0);
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(206.0, 24.0), egui::Sense::hover());
    ui.painter().rect_stroke(rect, 3.0, egui::Stroke::new(1.0, look.edge), egui::StrokeKind::Inside);
    row(ui, rect.shrink2(Vec2::new(8.0, 0.0)), 8.0, |ui| {
        Words::new(ui).icon(icons::PLAY, 13.0, look.text_2).t(format!(" {}", job.stage.name())).show(ui);
        widgets::progress(ui, 46.0, share(&job));
        let left = job.eta_seconds.map_or_else(String::new, |left| format!("{} left", format::duration(left)));
        Words::new(ui).num2(left).show(ui);
    });
    response.on_hover_text(format!("{}: {}", job.what, pace(&job)));
}

/// The foot of Explore and Compare.
pub fn status_bar(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    job_details::show(ui, rect, state);
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.panel);
    let inside = rect.shrink2(Vec2::new(10.0, 0.0));
    let (job, failed) = match &state.project {
        Some(project) => (
            project.job.clone(),
            project.stages.iter().find_map(|stage| match &stage.state {
                StageState::Failed { report } => Some((stage.stage, report.to_string())),
                _ => None,
            }),
        ),
        None => (None, None),
    };
    let right = row_right(ui, inside, 12.0, |ui| {
        if let Some(manifold) = state.project.as_ref().and_then(|project| project.manifold.as_ref()) {
            let recall = if manifold.recall > 0.0 {
                format!(", recall {}", format::nats(manifold.recall))
            } else {
                String::new()
            };
            Words::new(ui).small(format!("vectors: {}{recall}", manifold.vectors)).show(ui);
        }
        if let Some(template) = state.project.as_ref().map(|project| project.template.clone()).filter(|t| !t.is_empty())
            && ui.available_width() > 700.0
        {
            Words::new(ui).small(format!("template: {template}")).show(ui);
        }
        ui.min_rect().left()
    });
    let left = Rect::from_min_max(inside.min, pos2(right - 12.0, inside.bottom()));
    row(ui, left, 14.0, |ui| {
        if state.link == Link::Lost {
            let text = if state.attached {
                " the program that has this project open is gone"
            } else {
                " the engine is not reachable; trying again"
            };
            let words = Words::new(ui).icon(icons::WARNING, 13.0, look.warn);
            words.part(text, crate::theme::small(), look.warn).show(ui);
            if state.attached {
                let response = ui.add(Button::new("Open here").height(18.0).name("Open the project here"));
                state.note("OpenHere", response.rect);
                if response.on_hover_text(Command::OpenHere.description()).clicked() {
                    state.run(Command::OpenHere);
                }
            }
        }
        if let Some(job) = job {
            let step = format!("{}: {}", job.stage.name(), job.what);
            Words::new(ui).part(step, crate::theme::small(), look.text_2).show_in(ui, 300.0, 1);
            widgets::progress(ui, 120.0, share(&job));
            Words::new(ui).num2(format::percent(f64::from(share(&job)))).show(ui);
            Words::new(ui).small(pace(&job)).show(ui);
            if job.lasting {
                let response =
                    ui.add_enabled(!job.cancelling, Button::new("Pause").height(18.0).name("Pause the running job"));
                state.note("PauseJob", response.rect);
                if response.on_hover_text(Command::PauseJob.description()).clicked() {
                    state.run(Command::PauseJob);
                }
            }
            let text = if job.cancelling { "Stopping" } else { "Cancel" };
            let response =
                ui.add_enabled(!job.cancelling, Button::new(text).height(18.0).name("Cancel the running job"));
            state.note("CancelJob", response.rect);
            if response.clicked() {
                state.run(Command::CancelJob);
            }
            let caret = if state.panels.job { icons::CARET_DOWN } else { icons::CARET_UP };
            let log = Button::new("Log").quiet().height(18.0).caret(caret).name("Show or hide the job's log");
            let response = ui.add(log);
            state.note("JobDetails", response.rect);
            if response.on_hover_text(job_details::place(&job)).clicked() {
                state.run(Command::JobDetails);
            }
            return;
        }
        if let Some((end, text)) = &state.last_run {
            let (icon, colour) = match end {
                RunEnd::Well => (icons::CHECK, look.ok),
                RunEnd::Stopped => (icons::MINUS, look.text_2),
                RunEnd::Failed => (icons::X_CIRCLE, look.error),
            };
            outcome(ui, icon, colour, text);
        } else if let Some((stage, report)) = failed {
            outcome(ui, icons::X_CIRCLE, look.error, &format!("{}: {report}", stage.name()));
        } else if let Some(seconds) = scoring_seconds(state) {
            let text = format!(" scored in {}", format::duration(seconds));
            Words::new(ui).icon(icons::CHECK, 13.0, look.ok).part(text, crate::theme::small(), look.ok).show(ui);
        }
        if !unended(ui, state) {
            missing(ui, state);
        }
        if state.saved.is_some() {
            Words::new(ui).small("saved").show(ui).on_hover_text("Every edit is on disk within a second.");
        }
        if let Some(comparison) = state.project.as_ref().and_then(|project| project.comparison.as_ref()) {
            let text = comparison.verdict.clone();
            Words::new(ui).small(&text).show_in(ui, 420.0, 1).on_hover_text(text);
        }
    });
}

/// How a run ended: its first line, and all of it by hovering.
fn outcome(ui: &mut Ui, icon: char, colour: egui::Color32, text: &str) {
    let line = format!(" {}", text.lines().next().unwrap_or_default());
    let words = Words::new(ui).icon(icon, 13.0, colour).part(line, crate::theme::small(), colour);
    words.show_in(ui, 420.0, 1).on_hover_text(text);
}

fn scoring_seconds(state: &AppState) -> Option<f64> {
    state.project.as_ref()?.stages.iter().find_map(|stage| match stage.state {
        StageState::Done { seconds, .. } if stage.stage == paser_protocol::Stage::Score => Some(seconds),
        _ => None,
    })
}

/// A run that was paused or interrupted, with the buttons to go on and to give it up; false without one.
fn unended(ui: &mut Ui, state: &mut AppState) -> bool {
    let run = state.project.as_ref().and_then(|project| project.run.clone());
    let Some(run) = run.filter(|run| !run.at_work) else { return false };
    let how = if run.paused { "paused" } else { "interrupted" };
    Words::new(ui).small(format!("{how}: the run through {}", run.until.name())).show(ui);
    let resume = ui.add(Button::new("Resume").height(18.0).name("Resume the paused run"));
    state.note("ResumeJob", resume.rect);
    if resume.on_hover_text(Command::ResumeJob.description()).clicked() {
        state.run(Command::ResumeJob);
    }
    let give_up = ui.add(Button::new("Give up").height(18.0).name("Give up the paused run"));
    state.note("GiveUp", give_up.rect);
    if give_up.on_hover_text("What is finished is kept.").clicked() {
        state.run(Command::CancelJob);
    }
    true
}

/// A button for stages that have to run.
fn missing(ui: &mut Ui, state: &mut AppState) {
    let Some(project) = &state.project else { return };
    let open: Vec<_> = project
        .stages
        .iter()
        .filter(|stage| {
            stage.stage != paser_protocol::Stage::Select
                && matches!(stage.state, StageState::Missing | StageState::Stale { .. } | StageState::Failed { .. })
        })
        .collect();
    if open.is_empty() {
        return;
    }
    let name = |stage: &&StageView| match stage.kept {
        Some((finished, parts)) => format!("{} ({finished} of {parts} parts kept)", stage.stage.name()),
        None => stage.stage.name().to_owned(),
    };
    let names: Vec<_> = open.iter().map(name).collect();
    let why = open.iter().find_map(|stage| match &stage.state {
        StageState::Stale { why } => Some(format!(" ({why})")),
        _ => None,
    });
    let text = format!("to run: {}{}", names.join(", "), why.unwrap_or_default());
    Words::new(ui).small(text).show_in(ui, 340.0, 1);
    let estimates: Vec<_> = open.iter().map(|stage| (stage.stage.name(), stage.estimate)).collect();
    let (button, hint) = cost(&estimates);
    let response = ui.add(Button::new(&button).height(18.0).name("Run what is missing"));
    state.note("Run", response.rect);
    let response = if hint.is_empty() { response } else { response.on_hover_text(hint) };
    if response.clicked() {
        state.run(Command::Run);
    }
}

/// The button's words, and what is not known about the time of these stages.
fn cost(stages: &[(&str, Option<(f64, f64)>)]) -> (String, String) {
    let known = stages.iter().filter_map(|(_, range)| *range);
    let (low, high) = known.fold((0.0, 0.0), |sum, (low, high)| (sum.0 + low, sum.1 + high));
    let unknown: Vec<_> = stages.iter().filter(|(_, range)| range.is_none()).map(|(name, _)| *name).collect();
    let range = format!("{} to {}", format::duration(low), format::duration(high));
    let button = match (high > 0.0, unknown.is_empty()) {
        (true, true) => format!("Run, {range}"),
        (true, false) => format!("Run, {range} and more"),
        (false, _) => "Run, time unknown".to_owned(),
    };
    let hint = match unknown.as_slice() {
        [] => String::new(),
        unknown => format!("How long it takes is not known yet: {}", unknown.join(", ")),
    };
    (button, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_not_known_is_said_to_be_so() {
        let whole = cost(&[("embed", Some((20.0, 40.0))), ("score", Some((60.0, 80.0)))]);
        assert_eq!(whole, ("Run, 80 s to 2 min".to_owned(), String::new()));
        let part = cost(&[("embed", Some((20.0, 40.0))), ("score", None)]);
        assert_eq!(part.0, "Run, 20 s to 40 s and more");
        assert!(part.1.ends_with("score"));
        assert_eq!(cost(&[("score", None)]).0, "Run, time unknown");
    }
}
