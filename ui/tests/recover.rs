//! Arms, as a person would: added from the empty page and from Compare, trained, looked at step by step, compared in pairs,
//! copied and reported.
#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use paser_protocol::{ArmData, Equal, Event, JobView, Request, Stage, TableFormat, WeightsFormat};
use support::{Bench, Start, engine::Engine, recovery};
use ui::{
    command::Command,
    dialogs::Dialog,
    picture::{Format, View},
    recovery::{Axis, Outcome},
    state::{ColourBy, Screen},
};

fn opened(view: paser_protocol::RecoveryView) -> (Bench, Engine) {
    let engine = Engine::new().recovering(view);
    let handle = engine.handle();
    let mut bench = Start { engine, ..Start::default() }.open().demo();
    bench.key(Modifiers::NONE, Key::Num3);
    assert_eq!(bench.state().screen, Screen::Recover);
    (bench, handle)
}

fn done() -> Bench {
    opened(recovery::done()).0
}

fn added(bench: &Bench) -> Vec<paser_protocol::ArmPlan> {
    let arms = |request| match request {
        Request::AddArms { arms } => Some(arms),
        _ => None,
    };
    bench.requests().into_iter().filter_map(arms).flatten().collect()
}

fn says(bench: &Bench, words: &str) -> bool {
    bench.harness.query_all_by_label_contains(words).next().is_some()
}

/// Picks an entry of an open list, where a click of the pointer goes to what is on top.
fn pick(bench: &mut Bench, list: &str, entry: &str) {
    bench.click(list);
    bench.harness.run();
    let at = bench.harness.get_all_by_label(entry).last().expect("it is in the list").rect().center();
    bench.click_at(at);
}

