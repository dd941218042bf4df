//! Files for trainers: a selection's samples with a manifest of everything that decided it, written to a folder or as one
//! zip for a browser to save.

use std::{
    collections::HashSet,
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use paser_data::{
    Pool,
    export::{ManifestInputs, write},
};
use paser_project::{FrozenSelection, Inputs};
use paser_protocol::{ExportFormat, ExportedView, Part};
use serde_json::{Map, Value, json};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    frozen::stored_view,
    loaded::Samples,
    pool_source,
    selection::is_of,
    session::{RecipeText, Session, lock},
    stages::{concepts, embed, import, manifold, score},
    trouble::{Outcome, Told, cancelled, failed, usage},
};

/// Samples that an error names.
const NAMED: usize = 5;

/// The three files of an export in one.
pub struct Archived {
    /// Name of the zip.
    pub name: String,
    pub bytes: Vec<u8>,
    pub samples: u64,
}

/// What is to be written.
struct Chosen {
    pool: Pool,
    rows: Vec<u32>,
    manifest: ManifestInputs,
}

/// A folder that is gone when it is dropped.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // What cannot be removed now is swept when the project is opened again.
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

impl Session {
    /// Writes a frozen selection, or the one being built, or a part of it, to `path`; a relative path starts in
    /// `exports/`.
    ///
    /// # Errors
    /// An unknown selection, samples that are not in the pool any more, a place that cannot be written; `stop` was set.
    pub fn export(
        &self,
        selection: Option<&str>,
        part: &Part,
        format: ExportFormat,
        path: &str,
        stop: &AtomicBool,
    ) -> Outcome<ExportedView> {
        let chosen = self.chosen(selection, part, stop)?;
        let destination = self.destination(Path::new(path));
        let exported = write(&chosen.pool, &chosen.rows, format, &destination, &chosen.manifest).map_err(Told::told)?;
        Ok(ExportedView {
            paths: exported.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            samples: exported.count as u64,
            download: None,
        })
    }

    /// The same files as one zip, for a browser that saves it.
    ///
    /// # Errors
    /// As [`Self::export`].
    pub fn export_archive(
        &self,
        selection: Option<&str>,
        part: &Part,
        format: ExportFormat,
        stop: &AtomicBool,
    ) -> Outcome<Archived> {
        let chosen = self.chosen(selection, part, stop)?;
        let place = Passing(self.folder.download_place());
        let exported = write(&chosen.pool, &chosen.rows, format, &place.0, &chosen.manifest).map_err(Told::told)?;
        Ok(Archived {
            name: format!("{}-{}.zip", file_name_of(&chosen.manifest.selection), format.name()),
            bytes: pack(&exported.paths)?,
            samples: exported.count as u64,
        })
    }

    fn chosen(&self, selection: Option<&str>, part: &Part, stop: &AtomicBool) -> Outcome<Chosen> {
        let go_on = || if stop.load(Ordering::Relaxed) { Err(cancelled()) } else { Ok(()) };
        let samples = self.samples()?;
        let (name, rows, plan, inputs, provenance) = match selection {
            Some(name) => {
                let frozen = self.frozen_named(name)?;
                let rows = rows_of(&frozen, &samples)?;
                let provenance = match frozen.provenance.as_str() {
                    "" => self.provenance(&frozen.inputs, &self.recipe())?,
                    text => serde_json::from_str(text)
                        .map_err(|error| failed(format!("the stored selection {name}: {error}"), "Make it again."))?,
                };
                (frozen.name, rows, stored_view(name, &frozen.view)?.plan, frozen.inputs, provenance)
            }
            None => self.quietly(stop, |bench| {
                let plan = self.plan();
                let selected = self.select_with(&plan, bench)?;
                if !is_of(&selected.inputs, &samples) {
                    return Err(usage("The pool was imported anew while the selection was made.", "Export again."));
                }
                let provenance = self.provenance(&selected.inputs, &bench.recipe)?;
                let name = plan.strategy.name().to_owned();
                Ok((name, selected.selection.rows.clone(), plan, selected.inputs.clone(), provenance))
            })?,
        };
        let (name, rows) = self.part_of(name, rows, part, &samples)?;
        let mut decided_by = provenance;
        decided_by.insert("plan".to_owned(), json!(plan));
        decided_by.insert("inputs".to_owned(), json!(inputs));
        if !part.is_whole() {
            decided_by.insert("part".to_owned(), json!(part));
        }
        // The file that the samples and the indices are of: today's, whatever pool the selection was made of.
        let pool_file = self.recipe().recipe.pool.path.clone();
        let source = pool_source::source(&lock(&self.catalogue), &pool_file);
        go_on()?;
        let pool = import::pool(self, &samples)?;
        go_on()?;
        Ok(Chosen {
            pool,
            rows,
            manifest: ManifestInputs {
                selection: name,
                pool: pool_file,
                pool_source: source.map(|source| json!(source)),
                decided_by,
            },
        })
    }

