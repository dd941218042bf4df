//! The whole way from a pool and two models to selections, and what of it is computed again when something changes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{NEVER, World, computed, run, run_with};
use paser_engine::{RunOptions, Session};
use paser_protocol::{
    Budget, ExportFormat, Failure, Part, ReasonCode, RowQuery, SelectionPlan, Stage, StageState, Strategy,
};

fn is_taken(byte: u8) -> bool {
    ReasonCode::from_byte(byte).unwrap().is_taken()
}

#[test]
fn a_pool_alone_becomes_clusters_and_a_map() {
    let world = World::new(600);
    let draft = paser_protocol::ProjectDraft { dense: String::new(), pruned: String::new(), ..world.draft("p") };
    let session = Session::create(&draft).unwrap();
    let summary = run(&session, Stage::Select).unwrap();
    assert_eq!(summary.stages.len(), 3, "no models, so nothing is scored: {summary:?}");
    let view = session.view();
    assert_eq!(view.pool.samples, 600);
    assert!(view.clusters.len() >= 2 && view.clusters.iter().map(|cluster| cluster.samples).sum::<u64>() == 600);
    assert!(view.clusters.iter().all(|cluster| !cluster.name.is_empty()));
    let map = view.columns.iter().find(|column| column.name == "map").unwrap();
    assert_eq!(session.column(&map.key).unwrap().len(), 600 * 8);
    let extra = view.columns.iter().find(|column| column.name == "extra:capability").unwrap();
    assert_eq!(session.column(&extra.key).unwrap().len(), 600 * 4);
    assert!(session.select(&SelectionPlan::default(), &NEVER).unwrap_err().what.contains("scored"));
}

#[test]
fn a_run_ends_with_selections_that_add_up_and_the_next_one_finds_everything() {
    let world = World::new(700);
    let session = world.project("p");
    let summary = run(&session, Stage::Select).unwrap();
    assert_eq!(computed(&summary), Stage::ALL);
    assert_eq!(summary.selections.len(), 3);
    for selection in &session.view().selections {
        assert_eq!(selection.budget, 140);
        assert_eq!(selection.selected, 140);
        assert_eq!(selection.ledger.iter().map(|row| row.quota).sum::<u64>(), 140);
        let reasons = session.column(&selection.reason_column).unwrap();
        assert_eq!(reasons.len(), 700);
        assert_eq!(reasons.iter().filter(|byte| is_taken(**byte)).count(), 140);
    }
    let fresh = |stage: &paser_protocol::StageView| matches!(stage.state, StageState::Done { cached: false, .. });
    assert!(session.view().stages.iter().all(fresh), "{:?}", session.view().stages);
    let before = session.view();
    drop(session);

    let session = world.open("p");
    let again = session.view();
    assert_eq!(again.selections, before.selections);
    assert_eq!(again.clusters, before.clusters);
    assert_eq!(again.columns, before.columns);
    assert!(again.stages.iter().all(|stage| matches!(stage.state, StageState::Done { .. })), "{:?}", again.stages);
    assert_eq!(computed(&run(&session, Stage::Select).unwrap()), []);
}

#[test]
fn threads_and_the_order_of_the_file_change_no_byte() {
    let world = World::new(500);
    let one = world.project("one");
    run_with(&one, Stage::Select, 1).unwrap();
    let two = world.project("two");
    run_with(&two, Stage::Select, 2).unwrap();
    let names: Vec<String> = one.frozen().unwrap().into_iter().map(|frozen| frozen.name).collect();
    for name in &names {
        let (a, b) = (one.frozen_named(name).unwrap(), two.frozen_named(name).unwrap());
        assert_eq!((&a.rows, &a.reasons, &a.view), (&b.rows, &b.reasons, &b.view), "{name}");
    }
    drop(two);

    let mut rows = common::rows(500);
    rows.reverse();
    rows.swap(3, 400);
    common::write_pool(&world.path("pool.jsonl"), &rows);
    let permuted = world.project("permuted");
    run_with(&permuted, Stage::Select, 2).unwrap();
    for name in &names {
        let (a, b) = (one.frozen_named(name).unwrap(), permuted.frozen_named(name).unwrap());
        assert_eq!(a.ids, b.ids, "{name}");
    }
}

