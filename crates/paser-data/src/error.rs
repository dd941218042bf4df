//! What can be wrong with a pool file, a template, a tokenizer or an export. Every message names the file and
//! the place in it, and says what to do.

use std::path::PathBuf;

/// Errors of this crate. `Io` carries the path already (it comes from `fs_err`).
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error(transparent)]
    Io(#[from] std::io::Error),

    #[error("{} is empty: give a pool with at least one sample", path.display())]
    Empty { path: PathBuf },

    #[error("{} {what}", path.display())]
    NotInstructionData { path: PathBuf, what: String },

    #[error(
        "{}: {place} holds the byte 0x{byte:02X} at offset {offset}, which is not UTF-8: convert the file to UTF-8, \
         for instance with `iconv -f latin1 -t utf-8`",
        path.display()
    )]
    Encoding { path: PathBuf, place: String, offset: u64, byte: u8 },

    #[error(
        "{} breaks off in the middle of {place}: the file is incomplete; copy or download it again, or remove the \
         unfinished part",
        path.display()
    )]
    Truncated { path: PathBuf, place: String },

    #[error("{} is not a valid JSON array: {what} at offset {offset}; correct the file there", path.display())]
    BrokenArray { path: PathBuf, what: String, offset: u64 },

    #[error(
        "{} cannot be read as Parquet: {what}; it is damaged or incomplete: copy or download it again",
        path.display()
    )]
    Parquet { path: PathBuf, what: String },

    #[error(
        "{}: no column is known as {missing}; the columns are {columns}. Name the roles (instruction, input, output) \
         yourself, or rename the columns to instruction, input, output",
        path.display()
    )]
    NoRoles { path: PathBuf, missing: String, columns: String },

    #[error(
        "{}: the column {column:?} first appears in {place}, after {bound:?} was taken as the {role}: name the roles \
         (instruction, input, output) yourself, or rename one of the two columns",
        path.display()
    )]
    LateColumn { path: PathBuf, place: String, column: String, role: &'static str, bound: String },

    #[error("{}: none of its {rows} rows can be used: correct them, or give another file; {first_place}: {first_reason}", path.display())]
    AllBad { path: PathBuf, rows: u64, first_place: String, first_reason: String },

    #[error(
        "{}: the id {id:?} stands on different samples, in {first} and {second}: ids must be unique; change one of \
         them or remove the id column",
        path.display()
    )]
    DuplicateId { path: PathBuf, id: String, first: String, second: String },

    #[error("{}: more than {limit} extra columns: remove those that are not needed", path.display())]
    TooManyColumns { path: PathBuf, limit: usize },

    #[error("{}: more than {limit} rows: split the pool", path.display())]
    TooManyRows { path: PathBuf, limit: u64 },

    #[error("hold-out rule: {0}")]
    HoldOut(String),

    #[error("template {name}: {what}")]
    Template { name: String, what: String },

    #[error("{}: {what}", path.display())]
    Tokenizer { path: PathBuf, what: String },

    #[error("{}: {place} {what}", path.display())]
    Benchmark { path: PathBuf, place: String, what: String },

    #[error("export: {0}")]
    Export(String),

    #[error("cancelled")]
    Cancelled,
}
