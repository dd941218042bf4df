//! One sample, whole: its text, the response shaded by divergence, its numbers, and why it was or was not taken.

use egui::{Rect, Ui, Vec2, pos2};
use paser_protocol::{Blocking, Edit, EditKind, ReasonCode, SampleView};

use super::{cluster::pairs, compare, continuations, neighbours, reading, sample_menu::text_of, tokens};
use crate::{
    command::Command,
    dialogs::Action,
    format,
    glossary::Place,
    state::{AppState, MapOrder, Screen},
    theme::icons,
    widgets::{
        self, Button, Words, chip, column, icon_button, look,
        pane::{empty, pane, section_head},
        row_right,
    },
};

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let row = state.focus.inspected;
    let sample = row.and_then(|row| state.data.sample(row));
    let title = match (&sample, row) {
        (Some(sample), _) if sample.id.starts_with(|c: char| c.is_ascii_digit()) => format!("Sample {}", sample.id),
        (Some(sample), _) => sample.id.clone(),
        (None, Some(row)) => format!("Sample in row {}", format::count(u64::from(row))),
        (None, None) => "Sample".to_owned(),
    };
    let (body, free) = pane(ui, rect, icons::FILE_TEXT, &title, look.panel);
    state.note("pane:inspector", rect);
    let Some(row) = row else {
        empty(
            ui,
            body,
            "No sample is chosen",
            "Click a point on the map or a row of the table; its text and its scores appear here.",
            None,
        );
        return;
    };
    actions(ui, free, state, row, sample.as_deref());
    let Some(sample) = sample else {
        Words::new(ui).t3("reading the sample").at(ui, body.center(), egui::Align2::CENTER_CENTER, 200.0);
        return;
    };
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("inspector").auto_shrink(false).show(ui, |ui| {
            ui.set_width(body.width());
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            status(ui, state, &sample);
            section(ui, |ui| text(ui, "Instruction", &sample.instruction, repeats(&sample)));
            if !sample.input.is_empty() {
                section(ui, |ui| text(ui, "Input", &sample.input, None));
            }
            section(ui, |ui| tokens::response(ui, state, &sample));
            if let Some(seconds) = continuations::possible(state, row) {
                section(ui, |ui| continuations::show(ui, state, row, seconds));
            }
            if state.screen != Screen::Compare {
                section(ui, |ui| why(ui, state, &sample));
            }
            if !state.compare.names.is_empty() {
                section(ui, |ui| compare::fates::show(ui, state, row));
            }
            section(ui, |ui| values(ui, &sample));
            section(ui, |ui| neighbours::show(ui, state, &sample));
        });
    });
}

/// Padding, and a line below.
fn section(ui: &mut Ui, contents: impl FnOnce(&mut Ui)) {
    egui::Frame::new().inner_margin(egui::Margin { left: 10, right: 10, top: 4, bottom: 8 }).show(ui, |ui| {
        ui.set_width(ui.available_width());
        contents(ui);
    });
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 1.0), egui::Sense::hover());
    ui.painter().rect_filled(rect, 0.0, look(ui).line);
}

fn actions(ui: &mut Ui, free: Rect, state: &mut AppState, row: u32, sample: Option<&SampleView>) {
    let (pinned, excluded) = (state.is_pinned(row), state.is_excluded(row));
    row_right(ui, free, 0.0, |ui| {
        if icon_button(ui, icons::X, "Close the inspector", false, None).clicked() {
            state.run(Command::ToggleInspector);
        }
        if let Some(sample) = sample
            && icon_button(ui, icons::COPY, "Copy the sample's text", false, None).clicked()
        {
            ui.ctx().copy_text(text_of(sample));
        }
        if icon_button(ui, icons::CHART_SCATTER, Command::ShowInspected.name(), false, None).clicked() {
            state.map_order = Some(MapOrder::ShowInspected);
        }
        let (exclude, pin) = (
            if excluded { Command::Release } else { Command::Exclude },
            if pinned { Command::Release } else { Command::Pin },
        );
        for (command, own, icon, on) in
            [(exclude, Command::Exclude, icons::PROHIBIT, excluded), (pin, Command::Pin, icons::PUSH_PIN, pinned)]
        {
            let response = icon_button(ui, icon, &command.hint(), on, None);
            state.note(format!("{own:?}"), response.rect);
            if response.clicked() {
                state.run(command);
            }
        }
    });
}

