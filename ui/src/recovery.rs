//! What the Recover workspace shows: the engine's arms and the verdict of a pair, and what a person chose to see of them.
//! Owns what is asked for and when.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use paser_protocol::{
    ArmPlan, ArmRun, ArmState, ArmView, CurvePoint, Measure, MetricInfo, RecoveryView, Report, Stage, VerdictView,
};
use serde::{Deserialize, Serialize};

use crate::{
    series::{Mean, Reading, average, mean_of},
    state::{AppState, ColourBy},
};

mod requests;

/// The training loss of every step: a column of each run, and none of the engine's metrics.
pub const TRAINING_LOSS: &str = "training-loss";
/// The metric that the map can be coloured by.
pub const DAMAGE_LEFT: &str = "damage-left";

/// What the curves stand against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    #[default]
    Step,
    Tokens,
    Time,
}

impl Axis {
    pub const ALL: [Self; 3] = [Self::Step, Self::Tokens, Self::Time];

    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Tokens => "tokens",
            Self::Time => "time",
        }
    }

    /// Below the axis.
    pub fn words(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Tokens => "tokens trained on, prompt and response",
            Self::Time => "training time, without looking",
        }
    }
}

/// What the pane beside the curves shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    #[default]
    Ratio,
    /// The metric itself, with the dense and the pruned model as lines (the paper's figure 3).
    Bars,
    /// The metric against the time that was paid for it (the paper's figure 2).
    Time,
    Cost,
    Pilots,
    /// Tasks and perplexities of models and arms.
    Evaluations,
}

impl Outcome {
    pub const ALL: [Self; 6] = [Self::Ratio, Self::Bars, Self::Time, Self::Cost, Self::Pilots, Self::Evaluations];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ratio => "recovery ratio",
            Self::Bars => "metric by group",
            Self::Time => "time against performance",
            Self::Cost => "cost against recovery",
            Self::Pilots => "pilot matrix",
            Self::Evaluations => "tasks and perplexities",
        }
    }

    /// One line more, in the list.
    pub fn about(self) -> &'static str {
        match self {
            Self::Ratio => "how much of the loss came back",
            Self::Bars => "with dense and pruned as lines",
            Self::Time => "scoring counted in",
            Self::Cost => "what is on the front",
            Self::Pilots => "what data of one cluster does to all",
            Self::Evaluations => "by their named protocols",
        }
    }
}

/// What the arms are sorted by; none: the order of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SortBy {
    Name,
    Seeds,
    Samples,
    Scoring,
    Training,
    Total,
    Loss,
}

/// What a person chose to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// A metric's id or [`TRAINING_LOSS`]; empty: the engine's first.
    pub metric: String,
    /// A group's name; empty: all items.
    pub group: String,
    pub axis: Axis,
    pub log_x: bool,
    pub log_y: bool,
    /// Weight of what came before, 0 to 0.98.
    pub smoothing: f32,
    pub outcome: Outcome,
    /// Bars of all visible arms, not of the pair alone.
    pub all_arms: bool,
    pub sort: Option<(SortBy, bool)>,
    /// Arms without a curve.
    pub hidden: BTreeSet<String>,
    /// The arms of the verdict.
    pub pair: Option<(String, String)>,
    /// A metric's id; empty: the engine's first.
    pub verdict_metric: String,
    /// The arm that a cursor replays; none: the first of the pair.
    pub arm: Option<String>,
    pub cursor: Option<u32>,
}

/// What a reply about recovery is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    View,
    /// By the number of the request.
    Verdict(u64),
    /// A selection that an arm needs, by name.
    Frozen(String),
    /// Their names.
    Added(Vec<String>),
    Removed(String),
    Settings,
    /// An arm's weights or its data for another trainer.
    File,
    Report,
    Read(String),
}

/// Arms that wait for their selections to be frozen.
#[derive(Clone, Debug)]
pub struct Pending {
    pub missing: BTreeSet<String>,
    pub arms: Vec<ArmPlan>,
}

/// Nats that are left in a cluster, half of their interval over seeds, and the items behind them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Left {
    pub nats: f64,
    pub half: Option<f64>,
    pub items: u64,
}

/// Damage that a trained arm still has, by cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct DamageLeft {
    pub arm: String,
    pub step: u32,
    pub clusters: BTreeMap<u32, Left>,
}

