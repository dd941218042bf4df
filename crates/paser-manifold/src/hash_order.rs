//! The processing order of rows that are no samples: bare vectors and texts, by SHA-256 of their bytes, so that permuting
//! them permutes the result and changes nothing else (`method.md` section 1, item 4). Samples come with their order.

use paser_protocol::order_by_hash;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

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
    order_by_hash::<&str>(&hashes, &[])
}

/// Texts by SHA-256 of their UTF-8 bytes and one 0x1f byte: a field as a sample's content hash has it.
pub(crate) fn order_of_texts(texts: &[String]) -> Vec<u32> {
    let hash = |text: &String| Sha256::new().chain_update(text).chain_update([0x1f]).finalize().into();
    let hashes: Vec<[u8; 32]> = texts.par_iter().map(hash).collect();
    order_by_hash::<&str>(&hashes, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_hashes_and_equal_rows_keep_theirs() {
        // First bytes of the hashes, by sha256sum: "a" 69, "b" 33, "c" 5f.
        let texts = ["a", "b", "c", "b"].map(str::to_owned);
        assert_eq!(order_of_texts(&texts), [1, 3, 2, 0]);
        let order = order_of_vectors(&[1.0, 0.0, 0.0, 1.0, 1.0, 0.0], 2);
        let place = |row: u32| order.iter().position(|at| *at == row);
        assert_eq!(place(2), place(0).map(|at| at + 1));
    }
}
