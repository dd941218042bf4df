//! What a model can do, and whether a difference is real: perplexity, multiple choice, generation, and paired statistics
//! (`method.md` 5).

mod gsm8k;
mod harness;
mod perplexity;
pub mod stats;

pub use gsm8k::{flexible, strict};
pub use harness::{Asked, EvalError, Likelihood, Profile, Request};
pub use perplexity::{Perplexity, Protocol, from_windows};
