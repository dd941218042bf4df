//! A tiny random LLaMA on disk: hidden 16, two layers, 4 heads over 2 key/value heads of width 4, FFN 24, tied.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

pub const HIDDEN: usize = 16;
pub const VOCAB: usize = 24;
pub const LAYERS: usize = 2;
pub const HEADS: usize = 4;
pub const KV_HEADS: usize = 2;
pub const WIDTH: usize = 4;
pub const FFN: usize = 24;
pub const EPS: f64 = 1e-5;
pub const ROPE_BASE: f64 = 10_000.0;

pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

pub const PROJECTIONS: [(&str, usize, usize); 7] = [
    ("self_attn.q_proj", HEADS * WIDTH, HIDDEN),
    ("self_attn.k_proj", KV_HEADS * WIDTH, HIDDEN),
    ("self_attn.v_proj", KV_HEADS * WIDTH, HIDDEN),
    ("self_attn.o_proj", HIDDEN, HEADS * WIDTH),
    ("mlp.gate_proj", FFN, HIDDEN),
    ("mlp.up_proj", FFN, HIDDEN),
    ("mlp.down_proj", HIDDEN, FFN),
];

pub fn weight(layer: usize, module: &str) -> String {
    format!("model.layers.{layer}.{module}.weight")
}

pub fn tensors() -> Tensors {
    let mut tensors = Tensors::new();
    let mut state = 3_u32;
    let mut add = |name: String, shape: &[usize], around: f32| {
        let values = (0..shape.iter().product())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                around + (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        tensors.insert(name, (shape.to_vec(), values));
    };
    add("model.embed_tokens.weight".to_owned(), &[VOCAB, HIDDEN], 0.0);
    add("model.norm.weight".to_owned(), &[HIDDEN], 1.0);
    for layer in 0..LAYERS {
        add(weight(layer, "input_layernorm"), &[HIDDEN], 1.0);
        add(weight(layer, "post_attention_layernorm"), &[HIDDEN], 1.0);
        for (module, rows, columns) in PROJECTIONS {
            add(weight(layer, module), &[rows, columns], 0.0);
        }
    }
    tensors
}

/// Writes the model as `dense` below `dir`, in two shards, with a tokenizer file, a licence and a README beside it.
pub fn write(dir: &Path) -> PathBuf {
    let dense = dir.join("dense");
    fs_err::create_dir(&dense).unwrap();
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "vocab_size": VOCAB,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": WIDTH,
        "intermediate_size": FFN, "max_position_embeddings": 64, "rms_norm_eps": EPS, "hidden_act": "silu",
        "rope_theta": ROPE_BASE, "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 1
    });
    fs_err::write(dense.join("config.json"), config.to_string()).unwrap();
    for (file, text) in [("tokenizer.json", "{}"), ("LICENSE", "free"), ("README.md", "about the dense model")] {
        fs_err::write(dense.join(file), text).unwrap();
    }
    let all = tensors();
    let shard = |name: &str| if name.contains("layers.1.") { "two.safetensors" } else { "one.safetensors" };
    for file in ["one.safetensors", "two.safetensors"] {
        let raw: Vec<(&String, &Vec<usize>, Vec<u8>)> = all
            .iter()
            .filter(|(name, _)| shard(name) == file)
            .map(|(name, (shape, values))| (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
            .collect();
        let views = raw
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), bytes).unwrap()));
        fs_err::write(dense.join(file), safetensors::serialize(views, None).unwrap()).unwrap();
    }
    let map: BTreeMap<&str, &str> = all.keys().map(|name| (name.as_str(), shard(name))).collect();
    fs_err::write(dense.join("model.safetensors.index.json"), json!({"weight_map": map}).to_string()).unwrap();
    dense
}

pub fn sequences() -> Vec<Vec<u32>> {
    (0..9_u32).map(|s| (0..3 + 5 * (s % 4)).map(|t| (s * 7 + t * t + 3 * t) % VOCAB as u32).collect()).collect()
}
