//! `paser sensitivity`: how far clusters and selection hang on single settings, one at a time around those in force.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use paser_engine::{RunOptions, Session};
use paser_protocol::{Factor, Report, StabilityView};
use serde_json::json;

use crate::interrupt;
use crate::output::{Output, Table, duration, thousands};
use crate::project::Follower;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser sensitivity my-recovery --factor d --factor seed\n\n\
    d: diffusion coordinates, t: diffusion time, K: clusters before merging, k: graph neighbours,\n\
    tau: temperature of the divergence (one more scoring pass), seed: seed of the manifold.\n\
    Ctrl-C keeps the settings that are finished.")]
pub struct SensitivityArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// A setting to sweep, may be repeated; all of them if left out.
    #[arg(long = "factor", value_name = "FACTOR", value_parser = factors())]
    factors: Vec<Factor>,
}

/// The symbols of all factors, for help and completion.
fn factors() -> impl TypedValueParser<Value = Factor> {
    PossibleValuesParser::new(Factor::ALL.map(Factor::symbol)).try_map(|name| name.parse::<Factor>())
}

pub fn run(args: &SensitivityArgs, threads: usize, output: Output) -> Result<(), Report> {
    let session = Session::open(&args.dir)?;
    let asked = if args.factors.is_empty() { Factor::ALL.to_vec() } else { args.factors.clone() };
    let before = session.stability()?;
    if let Some(report) = before.blocked {
        return Err(report);
    }
    say_cost(&before, &asked);
    // One object is the whole output for programs: progress goes to people only.
    let follower = Follower::new(Output::new(false));
    let options = RunOptions { threads, ..RunOptions::default() };
    let view = session.sweep_factors(&asked, &options, &|event| follower.hear(&event), interrupt::flag())?;
    drop(follower);
    show(&view, &asked, output);
    let factors: Vec<_> = view.factors.iter().filter(|of| asked.contains(&of.factor)).collect();
    let factors: Vec<_> = factors
        .iter()
        .map(|of| json!({ "factor": of.factor.symbol(), "current": of.current, "settings": of.settings }))
        .collect();
    output.line(&json!({ "budget": view.budget.to_string(), "factors": factors }));
    Ok(())
}

fn say_cost(view: &StabilityView, asked: &[Factor]) {
    let missing = view.factors.iter().filter(|of| asked.contains(&of.factor) && of.settings.is_empty());
    let sum = missing.map(|of| of.estimate).try_fold((0.0, 0.0), |(low, high), estimate| {
        let (least, most) = estimate?;
        Some((low + least, high + most))
    });
    match sum {
        Some((_, 0.0)) => {}
        Some((low, high)) => eprintln!("sweeping, about {} to {}", duration(low), duration(high)),
        None => eprintln!("sweeping; how long it takes is not known yet"),
    }
}

fn show(view: &StabilityView, asked: &[Factor], output: Output) {
    output.say(format!(
        "clusters against those in force (adjusted Rand index, K held), selections at {} against the one in force",
        view.budget
    ));
    let mut table = Table::new(&[
        "<factor",
        "value",
        "<",
        "samples",
        "clusters",
        "agreement",
        "selected",
        "shared",
        "overlap",
        "by chance",
    ]);
    for of in view.factors.iter().filter(|of| asked.contains(&of.factor)) {
        for setting in &of.settings {
            table.row([
                of.factor.symbol().to_owned(),
                format!("{}", setting.value),
                if setting.current { "in force".to_owned() } else { String::new() },
                thousands(setting.rows),
                setting.clusters.to_string(),
                format!("{:.3}", setting.agreement),
                thousands(setting.selected),
                thousands(setting.shared),
                format!("{:.3}", setting.overlap),
                format!("{:.3}", setting.chance),
            ]);
        }
    }
    output.table(&table);
}
