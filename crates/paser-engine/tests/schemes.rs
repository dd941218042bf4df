//! Several pruned models in one project: all are scored, shown by the clusters in force, and change places at no cost.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use common::{NEVER, World, computed, run};
use paser_engine::{RunOptions, Session, caches};
use paser_model::Checkpoint;
use paser_protocol::{
    ClusterDamage, Edit, EditKind, Event, ExportFormat, Failure, Part, ProjectView, PrunedChange, SchemeView,
    SelectionPlan, Silent, Stage, StageState, Strategy,
};
use paser_prune::{Method, PruneParams, prune};

/// A world with the dense model pruned at two more shares: `light` and `heavy`.
fn world(samples: usize) -> World {
    let world = World::new(samples);
    for (name, pattern) in [("light", "0.2"), ("heavy", "0.8")] {
        let params = PruneParams { method: Method::Magnitude, pattern: pattern.parse().unwrap() };
        let dense = Checkpoint::open(&world.path("dense")).unwrap();
        prune(&dense, &[], &params, &world.path(name), &Silent).unwrap();
    }
    world
}

/// A project on `pruned` with `others` beside it.
fn project(world: &World, name: &str, pruned: &str, others: &[&str]) -> Session {
    let text = |model: &str| world.path(model).to_string_lossy().into_owned();
    let draft = paser_protocol::ProjectDraft {
        pruned: text(pruned),
        others: others.iter().map(|other| text(other)).collect(),
        ..world.draft(name)
    };
    drop(Session::create(&draft).unwrap());
    world.edit(name, "clusters = \"automatic\"", "clusters = 4");
    world.edit(name, "shard = 2000", "shard = 100");
    world.open(name)
}

fn scheme<'a>(view: &'a ProjectView, name: &str) -> &'a SchemeView {
    view.schemes.iter().find(|scheme| scheme.name == name).unwrap_or_else(|| panic!("{name}: {:?}", view.schemes))
}

fn of_clusters(view: &ProjectView) -> Vec<ClusterDamage> {
    let damage = |cluster: &paser_protocol::ClusterView| ClusterDamage {
        cluster: cluster.cluster,
        cds: cluster.cds,
        cds_low: cluster.cds_low,
        cds_high: cluster.cds_high,
        cds_rest: cluster.cds_rest,
        scored: cluster.scored,
    };
    view.clusters.iter().map(damage).collect()
}

fn mean(scheme: &SchemeView) -> f64 {
    let sum: f64 = scheme.damage.iter().map(|damage| damage.cds.unwrap() * damage.scored as f64).sum();
    sum / scheme.scored as f64
}

fn state(view: &ProjectView, stage: Stage) -> StageState {
    view.stages.iter().find(|view| view.stage == stage).unwrap().state.clone()
}

fn is_done(view: &ProjectView, stage: Stage) -> bool {
    matches!(state(view, stage), StageState::Done { .. })
}