#[test]
fn the_empty_page_leads_to_paser_and_random_with_three_seeds() {
    let (mut bench, _) = opened(recovery::empty());
    assert!(says(&bench, "There are no arms yet"));
    let at = bench.harness.get_by_label("Train paser and random, three seeds...").rect().center();
    bench.click_at(at);
    let Some(Dialog::AddArms(form)) = &bench.state().dialog else { panic!("no form") };
    assert_eq!((form.built, form.random, form.seeds.as_str()), (true, true, "3"));
    bench.click("dialog:Add arms");
    let frozen: Vec<String> = bench
        .requests()
        .into_iter()
        .filter_map(|request| match request {
            Request::FreezePlan { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    assert_eq!(frozen, ["paser 1", "random 1"], "what is trained on is frozen first");
    let arms = added(&bench);
    assert_eq!(arms.iter().map(|arm| arm.seeds.clone()).collect::<Vec<_>>(), [[1, 2, 3], [1, 2, 3]]);
    assert_eq!(arms[1].data, ArmData::Selection { name: "random 1".to_owned() });
    assert!(bench.state().dialog.is_none());
    bench.rect("arm:paser 1");
    // The price stands beside the button before anything is trained.
    assert!(says(&bench, "6 runs wait: 15 min to 22 min, 3.2 GB of memory."));
    bench.click("Train");
    assert_eq!(bench.count(|request| matches!(request, Request::Train { arms, .. } if arms.is_empty())), 1);
}

#[test]
fn what_is_compared_is_trained_with_random() {
    let (mut bench, _) = opened(recovery::empty());
    bench.key(Modifiers::NONE, Key::Num2);
    bench.click("AddStrategy");
    bench.click("dialog:Add");
    bench.click("TrainCompared");
    let Some(Dialog::AddArms(form)) = &bench.state().dialog else { panic!("no form") };
    assert!(form.chosen.contains("paser 1") && form.random);
    bench.click("train:random");
    bench.click("arm name");
    bench.harness.event(egui::Event::Text("ours".to_owned()));
    bench.harness.run();
    pick(&mut bench, "arm equal", "equal epochs");
    bench.click("dialog:Add arm");
    let arms = added(&bench);
    assert_eq!((arms.len(), arms[0].name.as_str(), arms[0].equal), (1, "ours", Some(Equal::Epochs)));
    assert_eq!(bench.state().screen, Screen::Recover);
}

#[test]
fn a_seed_count_that_is_none_is_told_and_adds_nothing() {
    let (mut bench, _) = opened(recovery::empty());
    bench.harness.state_mut().state.run(Command::DefaultArms);
    bench.harness.run();
    bench.click("arm seeds");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("many".to_owned()));
    bench.harness.run();
    bench.click("dialog:Add arms");
    assert!(added(&bench).is_empty() && says(&bench, "seeds: a number from 1 to 20"));
}

#[test]
fn a_cursor_tells_values_and_recolours_map_and_bars() {
    let mut bench = done();
    bench.click("curves");
    let step = bench.state().recovery.shown.cursor.expect("a click puts it there");
    assert_eq!(step, 120, "the middle of 240 steps");
    assert_eq!(bench.state().colour, ColourBy::DamageLeft);
    assert!(says(&bench, "difference at step 120"));
    let left = bench.state().recovery.damage_left().unwrap();
    assert_eq!((left.arm.as_str(), left.step, left.clusters.len()), ("paser 20 %", 120, 5));
    // Arrows go from look to look.
    bench.key(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(bench.state().recovery.shown.cursor, Some(124));
    bench.key(Modifiers::NONE, Key::ArrowLeft);
    bench.key(Modifiers::NONE, Key::ArrowLeft);
    assert_eq!(bench.state().recovery.shown.cursor, Some(116));
    let later = bench.state().recovery.damage_left().unwrap();
    assert!(later.clusters[&6].nats > left.clusters[&6].nats, "earlier, more is left");
    // Explore shows the same: bars of what is left, and the legend's words.
    bench.key(Modifiers::NONE, Key::Num1);
    let spoken = format!("arithmetic with money, damage {} nats", ui::format::nats(later.clusters[&6].nats));
    assert!(says(&bench, &spoken), "{spoken}");
    assert!(says(&bench, "damage left at step 116"));
    bench.key(Modifiers::NONE, Key::Num3);
    bench.key(Modifiers::NONE, Key::Escape);
    assert_eq!((bench.state().recovery.shown.cursor, bench.state().colour.clone()), (None, ColourBy::Cluster));
}

#[test]
fn another_arm_is_replayed_by_a_click_on_its_row() {
    let mut bench = done();
    bench.click("curves");
    let of = |bench: &Bench| bench.state().recovery.damage_left().unwrap();
    let first = of(&bench);
    bench.click("arm:random");
    assert_eq!(of(&bench).arm, "random");
    assert_ne!(of(&bench).clusters, first.clusters);
}

#[test]
fn the_pair_of_the_verdict_is_chosen_and_never_stands_over_numbers_of_another() {
    let mut bench = done();
    let verdict = bench.state().recovery.verdict.clone().expect("asked for by itself");
    assert_eq!((verdict.first.as_str(), verdict.second.as_str()), ("paser 20 %", "random"));
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Verdict { .. }));
    pick(&mut bench, "verdict second", "full, equal steps");
    assert!(bench.state().recovery.verdict.is_none(), "the numbers of random under another name");
    bench.let_go();
    let verdict = bench.state().recovery.verdict.clone().unwrap();
    assert_eq!((verdict.second.as_str(), verdict.seeds), ("full, equal steps", (5, 3)));
    // The same arm on both sides changes places.
    bench.shared.borrow_mut().hold = None;
    pick(&mut bench, "verdict first", "full, equal steps");
    let pair = bench.state().recovery.shown.pair.clone();
    assert_eq!(pair, Some(("full, equal steps".to_owned(), "paser 20 %".to_owned())));
    pick(&mut bench, "verdict metric", "answer match");
    let verdict = bench.state().recovery.verdict.clone().unwrap();
    assert_eq!(verdict.metric.metric, "answer-match");
    assert!(verdict.rows[0].mcnemar.is_some());
}

#[test]
fn the_table_is_copied_and_the_report_is_written() {
    let mut bench = done();
    let button = bench.rect("CopyVerdict").center();
    bench.harness.hover_at(button);
    bench.harness.run();
    bench.harness.state_mut().state.run(Command::CopyVerdict);
    bench.harness.step();
    let copied = bench.harness.output().platform_output.commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.expect("a table is in the clipboard");
    assert!(copied.starts_with("| task | items | paser 20 % | random | difference (nats per token) |"), "{copied}");
    assert!(copied.contains("| arithmetic with money | 140 |") && copied.contains("5 and 5 seeds"), "{copied}");
    bench.harness.run();
    bench.click("CopyVerdict");
    assert_eq!(bench.state().toasts.past().back().unwrap().what, "Copied the verdict's table");
    bench.click("ExportReport");
    bench.click("report:LaTeX");
    bench.click("dialog:Download");
    let format = bench.requests().into_iter().rev().find_map(|request| match request {
        Request::RecoveryReport { first, second, format, path } => Some((first, second, format, path)),
        _ => None,
    });
    let expected = ("paser 20 %".to_owned(), "random".to_owned(), TableFormat::Latex, String::new());
    assert_eq!(format, Some(expected));
    assert!(bench.state().dialog.is_none());
    assert_eq!(bench.shared.borrow().downloads.last().unwrap().0, "recovery.html");
}

#[test]
fn arms_in_training_are_looked_at_again_and_once_more_when_they_are_done() {
    let (mut bench, engine) = opened(recovery::live());
    let looks = |bench: &Bench| bench.count(|request| matches!(request, Request::Recovery));
    let before = looks(&bench);
    bench.harness.run_steps(20);
    assert_eq!(looks(&bench), before, "without a job nothing is asked for");
    let job = JobView {
        stage: Stage::Recover,
        what: "train full, equal epochs".into(),
        done: 148,
        total: 240,
        unit: "steps".into(),
        seconds: 160.0,
        eta_seconds: Some(100.0),
        cancelling: false,
        lasting: true,
        worker: None,
    };
    bench.send(Event::Job { job });
    bench.harness.run_steps(20);
    let during = looks(&bench) - before;
    assert!((2..=4).contains(&during), "{during} looks in three seconds");
    engine.change_arms(|view| view.arms[4].runs[0].step = 200);
    bench.send(Event::Finished { report: None, seconds: 300.0 });
    bench.harness.run_steps(20);
    let view = bench.state().recovery.view.clone().unwrap();
    assert_eq!(view.arms[4].runs[0].step, 200);
    let after = looks(&bench);
    bench.harness.run_steps(20);
    assert!(looks(&bench) - after <= 1, "then it is quiet");
}

#[test]
fn a_diverged_seed_is_left_out_of_the_mean_and_told() {
    let (bench, _) = opened(recovery::live());
    assert!(says(&bench, "1 left out of bands and means"));
    assert!(says(&bench, "random 4"), "n of the mean");
    assert_eq!(bench.state().recovery.verdict.as_ref().unwrap().seeds, (5, 4));
}

#[test]
fn the_menu_of_an_arm_duplicates_writes_and_removes() {
    let mut bench = done();
    bench.click("arm menu:random");
    bench.click("menu:Duplicate with changes...");
    let Some(Dialog::AddArms(form)) = &bench.state().dialog else { panic!("no form") };
    assert_eq!((form.name.as_str(), form.of.as_deref(), form.seeds.as_str()), ("random 2", Some("random"), "5"));
    bench.key(Modifiers::NONE, Key::Escape);
    bench.click("arm menu:paser 20 %");
    bench.click("menu:Write weights...");
    bench.click("weights:merged");
    bench.click("dialog:Download");
    let written = bench.count(|request| {
        matches!(request, Request::WriteArm { arm, format: WeightsFormat::Merged, seed: 1, .. } if arm == "paser 20 %")
    });
    assert_eq!(written, 1);
    bench.click("arm menu:full, equal steps");
    bench.click("menu:Remove...");
    bench.click("dialog:Remove");
    assert_eq!(bench.count(|request| matches!(request, Request::RemoveArm { name } if name == "full, equal steps")), 1);
    assert!(!bench.state().rects.contains_key("arm:full, equal steps"));
}

#[test]
fn settings_are_typed_checked_and_set() {
    let mut bench = done();
    bench.click("arms menu");
    bench.click("arms:RecoverSettings");
    bench.click("recover:learning_rate");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("7".to_owned()));
    bench.harness.run();
    bench.click("dialog:Set");
    assert_eq!(bench.count(|request| matches!(request, Request::SetRecover { .. })), 0, "out of bounds");
    bench.click("recover:learning_rate");
    bench.key(Modifiers::COMMAND, Key::A);
    bench.harness.event(egui::Event::Text("3e-4".to_owned()));
    bench.harness.run();
    bench.click("dialog:Set");
    let set = bench.requests().into_iter().rev().find_map(|request| match request {
        Request::SetRecover { settings } => Some(settings),
        _ => None,
    });
    assert_eq!(set, Some(paser_protocol::RecoverSettings { learning_rate: 3e-4, ..recovery::settings() }));
}

