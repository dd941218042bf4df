//! How far clusters and selection hang on single settings (the paper's figure 5): a small plot for each factor, a table with
//! the same numbers, and the order to adopt a setting. A sweep is a job; what it found is asked for again when the project
//! or the plan changes, so that nothing stale is shown.

use std::rc::Rc;

use egui::{Align2, Context, Rect, Sense, Stroke, Ui, Vec2, WidgetInfo, accesskit::Role, pos2};
use egui_plot::{FilledArea, Line, LineStyle, MarkerShape, PlotPoint, PlotPoints, Points, VLine};
use paser_protocol::{Factor, FactorView, Request, SettingView, StabilityView};

use super::{
    curves::plot,
    export::{foot, paragraph, title},
    jobs, modal,
};
use crate::{
    command::Command,
    dialogs::Dialog,
    format,
    state::{AppState, For},
    theme::Look,
    widgets::{Button, Words, column, look, progress, row, row_right},
};

const WIDTH: f32 = 1120.0;
const TABLE: f32 = 428.0;
const ROW: f32 = 20.0;
/// Right edges of the table's numbers, from its right edge.
const COLUMNS: [(&str, f32); 4] = [("by chance", 8.0), ("overlap", 84.0), ("agreement", 158.0), ("clusters", 244.0)];

/// The answer, and what it was asked for.
#[derive(Default)]
pub struct Stability {
    view: Option<Rc<StabilityView>>,
    asked: Option<(u64, String)>,
}

impl Stability {
    fn ask(state: &mut AppState) {
        let Some(revision) = state.project.as_ref().map(|project| project.revision) else { return };
        // The engine answers for the plan that it was asked to select by last.
        if state.build.waiting || state.build.changed.is_some() {
            return;
        }
        let asked = Some((revision, serde_json::to_string(&state.build.plan).unwrap_or_default()));
        if state.stability.asked != asked {
            state.stability.asked = asked;
            state.ask(Request::Stability, For::Stability);
        }
    }

    pub fn arrived(&mut self, view: StabilityView) {
        self.view = Some(Rc::new(view));
    }

    /// Another project.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The setting that a row of the table stands for.
fn chosen_of(view: &StabilityView, chosen: Option<(Factor, f64)>) -> Option<(&FactorView, &SettingView)> {
    let (factor, value) = chosen?;
    let of = view.factors.iter().find(|view| view.factor == factor)?;
    of.settings.iter().find(|setting| setting.value == value).map(|setting| (of, setting))
}

pub fn show(ctx: &Context, state: &mut AppState, mut chosen: Option<(Factor, f64)>) -> Option<Dialog> {
    Stability::ask(state);
    let view = state.stability.view.clone();
    let height = (ctx.content_rect().height() - 224.0).clamp(240.0, 560.0);
    let mut adopt = None;
    let ((go, cancel), veil) = modal(ctx, "Stability", WIDTH, None, |ui| {
        title(ui, "Stability: one setting at a time");
        let budget = view.as_ref().map_or_else(String::new, |view| format!(" at a budget of {}", view.budget));
        paragraph(
            ui,
            &format!(
                "Bold: agreement of the clusters with those in force (adjusted Rand index), K held. Dashed: overlap of the selection{budget} with the one in force (shared over all of both). Thin: overlap by chance."
            ),
        );
        match &view {
            Some(view) if view.blocked.is_none() => {
                let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::hover());
                let inside = rect.shrink2(Vec2::new(16.0, 0.0));
                let table = Rect::from_min_max(pos2(inside.right() - TABLE, inside.top()), inside.max);
                let plots = Rect::from_min_max(inside.min, pos2(table.left() - 16.0, inside.bottom()));
                multiples(ui, plots, view);
                twin(ui, table, state, view, &mut chosen);
                work(ui, state, view);
            }
            Some(view) => {
                let report = view.blocked.as_ref().map(ToString::to_string).unwrap_or_default();
                paragraph(ui, &report);
            }
            None => paragraph(ui, "reading what was found"),
        }
        let busy = state.project.as_ref().is_some_and(|project| project.job.is_some());
        let setting = view.as_ref().and_then(|view| chosen_of(view, chosen));
        let fine = match setting {
            _ if busy => Err("a job is running"),
            None => Err("click a row of the table"),
            Some((_, setting)) if setting.current => Err("this setting is in force"),
            Some((of, _)) if !of.factor.can_be_adopted() => Err("the scores are made at 1, as in the paper"),
            Some(_) => Ok(()),
        };
        let known = setting.map_or_else(String::new, |(of, setting)| sentence(of, setting));
        adopt = setting.map(|(of, setting)| (of.factor, setting.value));
        foot(ui, state, &known, "Adopt this setting", fine)
    });
    if let Some((factor, value)) = adopt.filter(|_| go) {
        let what = format!("The setting {} is {value} now", factor.symbol());
        let more = "What follows from it is computed now.".to_owned();
        state.ask(Request::Adopt { factor, value }, For::Told(what, more));
        return None;
    }
    (!cancel && !veil).then_some(Dialog::Stability { chosen })
}

