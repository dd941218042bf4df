//! The window of PASER Studio: an egui frontend that sees columns of numbers, pages of text and events, and sends
//! requests. WebAssembly in the desktop shell and in a browser; native for its own tests.

pub mod a11y;
pub mod app;
pub mod budget_math;
pub mod code;
pub mod command;
pub mod compare;
mod curation;
pub mod data;
pub mod dialogs;
pub mod figures;
pub mod focus;
pub mod format;
pub mod glossary;
pub mod history;
mod inbox;
pub mod inspection;
pub mod layout;
pub mod map;
pub mod moved;
mod orders;
pub mod picture;
pub mod recovery;
mod recovery_tables;
pub mod saved;
pub mod series;
pub mod state;
pub mod theme;
pub mod told;
pub mod transport;
pub mod views;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod widgets;

pub use app::App;
