//! The new project as it is typed: its fields, what the engine remarked about each, and the estimate. Fields are looked
//! at half a second after the last letter, the estimate is asked once the needed ones are fine.

use std::collections::{BTreeMap, BTreeSet};

use paser_protocol::{EstimateView, PartChoice, Probed, ProjectDraft, PruneDraft, Remark, Report, Secret};

use crate::state::{Field, OTHERS};

/// Seconds after the last letter.
const REST: f64 = 0.5;

#[derive(Clone, Debug, Default)]
pub struct Form {
    pub pool: String,
    pub dense: String,
    pub pruned: String,
    /// Further pruned models.
    pub others: Vec<String>,
    pub encoder: String,
    pub folder: String,
    pub template: Template,
    /// Make the pruned model here.
    pub prune_here: bool,
    pub wanda: bool,
    pub pattern: usize,
    /// For the hub; kept here and in the engine's memory, written nowhere.
    pub token: Secret,
    /// The token that the engine has.
    token_sent: Secret,
    token_typed: Option<f64>,
    /// Parts of the pool's data set on the hub.
    pub parts: Vec<PartChoice>,
    remarks: BTreeMap<Field, Vec<Remark>>,
    pub estimate: Option<Result<EstimateView, Report>>,
    typed: BTreeMap<Field, f64>,
    asked: BTreeMap<Field, String>,
    waiting: BTreeSet<Field>,
    number: u64,
    estimated: Option<ProjectDraft>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    #[default]
    Alpaca,
    Plain,
    Chat,
}

impl Template {
    pub const ALL: [Self; 3] = [Self::Alpaca, Self::Plain, Self::Chat];

    pub fn name(self) -> &'static str {
        match self {
            Self::Alpaca => "alpaca",
            Self::Plain => "plain",
            Self::Chat => "chat",
        }
    }

    pub fn describe(self) -> &'static str {
        match self {
            Self::Alpaca => "the Stanford wording, with and without input",
            Self::Plain => "instruction, input and response, nothing else",
            Self::Chat => "the tokenizer's own chat template",
        }
    }
}

/// Share of the pool that a probe takes.
pub const PROBE: f64 = 0.02;

pub const PATTERNS: [(&str, &str); 4] =
    [("0.5", "half of each layer"), ("2:4", "two of every four"), ("4:8", "four of every eight"), ("0.6", "60 %")];

impl Form {
    pub const FIELDS: [Field; 5] = [Field::Dense, Field::Pruned, Field::Pool, Field::Encoder, Field::Folder];

    pub fn text(&mut self, field: Field) -> &mut String {
        match field {
            Field::Other(place) => {
                self.others.resize(self.others.len().max(place + 1), String::new());
                &mut self.others[place]
            }
            Field::Pool => &mut self.pool,
            Field::Dense => &mut self.dense,
            Field::Pruned => &mut self.pruned,
            Field::Encoder => &mut self.encoder,
            Field::Folder => &mut self.folder,
        }
    }

    /// One more pruned model's field; none where there are as many as the form shows.
    pub fn add_other(&mut self) -> Option<Field> {
        let place = self.others.len();
        (place < OTHERS.len()).then(|| {
            self.others.push(String::new());
            Field::Other(place)
        })
    }

    /// The fields behind it move up, and are looked at again.
    pub fn remove_other(&mut self, place: usize) {
        if place >= self.others.len() {
            return;
        }
        for field in (0..self.others.len()).map(Field::Other) {
            self.remarks.remove(&field);
            self.asked.remove(&field);
            self.waiting.remove(&field);
            self.typed.remove(&field);
        }
        self.others.remove(place);
        self.typed.extend((0..self.others.len()).map(|place| (Field::Other(place), f64::NEG_INFINITY)));
    }

    pub fn set(&mut self, field: Field, path: String) {
        *self.text(field) = path;
        self.typed.insert(field, f64::NEG_INFINITY);
    }

    pub fn changed(&mut self, field: Field, now: f64) {
        self.typed.insert(field, now);
    }

    /// The same text, but perhaps another file by now.
    pub fn look_again(&mut self, field: Field) {
        self.asked.remove(&field);
        self.typed.insert(field, f64::NEG_INFINITY);
        self.estimated = None;
    }

    pub fn remarks(&self, field: Field) -> &[Remark] {
        self.remarks.get(&field).map_or(&[], Vec::as_slice)
    }

    /// Does the pruned model's field name the dense model itself?
    pub fn same_model(&self) -> bool {
        !self.prune_here && !self.dense.trim().is_empty() && self.dense.trim() == self.pruned.trim()
    }

    pub fn is_waiting(&self, field: Field) -> bool {
        self.waiting.contains(&field)
    }

    pub fn probed(&mut self, field: Field, probed: Probed) {
        self.waiting.remove(&field);
        self.remarks.insert(field, probed.remarks);
        if field == Field::Pool {
            self.parts = probed.choices;
        }
    }

    /// The part of the pool's data set that the field names.
    pub fn part(&self) -> Option<usize> {
        self.parts.iter().position(|part| part.reference == self.pool.trim())
    }

