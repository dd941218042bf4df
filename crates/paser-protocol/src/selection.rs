//! What a selection is asked for (the plan) and how it explains itself (the ledger): `method.md` 2 to 4.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How much may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "unit", content = "value")]
pub enum Budget {
    /// Distinct samples.
    Samples(u64),
    /// Percent (0 to 100) of the distinct samples after hold-out and merging, rounded down.
    Percent(f64),
    /// Prompt and response tokens as trained.
    Tokens(u64),
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Samples(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
            Self::Tokens(n) => write!(f, "{n}-tokens"),
        }
    }
}

impl FromStr for Budget {
    type Err = String;

    /// Reads `20%`, `1000`, `500k-tokens` or `2M-tokens`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no budget: write 20%, 1000 or 2M-tokens");
        let text_trimmed = text.trim();
        if let Some(percent) = text_trimmed.strip_suffix('%') {
            let percent: f64 = percent.trim().parse().map_err(|_| bad())?;
            return if (0.0..=100.0).contains(&percent) { Ok(Self::Percent(percent)) } else { Err(bad()) };
        }
        if let Some(tokens) = text_trimmed.strip_suffix("-tokens") {
            let (number, factor) = match tokens.strip_suffix(['k', 'K']) {
                Some(thousands) => (thousands, 1e3),
                None => match tokens.strip_suffix('M') {
                    Some(millions) => (millions, 1e6),
                    None => (tokens, 1.0),
                },
            };
            let number: f64 = number.parse().map_err(|_| bad())?;
            return if number.is_finite() && number >= 0.0 {
                Ok(Self::Tokens((number * factor).round() as u64))
            } else {
                Err(bad())
            };
        }
        text_trimmed.replace(',', "").parse().map(Self::Samples).map_err(|_| bad())
    }
}

/// The strategies of `method.md` 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    Paser,
    PaserGuarded,
    PaserNoS2ric,
    PaserNoCdais,
    PaserNoNtem,
    Full,
    Random,
    RandomLengthMatched,
    Longest,
    JsdTop,
    PerplexityMid,
    PerplexityTop,
    Manual,
}

impl Strategy {
    pub const ALL: [Self; 13] = [
        Self::Paser,
        Self::PaserGuarded,
        Self::PaserNoS2ric,
        Self::PaserNoCdais,
        Self::PaserNoNtem,
        Self::Full,
        Self::Random,
        Self::RandomLengthMatched,
        Self::Longest,
        Self::JsdTop,
        Self::PerplexityMid,
        Self::PerplexityTop,
        Self::Manual,
    ];

    /// The name used by recipe, command line and window.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paser => "paser",
            Self::PaserGuarded => "paser-guarded",
            Self::PaserNoS2ric => "paser-no-s2ric",
            Self::PaserNoCdais => "paser-no-cdais",
            Self::PaserNoNtem => "paser-no-ntem",
            Self::Full => "full",
            Self::Random => "random",
            Self::RandomLengthMatched => "random-length-matched",
            Self::Longest => "longest",
            Self::JsdTop => "jsd-top",
            Self::PerplexityMid => "perplexity-mid",
            Self::PerplexityTop => "perplexity-top",
            Self::Manual => "manual",
        }
    }

    /// One line for menus and help.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Paser => "the paper: budget by damage, falling efficiency, no concept conflicts",
            Self::PaserGuarded => "paser without samples that surprise even the dense model",
            Self::PaserNoS2ric => "ablation: k-means clusters instead of the manifold's",
            Self::PaserNoCdais => "ablation: equal quotas, random order inside clusters",
            Self::PaserNoNtem => "ablation: no concept graph",
            Self::Full => "every eligible sample, whatever the budget",
            Self::Random => "uniform over the eligible, by seed",
            Self::RandomLengthMatched => "random with the response lengths that paser took",
            Self::Longest => "longest responses first",
            Self::JsdTop => "highest divergence first, without clusters",
            Self::PerplexityMid => "middle of the pruned model's perplexity",
            Self::PerplexityTop => "highest perplexity of the pruned model first",
            Self::Manual => "pinned samples only",
        }
    }

    /// True where the outcome depends on the seed.
    pub fn uses_seed(self) -> bool {
        matches!(self, Self::PaserNoS2ric | Self::PaserNoCdais | Self::Random | Self::RandomLengthMatched)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|strategy| strategy.name()).collect();
            format!("`{text}` is no strategy: one of {}", names.join(", "))
        })
    }
}

/// Which samples the noise guard sets aside (`method.md` 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    #[default]
    None,
    Tukey,
}

/// What happens where a cluster's consistent candidates run out below its quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refill {
    /// Rejected samples in order of fewest conflicts.
    #[default]
    FewestConflicts,
    /// The paper: the quota stays short.
    None,
}