#[test]
fn every_pruned_model_is_scored_and_changing_places_computes_nothing() {
    let world = world(400);
    let session = project(&world, "p", "pruned", &["light", "heavy"]);
    let alone = project(&world, "alone", "heavy", &[]);
    run(&alone, Stage::Manifold).unwrap();
    run(&session, Stage::Manifold).unwrap();
    let estimate = |session: &Session| {
        let view = session.view();
        view.stages.iter().find(|stage| stage.stage == Stage::Score).unwrap().estimate.unwrap().1
    };
    let times = estimate(&session) / estimate(&alone);
    assert!((2.5..3.5).contains(&times), "three pairs are estimated as three: {times}");
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), [Stage::Score, Stage::Select]);
    run(&alone, Stage::Select).unwrap();
    assert!(alone.view().schemes.is_empty(), "one pruned model is no comparison");

    let view = session.view();
    assert!(Stage::ALL.iter().all(|stage| is_done(&view, *stage)), "{:?}", view.stages);
    let names: Vec<_> = view.schemes.iter().map(|scheme| (scheme.name.as_str(), scheme.own, scheme.whole)).collect();
    assert_eq!(names, [("pruned", true, true), ("light", false, true), ("heavy", false, true)]);
    assert_eq!(view.schemes[0].damage, of_clusters(&view));
    assert_eq!(scheme(&view, "heavy").damage, of_clusters(&alone.view()), "as a project of its own tells it");
    assert_eq!(scheme(&view, "heavy").pruning, "magnitude 80 %");
    assert!(view.schemes.iter().all(|scheme| scheme.scored == 400));
    assert!(mean(scheme(&view, "light")) < mean(scheme(&view, "heavy")));
    let largest = view.schemes.iter().flat_map(|scheme| &scheme.damage).filter_map(|damage| damage.cds);
    assert!(view.damage_scale >= largest.fold(0.0, f64::max), "one scale for all of them");

    // Another start finds them, also after what nothing refers to was cleared.
    caches::clear(&world.path("state"), Some(&session), "spare").ok();
    drop(session);
    let session = world.open("p");
    assert_eq!(session.view().schemes, view.schemes);
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);

    // The clusters in force count.
    session.curate(&Edit::new(EditKind::MergeClusters { clusters: vec![0, 1] }, "")).unwrap();
    let merged = session.view();
    assert_eq!(merged.clusters.len(), view.clusters.len() - 1);
    let heavy = scheme(&merged, "heavy");
    assert_eq!(heavy.damage.len(), merged.clusters.len());
    assert!((mean(heavy) - mean(scheme(&view, "heavy"))).abs() < 1e-9);
    session.undo().unwrap();

    // A selection of now, then another pruned model as the project's own.
    let plan = SelectionPlan { strategy: Strategy::Paser, ..SelectionPlan::default() };
    session.select_as(&plan, "by-pruned", &NEVER).unwrap();
    assert!(!session.is_pruned_model("heavy"));
    assert_eq!(session.other_pruned_model("heavy").as_deref(), Some(&*world.path("heavy").to_string_lossy()));
    session.change_pruned(&PrunedChange::Use { model: "heavy".to_owned() }).unwrap();
    assert!(session.is_pruned_model("heavy"));
    let at_once = session.view();
    assert!(is_done(&at_once, Stage::Score), "its scores came with it: {:?}", at_once.stages);
    assert_eq!(of_clusters(&at_once), scheme(&view, "heavy").damage, "nothing stands under another model's name");
    assert_eq!(scheme(&at_once, "pruned").damage, view.schemes[0].damage);
    let summary = run(&session, Stage::Select).unwrap();
    assert_eq!(computed(&summary), [Stage::Select], "no model was asked again");
    let now = session.view();
    assert_eq!((now.pruned.as_str(), of_clusters(&now)), ("heavy", scheme(&view, "heavy").damage.clone()));
    let names: Vec<&str> = now.schemes.iter().map(|scheme| scheme.name.as_str()).collect();
    assert_eq!(names, ["heavy", "light", "pruned"]);
    assert_eq!(scheme(&now, "pruned").damage, view.schemes[0].damage);
    let selected =
        |view: &ProjectView| view.selections.iter().find(|one| one.name.as_deref() == Some("paser-20")).cloned();
    assert_eq!(selected(&now).unwrap().ledger, selected(&alone.view()).unwrap().ledger);

    // What was frozen before names the pair that it was made with.
    let out = world.path("train");
    session
        .export(Some("by-pruned"), &Part::default(), ExportFormat::AlpacaJsonl, &out.to_string_lossy(), &NEVER)
        .unwrap();
    let manifest = find_manifest(world.place.path());
    assert_eq!(manifest["decided_by"]["pruned_model"], world.path("pruned").to_string_lossy().as_ref(), "{manifest}");
}

fn find_manifest(place: &Path) -> serde_json::Value {
    let of = |path: &Path| serde_json::from_slice(&fs_err::read(path).ok()?).ok();
    let beside = ["train/manifest.json", "train.manifest.json"];
    beside.iter().find_map(|name| of(&place.join(name))).unwrap_or_else(|| {
        panic!("{:?}", fs_err::read_dir(place).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>())
    })
}

#[test]
fn a_model_comes_and_goes() {
    let world = world(200);
    let session = project(&world, "p", "pruned", &[]);
    run(&session, Stage::Select).unwrap();
    let recipe = || fs_err::read_to_string(world.path("p").join("recipe.toml")).unwrap();
    let before = recipe();
    let add = |model: &str| session.change_pruned(&PrunedChange::Add { model: model.to_owned() });
    let heavy = world.path("heavy").to_string_lossy().into_owned();
    add(&heavy).unwrap();
    let view = session.view();
    let StageState::Stale { why } = state(&view, Stage::Score) else { panic!("{:?}", view.stages) };
    assert_eq!(why, "to be scored: heavy");
    assert!(is_done(&view, Stage::Select), "selections do not depend on it: {:?}", view.stages);
    assert_eq!((view.schemes.len(), scheme(&view, "heavy").scored), (2, 0));
    for known in [heavy.as_str(), "heavy", "pruned"] {
        assert_eq!(add(known).unwrap_err().failure, Failure::Usage, "{known}");
    }
    assert_eq!(
        computed(&run(&session, Stage::Select).unwrap()),
        [Stage::Score],
        "the project's own pair is not scored again"
    );
    assert!(scheme(&session.view(), "heavy").whole);
    let report = session.change_pruned(&PrunedChange::Use { model: "light".to_owned() }).unwrap_err();
    assert!(report.what.contains("light") && report.advice.contains("heavy"), "{report}");
    session.change_pruned(&PrunedChange::Remove { model: "heavy".to_owned() }).unwrap();
    assert_eq!(recipe(), before);
    let view = session.view();
    assert!(view.schemes.is_empty() && is_done(&view, Stage::Score));
    // It is scored no second time when it comes back soon.
    add(&heavy).unwrap();
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);
}

