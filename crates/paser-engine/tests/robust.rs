//! Stops, kills, bad input and locked projects: one clear report each, the project intact, the same bytes afterwards.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use common::{NEVER, World, computed, run, write_model, write_pool};
use paser_engine::{RunOptions, Session};
use paser_project::{Array, Arrays, Job, ShardPlan};
use paser_protocol::{
    Budget, Event, ExportFormat, Failure, Part, ProjectDraft, PruneDraft, SelectionPlan, Stage, StageState, Strategy,
};

/// Everything that decides and describes the frozen selections.
fn selections(session: &Session) -> Vec<(String, Vec<u32>, Vec<u8>, String)> {
    session.frozen().unwrap().into_iter().map(|f| (f.name, f.rows, f.reasons, f.view)).collect()
}

#[test]
fn a_run_stopped_anywhere_goes_on_and_ends_with_the_same_bytes() {
    let world = World::new(300);
    let whole = world.project("whole");
    run(&whole, Stage::Select).unwrap();
    let expected = selections(&whole);
    for events in [2_u32, 5, 8, 11] {
        let name = format!("stopped-{events}");
        let session = world.project(&name);
        let (cancel, seen) = (AtomicBool::new(false), AtomicU32::new(0));
        let sink = |_: Event| {
            if seen.fetch_add(1, Ordering::Relaxed) + 1 == events {
                cancel.store(true, Ordering::Relaxed);
            }
        };
        let outcome = session.run(Stage::Select, &RunOptions::default(), &sink, &cancel);
        assert_eq!(outcome.unwrap_err().failure, Failure::Cancelled, "stopped after {events} events");
        drop(session);
        let session = world.open(&name);
        run(&session, Stage::Select).unwrap();
        assert_eq!(selections(&session), expected, "stopped after {events} events");
    }
}

/// The only job of a stage.
fn job_of(world: &World, name: &str, stage: &str) -> Option<PathBuf> {
    let jobs = fs_err::read_dir(world.path(name).join("jobs")).unwrap();
    let mut found = jobs
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{stage}-"))));
    let first = found.next();
    assert!(found.next().is_none(), "{stage} has one job");
    first
}

/// Shards of a job that are marked as finished.
fn finished(job: &Path) -> usize {
    fs_err::read_dir(job.join("done")).map_or(0, |entries| {
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "json")).count()
    })
}

