//! Pictures of every view in dark and light, drawn without a graphics card. `UPDATE_SNAPSHOTS=1` writes new ones.

#![allow(clippy::unwrap_used)]

mod support;

use egui::Theme;
use paser_protocol::{JobView, Stage, WorkerView};
use support::{Bench, Start, engine::Engine};
use ui::saved::Saved;

fn shot(bench: &mut Bench, name: &str, theme: Theme) {
    bench.harness.remove_cursor();
    bench.harness.run();
    let theme = if theme == Theme::Dark { "dark" } else { "light" };
    bench.harness.snapshot(format!("{name}-{theme}"));
}

/// The same view in both themes, each its own test.
macro_rules! pictures {
    ($name:ident, $file:literal, $steps:expr, $start:expr) => {
        mod $name {
            use super::*;

            fn one(theme: Theme) {
                let bench = Start { theme, ..$start }.open();
                let mut bench = $steps(bench);
                shot(&mut bench, $file, theme);
            }

            #[test]
            fn dark() {
                one(Theme::Dark);
            }

            #[test]
            fn light() {
                one(Theme::Light);
            }
        }
    };
}

pictures!(welcome, "welcome", |bench: Bench| bench, Start::default());

pictures!(first_look, "explore-first", Bench::demo, Start::default());

pictures!(explore, "explore", |bench: Bench| brushed(bench.demo()), Start::default());

/// The cluster of money brushed, a sample of it inspected.
fn brushed(mut bench: Bench) -> Bench {
    bench.click("bar:6");
    bench.click("row:3");
    bench
}

/// The table in one place with the map, the sample below the damage.
const MOVED: &str = r#"{"explore":{"row":[
    {"node":{"pane":"contents"}},
    {"node":{"column":[{"node":{"pane":"damage"}},{"node":{"pane":"inspector"},"points":260.0}]},"points":360.0},
    {"node":{"tabs":{"parts":[{"pane":"map"},{"pane":"table"}],"front":0}}}]}}"#;

pictures!(
    tiles,
    "tiles",
    |bench: Bench| {
        let mut bench = brushed(bench.demo());
        bench.click("tab of Map");
        bench
    },
    Start { saved: Saved { layouts: serde_json::from_str(MOVED).unwrap(), ..Saved::default() }, ..Start::default() }
);

/// The sample on its way to below the damage.
mod dragged {
    use super::*;

    fn one(theme: Theme) {
        let mut bench = brushed(Start { theme, ..Start::default() }.open().demo());
        let from = bench.rect("head:Sample").left_center() + egui::Vec2::new(17.0, 0.0);
        let damage = bench.rect("pane:damage");
        let to = damage.center() + egui::Vec2::new(30.0, damage.height() / 4.0);
        bench.harness.hover_at(from);
        bench.harness.run();
        bench.press(from, true);
        for step in 1..=12 {
            bench.harness.hover_at(from + (to - from) * (step as f32 / 12.0));
            bench.harness.step();
        }
        bench.harness.run_steps(20);
        let theme = if theme == Theme::Dark { "dark" } else { "light" };
        bench.harness.snapshot(format!("tiles-drag-{theme}"));
    }

    #[test]
    fn dark() {
        one(Theme::Dark);
    }

    #[test]
    fn light() {
        one(Theme::Light);
    }
}

pictures!(new_project, "new-project", filled, Start { dialogs: true, ..Start::default() });

fn filled(mut bench: Bench) -> Bench {
    bench.click("NewProject");
    for (field, text) in [
        ("Dense model", "meta-llama/Llama-2-7b-hf"),
        ("Pruned model", "./llama2-7b-llmpruner-25"),
        ("Pool", "./recovery_mix.jsonl"),
        ("Encoder", "sentence-transformers/all-MiniLM-L6-v2"),
        ("Project folder", "./llama2-7b-p25"),
    ] {
        bench.click(&format!("field:{field}"));
        bench.harness.event(egui::Event::Text(text.to_owned()));
        bench.harness.run_steps(8);
    }
    bench
}

