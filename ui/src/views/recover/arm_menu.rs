//! What can be done with one arm.

use egui::Ui;
use paser_protocol::{ArmState, ArmView, RecoveryView, Request, Trainer, WeightsFormat};

use crate::{
    command::Command,
    dialogs::{ArmFile, ArmOutput, ArmsForm, Dialog},
    state::{AppState, For},
    theme::icons,
    widgets::field::menu_entry,
};

/// A line of the menu, which says why it cannot be had; true when it was clicked.
fn entry(ui: &mut Ui, state: &mut AppState, text: &str, icon: Option<char>, why: Result<(), &str>) -> bool {
    let response = menu_entry(ui, text, "", false, icon, why.is_ok());
    state.note(format!("menu:{text}"), response.rect);
    let response = match why {
        Err(why) => response.on_hover_text(why),
        Ok(()) => response,
    };
    let clicked = response.clicked() && why.is_ok();
    if clicked {
        ui.close();
    }
    clicked
}

pub(super) fn show(ui: &mut Ui, state: &mut AppState, view: &RecoveryView, arm: &ArmView) {
    ui.set_width(230.0);
    let any = |wanted: fn(&ArmState) -> bool| arm.runs.iter().any(|run| wanted(&run.state));
    let (training, done) = (any(|state| *state == ArmState::Running), any(|state| *state == ArmState::Done));
    let missing = any(|state| matches!(state, ArmState::Waiting | ArmState::Stopped | ArmState::Failed { .. }));
    if training {
        if entry(ui, state, "Pause training", None, Command::PauseJob.enabled(state)) {
            state.run(Command::PauseJob);
        }
        if entry(ui, state, "Stop training", None, Command::CancelJob.enabled(state)) {
            state.run(Command::CancelJob);
        }
    } else if missing {
        let text = if any(|state| *state == ArmState::Stopped) { "Resume training" } else { "Train its missing seeds" };
        let quiet = state.project.as_ref().is_none_or(|project| project.job.is_none());
        let fine = match (&view.blocked, quiet) {
            (Some(_), _) => Err("arms cannot be trained: see the foot"),
            (None, false) => Err("a job is running"),
            (None, true) => Ok(()),
        };
        if entry(ui, state, text, Some(icons::PLAY), fine) {
            state.ask(Request::Train { arms: vec![arm.name.clone()], memory: None }, For::Done);
        }
    }
    pair_entries(ui, state, view, arm);
    if let Some(plan) = arm.plan.clone().filter(|_| arm.pilot.is_none())
        && entry(ui, state, "Duplicate with changes...", Some(icons::COPY), Ok(()))
    {
        let free = (2..).map(|number| format!("{} {number}", arm.name));
        let free = free.take(999).find(|name| view.arms.iter().all(|other| other.name != *name)).unwrap_or_default();
        state.dialog = Some(Dialog::AddArms(ArmsForm::duplicate(&plan, free)));
    }
    let finished = if done { Ok(()) } else { Err("no seed is finished") };
    let seed = arm.runs.iter().find(|run| run.state == ArmState::Done).or(arm.runs.first()).map_or(1, |run| run.seed);
    let file = |output: ArmOutput| {
        Dialog::ArmFile(ArmFile { arm: arm.name.clone(), seed, output, path: String::new(), waiting: false })
    };
    if arm.plan.is_some() {
        if entry(ui, state, "Write weights...", Some(icons::DOWNLOAD_SIMPLE), finished) {
            state.dialog = Some(file(ArmOutput::Weights(WeightsFormat::Peft)));
        }
        if entry(ui, state, "Hand out to a trainer...", Some(icons::ARROW_RIGHT), Ok(())) {
            state.dialog = Some(file(ArmOutput::HandOut(Trainer::Axolotl)));
        }
    }
    if entry(ui, state, "Read another trainer's run...", Some(icons::FOLDER_OPEN), Ok(())) {
        state.run(Command::ReadRun);
    }
    if entry(ui, state, "Remove...", Some(icons::TRASH), if training { Err("it is being trained") } else { Ok(()) }) {
        state.dialog = Some(Dialog::RemoveArm { name: arm.name.clone() });
    }
}

/// Makes the arm one of the two that are compared.
fn pair_entries(ui: &mut Ui, state: &mut AppState, view: &RecoveryView, arm: &ArmView) {
    let Some((first, second)) = state.recovery.pair(view) else { return };
    let (first, second) = (first.name.clone(), second.name.clone());
    if first != arm.name && entry(ui, state, "Compare as the first", Some(icons::SCALES), Ok(())) {
        let other = if second == arm.name { first.clone() } else { second.clone() };
        state.recovery.shown.pair = Some((arm.name.clone(), other));
    }
    if second != arm.name && entry(ui, state, "Compare as the second", Some(icons::SCALES), Ok(())) {
        let other = if first == arm.name { second } else { first };
        state.recovery.shown.pair = Some((other, arm.name.clone()));
    }
}
