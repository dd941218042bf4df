//! What a new user stumbled over once.
#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use paser_protocol::{EditKind, Request};
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

fn last_edit(bench: &Bench) -> EditKind {
    let mut edits = bench.requests().into_iter().filter_map(|request| match request {
        Request::Curate { edit } => Some(edit.what),
        _ => None,
    });
    edits.next_back().unwrap()
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
    // Of all that is brushed some are picked, not taken out.
    for (row, picked) in [("row:2", 1), ("row:5", 2)] {
        let at = bench.rect(row).center();
        click_with(&mut bench, at, egui::PointerButton::Primary, Modifiers::COMMAND);
        let Brush::Rows(rows) = bench.state().focus.brush().clone() else { panic!("nothing is brushed") };
        assert_eq!((rows.len(), bench.state().table.count()), (picked, Some(170)));
    }
}

#[test]
fn a_rows_menu_acts_on_it_or_on_all_that_are_marked_with_it() {
    let (mut bench, rows) = two_marked();
    let at = bench.rect("row:3").center();
    click_with(&mut bench, at, egui::PointerButton::Secondary, Modifiers::NONE);
    bench.click("samples:Pin");
    let row = bench.state().focus.inspected.unwrap();
    assert!(!rows.contains(&row) && !bench.state().panels.inspector);
    assert_eq!(last_edit(&bench), EditKind::Pin { rows: vec![row] });
    let at = bench.rect("row:5").center();
    click_with(&mut bench, at, egui::PointerButton::Secondary, Modifiers::NONE);
    bench.click("samples:Exclude all of them");
    assert_eq!(last_edit(&bench), EditKind::Exclude { rows });
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

/// Types into the search field of the table.
fn search(bench: &mut Bench, text: &str) {
    bench.click("ToggleTable");
    bench.click("search");
    type_text(bench, text);
    bench.harness.run();
}

#[test]
fn a_search_of_whole_words_offers_what_stands_inside_of_words() {
    let mut bench = demo();
    search(&mut bench, "antern");
    assert_eq!(bench.state().table.count(), Some(0));
    assert!(bench.harness.query_by_label_contains("Whole words only").is_some());
    bench.click("InsideWords");
    bench.harness.run();
    assert_eq!(bench.state().table.search, "*antern*");
    let found = bench.state().table.count().unwrap();
    assert!(found > 0);
    assert!(bench.harness.query_by_label_contains("Whole words only").is_none());

    let mut bench = demo();
    search(&mut bench, "antern");
    assert!(bench.harness.query_by_label_contains(&format!("{} more samples", ui::format::count(found))).is_some());
    bench.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::F);
    bench.harness.run();
    assert_eq!((bench.state().table.search.as_str(), bench.state().table.count()), ("*antern*", Some(found)));
}

#[test]
fn a_filter_of_two_conditions_needs_no_and_and_is_opened_like_a_search() {
    let mut bench = demo();
    search(&mut bench, "damage > 0.05 tokens < 20 text ~ sql");
    assert!(bench.state().table.reads_as_filter());
    let wide = "damage > 0.05 and tokens < 20 and text ~ \"*sql*\"";
    assert_eq!(bench.state().table.inside_words().as_deref(), Some(wide));
    let filters = bench.requests().into_iter().filter_map(|request| match request {
        Request::Query { query } => Some(query.filter),
        _ => None,
    });
    assert!(filters.into_iter().any(|filter| filter == "damage > 0.05 tokens < 20 text ~ sql"));
}

#[test]
fn heads_tell_the_name_of_their_column_in_a_filter() {
    let mut bench = demo();
    bench.click("ToggleTable");
    for (head, told) in
        [("response_tokens", "response_tokens"), ("jsd", "jsd"), ("instruction", "instruction ~ *word*")]
    {
        bench.hover(&format!("head:{head}"));
        bench.harness.run_steps(8);
        let label = format!("in a filter: {told}");
        assert!(bench.harness.query_by_label_contains(&label).is_some(), "{label}");
    }
}

#[test]
fn edits_say_what_they_did_and_undo_takes_them_back() {
    let mut bench = demo();
    bench.click("ToggleTable");
    bench.click("row:1");
    bench.key(Modifiers::NONE, Key::P);
    assert_eq!(messages(&bench), [("1 sample pinned".to_owned(), String::new())]);
    bench.click("toast:undo");
    assert!(bench.state().project.as_ref().unwrap().curation.pinned.is_empty());
    assert_eq!(messages(&bench).pop().unwrap().0, "Taken back: 1 sample pinned");
    bench.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert!(messages(&bench).pop().unwrap().0.starts_with("Made again: "));
    bench.key(Modifiers::COMMAND, Key::Z);
    assert!(messages(&bench).pop().unwrap().0.starts_with("Taken back: "));
}