#[test]
fn a_killed_job_takes_up_its_shards() {
    let world = World::new(1200);
    let session = world.project("p");
    run(&session, Stage::Manifold).unwrap();
    let cancel = AtomicBool::new(false);
    let sink = |event: Event| {
        if let Event::Job { job } = event
            && job.what == "scoring"
        {
            let end = Instant::now() + Duration::from_secs(60);
            while job_of(&world, "p", "score").is_none_or(|job| finished(&job) == 0) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let outcome = session.run(Stage::Score, &RunOptions { threads: 1, memory: None, worker: None }, &sink, &cancel);
    assert_eq!(outcome.unwrap_err().failure, Failure::Cancelled);
    drop(session);
    let job = job_of(&world, "p", "score").unwrap();
    let kept = finished(&job);
    assert!((1..10).contains(&kept), "{kept} of 12 shards were finished");
    // What a kill leaves: half a file, a shard without its marker, a marker whose shard is not there.
    let shard = |number: usize, end: &str| job.join("shards").join(format!("{number:04}.safetensors{end}"));
    let marker = |number: usize| job.join("done").join(format!("{number:04}.json"));
    fs_err::write(shard(kept, ".77.partial"), "half").unwrap();
    fs_err::write(shard(kept + 1, ""), "half").unwrap();
    fs_err::copy(marker(0), marker(kept + 2)).unwrap();
    let session = world.open("p");
    run(&session, Stage::Select).unwrap();
    let whole = world.project("whole");
    run(&whole, Stage::Select).unwrap();
    assert_eq!(selections(&session), selections(&whole));
    assert!(!job.join("shards").exists(), "merged shards are removed");
}

#[test]
fn damage_grows_while_scores_come_in_and_a_stop_keeps_it() {
    let world = World::new(600);
    let session = world.project("p");
    run(&session, Stage::Manifold).unwrap();
    let seen = Mutex::new(Vec::new());
    let cancel = AtomicBool::new(false);
    let sink = |event: Event| {
        if let Event::Project { revision } = event {
            let view = session.view();
            assert!(view.revision >= revision);
            let scored: u64 = view.clusters.iter().map(|cluster| cluster.scored).sum();
            let damaged = view.clusters.iter().filter(|cluster| cluster.cds.is_some()).count();
            assert!(damaged > 0 && view.columns.iter().all(|column| column.name != "jsd"));
            assert!(view.clusters.iter().all(|cluster| cluster.eligible == 0), "nothing to select from yet");
            seen.lock().unwrap().push(scored);
            cancel.store(scored >= 300, Ordering::Relaxed);
        }
    };
    let options = RunOptions { threads: 1, memory: None, worker: None };
    assert_eq!(session.run(Stage::Score, &options, &sink, &cancel).unwrap_err().failure, Failure::Cancelled);
    // The last one tells of the run's end.
    assert_eq!(*seen.lock().unwrap(), [100, 200, 300, 300]);

    let view = session.view();
    assert_eq!(view.clusters.iter().map(|cluster| cluster.scored).sum::<u64>(), 300);
    let score = view.stages.iter().find(|stage| stage.stage == Stage::Score).unwrap();
    assert_eq!((&score.state, score.kept), (&StageState::Missing, Some((3, 6))));
    assert_eq!(view.scored_so_far, Some(300));
    let report = session.report_html(&NEVER).unwrap();
    assert!(report.contains("So far 300 of 600 samples are scored."));
    world.edit("p", "name = \"plain\"", "name = \"alpaca\"");
    session.reread();
    let other = session.view();
    assert_eq!((other.scored_so_far, other.clusters[0].cds), (None, None), "another template, nothing known");
    world.edit("p", "name = \"alpaca\"", "name = \"plain\"");
    session.reread();
    assert_eq!(session.view().scored_so_far, Some(300));
    let refused = session.select_as(&SelectionPlan::default(), "early", &NEVER).unwrap_err();
    assert!(refused.what.contains("has to be scored"), "{refused}");

    let sink = |event: Event| {
        if let Event::Project { .. } = event {
            seen.lock().unwrap().push(session.view().clusters.iter().map(|cluster| cluster.scored).sum());
        }
    };
    session.run(Stage::Score, &options, &sink, &NEVER).unwrap();
    // The shards found are heard of at once, then the rest, then the ends of stage and run.
    assert_eq!(seen.lock().unwrap()[4..], [300, 400, 500, 600, 600, 600]);
    assert_eq!(session.view().scored_so_far, None);
    let whole = world.project("whole");
    run(&whole, Stage::Score).unwrap();
    let damage = |session: &Session| -> Vec<_> { session.view().clusters.iter().map(|c| (c.cds, c.cds_low)).collect() };
    assert_eq!(damage(&session), damage(&whole));
}

#[test]
fn shards_that_a_crash_left_behind_their_artefact_are_removed() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let key = session.frozen().unwrap()[0].inputs.get("scores").unwrap().to_owned();
    drop(session);
    let jobs = world.path("p").join("jobs");
    let mut arrays = Arrays::new();
    arrays.insert("jsd", Array::column(vec![0.5_f32; 100]));
    let rows: Vec<u32> = (0..200).collect();
    for (key, left) in [(key.as_str(), false), ("of scores that were never finished", true)] {
        let job = Job::open(&jobs, ShardPlan::cut("score", key, &rows, 100)).unwrap();
        job.finish(0, &arrays, 1, 1.0).unwrap();
        let shards = job.folder().join("shards");
        drop(job);
        drop(world.open("p"));
        assert_eq!(shards.exists(), left, "{key}");
    }
}

#[test]
fn a_recipe_edited_during_a_run_is_for_the_next_one() {
    let world = World::new(300);
    let session = world.project("p");
    let edited = AtomicBool::new(false);
    let sink = |event: Event| {
        if let Event::Job { job } = event
            && job.stage == Stage::Manifold
            && !edited.swap(true, Ordering::Relaxed)
        {
            world.edit("p", "name = \"plain\"", "name = \"alpaca\"");
            world.edit("p", "strategy = \"random\"", "strategy = \"longest\"");
            session.reread();
        }
    };
    session.run(Stage::Select, &RunOptions::default(), &sink, &NEVER).unwrap();
    let state = |stage: Stage| session.view().stages.into_iter().find(|view| view.stage == stage).unwrap().state;
    assert!(matches!(state(Stage::Score), StageState::Stale { why } if why.contains("template")));
    let strategy = |session: &Session| session.view().selections[2].plan.strategy;
    assert_eq!(strategy(&session), Strategy::Random);
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), [Stage::Score, Stage::Select]);
    assert_eq!(strategy(&session), Strategy::Longest);
}

