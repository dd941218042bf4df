//! Near-duplicates and benchmark questions as a window meets them: by a request, as columns, on a sample's page, and in
//! projects whose recipe is older than the checks.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use paser_engine::{CheckOptions, RunOptions, Session, Studio, StudioOptions};
use paser_protocol::{
    ChecksView, ColumnInfo, ColumnKind, Event, ProjectDraft, Reply, Request, RowQuery, Stage, decode_u32,
};

const QUESTION: &str = "Which of these animals lays eggs in the sand of a beach and swims back into the sea?";
static NEVER: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A project of five samples: a pair, one that holds a question of a benchmark, two alone. `checks`: the recipe's section
/// with the file, as it was written, or none at all.
fn project(place: &Path, checks: Option<bool>) {
    let rows = [
        ("first", "Say hello to a friend.", "Hello"),
        ("second", "say HELLO to a friend", "Hello!!"),
        ("third", QUESTION, "The turtle."),
        ("fourth", "Name a colour of the rainbow.", "Blue"),
        ("fifth", "Add two and three.", "5"),
    ];
    let lines = rows.map(|(id, instruction, output)| {
        serde_json::json!({ "id": id, "instruction": instruction, "output": output }).to_string()
    });
    fs_err::write(place.join("pool.jsonl"), lines.join("\n")).unwrap();
    fs_err::write(place.join("arc_easy.jsonl"), format!("{{\"question\": \"{QUESTION}\"}}")).unwrap();
    let draft =
        ProjectDraft { folder: text(&place.join("p")), pool: text(&place.join("pool.jsonl")), ..Default::default() };
    drop(Session::create(&draft).unwrap());
    let path = place.join("p/recipe.toml");
    let recipe = fs_err::read_to_string(&path).unwrap();
    let (start, end) = (recipe.find("[checks]").unwrap(), recipe.find("# Selections that every run").unwrap());
    let section = match checks {
        None => String::new(),
        Some(true) => "[checks]\nnear_duplicates = 0.8\nbenchmarks = [\"../arc_easy.jsonl\"]\n\n".to_owned(),
        Some(false) => "[checks]\nnear_duplicates = 0\nbenchmarks = []\n\n".to_owned(),
    };
    fs_err::write(path, format!("{}{section}{}", &recipe[..start], &recipe[end..])).unwrap();
}

/// The project in a studio, imported.
fn imported(place: &Path, checks: Option<bool>) -> Studio {
    project(place, checks);
    let session = Session::open(&place.join("p")).unwrap();
    session.run(Stage::Import, &RunOptions::default(), &|_| {}, &NEVER).unwrap();
    drop(session);
    let studio = Studio::new(StudioOptions { state_dir: Some(place.join("state")), threads: 1, ..Default::default() });
    studio.handle(Request::OpenProject { path: text(&place.join("p")) }).unwrap();
    studio
}

