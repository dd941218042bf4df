//! Metrics of a task: means over its items with the standard error of the mean, as lm-evaluation-harness computes it.

/// A mean over items.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// acc, acc_norm, exact_match, word_perplexity, ...
    pub name: String,
    /// The harness's filter: "none", or the extraction of the answer.
    pub filter: String,
    pub value: f64,
    /// Sample standard deviation / sqrt(n); `None` for fewer than two items and where none is defined.
    pub stderr: Option<f64>,
    /// Items.
    pub n: usize,
}

impl Metric {
    /// The share of right items; 0 of none.
    pub(crate) fn share(name: &str, filter: &str, right: &[bool]) -> Self {
        let n = right.len();
        let value = right.iter().filter(|right| **right).count() as f64 / n.max(1) as f64;
        // of zeros and ones: sum (x - mean)^2 = n mean (1 - mean)
        let stderr = (n > 1).then(|| (value * (1.0 - value) / (n - 1) as f64).sqrt());
        Self { name: name.to_owned(), filter: filter.to_owned(), value, stderr, n }
    }
}

#[cfg(test)]
mod tests {
    use super::Metric;

    #[test]
    fn the_standard_error_is_that_of_the_sample() {
        let metric = Metric::share("acc", "none", &[true, false, true, true]);
        // deviation sqrt((3 * 0.0625 + 0.5625) / 3) = 0.5, over sqrt 4
        assert_eq!((metric.value, metric.stderr, metric.n), (0.75, Some(0.25), 4));
        assert_eq!(Metric::share("acc", "none", &[true]).stderr, None);
        assert_eq!(Metric::share("acc", "none", &[]).value, 0.0);
    }
}
