//! Which frozen selections stand side by side, by letter, and what the engine said of them.

use std::{collections::BTreeMap, rc::Rc};

use paser_protocol::{BudgetCurve, ComparisonView, FateView, ReasonCode, Report, Request};
use serde::{Deserialize, Serialize};

use crate::state::{AppState, For, Screen};

/// Selections that can stand side by side.
pub const MOST: usize = 4;

/// What the middle pane at the foot shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lower {
    #[default]
    Overlap,
    /// Damage against the budget.
    Budgets,
    /// Why samples are in and why they are not.
    Reasons,
}

impl Lower {
    pub const ALL: [Self; 3] = [Self::Overlap, Self::Reasons, Self::Budgets];

    pub fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Budgets => "budgets",
            Self::Reasons => "reasons",
        }
    }
}

/// What the table of clusters counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    #[default]
    Samples,
    Tokens,
    Damage,
    Length,
    Conflicts,
}

/// What a comparison was asked for: the selections, and a fingerprint of what else decides it.
type Asked = (Vec<String>, u64);

#[derive(Default)]
pub struct Compare {
    /// A, B, C and D.
    pub names: Vec<String>,
    pub view: Option<Rc<ComparisonView>>,
    pub problem: Option<Report>,
    pub waiting: bool,
    pub lower: Lower,
    pub measure: Measure,
    asked: Option<Asked>,
    /// Number of the newest request; older answers are dropped.
    newest: u64,
    curves: BTreeMap<String, Result<Rc<BudgetCurve>, Report>>,
    curves_asked: BTreeMap<String, u64>,
    /// Of the newest question.
    fates: Option<Result<Rc<Vec<FateView>>, Report>>,
    fates_asked: Option<(u32, Asked)>,
    /// Number of the newest question about fates.
    newest_fates: u64,
}

/// `A` for the first.
pub fn letter(place: usize) -> &'static str {
    ["A", "B", "C", "D"].get(place).copied().unwrap_or("?")
}

impl Compare {
    /// Nothing compared; answers that are on their way are of the project before.
    pub fn of_another_project(&self) -> Self {
        let (lower, measure) = (self.lower, self.measure);
        let (newest, newest_fates) = (self.newest + 1, self.newest_fates + 1);
        Self { lower, measure, newest, newest_fates, ..Self::default() }
    }

    /// Where a selection stands.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// Puts a selection beside the others, or takes it away; the last one gives its place where four are there.
    pub fn toggle(&mut self, name: &str) {
        match self.place(name) {
            Some(place) => {
                self.names.remove(place);
            }
            None => {
                self.names.truncate(MOST - 1);
                self.names.push(name.to_owned());
            }
        }
    }

    /// Makes a selection A (0) or B (1); what stood there takes its place.
    pub fn make(&mut self, place: usize, name: &str) {
        match self.place(name) {
            Some(old) if place < self.names.len() => self.names.swap(place, old),
            Some(_) => {}
            None if place < self.names.len() => self.names[place] = name.to_owned(),
            None => self.names.push(name.to_owned()),
        }
    }

    pub fn renamed(&mut self, from: &str, to: &str) {
        for name in self.names.iter_mut().filter(|name| *name == from) {
            to.clone_into(name);
        }
    }

    /// Keeps the selections that are there. With none left, the first two stand side by side.
    fn settle(&mut self, there: &[String]) {
        self.names.retain(|name| there.contains(name));
        if self.names.is_empty() {
            self.names = there.iter().take(2).cloned().collect();
        }
    }

    pub fn arrived(&mut self, number: u64, outcome: Result<ComparisonView, Report>) {
        if number != self.newest {
            return;
        }
        self.waiting = false;
        match outcome {
            Ok(view) => {
                self.view = Some(Rc::new(view));
                self.problem = None;
            }
            Err(report) => {
                self.view = None;
                self.problem = Some(report);
            }
        }
    }

    /// The curve of a selection, once it has arrived.
    pub fn curve(&self, name: &str) -> Option<&Result<Rc<BudgetCurve>, Report>> {
        self.curves.get(name)
    }

    pub fn curve_arrived(&mut self, name: &str, inputs: u64, outcome: Result<BudgetCurve, Report>) {
        if self.curves_asked.get(name) == Some(&inputs) {
            self.curves.insert(name.to_owned(), outcome.map(Rc::new));
        }
    }

    /// The fates of a sample in the selections of now, in the order of their letters.
    pub fn fates(&self, row: u32) -> Option<Result<Rc<Vec<FateView>>, Report>> {
        self.fates_asked.as_ref().filter(|(of, asked)| *of == row && asked.0 == self.names)?;
        self.fates.clone()
    }

    pub fn fates_arrived(&mut self, number: u64, outcome: Result<Vec<FateView>, Report>) {
        if number == self.newest_fates {
            self.fates = Some(outcome.map(Rc::new));
        }
    }
}

