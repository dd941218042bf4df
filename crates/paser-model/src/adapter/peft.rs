//! Adapters as PEFT keeps them: `adapter_config.json` and `adapter_model.safetensors`. What this program does not compute
//! (DoRA, biases, ranks of single modules) is refused by name, never read half.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Map, Value, json};

use super::{Adapter, LowRank};
use crate::{ModelError, ModelSpec, Projection};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before the name of a module.
const PREFIX: &str = "base_model.model.";

/// Options that change what an adapter computes, and the values at which they change nothing.
const PLAIN: [(&str, &[&str]); 14] = [
    ("bias", &["none"]),
    ("use_dora", &["false"]),
    ("use_rslora", &["false"]),
    ("use_qalora", &["false"]),
    ("lora_bias", &["false"]),
    ("fan_in_fan_out", &["false"]),
    ("modules_to_save", &["null", "[]"]),
    ("rank_pattern", &["{}"]),
    ("alpha_pattern", &["{}"]),
    ("layers_to_transform", &["null", "[]"]),
    ("layer_replication", &["null", "[]"]),
    ("trainable_token_indices", &["null", "[]"]),
    ("alora_invocation_tokens", &["null"]),
    ("megatron_config", &["null"]),
];

fn module(layer: usize, projection: Projection, part: &str) -> String {
    format!("{PREFIX}model.layers.{layer}.{}.lora_{part}.weight", projection.module())
}

