//! A pool file as the commands without a project read it: the options by which columns are named, and what is told
//! about rows that cannot be used.

use std::path::PathBuf;

use clap::Args;
use paser_data::{HoldOut, Pool, ReadOptions, Roles, read_pool};
use paser_protocol::Report;

use crate::exit::{OrTell, usage};
use crate::output::{Output, thousands};
use crate::progress::Progress;

#[derive(Args, Debug)]
pub struct PoolArgs {
    /// Instruction data: a file in JSON, JSON lines or Parquet, or a folder with the shards of one split.
    #[arg(long, value_name = "FILE")]
    pub pool: PathBuf,
    /// Column that holds the instruction, if it has another name.
    #[arg(long, value_name = "COLUMN", requires = "output_column")]
    instruction_column: Option<String>,
    /// Column that holds the input.
    #[arg(long, value_name = "COLUMN", requires = "instruction_column")]
    input_column: Option<String>,
    /// Column that holds the response.
    #[arg(long, value_name = "COLUMN", requires = "instruction_column")]
    output_column: Option<String>,
    /// Column that holds the ids.
    #[arg(long, value_name = "COLUMN", requires = "instruction_column")]
    id_column: Option<String>,
}

/// Bad rows that are shown; all are counted.
const SHOWN: usize = 5;

pub fn read(args: &PoolArgs, output: Output) -> Result<Pool, Report> {
    let roles = match (&args.instruction_column, &args.output_column) {
        (Some(instruction), Some(response)) => Some(Roles {
            instruction: instruction.clone(),
            input: args.input_column.clone(),
            output: response.clone(),
            id: args.id_column.clone(),
        }),
        (None, None) => None,
        _ => return Err(usage("--instruction-column and --output-column go together", "Give both or neither.")),
    };
    let options = ReadOptions { roles, hold_out: HoldOut::None };
    let pool = {
        let progress = Progress::new("reading the pool", "bytes");
        read_pool(&args.pool, &options, &progress).or_tell()?
    };
    let report = &pool.report;
    if report.bad_total > 0 {
        eprintln!("{}: {} rows cannot be used and were left out", args.pool.display(), thousands(report.bad_total));
        for bad in report.bad.iter().take(SHOWN) {
            eprintln!("  row {}: {}", bad.line, bad.reason);
        }
    }
    for (name, cells) in &report.unread {
        let cells = thousands(*cells);
        eprintln!("{}: {cells} cells of {name} are no text and count as empty", args.pool.display());
    }
    let roles = &pool.roles;
    output.say(format!(
        "{} distinct samples ({} rows, {} merged, {} bad); columns: {} -> {}, {} ({})",
        thousands(report.kept),
        thousands(report.rows_read),
        thousands(report.merged),
        thousands(report.bad_total),
        [Some(&roles.instruction), roles.input.as_ref()].into_iter().flatten().cloned().collect::<Vec<_>>().join(" + "),
        roles.output,
        roles.id.as_ref().map_or_else(|| "no ids".to_owned(), |id| format!("ids in {id}")),
        roles.dialect(),
    ));
    Ok(pool)
}
