//! The rows of a Parquet file, page by page of one row group after another, so that memory does not grow with the file.
//! Owns what a cell becomes: text columns text, numbers numbers, lists and structures JSON.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use fs_err::File;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use super::row::{Fields, MOST_FIELDS};
use super::rows::Batch;
use super::source::LONGEST_ROW;
use crate::DataError;
use crate::guarded::guard;

/// Rows that are parsed together.
const ROWS: usize = 2048;
/// Bytes of text after which a batch ends earlier.
const CHUNK: usize = 4 << 20;

pub(super) struct ParquetRows {
    path: PathBuf,
    reader: SerializedFileReader<std::fs::File>,
    group: usize,
    rows: Option<ReaderIter>,
    /// Rows of the groups that were read, and of the whole file.
    done: u64,
    total: u64,
    /// The same file as bytes, hashed as far as its rows were read.
    bytes: File,
    hasher: Sha256,
    hashed: u64,
    length: u64,
}

/// What a Parquet file says of itself in its last bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParquetSize {
    pub rows: u64,
    /// Bytes of its columns before they were compressed.
    pub bytes: u64,
}

/// Rows and uncompressed bytes of a Parquet file; none where it is no Parquet file or damaged.
pub fn parquet_size(path: &Path) -> Option<ParquetSize> {
    let mut head = [0; 4];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    if head != *b"PAR1" {
        return None;
    }
    let rows = ParquetRows::open(path).ok()?;
    let groups = rows.reader.metadata().row_groups().iter();
    let bytes = groups.map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0)).sum();
    Some(ParquetSize { rows: rows.total, bytes })
}

impl ParquetRows {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let refuse = |what: String| damaged(path, &what);
        let bytes = File::open(path)?;
        let length = bytes.metadata()?.len();
        let file = File::open(path)?.into_parts().0;
        let reader = guard(|| SerializedFileReader::new(file))
            .map_err(refuse)?
            .map_err(|error| damaged(path, &error.to_string()))?;
        let metadata = reader.metadata();
        let fields = metadata.file_metadata().schema().get_fields();
        let too_wide = |what: String| DataError::NotInstructionData { path: path.to_owned(), what };
        if fields.len() > MOST_FIELDS {
            return Err(too_wide(format!("has more than {MOST_FIELDS} columns: remove those that are not needed")));
        }
        for (place, field) in fields.iter().enumerate() {
            if fields[..place].iter().any(|earlier| earlier.name() == field.name()) {
                return Err(too_wide(format!("has the column {:?} twice: rename one of them", field.name())));
            }
        }
        let mut total = 0_u64;
        for group in metadata.row_groups() {
            // The decoder goes on as long as the footer says there are rows, whether the pages hold them or not.
            let flat =
                |column: &&parquet::file::metadata::ColumnChunkMetaData| column.column_descr().max_rep_level() == 0;
            let rows =
                u64::try_from(group.num_rows()).map_err(|_| damaged(path, "a row group has less than no rows"))?;
            if group.columns().iter().filter(flat).any(|column| column.num_values() != group.num_rows()) {
                return Err(damaged(path, "its columns have different numbers of rows"));
            }
            total = total.saturating_add(rows);
        }
        if total > u64::from(u32::MAX) {
            return Err(DataError::TooManyRows { path: path.to_owned(), limit: u64::from(u32::MAX) });
        }
        let path = path.to_owned();
        let hasher = Sha256::new();
        Ok(Self { path, reader, group: 0, rows: None, done: 0, total, bytes, hasher, hashed: 0, length })
    }

    pub(super) fn position(&self) -> u64 {
        self.hashed
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn sha256(&self) -> String {
        hex::encode(self.hasher.clone().finalize())
    }

    /// The next rows with their numbers from 1, `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, DataError> {
        let first = self.done + 1;
        let rows = guard(|| self.decode()).and_then(|rows| rows).map_err(|what| damaged(&self.path, &what))?;
        self.done += rows.len() as u64;
        let share = if rows.is_empty() { 1.0 } else { self.done as f64 / self.total.max(1) as f64 };
        self.hash_until((share * self.length as f64) as u64)?;
        if rows.is_empty() {
            if self.hashed != self.length {
                return Err(damaged(&self.path, "it changed while it was read"));
            }
            return Ok(None);
        }
        Ok(Some((first..).zip(rows).collect()))
    }

    fn decode(&mut self) -> Result<Vec<Result<Fields, String>>, String> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < ROWS && bytes < CHUNK {
            let Some(rows) = &mut self.rows else {
                if self.group == self.reader.metadata().num_row_groups() {
                    break;
                }
                let group = self.reader.get_row_group(self.group).map_err(|error| error.to_string())?;
                let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
                let rows = TreeBuilder::new().as_iter(schema, &*group);
                self.rows = Some(rows.map_err(|error| error.to_string())?);
                self.group += 1;
                continue;
            };
            match rows.next() {
                Some(Ok(row)) => {
                    let (fields, size) = fields(row);
                    bytes += size;
                    batch.push(fields);
                }
                Some(Err(error)) => {
                    return Err(format!("row {}: {error}", self.done + batch.len() as u64 + 1));
                }
                None => self.rows = None,
            }
        }
        Ok(batch)
    }

    fn hash_until(&mut self, end: u64) -> Result<(), DataError> {
        let mut buffer = vec![0; 256 << 10];
        self.bytes.seek(SeekFrom::Start(self.hashed))?;
        while self.hashed < end {
            let wanted = usize::try_from(end - self.hashed).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.bytes.read(&mut buffer[..wanted])?;
            if read == 0 {
                break;
            }
            self.hasher.update(&buffer[..read]);
            self.hashed += read as u64;
        }
        Ok(())
    }
}