#[test]
fn edits_within_a_moment_share_a_message_and_its_undo() {
    let mut bench = demo();
    for rows in [vec![1, 2], vec![5]] {
        bench.harness.state_mut().state.curate(paser_protocol::Edit::new(EditKind::Pin { rows }, ""));
    }
    let merge = EditKind::MergeClusters { clusters: vec![1, 2] };
    bench.harness.state_mut().state.curate(paser_protocol::Edit::new(merge, ""));
    bench.harness.run();
    assert_eq!(messages(&bench), [("3 samples pinned; 2 clusters merged".to_owned(), String::new())]);
    bench.click("toast:undo");
    let curation = &bench.state().project.as_ref().unwrap().curation;
    assert!(curation.pinned.is_empty() && curation.undo.is_none());
    assert_eq!(messages(&bench).len(), 2);
}

#[test]
fn esc_leaves_the_message_of_an_edit_and_clears_the_brush() {
    let mut bench = demo();
    bench.click("bar:6");
    bench.key(Modifiers::SHIFT, Key::P);
    assert!(messages(&bench)[0].0.ends_with(" samples pinned"));
    bench.key(Modifiers::NONE, Key::Escape);
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing);
}

#[test]
fn a_refused_quota_is_not_told_later_as_if_it_were_set() {
    let engine = support::engine::Engine::new();
    let handle = engine.handle();
    let mut bench = Start { engine, ..Start::default() }.open().demo();
    handle.refuse(Some(|request| matches!(request, Request::Curate { .. })));
    set(&mut bench, "bar:6", "Set quota...", "cluster quota", "3");
    handle.refuse(None);
    assert!(bench.state().build.moving.is_none());
    let before = messages(&bench).len();
    let plan = paser_protocol::SelectionPlan { seed: 9, ..bench.state().build.plan.clone() };
    bench.harness.state_mut().state.set_plan(plan);
    bench.harness.run_steps(12);
    assert_eq!(messages(&bench).len(), before, "{:?}", messages(&bench));
}

#[test]
fn a_quota_is_told_without_its_effect_where_the_plan_changes_meanwhile() {
    let mut bench = demo();
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Select { .. }));
    set(&mut bench, "bar:6", "Set quota...", "cluster quota", "3");
    assert!(bench.state().build.moving.is_some());
    let plan = paser_protocol::SelectionPlan { seed: 9, ..bench.state().build.plan.clone() };
    bench.harness.state_mut().state.set_plan(plan);
    bench.harness.run();
    bench.let_go();
    let told: Vec<String> = messages(&bench).into_iter().map(|message| message.0).collect();
    assert!(told.len() == 1 && told[0].ends_with(" set to 3 samples"), "{told:?}");
}

#[test]
fn the_form_of_an_edit_shows_the_tag_only_for_tags() {
    let mut bench = demo();
    bench.click("bar:6");
    bench.key(Modifiers::NONE, Key::T);
    assert!(bench.state().rects.contains_key("tag"));
    bench.click("do:hide");
    assert!(!bench.state().rects.contains_key("tag"));
    assert!(bench.state().rects.contains_key("reason"));
}

#[test]
fn the_bar_of_the_brush_says_which_selection_takes_the_samples() {
    let mut bench = demo();
    bench.click("bar:6");
    let brushed = |bench: &Bench, words: &str| bench.harness.query_by_label_contains(words).is_some();
    assert!(brushed(&bench, "of them in the selection being built"));
    let mut project = (**bench.state().project.as_ref().unwrap()).clone();
    let mut frozen = bench.state().build.selection.clone().unwrap();
    frozen.name = Some("paser 4 %".to_owned());
    project.selections.push(frozen);
    bench.harness.state_mut().state.project = Some(std::rc::Rc::new(project));
    bench.harness.run();
    assert!(brushed(&bench, "of them in \"paser 4 %\""));
}

#[test]
fn a_message_of_quotas_is_not_swallowed_by_the_next_edit() {
    let mut bench = demo();
    let edits = [
        EditKind::Pin { rows: vec![1] },
        EditKind::SetQuota { cluster: 6, quota: Some(3), unit: paser_protocol::Unit::Samples },
        EditKind::Pin { rows: vec![2] },
    ];
    for edit in edits {
        bench.harness.state_mut().state.curate(paser_protocol::Edit::new(edit, ""));
        bench.harness.run_steps(3);
    }
    let told: Vec<String> = messages(&bench).into_iter().map(|message| message.0).collect();
    assert_eq!(told, ["1 sample pinned", "Quotas before and now", "1 sample pinned"]);
}

#[test]
fn an_empty_table_says_whether_words_or_a_filter_found_nothing() {
    let mut bench = demo();
    search(&mut bench, "text ~ zzz");
    let told = |bench: &Bench, words: &str| bench.harness.query_by_label_contains(words).is_some();
    assert!(told(&bench, "No sample fits this filter"));
    bench.click("bar:6");
    assert!(told(&bench, "No brushed sample fits this filter"));
}
