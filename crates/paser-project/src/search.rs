//! Full-text search of the samples. Whole words and beginnings are the index's own business; what stands inside of a
//! word is looked for among the pool's distinct words, whose rows are then put together.

use std::sync::Arc;

use paser_protocol::{SearchWord, search_words};
use rusqlite::{Connection, OpenFlags};

use crate::{Catalogue, ProjectError};

/// Words of one question to the index: a merge of too many lists is slower than several of fewer.
const AT_ONCE: usize = 128;

/// Every distinct word of the pool as the index folds it, a line each.
#[derive(Debug)]
pub(crate) struct Dictionary(String);

impl Dictionary {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab(main, texts, row)")?;
        let mut statement = connection.prepare("SELECT term FROM temp.words")?;
        let mut rows = statement.query([])?;
        let mut words = "\n".to_owned();
        while let Some(row) = rows.next()? {
            words.push_str(row.get_ref(0)?.as_str()?);
            words.push('\n');
        }
        Ok(Self(words))
    }

    /// The words that hold `part`; `after`: also before their end.
    fn holding(&self, part: &str, after: bool) -> Vec<&str> {
        let mut words = Vec::new();
        let mut from = 0;
        while let Some(at) = self.0[from..].find(part) {
            let end = from + at + part.len();
            let stop = end + self.0[end..].find('\n').unwrap_or(self.0.len() - end);
            let start = self.0[..end].rfind('\n').map_or(0, |newline| newline + 1);
            if after || self.0[start..stop].ends_with(part) {
                words.push(&self.0[start..stop]);
            }
            from = stop;
        }
        words
    }
}

impl Catalogue {
    /// Rows whose text holds every word of `text` ([`search_words`]), in pool order. `part`: `instruction`, `input` or
    /// `output`; anything else searches all of them.
    pub fn search(&self, text: &str, part: &str) -> Result<Vec<u32>, ProjectError> {
        let part = match part {
            "instruction" | "input" | "output" => format!("{part} : "),
            _ => String::new(),
        };
        let (inside, whole): (Vec<_>, Vec<_>) = search_words(text).into_iter().partition(|word| word.before);
        let mut found = None;
        if !whole.is_empty() {
            let words: Vec<String> = whole.iter().map(expression).collect();
            found = Some(self.matching(&format!("{part}({})", words.join(" AND ")))?);
        }
        for word in inside {
            let rows = self.holding(&word, &part)?;
            found = Some(match found {
                Some(found) => found.into_iter().filter(|row| rows.binary_search(row).is_ok()).collect(),
                None => rows,
            });
        }
        Ok(found.unwrap_or_default())
    }

    /// Rows in which a word stands inside of others.
    fn holding(&self, word: &SearchWord<'_>, part: &str) -> Result<Vec<u32>, ProjectError> {
        let dictionary = self.dictionary()?;
        let mut held = Vec::new();
        for (place, folded) in self.folded(word.word)?.iter().enumerate() {
            let mut rows = Vec::new();
            for words in dictionary.holding(folded, word.after).chunks(AT_ONCE) {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                for row in self.matching(&format!("{part}({})", words.join(" OR ")))? {
                    let row = row as usize;
                    if rows.len() <= row {
                        rows.resize(row + 1, false);
                    }
                    rows[row] = true;
                }
            }
            let is_held = |row: &u32| rows.get(*row as usize).copied().unwrap_or(false);
            match place {
                0 => held = (0..rows.len() as u32).filter(is_held).collect(),
                _ => held.retain(is_held),
            }
        }
        Ok(held)
    }

    fn matching(&self, query: &str) -> Result<Vec<u32>, ProjectError> {
        let outcome = (|| {
            let mut statement =
                self.connection.prepare_cached("SELECT rowid FROM texts WHERE texts MATCH ?1 ORDER BY rowid")?;
            statement.query_map([query], |row| row.get(0))?.collect()
        })();
        self.told(outcome)
    }

    /// A typed word as the index folds it: case and accents go. More than one where the index sees several.
    fn folded(&self, word: &str) -> Result<Vec<String>, ProjectError> {
        let outcome = (|| {
            self.connection.execute_batch(
                "CREATE VIRTUAL TABLE IF NOT EXISTS temp.typed USING fts5(word, tokenize='unicode61');
                 CREATE VIRTUAL TABLE IF NOT EXISTS temp.folded USING fts5vocab(temp, typed, row);
                 DELETE FROM temp.typed;",
            )?;
            self.connection.execute("INSERT INTO temp.typed(word) VALUES (?1)", [word])?;
            let mut statement = self.connection.prepare_cached("SELECT term FROM temp.folded")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })();
        self.told(outcome)
    }

    fn dictionary(&self) -> Result<Arc<Dictionary>, ProjectError> {
        if let Some(known) = self.dictionary.get() {
            return Ok(known.clone());
        }
        let read = Arc::new(self.told(Dictionary::read(&self.connection))?);
        Ok(self.dictionary.get_or_init(|| read).clone())
    }

