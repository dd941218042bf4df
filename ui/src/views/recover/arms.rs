//! The table of arms: what each is trained on, what it cost, where it stands, and what can be done with it.

use egui::{Align2, Color32, Popup, Rect, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{ArmState, ArmView, Measure, RecoveryView};

use super::{
    arm_menu,
    style::{self, sample, style},
};
use crate::{
    command::Command,
    format,
    picture::View,
    recovery::SortBy,
    state::AppState,
    theme::{self, icons},
    views::save_menu,
    widgets::{
        Button, Words,
        button::{drawn_button, icon_button_sized},
        column,
        field::menu_entry,
        icon_button, look,
        pane::pane,
        row_right,
    },
};

const HEAD: f32 = 22.0;
const ROW: f32 = 24.0;
const EYE: f32 = 28.0;
const MENU: f32 = 24.0;

/// Head and width of each column of numbers, from left to right.
const COLUMNS: [(&str, f32, SortBy); 6] = [
    ("n", 34.0, SortBy::Seeds),
    ("samples", 56.0, SortBy::Samples),
    ("scoring", 60.0, SortBy::Scoring),
    ("training", 76.0, SortBy::Training),
    ("total", 78.0, SortBy::Total),
    ("", 112.0, SortBy::Loss),
];
/// The columns that give way first where the names have no room.
const FIRST_TO_GO: [SortBy; 3] = [SortBy::Samples, SortBy::Scoring, SortBy::Training];
/// Least room for a name.
const NAME: f32 = 118.0;

/// The columns of a table of this width, from left to right.
fn columns(width: f32) -> Vec<(&'static str, f32, SortBy)> {
    let mut columns = COLUMNS.to_vec();
    for gone in FIRST_TO_GO {
        let numbers: f32 = columns.iter().map(|(_, width, _)| width).sum();
        if width - EYE - 22.0 - MENU - numbers >= NAME {
            break;
        }
        columns.retain(|(_, _, by)| *by != gone);
    }
    columns
}

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let Some(view) = state.recovery.view.clone() else { return };
    let look = look(ui);
    let (body, free) = pane(ui, rect, icons::LIST_BULLETS, "Arms", look.panel);
    state.note("pane:arms", rect);
    state.note(View::Arms.place(), body);
    let left = row_right(ui, free, 4.0, |ui| {
        more(ui, state);
        save_menu::button(ui, state, View::Arms);
        let enabled = Command::AddArms.enabled(state);
        let add = ui.add_enabled(enabled.is_ok(), Button::new("Add arm...").height(22.0).icon(icons::PLUS));
        state.note("AddArms", add.rect);
        if add.on_disabled_hover_text(enabled.err().unwrap_or_default()).clicked() {
            state.run(Command::AddArms);
        }
        ui.min_rect().left()
    });
    let words = Words::new(ui).small(shared(&view));
    words.at(ui, free.left_center(), Align2::LEFT_CENTER, left - free.left() - 10.0);
    let head = Rect::from_min_size(body.min, Vec2::new(body.width(), HEAD));
    heads(ui, head, state, &view);
    let rows = body.with_min_y(head.bottom());
    column(ui, rows, |ui| {
        egui::ScrollArea::vertical().id_salt("arms").auto_shrink(false).show(ui, |ui| {
            for arm in sorted(state, &view) {
                line(ui, rows.width(), state, &view, arm);
            }
            notes(ui, rows.width(), state, &view);
        });
    });
}

/// `batch 64, LoRA r 8, 240 steps`
fn shared(view: &RecoveryView) -> String {
    let settings = &view.settings;
    let method = match settings.method {
        paser_protocol::Method::Lora => format!("LoRA r {}", settings.rank),
        paser_protocol::Method::LastLayers => format!("last {} layers", settings.last_layers),
        paser_protocol::Method::Full => "every weight".to_owned(),
    };
    let amount = match settings.equal {
        paser_protocol::Equal::Steps => format!("{} steps", format::count(u64::from(settings.steps))),
        paser_protocol::Equal::Epochs => format!("{} epochs", settings.epochs),
        paser_protocol::Equal::ResponseTokens => format!("{} response tokens", format::short(settings.response_tokens)),
    };
    format!("batch {}, {method}, {amount}", settings.batch)
}