fn damaged(path: &Path, what: &str) -> DataError {
    // The library quotes whole cells.
    let mut short: String =
        what.chars().take(160).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if what.chars().nth(160).is_some() {
        short.push_str("...");
    }
    DataError::Parquet { path: path.to_owned(), what: short }
}

/// The fields of a row, and how many bytes they hold. What is no text is null: it may be a column of pictures
/// that nobody needs.
fn fields(row: Row) -> (Result<Fields, String>, usize) {
    let (mut size, mut text, mut cells, mut unread) = (0, 0, Vec::new(), Vec::new());
    for (name, field) in row.into_columns() {
        let before = size;
        match cell(&field, &mut size) {
            Ok(value) => {
                text += size - before;
                cells.push((name, value));
            }
            Err(reason) => {
                unread.push((name.clone(), reason));
                cells.push((name, Value::Null));
            }
        }
    }
    if text > LONGEST_ROW {
        let reason = format!("it holds {text} bytes, more than the {LONGEST_ROW} bytes a sample may have");
        return (Err(reason), size);
    }
    (Ok(Fields::of_unique(cells, unread)), size)
}

fn cell(field: &Field, size: &mut usize) -> Result<Value, String> {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    // Beyond these the library's calendar panics.
    let days = |day: i32| (-719_000..2_900_000).contains(&day);
    let milliseconds = |time: i64| days(i32::try_from(time / 86_400_000).unwrap_or(i32::MAX));
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => Value::Bool(*truth),
        Field::Byte(number) => Value::from(*number),
        Field::Short(number) => Value::from(*number),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::UByte(number) => Value::from(*number),
        Field::UShort(number) => Value::from(*number),
        Field::UInt(number) => Value::from(*number),
        Field::ULong(number) => Value::from(*number),
        Field::Float16(number) => float(f64::from(*number)),
        Field::Float(number) => float(f64::from(*number)),
        Field::Double(number) => float(*number),
        Field::Str(text) => {
            *size += text.len();
            Value::String(text.clone())
        }
        Field::Bytes(bytes) => {
            *size += bytes.len();
            let text = std::str::from_utf8(bytes.data()).map_err(|error| {
                let byte = bytes.data()[error.valid_up_to()];
                format!("holds the byte 0x{byte:02X}, which is not UTF-8")
            })?;
            Value::String(text.to_owned())
        }
        Field::Date(day) if !days(*day) => Value::from(*day),
        Field::TimestampMillis(time) if !milliseconds(*time) => Value::from(*time),
        Field::TimestampMicros(time) if !milliseconds(time / 1000) => Value::from(*time),
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Value::String(field.to_string()),
        Field::Group(row) => {
            let cells = row.get_column_iter().map(|(name, field)| Ok((name.clone(), cell(field, size)?)));
            Value::Object(cells.collect::<Result<Map<_, _>, String>>()?)
        }
        Field::ListInternal(list) => {
            let cells = list.elements().iter().map(|field| cell(field, size));
            Value::Array(cells.collect::<Result<_, String>>()?)
        }
        Field::MapInternal(map) => {
            let cells = map.entries().iter().map(|(key, value)| {
                let key = match cell(key, size)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Ok((key, cell(value, size)?))
            });
            Value::Object(cells.collect::<Result<Map<_, _>, String>>()?)
        }
    })
}