    /// Does any field name something on the hub, where a token may be needed?
    pub fn names_the_hub(&self) -> bool {
        let id = |text: &str| {
            let text = text.trim();
            text.matches('/').count() == 1 && !text.starts_with(['.', '/', '~']) && !text.contains(['\\', ' '])
        };
        self.pool.trim().starts_with("hub:")
            || [&self.dense, &self.pruned, &self.encoder].into_iter().chain(&self.others).any(|text| id(text))
    }

    pub fn token_changed(&mut self, now: f64) {
        self.token_typed = Some(now);
    }

    /// The token, once it has rested and differs from what the engine has.
    pub fn token_to_send(&mut self, now: f64) -> Option<Secret> {
        self.token_typed.filter(|typed| now - typed >= REST)?;
        self.token_typed = None;
        if self.token == self.token_sent {
            return None;
        }
        self.token_sent = self.token.clone();
        Some(self.token.clone())
    }

    /// The engine has the token: what it said of the fields before may be wrong now.
    pub fn token_arrived(&mut self) {
        for field in Self::FIELDS {
            if !self.text(field).trim().is_empty() {
                self.look_again(field);
            }
        }
    }

    pub fn estimated(&mut self, number: u64, estimate: Result<EstimateView, Report>) {
        if number == self.number {
            self.estimate = Some(estimate);
        }
    }

    fn has_error(&self, field: Field) -> bool {
        self.remarks(field).iter().any(|remark| remark.level == "error")
    }

    /// Which fields count: none is asked about a pruned model that is made here.
    fn counts(&self, field: Field) -> bool {
        !(field == Field::Pruned && self.prune_here)
    }

