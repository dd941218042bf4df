//! Models and data sets from the hub: one call gives files in the cache that Python's tools share, downloading only what
//! is missing. Owns ids, what a data set's parts are, the HF_* environment, the cache layout, HTTP and resumable transfer; reads none of the files.
//!
//! `hf-hub` 0.5 names repositories, URLs and cache folders ([`hf_hub::Repo`], [`hf_hub::Cache`]). Its client is not
//! used: it ignores `HF_TOKEN` and `HF_HUB_CACHE`, checks no hash, cannot be cancelled, drops the `Retry-After` header,
//! the error code and the file sizes of the listing, and panics on some malformed answers. Requests go through `ureq`
//! directly.

mod cache;
mod client;
mod dataset;
mod env;
mod error;
mod fetch;
mod files;
mod id;
mod parts;
mod size;
mod transfer;

pub use cache::clear_downloads;
pub use dataset::{Dataset, DatasetInfo, DatasetRef, SCHEME, cached_dataset, dataset_info, fetch_dataset};
pub use env::{HubEnv, VARIABLES, Variable};
pub use error::HubError;
pub use fetch::{cached_model, fetch_model};
pub use files::{Need, Pattern, encoder_files, model_files};
pub use id::ModelId;
pub use parts::{DatasetFile, DatasetPart};
pub use size::{ModelSize, model_size};
