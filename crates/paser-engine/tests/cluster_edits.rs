//! Clusters renamed, merged and split by a person: what follows from it, undo, and what is left of it once the pool is
//! clustered anew.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{NEVER, World, run};
use paser_engine::Session;
use paser_protocol::{
    Budget, ClusterView, Edit, EditKind, ExportFormat, Part, ProjectDraft, SelectionPlan, Stage, StageState, Strategy,
    Unit, decode_u32,
};

fn make(session: &Session, what: EditKind) -> u64 {
    session.curate(&Edit::new(what, "")).unwrap().entry
}

fn rename(session: &Session, cluster: u32, name: &str) -> u64 {
    make(session, EditKind::RenameCluster { cluster, name: name.to_owned() })
}

fn merge(session: &Session, clusters: &[u32]) -> u64 {
    make(session, EditKind::MergeClusters { clusters: clusters.to_vec() })
}

fn split(session: &Session, cluster: u32, parts: u32) -> u64 {
    make(session, EditKind::SplitCluster { cluster, parts })
}

fn key(session: &Session, name: &str) -> String {
    session.view().columns.into_iter().find(|column| column.name == name).unwrap().key
}

fn labels(session: &Session) -> Vec<u32> {
    decode_u32(&session.column(&key(session, "cluster")).unwrap())
}

fn names(session: &Session) -> Vec<String> {
    session.view().clusters.into_iter().map(|cluster| cluster.name).collect()
}

fn colours(session: &Session) -> Vec<u32> {
    session.view().clusters.iter().map(|cluster| cluster.colour).collect()
}

fn trouble(session: &Session, entry: u64) -> Option<String> {
    session.journal().into_iter().find(|line| line.entry == entry).unwrap().trouble
}

/// Clustered into five by its five tasks, without models.
fn clustered(samples: usize) -> (World, Session) {
    let world = World::new(samples);
    let draft = ProjectDraft { dense: String::new(), pruned: String::new(), ..world.draft("p") };
    drop(Session::create(&draft).unwrap());
    world.edit("p", "clusters = \"automatic\"", "clusters = 5");
    let session = world.open("p");
    run(&session, Stage::Manifold).unwrap();
    (world, session)
}

/// Numbers are dense, every sample stands in a cluster, and the sizes are those of the labels.
fn check(session: &Session) {
    let (labels, clusters) = (labels(session), session.view().clusters);
    for (number, cluster) in clusters.iter().enumerate() {
        assert_eq!(cluster.cluster as usize, number);
        let members = labels.iter().filter(|label| **label as usize == number).count();
        assert!(members > 0 && members as u64 == cluster.samples, "{cluster:?}");
    }
    assert_eq!(clusters.iter().map(|cluster| &cluster.name).collect::<BTreeSet<_>>().len(), clusters.len());
}

#[test]
fn clusters_are_renamed_merged_and_split_and_undo_restores_them() {
    let (world, session) = clustered(400);
    let count = session.view().clusters.len() as u32;
    assert!(count >= 3, "{count}");
    let states = || (session.view().clusters, session.view().columns, labels(&session));
    let mut before = vec![states()];
    let map = key(&session, "map");

    rename(&session, 1, " my code ");
    assert_eq!(names(&session)[1], "my code");
    assert_eq!(session.view().clusters[1].concepts, before[0].0[1].concepts);
    before.push(states());
    merge(&session, &[2, 1]);
    check(&session);
    assert_eq!(session.view().clusters.len() as u32, count - 1);
    let merged: &ClusterView = &session.view().clusters[1];
    let sizes = |number: usize| before[0].0[number].samples;
    assert_eq!(merged.samples, sizes(1) + sizes(2));
    assert_eq!((merged.colour, merged.name.as_str()), (1, "my code"));
    before.push(states());
    split(&session, 0, 3);
    check(&session);
    assert_eq!(session.view().clusters.len() as u32, count + 1);
    let parts: Vec<u32> = colours(&session).into_iter().filter(|colour| *colour == 0 || *colour >= count).collect();
    assert_eq!(parts, [0, count, count + 1]);
    before.push(states());
    // A part of a split is a cluster like any other.
    rename(&session, count, "last part");
    split(&session, count, 2);
    check(&session);
    assert_eq!(*colours(&session).last().unwrap(), count + 2);

    let keys: BTreeSet<String> = before.iter().map(|state| state.1[1].key.clone()).collect();
    assert_eq!(keys.len(), before.len(), "{keys:?}");
    assert_eq!(key(&session, "map"), map);
    let last = states();
    drop(session);
    let session = world.open("p");
    let states = || (session.view().clusters, session.view().columns, labels(&session));
    assert_eq!(states(), last);
    session.undo().unwrap();
    for state in before.into_iter().rev() {
        session.undo().unwrap();
        assert_eq!(states(), state);
    }
    while session.redo().is_ok() {}
    assert_eq!(states(), last);
}

