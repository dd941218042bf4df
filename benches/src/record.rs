//! Raw results as they are kept: the figures with the machine, the date and the commit they belong to. Used by the
//! comparison with peers here and by the figures of the window in `tests/figures`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::Serialize as _;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use serde_json::{Value, json};

/// The middle value, or the mean of the two; `values` is not empty.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Average number of running programs over the last minute.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Writes `fields` behind date, commit and machine to `<folder>/<prefix><date>-<commit>.json`.
pub fn keep(project: &Path, folder: &Path, prefix: &str, fields: Value) -> Result<PathBuf> {
    let output = |program: &str, arguments: &[&str]| -> Option<String> {
        let output = Command::new(program).args(arguments).current_dir(project).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let field = |file: &str, key: &str| -> Option<String> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once([':', '='])?.1.trim().trim_matches('"').to_owned())
    };
    let date = output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]).context("the program `date` did not tell the date")?;
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "uncommitted".to_owned());
    let changed = output("git", &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let day = date.replace(':', "").chars().take(15).collect::<String>();
    let mut record = json!({
        "date": date,
        "commit": commit,
        "uncommitted_changes": changed,
        "optimised_build": !cfg!(debug_assertions),
        "machine": {
            "processor": field("/proc/cpuinfo", "model name"),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "memory": field("/proc/meminfo", "MemTotal"),
            "system": field("/etc/os-release", "PRETTY_NAME"),
        },
    });
    if let (Value::Object(record), Value::Object(fields)) = (&mut record, fields) {
        record.extend(fields);
    }
    let mut bytes = Vec::new();
    record.serialize(&mut Serializer::with_formatter(&mut bytes, Lines(PrettyFormatter::new())))?;
    bytes.push(b'\n');
    let file = folder.join(format!("{prefix}{day}-{commit}.json"));
    fs::create_dir_all(folder)?;
    fs::write(&file, bytes)?;
    Ok(file)
}

/// One line a field; a list of numbers stays on its line.
struct Lines(PrettyFormatter<'static>);

impl Formatter for Lines {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
