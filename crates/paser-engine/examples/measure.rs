//! Runs a project to the end and prints what each stage took: `measure DIR [--threads N]`.

use std::{path::Path, sync::atomic::AtomicBool, time::Instant};

use paser_engine::{RunOptions, Session};
use paser_protocol::{Event, SelectionPlan, Stage};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let threads = arguments.iter().position(|argument| argument == "--threads");
    let threads = threads.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(0);
    let Some(folder) = arguments.first() else {
        eprintln!("usage: measure DIR [--threads N]");
        return;
    };
    let started = Instant::now();
    let session = match Session::open(Path::new(folder)) {
        Ok(session) => session,
        Err(report) => return eprintln!("{report}"),
    };
    println!("open {:.2} s", started.elapsed().as_secs_f64());
    let last = std::sync::Mutex::new((String::new(), Instant::now()));
    let sink = |event: Event| {
        if let Event::Job { job } = event {
            let Ok(mut last) = last.lock() else { return };
            if last.0 != job.what || last.1.elapsed().as_secs() >= 10 {
                let eta = job.eta_seconds.map_or_else(String::new, |eta| format!(", {eta:.0} s left"));
                eprintln!("{} {}: {} of {} {}{eta}", job.stage.name(), job.what, job.done, job.total, job.unit);
                *last = (job.what, Instant::now());
            }
        }
    };
    let options = RunOptions { threads, memory: None, worker: None, arms: Vec::new() };
    match session.run(Stage::Select, &options, &sink, &AtomicBool::new(false)) {
        Ok(summary) => {
            for stage in &summary.stages {
                println!(
                    "{:9} {:8.2} s  {:7.1} MiB  {}",
                    stage.stage.name(),
                    stage.seconds,
                    stage.peak_memory_bytes as f64 / f64::from(1 << 20),
                    if stage.cached { "cached" } else { "" }
                );
            }
            for cluster in &summary.clusters {
                println!(
                    "{:2} {:6} {:.4} {}",
                    cluster.cluster,
                    cluster.samples,
                    cluster.cds.unwrap_or(f64::NAN),
                    cluster.name
                );
            }
            for selection in &summary.selections {
                println!("{} {} of {}", selection.selection, selection.selected, selection.budget);
            }
        }
        Err(report) => eprintln!("{report}"),
    }
    let timed = |what: &str, work: &dyn Fn()| {
        let started = Instant::now();
        work();
        println!("{what} {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    };
    timed("view", &|| drop(session.view()));
    for strategy in paser_protocol::Strategy::ALL {
        let plan = SelectionPlan { strategy, seed: 1, ..SelectionPlan::default() };
        timed(&format!("select {strategy}"), &|| {
            if let Err(report) = session.select(&plan, &AtomicBool::new(false)) {
                println!("{report}");
            }
        });
    }
    let query = |text: &str, sort: &str| paser_protocol::RowQuery {
        text: text.to_owned(),
        sort: sort.to_owned(),
        ..paser_protocol::RowQuery::default()
    };
    for (text, sort) in [("", "jsd"), ("water", ""), ("the", "jsd"), ("", "id"), ("", "instruction")] {
        timed(&format!("query {text:?} by {sort:?}"), &|| drop(session.rows(&query(text, sort))));
    }
    timed("tokens, first", &|| drop(session.tokens(0)));
    timed("tokens, second", &|| drop(session.tokens(1)));
}
