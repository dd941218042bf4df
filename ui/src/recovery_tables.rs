//! The views of Recover as tables: curves point by point, outcomes by group, arms with their cost, and the verdict; and the
//! verdict's table for a text.

use paser_protocol::{ArmState, Finding, Measure, RecoveryView, VerdictView};

use crate::{
    figures::Table,
    format,
    picture::View,
    recovery::{Axis, Outcome, means},
    state::AppState,
    views::recover::{arms_in_order, style, word},
};

fn plain(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default()
}

fn ends(measure: Option<Measure>) -> [String; 3] {
    [
        plain(measure.map(|measure| measure.value)),
        plain(measure.map(|measure| measure.low)),
        plain(measure.map(|measure| measure.high)),
    ]
}

impl AppState {
    /// The numbers of a view of Recover; none where nothing has arrived, or it is a view of another work place.
    pub(crate) fn recovery_table(&self, view: View) -> Option<Table> {
        let recovery = self.recovery.view.as_ref()?;
        Some(match view {
            View::RecoveryCurves => self.curve_points(recovery),
            View::Outcome => match self.recovery.shown.outcome {
                Outcome::Pilots => pilots(self, recovery),
                Outcome::Evaluations => evaluations(recovery),
                Outcome::Time => self.paid_means(recovery),
                Outcome::Ratio | Outcome::Bars | Outcome::Cost => self.outcomes(recovery),
            },
            View::Arms => self.arms_table(recovery),
            View::Verdict => verdict_table(self.recovery.verdict.as_ref()?),
            _ => return None,
        })
    }

    /// What is shown, for a caption.
    pub(crate) fn recovery_words(&self, view: View) -> Vec<String> {
        let Some(recovery) = &self.recovery.view else { return Vec::new() };
        let metric = self.recovery.measured(recovery).map(|(_, info)| style::named(info));
        let group = recovery.groups.get(self.recovery.group(recovery).wrapping_sub(1)).map(|group| group.name.clone());
        let of = |words: Option<String>| words.into_iter();
        match view {
            View::RecoveryCurves => {
                let title =
                    if self.recovery.metric(recovery).is_none() { Some("training loss".to_owned()) } else { metric };
                let smooth = (self.recovery.shown.smoothing > 0.0)
                    .then(|| format!("smoothed by {}", format::decimal(f64::from(self.recovery.shown.smoothing), 2)));
                of(title)
                    .chain(group)
                    .chain(of(Some("bands: 95 % intervals over seeds".to_owned())))
                    .chain(smooth)
                    .collect()
            }
            View::Outcome => {
                let what = self.recovery.shown.outcome.name().to_owned();
                let step = self.recovery.shown.cursor.map(|step| format!("at step {}", format::count(u64::from(step))));
                of(Some(what)).chain(metric).chain(step).collect()
            }
            View::Verdict => {
                let verdict = self.recovery.verdict.as_ref();
                of(verdict.map(|verdict| {
                    format!("{} against {}, {}", verdict.first, verdict.second, style::named(&verdict.metric))
                }))
                .collect()
            }
            View::Arms => of(metric).collect(),
            _ => Vec::new(),
        }
    }

    /// Seeds behind the arms, for a caption.
    pub(crate) fn recovery_n(&self) -> String {
        let arms = self.recovery.view.iter().flat_map(|view| &view.arms);
        let arms = arms.filter(|arm| arm.pilot.is_none() && self.recovery.is_visible(arm));
        let seeds: Vec<String> = arms.map(|arm| format!("{} {}", arm.name, style::seeds(arm))).collect();
        format!("n seeds: {}", seeds.join(", "))
    }

