//! What must not change a score (threads, batches, swapping the models) on the demo's pair, and the golden values of
//! `shared/fixtures/jsd` (computed with torch) on the real pair of `shared/models`.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use paser_model::{Checkpoint, Decoder};
use paser_protocol::{Monitor, Silent};
use paser_score::{Item, SampleScore, ScoreError, ScoreParams, TokenScore, score, score_tokens};
use serde_json::Value;
use tokenizers::Tokenizer;

fn load(folder: &Path) -> Decoder {
    Decoder::load(&Checkpoint::open(folder).unwrap()).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap();
    text.split('\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(sample: &'a Value, key: &str) -> &'a str {
    sample[key].as_str().unwrap()
}

struct Sample {
    ids: Vec<u32>,
    prompt_tokens: u32,
    sample_tokens: u32,
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

fn items(samples: &[Sample]) -> Vec<Item<'_>> {
    samples.iter().enumerate().map(|(row, sample)| sample.item(row)).collect()
}

/// The pair that ships with the program and the first `count` samples of its pool, in the form of its chat template.
struct Demo {
    dense: Decoder,
    pruned: Decoder,
    samples: Vec<Sample>,
    vocabulary: usize,
}

fn demo(count: usize) -> Demo {
    let assets = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../paser-demo/assets"));
    let tokenizer = Tokenizer::from_file(assets.join("dense/tokenizer.json")).unwrap();
    let encode = |text: &str| tokenizer.encode(text, false).unwrap().get_ids().to_vec();
    let samples = lines(&assets.join("pool.jsonl")).into_iter().take(count).map(|sample| {
        let (instruction, input) = (text(&sample, "instruction"), text(&sample, "input"));
        let user = if input.is_empty() { instruction.to_owned() } else { format!("{instruction}\n{input}") };
        let mut ids = encode(&format!("<s>{}<|assistant|>", user.replace('\n', "\n ")));
        let prompt_tokens = ids.len() as u32;
        ids.extend(encode(text(&sample, "output")));
        ids.push(tokenizer.token_to_id("</s>").unwrap());
        Sample { ids, prompt_tokens, sample_tokens: encode(&user).len() as u32 }
    });
    Demo {
        dense: load(&assets.join("dense")),
        pruned: load(&assets.join("pruned")),
        samples: samples.collect(),
        vocabulary: tokenizer.get_vocab_size(true),
    }
}

impl Demo {
    /// Several batches of these samples for every thread.
    fn params(&self, threads: usize) -> ScoreParams {
        ScoreParams { threads, tokens_per_batch: 256, vocabulary: self.vocabulary, ..ScoreParams::default() }
    }

    /// A sample longer than a chunk of logits: the pool's first answers, one behind the other.
    fn long(&self) -> Sample {
        let mut ids = self.samples[0].ids[..self.samples[0].prompt_tokens as usize].to_vec();
        let answers = self.samples.iter().flat_map(|sample| &sample.ids[sample.prompt_tokens as usize..]);
        ids.extend(answers.take(128 - ids.len()));
        Sample { ids, prompt_tokens: self.samples[0].prompt_tokens, sample_tokens: self.samples[0].sample_tokens }
    }
}

/// `shared`, where it is.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let found = folder.join("models/mix-llama-5m/model.safetensors").exists();
    if !found {
        eprintln!("skipped: no shared models under {}", folder.display());
    }
    found.then_some(folder)
}

/// The real pair.
fn pair(shared: &Path) -> (Decoder, Decoder) {
    (load(&shared.join("models/mix-llama-5m")), load(&shared.join("models/mix-llama-5m-magnitude70")))
}

/// The 159 samples with golden values, tokenised as `shared/fixtures/README.md` pins it.
fn golden(shared: &Path) -> (Vec<Sample>, Vec<Value>) {
    const WITH_INPUT: &str = "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
    const WITHOUT: &str = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:\n";
    let tokenizer = Tokenizer::from_file(shared.join("models/mix-llama-5m/tokenizer.json")).unwrap();
    let encode = |text: &str| tokenizer.encode(text, false).unwrap().get_ids().to_vec();
    let pool: HashMap<u64, Value> = lines(&shared.join("data/recovery_mix.jsonl"))
        .into_iter()
        .map(|sample| (sample["id"].as_u64().unwrap(), sample))
        .collect();
    let golden = lines(&shared.join("fixtures/jsd/expected.jsonl"));
    let samples = golden.iter().map(|golden| {
        let sample = &pool[&golden["id"].as_u64().unwrap()];
        let [instruction, input, output] = ["instruction", "input", "output"].map(|key| text(sample, key));
        let template = if input.is_empty() { WITHOUT } else { WITH_INPUT };
        let mut ids = encode(&template.replace("{instruction}", instruction).replace("{input}", input));
        ids.insert(0, 0);
        let prompt_tokens = ids.len() as u32;
        ids.extend(encode(output));
        ids.push(1);
        let text = if input.is_empty() { instruction.to_owned() } else { format!("{instruction}\n{input}") };
        Sample { ids, prompt_tokens, sample_tokens: encode(&text).len() as u32 }
    });
    (samples.collect(), golden)
}

