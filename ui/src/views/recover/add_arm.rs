//! The form that makes arms of frozen selections, or an arm once more with changes.

use egui::{Align2, Context, Sense, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use paser_protocol::{Equal, Strategy};

use crate::{
    dialogs::{ArmsForm, Dialog},
    format,
    state::AppState,
    theme::{self, icons},
    views::{
        export::{foot, line, paragraph, title},
        modal,
    },
    widgets::{
        Words,
        field::{Field, dropdown},
        look,
    },
};

const ROW: f32 = 24.0;

pub fn show(ctx: &Context, state: &mut AppState, mut form: ArmsForm) -> Option<Dialog> {
    let most = (ctx.content_rect().height() - 430.0).clamp(72.0, 240.0);
    let ((go, cancel), veil) = modal(ctx, "Add arms", 560.0, None, |ui| {
        match &form.of {
            Some(of) => title(ui, &format!("Another arm like {of}")),
            None => title(ui, "Add arms"),
        }
        paragraph(
            ui,
            "Each chosen selection becomes an arm: the pruned model trained on it, once for every seed. Random is drawn anew for each seed. Nothing is trained yet.",
        );
        selections(ui, state, &mut form, most);
        fields(ui, state, &mut form);
        let order = form.check(state);
        let fine = match &order {
            _ if form.waiting => Err("it is being written"),
            Ok(_) => Ok(()),
            Err(why) => Err(*why),
        };
        let known = match (&order, form.seeds()) {
            (Ok((arms, _)), Ok(seeds)) => {
                let plural = if arms.len() == 1 { "arm" } else { "arms" };
                let runs = arms.len() as u64 * seeds;
                let each =
                    rate(state).map_or_else(String::new, |each| format!(", about {} each", format::duration(each)));
                format!("{} {plural}, {} runs{each}", arms.len(), format::count(runs))
            }
            (Err(why), _) => format!("{why}."),
            _ => String::new(),
        };
        let primary = if form.arms() == 1 { "Add arm" } else { "Add arms" };
        foot(ui, state, &known, primary, fine)
    });
    if go && let Ok((arms, freeze)) = form.check(state) {
        form.waiting = true;
        state.add_arms(arms, freeze);
    }
    (!cancel && !veil).then_some(Dialog::AddArms(form))
}

/// Seconds of a finished run, mean over those that there are.
fn rate(state: &AppState) -> Option<f64> {
    let view = state.recovery.view.as_ref()?;
    let runs = view.arms.iter().flat_map(|arm| &arm.runs);
    let done: Vec<f64> = runs
        .filter(|run| run.state == paser_protocol::ArmState::Done)
        .filter_map(|run| run.points.last().map(|point| point.seconds))
        .collect();
    (!done.is_empty()).then(|| done.iter().sum::<f64>() / done.len() as f64)
}

/// Frozen selections, and those that would be frozen for it.
fn selections(ui: &mut Ui, state: &mut AppState, form: &mut ArmsForm, most: f32) {
    let Some(project) = state.project.clone() else { return };
    let single = form.of.is_some();
    egui::Frame::new().inner_margin(egui::Margin::symmetric(16, 4)).show(ui, |ui| {
        egui::ScrollArea::vertical().id_salt("selections to train on").max_height(most).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            for selection in &project.selections {
                let Some(name) = &selection.name else { continue };
                let more = format!("{}, {} samples", selection.plan.strategy.name(), format::count(selection.selected));
                let on = form.chosen.contains(name);
                if check(ui, state, name, &more, on, name) {
                    if single {
                        form.chosen.clear();
                    }
                    if !on || single {
                        form.chosen.insert(name.clone());
                    } else {
                        form.chosen.remove(name);
                    }
                }
            }
            if single || !state.is_scored() {
                return;
            }
            let plan = &state.build.plan;
            let built = format!("{}, as it is built now", plan.strategy.name());
            let random = project.selections.iter().any(|selection| selection.plan.strategy == Strategy::Random);
            if state.built_name().is_none() && check(ui, state, &built, "frozen first", form.built, "built") {
                form.built = !form.built;
            }
            if !random && check(ui, state, "random at the same budget", "frozen first", form.random, "random") {
                form.random = !form.random;
            }
        });
    });
}

