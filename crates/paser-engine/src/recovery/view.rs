//! The recovery as a face sees it: arms with their curves, what they cost, and how much came back.

use std::sync::Arc;

use paser_eval::stats::{Pairing, compare, over_seeds, ratio};
use paser_protocol::{
    ArmData, ArmPlan, ArmRun, ArmState, ArmView, CurvePoint, Finding, Measure, MetricInfo, PilotRow, RecoveryView,
    SelectionView, Stage, Strategy, VerdictRow, VerdictView,
};

use super::{
    Known,
    groups::{Groups, Metric, floats, marks},
};
use crate::{
    session::{Loaded, Session, lock},
    stages::recover::{Reference, RunFacts},
    trouble::{Outcome, usage},
};

/// Key of the column of a run's training losses.
pub(crate) const LOSSES: &str = "losses:";
/// Of pairings over all items.
const ALL_ITEMS: &str = "all items";

/// Values by seed, then by item.
type BySeed = Vec<Vec<f64>>;

/// Values of a look by item.
fn look_values(facts: &RunFacts, metric: Metric, look: usize) -> Vec<f64> {
    match metric {
        Metric::Loss => floats(&facts.loss[look]),
        Metric::Damage => floats(&facts.jsd[look]),
        Metric::Answers => marks(&facts.answered[look]),
    }
}

/// What is needed of the project for one view.
struct Seen {
    reference: Option<Arc<Reference>>,
    groups: Option<Groups>,
    loaded: Loaded,
}

impl Session {
    /// Arms, curves, references, costs.
    pub fn recovery_view(&self) -> Outcome<RecoveryView> {
        let recipe = self.recipe();
        let recipe = &recipe.recipe;
        let seen = self.seen();
        let state = lock(&self.recovery);
        let (runs, waiting, training) = (state.runs.clone(), state.waiting.clone(), state.training.clone());
        drop(state);
        let selections = self.selection_views()?;
        let at_work = lock(&self.job).as_ref().is_some_and(|job| job.stage == Stage::Recover);
        let mut arms = Vec::new();
        for (place, plan) in recipe.arms.iter().enumerate() {
            let each = plan.seeds.iter().map(|&seed| {
                let place = (plan.name.clone(), seed);
                let known = runs.get(&place);
                let state = match known {
                    Some(Known { facts, key: Some(_) }) => match &facts.diverged {
                        Some(why) => ArmState::Diverged { why: why.clone() },
                        None => ArmState::Done,
                    },
                    _ if at_work && training.as_ref() == Some(&place) => ArmState::Running,
                    Some(Known { key: None, .. }) if !(at_work && waiting.contains(&place)) => ArmState::Stopped,
                    _ => ArmState::Waiting,
                };
                self.seed_view(&seen, seed, state, known)
            });
            let each: Vec<ArmRun> = each.collect();
            let finished: Vec<&RunFacts> = finished(&runs, plan).collect();
            arms.push(self.arm_view(&seen, plan, place as u32, each, &finished, &selections));
        }
        let by_metric = |of: fn(Metric, &Reference) -> Vec<f64>| -> Vec<Vec<Option<Measure>>> {
            let (Some(reference), Some(groups)) = (&seen.reference, &seen.groups) else { return Vec::new() };
            Metric::ALL.iter().map(|&metric| groups.measures(&of(metric, reference), metric)).collect()
        };
        let estimates: Vec<f64> = arms.iter().filter_map(|arm| arm.estimate_seconds).collect();
        arms.extend(self.foreign_arms(recipe.arms.len() as u32));
        let pilots = self.pilots(&seen, &recipe.arms, &runs);
        Ok(RecoveryView {
            settings: recipe.recover.clone(),
            blocked: self.what_blocks_recovery(),
            metrics: Metric::ALL.iter().map(|metric| metric.info()).collect(),
            groups: seen.groups.as_ref().map_or_else(Vec::new, |groups| groups.infos.clone()),
            dense: by_metric(Metric::dense),
            pruned: by_metric(Metric::pruned),
            arms,
            revision: self.revision(),
            pilots,
            evaluations: Vec::new(),
            estimate_seconds: (!estimates.is_empty()).then(|| {
                let sum: f64 = estimates.iter().sum();
                (0.7 * sum, 1.6 * sum)
            }),
            memory_bytes: None,
        })
    }