/// Runs after a change, and sees that exactly `expected` is computed, as the window foretells it, and only once.
fn check(session: &Session, what: &str, expected: &[Stage]) {
    session.reread();
    let view = session.view();
    let stale: Vec<Stage> =
        view.stages.iter().filter(|s| !matches!(s.state, StageState::Done { .. })).map(|s| s.stage).collect();
    let found = computed(&run(session, Stage::Select).unwrap());
    assert_eq!(found, expected, "{what}");
    // Before a new import nobody knows whether the samples will be the same.
    let told = if expected.contains(&Stage::Import) { &Stage::ALL[..] } else { expected };
    assert_eq!(stale, told, "{what}: as the window tells it");
    assert_eq!(computed(&run(session, Stage::Select).unwrap()), [], "{what}: a second time");
}

#[test]
fn a_model_pruned_here_follows_all_that_calibrated_it() {
    use Stage::{Embed, Import, Manifold, Score, Select};
    let world = World::new(200);
    let chat = |begin: &str| {
        let config = serde_json::json!({
            "bos_token": "<s>", "eos_token": "</s>",
            "chat_template": format!("{begin}{{% for message in messages %}}{{{{ message.content }}}} {{% endfor %}}"),
        });
        fs_err::write(world.path("dense").join("tokenizer_config.json"), config.to_string()).unwrap();
    };
    chat("");
    let draft = paser_protocol::ProjectDraft {
        pruned: String::new(),
        template: "chat".to_owned(),
        prune: Some(paser_protocol::PruneDraft { method: "wanda".to_owned(), pattern: "2:4".to_owned() }),
        ..world.draft("p")
    };
    let session = Session::create(&draft).unwrap();
    world.edit("p", "clusters = \"automatic\"", "clusters = 3");
    run(&session, Select).unwrap();
    let models = || fs_err::read_dir(world.path("p").join("models")).unwrap().count();
    assert_eq!(models(), 1);
    check(&session, "nothing", &[]);
    world.edit("p", "calibration = 128", "calibration = 4");
    check(&session, "number of calibration samples", &[Score, Select]);
    assert_eq!(models(), 2);
    world.edit("p", "holdout = \"none\"", "holdout = \"multiples of 2\"");
    check(&session, "hold-out", &[Import, Embed, Manifold, Score, Select]);
    assert_eq!(models(), 3, "samples that are held out calibrate nothing");
    chat("begin ");
    check(&session, "chat template", &[Score, Select]);
    assert_eq!(models(), 4);
    world.edit("p", "method = \"wanda\"", "method = \"magnitude\"");
    check(&session, "method", &[Score, Select]);
    world.edit("p", "holdout = \"multiples of 2\"", "holdout = \"multiples of 3\"");
    check(&session, "hold-out without calibration", &[Import, Embed, Manifold, Select]);
    assert_eq!(models(), 5);
}

