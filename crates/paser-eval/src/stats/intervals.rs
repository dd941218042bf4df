//! Intervals of single numbers: shares of answers, and means over seeds.

use paser_protocol::Measure;

use super::distributions::{normal_quantile, t_quantile};

/// Wilson's 95 % interval of a share (Wilson 1927): 0 to 1 where nothing was asked.
pub fn wilson(right: u64, asked: u64) -> (f64, f64) {
    if asked == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (asked as f64, right as f64 / asked as f64);
    let z = normal_quantile(0.975);
    let middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// A mean over seeds with Student's 95 % interval; of one seed there is no interval, and of none no mean.
pub fn over_seeds(values: &[f64]) -> Option<Measure> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let value = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return Some(Measure { value, low: f64::NEG_INFINITY, high: f64::INFINITY });
    }
    let variance = values.iter().map(|each| (each - value).powi(2)).sum::<f64>() / (n - 1.0);
    let half = t_quantile(0.975, n - 1.0) * (variance / n).sqrt();
    Some(Measure { value, low: value - half, high: value + half })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn intervals_are_those_of_textbooks() {
        let (low, high) = wilson(81, 263);
        assert!((low - 0.255_3).abs() < 1e-4 && (high - 0.366_2).abs() < 1e-4, "Newcombe 1998, table I: {low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        let mean = over_seeds(&[1.0, 2.0, 3.0]).unwrap();
        assert!((mean.value - 2.0).abs() < 1e-12 && (mean.high - 2.0 - 4.302_652_73 / 3.0_f64.sqrt()).abs() < 1e-7);
        assert!(over_seeds(&[]).is_none() && over_seeds(&[2.0]).unwrap().high.is_infinite());
    }
}
