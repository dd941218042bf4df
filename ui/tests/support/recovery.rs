//! A made-up laboratory: five arms with plausible curves, references, pilots and verdicts, the same every time; and the
//! requests that change it.

use std::collections::BTreeMap;

use paser_protocol::{
    ArmData, ArmPlan, ArmRun, ArmState, ArmView, CurvePoint, Decay, DownloadView, Equal, EvaluationRow, ExportedView,
    Failure, Finding, GroupInfo, Measure, Method, MetricInfo, PilotRow, RecoverSettings, RecoveryView, Reply, Report,
    Request, VerdictRow, VerdictView, encode_f32,
};

use super::fixture::{KINDS, Random};

const STEPS: u32 = 240;
const LOOKS: u32 = 60;
const METRICS: [(&str, &str, &str, bool); 3] = [
    ("held-out-loss", "held-out loss", "nats per token", false),
    ("damage-left", "damage left", "nats", false),
    ("answer-match", "answer match", "share", true),
];
/// Clusters of the made-up pool, with their held-out items; one more group is of a file.
const GROUPS: [(u32, u64); 5] = [(6, 140), (8, 96), (5, 180), (0, 410), (1, 320)];
const FILE_GROUP: (&str, u64) = ("word problems", 250);

/// Dense and pruned over all items by metric.
const DENSE: [f64; 3] = [1.087, 0.0, 0.713];
const PRUNED: [f64; 3] = [1.412, 0.205, 0.402];

#[derive(Default)]
pub struct Lab {
    pub view: Option<RecoveryView>,
}

fn measure(value: f64, half: f64) -> Option<Measure> {
    Some(Measure { value, low: value - half, high: value + half })
}

pub fn settings() -> RecoverSettings {
    RecoverSettings {
        method: Method::Lora,
        rank: 8,
        alpha: 16.0,
        dropout: 0.05,
        last_layers: 3,
        learning_rate: 1e-4,
        weight_decay: 0.0,
        warmup: 24,
        decay: Decay::Linear,
        batch: 64,
        length: 256,
        clip: 1.0,
        equal: Equal::Steps,
        steps: STEPS,
        epochs: 2.0,
        response_tokens: 900_000,
        points: LOOKS,
        held_out: 2_000,
        items: vec!["word-problems.jsonl".to_owned()],
    }
}

/// How the groups differ from the whole, by metric: a factor of dense and of pruned. The last cluster lost nothing clear.
fn group_factor(place: usize) -> (f64, f64) {
    [(1.0, 1.0), (1.05, 1.12), (0.9, 0.94), (1.1, 1.08), (0.95, 0.93), (1.0, 0.77), (1.2, 1.25)][place]
}

fn references(of: [f64; 3], pruned: bool) -> Vec<Vec<Option<Measure>>> {
    let value = |metric: usize, place: usize| {
        let (dense, factor) = group_factor(place);
        let factor = match (pruned, metric) {
            (true, 2) => 1.0 / factor,
            (true, _) => factor,
            (false, 2) => 1.0 / dense,
            (false, _) => dense,
        };
        let wide = if place == 5 { 0.03 } else { 0.008 };
        measure(of[metric] * factor, wide * of[metric].max(0.1))
    };
    (0..3).map(|metric| (0..7).map(|place| value(metric, place)).collect()).collect()
}

pub fn empty() -> RecoveryView {
    let metrics = METRICS.map(|(metric, name, unit, higher_is_better)| MetricInfo {
        metric: metric.to_owned(),
        name: name.to_owned(),
        unit: unit.to_owned(),
        higher_is_better,
    });
    let mut groups: Vec<GroupInfo> = GROUPS
        .iter()
        .map(|(cluster, items)| GroupInfo {
            name: KINDS[*cluster as usize].name.to_owned(),
            items: *items,
            cluster: Some(*cluster),
        })
        .collect();
    groups.push(GroupInfo { name: FILE_GROUP.0.to_owned(), items: FILE_GROUP.1, cluster: None });
    RecoveryView {
        settings: settings(),
        blocked: None,
        metrics: metrics.to_vec(),
        groups,
        dense: references(DENSE, false),
        pruned: references(PRUNED, true),
        arms: vec![],
        revision: 1,
        pilots: vec![],
        evaluations: vec![],
        estimate_seconds: None,
        memory_bytes: None,
    }
}

