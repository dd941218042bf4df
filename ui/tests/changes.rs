//! What changes behind the window's back or fails on its way: a closing project, another import, other scores, a lost
//! link, answers that come late; and what is never done twice.

#![allow(clippy::unwrap_used)]

mod support;

use std::{path::Path, sync::Arc};

use egui::Key;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use paser_protocol::{Event, Request};
use support::{Bench, Start, engine::Engine};
use ui::{
    dialogs::Dialog,
    state::{Brush, ColourBy, Screen},
    transport::Incoming,
};

/// The demo with its engine at hand.
fn demo(size: [f32; 2]) -> (Bench, Engine) {
    let engine = Engine::new();
    let handle = engine.handle();
    (Start { engine, size, ..Start::default() }.open().demo(), handle)
}

const USUAL: [f32; 2] = [1280.0, 800.0];
const WIDE: [f32; 2] = [1680.0, 1000.0];

#[test]
fn a_project_that_is_being_closed_stays_closed() {
    let (mut bench, _) = demo(USUAL);
    let greetings = |bench: &Bench| bench.count(|request| *request == Request::Hello);
    let before = greetings(&bench);
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::CloseProject { .. }));
    bench.harness.state_mut().state.run(ui::command::Command::CloseProject);
    bench.harness.run();
    // The engine joins its run: as long as that takes, it would call the project open.
    assert_eq!(bench.state().screen, Screen::Welcome);
    assert_eq!(greetings(&bench), before, "asked only once the project is let go");
    assert!(ui::command::Command::OpenDemo.enabled(bench.state()).is_err());
    bench.incoming(Incoming::Connected(false));
    bench.incoming(Incoming::Connected(true));
    bench.harness.run();
    assert_eq!(bench.state().screen, Screen::Welcome, "a greeting in between does not reopen it");
    bench.let_go();
    assert!(greetings(&bench) > before);
    assert_eq!((bench.state().screen, bench.state().closing), (Screen::Welcome, false));
    assert!(ui::command::Command::OpenDemo.enabled(bench.state()).is_ok());
}

#[test]
fn after_another_import_no_row_shows_an_old_text() {
    let (mut bench, engine) = demo(USUAL);
    bench.click("ToggleTable");
    bench.click("row:0");
    let row = bench.state().focus.inspected.unwrap();
    assert_eq!(bench.state().data.texts[&row].id, (row + 1).to_string());
    let revision = engine.import_again("new ");
    bench.send(Event::Project { revision });
    bench.harness.run();
    let texts = &bench.state().data.texts;
    assert!(!texts.is_empty() && texts.values().all(|text| text.id.starts_with("new ")), "{texts:?}");
    assert_eq!(bench.state().focus.inspected, None, "the row is another sample now");
}

#[test]
fn other_scores_bring_other_token_values() {
    let (mut bench, engine) = demo(USUAL);
    bench.click("ToggleTable");
    bench.click("row:0");
    let row = bench.state().focus.inspected.unwrap();
    let asked = |bench: &Bench| bench.count(|request| *request == Request::Tokens { row });
    assert_eq!(asked(&bench), 1);
    let again = engine.change(|project| project.plan.seed += 1);
    bench.send(Event::Project { revision: again });
    bench.harness.run();
    assert_eq!(asked(&bench), 1, "nothing that they depend on changed");
    bench.shared.borrow_mut().columns.insert("other jsd".into(), paser_protocol::encode_f32(&[0.1; 3_000]));
    let revision = engine.change(|project| {
        let jsd = project.columns.iter_mut().find(|column| column.name == "jsd").unwrap();
        jsd.key = "other jsd".into();
    });
    bench.send(Event::Project { revision });
    bench.harness.run();
    assert_eq!(asked(&bench), 2);
}

