//! One sample of a pool: its texts, its stable id and its content hash. The content-hash order fixed here is the
//! order in which every later stage walks the rows (method.md 1.4).

use std::borrow::Cow;
use std::cmp::Ordering;

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
    /// One-based line (JSON lines) or element number (JSON array) of the row whose id was kept.
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
    let mut rows: Vec<u32> = (0..samples.len() as u32).collect();
    rows.sort_unstable_by(|&a, &b| {
        let (a, b) = (&samples[a as usize], &samples[b as usize]);
        a.hash.cmp(&b.hash).then_with(|| compare_ids(&a.id, &b.id))
    });
    rows
}

/// The whole number an id stands for: `17` or `line:17`.
pub(crate) fn id_number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix("line:").unwrap_or(id);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Whole numbers come first and by value, so that 9 is smaller than 10; all other ids by their bytes.
pub(crate) fn compare_ids(a: &str, b: &str) -> Ordering {
    match (id_number(a), id_number(b)) {
        (Some(left), Some(right)) => left.cmp(&right).then_with(|| a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
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

    #[test]
    fn ids_compare_by_value_where_they_are_numbers() {
        assert_eq!(compare_ids("9", "10"), Ordering::Less);
        assert_eq!(compare_ids("line:9", "line:10"), Ordering::Less);
        assert_eq!(compare_ids("b", "a"), Ordering::Greater);
        assert_eq!(compare_ids("10", "a"), Ordering::Less);
        assert_eq!(compare_ids("+1", "1"), Ordering::Greater);
    }
}
