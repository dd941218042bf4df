//! Frozen selections side by side: what each holds, what they share, how far chance strays, how they grow with the
//! budget, and why a sample is in one and not in another (method.md 4).

use std::sync::atomic::AtomicBool;

use paser_project::FrozenSelection;
use paser_protocol::{
    Budget, BudgetCurve, BudgetPoint, ChanceView, ClusterShare, ComparedView, ComparisonView, Failure, FateView,
    OverlapView, PartView, ReasonCode, SelectionPlan, SelectionView, Strategy,
};

use crate::{
    cluster_edits::Clusters,
    frozen::stored_view,
    loaded::{Samples, Scores},
    selection::{another_pool, changed, is_of, is_of_clusters},
    session::{Loaded, Session},
    stages::Bench,
    trouble::{Outcome, usage},
};

/// Selections that can stand side by side.
const MOST: usize = 4;
/// Budgets of a curve, percent of the selectable samples.
const PERCENTS: [f64; 12] = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0];
/// Draws of `random` behind its band, and the pool size beyond which a few have to do.
const SEEDS: u32 = 20;
const SEEDS_OF_LARGE: u32 = 5;
const LARGE: usize = 200_000;

/// Counts and means over the rows of a set.
#[derive(Clone, Default)]
struct Sums {
    samples: u64,
    tokens: u64,
    scored: u64,
    response_tokens: u64,
    damage: f64,
}

impl Sums {
    fn add(&mut self, row: usize, scores: Option<&Scores>) {
        self.samples += 1;
        let Some(scores) = scores else { return };
        self.tokens += u64::from(scores.trained_tokens[row]);
        if let Some(score) = &scores.rows[row] {
            self.scored += 1;
            self.response_tokens += u64::from(score.response_tokens);
            self.damage += score.jsd;
        }
    }

    fn of(rows: &[u32], scores: Option<&Scores>) -> Self {
        let mut sums = Self::default();
        for &row in rows {
            sums.add(row as usize, scores);
        }
        sums
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        (self.scored > 0).then(|| sum / self.scored as f64)
    }

    fn mean_damage(&self) -> Option<f64> {
        self.mean(self.damage)
    }

    fn mean_response_tokens(&self) -> Option<f64> {
        self.mean(self.response_tokens as f64)
    }
}

/// A frozen selection of the pool that is there.
struct Side {
    frozen: FrozenSelection,
    view: SelectionView,
}