#[derive(Default)]
pub struct Recovery {
    pub view: Option<Rc<RecoveryView>>,
    pub problem: Option<Report>,
    pub verdict: Option<Rc<VerdictView>>,
    pub verdict_problem: Option<Report>,
    pub shown: Shown,
    pub pending: Option<Pending>,
    /// Project's revision that the view was asked for, and when.
    asked: Option<(u64, f64)>,
    waiting: bool,
    /// Looked at while arms were trained: once more when they are.
    live: bool,
    verdict_asked: Option<(String, String, String, u64)>,
    newest: u64,
    /// The training losses of each run as they arrived last, by arm and seed: a run in training has new ones all the time.
    losses: BTreeMap<(String, u64), Rc<Vec<f32>>>,
    /// The map's colour before a cursor took its place.
    colour_before: Option<ColourBy>,
}

/// The runs that an arm's average is made of: finished ones; before there is one, those that have begun. Never one that
/// diverged or failed.
pub fn averaged(arm: &ArmView) -> Vec<&ArmRun> {
    let of = |wanted: fn(&ArmState) -> bool| -> Vec<&ArmRun> {
        arm.runs.iter().filter(|run| wanted(&run.state) && !run.points.is_empty()).collect()
    };
    let done = of(|state| matches!(state, ArmState::Done));
    if done.is_empty() { of(|state| matches!(state, ArmState::Running | ArmState::Stopped)) } else { done }
}

pub fn axis_of(point: &CurvePoint, axis: Axis) -> f64 {
    match axis {
        Axis::Step => f64::from(point.step),
        Axis::Tokens => point.tokens as f64,
        Axis::Time => point.seconds,
    }
}

/// A run's values of a metric over all items (place 0) or over a group (from 1).
pub fn readings(run: &ArmRun, metric: usize, place: usize, axis: Axis) -> Vec<Reading> {
    let reading = |point: &CurvePoint| {
        let value = point.values.get(metric)?.get(place).copied().flatten().filter(|value| value.is_finite())?;
        Some(Reading { step: point.step, x: axis_of(point, axis), value })
    };
    run.points.iter().filter_map(reading).collect()
}

/// Means over an arm's averaged seeds.
pub fn means(arm: &ArmView, metric: usize, place: usize, axis: Axis) -> Vec<Mean> {
    let runs: Vec<Vec<Reading>> =
        averaged(arm).into_iter().map(|run| readings(run, metric, place, axis)).filter(|run| !run.is_empty()).collect();
    average(&runs)
}

/// The mean at a step, or at the last one before it.
pub fn mean_at(means: &[Mean], step: u32) -> Option<&Mean> {
    means.iter().rev().find(|mean| mean.step <= step)
}

/// (recovered - pruned) / (dense - pruned) of every averaged seed at a step, as mean and half interval over seeds; the
/// models' own values are held fixed. None where the engine says that dense and pruned are not clearly apart.
pub fn ratio_at(
    view: &RecoveryView,
    arm: &ArmView,
    metric: usize,
    place: usize,
    step: u32,
) -> Option<(f64, Option<f64>)> {
    let measure = |of: &[Vec<Option<Measure>>]| of.get(metric)?.get(place).copied().flatten();
    let (dense, pruned) = (measure(&view.dense)?, measure(&view.pruned)?);
    let apart = apart(dense, pruned);
    if apart.0.abs() <= apart.1 {
        return None;
    }
    let ratios: Vec<f64> = averaged(arm)
        .into_iter()
        .filter_map(|run| {
            let readings = readings(run, metric, place, Axis::Step);
            let value = readings.iter().rev().find(|reading| reading.step <= step)?.value;
            Some((value - pruned.value) / (dense.value - pruned.value))
        })
        .collect();
    mean_of(&ratios)
}

/// dense - pruned, and half of the interval of that difference: both halves in quadrature.
pub fn apart(dense: Measure, pruned: Measure) -> (f64, f64) {
    let half = |measure: Measure| (measure.high - measure.low) / 2.0;
    (dense.value - pruned.value, half(dense).hypot(half(pruned)))
}

impl Recovery {
    /// Nothing fetched; answers that are on their way are of the project before.
    pub fn of_another_project(&self) -> Self {
        let shown = Shown {
            hidden: BTreeSet::new(),
            pair: None,
            arm: None,
            cursor: None,
            group: String::new(),
            ..self.shown.clone()
        };
        Self { shown, newest: self.newest + 1, ..Self::default() }
    }

    /// The place of the curves' metric; none for the training loss.
    pub fn metric(&self, view: &RecoveryView) -> Option<usize> {
        if self.shown.metric == TRAINING_LOSS {
            return None;
        }
        let place = view.metrics.iter().position(|info| info.metric == self.shown.metric);
        place.or((!view.metrics.is_empty()).then_some(0))
    }

