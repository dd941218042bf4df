//! `paser check`: near-duplicates and benchmark questions in the pool, and their exclusion.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use paser_engine::{CheckOptions, Excluded, Excluding, Lookup, Reader};
use paser_protocol::{ChecksView, Reply, Report, Request};
use serde_json::{Value, json};

use crate::exit::OrTell as _;
use crate::interrupt;
use crate::output::{Output, Table, duration, thousands};
use crate::owned::{self, Opened, Owned, unexpected};
use crate::project::Follower;

/// Groups and leaks of a benchmark that are shown.
const SHOWN: usize = 10;
/// Ids of a group and characters of shared words that fit on a line.
const IDS: usize = 4;
const WIDTH: usize = 70;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    Duplicates,
    Leaks,
    All,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser check my-recovery --benchmark arc_easy.jsonl --benchmark gsm8k.jsonl\n  \
                        paser check my-recovery --exclude all")]
pub struct CheckArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// A file of benchmark tasks: JSON lines, a JSON array or .txt; may be repeated. Left out: those of the recipe.
    #[arg(long = "benchmark", value_name = "FILE")]
    benchmarks: Vec<PathBuf>,
    /// Similarity of near-duplicates, 0.5 to 1, or 0 for none. Left out: the recipe's.
    #[arg(long, value_name = "SHARE")]
    threshold: Option<f64>,
    /// Exclude what was found; `paser curate undo` takes it back.
    #[arg(long, value_enum, value_name = "WHAT")]
    exclude: Option<What>,
}

pub fn run(args: &CheckArgs, threads: usize, output: Output) -> Result<(), Report> {
    let what = args.exclude.map(|what| match what {
        What::Duplicates => Excluding::Duplicates,
        What::Leaks => Excluding::Leaks,
        What::All => Excluding::All,
    });
    let opened = owned::open(&args.dir)?;
    let (found, excluded) = match &opened {
        Opened::Own(session) => {
            let options = CheckOptions { threshold: args.threshold, benchmarks: args.benchmarks.clone(), threads };
            // One object is the whole output for programs: progress goes to people only.
            let follower = Follower::new(Output::new(false));
            let found = session.check(&options, &|event| follower.hear(&event), interrupt::flag())?;
            drop(follower);
            let excluded = what.map(|what| session.exclude_checked(&found, what)).transpose()?;
            (found, excluded)
        }
        Opened::Owned(owned) => by_owner(owned, args, what)?,
    };
    let pool = match &opened {
        Opened::Own(session) => session.lookup(),
        Opened::Owned(owned) => owned.reader.lookup(),
    };
    show(pool, &found, output)?;
    if let Some(excluded) = &excluded {
        output.say(told(excluded));
    }
    output.line(&object(pool, &found, excluded.as_ref())?);
    Ok(())
}

/// Checks and exclusion by the process that owns the project.
fn by_owner(
    owned: &Owned,
    args: &CheckArgs,
    what: Option<Excluding>,
) -> Result<(ChecksView, Option<Excluded>), Report> {
    // The owner starts in another folder than the person who typed these.
    let absolute = args.benchmarks.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>().or_tell()?;
    let benchmarks = absolute.into_iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let found = match owned.remote.ask(&Request::Check { threshold: args.threshold, benchmarks })? {
        Reply::Checks(found) => *found,
        other => return Err(unexpected(&other)),
    };
    let Some(what) = what else { return Ok((found, None)) };
    let (mut done, edits) = owned.reader.lookup().exclusions(&found, what)?;
    for edit in edits {
        let curation = owned.curate(&Request::Curate { edit })?;
        done.entries.extend(Reader::open(&args.dir)?.lookup().entry(curation.entries));
    }
    Ok((found, Some(done)))
}

