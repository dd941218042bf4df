//! Strategies that read a column which takes a pass of its own: computed only when asked for, as a job; against the
//! plain definition; gone on with after a stop; refused with what to write.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{NEVER, World, run};
use paser_data::Tokenizer;
use paser_engine::{RunOptions, Session, Studio, StudioOptions};
use paser_model::{Checkpoint, Decoder};
use paser_protocol::{
    AnchorSource, Budget, Event, Failure, PassModel, Reply, Request, SelectionPlan, Stage, StageState, Strategy,
    StrategySettings, decode_f32,
};

const OPTIONS: RunOptions = RunOptions { threads: 2, memory: None, worker: None, arms: Vec::new() };

fn plan(strategy: Strategy) -> SelectionPlan {
    SelectionPlan { strategy, budget: Budget::Samples(20), ..SelectionPlan::default() }
}

fn prepare(session: &Session, strategy: Strategy) {
    session.prepare(strategy, &OPTIONS, &|_| {}, &NEVER).unwrap();
}

/// A project that was run, with few anchors and a filter model.
fn world() -> (World, Session) {
    let world = World::new(240);
    let session = world.project("p");
    world.edit("p", "nuggets_anchors = 100", "nuggets_anchors = 6");
    let filter = world.path("dense").to_string_lossy().into_owned();
    world.edit("p", "filter_model = \"\"", &format!("filter_model = {filter:?}"));
    run(&session, Stage::Select).unwrap();
    (world, session)
}

fn column(session: &Session, name: &str) -> Vec<f32> {
    let info = session.view().columns.into_iter().find(|column| column.name == name).unwrap();
    decode_f32(&session.column(&info.key).unwrap())
}

/// Losses as the definition has them: position by position, in f64.
struct Plain {
    model: Decoder,
    tokenizer: Tokenizer,
}

impl Plain {
    fn new(folder: &Path) -> Self {
        let model = Decoder::load(&Checkpoint::open(folder).unwrap()).unwrap();
        Self { model, tokenizer: Tokenizer::from_model_dir(folder).unwrap() }
    }

    fn ids(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text).unwrap()
    }

    /// Sum over the tokens from `from` on.
    fn sum(&self, ids: &[u32], from: usize) -> f64 {
        let (width, vocabulary) = (self.model.spec().vocab, self.tokenizer.vocabulary());
        let mut logits = vec![0.0; ids.len() * width];
        self.model.logits_rows(&self.model.hidden_rows(&[ids]).unwrap(), &mut logits);
        let loss = |at: usize| {
            let row = &logits[(at - 1) * width..][..vocabulary];
            let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
            sum.ln() - f64::from(row[ids[at] as usize])
        };
        (from.max(1)..ids.len()).map(loss).sum()
    }

    fn mean(&self, ids: &[u32], from: usize) -> f64 {
        self.sum(ids, from) / (ids.len() - from.max(1)) as f64
    }
}

/// Prompt and response of a row, in the plain template.
fn texts(session: &Session, row: u32) -> (String, String) {
    let sample = session.sample(row).unwrap();
    let question = [sample.instruction.as_str(), sample.input.as_str()];
    let question: Vec<&str> = question.into_iter().filter(|part| !part.is_empty()).collect();
    (question.join("\n") + "\n", sample.output)
}

#[test]
fn difficulties_are_those_of_the_definition() {
    let (world, session) = world();
    prepare(&session, Strategy::Ifd);
    prepare(&session, Strategy::Superfiltering);
    let plain = Plain::new(&world.path("dense"));
    let (ifd, filtered) = (column(&session, "ifd"), column(&session, "superfiltering"));
    assert!(ifd.iter().all(|value| value.is_finite()) && filtered.iter().all(|value| value.is_finite()));
    for row in [0_u32, 1, 77, 239] {
        let (prompt, response) = texts(&session, row);
        let (prompt, mut response) = (plain.ids(&prompt), plain.ids(&response));
        let whole = |response: &[u32]| [prompt.as_slice(), response].concat();
        // Without the end token, by perplexities.
        let with = plain.mean(&whole(&response), prompt.len());
        let ratio = (with - plain.mean(&response, 0)).exp();
        assert!((f64::from(filtered[row as usize]) - ratio).abs() < 1e-4 * ratio, "{ratio}");
        // With it, by losses; the plain template has no marker, so nothing predicts the first token alone.
        response.push(plain.tokenizer.eos_id());
        let ratio = plain.mean(&whole(&response), prompt.len()) / plain.mean(&response, 0);
        assert!((f64::from(ifd[row as usize]) - ratio).abs() < 1e-4 * ratio, "{ratio}");
    }
}