impl Session {
    /// Two to four selections side by side.
    ///
    /// # Errors
    /// Fewer or more names, one twice, unknown names, selections of different pools; `stop` was set.
    pub fn compare(&self, names: &[String], stop: &AtomicBool) -> Outcome<ComparisonView> {
        if !(2..=MOST).contains(&names.len()) {
            return Err(usage(
                format!("A comparison takes two to four selections, not {}.", names.len()),
                "Name them: paser compare A B.",
            ));
        }
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(usage(format!("{} is named twice.", twice.1), "Name two different selections."));
        }
        let samples = self.samples()?;
        let sides = names.iter().map(|name| self.side(name, &samples)).collect::<Outcome<Vec<_>>>()?;
        let loaded = self.loaded();
        let scores = loaded.scores.as_deref();
        let selectable = samples.held_out.iter().filter(|held| !**held).count() as u64;
        let held = held_by(&sides, samples.len());
        let (parts, neither) = parts(&held, sides.len(), &samples, scores);
        Ok(ComparisonView {
            selections: sides.iter().map(|side| compared(side, &loaded)).collect(),
            overlaps: overlaps(&sides, &held, selectable),
            parts,
            neither,
            selectable,
            chance: self.chance(&sides[0], &loaded, stop)?,
        })
    }

    fn side(&self, name: &str, samples: &Samples) -> Outcome<Side> {
        let frozen = self.frozen_named(name)?;
        if !is_of(&frozen.inputs, samples) {
            return Err(another_pool(name));
        }
        let view = stored_view(name, &frozen.view)?;
        Ok(Side { frozen, view })
    }

    /// Where `random` lands with as many samples as a selection holds, or its budget of tokens, seed by seed; none before
    /// the pool is clustered and scored, and where it cannot be drawn with the marks of now: the figures of what is frozen
    /// do not hang on them.
    fn chance(&self, side: &Side, loaded: &Loaded, stop: &AtomicBool) -> Outcome<Option<ChanceView>> {
        let (Some(clusters), Some(scores), Some(_)) = (loaded.clusters(), &loaded.scores, &loaded.concepts) else {
            return Ok(None);
        };
        let seeds = if clusters.labels.len() > LARGE { SEEDS_OF_LARGE } else { SEEDS };
        let plan =
            SelectionPlan { strategy: Strategy::Random, budget: budget_of_chance(side), ..side.view.plan.clone() };
        self.quietly(stop, |bench| {
            let mut taken = vec![(u64::MAX, 0); clusters.count()];
            let mut damage: Option<(f64, f64)> = None;
            for seed in 0..seeds {
                let plan = SelectionPlan { seed: u64::from(seed), ..plan.clone() };
                let selection = match self.select_in_passing(&plan, bench) {
                    Err(report) if report.failure == Failure::Usage => return Ok(None),
                    outcome => outcome?,
                };
                for (band, count) in taken.iter_mut().zip(per_cluster(&selection.rows, clusters)) {
                    *band = (band.0.min(count), band.1.max(count));
                }
                if let Some(mean) = Sums::of(&selection.rows, Some(scores)).mean_damage() {
                    damage = Some(damage.map_or((mean, mean), |(low, high)| (low.min(mean), high.max(mean))));
                }
            }
            Ok(Some(ChanceView { seeds, taken, mean_damage: damage }))
        })
    }

    /// What a frozen selection's plan takes at budgets from 1 to 50 %, with the marks of now; budgets that hold fewer
    /// samples than are pinned are left out.
    ///
    /// # Errors
    /// There is none of that name; whatever keeps a selection from being computed; `stop` was set.
    pub fn budget_curve(&self, name: &str, stop: &AtomicBool) -> Outcome<BudgetCurve> {
        let samples = self.samples()?;
        let plan = self.side(name, &samples)?.view.plan;
        let loaded = self.loaded();
        let scores = loaded.scores.as_deref();
        let points = self.quietly(stop, |bench| {
            let (mut points, mut refused) = (Vec::new(), None);
            for percent in PERCENTS {
                let plan = SelectionPlan { budget: Budget::Percent(percent), ..plan.clone() };
                let selection = match self.select_in_passing(&plan, bench) {
                    Err(report) if report.failure == Failure::Usage => {
                        refused = Some(report);
                        continue;
                    }
                    outcome => outcome?,
                };
                let taken = loaded.clusters().map(|clusters| per_cluster(&selection.rows, clusters));
                points.push(BudgetPoint {
                    percent,
                    selected: selection.rows.len() as u64,
                    tokens: selection.tokens,
                    mean_damage: Sums::of(&selection.rows, scores).mean_damage(),
                    taken: taken.unwrap_or_default(),
                });
            }
            match refused {
                Some(report) if points.is_empty() => Err(report),
                _ => Ok(points),
            }
        })?;
        Ok(BudgetCurve { selection: name.to_owned(), points })
    }

    /// What became of a sample in each of these selections.
    ///
    /// # Errors
    /// Unknown names, selections of another pool, a row beyond the pool; `stop` was set.
    pub fn fates(&self, row: u32, names: &[String], stop: &AtomicBool) -> Outcome<Vec<FateView>> {
        let samples = self.samples()?;
        self.quietly(stop, |bench| names.iter().map(|name| self.fate_of(row, name, &samples, bench)).collect())
    }

    fn fate_of(&self, row: u32, name: &str, samples: &Samples, bench: &Bench<'_>) -> Outcome<FateView> {
        let side = self.side(name, samples)?;
        let code = side.frozen.reasons.get(row as usize).copied().and_then(ReasonCode::from_byte);
        let code = code.ok_or_else(|| usage(format!("The pool has no row {row}."), ""))?;
        // The catalogue keeps the word; the figures behind it come from making the selection again, where that gives
        // the same one.
        let known = self.quick_selection_inputs(&side.view.plan).ok();
        let unchanged = known.is_some_and(|inputs| changed(&inputs, &side.frozen.inputs).is_empty());
        let again = if unchanged { self.select_with(&side.view.plan, bench).ok() } else { None };
        let same =
            again.filter(|again| again.selection.rows == side.frozen.rows && *again.reasons == *side.frozen.reasons);
        let (_, why, blocking) = same.map(|selected| self.fate_in(&selected, row)).unwrap_or_default();
        let why = if why.is_empty() { self.kept_fate(row, code, &side) } else { why };
        Ok(FateView {
            selection: name.to_owned(),
            taken: code.is_taken(),
            status: code.word().to_owned(),
            why,
            blocking,
        })
    }
}

