//! Writes a recipe: sections and comments from the table of fields, values from the recipe.

use paser_protocol::{ArmData, ArmPlan, SelectionPlan};

use super::fields::{ARM_FIELDS, FIELDS, Field, Kind, LAYOUT, SECTIONS, SELECTION_FIELDS};
use super::parse::Parsed;
use super::{ClusterRule, HoldOutRule, Recipe};

const HEAD: &str = "\
# The recipe of a PASER Studio project: everything that decides its numbers. Change a value and run again: only what
# depends on it is computed anew. Nothing is assumed: a missing or unknown key is an error that names its line.
";

const SELECTIONS_HEAD: &str = "\
# Selections that every run keeps up to date. Add as many as you like; those frozen by hand are left alone.
";

pub(super) const ARMS_HEAD: &str = "\
# Arms of the recovery: each is trained on its data once for every seed, by `paser recover` or in the window.
";

/// A text as a TOML literal.
pub fn literal(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The default of a field as the parser would give it.
pub(super) fn parsed_default(field: &Field) -> Parsed {
    let text = field.default.trim_matches('"').to_owned();
    match field.kind {
        Kind::Text | Kind::Choice(_) | Kind::HoldOut | Kind::Budget => Parsed::Text(text),
        Kind::Flag => Parsed::Flag(text == "true"),
        Kind::Files | Kind::Models => Parsed::List(Vec::new()),
        Kind::Seeds => Parsed::Numbers(Vec::new()),
        Kind::Own { .. } => Parsed::Text(text),
        Kind::Number { .. } => Parsed::Number(text.parse().unwrap_or(0.0)),
        Kind::Integer { .. } | Kind::Clusters | Kind::PerSample => {
            text.parse().map_or_else(|_| Parsed::Text(text.clone()), Parsed::Integer)
        }
    }
}

fn write_fields(text: &mut String, recipe: &Recipe, section: &str) {
    for field in FIELDS.iter().filter(|field| field.section == section) {
        text.push('\n');
        for line in wrap(field.comment, 110) {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&format!("{} = {}\n", field.key, value(recipe, section, field.key)));
    }
}

/// One section as the file has it.
pub(super) fn section(recipe: &Recipe, name: &str) -> String {
    let mut text = String::new();
    let about = SECTIONS.iter().find(|(section, _)| *section == name).map_or("", |(_, about)| about);
    for line in wrap(about, 110) {
        text.push_str(&format!("# {line}\n"));
    }
    text.push_str(&format!("[{name}]\n"));
    write_fields(&mut text, recipe, name);
    text
}

pub(super) fn file(recipe: &Recipe) -> String {
    let mut text = HEAD.to_owned();
    write_fields(&mut text, recipe, "");
    for (name, _) in SECTIONS {
        text.push('\n');
        text.push_str(&section(recipe, name));
    }
    text.push('\n');
    text.push_str(SELECTIONS_HEAD);
    for (index, named) in recipe.selections.iter().enumerate() {
        text.push_str("\n[[selections]]\n");
        for field in SELECTION_FIELDS {
            if index == 0 {
                for line in wrap(field.comment, 110) {
                    text.push_str(&format!("# {line}\n"));
                }
            }
            text.push_str(&format!("{} = {}\n", field.key, plan_value(&named.name, &named.plan, field.key)));
        }
    }
    if !recipe.arms.is_empty() {
        text.push('\n');
        text.push_str(&arms(&recipe.arms));
    }
    text
}

/// Whether a line is the one that stands above all arms.
pub(super) fn is_arms_head(line: &str) -> bool {
    line == ARMS_HEAD.trim_end()
}

/// All arms as the file has them.
pub(super) fn arms(arms: &[ArmPlan]) -> String {
    let mut text = ARMS_HEAD.to_owned();
    for (index, arm) in arms.iter().enumerate() {
        text.push_str("\n[[arms]]\n");
        for field in ARM_FIELDS {
            if index == 0 {
                for line in wrap(field.comment, 110) {
                    text.push_str(&format!("# {line}\n"));
                }
            }
            text.push_str(&format!("{} = {}\n", field.key, arm_value(arm, field.key)));
        }
    }
    text
}

fn arm_value(arm: &ArmPlan, key: &str) -> String {
    let shared = || literal("shared");
    match key {
        "name" => literal(&arm.name),
        "data" => literal(&match &arm.data {
            ArmData::Selection { name } => format!("selection {name}"),
            ArmData::Cluster { cluster } => format!("cluster {cluster}"),
        }),
        "seeds" => format!("{:?}", arm.seeds),
        "equal" => arm.equal.map_or_else(shared, |equal| literal(equal.name())),
        "learning_rate" => arm.learning_rate.map_or_else(shared, |rate| format!("{rate:?}")),
        _ => arm.steps.map_or_else(shared, |steps| steps.to_string()),
    }
}

pub(super) fn recover_value(recipe: &Recipe, key: &str) -> String {
    let recover = &recipe.recover;
    match key {
        "method" => literal(recover.method.name()),
        "rank" => recover.rank.to_string(),
        "alpha" => format!("{:?}", recover.alpha),
        "dropout" => format!("{:?}", recover.dropout),
        "last_layers" => recover.last_layers.to_string(),
        "learning_rate" => format!("{:?}", recover.learning_rate),
        "weight_decay" => format!("{:?}", recover.weight_decay),
        "warmup" => recover.warmup.to_string(),
        "decay" => literal(recover.decay.name()),
        "batch" => recover.batch.to_string(),
        "length" => recover.length.to_string(),
        "clip" => format!("{:?}", recover.clip),
        "equal" => literal(recover.equal.name()),
        "steps" => recover.steps.to_string(),
        "epochs" => format!("{:?}", recover.epochs),
        "response_tokens" => recover.response_tokens.to_string(),
        "points" => recover.points.to_string(),
        "held_out" => recover.held_out.to_string(),
        _ => list(&recover.items),
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.len() - 1;
        if !lines[line].is_empty() && lines[line].len() + word.len() >= width {
            lines.push(word.to_owned());
        } else {
            if !lines[line].is_empty() {
                lines[line].push(' ');
            }
            lines[line].push_str(word);
        }
    }
    lines
}

fn value(recipe: &Recipe, section: &str, key: &str) -> String {
    let number = |value: f64| format!("{value:?}");
    match (section, key) {
        ("", "recipe") => LAYOUT.to_string(),
        ("", _) => literal(&recipe.name),
        ("pool", "path") => literal(&recipe.pool.path),
        ("pool", _) => match &recipe.pool.hold_out {
            HoldOutRule::None => literal("none"),
            HoldOutRule::Share(share) => number(*share),
            HoldOutRule::MultiplesOf(divisor) => literal(&format!("multiples of {divisor}")),
            HoldOutRule::Ids(ids) => list(ids),
        },
        ("roles", "instruction") => literal(&recipe.roles.instruction),
        ("roles", "input") => literal(&recipe.roles.input),
        ("roles", "output") => literal(&recipe.roles.output),
        ("roles", _) => literal(&recipe.roles.id),
        ("template", "name") => literal(&recipe.template.name),
        ("template", _) => recipe.template.max_tokens.to_string(),
        ("vectors", "encoder") => literal(&recipe.vectors.encoder),
        ("vectors", "text") => literal(&recipe.vectors.text),
        ("vectors", _) => recipe.vectors.dimensions.to_string(),
        ("manifold", key) => manifold_value(recipe, key),
        ("models", "dense") => literal(&recipe.models.dense),
        ("models", "pruned") => literal(&recipe.models.pruned),
        ("models", "others") => list(&recipe.models.others),
        ("models", _) => literal(&recipe.models.device),
        ("prune", "method") => literal(&recipe.prune.method),
        ("prune", "pattern") => literal(&recipe.prune.pattern),
        ("prune", _) => recipe.prune.calibration.to_string(),
        ("score", "batch_tokens") => recipe.score.batch_tokens.to_string(),
        ("score", _) => recipe.score.shard.to_string(),
        ("concepts", "per_sample") => {
            recipe.concepts.per_sample.map_or_else(|| literal("all"), |count| count.to_string())
        }
        ("concepts", _) => recipe.concepts.max_words.to_string(),
        ("strategies", key) => strategies_value(recipe, key),
        ("recover", key) => recover_value(recipe, key),
        (_, "near_duplicates") => number(recipe.checks.near_duplicates),
        (_, _) => list(&recipe.checks.benchmarks),
    }
}

pub(super) fn strategies_value(recipe: &Recipe, key: &str) -> String {
    let strategies = &recipe.strategies;
    match key {
        "ifd_model" => literal(strategies.ifd_model.name()),
        "filter_model" => literal(&strategies.filter_model),
        "nuggets_model" => literal(strategies.nuggets_model.name()),
        "nuggets_anchors" => strategies.nuggets_anchors.to_string(),
        _ => literal(strategies.nuggets_from.name()),
    }
}

pub(super) fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn manifold_value(recipe: &Recipe, key: &str) -> String {
    let manifold = &recipe.manifold;
    match key {
        "neighbours" => manifold.neighbours.to_string(),
        "candidates" => manifold.candidates.to_string(),
        "bandwidth_neighbour" => manifold.bandwidth_neighbour.to_string(),
        "alpha" => format!("{:?}", manifold.alpha),
        "dimensions" => manifold.dimensions.to_string(),
        "time" => format!("{:?}", manifold.time),
        "clusters" => manifold.clusters.literal(),
        "merge" => literal(if manifold.merge { "small" } else { "none" }),
        "start" => literal(&manifold.start),
        "k_max" => manifold.k_max.to_string(),
        "curve_rows" => manifold.curve_rows.to_string(),
        "half_splits" => manifold.half_splits.to_string(),
        _ => manifold.seed.to_string(),
    }
}

impl ClusterRule {
    /// As a recipe writes it.
    pub fn literal(self) -> String {
        match self {
            Self::Automatic => literal("automatic"),
            Self::Fine => literal("fine"),
            Self::Coarse => literal("coarse"),
            Self::Fixed(k) => k.to_string(),
        }
    }
}

fn plan_value(name: &str, plan: &SelectionPlan, key: &str) -> String {
    // The protocol's enums write themselves as the words that the check allows.
    let word = |value: serde_json::Result<String>| value.unwrap_or_default();
    match key {
        "name" => literal(name),
        "strategy" => literal(plan.strategy.name()),
        "budget" => literal(&plan.budget.to_string()),
        "guard" => word(serde_json::to_string(&plan.guard)),
        "concepts" => plan.concepts.on.to_string(),
        "strictness" => format!("{:?}", plan.concepts.strictness),
        "refill" => word(serde_json::to_string(&plan.refill)),
        "weight" => word(serde_json::to_string(&plan.weight)),
        "damage" => word(serde_json::to_string(&plan.damage)),
        _ => plan.seed.to_string(),
    }
}