pictures!(new_project_from_hub, "new-project-hub", from_hub, Start { dialogs: true, ..Start::default() });

/// A data set of two splits, of which one has to be chosen.
fn from_hub(mut bench: Bench) -> Bench {
    bench.click("NewProject");
    for (field, text) in [
        ("Dense model", "meta-llama/Llama-2-7b-hf"),
        ("Pruned model", "./llama2-7b-llmpruner-25"),
        ("Pool", "hub:HuggingFaceH4/ultrachat_200k:default/train_sft"),
        ("Hub token", "hf_0123456789"),
    ] {
        bench.click(&format!("field:{field}"));
        bench.harness.event(egui::Event::Text(text.to_owned()));
        bench.harness.run_steps(8);
    }
    bench
}

pictures!(ledger_and_taken, "ledger", unfolded, Start::default());

fn unfolded(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.click("Ledger");
    bench.harness.state_mut().state.run(ui::command::Command::ColourTaken);
    bench.harness.run();
    bench
}

pictures!(curves_of_k, "curves", curves, Start::default());

fn curves(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.click("tab:curves");
    bench.harness.state_mut().state.colour = ui::state::ColourBy::Column("extra:capability".into());
    bench.harness.run();
    bench
}

/// A project with three pruned models.
fn several() -> Start {
    Start { engine: Engine::new().edit(support::fixture::with_schemes), ..Start::default() }
}

pictures!(pruned_models_compared, "schemes", compared_models, several());

fn compared_models(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.click("tab:schemes");
    bench.click("group:6");
    bench
}

pictures!(
    pruned_models_chosen,
    "models-several",
    |bench: Bench| {
        let mut bench = bench.demo();
        bench.harness.state_mut().state.run(ui::command::Command::Models);
        bench.harness.run();
        bench
    },
    several()
);

pictures!(new_project_with_several, "new-project-several", filled_twice, Start { dialogs: true, ..Start::default() });

fn filled_twice(bench: Bench) -> Bench {
    let mut bench = filled(bench);
    bench.click("add pruned");
    bench.click("field:Second pruned model");
    bench.harness.event(egui::Event::Text("./llama2-7b-wanda-2-4".to_owned()));
    bench.harness.run_steps(8);
    bench
}

pictures!(palette, "palette", typed, Start::default());

fn typed(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.click("Palette");
    bench.harness.event(egui::Event::Text("col".to_owned()));
    bench.harness.run();
    bench
}

pictures!(settings, "settings-window", settings_open, Start::default());

fn settings_open(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.harness.state_mut().state.run(ui::command::Command::Settings);
    bench.harness.run();
    bench.click("clear:hub:meta-llama/Llama-2-7b-hf");
    bench
}

pictures!(messages, "messages", messages_open, Start::default());

fn messages_open(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    let report = paser_protocol::Report::new(
        paser_protocol::Failure::Unusable,
        "pool.jsonl has no field for the response.",
        "Name it: --roles output=FIELD.",
    );
    bench.harness.state_mut().state.toasts.report(&report);
    bench.harness.state_mut().state.toasts.say(0.0, "Saved demo-map.svg", "It is among the browser's downloads.");
    bench.harness.run();
    bench.harness.state_mut().state.toasts.clear_failures();
    bench.harness.state_mut().state.run(ui::command::Command::Messages);
    bench.harness.run();
    bench
}

pictures!(scoring_and_a_failure, "scoring", scoring, Start { engine: running(), ..Start::default() });

