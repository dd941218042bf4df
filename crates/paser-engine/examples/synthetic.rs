//! Makes a project of made-up samples: what `cargo xtask synthetic` runs.

use std::{env, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result};
use paser_engine::synthetic;
use paser_protocol::Event;

fn main() -> Result<()> {
    let usage = "usage: synthetic [--samples N] [--seed N] DIR";
    let (mut samples, mut seed, mut folder) = (1_000_000, 1, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--samples" => samples = arguments.next().context(usage)?.parse().context(usage)?,
            "--seed" => seed = arguments.next().context(usage)?.parse().context(usage)?,
            _ if folder.is_none() && !argument.starts_with('-') => folder = Some(PathBuf::from(argument)),
            _ => anyhow::bail!("{usage}"),
        }
    }
    let folder = folder.context(usage)?;
    let began = Instant::now();
    let tell = |event| match event {
        Event::Job { job } => {
            eprintln!("{:.0} s, {}: {} of {} {}", job.seconds, job.what, job.done, job.total, job.unit);
        }
        Event::Notice { text } => eprintln!("{text}"),
        _ => {}
    };
    let made = synthetic::make(&folder, samples, seed, &tell).map_err(|report| anyhow::anyhow!("{report}"))?;
    for selection in &made.selections {
        println!("{}: {} of a budget of {}", selection.selection, selection.selected, selection.budget);
    }
    println!("{} holds {samples} samples after {:.0} s", folder.display(), began.elapsed().as_secs_f64());
    Ok(())
}
