//! The words both sides speak: requests, replies, events, columns, plans and ledgers. Serde only; builds for
//! WebAssembly. The window knows this crate and `paser-select`, and nothing else of the engine.

mod checks;
mod columns;
mod compare;
pub mod csv;
mod edit;
mod event;
pub mod filter;
mod models;
mod monitor;
mod order;
mod passes;
mod project;
mod recovery;
mod report;
mod request;
mod rows;
mod script;
mod search;
mod selection;
mod settings;
mod stability;

pub use checks::*;
pub use columns::*;
pub use compare::*;
pub use edit::*;
pub use event::*;
pub use models::*;
pub use monitor::{Monitor, Silent};
pub use order::{compare_ids, id_number, order_by_hash};
pub use passes::*;
pub use project::*;
pub use recovery::*;
pub use report::{Failure, Report};
pub use request::*;
pub use script::Script;
pub use search::{SearchWord, inside_words, search_words};
pub use selection::*;
pub use settings::*;
pub use stability::*;
