//! PEFT's LoRA folders in and out: golden logits, every refusal by name, and other models' adapters.

use std::path::Path;

use paser_model::adapter::peft;
use paser_model::{Adapter, Checkpoint, Decoder, LowRank, ModelError, Projection, Zeros};
use paser_protocol::Silent;
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use crate::support::{golden, golden_ids, largest_difference, logits, names, shared};
use crate::tiny::Tiny;

const BASE: peft::Base<'static> = peft::Base { name: "../base", hash: Some("aa11") };

fn tiny() -> (tempfile::TempDir, Checkpoint) {
    let dir = tempfile::tempdir().unwrap();
    Tiny::llama().write(dir.path());
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    (dir, checkpoint)
}

/// Rank 2 on the given places, values that depend on the place.
pub fn adapter(checkpoint: &Checkpoint, places: &[(usize, Projection)]) -> Adapter {
    let spec = checkpoint.spec();
    let values = |count: usize, seed: usize| -> Vec<f32> {
        (0..count).map(|index| ((index * 37 + seed * 101) % 17) as f32 / 40.0 - 0.2).collect()
    };
    let part = |(number, &(layer, projection)): (usize, &(usize, Projection))| {
        let (outputs, inputs) = spec.layers[layer].shape(projection, spec.hidden);
        ((layer, projection), LowRank { a: values(2 * inputs, number), b: values(2 * outputs, number + 50) })
    };
    Adapter { rank: 2, alpha: 3.0, dropout: 0.05, parts: places.iter().enumerate().map(part).collect() }
}

pub fn everywhere(checkpoint: &Checkpoint) -> Adapter {
    let layers = 0..checkpoint.spec().layers.len();
    let places: Vec<_> = layers.flat_map(|layer| Projection::ALL.map(|projection| (layer, projection))).collect();
    adapter(checkpoint, &places)
}

#[test]
fn merged_logits_are_those_of_peft() {
    let Some(dir) = shared("fixtures/peft-lora") else { return };
    let base = Checkpoint::open(&dir.join("../hf-logits/llama-gqa-tied")).unwrap();
    let expected = dir.join("merged_expected.safetensors");
    let ids = golden_ids(&expected, "input_ids");
    let wanted = golden(&expected, "logits");
    let merged = |adapter: &str| {
        let folder = peft::read(&dir.join(adapter), base.spec(), None).unwrap();
        assert_eq!(folder.base_name.as_deref(), Some("../../hf-logits/llama-gqa-tied"));
        assert_eq!((folder.adapter.rank, folder.adapter.alpha, folder.adapter.parts.len()), (8, 16.0, 14));
        let (decoder, report) = Decoder::load_with(&base, &folder.adapter, Zeros::Fill, &Silent).unwrap();
        assert_eq!(report.matrices.len(), 14);
        logits(&decoder, &ids)
    };
    let difference = largest_difference(&merged("final"), &wanted);
    assert!(difference < 2e-4, "off by {difference}");
    eprintln!("merged logits differ from PEFT's by {difference:e}");
    let untrained = merged("initial");
    assert!(largest_difference(&untrained, &wanted) > 1e-2, "training moved the logits");
    assert_eq!(untrained, logits(&Decoder::load(&base).unwrap(), &ids), "an adapter whose B is zero changes nothing");
}

#[test]
fn what_is_written_is_read_back_bit_by_bit() {
    let (dir, base) = tiny();
    for places in [
        vec![(0, Projection::Q), (0, Projection::V), (1, Projection::Q), (1, Projection::V)],
        vec![(1, Projection::Down)],
        everywhere(&base).parts.into_keys().collect(),
    ] {
        let adapter = adapter(&base, &places);
        let out = dir.path().join(format!("adapter{}", places.len()));
        peft::write(&adapter, base.spec(), &BASE, &out).unwrap();
        assert_eq!(names(&out), ["adapter_config.json", "adapter_model.safetensors"]);
        let folder = peft::read(&out, base.spec(), Some("aa11")).unwrap();
        assert_eq!(folder.adapter, adapter);
        assert_eq!((folder.base_name.as_deref(), folder.base_hash.as_deref()), (Some("../base"), Some("aa11")));
        let again = peft::write(&adapter, base.spec(), &BASE, &out).unwrap_err();
        assert!(matches!(again, ModelError::OutputTaken(_)), "{again}");
    }
    let config: Value =
        serde_json::from_slice(&fs_err::read(dir.path().join("adapter1/adapter_config.json")).unwrap()).unwrap();
    assert_eq!(config["target_modules"], json!(["model.layers.1.mlp.down_proj"]), "one layer only");
    let config: Value =
        serde_json::from_slice(&fs_err::read(dir.path().join("adapter4/adapter_config.json")).unwrap()).unwrap();
    assert_eq!(config["target_modules"], json!(["q_proj", "v_proj"]));
}

