//! Log-likelihoods against lm-evaluation-harness on a real small model (`../shared/fixtures/lm-eval`), perplexities against
//! transformers (`golden/perplexity.json`, made by `golden/perplexity.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use paser_eval::{Asked, EvalError, Profile, Protocol, Request};
use paser_model::{Checkpoint, Decoder};
use paser_protocol::Silent;
use tokenizers::Tokenizer;

struct Model {
    decoder: Decoder,
    tokenizer: Tokenizer,
    shared: PathBuf,
}

impl Model {
    fn load() -> Option<Self> {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
        let folder = shared.join("models/mix-llama-5m");
        if !folder.exists() {
            eprintln!("skipped: {} is not there", folder.display());
            return None;
        }
        let decoder = Decoder::load(&Checkpoint::open(&folder).unwrap()).unwrap();
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
        tokenizer.with_truncation(None).unwrap();
        tokenizer.with_padding(None);
        Some(Self { decoder, tokenizer, shared })
    }

    fn asked(&self) -> Asked<'_> {
        let (decoder, tokenizer) = (&self.decoder, &self.tokenizer);
        Asked { decoder, tokenizer, profile: Profile::LmEvalCurrent, threads: 2 }
    }

    fn lines(&self, file: &str) -> Vec<serde_json::Value> {
        let text = fs_err::read_to_string(self.shared.join("fixtures/lm-eval").join(file)).unwrap();
        text.split('\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn every_line_is_that_of_the_reference_harness() {
    let Some(model) = Model::load() else { return };
    for (file, count) in [("loglikelihood.jsonl", 1599), ("edge_cases.jsonl", 0)] {
        let lines = model.lines(file);
        assert!(lines.len() >= count && !lines.is_empty());
        let text = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap().to_owned();
        let pairs: Vec<(String, String)> =
            lines.iter().map(|line| (text(line, "context"), text(line, "continuation"))).collect();
        let requests: Vec<Request<'_>> =
            pairs.iter().map(|(context, continuation)| Request { context, continuation }).collect();
        let found = model.asked().log_likelihoods(&requests, &Silent).unwrap();
        let mut furthest = 0.0_f64;
        for (line, found) in lines.iter().zip(&found) {
            let off = (found.log_likelihood - line["loglikelihood"].as_f64().unwrap()).abs();
            furthest = furthest.max(off);
            assert!(off < 1e-3, "{line}: {found:?}");
            assert_eq!(Some(found.is_greedy), line["is_greedy"].as_bool(), "{line}: {found:?}");
        }
        eprintln!("{file}: {} lines, furthest {furthest:.1e}", lines.len());
    }
}

#[test]
fn whole_texts_are_those_of_the_reference_harness() {
    let Some(model) = Model::load() else { return };
    for file in ["rolling.jsonl", "rolling_long.jsonl"] {
        let lines = model.lines(file);
        let texts: Vec<&str> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
        let found = model.asked().rolling(&texts, &Silent).unwrap();
        let mut furthest = 0.0_f64;
        for (line, found) in lines.iter().zip(&found) {
            let off = (found - line["loglikelihood"].as_f64().unwrap()).abs();
            furthest = furthest.max(off);
            assert!(off < 1e-3, "{file}: {found} {}", line["loglikelihood"]);
        }
        eprintln!("{file}: {} texts, furthest {furthest:.1e}", lines.len());
    }
}

#[test]
fn a_continuation_that_merges_into_its_context_is_an_error_by_number() {
    let Some(model) = Model::load() else { return };
    let requests = [Request { context: "It is", continuation: " so" }, Request { context: " tr", continuation: "ue" }];
    let refused = model.asked().log_likelihoods(&requests, &Silent).unwrap_err();
    assert!(matches!(refused, EvalError::Request { request: 1, .. }), "{refused}");
}

#[test]
fn perplexities_are_those_of_transformers_by_every_protocol_that_fits() {
    let Some(model) = Model::load() else { return };
    let text = fs_err::read_to_string(model.shared.join("data/eval/wikitext2_test.txt")).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/perplexity.json");
    let golden: serde_json::Value = serde_json::from_slice(&fs_err::read(golden).unwrap()).unwrap();
    let documents: Vec<&str> = text.split('\n').filter(|line| !line.trim().is_empty()).take(400).collect();
    for protocol in Protocol::ALL {
        let found = model.asked().perplexity(protocol, &documents, &Silent);
        if protocol == Protocol::Wikitext2048 {
            let told = found.unwrap_err().to_string();
            assert!(told.contains("windows of 2048") && told.contains("context holds 512"), "{told}");
            continue;
        }
        let found = found.unwrap();
        let expected = golden[protocol.name()].as_f64().unwrap();
        let off = (found.value / expected - 1.0).abs();
        eprintln!("{}: {:.4}, transformers {expected:.4}, off by {:.1e}", protocol.name(), found.value, off);
        assert!(off < 1e-3, "{}: {} {expected}", protocol.name(), found.value);
    }
}