impl AppState {
    /// Asks for what the comparison on screen lacks.
    pub(crate) fn ask_for_comparison(&mut self) {
        let Some(project) = self.project.clone().filter(|_| self.screen.is_work_place()) else { return };
        let there: Vec<String> = project.selections.iter().filter_map(|selection| selection.name.clone()).collect();
        self.compare.settle(&there);
        let asked = (self.compare.names.clone(), self.comparison_inputs());
        if self.screen == Screen::Compare {
            self.ask_for_sides(&asked);
        }
        if let Some(row) = self.focus.inspected
            && !asked.0.is_empty()
            && self.compare.fates_asked.as_ref() != Some(&(row, asked.clone()))
        {
            self.compare.fates_asked = Some((row, asked.clone()));
            self.compare.fates = None;
            self.compare.newest_fates += 1;
            self.ask(Request::Fates { row, names: asked.0 }, For::Fates(self.compare.newest_fates));
        }
    }

    /// What the selections side by side hold, and where they are shown their curves.
    fn ask_for_sides(&mut self, asked: &Asked) {
        if self.compare.names.len() < 2 {
            (self.compare.view, self.compare.problem, self.compare.asked) = (None, None, None);
            return;
        }
        if self.compare.asked.as_ref() != Some(asked) {
            self.compare.newest += 1;
            self.compare.waiting = true;
            // Letters of now over numbers of before would lie.
            if self.compare.asked.as_ref().is_none_or(|before| before.0 != asked.0) {
                (self.compare.view, self.compare.problem) = (None, None);
            }
            self.compare.asked = Some(asked.clone());
            let names = self.compare.names.clone();
            self.ask(Request::Compare { names }, For::Compare(self.compare.newest));
        }
        if self.compare.lower == Lower::Budgets {
            for name in self.compare.names.clone() {
                if self.compare.curves_asked.get(&name) != Some(&asked.1) {
                    self.compare.curves_asked.insert(name.clone(), asked.1);
                    self.compare.curves.remove(&name);
                    self.ask(Request::BudgetCurve { name: name.clone() }, For::BudgetCurve(name, asked.1));
                }
            }
        }
    }

    /// A fingerprint of what decides a comparison beside the names.
    fn comparison_inputs(&self) -> u64 {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = std::hash::DefaultHasher::new();
        self.selection_inputs().hash(&mut hasher);
        if let Some(project) = &self.project {
            for selection in &project.selections {
                (&selection.name, &selection.reason_column).hash(&mut hasher);
            }
            for cluster in &project.clusters {
                cluster.name.hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Per row of the pool one bit for each selection that holds it, and the columns that this comes from; none until
    /// all of them have arrived.
    pub(crate) fn held(&mut self) -> Option<(Vec<String>, Vec<u8>)> {
        let project = self.project.clone()?;
        let mut keys = Vec::new();
        let mut columns = Vec::new();
        for name in &self.compare.names {
            let frozen = project.selections.iter().find(|selection| selection.name.as_ref() == Some(name))?;
            keys.push(frozen.reason_column.clone());
        }
        for key in &keys {
            columns.push(self.data.codes(key));
        }
        let columns = columns.into_iter().collect::<Option<Vec<_>>>()?;
        let rows = columns.iter().map(|column| column.len()).min()?;
        let mut held = vec![0; rows];
        for (place, column) in columns.iter().enumerate() {
            for (held, code) in held.iter_mut().zip(column.iter()) {
                if ReasonCode::from_byte(*code).is_some_and(ReasonCode::is_taken) {
                    *held |= 1_u8 << place;
                }
            }
        }
        Some((keys, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Compare {
        Compare { names: names.iter().map(|name| (*name).to_owned()).collect(), ..Compare::default() }
    }

    #[test]
    fn letters_follow_what_is_put_beside_and_taken_away() {
        let mut compare = of(&["a", "b", "c", "d"]);
        compare.toggle("e");
        assert_eq!(compare.names, ["a", "b", "c", "e"]);
        compare.toggle("a");
        assert_eq!(compare.names, ["b", "c", "e"]);
        compare.make(0, "e");
        assert_eq!(compare.names, ["e", "c", "b"]);
        compare.make(1, "f");
        assert_eq!(compare.names, ["e", "f", "b"]);
    }

    #[test]
    fn what_is_gone_leaves_and_two_stand_there_at_first() {
        let there = ["x".to_owned(), "y".to_owned(), "z".to_owned()];
        let mut compare = of(&["gone", "y"]);
        compare.settle(&there);
        assert_eq!(compare.names, ["y"]);
        compare.names.clear();
        compare.settle(&there);
        assert_eq!(compare.names, ["x", "y"]);
    }
}