#[test]
fn adapters_of_another_base_model_are_refused() {
    let (dir, base) = tiny();
    let out = dir.path().join("adapter");
    peft::write(&everywhere(&base), base.spec(), &BASE, &out).unwrap();
    let error = peft::read(&out, base.spec(), Some("bb22")).unwrap_err();
    assert!(matches!(error, ModelError::AnotherBase { .. }), "{error}");
    assert!(error.to_string().contains("aa11") && error.to_string().contains("bb22"), "{error}");
    let mut wider = base.spec().clone();
    wider.layers[1].ffn += 8;
    let error = peft::read(&out, &wider, None).unwrap_err().to_string();
    assert!(error.contains("layers.1.mlp.down_proj.lora_A.weight") && error.contains("[2, 32]"), "{error}");
    let mut shallower = base.spec().clone();
    shallower.layers.truncate(1);
    let error = peft::read(&out, &shallower, None).unwrap_err();
    assert!(matches!(error, ModelError::AnotherBase { .. }), "{error}");
    let error = Decoder::load_with(&base, &Adapter { rank: 3, ..everywhere(&base) }, Zeros::Keep, &Silent).unwrap_err();
    assert!(error.to_string().contains("A of model.layers.0.self_attn.q_proj.weight"), "{error}");
}

/// An adapter folder of the tiny model with its configuration changed.
fn with_config(base: &Checkpoint, dir: &Path, change: impl FnOnce(&mut Value)) -> Result<Adapter, ModelError> {
    let out = tempfile::tempdir_in(dir).unwrap();
    let folder = out.path().join("adapter");
    peft::write(&everywhere(base), base.spec(), &BASE, &folder).unwrap();
    let path = folder.join("adapter_config.json");
    let mut config: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    change(&mut config);
    fs_err::write(&path, config.to_string()).unwrap();
    peft::read(&folder, base.spec(), None).map(|folder| folder.adapter)
}

#[test]
fn settings_that_mean_another_computation_are_refused_by_name() {
    let (dir, base) = tiny();
    for (key, value) in [
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("modules_to_save", json!(["lm_head"])),
        ("rank_pattern", json!({"q_proj": 4})),
        ("alpha_pattern", json!({"q_proj": 4})),
        ("layer_replication", json!([[0, 1], [0, 1]])),
        ("trainable_token_indices", json!([3])),
        ("init_lora_weights", json!("pissa_niter_4")),
        ("peft_type", json!("ADALORA")),
        ("use_something_new", json!(true)),
        ("r", json!(0)),
        ("lora_alpha", json!("much")),
        ("lora_dropout", json!(1.5)),
    ] {
        let error = with_config(&base, dir.path(), |config| config[key] = value).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("adapter_config.json"), "{key}: {error}");
    }
    for (key, value) in [
        ("alpha_pattern", json!({"q_proj": 3})),
        ("init_lora_weights", json!("gaussian")),
        ("use_something_new", json!(false)),
        ("peft_version", json!("0.21.2")),
    ] {
        with_config(&base, dir.path(), |config| config[key] = value).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

#[test]
fn rank_stabilised_scales_are_honoured() {
    let (dir, base) = tiny();
    let adapter = with_config(&base, dir.path(), |config| config["use_rslora"] = true.into()).unwrap();
    assert!((f64::from(adapter.scale()) - 3.0 / 2.0_f64.sqrt()).abs() < 1e-6, "{}", adapter.scale());
}

/// An adapter folder of the tiny model whose tensors are changed.
fn with_tensors(
    base: &Checkpoint,
    dir: &Path,
    change: impl FnOnce(&mut Vec<(String, Vec<usize>, Vec<f32>)>),
) -> Result<Adapter, ModelError> {
    let out = tempfile::tempdir_in(dir).unwrap();
    let folder = out.path().join("adapter");
    peft::write(&everywhere(base), base.spec(), &BASE, &folder).unwrap();
    let path = folder.join("adapter_model.safetensors");
    let bytes = fs_err::read(&path).unwrap();
    let mut tensors: Vec<_> = SafeTensors::deserialize(&bytes)
        .unwrap()
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            (name, view.shape().to_vec(), values)
        })
        .collect();
    change(&mut tensors);
    let raw: Vec<_> = tensors
        .into_iter()
        .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|v: &f32| v.to_le_bytes()).collect()))
        .collect::<Vec<(String, Vec<usize>, Vec<u8>)>>();
    let views =
        raw.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs_err::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    peft::read(&folder, base.spec(), None).map(|folder| folder.adapter)
}

