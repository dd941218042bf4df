//! What is wrong with the pool: near-duplicates and samples that contain a question of a benchmark; each can be shown,
//! and excluded with one click that Ctrl+Z takes back.

use std::rc::Rc;

use egui::{Align2, Context, Sense, Ui, Vec2, pos2};
use paser_protocol::{ChecksView, Edit, EditKind, Request};

use super::{
    export::{foot, line, title},
    modal,
};
use crate::{
    dialogs::Dialog,
    format,
    state::{AppState, Ask, ColourBy, For, PickFor},
    theme::icons,
    transport::PickKind,
    widgets::{Button, Words, field::Field, icon_button, look, pane::remark, row_right},
};

/// The report, and the state of the project that it was asked for.
#[derive(Default)]
pub struct Checks {
    view: Option<Rc<ChecksView>>,
    asked: Option<u64>,
    /// Benchmarks before the one that is being added.
    adding: Option<usize>,
}

impl Checks {
    fn ask(state: &mut AppState) {
        let Some(revision) = state.project.as_ref().map(|project| project.revision) else { return };
        if state.checks.asked != Some(revision) {
            state.checks.asked = Some(revision);
            state.ask(Request::Checks, For::Checks);
        }
    }

    pub fn arrived(&mut self, view: ChecksView) {
        self.view = Some(Rc::new(view));
    }

    /// Another project, or another pool.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// One finding as a row: what, how many, and what can be done with it.
struct Finding<'a> {
    name: &'a str,
    words: String,
    more: String,
    rows: &'a [u32],
    /// Name of the column that colours the map by it.
    column: &'a str,
    reason: String,
    /// The file that it comes from, which can be taken out.
    file: Option<&'a str>,
}

pub fn show(ctx: &Context, state: &mut AppState, mut typed: String) -> Option<Dialog> {
    Checks::ask(state);
    let view = state.checks.view.clone();
    // What was typed has become a benchmark.
    if state.checks.adding.is_some_and(|before| view.as_ref().is_some_and(|view| view.benchmarks.len() > before)) {
        state.checks.adding = None;
        typed.clear();
    }
    let mut left = false;
    let ((go, cancel), veil) = modal(ctx, "Duplicates and leakage", 720.0, None, |ui| {
        title(ui, "Near-duplicates and benchmark questions");
        let known = match &view {
            None => "reading what was found".to_owned(),
            Some(view) => {
                let height = (ctx.content_rect().height() - 220.0).clamp(160.0, 520.0);
                let area =
                    egui::ScrollArea::vertical().id_salt("checks").max_height(height).min_scrolled_height(height);
                area.auto_shrink(false).show(ui, |ui| {
                    left = body(ui, state, view);
                });
                add_benchmark(ui, state, view, &mut typed);
                format!("found in {}", format::duration(view.seconds))
            }
        };
        foot(ui, state, &known, "Done", Ok(()))
    });
    (!go && !cancel && !veil && !left).then_some(Dialog::Checks { typed })
}

/// True where it was left for samples on the map.
fn body(ui: &mut Ui, state: &mut AppState, view: &ChecksView) -> bool {
    let mut left = false;
    if let Some(near) = &view.near_duplicates {
        let words = match near.samples {
            0 => "No sample is a near-duplicate of another.".to_owned(),
            count => format!(
                "{} samples nearly repeat one of {} that are kept.",
                format::count(count),
                format::count(near.groups)
            ),
        };
        let more = format!(
            "Similarity {} or more of three-word runs; the largest group has {}; the longest response is kept.",
            format::decimal(near.threshold, 2),
            format::count(near.largest)
        );
        let reason = format!("near-duplicates of {} kept samples", near.groups);
        let finding =
            Finding { name: "duplicates", words, more, rows: &near.rows, column: "duplicates", reason, file: None };
        left |= row(ui, state, view, &finding);
        for group in near.examples.iter().take(5) {
            let shown = sample_text(state, group.kept);
            let similarity = format::decimal(f64::from(group.similarity), 2);
            let count = group.rows.len() + 1;
            // Each is as alike as asked to another one of its group, not always to the one that is kept.
            let more = if f64::from(group.similarity) < near.threshold {
                format!("{count} in a chain, the least alike shares {similarity} with the kept one: ")
            } else {
                format!("{count} nearly equal, {similarity} or more: ")
            };
            example(ui, &more, &shown);
        }
    }
    for benchmark in &view.benchmarks {
        let count = benchmark.samples.len() as u64;
        let words = match count {
            0 => format!("No sample contains a question of {}.", benchmark.name),
            1 => format!("1 sample contains a question of {}.", benchmark.name),
            _ => format!("{} samples contain a question of {}.", format::count(count), benchmark.name),
        };
        let more = format!(
            "{}: {} questions looked for, {} too short to be sure.",
            benchmark.path,
            format::count(benchmark.questions - benchmark.too_short.min(benchmark.questions)),
            format::count(benchmark.too_short)
        );
        let reason = format!("contains a question of {}", benchmark.name);
        let rows = &benchmark.samples;
        let finding =
            Finding { name: &benchmark.name, words, more, rows, column: "leak", reason, file: Some(&benchmark.path) };
        left |= row(ui, state, view, &finding);
        for leak in benchmark.examples.iter().take(3) {
            let more = format!("{} % of it in sample {}: ", (leak.share * 100.0).round(), leak.id);
            example(ui, &more, &leak.question);
        }
    }
    egui::Frame::new().inner_margin(egui::Margin::symmetric(16, 6)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        for words in &view.notes {
            remark(ui, "info", words);
        }
        for words in &view.off {
            remark(ui, "warn", words);
        }
    });
    left
}