/// `taken`, `pinned`, `not taken: concept conflict`, and the cluster.
fn status(ui: &mut Ui, state: &mut AppState, sample: &SampleView) {
    let look = look(ui);
    let reason = state.reason(sample.row);
    let (icon, text, colour) = if state.is_pinned(sample.row) {
        (icons::PUSH_PIN, "pinned".to_owned(), look.pinned)
    } else if state.is_excluded(sample.row) {
        (icons::X, "excluded".to_owned(), look.excluded)
    } else {
        match reason {
            Some(reason) if reason.is_taken() => (icons::CHECK, reason.word().to_owned(), look.a),
            Some(ReasonCode::Conflict) => (icons::GRAPH, "not taken: conflict".to_owned(), look.text_2),
            Some(ReasonCode::NotTaken) => (icons::MINUS, "not taken".to_owned(), look.text_2),
            Some(reason) => (icons::MINUS, format!("not taken: {}", reason.word()), look.text_2),
            None => (icons::MINUS, "no selection yet".to_owned(), look.text_3),
        }
    };
    egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 8)).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            let words = Words::of(look).icon(icon, 13.0, colour).part(format!(" {text}"), crate::theme::body(), colour);
            let galley = words.clone().galley(ui, 200.0, 1);
            let (rect, _) = ui.allocate_exact_size(Vec2::new(galley.size().x + 14.0, 20.0), egui::Sense::hover());
            ui.painter().rect_stroke(rect, 3.0, egui::Stroke::new(1.0, colour), egui::StrokeKind::Inside);
            words.at(ui, pos2(rect.left() + 7.0, rect.center().y), egui::Align2::LEFT_CENTER, 200.0);
            if let Some(cluster) = sample.cluster.and_then(|cluster| state.cluster(cluster)).cloned() {
                widgets::swatch(ui, look.cluster(cluster.colour));
                let width = ui.available_width();
                Words::of(look).t2(&cluster.name).show_in(ui, width, 1);
            }
        });
    });
    tags(ui, state, sample.row);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 1.0), egui::Sense::hover());
    ui.painter().rect_filled(rect, 0.0, look.line);
}

/// Tags of the sample, each with its way out, and one to add another; and whether it is hidden.
fn tags(ui: &mut Ui, state: &mut AppState, row: u32) {
    egui::Frame::new().inner_margin(egui::Margin { left: 10, right: 10, top: 0, bottom: 8 }).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::new(4.0, 4.0);
            for tag in state.tags_of(row) {
                let name = format!("Remove the tag {tag}");
                let response = ui.add(Button::new(&tag).height(20.0).icon(icons::X).name(&name));
                state.note(format!("tag:{tag}"), response.rect);
                if response.on_hover_text(&name).clicked() {
                    state.curate(Edit::new(EditKind::Untag { rows: vec![row], tag }, ""));
                }
            }
            if state.is_hidden(row) {
                let response = ui.add(Button::new("hidden").height(20.0).icon(icons::EYE_SLASH));
                if response.on_hover_text("Show it on the map again").clicked() {
                    state.curate(Edit::new(EditKind::Show { rows: vec![row] }, ""));
                }
            }
            let add = ui.add(Button::new("tag...").quiet().height(20.0).icon(icons::TAG).name("Tag this sample"));
            state.note("tag this", add.rect);
            if add.clicked() {
                state.edit_samples(vec![row], None, Action::Tag);
            }
        });
    });
}

fn repeats(sample: &SampleView) -> Option<String> {
    (sample.multiplicity > 1).then(|| format!("{} times in the pool", sample.multiplicity))
}

fn text(ui: &mut Ui, head: &str, text: &str, right: Option<String>) {
    let right = right.map(|right| Words::new(ui).small(right));
    section_head(ui, head, right);
    reading::text(ui, text, 16.0);
}

