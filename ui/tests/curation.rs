//! Curation by hand, as a person does it: regions, tags, hiding, clusters, filters, the journal and its way back.
#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers, Pos2, vec2};
use egui_kittest::kittest::Queryable as _;
use paser_protocol::{Edit, EditKind, EditSource, Request, Unit};
use support::{Bench, Start};
use ui::{dialogs::Dialog, state::Brush};

fn demo() -> Bench {
    Start::default().open().demo()
}

/// The edits that the window asked for.
fn edits(bench: &Bench) -> Vec<Edit> {
    let curate = |request| match request {
        Request::Curate { edit } => Some(edit),
        _ => None,
    };
    bench.requests().into_iter().filter_map(curate).collect()
}

fn brushed(bench: &Bench) -> Vec<u32> {
    match bench.state().focus.brush() {
        Brush::Rows(rows) => rows.to_vec(),
        _ => Vec::new(),
    }
}

/// Drags from place to place.
fn drag(bench: &mut Bench, way: &[Pos2], modifiers: Modifiers) {
    let event = |bench: &mut Bench, pos: Pos2, pressed: bool| {
        let button = egui::PointerButton::Primary;
        let event = egui::Event::PointerButton { pos, button, pressed, modifiers };
        bench.harness.event_modifiers(event, modifiers);
        bench.harness.step();
    };
    bench.harness.event_modifiers(egui::Event::PointerMoved(way[0]), modifiers);
    bench.harness.step();
    event(bench, way[0], true);
    for place in &way[1..] {
        bench.harness.event_modifiers(egui::Event::PointerMoved(*place), modifiers);
        bench.harness.step();
    }
    event(bench, way[way.len() - 1], false);
    bench.harness.run();
}

fn square(centre: Pos2, half: f32) -> Vec<Pos2> {
    [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0), (-1.0, -0.9)].map(|(x, y)| centre + vec2(x, y) * half).to_vec()
}

#[test]
fn a_lasso_brushes_and_the_edit_remembers_its_outline() {
    let mut bench = demo();
    bench.click("tool:Lasso");
    let middle = bench.rect("map").center();
    drag(&mut bench, &square(middle, 120.0), Modifiers::NONE);
    let first = brushed(&bench);
    assert!(first.len() > 20, "{}", first.len());
    bench.key(Modifiers::SHIFT, Key::X);
    let edit = edits(&bench).pop().unwrap();
    assert_eq!(edit.what, EditKind::Exclude { rows: first });
    let Some(EditSource::Region { polygon, map }) = edit.source else { panic!("{:?}", edit.source) };
    assert!(polygon.len() >= 4 && map == "k-map", "{polygon:?}");
}

#[test]
fn regions_add_take_away_and_cut() {
    let mut bench = demo();
    // The table unfolds with the first brush and would move the map.
    bench.click("ToggleTable");
    bench.click("tool:Lasso");
    let middle = bench.rect("map").center();
    drag(&mut bench, &square(middle, 60.0), Modifiers::NONE);
    let small = brushed(&bench);
    drag(&mut bench, &square(middle, 140.0), Modifiers::SHIFT);
    let large = brushed(&bench);
    assert!(large.len() > small.len() && small.iter().all(|row| large.contains(row)));
    drag(&mut bench, &square(middle, 60.0), Modifiers::ALT);
    assert_eq!(brushed(&bench).len(), large.len() - small.len());
    drag(&mut bench, &square(middle, 140.0), Modifiers::SHIFT);
    drag(&mut bench, &square(middle, 60.0), Modifiers::SHIFT | Modifiers::ALT);
    assert_eq!(brushed(&bench), small);
}

#[test]
fn a_lasso_by_clicks_closes_at_its_first_corner_and_esc_drops_it() {
    let mut bench = demo();
    bench.click("tool:Lasso");
    let middle = bench.rect("map").center();
    let corners = square(middle, 120.0);
    for corner in &corners[..4] {
        bench.click_at(*corner);
    }
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing);
    bench.key(Modifiers::NONE, Key::Escape);
    bench.harness.run();
    bench.click_at(corners[0]);
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing, "what was dropped is not closed");
    for corner in &corners[1..4] {
        bench.click_at(*corner);
    }
    bench.click_at(corners[0]);
    assert!(brushed(&bench).len() > 20);
}

#[test]
fn brushed_samples_get_a_tag_with_a_reason() {
    let mut bench = demo();
    bench.click("bar:6");
    bench.key(Modifiers::NONE, Key::T);
    bench.harness.event(egui::Event::Text("needs a look".to_owned()));
    bench.harness.run();
    bench.click("reason");
    bench.harness.event(egui::Event::Text("odd units".to_owned()));
    bench.harness.run();
    bench.click("dialog:Tag");
    let edit = edits(&bench).pop().unwrap();
    assert!(matches!(&edit.what, EditKind::Tag { tag, rows } if tag == "needs a look" && rows.len() > 50));
    assert_eq!(edit.reason, "odd units");
    assert!(matches!(edit.source, Some(EditSource::Cluster { .. })), "{:?}", edit.source);
    let tags = &bench.state().project.as_ref().unwrap().curation.tags;
    assert_eq!(tags[0].tag, "needs a look");
    bench.click("row:0");
    bench.click("tag:needs a look");
    assert!(matches!(edits(&bench).pop().unwrap().what, EditKind::Untag { rows, .. } if rows.len() == 1));
}

