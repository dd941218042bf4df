//! A person's edits in full: tags, what is hidden, where edits came from, and the journal that takes any of them back.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NEVER, World, run, write_pool};
use paser_engine::{Reader, Session};
use paser_protocol::{ColumnKind, Edit, EditKind, EditSource, EntryState, RowQuery, SelectionPlan, Stage};

fn make(session: &Session, what: EditKind) -> u64 {
    session.curate(&Edit::new(what, "")).unwrap().entry
}

fn tag(session: &Session, rows: &[u32], tag: &str) -> u64 {
    make(session, EditKind::Tag { rows: rows.to_vec(), tag: tag.to_owned() })
}

fn tags(session: &Session) -> Vec<(String, Vec<u32>)> {
    session.view().curation.tags.into_iter().map(|tag| (tag.tag, tag.rows)).collect()
}

fn imported(samples: usize) -> (World, Session) {
    let world = World::new(samples);
    let session = world.project("p");
    run(&session, Stage::Import).unwrap();
    (world, session)
}

#[test]
fn samples_have_several_tags() {
    let (world, session) = imported(30);
    tag(&session, &[9, 3, 3], " sql ");
    tag(&session, &[3], "check");
    assert_eq!(tags(&session), [("check".to_owned(), vec![3]), ("sql".to_owned(), vec![3, 9])]);
    make(&session, EditKind::Untag { rows: vec![3], tag: "check".to_owned() });
    assert_eq!(tags(&session), [("sql".to_owned(), vec![3, 9])]);
    session.undo().unwrap();
    drop(session);
    let session = world.open("p");
    assert_eq!(tags(&session).len(), 2);
    for bad in ["", "a,b"] {
        let edit = EditKind::Tag { rows: vec![1], tag: bad.to_owned() };
        assert!(session.curate(&Edit::new(edit, "")).is_err());
    }
    assert!(session.curate(&Edit::new(EditKind::Hide { rows: vec![] }, "")).is_err());
    assert!(session.curate(&Edit::new(EditKind::Hide { rows: vec![30] }, "")).unwrap_err().what.contains("row 30"));
}

#[test]
fn neither_tags_nor_what_is_hidden_change_a_selection() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let plan = SelectionPlan::default();
    let before = session.select(&plan, &NEVER).unwrap();
    tag(&session, &[1, 2, 3], "odd");
    make(&session, EditKind::Hide { rows: (0..150).collect() });
    assert_eq!(session.view().curation.hidden.len(), 150);
    assert_eq!(session.select(&plan, &NEVER).unwrap(), before);
    make(&session, EditKind::Show { rows: (10..150).collect() });
    assert_eq!(session.view().curation.hidden, (0..10).collect::<Vec<u32>>());
    make(&session, EditKind::Exclude { rows: vec![1] });
    assert_ne!(session.select(&plan, &NEVER).unwrap().reason_column, before.reason_column);
}

#[test]
fn any_edit_is_taken_back_and_the_others_stay() {
    let (world, session) = imported(30);
    let pin = make(&session, EditKind::Pin { rows: vec![4] });
    let tagged = tag(&session, &[4, 5], "sql");
    make(&session, EditKind::Exclude { rows: vec![4] });
    session.revert(tagged).unwrap();
    assert!(tags(&session).is_empty() && session.view().curation.excluded == [4]);
    session.revert(pin).unwrap();
    session.redo().unwrap();
    assert_eq!(session.view().curation.excluded, [4], "the pin is older than the exclusion, whenever it comes back");
    session.redo().unwrap();
    assert_eq!(tags(&session).len(), 1);
    assert!(session.revert(4).unwrap_err().what.contains("itself an undo"));

    let states: Vec<EntryState> = session.journal().iter().map(|entry| entry.state).collect();
    use EntryState::{InForce, Redo, Revert};
    assert_eq!(states, [InForce, InForce, InForce, Revert, Revert, Redo, Redo]);
    for _ in 0..3 {
        session.undo().unwrap();
    }
    assert!(session.journal()[..3].iter().all(|entry| entry.state == EntryState::TakenBack));
    let (curation, journal) = (session.view().curation, session.journal());
    drop(session);
    let session = world.open("p");
    assert_eq!((session.view().curation, session.journal()), (curation, journal));
}

