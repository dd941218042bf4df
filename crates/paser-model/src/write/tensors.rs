//! Safetensors written as a stream: the header first, then one tensor after the other, so that no file has to fit into
//! memory. Numbers are rounded to the nearest value of their type, halves to the even one.

use std::io::{self, Write};

use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::{Map, Value, json};

/// Values that are encoded and written together.
pub(crate) const CHUNK: usize = 1 << 20;

/// A tensor that will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

impl Entry {
    pub(crate) fn bytes(&self) -> usize {
        (self.shape.iter().product::<usize>() * self.dtype.bitsize()).div_ceil(8)
    }
}

/// The file's beginning for tensors in this order. Padded with spaces so that data begins at a multiple of eight.
///
/// # Errors
/// None that a caller could cause: a header that is no JSON.
pub(crate) fn header(entries: &[Entry], metadata: &[(&str, &str)]) -> io::Result<Vec<u8>> {
    let mut map = Map::new();
    let notes: Map<String, Value> = metadata.iter().map(|&(key, value)| (key.to_owned(), value.into())).collect();
    map.insert("__metadata__".to_owned(), notes.into());
    let mut start = 0;
    for entry in entries {
        let end = start + entry.bytes();
        map.insert(
            entry.name.clone(),
            json!({"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [start, end]}),
        );
        start = end;
    }
    let mut text = serde_json::to_vec(&map)?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    Ok(bytes)
}

/// Writes values as `dtype`, which is F32, F16 or BF16. Gives back the flat index of the first value that is too large for
/// it, before which everything is written.
pub(crate) fn write_values(out: &mut impl Write, values: &[f32], dtype: Dtype) -> io::Result<Option<usize>> {
    let mut buffer = Vec::with_capacity(4 * CHUNK.min(values.len()));
    for (number, chunk) in values.chunks(CHUNK).enumerate() {
        buffer.clear();
        for (index, &value) in chunk.iter().enumerate() {
            let fits = match dtype {
                Dtype::F16 => {
                    let rounded = f16::from_f32(value);
                    buffer.extend_from_slice(&rounded.to_le_bytes());
                    rounded.is_finite()
                }
                Dtype::BF16 => {
                    let rounded = bf16::from_f32(value);
                    buffer.extend_from_slice(&rounded.to_le_bytes());
                    rounded.is_finite()
                }
                _ => {
                    buffer.extend_from_slice(&value.to_le_bytes());
                    value.is_finite()
                }
            };
            if !fits {
                return Ok(Some(number * CHUNK + index));
            }
        }
        out.write_all(&buffer)?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_the_even_neighbour_and_what_does_not_fit_is_named() {
        let mut out = Vec::new();
        // 1 + 2^-8 lies between the bf16 neighbours 1 and 1 + 2^-7; 1 + 3 * 2^-8 between 1 + 2^-7 and 1 + 2^-6.
        let values = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0];
        assert_eq!(write_values(&mut out, &values, Dtype::BF16).unwrap(), None);
        let read: Vec<f32> = out.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect();
        assert_eq!(read, [1.0, 1.0 + 1.0 / 64.0]);
        assert_eq!(write_values(&mut Vec::new(), &[1.0, 70_000.0], Dtype::F16).unwrap(), Some(1));
    }
}
