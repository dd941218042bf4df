//! `paser serve`: the window for a browser, on this machine's loopback address, until Ctrl-C.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use paser_engine::{Studio, StudioOptions};
use paser_protocol::{Failure, Report, Request};
use paser_server::Server;
use serde_json::json;

use crate::interrupt;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser serve my-recovery --port 7717")]
pub struct ServeArgs {
    /// Folder of a project; without one the window opens on its welcome page.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Port on 127.0.0.1; a free one if left out.
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
}

pub fn run(args: &ServeArgs, output: Output) -> Result<(), Report> {
    let studio = Arc::new(Studio::new(StudioOptions::default()));
    if let Some(dir) = &args.dir {
        studio.handle(Request::OpenProject { path: dir.to_string_lossy().into_owned() })?;
    }
    let server =
        Server::start(studio, args.port, &[]).map_err(|error| Report::new(Failure::Machine, error.to_string(), ""))?;
    output.say(format!("{}\nOpen it in a browser on this machine. Ctrl-C ends it.", server.url()));
    output.line(&json!({ "url": server.url() }));
    while !interrupt::requested() {
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(Report::new(Failure::Cancelled, "the server was stopped", ""))
}
