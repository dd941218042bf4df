//! Finds the folder of a model: a path as it is, a hub id from the shared cache or the hub.

use std::path::{Path, PathBuf};

use paser_hub::{HubEnv, ModelId, encoder_files, fetch_model, model_files};
use paser_protocol::Report;

use crate::exit::{OrTell, unusable};
use crate::progress::Progress;

/// What the files are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Language,
    Encoder,
}

/// The folder of a model. Downloads what is missing of a hub id.
pub fn folder(name: &str, kind: Kind) -> Result<PathBuf, Report> {
    let path = Path::new(name);
    if path.is_dir() {
        return Ok(path.to_owned());
    }
    if path.is_file() {
        return Err(unusable(
            format!("{name} is a file: a model is a folder with config.json and safetensors"),
            "Give the folder that holds it.",
        ));
    }
    let looks_like_a_path = path.is_absolute() || name.starts_with('.') || name.matches('/').count() > 1;
    let id: Option<ModelId> = if looks_like_a_path { None } else { name.parse().ok() };
    let Some(id) = id else {
        return Err(unusable(
            format!("{name}: there is no such folder"),
            "Give the folder of a model, or a hub id such as org/name.",
        ));
    };
    let env = HubEnv::from_process().or_tell()?;
    let files = match kind {
        Kind::Language => model_files(),
        Kind::Encoder => encoder_files(),
    };
    let progress = Progress::new(&format!("fetching {id}"), "bytes");
    fetch_model(&id, &files, &env, &progress).or_tell()
}