#[test]
fn hidden_samples_leave_the_map_and_come_back() {
    let mut bench = demo();
    let all = bench.harness.state().summary(&bench.harness.ctx)["map_points"].clone();
    bench.click("bar:6");
    bench.key(Modifiers::NONE, Key::T);
    bench.click("do:hide");
    bench.click("dialog:Hide");
    bench.key(Modifiers::NONE, Key::Escape);
    let hidden = bench.state().project.as_ref().unwrap().curation.hidden.len();
    assert!(hidden > 50);
    // Nothing of it can be brushed on the map any more.
    bench.click("tool:Box");
    let map = bench.rect("map").shrink(2.0);
    drag(&mut bench, &[map.left_top(), map.center(), map.right_bottom()], Modifiers::NONE);
    assert_eq!(brushed(&bench).len() as u64 + hidden as u64, all.as_u64().unwrap());
    bench.click("hidden");
    bench.click("dialog:Show");
    assert!(bench.state().project.as_ref().unwrap().curation.hidden.is_empty());
}

#[test]
fn clusters_are_renamed_merged_and_given_a_quota() {
    let mut bench = demo();
    bench.click("bar:6");
    bench.click("cluster menu");
    bench.click("cluster:Rename...");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("money".to_owned()));
    bench.harness.run();
    bench.click("dialog:Rename");
    assert_eq!(bench.state().cluster(6).unwrap().name, "money");
    bench.click("cluster menu");
    bench.click("cluster:Set quota...");
    bench.harness.event(egui::Event::Text("12".to_owned()));
    bench.harness.run();
    bench.click("dialog:Set");
    let what = edits(&bench).pop().unwrap().what;
    assert_eq!(what, EditKind::SetQuota { cluster: 6, quota: Some(12), unit: Unit::Samples });
    assert_eq!(bench.state().cluster(6).unwrap().quota, Some((12, Unit::Samples)));
    let row = bench.state().build.selection.clone().unwrap().ledger.into_iter().find(|row| row.cluster == 6);
    assert_eq!(row.unwrap().quota, 12, "the selection was asked for anew");
    // The topmost other bar: lower ones are scrolled out of sight.
    let bars = (0..12_u32).filter(|id| *id != 6).map(|id| (id, bench.rect(&format!("bar:{id}")).center()));
    let (other, at) = bars.min_by(|a, b| a.1.y.total_cmp(&b.1.y)).unwrap();
    // A frame of the harness takes longer than a hand.
    bench.harness.ctx.options_mut(|options| options.input_options.max_click_duration = 9.0);
    drag(&mut bench, &[at, at], Modifiers::SHIFT);
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([6, other].into()));
    bench.click("cluster menu");
    bench.click("cluster:Merge 2 clusters...");
    bench.click("dialog:Merge");
    let EditKind::MergeClusters { clusters } = edits(&bench).pop().unwrap().what else { panic!("no merge") };
    assert!(clusters.len() == 2 && clusters.contains(&6) && clusters.contains(&other));
}

#[test]
fn one_edit_is_taken_back_from_the_journal_and_later_ones_stay() {
    let mut bench = demo();
    bench.click("bar:6");
    bench.key(Modifiers::SHIFT, Key::X);
    bench.click("row:1");
    bench.key(Modifiers::NONE, Key::Escape);
    bench.key(Modifiers::NONE, Key::P);
    bench.key(Modifiers::NONE, Key::U);
    assert!(matches!(bench.state().dialog, Some(Dialog::Journal { .. })));
    bench.click("revert:1");
    let curation = &bench.state().project.as_ref().unwrap().curation;
    assert!(curation.excluded.is_empty() && curation.pinned.len() == 1, "{curation:?}");
    assert_eq!(bench.count(|request| matches!(request, Request::Revert { entry: 1 })), 1);
    bench.click("show entry:2");
    assert_eq!(brushed(&bench).len(), 1);
    assert!(bench.state().dialog.is_none());
}

#[test]
fn the_journal_keeps_its_height_when_an_edit_is_taken_back() {
    let mut bench = demo();
    bench.click("bar:6");
    bench.key(Modifiers::NONE, Key::U);
    let done = bench.rect("dialog:Done");
    bench.key(Modifiers::NONE, Key::Escape);
    bench.key(Modifiers::SHIFT, Key::X);
    bench.key(Modifiers::SHIFT, Key::P);
    bench.key(Modifiers::NONE, Key::U);
    assert_eq!(bench.rect("dialog:Done"), done, "as high with two lines as with none");
    bench.click("revert:1");
    assert_eq!(bench.rect("dialog:Done"), done);
}