pub fn blocked() -> RecoveryView {
    let what = "The project names no models, so that nothing can be trained.";
    let advice = "Name a dense and a pruned model in a new project.";
    RecoveryView { blocked: Some(Report::new(Failure::Unusable, what, advice)), ..empty() }
}

/// What an arm recovers in the end, and how fast; seeds differ by `spread`.
struct Kind {
    name: &'static str,
    what: &'static str,
    selection: &'static str,
    seeds: u64,
    samples: u64,
    share: f64,
    pace: f64,
    spread: f64,
    scoring: f64,
    /// Seconds a step.
    step: f64,
}

const ARMS: [Kind; 4] = [
    Kind {
        name: "paser 20 %",
        what: "paser, 20 %",
        selection: "paser 1",
        seeds: 5,
        samples: 600,
        share: 0.81,
        pace: 26.0,
        spread: 0.014,
        scoring: 38.0 * 60.0,
        step: 1.05,
    },
    Kind {
        name: "random",
        what: "random, 20 %, drawn anew for each seed",
        selection: "random 1",
        seeds: 5,
        samples: 600,
        share: 0.765,
        pace: 30.0,
        spread: 0.018,
        scoring: 0.0,
        step: 1.1,
    },
    Kind {
        name: "random, same length",
        what: "random-length, 20 %",
        selection: "random-length 1",
        seeds: 5,
        samples: 600,
        share: 0.78,
        pace: 29.0,
        spread: 0.02,
        scoring: 0.0,
        step: 1.05,
    },
    Kind {
        name: "full, equal steps",
        what: "full",
        selection: "full 1",
        seeds: 3,
        samples: 2_900,
        share: 0.787,
        pace: 31.0,
        spread: 0.03,
        scoring: 0.0,
        step: 1.1,
    },
];

fn run(kind: &Kind, at: usize, seed: u64, until: u32, steps: u32) -> ArmRun {
    let mut random = Random::new(1_000 * at as u64 + seed);
    let offset = kind.spread * (seed as f64 - (kind.seeds as f64 + 1.0) / 2.0);
    let mut noise = 0.0;
    let looks = LOOKS * until / steps;
    let mut shares = Vec::new();
    for look in 0..=looks {
        let step = f64::from(look * steps / LOOKS);
        noise = noise * 0.9 + (f64::from(random.unit()) - 0.5) * 0.012;
        let rise = 1.0 - 0.62 * (-step / kind.pace).exp() - 0.38 * (-step / (3.4 * kind.pace)).exp();
        let rise = rise / (1.0 - 0.38 * (-240.0 / (3.4 * kind.pace)).exp());
        shares.push((look * steps / LOOKS, (kind.share + offset) * rise + if look > 0 { noise } else { 0.0 }));
    }
    let (dense, pruned) = (references(DENSE, false), references(PRUNED, true));
    // paser heals the clusters that lost most first.
    let tilt = |place: usize| if kind.selection == "paser 1" && (1..=3).contains(&place) { 1.06 } else { 0.98 };
    let points = shares
        .iter()
        .map(|(step, share)| CurvePoint {
            step: *step,
            tokens: u64::from(*step) * 9_100,
            response_tokens: u64::from(*step) * 3_700,
            seconds: f64::from(*step) * kind.step,
            values: (0..3)
                .map(|metric| {
                    let value = |place: usize| {
                        let (d, p) = (dense[metric][place]?.value, pruned[metric][place]?.value);
                        let shift = if place == 5 { 0.2 } else { 1.0 };
                        Some(p + (d - p) * share * tilt(place) * shift)
                    };
                    (0..7).map(value).collect()
                })
                .collect(),
        })
        .collect();
    ArmRun {
        seed,
        state: if until == steps { ArmState::Done } else { ArmState::Running },
        step: until,
        steps,
        skipped: 0,
        samples: kind.samples,
        response_tokens: u64::from(until) * 3_700,
        points,
        losses: Some(format!("losses-{at}-{seed}")),
    }
}

