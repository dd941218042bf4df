//! Ctrl-C: the first asks the running work to stop, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

use paser_protocol::{Failure, Report};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Starts to listen. Called once, before any work.
pub fn listen() -> Result<(), Report> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Failure::Cancelled.exit_code()));
        }
    })
    .map_err(|error| Report::new(Failure::Machine, format!("Ctrl-C cannot be listened for: {error}"), ""))
}

pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// What the engine looks at while it works.
pub fn flag() -> &'static AtomicBool {
    &REQUESTED
}
