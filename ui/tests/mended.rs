//! What a new user stumbled over once.
#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use paser_protocol::Request;
use support::{Bench, Start};
use ui::{dialogs::Dialog, state::Brush};

fn demo() -> Bench {
    Start::default().open().demo()
}

fn type_text(bench: &mut Bench, text: &str) {
    bench.harness.event(egui::Event::Text(text.to_owned()));
    bench.harness.run();
}

fn click_with(bench: &mut Bench, pos: egui::Pos2, button: egui::PointerButton, modifiers: Modifiers) {
    bench.harness.event_modifiers(egui::Event::PointerMoved(pos), modifiers);
    bench.harness.run();
    for pressed in [true, false] {
        let event = egui::Event::PointerButton { pos, button, pressed, modifiers };
        bench.harness.event_modifiers(event, modifiers);
        bench.harness.step();
    }
    bench.harness.run();
}

fn messages(bench: &Bench) -> Vec<(String, String)> {
    bench.state().toasts.past().iter().map(|past| (past.what.clone(), past.advice.clone())).collect()
}

/// The form of the first cluster of the damage list, by its menu.
fn set(bench: &mut Bench, bar: &str, entry: &str, field: &str, text: &str) {
    bench.click(bar);
    bench.click("cluster menu");
    bench.click(&format!("cluster:{entry}"));
    bench.click(field);
    bench.key(Modifiers::COMMAND, Key::A);
    type_text(bench, text);
    bench.click("dialog:Set");
    bench.harness.run();
}

#[test]
fn a_quota_by_hand_says_what_the_others_lost() {
    let mut bench = demo();
    let before = bench.state().build.selection.clone().unwrap().ledger;
    let first = before.iter().find(|row| row.cluster == 6).unwrap().clone();
    set(&mut bench, "bar:6", "Set quota...", "cluster quota", "3");
    let (what, advice) = messages(&bench).pop().unwrap();
    assert_eq!(what, "Quotas before and now");
    assert!(advice.lines().any(|line| line == format!("{}: {} to 3", first.name, first.quota)), "{advice}");
    assert!(advice.lines().count() > 1, "the others take what it leaves: {advice}");
}

#[test]
fn an_emphasis_that_moves_nothing_says_so() {
    let mut bench = demo();
    set(&mut bench, "bar:6", "Set emphasis...", "cluster emphasis", "1.0001");
    let (what, advice) = messages(&bench).pop().unwrap();
    assert_eq!(what, "No quota changed");
    assert!(!advice.is_empty());
}

#[test]
fn the_menu_of_a_brushed_bar_is_of_all_that_are_brushed() {
    let mut bench = demo();
    bench.click("bar:6");
    let at = bench.rect("bar:5").center();
    click_with(&mut bench, at, egui::PointerButton::Primary, Modifiers::COMMAND);
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([5, 6].into()));
    click_with(&mut bench, at, egui::PointerButton::Secondary, Modifiers::NONE);
    bench.click("cluster:Merge 2 clusters...");
    let Some(Dialog::Cluster(form)) = &bench.state().dialog else { panic!("no form") };
    assert_eq!(form.clusters.len(), 2);
}

#[test]
fn a_tag_stands_in_the_contents_and_brushes_its_samples() {
    let mut bench = demo();
    bench.click("bar:6");
    bench.key(Modifiers::NONE, Key::T);
    type_text(&mut bench, "look at later");
    bench.click("dialog:Tag");
    bench.key(Modifiers::NONE, Key::Escape);
    bench.key(Modifiers::NONE, Key::Escape);
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing);
    bench.key(Modifiers::NONE, Key::N);
    bench.click("contents:tag:look at later");
    let tagged = bench.state().project.as_ref().unwrap().curation.tags[0].rows.clone();
    assert_eq!(*bench.state().focus.brush(), Brush::Rows(tagged.into()));
}

#[test]
fn a_range_of_rows_is_brushed_with_shift() {
    let mut bench = demo();
    bench.click("ToggleTable");
    bench.click("row:1");
    let at = bench.rect("row:4").center();
    click_with(&mut bench, at, egui::PointerButton::Primary, Modifiers::SHIFT);
    let Brush::Rows(rows) = bench.state().focus.brush() else { panic!("no rows") };
    assert_eq!(rows.len(), 4);
}

#[test]
fn the_palette_stays_over_a_project_that_opens() {
    let mut bench = Start::default().open();
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::OpenDemo { .. }));
    bench.click("OpenDemo");
    bench.key(Modifiers::COMMAND, Key::K);
    assert!(matches!(bench.state().dialog, Some(Dialog::Palette { .. })));
    bench.let_go();
    bench.harness.run();
    assert!(bench.state().project.is_some(), "it opened");
    assert!(matches!(bench.state().dialog, Some(Dialog::Palette { .. })), "and nobody's typing went elsewhere");
}

#[test]
fn a_samples_fate_in_frozen_selections_stands_in_explore() {
    let mut bench = demo();
    bench.click("ToggleTable");
    bench.click("row:1");
    let asked = |request: &Request| matches!(request, Request::Fates { .. });
    let frozen = bench.state().project.as_ref().unwrap().selections.iter().any(|selection| selection.name.is_some());
    assert_eq!(bench.count(asked) > 0, frozen);
}
