//! Which samples are worth training on: budgets, quotas, the concept consistency graph, every strategy, and the
//! ledger that explains them. Pure functions over arrays: no files, no models, no entropy, and threads only for
//! `kcenter` where there are any, so the same code runs in the engine and in the window (wasm32). Sections 2, 3 and 4 of the method.

mod column;
mod columns;
mod concepts;
mod consistency;
mod curation;
mod damage;
mod error;
mod frame;
mod guard;
mod ledger;
mod naming;
mod params;
mod reasons;
mod selection;
mod standing;
mod strategies;
mod walk;
mod water;

pub use column::Column;
pub use columns::{PassColumn, PoolColumns, Score, Vectors};
pub use concepts::{ConceptTable, intern_concepts, rake, sample_concepts};
pub use curation::Curation;
pub use damage::{Cds, cluster_damage};
pub use error::SelectError;
pub use guard::{linear_quantile, tukey_fence};
pub use naming::cluster_names;
pub use params::{Concepts, PerSample, SelectParams};
pub use reasons::Reason;
pub use selection::{Selection, select};
pub use standing::Standing;
pub use water::{ClusterQuota, ClusterWeight, Quotas, quotas};