/// Half of the clusters have a first mean; a job runs.
fn running() -> Engine {
    Engine::new().edit(|project| {
        for cluster in &mut project.clusters {
            cluster.scored = cluster.samples * u64::from(cluster.cluster % 4) / 3;
            if cluster.scored == 0 {
                (cluster.cds, cluster.cds_low, cluster.cds_high, cluster.cds_rest) = (None, None, None, None);
            } else if let Some(mean) = cluster.cds {
                (cluster.cds_low, cluster.cds_high) = (Some(mean * 0.85), Some(mean * 1.15));
            }
        }
        project.job = Some(JobView {
            stage: Stage::Score,
            what: "dense and pruned over the pool".into(),
            done: 35_700,
            total: 105_000,
            unit: "tokens".into(),
            seconds: 5.7,
            eta_seconds: Some(11.0),
            cancelling: false,
            lasting: true,
            worker: Some(worker()),
        });
    })
}

fn worker() -> WorkerView {
    let lines = ["13:58:02 planned (process 4711)", "13:58:02 worker started (process 4720)"];
    let shards = (1..=4).map(|shard| format!("13:58:0{} shard {shard} finished in 1.3 s (process 4720)", shard + 3));
    WorkerView {
        pid: 4720,
        what: "scoring".into(),
        memory_bytes: 412_000_000,
        peak_memory_bytes: 530_000_000,
        log: lines.map(str::to_owned).into_iter().chain(shards).collect(),
    }
}

pictures!(job_log, "job-log", with_log, Start { engine: running(), ..Start::default() });

fn with_log(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.click("JobDetails");
    bench
}

pictures!(closing_with_a_job, "close", closing, Start { engine: running(), ..Start::default() });

fn closing(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.harness.state_mut().state.run(ui::command::Command::CloseProject);
    bench.harness.run();
    bench
}

pictures!(paused_run, "paused", |bench: Bench| bench.demo(), Start { engine: paused(), ..Start::default() });

fn paused() -> Engine {
    Engine::new().edit(|project| {
        project.run =
            Some(paser_protocol::RunView { until: Stage::Select, paused: true, at_work: false, worker: None });
    })
}

fn scoring(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.send(paser_protocol::Event::Finished {
        report: Some(paser_protocol::Report::new(
            paser_protocol::Failure::Machine,
            "Scoring stopped at shard 41 of 76: the disk of /data is full.",
            "The 40 finished shards are kept. Free 0.3 GB and run again.",
        )),
        seconds: 12.0,
    });
    bench.harness.run();
    bench
}

/// The card of a hovered sample; a pin and a cross on the map.
mod hover_card {
    use super::*;

    fn one(theme: Theme, file: &str) {
        let mut bench = Start { theme, ..Start::default() }.open().demo();
        let pool = support::fixture::pool();
        for (row, key) in [(40_u32, egui::Key::P), (77, egui::Key::X)] {
            bench.harness.state_mut().state.inspect(row);
            bench.harness.run();
            bench.harness.key_press(key);
            bench.harness.run();
        }
        bench.harness.state_mut().state.run(ui::command::Command::ToggleInspector);
        bench.harness.state_mut().state.focus.inspected = None;
        bench.harness.run();
        let row = pool.cluster.iter().position(|cluster| *cluster == 5).unwrap();
        let place = egui::vec2(pool.places[2 * row], pool.places[2 * row + 1]);
        let at = bench.harness.state().camera().to_screen(bench.rect("map"), place);
        bench.harness.hover_at(at);
        bench.harness.run();
        assert!(bench.state().focus.hovered.is_some());
        bench.harness.snapshot(file);
    }

    #[test]
    fn dark() {
        one(Theme::Dark, "hover-dark");
    }

    #[test]
    fn light() {
        one(Theme::Light, "hover-light");
    }
}

/// The demo with one thing clicked.
fn clicked(bench: Bench, name: &str) -> Bench {
    let mut bench = bench.demo();
    bench.click(name);
    bench
}

pictures!(settings_of_the_selection, "settings", |bench| clicked(bench, "selection settings"), Start::default());

pictures!(menu, "menu", |bench| clicked(bench, "Menu"), Start::default());