#[test]
fn every_golden_value_of_the_real_pair() {
    let Some(shared) = shared() else { return };
    let (samples, golden) = golden(&shared);
    let (dense, pruned) = pair(&shared);
    let params = ScoreParams { threads: 2, vocabulary: 4096, ..ScoreParams::default() };
    assert_eq!(samples.len(), 159);
    let scores = score(&dense, &pruned, &items(&samples), &params, &Silent).unwrap();
    let mut worst = 0f64;
    for (golden, score) in golden.iter().zip(&scores) {
        let id = &golden["id"];
        let first3: Vec<f64> = golden["jsd_first3"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let golden = |key: &str| golden[key].as_f64().unwrap();
        assert_eq!(f64::from(score.prompt_tokens), golden("prompt_tokens"), "{id}");
        assert_eq!(f64::from(score.response_tokens), golden("response_tokens"), "{id}");
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
    }
    eprintln!("largest deviation from the golden values: {worst:.1e}");
}

#[test]
fn token_values_match_the_golden_first_three() {
    let Some(shared) = shared() else { return };
    let (samples, golden) = golden(&shared);
    let (dense, pruned) = pair(&shared);
    for (sample, golden) in samples.iter().zip(&golden).step_by(16) {
        let tokens = score_tokens(&dense, &pruned, &sample.item(5), 4096, &Silent).unwrap();
        assert_eq!(tokens.len(), sample.item(5).response_tokens as usize);
        for (token, golden) in tokens.iter().zip(golden["jsd_first3"].as_array().unwrap()) {
            assert!((token.jsd - golden.as_f64().unwrap()).abs() <= 1e-5);
        }
        assert_eq!(tokens.last().unwrap().id, 1, "the end token is scored");
    }
}

#[test]
fn token_values_add_up_to_the_sample() {
    let demo = demo(40);
    let mut samples = vec![demo.long()];
    assert!(samples[0].item(0).response_tokens > 64, "longer than a chunk of logits");
    samples.extend(demo.samples.iter().take(6).map(|sample| Sample { ids: sample.ids.clone(), ..*sample }));
    for (row, sample) in samples.iter().enumerate() {
        let item = sample.item(row);
        let whole = &score(&demo.dense, &demo.pruned, &[item], &demo.params(1), &Silent).unwrap()[0];
        let tokens = score_tokens(&demo.dense, &demo.pruned, &item, demo.vocabulary, &Silent).unwrap();
        assert_eq!(tokens.len(), item.response_tokens as usize);
        let mean = |value: fn(&TokenScore) -> f64| tokens.iter().map(value).sum::<f64>() / tokens.len() as f64;
        assert!((mean(|token| token.jsd) - whole.jsd).abs() < 1e-6);
        assert!((mean(|token| token.loss_dense) - whole.loss_dense).abs() < 1e-5);
        assert!((mean(|token| token.loss_pruned) - whole.loss_pruned).abs() < 1e-5);
        let agree = tokens.iter().filter(|token| token.likely_dense[0].id == token.likely_pruned[0].id).count();
        assert!((agree as f64 / tokens.len() as f64 - whole.top1_agreement).abs() < 1e-12);
        assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), item.ids[item.prompt_tokens as usize..]);
    }
}

/// Responses are cut at their end: what is left keeps its values.
#[test]
fn a_cut_response_keeps_the_values_of_what_is_left() {
    let demo = demo(40);
    let whole = demo.long();
    let tokens =
        |sample: &Sample| score_tokens(&demo.dense, &demo.pruned, &sample.item(0), demo.vocabulary, &Silent).unwrap();
    let all = tokens(&whole);
    for left in [1, 5, 70] {
        let cut = Sample { ids: whole.ids[..whole.prompt_tokens as usize + left].to_vec(), ..whole };
        let some = tokens(&cut);
        assert_eq!(some.len(), left);
        for (some, all) in some.iter().zip(&all) {
            assert_eq!(some.id, all.id);
            assert!((some.jsd - all.jsd).abs() < 1e-6 && (some.loss_pruned - all.loss_pruned).abs() < 1e-5);
        }
    }
}

