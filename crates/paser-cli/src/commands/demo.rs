//! `paser demo`: the embedded demo project as it was recorded, or computed anew and compared with the record.

use std::path::PathBuf;

use clap::Args;
use paser_engine::{Program, RunOptions, demo, state_folder};
use paser_protocol::{Guard, Report, SelectionPlan, Stage};
use serde_json::json;

use super::run;
use crate::exit::OrTell as _;
use crate::interrupt;
use crate::output::{Output, Table, thousands};
use crate::project::{self, Follower};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser demo --fresh")]
pub struct DemoArgs {
    /// Folder for the demo project; the program's own state folder if left out.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Compute everything anew beside it, and compare with the recorded run.
    #[arg(long)]
    fresh: bool,
    /// Also write the project as one offline HTML file: map, damage bars and ledger.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub fn run(args: &DemoArgs, threads: usize, output: Output) -> Result<(), Report> {
    let root = args.dir.clone().unwrap_or_else(|| state_folder().join("demo"));
    let follower = Follower::new(output);
    let options = RunOptions { threads, memory: None, worker: Some(Program::this()?), arms: Vec::new() };
    let session = demo::open(&root, &options, &|event| follower.hear(&event), interrupt::flag())?;
    let summary = if args.fresh {
        let (summary, comparison) =
            demo::run_again(&session, &options, &|event| follower.hear(&event), interrupt::flag())?;
        output.say(&comparison.verdict);
        let mut table = Table::new(&["<selection", "same samples"]);
        for (name, share) in &comparison.selections {
            table.row([name.clone(), format!("{:.2} %", share * 100.0)]);
        }
        output.table(&table);
        output.line(&json!({ "event": "comparison", "comparison": comparison }));
        summary
    } else {
        project::run(&session, Stage::Select, &options, output)?
    };
    drop(follower);
    let noise = session.noise_report(&SelectionPlan::default(), interrupt::flag())?;
    if !output.is_json() {
        let mut table = Table::new(&["<strategy", "<concept graph", "<noise guard", "selected", "planted noise"]);
        for row in &noise {
            let word = |on: bool| if on { "on" } else { "off" }.to_owned();
            table.row([
                row.strategy.to_string(),
                word(row.concepts),
                word(row.guard == Guard::Tukey),
                thousands(row.selected),
                thousands(row.noise),
            ]);
        }
        output.table(&table);
    }
    output.line(&json!({ "event": "noise", "noise": noise }));
    if let Some(report) = &args.report {
        fs_err::write(report, session.report_html(interrupt::flag())?).or_tell()?;
        output.say(format!("the report is in {}", report.display()));
    }
    run::tell(&session.view(), &summary, output);
    let root = session.root().display();
    output.say(format!("the demo project is in {root}; look at it with `paser serve {root}` or `paser-studio {root}`"));
    Ok(())
}