pictures!(freeze, "freeze", |bench| clicked(bench, "Freeze"), Start::default());

pictures!(shortcuts, "shortcuts", |bench| clicked(bench, "Shortcuts"), Start::default());

pictures!(narrow_box, "box", boxed, Start { size: [1000.0, 720.0], ..Start::default() });

/// A box on a narrow window, where panels share their places.
fn boxed(bench: Bench) -> Bench {
    let mut bench = clicked(bench, "tool:Box");
    let map = bench.rect("map");
    let (from, to) = (map.center() - egui::vec2(120.0, 100.0), map.center() + egui::vec2(110.0, 90.0));
    bench.harness.hover_at(from);
    bench.harness.step();
    bench.press(from, true);
    bench.harness.hover_at(to);
    bench.harness.step();
    bench.press(to, false);
    bench.harness.run();
    bench
}

pictures!(discard, "discard", discarding, Start { size: [1680.0, 1000.0], ..Start::default() });

/// A frozen selection in the contents, and the question before it goes.
fn discarding(bench: Bench) -> Bench {
    let mut bench = clicked(bench, "Freeze");
    bench.click("dialog:Freeze");
    bench.click("more:paser 1");
    bench.click("menu:Discard...");
    bench
}

pictures!(contents, "contents", |bench| clicked(bench, "ToggleContents"), Start::default());

pictures!(
    nothing_opened_yet,
    "welcome-desktop",
    |bench: Bench| bench,
    Start { dialogs: true, engine: Engine::new().without_recents(), ..Start::default() }
);

pictures!(export, "export", exporting, Start::default());

fn exporting(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.harness.state_mut().state.run(ui::command::Command::Export);
    bench.harness.run();
    bench
}

pictures!(nothing_computed_yet, "empty", Bench::demo, Start { engine: uncomputed(), ..Start::default() });

fn uncomputed() -> Engine {
    Engine::with(false).edit(|project| {
        project.clusters.clear();
        project.columns.clear();
        project.manifold = None;
    })
}

pictures!(
    wide,
    "explore-1920",
    |bench: Bench| brushed(bench.demo()),
    Start { size: [1920.0, 1080.0], ..Start::default() }
);

pictures!(compared, "compare", side_by_side, Start::default());

/// paser against random, frozen by the form that adds them.
fn side_by_side(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.key(egui::Modifiers::NONE, egui::Key::Num2);
    for _ in 0..2 {
        bench.click("AddStrategy");
        bench.click("dialog:Add");
    }
    bench
}

pictures!(compared_by_four, "compare-four", four, Start { size: [1440.0, 900.0], ..Start::default() });

fn four(bench: Bench) -> Bench {
    let mut bench = side_by_side(bench);
    for _ in 0..2 {
        bench.click("AddStrategy");
        bench.click("dialog:Add");
    }
    bench.click("lower:budgets");
    bench.click("measure:damage");
    bench
}

pictures!(
    nothing_compared,
    "compare-empty",
    |bench: Bench| {
        let mut bench = bench.demo();
        bench.key(egui::Modifiers::NONE, egui::Key::Num2);
        bench
    },
    Start::default()
);

pictures!(journal, "journal", edited, Start::default());

/// A cluster excluded, a sample pinned, the exclusion taken back.
fn edited(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.click("bar:6");
    bench.key(egui::Modifiers::SHIFT, egui::Key::X);
    bench.click("row:1");
    bench.key(egui::Modifiers::NONE, egui::Key::P);
    bench.key(egui::Modifiers::NONE, egui::Key::U);
    bench.click("revert:1");
    bench
}

pictures!(
    edit_samples,
    "edit-samples",
    |bench: Bench| {
        let mut bench = bench.demo();
        bench.click("bar:6");
        bench.key(egui::Modifiers::NONE, egui::Key::T);
        bench
    },
    Start::default()
);

