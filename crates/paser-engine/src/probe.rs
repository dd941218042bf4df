//! A look at what a person typed, before a project is made of it.

use std::path::Path;

use paser_data::{ReadOptions, read_pool};
use paser_model::Checkpoint;
use paser_project::{Folder, Recipe};
use paser_protocol::{ProjectDraft, Remark, Report, Silent, SourceKind};

use crate::{
    sources::{self, Kind, NotHere, short_count},
    trouble::{Outcome, Told},
};

/// Pools up to this size are read whole; larger ones only by the import.
const WHOLE: u64 = 256 << 20;

fn remark(level: &str, text: impl Into<String>) -> Remark {
    Remark { level: level.to_owned(), text: text.into() }
}

/// What is at `path`, as lines under its field.
pub(crate) fn probe(kind: SourceKind, path: &str) -> Vec<Remark> {
    let path = path.trim();
    if path.is_empty() {
        return Vec::new();
    }
    let outcome = match kind {
        SourceKind::Pool => pool(Path::new(path)),
        SourceKind::Model => model(path, Kind::Model),
        SourceKind::Encoder => model(path, Kind::Encoder),
        SourceKind::Project => project(Path::new(path)),
        SourceKind::Folder => folder(Path::new(path)),
    };
    outcome.unwrap_or_else(|report: Report| vec![remark("error", report.to_string())])
}

/// Refuses a draft whose pool, models or encoder are seen from here to be unusable; what has to be downloaded is not
/// looked at.
///
/// # Errors
/// What is wrong with the first of them.
pub fn check_draft(draft: &ProjectDraft) -> Outcome<()> {
    pool(Path::new(draft.pool.trim()))?;
    let named = [(&draft.dense, Kind::Model), (&draft.pruned, Kind::Model), (&draft.encoder, Kind::Encoder)];
    for (reference, kind) in named.into_iter().chain(draft.others.iter().map(|other| (other, Kind::Model))) {
        if !reference.trim().is_empty() {
            model(reference.trim(), kind)?;
        }
    }
    Ok(())
}

fn pool(path: &Path) -> Outcome<Vec<Remark>> {
    let path = &sources::find_pool(path.to_owned())?;
    let bytes = fs_err::metadata(path).map_err(Told::told)?.len();
    if bytes > WHOLE {
        return Ok(vec![remark("ok", format!("{:.1} GB; it is read when the project is made", bytes as f64 / 1e9))]);
    }
    let pool = read_pool(path, &ReadOptions::default(), &Silent).map_err(Told::told)?;
    let report = &pool.report;
    let mut text = format!("{} samples", short_count(report.kept));
    if report.merged > 0 {
        text.push_str(&format!(", {} equal rows merged", report.merged));
    }
    let roles = &pool.roles;
    let input = roles.input.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
    let mut remarks = vec![remark("ok", format!("{text}; columns {}{input}, {}", roles.instruction, roles.output))];
    if let Some(bad) = report.bad.first() {
        remarks.push(remark(
            "warn",
            format!("{} rows cannot be used, the first in line {}: {}", report.bad_total, bad.line, bad.reason),
        ));
    }
    Ok(remarks)
}

fn model(reference: &str, kind: Kind) -> Outcome<Vec<Remark>> {
    let here = Folder::planned(&std::env::current_dir().unwrap_or_default());
    match sources::find_model(&here, reference, kind) {
        Ok(path) if kind == Kind::Encoder => Ok(vec![remark("ok", sources::describe_encoder(&path)?)]),
        Ok(path) => {
            let text = sources::describe_model(&path)?;
            let mut remarks = vec![remark("ok", text)];
            let assumed = Checkpoint::open(&path).map(|model| model.spec().assumed.clone()).unwrap_or_default();
            for assumption in assumed {
                remarks.push(remark(
                    "warn",
                    format!("{} is taken to be {} ({})", assumption.field, assumption.value, assumption.source),
                ));
            }
            Ok(remarks)
        }
        // A hub id that is not here yet is fine: it is fetched when it is needed.
        Err(why @ NotHere::NotDownloaded(_)) => {
            let report = Report::from(why);
            Ok(vec![remark("warn", format!("{}. {}", report.what, report.advice))])
        }
        Err(NotHere::Unusable(report)) => Err(report),
    }
}

fn project(path: &Path) -> Outcome<Vec<Remark>> {
    let folder = Folder::open(path).map_err(Told::told)?;
    let recipe = Recipe::read(&folder.recipe()).map_err(Told::told)?;
    let name = if recipe.name.is_empty() { folder.name() } else { recipe.name };
    Ok(vec![remark("ok", format!("project {name}"))])
}

fn folder(path: &Path) -> Outcome<Vec<Remark>> {
    Folder::check_free(path).map_err(Told::told)?;
    let holds_something = fs_err::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if holds_something {
        return Ok(vec![remark("warn", "The folder is not empty; the project is made inside it.")]);
    }
    Ok(vec![remark("ok", if path.exists() { "an empty folder" } else { "a new folder" })])
}