#[test]
fn selections_and_exports_stop_when_they_are_told_to() {
    let world = World::new(400);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let stop = AtomicBool::new(true);
    for strategy in [Strategy::Paser, Strategy::PaserNoS2ric, Strategy::Kcenter, Strategy::InstructionMining] {
        let plan = SelectionPlan { strategy, seed: 7, budget: Budget::Samples(33), ..SelectionPlan::default() };
        assert_eq!(session.select(&plan, &stop).unwrap_err().failure, Failure::Cancelled, "{strategy}");
        assert_eq!(session.select_as(&plan, "mine", &stop).unwrap_err().failure, Failure::Cancelled, "{strategy}");
        session.select(&plan, &NEVER).unwrap();
    }
    assert_eq!(session.frozen().unwrap().len(), 3, "nothing was frozen");
    let export =
        |stop| session.export(Some("paser-20"), &Part::default(), ExportFormat::AlpacaJson, "train.json", stop);
    assert_eq!(export(&stop).unwrap_err().failure, Failure::Cancelled);
    assert!(!world.path("p").join("exports").join("train.json").exists());
    export(&NEVER).unwrap();
}

#[test]
fn a_selection_that_cannot_be_read_is_told_of_and_never_replaced() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    session.select_as(&SelectionPlan::default(), "mine", &NEVER).unwrap();
    let catalogue = rusqlite::Connection::open(world.path("p").join("project.db")).unwrap();
    let set = |column: &str, text: &str| {
        let command = format!("UPDATE selections SET {column} = ?1 WHERE name = 'mine'");
        catalogue.execute(&command, [text]).unwrap();
    };
    let read = |column: &str| -> String {
        let query = format!("SELECT {column} FROM selections WHERE name = 'mine'");
        catalogue.query_row(&query, [], |row| row.get(0)).unwrap()
    };
    let select_state = || session.view().stages.pop().unwrap().state;
    assert!(matches!(select_state(), StageState::Done { .. }));
    for column in ["inputs", "view"] {
        let whole = read(column);
        set(column, "{");
        assert!(matches!(select_state(), StageState::Failed { .. }), "{column}");
        if column == "inputs" {
            assert!(session.frozen().is_err());
        }
        session.select_as(&SelectionPlan { seed: 3, ..SelectionPlan::default() }, "mine", &NEVER).unwrap_err();
        let export =
            |name: &str| session.export(Some(name), &Part::default(), ExportFormat::AlpacaJson, "train.json", &NEVER);
        let report = export("mine").unwrap_err();
        assert!(report.what.contains("selection mine"), "{column}: {report}");
        export("paser-20").unwrap();
        assert_eq!(read(column), "{", "what is there stays");
        set(column, &whole);
    }
    assert!(session.frozen_named("mine").is_ok());
}

#[test]
fn progress_comes_twice_a_second_and_cancel_acts_within_one() {
    let world = World::new(3000);
    let session = world.project("p");
    let times = Mutex::new(Vec::new());
    let cancel = AtomicBool::new(false);
    let asked = Mutex::new(None::<Instant>);
    let sink = |event: Event| {
        if let Event::Job { job } = event {
            let now = Instant::now();
            times.lock().unwrap().push(now);
            let mut asked = asked.lock().unwrap();
            if job.stage == Stage::Manifold && job.what.starts_with("neighbours") && asked.is_none() {
                *asked = Some(now);
                cancel.store(true, Ordering::Relaxed);
            }
        }
    };
    let outcome = session.run(Stage::Select, &RunOptions::default(), &sink, &cancel);
    let ended = Instant::now();
    assert_eq!(outcome.unwrap_err().failure, Failure::Cancelled);
    let asked = asked.into_inner().unwrap().unwrap();
    assert!(ended - asked < Duration::from_secs(1), "{:?}", ended - asked);
    let times = times.into_inner().unwrap();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    assert!(gap < Duration::from_millis(500), "{gap:?}");
}