fn mean_of(runs: &[ArmRun], metric: usize, place: usize) -> Option<Measure> {
    let done = runs.iter().filter(|run| run.state == ArmState::Done);
    let values: Vec<f64> = done.filter_map(|run| run.points.last()?.values[metric][place]).collect();
    let (mean, half) = ui::series::mean_of(&values)?;
    measure(mean, half.unwrap_or(0.0))
}

fn plan(kind: &Kind) -> ArmPlan {
    ArmPlan {
        name: kind.name.to_owned(),
        data: ArmData::Selection { name: kind.selection.to_owned() },
        seeds: (1..=kind.seeds).collect(),
        equal: None,
        learning_rate: None,
        steps: None,
    }
}

fn finished(kind: &Kind, at: usize) -> ArmView {
    let runs: Vec<ArmRun> = (1..=kind.seeds).map(|seed| run(kind, at, seed, STEPS, STEPS)).collect();
    let (dense, pruned) = (references(DENSE, false), references(PRUNED, true));
    let last: Vec<Vec<Option<Measure>>> =
        (0..3).map(|metric| (0..7).map(|place| mean_of(&runs, metric, place)).collect()).collect();
    let ratio = |metric: usize, place: usize| {
        let (d, p, last) = (dense[metric][place]?.value, pruned[metric][place]?.value, last[metric][place]?);
        let half = (last.high - last.low) / 2.0 / (d - p).abs() + 0.02;
        (place != 5).then(|| measure((last.value - p) / (d - p), half)).flatten()
    };
    let ratio = (0..3).map(|metric| (0..7).map(|place| ratio(metric, place)).collect()).collect();
    ArmView {
        name: kind.name.to_owned(),
        what: kind.what.to_owned(),
        colour: at as u32,
        plan: Some(plan(kind)),
        pilot: None,
        training_seconds: kind.step * f64::from(STEPS) * kind.seeds as f64,
        runs,
        samples: kind.samples,
        scoring_seconds: kind.scoring,
        estimate_seconds: None,
        last,
        ratio,
    }
}

/// Four finished arms and their pilots.
pub fn done() -> RecoveryView {
    let mut random = Random::new(9);
    let gain = |from: usize, on: usize, random: &mut Random| {
        let near = if from == on { 0.9 } else { 0.25 * f64::from(random.unit()) - 0.08 };
        measure(near * KINDS[on].damage, 0.02 + 0.03 * f64::from(random.unit()))
    };
    let pilots = (0..12)
        .map(|from| PilotRow {
            cluster: from as u32,
            gain: (0..12).map(|on| (on != 11).then(|| gain(from, on, &mut random)).flatten()).collect(),
        })
        .collect();
    let arms = ARMS.iter().enumerate().map(|(at, kind)| finished(kind, at)).collect();
    RecoveryView { arms, pilots, evaluations: evaluations(), revision: 7, ..empty() }
}

fn evaluations() -> Vec<EvaluationRow> {
    let row =
        |model: &str, (task, profile, metric): (&str, &str, &str), value: f64, half: f64, items: u64| EvaluationRow {
            model: model.to_owned(),
            task: task.to_owned(),
            profile: profile.to_owned(),
            metric: metric.to_owned(),
            value: Measure { value, low: value - half, high: value + half },
            items,
            foreign: model == "axolotl, paser",
        };
    let mut rows = Vec::new();
    for (task, items, values) in [
        (("wikitext2", "perplexity, 2,048 tokens", "perplexity"), 163, [12.19, 20.34, 14.02, 14.61]),
        (("ARC easy", "lm-eval-current", "acc_norm"), 2_376, [0.746, 0.639, 0.710, 0.688]),
        (("PIQA", "lm-eval-current", "acc_norm"), 1_838, [0.791, 0.724, 0.760, 0.757]),
    ] {
        for (model, value) in ["dense", "pruned", "paser 20 %, seed 1", "axolotl, paser"].into_iter().zip(values) {
            rows.push(row(model, task, value, value * 0.013, items));
        }
    }
    rows
}

