//! Strategies that take a pass of their own, and the sweep of settings, as a person meets them: chosen, priced, set, computed;
//! read in plots and table, and adopted.
#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use paser_protocol::{Factor, PassModel, Request, SelectionPlan, Strategy, StrategySettings};
use support::{Bench, Start};
use ui::{command::Command, dialogs::Dialog};

/// The demo with a strategy chosen from the list.
fn with(strategy: Strategy) -> Bench {
    let mut bench = Start::default().open().demo();
    bench.click("strategy");
    bench.harness.get_by_label(strategy.name()).click();
    bench.harness.run();
    bench.harness.run_steps(4);
    bench
}

fn prepared(bench: &Bench) -> Vec<(Strategy, StrategySettings)> {
    let prepare = |request| match request {
        Request::Prepare { strategy, settings } => Some((strategy, settings)),
        _ => None,
    };
    bench.requests().into_iter().filter_map(prepare).collect()
}

fn selected(bench: &Bench, strategy: Strategy) -> usize {
    bench.count(|request| matches!(request, Request::Select { plan } if plan.strategy == strategy))
}

#[test]
fn a_strategy_that_needs_a_pass_is_priced_before_anything_is_asked_of_the_engine() {
    let mut bench = with(Strategy::Ifd);
    assert!(matches!(&bench.state().dialog, Some(Dialog::Prepare(form)) if form.strategy == Strategy::Ifd));
    assert!(bench.harness.query_all_by_label_contains("3 s to 9 s").count() > 0);
    bench.key(Modifiers::NONE, Key::Escape);
    bench.harness.run_steps(4);
    // Nothing is selected meanwhile, and the ledger's line says why.
    assert_eq!((selected(&bench, Strategy::Ifd), bench.state().build.selection.is_none()), (0, true));
    assert!(bench.state().build.problem.as_ref().unwrap().what.contains("one more pass of the dense model"));
    assert!(Command::Freeze.enabled(bench.state()).is_err());
    bench.click("Prepare");
    bench.click("pass model:pruned");
    bench.click("dialog:Compute");
    let settings = StrategySettings { ifd_model: PassModel::Pruned, ..StrategySettings::default() };
    assert_eq!(prepared(&bench), [(Strategy::Ifd, settings)]);
    assert!(bench.state().dialog.is_none());
    // The job ends; the project is looked at again, and the selection is made.
    bench.send(paser_protocol::Event::Finished { report: None, seconds: 4.0 });
    bench.harness.run();
    bench.harness.run_steps(4);
    assert_eq!(selected(&bench, Strategy::Ifd), 1);
    let selection = bench.state().build.selection.clone().unwrap();
    assert!(selection.ledger.iter().map(|row| row.ruled_out).sum::<u64>() > 0 && bench.state().build.problem.is_none());
    assert!(bench.harness.query_by_label("Compute what the strategy reads").is_none(), "it is there");
}

#[test]
fn a_filter_model_has_to_be_named() {
    let mut bench = with(Strategy::Superfiltering);
    bench.click("dialog:Compute");
    assert!(prepared(&bench).is_empty());
    bench.click("filter model");
    bench.harness.event(egui::Event::Text("org/small".to_owned()));
    bench.harness.run();
    bench.key(Modifiers::NONE, Key::Enter);
    assert_eq!(prepared(&bench)[0].1.filter_model, "org/small");
}

#[test]
fn anchors_are_counted_and_priced() {
    let mut bench = with(Strategy::Nuggets);
    bench.click("anchors");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("x".to_owned()));
    bench.harness.run();
    bench.click("dialog:Compute");
    assert!(prepared(&bench).is_empty(), "no number");
    bench.click("anchors");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("10".to_owned()));
    bench.harness.run();
    // 190 to 560 s are of 100 anchors.
    assert!(bench.harness.query_by_label_contains("21 s to 61 s").is_some());
    bench.click("dialog:Compute");
    assert_eq!((prepared(&bench)[0].0, prepared(&bench)[0].1.nuggets_anchors), (Strategy::Nuggets, 10));
}

#[test]
fn a_strategy_is_added_to_a_comparison_once_its_pass_is_there() {
    let mut bench = Start::default().open().demo();
    let plan = SelectionPlan { strategy: Strategy::Ifd, ..SelectionPlan::default() };
    bench.harness.state_mut().state.set_plan(plan);
    bench.harness.run_steps(6);
    bench.key(Modifiers::NONE, Key::Num2);
    bench.click("AddStrategy");
    bench.click("dialog:Add");
    assert_eq!(bench.count(|request| matches!(request, Request::FreezePlan { .. })), 0);
    bench.click("add compute");
    bench.click("dialog:Compute");
    bench.send(paser_protocol::Event::Finished { report: None, seconds: 4.0 });
    bench.harness.run();
    bench.click("AddStrategy");
    bench.click("dialog:Add");
    assert_eq!(bench.count(|request| matches!(request, Request::FreezePlan { .. })), 1);
}

#[test]
fn the_sweep_is_priced_computed_read_and_a_setting_adopted() {
    let mut bench = Start::default().open().demo();
    bench.click("stability");
    assert!(bench.harness.query_by_label_contains("as it is now: d, t, K, k, tau, seed").is_some());
    bench.click("Sweep:tau");
    bench.click("Sweep");
    let sweeps: Vec<Vec<Factor>> = (bench.requests().into_iter())
        .filter_map(|request| match request {
            Request::Sweep { factors } => Some(factors),
            _ => None,
        })
        .collect();
    assert_eq!(sweeps, [vec![Factor::Temperature], Factor::ALL.to_vec()]);
    bench.send(paser_protocol::Event::Finished { report: None, seconds: 4.0 });
    bench.harness.run();
    let adopted = |bench: &Bench| -> Vec<(Factor, f64)> {
        let adopt = |request| match request {
            Request::Adopt { factor, value } => Some((factor, value)),
            _ => None,
        };
        bench.requests().into_iter().filter_map(adopt).collect()
    };
    // The one in force, and a temperature, are not to be adopted.
    bench.click("setting:d = 16");
    bench.click("dialog:Adopt this setting");
    assert!(adopted(&bench).is_empty());
    bench.click("setting:d = 8");
    assert!(bench.harness.query_by_label_contains("d = 8: 12 clusters; 426 of 600 samples").is_some());
    bench.click("dialog:Adopt this setting");
    assert_eq!(adopted(&bench), [(Factor::Dimensions, 8.0)]);
    assert!(bench.state().dialog.is_none());
    assert!(Command::Stability.enabled(bench.state()).is_ok() && Command::ALL.contains(&Command::Stability));
}
