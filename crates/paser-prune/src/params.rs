//! What to prune and how much: parameters as people write them, and the plan that has been checked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::PruneError;

/// How weights are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By |w|.
    Magnitude,
    /// By |w_ij| times the norm of input j over the calibration text, within each output row (arXiv 2306.11695).
    Wanda,
}

/// Which share of the weights becomes zero, and where.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// This share of the weights, 0 < share < 1: of each matrix (magnitude) or of each output row (Wanda).
    Unstructured(f64),
    /// Of every `.1` neighbours in a row the best `.0` stay: 2:4, 4:8.
    NofM(usize, usize),
}

/// Parameters as given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PruneParams {
    pub method: Method,
    pub pattern: Pattern,
}

/// Checked parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrunePlan {
    pub(crate) method: Method,
    pub(crate) pattern: Pattern,
}

/// Widest group of an N:M pattern.
const MAX_GROUP: usize = 64;

impl PruneParams {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`PruneError::Params`] with the range.
    pub fn check(&self) -> Result<PrunePlan, PruneError> {
        match self.pattern {
            Pattern::Unstructured(share) if !(share > 0.0 && share < 1.0) => Err(PruneError::Params(format!(
                "the sparsity is {share}; a share above 0 and below 1 is expected, such as 0.5"
            ))),
            Pattern::NofM(kept, group) if kept == 0 || kept >= group || group > MAX_GROUP => {
                Err(PruneError::Params(format!(
                    "the pattern is {kept}:{group}; N:M keeps N of M weights, with 0 < N < M and M at most {MAX_GROUP}, such as 2:4"
                )))
            }
            _ => Ok(PrunePlan { method: self.method, pattern: self.pattern }),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unstructured(share) => write!(f, "{share}"),
            Self::NofM(kept, group) => write!(f, "{kept}:{group}"),
        }
    }
}

impl FromStr for Pattern {
    type Err = PruneError;

    /// Reads `0.5` or `2:4`.
    fn from_str(text: &str) -> Result<Self, PruneError> {
        let parsed = match text.split_once(':') {
            Some((kept, group)) => {
                kept.trim().parse().ok().zip(group.trim().parse().ok()).map(|(kept, group)| Self::NofM(kept, group))
            }
            None => text.trim().parse().ok().map(Self::Unstructured),
        };
        parsed.ok_or_else(|| {
            PruneError::Params(format!("{text:?} is neither a share such as 0.5 nor a pattern such as 2:4"))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Method, Pattern, PruneParams};

    #[test]
    fn ranges_are_checked() {
        let check = |pattern| PruneParams { method: Method::Magnitude, pattern }.check().is_ok();
        for share in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
            assert!(!check(Pattern::Unstructured(share)), "{share}");
        }
        for (kept, group) in [(0, 4), (4, 4), (5, 4), (1, 65)] {
            assert!(!check(Pattern::NofM(kept, group)), "{kept}:{group}");
        }
        assert!(check(Pattern::Unstructured(0.5)) && check(Pattern::NofM(2, 4)) && check(Pattern::NofM(4, 8)));
    }

    #[test]
    fn patterns_are_read_as_people_write_them() {
        assert_eq!("0.5".parse::<Pattern>().unwrap(), Pattern::Unstructured(0.5));
        assert_eq!("2:4".parse::<Pattern>().unwrap(), Pattern::NofM(2, 4));
        assert_eq!(Pattern::NofM(4, 8).to_string(), "4:8");
        assert!("half".parse::<Pattern>().is_err() && "2:".parse::<Pattern>().is_err());
    }
}
