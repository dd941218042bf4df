//! Arms from the recipe to verdicts: trained, stopped and taken up, refused where nothing can come of them.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{NEVER, World, run, run_with};
use paser_engine::{RunOptions, Session};
use paser_model::{Checkpoint, adapter::Adapter};
use paser_project::{Arrays, Store};
use paser_protocol::{
    ArmData, ArmPlan, ArmState, Event, Failure, Finding, Method, RecoverSettings, Stage, TableFormat, Trainer,
    WeightsFormat,
};

fn arm(name: &str, selection: &str, seeds: &[u64]) -> ArmPlan {
    ArmPlan {
        name: name.to_owned(),
        data: ArmData::Selection { name: selection.to_owned() },
        seeds: seeds.to_vec(),
        equal: None,
        learning_rate: None,
        steps: None,
    }
}

fn settings(session: &Session) -> RecoverSettings {
    let shared = session.recovery_view().unwrap().settings;
    RecoverSettings { steps: 12, batch: 8, points: 3, held_out: 40, learning_rate: 0.01, dropout: 0.1, ..shared }
}

/// A project with held-out samples, scored and selected.
fn project(world: &World, name: &str) -> Session {
    drop(world.project(name));
    world.edit(name, "holdout = \"none\"", "holdout = \"multiples of 10\"");
    let session = world.open(name);
    run(&session, Stage::Select).unwrap();
    session.set_recover(&settings(&session)).unwrap();
    session
}