impl Session {
    /// Why, as far as the frozen selection itself tells: its place, and the quota of its cluster then.
    fn kept_fate(&self, row: u32, code: ReasonCode, side: &Side) -> String {
        let (frozen, view) = (&side.frozen, &side.view);
        let mut why = kept_reason(code, &view.plan);
        if let Some(place) = frozen.rows.iter().position(|taken| *taken == row) {
            why = format!("{why} Number {} of the selection.", place + 1);
        }
        let by_quota =
            matches!(code, ReasonCode::Taken | ReasonCode::Refilled | ReasonCode::QuotaFull | ReasonCode::Conflict);
        let has_quotas = view.plan.strategy != Strategy::PaserNoS2ric
            && view.ledger.iter().any(|account| account.quota_raw.is_some());
        match self.quota_of(row, view, &frozen.inputs) {
            Some(quota) if by_quota => format!("{why} {quota}"),
            None if by_quota && has_quotas && !is_of_clusters(&frozen.inputs, &self.loaded()) => {
                format!("{why} The clusters were edited since then: the quota of this one is no longer the one it had.")
            }
            _ => why,
        }
    }
}

/// What the reason that was kept says by itself.
fn kept_reason(code: ReasonCode, plan: &SelectionPlan) -> String {
    let by_lot = plan.strategy == Strategy::Random;
    match code {
        ReasonCode::Taken if by_lot => format!("Drawn by lot, with seed {}.", plan.seed),
        ReasonCode::NotTaken if by_lot => format!("Not drawn by lot, with seed {}.", plan.seed),
        ReasonCode::Taken => "Its turn came before the quota was spent.".to_owned(),
        ReasonCode::Refilled => "Taken in the place of samples that others ruled out.".to_owned(),
        ReasonCode::NotTaken | ReasonCode::QuotaFull => "The budget was spent before its turn came.".to_owned(),
        ReasonCode::Conflict => {
            "Its concepts conflict with those of samples taken before it; which ones was not kept.".to_owned()
        }
        ReasonCode::Guarded => "The guard kept it out: its damage is far above the others'.".to_owned(),
        ReasonCode::TooLong => "It was too long for what was left of the token budget.".to_owned(),
        ReasonCode::Pinned => "It was pinned.".to_owned(),
        ReasonCode::Excluded => "It was excluded.".to_owned(),
        ReasonCode::Unscorable => "It could not be scored.".to_owned(),
        ReasonCode::HeldOut => "It was held out.".to_owned(),
        ReasonCode::RuledOut => "The strategy's rule left it out.".to_owned(),
    }
}

/// What `full` and `manual` take does not depend on the budget of their plans.
fn budget_of_chance(side: &Side) -> Budget {
    let plan = &side.view.plan;
    match plan.budget {
        Budget::Tokens(_) if !matches!(plan.strategy, Strategy::Full | Strategy::Manual) => plan.budget,
        _ => Budget::Samples(side.frozen.rows.len() as u64),
    }
}

fn per_cluster(rows: &[u32], clusters: &Clusters) -> Vec<u64> {
    let mut taken = vec![0; clusters.count()];
    for &row in rows {
        taken[clusters.labels[row as usize] as usize] += 1;
    }
    taken
}

/// Per row of the pool, one bit for each selection that holds it.
fn held_by(sides: &[Side], rows: usize) -> Vec<u8> {
    let mut held = vec![0; rows];
    for (place, side) in sides.iter().enumerate() {
        for &row in &side.frozen.rows {
            if let Some(held) = held.get_mut(row as usize) {
                *held |= 1 << place;
            }
        }
    }
    held
}

