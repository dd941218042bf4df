//! The small forms about arms: remove one, write its weights or its data for another trainer, read another trainer's run,
//! and the report.

use egui::{Context, Ui};
use paser_protocol::{Request, TableFormat, Trainer, WeightsFormat};

use crate::{
    dialogs::{ArmFile, ArmOutput, Dialog, ReadRunForm, ReportForm},
    recovery::Want,
    state::{AppState, Ask, For, PickFor},
    transport::PickKind,
    views::{
        export::{foot, line, paragraph, title},
        modal,
    },
    widgets::{
        Button,
        field::{Field, dropdown},
        segmented::{Face, segmented},
    },
};

/// Nothing is trained on it any more: asked once more.
pub fn remove(ctx: &Context, state: &mut AppState, name: String) -> Option<Dialog> {
    let there = state.recovery.view.as_ref().is_some_and(|view| view.arms.iter().any(|arm| arm.name == name));
    let ((go, cancel), veil) = modal(ctx, "Remove arm", 480.0, None, |ui| {
        title(ui, &format!("Remove {name}?"));
        paragraph(
            ui,
            "It leaves the recipe, curves and verdicts. Its selection stays, and what it has trained is kept for a while: the same arm added again goes on from there.",
        );
        foot(ui, state, "", "Remove", if there { Ok(()) } else { Err("it is not there any more") })
    });
    if go {
        state.ask(Request::RemoveArm { name: name.clone() }, For::Recover(Want::Removed(name.clone())));
    }
    (!cancel && !veil).then_some(Dialog::RemoveArm { name })
}

/// The path of a file or folder, with a native dialog where there is one.
fn path_line(ui: &mut Ui, state: &mut AppState, label: &str, path: &mut String, kind: PickKind, hint: &str) {
    line(ui, label, |ui| {
        let browse = state.has_dialogs;
        let width = ui.available_width() - if browse { 82.0 } else { 0.0 };
        let field = Field::new("Path", width).mono().hint(hint).show(ui, path);
        state.note("arm path", field.response.rect);
        if browse && ui.add(Button::new("Browse...").height(26.0)).clicked() {
            state.outbox.push(Ask::Pick(kind, PickFor::Recover));
        }
    });
}

const TRAINERS: [(&str, &str); 4] = [
    ("axolotl", "data and a YAML configuration"),
    ("LLaMA-Factory", "data, dataset_info.json and a YAML configuration"),
    ("TRL", "data and a script"),
    ("LLM-Pruner", "data and the command line of its post_training.py"),
];

pub fn arm_file(ctx: &Context, state: &mut AppState, mut form: ArmFile) -> Option<Dialog> {
    let seeds: Vec<u64> = state
        .recovery
        .view
        .iter()
        .flat_map(|view| view.arms.iter().filter(|arm| arm.name == form.arm))
        .flat_map(|arm| arm.runs.iter().map(|run| run.seed))
        .collect();
    let weights = matches!(form.output, ArmOutput::Weights(_));
    let ((go, cancel), veil) = modal(ctx, "File of an arm", 560.0, None, |ui| {
        title(
            ui,
            &if weights { format!("Weights of {}", form.arm) } else { format!("{} for another trainer", form.arm) },
        );
        line(ui, "Seed", |ui| {
            let names: Vec<String> = seeds.iter().map(u64::to_string).collect();
            let entries: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
            let chosen = seeds.iter().position(|seed| *seed == form.seed);
            let face = form.seed.to_string();
            let (response, picked) = dropdown(ui, "Seed of the arm", &face, 26.0, Some(80.0), &entries, chosen);
            state.note("arm seed", response.rect);
            if let Some(place) = picked {
                form.seed = seeds[place];
            }
        });
        output_line(ui, state, &mut form);
        let hint = match (state.has_dialogs, weights) {
            (true, _) => "a folder on this machine",
            (false, true) => "a folder on the engine's machine; empty: download here",
            (false, false) => "a folder on the engine's machine",
        };
        path_line(ui, state, "Folder", &mut form.path, PickKind::Save, hint);
        let empty = form.path.trim().is_empty() && (state.has_dialogs || !weights);
        let fine = match (form.waiting, empty) {
            (true, _) => Err("it is being written"),
            (_, true) => Err("say where to"),
            _ => Ok(()),
        };
        let primary = if form.path.trim().is_empty() && weights && !state.has_dialogs { "Download" } else { "Write" };
        foot(ui, state, "", primary, fine)
    });
    if go {
        form.waiting = true;
        let (arm, seed, path) = (form.arm.clone(), form.seed, form.path.trim().to_owned());
        let request = match form.output {
            ArmOutput::Weights(format) => Request::WriteArm { arm, seed, format, path },
            ArmOutput::HandOut(trainer) => Request::HandOut { arm, seed, trainer, path },
        };
        state.ask(request, For::Recover(Want::File));
    }
    (!cancel && !veil).then_some(Dialog::ArmFile(form))
}

