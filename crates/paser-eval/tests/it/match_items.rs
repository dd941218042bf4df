//! Answer match against greedy decoding one token at a time, and its losses against those of the scoring pass.

use paser_eval::{AnswerItem, answer_match};
use paser_protocol::Silent;
use paser_score::{ScoreParams, Span, losses};

use crate::support::{Loaded, demo, params};

/// Prompts of the demo's kind and answers of several kinds.
fn items(model: &Loaded) -> Vec<(Vec<u32>, Vec<u32>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../paser-demo/assets/tests.jsonl");
    let ids = |text: &str| model.raw.encode(text, false).unwrap().get_ids().to_vec();
    let end = model.raw.token_to_id("</s>").unwrap();
    crate::support::lines(std::path::Path::new(path))
        .iter()
        .take(60)
        .map(|item| {
            let of = |key: &str| crate::support::text(item, key).replace('\n', "\n ");
            let user = if of("input").is_empty() {
                of("instruction")
            } else {
                format!("{}\n {}", of("instruction"), of("input"))
            };
            let mut response = ids(&crate::support::text(item, "output"));
            response.push(end);
            (ids(&format!("<s>{user}<|assistant|>")), response)
        })
        .collect()
}

/// As many likeliest tokens as the answer has, each after those that were written.
fn greedy(model: &Loaded, prompt: &[u32], count: usize) -> Vec<u32> {
    let decoder = &model.decoder;
    let mut ids = prompt.to_vec();
    for _ in 0..count {
        let hidden = decoder.hidden_rows(&[&ids]).unwrap();
        let mut logits = vec![0.0; decoder.spec().vocab];
        decoder.logits_rows(&hidden[hidden.len() - decoder.spec().hidden..], &mut logits);
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a))).unwrap();
        ids.push(best as u32);
    }
    ids.split_off(prompt.len())
}

#[test]
fn an_answer_matches_exactly_when_greedy_decoding_writes_it() {
    let model = demo();
    let mut items = items(&model);
    // The demo's model is right on most of its own items: every second one gets its neighbour's answer.
    for number in (0..items.len() - 1).step_by(2) {
        items[number].1 = items[number + 1].1.clone();
    }
    let asked: Vec<AnswerItem<'_>> = items.iter().map(|(prompt, response)| AnswerItem { prompt, response }).collect();
    let found = answer_match(&model.decoder, &asked, &params(2, 256), &Silent).unwrap();
    for ((prompt, response), found) in items.iter().zip(&found) {
        assert_eq!(found.exact, greedy(&model, prompt, response.len()) == *response);
        assert_eq!(found.exact, found.likeliest == *response);
    }
    let right = found.iter().filter(|found| found.exact).count();
    assert!(right > 0 && right < items.len(), "{right} of {}: both kinds are needed", items.len());
}

#[test]
fn losses_are_those_of_the_scoring_pass() {
    let model = demo();
    let items = items(&model);
    let asked: Vec<AnswerItem<'_>> = items.iter().map(|(prompt, response)| AnswerItem { prompt, response }).collect();
    let found = answer_match(&model.decoder, &asked, &params(1, 100), &Silent).unwrap();
    let whole: Vec<Vec<u32>> = items.iter().map(|(prompt, response)| [&prompt[..], response].concat()).collect();
    let spans: Vec<Span<'_>> =
        whole.iter().zip(&items).map(|(ids, item)| Span { row: 0, ids, from: item.0.len() }).collect();
    let vocabulary = model.decoder.spec().vocab;
    let score = ScoreParams { vocabulary, ..ScoreParams::default() };
    let wanted = losses(&model.decoder, "dense", &spans, &score, &Silent).unwrap();
    for ((found, wanted), (_, response)) in found.iter().zip(wanted).zip(&items) {
        assert!((found.loss - wanted / response.len() as f64).abs() < 1e-4, "{} {wanted}", found.loss);
    }
}

#[test]
fn an_item_without_prompt_or_answer_or_room_is_named() {
    let model = demo();
    let long = vec![5; 130];
    let refused = |prompt: &[u32], response: &[u32]| {
        let items = [AnswerItem { prompt: &[1], response: &[2] }, AnswerItem { prompt, response }];
        answer_match(&model.decoder, &items, &params(1, 64), &Silent).unwrap_err().to_string()
    };
    assert!(refused(&[], &[5]).starts_with("item 1: "));
    assert!(refused(&[5], &[]).starts_with("item 1: "));
    assert!(refused(&[5], &long).contains("context holds 128"));
    assert!(refused(&[5], &[99_999]).contains("token id 99999"));
}
