//! Why there are so many clusters: stability over K, prediction strength, the elbow of the factorisation and the scree.
//! Coarse, fine or fixed is one click away.

use egui::{Rect, Ui, Vec2, pos2};
use egui_plot::{
    AxisHints, FilledArea, GridInput, GridMark, Line, MarkerShape, Plot, PlotPoint, PlotPoints, Points, VLine,
};
use paser_protocol::{ClusterChoice, CurveView, ManifoldView, Request};

use crate::{
    command::Command,
    format,
    state::{AppState, For},
    theme::Look,
    widgets::{Button, Words, column, field::Field, look, pane::section_head},
};

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState) {
    let Some(manifold) = state.project.as_ref().and_then(|project| project.manifold.clone()) else {
        let at = body.min + egui::vec2(10.0, 22.0);
        let words = "The curves appear here once the pool is clustered: run the project.";
        Words::new(ui).t3(words).at(ui, at, egui::Align2::LEFT_CENTER, body.width() - 20.0);
        return;
    };
    column(ui, body, |ui| {
        egui::ScrollArea::vertical().id_salt("curves").auto_shrink(false).show(ui, |ui| {
            egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 10)).show(ui, |ui| {
                ui.set_width(body.width() - 20.0);
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                words(ui, &manifold);
                choice(ui, state, &manifold);
                if let Some(curve) = &manifold.curve {
                    stability(ui, curve, &manifold);
                    error(ui, curve);
                }
                scree(ui, &manifold);
                merges(ui, &manifold);
            });
        });
    });
}

fn words(ui: &mut Ui, manifold: &ManifoldView) {
    Words::new(ui)
        .strong(format!("{} clusters", manifold.clusters))
        .t2(if manifold.k == manifold.clusters {
            String::new()
        } else {
            format!(" after merging, from K = {}", manifold.k)
        })
        .wrapped(ui);
    ui.add_space(4.0);
    Words::new(ui).t2(&manifold.rule).wrapped(ui);
    if let Some((low, high)) = manifold.curve.as_ref().and_then(|curve| curve.unclear) {
        ui.add_space(4.0);
        crate::widgets::pane::remark(
            ui,
            "warn",
            &format!("no clear number: {low} to {high} are equally stable; choose one"),
        );
    }
    ui.add_space(8.0);
}

fn choice(ui: &mut Ui, state: &mut AppState, manifold: &ManifoldView) {
    let busy = state.project.as_ref().is_some_and(|project| project.job.is_some());
    let curve = manifold.curve.clone().unwrap_or_default();
    let mut chosen = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        for (name, k, choice) in
            [("Coarse", curve.coarse, ClusterChoice::Coarse), ("Fine", curve.fine, ClusterChoice::Fine)]
        {
            let Some(k) = k else { continue };
            let text = format!("{name}, K = {k}");
            let response = ui.add_enabled(!busy && manifold.k != k, Button::new(&text).height(24.0).name(name));
            state.note(format!("clusters:{name}"), response.rect);
            if response.on_disabled_hover_text(if busy { "a job is running" } else { "in use" }).clicked() {
                chosen = Some(choice);
            }
        }
    });
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        Words::new(ui).t2("fixed K").show(ui);
        let id = ui.scope_id().with("fixed");
        let mut typed = ui.data_mut(|data| data.get_temp::<String>(id)).unwrap_or_else(|| manifold.k.to_string());
        let field = Field::new("Fixed number of clusters", 56.0).mono().height(24.0).show(ui, &mut typed);
        let number = typed.trim().parse::<u32>().ok().filter(|k| (1..=200).contains(k));
        let fine = match number {
            _ if busy => Err("a job is running"),
            None => Err("type a number from 1 to 200"),
            Some(k) if k == manifold.k => Err("this number is in use"),
            Some(_) => Ok(()),
        };
        let button = Button::new("Use it").height(24.0).name("Use fixed number of clusters");
        let pressed = ui.add_enabled(fine.is_ok(), button);
        state.note("clusters:fixed", pressed.rect);
        let pressed = pressed.on_disabled_hover_text(fine.err().unwrap_or_default());
        if (pressed.clicked() || field.entered && fine.is_ok())
            && let Some(k) = number
        {
            chosen = Some(ClusterChoice::Fixed(k));
        }
        ui.data_mut(|data| data.insert_temp(id, typed));
        let automatic = ui.add_enabled(!busy, Button::new("Automatic").quiet().height(24.0));
        if automatic.on_disabled_hover_text("a job is running").clicked() {
            chosen = Some(ClusterChoice::Automatic);
        }
    });
    ui.add_space(6.0);
    let other = ui.add(Button::new("Other d, t, K, k, seeds...").height(24.0).name("Stability of the settings"));
    state.note("stability", other.rect);
    if other.on_hover_text(Command::Stability.long_hint()).clicked() {
        state.run(Command::Stability);
    }
    ui.add_space(10.0);
    if let Some(choice) = chosen {
        state.ask(Request::ChooseClusters { choice }, For::Done);
    }
}

