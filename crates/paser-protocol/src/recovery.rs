//! Recovery: arms that are trained, their curves, and what may be concluded from them (`method.md` 5).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Report;

macro_rules! words {
    ($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $kind { $($(#[$doc])* $variant),+ }

        impl $kind {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

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
                Self::ALL.iter().copied().find(|known| known.name() == text).ok_or_else(|| {
                    format!("`{text}` is none of {}", [$($word),+].join(", "))
                })
            }
        }
    };
}

words! {
    /// Which weights are trained.
    Method {
        /// Low-rank additions to all seven projections of every layer.
        Lora => "lora",
        /// The last layers, the final norm and the head (depth-pruned models).
        LastLayers => "last-layers",
        /// Every weight.
        Full => "full",
    }
}

words! {
    /// How the learning rate goes on after the warm-up.
    Decay {
        Linear => "linear",
        Cosine => "cosine",
        Constant => "constant",
    }
}

words! {
    /// What all arms have the same amount of.
    Equal {
        Steps => "steps",
        Epochs => "epochs",
        ResponseTokens => "response-tokens",
    }
}

words! {
    /// A format that a trained arm is written in.
    WeightsFormat {
        /// The low-rank additions alone, as PEFT reads them.
        Peft => "peft",
        /// Weights with the additions merged, as safetensors with their configuration. Zeros stay zero where the base is
        /// sparse.
        Merged => "merged",
    }
}

words! {
    /// A trainer that an arm's data, configuration and command line are written for.
    Trainer {
        Axolotl => "axolotl",
        LlamaFactory => "llama-factory",
        Trl => "trl",
        LlmPruner => "llm-pruner",
    }
}

words! {
    /// The form of a written verdict table.
    TableFormat {
        Html => "html",
        Markdown => "markdown",
        Csv => "csv",
        Latex => "latex",
    }
}

/// The recipe's section `[recover]`: what all arms share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoverSettings {
    pub method: Method,
    /// Rank of the additions.
    pub rank: u32,
    /// The additions are multiplied by alpha / rank.
    pub alpha: f64,
    pub dropout: f64,
    /// Layers that are trained, counted from the last, by [`Method::LastLayers`].
    pub last_layers: u32,
    pub learning_rate: f64,
    pub weight_decay: f64,
    /// Steps over which the learning rate rises; never more than a tenth of an arm's steps.
    pub warmup: u32,
    pub decay: Decay,
    /// Samples a step.
    pub batch: u32,
    /// Most tokens of prompt and response together.
    pub length: u32,
    /// Largest norm of all gradients together.
    pub clip: f64,
    pub equal: Equal,
    pub steps: u32,
    pub epochs: f64,
    pub response_tokens: u64,
    /// Points of each curve after the first, at equal distances in steps.
    pub points: u32,
    /// Held-out samples of the pool that are measured, at most.
    pub held_out: u32,
    /// Files of items that are measured besides, JSONL with the pool's columns; `capability` groups them.
    pub items: Vec<String>,
}

/// What an arm is trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum ArmData {
    /// A frozen selection; one that was drawn at random is drawn anew for every seed.
    Selection { name: String },
    /// One cluster alone: a pilot.
    Cluster { cluster: u32 },
}

/// An arm of the recipe: `[[arms]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmPlan {
    pub name: String,
    pub data: ArmData,
    /// A run for each.
    pub seeds: Vec<u64>,
    /// Instead of the section's; none: the section's.
    pub equal: Option<Equal>,
    pub learning_rate: Option<f64>,
    pub steps: Option<u32>,
}

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// A number that is followed during training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricInfo {
    /// `held-out-loss`, `damage-left`, `answer-match`.
    pub metric: String,
    /// `held-out loss`
    pub name: String,
    /// `nats per token`, `nats`, `share`.
    pub unit: String,
    pub higher_is_better: bool,
}

/// Items that are measured together: those of a cluster, or of a capability of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupInfo {
    pub name: String,
    pub items: u64,
    /// Of the held-out samples of a cluster.
    pub cluster: Option<u32>,
}

/// One look at an arm in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    pub step: u32,
    /// Prompt and response tokens that were trained on so far, and response tokens alone.
    pub tokens: u64,
    pub response_tokens: u64,
    /// Seconds of training, without looking.
    pub seconds: f64,
    /// By metric, in the order of [`RecoveryView::metrics`]: over all items, then by group in the order of
    /// [`RecoveryView::groups`]; none where nothing is measured.
    pub values: Vec<Vec<Option<f64>>>,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ArmState {
    /// Will be trained when recovery runs.
    Waiting,
    Running,
    /// Begun and stopped: goes on at its last checkpoint.
    Stopped,
    Done,
    /// The loss left all bounds: flagged, and in no average.
    Diverged {
        why: String,
    },
    Failed {
        report: Report,
    },
}

/// One seed of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmRun {
    pub seed: u64,
    #[serde(flatten)]
    pub state: ArmState,
    pub step: u32,
    pub steps: u32,
    /// Steps that were left out because loss or gradient was not finite.
    pub skipped: u32,
    pub samples: u64,
    pub response_tokens: u64,
    pub points: Vec<CurvePoint>,
    /// Column key of the training loss of every step so far, f32; none before the first part is finished.
    pub losses: Option<String>,
}

