//! The rows of a data file: the sample's texts, its id and its extra columns, in the field names of the format.

use std::io::{self, Write};

use paser_protocol::ExportFormat;
use serde_json::{Map, Value, json};

use crate::{IdKind, Pool};

/// Extra columns by the names under which they are written: one that would hide a field gets `pool_` before it.
pub(super) fn column_names(pool: &Pool, format: ExportFormat) -> Vec<String> {
    let taken: &[&str] = match format {
        ExportFormat::AlpacaJson | ExportFormat::AlpacaJsonl => &["id", "instruction", "input", "output"],
        ExportFormat::MessagesJsonl => &["id", "messages"],
    };
    let mut names: Vec<String> = Vec::with_capacity(pool.columns.len());
    for column in &pool.columns {
        let mut name = column.name.clone();
        let others = |name: &String| pool.columns.iter().any(|other| other.name == *name && other.name != column.name);
        while taken.contains(&name.as_str()) || names.contains(&name) || others(&name) {
            name.insert_str(0, "pool_");
        }
        names.push(name);
    }
    names
}

pub(super) fn write(pool: &Pool, rows: &[u32], format: ExportFormat, file: &mut impl Write) -> io::Result<()> {
    let names = column_names(pool, format);
    let array = format == ExportFormat::AlpacaJson;
    if array {
        file.write_all(b"[\n")?;
    }
    for (position, row) in rows.iter().enumerate() {
        if array && position > 0 {
            file.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut *file, &record(pool, *row as usize, format, &names))?;
        if !array {
            file.write_all(b"\n")?;
        }
    }
    if array {
        file.write_all(b"\n]\n")?;
    }
    Ok(())
}

fn record(pool: &Pool, row: usize, format: ExportFormat, names: &[String]) -> Map<String, Value> {
    let sample = &pool.samples[row];
    let mut record = Map::new();
    let id = match (pool.id_kind, sample.id.parse::<i64>(), sample.id.parse::<u64>()) {
        (IdKind::Integer, Ok(number), _) => json!(number),
        (IdKind::Integer, _, Ok(number)) => json!(number),
        _ => json!(sample.id),
    };
    record.insert("id".to_owned(), id);
    match format {
        ExportFormat::AlpacaJson | ExportFormat::AlpacaJsonl => {
            for (name, text) in
                [("instruction", &sample.instruction), ("input", &sample.input), ("output", &sample.output)]
            {
                record.insert(name.to_owned(), json!(text));
            }
        }
        ExportFormat::MessagesJsonl => {
            let turns = json!([
                { "role": "user", "content": sample.question() },
                { "role": "assistant", "content": sample.output },
            ]);
            record.insert("messages".to_owned(), turns);
        }
    }
    for (name, column) in names.iter().zip(&pool.columns) {
        if let Some(value) = column.values.json(row) {
            record.insert(name.clone(), value);
        }
    }
    record
}
