//! Files for trainers: a selection's samples with a manifest of everything that decided it.

use std::path::{Path, PathBuf};

use paser_data::export::{ExportFormat as DataFormat, ManifestInputs, write};
use paser_protocol::{ExportFormat, ExportedView, Silent};
use serde_json::{Map, Value, json};

use crate::{
    selection::frozen_view,
    session::Session,
    stages::import,
    trouble::{Outcome, Told, failed},
};

fn data_format(format: ExportFormat) -> DataFormat {
    match format {
        ExportFormat::AlpacaJson => DataFormat::AlpacaJson,
        ExportFormat::AlpacaJsonl => DataFormat::AlpacaJsonl,
        ExportFormat::MessagesJsonl => DataFormat::MessagesJsonl,
    }
}

impl Session {
    /// Writes a frozen selection, or the one being built, to `path`; a relative path starts in `exports/`. Without a
    /// path the contents come back for the face to save.
    pub fn export(&self, selection: Option<&str>, format: ExportFormat, path: &str) -> Outcome<ExportedView> {
        let (name, rows, plan, inputs) = match selection {
            Some(name) => {
                let frozen = self.frozen_named(name)?;
                let view = frozen_view(&frozen)?;
                (name.to_owned(), self.rows_of_ids(&frozen.ids)?, view.plan, frozen.inputs)
            }
            None => {
                let plan = self.plan();
                let selected = self.quietly(|bench| self.select_with(&plan, bench, &Silent))?;
                (plan.strategy.name().to_owned(), selected.selection.rows.clone(), plan, selected.inputs.clone())
            }
        };
        let pool = import::pool(self)?;
        let recipe = self.recipe();
        let mut decided_by = Map::new();
        decided_by.insert("plan".to_owned(), json!(plan));
        decided_by.insert("inputs".to_owned(), json!(inputs));
        decided_by.insert("stages".to_owned(), self.stage_inputs());
        decided_by.insert("dense_model".to_owned(), json!(recipe.recipe.models.dense));
        decided_by.insert("pruned_model".to_owned(), json!(recipe.recipe.models.pruned));
        decided_by.insert("recipe".to_owned(), json!(recipe.text));
        let manifest = ManifestInputs { selection: name, pool: recipe.recipe.pool.path.clone(), decided_by };

        if path.is_empty() {
            let place = self.folder.exports().join(format!(".download-{}", std::process::id()));
            let written = write(&pool, &rows, data_format(format), &place, &manifest).map_err(Told::told);
            let contents = written.and_then(|exported| {
                let data = exported.paths.first().ok_or_else(|| failed("nothing was written", ""))?;
                fs_err::read_to_string(data).map_err(Told::told)
            });
            // What could not be removed is swept with the project's other leftovers.
            let _ = fs_err::remove_dir_all(&place);
            return Ok(ExportedView { paths: Vec::new(), samples: rows.len() as u64, download: Some(contents?) });
        }
        let destination = self.destination(path);
        let exported = write(&pool, &rows, data_format(format), &destination, &manifest).map_err(Told::told)?;
        Ok(ExportedView {
            paths: exported.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            samples: exported.count as u64,
            download: None,
        })
    }

    fn destination(&self, path: &str) -> PathBuf {
        let path = Path::new(path);
        if path.is_absolute() { path.to_owned() } else { self.folder.exports().join(path) }
    }

    /// Inputs of every stage as they were recorded.
    fn stage_inputs(&self) -> Value {
        let mut stages = Map::new();
        for stage in ["import", "embed", "manifold", "score", "concepts"] {
            let record = crate::session::lock(&self.catalogue).stage(stage).ok().flatten();
            if let Some(record) = record {
                stages.insert(stage.to_owned(), json!(record.inputs));
            }
        }
        Value::Object(stages)
    }
}
