//! Chosen samples as files that trainers read, with a manifest of what decided the choice and the row numbers that
//! take the same samples from the original file. Every file appears whole or not at all.

mod manifest;
mod records;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use paser_protocol::ExportFormat;
use serde::{Deserialize, Serialize};

use crate::{DataError, FileFormat, Pool};
pub use manifest::ManifestInputs;

/// The data file's name where a folder was given.
fn file_name(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::AlpacaJson => "selected.alpaca.json",
        ExportFormat::AlpacaJsonl => "selected.alpaca.jsonl",
        ExportFormat::MessagesJsonl => "selected.messages.jsonl",
    }
}

/// What was written: the data file, the manifest, the indices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    pub paths: Vec<PathBuf>,
    pub count: usize,
}

/// Writes `rows` of the pool, in that order. A destination ending in `.json` or `.jsonl` is the data file, and
/// manifest and indices stand beside it as `NAME.manifest.json` and `NAME.indices.txt`; any other is a folder with
/// `manifest.json` and `indices.txt`. Extra columns are kept.
pub fn write(
    pool: &Pool,
    rows: &[u32],
    format: ExportFormat,
    destination: &Path,
    inputs: &ManifestInputs,
) -> Result<Exported, DataError> {
    if let Some(row) = rows.iter().find(|row| **row as usize >= pool.samples.len()) {
        return Err(DataError::Export(format!("row {row} is beyond the {} samples of the pool", pool.samples.len())));
    }
    let named_file = matches!(destination.extension().and_then(|end| end.to_str()), Some("json" | "jsonl"));
    if destination.is_file() && !named_file {
        let detail = "a file is there: name a folder, or a file that ends in .json or .jsonl";
        return Err(DataError::Export(format!("{}: {detail}", destination.display())));
    }
    let (data, manifest_path, indices) = if named_file && !destination.is_dir() {
        let beside = |end: &str| destination.with_extension(end);
        (destination.to_owned(), beside("manifest.json"), beside("indices.txt"))
    } else {
        let inside = |name: &str| destination.join(name);
        (inside(file_name(format)), inside("manifest.json"), inside("indices.txt"))
    };
    if let Some(folder) = data.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs_err::create_dir_all(folder)?;
    }
    write_whole(&data, |file| records::write(pool, rows, format, file))?;
    let data_bytes = fs_err::read(&data)?;
    let manifest = manifest::build(pool, rows, format, &data, &data_bytes, inputs);
    write_whole(&indices, |file| {
        for row in rows {
            writeln!(file, "{}", pool.samples[*row as usize].line - 1)?;
        }
        Ok(())
    })?;
    write_whole(&manifest_path, |file| {
        serde_json::to_writer_pretty(&mut *file, &manifest)?;
        file.write_all(b"\n")
    })?;
    Ok(Exported { paths: vec![data, manifest_path, indices], count: rows.len() })
}

/// What a number in `indices.txt` counts.
fn index_meaning(format: FileFormat) -> &'static str {
    match format {
        FileFormat::JsonArray => "zero-based element of the pool's JSON array",
        FileFormat::JsonLines => "zero-based line of the pool file, split at \\n only",
        FileFormat::Parquet => {
            "zero-based row of the pool's Parquet files, counted through in the order of their names"
        }
    }
}

/// Writes beside the target and renames, so that a reader never sees half a file. An error names the target.
fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<fs_err::File>) -> std::io::Result<()>,
) -> Result<(), DataError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        let mut file = BufWriter::new(fs_err::File::create(&part)?);
        fill(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs_err::rename(&part, path)
    })();
    if written.is_err() {
        // The first error is the one to tell; a part that was never made cannot be removed.
        let _ = fs_err::remove_file(&part);
    }
    written.map_err(|error| {
        let text = error.to_string().replace(&*part.to_string_lossy(), &path.to_string_lossy());
        DataError::Io(std::io::Error::new(error.kind(), text))
    })
}
