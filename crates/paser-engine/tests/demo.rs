//! The demo's folder: made whole or finished later, never made of somebody else's files, and its own self wherever it
//! lies.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, atomic::AtomicBool, mpsc::Receiver},
    time::Duration,
};

use common::World;
use paser_engine::{Outcome, RunOptions, Session, Studio, StudioOptions, demo};
use paser_protocol::{
    ClusterChoice, Edit, EditKind, Event, Failure, ProjectView, Reply, Request, SelectionPlan, Stage, StageState,
};

fn open(root: &Path, cancelled: bool) -> (Outcome<Session>, Vec<String>) {
    let notices = Mutex::new(Vec::new());
    let sink = |event: Event| {
        if let Event::Notice { text } = event {
            notices.lock().unwrap().push(text);
        }
    };
    let session = demo::open(root, &RunOptions::default(), &sink, &AtomicBool::new(cancelled));
    (session, notices.into_inner().unwrap())
}

fn is_whole(session: &Session) -> bool {
    let view = session.view();
    let done = view.stages.iter().all(|stage| matches!(stage.state, StageState::Done { .. }));
    view.demo && view.pool.samples == 3000 && view.selections.len() == 5 && done
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(contents(&path)),
            path => drop(found.insert(path.clone(), fs_err::read(path).unwrap())),
        }
    }
    found
}

#[test]
fn a_demo_that_was_stopped_half_way_is_finished() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("demo");
    assert_eq!(open(&root, true).0.err().unwrap().failure, Failure::Cancelled);
    assert!(root.join("recipe.toml").is_file(), "the stop came before anything was made");
    assert!(is_whole(&open(&root, false).0.unwrap()));

    // A window that opens it by its path finishes it too.
    let other = place.path().join("other");
    assert!(open(&other, true).0.is_err());
    let studio =
        Studio::new(StudioOptions { state_dir: Some(place.path().join("state")), threads: 0, ..Default::default() });
    studio.handle(Request::OpenProject { path: other.to_string_lossy().into_owned() }).unwrap();
    assert!(is_whole(&studio.session().unwrap()));
}

#[test]
fn the_demo_of_an_earlier_version_gives_way_and_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("demo");
    let session = open(&root, false).0.unwrap();
    session.curate(&Edit::new(EditKind::Pin { rows: vec![7] }, "mine")).unwrap();
    drop(session);
    let (session, notices) = open(&root, false);
    assert_eq!(
        (session.unwrap().view().curation.pinned, notices),
        (vec![7], Vec::new()),
        "it is opened as it was left"
    );

    let mark = root.join("demo.json");
    let old = fs_err::read_to_string(&mark).unwrap().replace("\"edition\": \"", "\"edition\": \"0");
    fs_err::write(&mark, old).unwrap();
    let (session, notices) = open(&root, false);
    let session = session.unwrap();
    assert!(is_whole(&session) && session.view().curation.pinned.is_empty());
    let kept = place.path().join("demo-earlier-1");
    assert!(notices.len() == 1 && notices[0].contains(&*kept.to_string_lossy()), "{notices:?}");
    assert_eq!(Session::open(&kept).unwrap().view().curation.pinned, [7]);
}

#[test]
fn what_is_not_the_demo_is_refused_and_left_alone() {
    let world = World::new(50);
    drop(world.project("p"));
    let mine = world.path("mine");
    fs_err::create_dir_all(&mine).unwrap();
    fs_err::write(mine.join("pool.jsonl"), "my own pool").unwrap();
    for (name, word) in [("p", "not the demo"), ("mine", "not empty")] {
        let before = contents(&world.path(name));
        let report = open(&world.path(name), false).0.err().unwrap();
        assert!(report.failure == Failure::Usage && report.what.contains(word), "{report}");
        let never = AtomicBool::new(false);
        let computed = demo::compute(&world.path(name), &RunOptions::default(), &|_| {}, &never);
        assert_eq!(computed.err().unwrap(), report);
        assert_eq!(contents(&world.path(name)), before, "{name}");
    }
}

fn finish(events: &Receiver<Event>) {
    loop {
        match events.recv_timeout(Duration::from_secs(300)).unwrap() {
            Event::Finished { report, .. } => return assert_eq!(report, None),
            _ => continue,
        }
    }
}

fn view(studio: &Studio) -> ProjectView {
    match studio.handle(Request::Project).unwrap() {
        Reply::Project(view) => *view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_demo_runs_again_where_it_lies_and_is_compared_with_the_record() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("elsewhere");
    drop(open(&root, false).0.unwrap());
    let studio =
        Studio::new(StudioOptions { state_dir: Some(place.path().join("state")), threads: 0, ..Default::default() });
    let events = studio.subscribe();
    studio.handle(Request::OpenProject { path: root.to_string_lossy().into_owned() }).unwrap();

    // What a person does in the demo is theirs, and no part of the comparison.
    studio.handle(Request::Curate { edit: Edit::new(EditKind::Pin { rows: (0..40).collect() }, "") }).unwrap();
    studio.handle(Request::Select { plan: SelectionPlan::default() }).unwrap();
    studio.handle(Request::Freeze { name: "mine".to_owned() }).unwrap();
    studio.handle(Request::ChooseClusters { choice: ClusterChoice::Fixed(5) }).unwrap();
    finish(&events);
    let before = view(&studio);
    assert!(before.clusters.len() <= 5);

    studio.handle(Request::OpenDemo { fresh: true }).unwrap();
    finish(&events);
    let after = view(&studio);
    assert_eq!((&after.path, &after.curation, &after.clusters), (&before.path, &before.curation, &before.clusters));
    assert!(after.selections.iter().any(|selection| selection.name.as_deref() == Some("mine")));
    assert!(!place.path().join("state").join("demo").exists(), "no second demo was made");
    let comparison = after.comparison.unwrap();
    assert!(comparison.clusters_equal && comparison.score_difference <= 1e-4, "{comparison:?}");
    assert!(comparison.selections.len() == 5 && comparison.selections.iter().all(|(_, share)| *share >= 0.99));
}

#[test]
fn selections_and_noise_stop_when_they_are_told_to() {
    let place = tempfile::tempdir().unwrap();
    let session = open(&place.path().join("demo"), false).0.unwrap();
    let (stop, plan) = (AtomicBool::new(true), SelectionPlan { seed: 7, ..SelectionPlan::default() });
    let cancelled = [
        session.noise_report(&SelectionPlan { seed: 7, ..plan.clone() }, &stop).err(),
        session.select(&plan, &stop).err(),
        session.select_as(&plan, "mine", &stop).err(),
    ];
    for report in cancelled {
        assert_eq!(report.unwrap().failure, Failure::Cancelled);
    }
    assert_eq!(
        session.run(Stage::Select, &RunOptions::default(), &|_| {}, &AtomicBool::new(false)).unwrap().stages.len(),
        5
    );
}