    /// The rows that all of `within` and none of `without` hold too, and the name of what they are.
    fn part_of(&self, name: String, rows: Vec<u32>, part: &Part, samples: &Samples) -> Outcome<(String, Vec<u32>)> {
        let held = |name: &String| -> Outcome<HashSet<u32>> {
            Ok(rows_of(&self.frozen_named(name)?, samples)?.into_iter().collect())
        };
        let within = part.within.iter().map(held).collect::<Outcome<Vec<_>>>()?;
        let without = part.without.iter().map(held).collect::<Outcome<Vec<_>>>()?;
        let is_meant =
            |row: &u32| within.iter().all(|held| held.contains(row)) && !without.iter().any(|held| held.contains(row));
        let all = rows.len();
        let rows: Vec<u32> = rows.into_iter().filter(is_meant).collect();
        let mut words = name;
        for (word, names) in [("and", &part.within), ("without", &part.without)] {
            if !names.is_empty() {
                words = format!("{words} {word} {}", names.join(" and "));
            }
        }
        if rows.is_empty() && all > 0 {
            return Err(usage(format!("{words} holds no sample."), "Choose another part."));
        }
        Ok((words, rows))
    }

    /// What stands beside a selection's inputs in a manifest: the inputs of the stages that made them, and, where it
    /// would make the same again, the recipe with its models. What changed since is left out.
    pub(crate) fn provenance(&self, inputs: &Inputs, recipe: &RecipeText) -> Outcome<Map<String, Value>> {
        let made = [
            (import::STAGE, "samples"),
            (manifold::STAGE, "manifold"),
            (score::STAGE, "scores"),
            (concepts::STAGE, "concepts"),
        ];
        let mut stages = Map::new();
        for (stage, name) in made {
            let Some(found) = self.inputs_behind(stage, inputs.get(name))? else { continue };
            if stage == manifold::STAGE
                && let Some(vectors) = self.inputs_behind(embed::STAGE, found.get("vectors"))?
            {
                stages.insert(embed::STAGE.to_owned(), json!(vectors));
            }
            stages.insert(stage.to_owned(), json!(found));
        }
        let mut provenance = Map::new();
        provenance.insert("stages".to_owned(), Value::Object(stages));
        if self.recipe_makes(&recipe.recipe, inputs) {
            let models = &recipe.recipe.models;
            let pruned = match recipe.recipe.prune.method.as_str() {
                "none" => models.pruned.clone(),
                _ => crate::views::pruned_name(&recipe.recipe),
            };
            provenance.insert("dense_model".to_owned(), json!(models.dense));
            provenance.insert("pruned_model".to_owned(), json!(pruned));
            provenance.insert("recipe".to_owned(), json!(recipe.text));
        }
        Ok(provenance)
    }

    /// The inputs that make a key, where the project still knows them.
    fn inputs_behind(&self, stage: &str, key: Option<&str>) -> Outcome<Option<Inputs>> {
        let Some(key) = key else { return Ok(None) };
        let record = lock(&self.catalogue).stage(stage).map_err(Told::told)?;
        match record.filter(|record| record.key == key) {
            Some(record) => Ok(Some(record.inputs)),
            None => Ok(self.store.manifest(stage, key).map(|manifest| manifest.inputs)),
        }
    }

    pub(crate) fn destination(&self, path: &Path) -> PathBuf {
        if path.is_absolute() { path.to_owned() } else { self.folder.exports().join(path) }
    }
}

/// Rows of a frozen selection in today's pool, found by content: ids may be line numbers, which an edited file moves.
pub(crate) fn rows_of(frozen: &FrozenSelection, samples: &Samples) -> Outcome<Vec<u32>> {
    let name = &frozen.name;
    if frozen.hashes.len() != frozen.rows.len() {
        return Err(usage(
            format!(
                "{name} was frozen by an earlier version of the program, and the pool was imported anew since: nobody can tell any more which samples it holds."
            ),
            "Make the selection again.",
        ));
    }
    let found: Vec<Option<u32>> = frozen.hashes.iter().map(|hash| samples.row_of_hash(hash)).collect();
    let gone: Vec<&str> =
        found.iter().zip(&frozen.ids).filter(|(row, _)| row.is_none()).map(|(_, id)| id.as_str()).collect();
    if gone.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    let more = if gone.len() > NAMED { ", ..." } else { "" };
    Err(usage(
        format!(
            "{} of the {} samples of {name} are not in the pool any more: {}{more}",
            gone.len(),
            found.len(),
            gone[..gone.len().min(NAMED)].join(", ")
        ),
        "Import the pool that the selection was made of, or make the selection again.",
    ))
}

/// Letters, digits, dots, dashes and underscores of a selection's name; anything else would be a path or a riddle.
pub(crate) fn file_name_of(selection: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '-' };
    let name: String = selection.chars().map(plain).collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() { "selection".to_owned() } else { name.to_owned() }
}

/// A zip without compression: it goes to a browser on the same machine.
pub(crate) fn pack(paths: &[PathBuf]) -> Outcome<Vec<u8>> {
    let broken = |error: &dyn std::fmt::Display| failed(format!("the files could not be packed: {error}"), "");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        zip.start_file(&*name, options).map_err(|error| broken(&error))?;
        zip.write_all(&fs_err::read(path).map_err(Told::told)?).map_err(|error| broken(&error))?;
    }
    Ok(zip.finish().map_err(|error| broken(&error))?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        assert_eq!(file_name_of("paser-20"), "paser-20");
        assert_eq!(file_name_of("../my run"), "my-run");
        assert_eq!(file_name_of("///"), "selection");
    }
}
