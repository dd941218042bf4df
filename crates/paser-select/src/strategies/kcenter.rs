//! `kcenter`: farthest first on the sentence vectors, the greedy 2-approximation of the k-center problem (Gonzalez 1985;
//! for choosing data Sener and Savarese 2018). Covers the pool and looks at no score. Each centre is compared with every
//! candidate: budget x samples x dimensions operations, on all threads natively.

use paser_protocol::Monitor;

use crate::columns::Vectors;
use crate::error::SelectError;
use crate::frame::{Frame, State};
use crate::strategies::Choice;
use crate::strategies::random::{in_one_order, pinned_and_eligible};
use crate::walk::Unreached;

/// Candidates of a stretch, which one thread compares with a new centre.
const STRETCH: usize = 1024;

/// The candidates in content-hash order, and how far each is from the nearest centre so far.
struct Field<'a> {
    vectors: &'a Vectors,
    rows: &'a [u32],
    /// Squared distance to the nearest centre; minus infinity once the row is a centre itself.
    nearest: Vec<f32>,
}

/// A place among the candidates and its value.
type Found = Option<(f32, usize)>;

/// The larger value, at equal ones the earlier place: so the order of comparisons does not matter.
fn farther(a: Found, b: Found) -> Found {
    match (a, b) {
        (Some(a), Some(b)) => {
            let later = b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).is_gt();
            Some(if later { b } else { a })
        }
        (a, b) => a.or(b),
    }
}

/// Hands stretches of the field to `work` and gathers what it finds.
#[cfg(not(target_arch = "wasm32"))]
fn each_stretch(nearest: &mut [f32], work: impl Fn(usize, &mut [f32]) -> Found + Sync) -> Found {
    use rayon::prelude::*;
    nearest
        .par_chunks_mut(STRETCH)
        .enumerate()
        .map(|(at, stretch)| work(at * STRETCH, stretch))
        .reduce(|| None, farther)
}

#[cfg(target_arch = "wasm32")]
fn each_stretch(nearest: &mut [f32], work: impl Fn(usize, &mut [f32]) -> Found) -> Found {
    nearest.chunks_mut(STRETCH).enumerate().map(|(at, stretch)| work(at * STRETCH, stretch)).fold(None, farther)
}

/// |a - b|^2, summed in four lanes.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut lanes = [0.0_f32; 4];
    for (a, b) in a.0.iter().zip(b.0) {
        for lane in 0..4 {
            lanes[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let rest: f32 = a.1.iter().zip(b.1).map(|(a, b)| (a - b) * (a - b)).sum();
    lanes.into_iter().sum::<f32>() + rest
}

impl Field<'_> {
    /// Takes in a centre and returns the candidate that is farthest from all centres now.
    fn add(&mut self, centre: &[f32]) -> Found {
        let (vectors, rows) = (self.vectors, self.rows);
        each_stretch(&mut self.nearest, |start, stretch| {
            let mut best = None;
            for (place, nearest) in (start..).zip(stretch) {
                *nearest = nearest.min(squared_distance(vectors.of(rows[place]), centre));
                if *nearest >= 0.0 {
                    best = farther(best, Some((*nearest, place)));
                }
            }
            best
        })
    }

    /// The candidate nearest to the mean of all candidates.
    fn middle(&mut self) -> Found {
        let (vectors, rows) = (self.vectors, self.rows);
        let mut mean = vec![0.0_f64; vectors.dimensions];
        for row in rows {
            for (mean, value) in mean.iter_mut().zip(vectors.of(*row)) {
                *mean += f64::from(*value) / rows.len() as f64;
            }
        }
        let mean: Vec<f32> = mean.into_iter().map(|value| value as f32).collect();
        each_stretch(&mut self.nearest, |start, stretch| {
            let near = |place: usize| Some((-squared_distance(vectors.of(rows[place]), &mean), place));
            (start..start + stretch.len()).map(near).fold(None, farther)
        })
    }
}

pub(crate) fn plan(frame: &Frame<'_>, budget: u64, monitor: &dyn Monitor) -> Result<Choice, SelectError> {
    let vectors = frame.pool.vectors.as_ref().ok_or(SelectError::NoVectors { strategy: "kcenter" })?;
    let (pinned, eligible) = pinned_and_eligible(frame);
    let free = budget.saturating_sub(pinned).min(eligible);
    let rows: Vec<u32> = frame.rows(State::Eligible).collect();
    let mut field = Field { vectors, rows: &rows, nearest: vec![f32::INFINITY; rows.len()] };
    let go_on = |spent: u64| {
        monitor.progress(spent, free);
        if monitor.cancelled() { Err(SelectError::Cancelled) } else { Ok(()) }
    };
    let mut next = None;
    let mut any_centre = false;
    for pin in frame.rows(State::Pinned) {
        go_on(0)?;
        next = field.add(vectors.of(pin));
        any_centre = true;
    }
    if !any_centre {
        next = field.middle();
    }
    let mut ordered = Vec::with_capacity(rows.len());
    let mut spent = 0;
    while let Some((_, place)) = next
        && spent < free
    {
        go_on(spent)?;
        ordered.push(rows[place]);
        spent += frame.cost(rows[place]);
        field.nearest[place] = f32::NEG_INFINITY;
        next = field.add(vectors.of(rows[place]));
    }
    // What is left can only fill the end of a token budget: the farthest first, as far as the centres tell.
    let mut left: Vec<usize> = (0..rows.len()).filter(|place| field.nearest[*place] >= 0.0).collect();
    left.sort_by(|&a, &b| field.nearest[b].total_cmp(&field.nearest[a]).then(a.cmp(&b)));
    ordered.extend(left.into_iter().map(|place| rows[place]));
    in_one_order(frame, ordered, budget, Unreached::BelowCut)
}
