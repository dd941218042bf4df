//! Log-likelihoods against lm-evaluation-harness 0.4.13 (`shared/fixtures/lm-eval`) and against transformers with the
//! rules of 2023 (`tests/golden`).

use std::path::Path;

use paser_eval::{EvalError, Profile, Request, log_likelihoods, rolling_log_likelihoods};
use paser_protocol::{Monitor, Silent};
use serde_json::Value;

use crate::support::{demo, lines, mix, params, shared, text};

fn request(object: &Value) -> Request {
    Request { context: text(object, "context"), continuation: text(object, "continuation") }
}

#[test]
fn every_pair_is_as_likely_as_the_harness_says() {
    let (Some(model), Some(folder)) = (mix(), shared("fixtures/lm-eval")) else { return };
    for (file, count) in [("loglikelihood.jsonl", 1599), ("edge_cases.jsonl", 9)] {
        let golden = lines(&folder.join(file));
        assert_eq!(golden.len(), count, "{file}");
        let requests: Vec<Request> = golden.iter().map(request).collect();
        let found =
            log_likelihoods(model.subject(), &requests, Profile::LmEvalCurrent, &params(2, 1024), &Silent).unwrap();
        let mut worst = 0.0_f64;
        for (number, (found, golden)) in found.iter().zip(&golden).enumerate() {
            let off = (found.log_likelihood - golden["loglikelihood"].as_f64().unwrap()).abs();
            assert!(off < 1e-3, "{file}, line {}: off by {off}", number + 1);
            assert_eq!(found.is_greedy, golden["is_greedy"].as_bool().unwrap(), "{file}, line {}", number + 1);
            worst = worst.max(off);
        }
        eprintln!("{file}: at most {worst:.1e} off");
    }
}

#[test]
fn whole_texts_are_as_likely_as_the_harness_says() {
    let (Some(model), Some(folder)) = (mix(), shared("fixtures/lm-eval")) else { return };
    for file in ["rolling.jsonl", "rolling_long.jsonl"] {
        let golden = lines(&folder.join(file));
        let texts: Vec<String> = golden.iter().map(|golden| text(golden, "text")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = rolling_log_likelihoods(model.subject(), &texts, Profile::LmEvalCurrent, &params(2, 1024), &Silent)
            .unwrap();
        for (number, (found, golden)) in found.iter().zip(&golden).enumerate() {
            let off = (found.log_likelihood - golden["loglikelihood"].as_f64().unwrap()).abs();
            assert!(off < 1e-3, "{file}, line {}: off by {off}", number + 1);
        }
    }
}

#[test]
fn the_rules_of_2023_give_what_transformers_gives_without_special_tokens() {
    let (Some(model), Some(folder)) = (mix(), shared("fixtures/lm-eval")) else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/llm_pruner_2023.json");
    let golden: Value = serde_json::from_slice(&fs_err::read(golden).unwrap()).unwrap();
    for (file, golden) in golden.as_object().unwrap() {
        let all: Vec<Request> = lines(&folder.join(file)).iter().map(request).collect();
        let golden = golden.as_array().unwrap();
        let at = |golden: &Value| golden["line"].as_u64().unwrap() as usize - 1;
        let requests: Vec<Request> = golden.iter().map(|golden| all[at(golden)].clone()).collect();
        let found =
            log_likelihoods(model.subject(), &requests, Profile::LlmPruner2023, &params(2, 1024), &Silent).unwrap();
        assert!(found.len() >= 9);
        for (found, golden) in found.iter().zip(golden) {
            let off = (found.log_likelihood - golden["log_likelihood"].as_f64().unwrap()).abs();
            assert!(off < 1e-3, "{file}, line {}: off by {off}", at(golden) + 1);
            assert_eq!(found.tokens as u64, golden["tokens"].as_u64().unwrap(), "{file}, line {}", at(golden) + 1);
            assert_eq!(found.is_greedy, golden["is_greedy"].as_bool().unwrap(), "{file}, line {}", at(golden) + 1);
        }
    }
}

/// Requests with shared and own contexts.
fn some_requests() -> Vec<Request> {
    let contexts = ["What is 2 + 3?", "Sort these: 3 1 2", "What is 2 + 3?", "A", "What is 7 + 1?"];
    let continuations = [" 5", " 1 2 3", " five of them", " b c d e f", " x"];
    let each =
        contexts.iter().flat_map(|context| continuations.iter().map(move |continuation| (context, continuation)));
    each.map(|(context, continuation)| Request { context: (*context).into(), continuation: (*continuation).into() })
        .collect()
}

#[test]
fn threads_change_nothing_and_batches_only_rounding() {
    let model = demo();
    let requests = some_requests();
    for profile in Profile::ALL {
        let values = |threads, tokens| {
            let params = params(threads, tokens);
            log_likelihoods(model.subject(), &requests, profile, &params, &Silent).unwrap()
        };
        let one = values(1, 64);
        assert_eq!(one, values(3, 64));
        for (one, other) in one.iter().zip(values(2, 8)) {
            assert!((one.log_likelihood - other.log_likelihood).abs() < 1e-4);
            assert_eq!((one.tokens, one.is_greedy), (other.tokens, other.is_greedy));
        }
        assert_eq!(one[..5], one[10..15], "the same requests elsewhere");
    }
}

#[test]
fn a_continuation_that_melts_into_the_context_is_named() {
    let Some(model) = mix() else { return };
    let request = |context: &str, continuation: &str| Request {
        context: context.to_owned(),
        continuation: continuation.to_owned(),
    };
    let requests = [request("Answer:", " yes"), request("It is tr", "ue")];
    let refused = log_likelihoods(model.subject(), &requests, Profile::LmEvalCurrent, &params(1, 64), &Silent);
    let message = refused.unwrap_err().to_string();
    assert!(message.starts_with("request 1: nothing of the continuation is left"), "{message}");
    assert!(message.contains("\"It is tr\"") && message.contains("\"ue\""), "{message}");
    let separately = log_likelihoods(model.subject(), &requests, Profile::LlmPruner2023, &params(1, 64), &Silent);
    assert!(separately.unwrap()[1].tokens > 0);
}

#[test]
fn a_stop_and_a_setting_of_zero_are_errors() {
    struct Stopped;
    impl Monitor for Stopped {
        fn progress(&self, _: u64, _: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let model = demo();
    let requests = some_requests();
    let stopped = log_likelihoods(model.subject(), &requests, Profile::LmEvalCurrent, &params(1, 64), &Stopped);
    assert!(matches!(stopped, Err(EvalError::Cancelled)));
    let zero = log_likelihoods(model.subject(), &requests, Profile::LmEvalCurrent, &params(0, 64), &Silent);
    assert!(zero.unwrap_err().to_string().contains("threads"));
    assert!(Profile::from_name("lm-eval").unwrap_err().to_string().contains("llm-pruner-2023"));
    assert_eq!(Profile::from_name("llm-pruner-2023").unwrap(), Profile::LlmPruner2023);
}
