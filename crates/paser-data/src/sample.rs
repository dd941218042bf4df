//! One sample of a pool: its texts, its stable id and its content hash. The content-hash order fixed here is the
//! order in which every later stage walks the rows (method.md 1.4).

use std::borrow::Cow;

use paser_protocol::order_by_hash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A distinct sample. Exact duplicates (all three texts equal) are one sample with a multiplicity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The file's own id, else `line:N`.
    pub id: String,
    pub instruction: String,
    /// Empty where there is none.
    pub input: String,
    pub output: String,
    /// See [`content_hash`].
    pub hash: [u8; 32],
    /// How many rows of the file have this content, at least 1.
    pub multiplicity: u32,
    /// One-based line (JSON lines), element (JSON array) or row (Parquet) number of the row whose id was kept, counted over
    /// all files of the pool.
    pub line: u64,
}

impl Sample {
    /// What the user asks: the instruction, and on a new line the input where there is one.
    pub fn question(&self) -> Cow<'_, str> {
        if self.input.is_empty() {
            Cow::Borrowed(&self.instruction)
        } else {
            Cow::Owned(format!("{}\n{}", self.instruction, self.input))
        }
    }
}

/// SHA-256 over instruction, input and output, each field's UTF-8 bytes followed by one 0x1f byte.
pub fn content_hash(instruction: &str, input: &str, output: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for field in [instruction, input, output] {
        hasher.update(field.as_bytes());
        hasher.update([0x1f]);
    }
    hasher.finalize().into()
}

/// Row numbers ordered by content hash, then by id.
pub fn hash_order(samples: &[Sample]) -> Vec<u32> {
    let hashes: Vec<[u8; 32]> = samples.iter().map(|sample| sample.hash).collect();
    let ids: Vec<&str> = samples.iter().map(|sample| sample.id.as_str()).collect();
    order_by_hash(&hashes, &ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_follows_the_written_convention() {
        let hash = content_hash("a", "", "b");
        assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(b"a\x1f\x1fb\x1f")));
        assert_ne!(hash, content_hash("a", "b", ""));
    }
}
