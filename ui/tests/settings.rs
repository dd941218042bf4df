//! Settings, and the messages so far.

#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use paser_protocol::{EngineSettings, Failure, Report, Request};
use support::{Bench, Start};
use ui::{command::Command, dialogs::Dialog, theme::Mode};

fn opened() -> Bench {
    let mut bench = Start::default().open().demo();
    bench.key(Modifiers::COMMAND, Key::Comma);
    assert!(matches!(bench.state().dialog, Some(Dialog::Settings(_))));
    bench
}

fn asked(bench: &Bench, which: impl Fn(&Request) -> bool) -> Vec<Request> {
    bench.requests().into_iter().filter(which).collect()
}

#[test]
fn theme_and_scale_change_at_once() {
    let mut bench = opened();
    bench.click("theme:light");
    assert_eq!(bench.state().mode, Mode::Light);
    bench.click("scale:1.25");
    assert_eq!(bench.harness.ctx.zoom_factor(), 1.25);
    let saved = bench.harness.state().saved(&bench.harness.ctx);
    assert_eq!((saved.mode, saved.scale), (Mode::Light, Some(1.25)), "both outlive the window");
}

#[test]
fn threads_and_memory_go_to_the_engine_once_they_are_numbers() {
    let mut bench = opened();
    bench.click("settings threads");
    bench.harness.event(egui::Event::Text("many".into()));
    bench.harness.run();
    bench.click("settings apply");
    assert!(asked(&bench, |request| matches!(request, Request::SetSettings { .. })).is_empty());
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.click("settings threads");
    bench.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("4".into()));
    bench.harness.run();
    bench.click("settings memory");
    bench.harness.event(egui::Event::Text("1.5".into()));
    bench.harness.run();
    bench.click("settings apply");
    let settings = EngineSettings { threads: 4, memory: Some(1_610_612_736) };
    assert_eq!(
        asked(&bench, |request| matches!(request, Request::SetSettings { .. })),
        [Request::SetSettings { settings }]
    );
    assert_eq!(bench.state().settings.as_ref().unwrap().settings, settings);
}

#[test]
fn a_cache_is_cleared_only_after_an_ask() {
    let mut bench = opened();
    let hub = "hub:meta-llama/Llama-2-7b-hf";
    let cleared = |bench: &Bench| asked(bench, |request| matches!(request, Request::ClearCache { .. }));
    bench.click("clear:demo");
    assert!(!bench.state().rects.contains_key("really clear:demo"), "what is open cannot be cleared");
    bench.click(&format!("clear:{hub}"));
    assert!(cleared(&bench).is_empty());
    bench.click(&format!("really clear:{hub}"));
    assert_eq!(cleared(&bench), [Request::ClearCache { id: hub.into() }]);
}

#[test]
fn the_layout_goes_back_to_its_first_state() {
    let mut bench = Start::default().open().demo();
    bench.click("bar:6");
    bench.click("Ledger");
    assert!(bench.state().panels.table && bench.state().panels.ledger);
    bench.harness.state_mut().state.run(Command::Larger);
    bench.harness.run();
    let larger = bench.harness.ctx.zoom_factor();
    bench.harness.state_mut().state.run(Command::ResetLayout);
    bench.harness.run();
    assert_eq!(bench.state().panels, ui::state::Panels::default());
    assert!(larger > 1.0);
    assert_eq!(bench.harness.ctx.zoom_factor(), larger, "the size of the text is no layout");
}

#[test]
fn messages_are_kept_after_they_went() {
    let mut bench = Start::default().open().demo();
    let report = Report::new(Failure::Failed, "The pool is on fire.", "Fetch water.");
    bench.harness.state_mut().state.toasts.report(&report);
    bench.harness.state_mut().state.toasts.say(0.0, "Saved map.svg", "");
    bench.harness.run();
    bench.harness.state_mut().state.toasts.clear_failures();
    bench.harness.state_mut().state.run(Command::Messages);
    bench.harness.run();
    let past: Vec<_> = bench.state().toasts.past().iter().map(|past| (past.what.as_str(), past.failed)).collect();
    assert_eq!(past, [("The pool is on fire.", true), ("Saved map.svg", false)]);
    bench.click("dialog:Done");
    assert!(bench.state().dialog.is_none());
}