#[test]
fn unknown_missing_and_broken_tensors_are_named() {
    let (dir, base) = tiny();
    let layer = "base_model.model.model.layers.0.self_attn.q_proj";
    for name in [
        "base_model.model.lm_head.weight".to_owned(),
        format!("{layer}.lora_magnitude_vector.weight"),
        "base_model.model.model.layers.00.self_attn.q_proj.lora_A.weight".to_owned(),
        "model.layers.0.self_attn.q_proj.lora_A.weight".to_owned(),
    ] {
        let entry = (name.clone(), vec![1], vec![1.0]);
        let error = with_tensors(&base, dir.path(), |tensors| tensors.push(entry)).unwrap_err().to_string();
        assert!(error.contains(&name), "{error}");
    }
    let b = format!("{layer}.lora_B.weight");
    let error = with_tensors(&base, dir.path(), |tensors| tensors.retain(|tensor| tensor.0 != b)).unwrap_err();
    assert!(matches!(&error, ModelError::MissingTensor { tensor, .. } if *tensor == b), "{error}");
    let error = with_tensors(&base, dir.path(), |tensors| {
        tensors.iter_mut().find(|tensor| tensor.0 == b).unwrap().2[3] = f32::NAN;
    });
    let error = error.unwrap_err();
    assert!(matches!(&error, ModelError::NotFinite { tensor, index: 3, .. } if *tensor == b), "{error}");
    let error = with_tensors(&base, dir.path(), Vec::clear).unwrap_err();
    assert!(error.to_string().contains("not one low-rank factor"), "{error}");
}

#[test]
fn a_folder_without_safetensors_says_what_to_do() {
    let (dir, base) = tiny();
    let out = dir.path().join("adapter");
    peft::write(&everywhere(&base), base.spec(), &BASE, &out).unwrap();
    fs_err::rename(out.join("adapter_model.safetensors"), out.join("adapter_model.bin")).unwrap();
    let error = peft::read(&out, base.spec(), None).unwrap_err().to_string();
    assert!(error.contains("safe_serialization=True"), "{error}");
    let error = peft::read(dir.path(), base.spec(), None).unwrap_err().to_string();
    assert!(error.contains("adapter_config.json"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_adapters_end_in_an_error_or_an_adapter(place in 0_usize..4000, byte: u8, cut: bool) {
        let (dir, base) = tiny();
        let out = dir.path().join("adapter");
        peft::write(&adapter(&base, &[(0, Projection::Q)]), base.spec(), &BASE, &out).unwrap();
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            let path = out.join(file);
            let mut bytes = fs_err::read(&path).unwrap();
            let place = place % bytes.len();
            if cut { bytes.truncate(place) } else { bytes[place] = byte }
            fs_err::write(&path, bytes).unwrap();
            let _ = peft::read(&out, base.spec(), None);
        }
    }
}
