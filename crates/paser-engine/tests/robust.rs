//! Stops, kills, bad input and locked projects: one clear report each, the project intact, the same bytes afterwards.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use common::{World, computed, run, write_model, write_pool};
use paser_engine::{RunOptions, Session};
use paser_protocol::{Event, Failure, ProjectDraft, PruneDraft, Stage};

/// Everything that decides and describes the frozen selections.
fn selections(session: &Session) -> Vec<(String, Vec<u32>, Vec<u8>, String)> {
    session.frozen().into_iter().map(|f| (f.name, f.rows, f.reasons, f.view)).collect()
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
        if let Err(report) = outcome {
            assert_eq!(report.failure, Failure::Cancelled);
        }
        drop(session);
        let session = world.open(&name);
        run(&session, Stage::Select).unwrap();
        assert_eq!(selections(&session), expected, "stopped after {events} events");
    }
}

#[test]
fn a_killed_job_takes_up_its_shards() {
    let world = World::new(500);
    let session = world.project("p");
    run(&session, Stage::Manifold).unwrap();
    let cancel = AtomicBool::new(false);
    let sink = |event: Event| {
        if let Event::Job { job } = event
            && job.what == "scoring"
            && job.done > 0
        {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let _ = session.run(Stage::Score, &RunOptions { threads: 1, memory: None }, &sink, &cancel);
    drop(session);
    // What a kill leaves: a shard without its marker, a marker without its shard, half a file.
    let jobs = world.path("p").join("jobs");
    let job = fs_err::read_dir(&jobs).unwrap().next().unwrap().unwrap().path();
    for name in ["shards/0002.safetensors.77.partial", "shards/0004.safetensors"] {
        if job.join("shards").is_dir() {
            fs_err::write(job.join(name), "half").unwrap();
        }
    }
    let session = world.open("p");
    run(&session, Stage::Select).unwrap();
    let whole = world.project("whole");
    run(&whole, Stage::Select).unwrap();
    assert_eq!(selections(&session), selections(&whole));
    assert!(!job.join("shards").exists(), "merged shards are removed");
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
    assert!(report.failure == Failure::Unusable && report.what.contains("tokenizers"), "{report}");

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
    for entry in fs_err::read_dir(world.path("p").join("arrays")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("score-") && path.extension().is_some_and(|end| end == "safetensors") {
            let mut bytes = fs_err::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
            fs_err::write(&path, bytes).unwrap();
        }
    }
    let session = world.open("p");
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), [Stage::Score]);
    assert_eq!(selections(&session), before);
}
