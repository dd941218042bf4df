//! Perplexity of the real model on WikiText-2 against transformers (`tests/golden/perplexity.json`, made by `make.py`).

use std::path::Path;

use paser_eval::{EvalParams, Perplexity, PerplexityValue, Protocol, perplexity};
use paser_protocol::Silent;
use serde_json::Value;

use crate::support::{Loaded, demo, mix, params, shared};

fn golden(part: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/perplexity.json");
    let mut all: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    all[part].take()
}

/// Within 0.1 %.
fn near(found: f64, golden: &Value, what: &str) {
    let golden = golden.as_f64().unwrap();
    let off = (found / golden - 1.0).abs();
    eprintln!("{what}: {found} and {golden}, {off:.1e} off");
    assert!(off < 1e-3, "{what}: {found}, but transformers gives {golden}");
}

fn check(model: &Loaded, text: &str, golden: &Value, params: &EvalParams) {
    let of = |protocol| perplexity(model.subject(), protocol, text, params, &Silent).unwrap();
    for protocol in [Protocol::LlmPruner128, Protocol::MaxLen] {
        let (found, golden) = (of(protocol), &golden[protocol.name()]);
        assert_eq!(found.windows.len() as u64, golden["windows"].as_u64().unwrap());
        let PerplexityValue::Token { perplexity } = found.value else { panic!("{found:?}") };
        near(perplexity, &golden["perplexity"], protocol.name());
    }
    let (found, golden) = (of(Protocol::LmEvalWikitext), &golden["lm-eval-wikitext"]);
    let total = |count: fn(&paser_eval::WindowSum) -> usize| found.windows.iter().map(count).sum::<usize>() as u64;
    assert_eq!(found.windows.len() as u64, golden["pages"].as_u64().unwrap());
    assert_eq!(total(|window| window.words), golden["words"].as_u64().unwrap());
    assert_eq!(total(|window| window.bytes), golden["bytes"].as_u64().unwrap());
    assert_eq!(total(|window| window.targets), golden["tokens"].as_u64().unwrap());
    let Perplexity { value: PerplexityValue::Text { word_perplexity, byte_perplexity, bits_per_byte }, .. } = found
    else {
        panic!("{found:?}")
    };
    near(word_perplexity, &golden["word_perplexity"], "per word");
    near(byte_perplexity, &golden["byte_perplexity"], "per byte");
    near(bits_per_byte, &golden["bits_per_byte"], "bits per byte");
}

#[test]
fn every_protocol_gives_what_transformers_gives_on_the_first_part_of_wikitext() {
    let (Some(model), Some(path)) = (mix(), shared("data/eval/wikitext2_test.txt")) else { return };
    let golden = golden("part");
    let count = golden["characters"].as_u64().unwrap() as usize;
    let text: String = fs_err::read_to_string(path).unwrap().chars().take(count).collect();
    check(&model, &text, &golden, &params(2, 1024));
}

#[test]
#[ignore = "minutes of two cores; the first part is tried always"]
fn every_protocol_gives_what_transformers_gives_on_all_of_wikitext() {
    let (Some(model), Some(path)) = (mix(), shared("data/eval/wikitext2_test.txt")) else { return };
    check(&model, &fs_err::read_to_string(path).unwrap(), &golden("whole"), &params(2, 1024));
}

#[test]
fn a_window_beyond_the_context_and_a_text_without_a_window_are_refused() {
    let model = demo();
    let refused = |protocol, text: &str| {
        perplexity(model.subject(), protocol, text, &params(1, 256), &Silent).unwrap_err().to_string()
    };
    let message = refused(Protocol::WikiText2At2048, "a text");
    assert!(
        message.contains("2048 tokens") && message.contains("holds 128") && message.contains("maxlen"),
        "{message}"
    );
    assert!(refused(Protocol::MaxLen, "a text").contains("too short"));
    assert!(refused(Protocol::LmEvalWikitext, " \n").contains("too short"));
    assert!(Protocol::from_name("ppl").unwrap_err().to_string().contains("llm-pruner-128"));
}
