//! `paser compare`: what two or more selections share, where they differ, and what each costs.

use std::path::PathBuf;

use clap::Args;
use paser_engine::Reader;
use paser_protocol::{ComparisonView, ProjectView, Report, Stage, StageState};
use serde_json::json;

use crate::exit::{OrTell, usage};
use crate::interrupt;
use crate::output::{Output, Table, duration, figure, thousands};

#[derive(Args, Debug)]
#[command(
    override_usage = "paser compare [OPTIONS] [DIR] <A> <B>...",
    after_help = "Example:\n  paser compare my-recovery paser-20 random-20\n  paser compare my-recovery paser-20 random-20 --diff difference.csv"
)]
pub struct CompareArgs {
    /// Folder of the project (the current one if left out), then the names of two or more selections.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Write the samples that some of them hold and others do not to this file, as CSV.
    #[arg(long, value_name = "FILE")]
    diff: Option<PathBuf>,
}

pub fn run(args: &CompareArgs, output: Output) -> Result<(), Report> {
    let (dir, names) = split(&args.names)?;
    let reader = Reader::open(&dir)?;
    let comparison = reader.compare(&names, interrupt::flag())?;
    let preparation = preparation_seconds(&reader.view());
    show(&comparison, output);
    output.say(format!(
        "cost: {} of computing before any selection, and the tokens above to train on",
        duration(preparation)
    ));
    let mut line = json!(comparison);
    line["preparation_seconds"] = json!(preparation);
    if let Some(path) = &args.diff {
        let written = reader.write_differences(&names, &std::path::absolute(path).or_tell()?)?;
        output.say(format!("{} samples differ: {}", thousands(written.samples), path.display()));
        line["differences"] = json!(written);
    }
    output.line(&line);
    Ok(())
}

/// The first word is the project's folder where it is one, and no selection can be meant by it.
fn split(words: &[String]) -> Result<(PathBuf, Vec<String>), Report> {
    let first = PathBuf::from(&words[0]);
    let (dir, names) = if first.join("recipe.toml").is_file() || words[0].contains(['/', '\\']) {
        (first, &words[1..])
    } else {
        (PathBuf::from("."), words)
    };
    if names.len() < 2 {
        return Err(usage("a comparison needs two selections", "Name them after the folder: paser compare DIR A B."));
    }
    Ok((dir, names.to_vec()))
}

/// What had to be computed before anything could be selected.
fn preparation_seconds(view: &ProjectView) -> f64 {
    let done = view.stages.iter().filter_map(|stage| match stage.state {
        StageState::Done { seconds, .. } if stage.stage != Stage::Select => Some(seconds),
        _ => None,
    });
    // Not `sum`: of nothing that is -0.
    done.fold(0.0, |sum, seconds| sum + seconds)
}

fn show(comparison: &ComparisonView, output: Output) {
    let mut table = Table::new(&[
        "<selection",
        "<strategy",
        "samples",
        "tokens",
        "mean damage",
        "mean response",
        "median",
        "conflicts",
        "above fence",
    ]);
    for side in &comparison.selections {
        table.row([
            side.selection.clone(),
            side.strategy.clone(),
            thousands(side.selected),
            thousands(side.tokens),
            figure(side.mean_damage, 4),
            format!("{:.1}", side.mean_response_tokens),
            figure(side.median_response_tokens, 1),
            thousands(side.conflicts),
            format!("{:.1} %", side.above_fence * 100.0),
        ]);
    }
    output.table(&table);
    if let Some(chance) = &comparison.chance
        && let Some((low, high)) = chance.mean_damage
    {
        let budget = &comparison.selections[0].selection;
        output.say(format!(
            "random at the budget of {budget}, {} seeds: mean damage {low:.4} to {high:.4}",
            chance.seeds
        ));
    }
    let mut overlaps = Table::new(&["<first", "<second", "shared", "by chance", "of either"]);
    for overlap in &comparison.overlaps {
        overlaps.row([
            overlap.first.clone(),
            overlap.second.clone(),
            thousands(overlap.shared),
            thousands(overlap.chance.round() as u64),
            format!("{:.1} %", overlap.jaccard * 100.0),
        ]);
    }
    output.table(&overlaps);
    let mut parts = Table::new(&["<held by", "samples", "tokens", "mean damage"]);
    for part in &comparison.parts {
        let held = comparison.selections.iter().zip(&part.held).filter(|(_, held)| **held);
        let held: Vec<&str> = held.map(|(side, _)| side.selection.as_str()).collect();
        let only = if held.len() < comparison.selections.len() { " only" } else { "" };
        parts.row([
            format!("{}{only}", held.join(" and ")),
            thousands(part.samples),
            thousands(part.tokens),
            figure(part.mean_damage, 4),
        ]);
    }
    parts.row(["none of them".to_owned(), thousands(comparison.neither), String::new(), String::new()]);
    output.table(&parts);
    let Some(first) = comparison.selections.first() else { return };
    let mut head = vec!["<cluster"];
    head.extend(comparison.selections.iter().map(|side| side.selection.as_str()));
    let by_chance = comparison.chance.as_ref().map(|chance| format!("random, {} seeds", chance.seeds));
    head.extend(by_chance.as_deref());
    let mut clusters = Table::new(&head);
    for (at, share) in first.clusters.iter().enumerate() {
        let taken = comparison.selections.iter().map(|side| thousands(side.clusters.get(at).map_or(0, |c| c.taken)));
        let band = comparison
            .chance
            .iter()
            .map(|chance| chance.taken.get(at).map_or_else(String::new, |(low, high)| format!("{low} to {high}")));
        clusters.row(std::iter::once(share.name.clone()).chain(taken).chain(band));
    }
    output.table(&clusters);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_folder_comes_first_where_there_is_one() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(split(&words(&["a", "b"])).unwrap().0, PathBuf::from("."));
        assert_eq!(split(&words(&["some/dir", "a", "b"])).unwrap().1, ["a", "b"]);
        assert!(split(&words(&["some/dir", "a"])).is_err());
    }
}