/// The trained numbers of every run, by arm and seed.
fn trained(session: &Session, world: &World, name: &str) -> Vec<Vec<f32>> {
    let store = Store::new(world.path(name).join("arrays"));
    let mut found: Vec<(String, Vec<f32>)> = store
        .list()
        .unwrap()
        .into_iter()
        .filter(|manifest| manifest.stage == "recover")
        .map(|manifest| {
            let arrays: Arrays = store.get("recover", &manifest.key).unwrap().unwrap().arrays;
            let order = &manifest.summary["order"];
            (format!("{} {}", order["arm"], order["seed"]), arrays.f32("values").unwrap().to_vec())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(session.recovery_view().is_ok());
    found.into_iter().map(|(_, values)| values).collect()
}

#[test]
fn arms_are_trained_once_and_compared() {
    let world = World::new(400);
    let session = project(&world, "p");
    session.add_arms(&[arm("paser", "paser-20", &[1, 2]), arm("random", "random-20", &[1, 2, 3])]).unwrap();
    assert!(session.add_arms(&[arm("paser", "paser-20", &[1])]).unwrap_err().what.contains("already"));
    run(&session, Stage::Recover).unwrap();
    let view = session.recovery_view().unwrap();
    assert_eq!(view.arms.len(), 2);
    for arm in &view.arms {
        for run in &arm.runs {
            assert_eq!((&run.state, run.step, run.steps, run.skipped), (&ArmState::Done, 12, 12, 0));
            let steps: Vec<u32> = run.points.iter().map(|point| point.step).collect();
            assert_eq!(steps, [0, 4, 8, 12]);
            let losses = session.column(run.losses.as_deref().unwrap()).unwrap();
            assert_eq!(losses.len(), 12 * 4);
        }
        let loss = arm.last[0][0].unwrap();
        assert!(loss.value < view.pruned[0][0].unwrap().value, "training helps even a random model: {loss:?}");
    }
    let draws: Vec<u64> = view.arms[1].runs.iter().map(|run| run.response_tokens).collect();
    assert!(draws.iter().any(|tokens| *tokens != draws[0]), "random is drawn anew for every seed: {draws:?}");
    let verdict = session.verdict("paser", "random", "held-out-loss").unwrap();
    assert_eq!((verdict.seeds, verdict.rows[0].items), ((2, 3), 40));
    assert!(verdict.rows.iter().all(|row| row.least_gap > 0.0 && (0.0..=1.0).contains(&row.p)));
    let same = session.verdict("paser", "paser", "held-out-loss").unwrap();
    assert!(same.rows.iter().all(|row| row.finding == Finding::CannotTell && row.difference.value == 0.0));

    for (format, file) in
        [(WeightsFormat::Peft, "adapter_model.safetensors"), (WeightsFormat::Merged, "model.safetensors")]
    {
        let name = format!("paser-{format}");
        session.write_arm("paser", 2, format, &name).unwrap();
        let folder = world.path("p").join("exports").join(&name);
        assert!(folder.join(file).is_file());
        let refused = session.write_arm("paser", 2, format, &name).unwrap_err();
        assert!(refused.what.contains("not empty"), "{refused}");
        let model = Checkpoint::open(&world.path("pruned")).unwrap();
        match format {
            WeightsFormat::Peft => assert_eq!(Adapter::from_peft(&folder, model.spec()).unwrap().parts.len(), 14),
            WeightsFormat::Merged => assert_eq!(Checkpoint::open(&folder).unwrap().spec(), model.spec()),
        }
    }
    assert!(session.write_arm("paser", 9, WeightsFormat::Peft, "x").unwrap_err().what.contains("not trained"));
    for trainer in Trainer::ALL {
        let handed = session.hand_out("random", 3, *trainer, &format!("to-{trainer}")).unwrap();
        assert!(handed.samples > 0 && handed.paths.iter().any(|path| path.ends_with("README.md")));
    }
    for format in TableFormat::ALL {
        let text = session.report_text("paser", "random", *format).unwrap();
        assert!(text.contains("held-out loss") && text.contains("cannot tell"), "{text}");
    }
    let log = world.path("trainer_state.json");
    fs_err::write(&log, "{\"log_history\": [{\"eval_loss\": 1.5, \"step\": 4}], \"max_steps\": 8}").unwrap();
    assert!(session.read_foreign_run(&log.to_string_lossy(), "paser").unwrap_err().what.contains("already"));
    session.read_foreign_run(&log.to_string_lossy(), "theirs").unwrap();
    let theirs = session.recovery_view().unwrap().arms.pop().unwrap();
    assert_eq!((theirs.name.as_str(), theirs.plan, theirs.runs[0].points.len()), ("theirs", None, 1));
    session.remove_arm("theirs").unwrap();

    let again = run(&session, Stage::Recover).unwrap();
    assert!(again.stages.iter().all(|stage| stage.cached), "nothing is trained twice");
    drop(session);
    let session = world.open("p");
    // Times lose their last bit on the way through JSON.
    let told = |arms: &[paser_protocol::ArmView]| -> Vec<_> {
        arms.iter().map(|arm| (arm.name.clone(), arm.last.clone(), arm.ratio.clone(), arm.runs.len())).collect()
    };
    let known = session.recovery_view().unwrap();
    assert_eq!(told(&known.arms), told(&view.arms), "a new start knows what was trained");
    session.remove_arm("paser").unwrap();
    assert_eq!(session.recovery_view().unwrap().arms.len(), 1);
    assert!(session.remove_arm("paser").unwrap_err().what.contains("no arm named paser"));
}

#[test]
fn a_stopped_arm_ends_with_the_numbers_of_an_unbroken_one() {
    let world = World::new(300);
    let whole = project(&world, "whole");
    let arms = [arm("paser", "paser-20", &[7])];
    whole.add_arms(&arms).unwrap();
    run_with(&whole, Stage::Recover, 1).unwrap();
    let broken = project(&world, "broken");
    broken.add_arms(&arms).unwrap();
    for stop_at in [1, 2] {
        let cancel = AtomicBool::new(false);
        let finished = |job: &std::path::Path| fs_err::read_dir(job.join("done")).map_or(0, Iterator::count);
        let sink = |event: Event| {
            let jobs = fs_err::read_dir(world.path("broken").join("jobs")).unwrap();
            let job = jobs.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("recover-"));
            if matches!(event, Event::Project { .. }) && job.is_some_and(|job| finished(&job) >= stop_at) {
                cancel.store(true, Ordering::Relaxed);
            }
        };
        let options = RunOptions { threads: 2, ..RunOptions::default() };
        let stopped = broken.run(Stage::Recover, &options, &sink, &cancel).unwrap_err();
        assert_eq!(stopped.failure, Failure::Cancelled);
        let run = &broken.recovery_view().unwrap().arms[0].runs[0];
        assert_eq!((&run.state, run.step as usize), (&ArmState::Stopped, 4 * stop_at));
    }
    // The newest checkpoint is gone: the one before it does as well.
    run(&broken, Stage::Recover).unwrap();
    let (left, right) = (trained(&whole, &world, "whole"), trained(&broken, &world, "broken"));
    assert!(!left.is_empty() && left[0].iter().zip(&right[0]).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn what_cannot_be_trained_is_refused_in_words() {
    let world = World::new(200);
    drop(world.project("p"));
    let session = world.open("p");
    run(&session, Stage::Select).unwrap();
    let refused = |session: &Session| run(session, Stage::Recover).unwrap_err();
    assert!(refused(&session).what.contains("no arm to train"));
    assert!(session.add_arms(&[arm("a", "nobody", &[1])]).unwrap_err().what.contains("no selection named nobody"));
    assert!(session.add_arms(&[arm("a", "paser-20", &[])]).unwrap_err().what.contains("no seed"));
    assert!(session.add_arms(&[arm(" ", "paser-20", &[1])]).is_err());
    let pilot = ArmPlan { data: ArmData::Cluster { cluster: 99 }, ..arm("pilot", "", &[1]) };
    assert!(session.add_arms(&[pilot]).unwrap_err().what.contains("no cluster 99"));
    session.add_arms(&[arm("a", "paser-20", &[1])]).unwrap();
    let nothing = refused(&session);
    assert!(nothing.what.contains("nothing to measure"), "{nothing}");
    assert_eq!(session.recovery_view().unwrap().blocked.unwrap().what, nothing.what);
    assert!(session.verdict("a", "a", "held-out-loss").unwrap_err().what.contains("Nothing is measured"));

    let items = world.path("items.jsonl");
    fs_err::write(
        &items,
        "{\"instruction\": \"Add 2 and 3.\", \"output\": \"5\", \"capability\": \"sums\"}\nno json\n",
    )
    .unwrap();
    let mut settings = settings(&session);
    settings.items = vec![items.to_string_lossy().into_owned()];
    session.set_recover(&settings).unwrap();
    let bad = refused(&session);
    assert!(bad.what.contains("items.jsonl: line 2"), "{bad}");
    fs_err::write(&items, "{\"instruction\": \"Add 2 and 3.\", \"output\": \"5\", \"capability\": \"sums\"}\n")
        .unwrap();
    let options = RunOptions { arms: vec!["b".to_owned()], ..RunOptions::default() };
    let unknown = session.run(Stage::Recover, &options, &|_| {}, &NEVER).unwrap_err();
    assert!(unknown.what.contains("no arm named b"), "{unknown}");
    run(&session, Stage::Recover).unwrap();
    let view = session.recovery_view().unwrap();
    assert_eq!((view.groups.len(), view.groups[0].name.as_str(), view.groups[0].items), (1, "sums", 1));
    assert!(session.verdict("a", "a", "speed").unwrap_err().what.contains("no metric speed"));
    assert!(session.verdict("a", "c", "held-out-loss").unwrap_err().what.contains("no arm named c"));
}

#[test]
fn a_rate_that_is_far_too_high_is_flagged_and_averaged_with_nothing() {
    let world = World::new(300);
    let session = project(&world, "p");
    session
        .set_recover(&RecoverSettings {
            steps: 80,
            learning_rate: 10.0,
            method: Method::Full,
            warmup: 0,
            ..settings(&session)
        })
        .unwrap();
    session.add_arms(&[arm("paser", "paser-20", &[1])]).unwrap();
    run(&session, Stage::Recover).unwrap();
    let view = session.recovery_view().unwrap();
    let run = &view.arms[0].runs[0];
    assert!(matches!(&run.state, ArmState::Diverged { why } if why.contains("learning rate")), "{:?}", run.state);
    assert!(view.arms[0].last[0][0].is_none());
    assert!(session.verdict("paser", "paser", "held-out-loss").unwrap_err().what.contains("No seed"));
}