    /// The metric of bars and costs: that of the curves, or the first one.
    pub fn measured<'a>(&self, view: &'a RecoveryView) -> Option<(usize, &'a MetricInfo)> {
        let place = self.metric(view).unwrap_or(0);
        view.metrics.get(place).map(|info| (place, info))
    }

    /// 0 for all items, from 1 on a group.
    pub fn group(&self, view: &RecoveryView) -> usize {
        view.groups.iter().position(|group| group.name == self.shown.group).map_or(0, |place| place + 1)
    }

    /// The arms that are compared: those chosen, else the first that is not random against the first that is.
    pub fn pair<'a>(&self, view: &'a RecoveryView) -> Option<(&'a ArmView, &'a ArmView)> {
        let find = |name: &str| view.arms.iter().find(|arm| arm.name == name);
        if let Some((first, second)) = &self.shown.pair
            && let (Some(first), Some(second)) = (find(first), find(second))
        {
            return Some((first, second));
        }
        let arms: Vec<&ArmView> = view.arms.iter().filter(|arm| arm.pilot.is_none()).collect();
        // Plain random before its controls, `random-length-matched` and the like.
        let is_plain = |arm: &ArmView| arm.what == "random" || arm.what.starts_with("random,") || arm.name == "random";
        let is_random = |arm: &ArmView| arm.what.starts_with("random") || arm.name.starts_with("random");
        let find = |wanted: &dyn Fn(&ArmView) -> bool| arms.iter().copied().find(|arm| wanted(arm));
        let second = find(&is_plain).or_else(|| find(&is_random)).or_else(|| arms.get(1).copied())?;
        let first = arms.iter().copied().find(|arm| arm.name != second.name)?;
        Some((first, second))
    }

    /// The arm that a cursor replays.
    pub fn replayed<'a>(&self, view: &'a RecoveryView) -> Option<&'a ArmView> {
        let chosen = self.shown.arm.as_ref().and_then(|name| view.arms.iter().find(|arm| arm.name == *name));
        chosen.or_else(|| self.pair(view).map(|pair| pair.0)).or_else(|| view.arms.first())
    }

    pub fn is_visible(&self, arm: &ArmView) -> bool {
        !self.shown.hidden.contains(&arm.name)
    }

    /// The arms whose bars stand in a group: the pair, or all visible ones but pilots.
    pub fn barred<'a>(&self, view: &'a RecoveryView) -> Vec<&'a ArmView> {
        let visible = |arm: &&ArmView| self.is_visible(arm) && arm.pilot.is_none();
        if self.shown.all_arms {
            return view.arms.iter().filter(visible).collect();
        }
        let pair = self.pair(view).map(|(first, second)| vec![first, second]);
        pair.unwrap_or_else(|| view.arms.iter().filter(visible).take(1).collect()).into_iter().filter(visible).collect()
    }

    /// Steps at which some visible arm was looked at.
    pub fn steps(&self) -> Vec<u32> {
        let Some(view) = &self.view else { return Vec::new() };
        let arms = view.arms.iter().filter(|arm| self.is_visible(arm));
        let steps: BTreeSet<u32> =
            arms.flat_map(averaged).flat_map(|run| run.points.iter().map(|point| point.step)).collect();
        steps.into_iter().collect()
    }

    /// What the replayed arm has left of the damage, at the cursor or at its end.
    pub fn damage_left(&self) -> Option<DamageLeft> {
        let view = self.view.as_ref()?;
        let metric = view.metrics.iter().position(|info| info.metric == DAMAGE_LEFT)?;
        let arm = self.replayed(view)?;
        let mut left = DamageLeft { arm: arm.name.clone(), step: 0, clusters: BTreeMap::new() };
        for (place, group) in (1..).zip(&view.groups) {
            let Some(cluster) = group.cluster else { continue };
            let means = means(arm, metric, place, Axis::Step);
            if let Some(mean) = mean_at(&means, self.shown.cursor.unwrap_or(u32::MAX)) {
                left.step = left.step.max(mean.step);
                left.clusters.insert(cluster, Left { nats: mean.mean, half: mean.half, items: group.items });
            }
        }
        (!left.clusters.is_empty()).then_some(left)
    }

    /// Runs that wait to be trained, stopped ones too.
    pub fn waiting_runs(view: &RecoveryView) -> usize {
        let runs = view.arms.iter().flat_map(|arm| &arm.runs);
        runs.filter(|run| matches!(run.state, ArmState::Waiting | ArmState::Stopped)).count()
    }

    /// Column keys that curves may want.
    pub fn columns(&self) -> BTreeSet<String> {
        let arms = self.view.iter().flat_map(|view| &view.arms);
        arms.flat_map(|arm| arm.runs.iter().filter_map(|run| run.losses.clone())).collect()
    }

    fn arrived(&mut self, view: RecoveryView) {
        self.waiting = false;
        self.problem = None;
        self.view = Some(Rc::new(view));
    }

    /// Look again at the next frame.
    pub fn stale(&mut self) {
        self.asked = None;
    }
}

