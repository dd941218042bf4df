//! Reads `config.json` in both key styles (transformers 5 `rope_parameters`, older `rope_theta` + `rope_scaling`).
//! A key that is absent stays absent here: `infer` decides whether tensors, a documented default or an error answers.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::spec::{Family, RopeScaling};
use crate::{Contradiction, ModelError};

/// What the configuration file states, nothing more.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub path: PathBuf,
    pub family: Family,
    /// Whether `hidden_act` is stated; a stated one is "silu".
    pub activation_stated: bool,
    pub hidden: Option<usize>,
    pub layers: Option<usize>,
    pub heads: Option<usize>,
    pub kv_heads: Option<usize>,
    pub head_dim: Option<usize>,
    pub ffn: Option<usize>,
    pub vocab: Option<usize>,
    pub context: Option<usize>,
    pub norm_eps: Option<f64>,
    pub rope_base: Option<f64>,
    /// `None` when neither key style mentions scaling, which transformers reads as the default.
    pub rope_scaling: Option<RopeScaling>,
    pub tied: Option<bool>,
    pub attention_bias: Option<bool>,
    pub mlp_bias: Option<bool>,
    /// Outer `None`: the key is absent. Inner `None`: it is null, no window.
    pub sliding_window: Option<Option<usize>>,
    pub use_sliding_window: Option<bool>,
    pub max_window_layers: Option<usize>,
    /// Per layer: does it use the window?
    pub windowed_layers: Option<Vec<bool>>,
    pub bos_token: Option<u32>,
    pub eos_tokens: Vec<u32>,
    pub pad_token: Option<u32>,
}

/// A JSON object whose values are read with the file's name in every error.
struct Keys<'a> {
    path: &'a Path,
    map: &'a Map<String, Value>,
}

impl Config {
    pub(crate) fn read(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let map = read_object(dir, "config.json", "Give the folder that transformers' save_pretrained wrote.")?;
        let keys = Keys { path: &path, map: &map };
        if !matches!(map.get("quantization_config"), None | Some(Value::Null)) {
            return Err(keys.unsupported(
                "the weights are quantised (quantization_config is set). Take the unquantised checkpoint, or convert it to BF16 first.".to_owned(),
            ));
        }
        let family = keys.family()?;
        if let Some(activation) = keys.text("hidden_act")?
            && activation != "silu"
        {
            return Err(keys.unsupported(format!(
                "hidden_act is {activation:?}; {} models are run with \"silu\" only.",
                family.label()
            )));
        }
        let (rope_base, rope_scaling) = keys.rope()?;
        let mut config = Self {
            family,
            activation_stated: keys.present("hidden_act").is_some(),
            hidden: keys.count("hidden_size")?,
            layers: keys.count("num_hidden_layers")?,
            heads: keys.count("num_attention_heads")?,
            kv_heads: keys.count("num_key_value_heads")?,
            head_dim: keys.count("head_dim")?,
            ffn: keys.count("intermediate_size")?,
            vocab: keys.count("vocab_size")?,
            context: keys.count("max_position_embeddings")?,
            norm_eps: keys.positive("rms_norm_eps")?,
            rope_base,
            rope_scaling,
            tied: keys.flag("tie_word_embeddings")?,
            attention_bias: keys.flag("attention_bias")?,
            mlp_bias: keys.flag("mlp_bias")?,
            sliding_window: map.contains_key("sliding_window").then_some(keys.count("sliding_window")?),
            use_sliding_window: keys.flag("use_sliding_window")?,
            max_window_layers: keys.whole("max_window_layers")?,
            windowed_layers: keys.windowed_layers()?,
            bos_token: keys.tokens("bos_token_id")?.first().copied(),
            eos_tokens: keys.tokens("eos_token_id")?,
            pad_token: keys.tokens("pad_token_id")?.first().copied(),
            path,
        };
        config.add_generation_tokens(dir)?;
        Ok(config)
    }