#[test]
fn the_golden_score_is_the_share_of_anchor_tasks_that_get_easier() {
    let (world, session) = world();
    prepare(&session, Strategy::Nuggets);
    let scores = column(&session, "nuggets");
    let manifest = fs_err::read_dir(world.path("p/arrays")).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("nuggets-") && name.ends_with(".json")
    });
    let manifest: serde_json::Value = serde_json::from_slice(&fs_err::read(manifest.unwrap()).unwrap()).unwrap();
    let anchors: Vec<u32> = serde_json::from_value(manifest["summary"]["anchors"].clone()).unwrap();
    assert_eq!(anchors.len(), 6);
    let plain = Plain::new(&world.path("dense"));
    let trained = |row: u32| {
        let (prompt, response) = texts(&session, row);
        let (prompt, response) = (plain.ids(&prompt), plain.ids(&response));
        ([prompt.as_slice(), &response, &[plain.tokenizer.eos_id()]].concat(), prompt.len())
    };
    for row in [0, 3, anchors[0], anchors[5]] {
        let (example, _) = trained(row);
        let others: Vec<u32> = anchors.iter().copied().filter(|anchor| *anchor != row).collect();
        let easier = others.iter().filter(|&&anchor| {
            let (task, from) = trained(anchor);
            plain.sum(&[example.as_slice(), &task].concat(), example.len() + from) < plain.sum(&task, from)
        });
        let share = easier.count() as f64 / others.len() as f64;
        assert!(
            (f64::from(scores[row as usize]) - share).abs() < 1e-6,
            "row {row}: {} and {share}",
            scores[row as usize]
        );
    }
    let view = session.select_as(&plan(Strategy::Nuggets), "golden", &NEVER).unwrap();
    let taken = session.frozen_named("golden").unwrap().rows;
    let least = taken.iter().map(|row| scores[*row as usize]).fold(1.0, f32::min);
    let left = (0..240_u32).filter(|row| !taken.contains(row)).map(|row| scores[row as usize]).fold(0.0, f32::max);
    assert!(view.selected == 20 && least >= left, "{least} and {left}");
}

#[test]
fn a_column_is_computed_when_it_is_asked_for_and_never_while_a_face_waits() {
    let (world, session) = world();
    let refused = session.select(&plan(Strategy::Ifd), &NEVER).unwrap_err();
    assert_eq!(refused.failure, Failure::Usage);
    assert!(refused.what.contains("one more pass of the dense model") && refused.what.contains(" s"), "{refused}");
    assert!(session.pass_cost(Strategy::Ifd).unwrap().contains("responses alone"));
    let pass =
        |session: &Session| session.view().passes.into_iter().find(|pass| pass.strategy == Strategy::Ifd).unwrap();
    assert!(pass(&session).key.is_none() && pass(&session).estimate.is_some());

    prepare(&session, Strategy::Ifd);
    assert!(pass(&session).key.is_some() && session.pass_cost(Strategy::Ifd).is_none());
    let values = column(&session, "ifd");
    let view = session.select_as(&plan(Strategy::Ifd), "hard", &NEVER).unwrap();
    let above = values.iter().filter(|value| **value >= 1.0).count() as u64;
    let ruled_out = |view: &paser_protocol::SelectionView| view.ledger.iter().map(|row| row.ruled_out).sum::<u64>();
    assert!(ruled_out(&view) == above && above > 0, "{above}");
    assert!(view.reasons.contains(&("ruled out".to_owned(), above)), "{:?}", view.reasons);
    assert!(view.notes.iter().any(|note| note.contains("first stage")), "{:?}", view.notes);
    // Told beside the sample, sorted by, filtered by.
    let row = values.iter().position(|value| *value >= 1.0).unwrap() as u32;
    session.select(&plan(Strategy::Ifd), &NEVER).unwrap();
    let sample = session.sample(row).unwrap();
    assert!(sample.values.iter().any(|(label, ..)| label == "difficulty (IFD, dense)"), "{:?}", sample.values);
    assert_eq!((sample.status.as_str(), sample.why.starts_with("Ruled out: a difficulty of")), ("ruled out", true));
    let query = paser_protocol::RowQuery { filter: "ifd >= 1".to_owned(), ..Default::default() };
    assert_eq!(session.rows(&query).unwrap().len() as u64, above);
    drop(session);

    // Found again, and another model is another column.
    let session = world.open("p");
    assert!(session.replay("hard", &NEVER).unwrap());
    world.edit("p", "ifd_model = \"dense\"", "ifd_model = \"pruned\"");
    session.reread();
    assert!(pass(&session).key.is_none());
    assert!(session.select(&plan(Strategy::Ifd), &NEVER).unwrap_err().what.contains("pruned model"));
    prepare(&session, Strategy::Ifd);
    assert_ne!(column(&session, "ifd"), values);
    world.edit("p", "ifd_model = \"pruned\"", "ifd_model = \"dense\"");
    session.reread();
    assert!(session.replay("hard", &NEVER).unwrap(), "a column that was there is there again");
}