#[test]
fn what_cannot_be_done_to_clusters_is_refused_and_leaves_no_line() {
    let (_world, session) = clustered(300);
    let count = session.view().clusters.len() as u32;
    let other = names(&session)[1].clone();
    let refused = [
        (EditKind::RenameCluster { cluster: count, name: "x".to_owned() }, format!("no cluster {count}")),
        (EditKind::RenameCluster { cluster: 0, name: "a\nb".to_owned() }, "one line".to_owned()),
        (EditKind::RenameCluster { cluster: 0, name: other }, "Another cluster".to_owned()),
        (EditKind::MergeClusters { clusters: vec![1, 1] }, "two clusters".to_owned()),
        (EditKind::SplitCluster { cluster: 0, parts: 13 }, "2 to 12".to_owned()),
    ];
    for (what, why) in refused {
        let report = session.curate(&Edit::new(what, "")).unwrap_err();
        assert!(report.what.contains(&why), "{report}");
    }
    assert!(session.journal().is_empty());
}

#[test]
fn an_empty_name_brings_back_the_one_made_of_concepts() {
    let (world, session) = clustered(300);
    let made = names(&session);
    rename(&session, 0, "mine");
    let back = rename(&session, 0, " ");
    assert_eq!(names(&session), made);
    let line = session.journal().into_iter().find(|line| line.entry == back).unwrap();
    assert_eq!(line.what, "renaming of \"mine\" to the name made of its concepts");
    drop(session);
    let session = world.open("p");
    assert_eq!(names(&session), made);
    session.undo().unwrap();
    assert_eq!(names(&session)[0], "mine");
    rename(&session, 1, &made[0]);
    let taken = EditKind::RenameCluster { cluster: 0, name: String::new() };
    assert!(session.curate(&Edit::new(taken, "")).unwrap_err().what.contains("Another cluster"));
}

#[test]
fn a_merge_is_taken_back_and_the_pins_after_it_stay() {
    let (_world, session) = clustered(300);
    let before = session.view().clusters;
    let merged = merge(&session, &[0, 1]);
    make(&session, EditKind::Pin { rows: vec![3] });
    let later = rename(&session, 0, "both");
    assert_eq!(session.journal()[0].clusters, [0]);
    session.revert(merged).unwrap();
    assert_eq!(session.view().curation.pinned, [3]);
    assert_eq!(names(&session)[0], "both", "a later name stays with the cluster that kept the place");
    session.revert(later).unwrap();
    let clusters: Vec<ClusterView> =
        session.view().clusters.into_iter().map(|cluster| ClusterView { pinned: 0, ..cluster }).collect();
    assert_eq!(clusters, before);
}

#[test]
fn edits_of_what_is_gone_say_so_and_stay_in_the_journal() {
    let (_world, session) = clustered(300);
    let smallest = session.view().clusters.len() as u32 - 1;
    let named = rename(&session, smallest, "small");
    let parts = split(&session, 0, 2);
    let last = session.view().clusters.len() as u32 - 1;
    let part = rename(&session, last, "second half");
    assert_eq!([named, parts, part].map(|entry| trouble(&session, entry)), [None, None, None]);
    session.revert(parts).unwrap();
    assert!(trouble(&session, part).unwrap().contains("does not apply any more"));
    session.redo().unwrap();
    assert_eq!(trouble(&session, part), None);
    assert_eq!(names(&session)[last as usize], "second half");
    merge(&session, &[1, smallest]);
    assert!(trouble(&session, named).unwrap().contains("merged into another"));
}

