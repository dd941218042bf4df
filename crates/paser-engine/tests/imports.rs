//! What an edited and newly imported pool means for what a person has kept: selections, pins, exclusions. They belong
//! to samples, not to lines.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NEVER, World, run, write_pool};
use paser_engine::{RunOptions, Session, demo};
use paser_protocol::{Budget, Edit, EditKind, ExportFormat, Failure, Part, SelectionPlan, Stage};
use serde_json::Value;

/// Rows of a pool without ids: each one's id is the number of its line.
fn unnamed(count: usize) -> Vec<String> {
    let without_id = |row: String| {
        let mut row: serde_json::Map<String, Value> = serde_json::from_str(&row).unwrap();
        row.remove("id");
        Value::Object(row).to_string()
    };
    common::rows(count).into_iter().map(without_id).collect()
}

fn new_row() -> String {
    serde_json::json!({"instruction": "Name a colour.", "input": "", "output": "Green.", "capability": "facts", "weight": 1})
        .to_string()
}

fn plan(seed: u64) -> SelectionPlan {
    SelectionPlan { budget: Budget::Samples(40), seed, ..SelectionPlan::default() }
}

/// The samples of the data file without their ids, and the manifest's `decided_by`.
fn exported(session: &Session, name: &str, file: &str) -> (Vec<Value>, Value) {
    let paths = session.export(Some(name), &Part::default(), ExportFormat::AlpacaJsonl, file, &NEVER).unwrap().paths;
    let manifest: Value = serde_json::from_slice(&fs_err::read(&paths[1]).unwrap()).unwrap();
    let data = fs_err::read_to_string(&paths[0]).unwrap();
    let mut samples: Vec<Value> = data.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for sample in &mut samples {
        sample["id"].take();
    }
    (samples, manifest["decided_by"].clone())
}

#[test]
fn a_selection_keeps_its_samples_when_lines_move_and_names_what_is_gone() {
    let world = World::new(300);
    let pool = world.path("pool.jsonl");
    let mut rows = unnamed(300);
    write_pool(&pool, &rows);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    session.select_as(&plan(0), "mine", &NEVER).unwrap();
    session.select_as(&plan(1), "other", &NEVER).unwrap();
    let names = ["mine".to_owned(), "other".to_owned()];
    session.compare(&names, &NEVER).unwrap();
    let frozen = session.frozen_named("mine").unwrap();
    let column =
        session.view().selections.into_iter().find(|s| s.name.as_deref() == Some("mine")).unwrap().reason_column;
    session.column(&column).unwrap();
    let before = exported(&session, "mine", "before.jsonl");
    assert_eq!(before.0.len(), 40);
    drop(session);

    // One row more at the top and one less at the bottom: as many rows, all on other lines.
    let left_out = (0..300_usize).rfind(|row| !frozen.rows.contains(&(*row as u32))).unwrap();
    rows.remove(left_out);
    rows.insert(0, new_row());
    write_pool(&pool, &rows);
    let session = world.open("p");
    run(&session, Stage::Import).unwrap();
    assert_eq!(session.view().pool.samples, 300);
    assert!(exported(&session, "mine", "after.jsonl") == before, "other samples, or others decided them");
    let report = session.compare(&names, &NEVER).unwrap_err();
    assert!(report.failure == Failure::Usage && report.what.contains("another pool"), "{report}");
    let report = session.column(&column).unwrap_err();
    assert!(report.what.contains("another pool"), "{report}");

    let place = frozen.rows[3] as usize;
    rows.remove(if place < left_out { place + 1 } else { place });
    write_pool(&pool, &rows);
    run(&session, Stage::Import).unwrap();
    let report =
        session.export(Some("mine"), &Part::default(), ExportFormat::AlpacaJsonl, "gone.jsonl", &NEVER).unwrap_err();
    assert!(report.what.contains("1 of the 40") && report.what.contains(&frozen.ids[3]), "{report}");
}

#[test]
fn a_manifest_tells_what_decided_the_selection_whatever_the_project_became() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    session.select_as(&plan(0), "mine", &NEVER).unwrap();
    let before = exported(&session, "mine", "before.jsonl");
    let decided = &before.1;
    assert!(decided["recipe"].as_str().unwrap().contains("name = \"plain\""));
    assert!(decided["dense_model"].as_str().unwrap().contains("dense"));
    let mut stages: Vec<&String> = decided["stages"].as_object().unwrap().keys().collect();
    stages.sort();
    assert_eq!(stages, ["concepts", "embed", "import", "manifold", "score"]);
    let by_recipe = exported(&session, "paser-20", "paser.jsonl").1;
    assert_eq!((&by_recipe["recipe"], &by_recipe["stages"]), (&decided["recipe"], &decided["stages"]));

    world.edit("p", "name = \"plain\"", "name = \"alpaca\"");
    session.reread();
    // Scores of the old template under the new recipe: the recipe did not make them.
    session.select_as(&plan(1), "between", &NEVER).unwrap();
    let between = exported(&session, "between", "between.jsonl").1;
    assert!(between.get("recipe").is_none() && between.get("dense_model").is_none(), "{between}");
    assert_eq!(between["stages"], decided["stages"]);

    run(&session, Stage::Select).unwrap();
    assert!(exported(&session, "mine", "after.jsonl") == before, "the manifest tells of today's project");
    assert_eq!(exported(&session, "between", "later.jsonl").1, between);
    let now = exported(&session, "paser-20", "now.jsonl").1;
    assert!(now["recipe"].as_str().unwrap().contains("name = \"alpaca\""));
    assert_ne!(now["stages"]["score"], decided["stages"]["score"]);
}

