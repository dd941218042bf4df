//! The protocol's requests against one open project, as a window sends them.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::World;
use paser_engine::{Studio, StudioOptions};
use paser_protocol::{
    ClusterChoice, Edit, EditKind, EngineSettings, Event, Failure, Reply, Request, SelectionPlan, SourceKind, Stage,
    StageState,
};

fn studio(world: &World) -> Studio {
    Studio::new(StudioOptions { state_dir: Some(world.path("state")), threads: 2, ..Default::default() })
}

fn project(studio: &Studio) -> paser_protocol::ProjectView {
    match studio.handle(Request::Project).unwrap() {
        Reply::Project(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// Waits for the end of a run and counts what it told of itself.
fn finish(events: &std::sync::mpsc::Receiver<Event>) -> (usize, Option<paser_protocol::Report>) {
    let (mut jobs, end) = (0, Instant::now() + Duration::from_secs(120));
    while Instant::now() < end {
        match events.recv_timeout(Duration::from_secs(1)) {
            Ok(Event::Job { .. }) => jobs += 1,
            Ok(Event::Finished { report, .. }) => return (jobs, report),
            _ => {}
        }
    }
    panic!("the run did not end");
}

#[test]
fn a_window_makes_runs_edits_and_reopens_a_project() {
    let world = World::new(400);
    let studio = studio(&world);
    let events = studio.subscribe();
    assert_eq!(studio.handle(Request::Project).unwrap_err().failure, Failure::Usage);
    let draft = world.draft("p");
    for (source, path) in [(SourceKind::Pool, &draft.pool), (SourceKind::Model, &draft.dense)] {
        let Reply::Probed(probed) = studio.handle(Request::Probe { source, path: path.clone() }).unwrap() else {
            panic!()
        };
        assert_eq!(probed.remarks[0].level, "ok", "{probed:?}");
    }
    let missing = Request::Probe { source: SourceKind::Pool, path: "no/such/file.json".to_owned() };
    let Reply::Probed(probed) = studio.handle(missing).unwrap() else { panic!() };
    assert_eq!(probed.remarks[0].level, "error");
    let Reply::Estimate(estimate) = studio.handle(Request::Estimate { draft: draft.clone() }).unwrap() else {
        panic!()
    };
    assert_eq!(estimate.stages.len(), 5);
    let is_range = |range: Option<(f64, f64)>| range.is_some_and(|(low, high)| low > 0.0 && high > low);
    assert!(estimate.stages.iter().all(|(_, range)| is_range(*range)), "{estimate:?}");
    assert_eq!(estimate.network_bytes, Some(0));

    studio.handle(Request::CreateProject { draft, run: false }).unwrap();
    assert!(project(&studio).stages.iter().all(|stage| stage.estimate.is_some()));
    studio.handle(Request::ChooseClusters { choice: ClusterChoice::Fixed(4) }).unwrap();
    let (jobs, report) = finish(&events);
    assert!(report.is_none() && jobs >= 5, "{jobs} {report:?}");
    let view = project(&studio);
    assert!(view.recipe.contains("clusters = 4"));
    assert!(view.stages.iter().all(|stage| matches!(stage.state, StageState::Done { .. })), "{:?}", view.stages);

    let plan = SelectionPlan::default();
    let Reply::Selection(selection) = studio.handle(Request::Select { plan: plan.clone() }).unwrap() else { panic!() };
    assert_eq!(studio.column(&selection.reason_column).unwrap().len(), 400);
    let edit = Edit::new(EditKind::Pin { rows: vec![5] }, "kept");
    let Reply::Curation(curation) = studio.handle(Request::Curate { edit }).unwrap() else { panic!() };
    assert_eq!(curation.pinned, [5]);
    assert!(curation.undo.is_some());
    let revision = project(&studio).revision;
    let Reply::Curation(curation) = studio.handle(Request::Undo).unwrap() else { panic!() };
    assert!(curation.pinned.is_empty() && curation.redo.is_some());
    assert!(project(&studio).revision > revision);
    studio.handle(Request::Freeze { name: "mine".to_owned() }).unwrap();
    assert!(project(&studio).selections.iter().any(|selection| selection.name.as_deref() == Some("mine")));
    studio.handle(Request::Discard { name: "mine".to_owned() }).unwrap();
    studio.handle(Request::CloseProject { go_on: false }).unwrap();

    let Reply::Hello(hello) = studio.handle(Request::Hello).unwrap() else { panic!() };
    assert_eq!(hello.recent.len(), 1);
    assert!(!hello.open);
    studio.handle(Request::OpenProject { path: hello.recent[0].path.clone() }).unwrap();
    assert_eq!(project(&studio).plan, plan);
}

#[test]
fn a_run_is_cancelled_within_a_second_and_goes_on_later() {
    let world = World::new(3000);
    let studio = studio(&world);
    let events = studio.subscribe();
    studio.handle(Request::CreateProject { draft: world.draft("p"), run: false }).unwrap();
    world.edit("p", "clusters = \"automatic\"", "clusters = 4");
    studio.handle(Request::Run { until: Stage::Select, memory: None }).unwrap();
    assert!(studio.handle(Request::Run { until: Stage::Select, memory: None }).is_err(), "one run at a time");
    while !matches!(events.recv().unwrap(), Event::Job { job } if job.stage == Stage::Manifold) {}
    // Questions are answered meanwhile.
    assert_eq!(project(&studio).pool.samples, 3000);
    let asked = Instant::now();
    studio.handle(Request::Cancel).unwrap();
    let (_, report) = finish(&events);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(report.unwrap().failure, Failure::Cancelled);
    studio.handle(Request::Run { until: Stage::Manifold, memory: None }).unwrap();
    assert!(finish(&events).1.is_none());
    assert!(!project(&studio).clusters.is_empty());
}

#[test]
fn the_demo_opens_in_seconds() {
    let place = tempfile::tempdir().unwrap();
    let studio =
        Studio::new(StudioOptions { state_dir: Some(place.path().to_owned()), threads: 0, ..Default::default() });
    let events = studio.subscribe();
    let Reply::Hello(hello) = studio.handle(Request::Hello).unwrap() else { panic!() };
    let card = hello.demo.expect("a recorded run ships with the program: `record_demo` makes it");
    assert_eq!(card.samples, 3000);
    assert_eq!(studio.column(&card.positions).unwrap().len(), 3000 * 8);
    assert_eq!(studio.column(&card.damage).unwrap().len(), 3000 * 4);

    let started = Instant::now();
    let Reply::Project(view) = studio.handle(Request::OpenDemo { fresh: false }).unwrap() else { panic!() };
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(view.demo && view.clusters.len() as u32 == card.clusters);
    assert!(view.selections.len() >= 5 && view.selections.iter().all(|selection| selection.noise.is_some()));
    let notices: Vec<Event> = events.try_iter().filter(|event| matches!(event, Event::Notice { .. })).collect();
    assert!(notices.is_empty(), "the recorded run is of an older program: run `record_demo`. {notices:?}");
    let stale = |stage: &paser_protocol::StageView| !matches!(stage.state, StageState::Done { cached: true, .. });
    let stale: Vec<_> = view.stages.iter().filter(|stage| stale(stage)).collect();
    assert!(stale.is_empty(), "the recorded run is of an older program: run `record_demo`. {stale:?}");
}

#[test]
fn a_memory_that_was_set_stops_a_run_that_needs_more() {
    let world = World::new(60);
    let studio = studio(&world);
    let events = studio.subscribe();
    studio.handle(Request::CreateProject { draft: world.draft("p"), run: false }).unwrap();
    let set = |memory| studio.handle(Request::SetSettings { settings: EngineSettings { threads: 1, memory } });
    assert_eq!(set(Some(1)).unwrap_err().failure, Failure::Usage);
    let Reply::Settings(view) = set(Some(64 << 20)).unwrap() else { panic!() };
    assert_eq!((view.settings.memory, view.threads_fixed), (Some(64 << 20), Some(2)), "the start's threads win");
    assert!(view.devices.iter().any(|device| device.missing.is_some()), "{:?}", view.devices);
    assert!(view.caches.iter().any(|cache| cache.id == "spare" && cache.held.is_some()), "{:?}", view.caches);
    studio.handle(Request::Run { until: Stage::Score, memory: None }).unwrap();
    let (_, report) = finish(&events);
    assert!(report.is_some_and(|report| report.what.contains("allows 0.1 GiB")), "the limit was not heeded");
    set(None).unwrap();
    studio.handle(Request::Run { until: Stage::Import, memory: None }).unwrap();
    assert_eq!(finish(&events).1, None);
}

#[test]
fn what_a_page_tells_of_its_end_is_in_the_state_folder() {
    let world = World::new(10);
    let studio = studio(&world);
    let told = Request::WindowCrashed { what: "panicked at the map".to_owned() };
    let Reply::Reported { path } = studio.handle(told).unwrap() else { panic!() };
    assert!(path.starts_with(&*world.path("state").to_string_lossy()), "{path}");
    assert!(fs_err::read_to_string(path).unwrap().contains("panicked at the map"));
}