#[test]
fn arms_are_sorted_hidden_and_kept_with_the_session() {
    let mut bench = done();
    bench.click("sort arms:Total");
    let top = |bench: &Bench, arm: &str| bench.rect(&format!("arm:{arm}")).top();
    assert!(top(&bench, "paser 20 %") < top(&bench, "random"), "the most expensive first");
    bench.click("sort arms:Total");
    assert!(top(&bench, "paser 20 %") > top(&bench, "random"));
    bench.click("eye:random, same length");
    assert!(bench.state().recovery.shown.hidden.contains("random, same length"));
    bench.click("axis:tokens");
    bench.click("LogX");
    bench.click("LogY");
    bench.harness.state_mut().state.run(Command::ShowCost);
    bench.harness.run();
    let saved = bench.harness.state().saved(&bench.harness.ctx);
    let text = serde_json::to_string(&saved).unwrap();
    let saved: ui::saved::Saved = serde_json::from_str(&text).unwrap();
    let bench = Start { saved, engine: Engine::new().recovering(recovery::done()), ..Start::default() }.open();
    let shown = &bench.state().recovery.shown;
    assert_eq!((bench.state().screen, shown.axis, shown.outcome), (Screen::Recover, Axis::Tokens, Outcome::Cost));
    assert!(shown.log_x && shown.log_y && shown.hidden.contains("random, same length"));
}

