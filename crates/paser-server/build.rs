//! Embeds the window's bundle: every file of `dist/`, which `cargo xtask web` makes. Without it the server still
//! builds and its page says what to run.

use std::{env, error::Error, fmt::Write as _, path::Path};

use fs_err as fs;

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files: Vec<_> = match fs::read_dir(&dist) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    };
    files.retain(|path| path.is_file());
    files.sort();
    let mut table = String::from("pub const FILES: &[(&str, &[u8])] = &[\n");
    for path in &files {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file name in dist/ is not UTF-8")?;
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.canonicalize()?.display().to_string())?;
    }
    table.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("bundle.rs"), table)?;
    Ok(())
}
