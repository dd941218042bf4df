//! `paser status`: where a project stands, and what is stale and why.

use std::path::PathBuf;

use clap::Args;
use paser_engine::Reader;
use paser_protocol::{ClusterView, ProjectView, Report, RunView, StageState, StageView};
use serde_json::json;

use crate::output::{Output, Table, duration, figure, thousands};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser status my-recovery")]
pub struct StatusArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub fn run(args: &StatusArgs, output: Output) -> Result<(), Report> {
    let reader = Reader::open(&args.dir)?;
    let (view, owner) = (reader.view(), reader.owner());
    show(&view, owner.is_some(), output);
    if let Some(run) = &view.run {
        output.say(unended(run, owner.is_some()));
    }
    if let Some(owner) = &owner {
        output.say(format!("The project is open in {owner}: this is what it has on disk so far."));
    }
    let selections: Vec<_> = view
        .selections
        .iter()
        .map(|selection| {
            json!({
                "selection": selection.name,
                "strategy": selection.plan.strategy,
                "budget": selection.budget,
                "unit": selection.unit,
                "selected": selection.selected,
            })
        })
        .collect();
    output.line(&json!({
        "project": view.path,
        "name": view.name,
        "dense": view.dense,
        "pruned": view.pruned,
        "pruning": view.pruning,
        "template": view.template,
        "pool": view.pool,
        "stages": view.stages,
        "job": view.job,
        "run": view.run,
        "manifold": view.manifold,
        "clusters": view.clusters,
        "schemes": view.schemes,
        "selections": selections,
        "pinned": view.curation.pinned.len(),
        "excluded": view.curation.excluded.len(),
        "owner": owner,
    }));
    Ok(())
}

/// Pool and stages, then what they gave. `owned`: by another process, which may be at work.
fn show(view: &ProjectView, owned: bool, output: Output) {
    let pool = &view.pool;
    output.say(format!(
        "{}: {} samples ({} rows, {} merged, {} bad, {} held out, {} unscorable)",
        view.name,
        thousands(pool.samples),
        thousands(pool.rows),
        thousands(pool.merged),
        thousands(pool.bad),
        thousands(pool.held_out),
        thousands(pool.unscorable),
    ));
    let mut stages = Table::new(&["<stage", "<state", "seconds", "<remark"]);
    for stage in &view.stages {
        let (word, seconds, remark) = match &stage.state {
            StageState::Missing => (open(stage.kept, owned, "to do"), String::new(), remark(stage, "")),
            StageState::Stale { why } => (open(stage.kept, owned, "stale"), String::new(), remark(stage, why)),
            StageState::Running => ("running", String::new(), String::new()),
            StageState::Done { seconds, cached } => {
                ("done", format!("{seconds:.1}"), if *cached { "as before".to_owned() } else { String::new() })
            }
            StageState::Failed { report } => ("failed", String::new(), report.what.clone()),
        };
        stages.row([stage.stage.name().to_owned(), word.to_owned(), seconds, remark]);
    }
    output.table(&stages);
    show_results(view, output);
}

/// Clusters by falling damage, and selections.
pub fn show_results(view: &ProjectView, output: Output) {
    if let Some(manifold) = &view.manifold {
        let merged = match manifold.k.saturating_sub(manifold.clusters) {
            0 => String::new(),
            1 => "; one too small to trust joined another".to_owned(),
            count => format!("; {count} too small to trust joined others"),
        };
        output.say(format!("{}; {} clusters: {}{merged}", manifold.vectors, manifold.clusters, manifold.rule));
    }
    if !view.clusters.is_empty() {
        let mut table = Table::new(&["cluster", "<name", "samples", "damage", "low", "high", "after first token"]);
        for (_, cluster) in worst_first(view) {
            table.row([
                cluster.cluster.to_string(),
                cluster.name.clone(),
                thousands(cluster.samples),
                figure(cluster.cds, 4),
                figure(cluster.cds_low, 4),
                figure(cluster.cds_high, 4),
                figure(cluster.cds_rest, 4),
            ]);
        }
        output.table(&table);
    }
    show_schemes(view, output);
    if !view.selections.is_empty() {
        let mut table = Table::new(&["<selection", "<strategy", "budget", "selected", "tokens"]);
        for selection in &view.selections {
            table.row([
                selection.name.clone().unwrap_or_default(),
                selection.plan.strategy.to_string(),
                format!("{} {}", thousands(selection.budget), selection.unit),
                thousands(selection.selected),
                thousands(selection.tokens),
            ]);
        }
        output.table(&table);
    }
}

