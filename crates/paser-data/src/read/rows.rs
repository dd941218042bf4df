//! Rows of one pool file, whatever its format: found from the content, parsed in parallel where they are text.

use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::FileFormat;
use super::parquet::ParquetRows;
use super::row::{Fields, Refusal, parse};
use super::source::Source;
use crate::DataError;

/// One-based number and fields of every row, or why it has none.
pub(super) type Batch = Vec<(u64, Result<Fields, String>)>;

pub(super) enum Rows {
    Text { path: PathBuf, source: Box<Source> },
    Parquet(Box<ParquetRows>),
}

impl Rows {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let mut head = Vec::new();
        fs_err::File::open(path)?.take(4).read_to_end(&mut head)?;
        if head == b"PAR1" {
            return Ok(Self::Parquet(Box::new(ParquetRows::open(path)?)));
        }
        Ok(Self::Text { path: path.to_owned(), source: Box::new(Source::open(path)?) })
    }

    pub(super) fn format(&self) -> FileFormat {
        match self {
            Self::Text { source, .. } => source.format(),
            Self::Parquet(_) => FileFormat::Parquet,
        }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Text { source, .. } => source.position(),
            Self::Parquet(rows) => rows.position(),
        }
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Text { source, .. } => source.length(),
            Self::Parquet(rows) => rows.length(),
        }
    }

    /// Of the whole file, once [`Self::next`] has come to its end.
    pub(super) fn sha256(&self) -> String {
        match self {
            Self::Text { source, .. } => source.sha256(),
            Self::Parquet(rows) => rows.sha256(),
        }
    }

    /// The next rows, `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, DataError> {
        match self {
            Self::Text { path, source } => text(path, source),
            Self::Parquet(rows) => rows.next(),
        }
    }
}

fn text(path: &Path, source: &mut Source) -> Result<Option<Batch>, DataError> {
    let Some(batch) = source.next_batch()? else { return Ok(None) };
    let parsed: Vec<Result<Fields, Refusal>> =
        batch.records.par_iter().map(|record| parse(&batch.bytes, record)).collect();
    // The first faulty byte decides, whichever thread saw it.
    for (record, result) in batch.records.iter().zip(&parsed) {
        let place = || source.format().place(record.number);
        match result {
            Err(Refusal::NotUtf8 { at, byte }) => {
                let (path, offset) = (path.to_owned(), batch.offset + at);
                return Err(DataError::Encoding { path, place: place(), offset, byte: *byte });
            }
            Err(Refusal::Unfinished(_)) if record.last_without_end => {
                return Err(DataError::Truncated { path: path.to_owned(), place: place() });
            }
            _ => {}
        }
    }
    let rows = batch.records.iter().zip(parsed);
    Ok(Some(rows.map(|(record, fields)| (record.number, fields.map_err(Refusal::reason))).collect()))
}
