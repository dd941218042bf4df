//! Other programs read what this one writes. Runs only where `PASER_PYTHON` names an interpreter that has torch,
//! transformers, peft, safetensors and gguf.

use std::path::{Path, PathBuf};
use std::process::Command;

use paser_model::adapter::peft;
use paser_model::write::{GgufType, WeightsType, write_gguf, write_merged};
use paser_model::{Checkpoint, Decoder, Zeros};
use paser_protocol::Silent;
use serde_json::{Value, json};

use crate::adapters::everywhere;
use crate::gguf::QWEN;
use crate::support::{golden, golden_ids, largest_difference, logits};
use crate::tiny::Tiny;

/// Runs a script of `tests/readers`; `None` with a word on stderr where there is no interpreter, or where it ends with 77:
/// a package is missing.
fn python(script: &str, arguments: &[&Path]) -> Option<()> {
    let Some(python) = std::env::var_os("PASER_PYTHON") else {
        eprintln!("skipped: PASER_PYTHON names no interpreter");
        return None;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers").join(script);
    let output = Command::new(python).arg(path).args(arguments).env("HF_HUB_OFFLINE", "1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        eprintln!("skipped: {script}: {told}");
        return None;
    }
    assert!(output.status.success(), "{script}: {told}");
    Some(())
}

fn base(dir: &Path) -> (PathBuf, Checkpoint) {
    let from = dir.join("base");
    fs_err::create_dir(&from).unwrap();
    Tiny::llama().write(&from);
    let checkpoint = Checkpoint::open(&from).unwrap();
    (from, checkpoint)
}

fn close(decoder: &Decoder, golden_file: &Path, what: &str) {
    let found = logits(decoder, &golden_ids(golden_file, "input_ids"));
    let difference = largest_difference(&found, &golden(golden_file, "logits"));
    eprintln!("{what}: largest difference of logits {difference:e}");
    assert!(difference < 2e-4, "{what}: off by {difference}");
}

#[test]
fn peft_loads_our_adapter_and_gives_our_logits() {
    let dir = tempfile::tempdir().unwrap();
    let (from, base) = base(dir.path());
    for (name, adapter) in [
        ("all", everywhere(&base)),
        (
            "one",
            crate::adapters::adapter(&base, &[(1, paser_model::Projection::Down), (0, paser_model::Projection::Q)]),
        ),
    ] {
        let (folder, out) = (dir.path().join(name), dir.path().join(format!("{name}.safetensors")));
        let told = peft::Base { name: &from.to_string_lossy(), hash: Some("aa11") };
        peft::write(&adapter, base.spec(), &told, &folder).unwrap();
        let Some(()) = python("peft_logits.py", &[&from, &folder, &out]) else { return };
        close(&Decoder::load_with(&base, &adapter, Zeros::Fill, &Silent).unwrap().0, &out, name);
    }
}

#[test]
fn adapters_that_peft_writes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let (from, base) = base(dir.path());
    for kind in ["plain", "rslora", "bf16", "attention"] {
        let (folder, out) = (dir.path().join(kind), dir.path().join(format!("{kind}.safetensors")));
        let Some(()) = python("peft_write.py", &[&from, &folder, &out, Path::new(kind)]) else { return };
        let read = peft::read(&folder, base.spec(), None).unwrap();
        close(&Decoder::load_with(&base, &read.adapter, Zeros::Fill, &Silent).unwrap().0, &out, kind);
    }
    for kind in ["dora", "bias", "modules", "ranks"] {
        let (folder, out) = (dir.path().join(kind), dir.path().join(format!("{kind}.safetensors")));
        python("peft_write.py", &[&from, &folder, &out, Path::new(kind)]).unwrap();
        let error = peft::read(&folder, base.spec(), None).unwrap_err();
        eprintln!("{error}");
    }
}

#[test]
fn transformers_loads_a_merged_folder_and_gives_our_logits() {
    let dir = tempfile::tempdir().unwrap();
    for (name, tiny) in
        [("llama", Tiny::llama()), ("mistral", Tiny::mistral()), ("qwen2", Tiny::qwen2()), ("qwen3", Tiny::qwen3())]
    {
        let from = dir.path().join(name);
        fs_err::create_dir(&from).unwrap();
        tiny.write_sharded(&from);
        let base = Checkpoint::open(&from).unwrap();
        let (folder, out) = (dir.path().join(format!("{name}-merged")), dir.path().join(format!("{name}.safetensors")));
        write_merged(&base, &everywhere(&base), Zeros::Fill, WeightsType::AsBase, &folder, &Silent).unwrap();
        let Some(()) = python("transformers_logits.py", &[&folder, &out]) else { return };
        close(&Decoder::load(&Checkpoint::open(&folder).unwrap()).unwrap(), &out, name);
    }
}