    /// The catalogue by another connection, to read: a search inside of words takes seconds in a large pool, and others
    /// want this one meanwhile.
    pub fn beside(&self) -> Result<Self, ProjectError> {
        let connection = self.told(Connection::open_with_flags(self.path(), OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        let dictionary = self.dictionary.clone();
        Ok(Self { path: self.path().to_owned(), connection, dictionary, pools: self.pools })
    }

    /// Keeps the dictionary that was read beside, where it is of the same pool.
    pub fn learn(&self, beside: &Self) {
        if let Some(read) = beside.dictionary.get().filter(|_| beside.pools == self.pools) {
            self.dictionary.get_or_init(|| read.clone());
        }
    }
}

/// A word in the index's language.
fn expression(word: &SearchWord<'_>) -> String {
    format!("\"{}\"{}", word.word, if word.after { "*" } else { "" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{Inputs, SampleRecord, StageRecord};

    fn catalogue(texts: &[(String, String)]) -> (tempfile::TempDir, Catalogue) {
        let place = tempfile::tempdir().unwrap();
        let mut catalogue = Catalogue::open(&place.path().join("project.db")).unwrap();
        take_in(&mut catalogue, texts);
        (place, catalogue)
    }

    fn take_in(catalogue: &mut Catalogue, texts: &[(String, String)]) {
        let records = (0..).zip(texts).map(|(row, (instruction, output))| SampleRecord {
            row,
            id: row.to_string(),
            instruction: instruction.clone(),
            output: output.clone(),
            ..SampleRecord::default()
        });
        let import = StageRecord {
            stage: "import".to_owned(),
            key: "k".to_owned(),
            inputs: Inputs::new(),
            seconds: 0.0,
            peak_memory_bytes: 0,
        };
        catalogue.replace_pool(records, &[], &import).unwrap();
    }

    fn pool(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        texts.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn what_stands_inside_of_words_is_found_by_stars() {
        let (_place, mut catalogue) = catalogue(&pool(&[
            ("Write a query in MySQL", "SELECT 1"),
            ("What is SQL?", "a language"),
            ("Tune PostgreSQL.", "Ask for SQLite instead"),
            ("Name a caf\u{e9}", "the Caf\u{c9}teria"),
        ]));
        let found = |catalogue: &Catalogue, text: &str| catalogue.search(text, "").unwrap();
        assert_eq!(found(&catalogue, "sql"), [1, 2]);
        assert_eq!(found(&catalogue, "*sql*"), [0, 1, 2]);
        assert_eq!(found(&catalogue, "*SQL "), [0, 1, 2]);
        assert_eq!(found(&catalogue, "*sqli "), Vec::<u32>::new());
        assert_eq!(found(&catalogue, "*sql* tune"), [2]);
        assert_eq!(found(&catalogue, "*ostgre* *ite*"), [2]);
        assert_eq!(found(&catalogue, "*AFE*"), [3], "accents go as in the index");
        assert_eq!(catalogue.search("*sql*", "output").unwrap(), [2]);
        assert_eq!(catalogue.search("sql", "instruction").unwrap(), [1]);
        take_in(&mut catalogue, &pool(&[("NoSQL", "")]));
        assert_eq!(found(&catalogue, "*sql*"), [0], "a new pool has other words");
    }

    #[test]
    fn a_dictionary_of_the_pool_before_is_not_kept() {
        let (_place, mut catalogue) = catalogue(&pool(&[("MySQL", "")]));
        let before = catalogue.beside().unwrap();
        assert_eq!(before.search("*sql*", "").unwrap(), [0]);
        take_in(&mut catalogue, &pool(&[("Write", ""), ("NoSQL", "")]));
        catalogue.learn(&before);
        assert!(catalogue.dictionary.get().is_none());
        let beside = catalogue.beside().unwrap();
        assert_eq!(beside.search("*sql*", "").unwrap(), [1]);
        catalogue.learn(&beside);
        assert!(catalogue.dictionary.get().is_some());
        assert_eq!(catalogue.search("*sql*", "").unwrap(), [1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Against a plain scan over the words in lower case.
        #[test]
        fn a_search_inside_of_words_is_a_scan(
            texts in prop::collection::vec(("([abAB1]{1,4}[ .-]){0,6}", "([abAB]{1,4} ){0,3}"), 1..12),
            typed in prop::collection::vec(("[abAB]{1,3}", any::<bool>(), any::<bool>()), 1..3),
        ) {
            let (_place, catalogue) = catalogue(&texts);
            let search: Vec<String> = typed
                .iter()
                .map(|(word, before, after)| format!("{}{word}{} ", if *before { "*" } else { "" }, if *after { "*" } else { "" }))
                .collect();
            let fits = |text: &str| {
                let lower = text.to_lowercase();
                let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
                typed.iter().all(|(typed, before, after)| {
                    let typed = typed.to_lowercase();
                    words.iter().any(|word| match (before, after) {
                        (false, false) => *word == typed,
                        (false, true) => word.starts_with(&typed),
                        (true, false) => word.ends_with(&typed),
                        (true, true) => word.contains(&typed),
                    })
                })
            };
            let scan: Vec<u32> =
                (0..).zip(&texts).filter(|(_, (a, b))| fits(&format!("{a} {b}"))).map(|(row, _)| row).collect();
            prop_assert_eq!(catalogue.search(&search.concat(), "").unwrap(), scan);
        }
    }
}