fn why(ui: &mut Ui, state: &mut AppState, sample: &SampleView) {
    let taken = state.reason(sample.row).is_some_and(ReasonCode::is_taken);
    if let Some(problem) = &state.build.problem {
        section_head(ui, "Taken or not", None);
        let text = format!("Not known: the selection cannot be made. {}", problem.what);
        Words::new(ui).t2(text).line_height(16.0).wrapped(ui);
        return;
    }
    section_head(ui, if taken { "Why it was taken" } else { "Why it was not taken" }, None);
    if sample.why.is_empty() {
        Words::new(ui).t3("There is no selection yet.").wrapped(ui);
    } else {
        Words::new(ui).t2(&sample.why).line_height(16.0).wrapped(ui);
    }
    if let Some(blocking) = &sample.blocking {
        ui.add_space(6.0);
        pair(ui, state, blocking);
    }
    if !sample.concepts.is_empty() {
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::new(4.0, 4.0);
            for concept in &sample.concepts {
                chip(ui, concept);
            }
        });
    }
}

/// The two concepts that kept it out, and the accepted samples that set them; a click goes there.
pub(super) fn pair(ui: &mut Ui, state: &mut AppState, blocking: &Blocking) {
    for (concept, row, id) in [
        (&blocking.first, blocking.first_row, &blocking.first_id),
        (&blocking.second, blocking.second_row, &blocking.second_id),
    ] {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            ui.set_height(24.0);
            Words::new(ui).strong(concept).t2(" set by").show(ui);
            let response = ui.add(Button::new(id).height(20.0).icon(icons::ARROW_RIGHT));
            state.note(format!("blocking:{row}"), response.rect);
            if response.hovered() {
                state.focus.next_hovered = Some(row);
            }
            if response.clicked() {
                state.inspect(row);
                state.table.show_inspected = true;
                state.map_order = Some(MapOrder::ShowInspected);
            }
        });
    }
}

/// Label, short words and decimals of the numbers that stand first.
const FIRST: [(&str, &str, usize); 5] = [
    ("damage (JSD)", "jsd", 3),
    ("efficiency (IES)", "ies", 4),
    ("dense loss", "loss dense", 2),
    ("pruned loss", "loss pruned", 2),
    ("same most likely token", "top-1 same", 0),
];

/// Three decimals, whatever was sent; texts and counts as they are.
fn shown_value(value: &str, places: usize) -> String {
    match value.parse::<f64>() {
        Ok(number) if value.contains('.') => format::decimal(number, places),
        Ok(number) if number.fract() == 0.0 && number.abs() >= 1_000.0 => format::decimal(number, 0),
        _ => value.to_owned(),
    }
}

fn values(ui: &mut Ui, sample: &SampleView) {
    let look = look(ui);
    ui.add_space(4.0);
    let value_of = |label: &str| sample.values.iter().find(|(other, ..)| other == label).map(|(_, value, _)| value);
    let mut first: Vec<(&str, Words)> = FIRST
        .iter()
        .filter_map(|(label, short, places)| {
            value_of(label).map(|value| (*short, Words::of(look).num(shown_value(value, *places))))
        })
        .collect();
    if let (Some(prompt), Some(response)) = (value_of("prompt tokens"), value_of("response tokens")) {
        first.push(("tokens", Words::of(look).num(format!("{prompt} + {response}"))));
    }
    pairs(ui, Place::Sample, &first);
    let known = |label: &str| {
        FIRST.iter().any(|(first, ..)| *first == label) || matches!(label, "prompt tokens" | "response tokens")
    };
    let rest: Vec<_> = sample.values.iter().filter(|(label, ..)| !known(label)).collect();
    if !rest.is_empty() && !first.is_empty() {
        ui.add_space(6.0);
    }
    for (label, value, unit) in rest {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 18.0), egui::Sense::hover());
        let name =
            Words::of(look).t3(label).paint(ui, rect.left_center(), egui::Align2::LEFT_CENTER, rect.width() * 0.62);
        let mut words = Words::of(look).num2(shown_value(value, 3));
        if !unit.is_empty() {
            words = words.part(format!(" {unit}"), crate::theme::small(), look.text_3);
        }
        let spoken = format!("{label} {}", words.text());
        words.paint(ui, rect.right_center(), egui::Align2::RIGHT_CENTER, rect.right() - name.right() - 8.0);
        widgets::say(ui, rect, spoken);
    }
    let mut place = format!("line {} of the pool file", format::count(sample.line));
    if sample.multiplicity > 1 {
        place.push_str(&format!(", merged from {} equal rows", sample.multiplicity));
    }
    ui.add_space(4.0);
    Words::new(ui).small(place).wrapped(ui);
}
