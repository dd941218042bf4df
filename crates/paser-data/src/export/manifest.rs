//! `manifest.json`: where the samples come from and everything that decided them. Holds no date, so that the same
//! selection gives the same bytes.

use std::path::Path;

use paser_protocol::ExportFormat;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{index_meaning, records};
use crate::Pool;

/// What only the caller knows about a selection.
#[derive(Debug, Clone, Default)]
pub struct ManifestInputs {
    /// The selection's name.
    pub selection: String,
    /// The pool file as the recipe names it.
    pub pool: String,
    /// Where the pool was fetched from, with its licence; none for files of this machine.
    pub pool_source: Option<Value>,
    /// Strategy, budget, seed, models and their hashes, recipe: everything that decided the selection.
    pub decided_by: Map<String, Value>,
}

pub(super) fn build(
    pool: &Pool,
    rows: &[u32],
    format: ExportFormat,
    data: &Path,
    data_bytes: &[u8],
    inputs: &ManifestInputs,
) -> Value {
    let renamed: Map<String, Value> = pool
        .columns
        .iter()
        .zip(records::column_names(pool, format))
        .filter(|(column, written)| column.name != *written)
        .map(|(column, written)| (column.name.clone(), json!(written)))
        .collect();
    let file = data.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut manifest = json!({
        "program": "PASER Studio",
        "version": env!("CARGO_PKG_VERSION"),
        "selection": inputs.selection,
        "samples": rows.len(),
        "file": file,
        "format": format.name(),
        "sha256": hex::encode(Sha256::digest(data_bytes)),
        "indices": index_meaning(pool.report.format),
        "pool": {
            "file": inputs.pool,
            "sha256": pool.report.sha256,
            "rows": pool.report.rows_read,
            "distinct": pool.report.kept,
            "bad_rows": pool.report.bad_total,
            "roles": pool.roles,
        },
        "renamed_columns": renamed,
        "decided_by": inputs.decided_by,
    });
    if let Some(source) = &inputs.pool_source {
        manifest["pool"]["source"] = source.clone();
    }
    manifest
}