/// Logits beyond the tokenizer's entries are padding: they take part in no sum.
#[test]
fn logits_beyond_the_vocabulary_are_cut_off() {
    let demo = demo(200);
    let largest = |sample: &Sample| *sample.ids.iter().max().unwrap() as usize;
    let sample = demo.samples.iter().min_by_key(|sample| largest(sample)).unwrap();
    let vocabulary = largest(sample) + 1;
    let params = ScoreParams { vocabulary, ..demo.params(1) };
    let got = &score(&demo.dense, &demo.pruned, &[sample.item(0)], &params, &Silent).unwrap()[0];
    let hidden = demo.pruned.hidden_rows(&[&sample.ids]).unwrap();
    let width = demo.pruned.spec().vocab;
    let mut logits = vec![0.0; sample.ids.len() * width];
    demo.pruned.logits_rows(&hidden, &mut logits);
    let first = sample.prompt_tokens as usize;
    let loss = |entries: usize| {
        let losses = (first..sample.ids.len()).map(|at| {
            let row: Vec<f64> = logits[(at - 1) * width..][..entries].iter().map(|x| f64::from(*x)).collect();
            row.iter().map(|x| x.exp()).sum::<f64>().ln() - row[sample.ids[at] as usize]
        });
        losses.sum::<f64>() / f64::from(got.response_tokens)
    };
    assert!((got.loss_pruned - loss(vocabulary)).abs() < 1e-5, "{} against {}", got.loss_pruned, loss(vocabulary));
    let (whole, cut) = (loss(demo.vocabulary), loss(vocabulary));
    assert!(whole - cut > 1e-4, "too little was cut: {whole} and {cut} at {vocabulary} entries");
}

fn bytes(scores: &[SampleScore]) -> String {
    serde_json::to_string(scores).unwrap()
}

#[test]
fn threads_change_no_byte_and_batches_only_rounding() {
    let demo = demo(120);
    let items = items(&demo.samples);
    let run = |params: &ScoreParams| score(&demo.dense, &demo.pruned, &items, params, &Silent).unwrap();
    let one = run(&demo.params(1));
    for threads in [2, 3] {
        assert_eq!(bytes(&one), bytes(&run(&demo.params(threads))));
    }
    for (tokens_per_batch, head_chunk) in [(1, 1), (300, 7), (100_000, 100_000)] {
        let params = ScoreParams { tokens_per_batch, head_chunk, ..demo.params(2) };
        for (a, b) in one.iter().zip(run(&params)) {
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
    let demo = demo(60);
    let items = items(&demo.samples);
    let run = |dense, pruned| score(dense, pruned, &items, &demo.params(2), &Silent).unwrap();
    for score in run(&demo.dense, &demo.dense) {
        assert_eq!((score.jsd, score.ies, score.kl_dense_pruned, score.kl_pruned_dense), (0.0, 0.0, 0.0, 0.0));
        assert_eq!((score.top1_agreement, score.loss_dense), (1.0, score.loss_pruned));
    }
    let there = run(&demo.dense, &demo.pruned);
    assert!(there.iter().all(|score| score.jsd > 0.0));
    for (there, back) in there.iter().zip(run(&demo.pruned, &demo.dense)) {
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
    let demo = demo(120);
    let items = items(&demo.samples);
    let total: u64 = items.iter().map(|item| item.ids.len() as u64).sum();
    let whole = Until(AtomicU64::new(0), u64::MAX);
    score(&demo.dense, &demo.pruned, &items, &demo.params(2), &whole).unwrap();
    assert_eq!(whole.0.load(Ordering::Relaxed), total);
    let early = Until(AtomicU64::new(0), 600);
    assert!(matches!(score(&demo.dense, &demo.pruned, &items, &demo.params(2), &early), Err(ScoreError::Cancelled)));
    assert!(early.0.load(Ordering::Relaxed) < total);
}

#[test]
fn a_look_at_one_sample_can_be_cancelled_between_its_chunks() {
    let demo = demo(40);
    let long = demo.long();
    let look = |monitor: &Until| score_tokens(&demo.dense, &demo.pruned, &long.item(0), demo.vocabulary, monitor);
    let whole = Until(AtomicU64::new(0), u64::MAX);
    look(&whole).unwrap();
    assert_eq!(whole.0.load(Ordering::Relaxed), u64::from(long.item(0).response_tokens));
    let early = Until(AtomicU64::new(0), 1);
    assert!(matches!(look(&early), Err(ScoreError::Cancelled)));
    assert!(early.0.load(Ordering::Relaxed) < u64::from(long.item(0).response_tokens));
    assert!(matches!(look(&Until(AtomicU64::new(0), 0)), Err(ScoreError::Cancelled)));
}

#[test]
fn a_sample_that_cannot_be_scored_is_named() {
    let demo = demo(1);
    let good = demo.samples[0].item(41);
    let message = |item: Item<'_>, vocabulary| {
        let params = ScoreParams { vocabulary, ..demo.params(1) };
        score(&demo.dense, &demo.dense, &[item], &params, &Silent).unwrap_err().to_string()
    };
    assert!(message(Item { prompt_tokens: 0, ..good }, demo.vocabulary).contains("row 41"));
    assert!(message(Item { response_tokens: 1, ..good }, demo.vocabulary).contains("row 41"));
    assert!(message(good, 3).contains("outside the tokenizer's 3 entries"));
    assert!(message(good, 5000).contains("logits but the tokenizer has 5000"));
    assert!(message(good, 0).contains("vocabulary"));
    let none: &[Item<'_>] = &[];
    assert!(score(&demo.dense, &demo.dense, none, &demo.params(2), &Silent).unwrap().is_empty());
}