#[test]
fn all_rows_of_a_filter_are_edited_and_it_says_so() {
    let mut bench = demo();
    bench.key(Modifiers::COMMAND, Key::F);
    bench.click("filter kind");
    bench.click("search");
    bench.harness.event(egui::Event::Text("jsd > 0.3".to_owned()));
    bench.harness.run_steps(8);
    let count = bench.state().table.count().unwrap();
    assert!(count > 10 && count < 3_000, "{count}");
    bench.click("Apply to all");
    let entry = bench.harness.get_by_label("Exclude all of them");
    entry.click();
    bench.harness.run();
    let edit = edits(&bench).pop().unwrap();
    assert!(matches!(&edit.what, EditKind::Exclude { rows } if rows.len() as u64 == count));
    assert_eq!(edit.source, Some(EditSource::Filter { text: "jsd > 0.3".to_owned() }));
}

#[test]
fn a_filter_that_cannot_be_read_is_told_where_it_is_typed() {
    let mut bench = demo();
    bench.key(Modifiers::COMMAND, Key::F);
    bench.click("filter kind");
    bench.click("search");
    bench.harness.event(egui::Event::Text("nonsense > 1".to_owned()));
    bench.harness.run_steps(8);
    assert!(bench.state().table.problem.as_ref().unwrap().what.contains("nonsense"));
    assert_eq!(bench.state().toasts.iter().count(), 0, "no message on top of it");
}

#[test]
fn what_repeats_or_leaks_is_excluded_with_one_click() {
    let mut bench = demo();
    bench.harness.state_mut().state.run(ui::command::Command::Checks);
    bench.harness.run();
    bench.click("exclude:duplicates");
    let edit = edits(&bench).pop().unwrap();
    assert_eq!(edit.what, EditKind::Exclude { rows: vec![9, 12, 31] });
    assert!(edit.reason.contains("near-duplicates"));
    bench.click("exclude:ARC-e");
    assert!(edits(&bench).pop().unwrap().reason.contains("ARC-e"));
    assert!(!bench.state().rects.contains_key("exclude:duplicates"), "nothing of it is left");
    bench.click("show:ARC-e");
    assert_eq!(brushed(&bench), [40, 41]);
    bench.key(Modifiers::COMMAND, Key::Z);
    bench.key(Modifiers::COMMAND, Key::Z);
    assert!(bench.state().project.as_ref().unwrap().curation.excluded.is_empty());
}

#[test]
fn a_comparison_typed_as_words_is_read_as_a_filter() {
    let mut bench = demo();
    bench.key(Modifiers::COMMAND, Key::F);
    bench.harness.event(egui::Event::Text("jsd > 0.3".to_owned()));
    bench.harness.run_steps(8);
    let filter = bench.requests().into_iter().rev().find_map(|request| match request {
        Request::Query { query } => Some(query.filter),
        _ => None,
    });
    assert_eq!(filter.as_deref(), Some("jsd > 0.3"));
}

#[test]
fn a_share_may_have_a_decimal_comma() {
    let mut bench = demo();
    bench.click("budget field");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("4,5".to_owned()));
    bench.key(Modifiers::NONE, Key::Enter);
    assert_eq!(bench.state().build.plan.budget, paser_protocol::Budget::Percent(4.5));
}

#[test]
fn benchmarks_are_named_and_taken_out_in_the_window() {
    let mut bench = demo();
    bench.harness.state_mut().state.run(ui::command::Command::Checks);
    bench.harness.run();
    bench.click("benchmark");
    bench.harness.event(egui::Event::Text("eval/piqa.jsonl".to_owned()));
    bench.harness.run();
    bench.click("add benchmark");
    bench.click("without:ARC-e");
    let asked: Vec<Vec<String>> = bench
        .requests()
        .into_iter()
        .filter_map(|request| match request {
            Request::SetBenchmarks { files } => Some(files),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [vec!["eval/arc_easy.jsonl".to_owned(), "eval/piqa.jsonl".to_owned()], vec![]]);
    let told: Vec<&str> = bench.state().toasts.past().iter().map(|past| past.what.as_str()).collect();
    let gone = "Questions of eval/arc_easy.jsonl are no longer looked for";
    assert_eq!(told, ["Questions of eval/piqa.jsonl are looked for", gone]);
}

#[test]
fn the_dense_model_is_pruned_from_the_models_view() {
    let mut bench = demo();
    bench.harness.state_mut().state.run(ui::command::Command::Models);
    bench.harness.run();
    bench.click("layers:table");
    bench.click("pattern:2:4");
    bench.click("prune");
    let drafts: Vec<_> = bench
        .requests()
        .into_iter()
        .filter_map(|request| match request {
            Request::PruneHere { draft } => Some((draft.method, draft.pattern)),
            _ => None,
        })
        .collect();
    assert_eq!(drafts, [("magnitude".to_owned(), "2:4".to_owned())]);
    assert!(bench.state().dialog.is_none(), "the run is told of where runs are");
}
