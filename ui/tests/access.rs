//! Reached by keys and by a screen reader: everything that can be pressed has a name, Tab goes through every pane, and
//! every dialog opens, is walked and closes without a pointer.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use egui::{
    Key, Modifiers,
    accesskit::{Action, Role},
};
use egui_kittest::kittest::{NodeT as _, Queryable as _, by};
use support::{Bench, Start};
use ui::command::Command;

/// Roles and rectangles of what can be pressed and has no name.
fn nameless(bench: &Bench) -> Vec<String> {
    let pressed = |node: &egui_kittest::kittest::AccessKitNode<'_>| {
        let acts = node.data().supports_action(Action::Click) || node.data().supports_action(Action::Focus);
        let named = [node.label(), node.value()].into_iter().flatten().any(|name| !name.trim().is_empty());
        acts && !named && !matches!(node.role(), Role::Window | Role::ScrollBar)
    };
    let found = bench.harness.query_all(by().predicate(pressed));
    found
        .map(|node| format!("{:?} at {:?}", node.accesskit_node().role(), node.accesskit_node().raw_bounds()))
        .collect()
}

/// What has the keyboard, by name.
fn focused(bench: &Bench) -> Option<String> {
    let node = bench.harness.query_all(by().predicate(|node| node.is_focused())).next()?;
    let node = node.accesskit_node();
    node.label().or_else(|| node.value())
}

/// Names of everything that Tab comes to, until it comes round or `most` presses are done.
fn walk(bench: &mut Bench, most: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..most {
        bench.harness.key_press(Key::Tab);
        bench.harness.step();
        bench.harness.step();
        if let Some(name) = focused(bench) {
            seen.insert(name);
        }
    }
    seen
}

fn unfolded() -> Bench {
    let mut bench = Start { size: [1680.0, 1000.0], ..Start::default() }.open().demo();
    bench.click("bar:6");
    bench.click("row:3");
    bench.click("Ledger");
    bench
}

fn compared() -> Bench {
    let mut bench = Start::default().open().demo();
    bench.key(Modifiers::NONE, Key::Num2);
    for _ in 0..2 {
        bench.click("AddStrategy");
        bench.click("dialog:Add");
    }
    bench
}

fn recovered() -> Bench {
    let engine = support::engine::Engine::new().recovering(support::recovery::live());
    let mut bench = Start { engine, ..Start::default() }.open().demo();
    bench.key(Modifiers::NONE, Key::Num3);
    bench.click("curves");
    bench
}

#[test]
fn whatever_can_be_pressed_has_a_name() {
    let mut welcome = Start::default().open();
    assert_eq!(nameless(&welcome), Vec::<String>::new(), "welcome");
    welcome.click("NewProject");
    assert_eq!(nameless(&welcome), Vec::<String>::new(), "new project");
    assert_eq!(nameless(&unfolded()), Vec::<String>::new(), "explore");
    assert_eq!(nameless(&compared()), Vec::<String>::new(), "compare");
    assert_eq!(nameless(&recovered()), Vec::<String>::new(), "recover");
}

#[test]
fn tab_comes_to_every_pane() {
    let mut bench = unfolded();
    let seen = walk(&mut bench, 260);
    for part in ["Map of the pool", "Menu", "Freeze selection...", "Budget", "Sort by id", "Damage per cluster"] {
        assert!(seen.iter().any(|name| name.contains(part)), "{part} is not reached; there are {seen:#?}");
    }
}

#[test]
fn tab_comes_to_every_pane_of_recovery() {
    let mut bench = recovered();
    let seen = walk(&mut bench, 200);
    for part in [
        "Step of the cursor on the curves",
        "Metric of the curves",
        "Smoothing",
        "What the outcome shows",
        "Hide random",
        "What to do with random",
        "Sort by total",
        "First arm",
        "Export report...",
    ] {
        assert!(seen.iter().any(|name| name.contains(part)), "{part} is not reached; there are {seen:#?}");
    }
}

#[test]
fn every_dialog_of_recovery_opens_by_keys_is_walked_and_closes_by_escape() {
    for command in [Command::AddArms, Command::RecoverSettings, Command::ReadRun, Command::ExportReport] {
        let mut bench = recovered();
        bench.harness.state_mut().state.run(command);
        bench.harness.run();
        assert!(bench.state().dialog.is_some(), "{command:?}");
        assert_eq!(nameless(&bench), Vec::<String>::new(), "{command:?}");
        let seen = walk(&mut bench, 40);
        assert!(!seen.is_empty(), "nothing in {command:?} is reached by Tab");
        bench.key(Modifiers::NONE, Key::Escape);
        assert!(bench.state().dialog.is_none(), "{command:?} stays open");
    }
}

#[test]
fn every_dialog_opens_by_keys_is_walked_and_closes_by_escape() {
    for command in [
        Command::Palette,
        Command::Shortcuts,
        Command::Settings,
        Command::Messages,
        Command::Freeze,
        Command::Export,
        Command::Journal,
        Command::Checks,
        Command::EditSamples,
        Command::AddStrategy,
    ] {
        let mut bench = unfolded();
        bench.harness.state_mut().state.run(command);
        bench.harness.run();
        assert!(bench.state().dialog.is_some(), "{command:?}");
        assert_eq!(nameless(&bench), Vec::<String>::new(), "{command:?}");
        let seen = walk(&mut bench, 40);
        assert!(!seen.is_empty(), "nothing in {command:?} is reached by Tab");
        bench.key(Modifiers::NONE, Key::Escape);
        assert!(bench.state().dialog.is_none(), "{command:?} stays open");
    }
}