    fn seen(&self) -> Seen {
        let loaded = self.loaded();
        let reference = lock(&self.recovery).reference.clone();
        let groups = reference.as_ref().map(|reference| Groups::of(reference, &loaded));
        Seen { reference, groups, loaded }
    }

    /// What keeps arms from being trained.
    fn what_blocks_recovery(&self) -> Option<paser_protocol::Report> {
        let recipe = self.recipe();
        let recipe = &recipe.recipe;
        let loaded = self.loaded();
        let Some(samples) = &loaded.samples else {
            return Some(usage("The pool is not imported yet.", "Run the project first."));
        };
        if recipe.models.dense.is_empty() || (recipe.models.pruned.is_empty() && recipe.prune.method == "none") {
            return Some(usage("There is no pruned model to recover.", "Name a dense and a pruned model."));
        }
        let held_out = recipe.recover.held_out > 0 && samples.held_out.iter().any(|held| *held);
        if !held_out && recipe.recover.items.is_empty() {
            return Some(usage(
                "There is nothing to measure arms on.",
                "Set pool.holdout in the recipe (0.05 keeps every twentieth sample out of all selections), or name files of items in the settings of the recovery.",
            ));
        }
        None
    }

    fn seed_view(&self, seen: &Seen, seed: u64, state: ArmState, known: Option<&Known>) -> ArmRun {
        let Some(known) = known else {
            let steps = 0;
            return ArmRun {
                seed,
                state,
                step: 0,
                steps,
                skipped: 0,
                samples: 0,
                response_tokens: 0,
                points: Vec::new(),
                losses: None,
            };
        };
        let facts = &known.facts;
        ArmRun {
            seed,
            state,
            step: facts.step,
            steps: facts.order.steps,
            skipped: facts.skipped,
            samples: facts.order.samples,
            response_tokens: facts.order.response_tokens,
            points: points(seen, facts),
            losses: (!facts.losses.is_empty())
                .then(|| format!("{LOSSES}{}:{seed}:{}", facts.losses.len(), facts.order.arm)),
        }
    }

    fn arm_view(
        &self,
        seen: &Seen,
        plan: &ArmPlan,
        colour: u32,
        runs: Vec<ArmRun>,
        finished: &[&RunFacts],
        selections: &[SelectionView],
    ) -> ArmView {
        let selection = match &plan.data {
            ArmData::Selection { name } => {
                selections.iter().find(|selection| selection.name.as_deref() == Some(name.as_str()))
            }
            ArmData::Cluster { .. } => None,
        };
        let what = match (&plan.data, selection) {
            (ArmData::Selection { .. }, Some(selection)) => {
                format!("{}, {}", selection.plan.strategy.name(), selection.plan.budget)
            }
            (ArmData::Selection { name }, None) => format!("selection {name}, which is not there"),
            (ArmData::Cluster { cluster }, _) => {
                let name = seen.loaded.names().and_then(|names| names.get(*cluster as usize)).cloned();
                format!("cluster {}", name.unwrap_or_else(|| cluster.to_string()))
            }
        };
        let (mut last, mut back) = (Vec::new(), Vec::new());
        if let (Some(reference), Some(groups)) = (&seen.reference, &seen.groups) {
            for metric in Metric::ALL {
                let by_seed = last_values(finished, metric);
                last.push(over_runs(groups, &by_seed));
                back.push(ratios(groups, reference, metric, &by_seed));
            }
        }
        let training_seconds =
            runs.iter().filter_map(|run| run.points.last()).fold(0.0, |sum, point| sum + point.seconds);
        let done: Vec<f64> = runs
            .iter()
            .filter(|run| run.state == ArmState::Done)
            .filter_map(|run| run.points.last())
            .map(|point| point.seconds)
            .collect();
        let missing =
            runs.iter().filter(|run| matches!(run.state, ArmState::Waiting | ArmState::Stopped | ArmState::Running));
        let each = (!done.is_empty()).then(|| done.iter().sum::<f64>() / done.len() as f64);
        ArmView {
            name: plan.name.clone(),
            what,
            colour,
            plan: Some(plan.clone()),
            pilot: match &plan.data {
                ArmData::Cluster { cluster } => Some(*cluster),
                ArmData::Selection { .. } => None,
            },
            samples: runs
                .iter()
                .map(|run| run.samples)
                .find(|samples| *samples > 0)
                .or(selection.map(|s| s.selected))
                .unwrap_or(0),
            scoring_seconds: selection.map_or(0.0, |selection| self.scoring_seconds(selection.plan.strategy)),
            training_seconds,
            estimate_seconds: each.map(|each| each * missing.count() as f64).filter(|seconds| *seconds > 0.0),
            runs,
            last,
            ratio: back,
        }
    }

