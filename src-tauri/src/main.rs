//! The desktop program: one window, the engine in the same process, native dialogs.
//!
//! The window speaks to the engine as a browser does, over the loopback server with a token of this start, so that
//! desktop and browser share one path (50 MB of columns take 0.28 s this way and 1.33 s by Tauri's IPC). The IPC
//! carries only what a page cannot do: dialogs.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod dialogs;
mod geometry;
mod single;

use std::{
    env,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use geometry::Geometry;
use paser_engine::{Studio, StudioOptions, crash, state_folder};
use paser_protocol::Event;
use paser_server::{Port, Server};
use single::{Single, Start};
use tauri::{AppHandle, Manager as _, RunEvent, WebviewUrl, WebviewWindowBuilder, WindowEvent};

/// Pages of the shell, as the three platforms name them.
const SHELL_ORIGINS: [&str; 2] = ["tauri://localhost", "http://tauri.localhost"];

/// Appended to the window's address by tests, to open it in a known state.
const QUERY: &str = "PASER_WINDOW_QUERY";

/// The window's name in Tauri.
const MAIN: &str = "main";

/// A variable that only builds with debug assertions, which tests use, look at.
fn for_tests(variable: &str) -> Option<String> {
    if cfg!(debug_assertions) { env::var(variable).ok() } else { None }
}

/// The project that was named: its folder, also where the system hands over the recipe in it.
fn named_project() -> Option<PathBuf> {
    let path = PathBuf::from(env::args_os().nth(1)?);
    let is_recipe = path.file_name().is_some_and(|name| name == "recipe.toml") && path.is_file();
    Some(match path.parent().filter(|_| is_recipe) {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => path,
    })
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(|| crash::Log).init();
    let state = state_folder();
    crash::install("window", state.clone());
    let project = named_project();
    let single = match single::start(&state, project.as_deref()) {
        Start::First(single) => single,
        Start::HandedOver => return Ok(()),
    };
    let studio = Arc::new(Studio::new(StudioOptions::default()));
    if let Some(folder) = &project {
        // A person who double-clicked sees no stderr: what keeps the project from opening stands in the window.
        studio.open_at_start(folder);
    }
    let server = Server::start(Arc::clone(&studio), Port::Free, &SHELL_ORIGINS)?;
    let query = for_tests(QUERY).map(|more| format!("&{more}")).unwrap_or_default();
    let page = format!("index.html?engine={}&token={}{query}", server.base(), server.token());

    let kept = Arc::new(Mutex::new(geometry::read(&state).unwrap_or_default()));
    let (begin, later) = (Arc::clone(&kept), Arc::clone(&studio));
    let program = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![dialogs::pick, dialogs::save])
        .setup(move |app| {
            let window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App(page.into()))
                .title("PASER Studio")
                .inner_size(1280.0, 800.0)
                .min_inner_size(960.0, 600.0)
                .build()?;
            let before = *begin.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = geometry::restore(&window, before) {
                tracing::warn!(%error, "the window does not stand where it stood");
            }
            app.manage(server);
            wait_for_others(&single, app.handle().clone(), later)?;
            app.manage(single);
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the window could not be opened. `paser serve` shows the same window in a browser")?;
    // `run` ends the process by itself: this is the last moment to stop a run and free the project.
    program.run(move |app, event| match event {
        RunEvent::WindowEvent { event: WindowEvent::Moved(_) | WindowEvent::Resized(_), .. } => remember(app, &kept),
        RunEvent::WindowEvent { event: WindowEvent::CloseRequested { .. }, .. } => {
            remember(app, &kept);
            geometry::write(&state, *kept.lock().unwrap_or_else(PoisonError::into_inner));
        }
        RunEvent::Exit => studio.shut_down(),
        _ => {}
    });
    Ok(())
}

fn remember(app: &AppHandle, kept: &Mutex<Geometry>) {
    if let Some(window) = app.get_webview_window(MAIN) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = geometry::now(&window, *kept);
    }
}

/// A later start brings this window to the front, and its project into it.
fn wait_for_others(single: &Single, app: AppHandle, studio: Arc<Studio>) -> std::io::Result<()> {
    single.serve(move |project| {
        if let Some(window) = app.get_webview_window(MAIN) {
            for done in [window.unminimize(), window.show(), window.set_focus()] {
                if let Err(error) = done {
                    tracing::warn!(%error, "the window does not come to the front");
                }
            }
        }
        if let Some(project) = project {
            // The window opens it, and shows what keeps it from opening.
            studio.tell(&Event::Wanted { path: project.to_string_lossy().into_owned() });
        }
    })
}
