//! Recovery ratio: how much of what pruning took came back.

use paser_protocol::Measure;

use super::compare::{Spread, mean_and_error};
use super::distributions::normal_quantile;

/// How far dense and pruned model are apart, oriented so that more is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    pub value: f64,
    /// Half of its 95 % interval over items.
    pub half: f64,
}

impl Gap {
    /// Clearly above zero, so that a ratio to it means something.
    pub fn is_clear(&self) -> bool {
        self.value > self.half
    }
}

/// (recovered - pruned) / (dense - pruned) over the same items, oriented so that 1 is the dense model, with its 95 % interval
/// over seeds and items: the ratio of two means, linearised (Cochran 1977, section 6.3). None where dense and pruned are not
/// clearly apart, and then the gap says why. `recovered`: by seed, then by item.
pub fn ratio(
    recovered: &[Vec<f64>],
    pruned: &[f64],
    dense: &[f64],
    higher_is_better: bool,
) -> (Option<Measure>, Option<Gap>) {
    let sign = if higher_is_better { 1.0 } else { -1.0 };
    let finite = |item: &usize| {
        pruned[*item].is_finite() && dense[*item].is_finite() && recovered.iter().all(|run| run[*item].is_finite())
    };
    let kept: Vec<usize> = (0..pruned.len().min(dense.len())).filter(finite).collect();
    if kept.is_empty() {
        return (None, None);
    }
    let apart: Vec<f64> = kept.iter().map(|&item| sign * (dense[item] - pruned[item])).collect();
    let (value, error) = mean_and_error(&apart);
    let gap = Gap { value, half: normal_quantile(0.975) * error.sqrt() };
    if recovered.is_empty() || !gap.is_clear() {
        return (None, Some(gap));
    }
    let runs = recovered.len() as f64;
    let back: Vec<f64> = kept
        .iter()
        .map(|&item| sign * (recovered.iter().map(|run| run[item]).sum::<f64>() / runs - pruned[item]))
        .collect();
    let share = back.iter().sum::<f64>() / back.len() as f64 / value;
    let rest: Vec<f64> = back.iter().zip(&apart).map(|(back, apart)| (back - share * apart) / value).collect();
    let seeds: Vec<f64> = recovered
        .iter()
        .map(|run| kept.iter().map(|&item| run[item]).sum::<f64>() / kept.len() as f64 / value)
        .collect();
    let spread = Spread::new(&[(mean_and_error(&seeds).1, seeds.len() - 1), (mean_and_error(&rest).1, rest.len() - 1)]);
    let half = spread.quantile(0.975) * spread.error();
    (Some(Measure { value: share, low: share - half, high: share + half }), Some(gap))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_ratio_is_oriented_and_blank_where_nothing_was_lost() {
        let dense: Vec<f64> = (0..100).map(|item| 1.0 + f64::from(item % 5) * 0.1).collect();
        let pruned: Vec<f64> = dense.iter().map(|loss| loss + 1.0).collect();
        let run = |left: f64| dense.iter().map(|loss| loss + left).collect::<Vec<f64>>();
        let (found, gap) = ratio(&[run(0.25), run(0.3), run(0.2)], &pruned, &dense, false);
        let found = found.unwrap();
        assert!((found.value - 0.75).abs() < 1e-9 && found.low < 0.7 && found.high > 0.8, "{found:?}");
        assert!((gap.unwrap().value - 1.0).abs() < 1e-9);
        let noise: Vec<f64> =
            dense.iter().enumerate().map(|(item, loss)| loss + if item % 2 == 0 { 0.3 } else { -0.3 }).collect();
        let (blank, gap) = ratio(&[run(0.1)], &noise, &dense, false);
        assert!(blank.is_none() && !gap.unwrap().is_clear());
    }
}
