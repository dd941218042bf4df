//! What the inspector asks of the engine beside a sample's texts and tokens, and what was answered.

use std::rc::Rc;

use paser_protocol::{Failure, MOST_CONTINUED, NeighbourView, Report, Request};

use crate::state::{AppState, For};

/// Neighbours that are asked for; the inspector lists the first few, and all of them can be brushed.
pub const NEAREST: u32 = 50;

/// What neighbours depend on: the generation of the data, the map that was made with their vectors, and the sample.
type Near = (u64, Option<String>, u32);

/// Neighbours, or why there are none.
pub type Found = Result<Rc<Vec<NeighbourView>>, Report>;

/// What both models wrote after a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Continued {
    pub dense: String,
    pub pruned: String,
    /// Did dense and pruned end by themselves?
    pub stopped: (bool, bool),
    pub seconds: f64,
}

/// A prompt that both models continue.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Generation of the data and row of the sample.
    of: (u64, u32),
    number: u64,
    /// Tokens that both have written, and how many it may be.
    pub done: u32,
    pub tokens: u32,
    /// None while they write.
    pub outcome: Option<Result<Rc<Continued>, Report>>,
}

#[derive(Default)]
pub struct Inspection {
    /// Number of the newest request; older answers are dropped.
    newest: u64,
    near: Option<(u64, Near, Option<Found>)>,
    continuation: Option<Continuation>,
    /// The sample whose neighbours are brushed once they are found.
    pub brush_nearest_of: Option<u32>,
    /// The first token of a response is neither shaded nor summed.
    pub after_first: bool,
}

impl Inspection {
    /// Nothing known; answers that are on their way are of the project before.
    pub fn of_another_project(&self) -> Self {
        Self { newest: self.newest + 1, after_first: self.after_first, ..Self::default() }
    }

    pub fn neighbours_arrived(&mut self, number: u64, outcome: Result<Vec<NeighbourView>, Report>) {
        if let Some((_, _, found)) = self.near.as_mut().filter(|(asked, ..)| *asked == number) {
            *found = Some(outcome.map(Rc::new));
        }
    }

    pub fn continuing(&mut self, row: u32, done: u32, tokens: u32) {
        if let Some(continuation) = self.continuation.as_mut().filter(|continuation| continuation.of.1 == row) {
            (continuation.done, continuation.tokens) = (done, tokens);
        }
    }

    /// What was stopped is as if it had never been asked for.
    pub fn continued(&mut self, number: u64, outcome: Result<Continued, Report>) {
        let Some(continuation) = self.continuation.as_mut().filter(|continuation| continuation.number == number) else {
            return;
        };
        match outcome {
            Err(report) if report.failure == Failure::Cancelled => self.continuation = None,
            outcome => continuation.outcome = Some(outcome.map(Rc::new)),
        }
    }

    /// What could not be had is asked for anew.
    pub fn neighbours_again(&mut self) {
        self.near = None;
    }
}

impl AppState {
    /// The samples most like this one; asks for them where nobody has.
    pub fn neighbours(&mut self, row: u32) -> Option<Found> {
        let map = self.column_info("map").map(|column| column.key.clone());
        let near = (self.data.generation, map, row);
        if let Some((_, asked, found)) = &self.inspection.near
            && *asked == near
        {
            return found.clone();
        }
        self.inspection.newest += 1;
        self.inspection.near = Some((self.inspection.newest, near, None));
        self.ask(Request::Neighbours { row, count: NEAREST }, For::Neighbours(self.inspection.newest));
        None
    }

    /// The continuation of this sample's prompt, running or done.
    pub fn continuation(&self, row: u32) -> Option<&Continuation> {
        self.inspection.continuation.as_ref().filter(|continuation| continuation.of == (self.data.generation, row))
    }

    /// Both models continue the prompt of a sample.
    pub fn continue_both(&mut self, row: u32) {
        self.inspection.newest += 1;
        let (number, tokens) = (self.inspection.newest, MOST_CONTINUED);
        let of = (self.data.generation, row);
        self.inspection.continuation = Some(Continuation { of, number, done: 0, tokens, outcome: None });
        self.ask(Request::Continue { row, tokens }, For::Continue(number));
    }

    /// Stops the models that write.
    pub fn stop_continuing(&mut self) {
        self.inspection.continuation = None;
        self.ask(Request::StopContinuing, For::Done);
    }

    /// Nobody waits for the continuation of a sample that is not looked at any more.
    pub(crate) fn leave_continuation(&mut self) {
        let Some(continuation) = &self.inspection.continuation else { return };
        let shown = self.panels.inspector && self.screen.is_work_place();
        let here = self.focus.inspected.map(|row| (self.data.generation, row));
        if continuation.outcome.is_none() && !(shown && here == Some(continuation.of)) {
            self.stop_continuing();
        }
    }
}
