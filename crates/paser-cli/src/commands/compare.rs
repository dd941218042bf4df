//! `paser compare`: what two or more selections share, where they differ, and what each costs.

use std::path::PathBuf;

use clap::Args;
use paser_engine::{Reader, SelectionComparison};
use paser_protocol::{ProjectView, Report, Stage, StageState};
use serde_json::json;

use crate::exit::usage;
use crate::output::{Output, Table, duration, figure, thousands};

#[derive(Args, Debug)]
#[command(
    override_usage = "paser compare [OPTIONS] [DIR] <A> <B>...",
    after_help = "Example:\n  paser compare my-recovery paser-20 random-20"
)]
pub struct CompareArgs {
    /// Folder of the project (the current one if left out), then the names of two or more selections.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub fn run(args: &CompareArgs, output: Output) -> Result<(), Report> {
    let (dir, names) = split(&args.names)?;
    let reader = Reader::open(&dir)?;
    let comparison = reader.compare(&names)?;
    let preparation = preparation_seconds(&reader.view());
    show(&comparison, output);
    output.say(format!(
        "cost: {} of computing before any selection, and the tokens above to train on",
        duration(preparation)
    ));
    output.line(&json!({
        "selections": comparison.selections,
        "overlaps": comparison.overlaps,
        "preparation_seconds": preparation,
    }));
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
    done.sum()
}

fn show(comparison: &SelectionComparison, output: Output) {
    let mut table =
        Table::new(&["<selection", "<strategy", "samples", "tokens", "mean damage", "mean response", "above fence"]);
    for side in &comparison.selections {
        table.row([
            side.selection.clone(),
            side.strategy.clone(),
            thousands(side.selected),
            thousands(side.tokens),
            figure(side.mean_damage, 4),
            format!("{:.1}", side.mean_response_tokens),
            format!("{:.1} %", side.above_fence * 100.0),
        ]);
    }
    output.table(&table);
    let mut overlaps = Table::new(&["<first", "<second", "shared", "share of both"]);
    for overlap in &comparison.overlaps {
        overlaps.row([
            overlap.first.clone(),
            overlap.second.clone(),
            thousands(overlap.shared),
            format!("{:.1} %", overlap.jaccard * 100.0),
        ]);
    }
    output.table(&overlaps);
    let Some(first) = comparison.selections.first() else { return };
    let mut head = vec!["<cluster"];
    head.extend(comparison.selections.iter().map(|side| side.selection.as_str()));
    let mut clusters = Table::new(&head);
    for (at, (name, _)) in first.clusters.iter().enumerate() {
        let taken = comparison.selections.iter().map(|side| side.clusters.get(at).map_or(0, |(_, taken)| *taken));
        clusters.row(std::iter::once(name.clone()).chain(taken.map(thousands)));
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
