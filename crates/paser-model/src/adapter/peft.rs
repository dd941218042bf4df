//! PEFT's LoRA folders, `adapter_config.json` and `adapter_model.safetensors`, read and written. What would make the
//! additions mean something else (DoRA, biases, retrained modules, ranks that differ) is refused by name: an adapter that is
//! read half is another model. Keys as of peft 0.21 (`peft/tuners/lora/config.py`).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use super::{Adapter, LowRank};
use crate::checkpoint::Shards;
use crate::config::read_object;
use crate::write::NewFolder;
use crate::write::tensors::{Entry, header, write_values};
use crate::{ModelError, ModelSpec, Projection};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// Of every tensor; PEFT wraps the model twice.
const PREFIX: &str = "base_model.model.model.layers.";
/// Key in the weights' `__metadata__` that holds the base model's content hash; other programs ignore it.
const BASE_HASH: &str = "paser_base";

/// Keys that change what the tensors mean, with what they are in words.
const REFUSED: [(&str, &str); 15] = [
    ("use_dora", "DoRA's magnitudes"),
    ("use_qalora", "QA-LoRA's groups"),
    ("use_bdlora", "block-diagonal factors"),
    ("lora_bias", "biases of the low-rank factors"),
    ("modules_to_save", "modules that were trained whole"),
    ("fan_in_fan_out", "transposed weights"),
    ("layer_replication", "repeated layers"),
    ("target_parameters", "additions to bare parameters"),
    ("trainable_token_indices", "trained rows of the embedding"),
    ("alora_invocation_tokens", "additions that start at certain tokens"),
    ("arrow_config", "routing between adapters"),
    ("kasa_config", "singular values between the factors"),
    ("monteclora_config", "sampled factors"),
    ("velora_config", "compressed activations"),
    ("rank_pattern", "ranks that differ between modules"),
];

/// Keys that say how training was begun or run, not what the tensors mean.
const HARMLESS: [&str; 27] = [
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "lora_ga_config",
    "megatron_config",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "use_rslora",
    "alpha_pattern",
];

/// Beginnings of `init_lora_weights` that change the base weights: the additions fit those only.
const CHANGED_BASES: [&str; 6] = ["pissa", "olora", "corda", "loftq", "lora_ga", "mica"];

/// An adapter folder.
#[derive(Debug, Clone, PartialEq)]
pub struct PeftFolder {
    pub adapter: Adapter,
    /// What the folder calls its base model.
    pub base_name: Option<String>,
    /// [`crate::Checkpoint::content_hash`] of its base model, where this program wrote it.
    pub base_hash: Option<String>,
}

/// Reads an adapter of the model that `spec` describes. `use_rslora` is honoured: alpha / sqrt(rank) becomes the scale.
///
/// # Errors
/// Missing or damaged files, settings and tensors that this program does not compute (named), an adapter of another model:
/// by its tensors' shapes, or by its recorded hash where `base_hash` is given.
pub fn read(dir: &Path, spec: &ModelSpec, base_hash: Option<&str>) -> Result<PeftFolder, ModelError> {
    let config = read_object(dir, CONFIG, "Give the folder that PEFT's save_pretrained wrote.")?;
    let settings = Settings::read(&config, dir)?;
    let path = dir.join(WEIGHTS);
    if !path.is_file() {
        let advice = if dir.join("adapter_model.bin").is_file() {
            "There is an adapter_model.bin: load it in PEFT and call save_pretrained(..., safe_serialization=True)."
        } else {
            "The adapter's weights belong beside its configuration."
        };
        return Err(ModelError::MissingFile {
            dir: dir.to_owned(),
            file: WEIGHTS.to_owned(),
            advice: advice.to_owned(),
        });
    }
    let file = Shards::open_file(path.clone())?;
    let recorded = file.note(BASE_HASH).map(str::to_owned);
    if let (Some(recorded), Some(given)) = (&recorded, base_hash)
        && recorded != given
    {
        return Err(ModelError::AnotherBase {
            path,
            reason: format!("it was trained on the model with hash {}, this one has {}", short(recorded), short(given)),
        });
    }
    let adapter = settings.adapter(&file, &path, spec)?;
    let base_name = config.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned);
    Ok(PeftFolder { adapter, base_name, base_hash: recorded })
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

struct Settings {
    rank: usize,
    alpha: f64,
    dropout: f64,
}

