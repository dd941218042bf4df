//! Records the demo's run: `cargo run -p paser-engine --example record_demo` computes the embedded demo from its pool and
//! models and writes what `paser demo` restores, `crates/paser-demo/assets/recorded.bin`.

use std::{path::Path, sync::atomic::AtomicBool};

use anyhow::Context as _;
use paser_engine::demo;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (session, summary) = demo::compute(&folder.path().join("demo"), &|_| {}, &AtomicBool::new(false))?;
    let bytes = session.pack_recorded()?;
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../paser-demo/assets/recorded.bin");
    fs_err::write(&assets, &bytes).context("the recorded run was not written")?;
    println!("{} KiB, {summary:?}", bytes.len() / 1024);
    Ok(())
}