#[test]
fn each_change_runs_exactly_what_depends_on_it() {
    use Stage::{Embed, Import, Manifold, Score, Select};
    let world = World::new(400);
    let session = world.project("p");
    run(&session, Select).unwrap();
    let check = |what: &str, expected: &[Stage]| check(&session, what, expected);
    check("nothing", &[]);
    world.edit("p", "clusters = 4", "clusters = 5");
    check("number of clusters", &[Manifold, Select]);
    world.edit("p", "\ndimensions = 256", "\ndimensions = 64");
    check("vectors", &[Embed, Manifold, Select]);
    world.edit("p", "name = \"plain\"", "name = \"alpaca\"");
    check("template", &[Score, Select]);
    world.edit("p", "max_tokens = 512", "max_tokens = 300");
    check("longest sample", &[Score, Select]);
    world.edit("p", "batch_tokens = 1024", "batch_tokens = 512");
    check("batches", &[Score, Select]);
    world.edit("p", "per_sample = 5", "per_sample = 4");
    check("concepts", &[Manifold, Select]);
    world.edit("p", "holdout = \"none\"", "holdout = \"multiples of 20\"");
    check("hold-out", &[Import, Embed, Manifold, Select]);
    world.edit("p", "budget = \"20%\"", "budget = \"10%\"");
    check("budgets", &[Select]);
    common::write_model(&world.path("dense"), 2, false);
    check("dense weights", &[Score, Select]);
    common::write_model(&world.path("pruned"), 2, true);
    check("pruned weights", &[Score, Select]);
    for model in ["dense", "pruned"] {
        common::write_tokenizer(&world.path(model), &["ab"]);
    }
    check("tokenizer", &[Score, Select]);
    let mut rows = common::rows(400);
    rows[7] = rows[7].replace("first letter", "last letter");
    rows[8] = rows[8].replace("Sort", "Order");
    common::write_pool(&world.path("pool.jsonl"), &rows);
    check("a sample's text", &[Import, Embed, Manifold, Score, Select]);
}

#[test]
fn the_memory_limit_is_for_what_is_computed() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let limited = || {
        let options = RunOptions { threads: 2, memory: Some(1), worker: None, arms: Vec::new() };
        session.run(Stage::Select, &options, &|_| {}, &NEVER)
    };
    assert_eq!(computed(&limited().unwrap()), [], "nothing is computed, so nothing needs memory");
    world.edit("p", "budget = \"20%\"", "budget = \"10%\"");
    let report = limited().unwrap_err();
    assert!(report.failure == Failure::Machine && report.what.contains("select"), "{report}");
    world.edit("p", "name = \"plain\"", "name = \"alpaca\"");
    let report = limited().unwrap_err();
    assert!(report.failure == Failure::Machine && report.what.contains("score"), "{report}");
    let alone = paser_protocol::ProjectDraft { dense: String::new(), pruned: String::new(), ..world.draft("alone") };
    let alone = Session::create(&alone).unwrap();
    let report = alone
        .run(
            Stage::Import,
            &RunOptions { threads: 2, memory: Some(1), worker: None, arms: Vec::new() },
            &|_| {},
            &NEVER,
        )
        .unwrap_err();
    assert!(report.failure == Failure::Machine && report.what.contains("import"), "{report}");
}

#[test]
fn building_a_plan_is_no_change_of_the_project() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let revision = session.revision();
    let plan = SelectionPlan { budget: Budget::Samples(17), ..SelectionPlan::default() };
    session.select(&plan, &NEVER).unwrap();
    assert_eq!(session.revision(), revision);
    assert_eq!(session.view().plan, plan, "and it is kept");
    session.freeze("mine", &NEVER).unwrap();
    assert!(session.revision() > revision);
}

#[test]
fn settings_that_were_left_are_found_again_and_old_ones_make_room() {
    let world = World::new(200);
    let session = world.project("p");
    run(&session, Stage::Manifold).unwrap();
    for k in 2..12 {
        let before = if k == 2 { 4 } else { k - 1 };
        world.edit("p", &format!("clusters = {before}\n"), &format!("clusters = {k}\n"));
        run(&session, Stage::Manifold).unwrap();
    }
    world.edit("p", "clusters = 11\n", "clusters = 9\n");
    assert_eq!(computed(&run(&session, Stage::Manifold).unwrap()), []);
    let arrays = fs_err::read_dir(world.path("p").join("arrays")).unwrap();
    let manifolds =
        arrays.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("manifold"));
    assert_eq!(manifolds.count(), 2 * 5);
}