/// The same, with one arm in training, a seed that diverged, and seeds that wait.
pub fn live() -> RecoveryView {
    let mut view = done();
    let kind = Kind { name: "full, equal epochs", seeds: 1, share: 0.84, ..ARMS[3] };
    let mut arm = finished(&kind, 4);
    arm.plan = Some(ArmPlan { equal: Some(Equal::Epochs), ..plan(&kind) });
    arm.runs = vec![run(&kind, 4, 1, 148, STEPS)];
    (arm.last, arm.ratio) = (vec![vec![None; 7]; 3], vec![vec![None; 7]; 3]);
    arm.training_seconds = 148.0 * 1.1;
    view.arms.push(arm);
    let random = &mut view.arms[1];
    let mut diverged = random.runs[4].clone();
    diverged.points.truncate(9);
    for point in &mut diverged.points {
        for values in &mut point.values {
            values.iter_mut().flatten().for_each(|value| *value *= 1.0 + f64::from(point.step) / 500.0);
        }
    }
    diverged.state = ArmState::Diverged { why: "the loss is 41.3 at step 36".to_owned() };
    random.runs[4] = diverged;
    view.revision = 9;
    view
}

/// One arm finished, one with a seed to come.
pub fn waiting() -> RecoveryView {
    let mut view = done();
    view.arms.truncate(2);
    for run in view.arms[1].runs.iter_mut().skip(3) {
        (run.state, run.step) = (ArmState::Waiting, 0);
        run.points.clear();
        run.losses = None;
    }
    view.estimate_seconds = Some((430.0, 640.0));
    view.memory_bytes = Some(3_200_000_000);
    view
}

impl Lab {
    /// The training losses of every run that is shown.
    pub fn columns(&self) -> BTreeMap<String, Vec<u8>> {
        let arms = self.view.iter().flat_map(|view| &view.arms);
        let mut columns = BTreeMap::new();
        for run in arms.flat_map(|arm| &arm.runs) {
            let mut random = Random::new(run.seed + 31 * run.losses.as_ref().map_or(0, |key| key.as_bytes()[7].into()));
            let loss = |step: u32| 1.1 + 0.5 * (-f64::from(step) / 60.0).exp();
            let losses: Vec<f32> = (1..=run.step).map(|step| loss(step) as f32 + (random.unit() - 0.5) * 0.3).collect();
            columns.extend(run.losses.clone().map(|key| (key, encode_f32(&losses))));
        }
        columns
    }

    /// The answer, where the request is one of recovery.
    pub fn answer(&mut self, request: &Request) -> Option<Result<Reply, Report>> {
        let view = self.view.get_or_insert_with(empty);
        Some(Ok(match request {
            Request::Recovery => Reply::Recovery(Box::new(view.clone())),
            Request::Verdict { first, second, metric } => match verdict(view, first, second, metric) {
                Some(verdict) => Reply::Verdict(Box::new(verdict)),
                None => {
                    let what = format!("{first} or {second} has no finished seed.");
                    return Some(Err(Report::new(Failure::Usage, what, "Train it first.")));
                }
            },
            Request::AddArms { arms } => {
                view.arms.extend(arms.iter().map(waiting_arm));
                view.revision += 1;
                view.estimate_seconds = Some((900.0, 1_300.0));
                view.memory_bytes = Some(3_200_000_000);
                Reply::Done
            }
            Request::RemoveArm { name } => {
                view.arms.retain(|arm| arm.name != *name);
                view.revision += 1;
                Reply::Done
            }
            Request::SetRecover { settings } => {
                view.settings = settings.clone();
                Reply::Done
            }
            Request::WriteArm { path, .. } | Request::RecoveryReport { path, .. } if path.is_empty() => {
                let download = Some(DownloadView { name: "recovery.html".into(), key: "download-0".into() });
                Reply::Exported(ExportedView { paths: vec![], samples: 0, download })
            }
            Request::WriteArm { path, .. } | Request::RecoveryReport { path, .. } | Request::HandOut { path, .. } => {
                Reply::Exported(ExportedView { paths: vec![path.clone()], samples: 0, download: None })
            }
            Request::Train { .. } | Request::TrainPilots | Request::SweepRates | Request::ReadRun { .. } => Reply::Done,
            _ => return None,
        }))
    }
}

