//! Two arms on the same items. Means over seeds and items are compared with the variance that a bootstrap over both together
//! tends to: that of a mean is known in closed form (Efron and Tibshirani 1993, section 5.3), and drawing three seeds again
//! and again from three would make it a third too small, so the divisor is n - 1:
//!
//! ```text
//! Var(first - second) = s2(seed means) (1 / n1 + 1 / n2) + s2(item differences) / items
//! ```
//!
//! The variance of seed means is pooled over both arms: of three seeds alone it would be known too badly for any test in
//! the tails. Item differences are of means over seeds: what the items have in common cancels. The noise of single answers
//! is in both terms, so the sum errs to the wide side. The quantile is the mean of Student's quantiles of both terms,
//! weighted by their variances (Cochran and Cox 1950); Satterthwaite's degrees of freedom claim too much where three seeds
//! happen to agree (`tests/simulation.rs`).

use paser_protocol::{Finding, Measure};

use super::distributions::{ln_gamma, normal_quantile, shortfall, t_cdf, t_quantile};

/// A table's chance to call some difference real where none is: a little under the 5 % that are promised, since the spread of
/// three seeds is itself a guess.
const LEVEL: f64 = 0.04;
/// The chance to find a difference of the stated least gap.
const POWER: f64 = 0.8;

/// What two arms gave on the same items.
#[derive(Debug, Clone, Copy)]
pub struct Pairing<'a> {
    /// By seed, then by item. Seeds of the two arms are independent of each other.
    pub first: &'a [Vec<f64>],
    pub second: &'a [Vec<f64>],
    pub higher_is_better: bool,
    /// Values are 0 or 1: McNemar's test is made besides.
    pub answers: bool,
}

/// What may be said of one pairing.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub items: u64,
    pub first: f64,
    pub second: f64,
    /// first - second, with its 95 % interval.
    pub difference: Measure,
    pub least_gap: f64,
    /// Two-sided, by itself.
    pub p: f64,
    /// After Holm's correction over all pairings.
    pub p_holm: f64,
    pub mcnemar: Option<f64>,
    pub finding: Finding,
    /// Items that some run has no value for, and which are left out for all.
    pub left_out: u64,
}

/// A pairing before the correction.
struct Single {
    items: u64,
    left_out: u64,
    means: (f64, f64),
    spread: Spread,
    p: f64,
    mcnemar: Option<f64>,
}

/// Compares every pairing; a difference is called real where its p, corrected over all of them, is below 4 %. Pairings
/// without an item or a seed give none.
pub fn compare(pairings: &[Pairing<'_>]) -> Vec<Option<Comparison>> {
    let singles: Vec<Option<Single>> = pairings.iter().map(single).collect();
    let corrected = holm(&singles.iter().flatten().map(|single| single.p).collect::<Vec<_>>());
    let rows = corrected.len().max(1) as f64;
    let mut corrected = corrected.into_iter();
    singles
        .into_iter()
        .zip(pairings)
        .map(|(single, pairing)| {
            let single = single?;
            let p_holm = corrected.next()?;
            let difference = single.means.0 - single.means.1;
            let spread = &single.spread;
            let half = spread.quantile(0.975) * spread.error();
            let real = p_holm < LEVEL;
            let finding = match (real, (difference > 0.0) == pairing.higher_is_better) {
                (false, _) => Finding::CannotTell,
                (true, true) => Finding::First,
                (true, false) => Finding::Second,
            };
            Some(Comparison {
                items: single.items,
                first: single.means.0,
                second: single.means.1,
                difference: Measure { value: difference, low: difference - half, high: difference + half },
                // Few seeds tell their own spread too small more often than too large.
                least_gap: spread.least(LEVEL / rows) * spread.error() / spread.shortfall(),
                p: single.p,
                p_holm,
                mcnemar: single.mcnemar,
                finding,
                left_out: single.left_out,
            })
        })
        .collect()
}

/// Holm's step-down correction (Holm 1979), in the order of `p`.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, &at) in order.iter().enumerate() {
        least = least.max(((p.len() - rank) as f64 * p[at]).min(1.0));
        corrected[at] = least;
    }
    corrected
}

/// Sum and variance of the mean of some values; a single value has no variance to speak of.
pub(super) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() < 2 { 0.0 } else { squares / (n - 1.0) / n })
}

/// The variance of an estimate, in independent parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    /// Variance and degrees of freedom of each.
    parts: Vec<(f64, f64)>,
}

impl Spread {
    /// Of parts with their variances and degrees of freedom; what has none is not known and adds nothing.
    pub(super) fn new(parts: &[(f64, usize)]) -> Self {
        Self { parts: parts.iter().filter(|(_, df)| *df > 0).map(|&(variance, df)| (variance, df as f64)).collect() }
    }

    fn variance(&self) -> f64 {
        self.parts.iter().map(|(variance, _)| variance).sum()
    }

    pub(super) fn error(&self) -> f64 {
        self.variance().sqrt()
    }

    /// What the error is multiplied by for a one-sided share `p`.
    pub(super) fn quantile(&self, p: f64) -> f64 {
        self.weighted(|df| t_quantile(p, df))
    }

    /// Two-sided: the share beyond which a value this many errors from zero is surprising.
    fn p_of(&self, t: f64) -> f64 {
        let each = self.parts.iter().map(|&(_, df)| t_cdf(-t, df));
        let (mut low, mut high) = (each.clone().fold(1.0, f64::min), each.fold(0.0, f64::max));
        // The quantile falls as the share rises.
        while high - low > 1e-6 * high {
            let middle = 0.5 * (low + high);
            if -self.quantile(middle) > t {
                low = middle;
            } else {
                high = middle;
            }
        }
        (2.0 * high).min(1.0)
    }

