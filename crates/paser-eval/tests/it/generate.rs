//! Generation together against generation one by one and against the plain definition; stops, limits, refusals.

use std::sync::atomic::{AtomicU64, Ordering};

use paser_eval::{Ended, EvalError, GenerateParams, Generation, generate};
use paser_protocol::{Monitor, Silent};

use crate::support::{Loaded, demo, lines, mix, text};

/// Prompts of the demo's kind: of several lengths, with one beginning.
fn prompts(model: &Loaded, count: usize) -> Vec<Vec<u32>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../paser-demo/assets/tests.jsonl");
    lines(std::path::Path::new(path))
        .iter()
        .take(count)
        .map(|item| {
            let input = text(item, "input");
            let user = if input.is_empty() {
                text(item, "instruction")
            } else {
                format!("{}\n {input}", text(item, "instruction"))
            };
            model.raw.encode(format!("<s>{user}<|assistant|>"), false).unwrap().get_ids().to_vec()
        })
        .collect()
}

fn params(together: usize, threads: usize, max_tokens: usize) -> GenerateParams {
    GenerateParams { max_tokens, stops: Vec::new(), together, threads }
}

/// The likeliest token after the whole text so far, again and again.
fn plain(model: &Loaded, prompt: &[u32], most: usize) -> (Vec<u32>, Ended) {
    let (decoder, end) = (&model.decoder, model.raw.token_to_id("</s>").unwrap());
    let mut ids = prompt.to_vec();
    while ids.len() < prompt.len() + most {
        let hidden = decoder.hidden_rows(&[&ids]).unwrap();
        let mut logits = vec![0.0; decoder.spec().vocab];
        decoder.logits_rows(&hidden[hidden.len() - decoder.spec().hidden..], &mut logits);
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a))).unwrap() as u32;
        if best == end {
            return (ids.split_off(prompt.len()), Ended::EndToken);
        }
        ids.push(best);
    }
    (ids.split_off(prompt.len()), Ended::Limit)
}

#[test]
fn writing_together_is_writing_one_by_one() {
    let model = demo();
    let prompts = prompts(&model, 40);
    let write =
        |together, threads| generate(model.subject(), &prompts, &params(together, threads, 40), &Silent).unwrap();
    let found = write(1, 1);
    assert_eq!(found, write(16, 1));
    assert_eq!(found, write(7, 3));
    for (prompt, found) in prompts.iter().zip(&found) {
        assert_eq!((found.ids.clone(), found.ended), plain(&model, prompt, 40));
        assert_eq!(found.text, model.raw.decode(&found.ids, true).unwrap());
    }
    assert!(found.iter().any(|found| found.ended == Ended::EndToken));
    assert!(found.iter().map(|found| found.ids.len()).collect::<std::collections::BTreeSet<_>>().len() > 3);
}

#[test]
fn the_real_model_writes_together_what_it_writes_alone() {
    let Some(model) = mix() else { return };
    let ask = |question: &str| {
        let text = format!(
            "<s>Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{question}\n\n### Response:\n"
        );
        model.raw.encode(text, false).unwrap().get_ids().to_vec()
    };
    let questions =
        ["Name three fruits.", "What is the capital of France?", "Write a poem about rain.", "Why is the sky blue?"];
    let prompts: Vec<Vec<u32>> = questions.into_iter().map(ask).collect();
    let found = generate(model.subject(), &prompts, &params(4, 1, 48), &Silent).unwrap();
    for (prompt, found) in prompts.iter().zip(&found) {
        assert_eq!((found.ids.clone(), found.ended), plain(&model, prompt, 48));
    }
}

#[test]
fn a_stop_string_ends_a_text_before_it_and_the_limit_ends_it_after_its_last_token() {
    let model = demo();
    let prompts = prompts(&model, 12);
    let free = generate(model.subject(), &prompts, &params(12, 1, 40), &Silent).unwrap();
    let (number, long) = free.iter().enumerate().max_by_key(|(_, text)| text.text.chars().count()).unwrap();
    let stop: String = long.text.chars().skip(2).take(2).collect();
    let stopping = GenerateParams { stops: vec!["no such text".to_owned(), stop.clone()], ..params(12, 1, 40) };
    let found = &generate(model.subject(), &prompts, &stopping, &Silent).unwrap()[number];
    assert_eq!((found.ended, found.text.as_str()), (Ended::Stop, &long.text[..long.text.find(&stop).unwrap()]));
    assert!(found.ids.len() <= long.ids.len() && long.ids.starts_with(&found.ids));
    let short = generate(model.subject(), &prompts, &params(12, 1, 1), &Silent).unwrap();
    assert!(short.iter().zip(&free).all(|(short, free)| short.ids[..] == free.ids[..1]));
    assert!(short.iter().all(|short| short.ended == Ended::Limit));
}

#[test]
fn a_prompt_too_long_loses_its_beginning_and_says_so() {
    let model = demo();
    let prompt: Vec<u32> = (0..130).map(|at| 4 + at % 90).collect();
    let whole = generate(model.subject(), std::slice::from_ref(&prompt), &params(1, 1, 8), &Silent).unwrap();
    let last = generate(model.subject(), &[prompt[10..].to_vec()], &params(1, 1, 8), &Silent).unwrap();
    assert_eq!((whole[0].prompt_cut, last[0].prompt_cut), (10, 0));
    assert_eq!(whole[0].ids, last[0].ids);
}

#[test]
fn settings_and_prompts_that_cannot_work_are_named() {
    let model = demo();
    let refused = |prompts: &[Vec<u32>], params: &GenerateParams| {
        generate(model.subject(), prompts, params, &Silent).unwrap_err().to_string()
    };
    let good = vec![vec![1, 5]];
    assert!(refused(&good, &params(1, 1, 128)).contains("context is 128"));
    assert!(refused(&good, &params(0, 1, 8)).contains("together"));
    let empty_stop = GenerateParams { stops: vec![String::new()], ..params(1, 1, 8) };
    assert!(refused(&good, &empty_stop).contains("stops"));
    assert!(refused(&[vec![1], vec![]], &params(1, 1, 8)).starts_with("prompt 1: has no tokens"));
    assert!(refused(&[vec![1], vec![70_000]], &params(1, 1, 8)).starts_with("prompt 1: token id 70000"));
    assert_eq!(generate(model.subject(), &[], &params(1, 1, 8), &Silent).unwrap(), Vec::<Generation>::new());
}

#[test]
fn a_stop_is_heard_between_two_layers() {
    /// Stops when asked for the hundredth time.
    struct Impatient(AtomicU64);
    impl Monitor for Impatient {
        fn progress(&self, _: u64, _: u64) {}
        fn cancelled(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) >= 100
        }
    }
    let model = demo();
    let impatient = Impatient(AtomicU64::new(0));
    let stopped = generate(model.subject(), &prompts(&model, 12), &params(4, 1, 40), &impatient);
    assert!(matches!(stopped, Err(EvalError::Cancelled)));
    assert!(impatient.0.load(Ordering::Relaxed) <= 102);
}
