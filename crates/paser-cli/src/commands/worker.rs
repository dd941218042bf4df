//! `paser worker`: computes the parts of one job of a project, beside whoever owns it. A run starts it by itself.

use std::path::PathBuf;

use clap::Args;
use paser_protocol::Report;

use crate::interrupt;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser worker my-recovery/jobs/score-0123456789abcdef")]
pub struct WorkerArgs {
    /// Folder of the job, under `jobs` in a project.
    #[arg(value_name = "JOBDIR")]
    job: PathBuf,
}

pub fn run(args: &WorkerArgs) -> Result<(), Report> {
    paser_engine::work(&args.job, interrupt::flag())
}
