//! `paser pruned`: the pruned models of a project, which one it works with, one more and one less.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use paser_engine::{Program, Reader, RunOptions};
use paser_protocol::{PrunedChange, Report, Request, Stage};
use serde_json::json;

use super::{run::tell, status::show_schemes};
use crate::exit::OrTell;
use crate::output::Output;
use crate::owned::{self, Opened};
use crate::project;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser pruned my-recovery use llama-wanda-2-4")]
pub struct PrunedArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Shows them with their damage per cluster.
    #[command(after_help = "Example:\n  paser pruned my-recovery list")]
    List,
    /// Selections and the inspector work with this one from now on; brings the project up to date.
    #[command(after_help = "Example:\n  paser pruned my-recovery use llama-wanda-2-4")]
    Use { model: String },
    /// One more: a folder or a hub id. The next run scores it.
    #[command(after_help = "Example:\n  paser pruned my-recovery add ../llama-magnitude-50")]
    Add { model: String },
    /// One less; what it was scored stays for a while.
    #[command(after_help = "Example:\n  paser pruned my-recovery remove llama-magnitude-50")]
    Remove { model: String },
}

pub fn run(args: &PrunedArgs, threads: usize, output: Output) -> Result<(), Report> {
    let dir = args.dir.display();
    let (change, said) = match &args.what {
        What::List => return list(args, output),
        What::Use { model } => (PrunedChange::Use { model: place(model)? }, format!("the project works with {model}")),
        What::Add { model } => {
            (PrunedChange::Add { model: place(model)? }, format!("{model} is added: `paser run {dir}` scores it"))
        }
        What::Remove { model } => (PrunedChange::Remove { model: place(model)? }, format!("{model} is gone")),
    };
    match owned::open(&args.dir)? {
        Opened::Own(session) => {
            session.change_pruned(&change)?;
            output.say(said);
            if matches!(change, PrunedChange::Use { .. }) {
                let options = RunOptions { threads, memory: None, worker: Some(Program::this()?), arms: Vec::new() };
                let summary = project::run(&session, Stage::Select, &options, output)?;
                tell(&session.view(), &summary, output);
                return Ok(());
            }
            output.line(&json!({ "pruned": session.view().pruned, "schemes": session.view().schemes }));
        }
        Opened::Owned(owned) => {
            owned.remote.ask(&Request::ChangePruned { change })?;
            output.say("The program that has the project open changes it, and brings it up to date.");
            let view = owned.project()?;
            output.line(&json!({ "pruned": view.pruned, "schemes": view.schemes }));
        }
    }
    Ok(())
}

/// Whoever owns the project stands in another folder.
fn place(model: &str) -> Result<String, Report> {
    if !Path::new(model).is_dir() {
        return Ok(model.to_owned());
    }
    Ok(std::path::absolute(model).or_tell()?.to_string_lossy().into_owned())
}

fn list(args: &PrunedArgs, output: Output) -> Result<(), Report> {
    let view = Reader::open(&args.dir)?.view();
    show_schemes(&view, output);
    if view.schemes.is_empty() {
        output.say(match view.pruned.as_str() {
            "" => "The project has no pruned model.".to_owned(),
            pruned => format!("The project has one pruned model: {pruned}"),
        });
    }
    output.line(&json!({ "pruned": view.pruned, "schemes": view.schemes }));
    Ok(())
}
