//! Models from the hub: one call gives a folder in the cache that Python's tools share, downloading only what is
//! missing. Owns ids, the HF_* environment, the cache layout, HTTP and resumable transfer; reads no model files.
//!
//! `hf-hub` 0.5 names repositories, URLs and cache folders ([`hf_hub::Repo`], [`hf_hub::Cache`]). Its client is not
//! used: it ignores `HF_TOKEN` and `HF_HUB_CACHE`, checks no hash, cannot be cancelled, drops the `Retry-After` header,
//! the error code and the file sizes of the listing, and panics on some malformed answers. Requests go through `ureq`
//! directly.

mod cache;
mod client;
mod env;
mod error;
mod fetch;
mod files;
mod id;
mod size;
mod transfer;

pub use env::{HubEnv, VARIABLES, Variable};
pub use error::HubError;
pub use fetch::{cached_model, fetch_model};
pub use files::{Need, Pattern, encoder_files, model_files};
pub use id::ModelId;
pub use size::{ModelSize, model_size};
