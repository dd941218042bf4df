//! GGUF files, read back by candle's reader: names, keys, types, and every number at its place.

use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, Value};
use half::{bf16, f16};
use paser_model::write::{GgufType, write_gguf};
use paser_model::{Block, Checkpoint, ModelError, Projection, Zeros, projection_name};
use paser_protocol::{Monitor, Silent};
use serde_json::{Value as Json, json};

use crate::adapters::everywhere;
use crate::support::{names, shared};
use crate::tiny::{Tiny, VOCAB};

/// Byte-level BPE of 20 letters, one merge, and begin and end tokens; two rows of the embedding stay unnamed.
pub fn tokenizer() -> Json {
    let mut vocab: serde_json::Map<String, Json> =
        (0..19_u8).map(|index| (char::from(b'a' + index).to_string(), (index + 2).into())).collect();
    vocab.insert("ab".to_owned(), 21.into());
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [
            {"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "</s>", "special": true},
            {"id": 22, "content": "<mark>", "special": false}
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}
        },
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "byte_fallback": false, "vocab": vocab,
            "merges": [["a", "b"]]}
    })
}

pub fn write_base(tiny: &Tiny, dir: &Path) -> Checkpoint {
    fs_err::create_dir_all(dir).unwrap();
    tiny.write(dir);
    fs_err::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    Checkpoint::open(dir).unwrap()
}

struct Read {
    content: Content,
    file: fs_err::File,
}

impl Read {
    fn open(path: &Path) -> Self {
        let mut file = fs_err::File::open(path).unwrap();
        Self { content: Content::read(&mut file).unwrap(), file }
    }

    fn tensor(&mut self, name: &str) -> (Vec<usize>, Vec<f32>, GgmlDType) {
        let tensor = self.content.tensor(&mut self.file, name, &candle_core::Device::Cpu).unwrap();
        let kind = tensor.dtype();
        let plain = tensor.dequantize(&candle_core::Device::Cpu).unwrap();
        (plain.dims().to_vec(), plain.flatten_all().unwrap().to_vec1().unwrap(), kind)
    }

    fn key(&self, key: &str) -> &Value {
        self.content.metadata.get(key).unwrap_or_else(|| panic!("no {key}"))
    }

    fn number(&self, key: &str) -> u32 {
        self.key(key).to_u32().unwrap()
    }

    fn text(&self, key: &str) -> &str {
        self.key(key).to_string().unwrap()
    }

    fn numbers(&self, key: &str) -> Vec<i32> {
        self.key(key).to_vec().unwrap().iter().map(|value| value.to_i32().unwrap()).collect()
    }
}

/// Undoes what llama.cpp's rotation needs: row j d/2 + i of a head is at 2 i + j.
fn turned_back(values: &[f32], head_dim: usize, columns: usize) -> Vec<f32> {
    let mut back = vec![0.0; values.len()];
    for (row, from) in values.chunks(columns).enumerate() {
        let (head, within) = (row / head_dim, row % head_dim);
        let to = head * head_dim + within % 2 * (head_dim / 2) + within / 2;
        back[to * columns..][..columns].copy_from_slice(from);
    }
    back
}

const PARTS: [(Projection, &str); 7] = [
    (Projection::Q, "attn_q"),
    (Projection::K, "attn_k"),
    (Projection::V, "attn_v"),
    (Projection::O, "attn_output"),
    (Projection::Gate, "ffn_gate"),
    (Projection::Up, "ffn_up"),
    (Projection::Down, "ffn_down"),
];