    /// Chat models often name their full list of end tokens only in `generation_config.json`.
    fn add_generation_tokens(&mut self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join("generation_config.json");
        if !path.is_file() {
            return Ok(());
        }
        let map = read_object(dir, "generation_config.json", "")?;
        let keys = Keys { path: &path, map: &map };
        for id in keys.tokens("eos_token_id")? {
            if !self.eos_tokens.contains(&id) {
                self.eos_tokens.push(id);
            }
        }
        if self.bos_token.is_none() {
            self.bos_token = keys.tokens("bos_token_id")?.first().copied();
        }
        Ok(())
    }
}

/// Reads a JSON file that must hold an object.
pub(crate) fn read_object(dir: &Path, file: &str, advice: &str) -> Result<Map<String, Value>, ModelError> {
    let path = dir.join(file);
    if !path.is_file() {
        return Err(ModelError::MissingFile { dir: dir.to_owned(), file: file.to_owned(), advice: advice.to_owned() });
    }
    let bytes = fs_err::read(&path).map_err(ModelError::io(&path))?;
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(ModelError::Config { path, reason: "a JSON object is expected".to_owned() }),
        Err(error) => {
            Err(ModelError::Config { path, reason: format!("not JSON: {error}. Download or copy the file again.") })
        }
    }
}

