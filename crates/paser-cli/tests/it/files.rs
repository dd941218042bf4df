//! The commands that work on files without a project: what they write and what their last JSON line says.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Value, json};

use crate::support::{demo_files, paser_in, shared, text};

/// Rows of the real pool by id.
fn real_rows(ids: &[String]) -> Option<String> {
    let pool = fs_err::read_to_string(shared("data/recovery_mix.jsonl")?).unwrap();
    let wanted = |line: &&str| {
        let id = line.split_once("\"id\": ").and_then(|(_, rest)| rest.split_once(','));
        id.is_some_and(|(id, _)| ids.iter().any(|wanted| wanted == id))
    };
    Some(pool.split('\n').filter(wanted).map(|line| line.to_owned() + "\n").collect())
}

fn jsonl(path: &Path) -> Vec<Value> {
    fs_err::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn scores_equal_the_reference() {
    let (Some(expected), Some(dense), Some(pruned)) = (
        shared("fixtures/jsd/expected.jsonl"),
        shared("models/mix-llama-5m"),
        shared("models/mix-llama-5m-magnitude70"),
    ) else {
        return;
    };
    let expected: BTreeMap<String, Value> =
        jsonl(&expected).into_iter().take(40).map(|line| (line["id"].to_string(), line)).collect();
    let mut ids: Vec<String> = expected.keys().cloned().collect();
    ids.push("7300".to_owned());
    let Some(rows) = real_rows(&ids) else { return };
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("pool.jsonl"), rows).unwrap();
    let arguments = [
        "score",
        "--json",
        "--dense",
        text(&dense),
        "--pruned",
        text(&pruned),
        "--pool",
        "pool.jsonl",
        "--out",
        "s.jsonl",
    ];
    let last = paser_in(home.path(), &arguments).well().last();
    assert_eq!((last["scored"].as_u64(), last["unscorable"].as_u64()), (Some(40), Some(1)));
    let mut compared = 0;
    for line in jsonl(&home.path().join("s.jsonl")) {
        let id = line["id"].as_str().unwrap();
        let Some(reference) = expected.get(id) else {
            assert!(line["unscorable"].as_str().unwrap().contains("no room"), "{line}");
            continue;
        };
        for (ours, theirs) in [
            ("jsd", "jsd"),
            ("loss_dense", "loss_dense"),
            ("loss_pruned", "loss_pruned"),
            ("kl_dense_pruned", "kl_dense_pruned"),
            ("top1_agreement", "top1_agree"),
        ] {
            let (ours, theirs) = (line[ours].as_f64().unwrap(), reference[theirs].as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-5, "{id}: {ours} and {theirs}");
        }
        assert_eq!(line["response_tokens"], reference["response_tokens"]);
        let (x, y) = (line["sample_tokens"].as_f64().unwrap(), line["response_tokens"].as_f64().unwrap());
        let ies = line["jsd"].as_f64().unwrap() / (2.0 * (x + y).max(2.0).ln());
        assert!((line["ies"].as_f64().unwrap() - ies).abs() < 1e-12);
        compared += 1;
    }
    assert_eq!(compared, 40);
}

#[test]
fn scores_are_the_same_bytes_on_any_number_of_threads() {
    let home = demo_files(120);
    let line = "score --json --dense dense --pruned pruned --template chat --pool pool.jsonl --out";
    let run = |threads: &str| {
        let arguments: Vec<&str> = line.split(' ').chain([threads, "--threads", threads]).collect();
        let last = paser_in(home.path(), &arguments).well().last();
        assert_eq!(last["scored"], 120);
        assert!(last["mean_jsd"].as_f64().unwrap() > 0.0, "{last}");
        fs_err::read(home.path().join(threads)).unwrap()
    };
    assert_eq!(run("1"), run("2"));
}

#[test]
fn a_pruned_copy_is_made_and_seen() {
    let home = demo_files(50);
    let line = "prune dense --method wanda --pattern 2:4 --calibration pool.jsonl --template chat --samples 8 --out out --json";
    let arguments: Vec<&str> = line.split(' ').collect();
    let last = paser_in(home.path(), &arguments).well().last();
    assert_eq!(last["out"], "out");
    assert_eq!(last["calibration_hash"].as_str().unwrap().len(), 64);
    let zeros = last["zeros"].as_u64().unwrap() as f64 / last["parameters"].as_u64().unwrap() as f64;
    assert!((0.3..0.5).contains(&zeros), "{zeros}");
    let seen = paser_in(home.path(), &["inspect", "out", "--json"]).well().last();
    assert_eq!(seen["pattern"], json!({ "kept": 2, "group": 4 }));
    let both = paser_in(home.path(), &["inspect", "dense", "out"]).well().stdout;
    assert!(both.contains("tokenizers agree") && both.contains("2:4"), "{both}");
    // Nothing is overwritten.
    let again = paser_in(home.path(), &arguments);
    assert_eq!(again.code, 2, "{}", again.stderr);
}