#[test]
fn every_number_of_every_family_is_at_its_place() {
    for (architecture, tiny) in [
        ("llama", Tiny::llama()),
        ("llama", Tiny::mistral()),
        ("qwen2", Tiny::qwen2()),
        ("qwen3", Tiny::qwen3()),
        ("deci", Tiny::uneven()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let base = write_base(&tiny, &dir.path().join("base"));
        let spec = base.spec();
        let out = dir.path().join("model.gguf");
        let adapter = everywhere(&base);
        let written = write_gguf(&base, Some((&adapter, Zeros::Fill)), GgufType::F32, &out, &Silent).unwrap();
        assert_eq!((written.architecture.as_str(), written.merge.matrices.len()), (architecture, 14));
        let mut read = Read::open(&out);
        let mut count = 2;
        for (layer, sizes) in spec.layers.iter().enumerate() {
            let mut block = Block::load(&base, layer).unwrap();
            for (projection, part) in PARTS {
                let weight = block.weight_mut(projection);
                adapter.merge_into(layer, projection, weight, Zeros::Fill).unwrap();
                let (rows, columns) = sizes.shape(projection, spec.hidden);
                let (shape, values, kind) = read.tensor(&format!("blk.{layer}.{part}.weight"));
                assert_eq!((shape, kind), (vec![rows, columns], GgmlDType::F32), "{part}");
                let turns = !architecture.starts_with("qwen") && matches!(projection, Projection::Q | Projection::K);
                let values = if turns { turned_back(&values, sizes.head_dim, columns) } else { values };
                assert_eq!(values, weight, "{architecture}: {layer} {part}");
                count += 1;
                if sizes.bias(projection) {
                    let name = projection_name(layer, projection).replace(".weight", ".bias");
                    let bias = read.tensor(&format!("blk.{layer}.{part}.bias")).1;
                    assert_eq!(bias, base.values(&name).unwrap());
                    count += 1;
                }
            }
            let mut norms = vec![("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")];
            if sizes.qk_norm {
                norms.extend([("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")]);
            }
            for (part, name) in norms {
                let wanted = base.values(&format!("model.layers.{layer}.{name}.weight")).unwrap();
                assert_eq!(read.tensor(&format!("blk.{layer}.{part}.weight")).1, wanted);
                count += 1;
            }
        }
        assert_eq!(read.tensor("token_embd.weight").1, base.values("model.embed_tokens.weight").unwrap());
        assert_eq!(read.tensor("output_norm.weight").1, base.values("model.norm.weight").unwrap());
        if !spec.tied {
            assert_eq!(read.tensor("output.weight").1, base.values("lm_head.weight").unwrap());
            count += 1;
        }
        assert_eq!(read.content.tensor_infos.len(), count, "{architecture}: nothing besides");
        for (key, value) in
            [("block_count", 2), ("embedding_length", 16), ("context_length", 40), ("vocab_size", VOCAB as u32)]
        {
            assert_eq!(read.number(&format!("{architecture}.{key}")), value, "{key}");
        }
        for key in ["attention.key_length", "attention.value_length", "rope.dimension_count"] {
            assert_eq!(read.number(&format!("{architecture}.{key}")), 4, "{key}");
        }
        if architecture == "deci" {
            assert_eq!(read.numbers("deci.attention.head_count"), [4, 2]);
            assert_eq!(read.numbers("deci.attention.head_count_kv"), [2, 1]);
            assert_eq!(read.numbers("deci.feed_forward_length"), [24, 8]);
        } else {
            assert_eq!(read.number(&format!("{architecture}.attention.head_count_kv")), 2);
        }
        let windowed = spec.sliding_window.is_some();
        assert_eq!(written.notes.iter().any(|note| note.contains("last 5")), windowed, "{:?}", written.notes);
        assert_eq!(names(dir.path()), ["base", "model.gguf"]);
    }
}

#[test]
fn matrices_are_rounded_and_vectors_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let base = write_base(&Tiny::llama(), &dir.path().join("base"));
    let name = "model.layers.0.mlp.up_proj.weight";
    let full = base.values(name).unwrap();
    for (kind, found_kind, file_type) in [(GgufType::F16, GgmlDType::F16, 1), (GgufType::Bf16, GgmlDType::BF16, 32)] {
        let out = dir.path().join(format!("{file_type}.gguf"));
        write_gguf(&base, None, kind, &out, &Silent).unwrap();
        let mut read = Read::open(&out);
        let (_, values, stored) = read.tensor("blk.0.ffn_up.weight");
        assert_eq!(stored, found_kind);
        let round = |value: &f32| {
            if kind == GgufType::F16 { f16::from_f32(*value).to_f32() } else { bf16::from_f32(*value).to_f32() }
        };
        assert_eq!(values, full.iter().map(round).collect::<Vec<f32>>());
        let (_, norm, stored) = read.tensor("blk.0.attn_norm.weight");
        assert_eq!((norm, stored), (base.values("model.layers.0.input_layernorm.weight").unwrap(), GgmlDType::F32));
        assert_eq!(read.number("general.file_type"), file_type);
    }
}