fn compared(side: &Side, loaded: &Loaded) -> ComparedView {
    let (frozen, view) = (&side.frozen, &side.view);
    let scores = loaded.scores.as_deref();
    let whole = Sums::of(&frozen.rows, scores);
    let mut lengths: Vec<u32> = frozen
        .rows
        .iter()
        .filter_map(|row| scores.and_then(|scores| scores.rows[*row as usize].as_ref()))
        .map(|score| score.response_tokens)
        .collect();
    let is_conflict = |row: usize| frozen.reasons.get(row).copied() == Some(ReasonCode::Conflict as u8);
    let mut shares = Vec::new();
    if let (Some(clusters), Some(names)) = (loaded.clusters(), loaded.names()) {
        let mut sums = vec![Sums::default(); clusters.count()];
        let mut conflicts = vec![0; clusters.count()];
        for &row in &frozen.rows {
            sums[clusters.labels[row as usize] as usize].add(row as usize, scores);
        }
        for (row, &cluster) in clusters.labels.iter().enumerate() {
            conflicts[cluster as usize] += u64::from(is_conflict(row));
        }
        shares = (0_u32..)
            .zip(names.iter())
            .zip(sums.iter().zip(conflicts))
            .map(|((cluster, name), (sums, conflicts))| ClusterShare {
                cluster,
                name: name.clone(),
                taken: sums.samples,
                tokens: sums.tokens,
                mean_response_tokens: sums.mean_response_tokens(),
                mean_damage: sums.mean_damage(),
                conflicts,
            })
            .collect();
    }
    ComparedView {
        selection: frozen.name.clone(),
        strategy: view.plan.strategy.name().to_owned(),
        plan: view.plan.clone(),
        frozen: frozen.created,
        selected: whole.samples,
        tokens: view.tokens,
        mean_response_tokens: view.mean_response_tokens,
        median_response_tokens: median(&mut lengths),
        mean_damage: whole.mean_damage(),
        scored: whole.scored,
        above_fence: view.above_fence,
        noise: view.noise,
        conflicts: (0..frozen.reasons.len()).filter(|row| is_conflict(*row)).count() as u64,
        clusters: shares,
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(values: &mut [u32]) -> Option<f64> {
    values.sort_unstable();
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(f64::from(values[half])),
        _ => Some((f64::from(values[half - 1]) + f64::from(values[half])) / 2.0),
    }
}

fn overlaps(sides: &[Side], held: &[u8], selectable: u64) -> Vec<OverlapView> {
    let mut overlaps = Vec::new();
    for (first, a) in sides.iter().enumerate() {
        for (second, b) in sides.iter().enumerate().skip(first + 1) {
            let both = (1_u8 << first) | (1 << second);
            let shared = held.iter().filter(|held| **held & both == both).count() as u64;
            let (of_a, of_b) = (a.frozen.rows.len() as u64, b.frozen.rows.len() as u64);
            let either = of_a + of_b - shared;
            overlaps.push(OverlapView {
                first: a.frozen.name.clone(),
                second: b.frozen.name.clone(),
                shared,
                chance: if selectable == 0 { 0.0 } else { of_a as f64 * of_b as f64 / selectable as f64 },
                jaccard: if either == 0 { 1.0 } else { shared as f64 / either as f64 },
            });
        }
    }
    overlaps
}

/// Every part that holds a sample, the largest first, and how many selectable samples are in none.
fn parts(held: &[u8], sides: usize, samples: &Samples, scores: Option<&Scores>) -> (Vec<PartView>, u64) {
    let mut sums = vec![Sums::default(); 1 << sides];
    for (row, held) in held.iter().enumerate() {
        if *held > 0 || !samples.held_out[row] {
            sums[*held as usize].add(row, scores);
        }
    }
    let mut parts: Vec<PartView> = (1..sums.len())
        .filter(|held| sums[*held].samples > 0)
        .map(|held| PartView {
            held: (0..sides).map(|place| held & (1 << place) != 0).collect(),
            samples: sums[held].samples,
            tokens: sums[held].tokens,
            mean_damage: sums[held].mean_damage(),
        })
        .collect();
    // Stable: parts of equal size stay in the order of the selections.
    parts.sort_by_key(|part| std::cmp::Reverse(part.samples));
    (parts, sums[0].samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [5, 1, 3]), Some(3.0));
        assert_eq!(median(&mut [4, 1, 2, 9]), Some(3.0));
    }

    #[test]
    fn a_lot_needs_no_figures_and_others_say_where_they_went() {
        let random = SelectionPlan { strategy: Strategy::Random, seed: 3, ..SelectionPlan::default() };
        assert_eq!(kept_reason(ReasonCode::NotTaken, &random), "Not drawn by lot, with seed 3.");
        let paser = kept_reason(ReasonCode::Conflict, &SelectionPlan::default());
        assert!(paser.starts_with("Its concepts conflict") && paser.contains("was not kept"), "{paser}");
    }
}
