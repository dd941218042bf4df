//! The settings of a selection beside its budget: guard, concept graph, refill, weight, damage, seed.

use egui::{Align2, Popup, Rect, Ui, Vec2, pos2};
use paser_protocol::{Damage, Guard, Refill, Weight};

use super::{budget::set, passes};
use crate::{
    state::AppState,
    theme::icons,
    widgets::{
        Words,
        field::Field,
        icon_button, row,
        segmented::{Face, segmented},
    },
};

/// A button, and the form that it opens.
pub fn settings(ui: &mut Ui, state: &mut AppState) {
    let response = icon_button(ui, icons::SLIDERS_HORIZONTAL, "Settings of the selection", false, None);
    state.note("selection settings", response.rect);
    Popup::menu(&response)
        .accessible_name("Settings of the selection")
        .align(egui::RectAlign::TOP_END)
        .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            ui.set_width(372.0);
            let plan = state.build.plan.clone();
            let choice = |ui: &mut Ui, name: &str, options: &[&str], chosen: usize| {
                let (line, _) = ui.allocate_exact_size(Vec2::new(372.0, 32.0), egui::Sense::hover());
                Words::new(ui).t2(name).paint(ui, pos2(line.left() + 8.0, line.center().y), Align2::LEFT_CENTER, 110.0);
                let faces: Vec<_> = options.iter().map(|option| (Face::Text(option), *option)).collect();
                let place = Rect::from_min_max(pos2(line.left() + 122.0, line.top()), line.max);
                row(ui, place, 0.0, |ui| segmented(ui, name, &faces, chosen, 24.0, |_, _| {}))
            };
            if let Some(k) = choice(ui, "Noise guard", &["none", "Tukey"], usize::from(plan.guard == Guard::Tukey)) {
                set(state, |plan| plan.guard = [Guard::None, Guard::Tukey][k]);
            }
            if let Some(k) = choice(ui, "Concept graph", &["on", "off"], usize::from(!plan.concepts.on)) {
                set(state, |plan| plan.concepts.on = k == 0);
            }
            let steps = [1.0, 0.8, 0.6, 0.4];
            let at = steps.iter().position(|step| (step - plan.concepts.strictness).abs() < 1e-6).unwrap_or(0);
            if let Some(k) = choice(ui, "Strictness", &["1 (paper)", "0.8", "0.6", "0.4"], at) {
                set(state, |plan| plan.concepts.strictness = steps[k]);
            }
            if let Some(k) =
                choice(ui, "Refill", &["fewest conflicts", "none (paper)"], usize::from(plan.refill == Refill::None))
            {
                set(state, |plan| plan.refill = [Refill::FewestConflicts, Refill::None][k]);
            }
            let weights = [Weight::Cds, Weight::CdsXSize, Weight::Uniform];
            let at = weights.iter().position(|weight| *weight == plan.weight).unwrap_or(0);
            if let Some(k) = choice(ui, "Budget by", &["damage", "damage x size", "equal"], at) {
                set(state, |plan| plan.weight = weights[k]);
            }
            let rest = usize::from(plan.damage == Damage::AfterFirstToken);
            if let Some(k) = choice(ui, "Damage", &["whole response", "after first token"], rest) {
                set(state, |plan| plan.damage = [Damage::Whole, Damage::AfterFirstToken][k]);
            }
            if plan.strategy.needs_pass() {
                let (line, _) = ui.allocate_exact_size(Vec2::new(372.0, 32.0), egui::Sense::hover());
                let place = pos2(line.left() + 8.0, line.center().y);
                Words::new(ui).t2(plan.strategy.name()).paint(ui, place, Align2::LEFT_CENTER, 110.0);
                let place = Rect::from_min_max(pos2(line.left() + 122.0, line.top()), line.max);
                row(ui, place, 0.0, |ui| passes::button(ui, state, "Model and settings..."));
            }
            let (line, _) = ui.allocate_exact_size(Vec2::new(372.0, 34.0), egui::Sense::hover());
            Words::new(ui).t2("Seed").paint(ui, pos2(line.left() + 8.0, line.center().y), Align2::LEFT_CENTER, 110.0);
            let place = Rect::from_min_max(pos2(line.left() + 122.0, line.top()), line.max);
            row(ui, place, 8.0, |ui| {
                let mut text = plan.seed.to_string();
                Field::new("Seed", 90.0).mono().height(24.0).show(ui, &mut text);
                if let Ok(seed) = text.trim().parse() {
                    set(state, |plan| plan.seed = seed);
                }
                let used = if plan.strategy.uses_seed() { "" } else { "not used by this strategy" };
                Words::new(ui).small(used).show(ui);
            });
        });
}
