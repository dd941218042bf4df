//! The real pair of `shared/models` against the golden values of `shared/fixtures/jsd` (computed with torch), and what
//! must not change a score: threads, batches, swapping the models.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use paser_model::{Checkpoint, Decoder};
use paser_protocol::{Monitor, Silent};
use paser_score::{Item, SampleScore, ScoreError, ScoreParams, score, score_tokens};
use serde_json::Value;
use tokenizers::Tokenizer;

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let found = folder.join("models/mix-llama-5m/model.safetensors").exists();
    if !found {
        eprintln!("skipped: no shared models under {}", folder.display());
    }
    found.then_some(folder)
}

fn load(name: &str) -> Decoder {
    let folder = shared().unwrap().join("models").join(name);
    Decoder::load(&Checkpoint::open(&folder).unwrap()).unwrap()
}

struct Sample {
    ids: Vec<u32>,
    prompt_tokens: u32,
    sample_tokens: u32,
    golden: Value,
}

impl Sample {
    fn item(&self, row: usize) -> Item<'_> {
        Item {
            row: row as u32,
            ids: &self.ids,
            prompt_tokens: self.prompt_tokens,
            response_tokens: self.ids.len() as u32 - self.prompt_tokens,
            sample_tokens: self.sample_tokens,
        }
    }
}