/// What concerns all arms.
fn more(ui: &mut Ui, state: &mut AppState) {
    let response = icon_button(ui, icons::DOTS_THREE, "More about arms", false, None);
    state.note("arms menu", response.rect);
    Popup::menu(&response).accessible_name("More about arms").show(|ui| {
        ui.set_width(230.0);
        for (command, icon) in [
            (Command::RecoverSettings, icons::SLIDERS_HORIZONTAL),
            (Command::TrainPilots, icons::PLAY),
            (Command::SweepRates, icons::CHART_LINE),
            (Command::ReadRun, icons::FOLDER_OPEN),
        ] {
            let enabled = command.enabled(state);
            let entry = menu_entry(ui, command.name(), "", false, Some(icon), enabled.is_ok());
            state.note(format!("arms:{command:?}"), entry.rect);
            let entry = entry.on_hover_text(enabled.err().unwrap_or_else(|| command.description()));
            if entry.clicked() && enabled.is_ok() {
                state.run(command);
                ui.close();
            }
        }
    });
}

/// The place of the metric and of the group that the last column shows.
fn shown(state: &AppState, view: &RecoveryView) -> (Option<usize>, usize) {
    (state.recovery.measured(view).map(|(place, _)| place), state.recovery.group(view))
}

fn last(state: &AppState, view: &RecoveryView, arm: &ArmView) -> Option<Measure> {
    let (metric, group) = shown(state, view);
    arm.last.get(metric?)?.get(group).copied().flatten()
}

pub(crate) fn sorted<'a>(state: &AppState, view: &'a RecoveryView) -> Vec<&'a ArmView> {
    let mut arms: Vec<&ArmView> = view.arms.iter().filter(|arm| arm.pilot.is_none()).collect();
    let Some((by, falling)) = state.recovery.shown.sort else { return arms };
    let number = |arm: &ArmView| match by {
        SortBy::Name => 0.0,
        SortBy::Seeds => arm.runs.len() as f64,
        SortBy::Samples => arm.samples as f64,
        SortBy::Scoring => arm.scoring_seconds,
        SortBy::Training => arm.training_seconds,
        SortBy::Total => arm.scoring_seconds + arm.training_seconds,
        SortBy::Loss => last(state, view, arm).map_or(f64::INFINITY, |last| last.value),
    };
    arms.sort_by(|a, b| {
        let order = number(a).total_cmp(&number(b));
        let order = if by == SortBy::Name { a.name.cmp(&b.name) } else { order };
        if falling { order.reverse() } else { order }
    });
    arms
}

fn heads(ui: &mut Ui, rect: Rect, state: &mut AppState, view: &RecoveryView) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.raised);
    let metric = state.recovery.measured(view).map_or_else(String::new, |(_, info)| format!("{}, 95 %", info.name));
    let mut right = rect.right() - MENU;
    let mut places = Vec::new();
    for (word, width, by) in columns(rect.width()).into_iter().rev() {
        let word = if by == SortBy::Loss { metric.as_str() } else { word };
        places.push((word, Rect::from_min_max(pos2(right - width, rect.top()), pos2(right, rect.bottom())), by));
        right -= width;
    }
    let first = Rect::from_min_max(pos2(rect.left() + EYE, rect.top()), pos2(right, rect.bottom()));
    places.push(("arm", first, SortBy::Name));
    for (word, place, by) in places {
        let response = ui.interact(place, ui.scope_id().with(("sort", word)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, true, format!("Sort by {word}")));
        state.note(format!("sort arms:{by:?}"), place);
        let sorted = state.recovery.shown.sort.filter(|(sorted, _)| *sorted == by);
        let ink = if response.hovered() || sorted.is_some() { look.text } else { look.text_3 };
        let arrow = match sorted {
            Some((_, true)) => "\u{2193}",
            Some((_, false)) => "\u{2191}",
            None => "",
        };
        let words = Words::of(look).part(word, theme::small(), ink).part(arrow, theme::small(), ink);
        let (at, align) = match by {
            SortBy::Name => (place.left_center(), Align2::LEFT_CENTER),
            _ => (place.right_center() - Vec2::new(6.0, 0.0), Align2::RIGHT_CENTER),
        };
        words.paint(ui, at, align, place.width() - 6.0);
        if response.has_focus() {
            ui.painter().rect_stroke(place.shrink(1.0), 0.0, Stroke::new(2.0, look.accent), egui::StrokeKind::Inside);
        }
        if response.clicked() {
            state.recovery.shown.sort = match sorted {
                None => Some((by, by != SortBy::Name && by != SortBy::Loss)),
                Some((_, falling)) if falling == (by != SortBy::Name && by != SortBy::Loss) => Some((by, !falling)),
                Some(_) => None,
            };
        }
    }
}