impl Adapter {
    /// The two files, by name. `base`: what the adapter belongs to, a folder or a hub id.
    ///
    /// # Errors
    /// None but what serialising gives.
    pub fn to_peft(&self, spec: &ModelSpec, base: &str) -> Result<Vec<(&'static str, Vec<u8>)>, ModelError> {
        let told = |reason: String| ModelError::Safetensors { path: WEIGHTS.into(), reason };
        let mut tensors: Vec<(String, Vec<u8>, Vec<usize>)> = Vec::new();
        let mut targets: Vec<&str> = Vec::new();
        for (&(layer, projection), part) in &self.parts {
            let (outputs, inputs) = spec.layers[layer].shape(projection, spec.hidden);
            for (name, values, shape) in
                [("A", &part.a, vec![self.rank, inputs]), ("B", &part.b, vec![outputs, self.rank])]
            {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                tensors.push((module(layer, projection, name), bytes, shape));
            }
            let target = projection.module().rsplit('.').next().unwrap_or_default();
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let views = tensors
            .iter()
            .map(|(name, bytes, shape)| {
                let view =
                    TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|error| told(error.to_string()))?;
                Ok((name.as_str(), view))
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let format = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let weights = safetensors::serialize(views, Some(format)).map_err(|error| told(error.to_string()))?;
        let config = json!({
            "base_model_name_or_path": base,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.rank,
            "target_modules": targets,
            "task_type": "CAUSAL_LM",
            "use_dora": false,
            "use_rslora": false,
        });
        let config = serde_json::to_vec_pretty(&config)
            .map_err(|error| ModelError::Config { path: CONFIG.into(), reason: error.to_string() })?;
        Ok(vec![(CONFIG, config), (WEIGHTS, weights)])
    }

    /// Reads an adapter's folder for a model.
    ///
    /// # Errors
    /// Missing or damaged files; options, tensors and shapes that are not those of plain low-rank additions to this model,
    /// named; numbers that are not finite.
    pub fn from_peft(folder: &Path, spec: &ModelSpec) -> Result<Self, ModelError> {
        let path = folder.join(CONFIG);
        let text = fs_err::read(&path).map_err(ModelError::io(&path))?;
        let told = |reason: String| ModelError::Config { path: path.clone(), reason };
        let config: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|error| told(format!("not a JSON object: {error}")))?;
        if config.get("peft_type").and_then(Value::as_str) != Some("LORA") {
            return Err(told("`peft_type` is not LORA; only low-rank additions are read".to_owned()));
        }
        for (key, plain) in PLAIN {
            let Some(value) = config.get(key) else { continue };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !plain.contains(&text.as_str()) && !value.is_null() {
                return Err(told(format!("`{key}` is {text}, which this program does not compute")));
            }
        }
        let number = |key: &str| config.get(key).and_then(Value::as_f64);
        let rank = number("r").filter(|rank| *rank >= 1.0 && rank.fract() == 0.0 && *rank <= 65_536.0);
        let rank = rank.ok_or_else(|| told("`r` is not a whole number of at least 1".to_owned()))? as usize;
        let alpha = number("lora_alpha").filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or_else(|| told("`lora_alpha` is not a number".to_owned()))?;
        let dropout = number("lora_dropout").unwrap_or(0.0);
        let parts = read_parts(&folder.join(WEIGHTS), spec, rank)?;
        Ok(Self { rank, alpha, dropout, parts })
    }
}

fn read_parts(
    path: &Path,
    spec: &ModelSpec,
    rank: usize,
) -> Result<BTreeMap<(usize, Projection), LowRank>, ModelError> {
    let bytes = fs_err::read(path).map_err(ModelError::io(path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| ModelError::Safetensors { path: path.to_owned(), reason: error.to_string() })?;
    let mut known = 0;
    let mut parts = BTreeMap::new();
    for (layer, sizes) in spec.layers.iter().enumerate() {
        for projection in Projection::ALL {
            let (outputs, inputs) = sizes.shape(projection, spec.hidden);
            let names = [module(layer, projection, "A"), module(layer, projection, "B")];
            let found = names.each_ref().map(|name| file.tensor(name).ok());
            let [Some(a), Some(b)] = found else {
                if let Some(lonely) = names.iter().zip(&found).find(|(_, found)| found.is_some()) {
                    return Err(ModelError::MissingTensor {
                        path: path.to_owned(),
                        tensor: format!("the other half of {}", lonely.0),
                    });
                }
                continue;
            };
            known += 2;
            let a = values(path, &names[0], &a, [rank, inputs])?;
            let b = values(path, &names[1], &b, [outputs, rank])?;
            parts.insert((layer, projection), LowRank { a, b });
        }
    }
    let others: Vec<String> = file
        .names()
        .into_iter()
        .filter(|name| {
            !spec.layers.iter().enumerate().any(|(layer, _)| {
                Projection::ALL
                    .iter()
                    .any(|&projection| ["A", "B"].iter().any(|part| module(layer, projection, part) == **name))
            })
        })
        .map(|name| (*name).to_owned())
        .collect();
    if !others.is_empty() || known == 0 {
        return Err(ModelError::UnknownTensors {
            path: path.to_owned(),
            family: spec.family.label().to_owned(),
            count: others.len(),
            first: others.into_iter().min().unwrap_or_else(|| "(none)".to_owned()),
        });
    }
    Ok(parts)
}

fn values(path: &Path, name: &str, tensor: &TensorView<'_>, shape: [usize; 2]) -> Result<Vec<f32>, ModelError> {
    if tensor.shape() != shape {
        return Err(ModelError::Shape {
            path: path.to_owned(),
            tensor: name.to_owned(),
            found: tensor.shape().to_vec(),
            expected: format!("{shape:?}"),
        });
    }
    let bytes = tensor.data();
    let values: Vec<f32> = match tensor.dtype() {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect(),
        Dtype::BF16 => {
            bytes.as_chunks::<2>().0.iter().map(|value| half::bf16::from_le_bytes(*value).to_f32()).collect()
        }
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|value| half::f16::from_le_bytes(*value).to_f32()).collect(),
        other => {
            return Err(ModelError::Dtype {
                path: path.to_owned(),
                tensor: name.to_owned(),
                dtype: format!("{other:?}"),
            });
        }
    };
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => {
            Err(ModelError::NotFinite { path: path.to_owned(), tensor: name.to_owned(), index, value: values[index] })
        }
        None => Ok(values),
    }
}
