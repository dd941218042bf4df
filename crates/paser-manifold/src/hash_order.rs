//! The order in which rows are processed: by content hash, so that permuting the pool permutes the result and
//! changes nothing else (`method.md` section 1, item 4).

use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// SHA-256 of a row's fields in UTF-8, each followed by one 0x1f byte: for a sample, instruction, input and output.
pub fn content_hash(fields: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update(field.as_bytes());
        hasher.update([0x1f]);
    }
    hasher.finalize().into()
}

/// Rows by rising hash, equal hashes by rising id, both equal by rising row. `hashes` and `ids` are per row.
pub fn order_by_hash<Id: Ord + Sync>(hashes: &[[u8; 32]], ids: &[Id]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    order.par_sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        hashes[a].cmp(&hashes[b]).then_with(|| ids.get(a).cmp(&ids.get(b))).then_with(|| a.cmp(&b))
    });
    order
}

/// Rows of bare vectors `[n, dimensions]`, by SHA-256 of each row's little-endian bytes.
pub fn order_of_vectors(vectors: &[f32], dimensions: usize) -> Vec<u32> {
    let hashes: Vec<[u8; 32]> = vectors
        .par_chunks(dimensions.max(1))
        .map(|row| {
            let mut hasher = Sha256::new();
            for value in row {
                hasher.update(value.to_le_bytes());
            }
            hasher.finalize().into()
        })
        .collect();
    order_by_hash::<u32>(&hashes, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_of_fields_each_followed_by_a_unit_separator() {
        let expected: [u8; 32] = Sha256::digest(b"a\x1f\x1fbc\x1f").into();
        assert_eq!(content_hash(&["a", "", "bc"]), expected);
        assert_ne!(content_hash(&["a", "bc"]), content_hash(&["ab", "c"]));
    }

    #[test]
    fn equal_hashes_go_by_id() {
        let hashes = [[1; 32], [0; 32], [1; 32]];
        assert_eq!(order_by_hash(&hashes, &["b", "z", "a"]), [1, 2, 0]);
    }
}
