//! BERT on packed rows: embeddings, post-norm layers with full attention, mean pooling. Same kernels as the decoder.

use std::path::Path;

use serde_json::{Map, Value};

use crate::ModelError;
use crate::checkpoint::Shards;
use crate::kernels::{self, AttentionShape, Linear, Mask};

/// The two special tokens and one of the text.
const FEWEST_POSITIONS: usize = 3;

/// Rows that go through the feed-forward part together.
const FEED_ROWS: usize = 256;

#[derive(Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Debug)]
struct Layer {
    qkv: Linear,
    attention_out: Linear,
    attention_norm: Norm,
    intermediate: Linear,
    out: Linear,
    out_norm: Norm,
}

#[derive(Debug)]
pub(super) struct Bert {
    hidden: usize,
    heads: usize,
    eps: f64,
    words: Vec<f32>,
    /// Position embedding plus the embedding of token type 0, [positions, hidden].
    places: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

struct Weights<'a> {
    shards: &'a Shards,
    prefix: &'static str,
}

impl Weights<'_> {
    fn shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.checked(name, |found| found == shape, format!("{shape:?}"))
    }

    /// A table of at least `fewest` rows.
    fn rows(&self, name: &str, fewest: usize, hidden: usize) -> Result<Vec<f32>, ModelError> {
        let fits = |found: &[usize]| matches!(found, &[rows, width] if rows >= fewest && width == hidden);
        self.checked(name, fits, format!("[at least {fewest}, {hidden}]"))
    }

    fn checked(&self, name: &str, fits: impl Fn(&[usize]) -> bool, expected: String) -> Result<Vec<f32>, ModelError> {
        let full = format!("{}{name}", self.prefix);
        let info = self.shards.require(&full)?;
        if !fits(&info.shape) {
            return Err(ModelError::Shape {
                path: self.shards.path_of(info).to_owned(),
                tensor: full,
                found: info.shape.clone(),
                expected,
            });
        }
        self.shards.values(&full)
    }

    fn norm(&self, name: &str, hidden: usize) -> Result<Norm, ModelError> {
        Ok(Norm {
            weight: self.shaped(&format!("{name}.weight"), &[hidden])?,
            bias: self.shaped(&format!("{name}.bias"), &[hidden])?,
        })
    }

    fn linear(&self, names: &[String], inputs: usize, outputs: usize) -> Result<Linear, ModelError> {
        let mut linear = Linear { weight: Vec::new(), bias: Vec::new(), outputs: outputs * names.len(), inputs };
        for name in names {
            linear.weight.extend(self.shaped(&format!("{name}.weight"), &[outputs, inputs])?);
            linear.bias.extend(self.shaped(&format!("{name}.bias"), &[outputs])?);
        }
        Ok(linear)
    }
}