/// `t = 0.5: 11 clusters, 588 of 600 samples are those of now.`
fn sentence(of: &FactorView, setting: &SettingView) -> String {
    format!(
        "{} = {}: {} clusters; {} of {} samples are in the selection in force, too.",
        of.factor,
        number(setting.value),
        setting.clusters,
        format::count(setting.shared),
        format::count(setting.selected)
    )
}

/// As few decimals as say it.
fn number(value: f64) -> String {
    let text = format::decimal(value, 2);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn points(of: &FactorView, y: fn(&SettingView) -> f64) -> Vec<PlotPoint> {
    of.settings.iter().map(|setting| PlotPoint::new(setting.value, y(setting))).collect()
}

/// Three plots side by side, in two lines.
fn multiples(ui: &mut Ui, rect: Rect, view: &StabilityView) {
    let look = look(ui);
    let size = Vec2::new((rect.width() - 24.0) / 3.0, rect.height() / 2.0);
    for (at, of) in view.factors.iter().enumerate() {
        let corner = rect.min + Vec2::new((at % 3) as f32 * (size.x + 12.0), (at / 3) as f32 * size.y);
        let cell = Rect::from_min_size(corner, size);
        column(ui, cell, |ui| {
            ui.set_width(cell.width());
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            Words::of(look).strong(of.factor.symbol()).small(format!("  {}", of.factor.name())).show(ui);
            ui.add_space(2.0);
            if of.settings.is_empty() {
                let words = "not computed yet";
                let middle = pos2(cell.center().x, cell.center().y - 10.0);
                Words::of(look).t3(words).at(ui, middle, Align2::CENTER_CENTER, cell.width() - 12.0);
                return;
            }
            one(ui, of, cell.height() - 56.0, look);
        });
    }
}

fn one(ui: &mut Ui, of: &FactorView, height: f32, look: &'static Look) {
    let (agreement, overlap) = (points(of, |setting| setting.agreement), points(of, |setting| setting.overlap));
    let chance = points(of, |setting| setting.chance);
    let here: Vec<PlotPoint> = agreement.iter().copied().filter(|point| point.x == of.current).collect();
    let is_seed = of.factor == Factor::Seed;
    // Seeds have no order: what counts is how far they reach.
    let others = || of.settings.iter().filter(|setting| !setting.current);
    let ends = |y: fn(&SettingView) -> f64| {
        others().map(y).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)))
    };
    let bands = is_seed.then(|| [ends(|setting| setting.agreement), ends(|setting| setting.overlap)]);
    let reach = [of.settings.first(), of.settings.last()].map(|end| end.map_or(of.current, |end| end.value));
    let words = match (is_seed, of.factor) {
        (true, _) => format!("seed; bands over n = {} other seeds", others().count()),
        (_, Factor::Temperature) => "tau; it changes no cluster".to_owned(),
        _ => format!("upright line: {} in force", number(of.current)),
    };
    plot(ui, of.factor.symbol(), height, &words, |plot| {
        for (band, colour) in bands.into_iter().flatten().zip([look.accent, look.a]) {
            let area = FilledArea::new("band", &reach, &[band.0; 2], &[band.1; 2]);
            plot.add(area.fill_color(colour.gamma_multiply(0.25)));
        }
        plot.vline(VLine::new("in force", of.current).color(look.axis).width(1.0));
        let thin = Line::new("overlap by chance", PlotPoints::Borrowed(&chance));
        plot.line(thin.color(look.text_3).width(1.0));
        if is_seed {
            plot.points(Points::new("agreement", PlotPoints::Borrowed(&agreement)).color(look.accent).radius(2.5));
            let overlap = Points::new("overlap", PlotPoints::Borrowed(&overlap)).color(look.a).radius(2.5);
            plot.points(overlap.shape(MarkerShape::Diamond));
        } else {
            let overlap = Line::new("overlap", PlotPoints::Borrowed(&overlap)).color(look.a).width(2.0);
            plot.line(overlap.style(LineStyle::dashed_dense()));
            plot.line(Line::new("agreement", PlotPoints::Borrowed(&agreement)).color(look.accent).width(2.0));
        }
        plot.points(Points::new("in force", PlotPoints::Owned(here)).color(look.text).radius(3.0));
    });
}

