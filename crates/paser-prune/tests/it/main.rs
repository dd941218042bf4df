//! Pruning through the public interface: golden magnitude masks, Wanda against a slow reference, folders and refusals.
#![allow(clippy::unwrap_used)]

mod folders;
mod magnitude;
mod reference;
mod tiny;
mod wanda;
