//! Tensors decide, the configuration is checked: builds a [`ModelSpec`] from shapes, asks the configuration only for
//! what shapes cannot tell (head width, rope, epsilon, window), and lists every field in which the two disagree.

use std::collections::BTreeSet;
use std::fmt;

use crate::checkpoint::Shards;
use crate::config::Config;
use crate::spec::{Assumption, Family, LayerSpec, ModelSpec, Projection, Rope, RopeScaling, projection_name};
use crate::{Contradiction, ModelError, TensorInfo};

pub(crate) const EMBEDDING: &str = "model.embed_tokens.weight";
pub(crate) const FINAL_NORM: &str = "model.norm.weight";
pub(crate) const HEAD: &str = "lm_head.weight";

/// Names of a layer's parts that are not projection weights.
pub(crate) fn layer_part(layer: usize, part: &str) -> String {
    format!("model.layers.{layer}.{part}")
}

pub(crate) fn infer(config: &Config, shards: &Shards) -> Result<ModelSpec, ModelError> {
    let mut reader = Reader { config, shards, used: BTreeSet::new(), differences: Vec::new(), assumed: Vec::new() };
    let spec = reader.model()?;
    if !reader.differences.is_empty() {
        return Err(ModelError::Contradicts { path: config.path.clone(), fields: reader.differences });
    }
    Ok(spec)
}

struct Reader<'a> {
    config: &'a Config,
    shards: &'a Shards,
    used: BTreeSet<String>,
    differences: Vec<Contradiction>,
    assumed: Vec<Assumption>,
}