/// The same as numbers, a line for each setting.
fn twin(ui: &mut Ui, rect: Rect, state: &mut AppState, view: &StabilityView, chosen: &mut Option<(Factor, f64)>) {
    let look = look(ui);
    let head = Rect::from_min_size(rect.min, Vec2::new(rect.width(), 22.0));
    ui.painter().rect_filled(head, 0.0, look.raised);
    let at = pos2(head.left() + 8.0, head.center().y);
    Words::of(look).small("setting").paint(ui, at, Align2::LEFT_CENTER, 100.0);
    for (word, inset) in COLUMNS {
        let at = pos2(head.right() - inset, head.center().y);
        Words::of(look).small(word).paint(ui, at, Align2::RIGHT_CENTER, 90.0);
    }
    let list = Rect::from_min_max(pos2(rect.left(), head.bottom()), rect.max);
    column(ui, list, |ui| {
        egui::ScrollArea::vertical().id_salt("settings").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            for of in &view.factors {
                let (place, _) = ui.allocate_exact_size(Vec2::new(rect.width(), ROW + 2.0), Sense::hover());
                let n = of.settings.first().map_or(0, |setting| setting.rows);
                let more = match of.settings.is_empty() {
                    false => format!("  {}, n = {}", of.factor.name(), format::count(n)),
                    true => format!("  {}: not computed", of.factor.name()),
                };
                let words = Words::of(look).strong(of.factor.symbol()).small(more);
                words.at(ui, pos2(place.left() + 8.0, place.center().y), Align2::LEFT_CENTER, place.width() - 16.0);
                for setting in &of.settings {
                    line(ui, rect.width(), state, of, setting, chosen);
                }
            }
        });
    });
}

fn line(
    ui: &mut Ui,
    width: f32,
    state: &mut AppState,
    of: &FactorView,
    setting: &SettingView,
    chosen: &mut Option<(Factor, f64)>,
) {
    let look = look(ui);
    let (place, response) = ui.allocate_exact_size(Vec2::new(width, ROW), Sense::click());
    let on = *chosen == Some((of.factor, setting.value));
    let name = format!("{} = {}", of.factor, number(setting.value));
    response.widget_info(|| WidgetInfo::selected(Role::Row, true, on, &name));
    state.note(format!("setting:{name}"), place);
    if on {
        ui.painter().rect_filled(place, 0.0, look.overlay);
    } else if response.hovered() {
        ui.painter().rect_filled(place, 0.0, look.raised);
    }
    ui.painter().hline(place.x_range(), place.bottom() - 0.5, Stroke::new(1.0, look.line));
    let middle = place.center().y;
    let words = Words::of(look).num(number(setting.value));
    let words = if setting.current { words.small("  in force") } else { words };
    words.paint(ui, pos2(place.left() + 20.0, middle), Align2::LEFT_CENTER, 120.0);
    let share = |value: f64| format::decimal(value, 3);
    let numbers =
        [share(setting.chance), share(setting.overlap), share(setting.agreement), setting.clusters.to_string()];
    for (text, (_, inset)) in numbers.into_iter().zip(COLUMNS) {
        let at = pos2(place.right() - inset, middle);
        Words::of(look).num2(text).paint(ui, at, Align2::RIGHT_CENTER, 80.0);
    }
    if response.clicked() {
        *chosen = Some((of.factor, setting.value));
    }
}

