//! Makes a pruned model from a dense one: magnitude and Wanda, unstructured or N:M (method.md, the pruned model of a
//! pair). The result is an ordinary checkpoint folder with zeros stored densely and `paser-prune.json` beside them.

mod error;
mod folder;
mod mask;
mod params;
mod run;
mod wanda;

pub use error::PruneError;
pub use params::{Method, Pattern, PruneParams, PrunePlan};
pub use paser_model::write::sweep_unfinished;
pub use run::{LayerZeros, MatrixZeros, PruneReport, calibration_hash, prune};
