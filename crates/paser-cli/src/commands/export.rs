//! `paser export`: a selection as files that trainers read, with manifest and indices.

use std::path::PathBuf;

use clap::Args;
use paser_engine::Reader;
use paser_protocol::{ExportFormat, Part, Report};
use serde_json::json;

use crate::exit::OrTell;
use crate::interrupt;
use crate::output::{Output, thousands};

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser export my-recovery --selection paser-20 --format alpaca-json --out train/\n  paser export my-recovery --selection paser-20 --without random-20 --format alpaca-jsonl --out difference.jsonl"
)]
pub struct ExportArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Name of the selection.
    #[arg(long, value_name = "NAME")]
    selection: String,
    /// Only its samples that this selection does not hold. Can be given several times.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Only its samples that this selection holds too. Can be given several times.
    #[arg(long, value_name = "NAME")]
    within: Vec<String>,
    /// alpaca-json, alpaca-jsonl or messages-jsonl.
    #[arg(long, value_name = "FORMAT", value_parser = ExportFormat::ALL.map(ExportFormat::name))]
    format: String,
    /// A folder, or the data file itself.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
}

pub fn run(args: &ExportArgs, output: Output) -> Result<(), Report> {
    let format =
        ExportFormat::ALL.into_iter().find(|format| format.name() == args.format).unwrap_or(ExportFormat::AlpacaJson);
    let reader = Reader::open(&args.dir)?;
    let path = std::path::absolute(&args.out).or_tell()?;
    let part = Part { within: args.within.clone(), without: args.without.clone() };
    let exported = reader.export(&args.selection, &part, format, &path.to_string_lossy(), interrupt::flag())?;
    output.say(format!("{} samples", thousands(exported.samples)));
    for path in &exported.paths {
        output.say(path);
    }
    output.line(&json!({ "paths": exported.paths, "samples": exported.samples, "format": args.format }));
    Ok(())
}