/// What is missing and its price, or how far the job is.
fn work(ui: &mut Ui, state: &mut AppState, view: &StabilityView) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 34.0), Sense::hover());
    let inside = rect.shrink2(Vec2::new(16.0, 4.0));
    let job = state.project.as_ref().and_then(|project| project.job.clone());
    if let Some(job) = job {
        row(ui, inside, 12.0, |ui| {
            Words::new(ui).part(&job.what, crate::theme::small(), look.text_2).show_in(ui, 320.0, 1);
            progress(ui, 140.0, (job.done as f64 / job.total.max(1) as f64) as f32);
            Words::new(ui).small(jobs::pace(&job)).show(ui);
            let text = if job.cancelling { "Cancelling" } else { "Cancel" };
            let button = Button::new(text).height(20.0).name("Cancel the running job");
            let response = ui.add_enabled(!job.cancelling, button);
            state.note("CancelSweep", response.rect);
            if response.clicked() {
                state.run(Command::CancelJob);
            }
        });
        return;
    }
    let missing: Vec<&FactorView> = view.factors.iter().filter(|of| of.settings.is_empty()).collect();
    if missing.is_empty() {
        Words::new(ui).small("Every setting is computed for the project as it is now.").at(
            ui,
            inside.left_center(),
            Align2::LEFT_CENTER,
            inside.width(),
        );
        return;
    }
    let kept: u64 = missing.iter().filter_map(|of| of.kept).map(|(finished, _)| finished).sum();
    let kept = if kept > 0 { format!("; {kept} finished parts are kept") } else { String::new() };
    let names: Vec<&str> = missing.iter().map(|of| of.factor.symbol()).collect();
    let words = format!("To compute for the project as it is now: {}{kept}", names.join(", "));
    let mut wanted: Vec<Factor> = Vec::new();
    let left = row_right(ui, inside, 8.0, |ui| {
        let all = format!("Compute, {}", range(&missing));
        let response = ui.add(Button::new(&all).height(24.0).name("Compute the sweep"));
        state.note("Sweep", response.rect);
        if response.clicked() {
            wanted = missing.iter().map(|of| of.factor).collect();
        }
        // One after the other for those who have no time for all of them.
        for of in missing.iter().rev().filter(|_| missing.len() > 1) {
            let name = format!("Compute {} alone", of.factor);
            let response = ui.add(Button::new(of.factor.symbol()).quiet().height(24.0).name(&name));
            state.note(format!("Sweep:{}", of.factor), response.rect);
            if response.on_hover_text(format!("{name}, {}", range(&[of]))).clicked() {
                wanted = vec![of.factor];
            }
        }
        if missing.len() > 1 {
            Words::new(ui).small("one alone:").show(ui);
        }
        ui.min_rect().left()
    });
    Words::new(ui).t2(words).at(ui, inside.left_center(), Align2::LEFT_CENTER, left - inside.left() - 12.0);
    if !wanted.is_empty() {
        state.ask(Request::Sweep { factors: wanted }, For::Done);
    }
}

fn range(factors: &[&FactorView]) -> String {
    let sum = factors.iter().try_fold((0.0, 0.0), |(low, high), of| {
        let (least, most) = of.estimate?;
        Some((low + least, high + most))
    });
    sum.map_or_else(
        || "time unknown".to_owned(),
        |(low, high)| format!("{} to {}", format::duration(low), format::duration(high)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_without_idle_zeros() {
        assert_eq!((number(0.5).as_str(), number(16.0).as_str(), number(0.25).as_str()), ("0.5", "16", "0.25"));
        assert_eq!(number(100.0), "100");
    }
}
