//! What the tests of this crate share: files of a temporary folder, the demo's, and the measured data where it is at
//! hand.

use std::path::{Path, PathBuf};

use paser_data::{DataError, Pool, ReadOptions, read_pool};
use paser_protocol::Silent;

/// A file or folder of the shared data, or a printed word that it is missing.
pub fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PASER_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join(part);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {part} is not at hand (set PASER_SHARED)");
    None
}

/// A file or folder of the demo, which every checkout has.
pub fn demo(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../paser-demo/assets").join(part)
}

/// Reads a pool from bytes.
pub fn pool_of(bytes: &[u8]) -> Result<Pool, DataError> {
    pool_with(bytes, &ReadOptions::default())
}

pub fn pool_with(bytes: &[u8], options: &ReadOptions) -> Result<Pool, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.data");
    fs_err::write(&path, bytes).unwrap();
    read_pool(&path, options, &Silent)
}
