//! Golden logits of transformers for every family, both configuration styles; invariances of the forward pass on small
//! models of every family and on the demo's.

use std::path::Path;

use paser_model::{Checkpoint, Decoder, ModelError, RopeScaling};
use safetensors::SafeTensors;
use serde_json::json;

use crate::support::{demo, shared};
use crate::tiny::{Tiny, VOCAB};

const FAMILIES: [&str; 7] = [
    "llama-mha-untied",
    "llama-gqa-tied",
    "llama31-rope",
    "mistral-headdim",
    "mistral-sliding",
    "qwen2-bias-tied",
    "qwen3-qknorm",
];

struct Expected {
    ids: Vec<Vec<u32>>,
    logits: Vec<f32>,
}

fn expected(dir: &Path) -> Expected {
    let bytes = fs_err::read(dir.join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let ids = file.tensor("input_ids").unwrap();
    let all: Vec<u32> = ids.data().as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as u32).collect();
    let logits = file.tensor("logits").unwrap();
    Expected {
        ids: all.chunks(ids.shape()[1]).map(<[u32]>::to_vec).collect(),
        logits: logits.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |max, value| if value > max || value.is_nan() { value } else { max })
}

/// The fixture's folder, or a copy whose `config.json` has the older keys.
fn open(dir: &Path, older: bool) -> Checkpoint {
    if !older {
        return Checkpoint::open(dir).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    fs_err::copy(dir.join("config.v4.json"), copy.path().join("config.json")).unwrap();
    fs_err::copy(dir.join("model.safetensors"), copy.path().join("model.safetensors")).unwrap();
    Checkpoint::open(copy.path()).unwrap()
}

#[test]
fn logits_match_transformers_in_both_configuration_styles() {
    for family in FAMILIES {
        let Some(dir) = shared(&format!("fixtures/hf-logits/{family}")) else { return };
        let expected = expected(&dir);
        let mut hashes = Vec::new();
        for older in [false, true] {
            let checkpoint = open(&dir, older);
            let decoder = Decoder::load(&checkpoint).unwrap();
            let sequences: Vec<&[u32]> = expected.ids.iter().map(Vec::as_slice).collect();
            let hidden = decoder.hidden_rows(&sequences).unwrap();
            let mut logits = vec![0.0; expected.logits.len()];
            decoder.logits_rows(&hidden, &mut logits);
            let difference = largest_difference(&logits, &expected.logits);
            assert!(difference < 2e-4, "{family}, older keys {older}: off by {difference}");
            let assumed: Vec<&str> =
                checkpoint.spec().assumed.iter().map(|assumption| assumption.field.as_str()).collect();
            let allowed: &[&str] = if family == "qwen2-bias-tied" { &["head_dim"] } else { &[] };
            assert_eq!(assumed, allowed, "{family}");
            hashes.push(checkpoint.content_hash().unwrap());
        }
        assert_eq!(hashes[0], hashes[1], "{family}: the style of the keys is no content");
    }
}

/// A small model of every family, and the demo's.
fn models() -> Vec<(&'static str, Decoder)> {
    let load = |tiny: Tiny| {
        let dir = tempfile::tempdir().unwrap();
        tiny.write(dir.path());
        Decoder::load(&Checkpoint::open(dir.path()).unwrap()).unwrap()
    };
    let llama3 = json!({
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16
    });
    vec![
        ("llama", load(Tiny::llama())),
        ("llama 3 rope", load(Tiny::llama().set("rope_parameters", llama3))),
        ("mistral", load(Tiny::mistral())),
        ("qwen2", load(Tiny::qwen2())),
        ("qwen3", load(Tiny::qwen3())),
        ("the demo", Decoder::load(&Checkpoint::open(&demo("dense")).unwrap()).unwrap()),
    ]
}

/// Two sequences of 24 tokens that every model of [`models`] knows.
fn two_sequences() -> [Vec<u32>; 2] {
    [7, 11].map(|start| (0..24_u32).map(|t| (start + 5 * t + t * t) % VOCAB as u32).collect())
}

#[test]
fn mixed_lengths_give_what_single_runs_give() {
    let [ids, _] = two_sequences();
    for (family, decoder) in models() {
        let mixed: [&[u32]; 5] = [&ids[..5], &ids, &ids[..1], &[], &ids[3..20]];
        let together = decoder.hidden_rows(&mixed).unwrap();
        let alone: Vec<f32> = mixed.iter().flat_map(|sequence| decoder.hidden_rows(&[sequence]).unwrap()).collect();
        assert_eq!(together.len(), (5 + 24 + 1 + 17) * decoder.spec().hidden);
        assert!(largest_difference(&together, &alone) < 1e-5, "{family}");
    }
}

#[test]
fn shared_beginnings_and_tails_give_what_whole_sequences_give() {
    let [ids, other] = &two_sequences();
    let spliced = [&ids[..15], &other[15..22]].concat();
    let sequences: Vec<&[u32]> = vec![ids, &spliced, other, &ids[..17], ids, &[], &other[..1]];
    for (family, decoder) in models() {
        let width = decoder.spec().hidden;
        for from in [[20, 15, 3, 16, 24, 0, 0], [0; 7], [12, 12, 12, 12, 12, 0, 1]] {
            let (tails, places) = decoder.hidden_tails(&sequences, &from, &|| false).unwrap();
            assert_eq!(tails.len(), places.iter().map(|rows| rows.len()).sum::<usize>() * width);
            for ((sequence, from), rows) in sequences.iter().zip(from).zip(places) {
                let whole = decoder.hidden_rows(&[sequence]).unwrap();
                assert_eq!(rows.len(), sequence.len() - from);
                let difference =
                    largest_difference(&tails[rows.start * width..rows.end * width], &whole[from * width..]);
                assert!(difference < 1e-5, "{family}, from {from}: off by {difference}");
            }
        }
        assert!(matches!(decoder.hidden_tails(&sequences, &[0; 7], &|| true), Err(ModelError::Cancelled)));
    }
}

#[test]
fn reading_on_gives_what_whole_sequences_give() {
    let [ids, _] = two_sequences();
    for (family, decoder) in models() {
        let (width, vocab) = (decoder.spec().hidden, decoder.spec().vocab);
        let whole = decoder.hidden_rows(&[&ids]).unwrap();
        let mut expected = vec![0.0; ids.len() * vocab];
        decoder.logits_rows(&whole, &mut expected);
        for pieces in [vec![24], vec![1; 24], vec![9, 1, 1, 1, 7, 5], vec![23, 1]] {
            let mut past = decoder.past(24);
            let mut read = 0;
            for piece in pieces {
                let next = &ids[read..read + piece];
                assert!(matches!(decoder.read_on(&mut past, next, &|| true), Err(ModelError::Cancelled)));
                let last = decoder.read_on(&mut past, next, &|| false).unwrap();
                read += piece;
                assert_eq!((last.len(), past.tokens()), (width, read));
                let mut logits = vec![0.0; vocab];
                decoder.logits_rows(&last, &mut logits);
                let difference = largest_difference(&logits, &expected[(read - 1) * vocab..read * vocab]);
                assert!(difference < 1e-4, "{family}, {read} tokens: off by {difference}");
            }
            let full = decoder.read_on(&mut past, &[1], &|| false);
            assert!(matches!(full, Err(ModelError::TooLong { length: 25, context: 24, .. })), "{full:?}");
        }
        let mut past = decoder.past(usize::MAX);
        let unknown = decoder.read_on(&mut past, &[vocab as u32], &|| false);
        assert!(matches!(unknown, Err(ModelError::TokenOutOfRange { .. })) && past.tokens() == 0);
    }
}

#[test]
fn sequences_that_step_together_and_clones_give_what_each_gives_alone() {
    let [ids, other] = &two_sequences();
    let go = || false;
    for (family, decoder) in models() {
        let width = decoder.spec().hidden;
        let whole = [ids, other].map(|ids| decoder.hidden_rows(&[ids]).unwrap());
        let near = |found: &[f32], of: usize, tokens: usize| {
            let difference = largest_difference(found, &whole[of][(tokens - 1) * width..tokens * width]);
            assert!(difference < 1e-5, "{family}, sequence {of}, {tokens} tokens: off by {difference}");
        };
        let (mut first, mut second) = (decoder.past(24), decoder.past(24));
        decoder.read_on_together(&mut [&mut first, &mut second], &[&ids[..9], &other[..2]], &go).unwrap();
        let mut clone = first.clone();
        let stopped = decoder.read_on_together(&mut [&mut first, &mut second], &[&[1, 2, 3], &[4]], &|| true);
        assert!(matches!(stopped, Err(ModelError::Cancelled)));
        let mut together = [&mut second, &mut first, &mut clone];
        let last = decoder.read_on_together(&mut together, &[&other[2..5], &ids[9..10], &ids[9..13]], &go).unwrap();
        near(&last[..width], 1, 5);
        near(&last[width..2 * width], 0, 10);
        near(&last[2 * width..], 0, 13);
        let full = decoder.read_on_together(&mut [&mut first, &mut second], &[&[1], &[1; 20]], &go);
        assert!(matches!(full, Err(ModelError::TooLong { sequence: 1, length: 25, context: 24 })), "{full:?}");
        assert_eq!((first.tokens(), second.tokens()), (10, 5));
    }
}

#[test]
fn later_tokens_do_not_reach_back() {
    let dir = tempfile::tempdir().unwrap();
    Tiny::llama().write(dir.path());
    let decoder = Decoder::load(&Checkpoint::open(dir.path()).unwrap()).unwrap();
    let (a, b) = ([3, 5, 7, 9, 2], [3, 5, 7, 20, 21]);
    let (a, b) = (decoder.hidden_rows(&[&a]).unwrap(), decoder.hidden_rows(&[&b]).unwrap());
    let width = decoder.spec().hidden;
    assert!(largest_difference(&a[..3 * width], &b[..3 * width]) < 1e-6);
    assert!(largest_difference(&a[3 * width..], &b[3 * width..]) > 1e-3);
}

#[test]
fn shards_and_threads_change_nothing() {
    let (single, sharded) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tiny = Tiny::llama();
    tiny.write(single.path());
    tiny.write_sharded(sharded.path());
    let (a, b) = (Checkpoint::open(single.path()).unwrap(), Checkpoint::open(sharded.path()).unwrap());
    assert_eq!(a.content_hash().unwrap(), b.content_hash().unwrap());
    let (a, b) = (Decoder::load(&a).unwrap(), Decoder::load(&b).unwrap());
    let sequences: [&[u32]; 2] = [&[1, 2, 3, 4, 5, 6], &[7, 8]];
    let once = a.hidden_rows(&sequences).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(b.hidden_rows(&sequences).unwrap(), once));
        }
    });
}