#[test]
fn the_gguf_package_reads_our_tensors_and_transformers_our_logits() {
    let dir = tempfile::tempdir().unwrap();
    for (name, tiny, loads) in [
        ("llama", Tiny::llama(), true),
        ("qwen2", Tiny::qwen2(), true),
        ("qwen3", Tiny::qwen3(), true),
        ("deci", Tiny::uneven(), false),
    ] {
        let base = crate::gguf::write_base(&tiny, &dir.path().join(name));
        let adapter = everywhere(&base);
        let folder = dir.path().join(format!("{name}-gguf"));
        fs_err::create_dir(&folder).unwrap();
        let (path, out) = (folder.join("model.gguf"), dir.path().join(format!("{name}.safetensors")));
        let written = write_gguf(&base, Some((&adapter, Zeros::Fill)), GgufType::F32, &path, &Silent).unwrap();
        assert_eq!(written.architecture, name);
        let how = Path::new(if loads { "logits" } else { "tensors" });
        let Some(()) = python("gguf_read.py", &[&path, &out, how]) else { return };
        let decoder = Decoder::load_with(&base, &adapter, Zeros::Fill, &Silent).unwrap().0;
        if loads {
            close(&decoder, &out, name);
        }
        let merged = dir.path().join(format!("{name}-merged"));
        write_merged(&base, &adapter, Zeros::Fill, WeightsType::AsBase, &merged, &Silent).unwrap();
        let merged = Checkpoint::open(&merged).unwrap();
        for (theirs, ours) in [
            ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
            ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight"),
            ("token_embd.weight", "model.embed_tokens.weight"),
        ] {
            assert_eq!(golden(&out, theirs), merged.values(ours).unwrap(), "{name}: {theirs}");
        }
    }
}

#[test]
fn a_real_models_gguf_gives_its_logits_and_its_tokens() {
    let Some(model) = crate::gguf::real() else { return };
    let dir = tempfile::tempdir().unwrap();
    let base = Checkpoint::open(&model).unwrap();
    let (path, out) = (dir.path().join("model.gguf"), dir.path().join("out.safetensors"));
    write_gguf(&base, None, GgufType::Bf16, &path, &Silent).unwrap();
    let Some(()) = python("gguf_read.py", &[&path, &out, Path::new("logits"), &model]) else { return };
    close(&Decoder::load(&base).unwrap(), &out, "mix-llama-5m");
}

/// What llama.cpp says after some tokens.
#[derive(serde::Deserialize)]
struct Next {
    ids: Vec<u32>,
    /// Token and its log-probability.
    top: Vec<(usize, f64)>,
}

/// Compares llama.cpp's log-probabilities with ours.
fn llama_cpp_agrees(decoder: &Decoder, told: &Path, what: &str) {
    let results: Vec<Next> = serde_json::from_slice(&fs_err::read(told).unwrap()).unwrap();
    assert_eq!(results.len(), 6);
    let mut largest = 0.0_f64;
    for next in results {
        let all = logits(decoder, std::slice::from_ref(&next.ids));
        let last = &all[(next.ids.len() - 1) * decoder.spec().vocab..];
        let sum = last.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        assert_eq!(next.top.len(), 24);
        for (token, found) in next.top {
            largest = largest.max((found - (f64::from(last[token]) - sum)).abs());
        }
    }
    eprintln!("{what}: largest difference of llama.cpp's log-probabilities {largest:e}");
    assert!(largest < 2e-4, "{what}: off by {largest}");
}

#[test]
fn llama_cpp_gives_our_probabilities() {
    let dir = tempfile::tempdir().unwrap();
    let llama3 = json!({
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16
    });
    for (name, tiny) in [
        ("llama", Tiny::llama()),
        ("llama3", Tiny::llama().set("rope_parameters", llama3)),
        ("qwen2", Tiny::qwen2()),
        ("qwen3", Tiny::qwen3()),
        ("deci", Tiny::uneven()),
    ] {
        let base = crate::gguf::write_base(&tiny, &dir.path().join(name));
        let (path, out) = (dir.path().join(format!("{name}.gguf")), dir.path().join(format!("{name}.json")));
        let adapter = everywhere(&base);
        write_gguf(&base, Some((&adapter, Zeros::Fill)), GgufType::F32, &path, &Silent).unwrap();
        let Some(()) = python("llama_cpp.py", &[&path, &out]) else { return };
        let decoder = Decoder::load_with(&base, &adapter, Zeros::Fill, &Silent).unwrap().0;
        llama_cpp_agrees(&decoder, &out, name);
    }
}

#[test]
fn llama_cpp_reads_a_real_model_and_cuts_text_as_its_tokenizer_does() {
    let Some(model) = crate::gguf::real() else { return };
    let split = |pattern: &str| {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]})
    };
    let digits = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]});
    let llama3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|");
    for (name, cut) in
        [("gpt-2", None), ("smollm", Some(digits)), ("qwen2", Some(split(QWEN))), ("llama-bpe", Some(split(&llama3)))]
    {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        fs_err::create_dir(&base).unwrap();
        for file in ["config.json", "model.safetensors", "tokenizer_config.json"] {
            fs_err::copy(model.join(file), base.join(file)).unwrap();
        }
        let mut tokenizer: Value =
            serde_json::from_slice(&fs_err::read(model.join("tokenizer.json")).unwrap()).unwrap();
        if let Some(cut) = cut {
            tokenizer["pre_tokenizer"] = cut;
        }
        tokenizer["model"]["ignore_merges"] = (name == "llama-bpe").into();
        fs_err::write(base.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        let checkpoint = Checkpoint::open(&base).unwrap();
        let (path, out) = (dir.path().join("model.gguf"), dir.path().join("out.json"));
        write_gguf(&checkpoint, None, GgufType::F32, &path, &Silent).unwrap();
        let Some(()) = python("llama_cpp.py", &[&path, &out, &base]) else { return };
        llama_cpp_agrees(&Decoder::load(&checkpoint).unwrap(), &out, name);
    }
}