    /// A row for each arm, seed, look, metric and group.
    fn curve_points(&self, view: &RecoveryView) -> Table {
        let mut table = Table::new(&[
            "arm",
            "seed",
            "state",
            "step",
            "tokens",
            "response_tokens",
            "seconds",
            "metric",
            "group",
            "value",
        ]);
        for arm in view.arms.iter().filter(|arm| arm.pilot.is_none() && self.recovery.is_visible(arm)) {
            for run in &arm.runs {
                let state = match run.state {
                    ArmState::Waiting => "waiting",
                    ArmState::Running => "running",
                    ArmState::Stopped => "stopped",
                    ArmState::Done => "done",
                    ArmState::Diverged { .. } => "diverged",
                    ArmState::Failed { .. } => "failed",
                };
                for point in &run.points {
                    for (info, values) in view.metrics.iter().zip(&point.values) {
                        for (place, value) in values.iter().enumerate().filter(|(_, value)| value.is_some()) {
                            table.rows.push(vec![
                                arm.name.clone(),
                                run.seed.to_string(),
                                state.to_owned(),
                                point.step.to_string(),
                                point.tokens.to_string(),
                                point.response_tokens.to_string(),
                                plain(Some(point.seconds)),
                                info.metric.clone(),
                                group_name(view, place),
                                plain(*value),
                            ]);
                        }
                    }
                }
            }
        }
        table
    }

    /// A row for each arm and group: last value, ratio, and what it cost.
    fn outcomes(&self, view: &RecoveryView) -> Table {
        let mut table = Table::new(&[
            "arm",
            "seeds",
            "metric",
            "group",
            "items",
            "value",
            "low_95",
            "high_95",
            "ratio",
            "ratio_low_95",
            "ratio_high_95",
            "dense",
            "pruned",
            "scoring_seconds",
            "training_seconds",
        ]);
        let Some((metric, info)) = self.recovery.measured(view) else { return table };
        let of = |all: &[Vec<Option<Measure>>], place: usize| all.get(metric)?.get(place).copied().flatten();
        for arm in view.arms.iter().filter(|arm| arm.pilot.is_none()) {
            for place in 0..=view.groups.len() {
                let items: u64 = match place.checked_sub(1) {
                    Some(group) => view.groups[group].items,
                    None => view.groups.iter().map(|group| group.items).sum(),
                };
                let mut row = vec![
                    arm.name.clone(),
                    style::seeds(arm),
                    info.metric.clone(),
                    group_name(view, place),
                    items.to_string(),
                ];
                row.extend(ends(of(&arm.last, place)));
                row.extend(ends(of(&arm.ratio, place)));
                row.push(plain(of(&view.dense, place).map(|found| found.value)));
                row.push(plain(of(&view.pruned, place).map(|found| found.value)));
                row.push(plain(Some(arm.scoring_seconds)));
                row.push(plain(Some(arm.training_seconds)));
                table.rows.push(row);
            }
        }
        table
    }

    /// Means against the time paid, scoring counted in.
    fn paid_means(&self, view: &RecoveryView) -> Table {
        let mut table = Table::new(&["arm", "step", "seconds_paid", "metric", "group", "mean", "half_of_95"]);
        let Some((metric, info)) = self.recovery.measured(view) else { return table };
        let group = self.recovery.group(view);
        for arm in view.arms.iter().filter(|arm| arm.pilot.is_none() && self.recovery.is_visible(arm)) {
            for mean in means(arm, metric, group, Axis::Time) {
                table.rows.push(vec![
                    arm.name.clone(),
                    mean.step.to_string(),
                    plain(Some(arm.scoring_seconds + mean.x)),
                    info.metric.clone(),
                    group_name(view, group),
                    plain(Some(mean.mean)),
                    plain(mean.half),
                ]);
            }
        }
        table
    }

    fn arms_table(&self, view: &RecoveryView) -> Table {
        let mut table = Table::new(&[
            "arm",
            "trained_on",
            "seeds",
            "samples",
            "scoring_seconds",
            "training_seconds",
            "total_seconds",
            "metric",
            "value",
            "low_95",
            "high_95",
        ]);
        let measured = self.recovery.measured(view);
        for arm in arms_in_order(self, view) {
            let last = measured.and_then(|(metric, _)| arm.last.get(metric)?.first().copied().flatten());
            let mut row = vec![
                arm.name.clone(),
                arm.what.clone(),
                style::seeds(arm),
                arm.samples.to_string(),
                plain(Some(arm.scoring_seconds)),
                plain(Some(arm.training_seconds)),
                plain(Some(arm.scoring_seconds + arm.training_seconds)),
                measured.map_or_else(String::new, |(_, info)| info.metric.clone()),
            ];
            row.extend(ends(last));
            table.rows.push(row);
        }
        table
    }
}

