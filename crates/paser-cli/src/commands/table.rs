//! `paser table`: samples with their ids, numbers and status as CSV.

use std::{io::Write as _, path::PathBuf};

use clap::Args;
use paser_engine::{Reader, TableOrder};
use paser_protocol::{Report, RowQuery};
use serde_json::json;

use crate::exit::OrTell;
use crate::inside_words::tell_of_inside_words;
use crate::output::{Output, thousands};

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser table my-recovery --columns jsd,cluster,instruction --where 'jsd > 0.2' --sort jsd --descending\n  paser table my-recovery --selection paser-20 --out samples.csv"
)]
pub struct TableArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Columns beside id and line, by name; every column of numbers and words if left out.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// Only samples that a filter finds, such as 'jsd > 0.2 and not tag = sql'.
    #[arg(long = "where", value_name = "FILTER", default_value = "")]
    filter: String,
    /// Only samples with these whole words; '*sql*' also finds MySQL, 'sql*' also SQLite.
    #[arg(long, value_name = "WORDS", default_value = "")]
    search: String,
    /// Column to sort by; the pool's order if left out.
    #[arg(long, value_name = "COLUMN", default_value = "")]
    sort: String,
    /// The largest first.
    #[arg(long, requires = "sort")]
    descending: bool,
    /// A frozen selection whose status every sample gets a column of; may be given again.
    #[arg(long = "selection", value_name = "NAME")]
    selections: Vec<String>,
    /// Where the table goes; to stdout if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &TableArgs, output: Output) -> Result<(), Report> {
    let reader = Reader::open(&args.dir)?;
    let order = TableOrder {
        query: RowQuery {
            text: args.search.clone(),
            filter: args.filter.clone(),
            sort: args.sort.clone(),
            descending: args.descending,
            ..RowQuery::default()
        },
        columns: args.columns.clone(),
        selections: args.selections.clone(),
        shown: String::new(),
    };
    tell_of_inside_words(reader.lookup(), &order.query)?;
    match &args.out {
        Some(path) => {
            let written = reader.write_table(&order, &std::path::absolute(path).or_tell()?)?;
            output.say(format!("{} samples: {}", thousands(written.samples), path.display()));
            output.line(&json!(written));
        }
        None => {
            let (text, samples) = reader.table_as_csv(&order)?;
            if output.is_json() {
                output.line(&json!({ "samples": samples, "csv": text }));
            } else {
                // A reader that has seen enough closes its end.
                let _ = std::io::stdout().write_all(text.as_bytes());
            }
        }
    }
    Ok(())
}
