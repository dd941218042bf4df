//! What a person does, and what the window and the engine then have: brush, budget, palette, curation, search, forms.

#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use paser_protocol::{Budget, Edit, EditKind, Failure, Report, Request, Secret, Strategy};
use support::{Start, engine::Engine};
use ui::{
    command::Command,
    dialogs::Dialog,
    state::{Brush, Field, Screen},
};

#[test]
fn the_demo_opens_with_everything_on_screen() {
    let bench = Start::default().open().demo();
    let state = bench.state();
    assert!(state.build.selection.is_some());
    for name in ["map", "bar:6", "budget slider", "Freeze"] {
        bench.rect(name);
    }
    assert!(!state.panels.table && !state.panels.inspector, "folded at first");
    assert!(state.toasts.texts().is_empty(), "{:?}", state.toasts.texts());
}

#[test]
fn a_click_on_a_bar_brushes_its_cluster_in_every_view() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([6].into()));
    assert_eq!(bench.state().table.count(), Some(170));
    assert!(bench.state().panels.table);
    let asked = bench.requests().into_iter().rev().find_map(|request| match request {
        Request::Query { query } => Some(query.clusters),
        _ => None,
    });
    assert_eq!(asked, Some(vec![6]));
    bench.click("bar:6");
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing, "a second click clears it");
}

#[test]
fn dragging_the_budget_redraws_quotas_and_asks_once_at_rest() {
    let mut bench = Start::default().open().demo();
    let selects = |bench: &support::Bench| {
        bench.requests().iter().filter(|request| matches!(request, Request::Select { .. })).count()
    };
    let before = selects(&bench);
    let slider = bench.rect("budget slider");
    let from = slider.left_center() + egui::vec2(54.0, 0.0);
    bench.harness.hover_at(from);
    bench.harness.step();
    bench.press(from, true);
    let mut totals = Vec::new();
    for step in 1..6 {
        bench.harness.hover_at(from + egui::vec2(12.0 * step as f32, 0.0));
        bench.harness.step();
        totals.push(bench.state().build.provisional.as_ref().unwrap().total);
        assert_eq!(selects(&bench), before, "the engine is left alone while dragging");
    }
    assert!(totals.windows(2).all(|pair| pair[0] < pair[1]), "{totals:?}");
    bench.press(from + egui::vec2(60.0, 0.0), false);
    bench.harness.run();
    assert_eq!(selects(&bench), before + 1);
    let selection = bench.state().build.selection.as_ref().unwrap();
    assert_eq!(Some(&selection.budget), totals.last(), "provisional quotas are the engine's");
    assert!(bench.state().build.provisional.is_none());
}

#[test]
fn a_typed_budget_and_its_units() {
    let mut bench = Start::default().open().demo();
    bench.click("unit:samples");
    assert_eq!(bench.state().build.plan.budget, Budget::Samples(600));
    bench.click("budget field");
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("1,000".into()));
    bench.harness.run();
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    assert_eq!(bench.state().build.plan.budget, Budget::Samples(1_000));
    assert_eq!(bench.state().build.selection.as_ref().unwrap().budget, 1_000);
    bench.click("unit:%");
    assert_eq!(bench.state().build.plan.budget, Budget::Percent(33.3));
}

#[test]
fn the_palette_finds_and_runs_commands() {
    let mut bench = Start::default().open().demo();
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    bench.harness.run();
    assert!(matches!(bench.state().dialog, Some(Dialog::Palette { .. })));
    bench.harness.event(egui::Event::Text("fold the table".into()));
    bench.harness.run();
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    assert!(bench.state().panels.table);
    assert!(bench.state().dialog.is_none());
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    bench.harness.run();
    bench.harness.event(egui::Event::Text("units and".into()));
    bench.harness.run();
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([7].into()), "clusters are found too");
    // Of words that no name holds, the samples' text is meant.
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    bench.harness.run();
    bench.harness.event(egui::Event::Text("lantrn".into()));
    bench.harness.run();
    bench.harness.key_press(Key::Enter);
    bench.harness.run();
    assert_eq!(bench.state().table.search, "lantrn");
    let before = bench.harness.ctx.zoom_factor();
    bench.key(Modifiers::COMMAND, Key::Equals);
    assert!(bench.harness.ctx.zoom_factor() > before, "the key of + without Shift");
}