/// Three bundles of unit vectors in eight dimensions.
fn bundles(rows: usize) -> Vec<f32> {
    let mut state = 1_u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut vectors = Vec::new();
    for row in 0..rows {
        let mut vector = [0.0_f32; 8];
        vector[row % 3] = 1.0;
        vector.iter_mut().for_each(|value| *value += 0.3 * noise());
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vectors.extend(vector.map(|value| value / length));
    }
    vectors
}

fn write_vectors(path: &Path, vectors: &[f32], rows: usize) {
    let bytes: Vec<u8> = vectors.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![rows, vectors.len() / rows], &bytes).unwrap();
    fs_err::write(path, serialize([("vectors", view)], None).unwrap()).unwrap();
}

#[test]
fn vectors_become_clusters() {
    let home = tempfile::tempdir().unwrap();
    write_vectors(&home.path().join("v.safetensors"), &bundles(300), 300);
    let arguments = ["cluster", "--vectors", "v.safetensors", "--k", "3", "--out", "c.safetensors", "--json"];
    let last = paser_in(home.path(), &arguments).well().last();
    assert_eq!((last["k"].as_u64(), last["rows"].as_u64()), (Some(3), Some(300)));
    assert!(last["quality"]["recall"].as_f64().unwrap() > 0.99, "{last}");
    let bytes = fs_err::read(home.path().join("c.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let labels = file.tensor("labels").unwrap();
    assert_eq!((labels.dtype(), labels.shape()), (Dtype::I32, &[300][..]));
    assert_eq!(file.tensor("map").unwrap().shape(), [300, 2]);
    assert_eq!(file.tensor("coordinates").unwrap().shape()[0], 300);
    let label = |row: usize| &labels.data()[4 * row..4 * row + 4];
    for row in 3..300 {
        assert_eq!(label(row), label(row % 3), "row {row}");
    }
    let table = paser_in(home.path(), &arguments[..7]).well().stdout;
    assert!(table.contains("cluster  rows"), "{table}");
}

#[test]
fn bad_vectors_are_named() {
    let home = tempfile::tempdir().unwrap();
    let run = |name: &str| {
        let ran = paser_in(home.path(), &["cluster", "--vectors", name, "--k", "3", "--out", "c.safetensors"]);
        assert!(!home.path().join("c.safetensors").exists());
        (ran.code, ran.stderr)
    };
    let mut vectors = bundles(100);
    vectors[17 * 8] = f32::NAN;
    write_vectors(&home.path().join("nan.safetensors"), &vectors, 100);
    let (code, error) = run("nan.safetensors");
    assert!(code == 3 && error.contains("row 17"), "{code} {error}");
    fs_err::write(home.path().join("text.safetensors"), "hello").unwrap();
    let (code, error) = run("text.safetensors");
    assert!(code == 3 && error.contains("text.safetensors"), "{code} {error}");
    let (code, error) = run("none.safetensors");
    assert!(code == 3 && error.contains("none.safetensors"), "{code} {error}");
}

#[test]
fn an_encoder_gives_vectors_and_ids() {
    // The sentence encoder's weights are not among the shared data; a folder can be named.
    let Some(encoder) = std::env::var_os("PASER_MINILM") else {
        eprintln!("skipped: no sentence encoder (set PASER_MINILM to a folder)");
        return;
    };
    let home = tempfile::tempdir().unwrap();
    fs_err::write(
        home.path().join("pool.jsonl"),
        "{\"id\":\"a\",\"instruction\":\"Add 1 and 2.\",\"output\":\"3\"}\n{\"id\":\"b\",\"instruction\":\"Say hi.\",\"output\":\"hi\"}\n",
    )
    .unwrap();
    let encoder = encoder.to_string_lossy().into_owned();
    let arguments = ["encode", "--encoder", &encoder, "--pool", "pool.jsonl", "--out", "v.safetensors", "--json"];
    let last = paser_in(home.path(), &arguments).well().last();
    assert_eq!(last["samples"], 2);
    assert_eq!(jsonl(&home.path().join("v.ids.jsonl")), [json!({"id": "a"}), json!({"id": "b"})]);
    let bytes = fs_err::read(home.path().join("v.safetensors")).unwrap();
    assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensor("vectors").unwrap().shape()[0], 2);
}
