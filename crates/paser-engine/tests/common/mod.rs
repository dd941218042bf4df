//! Small worlds for the engine's tests, made on the spot: a pool of five plain tasks, a random LLaMA with a byte-level
//! tokenizer, and a pruned copy of it.
#![allow(clippy::unwrap_used, dead_code)]

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, atomic::AtomicBool},
};

use paser_engine::{Outcome, RunOptions, Session};
use paser_project::{Array, Arrays};
use paser_protocol::{Event, ProjectDraft, RunSummary, Stage};

/// Numbers that look random and are the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next() >> 33) as usize % count
    }

    /// About normal, by a sum of uniforms.
    pub fn bell(&mut self) -> f32 {
        let uniform = |dice: &mut Self| (dice.next() >> 40) as f32 / (1 << 24) as f32;
        (0..6).map(|_| uniform(self)).sum::<f32>() - 3.0
    }
}

const THINGS: [&str; 12] = [
    "river",
    "lantern",
    "harbour",
    "violin",
    "orchard",
    "compass",
    "glacier",
    "teapot",
    "meadow",
    "telescope",
    "bakery",
    "castle",
];
const PLACES: [&str; 8] = ["north", "south", "village", "coast", "valley", "city", "island", "forest"];

/// One line of a pool as JSON.
pub fn row(id: usize, dice: &mut Dice) -> String {
    let thing = THINGS[dice.below(THINGS.len())];
    let other = THINGS[dice.below(THINGS.len())];
    let place = PLACES[dice.below(PLACES.len())];
    let (a, b) = (dice.below(90) + 10, dice.below(90) + 10);
    let (capability, instruction, input, output) = match id % 5 {
        0 => ("arithmetic", format!("Task {id}: add the numbers {a} and {b}."), String::new(), (a + b).to_string()),
        1 => (
            "rewriting",
            format!("Rewrite the sentence politely, item {id}."),
            format!("Bring the {thing} to the {place}."),
            format!("Would you please bring the {thing} to the {place}?"),
        ),
        2 => (
            "facts",
            format!("Which {thing} stands in the {place} quarter number {id}?"),
            String::new(),
            format!("The old {thing} beside the {other}."),
        ),
        3 => (
            "sorting",
            "Sort these words by their first letter.".to_owned(),
            format!("{thing} {other} {place} word{id}"),
            {
                let mut words = [thing, other, place];
                words.sort_unstable();
                words.join(" ")
            },
        ),
        _ => (
            "code",
            format!("Write a function named {thing}_{id} that returns {a}."),
            String::new(),
            format!("fn {thing}_{id}() -> u32 {{ {a} }}"),
        ),
    };
    serde_json::json!({
        "id": id, "instruction": instruction, "input": input, "output": output, "capability": capability, "weight": a,
    })
    .to_string()
}

pub fn rows(count: usize) -> Vec<String> {
    let mut dice = Dice::new(7);
    (0..count).map(|id| row(id, &mut dice)).collect()
}

pub fn write_pool(path: &Path, rows: &[String]) {
    fs_err::write(path, rows.join("\n") + "\n").unwrap();
}

/// GPT-2's spelling of bytes.
fn byte_letters() -> Vec<char> {
    let printable =
        |byte: u32| (33..=126).contains(&byte) || (161..=172).contains(&byte) || (174..=255).contains(&byte);
    let mut next = 256;
    (0..256)
        .map(|byte| {
            let code = if printable(byte) {
                byte
            } else {
                next += 1;
                next - 1
            };
            char::from_u32(code).unwrap()
        })
        .collect()
}

/// A tokenizer that knows bytes and two marks; `extra` more words make it another one.
pub fn write_tokenizer(folder: &Path, extra: &[&str]) {
    let mut vocabulary = serde_json::Map::new();
    for (id, word) in ["<s>", "</s>"].into_iter().enumerate() {
        vocabulary.insert(word.to_owned(), id.into());
    }
    for letter in byte_letters() {
        vocabulary.insert(letter.to_string(), vocabulary.len().into());
    }
    for word in extra {
        vocabulary.insert((*word).to_owned(), vocabulary.len().into());
    }
    let special = |id: u32, content: &str| {
        serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<s>"), special(1, "</s>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": []},
    });
    fs_err::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let config = serde_json::json!({"bos_token": "<s>", "eos_token": "</s>"});
    fs_err::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

const HIDDEN: usize = 32;
const FFN: usize = 64;
const VOCAB: usize = 264;
const LAYERS: usize = 2;

