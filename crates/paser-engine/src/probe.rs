//! A look at what a person typed, before a project is made of it.

use std::path::Path;

use paser_data::{ReadOptions, read_pool_files};
use paser_hub::{DatasetPart, DatasetRef};
use paser_model::Checkpoint;
use paser_project::{Folder, Recipe};
use paser_protocol::{PartChoice, Probed, ProjectDraft, Remark, Report, Silent, SourceKind};

use crate::{
    hub,
    pool_source::{self, NoPool, PoolFiles},
    sources::{self, Kind, NotHere, short_count},
    trouble::{Outcome, Told, usage},
};

/// Pools up to this size are read whole; larger ones only by the import.
const WHOLE: u64 = 256 << 20;

fn remark(level: &str, text: impl Into<String>) -> Remark {
    Remark { level: level.to_owned(), text: text.into() }
}

/// What is at `path`, as lines under its field.
pub(crate) fn probe(kind: SourceKind, path: &str) -> Probed {
    let path = path.trim();
    if path.is_empty() {
        return Probed::default();
    }
    let outcome = match kind {
        SourceKind::Pool if pool_source::is_hub(path) => match dataset(path) {
            Ok(probed) => return probed,
            Err(report) => Err(report),
        },
        SourceKind::Pool => pool(path),
        SourceKind::Model => model(path, Kind::Model),
        SourceKind::Encoder => model(path, Kind::Encoder),
        SourceKind::Project => project(Path::new(path)),
        SourceKind::Folder => folder(Path::new(path)),
    };
    let remarks = outcome.unwrap_or_else(|report: Report| vec![remark("error", report.to_string())]);
    Probed { remarks, choices: Vec::new() }
}

/// Refuses a draft whose pool, models or encoder are seen from here to be unusable; of what has to be downloaded only a
/// data set is asked for, because a part of it has to be chosen. What was found out about the pool.
///
/// # Errors
/// What is wrong with the first of them.
pub fn check_draft(draft: &ProjectDraft) -> Outcome<Vec<Remark>> {
    let reference = draft.pool.trim();
    let remarks = if pool_source::is_hub(reference) {
        let probed = dataset(reference)?;
        if let Some(wrong) = probed.remarks.iter().find(|remark| remark.level == "error") {
            return Err(usage(wrong.text.clone(), ""));
        }
        probed.remarks
    } else {
        pool(reference)?
    };
    let named = [(&draft.dense, Kind::Model), (&draft.pruned, Kind::Model), (&draft.encoder, Kind::Encoder)];
    for (reference, kind) in named.into_iter().chain(draft.others.iter().map(|other| (other, Kind::Model))) {
        if !reference.trim().is_empty() {
            model(reference.trim(), kind)?;
        }
    }
    Ok(remarks)
}

/// What the hub says of a data set: its parts, and of the one that is meant size, rows and licence.
fn dataset(reference: &str) -> Outcome<Probed> {
    let reference: DatasetRef = reference.parse().map_err(Told::told)?;
    let env = hub::env()?;
    let Some(info) = hub::ask_dataset(&reference, &env)? else {
        let found = pool_source::find_cached(&reference.to_string(), &env);
        let remarks = match found {
            Ok(pool) => local(&pool)?,
            Err(NoPool::NotDownloaded(_)) => vec![remark(
                "warn",
                "the hub cannot be reached, and this is not downloaded yet: a run fetches it, or says why it cannot",
            )],
            Err(NoPool::Unusable(report)) => return Err(report),
        };
        return Ok(Probed { remarks, choices: Vec::new() });
    };
    let mut choices = Vec::new();
    if info.parts.len() > 1 {
        choices.extend(info.parts.iter().map(|part| PartChoice {
            reference: reference.with_part(part).to_string(),
            name: part.name(),
            about: about(part),
        }));
    }
    let mut remarks = Vec::new();
    match reference.choose(&info) {
        Ok(part) => {
            let there = info.missing_bytes(&reference, part, &env) == Some(0);
            let place = if there { "in the local cache" } else { "downloaded when a run imports it" };
            remarks.push(remark("ok", format!("{}, {}; {place}", part.name(), about(part))));
            if part.is_partial() {
                remarks.push(remark("warn", "the hub converted the first 5 GB of this split only"));
            }
            if info.is_converted() {
                remarks.push(remark("warn", "its own files are not read here: the hub's Parquet copy is taken"));
            }
        }
        Err(paser_hub::HubError::ChoosePart { .. }) => {
            let example = choices.first().map(|choice| format!(", as in {}", choice.reference)).unwrap_or_default();
            remarks.push(remark("error", format!("{} parts: choose one{example}", choices.len())));
        }
        Err(error) => remarks.push(remark("error", error.to_string())),
    }
    remarks.push(match &info.licence {
        Some(licence) => remark("ok", format!("licence {licence}")),
        None => remark("warn", "its card names no licence"),
    });
    if info.gated && env.token.is_none() {
        remarks.push(remark("warn", GATED));
    }
    Ok(Probed { remarks, choices })
}

/// What a gated repository wants.
pub(crate) const GATED: &str =
    "gated: accept its licence on its page, and give an access token (HF_TOKEN, the token file, or the form's field)";

/// Files, size and rows of a part of a data set.
fn about(part: &DatasetPart) -> String {
    let files = part.files.len();
    let mut words = vec![format!("{files} {}", if files == 1 { "file" } else { "files" })];
    words.push(
        part.bytes().map_or_else(|| "of unknown size".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
    );
    words.extend(part.rows.map(|rows| format!("{} rows", short_count(rows))));
    words.extend(part.refused.as_ref().map(|_| "not readable as one pool".to_owned()));
    words.join(", ")
}

fn pool(reference: &str) -> Outcome<Vec<Remark>> {
    local(&pool_source::find(&Folder::planned(Path::new("")), reference).map_err(Report::from)?)
}

fn local(found: &PoolFiles) -> Outcome<Vec<Remark>> {
    let mut bytes = 0;
    for file in &found.files {
        bytes += fs_err::metadata(file).map_err(Told::told)?.len();
    }
    if bytes > WHOLE {
        return Ok(vec![remark("ok", format!("{:.1} GB; it is read when the project is made", bytes as f64 / 1e9))]);
    }
    let pool = read_pool_files(&found.place, &found.files, &ReadOptions::default(), &Silent).map_err(Told::told)?;
    let report = &pool.report;
    let mut text = format!("{} samples", short_count(report.kept));
    if found.files.len() > 1 {
        text.push_str(&format!(" in {} files", found.files.len()));
    }
    if report.merged > 0 {
        text.push_str(&format!(", {} equal rows merged", report.merged));
    }
    let roles = &pool.roles;
    let input = roles.input.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
    let mut remarks = vec![remark("ok", format!("{text}; columns {}{input}, {}", roles.instruction, roles.output))];
    if let Some(bad) = report.bad.first() {
        remarks.push(remark(
            "warn",
            format!(
                "{} rows cannot be used, the first in {}: {}",
                report.bad_total,
                report.format.place(bad.line),
                bad.reason
            ),
        ));
    }
    for (name, cells) in &report.unread {
        let text = format!("column {name}: {} cells are no text and count as empty", short_count(*cells));
        remarks.push(remark("warn", text));
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