#[test]
fn a_blocked_project_says_what_to_do() {
    let (bench, _) = opened(recovery::blocked());
    assert!(says(&bench, "names no models") && says(&bench, "Name a dense and a pruned model"));
    assert!(Command::Train.enabled(bench.state()).is_err());
}

#[test]
fn what_came_back_is_blank_with_a_reason_where_nothing_was_lost() {
    let bench = done();
    let blank = format!("blank: dense {} pruned is", ui::format::MINUS);
    assert!(says(&bench, &blank));
    assert!(says(&bench, "arithmetic with money, 140 items: paser 20 % 0.8"));
}

#[test]
fn the_training_loss_of_every_step_is_fetched_and_drawn() {
    let mut bench = done();
    pick(&mut bench, "metric", "training loss");
    bench.harness.run();
    let fetched = bench.state().data.is_pending("losses-0-1") || bench.state().data.failed("losses-0-1");
    assert!(!fetched, "the column of the first seed is there");
    bench.click("curves");
    assert!(bench.state().recovery.shown.cursor.is_some());
}

#[test]
fn losses_of_before_stay_while_longer_ones_are_on_their_way() {
    let (mut bench, engine) = opened(recovery::live());
    pick(&mut bench, "metric", "training loss");
    bench.harness.run();
    assert!(says(&bench, "full, equal epochs 1"), "n of the mean");
    engine.change_arms(|view| {
        view.arms[4].runs[0].losses = Some("losses-on-their-way".to_owned());
        view.revision += 1;
    });
    bench.shared.borrow_mut().columns.remove("losses-on-their-way");
    let revision = engine.change(|_| {});
    bench.send(Event::Project { revision });
    bench.harness.run();
    let view = bench.state().recovery.view.clone().unwrap();
    assert_eq!(view.arms[4].runs[0].losses.as_deref(), Some("losses-on-their-way"));
    assert!(says(&bench, "full, equal epochs 1"), "the curve is gone until the next one arrives");
}

#[test]
fn a_project_without_anything_to_measure_leads_to_the_settings() {
    let what = "There is nothing to measure arms on.";
    let advice = "Name files of items in the settings of the recovery.";
    let report = paser_protocol::Report::new(paser_protocol::Failure::Usage, what, advice);
    let (mut bench, _) = opened(paser_protocol::RecoveryView { blocked: Some(report), ..recovery::empty() });
    let at = bench.harness.get_by_label("Settings of recovery...").rect().center();
    bench.click_at(at);
    assert!(matches!(bench.state().dialog, Some(Dialog::RecoverSettings(_))));
    assert!(Command::Train.enabled(bench.state()).is_err());
}

#[test]
fn every_view_of_recovery_has_its_table() {
    let mut bench = done();
    for (view, head) in [
        (View::RecoveryCurves, "arm,seed,state,step,tokens"),
        (View::Outcome, "arm,seeds,metric,group,items"),
        (View::Arms, "arm,trained_on,seeds,samples"),
        (View::Verdict, "task,items,first,second"),
    ] {
        assert!(view.is_shown(bench.state()), "{view:?}");
        bench.harness.state_mut().state.save_view = Some((view, Format::Csv));
        bench.harness.run();
        let text = String::from_utf8(bench.shared.borrow().downloads.last().unwrap().1.clone()).unwrap();
        assert!(text.starts_with(head) && text.lines().count() > 4, "{view:?}: {text}");
    }
    bench.harness.state_mut().state.save_view = Some((View::RecoveryCurves, Format::Svg));
    bench.harness.run();
    let svg = String::from_utf8(bench.shared.borrow().downloads.last().unwrap().1.clone()).unwrap();
    for words in ["paser 20 %", "dense", "n seeds: paser 20 % 5"] {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn every_outcome_is_shown_and_can_be_reached_by_the_palette() {
    let mut bench = done();
    for (command, words) in [
        (Command::ShowBars, "dashed: dense, dotted: pruned"),
        (Command::ShowTime, "a curve begins when its data is scored"),
        (Command::ShowCost, "what no arm beats in both"),
        (Command::ShowPilots, "arithmetic with money on arithmetic with money"),
        (Command::ShowEvaluations, "wikitext2, perplexity of dense"),
        (Command::ShowRatio, "(dense"),
    ] {
        bench.harness.state_mut().state.run(command);
        bench.harness.run();
        assert!(says(&bench, words), "{command:?}: {words}");
    }
}
