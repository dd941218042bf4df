//! The desktop program: one window, the engine in the same process, native dialogs.
//!
//! The window speaks to the engine as a browser does, over the loopback server with a token of this start, so that
//! desktop and browser share one path (50 MB of columns take 0.28 s this way and 1.33 s by Tauri's IPC). The IPC
//! carries only what a page cannot do: dialogs.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod dialogs;

use std::{env, path::Path, sync::Arc};

use anyhow::Context as _;
use paser_engine::{Studio, StudioOptions};
use paser_server::{Port, Server};
use tauri::{Manager as _, RunEvent, WebviewUrl, WebviewWindowBuilder};

/// Pages of the shell, as the three platforms name them.
const SHELL_ORIGINS: [&str; 2] = ["tauri://localhost", "http://tauri.localhost"];

/// Appended to the window's address by tests, to open it in a known state.
const QUERY: &str = "PASER_WINDOW_QUERY";

/// A variable that only builds with debug assertions, which tests use, look at.
fn for_tests(variable: &str) -> Option<String> {
    if cfg!(debug_assertions) { env::var(variable).ok() } else { None }
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let studio = Arc::new(Studio::new(StudioOptions::default()));
    if let Some(folder) = env::args_os().nth(1) {
        // A person who double-clicked sees no stderr: what keeps the project from opening stands in the window.
        studio.open_at_start(Path::new(&folder));
    }
    let server = Server::start(Arc::clone(&studio), Port::Free, &SHELL_ORIGINS)?;
    let query = for_tests(QUERY).map(|more| format!("&{more}")).unwrap_or_default();
    let page = format!("index.html?engine={}&token={}{query}", server.base(), server.token());

    let program = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![dialogs::pick])
        .setup(move |app| {
            WebviewWindowBuilder::new(app, "main", WebviewUrl::App(page.into()))
                .title("PASER Studio")
                .inner_size(1280.0, 800.0)
                .min_inner_size(960.0, 600.0)
                .build()?;
            app.manage(server);
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window could not be opened. `paser serve` shows the same window in a browser")?;
    // `run` ends the process by itself: this is the last moment to stop a run and free the project.
    program.run(move |_, event| {
        if matches!(event, RunEvent::Exit) {
            studio.shut_down();
        }
    });
    Ok(())
}
