//! What the window learns of a project's two models, and pruning asked for there.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{NEVER, World};
use paser_engine::{Session, Studio, StudioOptions};
use paser_protocol::{Event, Failure, ModelView, ModelsView, PruneDraft, Reply, Request, Stage, StageState};

fn models(session: &Session) -> ModelsView {
    session.models(&|_| {}, &NEVER).unwrap()
}

/// Weights of the projections, and how many of them are zero, by the file itself.
fn counted(folder: &std::path::Path) -> (u64, u64) {
    let path = folder.join("model.safetensors");
    let arrays = paser_project::Arrays::from_bytes(&fs_err::read(&path).unwrap(), &path).unwrap();
    let (mut weights, mut zeros) = (0, 0);
    for name in arrays.names().filter(|name| name.contains("_proj")) {
        let values = arrays.f32(name).unwrap();
        weights += values.len() as u64;
        zeros += values.iter().filter(|value| **value == 0.0).count() as u64;
    }
    (weights, zeros)
}

fn shown(model: &ModelView) -> (u64, u64) {
    let all = || model.layers.iter().flat_map(|layer| &layer.projections);
    (
        all().map(|projection| u64::from(projection.rows) * u64::from(projection.columns)).sum(),
        all().map(|projection| projection.zeros).sum(),
    )
}

#[test]
fn both_models_are_told_layer_by_layer() {
    let world = World::new(60);
    let session = world.project("p");
    let view = models(&session);
    let (dense, pruned) = (view.dense.as_ref().unwrap(), view.pruned.as_ref().unwrap());
    assert_eq!(shown(dense), counted(&world.path("dense")));
    assert_eq!(shown(pruned), counted(&world.path("pruned")));
    assert!(shown(pruned).1 > 0);
    assert_eq!(dense.layers.len(), 2);
    let (first, names) = (&dense.layers[0], ["q", "k", "v", "o", "gate", "up", "down"]);
    assert_eq!((first.heads, first.kv_heads, first.head_dim, first.ffn), (4, 2, 8, 64));
    assert_eq!(first.projections.iter().map(|projection| projection.name.as_str()).collect::<Vec<_>>(), names);
    let between = view.between.as_ref().unwrap();
    // The zeroed projections; embedding and five norms are the same.
    assert_eq!((between.equal, between.changed, between.only_dense, between.only_pruned), (6, 14, 0, 0));
    assert!(between.tokenizers_agree && between.tokenizer_difference.is_none());

    // Another tokenizer beside the pruned weights is no reason not to show them.
    common::write_tokenizer(&world.path("pruned"), &["more"]);
    let between = models(&session).between.unwrap();
    assert!(!between.tokenizers_agree && between.tokenizer_difference.is_some());
}

#[test]
fn a_model_that_is_gone_is_named() {
    let world = World::new(60);
    let session = world.project("p");
    fs_err::remove_dir_all(world.path("pruned")).unwrap();
    let report = session.models(&|_| {}, &NEVER).unwrap_err();
    assert!(report.failure == Failure::Unusable && report.what.contains("pruned"), "{report}");
}

#[test]
fn pruning_here_takes_the_place_of_the_named_model() {
    let world = World::new(60);
    drop(world.project("p"));
    let studio =
        Studio::new(StudioOptions { state_dir: Some(world.path("state")), threads: 2, ..StudioOptions::default() });
    let events = studio.subscribe();
    let path = world.path("p").to_string_lossy().into_owned();
    studio.handle(Request::OpenProject { path }).unwrap();
    let ask = |pattern: &str| {
        let draft = PruneDraft { method: "magnitude".to_owned(), pattern: pattern.to_owned() };
        studio.handle(Request::PruneHere { draft })
    };
    let recipe = || fs_err::read_to_string(world.path("p").join("recipe.toml")).unwrap();
    let before = recipe();
    assert_eq!(ask("a third").unwrap_err().failure, Failure::Usage);
    assert_eq!(recipe(), before, "a pattern that is none changes nothing");
    ask("2:4").unwrap();
    let end = loop {
        if let Event::Finished { report, .. } = events.recv_timeout(Duration::from_secs(120)).unwrap() {
            break report;
        }
    };
    assert_eq!(end, None);
    let Reply::Models(view) = studio.handle(Request::Models).unwrap() else { panic!() };
    let pruned = view.pruned.as_ref().unwrap();
    assert!(pruned.reference.starts_with("models/magnitude-"), "{}", pruned.reference);
    assert_eq!(pruned.pattern.as_deref(), Some("2:4"));
    let (weights, zeros) = shown(pruned);
    assert_eq!(zeros * 2, weights);
    let Reply::Project(project) = studio.handle(Request::Project).unwrap() else { panic!() };
    assert!(
        project
            .stages
            .iter()
            .any(|stage| stage.stage == Stage::Score && matches!(stage.state, StageState::Done { .. }))
    );
}
