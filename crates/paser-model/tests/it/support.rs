//! Where shared data and the demo's lie.

use std::path::{Path, PathBuf};

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

/// A folder of the demo, which every checkout has.
pub fn demo(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../paser-demo/assets").join(part)
}
