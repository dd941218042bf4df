//! Everything this crate does with files, in one test program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bad_input;
mod checks;
mod parquet;
mod pool;
mod round_trip;
mod support;
mod tokens;