#[test]
fn undo_takes_back_budget_and_pins_in_their_order() {
    let mut bench = Start::default().open().demo();
    let budget = |bench: &support::Bench| bench.state().build.plan.budget;
    let pinned = |bench: &support::Bench| bench.state().project.as_ref().unwrap().curation.pinned.len();
    let slider = bench.rect("budget slider");
    let before = budget(&bench);
    bench.click_at(slider.center());
    let after = budget(&bench);
    assert_eq!(after, Budget::Percent(50.0), "a round number");
    assert_eq!(bench.state().undo_words().as_deref(), Some("budget 20% to 50%"), "the change that was made");
    bench.click("bar:6");
    bench.click("row:2");
    bench.key(Modifiers::NONE, Key::P);
    bench.click_at(slider.right_center() - egui::vec2(4.0, 0.0));
    assert_eq!((budget(&bench), pinned(&bench)), (Budget::Percent(100.0), 1));

    let mut seen = Vec::new();
    for _ in 0..3 {
        bench.key(Modifiers::COMMAND, Key::Z);
        seen.push((budget(&bench), pinned(&bench)));
    }
    assert_eq!(seen, [(after, 1), (after, 0), (before, 0)]);
    assert_eq!(bench.state().build.selection.as_ref().unwrap().budget, 600, "the engine was asked again");
    assert!(Command::Undo.enabled(bench.state()).is_err());
    bench.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!((budget(&bench), pinned(&bench)), (after, 0));
    assert_eq!(bench.state().redo_words().as_deref(), Some("the undone edit"));
    bench.click_at(slider.center() - egui::vec2(40.0, 0.0));
    assert!(Command::Redo.enabled(bench.state()).is_err(), "another change ends what could be brought back");
    bench.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(pinned(&bench), 0);
}

#[test]
fn the_second_half_of_a_double_click_clears_nothing() {
    let mut bench = Start::default().open().demo();
    let at = bench.rect("bar:6").center();
    // A frame of the harness takes longer than a hand.
    bench.harness.ctx.options_mut(|options| options.input_options.max_double_click_delay = 1.0);
    for pressed in [true, false, true, false] {
        bench.press(at, pressed);
    }
    bench.harness.run();
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([6].into()));
}

#[test]
fn escape_closes_an_open_menu_and_nothing_else() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    bench.click("strategy");
    assert!(egui::Popup::is_any_open(&bench.harness.ctx));
    bench.key(Modifiers::NONE, Key::Escape);
    assert!(!egui::Popup::is_any_open(&bench.harness.ctx), "the menu is still there");
    assert_ne!(*bench.state().focus.brush(), Brush::Nothing, "the brush went, too");
    bench.key(Modifiers::NONE, Key::Escape);
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing);
}

#[test]
fn another_order_or_search_is_seen_from_its_first_row() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    let away = |bench: &mut support::Bench| {
        bench.hover("pane:table");
        let delta = egui::vec2(0.0, -900.0);
        bench.harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta,
            phase: egui::TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: egui::MouseWheelSource::Unknown,
        });
        bench.harness.run();
        assert!(!bench.state().rects.contains_key("row:0"), "scrolled away");
    };
    away(&mut bench);
    bench.click("head:jsd");
    bench.rect("row:0");
    away(&mut bench);
    bench.key(Modifiers::NONE, Key::Escape);
    bench.rect("row:0");
}

#[test]
fn an_empty_selection_is_not_frozen() {
    let mut bench = Start::default().open().demo();
    bench.click("unit:samples");
    bench.click_at(bench.rect("budget slider").left_center() + egui::vec2(1.0, 0.0));
    assert_eq!(bench.state().build.selection.as_ref().unwrap().selected, 0);
    assert_eq!(Command::Freeze.enabled(bench.state()), Err("the selection is empty"));
}

