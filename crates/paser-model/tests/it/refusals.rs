//! Everything that must end in a sentence instead of a wrong model: unsupported kinds, contradictions, broken files.

use std::path::Path;

use paser_model::{Checkpoint, Decoder, ModelError, SentenceEncoder};
use paser_protocol::Silent;
use proptest::prelude::*;
use serde_json::json;

use crate::encoder;
use crate::support::shared;
use crate::tiny::Tiny;

fn open(tiny: &Tiny) -> Result<Checkpoint, ModelError> {
    let dir = tempfile::tempdir().unwrap();
    tiny.write(dir.path());
    Checkpoint::open(dir.path())
}

fn message(tiny: &Tiny) -> String {
    open(tiny).unwrap_err().to_string()
}

#[test]
fn the_untouched_model_opens() {
    assert!(open(&Tiny::llama()).is_ok());
}

#[test]
fn other_architectures_are_refused_by_name() {
    let unsupported = |error: ModelError, name: &str| {
        assert!(matches!(error, ModelError::Unsupported { .. }) && error.to_string().contains(name), "{error}");
    };
    for (name, class) in
        [("mixtral", "MixtralForCausalLM"), ("gemma2", "Gemma2ForCausalLM"), ("phi3", "Phi3ForCausalLM")]
    {
        let named = Tiny::llama().set("model_type", name.into()).set("architectures", json!([class]));
        unsupported(open(&named).unwrap_err(), name);
        unsupported(open(&named.unset("model_type")).unwrap_err(), class);
    }
    let sequence_classifier = Tiny::llama().set("architectures", json!(["LlamaForSequenceClassification"]));
    assert!(message(&sequence_classifier).contains("LlamaForSequenceClassification"));
    for (folder, name) in [("mixtral-moe", "mixtral"), ("gemma2", "gemma2"), ("phi3", "phi3")] {
        let Some(dir) = shared(&format!("fixtures/hf-logits/{folder}")) else { return };
        unsupported(Checkpoint::open(&dir).unwrap_err(), name);
    }
}

#[test]
fn unsupported_settings_are_refused() {
    let cases = [
        ("quantization_config", json!({"quant_method": "gptq"}), "quantised"),
        ("hidden_act", json!("gelu"), "gelu"),
        ("rope_scaling", json!({"type": "yarn", "factor": 4.0}), "rope type is yarn"),
        ("rope_scaling", json!({"rope_type": "dynamic", "factor": 4.0}), "rope type is dynamic"),
        ("rope_scaling", json!({"rope_type": "linear"}), "needs factor"),
        ("rope_parameters", json!({"full_attention": {"rope_theta": 1e4}}), "differ by kind of layer"),
        ("partial_rotary_factor", json!(0.5), "partial_rotary_factor"),
        ("num_attention_heads", json!("four"), "num_attention_heads is \"four\""),
        ("hidden_size", json!(0), "at least 1"),
        ("rms_norm_eps", json!(-1.0), "positive"),
    ];
    for (key, value, part) in cases {
        let text = message(&Tiny::llama().unset("rope_parameters").set(key, value));
        assert!(text.contains(part) && text.contains("config.json"), "{key}: {text}");
    }
}

#[test]
fn every_contradiction_is_listed_with_both_values() {
    let tiny = Tiny::llama()
        .set("vocab_size", json!(25))
        .set("num_hidden_layers", json!(3))
        .set("num_attention_heads", json!(8))
        .set("num_key_value_heads", json!(4))
        .set("intermediate_size", json!(32))
        .set("attention_bias", json!(true))
        .set("tie_word_embeddings", json!(false));
    let Err(ModelError::Contradicts { fields, .. }) = open(&tiny) else { panic!("must be refused") };
    let found: Vec<(&str, &str, &str)> =
        fields.iter().map(|field| (field.field.as_str(), field.config.as_str(), field.tensors.as_str())).collect();
    assert_eq!(
        found,
        [
            ("tie_word_embeddings", "false", "true (there is no lm_head.weight)"),
            ("vocab_size", "25", "24"),
            ("num_hidden_layers", "3", "2"),
            ("num_attention_heads", "8", "4"),
            ("num_key_value_heads", "4", "2"),
            ("intermediate_size", "32", "24"),
            ("attention_bias (q, k, v)", "true", "false"),
            ("attention_bias (o)", "true", "false"),
        ]
    );
    let text = message(&Tiny::llama().set("head_dim", json!(6)));
    assert!(text.contains("head_dim is 6 in the configuration"), "{text}");
    let text = message(&Tiny::llama().set("rope_theta", json!(5e5)));
    assert!(text.contains("rope_theta"), "two bases: {text}");
}