#[test]
fn a_second_owner_is_told_who_has_the_project() {
    let world = World::new(50);
    let session = world.project("p");
    let report = Session::open(&world.path("p")).err().unwrap();
    assert_eq!(report.failure, Failure::ComeBack);
    assert!(report.what.contains(&std::process::id().to_string()), "{report}");
    drop(session);
    world.open("p");
}

/// The report of a run whose project was spoilt beforehand.
fn refused(world: &World, name: &str) -> paser_protocol::Report {
    let session = world.open(name);
    run(&session, Stage::Select).unwrap_err()
}

#[test]
fn bad_pools_are_refused_by_name_and_the_project_stays() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let before = selections(&session);
    drop(session);
    let pool = world.path("pool.jsonl");
    let cases: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("binary", (0..4096_u32).map(|byte| (byte * 7) as u8).collect()),
        ("truncated", br#"[{"instruction": "a", "output": "b"}, {"instruction": "c"#.to_vec()),
        ("encoding", b"{\"instruction\": \"caf\xe9\", \"output\": \"b\"}\n".to_vec()),
        ("fields", b"{\"question\": \"a\", \"reply\": \"b\"}\n".to_vec()),
        ("one long line", vec![b'x'; 10 << 20]),
    ];
    for (what, bytes) in cases {
        fs_err::write(&pool, bytes).unwrap();
        let report = refused(&world, "p");
        assert_eq!(report.failure, Failure::Unusable, "{what}: {report}");
        assert!(report.what.contains("pool.jsonl"), "{what}: {report}");
        let session = world.open("p");
        assert_eq!(selections(&session), before, "{what}");
        assert_eq!(session.view().pool.samples, 300, "{what}");
    }
    let mut rows = common::rows(300);
    rows[10] = rows[10].replacen("\"id\":10,", "\"id\":11,", 1);
    write_pool(&pool, &rows);
    let report = refused(&world, "p");
    assert!(report.failure == Failure::Unusable && report.what.contains("11"), "{report}");
}

#[test]
fn bad_models_are_refused_by_tensor_or_file() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Manifold).unwrap();
    drop(session);
    let weights = world.path("pruned").join("model.safetensors");
    let good = fs_err::read(&weights).unwrap();

    let mut broken = good.clone();
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs_err::write(&weights, &broken).unwrap();
    let report = refused(&world, "p");
    assert!(report.failure == Failure::Unusable && report.what.contains("model."), "{report}");

    fs_err::write(&weights, &good[..good.len() / 2]).unwrap();
    let report = refused(&world, "p");
    assert!(report.failure == Failure::Unusable && report.what.contains("model.safetensors"), "{report}");

    fs_err::write(&weights, &good).unwrap();
    common::write_tokenizer(&world.path("pruned"), &["other"]);
    let report = refused(&world, "p");
    assert!(report.failure == Failure::Unusable && report.what.contains("read text differently"), "{report}");

    fs_err::remove_dir_all(world.path("pruned")).unwrap();
    let report = refused(&world, "p");
    assert!(report.failure == Failure::Unusable && report.what.contains("pruned"), "{report}");

    write_model(&world.path("pruned"), 1, true);
    let session = world.open("p");
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), [Stage::Score, Stage::Select]);
}

#[test]
fn a_model_that_is_gone_costs_nothing_that_was_computed() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    fs_err::remove_dir_all(world.path("dense")).unwrap();
    fs_err::remove_file(world.path("pool.jsonl")).unwrap();
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);
    drop(session);
    world.edit("p", "name = \"plain\"", "name = \"alpaca\"");
    let report = refused(&world, "p");
    assert!(report.failure == Failure::Unusable && report.what.contains("dense"), "{report}");
}

