//! Frozen selections side by side: parts that sum, chance, budgets, fates, names, and what only one of them holds.
#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::BTreeSet, sync::atomic::AtomicBool};

use common::{World, run};
use paser_engine::{Session, TableOrder};
use paser_protocol::{Budget, Edit, EditKind, ExportFormat, Failure, Part, SelectionPlan, Stage, Strategy};

static NEVER: AtomicBool = AtomicBool::new(false);

const NAMES: [&str; 3] = ["damaged", "by lot", "long"];

/// A project with three frozen selections of a fifth.
fn project(world: &World) -> Session {
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    for (name, strategy) in NAMES.into_iter().zip([Strategy::Paser, Strategy::Random, Strategy::Longest]) {
        let plan = SelectionPlan { strategy, budget: Budget::Percent(20.0), ..SelectionPlan::default() };
        session.select_as(&plan, name, &NEVER).unwrap();
    }
    session
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn rows(session: &Session, name: &str) -> BTreeSet<u32> {
    session.frozen_named(name).unwrap().rows.into_iter().collect()
}

#[test]
fn a_comparison_counts_what_a_person_would() {
    let world = World::new(300);
    let session = project(&world);
    let view = session.compare(&names(&NAMES), &NEVER).unwrap();
    let sets: Vec<BTreeSet<u32>> = NAMES.iter().map(|name| rows(&session, name)).collect();
    for (place, side) in view.selections.iter().enumerate() {
        assert_eq!(side.selected, 60);
        assert_eq!(side.clusters.iter().map(|cluster| cluster.taken).sum::<u64>(), 60);
        assert_eq!(side.clusters.iter().map(|cluster| cluster.tokens).sum::<u64>(), side.tokens);
        let held = view.parts.iter().filter(|part| part.held[place]);
        assert_eq!(held.map(|part| part.samples).sum::<u64>(), 60, "its parts");
        let jsd = session.column(&session.view().columns.iter().find(|c| c.name == "jsd").unwrap().key).unwrap();
        let jsd = paser_protocol::decode_f32(&jsd);
        let mean = sets[place].iter().map(|row| f64::from(jsd[*row as usize])).sum::<f64>() / 60.0;
        assert!((side.mean_damage.unwrap() - mean).abs() < 1e-6);
    }
    for part in &view.parts {
        let meant =
            (0..300_u32).filter(|row| sets.iter().zip(&part.held).all(|(set, held)| set.contains(row) == *held));
        assert_eq!(meant.count() as u64, part.samples, "{:?}", part.held);
    }
    assert_eq!(view.parts.iter().map(|part| part.samples).sum::<u64>() + view.neither, view.selectable);
    for overlap in &view.overlaps {
        let set = |name: &str| rows(&session, name);
        assert_eq!(set(&overlap.first).intersection(&set(&overlap.second)).count() as u64, overlap.shared);
        assert!((overlap.chance - 60.0 * 60.0 / 300.0).abs() < 1e-9);
    }
    let chance = view.chance.unwrap();
    let damaged = &view.selections[0];
    let random = &view.selections[1];
    let (low, high) = chance.mean_damage.unwrap();
    assert!(low < high && (low..=high).contains(&random.mean_damage.unwrap()), "seed 0 is one of the draws");
    assert!(damaged.mean_damage.unwrap() > high, "what paser takes is hurt more than any draw");
    for (share, (low, high)) in random.clusters.iter().zip(&chance.taken) {
        assert!((low..=high).contains(&&share.taken));
    }
}

#[test]
fn more_pins_than_a_frozen_selection_holds_leave_its_figures() {
    let world = World::new(300);
    let session = project(&world);
    let sides = names(&["damaged", "long"]);
    let before = session.compare(&sides, &NEVER).unwrap();
    session.curate(&Edit::new(EditKind::Pin { rows: (0..100).collect() }, "")).unwrap();
    let after = session.compare(&sides, &NEVER).unwrap();
    assert_eq!((&after.selections, &after.parts), (&before.selections, &before.parts));
    assert!(before.chance.is_some() && after.chance.is_none(), "no draw of 60 holds 100 pins");
    let curve = session.budget_curve("damaged", &NEVER).unwrap();
    assert!(!curve.points.is_empty() && curve.points.iter().all(|point| point.selected >= 100), "{curve:?}");
}

#[test]
fn what_cannot_be_compared_is_refused_in_words() {
    let world = World::new(60);
    let session = project(&world);
    for (asked, word) in [
        (vec!["long"], "two to four"),
        (vec!["long", "long"], "twice"),
        (vec!["long", "nobody"], "nobody"),
        (vec!["damaged", "by lot", "long", "paser-20", "random-20"], "two to four"),
    ] {
        let report = session.compare(&names(&asked), &NEVER).unwrap_err();
        assert!(report.failure == Failure::Usage && report.what.contains(word), "{report}");
    }
    assert_eq!(session.compare(&names(&NAMES), &AtomicBool::new(true)).unwrap_err().failure, Failure::Cancelled);
}

#[test]
fn a_budget_curve_grows_to_what_is_frozen() {
    let world = World::new(300);
    let session = project(&world);
    let curve = session.budget_curve("damaged", &NEVER).unwrap();
    assert!(
        curve.points.windows(2).all(|pair| pair[0].percent < pair[1].percent && pair[0].selected <= pair[1].selected)
    );
    let fifth = curve.points.iter().find(|point| (point.percent - 20.0).abs() < 1e-9).unwrap();
    let view = session.compare(&names(&NAMES), &NEVER).unwrap();
    let taken: Vec<u64> = view.selections[0].clusters.iter().map(|cluster| cluster.taken).collect();
    assert_eq!((fifth.selected, &fifth.taken), (60, &taken));
}

#[test]
fn fates_tell_why_a_sample_is_in_one_and_not_in_another() {
    let world = World::new(300);
    let session = project(&world);
    let only = *rows(&session, "damaged").difference(&rows(&session, "long")).next().unwrap();
    let fates = session.fates(only, &names(&["damaged", "long"]), &NEVER).unwrap();
    assert!(fates[0].taken && fates[0].why.contains("number"), "{fates:?}");
    assert!(!fates[1].taken && fates[1].why.contains("Below the cut"), "{fates:?}");
    // What is frozen keeps its figures whatever is edited.
    let before = &fates[0].why;
    let edit = Edit::new(EditKind::Exclude { rows: vec![only] }, "");
    session.curate(&edit).unwrap();
    let after = session.fates(only, &names(&["damaged"]), &NEVER).unwrap();
    let quota = &before[before.find("Its cluster").unwrap()..];
    assert!(after[0].taken && after[0].why.ends_with(quota) && !quota.is_empty(), "{before} {after:?}");
    let number = before.split("number ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(after[0].why.contains(&format!("Number {number} of the selection.")), "{before} {after:?}");
    let compared = session.compare(&names(&["damaged", "long"]), &NEVER).unwrap();
    assert_eq!(compared.selections[0].selected, 60);
    assert!(compared.selections[0].mean_damage.is_some() && compared.selections[0].tokens > 0);
    assert!(session.fates(9_999, &names(&["damaged"]), &NEVER).is_err());
}

#[test]
fn a_fate_computes_nothing_for_a_selection_whose_inputs_changed() {
    let world = World::new(300);
    let session = project(&world);
    let plan = SelectionPlan { strategy: Strategy::PaserNoS2ric, ..SelectionPlan::default() };
    session.select_as(&plan, "other clusters", &NEVER).unwrap();
    let clusterings = || {
        let names = fs_err::read_dir(world.path("p/arrays")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("kmeans")).count()
    };
    let before = clusterings();
    assert!(before > 0);
    assert!(!session.fates(0, &names(&["other clusters"]), &NEVER).unwrap()[0].why.contains("changed"));
    session.curate(&Edit::new(EditKind::SplitCluster { cluster: 0, parts: 2 }, "")).unwrap();
    session.fates(0, &names(&["other clusters"]), &NEVER).unwrap();
    let taken = *rows(&session, "damaged").first().unwrap();
    let fates = session.fates(taken, &names(&["damaged"]), &NEVER).unwrap();
    let why = &fates[0].why;
    assert!(why.contains("of the selection.") && why.contains("clusters were edited since"), "{why}");
    assert_eq!(clusterings(), before);
}

#[test]
fn a_sample_of_a_new_pool_has_no_fate_of_the_old_one() {
    let world = World::new(60);
    let session = project(&world);
    let plan = SelectionPlan { strategy: Strategy::Longest, ..SelectionPlan::default() };
    session.select(&plan, &NEVER).unwrap();
    assert!(!session.sample(0).unwrap().why.is_empty());
    let mut rows = common::rows(60);
    rows.reverse();
    common::write_pool(&world.path("pool.jsonl"), &rows[5..]);
    run(&session, Stage::Score).unwrap();
    let sample = session.sample(0).unwrap();
    assert_eq!((sample.status.as_str(), sample.why.as_str()), ("", ""));
    session.select(&plan, &NEVER).unwrap();
    assert!(!session.sample(0).unwrap().why.is_empty());
}

#[test]
fn a_renamed_cluster_leaves_its_samples_their_fates() {
    let world = World::new(60);
    let session = project(&world);
    session.select(&SelectionPlan::default(), &NEVER).unwrap();
    let before = session.sample(0).unwrap();
    session.curate(&Edit::new(EditKind::RenameCluster { cluster: 0, name: "new".to_owned() }, "")).unwrap();
    let after = session.sample(0).unwrap();
    assert!(!before.why.is_empty());
    assert_eq!((before.status, before.why), (after.status, after.why));
}

#[test]
fn chance_draws_as_many_as_the_first_selection_holds() {
    let world = World::new(300);
    let session = project(&world);
    session.curate(&Edit::new(EditKind::Pin { rows: vec![3, 4, 5] }, "")).unwrap();
    let drawn = |strategy: Strategy, name: &str, budget: Budget| {
        let plan = SelectionPlan { strategy, budget, ..SelectionPlan::default() };
        let held = session.select_as(&plan, name, &NEVER).unwrap();
        let taken = session.compare(&names(&[name, "by lot"]), &NEVER).unwrap().chance.unwrap().taken;
        let sum = |side: fn(&(u64, u64)) -> u64| taken.iter().map(side).sum::<u64>();
        (held.selected, sum(|band| band.0), sum(|band| band.1))
    };
    assert_eq!(drawn(Strategy::Full, "all", Budget::Percent(20.0)), (300, 300, 300), "all of them, seed by seed");
    assert_eq!(drawn(Strategy::Full, "all again", Budget::Tokens(1_000)), (300, 300, 300));
    assert_eq!(drawn(Strategy::Manual, "by hand", Budget::Percent(20.0)), (3, 3, 3), "the pins alone");
    let (held, low, high) = drawn(Strategy::Longest, "tokens", Budget::Tokens(2_000));
    assert!(low < high && held > 3, "{held} {low} {high}");
}

#[test]
fn a_part_is_exported_and_the_difference_is_a_table() {
    let world = World::new(300);
    let session = project(&world);
    let part = Part { within: Vec::new(), without: names(&["by lot"]) };
    let only: BTreeSet<u32> = &rows(&session, "damaged") - &rows(&session, "by lot");
    let exported = session.export(Some("damaged"), &part, ExportFormat::AlpacaJsonl, "only.jsonl", &NEVER).unwrap();
    assert_eq!(exported.samples, only.len() as u64);
    let manifest = fs_err::read_to_string(&exported.paths[1]).unwrap();
    assert!(manifest.contains("damaged without by lot"), "{manifest}");
    let same = Part { within: Vec::new(), without: names(&["damaged"]) };
    let nothing = session.export(Some("damaged"), &same, ExportFormat::AlpacaJsonl, "none.jsonl", &NEVER).unwrap_err();
    assert!(nothing.what.contains("holds no sample"), "{nothing}");

    let both = rows(&session, "damaged").symmetric_difference(&rows(&session, "by lot")).count();
    let written = session.write_differences(&names(&["damaged", "by lot"]), "difference.csv".as_ref()).unwrap();
    let text = fs_err::read_to_string(&written.paths[0]).unwrap();
    assert_eq!((written.samples, text.lines().count()), (both as u64, both + 1));
    assert!(text.starts_with("id,line,cluster,damage_nats,response_tokens,damaged,by lot\n"), "{text}");
}

#[test]
fn a_selection_called_like_a_column_gives_no_head_twice() {
    let world = World::new(60);
    let session = project(&world);
    session.rename_selection("damaged", "jsd").unwrap();
    session.rename_selection("by lot", "mark").unwrap();
    let order = TableOrder {
        columns: names(&["jsd", "cluster"]),
        selections: names(&["jsd", "mark", "long"]),
        ..Default::default()
    };
    let (text, _) = session.table_as_csv(&order).unwrap();
    let heads = text.lines().next().unwrap();
    assert!(
        heads.starts_with("id,line,jsd,cluster,") && heads.ends_with("jsd 2,mark 2,long,mark,tags,project"),
        "{heads}"
    );
}

#[test]
fn a_selection_is_renamed_and_the_recipes_own_are_not() {
    let world = World::new(60);
    let session = project(&world);
    session.rename_selection("long", "  longest first ").unwrap();
    assert_eq!(session.view().selections.last().unwrap().name.as_deref(), Some("longest first"));
    assert!(session.replay("longest first", &NEVER).unwrap());
    for (from, to, word) in [
        ("long", "x", "no selection"),
        ("damaged", "by lot", "already"),
        ("damaged", " ", "needs a name"),
        ("paser-20", "x", "recipe"),
    ] {
        let report = session.rename_selection(from, to).unwrap_err();
        assert!(report.what.contains(word), "{report}");
    }
}