/// `all` for place 0.
fn group_name(view: &RecoveryView, place: usize) -> String {
    let group = place.checked_sub(1).and_then(|group| view.groups.get(group));
    group.map_or_else(|| "all".to_owned(), |group| group.name.clone())
}

/// Long form: a row for each pilot and cluster.
fn pilots(state: &AppState, view: &RecoveryView) -> Table {
    let mut table = Table::new(&["trained_on", "on", "gain_nats_per_1000_response_tokens", "low_95", "high_95"]);
    let name = |id: u32| state.cluster(id).map_or_else(|| id.to_string(), |cluster| cluster.name.clone());
    for row in &view.pilots {
        for (cluster, gain) in state.clusters().iter().zip(&row.gain) {
            let mut cells = vec![name(row.cluster), name(cluster.cluster)];
            cells.extend(ends(*gain));
            table.rows.push(cells);
        }
    }
    table
}

/// A row for each model and task.
fn evaluations(view: &RecoveryView) -> Table {
    let mut table = Table::new(&[
        "model",
        "task",
        "profile",
        "metric",
        "value",
        "low_95",
        "high_95",
        "items",
        "read_from_elsewhere",
    ]);
    for row in &view.evaluations {
        let mut cells = vec![row.model.clone(), row.task.clone(), row.profile.clone(), row.metric.clone()];
        cells.extend(ends(Some(row.value)));
        cells.extend([row.items.to_string(), row.foreign.to_string()]);
        table.rows.push(cells);
    }
    table
}

fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::First => "first",
        Finding::Second => "second",
        Finding::CannotTell => "cannot tell",
    }
}

fn verdict_table(verdict: &VerdictView) -> Table {
    let mut table = Table::new(&[
        "task",
        "items",
        "first",
        "second",
        "first_value",
        "second_value",
        "difference",
        "low_95",
        "high_95",
        "least_gap",
        "p_holm",
        "p_mcnemar",
        "finding",
        "metric",
    ]);
    for row in &verdict.rows {
        let mut cells = vec![
            row.task.clone(),
            row.items.to_string(),
            verdict.first.clone(),
            verdict.second.clone(),
            plain(Some(row.first)),
            plain(Some(row.second)),
        ];
        cells.extend(ends(Some(row.difference)));
        cells.extend([plain(Some(row.least_gap)), plain(Some(row.p)), plain(row.mcnemar)]);
        cells.extend([finding(row.finding).to_owned(), verdict.metric.metric.clone()]);
        table.rows.push(cells);
    }
    table
}

/// The verdict as Markdown: the table with the numbers of the screen, then its sentence and how it was tested.
pub fn markdown(verdict: &VerdictView) -> String {
    let info = &verdict.metric;
    // A bar in a name would end its cell.
    let cell = |text: &str| text.replace('|', "\\|");
    let mut text = format!(
        "| task | items | {} | {} | difference ({}) | 95 % | least gap | verdict |\n| --- | ---: | ---: | ---: | ---: | :---: | ---: | --- |\n",
        cell(&verdict.first),
        cell(&verdict.second),
        style::unit(info)
    );
    for row in &verdict.rows {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} to {} | {} | {} |\n",
            cell(&row.task),
            format::count(row.items),
            style::value(info, row.first),
            style::value(info, row.second),
            style::signed(info, row.difference.value),
            style::signed(info, row.difference.low),
            style::signed(info, row.difference.high),
            style::value(info, row.least_gap),
            cell(&word(verdict, row.finding)),
        ));
    }
    let (one, two) = verdict.seeds;
    text.push_str(&format!("\n{} {}, {one} and {two} seeds.\n", verdict.sentence, style::named(info)));
    text
}