    /// What a strategy's selections had to be paid for before training: once for each pair of models and pool.
    fn scoring_seconds(&self, strategy: Strategy) -> f64 {
        let stages: &[Stage] = match strategy {
            // The control with the lengths of another one is drawn from that one's lengths.
            Strategy::Full
            | Strategy::Random
            | Strategy::RandomLengthMatched
            | Strategy::Longest
            | Strategy::Manual => &[],
            Strategy::Kcenter => &[Stage::Embed],
            Strategy::JsdTop | Strategy::PerplexityMid | Strategy::PerplexityTop => &[Stage::Score],
            _ => &[Stage::Embed, Stage::Manifold, Stage::Score],
        };
        let catalogue = lock(&self.catalogue);
        let records = stages.iter().filter_map(|stage| catalogue.stage(stage.name()).ok().flatten());
        // Not `sum`: of nothing that is -0.
        records.fold(0.0, |sum, record| sum + record.seconds)
    }

    /// The training losses of a run by its column key.
    pub(crate) fn losses_column(&self, key: &str) -> Option<Vec<f32>> {
        let (_, rest) = key.strip_prefix(LOSSES)?.split_once(':')?;
        let (seed, arm) = rest.split_once(':')?;
        let place = (arm.to_owned(), seed.parse().ok()?);
        lock(&self.recovery).runs.get(&place).map(|known| known.facts.losses.clone())
    }

    /// What each pilot did to every cluster: held-out loss gained per thousand response tokens.
    fn pilots(
        &self,
        seen: &Seen,
        arms: &[ArmPlan],
        runs: &std::collections::BTreeMap<(String, u64), Known>,
    ) -> Vec<PilotRow> {
        let (Some(reference), Some(groups)) = (&seen.reference, &seen.groups) else { return Vec::new() };
        let count = seen.loaded.clusters().map_or(0, |clusters| clusters.count());
        let before = groups.parts(&Metric::Loss.pruned(reference));
        let rows = arms.iter().filter_map(|arm| {
            let ArmData::Cluster { cluster } = arm.data else { return None };
            let facts: Vec<&RunFacts> = finished(runs, arm).collect();
            let mut gain = vec![None; count];
            for run in facts.iter().take(1) {
                let look = run.looks.len().checked_sub(1)?;
                let thousands = run.looks[look].response_tokens as f64 / 1000.0;
                let after = groups.parts(&look_values(run, Metric::Loss, look));
                for (at, info) in groups.infos.iter().enumerate() {
                    let Some(place) = info.cluster else { continue };
                    // Both models saw the same items.
                    let gains: Vec<f64> =
                        before[at + 1].iter().zip(&after[at + 1]).map(|(b, a)| (b - a) / thousands.max(1e-9)).collect();
                    gain[place as usize] = over_seeds(&gains);
                }
            }
            (!facts.is_empty()).then_some(PilotRow { cluster, gain })
        });
        rows.collect()
    }

