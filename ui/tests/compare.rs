//! Frozen selections side by side, as a person would: added by a form, lettered by clicks, brushed by their parts,
//! exported by their difference.
#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use paser_protocol::{Part, Request, Strategy};
use support::{Bench, Start};
use ui::{
    dialogs::Dialog,
    state::{Brush, Screen},
};

/// Two selections frozen by the form: the plan being built, then random at its budget.
fn compared() -> Bench {
    let mut bench = Start::default().open().demo();
    bench.key(Modifiers::NONE, Key::Num2);
    for _ in 0..2 {
        bench.click("AddStrategy");
        bench.click("dialog:Add");
    }
    bench
}

#[test]
fn what_is_added_is_frozen_lettered_and_compared() {
    let bench = compared();
    assert_eq!(bench.state().screen, Screen::Compare);
    assert_eq!(bench.state().compare.names, ["paser 1", "random 1"]);
    let plans: Vec<_> = bench
        .requests()
        .into_iter()
        .filter_map(|request| match request {
            Request::FreezePlan { plan, .. } => Some(plan),
            _ => None,
        })
        .collect();
    assert_eq!(plans.iter().map(|plan| plan.strategy).collect::<Vec<_>>(), [Strategy::Paser, Strategy::Random]);
    assert_eq!(plans[0].budget, plans[1].budget);
    assert_eq!(bench.state().build.plan.strategy, Strategy::Paser, "what is built stays as it was");
    let view = bench.state().compare.view.clone().unwrap();
    assert_eq!(view.selections.len(), 2);
    for name in ["map:A", "map:B", "map:both"] {
        bench.rect(name);
    }
}

#[test]
fn a_part_is_brushed_and_seen_in_every_view() {
    let mut bench = compared();
    let view = bench.state().compare.view.clone().unwrap();
    let a_only = view.parts.iter().find(|part| part.held == [true, false]);
    let both = view.parts.iter().find(|part| part.held == [true, true]);
    // The engine of the tests takes the same rows whatever the strategy: all of them are in both.
    let (name, part) = a_only.map_or_else(|| ("part:3", both.unwrap()), |part| ("part:1", part));
    bench.click(name);
    let Brush::Rows(rows) = bench.state().focus.brush().clone() else { panic!("no rows are brushed") };
    assert_eq!(rows.len() as u64, part.samples);
    bench.click("open brushed");
    assert!(bench.state().screen == Screen::Explore && bench.state().panels.table);
    assert_ne!(*bench.state().focus.brush(), Brush::Nothing, "the brush goes along");
    bench.key(Modifiers::NONE, Key::Escape);
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing);
}

#[test]
fn cards_take_letters_by_clicks_and_two_are_needed() {
    let mut bench = compared();
    bench.click("card:paser 1");
    assert_eq!(bench.state().compare.names, ["random 1"]);
    assert!(bench.state().compare.view.is_none());
    let reason = ui::command::Command::ExportDifference.enabled(bench.state());
    assert_eq!(reason, Err("choose two selections first"));
    bench.click("card:paser 1");
    assert_eq!(bench.state().compare.names, ["random 1", "paser 1"]);
    assert_eq!(bench.state().compare.view.as_ref().unwrap().selections[0].selection, "random 1");
    bench.click("card more:paser 1");
    bench.click("menu:Compare as A");
    assert_eq!(bench.state().compare.names, ["paser 1", "random 1"]);
}

#[test]
fn the_difference_is_exported_and_saved_as_a_table() {
    let mut bench = compared();
    bench.click("ExportDifference");
    let Some(Dialog::Export(form)) = &bench.state().dialog else { panic!("no form") };
    assert_eq!(form.part, Part { within: vec![], without: vec!["random 1".into()] });
    bench.click("dialog:Download");
    let asked = bench.requests().into_iter().rev().find_map(|request| match request {
        Request::Export { selection, part, .. } => Some((selection, part.without)),
        _ => None,
    });
    assert_eq!(asked, Some((Some("paser 1".into()), vec!["random 1".into()])));
    bench.key(Modifiers::NONE, Key::Escape);
    bench.click("SaveDifferences");
    assert_eq!(bench.count(|request| matches!(request, Request::Differences { names, .. } if names.len() == 2)), 1);
}

