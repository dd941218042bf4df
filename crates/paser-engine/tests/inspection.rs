//! What a person sees of one sample: its neighbours, and what place would have been enough.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NEVER, World, run, write_pool};
use paser_engine::Session;
use paser_protocol::{Failure, ReasonCode, SelectionPlan, Stage, Strategy, decode_f32, decode_u32};

fn near(session: &Session, row: u32, count: u32) -> Vec<(u32, f32)> {
    let found = session.neighbours(row, count, &NEVER).unwrap();
    found.iter().map(|neighbour| (neighbour.row, neighbour.similarity)).collect()
}

#[test]
fn neighbours_are_alike_and_come_from_the_vectors_that_were_made_last() {
    let world = World::new(300);
    let session = world.project("p");
    let early = session.neighbours(0, 5, &NEVER).unwrap_err();
    assert_eq!(early.failure, Failure::Usage, "{early}");
    run(&session, Stage::Import).unwrap();
    assert!(session.neighbours(0, 5, &NEVER).unwrap_err().advice.contains("Run"));
    run(&session, Stage::Embed).unwrap();

    let found = session.neighbours(4, 50, &NEVER).unwrap();
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|neighbour| neighbour.row != 4));
    let falls = |pair: &[paser_protocol::NeighbourView]| {
        pair[0].similarity > pair[1].similarity || pair[0].similarity == pair[1].similarity && pair[0].row < pair[1].row
    };
    assert!(found.windows(2).all(falls), "{found:?}");
    let code = found.iter().filter(|neighbour| neighbour.row % 5 == 4).count();
    assert!(code >= 45, "only {code} of the 50 nearest to a task of code are tasks of code");
    assert_eq!(found[0].id, found[0].row.to_string());
    assert!(found[0].instruction.contains("Write a function"), "{:?}", found[0]);
    assert_eq!(near(&session, 4, 8), near(&session, 4, 50)[..8]);
    assert_eq!(session.rows_near(4, 8, &NEVER).unwrap(), found[..8].iter().map(|one| one.row).collect::<Vec<_>>());
    assert_eq!(near(&session, 4, 1_000).len(), 299);
    assert_eq!(session.neighbours(300, 5, &NEVER).unwrap_err().failure, Failure::Usage);

    // A recorded project carries no vectors: they are made again, and are the same.
    let before = near(&session, 17, 20);
    drop(session);
    let mut removed = 0;
    for file in fs_err::read_dir(world.path("p").join("arrays")).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("embed") {
            fs_err::remove_file(file.path()).unwrap();
            removed += 1;
        }
    }
    assert_eq!(removed, 2, "arrays and manifest");
    assert_eq!(near(&world.open("p"), 17, 20), before);

    // A new pool in memory, and vectors of the old one: rows are other samples now.
    let session = world.open("p");
    near(&session, 17, 20);
    write_pool(&world.path("pool.jsonl"), &common::rows(400)[100..]);
    run(&session, Stage::Import).unwrap();
    assert!(session.neighbours(17, 20, &NEVER).is_err());
    run(&session, Stage::Embed).unwrap();
    assert_eq!(near(&session, 17, 20).len(), 20);
}

/// Numbers of a sentence, in order.
fn numbers(text: &str) -> Vec<usize> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn a_sample_that_was_not_reached_says_what_place_would_have_been_enough() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let column = |name: &str| {
        let columns = session.view().columns;
        let key = &columns.iter().find(|column| column.name == name).unwrap().key;
        session.column(key).unwrap()
    };
    let (efficiency, clusters) = (decode_f32(&column("ies")), decode_u32(&column("cluster")));
    let damage = decode_f32(&column("jsd"));
    for (strategy, values, whole_pool) in
        [(Strategy::PaserNoNtem, &efficiency, false), (Strategy::JsdTop, &damage, true)]
    {
        let view = session.select(&SelectionPlan { strategy, ..SelectionPlan::default() }, &NEVER).unwrap();
        let codes = session.column(&view.reason_column).unwrap();
        let taken = |row: &usize| codes[*row] == ReasonCode::Taken as u8;
        let mut said = 0;
        for row in 0..300 {
            let sample = session.sample(row as u32).unwrap();
            if taken(&row) {
                assert!(sample.why.starts_with("Taken"), "{}", sample.why);
                continue;
            }
            let alike = |other: &usize| whole_pool || clusters[*other] == clusters[row];
            let rank = 1 + (0..300).filter(alike).filter(|other| values[*other] > values[row]).count();
            let last = (0..300).filter(alike).filter(taken).count();
            let all = (0..300).filter(alike).count();
            assert_eq!(numbers(&sample.why)[..3], [rank, all, last], "{}", sample.why);
            said += 1;
        }
        assert_eq!(said, 240);
    }
}
