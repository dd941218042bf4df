//! What enters from 1 to 50 %: mean damage of what each strategy takes against its budget, or, where one cluster is
//! brushed, the share of that cluster in it.

use egui::{Align2, Rect, Ui, Vec2};
use egui_plot::{Line, LineStyle, PlotPoint, PlotPoints, VLine};
use paser_protocol::{BudgetCurve, BudgetPoint};

use super::{fill, ink};
use crate::{
    compare::letter,
    state::AppState,
    views::curves::plot,
    widgets::{Words, column, look, pane::section_head},
};

pub fn show(ui: &mut Ui, body: Rect, state: &mut AppState) {
    let look = look(ui);
    let mut curves: Vec<(usize, std::rc::Rc<BudgetCurve>)> = Vec::new();
    let mut problem = None;
    for (at, name) in state.compare.names.iter().enumerate() {
        match state.compare.curve(name) {
            Some(Ok(curve)) => curves.push((at, curve.clone())),
            Some(Err(report)) => problem = Some(report.what.clone()),
            None => {}
        }
    }
    let failed = state.compare.names.iter().filter(|name| matches!(state.compare.curve(name), Some(Err(_)))).count();
    let missing = state.compare.names.len() - curves.len() - failed;
    if curves.is_empty() {
        let words = problem.unwrap_or_else(|| "selecting at twelve budgets".to_owned());
        Words::new(ui).t3(words).at(ui, body.center(), Align2::CENTER_CENTER, body.width() - 20.0);
        return;
    }
    let cluster = state.focus.single_cluster().and_then(|id| state.cluster(id)).cloned();
    let value = |point: &BudgetPoint| match &cluster {
        Some(cluster) => {
            let taken = point.taken.get(cluster.cluster as usize).copied().unwrap_or(0);
            (point.selected > 0).then(|| taken as f64 / point.selected as f64)
        }
        None => point.mean_damage,
    };
    let head = match &cluster {
        Some(cluster) => format!("Share of {}", cluster.name),
        None => "Mean damage of what is taken, nats".to_owned(),
    };
    let budgets = curves.first().map_or(0, |(_, curve)| curve.points.len());
    column(ui, body, |ui| {
        egui::Frame::new().inner_margin(egui::Margin::symmetric(10, 6)).show(ui, |ui| {
            ui.set_width(body.width() - 20.0);
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            let n = if failed > 0 {
                format!("{failed} could not be computed")
            } else if missing > 0 {
                format!("{missing} still computed")
            } else {
                format!("n = {budgets} budgets, one run each")
            };
            section_head(ui, &head, Some(Words::new(ui).small(n)));
            let points: Vec<(usize, String, Vec<PlotPoint>)> = curves
                .iter()
                .map(|(at, curve)| {
                    let points = curve.points.iter().filter_map(|p| value(p).map(|y| PlotPoint::new(p.percent, y)));
                    (*at, curve.selection.clone(), points.collect())
                })
                .collect();
            let height = (body.height() - 96.0).max(90.0);
            let here = state.compare.view.as_ref().map(|view| {
                let share = |selected: u64| selected as f64 * 100.0 / view.selectable.max(1) as f64;
                share(view.selections.first().map_or(0, |side| side.selected))
            });
            plot(
                ui,
                "budgets",
                height,
                "budget, % of the pool, with the marks of now; upright line: A as frozen",
                |plot| {
                    if let Some(here) = here.filter(|here| *here <= 50.0) {
                        plot.vline(VLine::new("A as frozen", here).color(look.axis).width(1.0));
                    }
                    for (at, name, points) in &points {
                        let style = if *at < 2 { LineStyle::Solid } else { LineStyle::dashed_dense() };
                        let line = Line::new(name.clone(), PlotPoints::Borrowed(points));
                        plot.line(line.color(fill(look, *at)).width(2.0).style(style));
                    }
                },
            );
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 12.0;
                for (at, name, _) in &points {
                    let words = Words::of(look).part(letter(*at), crate::theme::title(11.0), ink(look, *at));
                    let dashed = if *at < 2 { "" } else { " (dashed)" };
                    words.small(format!(" {name}{dashed}")).show_in(ui, 150.0, 1);
                }
            });
        });
    });
}
