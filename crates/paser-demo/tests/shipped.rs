//! The shipped material: the data that the generator gives, thresholds of the dense model, unevenness of
//! the damage.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use paser_demo::assets::{CARD, INPUTS, labels, tests, write_inputs};
use paser_demo::card::{Measured, card, unevenness};
use paser_demo::damage::damage;
use paser_demo::evaluate::evaluate;
use paser_demo::model::{Shape, read_model};
use paser_demo::pool::{PoolRow, SEED, generate_pool, generate_tests, read_jsonl};
use paser_demo::tasks::Capability;
use paser_demo::tokens::{CHAT_TEMPLATE, EOS, read_tokenizer};

fn shipped(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets")).join(name)
}

#[test]
fn the_shipped_data_is_what_the_generator_gives() {
    let pool = generate_pool(SEED).unwrap();
    let rows: Vec<PoolRow> = read_jsonl(&shipped("pool.jsonl")).unwrap();
    assert_eq!(rows, pool.rows);
    assert_eq!(labels().unwrap(), pool.labels);
    assert_eq!(tests().unwrap(), generate_tests().unwrap());
}

#[test]
fn the_dense_model_answers_at_least_nine_of_ten() {
    for score in evaluate(&shipped("dense"), &tests().unwrap()).unwrap() {
        let wanted = match score.capability {
            Capability::Chains | Capability::Code => 0.70,
            _ => 0.90,
        };
        assert_eq!(score.items, 100);
        assert!(score.exact() >= wanted, "{}: {}", score.capability.name(), score.exact());
    }
}

#[test]
fn pruning_hurts_one_capability_three_times_as_much_as_another() {
    let tests = tests().unwrap();
    let dense = evaluate(&shipped("dense"), &tests).unwrap();
    let pruned = evaluate(&shipped("pruned"), &tests).unwrap();
    let (ratio, worst, least) = unevenness(&dense, &pruned);
    assert!(ratio >= 3.0, "worst {worst}, least {least}");
    assert!(worst >= 20.0, "the damage is too small to recover: {worst}");
}

#[test]
fn the_models_have_the_stated_size_and_the_pruned_one_is_sparse() {
    let (shape, dense) = read_model(&shipped("dense")).unwrap();
    let (_, pruned) = read_model(&shipped("pruned")).unwrap();
    assert_eq!(shape, Shape::demo(shape.vocab_size));
    assert!((800_000..=2_000_000).contains(&shape.parameters()));
    let size: usize = INPUTS.iter().filter(|(name, _)| name.starts_with("dense/")).map(|(_, bytes)| bytes.len()).sum();
    assert!(size <= 4 << 20, "{size} bytes");
    for (name, tensor) in &pruned {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        let before: Vec<f32> = dense[name].flatten_all().unwrap().to_vec1().unwrap();
        let zeros = values.iter().filter(|v| **v == 0.0).count() as f64 / values.len() as f64;
        if name.ends_with("_proj.weight") {
            assert!((0.49..=0.66).contains(&zeros), "{name}: {zeros}");
        } else {
            assert_eq!(values, before, "{name} changed");
        }
        let kept = values.iter().zip(&before).all(|(p, d)| *p == 0.0 || p == d);
        assert!(kept, "{name}: a kept weight changed");
    }
}

#[test]
fn the_inputs_are_written_without_labels_and_with_what_arms_are_measured_on() {
    let folder = tempfile::tempdir().unwrap();
    write_inputs(folder.path()).unwrap();
    let tokenizer = read_tokenizer(&folder.path().join("dense")).unwrap();
    assert_eq!(tokenizer.token_to_id("</s>"), Some(EOS));
    let config = fs_err::read_to_string(folder.path().join("dense/tokenizer_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["chat_template"], CHAT_TEMPLATE);
    assert!(!folder.path().join("labels.jsonl").exists());
    assert!(folder.path().join("tests.jsonl").exists());
    assert_eq!(
        fs_err::read(folder.path().join("dense/tokenizer.json")).unwrap(),
        fs_err::read(folder.path().join("pruned/tokenizer.json")).unwrap()
    );
}

/// A section of the card as words.
fn section<'a>(card: &'a str, title: &str) -> Vec<&'a str> {
    let text = card.split("## ").find(|section| section.starts_with(title)).unwrap();
    text.split_whitespace().collect()
}

/// The same word, or numbers that differ by one in their last digit: another machine rounds the models otherwise.
fn agree(shipped: &str, measured: &str) -> bool {
    let number = |word: &str| word.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().ok();
    match (number(shipped), number(measured)) {
        (Some(a), Some(b)) => (a - b).abs() <= if shipped.contains('.') { 0.011 } else { 1.0 },
        _ => shipped == measured,
    }
}

#[test]
fn the_card_says_what_is_measured() {
    let (dense, pruned) = (shipped("dense"), shipped("pruned"));
    let pool: Vec<PoolRow> = read_jsonl(&shipped("pool.jsonl")).unwrap();
    let rows: Vec<(&str, &str, &str)> =
        pool.iter().map(|row| (row.instruction.as_str(), row.input.as_str(), row.output.as_str())).collect();
    let measured = card(&Measured {
        parameters: 0,
        training_tokens: 0,
        training_steps: 0,
        resumed: 0,
        dense_development: &[],
        trials: &[],
        chosen: 0.0,
        dense: &evaluate(&dense, &tests().unwrap()).unwrap(),
        pruned: &evaluate(&pruned, &tests().unwrap()).unwrap(),
        labels: &labels().unwrap(),
        damage: &damage(&dense, &pruned, &rows).unwrap(),
    });
    for title in ["Exact match on the tests", "Is the damage rare?", "The pool's noise"] {
        let (shipped, measured) = (section(CARD, title), section(&measured, title));
        assert_eq!(shipped.len(), measured.len(), "{title}");
        let apart: Vec<_> = shipped.iter().zip(&measured).filter(|(a, b)| !agree(a, b)).collect();
        assert!(apart.is_empty(), "{title}: {apart:?}");
    }
}
