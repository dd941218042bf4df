//! Several pruned models in one project: grouped bars, the one to work with, one more and one less, saved as a table.

#![allow(clippy::unwrap_used)]

mod support;

use egui_kittest::kittest::Queryable as _;
use paser_protocol::{PrunedChange, Request};
use support::{Bench, Start, engine::Engine, fixture};
use ui::{
    command::Command,
    picture::{Format, View},
    state::{Brush, LeftTab},
};

fn several() -> Bench {
    Start { engine: Engine::new().edit(fixture::with_schemes), ..Start::default() }.open().demo()
}

fn changes(bench: &Bench) -> Vec<PrunedChange> {
    let change = |request| match request {
        Request::ChangePruned { change } => Some(change),
        _ => None,
    };
    bench.requests().into_iter().filter_map(change).collect()
}

#[test]
fn one_pruned_model_is_no_comparison() {
    let mut bench = Start::default().open().demo();
    assert!(!bench.state().rects.contains_key("tab:schemes"), "a tab that compares nothing");
    assert!(Command::ShowSchemes.enabled(bench.state()).is_err());
    // What was shown in another project falls back to the bars.
    bench.harness.state_mut().state.panels.left = LeftTab::Schemes;
    bench.harness.run();
    assert!(bench.state().rects.contains_key("bar:6") && View::Damage.is_shown(bench.state()));
}

#[test]
fn bars_are_grouped_by_cluster_and_follow_the_one_selection() {
    let mut bench = several();
    bench.click("tab:schemes");
    assert!(View::Schemes.is_shown(bench.state()) && !View::Damage.is_shown(bench.state()));
    // Worst first by the project's own model, whatever the others say.
    let clusters = &bench.state().project.as_ref().unwrap().clusters;
    let worst = clusters.iter().max_by(|a, b| a.cds.unwrap().total_cmp(&b.cds.unwrap())).unwrap().cluster;
    let top = |id: u32| bench.rect(&format!("group:{id}")).top();
    assert!((0..12).filter(|id| *id != worst).all(|id| top(id) > top(worst)), "{worst} is not the first");
    bench.harness.get_by_label_contains("arithmetic with money: demo-llama-1.6m-wanda60: 0.337 nats");
    bench.hover("group:6");
    assert_eq!(bench.state().focus.hovered_cluster, Some(6));
    bench.click("group:6");
    assert!(matches!(bench.state().focus.brush(), Brush::Clusters(brushed) if brushed.contains(&6)));
    // Half of the third model's samples are scored, and the words say so.
    let half = fixture::KINDS[6].samples / 2;
    let words = format!("{half} of {} scored", fixture::KINDS[6].samples);
    bench.harness.get_by_label_contains(&words);
}

#[test]
fn another_model_takes_the_place_of_the_projects_own() {
    let mut bench = several();
    bench.click("tab:schemes");
    bench.click("use:demo-llama-1.6m-2of4");
    assert_eq!(changes(&bench), [PrunedChange::Use { model: "../models/demo-llama-1.6m-2of4".to_owned() }]);
}

#[test]
fn models_are_added_and_removed_in_the_models_view() {
    let mut bench = several();
    let open = |bench: &mut Bench| {
        bench.harness.state_mut().state.run(Command::Models);
        bench.harness.run();
    };
    open(&mut bench);
    bench.click("add pruned");
    assert!(changes(&bench).is_empty(), "nothing is named yet");
    bench.click("field:Another pruned model");
    bench.harness.event(egui::Event::Text(" ../models/wanda50 ".to_owned()));
    bench.harness.run();
    bench.click("add pruned");
    assert!(bench.state().dialog.is_none(), "the run is told of where runs are");
    open(&mut bench);
    bench.click("Remove:demo-llama-1.6m-magnitude20");
    let expected = [
        PrunedChange::Add { model: "../models/wanda50".to_owned() },
        PrunedChange::Remove { model: "../models/demo-llama-1.6m-magnitude20".to_owned() },
    ];
    assert_eq!(changes(&bench), expected);
}

#[test]
fn a_new_project_names_several() {
    let mut bench = Start { dialogs: true, ..Start::default() }.open();
    bench.click("NewProject");
    let mut fill = |field: &str, text: &str| {
        bench.click(&format!("field:{field}"));
        bench.harness.event(egui::Event::Text(text.to_owned()));
        bench.harness.run_steps(8);
    };
    for (field, text) in [("Dense model", "d"), ("Pruned model", "a"), ("Pool", "p.jsonl"), ("Project folder", "f")] {
        fill(field, text);
    }
    for (field, text) in [("Second pruned model", "b"), ("Third pruned model", "c")] {
        bench.click("add pruned");
        bench.click(&format!("field:{field}"));
        bench.harness.event(egui::Event::Text(text.to_owned()));
        bench.harness.run_steps(8);
    }
    bench.click("remove:Second pruned model");
    bench.click("Create and score");
    let made = bench.requests().into_iter().find_map(|request| match request {
        Request::CreateProject { draft, .. } => Some((draft.pruned, draft.others)),
        _ => None,
    });
    assert_eq!(made, Some(("a".to_owned(), vec!["c".to_owned()])));
}

#[test]
fn the_comparison_is_saved_as_table_and_vectors() {
    let mut bench = several();
    bench.click("tab:schemes");
    let mut save = |format: Format| {
        bench.harness.state_mut().state.save_view = Some((View::Schemes, format));
        bench.harness.run();
        String::from_utf8(bench.shared.borrow().downloads.last().unwrap().1.clone()).unwrap()
    };
    let table = save(Format::Csv);
    let mut lines = table.lines();
    let heads = "cluster,name,pruned_model,pruning,scored,damage_nats,low_95,high_95,project,shown";
    assert_eq!(lines.next(), Some(heads));
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), 36, "twelve clusters by three models");
    assert!(rows[1].contains("demo-llama-1.6m-magnitude20,magnitude 20 %"), "{}", rows[1]);
    let vectors = save(Format::Svg);
    for words in ["demo-llama-1.6m-magnitude20", "magnitude 20 %", "n = 3,000", "95 % interval"] {
        assert!(vectors.contains(words), "{words} is not in the picture");
    }
}