/// The 159 samples with golden values, tokenised as `shared/fixtures/README.md` pins it.
fn samples() -> Option<Vec<Sample>> {
    const WITH_INPUT: &str = "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
    const WITHOUT: &str = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n";
    let shared = shared()?;
    let tokenizer = Tokenizer::from_file(shared.join("models/mix-llama-5m/tokenizer.json")).unwrap();
    let encode = |text: &str, special: bool| tokenizer.encode(text, special).unwrap().get_ids().to_vec();
    let lines = |path: PathBuf| -> Vec<Value> {
        let text = fs_err::read_to_string(path).unwrap();
        text.split('\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let pool: HashMap<u64, Value> = lines(shared.join("data/recovery_mix.jsonl"))
        .into_iter()
        .map(|sample| (sample["id"].as_u64().unwrap(), sample))
        .collect();
    let golden = lines(shared.join("fixtures/jsd/expected.jsonl"));
    let samples = golden.into_iter().map(|golden| {
        let sample = &pool[&golden["id"].as_u64().unwrap()];
        let [instruction, input, output] = ["instruction", "input", "output"].map(|key| sample[key].as_str().unwrap());
        let template = if input.is_empty() { WITHOUT } else { WITH_INPUT };
        let mut ids = encode(&template.replace("{instruction}", instruction).replace("{input}", input), false);
        ids.insert(0, 0);
        let prompt_tokens = ids.len() as u32;
        ids.extend(encode(output, false));
        ids.push(1);
        let text = if input.is_empty() { instruction.to_owned() } else { format!("{instruction}\n{input}") };
        Sample { ids, prompt_tokens, sample_tokens: encode(&text, false).len() as u32, golden }
    });
    Some(samples.collect())
}

fn params(threads: usize) -> ScoreParams {
    ScoreParams { threads, vocabulary: 4096, tau: vec![0.5, 1.0, 2.0], ..ScoreParams::default() }
}

#[test]
fn every_golden_value_of_the_real_pair() {
    let Some(samples) = samples() else { return };
    let (dense, pruned) = (load("mix-llama-5m"), load("mix-llama-5m-magnitude70"));
    let items: Vec<Item<'_>> = samples.iter().enumerate().map(|(row, sample)| sample.item(row)).collect();
    assert_eq!(items.len(), 159);
    let scores = score(&dense, &pruned, &items, &params(2), &Silent).unwrap();
    let mut worst = 0f64;
    for (sample, score) in samples.iter().zip(&scores) {
        let golden = |key: &str| sample.golden[key].as_f64().unwrap();
        let id = &sample.golden["id"];
        assert_eq!(f64::from(score.prompt_tokens), golden("prompt_tokens"), "{id}");
        assert_eq!(f64::from(score.response_tokens), golden("response_tokens"), "{id}");
        let first3: Vec<f64> =
            sample.golden["jsd_first3"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        for (name, got, expected) in [
            ("jsd", score.jsd, golden("jsd")),
            ("first", score.jsd_first, first3[0]),
            ("first three", score.jsd_first3, first3.iter().sum::<f64>() / first3.len() as f64),
            ("loss dense", score.loss_dense, golden("loss_dense")),
            ("loss pruned", score.loss_pruned, golden("loss_pruned")),
            ("kl", score.kl_dense_pruned, golden("kl_dense_pruned")),
            ("top 1", score.top1_agreement, golden("top1_agree")),
        ] {
            assert!((got - expected).abs() <= 1e-5, "{id}: {name} {got}, golden {expected}");
            worst = worst.max((got - expected).abs());
        }
        assert_eq!(score.jsd.to_bits(), score.jsd_at_tau[1].to_bits(), "{id}: tau 1 is the score itself");
    }
    eprintln!("largest deviation from the golden values: {worst:.1e}");
}

#[test]
fn token_values_add_up_to_the_sample_and_match_the_golden_first_three() {
    let Some(samples) = samples() else { return };
    let (dense, pruned) = (load("mix-llama-5m"), load("mix-llama-5m-magnitude70"));
    for sample in samples.iter().step_by(16) {
        let item = sample.item(5);
        let whole = &score(&dense, &pruned, &[item], &params(1), &Silent).unwrap()[0];
        let tokens = score_tokens(&dense, &pruned, &item, 4096).unwrap();
        assert_eq!(tokens.len(), item.response_tokens as usize);
        for (token, golden) in tokens.iter().zip(sample.golden["jsd_first3"].as_array().unwrap()) {
            assert!((token.jsd - golden.as_f64().unwrap()).abs() <= 1e-5);
        }
        let mean =
            |value: fn(&paser_score::TokenScore) -> f64| tokens.iter().map(value).sum::<f64>() / tokens.len() as f64;
        assert!((mean(|token| token.jsd) - whole.jsd).abs() < 1e-6);
        assert!((mean(|token| token.loss_dense) - whole.loss_dense).abs() < 1e-5);
        let agree = tokens.iter().filter(|token| token.likely_dense[0].id == token.likely_pruned[0].id).count();
        assert!((agree as f64 / tokens.len() as f64 - whole.top1_agreement).abs() < 1e-12);
        assert_eq!(tokens.last().unwrap().id, 1, "the end token is scored");
    }
}

fn bytes(scores: &[SampleScore]) -> String {
    serde_json::to_string(scores).unwrap()
}

#[test]
fn threads_change_no_byte_and_batches_only_rounding() {
    let Some(samples) = samples() else { return };
    let (dense, pruned) = (load("mix-llama-5m"), load("mix-llama-5m-magnitude70"));
    let items: Vec<Item<'_>> = samples.iter().enumerate().take(24).map(|(row, sample)| sample.item(row)).collect();
    let one = score(&dense, &pruned, &items, &params(1), &Silent).unwrap();
    for threads in [2, 3] {
        assert_eq!(bytes(&one), bytes(&score(&dense, &pruned, &items, &params(threads), &Silent).unwrap()));
    }
    for (tokens_per_batch, head_chunk) in [(1, 1), (300, 7), (100_000, 100_000)] {
        let params = ScoreParams { tokens_per_batch, head_chunk, ..params(2) };
        for (a, b) in one.iter().zip(score(&dense, &pruned, &items, &params, &Silent).unwrap()) {
            assert_eq!((a.row, a.top1_agreement), (b.row, b.top1_agreement));
            // losses and KL carry ten times the rounding of the f32 forward that the divergence does
            let fields = [(a.jsd, b.jsd, 1e-6), (a.ies, b.ies, 1e-6), (a.loss_pruned, b.loss_pruned, 1e-5)];
            for (a, b, within) in fields.into_iter().chain([(a.kl_dense_pruned, b.kl_dense_pruned, 1e-5)]) {
                assert!((a - b).abs() < within, "{a} and {b} at {tokens_per_batch} tokens a batch");
            }
        }
    }
}

#[test]
fn equal_models_give_exactly_zero_and_swapped_models_the_same_bits() {
    let Some(samples) = samples() else { return };
    let (dense, pruned) = (load("mix-llama-5m"), load("mix-llama-5m-magnitude70"));
    let items: Vec<Item<'_>> = samples.iter().enumerate().take(12).map(|(row, sample)| sample.item(row)).collect();
    for score in score(&dense, &dense, &items, &params(2), &Silent).unwrap() {
        assert_eq!((score.jsd, score.ies, score.kl_dense_pruned, score.kl_pruned_dense), (0.0, 0.0, 0.0, 0.0));
        assert_eq!((score.top1_agreement, score.loss_dense), (1.0, score.loss_pruned));
        assert_eq!(score.jsd_at_tau, [0.0; 3]);
    }
    let there = score(&dense, &pruned, &items, &params(2), &Silent).unwrap();
    for (there, back) in there.iter().zip(score(&pruned, &dense, &items, &params(2), &Silent).unwrap()) {
        assert_eq!(there.jsd.to_bits(), back.jsd.to_bits());
        assert_eq!(there.loss_dense.to_bits(), back.loss_pruned.to_bits());
        assert_eq!(there.kl_dense_pruned.to_bits(), back.kl_pruned_dense.to_bits());
    }
}

/// Cancels after a number of tokens.
struct Until(AtomicU64, u64);

impl Monitor for Until {
    fn progress(&self, done: u64, _total: u64) {
        self.0.fetch_max(done, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= self.1
    }
}

#[test]
fn progress_counts_every_token_and_cancel_stops_the_pass() {
    let Some(samples) = samples() else { return };
    let (dense, pruned) = (load("mix-llama-5m"), load("mix-llama-5m-magnitude70"));
    let items: Vec<Item<'_>> = samples.iter().enumerate().take(20).map(|(row, sample)| sample.item(row)).collect();
    let total: u64 = items.iter().map(|item| item.ids.len() as u64).sum();
    let whole = Until(AtomicU64::new(0), u64::MAX);
    score(&dense, &pruned, &items, &params(2), &whole).unwrap();
    assert_eq!(whole.0.load(Ordering::Relaxed), total);
    let early = Until(AtomicU64::new(0), 1500);
    assert!(matches!(score(&dense, &pruned, &items, &params(2), &early), Err(ScoreError::Cancelled)));
    assert!(early.0.load(Ordering::Relaxed) < total);
}

#[test]
fn a_sample_that_cannot_be_scored_is_named() {
    let Some(samples) = samples() else { return };
    let dense = load("mix-llama-5m");
    let good = samples[0].item(41);
    let message = |item: Item<'_>, vocabulary| {
        let params = ScoreParams { vocabulary, ..params(1) };
        score(&dense, &dense, &[item], &params, &Silent).unwrap_err().to_string()
    };
    assert!(message(Item { prompt_tokens: 0, ..good }, 4096).contains("row 41"));
    assert!(message(Item { response_tokens: 1, ..good }, 4096).contains("row 41"));
    assert!(message(good, 100).contains("outside the tokenizer's 100 entries"));
    assert!(message(good, 5000).contains("4096 logits but the tokenizer has 5000"));
    assert!(message(good, 0).contains("vocabulary"));
    let none: &[Item<'_>] = &[];
    assert!(score(&dense, &dense, none, &params(2), &Silent).unwrap().is_empty());
}
