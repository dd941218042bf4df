//! Which part of the generated material a text belongs to, decided by its SHA-256 alone, so that tests,
//! pool, development items and training never share a text.

use sha2::{Digest, Sha256};

/// The four disjoint parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 6 of 100: the frozen tests.
    Tests,
    /// 24 of 100: the pool that selections are made from.
    Pool,
    /// 4 of 100: development items, looked at while training and pruning.
    Development,
    /// 66 of 100: the dense model's training stream.
    Training,
}

/// The part of a key: SHA-256, its first eight bytes as a big-endian number, modulo 100.
///
/// The key is instruction, newline and input; additions, subtractions and comparisons use their ordered
/// operands instead, so that a test sum is not seen in training under another wording either.
pub fn part_of(key: &str) -> Part {
    let digest = Sha256::digest(key.as_bytes());
    let mut head = [0u8; 8];
    head.copy_from_slice(&digest[..8]);
    match u64::from_be_bytes(head) % 100 {
        0..6 => Part::Tests,
        6..30 => Part::Pool,
        30..34 => Part::Development,
        _ => Part::Training,
    }
}
