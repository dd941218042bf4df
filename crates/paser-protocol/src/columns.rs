//! Bulk columns: one value per distinct sample in pool order, fetched as raw little-endian bytes by key.

use serde::{Deserialize, Serialize};

/// What a column's bytes mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum ColumnKind {
    /// Two `f32` per row, x then y.
    Positions,
    /// One `f32` per row; NaN is a missing value.
    Number { minimum: f32, maximum: f32 },
    /// One `u32` per row, an index into `labels`; `u32::MAX` is a missing value.
    Category { labels: Vec<String> },
    /// One byte per row.
    Codes,
}

/// A column that can be fetched, coloured by and sorted by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Changes whenever the content changes, so that a fetched column never goes stale.
    pub key: String,
    /// Stable name: `map`, `cluster`, `jsd`, ..., `extra:capability`.
    pub name: String,
    /// What a person reads.
    pub label: String,
    /// `nats`, `tokens`, ...; empty where there is none.
    pub unit: String,
    #[serde(flatten)]
    pub kind: ColumnKind,
}

/// Decodes little-endian `f32`; trailing bytes that fill no value are ignored.
pub fn decode_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

/// Decodes little-endian `u32`; trailing bytes that fill no value are ignored.
pub fn decode_u32(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect()
}

pub fn encode_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn encode_u32(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
