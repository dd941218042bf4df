//! `paser curate`: the window's edits of the pool, one journal line each.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use paser_engine::Session;
use paser_protocol::{Edit, EditKind, Report};

use super::later::LaterArgs;
use crate::exit::usage;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser curate my-recovery exclude 17 line:23 --reason \"wrong answer\"")]
pub struct CurateArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    #[command(subcommand)]
    edit: EditCommand,
}

#[derive(Subcommand, Debug)]
enum EditCommand {
    /// Samples that every selection takes.
    #[command(after_help = "Example:\n  paser curate my-recovery pin 17 line:23 --reason \"a good example\"")]
    Pin(Named),
    /// Samples that no selection takes.
    #[command(after_help = "Example:\n  paser curate my-recovery exclude 17 line:23 --reason \"wrong answer\"")]
    Exclude(Named),
    /// Samples that are neither pinned nor excluded any more.
    #[command(after_help = "Example:\n  paser curate my-recovery release 17")]
    Release(Named),
    /// Takes the last edit back.
    #[command(after_help = "Example:\n  paser curate my-recovery undo")]
    Undo,
    /// Makes the last undone edit again.
    #[command(after_help = "Example:\n  paser curate my-recovery redo")]
    Redo,
    #[command(hide = true)]
    Tag(LaterArgs),
    #[command(hide = true)]
    Merge(LaterArgs),
    #[command(hide = true)]
    Rename(LaterArgs),
}

#[derive(Args, Debug)]
struct Named {
    /// Ids of samples.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Why; stands in the journal.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub fn run(args: &CurateArgs, output: Output) -> Result<(), Report> {
    let refuse = |name: &str| {
        Err(usage(
            format!("`paser curate {name}` comes with a later version"),
            "Now there are pin, exclude, release, undo and redo.",
        ))
    };
    let open = || Session::open(&args.dir);
    let (session, entry) = match &args.edit {
        EditCommand::Tag(_) => return refuse("tag"),
        EditCommand::Merge(_) => return refuse("merge"),
        EditCommand::Rename(_) => return refuse("rename"),
        EditCommand::Undo => {
            let session = open()?;
            let entry = session.undo()?;
            (session, entry)
        }
        EditCommand::Redo => {
            let session = open()?;
            let entry = session.redo()?;
            (session, entry)
        }
        EditCommand::Pin(named) | EditCommand::Exclude(named) | EditCommand::Release(named) => {
            let session = open()?;
            let rows = session.rows_of_ids(&named.ids)?;
            let what = match &args.edit {
                EditCommand::Pin(_) => EditKind::Pin { rows },
                EditCommand::Exclude(_) => EditKind::Exclude { rows },
                _ => EditKind::Release { rows },
            };
            let entry = session.curate(&Edit::new(what, &named.reason))?;
            (session, entry)
        }
    };
    let curation = session.view().curation;
    output.say(format!(
        "journal entry {}; now {} pinned and {} excluded",
        entry.entry,
        curation.pinned.len(),
        curation.excluded.len()
    ));
    output.line(&entry);
    Ok(())
}
