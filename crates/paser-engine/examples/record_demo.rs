//! Computes the demo and records the run that ships with the program: `record_demo` writes
//! `crates/paser-demo/assets/recorded.bin`. Run it again whenever a stage's results change.

use std::{path::Path, sync::atomic::AtomicBool};

use paser_engine::{Outcome, RunOptions, demo};
use paser_protocol::{Failure, Report, SelectionPlan};

fn record(place: &Path) -> Outcome<()> {
    let never = AtomicBool::new(false);
    let (session, summary) = demo::compute(place, &RunOptions::default(), &|_| {}, &never)?;
    for stage in &summary.stages {
        println!("{:9} {:6.2} s", stage.stage.name(), stage.seconds);
    }
    for cluster in &summary.clusters {
        println!("{:2} {:5} {:.4} {}", cluster.cluster, cluster.samples, cluster.cds.unwrap_or(f64::NAN), cluster.name);
    }
    for row in session.noise_report(&SelectionPlan::default(), &never)? {
        println!(
            "{} concepts {} guard {:?}: {} noise of {}",
            row.strategy, row.concepts, row.guard, row.noise, row.selected
        );
    }
    let bytes = session.pack_recorded()?;
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/../paser-demo/assets/recorded.bin");
    fs_err::write(target, &bytes).map_err(|error| Report::new(Failure::Machine, error.to_string(), ""))?;
    println!("{:.2} MB", bytes.len() as f64 / 1e6);
    Ok(())
}

fn main() {
    let place = std::env::temp_dir().join(format!("paser-record-{}", std::process::id()));
    if let Err(report) = record(&place) {
        eprintln!("{report}");
    }
    // What is left behind lies in the system's temporary folder.
    let _ = fs_err::remove_dir_all(place);
}
