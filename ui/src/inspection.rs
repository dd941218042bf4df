//! What the inspector asks of the engine beside a sample's texts and tokens, and what was answered.

use std::rc::Rc;

use paser_protocol::{NeighbourView, Report, Request};

use crate::state::{AppState, For};

/// Neighbours that are asked for; the inspector lists the first few, and all of them can be brushed.
pub const NEAREST: u32 = 50;

/// What neighbours depend on: the generation of the data, the map that was made with their vectors, and the sample.
type Near = (u64, Option<String>, u32);

/// Neighbours, or why there are none.
pub type Found = Result<Rc<Vec<NeighbourView>>, Report>;

#[derive(Default)]
pub struct Inspection {
    /// Number of the newest request; older answers are dropped.
    newest: u64,
    near: Option<(Near, Option<Found>)>,
}

impl Inspection {
    /// Nothing known; answers that are on their way are of the project before.
    pub fn of_another_project(&self) -> Self {
        Self { newest: self.newest + 1, ..Self::default() }
    }

    pub fn neighbours_arrived(&mut self, number: u64, outcome: Result<Vec<NeighbourView>, Report>) {
        if let Some((_, found)) = self.near.as_mut().filter(|_| number == self.newest) {
            *found = Some(outcome.map(Rc::new));
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
        if let Some((asked, found)) = &self.inspection.near
            && *asked == near
        {
            return found.clone();
        }
        self.inspection.newest += 1;
        self.inspection.near = Some((near, None));
        self.ask(Request::Neighbours { row, count: NEAREST }, For::Neighbours(self.inspection.newest));
        None
    }
}
