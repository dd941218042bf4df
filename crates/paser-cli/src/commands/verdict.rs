//! `paser verdict`: two arms side by side, with what may be said of their difference.

use std::path::PathBuf;

use clap::Args;
use paser_engine::Reader;
use paser_protocol::{Finding, Report, TableFormat, VerdictView};

use crate::exit::{OrTell, usage};
use crate::output::{Output, Table, thousands};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser verdict my-recovery paser-20 random-20 --metric answer-match")]
pub struct VerdictArgs {
    /// Folder of the project.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The two arms.
    #[arg(value_name = "ARM", num_args = 2)]
    arms: Vec<String>,
    /// held-out-loss, damage-left or answer-match.
    #[arg(long, value_name = "METRIC", default_value = "held-out-loss")]
    metric: String,
    /// Write all metrics to this file: .html, .md, .csv or .tex.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub fn run(args: &VerdictArgs, output: Output) -> Result<(), Report> {
    let reader = Reader::open(&args.dir)?;
    let verdict = reader.verdict(&args.arms[0], &args.arms[1], &args.metric)?;
    show(&verdict, output);
    output.line(&verdict);
    if let Some(path) = &args.report {
        let format = match path.extension().and_then(|end| end.to_str()) {
            Some("html") => TableFormat::Html,
            Some("md") => TableFormat::Markdown,
            Some("csv") => TableFormat::Csv,
            Some("tex") => TableFormat::Latex,
            _ => return Err(usage(format!("{}: reports end with .html, .md, .csv or .tex", path.display()), "")),
        };
        let path = std::path::absolute(path).or_tell()?;
        let written = reader.recovery_report(&args.arms[0], &args.arms[1], format, &path.to_string_lossy())?;
        output.say(format!("written: {}", written.paths.join(", ")));
    }
    Ok(())
}

fn show(verdict: &VerdictView, output: Output) {
    let VerdictView { first, second, metric, seeds, .. } = verdict;
    output.say(format!("{}, {}; seeds: {first} {}, {second} {}", metric.name, metric.unit, seeds.0, seeds.1));
    let mut table = Table::new(&["<group", "items", first, second, "difference", "95 %", "least gap", "p", "<verdict"]);
    for row in &verdict.rows {
        let found = match row.finding {
            Finding::First => format!("{first} better"),
            Finding::Second => format!("{second} better"),
            Finding::CannotTell => "cannot tell".to_owned(),
        };
        table.row([
            row.task.clone(),
            thousands(row.items),
            format!("{:.4}", row.first),
            format!("{:.4}", row.second),
            format!("{:+.4}", row.difference.value),
            format!("{:+.4} to {:+.4}", row.difference.low, row.difference.high),
            format!("{:.4}", row.least_gap),
            format!("{:.3}", row.p),
            found,
        ]);
    }
    output.table(&table);
    output.say(&verdict.sentence);
    for note in &verdict.notes {
        output.say(format!("Note: {note}."));
    }
}
