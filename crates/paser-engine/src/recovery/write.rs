//! A trained seed of an arm as files: the adapter as PEFT reads it, or the whole model with the adapter merged.

use std::path::{Path, PathBuf};

use paser_model::{Checkpoint, Projection, adapter, train::Layout};
use paser_project::write_durably;
use paser_protocol::{ExportedView, Method, WeightsFormat};

use crate::{
    export::{Archived, pack},
    session::{Session, lock},
    sources::{self, Kind},
    stages::{
        prune,
        recover::{RunFacts, STAGE},
    },
    trouble::{Outcome, Told, failed, usage},
};

/// What travels along with merged weights.
const EXTENSIONS: [&str; 4] = ["json", "jinja", "model", "txt"];

/// Files of a written arm, by name, and what is to be told of them.
struct Written {
    files: Vec<(String, Vec<u8>)>,
    notice: Option<String>,
}

impl Session {
    /// Writes an arm into a new folder; a relative path starts in `exports/`. What there is to say of the result beside.
    ///
    /// # Errors
    /// A seed that is not trained to its end, a method that the format cannot hold, a folder that is not empty.
    pub fn write_arm(
        &self,
        arm: &str,
        seed: u64,
        format: WeightsFormat,
        path: &str,
    ) -> Outcome<(ExportedView, Option<String>)> {
        let place = self.destination(Path::new(path));
        if place.exists() && fs_err::read_dir(&place).map_err(Told::told)?.next().is_some() {
            return Err(usage(format!("{} is not empty.", place.display()), "Name a new folder."));
        }
        let written = self.files_of(arm, seed, format)?;
        let parent = place.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(parent).map_err(Told::told)?;
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let passing = Passing(parent.join(format!(".{name}.{}.partial", std::process::id())));
        fs_err::create_dir_all(&passing.0).map_err(Told::told)?;
        for (name, bytes) in &written.files {
            write_durably(&passing.0.join(name), bytes).map_err(Told::told)?;
        }
        if place.exists() {
            fs_err::remove_dir(&place).map_err(Told::told)?;
        }
        fs_err::rename(&passing.0, &place).map_err(Told::told)?;
        let paths = written.files.iter().map(|(name, _)| place.join(name).to_string_lossy().into_owned()).collect();
        Ok((ExportedView { paths, samples: 0, download: None }, written.notice))
    }

    /// The same as one zip, for a browser that saves it.
    ///
    /// # Errors
    /// As [`Self::write_arm`].
    pub fn arm_archive(&self, arm: &str, seed: u64, format: WeightsFormat) -> Outcome<(Archived, Option<String>)> {
        let written = self.files_of(arm, seed, format)?;
        let passing = Passing(self.folder.download_place());
        fs_err::create_dir_all(&passing.0).map_err(Told::told)?;
        let mut paths: Vec<PathBuf> = Vec::new();
        for (name, bytes) in &written.files {
            let path = passing.0.join(name);
            write_durably(&path, bytes).map_err(Told::told)?;
            paths.push(path);
        }
        let name = format!("{}-seed-{seed}-{}.zip", crate::export::file_name_of(arm), format.name());
        Ok((Archived { name, bytes: pack(&paths)?, samples: 0 }, written.notice))
    }

    fn files_of(&self, arm: &str, seed: u64, format: WeightsFormat) -> Outcome<Written> {
        let known = lock(&self.recovery).runs.get(&(arm.to_owned(), seed)).cloned();
        let Some((facts, key)) = known.and_then(|known| Some((known.facts.clone(), known.key?))) else {
            return Err(usage(format!("Seed {seed} of the arm {arm} is not trained to its end."), "Train it first."));
        };
        let found = self.store.get(STAGE, &key).map_err(Told::told)?;
        let values = found.as_ref().and_then(|found| found.arrays.f32("values"));
        let values = values.ok_or_else(|| failed("what was trained is not there any more", "Train again."))?;
        let recipe = self.recipe();
        let dense = sources::known_model(&lock(&self.catalogue), &self.folder, &recipe.recipe.models.dense).value();
        let samples = self.samples()?;
        let reference = prune::reference(&recipe.recipe, dense.as_ref(), Some(&samples))
            .ok_or_else(|| usage("The pruned model is not there any more.", "Run the project."))?;
        let model = sources::find_model(&self.folder, &reference, Kind::Model)?;
        let checkpoint = Checkpoint::open(&model).map_err(Told::told)?;
        let settings = &recipe.recipe.recover;
        let layout = Layout::low_rank(checkpoint.spec(), settings.rank as usize, &Projection::ALL);
        if settings.method != Method::Lora || layout.len() != values.len() {
            return Err(usage(
                format!("{arm} was trained with another method or rank than the recipe's of now."),
                "Set method and rank back, or train again.",
            ));
        }
        let adapter = adapter::Adapter::of_values(&layout, values, settings.rank as usize, settings.alpha);
        match format {
            WeightsFormat::Peft => {
                let files = adapter.to_peft(checkpoint.spec(), &reference).map_err(Told::told)?;
                let files = files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
                Ok(Written { files, notice: None })
            }
            WeightsFormat::Merged => merged(&checkpoint, &adapter, &facts),
        }
    }
}

fn merged(checkpoint: &Checkpoint, adapter: &adapter::Adapter, facts: &RunFacts) -> Outcome<Written> {
    let (mut files, sparsity) = adapter::merged_files(checkpoint, adapter).map_err(Told::told)?;
    for entry in fs_err::read_dir(checkpoint.dir()).map_err(Told::told)? {
        let path = entry.map_err(Told::told)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let travels = path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end == *known));
        if path.is_file() && travels && !files.iter().any(|(known, _)| *known == name) {
            files.push((name, fs_err::read(&path).map_err(Told::told)?));
        }
    }
    let share = |zeros: u64| 100.0 * zeros as f64 / sparsity.weights.max(1) as f64;
    let notice = format!(
        "Zeros in the projections: {:.2} % before, {:.2} % after the merge of {}, seed {}.",
        share(sparsity.zeros_before),
        share(sparsity.zeros_after),
        facts.order.arm,
        facts.order.seed
    );
    Ok(Written { files, notice: Some(notice) })
}

/// A folder that is gone when it is dropped, unless it got its name.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // It is not there where it was renamed; what cannot be removed is swept at the next start.
        let _ = fs_err::remove_dir_all(&self.0);
    }
}