#[test]
fn a_stopped_pass_goes_on_and_ends_with_the_same_bytes() {
    let (world, session) = world();
    // Many small shards, so that a stop comes in the middle.
    world.edit("p", "shard = 100", "shard = 2");
    run(&session, Stage::Select).unwrap();
    prepare(&session, Strategy::Superfiltering);
    let whole = column(&session, "superfiltering");
    drop(session);
    let clear = |what: &str| {
        for entry in fs_err::read_dir(world.path(what)).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("superfiltering-") {
                if path.is_dir() { fs_err::remove_dir_all(&path).unwrap() } else { fs_err::remove_file(&path).unwrap() }
            }
        }
    };
    clear("p/arrays");
    clear("p/jobs");
    let session = world.open("p");
    let cancel = AtomicBool::new(false);
    let seen = Mutex::new(Vec::new());
    let sink = |event: Event| {
        if let Event::Job { job } = event {
            // As soon as a shard is done: the job's own parts say so.
            let kept = session.view().passes[1].kept;
            if kept.is_some() {
                cancel.store(true, Ordering::Relaxed);
            }
            seen.lock().unwrap().push(job.what);
        }
    };
    let report = session.prepare(Strategy::Superfiltering, &OPTIONS, &sink, &cancel).unwrap_err();
    assert_eq!(report.failure, Failure::Cancelled);
    let (finished, parts) = session.view().passes[1].kept.unwrap();
    assert!(finished >= 1 && finished < parts && parts == 120, "{finished} of {parts}");
    assert!(seen.lock().unwrap().iter().any(|what| what.starts_with("superfiltering")));
    prepare(&session, Strategy::Superfiltering);
    assert_eq!(column(&session, "superfiltering"), whole);
    assert_eq!(session.view().passes[1].kept, None);
}

#[test]
fn what_cannot_be_computed_is_refused_with_what_to_write() {
    let world = World::new(120);
    let session = world.project("p");
    let refused = |strategy| session.prepare(strategy, &OPTIONS, &|_| {}, &NEVER).unwrap_err();
    assert!(refused(Strategy::Ifd).what.contains("scored first"), "before there are scores");
    run(&session, Stage::Select).unwrap();
    let report = refused(Strategy::Superfiltering);
    assert_eq!(report.failure, Failure::Usage);
    assert!(report.advice.contains("filter_model = "), "{report}");
    assert_eq!(session.view().passes[1].blocked.as_ref(), Some(&report));
    world.edit("p", "filter_model = \"\"", "filter_model = \"no/such/model/anywhere\"");
    assert!(refused(Strategy::Superfiltering).what.contains("no/such/model/anywhere"));
    world.edit("p", "nuggets_from = \"pool\"", "nuggets_from = \"holdout\"");
    let report = refused(Strategy::Nuggets);
    assert!(report.what.contains("100 anchors of the holdout, which holds 0 samples"), "{report}");
    // A recipe's own selection is refused in the run, by the same words.
    world.edit("p", "strategy = \"random\"", "strategy = \"superfiltering\"");
    assert!(run(&session, Stage::Select).unwrap_err().what.contains("no/such/model/anywhere"));
}

#[test]
fn a_run_brings_up_what_the_recipes_selections_read() {
    let (world, session) = world();
    world.edit("p", "strategy = \"random\"", "strategy = \"ifd\"");
    session.reread();
    let stage = |session: &Session| session.view().stages.pop().unwrap();
    assert!(matches!(stage(&session).state, StageState::Stale { .. }) && stage(&session).estimate.unwrap().1 > 0.3);
    run(&session, Stage::Select).unwrap();
    assert!(matches!(stage(&session).state, StageState::Done { .. }), "{:?}", stage(&session));
    assert!(column(&session, "ifd").iter().all(|value| value.is_finite()));
    world.edit("p", "ifd_model = \"dense\"", "ifd_model = \"pruned\"");
    session.reread();
    let StageState::Stale { why } = stage(&session).state else { panic!("{:?}", stage(&session)) };
    assert_eq!(why, "changed: ifd");
}

#[test]
fn the_window_sets_a_strategy_and_computes_its_column_as_a_job() {
    let (world, session) = world();
    drop(session);
    let studio =
        Studio::new(StudioOptions { state_dir: Some(world.path("state")), threads: 2, ..StudioOptions::default() });
    studio.handle(Request::OpenProject { path: world.path("p").to_string_lossy().into_owned() }).unwrap();
    let events = studio.subscribe();
    let settings = StrategySettings {
        nuggets_model: PassModel::Pruned,
        nuggets_anchors: 3,
        nuggets_from: AnchorSource::Pool,
        filter_model: world.path("dense").to_string_lossy().into_owned(),
        ..StrategySettings::default()
    };
    studio.handle(Request::Prepare { strategy: Strategy::Nuggets, settings: settings.clone() }).unwrap();
    let mut jobs = Vec::new();
    for event in events {
        match event {
            Event::Job { job } => jobs.push(job.what),
            Event::Finished { report, .. } => {
                assert_eq!(report, None);
                break;
            }
            _ => {}
        }
    }
    assert!(jobs.iter().any(|what| what == "nuggets: samples before anchor tasks"), "{jobs:?}");
    let Reply::Project(project) = studio.handle(Request::Project).unwrap() else { panic!("no project") };
    assert_eq!((&project.strategies, project.passes[2].key.is_some()), (&settings, true));
    let plan = plan(Strategy::Nuggets);
    assert!(matches!(studio.handle(Request::Select { plan }).unwrap(), Reply::Selection(_)));
}
