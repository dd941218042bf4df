//! Evaluation against the reference programs' numbers, and what must not change a value.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod generate;
mod gsm8k;
mod harness;
mod match_items;
mod perplexity;
mod results;
mod support;
mod tasks;