#[test]
fn edits_selections_and_exports_hold_together() {
    let world = World::new(400);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let plan = SelectionPlan { budget: Budget::Samples(40), ..SelectionPlan::default() };
    let view = session.select(&plan, &NEVER).unwrap();
    let reasons = session.column(&view.reason_column).unwrap();
    let left_out = reasons.iter().position(|byte| !is_taken(*byte)).unwrap() as u32;
    let taken = reasons.iter().position(|byte| is_taken(*byte)).unwrap() as u32;

    let frozen = session.freeze("before", &NEVER).unwrap();
    assert_eq!(frozen.selected, 40);
    let nothing = SelectionPlan { budget: Budget::Samples(0), ..plan };
    assert!(session.select_as(&nothing, "nothing", &NEVER).unwrap_err().what.contains("no sample"));
    assert!(session.replay("before", &NEVER).unwrap());
    session
        .curate(&paser_protocol::Edit::new(paser_protocol::EditKind::Pin { rows: vec![left_out] }, "wanted"))
        .unwrap();
    let totals = || {
        let clusters = session.view().clusters;
        let sum = |of: fn(&paser_protocol::ClusterView) -> u64| clusters.iter().map(of).sum::<u64>();
        [sum(|c| c.eligible), sum(|c| c.eligible_tokens), sum(|c| c.pinned), sum(|c| c.pinned_tokens)]
    };
    let [eligible, eligible_tokens, pinned, pinned_tokens] = totals();
    assert_eq!((eligible, pinned), (400, 1));
    session.curate(&paser_protocol::Edit::new(paser_protocol::EditKind::Exclude { rows: vec![taken] }, "bad")).unwrap();
    let after = totals();
    assert_eq!((after[0], after[2], after[3]), (399, 1, pinned_tokens));
    assert!(after[1] < eligible_tokens);
    let view = session.select(&plan, &NEVER).unwrap();
    let reasons = session.column(&view.reason_column).unwrap();
    assert_eq!(ReasonCode::from_byte(reasons[left_out as usize]), Some(ReasonCode::Pinned));
    assert_eq!(ReasonCode::from_byte(reasons[taken as usize]), Some(ReasonCode::Excluded));
    assert!(session.replay("before", &NEVER).unwrap_err().what.contains("curation"));
    session.undo().unwrap();
    session.undo().unwrap();
    assert!(session.replay("before", &NEVER).unwrap());
    session.redo().unwrap();
    session.freeze("after", &NEVER).unwrap();
    assert!(session.freeze("after", &NEVER).unwrap_err().what.contains("already"));
    let comparison = session.compare(&["before".to_owned(), "after".to_owned()], &NEVER).unwrap();
    assert!(comparison.overlaps[0].shared >= 30 && comparison.overlaps[0].shared < 40);

    let exported =
        session.export(Some("after"), &Part::default(), ExportFormat::AlpacaJsonl, "after.jsonl", &NEVER).unwrap();
    assert_eq!(exported.samples, 40);
    let text = fs_err::read_to_string(&exported.paths[0]).unwrap();
    assert_eq!(text.lines().count(), 40);
    let manifest = fs_err::read_to_string(&exported.paths[1]).unwrap();
    assert!(manifest.contains("pruned model"), "{manifest}");
    let exported = session.export(None, &Part::default(), ExportFormat::AlpacaJson, "now.json", &NEVER).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&fs_err::read(&exported.paths[0]).unwrap()).unwrap();
    assert_eq!(rows.len(), 40);
    let plan_after = session.view().plan;
    drop(session);
    let session = world.open("p");
    assert_eq!(session.view().plan, plan_after);
    assert_eq!(session.view().curation.pinned, [left_out]);
}

