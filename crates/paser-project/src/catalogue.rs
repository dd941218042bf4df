//! `project.db`: the samples with full-text search, frozen selections, what each stage last made, file stamps and
//! measured rates. SQLite in WAL mode, opened only by the project's owner. Columns of numbers live in artefacts.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::{Inputs, ProjectError};

const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE samples(
        row INTEGER PRIMARY KEY, id TEXT NOT NULL, line INTEGER NOT NULL, multiplicity INTEGER NOT NULL,
        hash TEXT NOT NULL, held_out INTEGER NOT NULL,
        instruction TEXT NOT NULL, input TEXT NOT NULL, output TEXT NOT NULL);
    CREATE INDEX samples_id ON samples(id);
    CREATE VIRTUAL TABLE texts USING fts5(
        instruction, input, output, content='samples', content_rowid='row', tokenize='unicode61', prefix='1 2');
    CREATE TABLE stages(
        stage TEXT PRIMARY KEY, key TEXT NOT NULL, inputs TEXT NOT NULL, seconds REAL NOT NULL,
        peak_memory_bytes INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE selections(
        name TEXT PRIMARY KEY, position INTEGER NOT NULL, created INTEGER NOT NULL, by_recipe INTEGER NOT NULL,
        key TEXT NOT NULL, inputs TEXT NOT NULL, view TEXT NOT NULL,
        rows BLOB NOT NULL, ids TEXT NOT NULL, reasons BLOB NOT NULL);
    CREATE TABLE stamps(path TEXT PRIMARY KEY, stamp TEXT NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE rates(work TEXT PRIMARY KEY, units_per_second REAL NOT NULL) WITHOUT ROWID;
";

/// One distinct sample as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleRecord {
    pub row: u32,
    pub id: String,
    /// Line (or element, counted from 1) of the pool file.
    pub line: u64,
    pub multiplicity: u32,
    /// SHA-256 of the content, hex.
    pub hash: String,
    pub held_out: bool,
    pub instruction: String,
    pub input: String,
    pub output: String,
}

/// What a stage made last.
#[derive(Clone, Debug, PartialEq)]
pub struct StageRecord {
    pub stage: String,
    pub key: String,
    pub inputs: Inputs,
    pub seconds: f64,
    pub peak_memory_bytes: u64,
}

/// A frozen selection, whole: it can be shown and exported without anything else, and replayed to the byte.
#[derive(Clone, Debug, PartialEq)]
pub struct FrozenSelection {
    pub name: String,
    pub created: u64,
    /// Kept up to date by a run; the others are a person's and never change.
    pub by_recipe: bool,
    pub key: String,
    /// Everything that decided it.
    pub inputs: Inputs,
    /// Plan, ledger and counts, as JSON.
    pub view: String,
    /// Row numbers in the order of taking.
    pub rows: Vec<u32>,
    pub ids: Vec<String>,
    /// One reason byte per row of the pool.
    pub reasons: Vec<u8>,
}

/// The open catalogue.
#[derive(Debug)]
pub struct Catalogue {
    path: PathBuf,
    connection: Connection,
}

impl Catalogue {
    /// Opens or makes the catalogue. Call with the project's lock held.
    pub fn open(path: &Path) -> Result<Self, ProjectError> {
        let wrap = |source| ProjectError::Catalogue { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(wrap)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            .map_err(wrap)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(wrap)?;
        if version == 0 {
            let script = format!("BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;");
            connection.execute_batch(&script).map_err(wrap)?;
        } else if version != SCHEMA_VERSION {
            return Err(ProjectError::damaged(
                path,
                format!(
                    "written by another version of the program (layout {version}, this one knows {SCHEMA_VERSION})"
                ),
            ));
        }
        Ok(Self { path: path.to_owned(), connection })
    }

    fn told<T>(&self, outcome: rusqlite::Result<T>) -> Result<T, ProjectError> {
        outcome.map_err(|source| ProjectError::Catalogue { path: self.path.clone(), source })
    }

    /// Replaces all samples in one transaction.
    pub fn replace_samples(&mut self, samples: impl Iterator<Item = SampleRecord>) -> Result<(), ProjectError> {
        let outcome = (|| {
            let transaction = self.connection.transaction()?;
            transaction.execute("DELETE FROM samples", [])?;
            {
                let mut insert = transaction.prepare(
                    "INSERT INTO samples(row, id, line, multiplicity, hash, held_out, instruction, input, output)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?;
                for sample in samples {
                    insert.execute(params![
                        sample.row,
                        sample.id,
                        sample.line as i64,
                        sample.multiplicity,
                        sample.hash,
                        sample.held_out,
                        sample.instruction,
                        sample.input,
                        sample.output,
                    ])?;
                }
            }
            transaction.execute("INSERT INTO texts(texts) VALUES ('rebuild')", [])?;
            transaction.commit()
        })();
        self.told(outcome)
    }

    /// Every sample in pool order.
    pub fn samples(&self) -> Result<Vec<SampleRecord>, ProjectError> {
        let outcome = (|| {
            let mut statement = self.connection.prepare(
                "SELECT row, id, line, multiplicity, hash, held_out, instruction, input, output
                 FROM samples ORDER BY row",
            )?;
            statement.query_map([], read_sample)?.collect::<rusqlite::Result<Vec<_>>>()
        })();
        self.told(outcome)
    }

    /// One text of every sample in pool order: `instruction`, `input` or `output`.
    pub fn texts(&self, part: &str) -> Result<Vec<String>, ProjectError> {
        let part = match part {
            "input" => "input",
            "output" => "output",
            _ => "instruction",
        };
        let outcome = (|| {
            let mut statement = self.connection.prepare(&format!("SELECT {part} FROM samples ORDER BY row"))?;
            statement.query_map([], |row| row.get(0))?.collect()
        })();
        self.told(outcome)
    }

    pub fn sample(&self, row: u32) -> Result<Option<SampleRecord>, ProjectError> {
        let outcome = (|| {
            let mut statement = self.connection.prepare_cached(
                "SELECT row, id, line, multiplicity, hash, held_out, instruction, input, output
                 FROM samples WHERE row = ?1",
            )?;
            statement.query_row([row], read_sample).optional()
        })();
        self.told(outcome)
    }

    /// Rows whose text matches every word of `text`, in pool order. The last word may be unfinished.
    pub fn search(&self, text: &str) -> Result<Vec<u32>, ProjectError> {
        let Some(query) = match_expression(text) else { return Ok(Vec::new()) };
        let outcome = (|| {
            let mut statement =
                self.connection.prepare_cached("SELECT rowid FROM texts WHERE texts MATCH ?1 ORDER BY rowid")?;
            statement.query_map([query], |row| row.get(0))?.collect::<rusqlite::Result<Vec<u32>>>()
        })();
        self.told(outcome)
    }

    pub fn set_fact(&self, name: &str, value: &str) -> Result<(), ProjectError> {
        self.told(self.connection.execute(
            "INSERT INTO facts(name, value) VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
            [name, value],
        ))?;
        Ok(())
    }

    pub fn fact(&self, name: &str) -> Result<Option<String>, ProjectError> {
        self.told(
            self.connection.query_row("SELECT value FROM facts WHERE name = ?1", [name], |row| row.get(0)).optional(),
        )
    }

    /// Records what a stage made last.
    pub fn record_stage(&self, record: &StageRecord) -> Result<(), ProjectError> {
        self.told(
            self.connection.execute(
                "INSERT INTO stages(stage, key, inputs, seconds, peak_memory_bytes) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(stage) DO UPDATE SET key = excluded.key, inputs = excluded.inputs,
             seconds = excluded.seconds, peak_memory_bytes = excluded.peak_memory_bytes",
                params![
                    record.stage,
                    record.key,
                    to_json(&record.inputs),
                    record.seconds,
                    record.peak_memory_bytes as i64,
                ],
            ),
        )?;
        Ok(())
    }

    pub fn stage(&self, stage: &str) -> Result<Option<StageRecord>, ProjectError> {
        self.told(
            self.connection
                .query_row(
                    "SELECT stage, key, inputs, seconds, peak_memory_bytes FROM stages WHERE stage = ?1",
                    [stage],
                    |row| {
                        Ok(StageRecord {
                            stage: row.get(0)?,
                            key: row.get(1)?,
                            inputs: from_json(row, 2)?,
                            seconds: row.get(3)?,
                            peak_memory_bytes: row.get::<_, i64>(4)? as u64,
                        })
                    },
                )
                .optional(),
        )
    }

    /// Forgets what a stage made; its artefact stays where it is.
    pub fn forget_stage(&self, stage: &str) -> Result<(), ProjectError> {
        self.told(self.connection.execute("DELETE FROM stages WHERE stage = ?1", [stage]))?;
        Ok(())
    }

    /// Stores a selection under its name; one of the same name is replaced.
    pub fn put_selection(&mut self, selection: &FrozenSelection) -> Result<(), ProjectError> {
        let rows: Vec<u8> = selection.rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        let outcome = self.connection.execute(
            "INSERT INTO selections(name, position, created, by_recipe, key, inputs, view, rows, ids, reasons)
             VALUES (?1, (SELECT COALESCE(MAX(position), 0) + 1 FROM selections), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT(name) DO UPDATE SET created = excluded.created, by_recipe = excluded.by_recipe,
             key = excluded.key, inputs = excluded.inputs, view = excluded.view, rows = excluded.rows,
             ids = excluded.ids, reasons = excluded.reasons",
            params![
                selection.name,
                selection.created as i64,
                selection.by_recipe,
                selection.key,
                to_json(&selection.inputs),
                selection.view,
                rows,
                to_json(&selection.ids),
                selection.reasons,
            ],
        );
        self.told(outcome)?;
        Ok(())
    }

    /// All selections in the order of their making.
    pub fn selections(&self) -> Result<Vec<FrozenSelection>, ProjectError> {
        let outcome = (|| {
            let mut statement = self.connection.prepare(
                "SELECT name, created, by_recipe, key, inputs, view, rows, ids, reasons
                 FROM selections ORDER BY position",
            )?;
            let read = |row: &rusqlite::Row<'_>| {
                let rows: Vec<u8> = row.get(6)?;
                Ok(FrozenSelection {
                    name: row.get(0)?,
                    created: row.get::<_, i64>(1)? as u64,
                    by_recipe: row.get(2)?,
                    key: row.get(3)?,
                    inputs: from_json(row, 4)?,
                    view: row.get(5)?,
                    rows: rows.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect(),
                    ids: from_json(row, 7)?,
                    reasons: row.get(8)?,
                })
            };
            statement.query_map([], read)?.collect()
        })();
        self.told(outcome)
    }

    /// False where there was none of that name.
    pub fn remove_selection(&mut self, name: &str) -> Result<bool, ProjectError> {
        Ok(self.told(self.connection.execute("DELETE FROM selections WHERE name = ?1", [name]))? > 0)
    }

    /// What was learnt about the file or folder at `path`, and the stamp (sizes and times) it had then.
    pub fn stamped(&self, path: &str) -> Result<Option<(String, String)>, ProjectError> {
        self.told(
            self.connection
                .query_row("SELECT stamp, value FROM stamps WHERE path = ?1", [path], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional(),
        )
    }

    pub fn set_stamped(&self, path: &str, stamp: &str, value: &str) -> Result<(), ProjectError> {
        self.told(
            self.connection
                .execute("INSERT OR REPLACE INTO stamps(path, stamp, value) VALUES (?1, ?2, ?3)", [path, stamp, value]),
        )?;
        Ok(())
    }

    /// Units per second that `work` reached last time on this machine.
    pub fn rate(&self, work: &str) -> Result<Option<f64>, ProjectError> {
        self.told(
            self.connection
                .query_row("SELECT units_per_second FROM rates WHERE work = ?1", [work], |row| row.get(0))
                .optional(),
        )
    }

    pub fn set_rate(&self, work: &str, units_per_second: f64) -> Result<(), ProjectError> {
        self.told(self.connection.execute(
            "INSERT OR REPLACE INTO rates(work, units_per_second) VALUES (?1, ?2)",
            params![work, units_per_second],
        ))?;
        Ok(())
    }
}

fn read_sample(row: &rusqlite::Row<'_>) -> rusqlite::Result<SampleRecord> {
    Ok(SampleRecord {
        row: row.get(0)?,
        id: row.get(1)?,
        line: row.get::<_, i64>(2)? as u64,
        multiplicity: row.get(3)?,
        hash: row.get(4)?,
        held_out: row.get(5)?,
        instruction: row.get(6)?,
        input: row.get(7)?,
        output: row.get(8)?,
    })
}

/// Words as quoted FTS5 strings, the last one as a prefix; none where the text has no word.
fn match_expression(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|w| format!("\"{w}\""))
        .collect();
    if words.is_empty() {
        return None;
    }
    let unfinished = text.ends_with(char::is_alphanumeric);
    Some(words.join(" ") + if unfinished { "*" } else { "" })
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn from_json<T: serde::de::DeserializeOwned>(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(row: u32, instruction: &str) -> SampleRecord {
        SampleRecord {
            row,
            id: format!("line:{}", row + 1),
            line: u64::from(row) + 1,
            multiplicity: 1,
            hash: format!("h{row}"),
            instruction: instruction.to_owned(),
            output: "the answer".to_owned(),
            ..SampleRecord::default()
        }
    }

    fn open() -> (tempfile::TempDir, Catalogue) {
        let place = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::open(&place.path().join("project.db")).unwrap();
        (place, catalogue)
    }

    #[test]
    fn samples_are_found_by_words_and_replaced_whole() {
        let (_place, mut catalogue) = open();
        let texts = ["Sort these numbers", "Rewrite the sentence", "Sorting by \"size\" AND weight"];
        catalogue.replace_samples((0..).zip(texts).map(|(row, text)| record(row, text))).unwrap();
        assert_eq!(catalogue.search("sort").unwrap(), [0, 2]);
        assert_eq!(catalogue.search("sort ").unwrap(), [0]);
        assert_eq!(catalogue.search("answer the sent").unwrap(), [1]);
        assert_eq!(catalogue.search("\"size\" AND").unwrap(), [2]);
        assert_eq!(catalogue.search("*** ((").unwrap(), Vec::<u32>::new());
        assert_eq!(catalogue.sample(1).unwrap().unwrap().instruction, texts[1]);
        assert_eq!(catalogue.samples().unwrap().len(), 3);
        catalogue.replace_samples(std::iter::once(record(0, "Only this"))).unwrap();
        assert_eq!(catalogue.search("sort").unwrap(), Vec::<u32>::new());
        assert_eq!(catalogue.search("only").unwrap(), [0]);
    }

    #[test]
    fn everything_is_there_after_opening_again() {
        let (place, mut catalogue) = open();
        let stage = StageRecord {
            stage: "score".to_owned(),
            key: "k".to_owned(),
            inputs: Inputs::new().with("rows", "x"),
            seconds: 1.5,
            peak_memory_bytes: 7,
        };
        catalogue.record_stage(&stage).unwrap();
        let frozen = FrozenSelection {
            name: "a".to_owned(),
            created: 1,
            by_recipe: false,
            key: "s".to_owned(),
            inputs: Inputs::new().with("plan", "p"),
            view: "{}".to_owned(),
            rows: vec![2, 0],
            ids: vec!["c".to_owned(), "a".to_owned()],
            reasons: vec![1, 0, 1],
        };
        catalogue.put_selection(&frozen).unwrap();
        catalogue.set_fact("plan", "x").unwrap();
        catalogue.set_stamped("pool", "3 bytes", "abc").unwrap();
        catalogue.set_rate("score", 100.0).unwrap();
        drop(catalogue);

        let mut catalogue = Catalogue::open(&place.path().join("project.db")).unwrap();
        assert_eq!(catalogue.stage("score").unwrap().unwrap(), stage);
        assert_eq!(catalogue.selections().unwrap(), [frozen]);
        assert_eq!(catalogue.fact("plan").unwrap().as_deref(), Some("x"));
        assert_eq!(catalogue.stamped("pool").unwrap(), Some(("3 bytes".to_owned(), "abc".to_owned())));
        assert!(catalogue.stamped("other").unwrap().is_none());
        assert_eq!(catalogue.rate("score").unwrap(), Some(100.0));
        assert!(catalogue.remove_selection("a").unwrap());
        assert!(!catalogue.remove_selection("a").unwrap());
        catalogue.forget_stage("score").unwrap();
        assert!(catalogue.stage("score").unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_no_catalogue_is_named() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("project.db");
        fs_err::write(&path, "this is not a database, by far not one, not even nearly one at all").unwrap();
        let error = Catalogue::open(&path).unwrap_err().to_string();
        assert!(error.contains("project.db"), "{error}");
    }
}