fn line(ui: &mut Ui, width: f32, state: &mut AppState, view: &RecoveryView, arm: &ArmView) {
    let look = look(ui);
    let (place, response) = ui.allocate_exact_size(Vec2::new(width, ROW), Sense::click());
    let replayed = state.recovery.replayed(view).is_some_and(|other| other.name == arm.name);
    let total = arm.scoring_seconds + arm.training_seconds;
    let spoken =
        format!("{}, {} seeds, {}, in all {}", arm.name, style::seeds(arm), standing(arm), format::duration(total));
    response.widget_info(|| WidgetInfo::selected(Role::Row, true, replayed, &spoken));
    state.note(format!("arm:{}", arm.name), place);
    if replayed {
        ui.painter().rect_filled(place, 0.0, look.overlay);
        ui.painter().rect_filled(Rect::from_min_size(place.min, Vec2::new(2.0, ROW)), 0.0, look.accent);
    } else if response.hovered() {
        ui.painter().rect_filled(place, 0.0, look.raised);
    }
    ui.painter().hline(place.x_range(), place.bottom() - 0.5, Stroke::new(1.0, look.line));
    if response.has_focus() {
        ui.painter().rect_stroke(place.shrink(1.0), 0.0, Stroke::new(2.0, look.accent), egui::StrokeKind::Inside);
    }
    eye(ui, place, state, arm);
    let of = style(look, &state.recovery, view, arm);
    let middle = place.center().y;
    let left = place.left() + EYE;
    sample(ui, Rect::from_min_max(pos2(left, middle - 1.0), pos2(left + 16.0, middle + 1.0)), of);
    let menu = Rect::from_center_size(pos2(place.right() - MENU / 2.0, middle), Vec2::splat(20.0));
    let mut right = place.right() - MENU;
    let time = |seconds: f64| if seconds > 0.0 { format::duration(seconds) } else { "0 s".to_owned() };
    for (_, width, by) in columns(width).into_iter().rev() {
        let at = Rect::from_min_max(pos2(right - width, place.top()), pos2(right, place.bottom()));
        right -= width;
        let words = Words::of(look);
        let words = match by {
            SortBy::Seeds => words.num(style::seeds(arm).replace(" of ", "/")),
            SortBy::Samples => words.num(format::count(arm.samples)),
            SortBy::Scoring => words.num2(time(arm.scoring_seconds)),
            SortBy::Training => words.num2(time(arm.training_seconds)),
            SortBy::Total => words.num(time(total)),
            SortBy::Loss | SortBy::Name => {
                standing_cell(ui, state, view, arm, at);
                continue;
            }
        };
        words.paint(ui, pos2(at.right() - 6.0, middle), Align2::RIGHT_CENTER, width);
    }
    let cut = crate::widgets::elided(ui, &arm.name, right - left - 28.0);
    Words::of(look).t(cut).paint(ui, pos2(left + 22.0, middle), Align2::LEFT_CENTER, right - left - 26.0);
    let button = crate::widgets::row(ui, menu, 0.0, |ui| {
        icon_button_sized(
            ui,
            icons::DOTS_THREE,
            &format!("What to do with {}", arm.name),
            false,
            None,
            Vec2::splat(20.0),
        )
    });
    state.note(format!("arm menu:{}", arm.name), button.rect);
    Popup::menu(&button).accessible_name("Arm").show(|ui| arm_menu::show(ui, state, view, arm));
    Popup::context_menu(&response).accessible_name("Arm").show(|ui| arm_menu::show(ui, state, view, arm));
    if response.clicked() {
        state.recovery.shown.arm = Some(arm.name.clone());
    }
    response.on_hover_text(details(arm));
}

