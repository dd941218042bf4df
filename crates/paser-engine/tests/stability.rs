//! A sweep of single settings: against manifold and selection made anew, kept by what decides it, gone on with after a
//! stop, and a setting adopted.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use common::{NEVER, World, run};
use paser_engine::{RunOptions, Session, Studio, StudioOptions};
use paser_manifold::adjusted_rand_index;
use paser_protocol::{
    Budget, Edit, EditKind, Event, Factor, Failure, Reply, Request, SelectionPlan, SettingView, StabilityView, Stage,
    decode_u32,
};

const OPTIONS: RunOptions = RunOptions { threads: 2, memory: None, worker: None, arms: Vec::new() };

fn sweep(session: &Session, factors: &[Factor]) -> StabilityView {
    session.sweep_factors(factors, &OPTIONS, &|_| {}, &NEVER).unwrap()
}

fn settings(view: &StabilityView, factor: Factor) -> Vec<SettingView> {
    view.factors.iter().find(|of| of.factor == factor).unwrap().settings.clone()
}

fn ran(samples: usize) -> (World, Session) {
    let world = World::new(samples);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    (world, session)
}

fn clusters(session: &Session) -> Vec<u32> {
    let info = session.view().columns.into_iter().find(|column| column.name == "cluster").unwrap();
    decode_u32(&session.column(&info.key).unwrap())
}

#[test]
fn a_setting_of_the_sweep_is_what_adopting_it_makes() {
    let (world, session) = ran(400);
    let before = session.stability().unwrap();
    assert!(before.factors.iter().all(|of| of.settings.is_empty() && of.estimate.is_some()), "{before:?}");
    let plan = SelectionPlan { budget: Budget::Samples(60), ..SelectionPlan::default() };
    session.select(&plan, &NEVER).unwrap();
    let here = (clusters(&session), session.select_as(&plan, "here", &NEVER).map(|_| ()).unwrap());
    let reference = session.frozen_named("here").unwrap().rows;
    let view = sweep(&session, &[Factor::Dimensions, Factor::Clusters]);
    assert!(settings(&view, Factor::Seed).is_empty(), "only what was asked for");
    for (factor, key, old) in [
        (Factor::Dimensions, "\ndimensions = 16", "dimensions = "),
        (Factor::Clusters, "\nclusters = 4", "clusters = "),
    ] {
        let found = settings(&view, factor);
        let current: Vec<&SettingView> = found.iter().filter(|setting| setting.current).collect();
        assert_eq!((current.len(), current[0].agreement, current[0].overlap), (1, 1.0, 1.0));
        let other = found.iter().find(|setting| !setting.current).unwrap();
        // A project of its own with that setting.
        let name = format!("{factor:?}");
        let twin = world.project(&name);
        world.edit(&name, key, &format!("\n{old}{}", other.value));
        run(&twin, Stage::Select).unwrap();
        let agreement = adjusted_rand_index(&here.0, &clusters(&twin));
        assert!((other.agreement - agreement).abs() < 1e-12, "{factor}: {other:?} and {agreement}");
        let view = twin.select_as(&plan, "there", &NEVER).unwrap();
        let rows = twin.frozen_named("there").unwrap().rows;
        let shared = rows.iter().filter(|row| reference.contains(row)).count() as u64;
        assert_eq!((other.shared, other.selected, other.rows), (shared, view.selected, 400));
        let all = (reference.len() + rows.len()) as f64 - shared as f64;
        assert!((other.overlap - shared as f64 / all).abs() < 1e-12);
        let by_chance = 60.0 * 60.0 / 400.0;
        assert!((other.chance - by_chance / (120.0 - by_chance)).abs() < 1e-12, "{other:?}");
    }
}