#[test]
fn an_answer_from_before_another_import_is_dropped() {
    let (mut bench, engine) = demo(USUAL);
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Texts { .. }));
    bench.click("ToggleTable");
    assert!(bench.state().data.texts.is_empty());
    let late: Vec<_> = bench.shared.borrow_mut().let_go();
    let revision = engine.import_again("new ");
    bench.send(Event::Project { revision });
    bench.harness.run();
    engine.import_again("old ");
    for answer in late {
        answer();
    }
    bench.harness.run();
    assert!(bench.state().data.texts.values().all(|text| text.id.starts_with("new ")));
}

#[test]
fn what_could_not_be_fetched_is_asked_for_again() {
    let (mut bench, engine) = demo(USUAL);
    engine.refuse(Some(|request| matches!(request, Request::Texts { .. } | Request::Sample { .. })));
    bench.click("ToggleTable");
    bench.click("row:0");
    assert!(bench.state().data.texts.is_empty() && bench.state().data.samples.is_empty());
    let asked = bench.count(|request| matches!(request, Request::Texts { .. }));
    assert!(asked < 12, "{asked} requests: it must not hammer");
    engine.refuse(None);
    bench.harness.run_steps(60);
    assert!(!bench.state().data.texts.is_empty() && !bench.state().data.samples.is_empty());
}

#[test]
fn a_refused_plan_is_forgiven_once_another_is_taken() {
    let (mut bench, engine) = demo(USUAL);
    engine.refuse(Some(|request| matches!(request, Request::Select { .. })));
    bench.click("bar:6");
    bench.key(egui::Modifiers::SHIFT, Key::P);
    assert!(bench.state().build.problem.is_some());
    engine.refuse(None);
    bench.key(egui::Modifiers::COMMAND, Key::Z);
    assert!(bench.state().build.problem.is_none(), "what was undone is no problem any more");
    assert!(!bench.state().build.waiting);
}

#[test]
fn token_values_that_failed_are_one_click_away() {
    let (mut bench, engine) = demo(USUAL);
    engine.refuse(Some(|request| matches!(request, Request::Tokens { .. })));
    bench.click("ToggleTable");
    bench.click("row:0");
    let row = bench.state().focus.inspected.unwrap();
    assert!(bench.state().data.tokens[&row].is_err());
    engine.refuse(None);
    bench.click("tokens again");
    assert!(bench.state().data.tokens[&row].is_ok());
}

#[test]
fn a_column_that_failed_comes_when_the_engine_is_back() {
    let (mut bench, _) = demo(USUAL);
    let tokens = bench.shared.borrow_mut().columns.remove("k-response_tokens").unwrap();
    bench.harness.state_mut().state.colour = ColourBy::Column("response_tokens".into());
    // Longer than it is tried again by itself.
    bench.harness.run_steps(400);
    assert!(bench.state().data.failed("k-response_tokens"));
    bench.shared.borrow_mut().columns.insert("k-response_tokens".into(), tokens);
    bench.incoming(Incoming::Connected(false));
    bench.incoming(Incoming::Connected(true));
    bench.harness.run();
    assert!(bench.harness.state_mut().state.numbers("response_tokens").is_some());
}

#[test]
fn a_double_click_creates_one_project() {
    let mut bench = Start { dialogs: true, ..Start::default() }.open();
    bench.click("NewProject");
    for (field, text) in
        [("Dense model", "dense"), ("Pruned model", "pruned"), ("Pool", "pool.jsonl"), ("Project folder", "new")]
    {
        bench.click(&format!("field:{field}"));
        bench.harness.event(egui::Event::Text(text.into()));
        bench.harness.run_steps(8);
    }
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::CreateProject { .. }));
    bench.click("Create and score");
    bench.click("Create and score");
    assert_eq!(bench.count(|request| matches!(request, Request::CreateProject { .. })), 1);
    bench.let_go();
    assert_eq!(bench.state().screen, Screen::Explore);
    assert!(bench.state().toasts.texts().is_empty());
}