#[test]
fn what_was_scored_of_another_pair_is_not_told_of_this_one() {
    let world = world(200);
    let session = project(&world, "p", "pruned", &["light", "heavy"]);
    run(&session, Stage::Score).unwrap();
    let before = session.view();
    // A model that was never scored takes the project's own place, and the run that would score it fails.
    let other = world.path("broken");
    fs_err::create_dir_all(&other).unwrap();
    session.change_pruned(&PrunedChange::Add { model: other.to_string_lossy().into_owned() }).unwrap();
    session.change_pruned(&PrunedChange::Use { model: "broken".to_owned() }).unwrap();
    assert!(run(&session, Stage::Score).is_err());
    let view = session.view();
    assert!(scheme(&view, "broken").own && !scheme(&view, "broken").whole);
    assert!(of_clusters(&view).iter().all(|damage| damage.cds.is_none()), "{:?}", view.clusters);
    assert_eq!(scheme(&view, "pruned").damage, before.schemes[0].damage);
    session.change_pruned(&PrunedChange::Use { model: "pruned".to_owned() }).unwrap();
    assert_eq!(of_clusters(&session.view()), before.schemes[0].damage);
    session.change_pruned(&PrunedChange::Remove { model: "broken".to_owned() }).unwrap();
    // Another template changes all of them.
    world.edit("p", "name = \"plain\"", "name = \"alpaca\"");
    session.reread();
    let view = session.view();
    assert!(view.schemes.iter().all(|scheme| !scheme.whole && scheme.scored == 0), "{:?}", view.schemes);
    assert!(view.schemes.iter().flat_map(|scheme| &scheme.damage).all(|damage| damage.cds.is_none()));
}

#[test]
fn one_that_reads_text_differently_is_named_before_anything_is_scored() {
    let world = world(120);
    let session = project(&world, "p", "pruned", &["light", "heavy"]);
    common::write_tokenizer(&world.path("heavy"), &["more"]);
    let report = run(&session, Stage::Select).unwrap_err();
    assert!(report.failure == Failure::Unusable && report.what.contains("heavy"), "{report}");
    let view = session.view();
    assert!(view.schemes.iter().all(|scheme| scheme.scored == 0), "{:?}", view.schemes);
    session.change_pruned(&PrunedChange::Remove { model: "heavy".to_owned() }).unwrap();
    run(&session, Stage::Select).unwrap();
    assert!(scheme(&session.view(), "light").whole);
}

#[test]
fn a_stop_in_the_second_model_loses_no_part_and_shows_what_is_known() {
    let world = world(500);
    let straight = project(&world, "straight", "pruned", &["heavy"]);
    run(&straight, Stage::Score).unwrap();
    let session = project(&world, "p", "pruned", &["heavy"]);
    let stop = AtomicBool::new(false);
    let sink = |event: Event| {
        let half = || session.view().schemes.get(1).is_some_and(|heavy| heavy.scored >= 200);
        if matches!(&event, Event::Project { .. }) && half() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let report = session.run(Stage::Score, &RunOptions::default(), &sink, &stop).unwrap_err();
    assert_eq!(report.failure, Failure::Cancelled);
    let view = session.view();
    let heavy = scheme(&view, "heavy");
    assert!(!heavy.whole && (200..500).contains(&heavy.scored), "{}", heavy.scored);
    let (known, all) = (&heavy.damage[0], scheme(&straight.view(), "heavy").damage[0]);
    assert!(known.cds_high.unwrap() - known.cds_low.unwrap() > all.cds_high.unwrap() - all.cds_low.unwrap());
    let score = view.stages.iter().find(|stage| stage.stage == Stage::Score).unwrap();
    let (finished, parts) = score.kept.unwrap();
    assert!(finished >= 2 && finished < parts, "{score:?}");
    run(&session, Stage::Score).unwrap();
    assert_eq!(scheme(&session.view(), "heavy"), scheme(&straight.view(), "heavy"));
}