impl AppState {
    /// The training losses of a run: those of now, or while these are on their way those before.
    pub(crate) fn losses(&mut self, arm: &str, run: &ArmRun) -> Option<Rc<Vec<f32>>> {
        let place = (arm.to_owned(), run.seed);
        if let Some(values) = run.losses.as_ref().and_then(|key| self.data.numbers(key)) {
            self.recovery.losses.insert(place, values.clone());
            return Some(values);
        }
        run.losses.as_ref().and_then(|_| self.recovery.losses.get(&place).cloned())
    }

    /// Is an arm in training?
    pub fn is_training(&self) -> bool {
        let job = self.project.as_ref().and_then(|project| project.job.as_ref());
        job.is_some_and(|job| job.stage == Stage::Recover)
    }

    /// Puts the cursor at a step, or takes it away. The map shows the damage left there, for as long as it is there.
    pub fn set_cursor(&mut self, cursor: Option<u32>) {
        self.recovery.shown.cursor = cursor;
        if cursor.is_some() {
            if self.colour != ColourBy::DamageLeft && self.recovery.damage_left().is_some() {
                self.recovery.colour_before = Some(std::mem::replace(&mut self.colour, ColourBy::DamageLeft));
            }
        } else if let Some(before) = self.recovery.colour_before.take()
            && self.colour == ColourBy::DamageLeft
        {
            self.colour = before;
        }
    }

    /// The cursor so many looks further.
    pub fn step_cursor(&mut self, by: i64) {
        let steps = self.recovery.steps();
        let Some(last) = steps.len().checked_sub(1) else { return };
        let here = match self.recovery.shown.cursor {
            Some(cursor) => steps.iter().rposition(|step| *step <= cursor).unwrap_or(0) as i64 + by,
            None if by > 0 => 0,
            None => last as i64,
        };
        let step = steps[here.clamp(0, last as i64) as usize];
        self.set_cursor(Some(step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(states: &[ArmState]) -> ArmView {
        let run = |state: &ArmState| {
            let points = vec![CurvePoint { step: 0, tokens: 0, response_tokens: 0, seconds: 0.0, values: vec![] }];
            serde_json::from_value::<ArmRun>(serde_json::json!({
                "seed": 1, "state": "done", "step": 0, "steps": 10, "skipped": 0, "samples": 1, "response_tokens": 1,
                "points": points, "losses": null,
            }))
            .map(|run| ArmRun { state: state.clone(), ..run })
            .expect("a run")
        };
        ArmView {
            name: "a".to_owned(),
            what: String::new(),
            colour: 0,
            plan: None,
            pilot: None,
            runs: states.iter().map(run).collect(),
            samples: 0,
            scoring_seconds: 0.0,
            training_seconds: 0.0,
            estimate_seconds: None,
            last: vec![],
            ratio: vec![],
        }
    }

    #[test]
    fn what_diverged_or_still_runs_is_in_no_average_of_finished_seeds() {
        let diverged = || ArmState::Diverged { why: "loss 40".to_owned() };
        assert_eq!(averaged(&arm(&[ArmState::Done, ArmState::Running, diverged(), ArmState::Done])).len(), 2);
        assert_eq!(averaged(&arm(&[ArmState::Running, ArmState::Stopped, diverged(), ArmState::Waiting])).len(), 2);
        assert!(averaged(&arm(&[diverged()])).is_empty());
    }

    #[test]
    fn dense_and_pruned_are_apart_by_more_than_their_intervals_together() {
        let measure = |value: f64, half: f64| Measure { value, low: value - half, high: value + half };
        let (difference, half) = apart(measure(1.4, 0.6), measure(1.0, 0.8));
        assert!((difference - 0.4).abs() < 1e-12 && (half - 1.0).abs() < 1e-12);
    }
}