#[test]
fn the_journal_tells_what_was_done_why_and_where_from() {
    let (world, session) = imported(30);
    let region = EditSource::Region { polygon: vec![[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]], map: "map-x".to_owned() };
    let edit = Edit::new(EditKind::Exclude { rows: vec![8, 7, 6] }, "off topic").found_by(region.clone());
    session.curate(&edit).unwrap();
    make(&session, EditKind::Pin { rows: vec![29] });
    // Without ids of their own samples are known by their content alone.
    let strip = |row: &String| {
        let mut row: serde_json::Value = serde_json::from_str(row).unwrap();
        row.as_object_mut().unwrap().remove("id");
        row.to_string()
    };
    let beside = Reader::open(&world.path("p")).unwrap();
    assert!(beside.owner().is_some());
    let entries = beside.journal();
    assert_eq!(entries, session.journal());
    let first = &entries[0];
    assert_eq!((first.entry, first.what.as_str(), first.reason.as_str()), (1, "exclusion of 3 samples", "off topic"));
    assert_eq!((first.from.as_str(), &first.source), ("a region of the map with 3 corners", &Some(region)));
    assert_eq!((first.samples, first.lost, &first.rows, &first.trouble), (3, 0, &vec![8, 7, 6], &None));

    let rows: Vec<String> = common::rows(29)[..7].iter().map(strip).collect();
    write_pool(&world.path("pool.jsonl"), &rows);
    run(&session, Stage::Import).unwrap();
    let entries = session.journal();
    assert_eq!((entries[0].lost, entries[0].rows.as_slice()), (2, &[6][..]));
    assert_eq!(entries[0].trouble, None);
    assert!(entries[1].trouble.as_ref().unwrap().contains("none of its samples"));
}

