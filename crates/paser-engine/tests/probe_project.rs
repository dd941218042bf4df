//! A probe: a small part of a pool as a project of its own.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{World, rows, run, write_pool};
use paser_engine::Session;
use paser_protocol::{Failure, ProjectDraft, Stage};

fn ids(world: &World, project: &str) -> BTreeSet<String> {
    let text = fs_err::read_to_string(world.path(project).join("probe.jsonl")).unwrap();
    let line = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    text.lines().map(|text| line(text)["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_probe_is_the_same_part_whatever_the_order_of_the_file() {
    let world = World::new(2_000);
    let make = |name: &str, share: f64| Session::create(&ProjectDraft { probe: Some(share), ..world.draft(name) });
    drop(make("p", 0.2).unwrap());
    assert_eq!(ids(&world, "p").len(), 400);
    // At least 300, so that the clusters have something to say.
    let few = make("few", 0.01).unwrap();
    assert_eq!(ids(&world, "few").len(), 300);
    assert!(few.name().contains("300 of 2000"), "{}", few.name());
    assert!(ids(&world, "few").is_subset(&ids(&world, "p")), "a smaller probe is a part of a larger one");
    let mut turned = rows(2_000);
    turned.reverse();
    write_pool(&world.path("pool.jsonl"), &turned);
    drop(make("turned", 0.2).unwrap());
    assert_eq!(ids(&world, "turned"), ids(&world, "p"));
    for share in [0.0, 1.0, -0.1, f64::NAN] {
        assert_eq!(make("none", share).err().unwrap().failure, Failure::Usage, "{share}");
    }
}

#[test]
fn a_probe_tells_where_it_hurts() {
    let world = World::new(600);
    let draft = ProjectDraft { probe: Some(0.5), ..world.draft("p") };
    let session = Session::create(&draft).unwrap();
    world.edit("p", "clusters = \"automatic\"", "clusters = 4");
    run(&session, Stage::Select).unwrap();
    let view = session.view();
    assert_eq!(view.clusters.iter().map(|cluster| cluster.samples).sum::<u64>(), 300);
    assert!(view.clusters.iter().all(|cluster| cluster.cds.is_some()));
}
