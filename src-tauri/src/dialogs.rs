//! Native file dialogs by rfd. The window has a path field beside each, because a machine without a desktop portal
//! opens no dialog and reports nothing.

use rfd::AsyncFileDialog;
use serde::Deserialize;
use tauri::WebviewWindow;

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
            dialog.add_filter("Instruction data", &["json", "jsonl"]).add_filter("All files", &["*"]).pick_file().await
        }
        PickKind::Benchmark => {
            dialog.add_filter("Questions", &["jsonl", "json", "txt"]).add_filter("All files", &["*"]).pick_file().await
        }
        PickKind::Save => dialog.save_file().await,
        PickKind::Model | PickKind::Encoder | PickKind::Project | PickKind::Folder => dialog.pick_folder().await,
    };
    chosen.map(|file| file.path().display().to_string())
}
