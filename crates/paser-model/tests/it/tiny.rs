//! Tiny random decoders, written the way transformers writes them, with whatever a test wants changed.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

pub const HIDDEN: usize = 16;
pub const VOCAB: usize = 24;
pub const LAYERS: usize = 2;
pub const FFN: usize = 24;

/// A checkpoint before it is written: 4 heads, 2 key/value heads, width 4, tied.
pub struct Tiny {
    pub config: Value,
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Tiny {
    pub fn llama() -> Self {
        let mut tiny = Self {
            config: json!({
                "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "vocab_size": VOCAB,
                "num_hidden_layers": LAYERS, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4,
                "intermediate_size": FFN, "max_position_embeddings": 40, "rms_norm_eps": 1e-5, "hidden_act": "silu",
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "attention_bias": false,
                "mlp_bias": false, "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 1
            }),
            tensors: BTreeMap::new(),
        };
        tiny.add("model.embed_tokens.weight", &[VOCAB, HIDDEN]);
        tiny.add("model.norm.weight", &[HIDDEN]);
        for layer in 0..LAYERS {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            tiny.add(&name("input_layernorm"), &[HIDDEN]);
            tiny.add(&name("post_attention_layernorm"), &[HIDDEN]);
            tiny.add(&name("self_attn.q_proj"), &[16, HIDDEN]);
            tiny.add(&name("self_attn.k_proj"), &[8, HIDDEN]);
            tiny.add(&name("self_attn.v_proj"), &[8, HIDDEN]);
            tiny.add(&name("self_attn.o_proj"), &[HIDDEN, 16]);
            tiny.add(&name("mlp.gate_proj"), &[FFN, HIDDEN]);
            tiny.add(&name("mlp.up_proj"), &[FFN, HIDDEN]);
            tiny.add(&name("mlp.down_proj"), &[HIDDEN, FFN]);
        }
        tiny
    }

    /// The same with windows of 5 positions.
    pub fn mistral() -> Self {
        Self::llama().family("mistral", "MistralForCausalLM").set("sliding_window", 5.into())
    }

    /// The same with biases on q, k and v, and a head of its own.
    pub fn qwen2() -> Self {
        let mut tiny = Self::llama().family("qwen2", "Qwen2ForCausalLM").set("tie_word_embeddings", false.into());
        tiny.add("lm_head.weight", &[VOCAB, HIDDEN]);
        for layer in 0..LAYERS {
            for (part, rows) in [("q", 16), ("k", 8), ("v", 8)] {
                tiny.add(&format!("model.layers.{layer}.self_attn.{part}_proj.bias"), &[rows]);
            }
        }
        tiny
    }

    /// The same with norms over each query and key head.
    pub fn qwen3() -> Self {
        let mut tiny = Self::llama().family("qwen3", "Qwen3ForCausalLM");
        for layer in 0..LAYERS {
            for part in ["q", "k"] {
                tiny.add(&format!("model.layers.{layer}.self_attn.{part}_norm.weight"), &[4]);
            }
        }
        tiny
    }

    /// The same where the second layer is narrower: one query and one key/value head less of each two, a third of the width.
    pub fn uneven() -> Self {
        let mut tiny = Self::llama();
        for key in ["num_attention_heads", "num_key_value_heads", "intermediate_size"] {
            tiny = tiny.unset(key);
        }
        let name = |part: &str| format!("model.layers.1.{part}.weight");
        tiny.add(&name("self_attn.q_proj"), &[8, HIDDEN]);
        tiny.add(&name("self_attn.k_proj"), &[4, HIDDEN]);
        tiny.add(&name("self_attn.v_proj"), &[4, HIDDEN]);
        tiny.add(&name("self_attn.o_proj"), &[HIDDEN, 8]);
        tiny.add(&name("mlp.gate_proj"), &[8, HIDDEN]);
        tiny.add(&name("mlp.up_proj"), &[8, HIDDEN]);
        tiny.add(&name("mlp.down_proj"), &[HIDDEN, 8]);
        tiny
    }

    fn family(self, model_type: &str, class: &str) -> Self {
        self.set("model_type", model_type.into()).set("architectures", json!([class]))
    }

    /// Enters a tensor of pseudo-random values that depend on its name.
    pub fn add(&mut self, name: &str, shape: &[usize]) {
        let mut state =
            name.bytes().fold(0x9e37_79b9_u32, |state, byte| state.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let values = (0..shape.iter().product())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        self.tensors.insert(name.to_owned(), (shape.to_vec(), values));
    }

    pub fn set(mut self, key: &str, value: Value) -> Self {
        self.config[key] = value;
        self
    }

    pub fn unset(mut self, key: &str) -> Self {
        self.config.as_object_mut().unwrap().remove(key);
        self
    }

    pub fn write(&self, dir: &Path) {
        fs_err::write(dir.join("config.json"), self.config.to_string()).unwrap();
        fs_err::write(dir.join("model.safetensors"), self.bytes(|_| true)).unwrap();
    }

    /// Two shards and their index.
    pub fn write_sharded(&self, dir: &Path) {
        fs_err::write(dir.join("config.json"), self.config.to_string()).unwrap();
        let file = |name: &str| if name.contains("layers.1.") { "b.safetensors" } else { "a.safetensors" };
        for shard in ["a.safetensors", "b.safetensors"] {
            fs_err::write(dir.join(shard), self.bytes(|name| file(name) == shard)).unwrap();
        }
        let map: BTreeMap<&str, &str> = self.tensors.keys().map(|name| (name.as_str(), file(name))).collect();
        fs_err::write(dir.join("model.safetensors.index.json"), json!({"metadata": {}, "weight_map": map}).to_string())
            .unwrap();
    }

    pub fn bytes(&self, wanted: impl Fn(&str) -> bool) -> Vec<u8> {
        let raw: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, (shape, values))| {
                (name.clone(), shape.clone(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .collect();
        let views = raw
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }
}
