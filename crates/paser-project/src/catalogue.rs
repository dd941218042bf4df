//! `project.db`: the samples with full-text search, what each stage last made, frozen selections (`selections.rs`),
//! the plan being built, file stamps and measured rates. SQLite in WAL mode, written only by the project's owner.
//! Columns of numbers live in artefacts.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::Serialize;

use crate::{Inputs, ProjectError, search::Dictionary, selections};

const SCHEMA_VERSION: i64 = 2;
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
        rows BLOB NOT NULL, ids TEXT NOT NULL, reasons BLOB NOT NULL,
        hashes BLOB NOT NULL, provenance TEXT NOT NULL);
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

/// A sample without its texts, borrowed while the catalogue is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleHead<'a> {
    pub row: u32,
    pub id: &'a str,
    pub line: u64,
    pub multiplicity: u32,
    /// SHA-256 of the content, hex.
    pub hash: &'a str,
    pub held_out: bool,
}

impl SampleRecord {
    pub fn head(&self) -> SampleHead<'_> {
        SampleHead {
            row: self.row,
            id: &self.id,
            line: self.line,
            multiplicity: self.multiplicity,
            hash: &self.hash,
            held_out: self.held_out,
        }
    }
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

/// The open catalogue.
#[derive(Debug)]
pub struct Catalogue {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    pub(crate) dictionary: OnceCell<Arc<Dictionary>>,
    /// Pools taken in since it was opened.
    pub(crate) pools: u64,
}