fn waiting_arm(plan: &ArmPlan) -> ArmView {
    let selection = match &plan.data {
        ArmData::Selection { name } => name.clone(),
        ArmData::Cluster { cluster } => format!("cluster {cluster}"),
    };
    let run = |seed: &u64| ArmRun {
        seed: *seed,
        state: ArmState::Waiting,
        step: 0,
        steps: plan.steps.unwrap_or(STEPS),
        skipped: 0,
        samples: 600,
        response_tokens: 0,
        points: vec![],
        losses: None,
    };
    ArmView {
        name: plan.name.clone(),
        what: selection,
        colour: 0,
        plan: Some(plan.clone()),
        pilot: None,
        runs: plan.seeds.iter().map(run).collect(),
        samples: 600,
        scoring_seconds: 0.0,
        training_seconds: 0.0,
        estimate_seconds: Some(300.0),
        last: vec![vec![None; 7]; 3],
        ratio: vec![vec![None; 7]; 3],
    }
}

fn verdict(view: &RecoveryView, first: &str, second: &str, metric: &str) -> Option<VerdictView> {
    let find = |name: &str| view.arms.iter().find(|arm| arm.name == name);
    let (one, two) = (find(first)?, find(second)?);
    let place = view.metrics.iter().position(|info| info.metric == metric)?;
    let info = view.metrics[place].clone();
    let names =
        std::iter::once(("all items".to_owned(), 1_396)).chain(view.groups.iter().map(|g| (g.name.clone(), g.items)));
    let mut rows = Vec::new();
    for (at, (task, items)) in names.enumerate() {
        let (a, b) = (mean_of(&one.runs, place, at)?, mean_of(&two.runs, place, at)?);
        let half = ((a.high - a.low) / 2.0).hypot((b.high - b.low) / 2.0) * (1.0 + 0.1 * at as f64);
        let difference = measure(a.value - b.value, half)?;
        let better = if info.higher_is_better { difference.value } else { -difference.value };
        let sure = better.abs() > half;
        rows.push(VerdictRow {
            task,
            items,
            first: a.value,
            second: b.value,
            difference,
            least_gap: half * 1.43,
            p: if sure { 0.004 } else { 0.41 },
            mcnemar: info.higher_is_better.then_some(0.03),
            finding: match (sure, better > 0.0) {
                (false, _) => Finding::CannotTell,
                (true, true) => Finding::First,
                (true, false) => Finding::Second,
            },
        });
    }
    let wins = rows.iter().filter(|row| row.finding == Finding::First).count();
    let rest = rows.iter().filter(|row| row.finding == Finding::CannotTell).count();
    let seeds = |arm: &ArmView| arm.runs.iter().filter(|run| run.state == ArmState::Done).count() as u32;
    Some(VerdictView {
        first: first.to_owned(),
        second: second.to_owned(),
        metric: info,
        seeds: (seeds(one), seeds(two)),
        sentence: format!(
            "{wins} of {} tasks: {first} is better. On the other {rest} the difference is smaller than this test can see.",
            rows.len()
        ),
        rows,
        notes: vec![],
    })
}
