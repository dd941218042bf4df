//! What a person sees of one sample: its neighbours, what place would have been enough, and what both
//! models write after its prompt.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use common::{NEVER, World, run, write_pool};
use paser_data::Tokenizer;
use paser_engine::Session;
use paser_model::{Checkpoint, Decoder};
use paser_protocol::{Event, Failure, ReasonCode, Reply, SelectionPlan, Stage, Strategy, decode_f32, decode_u32};

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

    // Another import: rows are other samples now, and the vectors in memory are of those before.
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

/// What a continuation says, and what it told on its way.
fn continued(session: &Session, row: u32, tokens: u32) -> (Reply, Vec<Event>) {
    let events = Mutex::new(Vec::new());
    let reply = session.continue_both(row, tokens, &|event| events.lock().unwrap().push(event), &NEVER).unwrap();
    (reply, events.into_inner().unwrap())
}

#[test]
fn both_models_continue_a_prompt_as_the_whole_pass_would() {
    let world = World::new(60);
    let session = world.project("p");
    run(&session, Stage::Score).unwrap();
    let (reply, events) = continued(&session, 7, 24);
    let Reply::Continuations { row: 7, dense, pruned, stopped, seconds } = reply.clone() else { panic!("{reply:?}") };
    assert!(!events.is_empty(), "progress is told");
    for event in &events {
        assert!(matches!(event, Event::Continuing { row: 7, done: 1..=24, tokens: 24 }), "{event:?}");
    }
    assert!(seconds > 0.0);
    assert_ne!(dense, pruned, "the models differ");

    // The same by recomputing the whole sequence for every token.
    for (name, text, stopped) in [("dense", &dense, stopped.0), ("pruned", &pruned, stopped.1)] {
        let decoder = Decoder::load(&Checkpoint::open(&world.path(name)).unwrap()).unwrap();
        let tokenizer = Tokenizer::from_model_dir(&world.path(name)).unwrap();
        let sample = session.sample(7).unwrap();
        let prompt = match sample.input.as_str() {
            "" => format!("{}\n", sample.instruction),
            input => format!("{}\n{input}\n", sample.instruction),
        };
        let mut ids = tokenizer.encode(&prompt).unwrap();
        let begin = ids.len();
        let mut ended = false;
        while ids.len() < begin + 24 && !ended {
            let (hidden, _) = decoder.hidden_tails(&[&ids], &[ids.len() - 1], &|| false).unwrap();
            let mut logits = vec![0.0; decoder.spec().vocab];
            decoder.logits_rows(&hidden, &mut logits);
            let most =
                (0..tokenizer.vocabulary()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap() as u32;
            ended = most == tokenizer.eos_id();
            if !ended {
                ids.push(most);
            }
        }
        assert_eq!((text, stopped), (&tokenizer.decode(&ids[begin..]).unwrap(), ended), "{name}");
    }

    let (again, _) = continued(&session, 7, 24);
    let Reply::Continuations { dense: same, .. } = again else { panic!() };
    assert_eq!(same, dense);
    let tokens = session.tokens(7).unwrap();
    assert!(tokens.continue_seconds > 0.0 && tokens.continue_seconds < 60.0, "{}", tokens.continue_seconds);
    for tokens in [0, 65] {
        assert_eq!(session.continue_both(7, tokens, &|_| {}, &NEVER).unwrap_err().failure, Failure::Usage);
    }
}

#[test]
fn a_continuation_stops_on_request_with_the_project_and_for_another_sample() {
    let world = World::new(60);
    let session = world.project("p");
    run(&session, Stage::Score).unwrap();
    let stop = |_: Event| session.stop_continuing();
    assert_eq!(session.continue_both(7, 64, &stop, &NEVER).unwrap_err().failure, Failure::Cancelled);
    let closed = AtomicBool::new(false);
    let close = |_: Event| closed.store(true, Ordering::Relaxed);
    assert_eq!(session.continue_both(7, 64, &close, &closed).unwrap_err().failure, Failure::Cancelled);
    let another = |event: Event| {
        if matches!(event, Event::Continuing { row: 7, .. }) {
            session.continue_both(8, 1, &|_| {}, &NEVER).unwrap();
        }
    };
    assert_eq!(session.continue_both(7, 64, &another, &NEVER).unwrap_err().failure, Failure::Cancelled);
    continued(&session, 7, 2);

    // A machine that was seen to be slow: refused in words, before anything is computed.
    rusqlite::Connection::open(world.path("p").join("project.db"))
        .unwrap()
        .execute("INSERT OR REPLACE INTO rates(work, units_per_second) VALUES ('continue', 1e3)", [])
        .unwrap();
    let report = session.continue_both(7, 64, &|_| panic!("it began"), &NEVER).unwrap_err();
    assert!(report.failure == Failure::Usage && report.what.contains("min on this machine"), "{report}");
    assert!(session.tokens(7).unwrap().continue_seconds > 120.0);
}