#[test]
fn a_frozen_selection_is_discarded_from_its_row_after_a_question() {
    let (mut bench, _) = demo(WIDE);
    bench.click("Freeze");
    bench.click("dialog:Freeze");
    bench.click("more:paser 1");
    bench.click("menu:Discard...");
    assert_eq!(bench.state().dialog, Some(Dialog::Discard { name: "paser 1".into() }));
    let asked = |bench: &Bench| bench.count(|request| matches!(request, Request::Discard { .. }));
    bench.harness.key_press(Key::Escape);
    bench.harness.run();
    assert_eq!((asked(&bench), bench.state().project.as_ref().unwrap().selections.len()), (0, 1));
    // The palette has the same.
    bench.key(egui::Modifiers::COMMAND, Key::K);
    bench.harness.event(egui::Event::Text("discard paser".into()));
    bench.harness.run();
    bench.key(egui::Modifiers::NONE, Key::Enter);
    bench.click("dialog:Discard");
    assert_eq!(asked(&bench), 1);
    assert!(bench.state().dialog.is_none());
    assert!(bench.state().project.as_ref().unwrap().selections.is_empty());
}

#[test]
fn every_line_of_the_contents_does_what_it_looks_like() {
    let (mut bench, _) = demo(WIDE);
    bench.hover("contents:6");
    assert_eq!(bench.state().focus.hovered_cluster, Some(6), "hovered in every view");
    bench.click("contents:6");
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([6].into()));
    bench.click("contents:pool");
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing);
    assert!(bench.state().panels.table);
    bench.click("contents:built");
    assert_eq!(bench.state().colour, ColourBy::Taken);
    let role = bench.harness.get_by_label("dense: demo-llama-1.6m").accesskit_node().role();
    assert_eq!(role, egui::accesskit::Role::Label, "nothing lies behind a model: it is no button");
    bench.key(egui::Modifiers::NONE, Key::N);
    assert!(!bench.state().rects.contains_key("pane:contents"));
}

#[test]
fn many_crosses_cost_a_frame_no_shapes() {
    let (mut bench, _) = demo(USUAL);
    bench.click("bar:0");
    bench.key(egui::Modifiers::NONE, Key::Escape);
    let shapes = |bench: &Bench| bench.harness.output().shapes.len();
    let before = shapes(&bench);
    bench.click("bar:0");
    bench.key(egui::Modifiers::SHIFT, Key::X);
    assert_eq!(bench.state().project.as_ref().unwrap().curation.excluded.len(), 640, "by its key");
    bench.key(egui::Modifiers::NONE, Key::Escape);
    let after = shapes(&bench);
    assert!(after < before + 60, "{before} shapes, with 640 crosses {after}");
    bench.key(egui::Modifiers::COMMAND, Key::Z);
    assert!(bench.state().project.as_ref().unwrap().curation.excluded.is_empty());
}

#[test]
fn a_click_on_ids_sorts_by_id_and_the_third_brings_back_the_pool() {
    let (mut bench, _) = demo(USUAL);
    bench.click("ToggleTable");
    let sorted = |bench: &Bench| {
        let queries = bench.requests().into_iter().rev().find_map(|request| match request {
            Request::Query { query } => Some(query),
            _ => None,
        });
        queries.map(|query| (query.sort, query.descending)).unwrap()
    };
    for expected in [("id", false), ("id", true), ("", false)] {
        bench.click("head:id");
        assert_eq!(sorted(&bench), (expected.0.to_owned(), expected.1));
    }
    for expected in [("jsd", true), ("jsd", false), ("", false)] {
        bench.click("head:jsd");
        assert_eq!(sorted(&bench), (expected.0.to_owned(), expected.1));
    }
}

#[test]
fn bars_say_how_many_samples_and_which_interval() {
    let (mut bench, _) = demo(USUAL);
    assert!(bench.harness.query_by_label_contains("arithmetic with money, damage 0.337 nats, n 170").is_some());
    assert!(bench.harness.query_by_label("mean JSD, 95 % interval").is_some());
    bench.click("damage:rest");
    assert!(bench.harness.query_by_label("mean JSD, no interval").is_some(), "none is worked out for it");
    assert!(bench.harness.query_by_label("mean JSD, 95 % interval").is_none());
}