/// An arm with all its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmView {
    pub name: String,
    /// What it is trained on, in words: `paser, 20 %`.
    pub what: String,
    /// Palette place; by the order of arms, pilots by their cluster.
    pub colour: u32,
    /// None: trained elsewhere and read here.
    pub plan: Option<ArmPlan>,
    /// A cluster's pilot.
    pub pilot: Option<u32>,
    pub runs: Vec<ArmRun>,
    /// Samples a run trains on; the first seed's.
    pub samples: u64,
    /// What its selection had to be paid for (vectors, clusters, scores), and all runs' training, seconds.
    pub scoring_seconds: f64,
    pub training_seconds: f64,
    /// Seconds that its missing runs will take; none before a rate is known.
    pub estimate_seconds: Option<f64>,
    /// At the last step over finished seeds, by metric: over all items, then by group.
    pub last: Vec<Vec<Option<Measure>>>,
    /// Recovery ratio over seeds, by metric: over all items, then by group; none where dense and pruned are not clearly
    /// apart.
    pub ratio: Vec<Vec<Option<Measure>>>,
}

/// What one pilot did to every cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PilotRow {
    pub cluster: u32,
    /// Held-out loss gained per thousand response tokens, by cluster in the order of the project's; none without held-out
    /// samples there.
    pub gain: Vec<Option<Measure>>,
}

/// What may be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The first arm is better.
    First,
    /// The second one is.
    Second,
    /// The difference is smaller than this test can see.
    CannotTell,
}

/// Two arms on one task or group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictRow {
    pub task: String,
    pub items: u64,
    pub first: f64,
    pub second: f64,
    /// first - second with its interval (bootstrap over seeds and items), in the metric's unit.
    pub difference: Measure,
    /// The difference that this test finds four times out of five.
    pub least_gap: f64,
    /// Two-sided, after Holm's correction over the rows.
    pub p: f64,
    /// McNemar's over paired answers; none for losses.
    pub mcnemar: Option<f64>,
    pub finding: Finding,
}

/// Two arms side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictView {
    pub first: String,
    pub second: String,
    pub metric: MetricInfo,
    /// Finished seeds of each.
    pub seeds: (u32, u32),
    pub rows: Vec<VerdictRow>,
    /// `2 of 7 tasks: paser is better. On the other 5 the difference is smaller than this test can see.`
    pub sentence: String,
    /// What has to be known to believe it: skipped seeds, too few items.
    pub notes: Vec<String>,
}

/// A named perplexity or task result of one model or arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// `dense`, `pruned`, or an arm and its seed.
    pub model: String,
    pub task: String,
    /// `lm-eval-current`, `llm-pruner-2023`, or a perplexity protocol.
    pub profile: String,
    /// `acc`, `acc_norm`, `exact_match`, `perplexity`.
    pub metric: String,
    pub value: Measure,
    pub items: u64,
    /// Read from another program's results.
    pub foreign: bool,
}

/// Everything that the Recover workspace shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryView {
    pub settings: RecoverSettings,
    /// What keeps arms from being trained: no models, nothing to measure on.
    pub blocked: Option<Report>,
    pub metrics: Vec<MetricInfo>,
    pub groups: Vec<GroupInfo>,
    /// Values of the dense and the pruned model, by metric: over all items, then by group; empty before they are measured.
    pub dense: Vec<Vec<Option<Measure>>>,
    pub pruned: Vec<Vec<Option<Measure>>>,
    pub arms: Vec<ArmView>,
    /// Column keys of the arms' final losses and the like change with it.
    pub revision: u64,
    pub pilots: Vec<PilotRow>,
    pub evaluations: Vec<EvaluationRow>,
    /// Seconds and bytes that the waiting runs take; none before a rate is known.
    pub estimate_seconds: Option<(f64, f64)>,
    pub memory_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arms_and_their_runs_read_as_they_are_written() {
        let selection = ArmData::Selection { name: "paser-20".to_owned() };
        for data in [selection, ArmData::Cluster { cluster: 3 }] {
            let equal = Some(Equal::ResponseTokens);
            let name = "paser".to_owned();
            let plan = ArmPlan { name, data, seeds: vec![1, 2], equal, learning_rate: Some(1e-3), steps: None };
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<ArmPlan>(&text).unwrap(), plan, "{text}");
        }
        for state in [ArmState::Running, ArmState::Diverged { why: "it rose".to_owned() }] {
            let (points, losses) = (Vec::new(), Some("losses".to_owned()));
            let run = ArmRun {
                seed: 1,
                state,
                step: 2,
                steps: 3,
                skipped: 0,
                samples: 4,
                response_tokens: 5,
                points,
                losses,
            };
            let text = serde_json::to_string(&run).unwrap();
            assert_eq!(serde_json::from_str::<ArmRun>(&text).unwrap(), run, "{text}");
        }
        assert_eq!("last-layers".parse::<Method>().unwrap().to_string(), "last-layers");
        assert!("sgd".parse::<Method>().unwrap_err().contains("lora, last-layers, full"));
    }
}
