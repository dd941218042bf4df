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

/// The demo's table with two rows brushed by Ctrl+click; their rows.
fn two_marked() -> (Bench, Vec<u32>) {
    let mut bench = demo();
    bench.click("ToggleTable");
    for row in ["row:2", "row:5"] {
        let at = bench.rect(row).center();
        click_with(&mut bench, at, egui::PointerButton::Primary, Modifiers::COMMAND);
    }
    let Brush::Rows(rows) = bench.state().focus.brush().clone() else { panic!("nothing is brushed") };
    (bench, rows.to_vec())
}

fn last_edit(bench: &Bench) -> paser_protocol::EditKind {
    let edits = bench.requests().into_iter().filter_map(|request| match request {
        Request::Curate { edit } => Some(edit.what),
        _ => None,
    });
    edits.last().unwrap()
}

#[test]
fn rows_are_brushed_one_by_one_with_ctrl_and_the_table_stays_as_it_is() {
    let (mut bench, rows) = two_marked();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| bench.state().is_marked(*row)));
    assert_eq!(bench.state().table.count(), Some(3_000), "the other rows are still there to be added");
    assert_eq!(bench.state().focus.inspected, None);
    let at = bench.rect("row:2").center();
    click_with(&mut bench, at, egui::PointerButton::Primary, Modifiers::COMMAND);
    let Brush::Rows(left) = bench.state().focus.brush().clone() else { panic!("nothing is brushed") };
    assert!(left.len() == 1 && rows.contains(&left[0]), "a second click takes it out");
    // With a brush from elsewhere the table shows that again.
    bench.click("bar:6");
    assert_eq!(bench.state().table.count(), Some(170));
    assert!(!bench.state().is_marked(left[0]));
}

#[test]
fn a_rows_menu_acts_on_it_or_on_all_that_are_marked_with_it() {
    let (mut bench, rows) = two_marked();
    let at = bench.rect("row:3").center();
    click_with(&mut bench, at, egui::PointerButton::Secondary, Modifiers::NONE);
    bench.click("samples:Pin");
    let row = bench.state().focus.inspected.unwrap();
    assert!(!rows.contains(&row) && !bench.state().panels.inspector);
    assert_eq!(last_edit(&bench), paser_protocol::EditKind::Pin { rows: vec![row] });
    let at = bench.rect("row:5").center();
    click_with(&mut bench, at, egui::PointerButton::Secondary, Modifiers::NONE);
    bench.click("samples:Exclude all of them");
    assert_eq!(last_edit(&bench), paser_protocol::EditKind::Exclude { rows });
}

#[test]
fn a_rows_menu_tags_copies_and_finds_neighbours_of_that_row_alone() {
    let (mut bench, _) = two_marked();
    let open = |bench: &mut Bench| {
        let at = bench.rect("row:3").center();
        click_with(bench, at, egui::PointerButton::Secondary, Modifiers::NONE);
    };
    open(&mut bench);
    bench.click("samples:Tag, hide, give a reason...");
    let Some(Dialog::EditSamples(form)) = &bench.state().dialog else { panic!("no form") };
    assert_eq!(*form.rows, bench.state().focus.inspected.into_iter().collect::<Vec<_>>());
    bench.key(Modifiers::NONE, Key::Escape);
    open(&mut bench);
    let at = bench.rect("samples:Copy its text").center();
    bench.harness.hover_at(at);
    bench.harness.run();
    bench.press(at, true);
    bench.press(at, false);
    let row = bench.state().focus.inspected.unwrap();
    let sample = bench.state().data.samples[&row].clone();
    let copied =
        bench.harness.output().platform_output.commands.iter().any(
            |command| matches!(command, egui::OutputCommand::CopyText(text) if text.starts_with(&sample.instruction)),
        );
    assert!(copied);
    bench.harness.run();
    open(&mut bench);
    bench.click("samples:Brush its nearest samples");
    let Brush::Rows(rows) = bench.state().focus.brush().clone() else { panic!("nothing is brushed") };
    assert_eq!(rows.len(), 50);
    assert!(matches!(bench.state().focus.source(), Some(paser_protocol::EditSource::Neighbours { .. })));
}
