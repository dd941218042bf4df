//! Columns that single strategies read and that take a pass of their own over the pool (`method.md` 4: `ifd`,
//! `superfiltering`, `nuggets`): how they are set, whether they are there, and what they would cost.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Report, Strategy};

/// Which model of the project a pass asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassModel {
    #[default]
    Dense,
    Pruned,
}

/// What the anchor tasks of `nuggets` are taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorSource {
    /// The samples that selections choose from.
    #[default]
    Pool,
    /// The samples held out.
    Holdout,
}

macro_rules! words {
    ($kind:ty, $($variant:ident => $word:literal),+) => {
        impl $kind {
            /// As recipe and command line write it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $kind {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                [$(Self::$variant),+].into_iter().find(|known| known.name() == text).ok_or_else(|| {
                    format!("`{text}` is none of {}", [$($word),+].join(", "))
                })
            }
        }
    };
}

words!(PassModel, Dense => "dense", Pruned => "pruned");
words!(AnchorSource, Pool => "pool", Holdout => "holdout");

/// Most anchor tasks of `nuggets`.
pub const MOST_ANCHORS: u32 = 1000;

/// The recipe's section `[strategies]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategySettings {
    pub ifd_model: PassModel,
    /// Folder or hub id of the small model of `superfiltering`; empty where there is none.
    pub filter_model: String,
    pub nuggets_model: PassModel,
    /// 1 to [`MOST_ANCHORS`].
    pub nuggets_anchors: u32,
    pub nuggets_from: AnchorSource,
}

impl Default for StrategySettings {
    fn default() -> Self {
        Self {
            ifd_model: PassModel::Dense,
            filter_model: String::new(),
            nuggets_model: PassModel::Dense,
            nuggets_anchors: 100,
            nuggets_from: AnchorSource::Pool,
        }
    }
}

/// Where the column of a strategy stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassView {
    pub strategy: Strategy,
    /// Names the column as the recipe asks for it; none where it is not there.
    pub key: Option<String>,
    /// What keeps it from being computed.
    pub blocked: Option<Report>,
    /// What is computed, in words.
    pub what: String,
    /// Estimated seconds, low and high; none where they depend on a model of unknown size.
    pub estimate: Option<(f64, f64)>,
    /// Parts finished and parts in all, where it was stopped half-way.
    pub kept: Option<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_read_as_they_are_written() {
        for model in [PassModel::Dense, PassModel::Pruned] {
            assert_eq!(model.to_string().parse::<PassModel>().unwrap(), model);
        }
        for from in [AnchorSource::Pool, AnchorSource::Holdout] {
            assert_eq!(from.to_string().parse::<AnchorSource>().unwrap(), from);
        }
        assert_eq!("both".parse::<PassModel>().unwrap_err(), "`both` is none of dense, pruned");
    }
}