#[test]
fn rows_are_found_filtered_and_sorted() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let rows = |query: RowQuery| session.rows(&query).unwrap();
    let sorting = rows(RowQuery { text: "sort words".to_owned(), ..RowQuery::default() });
    assert_eq!(sorting, (0..300).filter(|row| row % 5 == 3).collect::<Vec<u32>>());
    let by_damage = rows(RowQuery { sort: "jsd".to_owned(), descending: true, ..RowQuery::default() });
    assert_eq!(by_damage.len(), 300);
    let column = session.view().columns.into_iter().find(|column| column.name == "jsd").unwrap();
    let jsd = paser_protocol::decode_f32(&session.column(&column.key).unwrap());
    assert!(by_damage.windows(2).all(|pair| jsd[pair[0] as usize] >= jsd[pair[1] as usize]));
    let brushed = RowQuery { rows: Some(vec![5, 9, 2]), sort: "weight".to_owned(), ..RowQuery::default() };
    assert_eq!(session.rows(&brushed).unwrap_err().failure, Failure::Usage);
    assert_eq!(rows(RowQuery { sort: "id".to_owned(), ..brushed }).len(), 3);
    let capability = RowQuery { sort: "extra:capability".to_owned(), ..RowQuery::default() };
    assert_eq!(rows(capability)[0] % 5, 0, "arithmetic comes first");
    let cluster = RowQuery { clusters: vec![0], ..RowQuery::default() };
    assert_eq!(rows(cluster).len() as u64, session.view().clusters[0].samples);

    let sample = session.sample(3).unwrap();
    assert_eq!(sample.line, 4);
    assert!(sample.instruction.starts_with("Sort"));
    assert!(sample.values.iter().any(|(label, _, _)| label == "damage (JSD)"));
    let tokens = session.tokens(3).unwrap();
    let text: String = tokens.tokens.iter().map(|token| token.text.as_str()).collect();
    assert!(text.starts_with(&sample.output), "{text:?}");
    let mean = tokens.tokens.iter().map(|token| f64::from(token.jsd)).sum::<f64>() / tokens.tokens.len() as f64;
    assert!((mean - f64::from(jsd[3])).abs() < 1e-6);
    let plan = SelectionPlan { strategy: Strategy::Paser, ..SelectionPlan::default() };
    let conflict = session.select(&plan, &NEVER).unwrap();
    let reasons = session.column(&conflict.reason_column).unwrap();
    let row = reasons.iter().position(|byte| *byte == ReasonCode::Conflict as u8);
    let sample = session.sample(row.expect("the pool has concepts that contradict each other") as u32).unwrap();
    assert_eq!(sample.status, "conflict");
    assert!(sample.blocking.is_some() && sample.why.starts_with("Rejected"));
    assert!(sample.why.contains("nats, has a quota of"), "{}", sample.why);
}

#[test]
fn strategies_that_read_vectors_find_them_and_say_what_they_leave_out() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    for (strategy, word) in [(Strategy::Kcenter, "Farthest first"), (Strategy::InstructionMining, "reward")] {
        let plan = SelectionPlan { strategy, budget: Budget::Samples(40), ..SelectionPlan::default() };
        let view = session.select_as(&plan, strategy.name(), &NEVER).unwrap();
        assert_eq!((view.selected, view.reasons.iter().map(|(_, count)| count).sum::<u64>()), (40, 300));
        assert!(view.notes.iter().any(|note| note.contains(word)), "{:?}", view.notes);
        assert!(session.replay(strategy.name(), &NEVER).unwrap());
    }
    drop(session);
    // What was computed for them is found again.
    let session = Session::open(&world.path("p")).unwrap();
    assert!(session.replay("instruction-mining", &NEVER).unwrap() && session.replay("kcenter", &NEVER).unwrap());
    let kept = fs_err::read_dir(world.path("p/arrays")).unwrap();
    let kept = kept.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("neighbours-"));
    assert_eq!(kept.count(), 2, "arrays and manifest");
    // A recipe that names such a strategy is done once it was run, and is told to be so.
    let recipe = fs_err::read_to_string(world.path("p/recipe.toml")).unwrap();
    let named = recipe.replace("strategy = \"random\"", "strategy = \"kcenter\"");
    assert_ne!(named, recipe);
    fs_err::write(world.path("p/recipe.toml"), named).unwrap();
    run(&session, Stage::Select).unwrap();
    let state = session.view().stages.pop().unwrap().state;
    assert!(matches!(state, StageState::Done { .. }), "{state:?}");
}
