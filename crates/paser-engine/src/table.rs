//! Samples as a table with their ids: the rows of a query in its order, with any columns, their marks, and what became of
//! them in the selection being built and in frozen ones.

use std::{collections::HashMap, path::Path};

use paser_project::write_durably;
use paser_protocol::{ExportedView, ReasonCode, RowQuery, csv::cell};

use crate::{
    columns,
    export::Archived,
    selection::{another_pool, is_of},
    session::{Loaded, Session, lock},
    trouble::{Outcome, Told, failed, usage},
};

/// Heads that stand in every table, or may.
const OWN: [&str; 7] = ["id", "line", "status", "mark", "tags", "project", "shown"];

/// What a table holds.
#[derive(Clone, Debug, Default)]
pub struct TableOrder {
    pub query: RowQuery,
    /// Names of columns, `instruction`, `input` and `output` among them; empty: every column of numbers and words.
    pub columns: Vec<String>,
    /// Frozen selections, each a column of status words.
    pub selections: Vec<String>,
    /// What a person was looking at, in words; a column of its own where there is something.
    pub shown: String,
}

impl Session {
    /// Writes the table to `path`, as CSV; a relative path starts in `exports/`.
    ///
    /// # Errors
    /// Columns or selections that do not exist, a filter that cannot be read, a place that cannot be written.
    pub fn write_table(&self, order: &TableOrder, path: &Path) -> Outcome<ExportedView> {
        let (text, samples) = self.table_as_csv(order)?;
        let path = self.destination(path);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder).map_err(Told::told)?;
        }
        write_durably(&path, text.as_bytes()).map_err(Told::told)?;
        Ok(ExportedView { paths: vec![path.to_string_lossy().into_owned()], samples, download: None })
    }

    /// The same for a window that saves it.
    ///
    /// # Errors
    /// As [`Self::write_table`].
    pub fn table(&self, order: &TableOrder) -> Outcome<Archived> {
        let (text, samples) = self.table_as_csv(order)?;
        Ok(Archived { name: "samples.csv".to_owned(), bytes: text.into_bytes(), samples })
    }

    /// The table as text, and its number of rows. Columns: `id`, `line`, what was asked for, `status` in the selection
    /// being built where there is one, a status per frozen selection, `mark` (pinned or excluded), `tags`, `project`,
    /// and `shown` where that was said. A head that is another one's already gets a number.
    ///
    /// # Errors
    /// As [`Self::write_table`].
    pub fn table_as_csv(&self, order: &TableOrder) -> Outcome<(String, u64)> {
        // A new pool may be taken in meanwhile: everything here is of this moment.
        self.table_of(&self.loaded(), order)
    }

    fn table_of(&self, loaded: &Loaded, order: &TableOrder) -> Outcome<(String, u64)> {
        let rows = self.rows_of(loaded, &order.query)?;
        let samples = loaded.samples()?;
        let mut heads = vec!["id".to_owned(), "line".to_owned()];
        let mut columns: Vec<Vec<String>> = vec![
            rows.iter().map(|row| samples.ids[*row as usize].clone()).collect(),
            rows.iter().map(|row| samples.lines[*row as usize].to_string()).collect(),
        ];
        let all: Vec<String>;
        let names = if order.columns.is_empty() {
            all = columns::infos(loaded).into_iter().map(|info| info.name).collect();
            &all
        } else {
            &order.columns
        };
        for name in names {
            if matches!(name.as_str(), "instruction" | "input" | "output") {
                heads.push(name.clone());
                columns.push(self.texts_of(name, &rows)?);
                continue;
            }
            let found = columns::as_texts(loaded, name, &rows).ok_or_else(|| {
                let known: Vec<String> = columns::infos(loaded).into_iter().map(|info| info.name).collect();
                usage(
                    format!("There is no column {name}."),
                    format!("There are {}, instruction, input and output.", known.join(", ")),
                )
            })?;
            for (head, texts) in found {
                heads.push(free(head, &heads));
                columns.push(texts);
            }
        }
        let words = |reasons: &[u8]| -> Vec<String> {
            let word = |row: &u32| reasons.get(*row as usize).copied().and_then(ReasonCode::from_byte);
            rows.iter().map(|row| word(row).map_or("", ReasonCode::word).to_owned()).collect()
        };
        if let Some(current) = self.current() {
            heads.push("status".to_owned());
            columns.push(words(&current.reasons));
        }
        for name in &order.selections {
            let frozen = self.frozen_named(name)?;
            if !is_of(&frozen.inputs, samples) {
                return Err(another_pool(name));
            }
            heads.push(free(name.clone(), &heads));
            columns.push(words(&frozen.reasons));
        }
        let curation = loaded.curated.view();
        let mut marks: HashMap<u32, &str> = curation.pinned.iter().map(|row| (*row, "pinned")).collect();
        marks.extend(curation.excluded.iter().map(|row| (*row, "excluded")));
        let mut tags: HashMap<u32, Vec<&str>> = HashMap::new();
        for tag in &curation.tags {
            for row in &tag.rows {
                tags.entry(*row).or_default().push(&tag.tag);
            }
        }
        heads.extend(["mark", "tags", "project"].map(str::to_owned));
        columns.push(rows.iter().map(|row| marks.get(row).copied().unwrap_or_default().to_owned()).collect());
        columns.push(rows.iter().map(|row| tags.get(row).map(|tags| tags.join(" ")).unwrap_or_default()).collect());
        let mut ends = cell(&self.view().name);
        if !order.shown.is_empty() {
            heads.push("shown".to_owned());
            ends.push(',');
            ends.push_str(&cell(&order.shown));
        }
        let mut text: String = heads.iter().map(|head| cell(head)).collect::<Vec<_>>().join(",");
        text.push('\n');
        for place in 0..rows.len() {
            for column in &columns {
                text.push_str(&cell(&column[place]));
                text.push(',');
            }
            text.push_str(&ends);
            text.push('\n');
        }
        Ok((text, rows.len() as u64))
    }

    /// Instruction, input or output of some rows.
    fn texts_of(&self, part: &str, rows: &[u32]) -> Outcome<Vec<String>> {
        // Row by row: other work wants the catalogue, too.
        let text = |row: &u32| {
            let sample = lock(&self.catalogue).sample(*row).map_err(Told::told)?;
            let sample =
                sample.ok_or_else(|| failed("The pool was imported anew meanwhile.", "Write the table again."))?;
            Ok(match part {
                "instruction" => sample.instruction,
                "input" => sample.input,
                _ => sample.output,
            })
        };
        rows.iter().map(text).collect()
    }
}