#[test]
fn one_odd_layer_is_named() {
    let mut tiny = Tiny::llama();
    for (part, shape) in [("gate_proj", [20, 16]), ("up_proj", [20, 16]), ("down_proj", [16, 20])] {
        tiny.add(&format!("model.layers.1.mlp.{part}.weight"), &shape);
    }
    let text = message(&tiny);
    assert!(
        text.contains("intermediate_size is 24") && text.contains("20 in layer 1 (1 of 2 layers differ)"),
        "{text}"
    );
}

#[test]
fn missing_strange_and_misshapen_tensors_are_named() {
    let mut missing = Tiny::llama();
    missing.tensors.remove("model.layers.1.self_attn.o_proj.weight");
    assert!(message(&missing).contains("model.layers.1.self_attn.o_proj.weight is missing"));
    let mut gap = Tiny::llama();
    gap.tensors.retain(|name, _| !name.starts_with("model.layers.0."));
    assert!(message(&gap).contains("model.layers.0."));
    let mut strange = Tiny::llama();
    strange.add("model.layers.0.self_attn.q_proj.lora_A.weight", &[8, 16]);
    assert!(message(&strange).contains("lora_A"));
    let mut cache = Tiny::llama();
    cache.add("model.layers.0.self_attn.rotary_emb.inv_freq", &[2]);
    assert!(open(&cache).is_ok(), "old rotary caches are recomputed");
    let mut shape = Tiny::llama();
    shape.add("model.layers.0.self_attn.o_proj.weight", &[16, 12]);
    let text = message(&shape);
    assert!(text.contains("o_proj") && text.contains("[16, 12]") && text.contains("[16, 16]"), "{text}");
}

#[test]
fn heads_without_width_are_refused() {
    for key in ["head_dim", "num_attention_heads"] {
        // The norm of the first layer decides the width, whatever else is stated.
        for name in ["q", "k"] {
            let mut tiny = Tiny::qwen3().unset(key);
            let norm = format!("model.layers.0.self_attn.{name}_norm.weight");
            tiny.add(&norm, &[0]);
            let text = message(&tiny);
            assert!(text.contains(&norm) && text.contains("[0]"), "{text}");
        }
    }
}

#[test]
fn encoders_without_room_for_a_text_are_refused() {
    for positions in [0, 2] {
        let dir = tempfile::tempdir().unwrap();
        encoder::write_tiny(dir.path(), positions);
        let text = SentenceEncoder::load(dir.path()).unwrap_err().to_string();
        assert!(text.contains("position_embeddings") && text.contains("at least 3"), "{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    encoder::write_tiny(dir.path(), 3);
    let encoder = SentenceEncoder::load(dir.path()).unwrap();
    assert_eq!(encoder.encode(&["the cat sat".to_owned()], &Silent).unwrap().len(), encoder.dimensions());
    // A tokenizer that adds more than the encoder takes.
    let path = dir.path().join("tokenizer.json");
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    let special = |_| json!({"SpecialToken": {"id": "[CLS]", "type_id": 0}});
    let single: Vec<_> = (0..3).map(special).chain([json!({"Sequence": {"id": "A", "type_id": 0}})]).collect();
    tokenizer["post_processor"] = json!({
        "type": "TemplateProcessing", "single": single, "pair": [],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}}
    });
    fs_err::write(&path, tokenizer.to_string()).unwrap();
    let text = SentenceEncoder::load(dir.path()).unwrap_err().to_string();
    assert!(text.contains("tokenizer.json") && text.contains("adds 3 tokens"), "{text}");
}

#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    for value in [f32::NAN, f32::INFINITY] {
        let mut tiny = Tiny::llama();
        tiny.tensors.get_mut("model.layers.1.mlp.up_proj.weight").unwrap().1[7] = value;
        let error = Decoder::load(&open(&tiny).unwrap()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("model.layers.1.mlp.up_proj.weight") && text.contains("index 7"), "{text}");
    }
}