#[test]
fn the_content_hash_sees_weights_and_meaning() {
    let hash = |tiny: &Tiny| {
        let dir = tempfile::tempdir().unwrap();
        tiny.write(dir.path());
        Checkpoint::open(dir.path()).unwrap().content_hash().unwrap()
    };
    let base = hash(&Tiny::llama());
    assert_eq!(base.len(), 64);
    let mut weight = Tiny::llama();
    weight.tensors.get_mut("model.norm.weight").unwrap().1[3] += 1e-3;
    assert_ne!(base, hash(&weight));
    assert_ne!(base, hash(&Tiny::llama().set("rope_parameters", json!({"rope_type": "default", "rope_theta": 5e5}))));
    assert_eq!(base, hash(&Tiny::llama().set("torch_dtype", "float32".into())), "an unused key is no content");
}

#[test]
fn absent_rope_base_is_reported_as_assumed() {
    let dir = tempfile::tempdir().unwrap();
    Tiny::llama()
        .unset("rope_parameters")
        .unset("rms_norm_eps")
        .unset("max_position_embeddings")
        .unset("hidden_act")
        .write(dir.path());
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let spec = checkpoint.spec();
    assert_eq!(
        (spec.rope.base, spec.rope.scaling, spec.norm_eps, spec.context),
        (10_000.0, RopeScaling::Default, 1e-6, 2048)
    );
    let fields: Vec<&str> = spec.assumed.iter().map(|assumption| assumption.field.as_str()).collect();
    assert_eq!(fields, ["hidden_act", "max_position_embeddings", "rms_norm_eps", "rope_theta"]);
}

#[test]
fn parameters_are_counted_as_transformers_counts_them() {
    let checkpoint = Checkpoint::open(&demo("dense")).unwrap();
    let stored = checkpoint.tensor_names().map(|name| checkpoint.values(name).unwrap().len() as u64).sum::<u64>();
    assert_eq!((checkpoint.spec().parameters(), checkpoint.spec().tied), (stored, true));
    let Some(dir) = shared("models/mix-llama-5m") else { return };
    assert_eq!(Checkpoint::open(&dir).unwrap().spec().parameters(), 5_401_856);
}
