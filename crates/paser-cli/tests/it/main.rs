//! The command line as people and programs meet it, in one test program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bad_input;
mod checks;
mod files;
mod help;
mod hub_pool;
mod project;
mod pruned;
mod support;
mod tables;
