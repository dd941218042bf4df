//! Commands that belong to later versions: known by name, refused with a sentence.

use std::ffi::OsString;

use clap::Args;
use paser_protocol::Report;

use crate::exit::usage;

#[derive(Args, Debug)]
pub struct LaterArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

/// The refusal of `paser NAME`.
pub fn refuse(name: &str) -> Report {
    let (what, instead) = match name {
        "devices" => ("the list of devices", "This version computes on the processor."),
        "plan" | "merge" => {
            ("work spread over machines", "`paser run` does all stages, by worker processes of its own.")
        }
        _ => ("this command", ""),
    };
    usage(format!("`paser {name}`: {what} comes with a later version"), instead)
}
