//! A made-up project is one in which every stage is done, the same for the same seed.
#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::atomic::AtomicBool};

use paser_engine::{RunOptions, Session, synthetic};
use paser_protocol::{Budget, SelectionPlan, Stage, StageState, Strategy};

const SAMPLES: u32 = 2_000;

fn columns(session: &Session) -> Vec<Vec<u8>> {
    session.view().columns.iter().map(|column| session.column(&column.key).unwrap().to_vec()).collect()
}

fn made(folder: &Path, seed: u64) -> Session {
    synthetic::make(folder, SAMPLES, seed, &|_| {}).unwrap();
    Session::open(folder).unwrap()
}

#[test]
fn every_stage_is_done_and_nothing_is_computed_again() {
    let place = tempfile::tempdir().unwrap();
    let session = made(&place.path().join("a"), 7);
    let view = session.view();
    for stage in &view.stages {
        assert!(matches!(stage.state, StageState::Done { .. }), "{stage:?}");
    }
    assert_eq!((view.pool.samples, view.pool.unscorable), (u64::from(SAMPLES), 0));
    assert_eq!(
        view.selections.iter().map(|selection| selection.name.as_deref()).collect::<Vec<_>>(),
        [Some("paser-10"), Some("random-10")]
    );
    assert!(view.recipe.contains("CC0-1.0") && view.recipe.contains("made up"), "{}", view.recipe);
    let damages: Vec<f64> = view.clusters.iter().filter_map(|cluster| cluster.cds).collect();
    let (low, high) = damages.iter().fold((f64::MAX, 0.0_f64), |(low, high), cds| (low.min(*cds), high.max(*cds)));
    assert!(damages.len() == 24 && high > 2.0 * low, "{damages:?}");

    let again = session.run(Stage::Select, &RunOptions::default(), &|_| {}, &AtomicBool::new(false)).unwrap();
    assert!(again.stages.iter().all(|stage| stage.cached), "{:?}", again.stages);
    for strategy in [Strategy::Paser, Strategy::JsdTop, Strategy::Kcenter] {
        let plan = SelectionPlan { strategy, budget: Budget::Samples(50), ..SelectionPlan::default() };
        assert_eq!(session.select(&plan, &AtomicBool::new(false)).unwrap().selected, 50, "{strategy}");
    }
}

#[test]
fn the_seed_decides_all_of_it() {
    let place = tempfile::tempdir().unwrap();
    let first = columns(&made(&place.path().join("a"), 7));
    assert_eq!(first, columns(&made(&place.path().join("b"), 7)));
    assert_ne!(first, columns(&made(&place.path().join("c"), 8)));
    let few = synthetic::make(&place.path().join("d"), 100, 7, &|_| {}).unwrap_err();
    assert!(few.what.contains("100 samples are too few") && !place.path().join("d").exists(), "{few}");
}