fn checks(studio: &Studio) -> ChecksView {
    match studio.handle(Request::Checks).unwrap() {
        Reply::Checks(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn columns(studio: &Studio) -> Vec<ColumnInfo> {
    studio.session().unwrap().view().columns
}

#[test]
fn findings_come_as_rows_columns_and_words() {
    let place = tempfile::tempdir().unwrap();
    let studio = imported(place.path(), Some(true));
    let view = checks(&studio);
    assert!(view.off.is_empty() && view.notes.is_empty(), "{view:?}");
    let near = view.near_duplicates.unwrap();
    assert_eq!((near.groups, near.samples, near.largest, near.rows), (1, 1, 2, vec![0]));
    assert_eq!((near.examples[0].kept_id.as_str(), near.examples[0].similarity), ("second", 1.0));
    assert_eq!((view.benchmarks[0].name.as_str(), &view.benchmarks[0].samples), ("ARC-e", &vec![2]));

    let columns = columns(&studio);
    let column = |name: &str| columns.iter().find(|column| column.name == name).unwrap();
    let labels = |name: &str| match &column(name).kind {
        ColumnKind::Category { labels } => labels.clone(),
        other => panic!("{other:?}"),
    };
    let codes = |name: &str| decode_u32(&studio.column(&column(name).key).unwrap());
    assert_eq!(labels("duplicates"), ["kept", "near-duplicate", "unique"]);
    assert_eq!(codes("duplicates"), [1, 0, 2, 2, 2]);
    assert_eq!(
        (labels("leak"), codes("leak")),
        (vec!["ARC-e".to_owned()], vec![u32::MAX, u32::MAX, 0, u32::MAX, u32::MAX])
    );
    let session = studio.session().unwrap();
    let sorted = RowQuery { sort: "leak_share".to_owned(), descending: true, ..RowQuery::default() };
    assert_eq!(session.rows(&sorted).unwrap()[0], 2);
    let sorted = RowQuery { sort: "duplicate_similarity".to_owned(), ..RowQuery::default() };
    assert_eq!(session.rows(&sorted).unwrap()[..2], [0, 1]);

    let find = |filter: &str| session.rows_where(filter).unwrap();
    assert_eq!(find("duplicates = near-duplicate"), [0]);
    assert_eq!(find("duplicates != unique"), [0, 1]);
    assert_eq!(find("leak ~ arc"), [2]);
    assert!(find("leak != ARC-e").is_empty(), "a missing value fits no comparison");
    let report = session.rows_where("duplicate = kept").unwrap_err().to_string();
    assert!(report.contains("Near names") && report.contains("duplicates"), "{report}");

    let said =
        |row: u32| session.sample(row).unwrap().values.into_iter().map(|(label, value, _)| format!("{label}: {value}"));
    assert!(said(0).any(|line| line == "near-duplicate of: second (similarity 1.00)"));
    assert!(said(1).all(|line| !line.starts_with("near-duplicate")));
    assert!(said(2).any(|line| line == "contains a question of: ARC-e"));
}

#[test]
fn a_recipe_without_the_section_is_checked_by_the_defaults_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let studio = imported(place.path(), None);
    let view = checks(&studio);
    assert_eq!(view.near_duplicates.unwrap().threshold, 0.8);
    assert!(view.notes.iter().any(|note| note.contains("no [checks]")), "{:?}", view.notes);
    assert!(columns(&studio).iter().all(|column| column.name != "leak"));
}

#[test]
fn what_is_off_or_outdated_is_said() {
    let place = tempfile::tempdir().unwrap();
    let studio = imported(place.path(), Some(false));
    let view = checks(&studio);
    assert_eq!((view.off.len(), view.near_duplicates, view.notes.len()), (2, None, 0));
    assert!(columns(&studio).iter().all(|column| column.name != "duplicates"));
    let path = place.path().join("p/recipe.toml");
    let recipe = fs_err::read_to_string(&path).unwrap();
    fs_err::write(path, recipe.replace("near_duplicates = 0\n", "near_duplicates = 0.9\n")).unwrap();
    studio.session().unwrap().reread();
    assert!(checks(&studio).notes[0].contains("run the project again"));
    // Checks that a person asks for beside the recipe do not become the project's.
    let options = CheckOptions { threshold: Some(0.7), threads: 1, ..CheckOptions::default() };
    let found = studio.session().unwrap().check(&options, &|_| {}, &NEVER).unwrap();
    assert_eq!(found.near_duplicates.unwrap().groups, 1);
    assert_eq!(checks(&studio).near_duplicates, None);
}

#[test]
fn another_pool_has_no_checks_until_they_are_made_and_damage_is_mended() {
    let place = tempfile::tempdir().unwrap();
    let studio = imported(place.path(), Some(true));
    let session = studio.session().unwrap();
    fs_err::write(place.path().join("pool.jsonl"), "{\"instruction\": \"a\", \"output\": \"b\"}\n").unwrap();
    session.run(Stage::Import, &RunOptions::default(), &|_| {}, &NEVER).unwrap();
    assert_eq!(checks(&studio).near_duplicates.unwrap().groups, 0);
    drop(session);
    studio.handle(Request::CloseProject { go_on: false }).unwrap();
    let arrays = place.path().join("p/arrays");
    for entry in fs_err::read_dir(arrays).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("checks-") && name.ends_with(".safetensors") {
            let mut bytes = fs_err::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs_err::write(path, bytes).unwrap();
        }
    }
    studio.handle(Request::OpenProject { path: text(&place.path().join("p")) }).unwrap();
    assert!(checks(&studio).off[0].contains("not been checked"));
    let session = studio.session().unwrap();
    session.run(Stage::Import, &RunOptions::default(), &|_| {}, &NEVER).unwrap();
    assert!(checks(&studio).near_duplicates.is_some());
}

#[test]
fn a_benchmark_file_that_cannot_be_read_stops_the_checks_alone() {
    let place = tempfile::tempdir().unwrap();
    let studio = imported(place.path(), Some(true));
    let session = studio.session().unwrap();
    let file = place.path().join("arc_easy.jsonl");
    let good = fs_err::read(&file).unwrap();
    let run = |until: Stage| {
        let told = std::sync::Mutex::new(Vec::new());
        let listen = |event: Event| {
            if let Event::Notice { text } = event {
                told.lock().unwrap().push(text);
            }
        };
        session.run(until, &RunOptions::default(), &listen, &NEVER).unwrap();
        told.into_inner().unwrap()
    };
    fs_err::write(&file, "{ half a line").unwrap();
    assert!(run(Stage::Manifold).iter().any(|text| text.contains("arc_easy")));
    assert!(!session.view().clusters.is_empty());
    let view = checks(&studio);
    assert!(
        view.notes[0].contains("arc_easy") && view.near_duplicates.is_some(),
        "what was found before stays: {view:?}"
    );
    fs_err::write(place.path().join("pool.jsonl"), "{\"instruction\": \"a\", \"output\": \"b\"}\n").unwrap();
    fs_err::remove_file(&file).unwrap();
    run(Stage::Import);
    let view = checks(&studio);
    assert!(view.off.len() == 1 && view.off[0].contains("no such benchmark file"), "{view:?}");
    assert!(session.check(&CheckOptions::default(), &|_| {}, &NEVER).is_err(), "who asks for checks alone is refused");
    fs_err::write(&file, good).unwrap();
    assert!(run(Stage::Import).is_empty());
    let view = checks(&studio);
    assert!(view.off.is_empty() && view.notes.is_empty(), "{view:?}");
}

#[test]
fn a_stop_is_heard() {
    let place = tempfile::tempdir().unwrap();
    project(place.path(), Some(true));
    let session = Session::open(&place.path().join("p")).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(true);
    let told = session.check(&CheckOptions::default(), &|_| {}, &stop).unwrap_err();
    assert_eq!(told.failure, paser_protocol::Failure::Cancelled);
}

#[test]
fn benchmarks_are_named_by_request_and_looked_for_at_once() {
    let place = tempfile::tempdir().unwrap();
    let studio = imported(place.path(), None);
    assert!(checks(&studio).benchmarks.is_empty());
    fs_err::write(place.path().join("arc_easy.jsonl"), format!("{{\"question\": {QUESTION:?}}}\n")).unwrap();
    let set = |files: &[&str]| {
        let events = studio.subscribe();
        let files = files.iter().map(|file| place.path().join(file).to_string_lossy().into_owned()).collect();
        studio.handle(Request::SetBenchmarks { files })?;
        let end = events.iter().find(|event| matches!(event, Event::Finished { .. })).unwrap();
        assert!(matches!(end, Event::Finished { report: None, .. }), "{end:?}");
        Ok::<_, paser_protocol::Report>(())
    };
    set(&["arc_easy.jsonl"]).unwrap();
    let view = checks(&studio);
    assert_eq!((view.benchmarks.len(), view.benchmarks[0].samples.as_slice()), (1, &[2][..]));
    let report = set(&["absent.jsonl"]).unwrap_err();
    assert!(report.what.contains("absent.jsonl"), "{report}");
    assert_eq!(checks(&studio).benchmarks.len(), 1, "what was refused changed nothing");
    set(&[]).unwrap();
    assert!(checks(&studio).benchmarks.is_empty());
}