#[test]
fn an_inspected_sample_tells_its_fate_in_each() {
    let mut bench = compared();
    let middle = bench.rect("map:A").center();
    // Arrow keys go from point to point.
    bench.click_at(middle);
    bench.key(Modifiers::NONE, Key::ArrowRight);
    let row = bench.state().focus.inspected.expect("a sample is inspected");
    let fates = bench.state().compare.fates(row).expect("its fates have arrived").unwrap();
    let names: Vec<&str> = fates.iter().map(|fate| fate.selection.as_str()).collect();
    assert_eq!(names, ["paser 1", "random 1"]);
    // Another order of letters: what was said of the other order is not shown.
    bench.harness.state_mut().state.compare.make(0, "random 1");
    assert!(bench.state().compare.fates(row).is_none(), "fates under other letters");
    bench.harness.run();
    let fates = bench.state().compare.fates(row).expect("asked anew").unwrap();
    assert_eq!(fates[0].selection, "random 1");
    bench.rect("pane:inspector");
}

#[test]
fn a_selection_is_renamed_and_keeps_its_letter() {
    let mut bench = compared();
    bench.click("card more:random 1");
    bench.click("menu:Rename...");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("by lot".to_owned()));
    bench.harness.run();
    bench.click("dialog:Rename");
    assert_eq!(bench.state().compare.names, ["paser 1", "by lot"]);
    assert!(bench.state().dialog.is_none());
    assert_eq!(bench.state().toasts.past().back().unwrap().what, "random 1 is called by lot now");
}

#[test]
fn a_frozen_selection_in_the_contents_leads_here() {
    let mut bench = compared();
    bench.click("card:random 1");
    bench.key(Modifiers::NONE, Key::Num1);
    bench.key(Modifiers::NONE, Key::N);
    bench.click("frozen:random 1");
    assert_eq!(bench.state().screen, Screen::Compare);
    assert_eq!(bench.state().compare.names, ["paser 1", "random 1"]);
}

#[test]
fn numbers_of_before_never_stand_under_other_letters() {
    let mut bench = compared();
    bench.click("AddStrategy");
    bench.click("dialog:Add");
    assert_eq!(bench.state().compare.view.as_ref().unwrap().selections.len(), 3);
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Compare { .. }));
    bench.harness.state_mut().state.compare.make(0, "random 2");
    bench.harness.run_steps(4);
    assert!(bench.state().compare.view.is_none() && bench.state().compare.waiting);
    bench.let_go();
    let view = bench.state().compare.view.clone().unwrap();
    assert_eq!(view.selections[0].selection, "random 2");
}

#[test]
fn a_strategy_is_picked_from_the_list_of_its_form() {
    let mut bench = compared();
    bench.click("AddStrategy");
    bench.click("add strategy");
    bench.harness.run();
    // A click of the pointer, which goes to what is on top.
    let at = bench.harness.get_by_label("longest").rect().center();
    bench.click_at(at);
    let Some(Dialog::AddStrategy(form)) = &bench.state().dialog else { panic!("the form is gone") };
    assert_eq!(form.plan.strategy, Strategy::Longest);
}

#[test]
fn a_name_wider_than_a_small_map_is_cut() {
    let long = "a name that somebody gave who did not think of small maps at all, and went on";
    let engine = support::engine::Engine::new().edit(|project| project.clusters[0].name = long.to_owned());
    let mut bench = Start { engine, ..Start::default() }.open().demo();
    bench.click("bar:6");
    bench.click("row:0");
    bench.key(Modifiers::NONE, Key::Num2);
    for _ in 0..4 {
        bench.click("AddStrategy");
        bench.click("dialog:Add");
    }
    assert!(bench.rect("map:A").width() < 300.0, "the inspector is open, and five maps stand side by side");
    bench.rect("map:both");
}

#[test]
fn a_part_turns_to_the_selection_that_is_exported_instead() {
    let mut bench = compared();
    bench.click("ExportDifference");
    bench.click("export selection");
    bench.harness.run();
    let at = bench.harness.get_all_by_label("random 1").last().expect("it is in the list").rect().center();
    bench.click_at(at);
    let Some(Dialog::Export(form)) = &bench.state().dialog else { panic!("no form") };
    let part = Part { without: vec!["paser 1".to_owned()], ..Part::default() };
    assert_eq!((form.selection.as_deref(), &form.part), (Some("random 1"), &part));
}

#[test]
fn more_pins_than_a_selection_holds_are_told_where_the_draw_is_missing() {
    let mut bench = compared();
    let told = |bench: &Bench| bench.harness.query_by_label_contains("No random draw of A's size").is_some();
    assert!(!told(&bench));
    let mut view = (**bench.state().compare.view.as_ref().unwrap()).clone();
    view.chance = None;
    let rows = (0..view.selections[0].selected as u32 + 1).collect();
    let state = &mut bench.harness.state_mut().state;
    let mut project = (**state.project.as_ref().unwrap()).clone();
    project.curation.pinned = rows;
    (state.project, state.compare.view) = (Some(std::rc::Rc::new(project)), Some(std::rc::Rc::new(view)));
    bench.harness.step();
    assert!(told(&bench));
}
