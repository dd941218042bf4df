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
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use anyhow::Context as _;
use geometry::Geometry;
use paser_engine::{Program, Studio, StudioOptions, WORKER, crash, state_folder};
use paser_protocol::{Event, Report, Request};
use paser_server::{Background, Port, Remote, Server, run_in_background};
use single::{Single, Start};
use tauri::{AppHandle, Manager as _, RunEvent, WebviewUrl, WebviewWindowBuilder, WindowEvent};

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

/// What this program does where it starts itself again: the worker of a job, or a run that goes on without a window.
fn without_a_window() -> Option<Result<(), Report>> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let mut arguments = env::args_os().skip(1);
    let first = arguments.next()?;
    // A folder of that name is opened by `./worker`.
    if first == WORKER {
        let job = arguments.next()?;
        return Some(paser_engine::work(Path::new(&job), &NEVER));
    }
    if first == "run" {
        let rest: Vec<_> = arguments.collect();
        if rest.is_empty() {
            return None;
        }
        return Some(Background::parse(rest).and_then(|what| run_in_background(&what, &NEVER)));
    }
    None
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_ansi(false).with_writer(|| crash::Log).init();
    match without_a_window() {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(report)) => {
            eprintln!("{report}");
            ExitCode::from(report.failure.exit_code())
        }
        None => match window() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        },
    }
}

/// Opens the project that was named at the start. One that another program has open is shown from there; what keeps it
/// from opening at all stands in the window: a person who double-clicked sees no stderr.
fn open(studio: &Studio, folder: &Path) -> Option<Remote> {
    let opened = studio.handle(Request::OpenProject { path: folder.to_string_lossy().into_owned() });
    if opened.is_ok() {
        return None;
    }
    let owner = Remote::of(folder);
    if owner.is_none() {
        studio.open_at_start(folder);
    }
    owner
}

/// What the page's address says: which engine it asks, and its own one where that is another program's.
fn query(server: &Server, owner: Option<&Remote>) -> String {
    let more = for_tests(QUERY).map(|more| format!("&{more}")).unwrap_or_default();
    match owner {
        None => format!("engine={}&token={}&own=&own-token={more}", server.base(), server.token()),
        Some(owner) => {
            let (base, token) = (&owner.address().base, &owner.address().token);
            format!("engine={base}&token={token}&own={}&own-token={}{more}", server.base(), server.token())
        }
    }
}

fn window() -> anyhow::Result<()> {
    let state = state_folder();
    crash::install("window", state.clone());
    let project = named_project();
    let single = match single::start(&state, project.as_deref()) {
        Start::First(single) => single,
        Start::HandedOver => return Ok(()),
    };
    let worker = Some(Program::this()?);
    let studio = Arc::new(Studio::new(StudioOptions { worker, ..Default::default() }));
    let owner = project.and_then(|folder| open(&studio, &folder));
    let server = Server::start(Arc::clone(&studio), Port::Free)?;
    let page = format!("index.html?{}", query(&server, owner.as_ref()));

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
    // `run` ends the process by itself: this is the last moment to free the project. A run goes on without the window.
    program.run(move |app, event| match event {
        RunEvent::WindowEvent { event: WindowEvent::Moved(_) | WindowEvent::Resized(_), .. } => remember(app, &kept),
        RunEvent::WindowEvent { event: WindowEvent::CloseRequested { .. }, .. } => {
            app.state::<Single>().close();
            remember(app, &kept);
            geometry::write(&state, *kept.lock().unwrap_or_else(PoisonError::into_inner));
        }
        RunEvent::Exit => {
            app.state::<Single>().close();
            if let Err(report) = studio.shut_down() {
                tracing::error!(%report, "the run cannot go on without the window");
            }
        }
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
        let Some(window) = app.get_webview_window(MAIN) else { return false };
        for done in [window.unminimize(), window.show(), window.set_focus()] {
            if let Err(error) = done {
                tracing::warn!(%error, "the window does not come to the front");
            }
        }
        let Some(project) = project else { return true };
        let server = app.state::<Server>();
        // The window opens it, and shows what keeps it from opening.
        if server.is_watched() {
            studio.tell(&Event::Wanted { path: project.to_string_lossy().into_owned() });
            return true;
        }
        // The page is not there yet, or listens to another program's engine: it starts anew with this project.
        let owner = open(&studio, &project);
        let query = query(&server, owner.as_ref());
        let turned = window.url().and_then(|mut url| {
            url.set_query(Some(&query));
            window.navigate(url)
        });
        turned.inspect_err(|error| tracing::warn!(%error, "the window does not turn to the other project")).is_ok()
    })
}