    /// How many errors apart two means have to be to be told apart four times out of five at a two-sided level (the
    /// noncentral t distribution by Johnson and Welch's approximation, 1940).
    fn least(&self, level: f64) -> f64 {
        let z = normal_quantile(POWER);
        self.weighted(|df| {
            let t = t_quantile(1.0 - 0.5 * level, df);
            t + z * (1.0 + t * t / (2.0 * df)).sqrt()
        })
    }

    fn shortfall(&self) -> f64 {
        self.weighted(shortfall)
    }

    fn weighted(&self, of: impl Fn(f64) -> f64) -> f64 {
        let whole = self.variance();
        if whole <= 0.0 {
            return of(self.parts.iter().map(|(_, df)| *df).fold(1.0, f64::max));
        }
        self.parts.iter().map(|&(variance, df)| variance / whole * of(df)).sum()
    }
}

fn single(pairing: &Pairing<'_>) -> Option<Single> {
    let all = || pairing.first.iter().chain(pairing.second);
    let items = all().map(Vec::len).min()?;
    if pairing.first.is_empty() || pairing.second.is_empty() {
        return None;
    }
    let kept: Vec<usize> = (0..items).filter(|&item| all().all(|run| run[item].is_finite())).collect();
    if kept.is_empty() {
        return None;
    }
    let seeds = |runs: &[Vec<f64>]| -> Vec<f64> {
        runs.iter().map(|run| kept.iter().map(|&item| run[item]).sum::<f64>() / kept.len() as f64).collect()
    };
    let by_item = |runs: &[Vec<f64>]| -> Vec<f64> {
        kept.iter().map(|&item| runs.iter().map(|run| run[item]).sum::<f64>() / runs.len() as f64).collect()
    };
    let (seeds_first, seeds_second) = (seeds(pairing.first), seeds(pairing.second));
    let (items_first, items_second) = (by_item(pairing.first), by_item(pairing.second));
    let differences: Vec<f64> = items_first.iter().zip(&items_second).map(|(first, second)| first - second).collect();
    let (first, second) = (mean_and_error(&seeds_first).0, mean_and_error(&seeds_second).0);
    let (_, error_items) = mean_and_error(&differences);
    let spread = Spread::new(&[pooled(&seeds_first, &seeds_second), (error_items, differences.len() - 1)]);
    let error = spread.error();
    let p = if error > 0.0 {
        spread.p_of(((first - second) / error).abs())
    } else if first == second {
        1.0
    } else {
        // Every item and seed says the same: only their number speaks.
        (2.0_f64).powi(1 - (kept.len().min(1000) as i32))
    };
    let mcnemar = pairing.answers.then(|| mcnemar(&items_first, &items_second));
    let left_out = (items - kept.len()) as u64;
    Some(Single { items: kept.len() as u64, left_out, means: (first, second), spread, p: p.min(1.0), mcnemar })
}

/// Variance of the difference of two means over seeds, and its degrees of freedom: none of one seed each.
fn pooled(first: &[f64], second: &[f64]) -> (f64, usize) {
    let squares = |seeds: &[f64]| {
        let mean = seeds.iter().sum::<f64>() / seeds.len() as f64;
        seeds.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    let df = first.len() + second.len() - 2;
    if df == 0 {
        return (0.0, 0);
    }
    let variance = (squares(first) + squares(second)) / df as f64;
    (variance * (1.0 / first.len() as f64 + 1.0 / second.len() as f64), df)
}

/// McNemar's exact test over items, each answered as most seeds do: two-sided binomial over those on which the arms differ.
fn mcnemar(first: &[f64], second: &[f64]) -> f64 {
    let differ = |a: &[f64], b: &[f64]| a.iter().zip(b).filter(|(a, b)| **a > 0.5 && **b <= 0.5).count() as u64;
    let (more, less) = (differ(first, second), differ(second, first));
    let (n, k) = (more + less, more.min(less));
    let ln_choose = |k: u64| ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0);
    let tail: f64 = (0..=k).map(|k| (ln_choose(k) - n as f64 * std::f64::consts::LN_2).exp()).sum();
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn holm_is_holms() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn mcnemar_is_exact() {
        let first = [1.0; 9].into_iter().chain([0.0; 2]).chain([1.0; 30]).collect::<Vec<f64>>();
        let second = [0.0; 9].into_iter().chain([1.0; 2]).chain([1.0; 30]).collect::<Vec<f64>>();
        // 2 P(X <= 2), X binomial of 11: 2 (1 + 11 + 55) / 2048
        assert!((mcnemar(&first, &second) - 134.0 / 2048.0).abs() < 1e-12);
        assert_eq!(mcnemar(&first, &first), 1.0);
    }

    #[test]
    fn what_has_no_value_is_left_out_for_all_and_orientation_decides_who_is_better() {
        let run = |shift: f64| (0..200).map(|item| f64::from(item % 7) + shift).collect::<Vec<f64>>();
        let mut first = vec![run(0.5), run(0.501), run(0.499)];
        first[1][3] = f64::NAN;
        let second = vec![run(0.0), run(0.001), run(-0.001)];
        let pairing = Pairing { first: &first, second: &second, higher_is_better: false, answers: false };
        let found = compare(&[pairing])[0].clone().unwrap();
        assert_eq!((found.items, found.left_out, found.finding), (199, 1, Finding::Second));
        assert!((found.difference.value - 0.5).abs() < 1e-3 && found.p_holm < 1e-4, "{found:?}");
        assert!(compare(&[Pairing { first: &[], ..pairing }])[0].is_none());
        let same = compare(&[Pairing { first: &second, ..pairing }])[0].clone().unwrap();
        assert_eq!((same.finding, same.p), (Finding::CannotTell, 1.0));
    }
}