/// Shows or hides the arm's curve.
fn eye(ui: &mut Ui, place: Rect, state: &mut AppState, arm: &ArmView) {
    let visible = state.recovery.is_visible(arm);
    let at = Rect::from_center_size(pos2(place.left() + 15.0, place.center().y), Vec2::splat(20.0));
    let name = if visible { format!("Hide {}", arm.name) } else { format!("Show {}", arm.name) };
    let response = crate::widgets::row(ui, at, 0.0, |ui| {
        drawn_button(ui, &name, false, None, Vec2::splat(20.0), |ui, rect, ink| {
            if visible {
                draw_eye(ui, rect, ink);
            } else {
                ui.painter().text(rect.center(), Align2::CENTER_CENTER, icons::EYE_SLASH, theme::icon(14.0), ink);
            }
        })
    });
    state.note(format!("eye:{}", arm.name), response.rect);
    if response.clicked() && !state.recovery.shown.hidden.remove(&arm.name) {
        state.recovery.shown.hidden.insert(arm.name.clone());
    }
}

/// Two lids and a pupil, as the icon font draws its crossed eye.
fn draw_eye(ui: &Ui, rect: Rect, ink: Color32) {
    let centre = rect.center();
    let stroke = Stroke::new(1.0, ink);
    for side in [-1.0, 1.0] {
        let lid = (0..=12).map(|at| {
            let x = at as f32 / 6.0 - 1.0;
            centre + Vec2::new(x * 6.0, side * 4.0 * (1.0 - x * x))
        });
        ui.painter().add(Shape::line(lid.collect(), stroke));
    }
    ui.painter().circle_stroke(centre, 1.9, stroke);
}

/// Where the arm stands, in a word.
fn standing(arm: &ArmView) -> &'static str {
    let any = |wanted: fn(&ArmState) -> bool| arm.runs.iter().any(|run| wanted(&run.state));
    if any(|state| matches!(state, ArmState::Running)) {
        "training"
    } else if arm.runs.iter().all(|run| matches!(run.state, ArmState::Diverged { .. })) {
        "diverged"
    } else if any(|state| matches!(state, ArmState::Failed { .. })) {
        "failed"
    } else if any(|state| matches!(state, ArmState::Stopped)) {
        "stopped"
    } else if any(|state| matches!(state, ArmState::Waiting)) {
        "waiting"
    } else {
        "done"
    }
}

/// Steps made and steps in all, over all seeds.
fn steps(arm: &ArmView) -> (u64, u64) {
    let sum = |of: fn(&paser_protocol::ArmRun) -> u32| arm.runs.iter().map(|run| u64::from(of(run))).sum();
    (sum(|run| run.step), sum(|run| run.steps))
}

