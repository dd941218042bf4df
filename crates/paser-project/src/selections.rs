//! Frozen selections in the catalogue: what was taken, by content, with everything that decided it, so that it is found
//! again in whatever the pool has become. A run replaces those of the recipe; a person's are replaced by nothing.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use crate::{
    Catalogue, Inputs, ProjectError,
    catalogue::{from_json, to_json},
};

/// A frozen selection.
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
    /// Row numbers in the order of taking, in the pool it was made of.
    pub rows: Vec<u32>,
    pub ids: Vec<String>,
    /// Content hashes of the same samples: what finds them after another import. Empty where the selection comes from
    /// an earlier version of the program, and the pool was imported anew before that could be mended.
    pub hashes: Vec<[u8; 32]>,
    /// One reason byte per row of the pool it was made of.
    pub reasons: Vec<u8>,
    /// What an export tells beside the inputs (recipe, inputs of the stages, models), as JSON; may be empty.
    pub provenance: String,
}

/// A frozen selection without its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectionHead {
    pub name: String,
    pub by_recipe: bool,
    pub key: String,
    pub inputs: Inputs,
    pub view: String,
}

impl Catalogue {
    /// Stores a selection under its name. One of the recipe replaces the recipe's earlier one.
    ///
    /// # Errors
    /// `Edit` where the name is taken: a person's selection is never replaced, and replaces none.
    pub fn put_selection(&mut self, selection: &FrozenSelection) -> Result<(), ProjectError> {
        let rows: Vec<u8> = selection.rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        let outcome = self.connection.execute(
            "INSERT INTO selections(name, position, created, by_recipe, key, inputs, view, rows, ids, reasons, hashes,
             provenance)
             VALUES (?1, (SELECT COALESCE(MAX(position), 0) + 1 FROM selections), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
             ?11)
             ON CONFLICT(name) DO UPDATE SET created = excluded.created, key = excluded.key, inputs = excluded.inputs,
             view = excluded.view, rows = excluded.rows, ids = excluded.ids, reasons = excluded.reasons,
             hashes = excluded.hashes, provenance = excluded.provenance
             WHERE selections.by_recipe AND excluded.by_recipe",
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
                selection.hashes.as_flattened(),
                selection.provenance,
            ],
        );
        if self.told(outcome)? == 0 {
            return Err(ProjectError::Edit(format!(
                "There is a selection named {} already: choose another name, or discard the old one.",
                selection.name
            )));
        }
        Ok(())
    }

    /// All selections in the order of their making.
    ///
    /// # Errors
    /// `Damaged` with the name of one that cannot be read.
    pub fn selections(&self) -> Result<Vec<FrozenSelection>, ProjectError> {
        let outcome = (|| {
            let mut statement =
                self.connection.prepare(&format!("SELECT {WHOLE} FROM selections ORDER BY position"))?;
            statement.query_map([], read_whole)?.collect::<rusqlite::Result<Vec<_>>>()
        })();
        self.told(outcome)?.into_iter().map(|stored| self.with_inputs(stored)).collect()
    }

    /// One selection, whatever state the others are in.
    ///
    /// # Errors
    /// `Damaged` where it cannot be read.
    pub fn selection(&self, name: &str) -> Result<Option<FrozenSelection>, ProjectError> {
        let query = format!("SELECT {WHOLE} FROM selections WHERE name = ?1");
        let stored = self.told(self.connection.query_row(&query, [name], read_whole).optional())?;
        stored.map(|stored| self.with_inputs(stored)).transpose()
    }

    fn with_inputs(&self, (mut selection, inputs, ids): Stored) -> Result<FrozenSelection, ProjectError> {
        selection.inputs = self.stored_json(&selection.name, &inputs)?;
        selection.ids = self.stored_json(&selection.name, &ids)?;
        Ok(selection)
    }

    fn stored_json<T: DeserializeOwned>(&self, name: &str, text: &str) -> Result<T, ProjectError> {
        serde_json::from_str(text).map_err(|error| {
            let detail = format!("the stored selection {name}: {error}; discard it and make it again");
            ProjectError::damaged(self.path(), detail)
        })
    }

    /// All selections without their samples, which a view needs none of.
    ///
    /// # Errors
    /// `Damaged` with the name of one that cannot be read.
    pub fn selection_heads(&self) -> Result<Vec<SelectionHead>, ProjectError> {
        let outcome = (|| {
            let mut statement = self
                .connection
                .prepare_cached("SELECT name, by_recipe, key, inputs, view FROM selections ORDER BY position")?;
            let read = |row: &Row<'_>| {
                let head = SelectionHead {
                    name: row.get(0)?,
                    by_recipe: row.get(1)?,
                    key: row.get(2)?,
                    inputs: Inputs::new(),
                    view: row.get(4)?,
                };
                Ok((head, row.get::<_, String>(3)?))
            };
            statement.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>()
        })();
        let heads = self.told(outcome)?.into_iter();
        heads
            .map(|(head, inputs)| Ok(SelectionHead { inputs: self.stored_json(&head.name, &inputs)?, ..head }))
            .collect()
    }

    /// Gives a selection another name; `view` is its view under it.
    ///
    /// # Errors
    /// `Edit` where the name is taken.
    pub fn rename_selection(&mut self, from: &str, to: &str, view: &str) -> Result<(), ProjectError> {
        if self.selection(to)?.is_some() {
            return Err(ProjectError::Edit(format!("there is a selection named {to} already")));
        }
        let command = "UPDATE selections SET name = ?2, view = ?3 WHERE name = ?1";
        self.told(self.connection.execute(command, [from, to, view]))?;
        Ok(())
    }

    /// False where there was none of that name.
    pub fn remove_selection(&mut self, name: &str) -> Result<bool, ProjectError> {
        Ok(self.told(self.connection.execute("DELETE FROM selections WHERE name = ?1", [name]))? > 0)
    }
}