/// What a cluster's share of the budget is proportional to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    #[default]
    Cds,
    CdsXSize,
    Uniform,
}

/// Which damage drives quotas and order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    #[default]
    Whole,
    AfterFirstToken,
}

/// The concept graph's switch and strictness.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConceptRule {
    pub on: bool,
    /// Share of known pairs that must be linked, 0 to 1; 1 is the paper.
    pub strictness: f64,
}

impl Default for ConceptRule {
    fn default() -> Self {
        Self { on: true, strictness: 1.0 }
    }
}

/// Everything a selection is decided by, besides the pool, its scores and the person's edits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionPlan {
    pub strategy: Strategy,
    pub budget: Budget,
    pub guard: Guard,
    pub concepts: ConceptRule,
    pub refill: Refill,
    pub weight: Weight,
    pub damage: Damage,
    pub seed: u64,
}

impl Default for SelectionPlan {
    fn default() -> Self {
        Self {
            strategy: Strategy::Paser,
            budget: Budget::Percent(20.0),
            guard: Guard::None,
            concepts: ConceptRule::default(),
            refill: Refill::default(),
            weight: Weight::default(),
            damage: Damage::default(),
            seed: 0,
        }
    }
}

/// Why a quota was not filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShortfallReason {
    NoConsistentCandidate,
    NextSampleTooLong,
}

/// One cluster's account: `quota = pinned + taken + refilled + shortfall`, in the budget's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerRow {
    pub cluster: u32,
    pub name: String,
    pub samples: u64,
    /// Mean JSD over the scored samples, nats; none where nothing was scored.
    pub cds: Option<f64>,
    /// Lower and upper end of its 95 % interval.
    pub cds_low: Option<f64>,
    pub cds_high: Option<f64>,
    /// The same after the first response token.
    pub cds_rest: Option<f64>,
    /// Share by weight before caps and rounding; blank for strategies without quotas.
    pub quota_raw: Option<f64>,
    pub cap: u64,
    pub quota: u64,
    pub pinned: u64,
    pub taken: u64,
    pub refilled: u64,
    pub shortfall: u64,
    pub shortfall_reason: Option<ShortfallReason>,
    /// The quota reached the cap.
    pub exhausted: bool,
    /// Rejected by the concept graph and not refilled.
    pub rejected: u64,
    pub excluded: u64,
    pub guarded: u64,
    pub unscorable: u64,
    /// Prompt and response tokens of what was taken.
    pub tokens: u64,
}

/// One byte per row in a selection's `reason` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum ReasonCode {
    NotTaken = 0,
    Taken = 1,
    Pinned = 2,
    Refilled = 3,
    Conflict = 4,
    QuotaFull = 5,
    Excluded = 6,
    Guarded = 7,
    Unscorable = 8,
    HeldOut = 9,
    TooLong = 10,
}

impl ReasonCode {
    pub const ALL: [Self; 11] = [
        Self::NotTaken,
        Self::Taken,
        Self::Pinned,
        Self::Refilled,
        Self::Conflict,
        Self::QuotaFull,
        Self::Excluded,
        Self::Guarded,
        Self::Unscorable,
        Self::HeldOut,
        Self::TooLong,
    ];

    pub fn from_byte(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::NotTaken)
    }

    /// In the selection?
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Taken | Self::Pinned | Self::Refilled)
    }

    /// The status word of the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotTaken => "not drawn",
            Self::Taken => "taken",
            Self::Pinned => "pinned",
            Self::Refilled => "refilled",
            Self::Conflict => "conflict",
            Self::QuotaFull => "quota full",
            Self::Excluded => "excluded",
            Self::Guarded => "guarded",
            Self::Unscorable => "unscorable",
            Self::HeldOut => "held out",
            Self::TooLong => "too long",
        }
    }
}

/// A selection as the window and the command line show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionView {
    /// Name of a frozen selection; none for the one being built.
    pub name: Option<String>,
    pub plan: SelectionPlan,
    /// Sum of quotas, in `unit`.
    pub budget: u64,
    /// `samples` or `tokens`.
    pub unit: String,
    /// Samples in the selection.
    pub selected: u64,
    /// Prompt and response tokens as trained.
    pub tokens: u64,
    pub mean_response_tokens: f64,
    /// Share of candidates that the concept graph accepted; none without it.
    pub acceptance_rate: Option<f64>,
    /// Share of the selection above the noise guard's fence.
    pub above_fence: f64,
    /// Samples of planted noise in the selection, where it is known.
    pub noise: Option<u64>,
    pub ledger: Vec<LedgerRow>,
    /// How many rows carry each reason, by its word.
    pub reasons: Vec<(String, u64)>,
    /// Key of the `reason` column: one `ReasonCode` byte per row.
    pub reason_column: String,
    /// Sentences that must stand beside the numbers.
    pub notes: Vec<String>,
}