fn weights(seed: u64) -> Arrays {
    let mut dice = Dice::new(seed);
    let mut arrays = Arrays::new();
    let mut matrix = |name: String, rows: usize, columns: usize, scale: f32, arrays: &mut Arrays| {
        let values: Vec<f32> = (0..rows * columns).map(|_| dice.bell() * scale).collect();
        arrays.insert(name, Array::matrix(rows, columns, values));
    };
    matrix("model.embed_tokens.weight".to_owned(), VOCAB, HIDDEN, 0.5, &mut arrays);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        for part in ["self_attn.q_proj", "self_attn.o_proj"] {
            matrix(name(part), HIDDEN, HIDDEN, 0.2, &mut arrays);
        }
        for part in ["self_attn.k_proj", "self_attn.v_proj"] {
            matrix(name(part), HIDDEN / 2, HIDDEN, 0.2, &mut arrays);
        }
        for part in ["mlp.gate_proj", "mlp.up_proj"] {
            matrix(name(part), FFN, HIDDEN, 0.2, &mut arrays);
        }
        matrix(name("mlp.down_proj"), HIDDEN, FFN, 0.2, &mut arrays);
        for part in ["input_layernorm", "post_attention_layernorm"] {
            arrays.insert(name(part), Array::column(vec![1.0_f32; HIDDEN]));
        }
    }
    arrays.insert("model.norm.weight", Array::column(vec![1.0_f32; HIDDEN]));
    arrays
}

/// A random LLaMA; `pruned` zeroes the small weights of its projections.
pub fn write_model(folder: &Path, seed: u64, pruned: bool) {
    fs_err::create_dir_all(folder).unwrap();
    let mut arrays = weights(seed);
    if pruned {
        let mut zeroed = Arrays::new();
        for name in arrays.names().map(str::to_owned).collect::<Vec<_>>() {
            let array = arrays.get(&name).unwrap().clone();
            let array = match array.values {
                paser_project::Values::F32(mut values) if name.contains("_proj") => {
                    for value in values.iter_mut().filter(|value| value.abs() < 0.12) {
                        *value = 0.0;
                    }
                    Array { shape: array.shape, values: values.into() }
                }
                values => Array { shape: array.shape, values },
            };
            zeroed.insert(name, array);
        }
        arrays = zeroed;
    }
    fs_err::write(folder.join("model.safetensors"), arrays.to_bytes().unwrap()).unwrap();
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": FFN,
        "num_hidden_layers": LAYERS, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "hidden_act": "silu", "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "vocab_size": VOCAB,
        "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "float32",
    });
    fs_err::write(folder.join("config.json"), config.to_string()).unwrap();
    write_tokenizer(folder, &[]);
}

/// A folder with a pool, two models and a project that is not run yet.
pub struct World {
    pub place: tempfile::TempDir,
}

impl World {
    pub fn new(samples: usize) -> Self {
        let place = tempfile::tempdir().unwrap();
        write_pool(&place.path().join("pool.jsonl"), &rows(samples));
        write_model(&place.path().join("dense"), 1, false);
        write_model(&place.path().join("pruned"), 1, true);
        Self { place }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    pub fn draft(&self, project: &str) -> ProjectDraft {
        ProjectDraft {
            folder: self.text(project),
            pool: self.text("pool.jsonl"),
            dense: self.text("dense"),
            pruned: self.text("pruned"),
            template: "plain".to_owned(),
            ..ProjectDraft::default()
        }
    }

    /// A project with four clusters and shards of 100, so that little work makes many of them.
    pub fn project(&self, name: &str) -> Session {
        drop(Session::create(&self.draft(name)).unwrap());
        self.edit(name, "clusters = \"automatic\"", "clusters = 4");
        self.edit(name, "shard = 2000", "shard = 100");
        self.open(name)
    }

    pub fn open(&self, name: &str) -> Session {
        Session::open(&self.path(name)).unwrap()
    }

    /// Changes the recipe as a person would, in its file.
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let path = self.path(name).join("recipe.toml");
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{old}");
        fs_err::write(&path, text.replace(old, new)).unwrap();
    }
}

/// What nobody cancels.
pub static NEVER: AtomicBool = AtomicBool::new(false);

pub fn run(session: &Session, until: Stage) -> Outcome<RunSummary> {
    run_with(session, until, 2)
}

pub fn run_with(session: &Session, until: Stage, threads: usize) -> Outcome<RunSummary> {
    let options = RunOptions { threads, memory: None, worker: None, arms: Vec::new() };
    session.run(until, &options, &|_| {}, &NEVER)
}

/// Stages that were computed, not found.
pub fn computed(summary: &RunSummary) -> Vec<Stage> {
    summary.stages.iter().filter(|stage| !stage.cached).map(|stage| stage.stage).collect()
}

/// Events of a run, with their times.
pub fn events_of(session: &Session, until: Stage) -> Vec<Event> {
    let events = Mutex::new(Vec::new());
    let sink = |event: Event| events.lock().unwrap().push(event);
    session.run(until, &RunOptions::default(), &sink, &NEVER).unwrap();
    events.into_inner().unwrap()
}