#[test]
fn edits_follow_clusters_into_another_manifold_or_say_that_they_cannot() {
    let (world, session) = clustered(400);
    let count = session.view().clusters.len();
    let name = rename(&session, 0, "the first");
    let merged = merge(&session, &[1, 2]);
    let parts = split(&session, 0, 2);
    let (before, members) = (session.view(), labels(&session));
    let first: BTreeSet<usize> = (0..400).filter(|row| members[*row] == 1).collect();
    // Another map of the same clusters.
    world.edit("p", "neighbours = 15", "neighbours = 14");
    run(&session, Stage::Manifold).unwrap();
    check(&session);
    assert_ne!(key(&session, "map"), before.columns.iter().find(|column| column.name == "map").unwrap().key);
    assert_eq!(session.view().clusters.len(), count);
    assert_eq!([name, merged, parts].map(|entry| trouble(&session, entry)), [None, None, None]);
    let again: BTreeSet<usize> = (0..400).filter(|row| labels(&session)[*row] == 1).collect();
    assert!(first.intersection(&again).count() * 10 >= first.len() * 9, "{} of {}", again.len(), first.len());

    world.edit("p", "clusters = 5", "clusters = 1");
    run(&session, Stage::Manifold).unwrap();
    check(&session);
    assert!(trouble(&session, merged).unwrap().contains("one cluster now"));
    assert_eq!(trouble(&session, parts), None, "what is found is split anew");
    world.edit("p", "clusters = 1", "clusters = 5");
    world.edit("p", "neighbours = 14", "neighbours = 15");
    run(&session, Stage::Manifold).unwrap();
    assert_eq!((session.view().clusters, labels(&session)), (before.clusters, members), "nothing was lost");
}

#[test]
fn the_order_of_the_file_changes_no_part_of_a_split() {
    let parts = |reversed: bool| {
        let world = World::new(300);
        let mut rows = common::rows(300);
        if reversed {
            rows.reverse();
        }
        common::write_pool(&world.path("pool.jsonl"), &rows);
        let draft = ProjectDraft { dense: String::new(), pruned: String::new(), ..world.draft("p") };
        drop(Session::create(&draft).unwrap());
        world.edit("p", "clusters = \"automatic\"", "clusters = 3");
        let session = world.open("p");
        run(&session, Stage::Manifold).unwrap();
        split(&session, 0, 4);
        let mut found = labels(&session);
        if reversed {
            found.reverse();
        }
        found
    };
    assert_eq!(parts(false), parts(true));
}

#[test]
fn selections_follow_the_clusters_and_frozen_ones_stay_readable() {
    let world = World::new(400);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let plan = SelectionPlan::default();
    let plain = session.select_as(&plan, "plain", &NEVER).unwrap();
    merge(&session, &[0, 1]);
    split(&session, 0, 3);
    let clusters = session.view().clusters;
    let edited = session.select_as(&plan, "edited", &NEVER).unwrap();
    let ledger: Vec<(u32, &str)> = edited.ledger.iter().map(|row| (row.cluster, row.name.as_str())).collect();
    let shown: Vec<(u32, &str)> = clusters.iter().map(|one| (one.cluster, one.name.as_str())).collect();
    assert_eq!(ledger, shown);
    assert_ne!(plain.reason_column, edited.reason_column);
    assert!(session.replay("edited", &NEVER).unwrap());
    assert!(session.replay("plain", &NEVER).unwrap_err().what.contains("cluster edits"));
    let kmeans = SelectionPlan { strategy: Strategy::PaserNoS2ric, ..plan };
    assert_eq!(session.select(&kmeans, &NEVER).unwrap().ledger.len(), clusters.len());
    let manifold = session.view().stages.into_iter().find(|stage| stage.stage == Stage::Manifold).unwrap();
    assert!(matches!(manifold.state, StageState::Done { .. }), "the artefact is what the recipe makes: {manifold:?}");

    session.undo().unwrap();
    session.undo().unwrap();
    assert!(session.replay("plain", &NEVER).unwrap());
    let compared = session.compare(&["plain".to_owned(), "edited".to_owned()], &NEVER).unwrap();
    assert_eq!(compared.selections[1].clusters.len(), session.view().clusters.len());
    assert_eq!(session.column(&edited.reason_column).unwrap().len(), 400);
    let exported =
        session.export(Some("edited"), &Part::default(), ExportFormat::AlpacaJsonl, "edited.jsonl", &NEVER).unwrap();
    assert_eq!(exported.samples, edited.selected);
    let manifest = fs_err::read_to_string(&exported.paths[1]).unwrap();
    assert!(manifest.contains("cluster edits") && manifest.contains("\"recipe\""), "{manifest}");
    session.sample(0).unwrap();
}