impl Reader<'_> {
    fn model(&mut self) -> Result<ModelSpec, ModelError> {
        let config = self.config;
        let [vocab, hidden] = self.matrix(EMBEDDING)?;
        self.vector(FINAL_NORM, hidden)?;
        let layer_count = self.layer_count()?;
        let head_dim = self.head_dim(hidden)?;
        let windows = self.windows(layer_count)?;
        let layers = windows
            .iter()
            .enumerate()
            .map(|(layer, &window)| self.layer(layer, hidden, head_dim, window))
            .collect::<Result<Vec<_>, _>>()?;
        let tied = self.tied(vocab, hidden)?;
        self.agree("vocab_size", config.vocab, vocab);
        self.agree("hidden_size", config.hidden, hidden);
        self.agree("num_hidden_layers", config.layers, layer_count);
        self.agree_in_layers("num_attention_heads", config.heads, &layers, |layer| layer.heads);
        self.agree_in_layers("num_key_value_heads", config.kv_heads, &layers, |layer| layer.kv_heads);
        self.agree_in_layers("intermediate_size", config.ffn, &layers, |layer| layer.ffn);
        self.check_biases(&layers);
        if !config.activation_stated {
            self.assume("hidden_act", "silu", "default");
        }
        let context = match config.context {
            Some(context) => context,
            None => self.assume("max_position_embeddings", default_context(config.family), "default"),
        };
        let norm_eps = match config.norm_eps {
            Some(eps) => eps,
            None => self.assume("rms_norm_eps", 1e-6, "default"),
        };
        let base = match config.rope_base {
            Some(base) => base,
            None => self.assume("rope_theta", 10_000.0, "default"),
        };
        let weights_dtype = self.shards.require(&projection_name(0, Projection::Q))?.dtype.to_string();
        self.refuse_unknown()?;
        Ok(ModelSpec {
            family: config.family,
            hidden,
            vocab,
            context,
            norm_eps,
            rope: Rope { base, scaling: config.rope_scaling.unwrap_or(RopeScaling::Default) },
            sliding_window: windows.iter().copied().flatten().next(),
            tied,
            bos_token: config.bos_token,
            eos_tokens: config.eos_tokens.clone(),
            pad_token: config.pad_token,
            layers,
            weights_dtype,
            assumed: std::mem::take(&mut self.assumed),
        })
    }

    fn layer(
        &mut self,
        layer: usize,
        hidden: usize,
        head_dim: usize,
        window: Option<usize>,
    ) -> Result<LayerSpec, ModelError> {
        let heads = self.heads(layer, Projection::Q, hidden, head_dim)?;
        let kv_heads = self.heads(layer, Projection::K, hidden, head_dim)?;
        let gate = projection_name(layer, Projection::Gate);
        let [ffn, _] = self.matrix(&gate)?;
        if heads % kv_heads != 0 {
            let name = projection_name(layer, Projection::K);
            return Err(self
                .shape(&name, format!("a number of heads that divides the {heads} query heads of width {head_dim}")));
        }
        let norm = |kind: &str| layer_part(layer, &format!("self_attn.{kind}_norm.weight"));
        let qk_norm = self.shards.info(&norm("q")).is_some();
        if qk_norm != (self.config.family == Family::Qwen3) {
            let name = norm("q");
            return Err(if qk_norm {
                self.unknown(1, name)
            } else {
                ModelError::MissingTensor { path: self.shards.dir().to_owned(), tensor: name }
            });
        }
        let has_bias = |projection: Projection| self.shards.info(&bias_name(layer, projection)).is_some();
        let spec = LayerSpec {
            heads,
            kv_heads,
            head_dim,
            ffn,
            qkv_bias: has_bias(Projection::Q),
            o_bias: has_bias(Projection::O),
            ffn_bias: has_bias(Projection::Gate),
            qk_norm,
            window,
        };
        for projection in Projection::ALL {
            let (rows, columns) = spec.shape(projection, hidden);
            let name = projection_name(layer, projection);
            if self.matrix(&name)? != [rows, columns] {
                return Err(self.shape(&name, format!("[{rows}, {columns}]")));
            }
            if spec.bias(projection) {
                self.vector(&bias_name(layer, projection), rows)?;
            }
        }
        for part in ["input_layernorm.weight", "post_attention_layernorm.weight"] {
            self.vector(&layer_part(layer, part), hidden)?;
        }
        if qk_norm {
            self.vector(&norm("q"), head_dim)?;
            self.vector(&norm("k"), head_dim)?;
        }
        Ok(spec)
    }

    fn heads(
        &mut self,
        layer: usize,
        projection: Projection,
        hidden: usize,
        head_dim: usize,
    ) -> Result<usize, ModelError> {
        let name = projection_name(layer, projection);
        let [rows, columns] = self.matrix(&name)?;
        if rows == 0 || rows % head_dim != 0 || columns != hidden {
            return Err(self.shape(&name, format!("[a multiple of the head width {head_dim}, {hidden}]")));
        }
        Ok(rows / head_dim)
    }

    /// Shapes alone cannot tell 24 heads of 128 from 48 of 64: a stated width, a q norm's length, or hidden / heads.
    fn head_dim(&mut self, hidden: usize) -> Result<usize, ModelError> {
        let config = self.config;
        let norm_name = layer_part(0, "self_attn.q_norm.weight");
        let norm = self.shards.info(&norm_name).and_then(|info| info.shape.first().copied());
        if norm == Some(0) {
            return Err(self.shape(&norm_name, "[the width of a head]".to_owned()));
        }
        let width = match (config.head_dim, norm, config.heads) {
            (Some(stated), None, _) => stated,
            (stated, Some(length), _) => {
                self.agree("head_dim", stated, length);
                length
            }
            (None, None, Some(heads)) => {
                let hidden = config.hidden.unwrap_or(hidden);
                if !hidden.is_multiple_of(heads) {
                    return Err(ModelError::Config {
                        path: config.path.clone(),
                        reason: format!(
                            "head_dim is absent and hidden_size {hidden} is not a multiple of num_attention_heads {heads}"
                        ),
                    });
                }
                self.assume("head_dim", hidden / heads, "hidden_size / num_attention_heads, as")
            }
            (None, None, None) => {
                return Err(ModelError::Config {
                    path: config.path.clone(),
                    reason: "neither head_dim nor num_attention_heads is stated, and shapes alone cannot tell the width of a head".to_owned(),
                });
            }
        };
        let width = self.dividing(width)?;
        if width % 2 != 0 {
            return Err(ModelError::Config {
                path: config.path.clone(),
                reason: format!("head_dim is {width}; rotary embeddings need an even width"),
            });
        }
        Ok(width)
    }

    /// A width that does not divide the first layer's query rows contradicts them; the listing of fields goes on with
    /// the width that the stated number of heads would give.
    fn dividing(&mut self, width: usize) -> Result<usize, ModelError> {
        let [rows, _] = self.matrix(&projection_name(0, Projection::Q))?;
        if rows % width == 0 {
            return Ok(width);
        }
        self.differ(
            "head_dim",
            &width.to_string(),
            &format!("no divisor of the {rows} rows of {}", projection_name(0, Projection::Q)),
        );
        let heads = self.config.heads.filter(|heads| rows % heads == 0).unwrap_or(1);
        let contradicts = ModelError::Contradicts { path: self.config.path.clone(), fields: self.differences.clone() };
        let [keys, _] = self.matrix(&projection_name(0, Projection::K))?;
        let other = rows / heads;
        if heads > 1 && keys % other == 0 { Ok(other) } else { Err(contradicts) }
    }

    /// Window per layer. Qwen uses its window only when told so, and then only in some layers.
    fn windows(&mut self, layers: usize) -> Result<Vec<Option<usize>>, ModelError> {
        let config = self.config;
        let qwen = matches!(config.family, Family::Qwen2 | Family::Qwen3);
        if qwen && config.use_sliding_window.is_none() && config.sliding_window.flatten().is_some() {
            self.assume("use_sliding_window", false, "default");
        }
        let window = match config.family {
            Family::Llama => None,
            Family::Mistral => match config.sliding_window {
                Some(window) => window,
                None => Some(self.assume("sliding_window", 4096, "default")),
            },
            Family::Qwen2 | Family::Qwen3 if config.use_sliding_window != Some(true) => None,
            Family::Qwen2 | Family::Qwen3 => match config.sliding_window {
                Some(window) => window,
                None => Some(self.assume("sliding_window", 4096, "default")),
            },
        };
        if !qwen || window.is_none() {
            return Ok(vec![window; layers]);
        }
        if let Some(kinds) = &config.windowed_layers {
            if kinds.len() != layers {
                self.agree("layer_types (entries)", Some(kinds.len()), layers);
            }
            return Ok((0..layers)
                .map(|layer| window.filter(|_| kinds.get(layer).copied().unwrap_or(false)))
                .collect());
        }
        let first = match config.max_window_layers {
            Some(first) => first,
            None => self.assume("max_window_layers", 28, "default"),
        };
        Ok((0..layers).map(|layer| window.filter(|_| layer >= first)).collect())
    }

    fn tied(&mut self, vocab: usize, hidden: usize) -> Result<bool, ModelError> {
        let config = self.config;
        let Some(info) = self.shards.info(HEAD) else {
            if config.tied.is_none() {
                return Ok(self.assume("tie_word_embeddings", true, "there is no lm_head.weight; not"));
            }
            if config.tied == Some(false) {
                self.differ("tie_word_embeddings", "false", "true (there is no lm_head.weight)");
            }
            return Ok(true);
        };
        if info.shape != [vocab, hidden] {
            return Err(self.shape(HEAD, format!("[{vocab}, {hidden}]")));
        }
        self.used.insert(HEAD.to_owned());
        if config.tied == Some(true) {
            let same = self.shards.bytes(HEAD)? == self.shards.bytes(EMBEDDING)?;
            if !same {
                self.differ("tie_word_embeddings", "true", "false (lm_head.weight differs from the embedding)");
            }
            return Ok(same);
        }
        Ok(false)
    }

    fn check_biases(&mut self, layers: &[LayerSpec]) {
        let config = self.config;
        // (stated or fixed by the family) q, k, v; o; feed-forward.
        let (qkv, o, ffn) = match config.family {
            Family::Llama => (config.attention_bias, config.attention_bias, config.mlp_bias),
            Family::Mistral => (Some(false), Some(false), Some(false)),
            Family::Qwen2 => (Some(true), Some(false), Some(false)),
            Family::Qwen3 => (config.attention_bias, config.attention_bias, Some(false)),
        };
        self.agree_in_layers("attention_bias (q, k, v)", qkv, layers, |layer| layer.qkv_bias);
        self.agree_in_layers("attention_bias (o)", o, layers, |layer| layer.o_bias);
        self.agree_in_layers("mlp_bias", ffn, layers, |layer| layer.ffn_bias);
    }

    fn layer_count(&self) -> Result<usize, ModelError> {
        let numbers: BTreeSet<usize> = self
            .shards
            .names()
            .filter_map(|name| name.strip_prefix("model.layers.")?.split_once('.')?.0.parse().ok())
            .collect();
        let count = numbers.len();
        match numbers.iter().enumerate().find(|(expected, number)| expected != *number) {
            Some((expected, _)) => Err(ModelError::MissingTensor {
                path: self.shards.dir().to_owned(),
                tensor: projection_name(expected, Projection::Q),
            }),
            None if count == 0 => Err(ModelError::MissingTensor {
                path: self.shards.dir().to_owned(),
                tensor: projection_name(0, Projection::Q),
            }),
            None => Ok(count),
        }
    }

    /// Rotary caches that old conversions stored are recomputed; anything else that was not asked for is an error.
    fn refuse_unknown(&self) -> Result<(), ModelError> {
        let mut unknown =
            self.shards.names().filter(|name| !self.used.contains(*name) && !name.ends_with(".rotary_emb.inv_freq"));
        match unknown.next() {
            None => Ok(()),
            Some(first) => Err(self.unknown(1 + unknown.count(), first.to_owned())),
        }
    }

    fn unknown(&self, count: usize, first: String) -> ModelError {
        ModelError::UnknownTensors {
            path: self.shards.dir().to_owned(),
            family: self.config.family.label().to_owned(),
            count,
            first,
        }
    }

    fn info(&mut self, name: &str) -> Result<&TensorInfo, ModelError> {
        self.used.insert(name.to_owned());
        self.shards.require(name)
    }

    fn matrix(&mut self, name: &str) -> Result<[usize; 2], ModelError> {
        match self.info(name)?.shape.as_slice() {
            &[rows, columns] if rows > 0 && columns > 0 => Ok([rows, columns]),
            _ => Err(self.shape(name, "two dimensions, neither of them zero".to_owned())),
        }
    }

    fn vector(&mut self, name: &str, length: usize) -> Result<(), ModelError> {
        if self.info(name)?.shape == [length] { Ok(()) } else { Err(self.shape(name, format!("[{length}]"))) }
    }

    fn shape(&self, name: &str, expected: String) -> ModelError {
        let (path, found) = match self.shards.info(name) {
            Some(info) => (self.shards.path_of(info), info.shape.clone()),
            None => (self.shards.dir(), Vec::new()),
        };
        ModelError::Shape { path: path.to_owned(), tensor: name.to_owned(), found, expected }
    }

    fn assume<T: ToString>(&mut self, field: &str, value: T, how: &str) -> T {
        self.assumed.push(Assumption {
            field: field.to_owned(),
            value: value.to_string(),
            source: format!("{how} documented by transformers for {}", self.config.family.label()),
        });
        value
    }

    fn differ(&mut self, field: &str, config: &str, tensors: &str) {
        self.differences.push(Contradiction {
            field: field.to_owned(),
            config: config.to_owned(),
            tensors: tensors.to_owned(),
        });
    }

    fn agree(&mut self, field: &str, stated: Option<usize>, found: usize) {
        if let Some(stated) = stated
            && stated != found
        {
            self.differ(field, &stated.to_string(), &found.to_string());
        }
    }

    fn agree_in_layers<T: Copy + PartialEq + fmt::Display>(
        &mut self,
        field: &str,
        stated: Option<T>,
        layers: &[LayerSpec],
        found: impl Fn(&LayerSpec) -> T,
    ) {
        let Some(stated) = stated else { return };
        let other: Vec<(usize, T)> =
            layers.iter().map(found).enumerate().filter(|&(_, value)| value != stated).collect();
        let Some(&(layer, value)) = other.first() else { return };
        let everywhere = other.len() == layers.len() && other.iter().all(|&(_, other)| other == value);
        let tensors = if everywhere {
            value.to_string()
        } else {
            format!("{value} in layer {layer} ({} of {} layers differ)", other.len(), layers.len())
        };
        self.differ(field, &stated.to_string(), &tensors);
    }
}

pub(crate) fn bias_name(layer: usize, projection: Projection) -> String {
    format!("model.layers.{layer}.{}.bias", projection.module())
}

fn default_context(family: Family) -> usize {
    match family {
        Family::Llama => 2_048,
        Family::Mistral => 131_072,
        Family::Qwen2 | Family::Qwen3 => 32_768,
    }
}
