//! A pool file becomes a [`Pool`]: format found from the content, rows parsed in parallel and kept in file order,
//! exact duplicates merged, bad rows listed, the hold-out marked (method.md 1.1 and 5).

mod array;
mod assemble;
mod lines;
mod recognise;
mod row;
mod source;

use std::path::Path;

use paser_protocol::Monitor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::columns::ExtraColumn;
use crate::{DataError, HoldOut, Roles, Sample};
use assemble::Assembler;
use recognise::Recogniser;
use row::{Fields, Row};
use source::{Record, Source};

/// A pool in memory.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Distinct samples in the order in which their content first appears in the file.
    pub samples: Vec<Sample>,
    /// One cell for every sample; of a merged duplicate the cells of the row whose id was kept.
    pub columns: Vec<ExtraColumn>,
    pub roles: Roles,
    pub id_kind: IdKind,
    /// Ids of merged duplicates and the sample they became part of, in file order.
    pub aliases: Vec<Alias>,
    /// For every sample: kept for evaluation.
    pub held_out: Vec<bool>,
    pub report: ImportReport,
}

/// An id that no sample carries any more because its row was an exact duplicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    pub id: String,
    pub row: u32,
}

/// What the ids were in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdKind {
    /// No id column: `line:N`.
    Line,
    /// Every row has a whole number.
    Integer,
    Text,
}

/// How a pool is to be read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// `None` recognises the columns.
    pub roles: Option<Roles>,
    pub hold_out: HoldOut,
}

/// How the file is cut into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    JsonArray,
    JsonLines,
}

impl FileFormat {
    /// A place in the file as errors name it.
    pub(crate) fn place(self, number: u64) -> String {
        match self {
            Self::JsonArray => format!("element {number}"),
            Self::JsonLines => format!("line {number}"),
        }
    }
}

/// What came out of reading. `rows_read = kept + merged + bad_total`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    pub format: FileFormat,
    pub bytes: u64,
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: String,
    /// Blank lines are no rows.
    pub rows_read: u64,
    /// Distinct samples.
    pub kept: u64,
    /// Rows that repeat an earlier sample exactly.
    pub merged: u64,
    pub bad_total: u64,
    /// The first 1,000 bad rows.
    pub bad: Vec<BadRow>,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// One-based line or element number.
    pub line: u64,
    pub reason: String,
}

/// Reads a pool. `monitor` counts bytes.
///
/// # Errors
/// Files that are no instruction data, break off, are not UTF-8, have no usable row or repeat an id on different
/// content; see [`DataError`]. A single row that cannot be used is no error: it is in the report.
pub fn read_pool(path: &Path, options: &ReadOptions, monitor: &dyn Monitor) -> Result<Pool, DataError> {
    let mut source = Source::open(path)?;
    let mut assembler = Assembler::new(path, source.format(), &options.hold_out)?;
    let mut recogniser = Recogniser::new(path, source.format(), options.roles.as_ref());
    while let Some(batch) = source.next_batch()? {
        let parsed: Vec<Result<Fields, row::Refusal>> =
            batch.records.par_iter().map(|record| row::parse(&batch.bytes, record)).collect();
        // The first faulty byte decides, whichever thread saw it.
        for (record, result) in batch.records.iter().zip(&parsed) {
            match result {
                Err(row::Refusal::NotUtf8 { at, byte }) => {
                    return Err(DataError::Encoding {
                        path: path.to_owned(),
                        place: source.format().place(record.number),
                        offset: batch.offset + at,
                        byte: *byte,
                    });
                }
                Err(row::Refusal::Unfinished(_)) if record.last_without_end => {
                    return Err(DataError::Truncated {
                        path: path.to_owned(),
                        place: source.format().place(record.number),
                    });
                }
                _ => {}
            }
        }
        let with_fields = batch.records.iter().zip(&parsed);
        let roles = recogniser.look(
            with_fields.filter_map(|(record, fields)| fields.as_ref().ok().map(|fields| (record.number, fields))),
        )?;
        let rows: Vec<Result<Row, String>> = match roles {
            Some(roles) => parsed
                .into_par_iter()
                .map(|fields| fields.map_err(|refusal| refusal.reason()).and_then(|fields| row::extract(fields, roles)))
                .collect(),
            None => {
                parsed.into_iter().map(|fields| Err(fields.err().map(|r| r.reason()).unwrap_or_default())).collect()
            }
        };
        for (Record { number, .. }, row) in batch.records.iter().zip(rows) {
            assembler.push(*number, row)?;
        }
        monitor.progress(source.position(), source.length());
        if monitor.cancelled() {
            return Err(DataError::Cancelled);
        }
    }
    assembler.finish(recogniser.finish()?, source.length(), source.sha256())
}