/// The head, or the first of `jsd 2`, `jsd 3`, ... that no other column has.
fn free(head: String, heads: &[String]) -> String {
    let taken = |name: &str| OWN.contains(&name) || heads.iter().any(|other| other == name);
    if !taken(&head) {
        return head;
    }
    (2..).map(|number| format!("{head} {number}")).find(|name| !taken(name)).unwrap_or(head)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicBool;

    use paser_protocol::{ProjectDraft, Stage};

    use super::*;
    use crate::run::RunOptions;

    #[test]
    fn a_table_is_of_one_pool_also_while_a_smaller_one_is_imported() {
        let place = tempfile::tempdir().unwrap();
        let pool = place.path().join("pool.jsonl");
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let draft =
            ProjectDraft { folder: text(&place.path().join("p")), pool: text(&pool), ..ProjectDraft::default() };
        let write = |rows: usize| {
            let row = |row: usize| format!("{{\"instruction\": \"a {row}\", \"output\": \"b\"}}\n");
            fs_err::write(&pool, (0..rows).map(row).collect::<String>()).unwrap();
        };
        write(3);
        let session = Session::create(&draft).unwrap();
        let import = || session.run(Stage::Import, &RunOptions::default(), &|_| {}, &AtomicBool::new(false)).unwrap();
        import();
        let before = session.loaded();
        write(1);
        import();
        let order = TableOrder::default();
        let (text, samples) = session.table_of(&before, &order).unwrap();
        assert_eq!((text.lines().count(), samples), (4, 3), "{text}");
        let with_texts = TableOrder { columns: vec!["instruction".to_owned()], ..order };
        assert!(session.table_of(&before, &with_texts).unwrap_err().what.contains("imported anew"));
        assert_eq!(session.table_as_csv(&with_texts).unwrap().1, 1);
    }
}