impl Bert {
    pub(super) fn load(dir: &Path, config: &Map<String, Value>, shards: &Shards) -> Result<Self, ModelError> {
        let path = dir.join("config.json");
        let unsupported = |reason: String| ModelError::Unsupported { path: path.clone(), reason };
        let text = |key: &str| config.get(key).and_then(Value::as_str);
        if text("model_type") != Some("bert") {
            return Err(unsupported(format!(
                "model_type is {}; sentence encoders of type bert are run",
                text("model_type").unwrap_or("absent")
            )));
        }
        if text("hidden_act") != Some("gelu") || text("position_embedding_type").is_some_and(|kind| kind != "absolute")
        {
            return Err(unsupported("only hidden_act gelu and absolute position embeddings are run".to_owned()));
        }
        let absent = |key: &str| ModelError::Config {
            path: path.clone(),
            reason: format!("{key} is absent or not a positive number"),
        };
        let count = |key: &str| {
            config
                .get(key)
                .and_then(Value::as_u64)
                .and_then(|value| usize::try_from(value).ok())
                .filter(|&value| value > 0)
                .ok_or_else(|| absent(key))
        };
        let (hidden, heads, feed) = (count("hidden_size")?, count("num_attention_heads")?, count("intermediate_size")?);
        if hidden % heads != 0 {
            return Err(ModelError::Config {
                path,
                reason: format!("hidden_size {hidden} is not a multiple of num_attention_heads {heads}"),
            });
        }
        let eps = config
            .get("layer_norm_eps")
            .and_then(Value::as_f64)
            .filter(|eps| *eps > 0.0)
            .ok_or_else(|| absent("layer_norm_eps"))?;
        let prefix = if shards.info("bert.embeddings.word_embeddings.weight").is_some() { "bert." } else { "" };
        let weights = Weights { shards, prefix };
        let mut places = weights.rows("embeddings.position_embeddings.weight", FEWEST_POSITIONS, hidden)?;
        let types = weights.rows("embeddings.token_type_embeddings.weight", 1, hidden)?;
        for row in places.chunks_exact_mut(hidden) {
            for (place, kind) in row.iter_mut().zip(&types) {
                *place += kind;
            }
        }
        let layers = (0..count("num_hidden_layers")?)
            .map(|number| {
                let part = |name: &str| format!("encoder.layer.{number}.{name}");
                let three = ["query", "key", "value"].map(|name| part(&format!("attention.self.{name}")));
                Ok(Layer {
                    qkv: weights.linear(&three, hidden, hidden)?,
                    attention_out: weights.linear(&[part("attention.output.dense")], hidden, hidden)?,
                    attention_norm: weights.norm(&part("attention.output.LayerNorm"), hidden)?,
                    intermediate: weights.linear(&[part("intermediate.dense")], hidden, feed)?,
                    out: weights.linear(&[part("output.dense")], feed, hidden)?,
                    out_norm: weights.norm(&part("output.LayerNorm"), hidden)?,
                })
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        Ok(Self {
            hidden,
            heads,
            eps,
            words: weights.rows("embeddings.word_embeddings.weight", 1, hidden)?,
            places,
            norm: weights.norm("embeddings.LayerNorm", hidden)?,
            layers,
        })
    }

    pub(super) fn hidden(&self) -> usize {
        self.hidden
    }

    pub(super) fn positions(&self) -> usize {
        self.places.len() / self.hidden
    }

    /// What the tensors do not say.
    pub(super) fn describe(&self) -> String {
        format!("bert, {} heads, epsilon {:e}", self.heads, self.eps)
    }

    /// Unit-length means [sequences, hidden] of token sequences no longer than `positions`.
    pub(super) fn encode(&self, sequences: &[&[u32]], cancelled: &dyn Fn() -> bool) -> Result<Vec<f32>, ModelError> {
        let hidden = self.hidden;
        let mut x = self.embed(sequences)?;
        kernels::layer_norm(&mut x, &self.norm.weight, &self.norm.bias, self.eps);
        let shape = AttentionShape { heads: self.heads, kv_heads: self.heads, head_dim: hidden / self.heads };
        let rows = x.len() / hidden;
        let mut qkv = vec![0.0; rows * shape.width()];
        let mut heads = vec![0.0; rows * hidden];
        let (mut scores, mut feed) = (Vec::new(), Vec::new());
        for layer in &self.layers {
            if cancelled() {
                return Err(ModelError::Cancelled);
            }
            layer.qkv.write(&x, &mut qkv);
            let mut first = 0;
            for ids in sequences {
                let end = first + ids.len();
                let out = &mut heads[first * hidden..end * hidden];
                kernels::attention(
                    shape,
                    Mask::Full,
                    &qkv[first * shape.width()..end * shape.width()],
                    0,
                    out,
                    &mut scores,
                );
                first = end;
            }
            layer.attention_out.add_to(&heads, &mut x);
            kernels::layer_norm(&mut x, &layer.attention_norm.weight, &layer.attention_norm.bias, self.eps);
            for rows in x.chunks_mut(FEED_ROWS * hidden) {
                feed.resize(rows.len() / hidden * layer.intermediate.outputs, 0.0);
                layer.intermediate.write(rows, &mut feed);
                kernels::gelu(&mut feed);
                layer.out.add_to(&feed, rows);
                kernels::layer_norm(rows, &layer.out_norm.weight, &layer.out_norm.bias, self.eps);
            }
        }
        Ok(self.pool(sequences, &x))
    }

    fn embed(&self, sequences: &[&[u32]]) -> Result<Vec<f32>, ModelError> {
        let (hidden, vocab) = (self.hidden, self.words.len() / self.hidden);
        let mut x = Vec::new();
        for (sequence, ids) in sequences.iter().enumerate() {
            for (&id, place) in ids.iter().zip(self.places.chunks_exact(hidden)) {
                let word = self
                    .words
                    .get(id as usize * hidden..(id as usize + 1) * hidden)
                    .ok_or(ModelError::TokenOutOfRange { sequence, id, vocab })?;
                x.extend(word.iter().zip(place).map(|(word, place)| word + place));
            }
        }
        Ok(x)
    }

    fn pool(&self, sequences: &[&[u32]], x: &[f32]) -> Vec<f32> {
        let hidden = self.hidden;
        let mut out = Vec::with_capacity(sequences.len() * hidden);
        let mut rows = x.chunks_exact(hidden);
        for ids in sequences {
            let mut mean = vec![0.0_f64; hidden];
            for row in rows.by_ref().take(ids.len()) {
                for (mean, &value) in mean.iter_mut().zip(row) {
                    *mean += f64::from(value);
                }
            }
            // The divisor of the mean cancels in the normalisation; an empty sequence stays zero.
            let length = mean.iter().map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            out.extend(mean.iter().map(|value| (value / length) as f32));
        }
        out
    }
}