#[test]
fn a_narrow_window_shows_the_damage_panel_when_told() {
    let mut bench = Start { size: [1_000.0, 700.0], ..Start::default() }.open().demo();
    bench.click("bar:6");
    bench.click("row:2");
    assert!(bench.state().panels.inspector && !bench.state().damage_shown());
    bench.click("ToggleDamage");
    assert!(bench.state().damage_shown() && !bench.state().panels.inspector);
    bench.rect("bar:6");
    bench.click("ToggleDamage");
    assert!(!bench.state().damage_shown());
}

#[test]
fn pin_undo_redo() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    bench.click("row:2");
    let row = bench.state().focus.inspected.unwrap();
    bench.harness.key_press(Key::P);
    bench.harness.run();
    assert_eq!(bench.state().project.as_ref().unwrap().curation.pinned, vec![row]);
    assert!(
        bench.requests().iter().any(
            |r| matches!(r, Request::Curate { edit: Edit { what: EditKind::Pin { rows }, .. } } if *rows == [row])
        )
    );
    assert_eq!(bench.state().build.selection.as_ref().unwrap().ledger[6].pinned, 1, "the selection was made again");
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    bench.harness.run();
    assert!(bench.state().project.as_ref().unwrap().curation.pinned.is_empty());
    bench.harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    bench.harness.run();
    assert_eq!(bench.state().project.as_ref().unwrap().curation.pinned, vec![row]);
    bench.harness.key_press(Key::X);
    bench.harness.run();
    let curation = &bench.state().project.as_ref().unwrap().curation;
    assert_eq!((curation.pinned.len(), curation.excluded.clone()), (0, vec![row]), "the later edit wins");
}

#[test]
fn a_box_on_the_map_brushes_the_points_inside() {
    let mut bench = Start::default().open().demo();
    bench.click("tool:Box");
    let map = bench.rect("map");
    let (from, to) = (map.center() - egui::vec2(150.0, 120.0), map.center() + egui::vec2(100.0, 90.0));
    bench.harness.hover_at(from);
    bench.harness.step();
    bench.press(from, true);
    for share in [0.3, 0.7, 1.0] {
        bench.harness.hover_at(from + (to - from) * share);
        bench.harness.step();
    }
    bench.press(to, false);
    bench.harness.run();
    let Brush::Rows(rows) = bench.state().focus.brush().clone() else { panic!("no box") };
    assert!(rows.len() > 50 && rows.len() < 2_500, "{}", rows.len());
    assert_eq!(bench.state().table.count(), Some(rows.len() as u64));
    bench.harness.key_press(Key::Escape);
    bench.harness.run();
    assert_eq!(*bench.state().focus.brush(), Brush::Nothing);
}

#[test]
fn a_point_is_hovered_and_inspected() {
    let mut bench = Start::default().open().demo();
    let map = bench.rect("map");
    let mut found = None;
    'search: for y in 0..40 {
        for x in 0..60 {
            let at = map.min + egui::vec2(map.width() * x as f32 / 60.0, map.height() * y as f32 / 40.0);
            bench.harness.hover_at(at);
            bench.harness.run();
            if let Some(row) = bench.state().focus.hovered {
                found = Some((row, at));
                break 'search;
            }
        }
    }
    let (row, at) = found.expect("a point under the pointer");
    assert!(bench.state().data.texts.contains_key(&row), "its text was fetched for the card");
    bench.click_at(at);
    assert_eq!(bench.state().focus.inspected, Some(row));
    assert!(bench.state().panels.inspector && !bench.state().panels.table, "the map stays where it is");
    assert!(bench.state().data.tokens.contains_key(&row));
}

