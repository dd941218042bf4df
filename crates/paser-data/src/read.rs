//! A pool's file or files become a [`Pool`]: format found from the content, rows parsed in parallel and kept in file order,
//! exact duplicates merged, bad rows listed, the hold-out marked (method.md 1.1 and 5).

mod array;
mod assemble;
mod files;
mod lines;
mod parquet;
mod recognise;
mod row;
mod rows;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use paser_protocol::Monitor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::columns::ExtraColumn;
use crate::{DataError, HoldOut, Roles, Sample};
use assemble::Assembler;
use recognise::Recogniser;
use row::Row;
use rows::Rows;

pub use files::{joined_hash, pool_files};
pub use parquet::{ParquetSize, parquet_size};

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
    Parquet,
}

impl FileFormat {
    /// A place in the file as errors name it: `line 3`.
    pub fn place(self, number: u64) -> String {
        match self {
            Self::JsonArray => format!("element {number}"),
            Self::JsonLines => format!("line {number}"),
            Self::Parquet => format!("row {number}"),
        }
    }
}

/// What came out of reading. `rows_read = kept + merged + bad_total`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    pub format: FileFormat,
    /// Of the files, compressed as they are.
    pub bytes: u64,
    /// UTF-8 bytes of instructions, inputs and outputs; none in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_bytes: Option<u64>,
    /// [`joined_hash`] of the pool's files.
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
    /// Cells by extra column that hold bytes which are no text, and count as empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<String, u64>,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// One-based number of the line, element or row, counted over all files of the pool.
    pub line: u64,
    pub reason: String,
}

/// Reads the pool at `path`: a file, or the files of a folder ([`pool_files`]). `monitor` counts bytes.
///
/// # Errors
/// As [`read_pool_files`] and [`pool_files`].
pub fn read_pool(path: &Path, options: &ReadOptions, monitor: &dyn Monitor) -> Result<Pool, DataError> {
    read_pool_files(path, &pool_files(path)?, options, monitor)
}

/// Reads files as one pool, their rows numbered through. `place`: what errors about all of them name. `monitor` counts
/// bytes.
///
/// # Errors
/// Files that are no instruction data, break off, are not UTF-8, have no usable row or repeat an id on different
/// content; see [`DataError`]. A single row that cannot be used is no error: it is in the report.
pub fn read_pool_files(
    place: &Path,
    files: &[PathBuf],
    options: &ReadOptions,
    monitor: &dyn Monitor,
) -> Result<Pool, DataError> {
    let place = if let [one] = files { one } else { place };
    let mut whole = 0;
    for file in files {
        whole += fs_err::metadata(file)?.len();
    }
    let Some(first) = files.first() else { return Err(DataError::Empty { path: place.to_owned() }) };
    let format = Rows::open(first)?.format();
    let mut assembler = Assembler::new(place, format, &options.hold_out)?;
    let mut recogniser = Recogniser::new(place, format, options.roles.as_ref());
    let (mut before, mut bytes, mut hashes) = (0, 0, Vec::new());
    for file in files {
        let mut source = Rows::open(file)?;
        if source.format() != format {
            let what = "holds files of several formats: give one of them, or a folder with one format".to_owned();
            return Err(DataError::NotInstructionData { path: place.to_owned(), what });
        }
        let mut last = before;
        while let Some(batch) = source.next()? {
            let with_fields = batch.iter().filter_map(|(number, row)| Some((before + number, row.as_ref().ok()?)));
            let roles = recogniser.look(with_fields)?;
            let rows: Vec<(u64, Result<Row, String>)> = batch
                .into_par_iter()
                .map(|(number, fields)| {
                    let row =
                        fields.and_then(|fields| roles.map_or(Err(String::new()), |roles| row::extract(fields, roles)));
                    let place = || format!("{} of {}", format.place(number), files::name_of(file));
                    let told = |reason| if files.len() > 1 { format!("{reason} ({})", place()) } else { reason };
                    (before + number, row.map_err(told))
                })
                .collect();
            for (number, row) in rows {
                last = number;
                assembler.push(number, row)?;
            }
            monitor.progress(bytes + source.position(), whole.max(bytes + source.length()));
            if monitor.cancelled() {
                return Err(DataError::Cancelled);
            }
        }
        before = last;
        bytes += source.length();
        hashes.push(source.sha256());
    }
    assembler.finish(recogniser.finish()?, bytes, joined_hash(&hashes))
}