fn told(excluded: &Excluded) -> String {
    let mut text = match excluded.entries.as_slice() {
        [] => "nothing to exclude".to_owned(),
        entries => {
            let entries: Vec<String> = entries.iter().map(|entry| entry.entry.to_string()).collect();
            let lines = if entries.len() == 1 { "journal entry" } else { "journal entries" };
            format!("{} samples excluded, {lines} {}", thousands(excluded.samples), entries.join(", "))
        }
    };
    for (count, what) in [(excluded.before, "excluded before"), (excluded.pinned, "pinned and left alone")] {
        if count > 0 {
            text.push_str(&format!("; {} {what}", thousands(count)));
        }
    }
    text
}

fn show(pool: Lookup<'_>, found: &ChecksView, output: Output) -> Result<(), Report> {
    if let Some(near) = &found.near_duplicates {
        output.say(format!(
            "near-duplicates, similarity {} or more: {} samples in {} groups beside the kept ones{}",
            near.threshold,
            thousands(near.samples),
            thousands(near.groups),
            if near.groups == 0 { String::new() } else { format!("; the largest has {}", thousands(near.largest)) },
        ));
        let mut table = Table::new(&["<kept", "samples", "similarity", "<near-duplicates of it"]);
        for group in near.examples.iter().take(SHOWN) {
            let mut ids = pool.ids_of(&group.rows[..group.rows.len().min(IDS)])?.join(", ");
            if group.rows.len() > IDS {
                ids.push_str(&format!(" and {} more", thousands((group.rows.len() - IDS) as u64)));
            }
            let samples = thousands(group.rows.len() as u64 + 1);
            table.row([group.kept_id.clone(), samples, format!("{:.2}", group.similarity), ids]);
        }
        output.table(&table);
    }
    let mut table = Table::new(&["<benchmark", "questions", "too short", "samples with a question", "<file"]);
    let mut examples = Table::new(&["<benchmark", "<sample", "share", "<words in common"]);
    for benchmark in &found.benchmarks {
        table.row([
            benchmark.name.clone(),
            thousands(benchmark.questions),
            thousands(benchmark.too_short),
            thousands(benchmark.samples.len() as u64),
            benchmark.path.clone(),
        ]);
        for leak in benchmark.examples.iter().take(SHOWN) {
            let mut words: String = leak.shared.chars().take(WIDTH).collect();
            if words.len() < leak.shared.len() {
                words.push('…');
            }
            examples.row([benchmark.name.clone(), leak.id.clone(), format!("{:.0} %", leak.share * 100.0), words]);
        }
    }
    output.table(&table);
    output.table(&examples);
    found.off.iter().chain(&found.notes).for_each(|sentence| output.say(sentence));
    output.say(format!("computed in {}", duration(found.seconds)));
    Ok(())
}

/// Samples by their ids, as in every output.
fn object(pool: Lookup<'_>, found: &ChecksView, excluded: Option<&Excluded>) -> Result<Value, Report> {
    let near_duplicates = match &found.near_duplicates {
        None => Value::Null,
        Some(near) => {
            let examples = near.examples.iter().map(|group| {
                let others = pool.ids_of(&group.rows)?;
                Ok(json!({ "kept": group.kept_id, "others": others, "similarity": group.similarity }))
            });
            json!({
                "threshold": near.threshold,
                "groups": near.groups,
                "samples": near.samples,
                "largest": near.largest,
                "ids": pool.ids_of(&near.rows)?,
                "examples": examples.collect::<Result<Vec<_>, Report>>()?,
            })
        }
    };
    let benchmarks = found.benchmarks.iter().map(|benchmark| {
        let examples = benchmark.examples.iter().map(
            |leak| json!({ "id": leak.id, "question": leak.question, "shared": leak.shared, "share": leak.share }),
        );
        Ok(json!({
            "name": benchmark.name,
            "path": benchmark.path,
            "questions": benchmark.questions,
            "too_short": benchmark.too_short,
            "ids": pool.ids_of(&benchmark.samples)?,
            "examples": examples.collect::<Vec<_>>(),
        }))
    });
    Ok(json!({
        "near_duplicates": near_duplicates,
        "benchmarks": benchmarks.collect::<Result<Vec<_>, Report>>()?,
        "seconds": found.seconds,
        "off": found.off,
        "notes": found.notes,
        "excluded": excluded,
    }))
}