#[test]
fn wheel_and_drag_move_the_camera_and_fit_brings_it_back() {
    let mut bench = Start::default().open().demo();
    let map = bench.rect("map");
    let fitted = bench.harness.state().camera();
    bench.harness.hover_at(map.center());
    bench.harness.step();
    bench.harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 200.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    bench.harness.run();
    let zoomed = bench.harness.state().camera();
    assert!(zoomed.scale > fitted.scale * 1.3, "{zoomed:?}");
    bench.press(map.center(), true);
    bench.harness.hover_at(map.center() + egui::vec2(80.0, 0.0));
    bench.harness.step();
    bench.press(map.center() + egui::vec2(80.0, 0.0), false);
    bench.harness.run();
    let moved = bench.harness.state().camera();
    assert!((zoomed.centre[0] - moved.centre[0]) * moved.scale > 70.0);
    bench.click("Fit");
    assert_eq!(bench.harness.state().camera().scale, fitted.scale);
}

#[test]
fn search_sort_and_keyboard_in_the_table() {
    let mut bench = Start::default().open().demo();
    bench.click("ToggleTable");
    assert_eq!(bench.state().table.count(), Some(3_000));
    bench.click("search");
    bench.harness.event(egui::Event::Text("river".into()));
    bench.harness.run();
    let count = bench.state().table.count().unwrap();
    assert!(count > 0 && count < 600, "{count}");
    assert!(bench.state().table.is_filtered());
    assert!(bench.harness.query_by_label(&format!("found {count}")).is_some(), "the map says what its rings are");
    bench.click("head:jsd");
    assert_eq!((bench.state().table.sort.as_str(), bench.state().table.descending), ("jsd", true));
    bench.click("row:0");
    let first = bench.state().focus.inspected;
    bench.harness.key_press(Key::ArrowDown);
    bench.harness.run();
    assert_ne!(bench.state().focus.inspected, first);
    bench.harness.key_press(Key::ArrowUp);
    bench.harness.run();
    assert_eq!(bench.state().focus.inspected, first);
}

#[test]
fn the_blocking_pair_is_one_click_away() {
    let mut bench = Start::default().open().demo();
    bench.harness.state_mut().state.inspect(12);
    bench.harness.run();
    bench.click("blocking:11");
    assert_eq!(bench.state().focus.inspected, Some(11));
}

#[test]
fn a_new_project_is_probed_estimated_and_made() {
    let mut bench = Start { dialogs: true, ..Start::default() }.open();
    bench.click("NewProject");
    assert_eq!(Command::NewProject.enabled(bench.state()), Ok(()));
    for (field, text) in
        [("Dense model", "dense"), ("Pruned model", "missing"), ("Pool", "pool.jsonl"), ("Project folder", "new")]
    {
        bench.click(&format!("field:{field}"));
        bench.harness.event(egui::Event::Text(text.into()));
        bench.harness.run_steps(8);
    }
    assert!(bench.state().form.estimate.is_none(), "a wrong field has no estimate");
    assert_eq!(bench.state().form.missing(), Err("one of the fields has an error"));
    bench.click("field:Pruned model");
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("pruned".into()));
    bench.harness.run();
    bench.harness.run_steps(8);
    assert!(matches!(bench.state().form.estimate, Some(Ok(_))));
    bench.click("Create and score");
    let draft = bench.requests().into_iter().find_map(|request| match request {
        Request::CreateProject { draft, run: true } => Some(draft),
        _ => None,
    });
    let draft = draft.unwrap();
    assert_eq!((draft.dense.as_str(), draft.pruned.as_str(), draft.pool.as_str()), ("dense", "pruned", "pool.jsonl"));
    assert_eq!(bench.state().screen, Screen::Explore);
}