#[test]
fn the_tokenizer_travels() {
    let dir = tempfile::tempdir().unwrap();
    let base = write_base(&Tiny::llama(), &dir.path().join("base"));
    fs_err::write(base.dir().join("chat_template.jinja"), "{{ messages }}").unwrap();
    let out = dir.path().join("model.gguf");
    write_gguf(&base, None, GgufType::F32, &out, &Silent).unwrap();
    let read = Read::open(&out);
    assert_eq!((read.text("tokenizer.ggml.model"), read.text("tokenizer.ggml.pre")), ("gpt2", "gpt-2"));
    let texts = |key: &str| -> Vec<String> {
        read.key(key).to_vec().unwrap().iter().map(|value| value.to_string().unwrap().clone()).collect()
    };
    let tokens = texts("tokenizer.ggml.tokens");
    assert_eq!(
        (tokens.len(), tokens[0].as_str(), tokens[21].as_str(), tokens[23].as_str()),
        (24, "<s>", "ab", "[PAD23]")
    );
    let kinds = read.numbers("tokenizer.ggml.token_type");
    assert_eq!((kinds[0], kinds[2], kinds[22], kinds[23]), (3, 1, 4, 5));
    assert_eq!(texts("tokenizer.ggml.merges"), ["a b"]);
    assert_eq!((read.number("tokenizer.ggml.bos_token_id"), read.number("tokenizer.ggml.eos_token_id")), (0, 1));
    assert!(read.key("tokenizer.ggml.add_bos_token").to_bool().unwrap());
    assert!(!read.key("tokenizer.ggml.add_eos_token").to_bool().unwrap());
    assert_eq!(read.text("tokenizer.chat_template"), "{{ messages }}");
}

/// Qwen's way of cutting text.
pub const QWEN: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

#[test]
fn ways_of_cutting_text_are_known_by_name_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let base = write_base(&Tiny::llama(), &dir.path().join("base"));
    let out = dir.path().join("model.gguf");
    let attempt = |change: &dyn Fn(&mut Json)| {
        let mut file = tokenizer();
        change(&mut file);
        fs_err::write(base.dir().join("tokenizer.json"), file.to_string()).unwrap();
        let written = write_gguf(&base, None, GgufType::F32, &out, &Silent).map_err(|error| error.to_string());
        written.map(|_| {
            let pre = Read::open(&out).text("tokenizer.ggml.pre").to_owned();
            fs_err::remove_file(&out).unwrap();
            pre
        })
    };
    let split = |pattern: &str| {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]})
    };
    let llama3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|");
    let digits = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]});
    assert_eq!(attempt(&|file| file["pre_tokenizer"] = split(QWEN)).as_deref(), Ok("qwen2"));
    assert_eq!(attempt(&|file| file["pre_tokenizer"] = digits.clone()).as_deref(), Ok("smollm"));
    let as_llama3 = |file: &mut Json| {
        file["pre_tokenizer"] = split(&llama3);
        file["model"]["ignore_merges"] = true.into();
    };
    assert_eq!(attempt(&as_llama3).as_deref(), Ok("llama-bpe"));
    for (word, change) in [
        (
            "merges words that are tokens",
            &(|file: &mut Json| file["pre_tokenizer"] = split(&llama3)) as &dyn Fn(&mut Json),
        ),
        ("by the pattern", &|file| file["pre_tokenizer"] = split(r"\w+")),
        ("a space before every text", &|file| file["pre_tokenizer"]["add_prefix_space"] = true.into()),
        ("does not cut", &|file| file["pre_tokenizer"] = Json::Null),
        ("byte-level", &|file| file["pre_tokenizer"] = json!({"type": "Metaspace"})),
        ("SentencePiece", &|file| file["model"]["byte_fallback"] = true.into()),
        ("Unigram", &|file| file["model"]["type"] = "Unigram".into()),
        ("normalizer is NFC", &|file| file["normalizer"] = json!({"type": "NFC"})),
        ("no row in the embedding", &|file| file["added_tokens"][0]["id"] = 24.into()),
        ("several tokens", &|file| file["post_processor"]["single"] = json!([])),
        ("is BertProcessing", &|file| file["post_processor"] = json!({"type": "BertProcessing"})),
        ("no merges", &|file| file["model"]["merges"] = Json::Null),
    ] {
        let error = attempt(change).unwrap_err();
        assert!(error.contains(word) && error.contains("tokenizer.json"), "{word}: {error}");
        assert_eq!(names(dir.path()), ["base"]);
    }
    fs_err::remove_file(base.dir().join("tokenizer.json")).unwrap();
    let error = write_gguf(&base, None, GgufType::F32, &out, &Silent).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

