//! The forms of the Recover workspace as they are typed: arms to be added, files of an arm, a report, and what all arms
//! share. Checks them; nothing here draws.

use std::collections::{BTreeMap, BTreeSet};

use paser_protocol::{
    ArmData, ArmPlan, Decay, Equal, Method, RecoverSettings, SelectionPlan, Strategy, TableFormat, Trainer,
    WeightsFormat,
};

use crate::state::AppState;

/// Most seeds that the form asks for.
const MOST_SEEDS: u64 = 20;

/// Arms to be added; or, with `of`, an arm once more with changes.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmsForm {
    /// The arm that is duplicated.
    pub of: Option<String>,
    /// Frozen selections, by name.
    pub chosen: BTreeSet<String>,
    /// The selection being built is frozen for an arm.
    pub built: bool,
    /// Random at the same budget is frozen for an arm.
    pub random: bool,
    /// Of the arm, where it is one; empty: the selection's.
    pub name: String,
    /// Seeds 1 to this number.
    pub seeds: String,
    /// Empty: that of all arms.
    pub learning_rate: String,
    /// Empty: those of all arms.
    pub steps: String,
    pub equal: Option<Equal>,
    pub waiting: bool,
}

impl Default for ArmsForm {
    fn default() -> Self {
        Self {
            of: None,
            chosen: BTreeSet::new(),
            built: false,
            random: false,
            name: String::new(),
            seeds: "3".to_owned(),
            learning_rate: String::new(),
            steps: String::new(),
            equal: None,
            waiting: false,
        }
    }
}

/// What has to be asked for: arms, and the selections that are frozen first.
pub type Order = (Vec<ArmPlan>, Vec<(SelectionPlan, String)>);

impl ArmsForm {
    /// The first frozen selection by paser, or the one being built, and random.
    pub fn paser_and_random(state: &AppState) -> Self {
        let mut form = Self::default();
        let frozen = |strategy: Strategy| {
            let mut selections = state.project.iter().flat_map(|project| &project.selections);
            selections
                .find(|selection| selection.plan.strategy == strategy)
                .and_then(|selection| selection.name.clone())
        };
        match frozen(Strategy::Paser) {
            Some(name) => drop(form.chosen.insert(name)),
            None => form.built = true,
        }
        match frozen(Strategy::Random) {
            Some(name) => drop(form.chosen.insert(name)),
            None => form.random = true,
        }
        form
    }

    /// The selections side by side in Compare, and random.
    pub fn compared(state: &AppState) -> Self {
        let chosen: BTreeSet<String> = state.compare.names.iter().cloned().collect();
        let frozen = state.project.iter().flat_map(|project| &project.selections);
        let random = frozen.filter(|selection| selection.plan.strategy == Strategy::Random);
        let random: Vec<&String> = random.filter_map(|selection| selection.name.as_ref()).collect();
        let mut form = Self { chosen, ..Self::default() };
        if !random.iter().any(|name| form.chosen.contains(*name)) {
            match random.first() {
                Some(name) => drop(form.chosen.insert((*name).clone())),
                None => form.random = true,
            }
        }
        form
    }

    /// An arm once more.
    pub fn duplicate(plan: &ArmPlan, free: String) -> Self {
        let chosen = match &plan.data {
            ArmData::Selection { name } => BTreeSet::from([name.clone()]),
            ArmData::Cluster { .. } => BTreeSet::new(),
        };
        Self {
            of: Some(plan.name.clone()),
            chosen,
            name: free,
            seeds: plan.seeds.len().to_string(),
            learning_rate: plan.learning_rate.map_or_else(String::new, |rate| format!("{rate:e}")),
            steps: plan.steps.map_or_else(String::new, |steps| steps.to_string()),
            equal: plan.equal,
            ..Self::default()
        }
    }

    /// How many arms it makes.
    pub fn arms(&self) -> usize {
        self.chosen.len() + usize::from(self.built) + usize::from(self.random)
    }