pictures!(
    checks,
    "checks",
    |bench: Bench| {
        let mut bench = bench.demo();
        bench.harness.state_mut().state.run(ui::command::Command::Checks);
        bench.harness.run();
        bench
    },
    Start::default()
);

pictures!(
    models,
    "models",
    |bench: Bench| {
        let mut bench = bench.demo();
        bench.harness.state_mut().state.run(ui::command::Command::Models);
        bench.harness.run();
        bench
    },
    Start::default()
);

pictures!(
    models_in_numbers,
    "models-table",
    |bench: Bench| {
        let mut bench = bench.demo();
        bench.harness.state_mut().state.run(ui::command::Command::Models);
        bench.harness.run();
        bench.click("layers:table");
        bench
    },
    Start::default()
);

pictures!(
    cluster_by_hand,
    "cluster-menu",
    |bench: Bench| {
        let mut bench = bench.demo();
        bench.click("bar:6");
        bench.click("cluster menu");
        bench
    },
    Start::default()
);
pictures!(
    a_pass_is_missing,
    "prepare-nuggets",
    |bench: Bench| preparing(bench, paser_protocol::Strategy::Nuggets),
    Start::default()
);

pictures!(
    a_model_is_missing,
    "prepare-superfiltering",
    |bench: Bench| preparing(bench, paser_protocol::Strategy::Superfiltering),
    Start::default()
);

/// A strategy whose pass is not there: its form.
fn preparing(bench: Bench, strategy: paser_protocol::Strategy) -> Bench {
    let mut bench = waiting(bench, strategy);
    bench.click("Prepare");
    bench
}

fn waiting(bench: Bench, strategy: paser_protocol::Strategy) -> Bench {
    let mut bench = bench.demo();
    let state = &mut bench.harness.state_mut().state;
    state.set_plan(paser_protocol::SelectionPlan { strategy, ..state.build.plan.clone() });
    bench.harness.run_steps(6);
    bench
}

pictures!(
    without_its_pass,
    "strategy-waits",
    |bench: Bench| waiting(bench, paser_protocol::Strategy::Ifd),
    Start::default()
);

pictures!(sweep_to_do, "stability-empty", |bench: Bench| stability(bench, false), Start::default());

pictures!(sweep_done, "stability", |bench: Bench| stability(bench, true), Start::default());

fn stability(bench: Bench, swept: bool) -> Bench {
    let mut bench = bench.demo();
    bench.click("stability");
    if swept {
        bench.click("Sweep");
        bench.send(paser_protocol::Event::Finished { report: None, seconds: 4.0 });
        bench.harness.run();
        bench.click("setting:d = 8");
    }
    bench
}

/// The whole inspector: code in the text, both models' continuations, neighbours.
mod inspector {
    use super::*;

    fn one(theme: Theme, file: &str, code: bool) {
        let engine = Engine::new();
        let engine = if code { engine.with_code() } else { engine };
        let mut bench = brushed(Start { theme, engine, size: [1280.0, 1360.0], ..Start::default() }.open().demo());
        if !code {
            bench.click("continue");
            bench.click("after first token");
        }
        shot(&mut bench, file, theme);
    }

    #[test]
    fn dark() {
        one(Theme::Dark, "inspector", false);
    }

    #[test]
    fn light() {
        one(Theme::Light, "inspector", false);
    }

    #[test]
    fn code_dark() {
        one(Theme::Dark, "inspector-code", true);
    }

    #[test]
    fn code_light() {
        one(Theme::Light, "inspector-code", true);
    }
}

/// The Recover work place with these arms.
fn recovering(view: paser_protocol::RecoveryView) -> Start {
    Start { engine: Engine::new().recovering(view), ..Start::default() }
}

fn recover(bench: Bench) -> Bench {
    let mut bench = bench.demo();
    bench.key(egui::Modifiers::NONE, egui::Key::Num3);
    bench
}