#[test]
fn scaled_frequencies_of_llama_3_are_those_of_the_decoder() {
    let scaling = json!({
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16
    });
    let dir = tempfile::tempdir().unwrap();
    let base = write_base(&Tiny::llama().set("rope_parameters", scaling), &dir.path().join("base"));
    let out = dir.path().join("model.gguf");
    write_gguf(&base, None, GgufType::F32, &out, &Silent).unwrap();
    let factors = Read::open(&out).tensor("rope_freqs.weight").1;
    // Pair 0 turns 16 / (2 pi) = 2.546 times: between 1 and 4; pair 1 with frequency 1 / 100 hardly turns at all.
    let smooth = (16.0 / std::f64::consts::TAU - 1.0) / 3.0;
    let expected = [1.0 / ((1.0 - smooth) / 4.0 + smooth), 4.0];
    assert!(
        factors.iter().zip(expected).all(|(found, wanted)| (f64::from(*found) - wanted).abs() < 1e-6),
        "{factors:?}"
    );
}

#[test]
fn models_that_llama_cpp_does_not_run_alike_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut uneven = Tiny::qwen2().unset("intermediate_size");
    uneven.add("model.layers.1.mlp.gate_proj.weight", &[8, 16]);
    uneven.add("model.layers.1.mlp.up_proj.weight", &[8, 16]);
    uneven.add("model.layers.1.mlp.down_proj.weight", &[16, 8]);
    let base = write_base(&uneven, &dir.path().join("base"));
    let error = write_gguf(&base, None, GgufType::F32, &dir.path().join("a.gguf"), &Silent).unwrap_err().to_string();
    assert!(error.contains("Qwen") && error.contains("one size"), "{error}");
}

struct StopNow;

impl Monitor for StopNow {
    fn progress(&self, done: u64, total: u64) {
        assert!(done <= total);
    }

    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn nothing_is_overwritten_and_a_stop_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let base = write_base(&Tiny::llama(), &dir.path().join("base"));
    let out = dir.path().join("model.gguf");
    let error = write_gguf(&base, None, GgufType::F32, &out, &StopNow).unwrap_err();
    assert!(matches!(error, ModelError::Cancelled), "{error}");
    assert_eq!(names(dir.path()), ["base"]);
    fs_err::write(&out, "mine").unwrap();
    let error = write_gguf(&base, None, GgufType::F32, &out, &Silent).unwrap_err();
    assert!(matches!(error, ModelError::OutputTaken(_)), "{error}");
    assert_eq!(fs_err::read_to_string(&out).unwrap(), "mine");
}

/// A real model with its real tokenizer, for the readers.
pub fn real() -> Option<PathBuf> {
    shared("models/mix-llama-5m")
}

#[test]
fn a_real_model_with_its_tokenizer_is_written() {
    let Some(dir) = real() else { return };
    let out = tempfile::tempdir().unwrap();
    let base = Checkpoint::open(&dir).unwrap();
    let path = out.path().join("mix.gguf");
    let written = write_gguf(&base, None, GgufType::Bf16, &path, &Silent).unwrap();
    assert_eq!((written.architecture.as_str(), written.notes.len()), ("llama", 0));
    let mut read = Read::open(&path);
    let (_, values, _) = read.tensor("blk.5.attn_q.weight");
    assert_eq!(turned_back(&values, 32, 256), base.values(&projection_name(5, Projection::Q)).unwrap());
}
