//! Whether a difference is real: paired comparisons over seeds and items, with what has to be known to believe them.

mod compare;
pub mod distributions;
mod intervals;
mod ratio;

pub use compare::{Comparison, Pairing, compare, holm};
pub use intervals::{over_seeds, wilson};
pub use ratio::{Gap, ratio};