impl Catalogue {
    /// Opens or makes the catalogue. Call with the project's lock held.
    pub fn open(path: &Path) -> Result<Self, ProjectError> {
        let wrap = |source| ProjectError::Catalogue { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(wrap)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            .map_err(wrap)?;
        let version = layout(&connection).map_err(wrap)?;
        if version == 0 {
            let script = format!("BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;");
            connection.execute_batch(&script).map_err(wrap)?;
        } else if version == 1 {
            let transaction = connection.transaction().map_err(wrap)?;
            selections::from_layout_1(&transaction).map_err(wrap)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(wrap)?;
            transaction.commit().map_err(wrap)?;
        } else if version != SCHEMA_VERSION {
            return Err(other_layout(path, version));
        }
        Ok(Self::on(path, connection))
    }

    fn on(path: &Path, connection: Connection) -> Self {
        Self { path: path.to_owned(), connection, dictionary: OnceCell::new(), pools: 0 }
    }

    /// Opens the catalogue of a project that another process owns, as it stands now: later changes are not seen, and
    /// every attempt to write fails. None where the owner has not made it yet.
    ///
    /// # Errors
    /// `Damaged` where its layout is not this program's.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, ProjectError> {
        let wrap = |source| ProjectError::Catalogue { path: path.to_owned(), source };
        if !path.exists() {
            return Ok(None);
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(wrap)?;
        // Ends with the connection. Until then all reads are of one state, whatever the owner writes.
        connection.execute_batch("BEGIN DEFERRED").map_err(wrap)?;
        match layout(&connection).map_err(wrap)? {
            0 => Ok(None),
            SCHEMA_VERSION => Ok(Some(Self::on(path, connection))),
            version => Err(other_layout(path, version)),
        }
    }

    /// Ends the view that [`Self::open_to_read`] began, so that the owner's log of changes can be folded in while this
    /// process works on without the catalogue.
    pub fn let_go(&self) -> Result<(), ProjectError> {
        self.told(self.connection.execute_batch("COMMIT"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn told<T>(&self, outcome: rusqlite::Result<T>) -> Result<T, ProjectError> {
        outcome.map_err(|source| ProjectError::Catalogue { path: self.path.clone(), source })
    }

    /// Replaces all samples, forgets what the stages `forget` made of the old ones and records the import that made
    /// the new ones: all of it or, after a crash or an error, nothing.
    pub fn replace_pool(
        &mut self,
        samples: impl Iterator<Item = SampleRecord>,
        forget: &[&str],
        import: &StageRecord,
    ) -> Result<(), ProjectError> {
        self.pools += 1;
        self.dictionary.take();
        let outcome = (|| {
            let transaction = self.connection.transaction()?;
            for stage in forget {
                transaction.execute("DELETE FROM stages WHERE stage = ?1", [stage])?;
            }
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
            write_stage(&transaction, import)?;
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

    /// Visits every sample in pool order without its texts, which a large pool has no room for in memory.
    pub fn each_sample(&self, mut visit: impl FnMut(SampleHead<'_>)) -> Result<(), ProjectError> {
        let outcome = (|| {
            let mut statement = self
                .connection
                .prepare("SELECT row, id, line, multiplicity, hash, held_out FROM samples ORDER BY row")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                visit(SampleHead {
                    row: row.get(0)?,
                    id: row.get_ref(1)?.as_str()?,
                    line: row.get::<_, i64>(2)? as u64,
                    multiplicity: row.get(3)?,
                    hash: row.get_ref(4)?.as_str()?,
                    held_out: row.get(5)?,
                });
            }
            Ok(())
        })();
        self.told(outcome)
    }

    /// All rows by rising text, by its bytes; equal texts in pool order. `part`: `instruction`, `input` or `output`.
    pub fn rows_by_text(&self, part: &str) -> Result<Vec<u32>, ProjectError> {
        let part = match part {
            "input" => "input",
            "output" => "output",
            _ => "instruction",
        };
        let outcome = (|| {
            let mut statement = self.connection.prepare(&format!("SELECT row FROM samples ORDER BY {part}, row"))?;
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
        self.told(write_stage(&self.connection, record))
    }

    /// Gives what stages made last to others, all at once: pairs of whose and to whom. What was not made is not there
    /// afterwards either.
    pub fn hand_on_stages(&self, pairs: &[(&str, &str)]) -> Result<(), ProjectError> {
        let records = pairs.iter().map(|(from, _)| self.stage(from)).collect::<Result<Vec<_>, _>>()?;
        let write = || {
            let transaction = self.connection.unchecked_transaction()?;
            for stage in pairs.iter().flat_map(|(from, to)| [from, to]) {
                transaction.execute("DELETE FROM stages WHERE stage = ?1", [stage])?;
            }
            for (record, (_, to)) in records.into_iter().zip(pairs) {
                if let Some(record) = record {
                    write_stage(&transaction, &StageRecord { stage: (*to).to_owned(), ..record })?;
                }
            }
            transaction.commit()
        };
        self.told(write())
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

    /// Every record whose stage begins so, by stage.
    pub fn stages_beginning(&self, begin: &str) -> Result<Vec<StageRecord>, ProjectError> {
        let names: Vec<String> = self.told((|| {
            let mut statement = self.connection.prepare("SELECT stage FROM stages ORDER BY stage")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })())?;
        let named = names.into_iter().filter(|name| name.starts_with(begin));
        named.filter_map(|name| self.stage(&name).transpose()).collect()
    }

    /// Whether some record names this artefact.
    pub fn is_recorded(&self, key: &str) -> Result<bool, ProjectError> {
        let found = self.connection.query_row("SELECT 1 FROM stages WHERE key = ?1", [key], |_| Ok(())).optional();
        Ok(self.told(found)?.is_some())
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

fn write_stage(connection: &Connection, record: &StageRecord) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO stages(stage, key, inputs, seconds, peak_memory_bytes) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(stage) DO UPDATE SET key = excluded.key, inputs = excluded.inputs,
         seconds = excluded.seconds, peak_memory_bytes = excluded.peak_memory_bytes",
        params![record.stage, record.key, to_json(&record.inputs), record.seconds, record.peak_memory_bytes as i64,],
    )?;
    Ok(())
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

pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error)))
}

fn layout(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn other_layout(path: &Path, version: i64) -> ProjectError {
    let detail =
        format!("written by another version of the program (layout {version}, this one knows {SCHEMA_VERSION})");
    ProjectError::damaged(path, detail)
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

    fn made(stage: &str, key: &str) -> StageRecord {
        StageRecord {
            stage: stage.to_owned(),
            key: key.to_owned(),
            inputs: Inputs::new().with("rows", "x"),
            seconds: 1.5,
            peak_memory_bytes: 7,
        }
    }

    fn open() -> (tempfile::TempDir, Catalogue) {
        let place = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::open(&place.path().join("project.db")).unwrap();
        (place, catalogue)
    }

    #[test]
    fn samples_are_visited_without_their_texts_and_sorted_by_them() {
        let (_place, mut catalogue) = open();
        let texts = ["pear", "Zebra", "apple", "pear", "\u{e9}clair"];
        let records: Vec<SampleRecord> = (0..).zip(texts).map(|(row, text)| record(row, text)).collect();
        catalogue.replace_pool(records.clone().into_iter(), &[], &made("import", "k")).unwrap();
        let mut row = 0;
        catalogue
            .each_sample(|head| {
                assert_eq!(head, records[row].head());
                row += 1;
            })
            .unwrap();
        assert_eq!(row, records.len());
        let mut slow: Vec<u32> = (0..5).collect();
        slow.sort_by_key(|row| texts[*row as usize]);
        assert_eq!(catalogue.rows_by_text("instruction").unwrap(), slow);
        assert_eq!(catalogue.rows_by_text("output").unwrap(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn beside_its_owner_the_catalogue_is_read_as_it_stood_and_not_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("project.db");
        assert!(Catalogue::open_to_read(&path).unwrap().is_none(), "not there");
        drop(Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = WAL;"));
        assert!(Catalogue::open_to_read(&path).unwrap().is_none(), "without its tables");
        let owner = Catalogue::open(&path).unwrap();
        owner.set_fact("plan", "first").unwrap();
        let beside = Catalogue::open_to_read(&path).unwrap().unwrap();
        assert_eq!(beside.fact("plan").unwrap().as_deref(), Some("first"));
        owner.set_fact("plan", "second").unwrap();
        assert_eq!(beside.fact("plan").unwrap().as_deref(), Some("first"), "one state");
        assert!(beside.set_fact("plan", "third").is_err());
        let later = Catalogue::open_to_read(&path).unwrap().unwrap();
        assert_eq!(later.fact("plan").unwrap().as_deref(), Some("second"));
        owner.connection.execute_batch("PRAGMA user_version = 99").unwrap();
        assert!(Catalogue::open_to_read(&path).unwrap_err().to_string().contains("layout 99"));
    }

    #[test]
    fn samples_are_found_by_words_and_replaced_whole() {
        let (_place, mut catalogue) = open();
        let texts = ["Sort these numbers", "Rewrite the sentence", "Sorting by \"size\" AND weight"];
        let pool = (0..).zip(texts).map(|(row, text)| record(row, text));
        catalogue.replace_pool(pool, &[], &made("import", "first")).unwrap();
        assert_eq!(catalogue.search("sort", "").unwrap(), [0, 2]);
        assert_eq!(catalogue.search("sort ", "").unwrap(), [0]);
        assert_eq!(catalogue.search("answer the sent", "").unwrap(), [1]);
        assert_eq!(catalogue.search("\"size\" AND", "").unwrap(), [2]);
        assert_eq!(catalogue.search("*** ((", "").unwrap(), Vec::<u32>::new());
        assert_eq!(catalogue.sample(1).unwrap().unwrap().instruction, texts[1]);
        assert_eq!(catalogue.samples().unwrap().len(), 3);
        catalogue.replace_pool(std::iter::once(record(0, "Only this")), &[], &made("import", "second")).unwrap();
        assert_eq!(catalogue.search("sort", "").unwrap(), Vec::<u32>::new());
        assert_eq!(catalogue.search("only", "").unwrap(), [0]);
    }

    #[test]
    fn stages_change_places() {
        let (_place, catalogue) = open();
        for (stage, key) in [("score", "a"), ("score b", "b")] {
            catalogue.record_stage(&made(stage, key)).unwrap();
        }
        catalogue.hand_on_stages(&[("score b", "score"), ("score", "score a")]).unwrap();
        let key = |stage: &str| catalogue.stage(stage).unwrap().map(|record| record.key);
        assert_eq!([key("score"), key("score a"), key("score b")], [Some("b".to_owned()), Some("a".to_owned()), None]);
        catalogue.hand_on_stages(&[("score c", "score"), ("score", "score b")]).unwrap();
        assert_eq!([key("score"), key("score b"), key("score c")], [None, Some("b".to_owned()), None]);
    }

    #[test]
    fn everything_is_there_after_opening_again() {
        let (place, catalogue) = open();
        let stage = made("score", "k");
        catalogue.record_stage(&stage).unwrap();
        catalogue.set_fact("plan", "x").unwrap();
        catalogue.set_stamped("pool", "3 bytes", "abc").unwrap();
        catalogue.set_rate("score", 100.0).unwrap();
        drop(catalogue);

        let catalogue = Catalogue::open(&place.path().join("project.db")).unwrap();
        assert_eq!(catalogue.stage("score").unwrap().unwrap(), stage);
        assert_eq!(catalogue.fact("plan").unwrap().as_deref(), Some("x"));
        assert_eq!(catalogue.stamped("pool").unwrap(), Some(("3 bytes".to_owned(), "abc".to_owned())));
        assert!(catalogue.stamped("other").unwrap().is_none());
        assert_eq!(catalogue.rate("score").unwrap(), Some(100.0));
    }

    #[test]
    fn a_new_pool_comes_with_its_stage_or_not_at_all() {
        let (_place, mut catalogue) = open();
        catalogue.replace_pool(std::iter::once(record(0, "old")), &[], &made("import", "old")).unwrap();
        catalogue.record_stage(&made("score", "of the old")).unwrap();
        // The second sample of the same row stops the writing half-way, as a full disk would.
        let broken = [record(0, "new"), record(0, "new again")];
        assert!(catalogue.replace_pool(broken.into_iter(), &["score"], &made("import", "new")).is_err());
        assert_eq!(catalogue.sample(0).unwrap().unwrap().instruction, "old");
        assert_eq!(catalogue.stage("import").unwrap().unwrap().key, "old");
        assert_eq!(catalogue.stage("score").unwrap().unwrap().key, "of the old");
        catalogue.replace_pool(std::iter::once(record(0, "new")), &["score"], &made("import", "new")).unwrap();
        assert_eq!(catalogue.sample(0).unwrap().unwrap().instruction, "new");
        assert_eq!(catalogue.stage("import").unwrap().unwrap().key, "new");
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
