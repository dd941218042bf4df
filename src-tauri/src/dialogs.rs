//! Native file dialogs by rfd. The window has a path field beside each, because a machine without a desktop portal
//! opens no dialog and reports nothing.

use std::path::{Path, PathBuf};

use rfd::AsyncFileDialog;
use serde::Deserialize;
use tauri::{
    WebviewWindow,
    ipc::{InvokeBody, Request},
};

/// Answers every dialog in tests: the path that a person would have chosen. Programs for people do not look at it.
const FAKE_DIALOG: &str = "PASER_FAKE_DIALOG";

/// What is to be chosen, in the window's words.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PickKind {
    Pool,
    Benchmark,
    Model,
    Encoder,
    Project,
    Folder,
    /// A file to be written.
    Save,
}

/// Lets a person choose a path. None: cancelled.
#[tauri::command]
pub async fn pick(window: WebviewWindow, kind: PickKind, title: String) -> Option<String> {
    if let Some(path) = super::for_tests(FAKE_DIALOG) {
        return Some(path);
    }
    let dialog = AsyncFileDialog::new().set_title(title).set_parent(&window);
    let chosen = match kind {
        PickKind::Pool => {
            dialog
                .add_filter("Instruction data", &["json", "jsonl", "parquet"])
                .add_filter("All files", &["*"])
                .pick_file()
                .await
        }
        PickKind::Benchmark => {
            dialog.add_filter("Questions", &["jsonl", "json", "txt"]).add_filter("All files", &["*"]).pick_file().await
        }
        PickKind::Save => dialog.save_file().await,
        PickKind::Model | PickKind::Encoder | PickKind::Project | PickKind::Folder => dialog.pick_folder().await,
    };
    chosen.map(|file| file.path().display().to_string())
}

/// Writes what the window made (a picture, a table) where a person says. The path written; none: cancelled.
#[tauri::command]
pub async fn save(window: WebviewWindow, request: Request<'_>) -> Result<Option<String>, String> {
    let name = request.headers().get("file-name").and_then(|name| name.to_str().ok()).ok_or("the file has no name")?;
    let name = percent_encoding::percent_decode_str(name).decode_utf8().map_err(|error| error.to_string())?;
    // Only the last part of a name that is a path.
    let name = Path::new(name.as_ref()).file_name().ok_or("the file has no name")?.to_string_lossy().into_owned();
    let bytes = match request.body() {
        InvokeBody::Raw(bytes) => bytes.clone(),
        // Tauri's slow way, taken for good once a page has had to.
        InvokeBody::Json(value) => serde_json::from_value(value.clone()).map_err(|error| error.to_string())?,
    };
    let chosen = match super::for_tests(FAKE_DIALOG) {
        Some(path) => Some(PathBuf::from(path)),
        None => {
            let dialog = AsyncFileDialog::new().set_title("Save as").set_file_name(&name).set_parent(&window);
            let dialog = match Path::new(&name).extension().and_then(|ending| ending.to_str()) {
                Some(ending) => dialog.add_filter(ending.to_uppercase(), &[ending]),
                None => dialog,
            };
            dialog.save_file().await.map(|file| file.path().to_owned())
        }
    };
    let Some(path) = chosen else { return Ok(None) };
    fs_err::write(&path, bytes).map_err(|error| error.to_string())?;
    Ok(Some(path.display().to_string()))
}
