//! What Ctrl+Z takes back, in the order it was made: edits of samples, which the engine's journal keeps, and changes of
//! the plan, which are kept here while the project is open.

use paser_protocol::SelectionPlan;

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The plan as it was before.
    Plan(SelectionPlan),
    /// An edit of the journal.
    Curation,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    done: Vec<Step>,
    undone: Vec<Step>,
    /// The plan is being changed: what is dragged or typed in one go is one step.
    changing: bool,
}

impl History {
    /// The plan is about to change from `before`.
    pub fn plan_changes(&mut self, before: &SelectionPlan) {
        if !std::mem::replace(&mut self.changing, true) {
            self.done.push(Step::Plan(before.clone()));
            self.undone.clear();
        }
    }

    /// The plan came to rest: its next change is another step.
    pub fn plan_rests(&mut self) {
        self.changing = false;
    }

    pub fn curated(&mut self) {
        self.changing = false;
        self.done.push(Step::Curation);
        self.undone.clear();
    }

    /// What Undo takes back; none where only the journal may know.
    pub fn last_done(&self) -> Option<&Step> {
        self.done.last()
    }

    /// What Redo brings back.
    pub fn last_undone(&self) -> Option<&Step> {
        self.undone.last()
    }

    /// Takes back the last step; `plan` is the one that stands.
    pub fn undo(&mut self, plan: &SelectionPlan) -> Option<Step> {
        self.changing = false;
        turn(&mut self.done, &mut self.undone, plan)
    }

    /// Brings back the step that was taken back last.
    pub fn redo(&mut self, plan: &SelectionPlan) -> Option<Step> {
        self.changing = false;
        turn(&mut self.undone, &mut self.done, plan)
    }
}

/// The last step of `from`; its opposite goes to `to`.
fn turn(from: &mut Vec<Step>, to: &mut Vec<Step>, plan: &SelectionPlan) -> Option<Step> {
    let step = from.pop()?;
    to.push(match step {
        Step::Plan(_) => Step::Plan(plan.clone()),
        Step::Curation => Step::Curation,
    });
    Some(step)
}

/// What of `now` is not as in `before`, in words: `budget 20% to 35%`.
pub fn difference(before: &SelectionPlan, now: &SelectionPlan) -> String {
    if before.budget != now.budget {
        format!("budget {} to {}", before.budget, now.budget)
    } else if before.strategy != now.strategy {
        format!("strategy {} to {}", before.strategy, now.strategy)
    } else {
        "settings of the selection".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use paser_protocol::Budget;

    use super::*;

    fn plan(samples: u64) -> SelectionPlan {
        SelectionPlan { budget: Budget::Samples(samples), ..SelectionPlan::default() }
    }

    #[test]
    fn a_drag_is_one_step_and_edits_come_off_in_their_order() {
        let mut history = History::default();
        history.plan_changes(&plan(10));
        history.plan_changes(&plan(11));
        history.plan_changes(&plan(12));
        history.plan_rests();
        history.curated();
        history.plan_changes(&plan(13));

        assert_eq!(history.undo(&plan(14)), Some(Step::Plan(plan(13))));
        assert_eq!(history.undo(&plan(13)), Some(Step::Curation));
        assert_eq!(history.undo(&plan(13)), Some(Step::Plan(plan(10))));
        assert_eq!(history.undo(&plan(10)), None);
        assert_eq!(history.redo(&plan(10)), Some(Step::Plan(plan(13))));
        assert_eq!(history.redo(&plan(13)), Some(Step::Curation));
        assert_eq!(history.redo(&plan(13)), Some(Step::Plan(plan(14))));
        assert_eq!(history.redo(&plan(14)), None);
    }

    #[test]
    fn a_new_change_ends_what_could_be_brought_back() {
        let mut history = History::default();
        history.plan_changes(&plan(10));
        history.undo(&plan(20));
        history.plan_changes(&plan(10));
        assert_eq!(history.last_undone(), None);
    }

    #[test]
    fn the_difference_is_said_in_words() {
        assert_eq!(difference(&plan(10), &plan(20)), "budget 10 to 20");
    }
}
