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

/// What budgets, quotas and caps are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    pub fn resolve(self, samples: u64) -> u64 {
        match self {
            Self::Samples(count) | Self::Tokens(count) => count,
            // The tiny addition keeps decimal shares whole: 0.7 % of 1,000 is 7, although 0.7 * 1000 is just below 700.
            Self::Percent(percent) => (percent * samples as f64 / 100.0 + 1e-9).floor().max(0.0) as u64,
        }
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

impl FromStr for Budget {
    type Err = String;

    /// Reads `20%`, `1000`, `500k-tokens` or `2M-tokens`.
    fn from_str(text: &str) -> Result<Self, String> {
        read_budget(text.trim()).ok_or_else(|| {
            format!("`{text}` is no budget: write a share of the pool (20%, at most 100%), samples (1000) or tokens (2M-tokens)")
        })
    }
}

fn read_budget(text: &str) -> Option<Budget> {
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f64 = percent.trim().parse().ok()?;
        return (0.0..=100.0).contains(&percent).then_some(Budget::Percent(percent));
    }
    let Some(tokens) = text.strip_suffix("-tokens") else {
        return text.replace(',', "").parse().ok().map(Budget::Samples);
    };
    let scale = match tokens.chars().last()? {
        'k' | 'K' => 1e3,
        'M' => 1e6,
        'G' => 1e9,
        _ => return tokens.parse().ok().map(Budget::Tokens),
    };
    let number: f64 = tokens[..tokens.len() - 1].parse().ok()?;
    let count = (number * scale).round();
    (0.0..9e15).contains(&count).then_some(Budget::Tokens(count as u64))
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
    Kcenter,
    InstructionMining,
    Ifd,
    Superfiltering,
    Nuggets,
    Manual,
}

impl Strategy {
    pub const ALL: [Self; 18] = [
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
        Self::Kcenter,
        Self::InstructionMining,
        Self::Ifd,
        Self::Superfiltering,
        Self::Nuggets,
        Self::Manual,
    ];

    /// Those that read a column that takes a pass of its own over the pool.
    pub const WITH_PASS: [Self; 3] = [Self::Ifd, Self::Superfiltering, Self::Nuggets];

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
            Self::Kcenter => "kcenter",
            Self::InstructionMining => "instruction-mining",
            Self::Ifd => "ifd",
            Self::Superfiltering => "superfiltering",
            Self::Nuggets => "nuggets",
            Self::Manual => "manual",
        }
    }

    /// One line for menus and help.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Paser => "the paper: budget by damage, falling efficiency, concept conflicts last",
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
            Self::Kcenter => "farthest first on the vectors; slow for large budgets",
            Self::InstructionMining => "Instruction Mining v1 without its reward term",
            Self::Ifd => "where the prompt helps least, below 1; one more pass of a model",
            Self::Superfiltering => "the same judged by a small model of its own",
            Self::Nuggets => "what helps most as an example before anchor tasks; costly",
            Self::Manual => "pinned samples only",
        }
    }

    /// True where the outcome depends on the seed.
    pub fn uses_seed(self) -> bool {
        matches!(self, Self::PaserNoS2ric | Self::PaserNoCdais | Self::Random | Self::RandomLengthMatched)
    }

    /// True where the strategy reads a column that takes a pass of its own over the pool.
    pub fn needs_pass(self) -> bool {
        Self::WITH_PASS.contains(&self)
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
    /// The concept graph rejects all that is left, and nothing is refilled.
    NoConsistentCandidate,
    /// What is left of a token budget is shorter than every remaining sample.
    NextSampleTooLong,
}

/// One cluster's account: `quota = pinned + taken + refilled + shortfall`. `cap` to `shortfall` are in the budget's
/// unit; `samples`, `rejected`, `excluded`, `guarded`, `unscorable` and `ruled_out` count samples; `cds*` are nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerRow {
    pub cluster: u32,
    pub name: String,
    /// Distinct samples after hold-out.
    pub samples: u64,
    /// Mean JSD over the scored samples; none where nothing was scored.
    pub cds: Option<f64>,
    /// Lower and upper end of its 95 % interval.
    pub cds_low: Option<f64>,
    pub cds_high: Option<f64>,
    /// The same after the first response token.
    pub cds_rest: Option<f64>,
    /// Pins plus the share by weight, before caps and rounding; blank for strategies without quotas.
    pub quota_raw: Option<f64>,
    /// Pins plus eligible unpinned samples.
    pub cap: u64,
    /// Share of the budget after caps, rounding and, for tokens, the carry between clusters.
    pub quota: u64,
    pub pinned: u64,
    pub taken: u64,
    /// Taken although the concept graph had rejected them.
    pub refilled: u64,
    pub shortfall: u64,
    pub shortfall_reason: Option<ShortfallReason>,
    /// The quota reached the cap.
    pub exhausted: bool,
    /// A person set the quota.
    #[serde(default)]
    pub by_hand: bool,
    /// Candidates the concept graph turned away, refilled ones included.
    pub rejected: u64,
    pub excluded: u64,
    pub guarded: u64,
    pub unscorable: u64,
    /// Left out by the strategy's own rule: an instruction-following difficulty of 1 or more, or none.
    #[serde(default)]
    pub ruled_out: u64,
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
    RuledOut = 11,
}

impl ReasonCode {
    pub const ALL: [Self; 12] = [
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
        Self::RuledOut,
    ];

    /// The code of a byte; none for a byte that no version of this program wrote.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
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
            Self::RuledOut => "ruled out",
        }
    }
}

/// A selection as the window and the command line show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionView {
    /// Name of a frozen selection; none for the one being built.
    pub name: Option<String>,
    pub plan: SelectionPlan,
    /// The part of the budget that could be spent, in `unit`: the sum of the quotas, where the strategy has them.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn budgets_read_and_write_what_people_type() {
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
        assert_eq!("12,000".parse::<Budget>().unwrap(), Budget::Samples(12_000));
        for text in [
            "",
            "%",
            "x",
            "-5",
            "120%",
            "-1%",
            "NaN%",
            "12 tokens",
            "-tokens",
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

    #[test]
    fn bytes_are_codes_or_nothing() {
        for code in ReasonCode::ALL {
            assert_eq!(ReasonCode::from_byte(code as u8), Some(code));
        }
        assert_eq!(ReasonCode::from_byte(ReasonCode::ALL.len() as u8), None);
    }

    #[test]
    fn strategies_have_names_that_read_back() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.name().parse::<Strategy>().unwrap(), strategy);
        }
        assert!("pacer".parse::<Strategy>().unwrap_err().contains("paser-guarded"));
    }
}
