//! How much may be selected: samples, a share of the pool, or tokens as trained. Owns the spelling people type
//! (`20%`, `1000`, `2M-tokens`) and the rounding of percentages (section 2 of the method, "Budget").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::SelectError;

/// What budgets, quotas and caps are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Distinct samples.
    Samples,
    /// Prompt and response tokens as trained.
    Tokens,
}

impl Unit {
    /// The word people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Tokens => "tokens",
        }
    }
}

/// A budget as a person gives it. Reads and writes as text: `20%`, `1000`, `2M-tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Budget {
    /// A number of distinct samples.
    Samples(u64),
    /// A share of the distinct samples after hold-out, unscorable ones included; 0 to 100.
    Percent(f64),
    /// A number of prompt and response tokens as trained.
    Tokens(u64),
}

impl Budget {
    /// The unit in which this budget is spent.
    pub fn unit(self) -> Unit {
        match self {
            Self::Samples(_) | Self::Percent(_) => Unit::Samples,
            Self::Tokens(_) => Unit::Tokens,
        }
    }

    /// The budget as a count of its unit, for a pool with that many distinct samples after hold-out.
    /// A percentage is floored: `floor(p x samples / 100)`.
    pub fn resolve(self, selectable_samples: u64) -> u64 {
        match self {
            Self::Samples(count) | Self::Tokens(count) => count,
            // The tiny addition keeps decimal shares whole: 0.7 % of 1,000 is 7, although 0.7 * 1000 is just below 700.
            Self::Percent(percent) => (percent * selectable_samples as f64 / 100.0 + 1e-9).floor().max(0.0) as u64,
        }
    }

    /// Fails on a percentage outside 0 to 100.
    pub fn check(self) -> Result<(), SelectError> {
        match self {
            Self::Percent(percent) if !(0.0..=100.0).contains(&percent) => Err(SelectError::BadSetting {
                setting: "budget",
                value: self.to_string(),
                range: "between 0% and 100%",
            }),
            _ => Ok(()),
        }
    }
}

impl FromStr for Budget {
    type Err = SelectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || SelectError::BadBudget { text: text.to_owned() };
        let trimmed = text.trim();
        let budget = if let Some(percent) = trimmed.strip_suffix('%') {
            Self::Percent(percent.trim().parse().map_err(|_| bad())?)
        } else if let Some(tokens) = trimmed.strip_suffix("-tokens") {
            let (digits, scale) = match tokens.strip_suffix(['k', 'K', 'M', 'G']) {
                Some(digits) if tokens.ends_with('M') => (digits, 1e6),
                Some(digits) if tokens.ends_with('G') => (digits, 1e9),
                Some(digits) => (digits, 1e3),
                None => (tokens, 1.0),
            };
            if scale == 1.0 {
                Self::Tokens(digits.parse().map_err(|_| bad())?)
            } else {
                let value: f64 = digits.parse().map_err(|_| bad())?;
                let tokens = (value * scale).round();
                if !(0.0..9e15).contains(&tokens) {
                    return Err(bad());
                }
                Self::Tokens(tokens as u64)
            }
        } else {
            Self::Samples(trimmed.parse().map_err(|_| bad())?)
        };
        budget.check()?;
        Ok(budget)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Samples(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Tokens(count) if count > 0 && count % 1_000_000 == 0 => write!(f, "{}M-tokens", count / 1_000_000),
            Self::Tokens(count) if count > 0 && count % 1_000 == 0 => write!(f, "{}k-tokens", count / 1_000),
            Self::Tokens(count) => write!(f, "{count}-tokens"),
        }
    }
}

impl TryFrom<String> for Budget {
    type Error = SelectError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Budget> for String {
    fn from(budget: Budget) -> Self {
        budget.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_writes_what_people_type() {
        for (text, budget) in [
            ("20%", Budget::Percent(20.0)),
            ("0.5%", Budget::Percent(0.5)),
            ("1000", Budget::Samples(1000)),
            ("2M-tokens", Budget::Tokens(2_000_000)),
            ("500k-tokens", Budget::Tokens(500_000)),
            ("1234-tokens", Budget::Tokens(1234)),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap(), budget);
            assert_eq!(budget.to_string(), text);
        }
        assert_eq!("2.5M-tokens".parse::<Budget>().unwrap(), Budget::Tokens(2_500_000));
        for text in [
            "",
            "%",
            "x",
            "-5",
            "120%",
            "-1%",
            "NaN%",
            "12 tokens",
            "M-tokens",
            "1e30M-tokens",
            "-2k-tokens",
            "1.5-tokens",
        ] {
            assert!(text.parse::<Budget>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn percentages_are_floored_and_decimal_shares_stay_whole() {
        assert_eq!(Budget::Percent(20.0).resolve(38_563), 7_712);
        assert_eq!(Budget::Percent(29.0).resolve(100), 29);
        assert_eq!(Budget::Percent(0.7).resolve(1000), 7);
        assert_eq!(Budget::Percent(100.0).resolve(7), 7);
        assert_eq!(Budget::Percent(1.0).resolve(99), 0);
    }
}