#[test]
fn dropped_paths_go_where_they_belong() {
    let mut bench = Start { dialogs: true, ..Start::default() }.open();
    bench.incoming(Incoming::Dropped(vec!["/data/pool.jsonl".into()]));
    bench.harness.run();
    assert_eq!((bench.state().screen, bench.state().form.pool.as_str()), (Screen::NewProject, "/data/pool.jsonl"));
    for path in ["/models/dense", "/models/pruned", "/recovery/project"] {
        bench.incoming(Incoming::Dropped(vec![path.into()]));
        bench.harness.run();
    }
    let form = &bench.state().form;
    assert_eq!(
        [form.dense.as_str(), form.pruned.as_str(), form.folder.as_str()],
        ["/models/dense", "/models/pruned", "/recovery/project"]
    );
    assert!(bench.count(|request| matches!(request, Request::Probe { .. })) >= 4, "each is looked at");
    bench.key(egui::Modifiers::NONE, Key::Escape);
    bench.incoming(Incoming::Dropped(vec!["/recovery/old.project".into()]));
    bench.harness.run();
    assert!(bench.requests().contains(&Request::OpenProject { path: "/recovery/old.project".into() }));
}

/// What a browser hands over: a name without a place.
#[derive(Debug)]
struct Named(&'static str);

impl egui::DroppedFile for Named {
    fn path(&self) -> &Path {
        Path::new(self.0)
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("never read".to_owned())
    }
}

#[test]
fn a_file_dropped_on_a_page_is_answered_in_words() {
    let mut bench = Start::default().open();
    bench.harness.input_mut().dropped_files.push(Arc::new(Named("pool.jsonl")));
    bench.harness.run();
    assert_eq!(bench.state().toasts.texts(), vec!["A browser does not tell where pool.jsonl lies."]);
}

/// Cluster 5 becomes part of cluster 6, and where `others`, another one loses a sample, too.
fn merge(bench: &mut Bench, engine: &Engine, others: bool) {
    // Those behind the one that is gone move up by one, as the engine numbers them.
    let column: Vec<u32> = support::fixture::pool().cluster.iter().map(|c| if *c > 5 { c - 1 } else { *c }).collect();
    bench.shared.borrow_mut().columns.insert("k-merged".into(), paser_protocol::encode_u32(&column));
    let revision = engine.change(|project| {
        let samples = project.clusters.iter().find(|cluster| cluster.cluster == 5).unwrap().samples;
        project.clusters.retain(|cluster| cluster.cluster != 5);
        project.clusters.iter_mut().filter(|cluster| cluster.cluster == 6).for_each(|c| c.samples += samples);
        project.clusters.iter_mut().filter(|cluster| others && cluster.cluster == 0).for_each(|c| c.samples -= 1);
        project.clusters.iter_mut().filter(|cluster| cluster.cluster > 5).for_each(|c| c.cluster -= 1);
        project.columns.iter_mut().filter(|column| column.name == "cluster").for_each(|c| c.key = "k-merged".into());
    });
    bench.send(Event::Project { revision });
    bench.harness.run();
}

#[test]
fn merged_clusters_stay_brushed_and_the_sample_inspected() {
    let (mut bench, engine) = demo(USUAL);
    bench.click("bar:6");
    bench.click("row:1");
    bench.harness.state_mut().state.focus.click_cluster(5, true);
    bench.harness.run();
    let (rows, inspected) = (bench.harness.state_mut().state.acting_rows(), bench.state().focus.inspected);
    merge(&mut bench, &engine, false);
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([5].into()));
    assert_eq!(bench.harness.state_mut().state.acting_rows(), rows);
    assert_eq!(bench.state().focus.inspected, inspected);
}

#[test]
fn a_cluster_that_is_merged_with_others_keeps_its_own_samples_brushed() {
    for others in [false, true] {
        let (mut bench, engine) = demo(USUAL);
        bench.click("bar:5");
        let rows = bench.harness.state_mut().state.acting_rows();
        merge(&mut bench, &engine, others);
        assert_eq!(*bench.state().focus.brush(), Brush::Rows(rows.into()));
    }
}