#[test]
fn quotas_and_emphasis_by_hand_decide_selections_and_are_told_of() {
    let world = World::new(400);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let plan = SelectionPlan { budget: Budget::Samples(100), ..SelectionPlan::default() };
    let plain = session.select(&plan, &NEVER).unwrap();
    assert!(plain.ledger.iter().all(|row| !row.by_hand));
    let refused = EditKind::SetEmphasis { cluster: 0, factor: f64::NAN };
    assert!(session.curate(&Edit::new(refused, "")).is_err());
    make(&session, EditKind::SetQuota { cluster: 1, quota: Some(7), unit: Unit::Samples });
    make(&session, EditKind::SetEmphasis { cluster: 0, factor: 0.0 });
    let clusters = session.view().clusters;
    assert_eq!((clusters[1].quota, clusters[0].emphasis), (Some((7, Unit::Samples)), 0.0));
    let set = session.select(&plan, &NEVER).unwrap();
    assert_eq!((set.ledger[1].quota, set.ledger[1].by_hand, set.ledger[0].quota), (7, true, 0));
    assert_eq!((set.selected, &set.notes), (100, &plain.notes));
    session.freeze("by hand", &NEVER).unwrap();
    assert!(session.replay("by hand", &NEVER).unwrap());

    let notes = |plan: &SelectionPlan| session.select(plan, &NEVER).unwrap().notes.join(" ");
    let tokens = SelectionPlan { budget: Budget::Tokens(5_000), ..plan };
    assert!(notes(&tokens).contains("in samples are not applied to a budget in tokens"), "{}", notes(&tokens));
    let random = SelectionPlan { strategy: Strategy::Random, ..plan };
    assert!(notes(&random).contains("count for nothing under random"));
    let whole = SelectionPlan { budget: Budget::Samples(400), ..plan };
    assert!(notes(&whole).contains("are not spent"), "{}", notes(&whole));
    let little = SelectionPlan { budget: Budget::Samples(5), ..plan };
    assert!(notes(&little).contains("scaled down"));
    let kmeans = SelectionPlan { strategy: Strategy::PaserNoS2ric, ..plan };
    assert!(notes(&kmeans).contains("count for nothing"));

    make(&session, EditKind::SetQuota { cluster: 1, quota: None, unit: Unit::Samples });
    make(&session, EditKind::SetEmphasis { cluster: 0, factor: 1.0 });
    assert_eq!(session.select(&plan, &NEVER).unwrap(), plain);
    assert!(session.replay("by hand", &NEVER).unwrap_err().what.contains("emphasis, quotas"));
}

#[test]
fn what_a_strategy_does_not_read_changes_no_selection_of_it() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let plan = SelectionPlan::default();
    let random = SelectionPlan { strategy: Strategy::Random, ..plan };
    let before = session.select_as(&plan, "damaged", &NEVER).unwrap();
    session.select_as(&random, "by lot", &NEVER).unwrap();
    rename(&session, 1, "mine");
    assert!(session.replay("damaged", &NEVER).unwrap());
    let after = session.select(&plan, &NEVER).unwrap();
    assert_eq!((after.reason_column, after.ledger[1].name.as_str()), (before.reason_column, "mine"));
    let select = session.view().stages.into_iter().find(|stage| stage.stage == Stage::Select).unwrap();
    assert!(matches!(select.state, StageState::Done { .. }), "{select:?}");

    make(&session, EditKind::SetQuota { cluster: 1, quota: Some(7), unit: Unit::Samples });
    make(&session, EditKind::SetEmphasis { cluster: 0, factor: 2.0 });
    assert!(session.replay("by lot", &NEVER).unwrap());
    let notes = session.select(&random, &NEVER).unwrap().notes.join(" ");
    assert!(notes.contains("count for nothing under random"), "{notes}");
    assert!(session.replay("damaged", &NEVER).unwrap_err().what.contains("emphasis, quotas"));
}
