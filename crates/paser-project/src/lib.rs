//! The project folder: recipe, catalogue, journal of edits, content-addressed artefacts, job shards and the
//! lock that says whose it is. Knows files and hashes, nothing of models or methods.

mod artefact;
mod catalogue;
mod durable;
mod error;
mod folder;
mod intent;
mod job_state;
mod journal;
mod lock;
pub mod recipe;
mod search;
mod selections;
mod shards;

pub use artefact::{Array, Arrays, Artefact, Inputs, Manifest, Measured, Store, Values};
pub use catalogue::{Catalogue, SampleHead, SampleRecord, StageRecord};
pub use durable::{sha256_file, sha256_hex, write_durably};
pub use error::{ProjectError, report_of_io};
pub use folder::Folder;
pub use intent::Intent;
pub use job_state::{JobState, Work, WorkerState};
pub use journal::{Entry, Journal, JournalEdit, Marked, NamedCluster};
pub use lock::{Address, Lock, Owner};
pub use recipe::Recipe;
pub use selections::{FrozenSelection, SelectionHead};
pub use shards::{Job, ShardMarker, ShardPlan, clear_merged, job_folder, jobs_of, kept_shards, stop_worker, workers};
