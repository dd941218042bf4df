//! `recipe.toml`: the whole truth about what a project computes. Readable, diffable, every default spelled out; a
//! stage's numbers come from here and from nowhere else.

mod fields;
mod parse;
mod render;

use std::{path::Path, str::FromStr};

use paser_protocol::{ArmData, ArmPlan, ConceptRule, RecoverSettings, SelectionPlan, StrategySettings};
use serde::de::DeserializeOwned;

use crate::ProjectError;
use parse::{Document, Parsed, Values};
pub use render::literal;

/// Which samples are kept for evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum HoldOutRule {
    None,
    /// Share of the distinct samples, by content hash.
    Share(f64),
    /// Whole-number ids divisible by this.
    MultiplesOf(u64),
    Ids(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterRule {
    Automatic,
    Fine,
    Coarse,
    Fixed(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub struct PoolRecipe {
    pub path: String,
    pub hold_out: HoldOutRule,
}

/// Column names as written; `auto` and `none` keep their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolesRecipe {
    pub instruction: String,
    pub input: String,
    pub output: String,
    pub id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRecipe {
    pub name: String,
    pub max_tokens: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorsRecipe {
    /// Empty: TF-IDF + SVD.
    pub encoder: String,
    /// `question` or `instruction`.
    pub text: String,
    pub dimensions: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ManifoldRecipe {
    pub neighbours: usize,
    pub candidates: usize,
    pub bandwidth_neighbour: usize,
    pub alpha: f64,
    pub dimensions: usize,
    pub time: f64,
    pub clusters: ClusterRule,
    pub merge: bool,
    /// `spectral` or `manifold`.
    pub start: String,
    pub k_max: usize,
    pub curve_rows: usize,
    pub half_splits: usize,
    pub seed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelsRecipe {
    /// Empty where there is none.
    pub dense: String,
    pub pruned: String,
    /// Further pruned copies of the dense model.
    pub others: Vec<String>,
    pub device: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneRecipe {
    /// `none`, `magnitude` or `wanda`.
    pub method: String,
    pub pattern: String,
    pub calibration: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRecipe {
    pub batch_tokens: usize,
    pub shard: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConceptsRecipe {
    /// None: all phrases.
    pub per_sample: Option<usize>,
    pub max_words: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ChecksRecipe {
    /// Jaccard similarity from which samples are near-duplicates, 0.5 to 1; 0: not looked for.
    pub near_duplicates: f64,
    /// Files of benchmark tasks, as written.
    pub benchmarks: Vec<String>,
    /// The recipe is of an earlier version and has no such section: these are the defaults.
    pub assumed: bool,
}

/// A selection that a run keeps up to date.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedPlan {
    pub name: String,
    pub plan: SelectionPlan,
}

/// A recipe whose every field holds an allowed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    pub name: String,
    pub pool: PoolRecipe,
    pub roles: RolesRecipe,
    pub template: TemplateRecipe,
    pub vectors: VectorsRecipe,
    pub manifold: ManifoldRecipe,
    pub models: ModelsRecipe,
    pub prune: PruneRecipe,
    pub score: ScoreRecipe,
    pub concepts: ConceptsRecipe,
    pub checks: ChecksRecipe,
    pub strategies: StrategySettings,
    pub recover: RecoverSettings,
    pub selections: Vec<NamedPlan>,
    pub arms: Vec<ArmPlan>,
}

impl Recipe {
    /// Every field at its default; three selections at 20 %: `paser`, `paser-guarded` and `random`.
    pub fn new() -> Self {
        let mut document = Document::default();
        for field in fields::FIELDS {
            let name = if field.section.is_empty() {
                field.key.to_owned()
            } else {
                format!("{}.{}", field.section, field.key)
            };
            document.values.insert(name, render::parsed_default(field));
        }
        let mut recipe = Self::from_document(&document);
        recipe.selections = ["paser", "paser-guarded", "random"]
            .into_iter()
            .map(|strategy| NamedPlan {
                name: format!("{strategy}-20"),
                plan: SelectionPlan {
                    strategy: strategy.parse().unwrap_or(paser_protocol::Strategy::Paser),
                    ..SelectionPlan::default()
                },
            })
            .collect();
        recipe
    }

    /// Reads a recipe; `path` names it in errors.
    ///
    /// # Errors
    /// `Recipe` with one line per problem: file, line, key, and what is allowed.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ProjectError> {
        let document = parse::document(text, path)?;
        let recipe = Self::from_document(&document);
        recipe.check_relations(text, path)?;
        Ok(recipe)
    }

    pub fn read(path: &Path) -> Result<Self, ProjectError> {
        let bytes = fs_err::read(path)?;
        let text = String::from_utf8(bytes).map_err(|error| ProjectError::Recipe {
            problems: vec![format!("{}: byte {} is not UTF-8", path.display(), error.utf8_error().valid_up_to())],
        })?;
        Self::parse(&text, path)
    }

    /// The file: every value with its comment.
    pub fn render(&self) -> String {
        render::file(self)
    }

    /// Sets one value in the text of a recipe and leaves all else as it was. `value` is a TOML literal.
    ///
    /// # Errors
    /// `Recipe` where the key is not in the text or the result is no valid recipe.
    pub fn with_value(text: &str, section: &str, key: &str, value: &str, path: &Path) -> Result<String, ProjectError> {
        let span = parse::value_span(text, section, key).ok_or_else(|| ProjectError::Recipe {
            problems: vec![format!("{}: there is no `{key}` in [{section}] to change", path.display())],
        })?;
        let mut changed = text.to_owned();
        changed.replace_range(span, value);
        Self::parse(&changed, path)?;
        Ok(changed)
    }

    /// The text with other benchmark files to check the pool against. A recipe of an earlier version gets its section.
    ///
    /// # Errors
    /// As [`Self::with_value`].
    pub fn with_benchmarks(text: &str, benchmarks: &[String], path: &Path) -> Result<String, ProjectError> {
        let list = render::list(benchmarks);
        if parse::value_span(text, "checks", "benchmarks").is_some() {
            return Self::with_value(text, "checks", "benchmarks", &list, path);
        }
        let near_duplicates = Self::parse(text, path)?.checks.near_duplicates;
        let section = format!("\n[checks]\nnear_duplicates = {near_duplicates}\nbenchmarks = {list}\n");
        let changed = format!("{}\n{section}", text.trim_end());
        Self::parse(&changed, path)?;
        Ok(changed)
    }

    /// The text with other pruned models. One that is loaded takes the place of one that `[prune]` would make. A recipe of an
    /// earlier version gets its line.
    ///
    /// # Errors
    /// As [`Self::with_value`].
    pub fn with_pruned(text: &str, pruned: &str, others: &[String], path: &Path) -> Result<String, ProjectError> {
        let mut values = vec![("models", "pruned", literal(pruned)), ("models", "others", render::list(others))];
        if !pruned.is_empty() {
            values.push(("prune", "method", literal("none")));
        }
        let mut changed = text.to_owned();
        for (section, key, value) in values {
            match parse::value_span(&changed, section, key) {
                Some(span) => changed.replace_range(span, &value),
                None => {
                    let after = parse::value_span(&changed, section, "pruned").map_or(changed.len(), |span| span.end);
                    let line = changed[after..].find('\n').map_or(changed.len(), |end| after + end);
                    changed.insert_str(line, &format!("\n{key} = {value}"));
                }
            }
        }
        // Only the whole of it is a recipe without contradictions.
        Self::parse(&changed, path)?;
        Ok(changed)
    }

    /// The text with other settings of the strategies that need a pass. A recipe of an earlier version gets its section.
    ///
    /// # Errors
    /// As [`Self::with_value`].
    pub fn with_strategies(text: &str, settings: &StrategySettings, path: &Path) -> Result<String, ProjectError> {
        let before = Self::parse(text, path)?;
        let after = Self { strategies: settings.clone(), ..before.clone() };
        if parse::value_span(text, "strategies", "ifd_model").is_none() {
            let changed = format!("{}\n\n{}", text.trim_end(), render::section(&after, "strategies"));
            Self::parse(&changed, path)?;
            return Ok(changed);
        }
        let keys = fields::FIELDS.iter().filter(|field| field.section == "strategies").map(|field| field.key);
        keys.map(|key| (key, render::strategies_value(&after, key)))
            .filter(|(key, value)| render::strategies_value(&before, key) != *value)
            .try_fold(text.to_owned(), |text, (key, value)| Self::with_value(&text, "strategies", key, &value, path))
    }

    /// The text with other settings of the recovery. A recipe of an earlier version gets its section.
    ///
    /// # Errors
    /// As [`Self::with_value`].
    pub fn with_recover(text: &str, settings: &RecoverSettings, path: &Path) -> Result<String, ProjectError> {
        let before = Self::parse(text, path)?;
        let after = Self { recover: settings.clone(), ..before.clone() };
        if parse::value_span(text, "recover", "method").is_none() {
            let (head, arms) = text.split_at(arms_start(text));
            let changed = format!("{}\n\n{}\n{arms}", head.trim_end(), render::section(&after, "recover"));
            Self::parse(&changed, path)?;
            return Ok(changed);
        }
        let keys = fields::FIELDS.iter().filter(|field| field.section == "recover").map(|field| field.key);
        keys.map(|key| (key, render::recover_value(&after, key)))
            .filter(|(key, value)| render::recover_value(&before, key) != *value)
            .try_fold(text.to_owned(), |text, (key, value)| Self::with_value(&text, "recover", key, &value, path))
    }

    /// The text with these arms and no others.
    ///
    /// # Errors
    /// As [`Self::with_value`].
    pub fn with_arms(text: &str, arms: &[ArmPlan], path: &Path) -> Result<String, ProjectError> {
        let mut kept = String::new();
        let mut inside = false;
        for line in text.lines() {
            let head = line.trim_start();
            if head.starts_with('[') {
                inside = head.starts_with("[[arms]]");
            }
            if !inside && !render::is_arms_head(line) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        let mut changed = kept.trim_end().to_owned() + "\n";
        if !arms.is_empty() {
            changed = format!("{changed}\n{}", render::arms(arms));
        }
        Self::parse(&changed, path)?;
        Ok(changed)
    }

    fn from_document(document: &Document) -> Self {
        let get = Get(document);
        Self {
            name: get.text("name"),
            pool: PoolRecipe {
                path: get.text("pool.path"),
                hold_out: match document.values.get("pool.holdout") {
                    Some(Parsed::Number(share)) => HoldOutRule::Share(*share),
                    Some(Parsed::Integer(divisor)) => HoldOutRule::MultiplesOf(*divisor as u64),
                    Some(Parsed::List(ids)) => HoldOutRule::Ids(ids.clone()),
                    _ => HoldOutRule::None,
                },
            },
            roles: RolesRecipe {
                instruction: get.text("roles.instruction"),
                input: get.text("roles.input"),
                output: get.text("roles.output"),
                id: get.text("roles.id"),
            },
            template: TemplateRecipe { name: get.text("template.name"), max_tokens: get.count("template.max_tokens") },
            vectors: VectorsRecipe {
                encoder: get.text("vectors.encoder"),
                text: get.text("vectors.text"),
                dimensions: get.count("vectors.dimensions"),
            },
            manifold: ManifoldRecipe {
                neighbours: get.count("manifold.neighbours"),
                candidates: get.count("manifold.candidates"),
                bandwidth_neighbour: get.count("manifold.bandwidth_neighbour"),
                alpha: get.number("manifold.alpha"),
                dimensions: get.count("manifold.dimensions"),
                time: get.number("manifold.time"),
                clusters: match document.values.get("manifold.clusters") {
                    Some(Parsed::Integer(k)) => ClusterRule::Fixed(*k as u32),
                    Some(Parsed::Text(word)) if word == "fine" => ClusterRule::Fine,
                    Some(Parsed::Text(word)) if word == "coarse" => ClusterRule::Coarse,
                    _ => ClusterRule::Automatic,
                },
                merge: get.text("manifold.merge") == "small",
                start: get.text("manifold.start"),
                k_max: get.count("manifold.k_max"),
                curve_rows: get.count("manifold.curve_rows"),
                half_splits: get.count("manifold.half_splits"),
                seed: get.count("manifold.seed") as u64,
            },
            models: ModelsRecipe {
                dense: get.text("models.dense"),
                pruned: get.text("models.pruned"),
                others: get.texts("models.others"),
                device: get.text("models.device"),
            },
            prune: PruneRecipe {
                method: get.text("prune.method"),
                pattern: get.text("prune.pattern"),
                calibration: get.count("prune.calibration"),
            },
            score: ScoreRecipe { batch_tokens: get.count("score.batch_tokens"), shard: get.count("score.shard") },
            concepts: ConceptsRecipe {
                per_sample: match document.values.get("concepts.per_sample") {
                    Some(Parsed::Integer(count)) => Some(*count as usize),
                    _ => None,
                },
                max_words: get.count("concepts.max_words"),
            },
            checks: ChecksRecipe {
                near_duplicates: get.number("checks.near_duplicates"),
                benchmarks: get.texts("checks.benchmarks"),
                assumed: document.assumed.contains(&"checks"),
            },
            strategies: StrategySettings {
                ifd_model: get.word("strategies.ifd_model"),
                filter_model: get.text("strategies.filter_model"),
                nuggets_model: get.word("strategies.nuggets_model"),
                nuggets_anchors: get.count("strategies.nuggets_anchors") as u32,
                nuggets_from: get.word("strategies.nuggets_from"),
            },
            recover: RecoverSettings {
                method: get.chosen("recover.method", paser_protocol::Method::Lora),
                rank: get.count("recover.rank") as u32,
                alpha: get.number("recover.alpha"),
                dropout: get.number("recover.dropout"),
                last_layers: get.count("recover.last_layers") as u32,
                learning_rate: get.number("recover.learning_rate"),
                weight_decay: get.number("recover.weight_decay"),
                warmup: get.count("recover.warmup") as u32,
                decay: get.chosen("recover.decay", paser_protocol::Decay::Linear),
                batch: get.count("recover.batch") as u32,
                length: get.count("recover.length") as u32,
                clip: get.number("recover.clip"),
                equal: get.chosen("recover.equal", paser_protocol::Equal::Steps),
                steps: get.count("recover.steps") as u32,
                epochs: get.number("recover.epochs"),
                response_tokens: get.count("recover.response_tokens") as u64,
                points: get.count("recover.points") as u32,
                held_out: get.count("recover.held_out") as u32,
                items: get.texts("recover.items"),
            },
            selections: document.selections.iter().map(named_plan).collect(),
            arms: document.arms.iter().map(arm_plan).collect(),
        }
    }

    /// What one field alone cannot tell.
    fn check_relations(&self, text: &str, path: &Path) -> Result<(), ProjectError> {
        let mut problems = Vec::new();
        let mut add = |section: &str, key: &str, what: &str| {
            let at = parse::value_span(text, section, key).map_or(0, |span| span.start);
            let line = 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
            problems.push(format!("{}:{line}: {what}", path.display()));
        };
        let manifold = &self.manifold;
        if manifold.candidates < manifold.neighbours {
            add("manifold", "candidates", "`candidates` must be at least `neighbours`");
        }
        if manifold.bandwidth_neighbour > manifold.neighbours {
            add("manifold", "bandwidth_neighbour", "`bandwidth_neighbour` must be at most `neighbours`");
        }
        let roles = &self.roles;
        let named = [&roles.instruction, &roles.input, &roles.output, &roles.id].map(|role| role.as_str() != "auto");
        if named.contains(&true) && named.contains(&false) {
            add(
                "roles",
                "instruction",
                "name all four roles or leave all four `auto` (`none` where there is no input or no id)",
            );
        }
        for (key, role) in [("instruction", &roles.instruction), ("output", &roles.output)] {
            if role == "none" {
                add("roles", key, &format!("`{key}` cannot be `none`: a sample needs it"));
            }
        }
        if self.prune.method != "none" {
            if !self.models.pruned.is_empty() {
                add("prune", "method", "[prune] is on and models.pruned names a model: empty one of them");
            }
            if self.models.dense.is_empty() {
                add("prune", "method", "[prune] needs models.dense");
            }
            if prune_pattern(&self.prune.pattern).is_none() {
                add(
                    "prune",
                    "pattern",
                    &format!("`pattern` must be a share such as 0.5, 2:4 or 4:8, not {:?}", self.prune.pattern),
                );
            }
        }
        if self.checks.near_duplicates > 0.0 && self.checks.near_duplicates < LEAST_SIMILARITY {
            add("checks", "near_duplicates", "`near_duplicates` must be 0 (off) or a number from 0.5 to 1");
        }
        if self.models.dense.is_empty() && !self.models.pruned.is_empty() {
            add("models", "dense", "`pruned` is given without `dense`: damage is the difference of both");
        }
        let models = &self.models;
        for (at, other) in models.others.iter().enumerate() {
            if *other == models.pruned || models.others[..at].contains(other) {
                add("models", "others", &format!("the pruned model {other:?} stands twice"));
            } else if *other == models.dense {
                add("models", "others", &format!("{other:?} is the dense model itself"));
            }
        }
        if !models.others.is_empty() && models.pruned.is_empty() && self.prune.method == "none" {
            add("models", "pruned", "`others` are given without `pruned`: name the one that selections are made with");
        }
        if problems.is_empty() { Ok(()) } else { Err(ProjectError::Recipe { problems }) }
    }
}

/// Where the arms of a text begin; its end where there are none.
fn arms_start(text: &str) -> usize {
    let head = render::ARMS_HEAD.lines().next().unwrap_or_default();
    text.find(head).or_else(|| text.find("[[arms]]")).unwrap_or(text.len())
}

impl Default for Recipe {
    fn default() -> Self {
        Self::new()
    }
}

/// Below it texts that merely share a template would pass for duplicates.
pub const LEAST_SIMILARITY: f64 = 0.5;

/// A share of zeros, or N of M.
pub fn prune_pattern(text: &str) -> Option<Result<f64, (usize, usize)>> {
    match text {
        "2:4" => Some(Err((2, 4))),
        "4:8" => Some(Err((4, 8))),
        _ => text.parse::<f64>().ok().filter(|share| *share > 0.0 && *share < 1.0).map(Ok),
    }
}

struct Get<'a>(&'a Document);

impl Get<'_> {
    fn text(&self, name: &str) -> String {
        match self.0.values.get(name) {
            Some(Parsed::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    fn texts(&self, name: &str) -> Vec<String> {
        match self.0.values.get(name) {
            Some(Parsed::List(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    /// One of the words that the check allows.
    fn word<T: FromStr + Default>(&self, name: &str) -> T {
        self.text(name).parse().unwrap_or_default()
    }

    /// The same of words that have no default.
    fn chosen<T: FromStr>(&self, name: &str, fallback: T) -> T {
        self.text(name).parse().unwrap_or(fallback)
    }

    fn count(&self, name: &str) -> usize {
        match self.0.values.get(name) {
            Some(Parsed::Integer(number)) => *number as usize,
            _ => 0,
        }
    }

    fn number(&self, name: &str) -> f64 {
        match self.0.values.get(name) {
            Some(Parsed::Number(number)) => *number,
            _ => 0.0,
        }
    }
}

fn named_plan(values: &Values) -> NamedPlan {
    let text = |key: &str| match values.get(key) {
        Some(Parsed::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let default = SelectionPlan::default();
    NamedPlan {
        name: text("name"),
        plan: SelectionPlan {
            strategy: text("strategy").parse().unwrap_or(default.strategy),
            budget: text("budget").parse().unwrap_or(default.budget),
            guard: word(text("guard")).unwrap_or(default.guard),
            concepts: ConceptRule {
                on: values.get("concepts") != Some(&Parsed::Flag(false)),
                strictness: match values.get("strictness") {
                    Some(Parsed::Number(strictness)) => *strictness,
                    _ => default.concepts.strictness,
                },
            },
            refill: word(text("refill")).unwrap_or(default.refill),
            weight: word(text("weight")).unwrap_or(default.weight),
            damage: word(text("damage")).unwrap_or(default.damage),
            seed: match values.get("seed") {
                Some(Parsed::Integer(seed)) => *seed as u64,
                _ => default.seed,
            },
        },
    }
}

fn arm_plan(values: &Values) -> ArmPlan {
    let text = |key: &str| match values.get(key) {
        Some(Parsed::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let own = |key: &str| match values.get(key) {
        Some(Parsed::Number(number)) => Some(*number),
        _ => None,
    };
    ArmPlan {
        name: text("name"),
        // The check has let only readable data through.
        data: parse::arm_data(&text("data")).unwrap_or(ArmData::Selection { name: String::new() }),
        seeds: match values.get("seeds") {
            Some(Parsed::Numbers(seeds)) => seeds.clone(),
            _ => Vec::new(),
        },
        equal: text("equal").parse().ok(),
        learning_rate: own("learning_rate"),
        steps: own("steps").map(|steps| steps as u32),
    }
}

/// The protocol's enums by their own words. The check has let only those through.
fn word<T: DeserializeOwned>(text: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text)).ok()
}

#[cfg(test)]
mod tests;
