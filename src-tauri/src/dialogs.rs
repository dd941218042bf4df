//! Native file dialogs by rfd. The window has a path field beside each, because a machine without a desktop portal
//! opens no dialog and reports nothing.

use std::env;

use rfd::AsyncFileDialog;
use tauri::WebviewWindow;

/// Answers every dialog in tests: the path that a person would have chosen.
const FAKE_DIALOG: &str = "PASER_FAKE_DIALOG";

/// Lets a person choose an existing file (`file`) or folder (`folder`). None: cancelled.
#[tauri::command]
pub async fn pick(window: WebviewWindow, kind: String, title: String) -> Option<String> {
    if let Ok(path) = env::var(FAKE_DIALOG) {
        return Some(path);
    }
    let dialog = AsyncFileDialog::new().set_title(title).set_parent(&window);
    let chosen = if kind == "folder" {
        dialog.pick_folder().await
    } else {
        dialog.add_filter("Instruction data", &["json", "jsonl"]).add_filter("All files", &["*"]).pick_file().await
    };
    chosen.map(|file| file.path().display().to_string())
}

/// Lets a person choose where a file is written. None: cancelled.
#[tauri::command]
pub async fn save(window: WebviewWindow, title: String, name: String) -> Option<String> {
    if let Ok(path) = env::var(FAKE_DIALOG) {
        return Some(path);
    }
    AsyncFileDialog::new()
        .set_title(title)
        .set_file_name(name)
        .set_parent(&window)
        .save_file()
        .await
        .map(|file| file.path().display().to_string())
}