/// A line with a box; true when it was clicked.
fn check(ui: &mut Ui, state: &mut AppState, name: &str, more: &str, on: bool, note: &str) -> bool {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, name));
    state.note(format!("train:{note}"), rect);
    if response.hovered() {
        ui.painter().rect_filled(rect, 0.0, look.raised);
    }
    let square = egui::Rect::from_center_size(pos2(rect.left() + 10.0, rect.center().y), Vec2::splat(14.0));
    let edge = egui::Stroke::new(1.0, look.edge);
    ui.painter().rect(square, 3.0, if on { look.accent } else { look.control }, edge, egui::StrokeKind::Inside);
    if on {
        ui.painter().text(square.center(), Align2::CENTER_CENTER, icons::CHECK, theme::icon(11.0), look.on_accent);
    }
    crate::widgets::focus_ring(ui, &response, rect.shrink(2.0));
    let right =
        Words::of(look).small(more).paint(ui, rect.right_center() - Vec2::new(4.0, 0.0), Align2::RIGHT_CENTER, 240.0);
    let left = pos2(rect.left() + 26.0, rect.center().y);
    Words::of(look).t(name).paint(ui, left, Align2::LEFT_CENTER, right.left() - left.x - 8.0);
    response.clicked()
}

fn fields(ui: &mut Ui, state: &mut AppState, form: &mut ArmsForm) {
    let settings = state.recovery.view.as_ref().map(|view| view.settings.clone());
    if form.arms() == 1 {
        line(ui, "Name", |ui| {
            let width = ui.available_width();
            let field = Field::new("Name of the arm", width).hint("as the selection").show(ui, &mut form.name);
            state.note("arm name", field.response.rect);
        });
    }
    line(ui, "Seeds", |ui| {
        let field = Field::new("Number of seeds", 80.0).mono().show(ui, &mut form.seeds);
        state.note("arm seeds", field.response.rect);
        Words::new(ui).small("runs of each arm; an interval needs two, five are better").show(ui);
    });
    line(ui, "Learning rate", |ui| {
        let of_all = settings.as_ref().map_or_else(String::new, |settings| format!("{:e}", settings.learning_rate));
        let field = Field::new("Learning rate of the arm", 80.0).mono().hint(&of_all);
        let field = field.show(ui, &mut form.learning_rate);
        state.note("arm rate", field.response.rect);
        Words::new(ui).small("empty: that of all arms").show(ui);
    });
    line(ui, "Steps", |ui| {
        let of_all = settings.as_ref().map_or_else(String::new, |settings| settings.steps.to_string());
        let field = Field::new("Steps of the arm", 80.0).mono().hint(&of_all).show(ui, &mut form.steps);
        state.note("arm steps", field.response.rect);
        Words::new(ui).small("empty: those of all arms").show(ui);
    });
    line(ui, "Equal by", |ui| {
        let of_all = settings.as_ref().map_or_else(String::new, |settings| settings.equal.name().to_owned());
        let mut entries = vec![("as all arms", of_all.as_str())];
        entries.extend(Equal::ALL.iter().map(|equal| (words(*equal), "")));
        let chosen = form.equal.and_then(|equal| Equal::ALL.iter().position(|other| *other == equal));
        let place = chosen.map_or(0, |place| place + 1);
        let face = entries[place].0;
        let (response, picked) =
            dropdown(ui, "What arms have the same of", face, 26.0, Some(150.0), &entries, Some(place));
        state.note("arm equal", response.rect);
        if let Some(place) = picked {
            form.equal = place.checked_sub(1).map(|place| Equal::ALL[place]);
        }
        Words::new(ui).small("what this arm has as much of as the others").show(ui);
    });
}

pub(super) fn words(equal: Equal) -> &'static str {
    match equal {
        Equal::Steps => "equal steps",
        Equal::Epochs => "equal epochs",
        Equal::ResponseTokens => "equal response tokens",
    }
}