/// Columns of a whole selection, as [`read_whole`] reads them.
const WHOLE: &str = "name, created, by_recipe, key, inputs, view, rows, ids, reasons, hashes, provenance";

/// A selection whose inputs and ids are still the text they are stored as.
type Stored = (FrozenSelection, String, String);

fn read_whole(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let hashes: Vec<u8> = row.get(9)?;
    let selection = FrozenSelection {
        name: row.get(0)?,
        created: row.get::<_, i64>(1)? as u64,
        by_recipe: row.get(2)?,
        key: row.get(3)?,
        inputs: Inputs::new(),
        view: row.get(5)?,
        rows: read_rows(row, 6)?,
        ids: Vec::new(),
        hashes: hashes.as_chunks::<32>().0.to_vec(),
        reasons: row.get(8)?,
        provenance: row.get(10)?,
    };
    Ok((selection, row.get(4)?, row.get(7)?))
}

fn read_rows(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<u32>> {
    let bytes: Vec<u8> = row.get(at)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
}

/// Layout 1 knew samples by row and id only. Selections of the pool that is still there get its hashes; of any other
/// pool nobody can tell what they held.
pub(crate) fn from_layout_1(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "ALTER TABLE selections ADD COLUMN hashes BLOB NOT NULL DEFAULT x'';
         ALTER TABLE selections ADD COLUMN provenance TEXT NOT NULL DEFAULT '';",
    )?;
    let pool: Option<String> =
        connection.query_row("SELECT key FROM stages WHERE stage = 'import'", [], |row| row.get(0)).optional()?;
    let mut statement = connection.prepare("SELECT name, inputs, rows FROM selections")?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, from_json(row, 1)?, read_rows(row, 2)?));
    let stored = statement.query_map([], read)?.collect::<rusqlite::Result<Vec<(String, Inputs, Vec<u32>)>>>()?;
    for (name, inputs, rows) in stored {
        if pool.is_none() || inputs.get("samples") != pool.as_deref() {
            continue;
        }
        let mut hashes = Vec::with_capacity(rows.len() * 32);
        for row in &rows {
            let hash: Option<String> =
                connection.query_row("SELECT hash FROM samples WHERE row = ?1", [row], |row| row.get(0)).optional()?;
            if let Some(Ok(bytes)) = hash.map(hex::decode) {
                hashes.extend(bytes);
            }
        }
        if hashes.len() == rows.len() * 32 {
            connection.execute("UPDATE selections SET hashes = ?2 WHERE name = ?1", params![name, hashes])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frozen(name: &str, by_recipe: bool) -> FrozenSelection {
        FrozenSelection {
            name: name.to_owned(),
            created: 1,
            by_recipe,
            key: "s".to_owned(),
            inputs: Inputs::new().with("plan", "p").with("samples", "first"),
            view: "{}".to_owned(),
            rows: vec![2, 0],
            ids: vec!["c".to_owned(), "a".to_owned()],
            hashes: vec![[3; 32], [1; 32]],
            reasons: vec![1, 0, 1],
            provenance: "{\"recipe\": \"r\"}".to_owned(),
        }
    }

    #[test]
    fn selections_are_there_after_opening_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("project.db");
        let mut catalogue = Catalogue::open(&path).unwrap();
        catalogue.put_selection(&frozen("a", false)).unwrap();
        drop(catalogue);
        let mut catalogue = Catalogue::open(&path).unwrap();
        assert_eq!(catalogue.selections().unwrap(), [frozen("a", false)]);
        let head = &catalogue.selection_heads().unwrap()[0];
        assert_eq!((head.name.as_str(), head.key.as_str(), head.by_recipe), ("a", "s", false));
        catalogue.put_selection(&frozen("b", false)).unwrap();
        assert!(catalogue.rename_selection("a", "b", "{}").is_err());
        catalogue.rename_selection("a", "c", "{\"name\": \"c\"}").unwrap();
        assert!(catalogue.selection("a").unwrap().is_none());
        assert_eq!(catalogue.selection("c").unwrap().unwrap().view, "{\"name\": \"c\"}");
        catalogue.rename_selection("c", "a", "{}").unwrap();
        assert!(catalogue.remove_selection("a").unwrap());
        assert!(!catalogue.remove_selection("a").unwrap());
    }

    #[test]
    fn one_that_cannot_be_read_is_named_and_hides_no_other() {
        let place = tempfile::tempdir().unwrap();
        let mut catalogue = Catalogue::open(&place.path().join("project.db")).unwrap();
        for name in ["broken", "whole"] {
            catalogue.put_selection(&frozen(name, false)).unwrap();
        }
        for column in ["inputs", "ids"] {
            let command = format!("UPDATE selections SET {column} = '{{' WHERE name = 'broken'");
            catalogue.connection.execute(&command, []).unwrap();
            for error in [catalogue.selections().unwrap_err(), catalogue.selection("broken").unwrap_err()] {
                assert!(error.to_string().contains("selection broken"), "{error}");
            }
            assert_eq!(catalogue.selection("whole").unwrap(), Some(frozen("whole", false)));
        }
        assert_eq!(catalogue.selection("another").unwrap(), None);
    }

    #[test]
    fn only_the_recipes_own_are_replaced() {
        let place = tempfile::tempdir().unwrap();
        let mut catalogue = Catalogue::open(&place.path().join("project.db")).unwrap();
        catalogue.put_selection(&frozen("mine", false)).unwrap();
        catalogue.put_selection(&frozen("theirs", true)).unwrap();
        let other = |name: &str, by_recipe| FrozenSelection { key: "other".to_owned(), ..frozen(name, by_recipe) };
        for by_recipe in [true, false] {
            let refused = catalogue.put_selection(&other("mine", by_recipe)).unwrap_err().to_string();
            assert!(refused.contains("mine"), "{refused}");
        }
        assert!(catalogue.put_selection(&other("theirs", false)).is_err());
        catalogue.put_selection(&other("theirs", true)).unwrap();
        let keys: Vec<String> = catalogue.selections().unwrap().into_iter().map(|selection| selection.key).collect();
        assert_eq!(keys, ["s", "other"]);
    }

    #[test]
    fn an_older_catalogue_gets_the_hashes_of_the_pool_that_is_there() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("project.db");
        drop(Catalogue::open(&path).unwrap());
        let old = Connection::open(&path).unwrap();
        old.execute_batch(
            "ALTER TABLE selections DROP COLUMN hashes; ALTER TABLE selections DROP COLUMN provenance;
             PRAGMA user_version = 1;
             INSERT INTO stages VALUES ('import', 'first', '{}', 1.0, 1);",
        )
        .unwrap();
        for row in 0..3_u8 {
            let hash = hex::encode([row + 1; 32]);
            old.execute("INSERT INTO samples VALUES (?1, 'i', 1, 1, ?2, 0, '', '', '')", params![row, hash]).unwrap();
        }
        for (name, pool) in [("of this pool", "first"), ("of another", "second")] {
            let inputs = format!("{{\"samples\": \"{pool}\"}}");
            let rows: Vec<u8> = [2_u32, 0].iter().flat_map(|row| row.to_le_bytes()).collect();
            old.execute(
                "INSERT INTO selections VALUES (?1, 1, 1, 0, 'k', ?2, '{}', ?3, '[\"c\", \"a\"]', x'01')",
                params![name, inputs, rows],
            )
            .unwrap();
        }
        drop(old);
        for _ in 0..2 {
            let found = Catalogue::open(&path).unwrap().selections().unwrap();
            assert_eq!(found[0].hashes, [[3; 32], [1; 32]]);
            assert!(found[1].hashes.is_empty());
        }
    }
}
