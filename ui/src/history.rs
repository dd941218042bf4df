//! What Ctrl+Z takes back, in the order it was made: edits of samples, which the engine's journal keeps, and changes of
//! the plan and of the layout, which are kept here while the project is open. The journal is always asked for what it holds now: another
//! page may have edited it.

use std::rc::Rc;

use paser_protocol::{CurationView, SelectionPlan};

use crate::{layout::Arrangement, state::Screen};

/// What comes off, or comes back, next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<'a> {
    /// The plan becomes this one.
    Plan(&'a SelectionPlan),
    /// An edit of the journal, in words.
    Edit(&'a str),
    /// A change of the layout, in words.
    Layout(&'a str),
}

/// A change of the layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Rearranged {
    pub words: String,
    /// The work place that shows it.
    pub screen: Screen,
    pub before: Arrangement,
    pub after: Arrangement,
}

#[derive(Clone, Debug)]
enum What {
    /// The plan on the other side of the change.
    Plan(SelectionPlan),
    Layout(Rc<Rearranged>),
}

/// A change of the plan or of the layout.
#[derive(Clone, Debug)]
struct Change {
    what: What,
    /// Entries of the journal when it was made.
    entries: u64,
}

impl Change {
    fn step(&self) -> Step<'_> {
        match &self.what {
            What::Plan(plan) => Step::Plan(plan),
            What::Layout(change) => Step::Layout(&change.words),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct History {
    done: Vec<Change>,
    undone: Vec<Change>,
    /// The plan is being changed: what is dragged or typed in one go is one step.
    changing: bool,
    /// The same for the layout.
    arranging: bool,
    /// Entries of the journal at the last change of the plan: what was taken back before cannot come back.
    redo_ended: Option<u64>,
}

impl History {
    /// The plan is about to change from `before`, with so many entries in the journal.
    pub fn plan_changes(&mut self, before: &SelectionPlan, entries: u64) {
        if !std::mem::replace(&mut self.changing, true) {
            self.done.push(Change { what: What::Plan(before.clone()), entries });
        }
        self.undone.clear();
        self.redo_ended = Some(entries);
    }

    /// The plan came to rest: its next change is another step.
    pub fn plan_rests(&mut self) {
        self.changing = false;
    }

    /// The layout has changed, with so many entries in the journal. What was taken back of plan and samples can still come
    /// back: they have nothing to do with it.
    pub fn layout_changes(&mut self, change: Rearranged, entries: u64) {
        self.changing = false;
        self.undone.retain(|undone| matches!(undone.what, What::Plan(_)));
        let goes_on = std::mem::replace(&mut self.arranging, true);
        match self.done.last_mut().filter(|_| goes_on) {
            Some(Change { what: What::Layout(last), .. }) => {
                let before = last.before.clone();
                *last = Rc::new(Rearranged { before, ..change });
            }
            _ => self.done.push(Change { what: What::Layout(Rc::new(change)), entries }),
        }
    }

    /// The layout came to rest: its next change is another step.
    pub fn layout_rests(&mut self) {
        if std::mem::take(&mut self.arranging)
            && let Some(Change { what: What::Layout(last), .. }) = self.done.last()
            && last.before == last.after
        {
            self.done.pop();
        }
    }

    /// Samples are about to be edited: no change of the plan can come back.
    pub fn samples_change(&mut self) {
        self.changing = false;
        self.undone.clear();
    }

    pub fn next_undo<'a>(&'a self, curation: &'a CurationView) -> Option<Step<'a>> {
        match (self.done.last(), &curation.undo) {
            // An edit of a higher number came after the change.
            (Some(change), Some(edit)) if change.entries < edit.entry => Some(Step::Edit(&edit.what)),
            (Some(change), _) => Some(change.step()),
            (None, Some(edit)) => Some(Step::Edit(&edit.what)),
            (None, None) => None,
        }
    }

    pub fn next_redo<'a>(&'a self, curation: &'a CurationView) -> Option<Step<'a>> {
        let ended = self.redo_ended.is_some_and(|entries| curation.entries <= entries);
        match (self.undone.last(), curation.redo.as_ref().filter(|_| !ended)) {
            // The one made first comes back first.
            (Some(change), Some(edit)) if edit.entry <= change.entries => Some(Step::Edit(&edit.what)),
            (Some(change), _) => Some(change.step()),
            (None, Some(edit)) => Some(Step::Edit(&edit.what)),
            (None, None) => None,
        }
    }

    /// Takes back the last change of the plan; `plan` is the one that stands. The plan before.
    pub fn undo_plan(&mut self, plan: &SelectionPlan) -> Option<SelectionPlan> {
        self.changing = false;
        turn(&mut self.done, &mut self.undone, plan)
    }

    /// Takes back the last change of the layout.
    pub fn undo_layout(&mut self) -> Option<Rc<Rearranged>> {
        self.arranging = false;
        hand(&mut self.done, &mut self.undone)
    }

    /// Brings back the change of the layout that was taken back last.
    pub fn redo_layout(&mut self) -> Option<Rc<Rearranged>> {
        self.arranging = false;
        hand(&mut self.undone, &mut self.done)
    }

    /// Brings back the change of the plan that was taken back last.
    pub fn redo_plan(&mut self, plan: &SelectionPlan) -> Option<SelectionPlan> {
        self.changing = false;
        turn(&mut self.undone, &mut self.done, plan)
    }
}

/// The plan of the last change of `from`; its opposite goes to `to`.
fn turn(from: &mut Vec<Change>, to: &mut Vec<Change>, plan: &SelectionPlan) -> Option<SelectionPlan> {
    let Change { what: What::Plan(other), entries } = from.pop_if(|change| matches!(change.what, What::Plan(_)))?
    else {
        return None;
    };
    to.push(Change { what: What::Plan(plan.clone()), entries });
    Some(other)
}

/// The change of the layout that is last in `from`, handed to `to`.
fn hand(from: &mut Vec<Change>, to: &mut Vec<Change>) -> Option<Rc<Rearranged>> {
    let change = from.pop_if(|change| matches!(change.what, What::Layout(_)))?;
    to.push(change.clone());
    match change.what {
        What::Layout(change) => Some(change),
        What::Plan(_) => None,
    }
}

/// What changed from `before` to `after`, in words: `budget 20% to 35%`.
pub fn difference(before: &SelectionPlan, after: &SelectionPlan) -> String {
    if before.budget != after.budget {
        format!("budget {} to {}", before.budget, after.budget)
    } else if before.strategy != after.strategy {
        format!("strategy {} to {}", before.strategy, after.strategy)
    } else if before.guard != after.guard {
        "noise guard".to_owned()
    } else {
        "settings of the selection".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use paser_protocol::{Budget, EditView};

    use super::*;

    fn plan(samples: u64) -> SelectionPlan {
        SelectionPlan { budget: Budget::Samples(samples), ..SelectionPlan::default() }
    }

    /// A journal of so many entries with these edits on top.
    fn journal(entries: u64, undo: u64, redo: u64) -> CurationView {
        let edit = |entry: u64| (entry > 0).then(|| EditView { entry, what: entry.to_string() });
        CurationView { entries, undo: edit(undo), redo: edit(redo), ..CurationView::default() }
    }

    #[test]
    fn steps_come_off_and_come_back_in_their_order() {
        let mut history = History::default();
        history.plan_changes(&plan(10), 0);
        history.plan_changes(&plan(11), 0);
        history.plan_changes(&plan(12), 0);
        history.plan_rests();
        history.samples_change();
        history.plan_changes(&plan(13), 1);
        history.plan_rests();

        assert_eq!(history.next_undo(&journal(1, 1, 0)), Some(Step::Plan(&plan(13))));
        assert_eq!(history.undo_plan(&plan(14)), Some(plan(13)));
        assert_eq!(history.next_undo(&journal(1, 1, 0)), Some(Step::Edit("1")));
        assert_eq!(history.next_undo(&journal(2, 0, 1)), Some(Step::Plan(&plan(10))), "a drag is one step");
        assert_eq!(history.undo_plan(&plan(13)), Some(plan(10)));
        assert_eq!(history.next_undo(&journal(2, 0, 1)), None);

        assert_eq!(history.next_redo(&journal(2, 0, 1)), Some(Step::Plan(&plan(13))));
        assert_eq!(history.redo_plan(&plan(10)), Some(plan(13)));
        assert_eq!(history.next_redo(&journal(2, 0, 1)), Some(Step::Edit("1")));
        assert_eq!(history.next_redo(&journal(3, 1, 0)), Some(Step::Plan(&plan(14))));
        assert_eq!(history.redo_plan(&plan(13)), Some(plan(14)));
        assert_eq!(history.next_redo(&journal(3, 1, 0)), None);
    }

    #[test]
    fn a_new_change_ends_what_could_come_back() {
        let mut history = History::default();
        history.plan_changes(&plan(10), 2);
        history.plan_rests();
        history.undo_plan(&plan(20));
        history.plan_changes(&plan(10), 2);
        // The pin that was taken back before the change stays away; one that is taken back after it may come again.
        assert_eq!(history.next_redo(&journal(2, 0, 1)), None);
        assert_eq!(history.next_redo(&journal(4, 0, 3)), Some(Step::Edit("3")));
        history.plan_rests();
        history.undo_plan(&plan(30));
        history.samples_change();
        assert_eq!(history.next_redo(&journal(5, 5, 0)), None);
    }

    /// The table folded or unfolded.
    fn layout(table: bool) -> Arrangement {
        let mut layout = Arrangement::default();
        layout.panels.table = table;
        layout
    }

    fn rearranged(before: bool, after: bool) -> Rearranged {
        let (before, after) = (layout(before), layout(after));
        Rearranged { words: "table".to_owned(), screen: Screen::Explore, before, after }
    }

    #[test]
    fn a_drag_of_the_layout_is_one_step_beside_those_of_the_plan() {
        let mut history = History::default();
        history.plan_changes(&plan(10), 0);
        history.plan_rests();
        history.layout_changes(rearranged(false, true), 0);
        history.layout_changes(rearranged(true, true), 0);
        history.layout_rests();
        history.layout_changes(rearranged(true, false), 0);
        history.layout_changes(rearranged(false, true), 0);
        // It ended where it began.
        history.layout_rests();
        let none = journal(0, 0, 0);
        assert_eq!(history.next_undo(&none), Some(Step::Layout("table")));
        let step = history.undo_layout().expect("the first drag");
        assert_eq!((&step.before, &step.after), (&layout(false), &layout(true)));
        assert_eq!(history.undo_layout(), None, "the plan is next");
        assert_eq!(history.undo_plan(&plan(20)), Some(plan(10)));
        // Another look at the panes ends what could come back of them, and of nothing else.
        history.layout_changes(rearranged(false, true), 0);
        history.layout_rests();
        assert_eq!(history.next_redo(&none), Some(Step::Plan(&plan(20))));
        assert_eq!(history.redo_plan(&plan(10)), Some(plan(20)));
        assert_eq!(history.next_redo(&none), None);
    }

    #[test]
    fn the_difference_is_said_in_words() {
        assert_eq!(difference(&plan(10), &plan(20)), "budget 10 to 20");
    }
}