fn output_line(ui: &mut Ui, state: &mut AppState, form: &mut ArmFile) {
    match form.output {
        ArmOutput::Weights(format) => {
            line(ui, "Format", |ui| {
                let faces = [(Face::Text("PEFT"), "PEFT"), (Face::Text("merged"), "merged")];
                let chosen = WeightsFormat::ALL.iter().position(|other| *other == format).unwrap_or(0);
                let mut cells = Vec::new();
                let picked = segmented(ui, "Format", &faces, chosen, 26.0, |place, cell| cells.push((place, cell)));
                for (place, cell) in cells {
                    state.note(format!("weights:{}", WeightsFormat::ALL[place].name()), cell);
                }
                if let Some(place) = picked {
                    form.output = ArmOutput::Weights(WeightsFormat::ALL[place]);
                }
            });
            paragraph(
                ui,
                match format {
                    WeightsFormat::Peft => "The low-rank additions alone, as PEFT reads them, for the pruned model.",
                    WeightsFormat::Merged => {
                        "Weights with the additions merged, as safetensors; zeros stay zero where the model is sparse."
                    }
                },
            );
        }
        ArmOutput::HandOut(trainer) => {
            line(ui, "Trainer", |ui| {
                let chosen = Trainer::ALL.iter().position(|other| *other == trainer).unwrap_or(0);
                let width = Some(ui.available_width());
                let face = TRAINERS[chosen].0;
                let (response, picked) = dropdown(ui, "Trainer", face, 26.0, width, &TRAINERS, Some(chosen));
                state.note("arm trainer", response.rect);
                if let Some(place) = picked {
                    form.output = ArmOutput::HandOut(Trainer::ALL[place]);
                }
            });
            paragraph(
                ui,
                "The arm's samples, a configuration with the settings of here, and the command line. What that trainer writes can be read back.",
            );
        }
    }
}

pub fn read_run(ctx: &Context, state: &mut AppState, mut form: ReadRunForm) -> Option<Dialog> {
    let ((go, cancel), veil) = modal(ctx, "Read a run", 560.0, None, |ui| {
        title(ui, "Read another trainer's run");
        paragraph(
            ui,
            "A folder with trainer_state.json, TensorBoard events, an adapter, or results of lm-eval. Its curve or its results stand beside the arms.",
        );
        path_line(ui, state, "Folder", &mut form.path, PickKind::Project, "a folder on the engine's machine");
        line(ui, "Name", |ui| {
            let width = ui.available_width();
            let field =
                Field::new("Name of the arm that is read", width).hint("axolotl, paser 20 %").show(ui, &mut form.arm);
            state.note("arm name", field.response.rect);
        });
        let fine = match (form.path.trim(), form.arm.trim()) {
            _ if form.waiting => Err("it is being read"),
            ("", _) => Err("say where it lies"),
            (_, "") => Err("give it a name"),
            _ => Ok(()),
        };
        foot(ui, state, "", "Read", fine)
    });
    if go {
        form.waiting = true;
        let (path, arm) = (form.path.trim().to_owned(), form.arm.trim().to_owned());
        state.ask(Request::ReadRun { path, arm: arm.clone() }, For::Recover(Want::Read(arm)));
    }
    (!cancel && !veil).then_some(Dialog::ReadRun(form))
}

const FORMATS: [(TableFormat, &str); 4] = [
    (TableFormat::Html, "HTML"),
    (TableFormat::Markdown, "Markdown"),
    (TableFormat::Csv, "CSV"),
    (TableFormat::Latex, "LaTeX"),
];

pub fn report(ctx: &Context, state: &mut AppState, mut form: ReportForm) -> Option<Dialog> {
    let view = state.recovery.view.clone();
    let pair = view.as_ref().and_then(|view| state.recovery.pair(view));
    let pair = pair.map(|(first, second)| (first.name.clone(), second.name.clone()));
    let ((go, cancel), veil) = modal(ctx, "Export report", 560.0, None, |ui| {
        title(ui, "Export report");
        line(ui, "Format", |ui| {
            let faces = FORMATS.map(|(_, name)| (Face::Text(name), name));
            let chosen = FORMATS.iter().position(|(format, _)| *format == form.format).unwrap_or(0);
            let mut cells = Vec::new();
            let picked = segmented(ui, "Format", &faces, chosen, 26.0, |place, cell| cells.push((place, cell)));
            for (place, cell) in cells {
                state.note(format!("report:{}", FORMATS[place].1), cell);
            }
            if let Some(place) = picked {
                form.format = FORMATS[place].0;
            }
        });
        let hint = if state.has_dialogs {
            "path on this machine"
        } else {
            "path on the engine's machine; empty: download here"
        };
        path_line(ui, state, "File", &mut form.path, PickKind::Save, hint);
        paragraph(
            ui,
            match form.format {
                TableFormat::Html => {
                    "One file that needs no network: curves, arms with their cost, and the verdict on every metric, with the recipe."
                }
                TableFormat::Markdown => "Tables of arms and verdicts on every metric, for a page or a pull request.",
                TableFormat::Csv => "The verdict on every metric, a row for each task, with intervals, p and n.",
                TableFormat::Latex => "A table of the verdict on every metric, for a paper.",
            },
        );
        let empty = form.path.trim().is_empty();
        let fine = match (&pair, form.waiting) {
            (None, _) => Err("a report needs two arms"),
            (_, true) => Err("it is being written"),
            _ if empty && state.has_dialogs => Err("say where to"),
            _ => Ok(()),
        };
        let known = pair.as_ref().map_or_else(String::new, |(first, second)| format!("{first} against {second}"));
        foot(ui, state, &known, if empty && !state.has_dialogs { "Download" } else { "Write" }, fine)
    });
    if go && let Some((first, second)) = pair {
        form.waiting = true;
        let path = form.path.trim().to_owned();
        state.ask(Request::RecoveryReport { first, second, format: form.format, path }, For::Recover(Want::Report));
    }
    (!cancel && !veil).then_some(Dialog::RecoveryReport(form))
}