    pub fn seeds(&self) -> Result<u64, &'static str> {
        let seeds = self.seeds.trim().parse::<u64>().ok().filter(|seeds| (1..=MOST_SEEDS).contains(seeds));
        seeds.ok_or("seeds: a number from 1 to 20")
    }

    /// What it asks for, or why it cannot be asked for.
    pub fn check(&self, state: &AppState) -> Result<Order, &'static str> {
        if self.arms() == 0 {
            return Err("choose a selection");
        }
        let seeds: Vec<u64> = (1..=self.seeds()?).collect();
        let learning_rate = match self.learning_rate.trim() {
            "" => None,
            text => Some(number(text, 1e-8, 1.0).ok_or("learning rate: a number up to 1, or empty")?),
        };
        let steps = match self.steps.trim().replace(',', "") {
            text if text.is_empty() => None,
            text => {
                let steps = text.parse::<u32>().ok().filter(|steps| (1..=10_000_000).contains(steps));
                Some(steps.ok_or("steps: a whole number, or empty")?)
            }
        };
        let mut freeze = Vec::new();
        let mut names: Vec<String> = self.chosen.iter().cloned().collect();
        let like = self.chosen.iter().next().and_then(|name| selection_plan(state, name));
        if self.built {
            let plan = state.build.plan.clone();
            names.insert(0, state.free_name(&plan));
            freeze.push((plan, names[0].clone()));
        }
        if self.random {
            let plan = like.unwrap_or_else(|| state.build.plan.clone());
            let plan = SelectionPlan { strategy: Strategy::Random, ..plan };
            names.push(state.free_name(&plan));
            freeze.extend(names.last().map(|name| (plan, name.clone())));
        }
        let one = (names.len() == 1).then(|| self.name.trim()).filter(|name| !name.is_empty());
        let arms: Vec<ArmPlan> = names
            .iter()
            .map(|selection| ArmPlan {
                name: one.unwrap_or(selection).to_owned(),
                data: ArmData::Selection { name: selection.clone() },
                seeds: seeds.clone(),
                equal: self.equal,
                learning_rate,
                steps,
            })
            .collect();
        let there = state.recovery.view.iter().flat_map(|view| &view.arms);
        let taken: BTreeSet<&str> = there.map(|arm| arm.name.as_str()).collect();
        if arms.iter().any(|arm| taken.contains(arm.name.as_str())) {
            return Err("an arm has this name already: give it another one");
        }
        Ok((arms, freeze))
    }
}

fn selection_plan(state: &AppState, name: &str) -> Option<SelectionPlan> {
    let frozen = &state.project.as_ref()?.selections;
    frozen.iter().find(|selection| selection.name.as_deref() == Some(name)).map(|selection| selection.plan.clone())
}

fn number(text: &str, low: f64, high: f64) -> Option<f64> {
    text.trim().replace(',', ".").parse::<f64>().ok().filter(|number| (low..=high).contains(number))
}