#[test]
fn a_data_set_of_the_hub_asks_for_its_part_and_takes_a_token() {
    let mut bench = Start::default().open();
    bench.click("NewProject");
    let type_into = |bench: &mut support::Bench, field: &str, text: &str| {
        bench.click(&format!("field:{field}"));
        bench.harness.event(egui::Event::Text(text.into()));
        bench.harness.run_steps(8);
    };
    for (field, text) in [
        ("Dense model", "dense"),
        ("Pruned model", "pruned"),
        ("Project folder", "new"),
        ("Pool", "hub:HuggingFaceH4/ultrachat_200k"),
    ] {
        type_into(&mut bench, field, text);
    }
    assert_eq!(bench.state().form.missing(), Err("one of the fields has an error"), "a part has to be chosen");
    bench.click("parts");
    bench.harness.get_by_label("default/train_sft").click();
    bench.harness.run_steps(8);
    assert_eq!(bench.state().form.pool, "hub:HuggingFaceH4/ultrachat_200k:default/train_sft");
    assert_eq!(bench.state().form.missing(), Ok(()));
    let gated =
        |bench: &support::Bench| bench.state().form.remarks(Field::Pool).iter().any(|one| one.text.contains("gated"));
    assert!(gated(&bench));
    type_into(&mut bench, "Hub token", "hf_secret_of_a_person");
    assert!(bench.requests().contains(&Request::SetToken { token: Secret("hf_secret_of_a_person".into()) }));
    assert!(!gated(&bench), "what the hub says is asked again with the token");
    bench.click("Create and score");
    let said = format!("{:?}", bench.requests());
    assert!(said.contains("default/train_sft") && !said.contains("hf_secret"), "the draft does not hold the token");
}

#[test]
fn export_writes_or_downloads() {
    let mut bench = Start::default().open().demo();
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::E);
    bench.harness.run();
    bench.click("dialog:Download");
    assert_eq!(bench.shared.borrow().downloads, vec![("selection-alpaca-json.zip".to_owned(), b"PK".to_vec())]);
    bench.click("export path");
    bench.harness.event(egui::Event::Text("/tmp/out.json".into()));
    bench.harness.run();
    bench.click("dialog:Write");
    let Some(Dialog::Export(form)) = &bench.state().dialog else { panic!("it stays open") };
    assert_eq!(form.done.as_ref().unwrap().paths.len(), 3);
    // What was written is told no more once another path is typed; the buttons stay where they are.
    let write = bench.rect("dialog:Write");
    bench.click("export path");
    bench.harness.event(egui::Event::Text("2".into()));
    bench.harness.run();
    let Some(Dialog::Export(form)) = &bench.state().dialog else { panic!("it stays open") };
    assert!(form.done.is_none());
    assert_eq!(bench.rect("dialog:Write"), write);
}

#[test]
fn freezing_asks_for_a_name() {
    let mut bench = Start::default().open().demo();
    bench.click("Freeze");
    bench.click("dialog:Freeze");
    assert!(bench.requests().contains(&Request::Freeze { name: "paser 1".into() }));
    assert!(bench.state().dialog.is_none());
}

#[test]
fn an_error_says_what_to_do_and_loses_nothing() {
    let engine = Engine::new();
    let handle = engine.handle();
    let mut bench = Start { engine, ..Start::default() }.open().demo();
    handle.fail_next(Report::new(
        Failure::Machine,
        "The folder /data cannot be written.",
        "Give it back its permissions.",
    ));
    bench.click("bar:6");
    assert_eq!(bench.state().toasts.texts(), vec!["The folder /data cannot be written."]);
    assert!(bench.state().project.is_some());
    bench.harness.get_by_label("Close message").click();
    bench.harness.run();
    assert!(bench.state().toasts.texts().is_empty());
}

#[test]
fn escape_leaves_messages_alone_and_goes_from_dialog_to_field_to_brush() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    bench.click("search");
    bench.harness.event(egui::Event::Text("price".into()));
    bench.harness.run();
    let report = Report::new(Failure::Failed, "The pool is on fire.", "Fetch water.");
    bench.harness.state_mut().state.toasts.report(&report);
    bench.key(Modifiers::COMMAND, Key::S);
    let seen = |bench: &support::Bench| {
        let state = bench.state();
        let (field, brush) = (bench.harness.ctx.text_edit_focused(), *state.focus.brush() != Brush::Nothing);
        assert_eq!(state.toasts.texts(), ["The pool is on fire."]);
        (state.dialog.is_some(), field, brush)
    };
    assert!(seen(&bench).0);
    bench.key(Modifiers::NONE, Key::Escape);
    bench.click("search");
    assert_eq!(seen(&bench), (false, true, true));
    bench.key(Modifiers::NONE, Key::Escape);
    assert_eq!(seen(&bench), (false, false, true), "the field is left, and nothing else");
    assert_eq!(bench.state().table.search, "price");
    bench.key(Modifiers::NONE, Key::Escape);
    assert_eq!(seen(&bench), (false, false, false));
}