#[test]
fn folders_that_lack_something_say_what() {
    let dir = tempfile::tempdir().unwrap();
    let text = |dir: &Path| Checkpoint::open(dir).unwrap_err().to_string();
    assert!(text(&dir.path().join("nowhere")).contains("nowhere"));
    assert!(text(dir.path()).contains("config.json"));
    fs_err::write(dir.path().join("config.json"), Tiny::llama().config.to_string()).unwrap();
    assert!(text(dir.path()).contains("model.safetensors"));
    fs_err::write(dir.path().join("pytorch_model.bin"), b"x").unwrap();
    assert!(text(dir.path()).contains("convert it"));
    fs_err::write(dir.path().join("config.json"), b"\xff\xfe{").unwrap();
    assert!(text(dir.path()).contains("not JSON"));
    Tiny::llama().write_sharded(dir.path());
    fs_err::remove_file(dir.path().join("b.safetensors")).unwrap();
    assert!(text(dir.path()).contains("the shard b.safetensors"));
    let outside = json!({"weight_map": {"x": "../b.safetensors"}});
    fs_err::write(dir.path().join("model.safetensors.index.json"), outside.to_string()).unwrap();
    assert!(text(dir.path()).contains("not a plain file name"));
}

#[test]
fn ids_and_lengths_are_checked() {
    let decoder = Decoder::load(&open(&Tiny::llama()).unwrap()).unwrap();
    let error = decoder.hidden_rows(&[&[1], &[2, 24]]).unwrap_err();
    assert!(matches!(error, ModelError::TokenOutOfRange { sequence: 1, id: 24, vocab: 24 }));
    let long = vec![1; 41];
    let error = decoder.hidden_rows(&[&long]).unwrap_err();
    assert!(matches!(error, ModelError::TooLong { sequence: 0, length: 41, context: 40 }));
}

#[test]
fn offsets_that_overflow_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    Tiny::llama().write(dir.path());
    let huge = u64::MAX / 8 * 8;
    for header in [
        format!(r#"{{"a":{{"dtype":"U8","shape":[{huge}],"data_offsets":[0,{huge}]}}}}"#),
        format!(r#"{{"a":{{"dtype":"F32","shape":[{huge},{huge}],"data_offsets":[0,8]}}}}"#),
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#.to_owned(),
    ] {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 8]);
        fs_err::write(dir.path().join("model.safetensors"), bytes).unwrap();
        assert!(matches!(Checkpoint::open(dir.path()).unwrap_err(), ModelError::Safetensors { .. }));
    }
}

/// Opens and, if that works, uses the folder; only panics are failures.
fn exercise(dir: &Path) {
    if let Ok(checkpoint) = Checkpoint::open(dir)
        && let Ok(decoder) = Decoder::load(&checkpoint)
    {
        let _ = decoder.hidden_rows(&[&[1, 2, 3]]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cut_or_changed_weights_never_panic(norms in any::<bool>(), cut in 0_usize..20_000, at in prop::collection::vec((0_usize..20_000, any::<u8>()), 0..6), early in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let tiny = if norms { Tiny::qwen3() } else { Tiny::llama() };
        tiny.write(dir.path());
        let mut bytes = tiny.bytes(|_| true);
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (position, value) in &at {
            // Half of the cases change the header, where damage is most interesting.
            let within = if early { header } else { bytes.len() };
            bytes[position % within] = *value;
        }
        if !early {
            bytes.truncate(cut.min(bytes.len()));
        }
        fs_err::write(dir.path().join("model.safetensors"), &bytes).unwrap();
        exercise(dir.path());
    }

    #[test]
    fn changed_configurations_never_panic(at in prop::collection::vec((0_usize..2_000, any::<u8>()), 1..5), digits in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let tiny = Tiny::llama();
        tiny.write(dir.path());
        let mut bytes = tiny.config.to_string().into_bytes();
        let length = bytes.len();
        for (position, value) in at {
            let place = position % length;
            if !digits {
                bytes[place] = value;
            } else if bytes[place].is_ascii_digit() {
                bytes[place] = b'0' + value % 10;
            }
        }
        fs_err::write(dir.path().join("config.json"), &bytes).unwrap();
        exercise(dir.path());
    }
}
