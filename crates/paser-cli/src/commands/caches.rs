//! `paser caches`: what lies on disk and can be had again, and clearing it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use paser_engine::{Session, caches, state_folder};
use paser_protocol::Report;
use serde_json::json;

use crate::exit::usage;
use crate::output::{Output, Table, bytes};

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  paser caches my-recovery\n  paser caches clear demo --yes"
)]
pub struct CachesArgs {
    #[command(subcommand)]
    command: Option<CachesCommand>,
    /// A project whose spare results are meant too.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum CachesCommand {
    /// Removes one of them.
    #[command(after_help = "Example:\n  paser caches clear spare my-recovery --yes")]
    Clear {
        /// What `paser caches` lists in its first column.
        #[arg(value_name = "ID")]
        id: String,
        /// The project whose spare results are meant.
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Really.
        #[arg(long)]
        yes: bool,
    },
}

fn session(dir: Option<&PathBuf>) -> Result<Option<Session>, Report> {
    dir.map(|dir| Session::open(dir)).transpose()
}

pub fn run(args: &CachesArgs, output: Output) -> Result<(), Report> {
    let state = state_folder();
    if let Some(CachesCommand::Clear { id, dir, yes }) = &args.command {
        let session = session(dir.as_ref())?;
        if !yes {
            let found = caches::list(&state, session.as_ref()).into_iter().find(|cache| cache.id == *id);
            if let Some(cache) = found {
                return Err(usage(
                    format!("{} would be removed: {}, {}", cache.path, bytes(cache.bytes), cache.cost),
                    "Add --yes to do it.",
                ));
            }
        }
        let freed = caches::clear(&state, session.as_ref(), id)?;
        output.say(format!("cleared {id}: {}", bytes(freed)));
        output.line(&json!({ "cleared": id, "bytes": freed }));
        return Ok(());
    }
    let session = session(args.dir.as_ref())?;
    let found = caches::list(&state, session.as_ref());
    let mut table = Table::new(&["<id", "size", "<what", "<where"]);
    for cache in &found {
        table.row([cache.id.clone(), bytes(cache.bytes), cache.name.clone(), cache.path.clone()]);
    }
    if found.is_empty() {
        output.say("Nothing is kept that could be had again.");
    } else {
        output.table(&table);
    }
    output.line(&json!({ "caches": found }));
    Ok(())
}
