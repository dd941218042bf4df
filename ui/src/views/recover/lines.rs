//! The curves that are on screen: means over seeds with their bands, single seeds, and what was left out of them.

use paser_protocol::{ArmRun, ArmState, ArmView, RecoveryView};

use super::style::{Style, style};
use crate::{
    recovery::{Axis, averaged, axis_of, readings},
    series::{Mean, Reading, average},
    state::AppState,
    theme::Look,
};

/// An arm as it is drawn.
pub struct Lines {
    pub name: String,
    pub style: Style,
    /// Seeds in the mean.
    pub n: usize,
    pub mean: Vec<Mean>,
    pub seeds: Vec<Vec<Reading>>,
    /// Seeds in no average: those that diverged or failed, with what happened; those that still run have no word.
    pub apart: Vec<(Vec<Reading>, Option<String>)>,
    /// One of the two that are compared.
    pub of_pair: bool,
}

/// The training loss of every step, where its column has arrived; x between looks by straight lines.
fn losses(state: &mut AppState, arm: &str, run: &ArmRun, axis: Axis) -> Vec<Reading> {
    let Some(values) = state.losses(arm, run) else { return Vec::new() };
    let mut place = 0;
    let x = |step: u32, place: &mut usize| {
        while run.points.get(*place + 1).is_some_and(|next| next.step < step) {
            *place += 1;
        }
        let (from, to) = (run.points.get(*place), run.points.get(*place + 1));
        match (axis, from, to) {
            (Axis::Step, ..) => f64::from(step),
            (_, Some(from), Some(to)) if to.step > from.step => {
                let share = f64::from(step.saturating_sub(from.step)) / f64::from(to.step - from.step);
                axis_of(from, axis) + share * (axis_of(to, axis) - axis_of(from, axis))
            }
            (_, Some(from), _) => axis_of(from, axis),
            _ => 0.0,
        }
    };
    (1_u32..)
        .zip(values.iter())
        .filter(|(_, value)| value.is_finite())
        .map(|(step, value)| Reading { step, x: x(step, &mut place), value: f64::from(*value) })
        .collect()
}

/// What stands of every visible arm, in the order of the recipe.
pub fn lines(state: &mut AppState, view: &RecoveryView, look: &Look) -> Vec<Lines> {
    let metric = state.recovery.metric(view);
    let (group, axis) = (state.recovery.group(view), state.recovery.shown.axis);
    let arms: Vec<&ArmView> =
        view.arms.iter().filter(|arm| arm.pilot.is_none() && state.recovery.is_visible(arm)).collect();
    let pair: Vec<String> =
        state.recovery.pair(view).map(|(a, b)| vec![a.name.clone(), b.name.clone()]).unwrap_or_default();
    let mut drawn = Vec::new();
    for arm in arms {
        let style = style(look, &state.recovery, view, arm);
        let mut of = |run: &ArmRun| match metric {
            Some(metric) => readings(run, metric, group, axis),
            None => losses(state, &arm.name, run, axis),
        };
        let inside: Vec<u64> = averaged(arm).iter().map(|run| run.seed).collect();
        let (mut seeds, mut apart) = (Vec::new(), Vec::new());
        for run in &arm.runs {
            let line = of(run);
            if line.is_empty() {
                continue;
            }
            let why = match &run.state {
                ArmState::Diverged { why } => Some(format!("{} seed {} diverged: {why}", arm.name, run.seed)),
                ArmState::Failed { report } => Some(format!("{} seed {} failed: {}", arm.name, run.seed, report.what)),
                _ => None,
            };
            if why.is_none() && inside.contains(&run.seed) {
                seeds.push(line);
            } else {
                apart.push((line, why));
            }
        }
        drawn.push(Lines {
            name: arm.name.clone(),
            style,
            n: seeds.len(),
            mean: average(&seeds),
            seeds,
            apart,
            of_pair: pair.contains(&arm.name),
        });
    }
    drawn
}
