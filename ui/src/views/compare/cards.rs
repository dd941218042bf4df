//! The frozen selections as cards: letter, numbers, what can be done with one; and the form that adds a strategy.

use egui::{Align2, Context, Id, Popup, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{Budget, ComparedView, Request, SelectionPlan, SelectionView, Strategy};

use super::{fill, letter_box};
use crate::{
    command::Command,
    compare::{MOST, letter},
    dialogs::{AddStrategy, Dialog, ExportForm},
    format,
    state::{AppState, For},
    theme::icons,
    views::{
        export::{foot, line, paragraph, title},
        passes,
    },
    widgets::{
        Button, Words,
        button::icon_button_sized,
        column,
        field::{Field, dropdown, menu_entry},
        look,
        pane::pane,
        row, row_right,
    },
};

const HEAD: f32 = 34.0;
const LINE: f32 = 20.0;

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::LIST_BULLETS, "Selections", look.panel);
    state.note("pane:selections", rect);
    row_right(ui, free, 0.0, |ui| {
        let enabled = Command::AddStrategy.enabled(state);
        let add = ui.add_enabled(enabled.is_ok(), Button::new("Add strategy...").height(22.0).icon(icons::PLUS));
        state.note("AddStrategy", add.rect);
        if add.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
            state.run(Command::AddStrategy);
        }
    });
    let Some(project) = state.project.clone() else { return };
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("selections").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            for selection in &project.selections {
                if let Some(name) = &selection.name {
                    card(ui, state, selection, name);
                }
            }
        });
    });
}

/// What a card says below its head: the words, and numbers with their unit.
fn lines(
    selection: &SelectionView,
    beside: bool,
    compared: Option<&ComparedView>,
) -> Vec<(&'static str, String, &'static str)> {
    let mut lines = vec![
        ("samples", format::count(selection.selected), ""),
        ("tokens", format::short(selection.tokens), ""),
        ("response, mean", format::decimal(selection.mean_response_tokens, 1), " tokens"),
    ];
    if !beside {
        return lines;
    }
    // Lines that wait for their numbers are there already, so that the cards below stay where they are.
    let shown = |number: Option<String>| number.or_else(|| compared.is_none().then(|| "...".to_owned()));
    let damage = compared.and_then(|compared| compared.mean_damage).map(format::nats);
    lines.extend(shown(damage).map(|number| ("mean damage", number, " nats")));
    let median = compared.and_then(|compared| compared.median_response_tokens);
    let median = median.map(|median| format::decimal(median, 0));
    lines.extend(shown(median).map(|number| ("response, median", number, " tokens")));
    if selection.acceptance_rate.is_some() {
        let conflicts = compared.map(|compared| format::count(compared.conflicts));
        lines.extend(shown(conflicts).map(|number| ("conflicts", number, "")));
    }
    lines
}