/// Damage per cluster by every pruned model, worst first by the project's own; nothing where there is only that one.
pub fn show_schemes(view: &ProjectView, output: Output) {
    if view.schemes.is_empty() {
        return;
    }
    let mut models = Table::new(&["<pruned model", "<pruning", "scored", "<remark"]);
    for scheme in &view.schemes {
        let remark = match (scheme.own, scheme.whole) {
            (true, _) => "selections are made with it",
            (false, true) => "",
            (false, false) => "to be scored",
        };
        models.row([scheme.name.clone(), scheme.pruning.clone(), thousands(scheme.scored), remark.to_owned()]);
    }
    output.table(&models);
    let heads: Vec<String> = view.schemes.iter().flat_map(|scheme| [scheme.name.clone(), "95 %".to_owned()]).collect();
    let heads: Vec<&str> = ["cluster", "<name"].into_iter().chain(heads.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heads);
    for (at, cluster) in worst_first(view) {
        let mut cells = vec![cluster.cluster.to_string(), cluster.name.clone()];
        for damage in view.schemes.iter().map(|scheme| scheme.damage.get(at)) {
            cells.push(figure(damage.and_then(|damage| damage.cds), 4));
            let half = damage.and_then(|damage| Some((damage.cds_high? - damage.cds_low?) / 2.0));
            cells.push(half.map_or_else(String::new, |half| format!("± {half:.4}")));
        }
        table.row(cells);
    }
    output.table(&table);
}

/// The clusters by falling damage, each with its place in the view.
fn worst_first(view: &ProjectView) -> Vec<(usize, &ClusterView)> {
    let mut clusters: Vec<_> = view.clusters.iter().enumerate().collect();
    let damage = |cluster: &ClusterView| cluster.cds.unwrap_or(f64::NEG_INFINITY);
    clusters.sort_by(|(_, a), (_, b)| damage(b).total_cmp(&damage(a)).then(a.cluster.cmp(&b.cluster)));
    clusters
}

/// A run that was begun and has not ended.
fn unended(run: &RunView, owned: bool) -> String {
    let until = run.until.name();
    let worker = run.worker.map(|pid| format!("its worker (pid {pid}) is still at work; ")).unwrap_or_default();
    match (run.paused, owned) {
        (true, _) => format!("A run through {until} is paused: {worker}`paser run` goes on with it."),
        (false, true) => match run.worker {
            Some(pid) => format!("A run through {until} is at work; its worker has pid {pid}."),
            None => format!("A run through {until} is at work."),
        },
        (false, false) => format!("A run through {until} was interrupted: {worker}`paser run` goes on with it."),
    }
}

/// The state of a stage that has to run.
fn open(kept: Option<(u64, u64)>, owned: bool, word: &'static str) -> &'static str {
    match (kept, owned) {
        (None, _) => word,
        (Some(_), true) => "half-way",
        (Some(_), false) => "stopped half-way",
    }
}

/// What the next run does about it.
fn remark(stage: &StageView, why: &str) -> String {
    let kept = stage.kept.map(|(finished, parts)| format!("{finished} of {parts} parts are finished and kept"));
    let remarks = [why.to_owned(), kept.unwrap_or_default(), estimate(stage.estimate)];
    remarks.into_iter().filter(|remark| !remark.is_empty()).collect::<Vec<_>>().join("; ")
}

fn estimate(range: Option<(f64, f64)>) -> String {
    range.map_or_else(String::new, |(low, high)| format!("about {} to {}", duration(low), duration(high)))
}

#[cfg(test)]
mod tests {
    use paser_protocol::Stage;

    use super::*;

    #[test]
    fn a_run_that_has_not_ended_says_what_became_of_it() {
        let run = |paused, worker| RunView { until: Stage::Select, paused, at_work: false, worker };
        let text = unended(&run(false, Some(41)), false);
        assert_eq!(
            text,
            "A run through select was interrupted: its worker (pid 41) is still at work; `paser run` goes on with it."
        );
        assert_eq!(unended(&run(true, None), true), "A run through select is paused: `paser run` goes on with it.");
        assert_eq!(unended(&run(false, Some(41)), true), "A run through select is at work; its worker has pid 41.");
    }

    #[test]
    fn a_stage_that_was_stopped_says_what_is_kept_and_why_it_is_stale() {
        let state = StageState::Stale { why: "changed: template".to_owned() };
        let stage = StageView { stage: Stage::Score, state, estimate: Some((30.0, 90.0)), kept: Some((2, 6)) };
        let text = remark(&stage, "changed: template");
        assert_eq!(text, "changed: template; 2 of 6 parts are finished and kept; about 30 s to 1 min 30 s");
        assert_eq!(open(stage.kept, false, "stale"), "stopped half-way");
        assert_eq!(open(None, false, "stale"), "stale");
    }
}