/// A small plot with our own ticks and no legend; `draw` adds its lines.
pub(super) fn plot<'a>(
    ui: &mut Ui,
    name: &str,
    height: f32,
    x_word: &str,
    draw: impl FnOnce(&mut egui_plot::PlotUi<'a>) + 'a,
) {
    let look = look(ui);
    let width = ui.available_width();
    ui.scope(|ui| {
        ui.visuals_mut().extreme_bg_color = look.canvas;
        ui.visuals_mut().widgets.noninteractive.fg_stroke.color = look.text_3;
        Plot::new(name.to_owned())
            .width(width)
            .height(height)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .custom_x_axes(vec![axis(AxisHints::new_x(), look)])
            .custom_y_axes(vec![axis(AxisHints::new_y(), look)])
            .x_grid_spacer(few_lines)
            .y_grid_spacer(few_lines)
            .set_margin_fraction(Vec2::new(0.03, 0.08))
            .show(ui, draw);
    });
    let words = Words::of(look).small(x_word).galley(ui, width, 2);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(width, words.size().y + 4.0), egui::Sense::hover());
    let left = rect.left() + (width - words.size().x) / 2.0;
    crate::widgets::say(ui, rect, x_word);
    ui.painter().galley(pos2(left, rect.top()), words, look.text_3);
    ui.add_space(4.0);
}

/// At most five lines, at steps of 1, 2 or 5 times a power of ten.
fn few_lines(input: GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let rough = (high - low) / 5.0;
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let power = 10.0_f64.powf(rough.log10().floor());
    let step_size = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough);
    let step_size = step_size.unwrap_or(10.0 * power);
    let (first, last) = ((low / step_size).ceil() as i64, (high / step_size).floor() as i64);
    (first..=last).map(|line| GridMark { value: line as f64 * step_size, step_size }).collect()
}

/// Decimals that tell one line from the next.
fn places(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().max(0.0) as usize
}

fn axis(hints: AxisHints<'static>, look: &Look) -> AxisHints<'static> {
    hints
        .tick_label_font(crate::theme::mono_small())
        .tick_label_color(look.text_3)
        .label_spacing(14.0..=22.0)
        .formatter(|mark, _| format::decimal(mark.value, places(mark.step_size)))
}

fn series(ks: &[u32], values: &[f64]) -> Vec<PlotPoint> {
    ks.iter().zip(values).filter(|(_, v)| v.is_finite()).map(|(k, v)| PlotPoint::new(f64::from(*k), *v)).collect()
}

fn line<'a>(name: &str, points: &'a [PlotPoint], colour: egui::Color32, width: f32) -> Line<'a> {
    Line::new(name.to_owned(), PlotPoints::Borrowed(points)).color(colour).width(width)
}