fn card(ui: &mut Ui, state: &mut AppState, selection: &SelectionView, name: &str) {
    let look = look(ui);
    let place = state.compare.place(name);
    let view = state.compare.view.clone();
    let compared = view.as_ref().and_then(|view| view.selections.iter().find(|side| side.selection == name));
    let lines = lines(selection, place.is_some(), compared);
    let height = HEAD + 18.0 + lines.len() as f32 * LINE + 8.0;
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::click());
    let spoken = match place {
        Some(place) => format!("{name}, {}", letter(place)),
        None => format!("{name}, not compared"),
    };
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, place.is_some(), &spoken));
    state.note(format!("card:{name}"), rect);
    if response.hovered() {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    if let Some(place) = place {
        let edge = Rect::from_min_size(rect.min, Vec2::new(2.0, rect.height()));
        ui.painter().rect_filled(edge, 0.0, fill(look, place));
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
    if response.has_focus() {
        ui.painter().rect_stroke(rect.shrink(1.0), 0.0, Stroke::new(2.0, look.accent), egui::StrokeKind::Inside);
    }
    let middle = rect.top() + HEAD / 2.0;
    letter_box(ui, Rect::from_center_size(pos2(rect.left() + 20.0, middle), Vec2::splat(18.0)), place);
    let left = pos2(rect.left() + 36.0, middle);
    Words::of(look).strong(name).paint(ui, left, Align2::LEFT_CENTER, rect.width() - 36.0 - 30.0);
    let under = pos2(rect.left() + 10.0, rect.top() + HEAD + 6.0);
    Words::of(look).small(plan_words(&selection.plan)).paint(ui, under, Align2::LEFT_CENTER, rect.width() - 20.0);
    for (at, (word, number, unit)) in lines.iter().enumerate() {
        let y = rect.top() + HEAD + 18.0 + at as f32 * LINE + LINE / 2.0;
        Words::of(look).t2(word).paint(ui, pos2(rect.left() + 10.0, y), Align2::LEFT_CENTER, 120.0);
        let words = Words::of(look).num(number).part(unit, crate::theme::small(), look.text_3);
        words.paint(ui, pos2(rect.right() - 10.0, y), Align2::RIGHT_CENTER, 120.0);
    }
    let more = Rect::from_center_size(pos2(rect.right() - 18.0, middle), Vec2::splat(20.0));
    let more = row(ui, more, 0.0, |ui| {
        icon_button_sized(ui, icons::DOTS_THREE, &format!("What to do with {name}"), false, None, Vec2::splat(20.0))
    });
    state.note(format!("card more:{name}"), more.rect);
    Popup::menu(&more).accessible_name("Frozen selection").show(|ui| menu(ui, state, selection, name));
    Popup::context_menu(&response).accessible_name("Frozen selection").show(|ui| menu(ui, state, selection, name));
    if response.clicked() {
        if place.is_none() && state.compare.names.len() == MOST {
            let now = state.now;
            state.toasts.remark(now, "Four selections stand side by side", "Click one of them to take it out first.");
        } else {
            state.compare.toggle(name);
        }
    }
}

/// Everything that can be done with a frozen selection.
pub(crate) fn menu(ui: &mut Ui, state: &mut AppState, selection: &SelectionView, name: &str) {
    ui.set_width(190.0);
    let entry = |ui: &mut Ui, state: &mut AppState, text: &str, icon: Option<char>| {
        let response = menu_entry(ui, text, "", false, icon, true);
        state.note(format!("menu:{text}"), response.rect);
        if response.clicked() {
            ui.close();
        }
        response.clicked()
    };
    for place in 0..2 {
        if state.compare.place(name) != Some(place)
            && entry(ui, state, &format!("Compare as {}", letter(place)), Some(icons::CIRCLE_HALF))
        {
            state.compare.make(place, name);
            state.run(Command::ShowCompare);
        }
    }
    if entry(ui, state, "Build from its settings", Some(icons::COPY)) {
        state.set_plan(selection.plan.clone());
        state.run(Command::ShowExplore);
    }
    if entry(ui, state, "Export...", Some(icons::DOWNLOAD_SIMPLE)) {
        state.dialog = Some(Dialog::Export(ExportForm { selection: Some(name.to_owned()), ..ExportForm::default() }));
    }
    if entry(ui, state, "Rename...", Some(icons::CURSOR_CLICK)) {
        state.dialog = Some(Dialog::Rename { from: name.to_owned(), to: name.to_owned() });
    }
    if entry(ui, state, "Discard...", Some(icons::TRASH)) {
        state.dialog = Some(Dialog::Discard { name: name.to_owned() });
    }
}

/// `random, 20 %, seed 3`
fn plan_words(plan: &SelectionPlan) -> String {
    let mut words = plan.strategy.name().to_owned();
    if plan.strategy != Strategy::Full {
        words = match plan.budget {
            Budget::Percent(percent) => format!("{words}, {percent} %"),
            Budget::Samples(count) => format!("{words}, {} samples", format::count(count)),
            Budget::Tokens(count) => format!("{words}, {} tokens", format::short(count)),
        };
    }
    if plan.strategy.uses_seed() { format!("{words}, seed {}", plan.seed) } else { words }
}

/// The form that computes a strategy and freezes it beside the others.
pub fn add_strategy(ctx: &Context, state: &mut AppState, mut form: AddStrategy) -> Option<Dialog> {
    let mut prepare = false;
    let ((go, cancel), veil) = super::super::modal(ctx, "Add strategy", 520.0, None, |ui| {
        title(ui, "Add a strategy");
        paragraph(
            ui,
            "It is computed at this budget, with the pins and exclusions of now, and frozen beside the others.",
        );
        line(ui, "Strategy", |ui| {
            let strategies = Strategy::ALL.map(|strategy| (strategy.name(), strategy.describe()));
            let chosen = Strategy::ALL.iter().position(|strategy| *strategy == form.plan.strategy);
            let width = ui.available_width();
            let face = form.plan.strategy.name();
            let (response, picked) = dropdown(ui, "Strategy to add", face, 26.0, Some(width), &strategies, chosen);
            state.note("add strategy", response.rect);
            if let Some(place) = picked {
                form.plan.strategy = Strategy::ALL[place];
                form.name = state.free_name(&form.plan);
            }
        });
        let missing = passes::missing(state, form.plan.strategy).map(passes::sentence);
        if let Some(sentence) = &missing {
            line(ui, "", |ui| {
                let room = ui.available_width() - 90.0;
                Words::new(ui).small(sentence).show_in(ui, room, 2).on_hover_text(sentence);
                let response = ui.add(Button::new("Compute...").height(22.0));
                state.note("add compute", response.rect);
                prepare = response.clicked();
            });
        }
        let budget = line(ui, "Budget", |ui| {
            let field = Field::new("Budget of the strategy", 110.0).mono().hint("20%, 1000, 2M-tokens");
            let field = field.show(ui, &mut form.budget);
            state.note("add budget", field.response.rect);
            Words::new(ui).small("a share (20%), samples (1000) or tokens (2M-tokens)").show(ui);
            form.budget.parse::<Budget>()
        });
        line(ui, "Seed", |ui| {
            let mut seed = form.plan.seed.to_string();
            let field = Field::new("Seed of the strategy", 110.0).mono().show(ui, &mut seed);
            state.note("add seed", field.response.rect);
            if let Ok(seed) = seed.trim().parse()
                && seed != form.plan.seed
            {
                form.plan.seed = seed;
                form.name = state.free_name(&form.plan);
            }
            let used = if form.plan.strategy.uses_seed() { "" } else { "not used by this strategy" };
            Words::new(ui).small(used).show(ui);
        });
        let entered = line(ui, "Name", |ui| {
            let width = ui.available_width();
            let id = Id::unique("add name");
            let field = Field::new("Name of the selection to add", width).id(id).show(ui, &mut form.name);
            state.note("add name", field.response.rect);
            field.entered
        });
        let fine = match (&budget, form.name.trim(), form.waiting) {
            (_, _, true) => Err("it is being computed"),
            _ if missing.is_some() => Err("compute what the strategy reads first"),
            (Err(_), ..) => Err("the budget cannot be read"),
            (_, "", _) => Err("give it a name"),
            (_, name, _) if state.is_name_taken(name) => Err("another selection has this name"),
            _ => Ok(()),
        };
        let known = match (&budget, fine) {
            (Err(why), _) => why.clone(),
            (Ok(_), Err(why)) => format!("{why}."),
            (Ok(_), Ok(())) if form.plan.strategy == Strategy::Full => {
                "full takes every eligible sample, whatever the budget.".to_owned()
            }
            (Ok(Budget::Tokens(count)), Ok(())) => format!("{} tokens", format::short(*count)),
            (Ok(budget), Ok(())) => {
                let held_out = state.project.as_ref().map_or(0, |project| project.pool.held_out);
                format!("{} samples", format::count(budget.resolve(state.samples().saturating_sub(held_out))))
            }
        };
        let (go, cancel) = foot(ui, state, &known, "Add", fine);
        let go = go || entered && fine.is_ok();
        if go && let Ok(budget) = budget {
            form.plan.budget = budget;
        }
        (go, cancel)
    });
    if prepare {
        return Some(passes::form(state, form.plan.strategy));
    }
    if go {
        let name = form.name.trim().to_owned();
        form.waiting = true;
        state.ask(Request::FreezePlan { plan: form.plan.clone(), name: name.clone() }, For::FreezePlan(name));
    }
    (!cancel && !veil).then_some(Dialog::AddStrategy(form))
}