impl Settings {
    fn read(config: &Map<String, Value>, dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join(CONFIG);
        let unsupported = |reason: String| ModelError::Unsupported { path: path.clone(), reason };
        let number = |key: &str| config.get(key).and_then(Value::as_f64);
        if config.get("peft_type").and_then(Value::as_str) != Some("LORA") {
            let kind = config.get("peft_type").unwrap_or(&Value::Null);
            return Err(unsupported(format!("peft_type is {kind}; LoRA adapters (\"LORA\") are read.")));
        }
        for (key, words) in REFUSED {
            if let Some(value) = config.get(key).filter(|value| is_on(value)) {
                return Err(unsupported(format!(
                    "{key} is {value}: {words} are not computed here. Merge the adapter with PEFT (merge_and_unload) and open the merged model."
                )));
            }
        }
        let known = |key: &str| HARMLESS.contains(&key) || REFUSED.iter().any(|(refused, _)| *refused == key);
        if let Some((key, value)) = config.iter().find(|(key, value)| !known(key) && is_on(value)) {
            return Err(unsupported(format!(
                "{key} is {value}: this program does not know what that changes. Merge the adapter with PEFT and open the merged model."
            )));
        }
        if let Some(bias) = config.get("bias").filter(|bias| is_on(bias) && **bias != "none") {
            return Err(unsupported(format!("bias is {bias}: trained biases are not computed here. Merge with PEFT.")));
        }
        if let Some(start) = config.get("init_lora_weights").and_then(Value::as_str)
            && CHANGED_BASES.iter().any(|name| start.starts_with(name))
        {
            return Err(unsupported(format!(
                "init_lora_weights is {start:?}: it changes the base weights, and the additions fit those only. Convert the adapter with PEFT (path_initial_model_for_weight_conversion)."
            )));
        }
        let rank = config.get("r").and_then(Value::as_u64).and_then(|rank| usize::try_from(rank).ok());
        let rank =
            rank.filter(|rank| *rank > 0).ok_or_else(|| unsupported("r is no rank of at least 1.".to_owned()))?;
        let alpha = number("lora_alpha").filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or_else(|| unsupported("lora_alpha is no number.".to_owned()))?;
        if let Some(Value::Object(pattern)) = config.get("alpha_pattern")
            && let Some((module, other)) = pattern.iter().find(|(_, other)| other.as_f64() != Some(alpha))
        {
            return Err(unsupported(format!(
                "alpha_pattern gives {module} an alpha of {other}; one alpha for all modules is read. Merge with PEFT."
            )));
        }
        let dropout = number("lora_dropout").unwrap_or(0.0);
        if !(0.0..1.0).contains(&dropout) {
            return Err(unsupported(format!("lora_dropout is {dropout}; a share below 1 is expected.")));
        }
        let stable = config.get("use_rslora").and_then(Value::as_bool) == Some(true);
        let alpha = if stable { alpha * (rank as f64).sqrt() } else { alpha };
        Ok(Self { rank, alpha, dropout })
    }

    fn adapter(&self, file: &Shards, path: &Path, spec: &ModelSpec) -> Result<Adapter, ModelError> {
        let mut parts: BTreeMap<(usize, Projection), [Option<Vec<f32>>; 2]> = BTreeMap::new();
        for (name, info) in file.iter() {
            let Some((layer, projection, factor)) = place(name) else {
                return Err(ModelError::Unsupported {
                    path: path.to_owned(),
                    reason: format!(
                        "the tensor {name} is no low-rank factor of one of a layer's seven projections. Merge the adapter with PEFT and open the merged model."
                    ),
                });
            };
            let Some(sizes) = spec.layers.get(layer) else {
                return Err(ModelError::AnotherBase {
                    path: path.to_owned(),
                    reason: format!("it holds {name}, and the model has {} layers", spec.layers.len()),
                });
            };
            let (outputs, inputs) = sizes.shape(projection, spec.hidden);
            let expected = [[self.rank, inputs], [outputs, self.rank]][factor];
            if info.shape != expected {
                return Err(ModelError::Shape {
                    path: path.to_owned(),
                    tensor: name.to_owned(),
                    found: info.shape.clone(),
                    expected: format!("{expected:?} for rank {} on this base model", self.rank),
                });
            }
            parts.entry((layer, projection)).or_default()[factor] = Some(file.values(name)?);
        }
        if parts.is_empty() {
            return Err(ModelError::Unsupported {
                path: path.to_owned(),
                reason: "there is not one low-rank factor in it.".to_owned(),
            });
        }
        let whole = |((layer, projection), [a, b]): ((usize, Projection), [Option<Vec<f32>>; 2])| match (a, b) {
            (Some(a), Some(b)) => Ok(((layer, projection), LowRank { a, b })),
            (a, _) => Err(ModelError::MissingTensor {
                path: path.to_owned(),
                tensor: tensor_name(layer, projection, usize::from(a.is_some())),
            }),
        };
        let parts = parts.into_iter().map(whole).collect::<Result<_, _>>()?;
        Ok(Adapter { rank: self.rank, alpha: self.alpha, dropout: self.dropout, parts })
    }
}