#[test]
fn filters_find_samples_by_all_that_is_known_of_them() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let find = |filter: &str| session.rows_where(filter).unwrap();
    let code: Vec<u32> = (0..300).filter(|row| row % 5 == 4).collect();
    assert_eq!(find("capability = code"), code);
    assert_eq!(find("\"extra:capability\" ~ \"COD\""), code);
    assert_eq!(find("capability != code").len(), 240);
    assert_eq!(find("text ~ \"sort words\""), (0..300).filter(|row| row % 5 == 3).collect::<Vec<u32>>());
    assert_eq!(find("id = 17 or id = \"18\""), [17, 18]);
    assert_eq!(find("weight < 20").len() + find("not weight < 20").len(), 300);
    let column = session.view().columns.into_iter().find(|column| column.name == "jsd").unwrap();
    let jsd = paser_protocol::decode_f32(&session.column(&column.key).unwrap());
    let middle = f64::from(jsd[7]);
    assert_eq!(find(&format!("jsd > {middle}")).len(), jsd.iter().filter(|value| **value > jsd[7]).count());
    assert!(find(&format!("jsd = {middle}")).contains(&7));

    tag(&session, &[1, 4, 9], "sql");
    make(&session, EditKind::Exclude { rows: vec![4, 5] });
    make(&session, EditKind::Hide { rows: vec![9] });
    assert_eq!(find("tag = sql and not hidden"), [1, 4]);
    assert_eq!(find("excluded and capability = code"), [4]);
    assert_eq!(find("tag != sql").len(), 297);
    let clusters = session.view().clusters;
    assert_eq!(find("cluster = 1").len() as u64, clusters[1].samples);
    let name = &clusters[1].name;
    assert_eq!(find(&format!("cluster = {:?}", name.to_uppercase())), find("cluster = 1"));
    assert_eq!(find(&format!("cluster != {name:?}")).len() as u64, 300 - clusters[1].samples);
    let part: String = name.chars().skip(1).collect();
    assert!(find(&format!("cluster ~ {part:?}")).len() as u64 >= clusters[1].samples);
    let report = session.rows_where(&format!("cluster = {part:?}")).unwrap_err();
    assert!(report.what.contains("no cluster") && report.advice.contains('~'), "{report}");
    let selected = session.select(&session.view().plan, &NEVER).unwrap();
    assert_eq!(find("status = taken or status = refilled or status = pinned").len() as u64, selected.selected);
    let full = find("status = \"Quota full\"");
    assert!(!full.is_empty());
    assert_eq!(full, find("status = quota-full"));

    let under = |name: &str, value: &str| assert_eq!(find(&format!("{name} {value}")).len(), 300, "{name} {value}");
    for column in session.view().columns {
        let label = format!("{:?}", column.label);
        let head =
            paser_protocol::filter::column_head(&column.name).map_or_else(|| label.clone(), |head| format!("{head:?}"));
        if matches!(column.kind, ColumnKind::Number { .. }) {
            for name in [&label, &head] {
                let both = |name: &str| find(&format!("{name} >= 0 or not {name} >= 0")).len();
                assert_eq!(
                    (both(name), find(&format!("{name} > 1"))),
                    (300, find(&format!("{:?} > 1", column.name))),
                    "{name}"
                );
            }
        }
    }
    under("tokens", ">= 0");
    assert_eq!(find("damage > 0 TOKENS >= 0"), find("jsd > 0 and response_tokens >= 0"));
    assert_eq!(find("instruction ~ \"sort words\""), find("text ~ \"sort words\""));
    assert!(find("output ~ \"sort words\"").is_empty());

    let inside = |text: &str, filter: &str| {
        let query = RowQuery { text: text.to_owned(), filter: filter.to_owned(), ..Default::default() };
        (session.rows(&query).unwrap().len() as u64, session.inside_words(&query).unwrap())
    };
    let (whole, more) = inside("", "text ~ ort");
    assert_eq!((whole, more), (0, find("text ~ *ort*").len() as u64));
    assert!(more >= 60, "sort: {more}");
    assert_eq!(inside("ort", ""), (0, more));
    assert_eq!(inside("*ort*", ""), (more, 0));
    assert_eq!(inside("", "jsd > 0").1, 0);

    let query = |filter: &str| RowQuery { filter: filter.to_owned(), sort: "id".to_owned(), ..Default::default() };
    assert_eq!(session.rows(&query("tag = sql")).unwrap(), [1, 4, 9]);
    assert_eq!(session.rows(&query(" ")).unwrap().len(), 300);
    for (filter, why) in [
        ("jsdd > 1", "Near names: jsd"),
        ("capabilty = code", "Near names: capability"),
        ("jsd ~ 1", "holds numbers"),
        ("jsd > much", "holds numbers"),
        ("capability > a", "no order"),
        ("pined", "Near names: pinned"),
        ("jsd", "has to be compared"),
        ("pinned = 1", "Write pinned alone"),
        ("status = eaten", "not drawn"),
        ("cluster = 99", "no cluster 99"),
        ("cluster = \"zzz\"", "no cluster zzz"),
        ("text = a", "text ~"),
        ("instruction = a", "instruction ~"),
        ("jsd >", "at character 6: expected a number"),
    ] {
        let report = session.rows_where(filter).unwrap_err();
        assert!(report.to_string().contains(why), "{filter}: {report}");
        assert_eq!(report.failure, paser_protocol::Failure::Usage);
    }
    assert_eq!(session.cluster_named("2").unwrap(), 2);
    assert_eq!(session.cluster_named(&clusters[0].name.to_uppercase()).unwrap(), 0);
    assert!(session.cluster_named("e").unwrap_err().what.contains("several names"));
}

#[test]
fn a_hundred_thousand_samples_are_edited_at_once() {
    let place = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..100_000)
        .map(|id| format!("{{\"id\": {id}, \"instruction\": \"task {id}\", \"output\": \"done\"}}"))
        .collect();
    let pool = place.path().join("pool.jsonl");
    write_pool(&pool, &rows);
    let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let draft = paser_protocol::ProjectDraft {
        folder: text(place.path().join("p")),
        pool: text(pool),
        ..paser_protocol::ProjectDraft::default()
    };
    let session = Session::create(&draft).unwrap();
    run(&session, Stage::Import).unwrap();
    let all: Vec<u32> = (0..100_000).collect();
    make(&session, EditKind::Exclude { rows: all.clone() });
    assert_eq!(session.view().curation.excluded, all);
    tag(&session, &all, "all");
    assert_eq!(tags(&session), [("all".to_owned(), all.clone())]);
    session.undo().unwrap();
    assert!(tags(&session).is_empty() && session.view().curation.excluded == all);
    assert_eq!((session.journal()[0].rows.as_slice(), session.journal().len()), (all.as_slice(), 3));
}
