//! `paser serve`: the window for a browser, on this machine's loopback address, until Ctrl-C.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use paser_engine::{Program, Studio, StudioOptions};
use paser_protocol::{Failure, Report, Request};
use paser_server::{PORT, Port, Remote, Server};
use serde_json::json;

use crate::interrupt;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser serve my-recovery --port 7800")]
pub struct ServeArgs {
    /// Folder of a project; without one the window opens on its welcome page.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Port on 127.0.0.1; 7717 if left out, or a free one where that is taken.
    // A browser keeps the window's layout by address: the same port finds it again.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

pub fn run(args: &ServeArgs, threads: usize, output: Output) -> Result<(), Report> {
    let studio = Arc::new(Studio::new(StudioOptions { threads, worker: Some(Program::this()?), ..Default::default() }));
    if let Some(dir) = &args.dir {
        match studio.handle(Request::OpenProject { path: dir.to_string_lossy().into_owned() }) {
            Ok(_) => {}
            Err(report) if report.failure == Failure::ComeBack => {
                let owner = Remote::of(dir).ok_or(report)?;
                output.say(format!("{}\nThe project is open already: this is the window of its owner.", owner.url()));
                output.line(&json!({ "url": owner.url(), "attached": true }));
                return Ok(());
            }
            Err(report) => return Err(report),
        }
    }
    let port = args.port.map_or(Port::Rather(PORT), Port::Exactly);
    let server = Server::start(studio, port).map_err(|error| Report::new(Failure::Machine, error.to_string(), ""))?;
    if port == Port::Rather(PORT) && server.port() != PORT {
        eprintln!(
            "Port {PORT} is taken, so that this is another one. A browser keeps the window's layout by address: give --port to find it again."
        );
    }
    output.say(format!("{}\nOpen it in a browser on this machine. Ctrl-C ends it.", server.url()));
    output.line(&json!({ "url": server.url() }));
    while !interrupt::requested() {
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(Report::new(Failure::Cancelled, "The server has ended.", ""))
}