#[test]
fn a_click_beside_a_dialog_closes_it_where_nothing_was_typed() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    let before = (bench.state().focus.brush().clone(), bench.state().panels.clone());
    let beside = egui::pos2(60.0, 400.0);
    let dialogs = [
        Command::Palette,
        Command::Shortcuts,
        Command::Settings,
        Command::Messages,
        Command::Journal,
        Command::Models,
        Command::Checks,
        Command::Stability,
        Command::Freeze,
        Command::Export,
        Command::EditSamples,
    ];
    for command in dialogs {
        bench.harness.state_mut().state.run(command);
        bench.harness.run();
        assert!(bench.state().dialog.is_some(), "{command:?}");
        bench.harness.hover_at(beside);
        bench.harness.step();
        // As a slow hand does it: longer than what counts as a click elsewhere.
        bench.press(beside, true);
        bench.harness.run_steps(8);
        bench.press(beside, false);
        bench.harness.run();
        assert!(bench.state().dialog.is_none(), "{command:?} stays open");
    }
    bench.harness.state_mut().state.run(Command::Export);
    bench.harness.run();
    bench.click("export selection");
    assert!(egui::Popup::is_any_open(&bench.harness.ctx));
    bench.click_at(beside);
    assert!(!egui::Popup::is_any_open(&bench.harness.ctx) && bench.state().dialog.is_some(), "the list alone closes");
    bench.click_at(beside);
    assert!(bench.state().dialog.is_none());
    bench.harness.state_mut().state.run(Command::EditSamples);
    bench.harness.run();
    bench.harness.event(egui::Event::Text("odd".into()));
    bench.harness.run();
    bench.click_at(beside);
    assert!(matches!(bench.state().dialog, Some(Dialog::EditSamples(_))), "what was typed is not lost");
    bench.key(Modifiers::NONE, Key::Escape);
    assert!(bench.state().dialog.is_none());
    assert_eq!((bench.state().focus.brush().clone(), bench.state().panels.clone()), before, "and nothing else is done");
}

#[test]
fn another_strategy_has_no_quotas_to_show_while_it_waits() {
    let mut bench = Start::default().open().demo();
    bench.click("strategy");
    use egui_kittest::kittest::Queryable as _;
    bench.harness.get_by_label("jsd-top").click();
    bench.harness.step();
    bench.harness.step();
    assert_eq!(bench.state().build.plan.strategy, Strategy::JsdTop);
    assert!(bench.state().build.provisional.is_none());
}

#[test]
fn what_was_open_is_open_again() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:7");
    let ctx = bench.harness.ctx.clone();
    let saved = bench.harness.state().saved(&ctx);
    let json = serde_json::to_string(&saved).unwrap();
    let saved = serde_json::from_str(&json).unwrap();
    let bench = Start { saved, ..Start::default() }.open();
    assert_eq!(bench.state().screen, Screen::Explore);
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([7].into()));
    assert!(bench.state().panels.table);
    // By its path: a demo may lie elsewhere than where the button puts it.
    let path = "/home/somebody/.local/share/paser/demo".to_owned();
    assert!(bench.requests().contains(&Request::OpenProject { path }));
    assert_eq!(bench.count(|request| matches!(request, Request::OpenDemo { .. })), 0);
}

#[test]
fn the_summary_for_browser_tests_names_screen_counts_and_places() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    let ctx = bench.harness.ctx.clone();
    let summary = bench.harness.state().summary(&ctx);
    assert_eq!(summary["screen"], "explore");
    assert_eq!(summary["brushed_clusters"], serde_json::json!([6]));
    assert!(summary["selection"]["selected"].as_u64().unwrap() > 0);
    assert!(summary["rects"]["bar:6"].is_array());
}