fn stability(ui: &mut Ui, curve: &CurveView, manifold: &ManifoldView) {
    let look: &Look = look(ui);
    let n = match curve.half_splits {
        0 => String::new(),
        splits => format!("n = {splits} half-splits"),
    };
    section_head(ui, "Stability over K, mean ARI", Some(Words::new(ui).small(n)));
    let mean = series(&curve.clusters, &curve.stability);
    let strength = series(&curve.clusters, &curve.prediction_strength);
    let here: Vec<_> = mean.iter().copied().filter(|point| point.x == f64::from(manifold.k)).collect();
    let ks: Vec<f64> = curve.clusters.iter().map(|k| f64::from(*k)).collect();
    let (low, high): (Vec<f64>, Vec<f64>) = curve.stability_range.iter().copied().unzip();
    let band = (low.len() == ks.len() && ks.len() > 1)
        .then(|| FilledArea::new("smallest to largest", &ks, &low, &high).fill_color(look.text_3.gamma_multiply(0.3)));
    let words = if band.is_some() {
        "K; bold: stability, band: smallest to largest, thin: prediction strength"
    } else {
        "K; bold: stability, its spread was not kept; thin: prediction strength"
    };
    plot(ui, "stability", 150.0, words, |plot| {
        if let Some(band) = band {
            plot.add(band);
        }
        plot.vline(VLine::new("K in use", f64::from(manifold.k)).color(look.axis).width(1.0));
        plot.line(line("prediction strength", &strength, look.text_3, 1.0));
        plot.line(line("stability", &mean, look.accent, 2.0));
        plot.points(
            Points::new("in use", PlotPoints::Owned(here)).color(look.accent).radius(4.0).shape(MarkerShape::Circle),
        );
    });
}

fn error(ui: &mut Ui, curve: &CurveView) {
    let points = series(&curve.clusters, &curve.nmf_error);
    if points.is_empty() {
        return;
    }
    let look: &Look = look(ui);
    let elbow = curve.elbow;
    let right = elbow.map(|k| Words::new(ui).small(format!("elbow at {k}")));
    section_head(ui, "Error of the factorisation", right);
    plot(ui, "error", 96.0, "K; relative, against 400 landmarks", |plot| {
        if let Some(k) = elbow {
            plot.vline(VLine::new("elbow", f64::from(k)).color(look.axis).width(1.0));
        }
        plot.line(line("error", &points, look.text_2, 1.5));
    });
}

fn scree(ui: &mut Ui, manifold: &ManifoldView) {
    if manifold.eigenvalues.is_empty() {
        return;
    }
    let look: &Look = look(ui);
    let points: Vec<_> = manifold
        .eigenvalues
        .iter()
        .enumerate()
        .map(|(place, value)| PlotPoint::new(place as f64 + 1.0, *value))
        .collect();
    section_head(ui, "Scree", Some(Words::new(ui).small("eigenvalues, falling")));
    plot(ui, "scree", 96.0, "number of the eigenvalue", |plot| {
        plot.line(line("eigenvalue", &points, look.text_3, 1.0));
        plot.points(Points::new("eigenvalues", PlotPoints::Borrowed(&points)).color(look.text_2).radius(2.0));
    });
    let linked = manifold.components_linked;
    let text = format!(
        "{} dimensions, {} component{}{}, neighbour recall {}",
        manifold.dimensions,
        manifold.components,
        if manifold.components == 1 { "" } else { "s" },
        if linked > 0 { format!(" ({linked} linked)") } else { String::new() },
        format::nats(manifold.recall)
    );
    Words::new(ui).small(text).wrapped(ui);
    ui.add_space(8.0);
}

fn merges(ui: &mut Ui, manifold: &ManifoldView) {
    if manifold.merges.is_empty() {
        return;
    }
    section_head(ui, "Merged", None);
    for merge in &manifold.merges {
        Words::new(ui).t2(merge).wrapped(ui);
        ui.add_space(2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_few_and_no_two_read_alike() {
        for bounds in [(0.55, 0.87), (0.3, 1.02), (3.0, 24.6), (0.0, 0.013)] {
            let lines = few_lines(GridInput { bounds, base_step_size: 1.0 });
            let words: std::collections::BTreeSet<String> =
                lines.iter().map(|line| format::decimal(line.value, places(line.step_size))).collect();
            assert!((2..=6).contains(&lines.len()), "{bounds:?}: {words:?}");
            assert_eq!(words.len(), lines.len(), "{bounds:?}: {words:?}");
        }
        assert!(few_lines(GridInput { bounds: (1.0, 1.0), base_step_size: 1.0 }).is_empty());
    }
}