/// A cursor two fifths of the way.
fn replayed(bench: Bench) -> Bench {
    let mut bench = recover(bench);
    let curves = bench.rect("curves");
    bench.click_at(curves.left_center() + egui::Vec2::new(curves.width() * 0.4, 0.0));
    bench
}

fn showing(command: ui::command::Command) -> impl Fn(Bench) -> Bench {
    move |bench| {
        let mut bench = recover(bench);
        bench.harness.state_mut().state.run(command);
        bench.harness.run();
        bench
    }
}

pictures!(arms_finished, "recover", replayed, recovering(support::recovery::done()));

pictures!(
    arms_finished_wide,
    "recover-1920",
    replayed,
    Start { size: [1920.0, 1080.0], ..recovering(support::recovery::done()) }
);

pictures!(arms_in_training, "recover-live", in_training, recovering(support::recovery::live()));

fn in_training(bench: Bench) -> Bench {
    let mut bench = recover(bench);
    let job = JobView {
        stage: Stage::Recover,
        what: "full, equal epochs, seed 1".into(),
        done: 148,
        total: 240,
        unit: "steps".into(),
        seconds: 163.0,
        eta_seconds: Some(101.0),
        cancelling: false,
        lasting: true,
        worker: None,
    };
    bench.send(paser_protocol::Event::Job { job });
    bench.harness.run_steps(4);
    bench
}

pictures!(arms_that_wait, "recover-waiting", recover, recovering(support::recovery::waiting()));

pictures!(no_arms, "recover-empty", recover, recovering(support::recovery::empty()));

pictures!(arms_blocked, "recover-blocked", recover, recovering(support::recovery::blocked()));

pictures!(
    metric_by_group,
    "recover-bars",
    |bench: Bench| {
        let mut bench = showing(ui::command::Command::ShowBars)(bench);
        bench.click("all arms");
        bench
    },
    recovering(support::recovery::done())
);

pictures!(
    time_against_performance,
    "recover-time",
    showing(ui::command::Command::ShowTime),
    recovering(support::recovery::done())
);

pictures!(
    cost_against_recovery,
    "recover-cost",
    showing(ui::command::Command::ShowCost),
    recovering(support::recovery::done())
);

pictures!(
    pilot_matrix,
    "recover-pilots",
    showing(ui::command::Command::ShowPilots),
    recovering(support::recovery::done())
);

pictures!(
    tasks_and_perplexities,
    "recover-evaluations",
    showing(ui::command::Command::ShowEvaluations),
    recovering(support::recovery::done())
);

pictures!(
    training_loss,
    "recover-loss",
    |bench: Bench| {
        let mut bench = recover(bench);
        let shown = &mut bench.harness.state_mut().state.recovery.shown;
        shown.metric = ui::recovery::TRAINING_LOSS.to_owned();
        (shown.smoothing, shown.log_x, shown.log_y) = (0.9, true, true);
        bench.harness.run();
        bench
    },
    recovering(support::recovery::done())
);

pictures!(
    adding_arms,
    "recover-add",
    showing(ui::command::Command::DefaultArms),
    recovering(support::recovery::empty())
);

pictures!(
    recovery_settings,
    "recover-settings",
    showing(ui::command::Command::RecoverSettings),
    recovering(support::recovery::done())
);

pictures!(
    recovery_report,
    "recover-report",
    showing(ui::command::Command::ExportReport),
    recovering(support::recovery::done())
);

// Larger text in a small window.
pictures!(
    larger_text,
    "recover-larger",
    |bench: Bench| {
        let mut bench = recover(bench);
        bench.harness.ctx.set_zoom_factor(1.25);
        bench.harness.run();
        bench
    },
    recovering(support::recovery::live())
);

// Explore while a cursor replays an arm.
pictures!(
    damage_left,
    "damage-left",
    |bench: Bench| {
        let mut bench = replayed(bench);
        bench.key(egui::Modifiers::NONE, egui::Key::Num1);
        bench
    },
    recovering(support::recovery::done())
);