impl Keys<'_> {
    fn wrong(&self, key: &str, value: &Value, expected: &str) -> ModelError {
        ModelError::Config { path: self.path.to_owned(), reason: format!("{key} is {value}; {expected} is expected") }
    }

    fn unsupported(&self, reason: String) -> ModelError {
        ModelError::Unsupported { path: self.path.to_owned(), reason }
    }

    fn present(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn whole(&self, key: &str) -> Result<Option<usize>, ModelError> {
        self.present(key)
            .map(|value| {
                value
                    .as_u64()
                    .and_then(|number| usize::try_from(number).ok())
                    .ok_or_else(|| self.wrong(key, value, "a whole number"))
            })
            .transpose()
    }

    fn count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.whole(key)? {
            Some(0) => Err(self.wrong(key, &Value::from(0), "a whole number of at least 1")),
            other => Ok(other),
        }
    }

    fn positive(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.present(key)
            .map(|value| {
                value
                    .as_f64()
                    .filter(|number| number.is_finite() && *number > 0.0)
                    .ok_or_else(|| self.wrong(key, value, "a positive number"))
            })
            .transpose()
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.present(key)
            .map(|value| value.as_bool().ok_or_else(|| self.wrong(key, value, "true or false")))
            .transpose()
    }

    fn text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        self.present(key).map(|value| value.as_str().ok_or_else(|| self.wrong(key, value, "a text"))).transpose()
    }

    fn object(&self, key: &str) -> Result<Option<Keys<'_>>, ModelError> {
        self.present(key)
            .map(|value| {
                value
                    .as_object()
                    .map(|map| Keys { path: self.path, map })
                    .ok_or_else(|| self.wrong(key, value, "an object"))
            })
            .transpose()
    }

    /// One id or a list of ids.
    fn tokens(&self, key: &str) -> Result<Vec<u32>, ModelError> {
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        match self.present(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                list.iter().map(|value| id(value).ok_or_else(|| self.wrong(key, value, "a token id"))).collect()
            }
            // Some conversions write -1 for "none".
            Some(value) if value.as_i64() == Some(-1) => Ok(Vec::new()),
            Some(value) => id(value).map(|id| vec![id]).ok_or_else(|| self.wrong(key, value, "a token id")),
        }
    }

    fn family(&self) -> Result<Family, ModelError> {
        const KNOWN: [(&str, &str, Family); 4] = [
            ("llama", "LlamaForCausalLM", Family::Llama),
            ("mistral", "MistralForCausalLM", Family::Mistral),
            ("qwen2", "Qwen2ForCausalLM", Family::Qwen2),
            ("qwen3", "Qwen3ForCausalLM", Family::Qwen3),
        ];
        let kind = self.text("model_type")?;
        let architectures: Vec<&str> = self
            .present("architectures")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let found = KNOWN.iter().find(|(model_type, class, _)| match kind {
            Some(kind) => kind == *model_type,
            None => architectures.first() == Some(class),
        });
        let Some((_, class, family)) = found else {
            let name = kind.or(architectures.first().copied()).unwrap_or("not named at all");
            return Err(self.unsupported(format!(
                "the architecture is {name}; LLaMA, Mistral, Qwen2 and Qwen3 decoders are run (mixtures of experts, Gemma and Phi are not)."
            )));
        };
        if let Some(other) = architectures.iter().find(|name| *name != class) {
            return Err(self.unsupported(format!(
                "the architecture is {other}; a {} model is run as {class} only.",
                family.label()
            )));
        }
        Ok(*family)
    }

    /// Rope base and scaling from either key style; both present must agree.
    fn rope(&self) -> Result<(Option<f64>, Option<RopeScaling>), ModelError> {
        let outer_base = self.positive("rope_theta")?;
        let new = self.object("rope_parameters")?;
        let old = self.object("rope_scaling")?;
        let new_base = new.as_ref().map(|keys| keys.positive("rope_theta")).transpose()?.flatten();
        if let (Some(outer), Some(inner)) = (outer_base, new_base)
            && outer != inner
        {
            return Err(ModelError::Contradicts {
                path: self.path.to_owned(),
                fields: vec![Contradiction {
                    field: "rope_theta".to_owned(),
                    config: format!("both {outer} and, in rope_parameters, {inner}"),
                    tensors: "not stored".to_owned(),
                }],
            });
        }
        if self.positive("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
            return Err(
                self.unsupported("partial_rotary_factor is not 1; only full rotary embeddings are run.".to_owned())
            );
        }
        let scaling = match (&new, &old) {
            (Some(keys), _) | (None, Some(keys)) => Some(keys.scaling(self)?),
            (None, None) => None,
        };
        Ok((new_base.or(outer_base), scaling))
    }

    /// Reads a rope dictionary; `outer` is the whole configuration, where transformers also looks for the context.
    fn scaling(&self, outer: &Keys<'_>) -> Result<RopeScaling, ModelError> {
        if let Some((layer, _)) = self.map.iter().find(|(_, value)| value.is_object()) {
            return Err(
                self.unsupported(format!("rope parameters differ by kind of layer ({layer}); one set for all is run."))
            );
        }
        let kind = match self.text("rope_type")? {
            Some(kind) => kind,
            None => self.text("type")?.unwrap_or("default"),
        };
        if self.positive("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
            return Err(
                self.unsupported("partial_rotary_factor is not 1; only full rotary embeddings are run.".to_owned())
            );
        }
        let need = |key: &str| {
            self.positive(key)?.ok_or_else(|| ModelError::Config {
                path: self.path.to_owned(),
                reason: format!("the rope type {kind} needs {key}, which is absent"),
            })
        };
        match kind {
            "default" => Ok(RopeScaling::Default),
            "linear" => Ok(RopeScaling::Linear { factor: need("factor")? }),
            "llama3" => {
                let key = "original_max_position_embeddings";
                let original_context = match outer.count(key)? {
                    Some(outside) => outside,
                    None => self.count(key)?.ok_or_else(|| ModelError::Config {
                        path: self.path.to_owned(),
                        reason: format!("the rope type llama3 needs {key}, which is absent"),
                    })?,
                };
                Ok(RopeScaling::Llama3 {
                    factor: need("factor")?,
                    low_freq_factor: need("low_freq_factor")?,
                    high_freq_factor: need("high_freq_factor")?,
                    original_context,
                })
            }
            other => Err(self.unsupported(format!("the rope type is {other}; default, linear and llama3 are run."))),
        }
    }

    fn windowed_layers(&self) -> Result<Option<Vec<bool>>, ModelError> {
        let Some(value) = self.present("layer_types") else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| self.wrong("layer_types", value, "a list"))?;
        let kinds = list.iter().map(|entry| match entry.as_str() {
            Some("full_attention") => Ok(false),
            Some("sliding_attention") => Ok(true),
            _ => Err(self.wrong("layer_types", entry, "full_attention or sliding_attention")),
        });
        kinds.collect::<Result<Vec<_>, _>>().map(Some)
    }
}
