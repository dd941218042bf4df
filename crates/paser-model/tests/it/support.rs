//! Where shared data lies.

use std::path::PathBuf;

/// A path below the shared folder, or `None` with a word on stderr where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let full = root.join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {} is absent (set PASER_SHARED)", full.display());
    None
}