    /// What is missing before a project can be made.
    pub fn missing(&self) -> Result<(), &'static str> {
        let need = |empty: bool, why| if empty { Err(why) } else { Ok(()) };
        need(self.dense.trim().is_empty(), "name the dense model")?;
        need(!self.prune_here && self.pruned.trim().is_empty(), "name the pruned model, or prune here")?;
        need(self.pool.trim().is_empty(), "name the pool file")?;
        need(self.folder.trim().is_empty(), "name the project folder")?;
        let others = (0..self.others.len()).map(Field::Other);
        let wrong = Self::FIELDS.into_iter().chain(others).any(|field| self.counts(field) && self.has_error(field));
        need(wrong, "one of the fields has an error")
    }

    /// Where a dropped folder goes: the first empty field that wants one.
    pub fn folder_for(&self) -> Field {
        let empty = |field: Field, text: &str| self.counts(field) && text.trim().is_empty();
        if empty(Field::Dense, &self.dense) {
            Field::Dense
        } else if empty(Field::Pruned, &self.pruned) {
            Field::Pruned
        } else {
            Field::Folder
        }
    }

    pub fn draft(&self) -> ProjectDraft {
        ProjectDraft {
            folder: self.folder.trim().to_owned(),
            pool: self.pool.trim().to_owned(),
            dense: self.dense.trim().to_owned(),
            pruned: if self.prune_here { String::new() } else { self.pruned.trim().to_owned() },
            others: self.others.iter().map(|other| other.trim().to_owned()).filter(|other| !other.is_empty()).collect(),
            encoder: self.encoder.trim().to_owned(),
            template: self.template.name().to_owned(),
            prune: self.prune_here.then(|| PruneDraft {
                method: if self.wanda { "wanda" } else { "magnitude" }.to_owned(),
                pattern: PATTERNS[self.pattern].0.to_owned(),
            }),
            probe: None,
        }
    }

    /// A part of the pool in a folder beside the project's, to see where it hurts first.
    pub fn probe(&self) -> ProjectDraft {
        let draft = self.draft();
        ProjectDraft { folder: format!("{}-probe", draft.folder), probe: Some(PROBE), ..draft }
    }

    /// Seconds until something is to be asked; none where nothing waits.
    pub fn rest(&self, now: f64) -> Option<f32> {
        let next = self
            .typed
            .values()
            .chain(&self.token_typed)
            .map(|typed| (REST - (now - typed)).max(0.02))
            .min_by(f64::total_cmp)?;
        Some(next as f32)
    }

    /// Fields whose text has rested and was not looked at yet.
    pub fn to_probe(&mut self, now: f64) -> Vec<(Field, String)> {
        let rested: Vec<Field> =
            self.typed.iter().filter(|(_, typed)| now - **typed >= REST).map(|(f, _)| *f).collect();
        let mut probes = Vec::new();
        for field in rested {
            self.typed.remove(&field);
            let text = self.text(field).trim().to_owned();
            if self.asked.get(&field) == Some(&text) {
                continue;
            }
            self.asked.insert(field, text.clone());
            if text.is_empty() {
                self.remarks.remove(&field);
                if field == Field::Pool {
                    self.parts.clear();
                }
            } else {
                self.waiting.insert(field);
                probes.push((field, text));
            }
        }
        probes
    }

    /// The draft to estimate, once it is complete, quiet, and not estimated already.
    pub fn to_estimate(&mut self) -> Option<(u64, ProjectDraft)> {
        let mut draft = self.draft();
        // The folder decides nothing about the cost.
        draft.folder.clear();
        let complete =
            !draft.dense.is_empty() && !draft.pool.is_empty() && (self.prune_here || !draft.pruned.is_empty());
        let fields = [Field::Dense, Field::Pruned, Field::Pool].into_iter();
        let mut fields = fields.chain((0..self.others.len()).map(Field::Other));
        let wrong = fields.any(|field| self.counts(field) && self.has_error(field));
        if !complete
            || wrong
            || !self.waiting.is_empty()
            || !self.typed.is_empty()
            || self.estimated.as_ref() == Some(&draft)
        {
            return None;
        }
        self.estimated = Some(draft.clone());
        self.number += 1;
        Some((self.number, draft))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_looked_at_once_it_rests() {
        let mut form = Form { dense: "a".to_owned(), ..Form::default() };
        form.changed(Field::Dense, 1.0);
        assert!(form.to_probe(1.2).is_empty());
        assert_eq!(form.to_probe(1.6), vec![(Field::Dense, "a".to_owned())]);
        form.changed(Field::Dense, 2.0);
        assert!(form.to_probe(3.0).is_empty(), "the same text is not looked at twice");
        form.look_again(Field::Dense);
        assert_eq!(form.to_probe(3.0), vec![(Field::Dense, "a".to_owned())], "unless a person says so");
    }

    #[test]
    fn further_pruned_models_come_and_go() {
        let mut form = Form { dense: "d".into(), pruned: "a".into(), pool: "p".into(), ..Form::default() };
        assert_eq!(form.add_other(), Some(Field::Other(0)));
        assert_eq!(form.add_other(), Some(Field::Other(1)));
        assert!(form.draft().others.is_empty(), "an empty field is no model");
        form.set(Field::Other(0), " b ".into());
        form.set(Field::Other(1), "c".into());
        assert_eq!(form.to_probe(9.0).len(), 2);
        assert_eq!(form.draft().others, ["b", "c"]);
        let wrong = vec![Remark { level: "error".into(), text: String::new() }];
        let none = || Probed { remarks: Vec::new(), choices: Vec::new() };
        form.probed(Field::Other(0), Probed { remarks: wrong, choices: Vec::new() });
        form.probed(Field::Other(1), none());
        assert!(form.to_estimate().is_none(), "one of them has an error");
        form.remove_other(0);
        assert_eq!(form.to_probe(9.1), vec![(Field::Other(0), "c".to_owned())], "the next one moved up");
        form.probed(Field::Other(0), none());
        assert_eq!(form.to_estimate().map(|(_, draft)| draft.others), Some(vec!["c".to_owned()]));
        while form.add_other().is_some() {}
        assert_eq!(form.others.len(), OTHERS.len());
    }

    #[test]
    fn a_token_is_sent_once_and_everything_is_asked_again() {
        let mut form = Form { dense: "org/gated".into(), ..Form::default() };
        form.changed(Field::Dense, 0.0);
        assert_eq!(form.to_probe(1.0).len(), 1);
        form.token = Secret("hf_x".to_owned());
        form.token_changed(2.0);
        assert!(form.token_to_send(2.1).is_none(), "not while it is typed");
        assert_eq!(form.token_to_send(3.0), Some(Secret("hf_x".to_owned())));
        form.token_arrived();
        assert_eq!(form.to_probe(3.0), vec![(Field::Dense, "org/gated".to_owned())]);
        form.token_changed(4.0);
        assert!(form.token_to_send(5.0).is_none(), "the engine has it");
        assert!(!format!("{form:?}").contains("hf_x"), "no picture of the form holds it");
    }

    #[test]
    fn a_field_that_names_the_hub_shows_the_token() {
        let named = |pool: &str, dense: &str| {
            Form { pool: pool.into(), dense: dense.into(), ..Form::default() }.names_the_hub()
        };
        assert!(named("hub:org/name", "") && named("", "org/name@v1"));
        assert!(!named("pool.jsonl", "/data/model") && !named("", "./a/b") && !named("", "model"));
    }

    #[test]
    fn one_model_twice_is_noticed() {
        let mut form = Form { dense: "org/name".into(), pruned: " org/name".into(), ..Form::default() };
        assert!(form.same_model());
        form.prune_here = true;
        assert!(!form.same_model());
        assert!(!Form::default().same_model());
    }

    #[test]
    fn the_estimate_waits_for_what_it_needs() {
        let mut form = Form { dense: "d".into(), pool: "p".into(), ..Form::default() };
        assert!(form.to_estimate().is_none());
        form.prune_here = true;
        assert!(form.to_estimate().is_some());
        assert!(form.to_estimate().is_none(), "not twice for the same draft");
        let wrong = vec![Remark { level: "error".into(), text: String::new() }];
        form.probed(Field::Pool, Probed { remarks: wrong, choices: Vec::new() });
        assert_eq!(form.missing(), Err("name the project folder"));
    }
}
