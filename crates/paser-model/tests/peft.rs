//! PEFT's folders: read and written, and refused where they hold more than plain additions.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use paser_model::{
    Checkpoint, Decoder,
    adapter::{Adapter, merged_files},
};
use proptest::prelude::*;
use safetensors::SafeTensors;

fn fixtures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    if folder.exists() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

fn write(adapter: &Adapter, checkpoint: &Checkpoint, folder: &Path) {
    fs_err::create_dir_all(folder).unwrap();
    for (name, bytes) in adapter.to_peft(checkpoint.spec(), &checkpoint.dir().to_string_lossy()).unwrap() {
        fs_err::write(folder.join(name), bytes).unwrap();
    }
}

fn logits(decoder: &Decoder, ids: &[u32]) -> Vec<f32> {
    let hidden = decoder.hidden_rows(&ids.chunks(24).collect::<Vec<_>>()).unwrap();
    let mut logits = vec![0.0; ids.len() * decoder.spec().vocab];
    decoder.logits_rows(&hidden, &mut logits);
    logits
}

fn expected(folder: &Path) -> (Vec<u32>, Vec<f32>) {
    let bytes = fs_err::read(folder.join("merged_expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (ids, logits) = (file.tensor("input_ids").unwrap(), file.tensor("logits").unwrap());
    let ids = ids.data().as_chunks::<8>().0.iter().map(|id| i64::from_le_bytes(*id) as u32).collect();
    (ids, logits.data().as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn what_peft_wrote_gives_the_logits_of_its_merge_and_comes_back_as_it_was() {
    let Some(fixtures) = fixtures() else { return };
    let lora = fixtures.join("peft-lora");
    let checkpoint = Checkpoint::open(&fixtures.join("hf-logits/llama-gqa-tied")).unwrap();
    let adapter = Adapter::from_peft(&lora.join("final"), checkpoint.spec()).unwrap();
    assert_eq!((adapter.rank, adapter.alpha, adapter.parts.len()), (8, 16.0, 14));
    let mut decoder = Decoder::load(&checkpoint).unwrap();
    decoder.add(&adapter);
    let (ids, expected) = expected(&lora);
    let off = furthest(&logits(&decoder, &ids), &expected);
    assert!(off < 2e-4, "{off}");
    let place = tempfile::tempdir().unwrap();
    write(&adapter, &checkpoint, place.path());
    assert_eq!(Adapter::from_peft(place.path(), checkpoint.spec()).unwrap(), adapter);

    let (files, sparsity) = merged_files(&checkpoint, &adapter).unwrap();
    assert_eq!(sparsity.zeros_before, 0);
    let folder = place.path().join("merged");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::copy(checkpoint.dir().join("config.json"), folder.join("config.json")).unwrap();
    for (name, bytes) in files {
        fs_err::write(folder.join(name), bytes).unwrap();
    }
    let merged = Decoder::load(&Checkpoint::open(&folder).unwrap()).unwrap();
    let off = furthest(&logits(&merged, &ids), &expected);
    assert!(off < 2e-4, "{off}");
}

#[test]
fn zeros_of_a_sparse_base_stay_zeros() {
    let Some(fixtures) = fixtures() else { return };
    let shared = fixtures.join("../models/mix-llama-5m-magnitude70");
    let checkpoint = Checkpoint::open(&shared).unwrap();
    let mut parts = std::collections::BTreeMap::new();
    let spec = checkpoint.spec();
    for (layer, sizes) in spec.layers.iter().enumerate() {
        for projection in paser_model::Projection::ALL {
            let (outputs, inputs) = sizes.shape(projection, spec.hidden);
            let part = paser_model::adapter::LowRank { a: vec![0.1; 2 * inputs], b: vec![0.1; outputs * 2] };
            parts.insert((layer, projection), part);
        }
    }
    let adapter = Adapter { rank: 2, alpha: 2.0, dropout: 0.0, parts };
    let (_, sparsity) = merged_files(&checkpoint, &adapter).unwrap();
    let share = |zeros: u64| zeros as f64 / sparsity.weights as f64;
    assert!(share(sparsity.zeros_before) > 0.69, "{sparsity:?}");
    assert!(sparsity.zeros_after >= sparsity.zeros_before, "{sparsity:?}");
}

#[test]
fn options_and_tensors_that_are_more_than_plain_additions_are_refused_by_name() {
    let Some(fixtures) = fixtures() else { return };
    let source = fixtures.join("peft-lora/final");
    let checkpoint = Checkpoint::open(&fixtures.join("hf-logits/llama-gqa-tied")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let with = |key: &str, value: serde_json::Value| {
        let text = fs_err::read(source.join("adapter_config.json")).unwrap();
        let mut config: serde_json::Value = serde_json::from_slice(&text).unwrap();
        config[key] = value;
        fs_err::write(place.path().join("adapter_config.json"), config.to_string()).unwrap();
        fs_err::copy(source.join("adapter_model.safetensors"), place.path().join("adapter_model.safetensors")).unwrap();
        Adapter::from_peft(place.path(), checkpoint.spec()).unwrap_err().to_string()
    };
    for (key, value) in [
        ("use_dora", serde_json::json!(true)),
        ("rank_pattern", serde_json::json!({"q_proj": 4})),
        ("bias", serde_json::json!("all")),
        ("peft_type", serde_json::json!("IA3")),
        ("r", serde_json::json!("eight")),
    ] {
        let told = with(key, value);
        assert!(told.contains(key) && told.contains("adapter_config.json"), "{told}");
    }
    let shape = with("r", serde_json::json!(4));
    assert!(shape.contains("lora_A.weight") && shape.contains("[4, "), "{shape}");
    let other = Checkpoint::open(&fixtures.join("hf-logits/qwen3-qknorm")).unwrap();
    assert!(Adapter::from_peft(&source, other.spec()).is_err(), "an adapter of another model");
}

/// Our adapter in PEFT and in transformers, where `PASER_PYTHON` names an interpreter that has them.
#[test]
fn peft_and_transformers_read_what_is_written_here() {
    let (Some(fixtures), Some(python)) = (fixtures(), std::env::var_os("PASER_PYTHON")) else {
        eprintln!("skipped: PASER_PYTHON names no interpreter with torch, transformers and peft");
        return;
    };
    let lora = fixtures.join("peft-lora");
    let checkpoint = Checkpoint::open(&fixtures.join("hf-logits/llama-gqa-tied")).unwrap();
    let adapter = Adapter::from_peft(&lora.join("final"), checkpoint.spec()).unwrap();
    let place = tempfile::tempdir().unwrap();
    write(&adapter, &checkpoint, &place.path().join("adapter"));
    let merged = place.path().join("merged");
    fs_err::create_dir_all(&merged).unwrap();
    fs_err::copy(checkpoint.dir().join("config.json"), merged.join("config.json")).unwrap();
    for (name, bytes) in merged_files(&checkpoint, &adapter).unwrap().0 {
        fs_err::write(merged.join(name), bytes).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/peft_logits.py");
    let output = Command::new(python)
        .arg(script)
        .args([checkpoint.dir(), &place.path().join("adapter"), &merged, &lora.join("merged_expected.safetensors")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    eprintln!("{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damaged_folders_are_errors(config in ".{0,200}", weights in prop::collection::vec(any::<u8>(), 0..400)) {
        let Some(fixtures) = fixtures() else { return Ok(()) };
        let checkpoint = Checkpoint::open(&fixtures.join("hf-logits/llama-gqa-tied")).unwrap();
        let place = tempfile::tempdir().unwrap();
        fs_err::write(place.path().join("adapter_config.json"), config).unwrap();
        fs_err::write(place.path().join("adapter_model.safetensors"), &weights).unwrap();
        prop_assert!(Adapter::from_peft(place.path(), checkpoint.spec()).is_err());
        let text = fs_err::read(fixtures.join("peft-lora/final/adapter_config.json")).unwrap();
        fs_err::write(place.path().join("adapter_config.json"), text).unwrap();
        prop_assert!(Adapter::from_peft(place.path(), checkpoint.spec()).is_err());
    }
}
