//! Behaviour of the public interface: golden logits and vectors, refusals, inspection. One program, one link.
#![allow(clippy::unwrap_used)]

mod adapters;
mod encoder;
mod gguf;
mod inspect;
mod logits;
mod merged;
mod readers;
mod refusals;
mod support;
mod tiny;