/// Whether a setting says anything.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

/// Layer, projection and factor (0: A, 1: B) of a tensor.
fn place(name: &str) -> Option<(usize, Projection, usize)> {
    let (layer, rest) = name.strip_prefix(PREFIX)?.split_once('.')?;
    let (module, factor) = match rest.strip_suffix(".lora_A.weight") {
        Some(module) => (module, 0),
        None => (rest.strip_suffix(".lora_B.weight")?, 1),
    };
    let projection = Projection::ALL.into_iter().find(|projection| projection.module() == module)?;
    // "07" would be a second name of layer 7.
    let number = layer.parse::<usize>().ok().filter(|number| number.to_string() == layer)?;
    Some((number, projection, factor))
}

fn tensor_name(layer: usize, projection: Projection, factor: usize) -> String {
    format!("{PREFIX}{layer}.{}.lora_{}.weight", projection.module(), ["A", "B"][factor])
}

/// The model that an adapter belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base<'a> {
    /// Where PEFT finds it: a folder or a name on the hub.
    pub name: &'a str,
    /// Its content hash; recorded, so that [`read`] can refuse another model of the same shapes.
    pub hash: Option<&'a str>,
}

/// Writes an adapter as PEFT's `save_pretrained` does, in f32, to the folder `out`, which must not exist or be empty.
///
/// # Errors
/// An adapter without parts or that does not fit `spec`, a folder with content, a full disk. Nothing is left behind.
pub fn write(adapter: &Adapter, spec: &ModelSpec, base: &Base<'_>, out: &Path) -> Result<(), ModelError> {
    adapter.check(spec, out)?;
    if adapter.parts.is_empty() {
        let reason = "the adapter has no parts; there is nothing to write.".to_owned();
        return Err(ModelError::Unsupported { path: out.to_owned(), reason });
    }
    let mut tensors: Vec<(Entry, &[f32])> = Vec::new();
    for (&(layer, projection), part) in &adapter.parts {
        for (factor, values) in [&part.a, &part.b].into_iter().enumerate() {
            let other = values.len() / adapter.rank;
            let shape = if factor == 0 { vec![adapter.rank, other] } else { vec![other, adapter.rank] };
            let name = tensor_name(layer, projection, factor);
            tensors.push((Entry { name, dtype: Dtype::F32, shape }, values));
        }
    }
    let folder = NewFolder::new(out)?;
    let mut file = folder.create(WEIGHTS)?;
    let entries: Vec<Entry> = tensors.iter().map(|(entry, _)| entry.clone()).collect();
    let mut notes = vec![("format", "pt")];
    notes.extend(base.hash.map(|hash| (BASE_HASH, hash)));
    let mut fill = || {
        file.write_all(&header(&entries, &notes)?)?;
        for (_, values) in &tensors {
            write_values(&mut file, values, Dtype::F32)?;
        }
        file.sync_all()
    };
    fill().map_err(|error| folder.told(&error))?;
    drop(file);
    let config = serde_json::to_vec_pretty(&configuration(adapter, spec, base.name));
    let mut config = config.map_err(|error| folder.told(&error.into()))?;
    config.push(b'\n');
    folder.write(CONFIG, &config)?;
    folder.finish()
}

fn configuration(adapter: &Adapter, spec: &ModelSpec, base: &str) -> Value {
    let alpha = if adapter.alpha.fract() == 0.0 && adapter.alpha.abs() < 1e15 {
        Value::from(adapter.alpha as i64)
    } else {
        Value::from(adapter.alpha)
    };
    json!({
        "alpha_pattern": {},
        "auto_mapping": null,
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "layers_pattern": null,
        "layers_to_transform": null,
        "lora_alpha": alpha,
        "lora_dropout": adapter.dropout,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": adapter.rank,
        "rank_pattern": {},
        "revision": null,
        "target_modules": targets(adapter, spec),
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false,
    })
}

/// Short names where every layer has the same projections, whole paths otherwise: PEFT would add to every layer that a
/// short name fits.
fn targets(adapter: &Adapter, spec: &ModelSpec) -> Vec<String> {
    let named: Vec<Projection> = Projection::ALL
        .into_iter()
        .filter(|&projection| adapter.parts.keys().any(|(_, other)| *other == projection))
        .collect();
    if adapter.parts.len() == named.len() * spec.layers.len() {
        let last = |projection: Projection| projection.module().rsplit('.').next().unwrap_or_default().to_owned();
        return named.into_iter().map(last).collect();
    }
    let path = |(layer, projection): &(usize, Projection)| format!("model.layers.{layer}.{}", projection.module());
    adapter.parts.keys().map(path).collect()
}