    /// Two arms side by side.
    ///
    /// # Errors
    /// An arm or metric that is not there; an arm without a finished seed.
    pub fn verdict(&self, first: &str, second: &str, metric: &str) -> Outcome<VerdictView> {
        let Some(known) = Metric::named(metric) else {
            let names: Vec<String> = Metric::ALL.iter().map(|metric| metric.info().metric).collect();
            return Err(usage(format!("There is no metric {metric}."), format!("There are {}.", names.join(", "))));
        };
        let recipe = self.recipe();
        let seen = self.seen();
        let (Some(reference), Some(groups)) = (&seen.reference, &seen.groups) else {
            return Err(usage(
                "Nothing is measured yet.",
                "Train arms first: `paser recover`, or Train in the window.",
            ));
        };
        let runs = lock(&self.recovery).runs.clone();
        let mut notes = Vec::new();
        let mut values = Vec::new();
        for name in [first, second] {
            let Some(arm) = recipe.recipe.arms.iter().find(|arm| arm.name == name) else {
                let names: Vec<&str> = recipe.recipe.arms.iter().map(|arm| arm.name.as_str()).collect();
                return Err(usage(
                    format!("There is no arm named {name}."),
                    format!("There are: {}.", names.join(", ")),
                ));
            };
            let done: Vec<&RunFacts> = finished(&runs, arm).collect();
            if done.is_empty() {
                return Err(usage(format!("No seed of the arm {name} is trained to its end."), "Train it first."));
            }
            let diverged = runs.iter().filter(|((of, _), known)| of == name && known.facts.diverged.is_some()).count();
            if diverged > 0 {
                notes.push(format!("{diverged} of the seeds of {name} diverged and are in no number here"));
            }
            if done.len() == 1 {
                notes.push(format!("{name} has one seed: how much its numbers vary from seed to seed is not known"));
            }
            values.push(last_values(&done, known));
        }
        if reference.left_out > 0 {
            notes.push(format!("{} items have no room for an answer and are left out", reference.left_out));
        }
        let seeds = (values[0].len() as u32, values[1].len() as u32);
        Ok(self.verdict_of((first, second), known.info(), groups, known, &values, seeds, notes))
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a verdict tells")]
    fn verdict_of(
        &self,
        (first, second): (&str, &str),
        metric: MetricInfo,
        groups: &Groups,
        known: Metric,
        values: &[Vec<Vec<f64>>],
        seeds: (u32, u32),
        notes: Vec<String>,
    ) -> VerdictView {
        let parts = |runs: &[Vec<f64>]| -> Vec<Vec<Vec<f64>>> { runs.iter().map(|run| groups.parts(run)).collect() };
        let (left, right) = (parts(&values[0]), parts(&values[1]));
        let of = |parts: &[Vec<Vec<f64>>], group: usize| -> Vec<Vec<f64>> {
            parts.iter().map(|run| run[group].clone()).collect()
        };
        let names: Vec<String> =
            std::iter::once(ALL_ITEMS.to_owned()).chain(groups.infos.iter().map(|info| info.name.clone())).collect();
        let pairs: Vec<(BySeed, BySeed)> =
            (0..names.len()).map(|group| (of(&left, group), of(&right, group))).collect();
        let pairings: Vec<Pairing<'_>> = pairs
            .iter()
            .map(|(first, second)| Pairing {
                first,
                second,
                higher_is_better: metric.higher_is_better,
                answers: known == Metric::Answers,
            })
            .collect();
        let rows: Vec<VerdictRow> = names
            .iter()
            .zip(compare(&pairings))
            .filter_map(|(task, found)| {
                let found = found?;
                Some(VerdictRow {
                    task: task.clone(),
                    items: found.items,
                    first: found.first,
                    second: found.second,
                    difference: found.difference,
                    least_gap: found.least_gap,
                    p: found.p_holm,
                    mcnemar: found.mcnemar,
                    finding: found.finding,
                })
            })
            .collect();
        let sentence = sentence(first, second, &rows);
        VerdictView { first: first.to_owned(), second: second.to_owned(), metric, seeds, rows, sentence, notes }
    }
}

/// The finished runs of an arm by its seeds, none that diverged.
fn finished<'r>(
    runs: &'r std::collections::BTreeMap<(String, u64), Known>,
    arm: &'r ArmPlan,
) -> impl Iterator<Item = &'r RunFacts> {
    let of = move |seed: &u64| runs.get(&(arm.name.clone(), *seed));
    arm.seeds
        .iter()
        .filter_map(of)
        .filter(|known| known.key.is_some())
        .map(|known| &*known.facts)
        .filter(|facts| facts.diverged.is_none() && !facts.looks.is_empty())
}