/// A field for one more benchmark file; the checks are made anew with it.
fn add_benchmark(ui: &mut Ui, state: &mut AppState, view: &ChecksView, typed: &mut String) {
    let busy = state.project.as_ref().is_some_and(|project| project.job.is_some());
    let add = line(ui, "Benchmark", |ui| {
        let browse = if state.has_dialogs { 82.0 } else { 0.0 };
        let width = ui.available_width() - 70.0 - browse;
        let field = Field::new("Benchmark file", width)
            .mono()
            .hint("questions as JSON lines, on the engine's machine: eval/arc_easy.jsonl")
            .show(ui, typed);
        state.note("benchmark", field.response.rect);
        if browse > 0.0 && ui.add(Button::new("Browse...").height(26.0)).clicked() {
            state.outbox.push(Ask::Pick(PickKind::Benchmark, PickFor::Benchmark));
        }
        let fine = !busy && !typed.trim().is_empty();
        let add = ui.add_enabled(fine, Button::new("Add").height(26.0).name("Add the benchmark"));
        state.note("add benchmark", add.rect);
        let why = if busy { "a job is running" } else { "name a file" };
        fine && (add.on_disabled_hover_text(why).clicked() || field.entered)
    });
    if add {
        let mut files: Vec<String> = view.benchmarks.iter().map(|benchmark| benchmark.path.clone()).collect();
        state.checks.adding = Some(files.len());
        files.push(typed.trim().to_owned());
        let done = For::Told(format!("Questions of {} are looked for", typed.trim()), String::new());
        state.ask(Request::SetBenchmarks { files }, done);
    }
}

/// Takes a benchmark out of the recipe.
fn without(state: &mut AppState, view: &ChecksView, path: &str) {
    let kept = view.benchmarks.iter().map(|benchmark| benchmark.path.clone()).filter(|other| other != path);
    let done = For::Told(format!("Questions of {path} are no longer looked for"), String::new());
    state.ask(Request::SetBenchmarks { files: kept.collect() }, done);
}

fn sample_text(state: &mut AppState, row: u32) -> String {
    state.data.text(row).map_or_else(String::new, |text| text.instruction.clone())
}

fn example(ui: &mut Ui, more: &str, text: &str) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 20.0), Sense::hover());
    let words = Words::new(ui).small(more).part(text, crate::theme::small(), look(ui).text_2);
    let width = rect.width() - 44.0;
    words.at(ui, pos2(rect.left() + 28.0, rect.center().y), Align2::LEFT_CENTER, width).on_hover_text(text);
}

fn row(ui: &mut Ui, state: &mut AppState, view: &ChecksView, finding: &Finding<'_>) -> bool {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 46.0), Sense::hover());
    let inside = rect.shrink2(Vec2::new(16.0, 0.0));
    ui.painter().hline(inside.x_range(), rect.top() + 0.5, egui::Stroke::new(1.0, look.line));
    let open: Vec<u32> =
        finding.rows.iter().copied().filter(|row| !state.is_excluded(*row) && !state.is_pinned(*row)).collect();
    let (mut left, edge) = (
        false,
        row_right(ui, inside, 6.0, |ui| {
            if let Some(file) = finding.file {
                let name = format!("Check without {}", finding.name);
                let gone = icon_button(ui, icons::X, &name, false, None);
                state.note(format!("without:{}", finding.name), gone.rect);
                if gone.clicked() {
                    without(state, view, file);
                }
            }
            let words = match (open.len(), finding.rows.is_empty()) {
                (0, false) if finding.rows.iter().all(|row| state.is_excluded(*row)) => "excluded".to_owned(),
                (0, false) => "excluded or pinned".to_owned(),
                (0, true) => String::new(),
                (count, _) => format!("Exclude {}", format::count(count as u64)),
            };
            if !open.is_empty() {
                let name = format!("Exclude all of {}", finding.name);
                let button = ui.add(Button::new(&words).height(24.0).name(&name));
                state.note(format!("exclude:{}", finding.name), button.rect);
                if button.clicked() {
                    let what = EditKind::Exclude { rows: open.clone() };
                    state.curate(Edit::new(what, finding.reason.clone()));
                }
            } else if !words.is_empty() {
                Words::new(ui).t3(words).show(ui);
            }
            let mut shows = false;
            if !finding.rows.is_empty() {
                let name = format!("Show {} on the map", finding.name);
                let button = ui.add(Button::new("Show").height(24.0).name(&name));
                state.note(format!("show:{}", finding.name), button.rect);
                shows = button.on_hover_text("Brushes them, and colours the map by it").clicked();
            }
            (shows, ui.min_rect().left())
        }),
    );
    let (shows, edge) = edge;
    let room = edge - inside.left() - 12.0;
    Words::of(look).strong(&finding.words).at(ui, pos2(inside.left(), rect.top() + 15.0), Align2::LEFT_CENTER, room);
    let at = pos2(inside.left(), rect.top() + 33.0);
    Words::of(look).small(&finding.more).at(ui, at, Align2::LEFT_CENTER, room).on_hover_text(&finding.more);
    if shows {
        state.focus.set_rows(finding.rows.to_vec(), None);
        if state.column_info(finding.column).is_some() {
            state.colour = ColourBy::Column(finding.column.to_owned());
        }
        state.show_table();
        left = true;
    }
    left
}
