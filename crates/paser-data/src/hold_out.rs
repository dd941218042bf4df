//! Which samples are kept for evaluation and so belong to no selection and no statistic of the pool
//! (method.md 5).

use std::collections::BTreeSet;

use paser_protocol::id_number;
use serde::{Deserialize, Serialize};

use crate::DataError;

/// The rule of `pool.holdout` in the recipe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOut {
    #[default]
    None,
    /// About this share of the distinct samples, in [0, 1): those whose content hash, read as a fraction, lies
    /// below it. The same sample is held out in every pool.
    Fraction { share: f64 },
    /// Ids that are whole numbers divisible by this.
    IdMultipleOf(u64),
    /// Exactly these ids.
    IdList(Vec<String>),
}

/// A rule that was found to make sense, with what it met so far.
pub(crate) struct HoldOutRule<'a> {
    rule: &'a HoldOut,
    wanted: BTreeSet<&'a str>,
    met: BTreeSet<&'a str>,
    any_number: bool,
}

impl HoldOut {
    pub(crate) fn check(&self) -> Result<HoldOutRule<'_>, DataError> {
        let mut wanted = BTreeSet::new();
        match self {
            Self::None => {}
            Self::Fraction { share } => {
                if !(0.0..1.0).contains(share) {
                    return Err(DataError::HoldOut(format!("the share {share} must be at least 0 and below 1")));
                }
            }
            Self::IdMultipleOf(0) => {
                return Err(DataError::HoldOut("multiples of 0 are no rule: give a number of at least 1".to_owned()));
            }
            Self::IdMultipleOf(_) => {}
            Self::IdList(ids) => wanted.extend(ids.iter().map(String::as_str)),
        }
        Ok(HoldOutRule { rule: self, wanted, met: BTreeSet::new(), any_number: false })
    }
}

impl HoldOutRule<'_> {
    /// Is the row with this id and content held out? Asked once for every row, merged duplicates too.
    pub(crate) fn holds(&mut self, id: &str, hash: &[u8; 32]) -> bool {
        match self.rule {
            HoldOut::None => false,
            HoldOut::Fraction { share } => {
                let mut head = [0; 8];
                head.copy_from_slice(&hash[..8]);
                (u64::from_be_bytes(head) as f64) / 2f64.powi(64) < *share
            }
            HoldOut::IdMultipleOf(divisor) => match id_number(id) {
                Some(number) => {
                    self.any_number = true;
                    number % divisor == 0
                }
                None => false,
            },
            HoldOut::IdList(_) => match self.wanted.get(id) {
                Some(id) => {
                    self.met.insert(id);
                    true
                }
                None => false,
            },
        }
    }

    /// A rule that cannot have meant this pool is an error.
    pub(crate) fn finish(&self) -> Result<(), DataError> {
        if matches!(self.rule, HoldOut::IdMultipleOf(_)) && !self.any_number {
            return Err(DataError::HoldOut(
                "it asks for multiples, but no id of the pool is a whole number: use a share or a list".to_owned(),
            ));
        }
        match self.wanted.difference(&self.met).next() {
            Some(id) => Err(DataError::HoldOut(format!("the pool has no sample with the id {id:?}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::content_hash;

    #[test]
    fn a_share_is_about_kept_and_depends_on_content_only() {
        let rule = HoldOut::Fraction { share: 0.1 };
        let mut rule = rule.check().unwrap();
        let held = (0..10_000).filter(|n| rule.holds("any", &content_hash(&n.to_string(), "", "x"))).count();
        assert!((900..1100).contains(&held), "{held}");
    }

    #[test]
    fn senseless_rules_are_errors() {
        assert!(HoldOut::Fraction { share: 1.0 }.check().is_err());
        assert!(HoldOut::Fraction { share: f64::NAN }.check().is_err());
        assert!(HoldOut::IdMultipleOf(0).check().is_err());
        let rule = HoldOut::IdMultipleOf(5);
        let mut rule = rule.check().unwrap();
        assert!(!rule.holds("abc", &[0; 32]));
        assert!(rule.finish().is_err());
        let list = HoldOut::IdList(vec!["a".to_owned()]);
        assert!(list.check().unwrap().finish().unwrap_err().to_string().contains("\"a\""));
    }

    #[test]
    fn rules_read_as_in_a_recipe() {
        let rule: HoldOut = serde_json::from_str(r#"{"id_multiple_of":50}"#).unwrap();
        assert_eq!(rule, HoldOut::IdMultipleOf(50));
        assert_eq!(serde_json::from_str::<HoldOut>(r#""none""#).unwrap(), HoldOut::None);
    }
}
