//! The desktop program: one window, the engine in the same process, native dialogs.
//!
//! The window speaks to the engine as a browser does, over the loopback server with a token of this start, so that
//! desktop and browser share one path (50 MB of columns take 0.28 s this way and 1.33 s by Tauri's IPC). The IPC
//! carries only what a page cannot do: dialogs.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod dialogs;

use std::{
    env,
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;
use paser_engine::{Program, Studio, StudioOptions, WORKER};
use paser_protocol::{Report, Request};
use paser_server::{Background, Port, Remote, Server, run_in_background};
use tauri::{Manager as _, RunEvent, WebviewUrl, WebviewWindowBuilder};

/// Appended to the window's address by tests, to open it in a known state.
const QUERY: &str = "PASER_WINDOW_QUERY";

/// A variable that only builds with debug assertions, which tests use, look at.
fn for_tests(variable: &str) -> Option<String> {
    if cfg!(debug_assertions) { env::var(variable).ok() } else { None }
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
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
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

fn window() -> anyhow::Result<()> {
    let worker = Some(Program::this()?);
    let studio = Arc::new(Studio::new(StudioOptions { worker, ..Default::default() }));
    let owner = env::args_os().nth(1).and_then(|folder| open(&studio, Path::new(&folder)));
    let server = Server::start(Arc::clone(&studio), Port::Free)?;
    let query = for_tests(QUERY).map(|more| format!("&{more}")).unwrap_or_default();
    let engine = match &owner {
        None => format!("engine={}&token={}", server.base(), server.token()),
        Some(owner) => {
            let (base, token) = (&owner.address().base, &owner.address().token);
            format!("engine={base}&token={token}&own={}&own-token={}", server.base(), server.token())
        }
    };
    let page = format!("index.html?{engine}{query}");

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
    // `run` ends the process by itself: this is the last moment to free the project. A run goes on without the window.
    program.run(move |_, event| {
        if matches!(event, RunEvent::Exit)
            && let Err(report) = studio.shut_down()
        {
            tracing::error!(%report, "the run cannot go on without the window");
        }
    });
    Ok(())
}