#[test]
fn recipes_with_mistakes_name_their_lines() {
    let world = World::new(50);
    drop(world.project("p"));
    world.edit("p", "clusters = 4", "clusters = 0");
    let report = Session::open(&world.path("p")).err().unwrap();
    assert_eq!(report.failure, Failure::Usage);
    assert!(report.what.contains("recipe.toml:") && report.what.contains("clusters"), "{report}");
    let report = Session::open(&world.path("nothing")).err().unwrap();
    assert!(report.failure == Failure::Usage && report.what.contains("no recipe.toml"), "{report}");
    let taken = Session::create(&world.draft("p")).err().unwrap();
    assert_eq!(taken.failure, Failure::Usage);
}

#[test]
fn a_project_can_make_its_own_pruned_model() {
    let world = World::new(200);
    let draft = ProjectDraft {
        pruned: String::new(),
        prune: Some(PruneDraft { method: "wanda".to_owned(), pattern: "2:4".to_owned() }),
        ..world.draft("p")
    };
    let session = Session::create(&draft).unwrap();
    world.edit("p", "clusters = \"automatic\"", "clusters = 3");
    run(&session, Stage::Select).unwrap();
    let view = session.view();
    assert_eq!(view.pruning, "Wanda 2:4");
    assert!(view.clusters.iter().any(|cluster| cluster.cds.unwrap() > 0.0));
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);
    world.edit("p", "pattern = \"2:4\"", "pattern = \"0.3\"");
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), [Stage::Score, Stage::Select]);
}

#[test]
fn half_a_pruned_model_is_made_anew() {
    let world = World::new(200);
    let draft = ProjectDraft {
        pruned: String::new(),
        prune: Some(PruneDraft { method: "magnitude".to_owned(), pattern: "0.5".to_owned() }),
        ..world.draft("p")
    };
    let session = Session::create(&draft).unwrap();
    world.edit("p", "clusters = \"automatic\"", "clusters = 3");
    run(&session, Stage::Select).unwrap();
    let models = world.path("p").join("models");
    let model = fs_err::read_dir(&models).unwrap().next().unwrap().unwrap().path();
    let weights = model.join("model.safetensors");
    let whole = fs_err::read(&weights).unwrap();
    // A power cut may give the folder its name and lose the end of a file, or the note.
    fs_err::write(&weights, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);
    assert!(fs_err::read(&weights).unwrap() == whole, "the weights are as they were");
    fs_err::remove_file(model.join("paser-prune.json")).unwrap();
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);
    assert!(model.join("paser-prune.json").exists());
    drop(session);
    let left = models.join(".magnitude-of-another-recipe.77.0.tmp");
    fs_err::create_dir(&left).unwrap();
    fs_err::write(left.join(".paser-unfinished.lock"), "").unwrap();
    drop(world.open("p"));
    assert!(!left.exists() && model.exists());
}

#[test]
fn a_recorded_run_opens_as_it_was() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let bytes = session.pack_recorded().unwrap();
    let (before, columns) = (selections(&session), session.view().columns);
    drop(session);
    let session = world.project("again");
    run(&session, Stage::Import).unwrap();
    session.unpack_recorded(&bytes).unwrap();
    assert_eq!(selections(&session), before);
    assert_eq!(session.view().columns, columns);
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);
    assert!(session.unpack_recorded(&bytes[..bytes.len() - 3]).is_err());
}

#[test]
fn a_damaged_artefact_is_computed_again() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let before = selections(&session);
    drop(session);
    for (artefact, stage) in [("score", Stage::Score), ("manifold", Stage::Manifold), ("concepts", Stage::Manifold)] {
        for entry in fs_err::read_dir(world.path("p").join("arrays")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(&format!("{artefact}-")) && name.ends_with("safetensors") {
                let mut bytes = fs_err::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x55;
                fs_err::write(&path, bytes).unwrap();
            }
        }
        let session = world.open("p");
        let view = session.view().stages.into_iter().find(|view| view.stage == stage).unwrap();
        assert!(!matches!(view.state, StageState::Done { .. }), "{artefact} is not there: {view:?}");
        assert_eq!(computed(&run(&session, Stage::Select).unwrap()), [stage], "{artefact}");
        assert_eq!(selections(&session), before, "{artefact}");
    }
}