/// Values at the last look, by seed, then by item.
fn last_values(finished: &[&RunFacts], metric: Metric) -> Vec<Vec<f64>> {
    finished.iter().map(|facts| look_values(facts, metric, facts.looks.len() - 1)).collect()
}

/// Means over seeds: over all items, then by group.
fn over_runs(groups: &Groups, by_seed: &[Vec<f64>]) -> Vec<Option<Measure>> {
    let means: Vec<Vec<Option<f64>>> = by_seed.iter().map(|values| groups.means(values)).collect();
    (0..=groups.infos.len())
        .map(|group| {
            let seeds: Vec<f64> = means.iter().filter_map(|run| run[group]).collect();
            over_seeds(&seeds).map(finite)
        })
        .collect()
}

/// Of one seed there is no interval: it is its value.
fn finite(measure: Measure) -> Measure {
    let within = |bound: f64| if bound.is_finite() { bound } else { measure.value };
    Measure { low: within(measure.low), high: within(measure.high), ..measure }
}

fn ratios(groups: &Groups, reference: &Reference, metric: Metric, by_seed: &[Vec<f64>]) -> Vec<Option<Measure>> {
    let (pruned, dense) = (groups.parts(&metric.pruned(reference)), groups.parts(&metric.dense(reference)));
    let runs: Vec<Vec<Vec<f64>>> = by_seed.iter().map(|values| groups.parts(values)).collect();
    (0..pruned.len())
        .map(|group| {
            let of: Vec<Vec<f64>> = runs.iter().map(|run| run[group].clone()).collect();
            ratio(&of, &pruned[group], &dense[group], metric.info().higher_is_better).0
        })
        .collect()
}

fn points(seen: &Seen, facts: &RunFacts) -> Vec<CurvePoint> {
    let (Some(reference), Some(groups)) = (&seen.reference, &seen.groups) else { return Vec::new() };
    let start = CurvePoint {
        step: 0,
        tokens: 0,
        response_tokens: 0,
        seconds: 0.0,
        values: Metric::ALL.iter().map(|metric| groups.means(&metric.pruned(reference))).collect(),
    };
    let fits = |values: &Vec<f32>| values.len() == groups.all;
    let looks = facts.looks.iter().enumerate().filter(|(at, _)| fits(&facts.loss[*at])).map(|(at, look)| CurvePoint {
        step: look.step,
        tokens: look.tokens,
        response_tokens: look.response_tokens,
        seconds: look.seconds,
        values: Metric::ALL.iter().map(|&metric| groups.means(&look_values(facts, metric, at))).collect(),
    });
    std::iter::once(start).chain(looks).collect()
}

/// `2 of 7 groups: paser is better. On the other 5 the difference is smaller than this test can see.`
fn sentence(first: &str, second: &str, rows: &[VerdictRow]) -> String {
    let groups: Vec<&VerdictRow> = rows.iter().filter(|row| row.task != ALL_ITEMS).collect();
    let count = |finding: Finding| groups.iter().filter(|row| row.finding == finding).count();
    let all = groups.len();
    let (better, worse, open) = (count(Finding::First), count(Finding::Second), count(Finding::CannotTell));
    let overall = match rows.iter().find(|row| row.task == ALL_ITEMS).map(|row| row.finding) {
        Some(Finding::First) => format!("Over all items {first} is better."),
        Some(Finding::Second) => format!("Over all items {second} is better."),
        _ => format!(
            "Over all items nobody can tell {first} from {second}: the difference is smaller than this test can see."
        ),
    };
    if all == 0 {
        return overall;
    }
    let mut told = Vec::new();
    for (name, wins) in [(first, better), (second, worse)] {
        if wins > 0 {
            told.push(format!("on {wins} of {all} groups {name} is better"));
        }
    }
    if told.is_empty() {
        return format!("{overall} The same holds on each of {all} groups.")
            .replace("The same holds on each of 1 groups.", "The same holds on the one group.");
    }
    let rest = if open > 0 {
        format!("; on the other {open} the difference is smaller than this test can see")
    } else {
        String::new()
    };
    let told = told.join(", ");
    let capital = told[..1].to_uppercase() + &told[1..];
    format!("{overall} {capital}{rest}.")
}