#[test]
fn selections_that_ship_with_the_demo_export_their_samples() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("demo");
    let session = demo::open(&root, &RunOptions::default(), &|_| {}, &NEVER).unwrap();
    for frozen in session.frozen().unwrap() {
        let name = &frozen.name;
        assert!(!frozen.hashes.is_empty() && frozen.hashes.len() == frozen.rows.len(), "{name}");
        let paths = session.export(Some(name), &Part::default(), ExportFormat::AlpacaJson, name, &NEVER).unwrap().paths;
        let samples: Vec<Value> = serde_json::from_slice(&fs_err::read(&paths[0]).unwrap()).unwrap();
        let id = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let ids: Vec<String> = samples.iter().map(|sample| id(&sample["id"])).collect();
        assert_eq!(ids, frozen.ids, "{name}");
        let manifest: Value = serde_json::from_slice(&fs_err::read(&paths[1]).unwrap()).unwrap();
        assert!(manifest["decided_by"]["recipe"].is_string(), "{name}");
    }
}

fn pin(session: &Session, rows: &[u32]) {
    session.curate(&Edit::new(EditKind::Pin { rows: rows.to_vec() }, "")).unwrap();
}

fn exclude(session: &Session, rows: &[u32]) {
    session.curate(&Edit::new(EditKind::Exclude { rows: rows.to_vec() }, "")).unwrap();
}

/// Pinned and excluded rows.
fn marks(session: &Session) -> (Vec<u32>, Vec<u32>) {
    let curation = session.view().curation;
    (curation.pinned, curation.excluded)
}

#[test]
fn pins_and_exclusions_follow_samples_to_other_lines() {
    let world = World::new(300);
    let pool = world.path("pool.jsonl");
    let mut rows = unnamed(300);
    write_pool(&pool, &rows);
    let session = world.project("p");
    run(&session, Stage::Import).unwrap();
    pin(&session, &[5, 6, 7]);
    exclude(&session, &[8]);
    rows.insert(0, new_row());
    write_pool(&pool, &rows);
    run(&session, Stage::Select).unwrap();
    assert_eq!(marks(&session), (vec![6, 7, 8], vec![9]));

    session.curate(&Edit::new(EditKind::Release { rows: vec![6] }, "")).unwrap();
    assert_eq!(marks(&session), (vec![7, 8], vec![9]));
    exclude(&session, &[7]);
    assert_eq!(marks(&session), (vec![8], vec![7, 9]), "of pin and exclusion the later one stands");
    session.select(&plan(0), &NEVER).unwrap();
    session.undo().unwrap();
    assert_eq!(marks(&session), (vec![7, 8], vec![9]));
    session.redo().unwrap();
    drop(session);
    let session = world.open("p");
    assert_eq!(marks(&session), (vec![8], vec![7, 9]));

    // Without an id of its own a sample whose text changed is another one.
    rows[8] = rows[8].replace("Which", "What");
    write_pool(&pool, &rows);
    run(&session, Stage::Select).unwrap();
    assert_eq!(marks(&session), (vec![], vec![7, 9]));
    let notes = session.select(&plan(0), &NEVER).unwrap().notes;
    assert!(notes.iter().any(|note| note.starts_with("1 pinned or excluded")), "{notes:?}");
}

#[test]
fn pins_and_exclusions_follow_ids_to_other_texts() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Import).unwrap();
    pin(&session, &[5]);
    let mut rows = common::rows(300);
    rows[5] = rows[5].replace("add the numbers", "sum up the numbers");
    write_pool(&world.path("pool.jsonl"), &rows);
    run(&session, Stage::Select).unwrap();
    assert_eq!(marks(&session), (vec![5], vec![]));
    exclude(&session, &[5]);
    assert_eq!(marks(&session), (vec![], vec![5]));
    session.select(&plan(0), &NEVER).unwrap();
    session.curate(&Edit::new(EditKind::Release { rows: vec![5] }, "")).unwrap();
    assert_eq!(marks(&session), (vec![], vec![]));
}
