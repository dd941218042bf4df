//! From a recipe to selections: stages that run only where their inputs changed, jobs that survive a kill, progress and
//! cancel, estimates, and the protocol's requests. Every face holds a [`Studio`] or a [`Session`] and nothing else.

mod archive;
mod checks;
mod clusters;
mod columns;
mod curate;
pub mod demo;
mod estimate;
mod export;
mod inspector;
mod job;
mod loaded;
mod machine;
mod partial;
mod probe;
mod progress;
mod queries;
mod reader;
mod recents;
pub mod report;
mod run;
mod selection;
mod session;
mod sources;
mod stages;
mod studio;
mod trouble;
mod views;

pub use checks::{CheckOptions, Excluded, Excluding};
pub use estimate::WORDS_ONLY;
pub use export::Archived;
pub use machine::threads;
pub use probe::check_draft;
pub use progress::Sink;
pub use reader::Reader;
pub use recents::state_folder;
pub use run::{ClusterSummary, RunOptions, RunSummary, SelectionSummary, StageSummary};
pub use selection::{Compared, Overlap, SelectionComparison};
pub use session::Session;
pub use sources::{Kind as ModelKind, model_folder};
pub use stages::prune::calibration_sequences;
pub use studio::{Studio, StudioOptions};
pub use trouble::{Outcome, Told, tokenizers_differ, unusable, usage};