#[test]
fn what_was_found_is_shown_only_for_what_is_in_force() {
    let (world, session) = ran(240);
    session.select(&SelectionPlan::default(), &NEVER).unwrap();
    let found = settings(&sweep(&session, &[Factor::Time]), Factor::Time);
    assert_eq!(found.iter().map(|setting| setting.value).collect::<Vec<_>>(), [0.0, 0.5, 1.0, 2.0, 4.0]);
    let shown = |session: &Session| settings(&session.stability().unwrap(), Factor::Time);
    assert_eq!(shown(&session), found);
    // Another budget: the clusters are kept, the selections are made anew, quickly.
    let small = SelectionPlan { budget: Budget::Samples(20), ..SelectionPlan::default() };
    session.select(&small, &NEVER).unwrap();
    assert!(shown(&session).is_empty());
    let events = Mutex::new(Vec::new());
    let sink = |event: Event| {
        if let Event::Job { job } = event {
            events.lock().unwrap().push(job.what);
        }
    };
    let view = session.sweep_factors(&[Factor::Time], &OPTIONS, &sink, &NEVER).unwrap();
    assert!(settings(&view, Factor::Time).iter().all(|setting| setting.selected == 20));
    assert!(events.lock().unwrap().iter().all(|what| !what.starts_with("clusters at other")), "{events:?}");
    // A pin changes the selections, too; taken back, what was found is there again.
    session.curate(&Edit::new(EditKind::Pin { rows: vec![3] }, "")).unwrap();
    assert!(shown(&session).is_empty());
    session.undo().unwrap();
    assert_eq!(shown(&session), settings(&view, Factor::Time));
    drop(session);
    let session = world.open("p");
    assert_eq!(shown(&session), settings(&view, Factor::Time), "after a restart");
    // A recipe that was edited and not run has other clusters in mind.
    world.edit("p", "neighbours = 15", "neighbours = 12");
    session.reread();
    let view = session.stability().unwrap();
    assert!(view.factors.is_empty() && view.blocked.unwrap().what.contains("not those of the recipe"));
    let refused = session.sweep_factors(&[Factor::Time], &OPTIONS, &|_| {}, &NEVER).unwrap_err();
    assert_eq!(refused.failure, Failure::Usage);
}

#[test]
fn temperatures_change_the_order_and_no_cluster() {
    let (_world, session) = ran(200);
    let found = settings(&sweep(&session, &[Factor::Temperature]), Factor::Temperature);
    assert_eq!(found.iter().map(|setting| setting.value).collect::<Vec<_>>(), [0.25, 0.5, 1.0, 2.0, 4.0]);
    assert!(found.iter().all(|setting| setting.agreement == 1.0 && setting.selected == 40));
    assert!(found.iter().any(|setting| setting.overlap < 1.0), "{found:?}");
    assert!(found.iter().all(|setting| setting.chance < setting.overlap), "{found:?}");
}

#[test]
fn a_stopped_sweep_keeps_the_settings_that_are_finished() {
    let (_world, session) = ran(2400);
    let cancel = AtomicBool::new(false);
    let sink = |event: Event| {
        if let Event::Job { job } = event
            && job.what.starts_with("clusters at other")
            && job.done >= 1000
        {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let report = session.sweep_factors(&[Factor::Seed], &OPTIONS, &sink, &cancel).unwrap_err();
    assert_eq!(report.failure, Failure::Cancelled);
    let view = session.stability().unwrap();
    let (finished, parts) = view.factors.iter().find(|of| of.factor == Factor::Seed).unwrap().kept.unwrap();
    assert!(finished >= 1 && finished < parts && parts == 5, "{finished} of {parts}");
    let found = settings(&sweep(&session, &[Factor::Seed]), Factor::Seed);
    assert_eq!(found.len(), 6);
    // The same as in one go.
    let (_other, whole) = ran(2400);
    assert_eq!(settings(&sweep(&whole, &[Factor::Seed]), Factor::Seed), found);
}

#[test]
fn a_setting_is_adopted_in_the_recipe_and_run() {
    let (world, session) = ran(240);
    drop(session);
    let studio =
        Studio::new(StudioOptions { state_dir: Some(world.path("state")), threads: 2, ..StudioOptions::default() });
    studio.handle(Request::OpenProject { path: world.path("p").to_string_lossy().into_owned() }).unwrap();
    let events = studio.subscribe();
    let finish = || loop {
        if let Event::Finished { report, .. } = events.recv().unwrap() {
            break report;
        }
    };
    studio.handle(Request::Sweep { factors: vec![Factor::Neighbours] }).unwrap();
    assert_eq!(finish(), None);
    let Reply::Stability(view) = studio.handle(Request::Stability).unwrap() else { panic!("no stability") };
    assert_eq!(settings(&view, Factor::Neighbours).len(), 4);
    // More neighbours than candidates raise both.
    studio.handle(Request::Adopt { factor: Factor::Neighbours, value: 40.0 }).unwrap();
    assert_eq!(finish(), None);
    let recipe = fs_err::read_to_string(world.path("p/recipe.toml")).unwrap();
    assert!(recipe.contains("\nneighbours = 40") && recipe.contains("\ncandidates = 40"), "{recipe}");
    let Reply::Stability(view) = studio.handle(Request::Stability).unwrap() else { panic!("no stability") };
    let neighbours = view.factors.iter().find(|of| of.factor == Factor::Neighbours).unwrap();
    assert!(neighbours.settings.is_empty() && neighbours.current == 40.0, "what was found before says nothing now");
    let refused = studio.handle(Request::Adopt { factor: Factor::Temperature, value: 2.0 }).unwrap_err();
    assert!(refused.what.contains("temperature of 1"), "{refused}");
}