/// The last value with its interval; a bar while it is trained; else a word.
fn standing_cell(ui: &mut Ui, state: &AppState, view: &RecoveryView, arm: &ArmView, place: Rect) {
    let look = look(ui);
    let middle = place.center().y;
    let right = pos2(place.right() - 6.0, middle);
    let standing = standing(arm);
    let word = |colour: Color32, icon: Option<char>| {
        let words = icon.map_or_else(|| Words::of(look), |icon| Words::of(look).icon(icon, 12.0, colour).t(" "));
        words.part(standing, theme::small(), colour).paint(ui, right, Align2::RIGHT_CENTER, place.width());
    };
    match standing {
        "training" => {
            let (made, all) = steps(arm);
            let share = made as f64 / all.max(1) as f64;
            let number = Words::of(look).num(format!("{} %", format::decimal(share * 100.0, 0)));
            let number = number.paint(ui, right, Align2::RIGHT_CENTER, 50.0);
            let bar = Rect::from_min_size(pos2(number.left() - 50.0, middle - 2.0), Vec2::new(44.0, 4.0));
            ui.painter().rect_filled(bar, 0.0, look.edge);
            let done = Rect::from_min_size(bar.min, Vec2::new(bar.width() * share as f32, 4.0));
            ui.painter().rect_filled(done, 0.0, look.text_2);
        }
        "failed" => word(look.error, Some(icons::X_CIRCLE)),
        "diverged" => word(look.warn, Some(icons::WARNING)),
        _ => match (last(state, view, arm), state.recovery.measured(view)) {
            (Some(last), Some((_, info))) => {
                let half = (last.high > last.low).then(|| style::value(info, (last.high - last.low) / 2.0));
                let text = style::plus_minus(style::value(info, last.value), half);
                Words::of(look).num(text).paint(ui, right, Align2::RIGHT_CENTER, place.width());
            }
            _ if standing == "done" => {}
            _ => word(look.text_3, None),
        },
    }
}

/// Every seed, a line each.
fn details(arm: &ArmView) -> String {
    let mut lines = vec![arm.what.clone()];
    for run in &arm.runs {
        let how = match &run.state {
            ArmState::Waiting => "waits".to_owned(),
            ArmState::Running | ArmState::Stopped => {
                let word = if run.state == ArmState::Running { "step" } else { "stopped at step" };
                format!("{word} {} of {}", format::count(u64::from(run.step)), format::count(u64::from(run.steps)))
            }
            ArmState::Done => format!("done, {} steps", format::count(u64::from(run.steps))),
            ArmState::Diverged { why } => format!("diverged, left out of every mean: {why}"),
            ArmState::Failed { report } => format!("failed: {} {}", report.what, report.advice),
        };
        let skipped = if run.skipped > 0 { format!(", {} steps skipped", run.skipped) } else { String::new() };
        lines.push(format!("seed {}: {how}{skipped}", run.seed));
    }
    lines.join("\n")
}

/// What the pair costs, and arms that stand elsewhere.
fn notes(ui: &mut Ui, width: f32, state: &AppState, view: &RecoveryView) {
    let look = look(ui);
    let pilots = view.arms.iter().filter(|arm| arm.pilot.is_some()).count();
    let pilots = (pilots > 0).then(|| format!("{pilots} pilots stand in the pilot matrix of the outcome."));
    let blocked =
        view.blocked.as_ref().map(|blocked| format!("No arm can be trained: {} {}", blocked.what, blocked.advice));
    for text in [cost_sentence(state, view), pilots, blocked].into_iter().flatten() {
        let galley = Words::of(look).t2(&text).galley(ui, width - 32.0, 3);
        let size = Vec2::new(width, galley.size().y + 10.0);
        let (place, response) = ui.allocate_exact_size(size, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
        ui.painter().vline(place.left() + 11.0, place.top() + 5.0..=place.bottom() - 3.0, Stroke::new(2.0, look.edge));
        ui.painter().galley(pos2(place.left() + 20.0, place.top() + 6.0), galley, look.text_2);
    }
}

/// `paser costs 2.7 times as much as random in all. Scoring is paid once per model pair and pool.`
pub(crate) fn cost_sentence(state: &AppState, view: &RecoveryView) -> Option<String> {
    let (first, second) = state.recovery.pair(view)?;
    let total = |arm: &ArmView| arm.scoring_seconds + arm.training_seconds;
    let (one, two) = (total(first), total(second));
    if one <= 0.0 || two <= 0.0 {
        return None;
    }
    let times = one / two;
    let how = if (0.95..1.05).contains(&times) {
        format!("{} costs as much as {} in all.", first.name, second.name)
    } else {
        format!("{} costs {} times as much as {} in all.", first.name, format::decimal(times, 1), second.name)
    };
    let scored = if first.scoring_seconds > 0.0 { " Scoring is paid once per model pair and pool." } else { "" };
    Some(format!("{how}{scored}"))
}
