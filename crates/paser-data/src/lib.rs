//! Reads and writes instruction data: a pool file becomes samples, roles and extra columns; samples become
//! prompts and token ids; chosen rows become files that trainers read; near-duplicates and benchmark questions in a pool
//! are found. Owns everything that touches a pool file
//! (method.md 1.1, the template and token rules of 2, the hold-out of 5). Knows tokenizers, never models.

mod agreement;
mod benchmark;
mod chat;
mod columns;
mod encode;
mod error;
pub mod export;
pub mod file_names;
mod guarded;
mod hold_out;
mod leakage;
mod near_duplicates;
mod read;
mod roles;
mod sample;
mod template;
mod tokenizer;
mod words;

pub use agreement::{TokenizerAgreement, read_alike, tokenizer_agreement};
pub use benchmark::{Benchmark, Question, benchmark_name, parse_benchmark, read_benchmark};
pub use chat::ChatTemplate;
pub use columns::{Categories, ColumnValues, ExtraColumn, MISSING};
pub use encode::{Encoded, Encoding, encode_marker, encode_pool, encode_sample};
pub use error::DataError;
pub use guarded::guarded;
pub use hold_out::HoldOut;
pub use leakage::{BenchmarkLeaks, Leak, Leakage, leakage};
pub use near_duplicates::{ALONE, NearDuplicates, NearGroup, near_duplicates};
pub use read::{
    Alias, BadRow, FileFormat, IdKind, ImportReport, ParquetSize, Pool, ReadOptions, joined_hash, parquet_size,
    pool_files, read_pool, read_pool_files,
};
pub use roles::Roles;
pub use sample::{Sample, content_hash, hash_order};
pub use template::Template;
pub use tokenizer::Tokenizer;