/// What is written of an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmOutput {
    Weights(WeightsFormat),
    HandOut(Trainer),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ArmFile {
    pub arm: String,
    pub seed: u64,
    pub output: ArmOutput,
    pub path: String,
    pub waiting: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadRunForm {
    pub path: String,
    pub arm: String,
    pub waiting: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportForm {
    pub format: TableFormat,
    pub path: String,
    pub waiting: bool,
}

impl Default for ReportForm {
    fn default() -> Self {
        Self { format: TableFormat::Html, path: String::new(), waiting: false }
    }
}

/// A field of [`RecoverSettings`] that is typed as a number.
pub struct NumberField {
    /// As the recipe writes it.
    pub key: &'static str,
    pub label: &'static str,
    /// Unit or bounds, beside the field.
    pub hint: &'static str,
    pub low: f64,
    pub high: f64,
    pub whole: bool,
}

/// The numbers of the settings, in the order of the form.
pub const NUMBERS: [NumberField; 15] = {
    const fn whole(key: &'static str, label: &'static str, hint: &'static str, low: f64, high: f64) -> NumberField {
        NumberField { key, label, hint, low, high, whole: true }
    }
    const fn real(key: &'static str, label: &'static str, hint: &'static str, low: f64, high: f64) -> NumberField {
        NumberField { key, label, hint, low, high, whole: false }
    }
    [
        whole("rank", "Rank", "1 to 1,024", 1.0, 1_024.0),
        real("alpha", "Alpha", "additions times alpha / rank", 0.0, 10_000.0),
        real("dropout", "Dropout", "0 to 0.9", 0.0, 0.9),
        whole("last_layers", "Last layers", "layers trained, from the end", 1.0, 1_000.0),
        real("learning_rate", "Learning rate", "up to 1; 1e-4 in the paper", 1e-9, 1.0),
        real("weight_decay", "Weight decay", "0 to 1", 0.0, 1.0),
        whole("warmup", "Warm-up", "steps, a tenth at most", 0.0, 1e7),
        whole("batch", "Batch", "samples a step", 1.0, 65_536.0),
        whole("length", "Length", "tokens of a sample at most", 8.0, 1_048_576.0),
        real("clip", "Clip", "norm of all gradients", 1e-6, 1e6),
        whole("steps", "Steps", "of an arm", 1.0, 1e7),
        real("epochs", "Epochs", "passes over an arm's samples", 0.01, 1_000.0),
        whole("response_tokens", "Response tokens", "that an arm sees", 1.0, 1e15),
        whole("points", "Points", "looks at an arm after the first", 1.0, 10_000.0),
        whole("held_out", "Held out", "samples measured at most", 1.0, 1e9),
    ]
};

/// The settings of recovery as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoverForm {
    pub method: Method,
    pub decay: Decay,
    pub equal: Equal,
    /// Numbers by their key; `items` are paths, a line each.
    pub texts: BTreeMap<&'static str, String>,
    pub before: RecoverSettings,
}

/// As few digits as say it: `0.0001` as `1e-4`.
fn typed(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.001 { format!("{value:e}") } else { value.to_string() }
}

impl RecoverForm {
    pub fn of(settings: &RecoverSettings) -> Self {
        let values = serde_json::to_value(settings).unwrap_or_default();
        let number = |key: &str| values.get(key).and_then(serde_json::Value::as_f64).map_or_else(String::new, typed);
        let mut texts: BTreeMap<_, _> = NUMBERS.iter().map(|field| (field.key, number(field.key))).collect();
        texts.insert("items", settings.items.join(", "));
        let before = settings.clone();
        Self { method: settings.method, decay: settings.decay, equal: settings.equal, texts, before }
    }

    /// Why a number is none; none where it is fine.
    pub fn wrong(&self, field: &NumberField) -> Option<String> {
        let text = self.texts.get(field.key).map_or("", String::as_str);
        let found = number(text, field.low, field.high).filter(|number| !field.whole || number.fract() == 0.0);
        let kind = if field.whole { "a whole number" } else { "a number" };
        found.is_none().then(|| format!("{}: {kind}, {} to {}", field.label, typed(field.low), typed(field.high)))
    }

    /// The settings, or why they are none.
    pub fn check(&self) -> Result<RecoverSettings, String> {
        if let Some(wrong) = NUMBERS.iter().find_map(|field| self.wrong(field)) {
            return Err(wrong);
        }
        let value = |key: &str| {
            let field = NUMBERS.iter().find(|field| field.key == key);
            field.and_then(|field| number(self.texts.get(key)?, field.low, field.high)).unwrap_or_default()
        };
        let whole = |key: &str| value(key) as u32;
        let items = self.texts.get("items").map_or("", String::as_str).split([',', '\n']).map(str::trim);
        Ok(RecoverSettings {
            method: self.method,
            rank: whole("rank"),
            alpha: value("alpha"),
            dropout: value("dropout"),
            last_layers: whole("last_layers"),
            learning_rate: value("learning_rate"),
            weight_decay: value("weight_decay"),
            warmup: whole("warmup"),
            decay: self.decay,
            batch: whole("batch"),
            length: whole("length"),
            clip: value("clip"),
            equal: self.equal,
            steps: whole("steps"),
            epochs: value("epochs"),
            response_tokens: value("response_tokens") as u64,
            points: whole("points"),
            held_out: whole("held_out"),
            items: items.filter(|item| !item.is_empty()).map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RecoverSettings {
        RecoverSettings {
            method: Method::Lora,
            rank: 8,
            alpha: 16.0,
            dropout: 0.05,
            last_layers: 3,
            learning_rate: 1e-4,
            weight_decay: 0.0,
            warmup: 100,
            decay: Decay::Linear,
            batch: 64,
            length: 256,
            clip: 1.0,
            equal: Equal::Steps,
            steps: 240,
            epochs: 2.0,
            response_tokens: 1_000_000,
            points: 24,
            held_out: 2_000,
            items: vec!["math.jsonl".to_owned(), "code.jsonl".to_owned()],
        }
    }

    #[test]
    fn what_is_typed_is_what_is_written() {
        let form = RecoverForm::of(&settings());
        assert_eq!(form.texts["learning_rate"], "1e-4");
        assert_eq!(form.check(), Ok(settings()));
    }

    #[test]
    fn a_number_out_of_its_bounds_is_told_by_name() {
        for (key, text, word) in [("dropout", "1.5", "Dropout"), ("batch", "2.5", "Batch"), ("steps", "many", "Steps")]
        {
            let mut form = RecoverForm::of(&settings());
            form.texts.insert(key, text.to_owned());
            assert!(form.check().is_err_and(|why| why.starts_with(word)), "{key} = {text}");
        }
    }

    #[test]
    fn seeds_are_from_one_to_twenty() {
        let of = |seeds: &str| ArmsForm { seeds: seeds.to_owned(), ..ArmsForm::default() }.seeds();
        assert_eq!(of("5"), Ok(5));
        assert!(of("0").is_err() && of("21").is_err() && of("").is_err());
    }
}
